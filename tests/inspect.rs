//! Listing and verifying streams through the public jobs.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::ops::ControlFlow;

use xbkit::format::xbstream::{
    append_end, append_payload_header, append_remove, append_rename, crc32,
};
use xbkit::{ErrorKind, Event, List, Silent, Verify};

fn member(out: &mut Vec<u8>, path: &str, data: &[u8]) {
    append_payload_header(out, path.as_bytes(), 0, data.len() as u64, crc32(data), false).unwrap();
    out.extend_from_slice(data);
    append_end(out, path.as_bytes()).unwrap();
}

#[test]
fn a_list_names_each_member_as_it_ends() {
    let mut stream = Vec::new();
    member(&mut stream, "ibdata1", b"page");
    member(&mut stream, "db/t.ibd", b"");
    let mut seen = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Member { path, size } = event {
            seen.push((path.display().to_string(), *size));
        }
        ControlFlow::Continue(())
    };
    let report = List::new().run(&mut &stream[..], &mut observer).unwrap();
    assert_eq!(seen, [("ibdata1".to_owned(), 4), ("db/t.ibd".to_owned(), 0)]);
    assert_eq!(
        (report.members, report.payload_bytes, report.stream_bytes),
        (2, 4, stream.len() as u64)
    );
}

#[test]
fn a_stream_without_a_manifest_is_never_proven() {
    let mut stream = Vec::new();
    member(&mut stream, "a", b"hello");
    let error = Verify::new().run(&mut &stream[..], &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unproven);
    let report = Verify::new().allow_unproven(true).run(&mut &stream[..], &mut Silent).unwrap();
    assert!(!report.proven);
}

#[test]
fn a_damaged_stream_fails_even_where_unproven_ones_pass() {
    let mut stream = Vec::new();
    member(&mut stream, "a", b"hello");
    for (at, kind) in [(36, ErrorKind::Checksum), (0, ErrorKind::Format)] {
        let mut bad = stream.clone();
        bad[at] ^= 1;
        let error = Verify::new().allow_unproven(true).run(&mut &bad[..], &mut Silent).unwrap_err();
        assert_eq!(error.kind(), kind, "{at}");
    }
    let cut = &stream[..stream.len() - 1];
    for result in [
        List::new().run(&mut &cut[..], &mut Silent),
        Verify::new().allow_unproven(true).run(&mut &cut[..], &mut Silent),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Truncated);
    }
}

#[test]
fn members_that_a_stream_takes_back_are_not_counted() {
    let mut stream = Vec::new();
    for path in ["a", "b", "c"] {
        member(&mut stream, path, b"x");
    }
    append_rename(&mut stream, b"a", b"b").unwrap();
    append_remove(&mut stream, b"c").unwrap();
    let report = List::new().run(&mut &stream[..], &mut Silent).unwrap();
    assert_eq!(report.members, 1);
}
