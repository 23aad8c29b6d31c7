//! Where mini-transactions begin and end.
//!
//! One is a run of records, the sequence byte, a nonce of 8 bytes if the log is encrypted, and the
//! checksum of records and nonce. Types and lengths of records stay in clear in encrypted logs, and
//! checksums are over what is stored, so no key is needed.
//!
//! A record is a byte above 1, whose low 4 bits are the length of the rest; 0 there means that a
//! number `v` of variable length follows, and that `v + 15` bytes follow from its own first byte on.

use super::header::{Header, Lsn};
use super::names::localise;
use super::{be32, crc32c_of};
use crate::error::{Error, ErrorKind, Result};

/// Longest mini-transaction that the server writes, its frame included.
pub(crate) const MAX_MTR: usize = (1 << 20) + 64;

const NONCE_LEN: usize = 8;
const CHECKSUM_LEN: usize = 4;

/// How far a window of the log was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// To the window's end, or to a mini-transaction that goes on behind it.
    Whole {
        /// Bytes of whole mini-transactions.
        len: usize,
    },
    /// To what is no mini-transaction, or not yet.
    End {
        /// Bytes of whole mini-transactions.
        len: usize,
    },
}

impl Walk {
    /// Bytes of whole mini-transactions.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Whole { len } | Self::End { len } => len,
        }
    }
}

/// Walks through `window`, whose first byte is at `lsn` where a mini-transaction begins, and makes
/// it part of a log that never went round: each sequence byte becomes 1. Checksums do not cover it.
/// Names of files elsewhere become those that the copy has, unless they are encrypted.
pub(crate) fn rewrite(header: &Header, window: &mut [u8], lsn: Lsn) -> Walk {
    let mut len = 0;
    loop {
        let rest = window.get(len..).unwrap_or_default();
        match frame(header, rest, lsn + len as u64) {
            Frame::Whole { sequence_at, end } => {
                let mtr = window.get_mut(len..len + end).unwrap_or_default();
                adapt(mtr, sequence_at, header.encrypted);
                len += end;
            }
            Frame::GoesOn => return Walk::Whole { len },
            Frame::None => return Walk::End { len },
        }
    }
}

/// Makes a whole mini-transaction one of the copy.
fn adapt(mtr: &mut [u8], sequence_at: usize, encrypted: bool) {
    let (records, tail) = mtr.split_at_mut_checked(sequence_at).unwrap_or_default();
    let Some((sequence, tail)) = tail.split_first_mut() else { return };
    *sequence = 1;
    // Encrypted bytes are no names, whatever they look like.
    if !encrypted
        && localise(records)
        && let Some((nonce, checksum)) = tail.split_last_chunk_mut::<CHECKSUM_LEN>()
    {
        *checksum = crc32c_of(&[records, nonce]).to_be_bytes();
    }
}

/// What stands at the begin of some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// A mini-transaction.
    Whole { sequence_at: usize, end: usize },
    /// The begin of one, as far as it can be told; or nothing at all.
    GoesOn,
    /// No mini-transaction.
    None,
}

fn frame(header: &Header, bytes: &[u8], lsn: Lsn) -> Frame {
    let sequence_at = match records(bytes) {
        Ok(Some(0)) | Err(_) => return Frame::None,
        Ok(Some(at)) => at,
        Ok(None) if bytes.len() >= MAX_MTR => return Frame::None,
        Ok(None) => return Frame::GoesOn,
    };
    if bytes.get(sequence_at).copied() != Some(header.sequence_byte(lsn + sequence_at as u64)) {
        return Frame::None;
    }
    let nonce_at = sequence_at + 1;
    let checksum_at = nonce_at + if header.encrypted { NONCE_LEN } else { 0 };
    let (Some(checksum), Some(records), Some(nonce)) =
        (be32(bytes, checksum_at), bytes.get(..sequence_at), bytes.get(nonce_at..checksum_at))
    else {
        return Frame::GoesOn;
    };
    if crc32c_of(&[records, nonce]) != checksum {
        return Frame::None;
    }
    Frame::Whole { sequence_at, end: checksum_at + CHECKSUM_LEN }
}

