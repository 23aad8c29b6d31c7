//! Bounds hold in a real process: descriptors under `ulimit -n`, memory by the kernel's own count,
//! and both whatever a stream claims or opens.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use common::build::Chunks;
use common::child::{child_after, finish, given, job, peak_memory, tell, told};
use common::sandbox::{Sandbox, WAYS, Way};
use xbkit::format::xbstream::FLAG_MANIFEST;
use xbkit::{Error, ErrorKind, Extract, Result, Silent, StreamReader, limits};

const MIB: u64 = 1 << 20;

/// A reader of pieces that are made when they are needed.
struct Made<F> {
    make: F,
    number: u64,
    piece: Vec<u8>,
    given: usize,
}

/// A stream of the pieces that `make` gives for 0, 1, 2 …, until `None`.
fn made<F: FnMut(u64) -> Option<Chunks>>(make: F) -> Made<F> {
    Made { make, number: 0, piece: Vec::new(), given: 0 }
}

impl<F: FnMut(u64) -> Option<Chunks>> Read for Made<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            if self.given == self.piece.len() {
                let Some(piece) = (self.make)(self.number) else { break };
                (self.piece, self.given) = (piece.0, 0);
                self.number += 1;
            }
            let mut left = &self.piece[self.given..];
            let count = left.read(&mut buf[filled..])?;
            self.given += count;
            filled += count;
        }
        Ok(filled)
    }
}

fn name(number: u64) -> Vec<u8> {
    format!("database{:02}/table_number_{number:07}.ibd", number % 50).into_bytes()
}

/// `count` members that are all open before the first ends, each written to twice.
fn interleaved(count: u64) -> impl Read {
    made(move |number| {
        let (round, member) = (number / count, number % count);
        let (stream, name) = (Chunks::default(), name(member));
        match round {
            0 => Some(stream.payload(&name, 0, b"first half,")),
            1 => Some(stream.payload(&name, 11, &member.to_be_bytes())),
            2 => Some(stream.end(&name)),
            _ => None,
        }
    })
}

/// Runs a child with few descriptors, which extracts so many interleaved members.
fn extract_interleaved(way: Way, descriptors: u64, members: u64) -> u64 {
    let sandbox = Sandbox::new();
    let mut child = child_after(&format!("ulimit -n {descriptors}"), "interleaved");
    child.env("XBK_TARGET", sandbox.target()).env("XBK_MEMBERS", members.to_string());
    child.env("XBK_PARALLEL", way.parallel.to_string());
    child.env("XBK_IN_PLACE", way.in_place.to_string());
    let output = finish(&mut child);
    let mut found = 0;
    for database in fs::read_dir(sandbox.target()).unwrap() {
        found += fs::read_dir(database.unwrap().path()).unwrap().count() as u64;
    }
    assert_eq!(found, members, "{way:?}");
    for number in [0, 1, members / 2, members - 1] {
        let path = String::from_utf8(name(number)).unwrap();
        let expected = [&b"first half,"[..], &number.to_be_bytes()].concat();
        assert_eq!(fs::read(sandbox.target().join(path)).unwrap(), expected);
    }
    told(&output, "grown").parse().unwrap()
}

fn interleaved_child() {
    let members = given("XBK_MEMBERS").parse().unwrap();
    let way = Way {
        parallel: given("XBK_PARALLEL").parse().unwrap(),
        in_place: given("XBK_IN_PLACE") == "true",
    };
    let before = peak_memory();
    let job = way.job(Path::new(&given("XBK_TARGET")));
    let report = job.run(&mut interleaved(members), &mut Silent).unwrap();
    assert_eq!(report.members, members);
    tell("grown", peak_memory() - before);
}

/// What `xbkit::extract` documents: a MiB for each buffer, and for an open member about 150 bytes
/// and its path in the decoder, as much again in the extractor, and the path once more.
fn documented(parallel: u64, members: u64) -> u64 {
    let path = name(0).len() as u64;
    (2 * parallel + 2) * MIB + members * (2 * (150 + path) + path)
}

#[test]
fn a_hundred_thousand_open_members_need_256_descriptors() {
    for (in_place, parallel) in [(false, 1), (true, 4)] {
        let members = 100_000;
        let grown = extract_interleaved(Way { in_place, parallel }, 256, members);
        // And what the allocator keeps, for each thread.
        let bound = documented(parallel as u64, members) + 4 * MIB + 2 * MIB * parallel as u64;
        println!("parallel {parallel}: grown by {} KiB, of {}", grown >> 10, bound >> 10);
        assert!(grown < bound, "parallel {parallel}: {grown} bytes, of {bound}");
    }
}

