//! Any bytes as encrypted chunks: the decoder must agree with itself, and what is decrypted
//! encrypts and decrypts again.
//!
//! An input is [`CONTROL`] bytes that say how to go about it, and the chunks.

#![allow(dead_code, reason = "the tests use more of the shared modules")]
#![expect(clippy::expect_used, reason = "a panic is how a target fails")]

#[path = "../../common/coded.rs"]
mod coded;

use std::io::Write as _;

use xbkit::EncodeWriter;
use xbkit::codec::{Codec, Key};
use xbkit::format::xbstream::crc32;

/// Bytes before the chunks: how to go about it, and three lengths of pieces.
pub(crate) const CONTROL: usize = 4;

/// The chunks' checksums are made right first, since no fuzzer guesses a CRC.
pub(crate) const RIGHT_SUMS: u8 = 1;

/// Nothing is encrypted: the algorithm `NONE`.
pub(crate) const NO_KEY: u8 = 2;

/// Tries one input; panics if something is wrong with the code, never with the input.
pub(crate) fn run(data: &[u8]) {
    let Some((&[how, pieces @ ..], stored)) = data.split_first_chunk::<CONTROL>() else { return };
    let mut stored = stored.to_vec();
    if how & RIGHT_SUMS != 0 {
        right_sums(&mut stored);
    }
    let key = Key::new(b"0123456789abcdef").expect("a key");
    let key = (how & NO_KEY == 0).then_some(key);
    let (plain, _) = coded::decode_both_ways(&stored, Codec::Xbcrypt, key.as_ref(), pieces);
    assert!(plain.len() <= stored.len());
    let Some(key) = key else { return };
    let mut writer = EncodeWriter::new(Vec::new(), "").expect("a writer").encrypt(key.clone());
    writer.write_all(&plain).expect("memory takes it");
    let again = writer.finish().expect("memory takes it");
    let (same, result) = coded::decode_both_ways(&again, Codec::Xbcrypt, Some(&key), pieces);
    assert!(result.is_ok() && same == plain, "{result:?}");
}

fn right_sums(stored: &mut [u8]) {
    let mut at = 0;
    while let Some(chunk) = stored.get_mut(at..).filter(|chunk| chunk.len() >= 44) {
        let number = |from: usize| -> usize {
            let bytes = chunk[from..from + 8].try_into().expect("eight bytes");
            usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let iv = if chunk[7] == b'1' { 0 } else { 8 + number(36).min(16) };
        let begin = 36 + iv;
        let end = begin.saturating_add(number(24));
        let Some(body) = chunk.get(begin..end) else { return };
        let sum = crc32(body);
        chunk[32..36].copy_from_slice(&sum.to_le_bytes());
        at += end;
    }
}
