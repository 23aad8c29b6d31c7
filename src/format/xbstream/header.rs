//! Chunk headers: how many bytes one needs, and what they say.

use super::{FLAG_IGNORABLE, HEADER_LEN, MAGIC, PAYLOAD_FIELDS, SPARSE_FIELDS};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

/// Longest header: a rename, with two paths.
pub(super) const MAX_LEN: usize = HEADER_LEN + 2 * limits::XBSTREAM_PATH + SPARSE_FIELDS;

/// A header, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'h> {
    pub(super) flags: u8,
    pub(super) path: &'h [u8],
    pub(super) body: Body<'h>,
}

/// What stands behind the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body<'h> {
    Payload {
        len: u64,
        offset: u64,
        crc: u32,
    },
    End,
    Sparse {
        entries: u32,
        len: u64,
        offset: u64,
        crc: u32,
    },
    Seek {
        offset: u64,
    },
    Rename {
        to: &'h [u8],
    },
    Remove,
    /// An unknown type whose flags say that it may be skipped.
    Ignored {
        len: u64,
        crc: u32,
    },
}

/// How many bytes the header that begins with `head` has in all, as far as `head` tells: when
/// `head` is that long, it can be read or this function says more.
pub(super) fn need(head: &[u8]) -> Result<usize> {
    let mut fields = Fields(head);
    let Some(magic) = fields.take(MAGIC.len()) else { return Ok(HEADER_LEN) };
    if magic != MAGIC {
        return Err(bad_magic(head));
    }
    let (Some(flags), Some(kind), Some(path_len)) = (fields.u8(), fields.u8(), fields.u32()) else {
        return Ok(HEADER_LEN);
    };
    let fixed = HEADER_LEN + checked_path_len(path_len)?;
    // What stands behind the path, as far as it is there.
    let mut body = Fields(head.get(fixed..).unwrap_or_default());
    Ok(match kind {
        b'P' => fixed + PAYLOAD_FIELDS,
        b'E' | b'D' => fixed,
        b'S' => match is_seek(body.0) {
            // The offset, and as much again to see what follows it.
            None => fixed + 16,
            Some(true) => fixed + 8,
            Some(false) => fixed + SPARSE_FIELDS,
        },
        b'R' => match body.u32() {
            None => fixed + 4,
            Some(len) => fixed + 4 + checked_path_len(len)?,
        },
        _ if flags & FLAG_IGNORABLE != 0 => fixed + PAYLOAD_FIELDS,
        _ => {
            return Err(Error::new(ErrorKind::Format, format!("unknown chunk type 0x{kind:02x}"))
                .hint("the stream is damaged, or made by a newer program than this one"));
        }
    })
}

/// Whether an `S` is MariaDB's seek: then the next chunk's magic stands behind its 8 bytes.
fn is_seek(body: &[u8]) -> Option<bool> {
    body.get(8..16).map(|next| next == MAGIC)
}

/// Whether `head`, at the end of the stream, is a complete seek that no chunk follows.
pub(super) fn is_final_seek(head: &[u8]) -> bool {
    let mut fields = Fields(head);
    fields.take(9);
    fields.u8() == Some(b'S')
        && fields.u32().is_some_and(|len| head.len() == HEADER_LEN + len as usize + 8)
}

/// Reads a header of which [`need`] bytes are there. `None` if they are not.
pub(super) fn parse(head: &[u8]) -> Option<Header<'_>> {
    let mut fields = Fields(head);
    fields.take(MAGIC.len())?;
    let flags = fields.u8()?;
    let kind = fields.u8()?;
    let path_len = fields.u32()? as usize;
    let path = fields.take(path_len)?;
    let body = match kind {
        b'P' => Body::Payload { len: fields.u64()?, offset: fields.u64()?, crc: fields.u32()? },
        b'E' => Body::End,
        b'S' if is_seek(fields.0) == Some(true) => Body::Seek { offset: fields.u64()? },
        b'S' => Body::Sparse {
            entries: fields.u32()?,
            len: fields.u64()?,
            offset: fields.u64()?,
            crc: fields.u32()?,
        },
        b'R' => {
            let len = fields.u32()? as usize;
            Body::Rename { to: fields.take(len)? }
        }
        b'D' => Body::Remove,
        _ => {
            let len = fields.u64()?;
            fields.u64()?;
            Body::Ignored { len, crc: fields.u32()? }
        }
    };
    Some(Header { flags, path, body })
}

/// The error of bytes that are no chunk.
pub(super) fn bad_magic(head: &[u8]) -> Error {
    let found: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Error::new(
        ErrorKind::Format,
        format!("no xbstream chunk: it begins with {} and not XBSTCK01", found.join(" ")),
    )
    .hint("the stream is damaged, followed by other data, or no xbstream at all")
}

fn checked_path_len(len: u32) -> Result<usize> {
    let len = len as usize;
    match len {
        0 => Err(Error::new(ErrorKind::UnsafePath, "member path is empty")),
        1..=limits::XBSTREAM_PATH => Ok(len),
        _ => Err(Error::new(
            ErrorKind::Limit,
            format!("path length {len} exceeds limit {}", limits::XBSTREAM_PATH),
        )),
    }
}

/// Takes little-endian fields from the front of a slice.
struct Fields<'h>(&'h [u8]);

impl<'h> Fields<'h> {
    fn take(&mut self, len: usize) -> Option<&'h [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
