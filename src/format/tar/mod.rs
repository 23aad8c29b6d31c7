//! tar: members one after the other, in blocks of 512 bytes.
//!
//! A member is a header block, then its bytes, filled up with zeros to whole blocks. An archive
//! ends with two blocks of zeros at least. The fields of a header, all of them text:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 100 | name |
//! | 100 | 8, 8, 8 | mode, owner, group |
//! | 124 | 12 | size |
//! | 136 | 12 | time of modification |
//! | 148 | 8 | sum of the header's bytes, these eight taken for spaces |
//! | 156 | 1 | type |
//! | 157 | 100 | where a link leads |
//! | 257 | 8 | `ustar` NUL `00` (POSIX) or `ustar` and two spaces, NUL (GNU) |
//! | 265 | 32, 32, 8, 8 | owner's name, group's name, device numbers |
//! | 345 | 155 | POSIX: what stands before the name and a slash. GNU: sparse files, and more |
//!
//! Numbers are octal digits, ended by space, NUL or the field's end; or, as GNU writes what does
//! not fit, a byte 0x80 and the number in binary, big-endian. Members of type `x` (POSIX) and `L`
//! (GNU) hold what does not fit the next member's header: records `LENGTH KEYWORD=VALUE` and a
//! newline, or a name and a NUL. A member of type `g` holds records for all that follow it.
//!
//! What the [`Encoder`](append_member)'s functions write is what `xtrabackup` 2.x wrote by way of
//! libarchive's "pax restricted" format: regular files only, mode 0660, owner and group 0 without
//! names, `x` members only where a field does not fit, and nothing behind the two blocks of zeros.
//!
//! xbkit's own archives end in a manifest. They begin with a `g` member whose comment says so, and
//! have nothing but the two blocks of zeros behind it; its header is as [`append_member`] writes
//! it, for the time 0, with the group `xbkit_manifest`, which says that it is one. Their framing is all that is no member's bytes: headers and what fills up
//! blocks, from behind that `g` member to the manifest's header.
//!
//! Sources: POSIX.1-2017 `pax`; the manual of GNU tar 1.34 on its formats; the bytes that GNU tar
//! 1.34, libarchive 3.6.2 and Python 3.11's `tarfile` write and take.

mod decode;
mod encode;
mod header;
mod number;
mod pax;
mod sparse;

pub use decode::Decoder;
pub use encode::{END, append_directory, append_global, append_member, member_len, padding_len};
pub(crate) use encode::{append_announcement, append_manifest_header};
pub use header::looks_like_header;

/// Everything in an archive begins at a multiple of this.
pub const BLOCK: usize = 512;

/// [`BLOCK`] as a length in a stream.
const BLOCK_LEN: u64 = BLOCK as u64;

/// Bytes from `len` to the next multiple of [`BLOCK`].
fn to_border(len: u64) -> u64 {
    (BLOCK_LEN - len % BLOCK_LEN) % BLOCK_LEN
}
