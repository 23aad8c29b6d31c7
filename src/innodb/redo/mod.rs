//! The redo log of MariaDB 10.8 and later: one file, a ring behind 12,288 bytes of header.
//!
//! Facts by experiment with 10.11.19 and 11.8.9. Numbers are big-endian, checksums CRC-32C.
//!
//! | offset | what |
//! |---|---|
//! | 0 | header block: format, 0, `first_lsn`, creator (32 bytes), encryption (28 bytes), checksum at 508 |
//! | 4096, 8192 | checkpoint blocks, written in turn: checkpoint LSN, end LSN, zeros, checksum at 60 |
//! | 12288 | mini-transactions, a ring of `file size - 12288` bytes; `first_lsn` lives at its begin |
//!
//! Nothing here applies redo, which is the server's: a backup needs to know only where
//! mini-transactions begin and end.

mod header;
mod mtr;
mod names;

pub(crate) use header::{Checkpoint, HEADER_LEN, Header, Lsn, own_header};
pub(crate) use mtr::{MAX_MTR, Walk, rewrite};

/// CRC-32C of one run of bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// CRC-32C of runs of bytes that follow each other.
fn crc32c_of(runs: &[&[u8]]) -> u32 {
    runs.iter().fold(0, |crc, run| crc32c::crc32c_append(crc, run))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes)
}
