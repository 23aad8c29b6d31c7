//! Conversion between xbstream and tar: the same files, proven anew, and never a whole stream made
//! of half a one.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::{Command, Stdio};

use common::build::{Chunks, noise};
use common::peers;
use common::tarball::{Header, Tarball, samples};
use common::tree::{Content, Files, decode_whole, on_disk};
use common::{golden, tree};
use xbkit::manifest::MANIFEST_NAME;
use xbkit::{
    Convert, Dialect, Error, ErrorKind, Event, Extract, Format, Level, Result, Silent,
    StreamWriter, Verify,
};

const BOTH: [Format; 2] = [Format::Xbstream, Format::Tar];

fn convert(job: &Convert, stream: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let report = job.run(&mut { stream }, &mut out, &mut Silent)?;
    assert_eq!(report.stream_bytes, out.len() as u64);
    Ok(out)
}

/// The files that a stream makes. It must be proven.
fn files(stream: &[u8]) -> Files {
    assert!(Verify::new().run(&mut { stream }, &mut Silent).expect("proven").proven);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    Extract::into_dir(&out).sync(false).run(&mut { stream }, &mut Silent).unwrap();
    assert!(out.join(MANIFEST_NAME).is_file());
    on_disk(&out)
}

/// A stream whose members interleave, larger than what waits in memory.
fn interleaved(dialect: Dialect) -> (Vec<u8>, Files) {
    let writer =
        StreamWriter::new(Format::Xbstream, Vec::new()).dialect(dialect).chunk_size(64 << 10);
    let writer = writer.unwrap();
    let contents: Vec<(String, Vec<u8>)> = [0, 1, 70_000, 3 << 20, 1 << 20, 5000]
        .into_iter()
        .zip(0..)
        .map(|(size, number)| (format!("db{}/t{number}.ibd", number % 2), noise(number, size)))
        .collect();
    let mut entries: Vec<_> =
        contents.iter().map(|(name, _)| Some(writer.entry(name).unwrap())).collect();
    for at in 0.. {
        let mut open = false;
        for (entry, (_, bytes)) in entries.iter_mut().zip(&contents) {
            let Some(writing) = entry else { continue };
            open = true;
            let piece = bytes.chunks(100_000).nth(at).unwrap_or_default();
            writing.write_all(piece).unwrap();
            if piece.is_empty() {
                let mut last = entry.take().unwrap();
                last.hole(10_000).unwrap();
                last.finish().unwrap();
            }
        }
        if !open {
            break;
        }
    }
    drop(entries);
    let files = contents
        .into_iter()
        .map(|(name, mut bytes)| {
            bytes.resize(bytes.len() + 10_000, 0);
            (name.into_bytes(), Content::from(&*bytes))
        })
        .collect();
    (writer.finish().unwrap(), files)
}

#[test]
fn each_format_becomes_the_other_and_comes_back() {
    let scratch = tempfile::tempdir().unwrap();
    for dialect in [Dialect::Common, Dialect::Percona] {
        let (xbstream, expected) = interleaved(dialect);
        let job = |format| Convert::to(format).tmpdir(scratch.path());
        let tar = convert(&job(Format::Tar), &xbstream).unwrap();
        assert_eq!(files(&tar), expected);
        let back = convert(&job(Format::Xbstream), &tar).unwrap();
        assert_eq!(files(&back), expected);
        // Also anew into its own format, and with every member waiting for the end.
        for (stream, format) in [(&xbstream, Format::Xbstream), (&tar, Format::Tar)] {
            assert_eq!(files(&convert(&job(format), stream).unwrap()), expected);
            for to in BOTH {
                let all = convert(&job(to).spool_all(true), stream).unwrap();
                assert_eq!(files(&all), expected);
            }
        }
        assert!(convert(&job(Format::Tar), &xbstream).unwrap() == tar, "not the same again");
    }
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "something is left");
}

#[test]
fn the_peers_take_what_is_converted() {
    let (xbstream, expected) = interleaved(Dialect::Common);
    let tar = convert(&Convert::to(Format::Tar), &xbstream).unwrap();
    let back = convert(&Convert::to(Format::Xbstream), &tar).unwrap();
    for (program, args, stream) in [
        ("tar", &["-xf", "-"][..], &tar),
        ("bsdtar", &["-xf", "-"], &tar),
        ("mbstream", &["-x"], &back),
    ] {
        let Some(program) = peers::peer(program) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(&program)
            .args(args)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stream).unwrap();
        assert!(child.wait().unwrap().success(), "{}", program.display());
        assert_eq!(on_disk(dir.path()), expected, "{}", program.display());
    }
}

