//! Chunks as bytes.

use super::decode::Coded;
use super::{
    FLAG_COMPRESSED, FLAG_ENCRYPTED, FLAG_MANIFEST, FLAG_REWRITE, FLAG_WITHIN, HEADER_LEN, MAGIC,
    PAYLOAD_FIELDS,
};
use crate::error::{Error, ErrorKind, Result};
use crate::format::framing::MANIFEST_NAME;
use crate::limits;

/// CRC-32/ISO-HDLC, the checksum of payloads: `crc32(b"hello")` is `0x3610_a686`.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The checksum of a payload that comes in pieces.
#[derive(Default)]
pub(crate) struct PayloadSum(crc32fast::Hasher);

impl PayloadSum {
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(crate) fn end(self) -> u32 {
        self.0.finalize()
    }
}

/// A step of a sparse map: go forward over `skip` bytes of hole, then write `len` bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SparseRun {
    /// Bytes of hole.
    pub skip: u32,
    /// Bytes of data behind it.
    pub len: u32,
}

/// Length of everything before the payload in a payload chunk of `path`.
pub const fn payload_header_len(path: &[u8]) -> usize {
    HEADER_LEN + path.len() + PAYLOAD_FIELDS
}

/// Writes the header of a payload chunk into the beginning of `out`, which must have room for
/// [`payload_header_len`] bytes, and returns its length.
///
/// # Errors
/// `InvalidArgument` if the path is longer than 511 bytes or `out` is too short.
pub fn put_payload_header(
    out: &mut [u8],
    path: &[u8],
    offset: u64,
    payload_len: u64,
    crc: u32,
) -> Result<usize> {
    let mut rest = out;
    let before = rest.len();
    let mut put = |bytes: &[u8]| -> Result<()> {
        let (here, behind) = std::mem::take(&mut rest)
            .split_at_mut_checked(bytes.len())
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "no room for a chunk header"))?;
        here.copy_from_slice(bytes);
        rest = behind;
        Ok(())
    };
    put(&MAGIC)?;
    put(&[0, b'P'])?;
    put(&path_len(path)?.to_le_bytes())?;
    put(path)?;
    put(&payload_len.to_le_bytes())?;
    put(&offset.to_le_bytes())?;
    put(&crc.to_le_bytes())?;
    Ok(before - rest.len())
}

/// Appends the header of a payload chunk; the payload of `payload_len` bytes follows it.
pub fn append_payload_header(
    out: &mut Vec<u8>,
    path: &[u8],
    offset: u64,
    payload_len: u64,
    crc: u32,
    rewrite: bool,
) -> Result<()> {
    append_header(out, if rewrite { FLAG_REWRITE } else { 0 }, b'P', path)?;
    out.extend_from_slice(&payload_len.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// Sets [`FLAG_MANIFEST`] in `chunk`: the first one of a stream that ends in a manifest, or one of
/// the manifest itself.
pub fn announce_manifest(chunk: &mut [u8]) {
    if let Some(flags) = chunk.get_mut(MAGIC.len()) {
        *flags = *flags & !FLAG_WITHIN | FLAG_MANIFEST;
    }
}

/// Makes `chunk` say that it stands within a stream with a manifest; see [`FLAG_WITHIN`].
pub(crate) fn mark_within(chunk: &mut [u8]) {
    if let Some(flags) = chunk.get_mut(MAGIC.len()) {
        *flags |= FLAG_MANIFEST | FLAG_WITHIN;
    }
}

/// Makes `chunk`, the one that opens a member, say how the member is coded. Only for streams that
/// announce a manifest.
pub(crate) fn mark_coded(chunk: &mut [u8], coded: Coded) {
    if let Some(flags) = chunk.get_mut(MAGIC.len()) {
        *flags |= if coded.compressed { FLAG_COMPRESSED } else { 0 };
        *flags |= if coded.encrypted { FLAG_ENCRYPTED } else { 0 };
    }
}

/// Appends an end-of-member chunk.
pub fn append_end(out: &mut Vec<u8>, path: &[u8]) -> Result<()> {
    append_header(out, 0, b'E', path)
}

/// Appends everything of a Percona sparse chunk but its payload, which must be the runs' bytes.
///
/// # Errors
/// `InvalidArgument` if the runs' lengths do not add up to the payload's or the path is too long,
/// `Limit` for no run or more than [`limits::SPARSE_MAP_ENTRIES`]. Then `out` is as it was.
pub fn append_sparse_header(
    out: &mut Vec<u8>,
    path: &[u8],
    offset: u64,
    runs: &[SparseRun],
    payload: &[u8],
) -> Result<()> {
    let count = u32::try_from(runs.len())
        .ok()
        .filter(|count| (1..=limits::SPARSE_MAP_ENTRIES).contains(count))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Limit,
                format!(
                    "sparse map of {} entries, of 1 to {}",
                    runs.len(),
                    limits::SPARSE_MAP_ENTRIES
                ),
            )
        })?;
    let data: u64 = runs.iter().map(|run| u64::from(run.len)).sum();
    if data != payload.len() as u64 {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "sparse map describes {data} bytes of data, but the payload has {}",
                payload.len()
            ),
        ));
    }
    append_header(out, 0, b'S', path)?;
    let mut map = Vec::with_capacity(runs.len() * 8);
    for run in runs {
        map.extend_from_slice(&run.skip.to_le_bytes());
        map.extend_from_slice(&run.len.to_le_bytes());
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&map);
    crc.update(payload);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    out.extend_from_slice(&map);
    Ok(())
}

