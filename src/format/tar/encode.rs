//! Members to bytes: the headers of an archive.

use super::header::{
    Block, CHECKSUM, DEVICES, GID, GROUP, MAGIC, MODE, MTIME, NAME, POSIX, PREFIX, SIZE, TYPE, UID,
    sums,
};
use super::number::{put_octal, put_size};
use super::{BLOCK, BLOCK_LEN, pax, to_border};
use crate::error::{Error, ErrorKind, Result};
use crate::format::framing::MANIFEST_NAME;
use crate::format::member::normalize;
use crate::limits;

/// The end of an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The comment that announces a manifest.
pub(super) const ANNOUNCEMENT: &str = "xbkit_manifest.json is the last member";

/// The group of a manifest.
const MANIFEST_GROUP: &[u8] = b"xbkit_manifest\0";

/// Largest size that the header's own field has for every reader: 8 GiB less a byte.
const OCTAL_SIZE: u64 = (1 << 33) - 1;

/// Latest time that fits: the year 2242.
const LATEST: i64 = (1 << 33) - 1;

/// Rights of what `xtrabackup` 2.x streamed, and of directories with them.
const FILE_MODE: u64 = 0o660;
const DIRECTORY_MODE: u64 = 0o770;

/// Appends the headers of a regular file of `size` bytes. `mtime` is in seconds since 1970; what
/// does not fit the field counts as its nearest end.
///
/// Behind them belong the bytes, and [`padding_len`] zeros.
///
/// # Errors
/// `UnsafePath` for a path no reader may take, `Limit` for a path or size that is too long. Then
/// nothing is appended.
pub fn append_member(out: &mut Vec<u8>, path: &[u8], size: u64, mtime: i64) -> Result<()> {
    let path = &*normalize(path)?;
    if size > limits::MEMBER_SIZE {
        let message = format!("size {size} exceeds limit {}", limits::MEMBER_SIZE);
        return Err(Error::new(ErrorKind::Limit, message));
    }
    check_path(path)?;
    let split = split(path);
    append_about(out, path, size, mtime);
    let (prefix, name) = split.unwrap_or_else(|| (&[], short(path, NAME.len())));
    append_block(out, prefix, name, b'0', FILE_MODE, size, mtime);
    Ok(())
}

/// Appends a directory, for one in which there is nothing.
///
/// # Errors
/// As [`append_member`].
pub fn append_directory(out: &mut Vec<u8>, path: &[u8], mtime: i64) -> Result<()> {
    let path = [&*normalize(path)?, b"/"].concat();
    check_path(&path)?;
    let split = split(&path);
    append_about(out, &path, 0, mtime);
    let (prefix, name) = split.unwrap_or_else(|| (&[], short(&path, NAME.len())));
    append_block(out, prefix, name, b'5', DIRECTORY_MODE, 0, mtime);
    Ok(())
}

/// Appends a comment for the whole archive, which readers pass over in silence.
pub fn append_global(out: &mut Vec<u8>, comment: &str) {
    let mut records = Vec::new();
    pax::append(&mut records, "comment", comment.as_bytes());
    append_body(out, b"pax_global_header", b'g', &records, 0);
}

/// How an archive begins that ends in a manifest: a comment, which readers pass over in silence.
pub(crate) fn append_announcement(out: &mut Vec<u8>) {
    append_global(out, ANNOUNCEMENT);
}

/// Appends the header of a manifest of `size` bytes: a member like others but for the name of its
/// group, which says that it is one, not a file of its name.
pub(crate) fn append_manifest_header(out: &mut Vec<u8>, size: u64) {
    append_marked(out, &[], MANIFEST_NAME.as_bytes(), b'0', FILE_MODE, size, 0, MANIFEST_GROUP);
}

/// Whether a header says that it is a manifest's.
pub(super) fn is_marked(block: &Block) -> bool {
    block.get(GROUP).is_some_and(|group| group.starts_with(MANIFEST_GROUP))
}

/// Zeros behind a member of `size` bytes.
pub fn padding_len(size: u64) -> usize {
    usize::try_from(to_border(size)).unwrap_or(0) // below 512
}

/// Bytes that a member takes in an archive, headers and padding included.
pub fn member_len(path: &[u8], size: u64) -> u64 {
    let mut about = Vec::new();
    append_about(&mut about, path, size, 0);
    about.len() as u64 + BLOCK_LEN + size + to_border(size)
}

