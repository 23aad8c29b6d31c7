//! Any bytes as a QuickLZ packet: our decoder must agree with a slow one made of the format's
//! description. And any bytes compressed: they come back, from both.

#![allow(dead_code, reason = "the tests use more of the shared modules")]
#![expect(clippy::expect_used, reason = "a panic is how a target fails")]

#[path = "../../common/coded.rs"]
mod coded;

use std::io::Write as _;

use xbkit::codec::{Codec, Compression};
use xbkit::{EncodeWriter, ErrorKind};

const BLOCK: u64 = 1 << 20;

/// Tries one input; panics if something is wrong with the code, never with the input.
pub(crate) fn run(data: &[u8]) {
    let archive = [
        b"qpress10",
        &BLOCK.to_le_bytes()[..],
        b"F\x01\0\0\0t\0NEWBNEWB\0\0\0\0\0\0\0\0",
        &adler32(data).to_le_bytes(),
        data,
        b"ENDSENDS\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let (plain, result) = coded::decode(&archive, Codec::Quicklz, None, || usize::MAX);
    match (reference(data), result) {
        (Some(expected), Ok(())) => assert!(plain == expected, "other bytes"),
        (None, Err(_)) => {}
        // Levels 2 and 3 are told from nonsense before the body is looked at.
        (_, Err(error)) if error.kind() == ErrorKind::Unsupported => {}
        (expected, result) => panic!("{expected:?}, but {result:?}"),
    }
    round_trip(data);
}

fn round_trip(data: &[u8]) {
    let mut writer = EncodeWriter::new(Vec::new(), "t")
        .and_then(|writer| writer.compress(Compression::Quicklz))
        .expect("a writer");
    writer.write_all(data).expect("memory takes it");
    let archive = writer.finish().expect("memory takes it");
    let (plain, result) = coded::decode(&archive, Codec::Quicklz, None, || usize::MAX);
    assert!(result.is_ok() && plain == data, "{result:?}");
    if data.len() <= 65536 && !data.is_empty() {
        let packet = &archive[23 + 20..archive.len() - 16];
        assert_eq!(reference(packet).as_deref(), Some(data));
    }
}

fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

/// One whole packet, and nothing behind it.
fn reference(packet: &[u8]) -> Option<Vec<u8>> {
    let flags = *packet.first()?;
    let long = flags & 2 != 0;
    let number = |at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(packet.get(at..at + 4)?.try_into().ok()?) as usize)
    };
    let (header, size, n) = if long {
        (9, number(1)?, number(5)?)
    } else {
        (3, usize::from(*packet.get(1)?), usize::from(*packet.get(2)?))
    };
    if flags & 0xf0 != 0x40 || size != packet.len() || size < header || n as u64 > BLOCK {
        return None;
    }
    let body = &packet[header..];
    if flags & 1 == 0 {
        return (body.len() == n).then(|| body.to_vec());
    }
    if flags & 0x0c != 4 || n / 82 > size || size > n + n / 31 * 4 + 22 {
        return None;
    }
    let mut input = body.iter().copied();
    let mut out: Vec<u8> = Vec::new();
    let mut seen = vec![None; 4096];
    let mut next = 0;
    let mut word = 1_u32;
    let hash = |out: &[u8], at: usize| {
        let three = u32::from_le_bytes([out[at], out[at + 1], out[at + 2], 0]);
        (((three >> 12) ^ three) & 0xfff) as usize
    };
    while out.len() < n {
        if word == 1 {
            word = u32::from_le_bytes([input.next()?, input.next()?, input.next()?, input.next()?]);
            if word >> 31 == 0 {
                return None;
            }
        }
        let is_match = word & 1 == 1;
        word >>= 1;
        if !is_match {
            out.push(input.next()?);
            while next + 2 < out.len() {
                seen[hash(&out, next)] = Some(next);
                next += 1;
            }
            continue;
        }
        let (low, high) = (usize::from(input.next()?), usize::from(input.next()?));
        let len = match low & 15 {
            0 => usize::from(input.next()?),
            short => short + 2,
        };
        let start = out.len();
        let from = seen[low >> 4 | high << 4].filter(|from| *from < start)?;
        if len < 3 || start + len > n {
            return None;
        }
        for at in from..from + len {
            out.push(out[at]);
        }
        while next <= start {
            seen[hash(&out, next)] = Some(next);
            next += 1;
        }
        next = out.len();
    }
    let left = input.count();
    (left == 0 || body.len() == 9).then_some(out)
}
