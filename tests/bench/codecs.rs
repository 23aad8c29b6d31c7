//! The codecs in memory, on one core: MB/s of plain bytes, as a Markdown table. xbcrypt beside the
//! sum of what it cannot do without, LZ4 beside its blocks alone. Medians of 9, in turn.

use std::hint::black_box;
use std::io::{Read, Write};
use std::time::Instant;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};
use xbkit::codec::{Codec, Compression, Key};
use xbkit::{DecodeReader, EncodeWriter};

const MIB: usize = 1 << 20;
const CHUNK: usize = 64 << 10;
const ROUNDS: usize = 9;

/// Bytes that compress to about half, always the same.
fn pages(len: usize) -> Vec<u8> {
    let mut seed = 1_u64;
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.extend_from_slice(&seed.to_be_bytes()[..6]);
        }
        bytes.extend_from_slice(b"some words of a row, and some more");
    }
    bytes.truncate(len);
    bytes
}

/// SHA-256, then AES-256 in counter mode, then CRC-32 of each chunk, where it lies.
fn serial_limit(plain: &mut [u8]) {
    for chunk in plain.chunks_mut(CHUNK) {
        black_box(Sha256::digest(&*chunk));
        Ctr128BE::<Aes256>::new(&[7; 32].into(), &[9; 16].into()).apply_keystream(chunk);
        black_box(crc32fast::hash(chunk));
    }
}

fn lz4_blocks(plain: &[u8], out: &mut [u8]) -> Vec<usize> {
    let block = |block| lz4::block::compress_to_buffer(block, None, false, out).unwrap_or(0);
    plain.chunks(CHUNK).map(block).collect()
}

fn key() -> Option<Key> {
    Key::new(&[7; 32]).ok()
}

fn encode(plain: &[u8], how: Option<Compression>) -> Vec<u8> {
    let stored = Vec::with_capacity(plain.len() + plain.len() / 8);
    let writer = EncodeWriter::new(stored, "t.ibd").and_then(|writer| match (how, key()) {
        (Some(compression), _) => writer.compress(compression),
        (None, Some(key)) => Ok(writer.encrypt(key)),
        (None, None) => Ok(writer),
    });
    let Ok(mut writer) = writer else { return Vec::new() };
    for piece in plain.chunks(MIB) {
        let _ = writer.write_all(piece);
    }
    writer.finish().unwrap_or_default()
}

fn decode(stored: &[u8], codec: Codec) -> usize {
    let key = key();
    let Ok(mut reader) = DecodeReader::new(stored, codec, key.as_ref()) else { return 0 };
    let (mut buffer, mut sum) = (vec![0; MIB], 0);
    while let Ok(len @ 1..) = reader.read(&mut buffer) {
        sum += len;
    }
    sum
}

struct Row<'r> {
    name: &'static str,
    run: Box<dyn FnMut() + 'r>,
    seconds: Vec<f64>,
}

fn row<'r>(name: &'static str, run: impl FnMut() + 'r) -> Row<'r> {
    Row { name, run: Box::new(run), seconds: Vec::new() }
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "this is its output")]
fn main() {
    let plain = pages(64 * MIB);
    let mut scratch = plain.clone();
    let mut out = vec![0; 2 * CHUNK];
    let stored = |how| encode(&plain, how);
    let check = |stored: &[u8], codec| assert_eq!(decode(stored, codec), plain.len(), "{codec:?}");
    let (crypt, lz4, qpress) =
        (stored(None), stored(Some(Compression::Lz4)), stored(Some(Compression::Quicklz)));
    for (stored, codec) in [(&crypt, Codec::Xbcrypt), (&lz4, Codec::Lz4), (&qpress, Codec::Quicklz)]
    {
        check(stored, codec);
    }
    let mut rows = [
        row("SHA-256 + AES-256-CTR + CRC-32", || serial_limit(&mut scratch)),
        row("xbcrypt, encrypt", || {
            black_box(encode(&plain, None));
        }),
        row("xbcrypt, decrypt", || {
            black_box(decode(&crypt, Codec::Xbcrypt));
        }),
        row("LZ4 blocks alone", || {
            black_box(lz4_blocks(&plain, &mut out));
        }),
        row("lz4, encode", || {
            black_box(encode(&plain, Some(Compression::Lz4)));
        }),
        row("lz4, decode", || {
            black_box(decode(&lz4, Codec::Lz4));
        }),
        row("quicklz, encode", || {
            black_box(encode(&plain, Some(Compression::Quicklz)));
        }),
        row("quicklz, decode", || {
            black_box(decode(&qpress, Codec::Quicklz));
        }),
    ];
    // A first round is not counted.
    for round in 0..=ROUNDS {
        for row in &mut rows {
            let begin = Instant::now();
            (row.run)();
            if round > 0 {
                row.seconds.push(begin.elapsed().as_secs_f64());
            }
        }
    }
    println!("| what | MB/s | of the limit | target |\n|---|---:|---:|---|");
    let speeds = rows.map(|mut row| {
        row.seconds.sort_by(f64::total_cmp);
        let median = row.seconds.get(ROUNDS / 2).copied().unwrap_or(f64::NAN);
        (row.name, plain.len() as f64 / median / 1e6)
    });
    let limit = speeds.first().map_or(f64::NAN, |(_, speed)| *speed);
    for (name, speed) in speeds {
        let ratio = speed / limit;
        let (of, verdict) = match name.starts_with("xbcrypt") {
            true if ratio >= 0.9 => (format!("{ratio:.2}"), "≥ 0.90 met"),
            true => (format!("{ratio:.2}"), "≥ 0.90 **missed**"),
            false => (String::new(), ""),
        };
        println!("| {name} | {speed:.0} | {of} | {verdict} |");
    }
}
