//! Whether the pages of a tablespace are what the server wrote.
//!
//! A tablespace is a file of pages of one size. Its first page says which rules its pages follow:
//! see [`Layout`]. [`Layout::check`] judges one page; a [`TablespaceChecker`] takes a file's bytes
//! as they come, in any slices. Both are pure: no file, no thread, no clock.
//!
//! # Rules
//! All integers are big-endian; PS is the size of a page in the file, in bytes.
//!
//! | bytes | of every page |
//! |---|---|
//! | 0..4 | a checksum; in `full_crc32` the version of the key that encrypts the page |
//! | 4..8 | the page's number: its place in the tablespace |
//! | 16..24 | the LSN of its last change |
//! | 24..26 | its type |
//! | 34..38 | the tablespace's number, unless `full_crc32` encrypts or compresses the page |
//!
//! | page | valid if |
//! |---|---|
//! | of zeros | always: allocated, and never written |
//! | `full_crc32` (MariaDB 10.4 and later) | CRC-32C of `0..n-4` = `n-4..n`, where n is PS, or the type's low 15 bits times 256 if its top bit is set (page compression). Neither compressed nor encrypted: `20..24` = `n-8..n-4`. The sum is of the bytes as stored, so encrypted pages need no key |
//! | `crc32` | CRC-32C of `4..26` ^ that of `38..PS-8` = `0..4` = `PS-8..PS-4`, and `20..24` = `PS-4..PS` |
//! | `innodb` | fold of `4..26` + that of `38..PS-8` = `0..4`; fold of `0..26` = `PS-8..PS-4`; and `20..24` = `PS-4..PS` |
//! | `none` | `0xDEADBEEF` in both places: nothing to check but the LSN and the page's number |
//! | `ROW_FORMAT=COMPRESSED` | `0..4` = CRC-32C of `4..16` ^ that of `24..26` ^ that of `34..PS`; or the Adler-32, begun with 0, of these three in turn; or `0xDEADBEEF` |
//! | encrypted by MariaDB before `full_crc32` | `26..30` is not zero, page 0 excepted; the sum of the bytes as stored, by one of the rules above, is in `30..34` |
//! | compressed by MariaDB before `full_crc32`: type 34354, or 37401 if encrypted | only its number can be checked |
//! | compressed by MySQL: type 14 | what it unpacks to is valid |
//! | encrypted by MySQL: types 15, 16, 17 | only its number can be checked, without the key |
//!
//! One file may hold pages of several algorithms: the server's setting may have changed.
//!
//! MySQL 5.6 on a big-endian machine wrote another number for CRC-32C, in each place where one
//! stands: wherever eight bytes lie at a multiple of eight, it took them in reverse. Servers since
//! 5.7 write the usual one everywhere, and read both; so does this. No file of such a machine was at
//! hand: tests turn real pages into such by a computation of their own.
//!
//! In the first file of the system tablespace, the doublewrite buffer holds copies of other pages,
//! which nothing needs after a clean shutdown. Page 5 says where it is. Newer MySQL servers still
//! reserve the place, and use files of their own.
//!
//! The facts are from the documentation of both servers and from files that MariaDB 10.11,
//! MySQL 5.6 and 9.7 wrote. Not known here: the sums that servers before 4.0.14 wrote.

mod checker;
mod layout;
mod names;
mod rules;
mod sums;
mod unpack;

pub use checker::TablespaceChecker;
pub use layout::Layout;
pub use names::{Role, role_of};

/// The 4 bytes at `at`, big-endian; 0 beyond the end, which callers rule out by sizes.
fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The 2 bytes at `at`, likewise.
fn be16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// Whether there is nothing but zeros. Most pages show by their first bytes that they hold more.
fn is_zero(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<64>();
    blocks.iter().all(|block| block.iter().fold(0, |any, byte| any | byte) == 0)
        && rest.iter().all(|byte| *byte == 0)
}

/// Whether there is nothing but zeros and an LSN: MySQL before 5.7 writes that of a shutdown to
/// bytes 26 to 33 of the first page of each file of the system tablespace, also where that page was
/// never written otherwise.
fn is_lsn_alone(page: &[u8]) -> bool {
    [page.get(..26), page.get(34..)].map(Option::unwrap_or_default).into_iter().all(is_zero)
}
