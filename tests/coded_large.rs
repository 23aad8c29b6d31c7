//! Large members that are compressed or encrypted: several threads decode one of them, which must
//! not change what comes out or how it fails; and memory stays where it is said to.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the tests make and read files")]

mod common;

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::Path;

use common::child::{child, finish, given, job, peak_memory, tell, told};
use xbkit::codec::{Compression, Key};
use xbkit::{Create, EncodeWriter, Error, Extract, Silent};

const MIB: usize = 1 << 20;

/// Bytes that compress to about half, from `seed` on.
fn content(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        for _ in 0..3 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.extend_from_slice(&(state >> 8).to_le_bytes());
        }
        bytes.extend_from_slice(b"row of a table");
    }
    bytes.truncate(len);
    bytes
}

fn key() -> Key {
    Key::new(&[7; 32]).expect("a key")
}

/// A stream without manifest of one member, stored as it is: what is wrong with it is for its
/// codecs to notice.
fn stream_of(name: &str, stored: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a scratch directory");
    fs::write(dir.path().join(name), stored).expect("a file");
    let mut stream = Vec::new();
    let job = Create::new().manifest(false).base(dir.path()).file(name);
    job.run(&mut stream, &mut Silent).expect("a stream");
    stream
}

/// What a thread or several make of a stream of one member: its file, or what is said.
fn extracted(stream: &[u8], threads: usize) -> Result<Vec<u8>, String> {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let target = dir.path().join("target");
    let job = Extract::into_dir(&target).sync(false).key(key()).decode_threads(threads);
    let done = job.run(&mut &*stream, &mut Silent);
    let said = |error: Error| {
        let left = fs::read_dir(&target).map_or(0, Iterator::count);
        assert_eq!(left, 0, "files are left behind {error}");
        format!("{:?}: {error} {:?}", error.kind(), error.hint_text())
    };
    done.map_err(said)?;
    let mut files = fs::read_dir(&target).expect("the target");
    let file = files.next().expect("a file").expect("an entry");
    Ok(fs::read(file.path()).expect("the member"))
}

/// The same on every number of threads.
#[track_caller]
fn on_all_threads(name: &str, stored: &[u8]) -> Result<Vec<u8>, String> {
    let stream = stream_of(name, stored);
    let one = extracted(&stream, 1);
    let more = extracted(&stream, 3);
    assert!(more == one, "{name}: {:?} on one thread, {:?} on three", one.err(), more.err());
    one
}

fn encoded(plain: &[u8], compression: Option<Compression>, chunk: Option<usize>) -> Vec<u8> {
    let mut writer = EncodeWriter::new(Vec::new(), "t.ibd").expect("a writer");
    if let Some(compression) = compression {
        writer = writer.compress(compression).expect("a level");
    }
    if let Some(chunk) = chunk {
        writer = writer.encrypt(key()).encrypt_chunk_size(chunk).expect("a size");
    }
    writer.write_all(plain).expect("memory");
    writer.finish().expect("the end")
}

/// All codecs, and the suffix that stands for each.
const CODECS: [(Option<Compression>, &str); 4] = [
    (None, ""),
    (Some(Compression::Quicklz), ".qp"),
    (Some(Compression::Lz4), ".lz4"),
    (Some(Compression::Zstd { level: 1 }), ".zst"),
];

/// Text and noise, a hole, and text again.
fn plain() -> Vec<u8> {
    [content(2 * MIB + 1234, 1), vec![0; MIB], content(MIB / 3, 2)].concat()
}

/// Every stack of layers: whole, cut, and with a flipped bit.
#[test]
fn a_large_member_is_the_same_on_every_number_of_threads() {
    let plain = plain();
    for (compression, suffix) in CODECS {
        for chunk in [None, Some(1 << 16)] {
            let name = format!("t.ibd{suffix}{}", chunk.map_or("", |_| ".xbcrypt"));
            if compression.is_none() && chunk.is_none() {
                continue;
            }
            let stored = encoded(&plain, compression, chunk);
            assert!(on_all_threads(&name, &stored) == Ok(plain.clone()), "{name}");
            for part in 1..4 {
                let at = stored.len() * part / 4;
                let cut = on_all_threads(&name, &stored[..at]);
                // Encrypted data alone may end behind any chunk.
                assert!(cut.is_err(), "{name} cut at {at}");
                let mut bad = stored.clone();
                bad[at] ^= 1 << part;
                let flipped = on_all_threads(&name, &bad);
                assert!(flipped.is_err() || flipped == Ok(plain.clone()), "{name}, bit at {at}");
            }
        }
    }
}

