//! Header blocks.

use super::number;
use super::{BLOCK, BLOCK_LEN};
use crate::error::{Error, ErrorKind, Result};

/// A header block as it lies in an archive.
pub(super) type Block = [u8; BLOCK];

/// Fields, by where they begin and end.
pub(super) const NAME: std::ops::Range<usize> = 0..100;
pub(super) const MODE: std::ops::Range<usize> = 100..108;
pub(super) const UID: std::ops::Range<usize> = 108..116;
pub(super) const GID: std::ops::Range<usize> = 116..124;
pub(super) const SIZE: std::ops::Range<usize> = 124..136;
pub(super) const MTIME: std::ops::Range<usize> = 136..148;
pub(super) const CHECKSUM: std::ops::Range<usize> = 148..156;
pub(super) const TYPE: usize = 156;
pub(super) const MAGIC: std::ops::Range<usize> = 257..265;
pub(super) const GROUP: std::ops::Range<usize> = 297..329;
pub(super) const DEVICES: [std::ops::Range<usize>; 2] = [329..337, 337..345];
pub(super) const PREFIX: std::ops::Range<usize> = 345..500;

/// What a POSIX archive has in its headers.
pub(super) const POSIX: &[u8; 8] = b"ustar\x0000";

/// What kind of thing a header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `0`, `7`, NUL: a regular file.
    File,
    /// `S`: a regular file with holes, GNU's old layout.
    OldSparse,
    /// `5`, or a name that ends in a slash.
    Directory,
    /// `x`: records for the next member.
    Records,
    /// `g`: records for all members that follow.
    GlobalRecords,
    /// `L`: the next member's name.
    LongName,
    /// `K`: where the next member, a link, leads.
    LongLink,
}

/// A header whose checksum is right.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// The name, with the prefix before it.
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
}

/// Whether a block could be the first of an archive: a header with a right checksum.
pub fn looks_like_header(block: &[u8]) -> bool {
    <&Block>::try_from(block)
        .is_ok_and(|block| block.iter().any(|byte| *byte != 0) && check_sum(block).is_ok())
}

/// Reads a header block that is not all zeros. `long_name` says whether a longer name came before.
///
/// # Errors
/// `Format` and `Checksum` for what is no header or a damaged one, `Unsupported` for what is no
/// file or directory.
pub(super) fn parse(block: &Block) -> Result<Header> {
    check_sum(block)?;
    let field = |range: std::ops::Range<usize>| block.get(range).unwrap_or_default();
    let mut name = text(field(NAME)).to_vec();
    let prefix = text(field(PREFIX));
    // GNU's headers have other things there.
    if field(MAGIC) == POSIX && !prefix.is_empty() {
        name = [prefix, b"/", &name].concat();
    }
    let stored = field(SIZE);
    let size = number::parse(stored).ok_or_else(|| {
        let message =
            format!("the size in the header, \"{}\", is no number", stored.escape_ascii());
        named(Error::new(ErrorKind::Format, message), &name)
    })?;
    let kind = kind_of(block[TYPE], &name).map_err(|error| named(error, &name))?;
    if kind == Kind::Directory && size > 0 {
        let message = format!("a directory of {size} bytes: where its member ends is not defined");
        return Err(named(Error::new(ErrorKind::Format, message), &name));
    }
    Ok(Header { kind, name, size })
}

fn kind_of(letter: u8, name: &[u8]) -> Result<Kind> {
    let what = match letter {
        // Archives before POSIX mark a directory by its name alone.
        b'0' | 0 if name.last() == Some(&b'/') => return Ok(Kind::Directory),
        b'0' | 0 | b'7' => return Ok(Kind::File),
        b'5' => return Ok(Kind::Directory),
        b'S' => return Ok(Kind::OldSparse),
        b'x' => return Ok(Kind::Records),
        b'g' => return Ok(Kind::GlobalRecords),
        b'L' => return Ok(Kind::LongName),
        b'K' => return Ok(Kind::LongLink),
        b'1' => "a hard link",
        b'2' => "a symbolic link",
        b'3' => "a character device",
        b'4' => "a block device",
        b'6' => "a named pipe",
        b'D' => "a directory of an incremental GNU archive",
        b'M' => "a member that began in another volume",
        b'V' => "the label of a volume",
        b'X' => "a header of Solaris's own",
        other => {
            let message = format!("a member of unknown type \"{}\"", other.escape_ascii());
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    };
    Err(Error::new(ErrorKind::Unsupported, format!("{what}, which is not extracted")).hint(
        "xbkit takes regular files and directories only; tar may extract it, if you trust its maker",
    ))
}

/// Compares the checksum. Some old programs summed up the bytes as signed ones.
fn check_sum(block: &Block) -> Result<()> {
    let stored = block.get(CHECKSUM).unwrap_or_default();
    let Some(sum) = number::parse(stored).filter(|_| stored.iter().any(u8::is_ascii_digit)) else {
        let seen = block.get(..8).unwrap_or_default();
        let message = format!("no header of a tar archive: it begins with {}", hex(seen));
        return Err(Error::new(ErrorKind::Format, message)
            .hint("the archive is damaged, followed by other data, or no tar at all"));
    };
    let (unsigned, signed) = sums(block);
    if sum == unsigned || i64::try_from(sum) == Ok(signed) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Checksum,
        format!("the header's checksum is 0o{sum:o}, but its bytes give 0o{unsigned:o}"),
    )
    .hint("the archive was damaged on its way or at rest; fetch it again"))
}

/// The sum of the block's bytes, with spaces for the sum itself; once as signed bytes.
pub(super) fn sums(block: &Block) -> (u64, i64) {
    let mut block = *block;
    block[CHECKSUM].fill(b' ');
    let unsigned: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let signed: i32 = block.iter().map(|byte| i32::from(byte.cast_signed())).sum();
    (u64::from(unsigned), i64::from(signed))
}

/// A field's text: up to the first NUL, or all of it.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// Names the member in an error.
pub(super) fn named(error: Error, name: &[u8]) -> Error {
    use std::os::unix::ffi::OsStrExt;
    if name.is_empty() { error } else { error.at_path(std::ffi::OsStr::from_bytes(name)) }
}

const _: () = assert!(PREFIX.end < BLOCK && BLOCK_LEN == 512);
