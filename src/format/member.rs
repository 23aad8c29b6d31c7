//! Members of a stream: their names, and which names are safe.

use std::borrow::{Borrow, Cow};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::limits;

/// A number for a member, unique in its stream, in order of appearance from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u64);

/// A member's path: relative, without empty, `.` or `..` components. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberPath(Arc<[u8]>);

impl MemberPath {
    /// Checks and normalises a path as it stands in a stream; see [`normalize`].
    pub fn new(path: &[u8]) -> Result<Self> {
        Ok(Self(Arc::from(&*normalize(path)?)))
    }

    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl AsRef<Path> for MemberPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl Borrow<[u8]> for MemberPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape_path(self.as_path()))
    }
}

impl fmt::Debug for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_path(), f)
    }
}

/// The path with `.` and empty components dropped, as every file system would resolve it
/// (`./d//q` is `d/q`: `xbstream -c ./*` writes such names).
///
/// # Errors
/// [`ErrorKind::UnsafePath`] for a path that could name something outside the target or nothing
/// at all: empty, absolute, with a `..` component, a NUL, a trailing slash, or a component of
/// over 255 bytes. Control bytes are legal; printing them is the printer's business.
pub fn normalize(path: &[u8]) -> Result<Cow<'_, [u8]>> {
    let refuse = |why: &'static str| {
        Err(Error::new(ErrorKind::UnsafePath, why)
            .at_path(OsStr::from_bytes(path))
            .hint("the stream was damaged or made to do harm; do not extract it"))
    };
    if path.first() == Some(&b'/') {
        return refuse("member path is absolute");
    }
    if path.contains(&0) {
        return refuse("member path contains a NUL byte");
    }
    if path.last() == Some(&b'/') {
        return refuse("member path ends in a slash, which names no file");
    }
    let mut plain = true;
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b".." => return refuse("member path contains a \"..\" component"),
            b"" | b"." => plain = false,
            long if long.len() > limits::PATH_COMPONENT => {
                return refuse("member path has a component longer than 255 bytes");
            }
            _ => {}
        }
    }
    if plain {
        return Ok(Cow::Borrowed(path));
    }
    let kept: Vec<&[u8]> = path
        .split(|byte| *byte == b'/')
        .filter(|component| !matches!(*component, b"" | b"."))
        .collect();
    if kept.is_empty() || matches!(path.rsplit(|byte| *byte == b'/').next(), Some(b".")) {
        return refuse("member path names no file");
    }
    Ok(Cow::Owned(kept.join(&b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_spellings_become_one_name() {
        for path in ["d/q", "./d/q", "d//q", "d/./q", ".//./d/q"] {
            assert_eq!(&*normalize(path.as_bytes()).unwrap(), b"d/q", "{path}");
        }
        for path in ["..x", "y..", ".rocksdb/x", "a\nb", "a\\b", "..."] {
            assert_eq!(&*normalize(path.as_bytes()).unwrap(), path.as_bytes());
        }
    }

    #[test]
    fn unsafe_paths_are_refused() {
        let long = "n".repeat(256);
        for path in
            ["", "/", "/a", "..", "../a", "a/../b", "a/..", "a\0b", "a/", ".", "./", "a/.", &long]
        {
            let error = normalize(path.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsafePath, "{path:?}");
        }
    }
}