#[test]
fn more_workers_than_descriptors_are_not_started() {
    for way in [Way { in_place: false, parallel: 256 }, Way { in_place: true, parallel: 100 }] {
        extract_interleaved(way, 64, 2000);
    }
}

/// Work that waits for a thread is bounded by its number, whatever buffers it came in.
#[test]
fn tiny_chunks_cost_no_more_than_large_ones() {
    let sandbox = Sandbox::new();
    let mut child = child_after("true", "tiny chunks");
    child.env("XBK_TARGET", sandbox.target());
    let grown: u64 = told(&finish(&mut child), "grown").parse().unwrap();
    println!("grown by {} KiB", grown >> 10);
    // Threads, and the program's own pages. Without the bound each buffer became 10 MiB of work.
    assert!(grown < documented(4, 1) + 8 * MIB, "{grown} bytes");
}

fn tiny_chunks(target: &Path) {
    const CHUNKS: u64 = 600_000;
    let before = peak_memory();
    let mut stream = made(|number| match number {
        0..CHUNKS => Some(Chunks::default().payload(b"a", number, b"x")),
        CHUNKS => Some(Chunks::default().end(b"a")),
        _ => None,
    });
    let way = Way { in_place: true, parallel: 4 };
    assert_eq!(way.job(target).run(&mut stream, &mut Silent).unwrap().payload_bytes, CHUNKS);
    tell("grown", peak_memory() - before);
}

/// What a header announces costs nothing, in the extractor as in the decoder.
#[test]
fn hostile_lengths_cost_no_memory() {
    let sandbox = Sandbox::new();
    let mut child = child_after("true", "hostile lengths");
    child.env("XBK_TARGET", sandbox.target());
    let grown: u64 = told(&finish(&mut child), "grown").parse().unwrap();
    // The buffers of three workers, the pieces of the map that arrived, and threads.
    assert!(grown < 8 * MIB + 8 * MIB + 4 * MIB, "{} KiB", grown >> 10);
    sandbox.assert_nothing_outside("hostile lengths");
}

fn hostile_lengths(target: &Path) {
    use ErrorKind::{Limit, Truncated};
    let payload = |letter, flags, len: u64| {
        let body = [&len.to_le_bytes()[..], &[0; 12], b"what is there"].concat();
        Chunks::default().chunk(flags, letter, b"db/a.ibd", &body).0
    };
    let sparse = |entries: u32, len: u64, map: &[u8]| {
        let head = [&entries.to_le_bytes()[..], &len.to_le_bytes(), &[0; 12]].concat();
        Chunks::default().chunk(0, b'S', b"db/a.ibd", &[&head, map].concat()).0
    };
    let cap = limits::SPARSE_MAP_ENTRIES;
    let half = vec![0; cap as usize * 4];
    let streams = [
        (payload(b'P', 0, 1 << 63), Limit),
        (payload(b'P', 0, u64::MAX), Limit),
        (payload(b'P', 0, 1 << 48), Truncated),
        (payload(b'Z', 1, u64::MAX), Truncated),
        (sparse(cap, 1 << 40, b"few"), Truncated),
        (sparse(cap, 1 << 40, &half), Truncated),
        (sparse(cap + 1, 0, &half), Limit),
        (sparse(u32::MAX, u64::MAX, &half), Limit),
        (Chunks::default().seek(b"a", 1 << 63).end(b"a").0, Limit),
    ];
    let before = peak_memory();
    for (number, (stream, kind)) in streams.iter().enumerate() {
        for way in WAYS {
            let error = way.extract(target, stream).unwrap_err();
            assert_eq!(error.kind(), *kind, "{number}, {way:?}: {error}");
            assert_eq!(fs::read_dir(target).unwrap().count(), 0, "{number}, {way:?}");
        }
    }
    tell("grown", peak_memory() - before);
}

/// A map with as many entries as there may be is taken, and one more is refused.
#[test]
fn the_cap_of_sparse_maps_is_where_it_is_said() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let map = vec![(1, 0); limits::SPARSE_MAP_ENTRIES as usize];
        let stream = Chunks::default().sparse(b"s", 0, &map, b"").end(b"s").0;
        way.extract(&sandbox.target(), &stream).unwrap();
        let size = fs::metadata(sandbox.target().join("s")).unwrap().len();
        assert_eq!(size, u64::from(limits::SPARSE_MAP_ENTRIES), "{way:?}");
    }
}