/// Appends a piece of a manifest's text, which begins at `offset` of it, as a chunk.
pub(crate) fn append_manifest_piece(out: &mut Vec<u8>, offset: u64, piece: &[u8]) -> Result<()> {
    let (begin, path) = (out.len(), MANIFEST_NAME.as_bytes());
    append_payload_header(out, path, offset, piece.len() as u64, crc32(piece), false)?;
    announce_manifest(out.get_mut(begin..).unwrap_or_default());
    out.extend_from_slice(piece);
    Ok(())
}

/// Appends the end of a manifest, and so of the stream.
pub(crate) fn append_manifest_end(out: &mut Vec<u8>) -> Result<()> {
    let begin = out.len();
    append_end(out, MANIFEST_NAME.as_bytes())?;
    announce_manifest(out.get_mut(begin..).unwrap_or_default());
    Ok(())
}

/// Appends MariaDB's seek chunk: the member's next chunk is written at `offset`.
pub fn append_seek(out: &mut Vec<u8>, path: &[u8], offset: u64) -> Result<()> {
    append_header(out, 0, b'S', path)?;
    out.extend_from_slice(&offset.to_le_bytes());
    Ok(())
}

/// Appends MariaDB's rename chunk.
pub fn append_rename(out: &mut Vec<u8>, from: &[u8], to: &[u8]) -> Result<()> {
    let to_len = path_len(to)?;
    append_header(out, 0, b'R', from)?;
    out.extend_from_slice(&to_len.to_le_bytes());
    out.extend_from_slice(to);
    Ok(())
}

/// Appends MariaDB's remove chunk.
pub fn append_remove(out: &mut Vec<u8>, path: &[u8]) -> Result<()> {
    append_header(out, 0, b'D', path)
}

fn append_header(out: &mut Vec<u8>, flags: u8, kind: u8, path: &[u8]) -> Result<()> {
    let len = path_len(path)?;
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[flags, kind]);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(path);
    Ok(())
}

fn path_len(path: &[u8]) -> Result<u32> {
    u32::try_from(path.len())
        .ok()
        .filter(|_| (1..=limits::XBSTREAM_PATH).contains(&path.len()))
        .ok_or_else(|| {
            use std::os::unix::ffi::OsStrExt;
            Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "member path is {} bytes long, and an xbstream takes 1 to {}",
                    path.len(),
                    limits::XBSTREAM_PATH
                ),
            )
            .at_path(std::ffi::OsStr::from_bytes(path))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that `mbstream -c` of 10.11.19 wrote for `a.txt` with `hello`.
    #[test]
    fn chunks_equal_those_of_mbstream() {
        let mut out = Vec::new();
        append_payload_header(&mut out, b"a.txt", 0, 5, crc32(b"hello"), false).unwrap();
        out.extend_from_slice(b"hello");
        append_end(&mut out, b"a.txt").unwrap();
        let golden =
            b"XBSTCK01\0P\x05\0\0\0a.txt\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x86\xa6\x10\x36hello\
                       XBSTCK01\0E\x05\0\0\0a.txt";
        assert_eq!(out, golden);
        let mut head = [0xaa; 64];
        let len = put_payload_header(&mut head, b"a.txt", 0, 5, crc32(b"hello")).unwrap();
        assert_eq!((len, &head[..len]), (payload_header_len(b"a.txt"), &golden[..len]));
    }

    /// The example of the published format description: 14 bytes with two holes.
    #[test]
    fn a_sparse_chunk_has_the_published_layout() {
        let runs = [(0, 3), (5, 2), (4, 0)].map(|(skip, len)| SparseRun { skip, len });
        let mut out = Vec::new();
        append_sparse_header(&mut out, b"s.ibd", 0, &runs, b"abcde").unwrap();
        let golden = b"XBSTCK01\0S\x05\0\0\0s.ibd\x03\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x79\x21\xba\xe4\
                       \0\0\0\0\x03\0\0\0\x05\0\0\0\x02\0\0\0\x04\0\0\0\0\0\0\0";
        assert_eq!(out, golden);
    }

    #[test]
    fn paths_have_1_to_511_bytes() {
        for (len, ok) in [(0, false), (1, true), (511, true), (512, false)] {
            assert_eq!(append_end(&mut Vec::new(), &vec![b'p'; len]).is_ok(), ok, "{len}");
        }
    }

    #[test]
    fn a_refused_chunk_leaves_nothing_behind() {
        let mut out = Vec::new();
        assert!(append_rename(&mut out, b"a", &[b'p'; 512]).is_err());
        let run = SparseRun { skip: 5, len: 3 };
        for payload in [&b"ab"[..], b"abcd"] {
            let error = append_sparse_header(&mut out, b"s", 0, &[run], payload).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(out, b"");
    }
}