fn check_path(path: &[u8]) -> Result<()> {
    if path.len() <= limits::TAR_PATH {
        return Ok(());
    }
    let message = format!("path length {} exceeds limit {}", path.len(), limits::TAR_PATH);
    Err(header_error(message, path))
}

fn header_error(message: String, path: &[u8]) -> Error {
    super::header::named(Error::new(ErrorKind::Limit, message), path)
}

/// Appends what does not fit the header: records, or GNU's long name if the path is not ASCII.
///
/// Records hold UTF-8. Bytes of no encoding can be marked as such, but GNU tar 1.34 warns about the
/// mark, and without it bsdtar fails in the "C" locale even for UTF-8. A long name is bytes to all.
fn append_about(out: &mut Vec<u8>, path: &[u8], size: u64, mtime: i64) {
    let mut records = Vec::new();
    if split(path).is_none() {
        if path.is_ascii() {
            pax::append(&mut records, "path", path);
        } else {
            append_body(out, b"././@LongLink", b'L', &[path, b"\0"].concat(), 0);
        }
    }
    if size > OCTAL_SIZE {
        pax::append(&mut records, "size", size.to_string().as_bytes());
    }
    if !records.is_empty() {
        let prefix = b"PaxHeader/";
        let name = [&prefix[..], short(path, NAME.len() - prefix.len())].concat();
        append_body(out, &name, b'x', &records, mtime);
    }
}

/// The path as prefix and name, if it fits.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME.len() {
        return Some((&[], path));
    }
    let mut slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    // The last byte of a directory's name is no border.
    let at = slashes.find(|(at, _)| path.len() - at - 1 <= NAME.len() && at + 1 < path.len())?.0;
    let (prefix, name) = path.split_at_checked(at)?;
    (prefix.len() <= PREFIX.len()).then(|| (prefix, name.get(1..).unwrap_or_default()))
}

/// The beginning of the path's last component, which names the member for readers that do not
/// know records. It must not end in a slash: that would be a directory.
fn short(path: &[u8], most: usize) -> &[u8] {
    let mut components = path.rsplit(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let last = components.next().unwrap_or(path);
    last.get(..most.min(last.len())).unwrap_or_default()
}

fn append_body(out: &mut Vec<u8>, name: &[u8], kind: u8, body: &[u8], mtime: i64) {
    append_block(out, &[], name, kind, FILE_MODE, body.len() as u64, mtime);
    out.extend_from_slice(body);
    out.resize(out.len() + padding_len(body.len() as u64), 0);
}

fn append_block(
    out: &mut Vec<u8>,
    prefix: &[u8],
    name: &[u8],
    kind: u8,
    mode: u64,
    size: u64,
    mtime: i64,
) {
    append_marked(out, prefix, name, kind, mode, size, mtime, b"");
}

#[expect(clippy::too_many_arguments, reason = "the fields of a header, each once")]
fn append_marked(
    out: &mut Vec<u8>,
    prefix: &[u8],
    name: &[u8],
    kind: u8,
    mode: u64,
    size: u64,
    mtime: i64,
    group: &[u8],
) {
    let mut block: Block = [0; BLOCK];
    put(&mut block, NAME, name);
    put(&mut block, PREFIX, prefix);
    put(&mut block, MAGIC, POSIX);
    put(&mut block, GROUP, group);
    block[TYPE] = kind;
    put_octal(&mut block[MODE], mode, b" \0");
    for field in [UID, GID, DEVICES[0].clone(), DEVICES[1].clone()] {
        put_octal(&mut block[field], 0, b" \0");
    }
    let mut field = [0; 12];
    put_size(&mut field, size);
    put(&mut block, SIZE, &field);
    let mtime = u64::try_from(mtime.clamp(0, LATEST)).unwrap_or(0);
    put_octal(&mut block[MTIME], mtime, b" ");
    let (sum, _) = sums(&block);
    put_octal(&mut block[CHECKSUM], sum, b"\0 ");
    out.extend_from_slice(&block);
}

fn put(block: &mut Block, field: std::ops::Range<usize>, bytes: &[u8]) {
    let field = block.get_mut(field).unwrap_or_default();
    let len = field.len().min(bytes.len());
    if let (Some(field), Some(bytes)) = (field.get_mut(..len), bytes.get(..len)) {
        field.copy_from_slice(bytes);
    }
}