/// Frames and chunks that are too large to be cut out, alone and behind others that are not.
#[test]
fn what_cannot_be_cut_is_decoded_by_one_thread() {
    let plain = plain();
    let one = zstd::encode_all(&*plain);
    let few = encoded(&plain, Some(Compression::Zstd { level: 1 }), None);
    assert!(on_all_threads("t.ibd.zst", &one) == Ok(plain.clone()));
    assert!(on_all_threads("t.ibd.zst", &[&*few, &one].concat()) == Ok(plain.repeat(2)));
    assert!(on_all_threads("t.ibd.zst", &[&*one, &few].concat()) == Ok(plain.repeat(2)));
    assert!(on_all_threads("t.ibd.zst", &[&*few, b"?"].concat()).is_err());
    assert!(on_all_threads("t.ibd.zst", &[&*few, &one[..one.len() - 1]].concat()).is_err());

    let linked = lz4_linked(&plain);
    let few = encoded(&plain, Some(Compression::Lz4), None);
    assert!(on_all_threads("t.ibd.lz4", &[&*few, &linked].concat()) == Ok(plain.repeat(2)));

    for chunk in [3 << 20, 1 << 20, 4096] {
        let crypt = encoded(&plain, None, Some(chunk));
        assert!(on_all_threads("t.ibd.xbcrypt", &crypt) == Ok(plain.clone()), "{chunk}");
        let twice = encoded(&plain, Some(Compression::Lz4), Some(chunk));
        assert!(on_all_threads("t.ibd.lz4.xbcrypt", &twice) == Ok(plain.clone()), "{chunk}");
    }

    let archive = encoded(&plain, Some(Compression::Quicklz), None);
    assert!(on_all_threads("t.ibd.qp", &[&*archive, &archive].concat()).is_err());
    assert!(on_all_threads("t.ibd.qp", &[&*archive, b"x"].concat()).is_err());
}

/// Zeros hold thousands of times what is stored: a unit may be far more than a thread should hold.
#[test]
fn what_grows_too_much_for_a_thread_comes_out_whole() {
    let zeros = vec![0; 12 * MIB];
    for (compression, suffix) in CODECS {
        for chunk in [None, Some(1 << 16)] {
            let name = format!("t.ibd{suffix}{}", chunk.map_or("", |_| ".xbcrypt"));
            if compression.is_some() {
                let stored = encoded(&zeros, compression, chunk);
                assert!(on_all_threads(&name, &stored) == Ok(zeros.clone()), "{name}");
            }
        }
    }
    // Without sizes in the frames nothing announces it.
    let unsized_frames = zstd::encode_all(Cursor::new(&zeros).take(16 * 1024)).repeat(2000);
    let error = on_all_threads("t.ibd.zst", &unsized_frames[..unsized_frames.len() - 1]);
    assert!(error.expect_err("it is cut").starts_with("Truncated"));
}

mod zstd {
    use std::io::Read;

    /// One frame, without its size.
    pub(super) fn encode_all(mut plain: impl Read) -> Vec<u8> {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        std::io::copy(&mut plain, &mut encoder).expect("memory");
        encoder.finish().expect("the end")
    }
}

/// One frame of blocks that refer to each other.
fn lz4_linked(plain: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Linked);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("the end")
}

/// At most 64 MiB, and 4 MiB for each thread that reads, codes or writes: to make a stream of a file of 104 MiB and of three small
/// ones, encrypted too, and to extract it.
#[test]
fn memory_stays_within_its_bounds() {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let piece = content(MIB, 3);
    for (name, pieces) in [("one.ibd", 104), ("a.ibd", 3), ("b.ibd", 3), ("c.ibd", 3)] {
        let mut file = File::create(dir.path().join(name)).expect("a file");
        (0..pieces).for_each(|_| file.write_all(&piece).expect("room"));
    }
    for codec in ["quicklz", "lz4", "zstd 6", "gzip"] {
        for threads in if codec == "quicklz" { [1, 2] } else { [1, 8] } {
            let run = |what: &str| -> usize {
                let mut child = child("memory");
                child.env("XBK_DIR", dir.path()).env("XBK_WHAT", what);
                child.env("XBK_CODEC", codec).env("XBK_THREADS", threads.to_string());
                told(&finish(&mut child), "peak").parse().expect("a number")
            };
            for what in ["create", "extract"] {
                let (peak, bound) = (run(what), (64 + 4 * 2 * threads) * MIB);
                println!(
                    "{what} {codec} on {threads} threads: {} KiB of {}",
                    peak >> 10,
                    bound >> 10
                );
                assert!(
                    peak < bound,
                    "{what} {codec} on {threads} threads: {peak} bytes, of {bound}"
                );
            }
        }
    }
}

fn use_memory() {
    let (dir, codec, what) = (given("XBK_DIR"), given("XBK_CODEC"), given("XBK_WHAT"));
    let threads: usize = given("XBK_THREADS").parse().expect("a number");
    let (dir, stream) = (Path::new(&dir), Path::new(&dir).join("stream"));
    let compression = match codec.as_str() {
        "quicklz" => Compression::Quicklz,
        "lz4" => Compression::Lz4,
        "gzip" => Compression::Gzip { level: 1 },
        _ => Compression::Zstd { level: 6 },
    };
    if what == "create" {
        let job = ["one.ibd", "a.ibd", "b.ibd", "c.ibd"].iter().fold(Create::new(), Create::file);
        let job = job.base(dir).parallel(threads).compress(compression).compress_threads(threads);
        let job = job.encrypt(key()).encrypt_threads(threads);
        let mut file = File::create(stream).expect("a file");
        job.run(&mut file, &mut Silent).expect("a stream");
    } else {
        let target = dir.join("target");
        let job = Extract::into_dir(&target).sync(false).key(key()).parallel(threads);
        let mut file = File::open(stream).expect("the stream");
        job.run(&mut file, &mut Silent).expect("its files");
        fs::remove_dir_all(target).expect("the target goes");
    }
    tell("peak", peak_memory());
}

#[test]
#[ignore = "what the test above does in processes of its own"]
fn child_process() {
    if job().as_deref() == Some("memory") {
        use_memory();
    }
}