/// All golden streams, and all samples of archives: each becomes what it makes, or is refused as
/// its reader refuses it.
#[test]
fn every_kind_of_stream_is_converted_or_refused_as_it_is_read() {
    let mut streams: Vec<(String, Vec<u8>)> =
        golden::all().into_iter().map(|golden| (golden.name.to_owned(), golden.stream)).collect();
    streams.extend(samples().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)));
    let mut converted = 0;
    for (name, stream) in streams {
        let is_tar = !stream.starts_with(b"XBSTCK");
        let outcome = if is_tar {
            tree::decode_by(xbkit::format::tar::Decoder::new(), &stream, || 512)
        } else {
            decode_whole(&stream)
        };
        for to in BOTH {
            let job = Convert::to(to).spool_all(true);
            let result = convert(&job, &stream);
            match &outcome.result {
                Ok(()) if outcome.files.is_empty() => {}
                Ok(()) => {
                    let found = files(&result.unwrap_or_else(|error| panic!("{name}: {error}")));
                    let mut expected = outcome.files.clone();
                    if to == Format::Xbstream && name == "plain" {
                        expected.insert(b"e/db.opt".to_vec(), Content::default());
                    }
                    assert_eq!(found, expected, "{name}");
                    converted += 1;
                }
                Err(error) => {
                    let found = result.expect_err(&name);
                    assert_eq!(found.to_string(), error.to_string(), "{name}");
                }
            }
        }
    }
    assert!(converted > 40, "only {converted}");
}

#[test]
fn members_that_change_after_their_end_are_refused_unless_all_wait() {
    let first = || Chunks::default().file(b"a", b"1").file(b"b", b"2");
    let cases = [
        ("rename", first().rename(b"a", b"c"), vec![("b", "2"), ("c", "1")]),
        ("replace", first().rename(b"a", b"b"), vec![("b", "1")]),
        ("remove", first().remove(b"a"), vec![("b", "2")]),
    ];
    for (what, chunks, expected) in cases {
        for to in BOTH {
            let error = convert(&Convert::to(to), &chunks.0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{what}: {error}");
            assert!(error.hint_text().unwrap().contains("--spool-all"));
            let whole = convert(&Convert::to(to).spool_all(true), &chunks.0).unwrap();
            let expected = expected
                .iter()
                .map(|(name, bytes)| (name.as_bytes().to_vec(), Content::from(bytes.as_bytes())))
                .collect();
            assert_eq!(files(&whole), expected, "{what}");
        }
    }
}

#[test]
fn what_is_cut_or_not_proven_gets_no_end() {
    let (xbstream, _) = interleaved(Dialect::Common);
    let tar = convert(&Convert::to(Format::Tar), &xbstream).unwrap();
    let mut flipped = xbstream.clone();
    flipped[5_000] ^= 1;
    let mut unproven = tar.clone();
    unproven[1024 + 600] ^= 1;
    for stream in [&xbstream[..xbstream.len() - 1], &tar[..tar.len() - 1], &flipped, &unproven] {
        for to in BOTH {
            let mut out = Vec::new();
            let error = Convert::to(to).run(&mut { stream }, &mut out, &mut Silent).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Checksum), "{error}");
            let verify = Verify::new().allow_unproven(true);
            verify.run(&mut &out[..], &mut Silent).expect_err("half a stream passes for whole");
        }
    }
}

#[test]
fn what_waits_is_bounded() {
    let (xbstream, _) = interleaved(Dialect::Common);
    let error = convert(&Convert::to(Format::Tar).max_spool(1 << 20), &xbstream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    convert(&Convert::to(Format::Tar).max_spool(6 << 20), &xbstream).unwrap();
    let nowhere = Convert::to(Format::Tar).tmpdir("/nonexistent/x");
    assert_eq!(convert(&nowhere, &xbstream).unwrap_err().kind(), ErrorKind::NotFound);
    // A tar archive does not wait.
    let tar = convert(&Convert::to(Format::Tar), &xbstream).unwrap();
    convert(&Convert::to(Format::Xbstream).max_spool(0).tmpdir("/nonexistent/x"), &tar).unwrap();
}

#[test]
fn empty_directories_are_kept_or_told() {
    let archive = Tarball::default()
        .header(&Header::of(b'5', b"./", 0))
        .directory(b"empty_db")
        .directory(b"db")
        .directory(b"db/deep")
        .directory(b"#tmp")
        .file(b"db/t", b"1")
        .end();
    let mut warnings = Vec::new();
    let mut out = Vec::new();
    Convert::to(Format::Xbstream)
        .run(&mut &archive[..], &mut out, &mut |event: &Event<'_>| {
            if let Event::Log { level: Level::Warning, message } = event {
                warnings.push((*message).to_owned());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let names: Vec<_> = files(&out).into_keys().collect();
    assert_eq!(names, [&b"db/t"[..], b"empty_db/db.opt"]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("#tmp:") && warnings[1].starts_with("db/deep:"));
    let same = convert(&Convert::to(Format::Tar), &archive).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    Extract::into_dir(&target).run(&mut &same[..], &mut Silent).unwrap();
    assert!(target.join("empty_db").is_dir() && target.join("#tmp").is_dir());
}

#[test]
fn an_archive_with_names_too_long_for_an_xbstream_is_refused() {
    let long = b"d/".repeat(260);
    let archive = Tarball::default().file(&[&long[..], b"t"].concat(), b"1").end();
    let error = convert(&Convert::to(Format::Xbstream), &archive).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Limit), "{error}");
    convert(&Convert::to(Format::Tar), &archive).unwrap();
}

#[test]
fn a_cancelled_conversion_ends() {
    let token = xbkit::CancelToken::new().unwrap();
    token.cancel();
    let (xbstream, _) = interleaved(Dialect::Common);
    let job = Convert::to(Format::Tar).cancel(token);
    let error: Error = convert(&job, &xbstream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