/// Where the records at the begin of `bytes` end; `None` if they go on behind them.
///
/// # Errors
/// `Format` if a length is none.
fn records(bytes: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some(&first) = bytes.get(at) else { return Ok(None) };
        if first <= 1 {
            return Ok(Some(at));
        }
        at += 1;
        let short = usize::from(first & 15);
        if short != 0 {
            at += short;
        } else {
            let Some((value, _)) = variable(bytes.get(at..).unwrap_or_default())? else {
                return Ok(None);
            };
            at += value as usize + 15;
        }
        if at > MAX_MTR {
            return Err(no_length());
        }
    }
}

/// A number of 1 to 5 bytes at the begin of `bytes`, and how many; `None` if it goes on behind them.
pub(super) fn variable(bytes: &[u8]) -> Result<Option<(u32, usize)>> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let first = u32::from(first);
    let (len, high, base) = match first {
        0..0x80 => (1, first, 0),
        0x80..0xc0 => (2, first & 0x3f, 0x80),
        0xc0..0xe0 => (3, first & 0x1f, 0x4080),
        0xe0..0xf0 => (4, first & 0x0f, 0x20_4080),
        0xf0 => (5, 0, 0x1020_4080),
        _ => return Err(no_length()),
    };
    let Some(low) = bytes.get(1..len) else { return Ok(None) };
    let value = low.iter().fold(high, |value, byte| value << 8 | u32::from(*byte));
    value.checked_add(base).map(|value| Some((value, len))).ok_or_else(no_length)
}