/// A zstd frame says how much memory it needs. One that wants 2 GiB gets an error.
#[test]
fn a_layer_cannot_ask_for_memory() {
    let sandbox = Sandbox::new();
    // Magic, no flags, a window of 2^31; then a raw block of a byte, the last one.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x09, 0x00, 0x00, b'X'];
    for way in WAYS {
        let error = way.extract(&sandbox.target(), &frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decompress, "{error}");
    }
    assert_eq!(fs::read_dir(sandbox.target()).unwrap().count(), 0);
}

#[test]
fn open_members_have_a_cap_and_a_price() {
    let output = finish(&mut child_after("true", "too many members"));
    let grown: u64 = told(&output, "grown").parse().unwrap();
    assert_eq!(told(&output, "error"), "Limit: more than 1000000 members are open at once");
    // `limits::OPEN_MEMBERS`: a million with paths of 40 bytes are about 250 MB.
    println!("grown by {} KiB", grown >> 10);
    assert!(grown < 250_000_000, "{grown} bytes");
}

fn too_many_members() {
    let count = limits::OPEN_MEMBERS as u64 + 1;
    assert!(name(0).len() < 40);
    let before = peak_memory();
    let stream =
        made(|number| (number < count).then(|| Chunks::default().payload(&name(number), 0, b"")));
    tell("error", cap_said(&read_all(stream).unwrap_err()));
    tell("grown", peak_memory() - before);
}

/// In a stream with a manifest each open member costs its hash.
#[test]
fn open_members_that_are_hashed_have_a_lower_cap() {
    let output = finish(&mut child_after("true", "too many hashes"));
    let grown: u64 = told(&output, "grown").parse().unwrap();
    assert_eq!(told(&output, "error"), "Limit: more than 100000 members are open at once");
    println!("grown by {} KiB", grown >> 10);
    // `limits::HASHED_MEMBERS`, and the members themselves.
    assert!(grown < limits::HASHED_MEMBERS as u64 * (2048 + 250) + 4 * MIB, "{grown} bytes");
}

fn too_many_hashes() {
    let count = limits::HASHED_MEMBERS as u64 + 1;
    let before = peak_memory();
    let stream = made(|number| {
        let chunk = Chunks::default().payload(&name(number), 0, b"x");
        (number < count).then(|| if number == 0 { chunk.flip(8, FLAG_MANIFEST) } else { chunk })
    });
    tell("error", cap_said(&read_all(stream).unwrap_err()));
    tell("grown", peak_memory() - before);
}

/// An error's kind, and what it says behind the member's name.
fn cap_said(error: &Error) -> String {
    let said = error.to_string();
    let said = said.split(": ").nth(1).unwrap_or_default().split(", at byte").next().unwrap();
    format!("{:?}: {said}", error.kind())
}

fn read_all(stream: impl Read) -> Result<()> {
    let mut reader = StreamReader::new(stream)?;
    while reader.next_item()?.is_some() {}
    Ok(())
}

/// Members that no pattern asks for cost no descriptor and leave no file.
#[test]
fn members_left_out_leave_nothing() {
    let sandbox = Sandbox::new();
    let job = Extract::into_dir(sandbox.target()).sync(false);
    let job = job.member_pattern("database07/table_number_0000007.ibd").unwrap();
    let report = job.run(&mut interleaved(20_000), &mut Silent).unwrap();
    assert_eq!((report.members, report.skipped), (1, 19_999));
    assert_eq!(common::tree::on_disk(&sandbox.target()).len(), 1);
    let job = Extract::into_dir(sandbox.target().join("new")).sync(false);
    let job = job.member_pattern("nothing").unwrap();
    let error: Error = job.run(&mut interleaved(200), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(sandbox.target().join("new")).unwrap().count(), 0);
}

#[test]
#[ignore = "what the tests above do in processes of their own"]
fn child_process() {
    match job().as_deref() {
        Some("interleaved") => interleaved_child(),
        Some("hostile lengths") => hostile_lengths(Path::new(&given("XBK_TARGET"))),
        Some("tiny chunks") => tiny_chunks(Path::new(&given("XBK_TARGET"))),
        Some("too many members") => too_many_members(),
        Some("too many hashes") => too_many_hashes(),
        _ => {}
    }
}
