//! A stream that was split into files.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::dir::Dir;
use crate::sys::file;

/// Reads files one behind the other, as `cat` does, such as those that `split` makes of a stream.
///
/// # Examples
/// ```no_run
/// use xbkit::{Extract, Parts, Silent};
/// # fn main() -> xbkit::Result<()> {
/// let mut parts = Parts::beside("/data/backup.tar.gz.00")?;
/// Extract::into_dir("/data/restored").run(&mut parts, &mut Silent)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Parts {
    paths: VecDeque<PathBuf>,
    open: Option<(File, PathBuf)>,
}

impl Parts {
    /// Reads these files, in this order.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { paths: paths.into_iter().collect(), open: None }
    }

    /// Finds the parts that follow this one, in its directory: of the same name but for the digits
    /// or, as `split` makes them unless told otherwise, the letters at its end. They are read in
    /// the order of these, whatever their number of digits.
    ///
    /// That the last one is there cannot be known; a stream with a manifest tells, or a layer
    /// around it.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that ends in neither, or a part that is not the first;
    /// `NotFound` for a part that is missing between others.
    pub fn beside(first: impl AsRef<Path>) -> Result<Self> {
        let first = first.as_ref();
        let bad = |why: &'static str| {
            Err(Error::new(ErrorKind::InvalidArgument, why)
                .at_path(first)
                .hint("name the first part, such as backup.tar.gz.00"))
        };
        let name = first.file_name().unwrap_or_default().as_bytes();
        let Some((stem, suffix)) = divide(name) else {
            return bad("a part's name ends in digits or letters that count");
        };
        let dir = first.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        let mut suffixes = suffixes(dir, stem, suffix)?;
        if suffixes.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "there is no such file").at_path(first));
        }
        suffixes.sort_by_key(|suffix| (suffix.len(), suffix.clone()));
        if suffixes.first().is_some_and(|least| least != suffix) {
            return bad("there are parts before this one");
        }
        let path = |suffix: &[u8]| dir.join(OsString::from_vec([stem, suffix].concat()));
        for (this, next) in suffixes.iter().zip(suffixes.iter().skip(1)) {
            if !follows(this, next) {
                let message = format!("the part behind \"{}\" is missing", this.escape_ascii());
                return Err(Error::new(ErrorKind::NotFound, message).at_path(path(this)));
            }
        }
        Ok(Self::new(suffixes.iter().map(|suffix| path(suffix))))
    }

    /// The files that were not read yet, in their order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    fn open_next(&mut self) -> Result<bool> {
        let Some(path) = self.paths.pop_front() else { return Ok(false) };
        let file = file::open_read(&path).map_err(|error| {
            Error::io(ErrorKind::Source, "opening a part of the stream", error).at_path(&path)
        })?;
        self.open = Some((file, path));
        Ok(true)
    }
}

impl Read for Parts {
    /// Errors carry an [`Error`].
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some((file, path)) = &mut self.open {
                match file.read(buf) {
                    Ok(0) => self.open = None,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => {
                        let what = "reading a part of the stream";
                        return Ok(result.map_err(|error| {
                            Error::io(ErrorKind::Source, what, error).at_path(&*path)
                        })?);
                    }
                }
            } else if !self.open_next()? {
                return Ok(0);
            }
        }
    }
}

/// What a name is, and what counts the parts: digits, or letters behind the last dot, or two of
/// them, which is what `split` appends.
fn divide(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let count = if digits > 0 {
        digits
    } else {
        let dot = name.iter().rposition(|byte| *byte == b'.');
        let behind = dot.and_then(|at| name.get(at + 1..)).unwrap_or_default();
        let letters = name.iter().rev().take_while(|byte| byte.is_ascii_lowercase()).count();
        if letters < 2 {
            return None;
        }
        if dot.is_some() && letters == behind.len() { letters } else { 2 }
    };
    Some(name.split_at(name.len() - count))
}