fn no_length() -> Error {
    Error::new(ErrorKind::Format, "the length of a redo record is impossible")
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::header;
    use super::*;

    const PLAIN: u32 = 0x5068_7973;
    const ENCRYPTED: u32 = 0xf09f_979d;

    /// A record of `len` bytes of payload, with the shortest head that holds it.
    fn record(kind: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![kind];
        if (1..=15).contains(&len) {
            bytes[0] |= u8::try_from(len).unwrap();
            bytes.extend(vec![0xaa; len]);
            return bytes;
        }
        // v + 15 bytes from the number's own first byte on.
        let v = u32::try_from(len - 15).unwrap();
        let head = match v {
            0..0x80 => vec![u8::try_from(v).unwrap()],
            0x80..0x4080 => (0x8000 + v - 0x80).to_be_bytes()[2..].to_vec(),
            0x4080..0x20_4080 => (0x00c0_0000 + v - 0x4080).to_be_bytes()[1..].to_vec(),
            _ => (0xe000_0000 + v - 0x20_4080).to_be_bytes().to_vec(),
        };
        let rest = len - head.len();
        bytes.extend(head);
        bytes.extend(vec![0xbb; rest]);
        bytes
    }

    fn put_mtr(log: &mut Vec<u8>, header: &Header, base: Lsn, records: &[u8]) {
        let sequence = header.sequence_byte(base + (log.len() + records.len()) as u64);
        let nonce: &[u8] = if header.encrypted { &[9; 8] } else { &[] };
        log.extend(records);
        log.push(sequence);
        log.extend(nonce);
        log.extend(crc32c_of(&[records, nonce]).to_be_bytes());
    }

    #[test]
    fn records_of_every_length_are_walked() {
        for format in [PLAIN, ENCRYPTED] {
            let header = header(1000, 1 << 30, format, 1);
            let mut log = Vec::new();
            for len in [1, 15, 16, 20, 15 + 0x7f, 15 + 0x80, 15 + 0x407f, 15 + 0x4080, 300_000] {
                put_mtr(&mut log, &header, 5000, &record(0x30, len));
                put_mtr(&mut log, &header, 5000, &[record(0xb0, 7), record(0x30, len)].concat());
            }
            let whole = log.len();
            let mut rewritten = log.clone();
            assert_eq!(rewrite(&header, &mut rewritten, 5000), Walk::Whole { len: whole });
            assert_eq!(rewritten, log, "nothing to rewrite in the first round");
            log.push(0);
            assert_eq!(rewrite(&header, &mut log, 5000), Walk::End { len: whole });
        }
    }

    #[test]
    fn a_window_that_is_cut_anywhere_gives_whole_mini_transactions() {
        let header = header(1000, 1 << 20, ENCRYPTED, 1);
        let mut log = Vec::new();
        put_mtr(&mut log, &header, 1000, &record(0x30, 40));
        let first = log.len();
        put_mtr(&mut log, &header, 1000, &[record(0x40, 3), record(0x20, 700)].concat());
        for cut in 0..log.len() {
            let len = if cut < first { 0 } else { first };
            let mut window = log[..cut].to_vec();
            assert_eq!(rewrite(&header, &mut window, 1000), Walk::Whole { len }, "{cut}");
        }
    }

    #[test]
    fn every_changed_byte_ends_the_log() {
        let header = header(1000, 1 << 20, PLAIN, 0);
        let mut log = Vec::new();
        put_mtr(&mut log, &header, 1000, &record(0x30, 40));
        let first = log.len();
        put_mtr(&mut log, &header, 1000, &record(0x30, 20));
        for at in first..log.len() {
            for bit in 0..8 {
                let mut damaged = log.clone();
                damaged[at] ^= 1 << bit;
                // A longer record may claim to go on; never is the damaged one taken.
                assert_eq!(
                    rewrite(&header, &mut damaged, 1000).len(),
                    first,
                    "byte {at} bit {bit}"
                );
            }
        }
    }

    #[test]
    fn the_ring_is_walked_round_after_round_and_made_straight() {
        let header = header(1000, 777, PLAIN, 0);
        let mut log = Vec::new();
        for n in 0..200 {
            put_mtr(&mut log, &header, 1000, &record(0x30, 1 + n % 60));
        }
        assert!(log.len() > 5 * 777);
        let mut straight = log.clone();
        assert_eq!(rewrite(&header, &mut straight, 1000), Walk::Whole { len: log.len() });
        assert_ne!(straight, log);
        // What came out is a log whose ring never went round.
        let own = super::super::header::tests::header(1000, 1 << 30, PLAIN, 0);
        let mut again = straight.clone();
        assert_eq!(rewrite(&own, &mut again, 1000), Walk::Whole { len: log.len() });
        assert_eq!(again, straight);
        // The same bytes one round later are old: their sequence bytes are wrong.
        assert_eq!(rewrite(&header, &mut log, 1777).len(), 0);
    }

    #[test]
    fn names_of_files_elsewhere_become_the_copys_with_a_right_checksum() {
        let header = header(1000, 1 << 20, PLAIN, 0);
        let mut log = Vec::new();
        let name = b"/elsewhere/db/t.ibd";
        let mut records = vec![0xb0, u8::try_from(2 + name.len() + 1 - 15).unwrap(), 5, 0];
        records.extend(name);
        put_mtr(&mut log, &header, 1000, &records);
        put_mtr(&mut log, &header, 1000, &record(0x30, 40));
        let whole = log.len();
        assert_eq!(rewrite(&header, &mut log, 1000), Walk::Whole { len: whole });
        assert!(log[4..].starts_with(b".//////////db/t.ibd"));
        assert_eq!(rewrite(&header, &mut log, 1000), Walk::Whole { len: whole }, "its checksum");
    }

    /// Ciphertext that begins with a slash was taken for a name, once in some thousand records.
    #[test]
    fn encrypted_names_are_left_alone() {
        let header = header(1000, 1 << 20, ENCRYPTED, 1);
        let name = b"/elsewhere/db/t.ibd";
        let mut records = vec![0xb0, u8::try_from(2 + name.len() + 1 - 15).unwrap(), 5, 0];
        records.extend(name);
        let mut log = Vec::new();
        put_mtr(&mut log, &header, 1000, &records);
        let before = log.clone();
        assert_eq!(rewrite(&header, &mut log, 1000), Walk::Whole { len: before.len() });
        assert_eq!(log, before);
    }

    #[test]
    fn lengths_beyond_the_largest_end_the_log() {
        let header = header(1000, 1 << 30, PLAIN, 0);
        for head in [&[0x30, 0xf0, 0, 0, 0, 0][..], &[0x30, 0xf1], &[0x30, 0xef, 0xff, 0xff, 0xff]]
        {
            let mut bytes = head.to_vec();
            assert_eq!(rewrite(&header, &mut bytes, 1000), Walk::End { len: 0 });
        }
        let mut endless = [0x32, 2, 2].repeat(MAX_MTR / 3 + 2);
        assert_eq!(rewrite(&header, &mut endless, 1000), Walk::End { len: 0 });
    }
}