/// What stands behind `stem` in names of this directory and is of the same kind as `like`.
fn suffixes(dir: &Path, stem: &[u8], like: &[u8]) -> Result<Vec<Vec<u8>>> {
    let list = || Dir::open(dir)?.entries();
    let names = list().map_err(|error| {
        Error::io(ErrorKind::Source, "listing the directory of the parts", error).at_path(dir)
    })?;
    let is_digits = like.first().is_some_and(u8::is_ascii_digit);
    let is_alike = |suffix: &[u8]| {
        !suffix.is_empty()
            && suffix.iter().all(|byte| {
                if is_digits { byte.is_ascii_digit() } else { byte.is_ascii_lowercase() }
            })
            // Letters say so little that only those of split's lengths count.
            && (is_digits || (suffix.len() >= like.len() && suffix.len().is_multiple_of(2)))
    };
    let found = names.iter().filter_map(|name| OsStr::as_bytes(name).strip_prefix(stem));
    Ok(found.filter(|suffix| is_alike(suffix)).map(<[u8]>::to_vec).collect())
}

/// Whether `next` comes right behind `this`: one more, or what `split` goes on with when it needs
/// longer names than it began with (`89` and `9000`, `yz` and `zaaa`).
fn follows(this: &[u8], next: &[u8]) -> bool {
    let (low, most) =
        if this.first().is_some_and(u8::is_ascii_digit) { (b'0', b'9') } else { (b'a', b'z') };
    let full = this.iter().rev().take_while(|byte| **byte == most).count();
    let (head, tail) = this.split_at(this.len() - full);
    let Some((last, before)) = head.split_last() else {
        // 9 and 10.
        return low == b'0' && next == [&b"1"[..], &b"0".repeat(full)].concat();
    };
    let one_more = [before, &[last + 1], &[low].repeat(tail.len())].concat();
    let is_edge = *last + 1 == most && before.iter().all(|byte| *byte == most);
    let longer = [before, &[most], &[low].repeat(tail.len() + 2)].concat();
    next == one_more || (is_edge && next == longer)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests have a directory of their own")]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_as_split_counts() {
        for (this, next) in [
            ("00", "01"),
            ("09", "10"),
            ("9", "10"),
            ("99", "100"),
            ("89", "90"),
            ("89", "9000"),
            ("9899", "990000"),
            ("aa", "ab"),
            ("az", "ba"),
            ("yz", "zaaa"),
            ("zyzz", "zzaaaa"),
        ] {
            assert!(follows(this.as_bytes(), next.as_bytes()), "{this} {next}");
        }
        for (this, next) in
            [("00", "02"), ("88", "9000"), ("99", "9900"), ("zz", "aaa"), ("1", "1")]
        {
            assert!(!follows(this.as_bytes(), next.as_bytes()), "{this} {next}");
        }
        let divide = |name: &str| {
            divide(name.as_bytes()).map(|(_, suffix)| String::from_utf8(suffix.to_vec()).unwrap())
        };
        assert_eq!(divide("backup.tar.gz.00").as_deref(), Some("00"));
        assert_eq!(divide("backup.tar.gz.aa").as_deref(), Some("aa"));
        assert_eq!(divide("xaa").as_deref(), Some("aa"));
        assert_eq!(divide("backup.part7").as_deref(), Some("7"));
        assert_eq!(divide("backup.x"), None);
        assert_eq!(divide(""), None);
    }

    #[test]
    fn parts_are_read_in_the_order_of_their_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let read = |first: &str| -> Result<String> {
            let mut text = String::new();
            let mut parts = Parts::beside(dir.path().join(first))?;
            parts.read_to_string(&mut text).map_err(|e| Error::io(ErrorKind::Source, "", e))?;
            Ok(text)
        };
        for number in 1..=12 {
            write(&format!("b.{number}"), &format!("{number},"));
        }
        write("b.other", "no");
        write("b", "no");
        write("c.1", "no");
        assert_eq!(read("b.1").unwrap(), "1,2,3,4,5,6,7,8,9,10,11,12,");
        assert_eq!(read("b.2").unwrap_err().kind(), ErrorKind::InvalidArgument);
        std::fs::remove_file(dir.path().join("b.7")).unwrap();
        let error = read("b.1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(read("none.1").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
