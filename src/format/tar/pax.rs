//! Records of POSIX archives: `LENGTH KEYWORD=VALUE` and a newline.

use super::number::decimal;
use super::sparse::Map;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

/// What the records before a member say about it.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// `path`.
    pub(super) path: Option<Vec<u8>>,
    /// `size`: bytes in the archive.
    pub(super) size: Option<u64>,
    /// `GNU.sparse.*`.
    pub(super) sparse: Option<Sparse>,
}

/// What GNU tar says about a file with holes, in records.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// `name`, since `path` has another one for readers that do not know of holes.
    pub(super) name: Option<Vec<u8>>,
    /// `size` or `realsize`: bytes of the file, holes included.
    pub(super) size: Option<u64>,
    /// `major` and `minor`; 1.0 has its map before the data.
    major: Option<u64>,
    minor: Option<u64>,
    /// The map of versions 0.0 and 0.1.
    map: Vec<(u64, u64)>,
    /// An `offset` whose `numbytes` did not come yet.
    offset: Option<u64>,
}

impl Sparse {
    /// The map that the records hold; `None` if it stands before the data.
    pub(super) fn map(&self, size: u64) -> Result<Option<Map>> {
        match (self.major.unwrap_or(0), self.minor.unwrap_or(0)) {
            (1, 0) => return Ok(None),
            (0, 0 | 1) if self.offset.is_none() => {}
            (0, 0 | 1) => return Err(bad("a sparse map ends in an offset without a length")),
            (major, minor) => {
                let message = format!("sparse files of version {major}.{minor} are not known");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        let mut map = Map::new(size)?;
        self.map.iter().try_for_each(|(offset, len)| map.push(*offset, *len))?;
        Ok(Some(map))
    }
}

/// Calls `take` with keyword and value of each record.
pub(super) fn each(
    mut records: &[u8],
    mut take: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    while !records.is_empty() {
        let broken = || bad("a record that is not \"LENGTH KEYWORD=VALUE\" and a newline");
        let blank = records.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let (len, _) = records.split_at(blank);
        let len = decimal(len).and_then(|len| usize::try_from(len).ok()).ok_or_else(broken)?;
        let (record, behind) = records.split_at_checked(len).ok_or_else(broken)?;
        let record = record.get(blank + 1..).and_then(|record| record.strip_suffix(b"\n"));
        let record = record.ok_or_else(broken)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
        let (keyword, value) = record.split_at(equals);
        take(keyword, value.get(1..).unwrap_or_default())?;
        records = behind;
    }
    Ok(())
}

impl Records {
    /// Reads the records of an `x` member.
    pub(super) fn parse(records: &[u8]) -> Result<Self> {
        let mut all = Self::default();
        each(records, |keyword, value| all.take(keyword, value))?;
        Ok(all)
    }

    /// Takes note of a record. Those that do not say which bytes a file has, or where, do not
    /// matter here: times, owners, attributes, comments.
    fn take(&mut self, keyword: &[u8], value: &[u8]) -> Result<()> {
        if let Some(keyword) = keyword.strip_prefix(b"GNU.sparse.") {
            return self.sparse.get_or_insert_default().take(keyword, value);
        }
        match keyword {
            // An empty value takes back what was said before.
            b"path" => self.path = (!value.is_empty()).then(|| value.to_vec()),
            b"size" if value.is_empty() => self.size = None,
            b"size" => self.size = Some(number("size", value)?),
            _ => refuse_volumes(keyword)?,
        }
        Ok(())
    }
}

impl Sparse {
    fn take(&mut self, keyword: &[u8], value: &[u8]) -> Result<()> {
        match keyword {
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number("the size of a sparse file", value)?),
            b"major" => self.major = Some(number("the version of a sparse file", value)?),
            b"minor" => self.minor = Some(number("the version of a sparse file", value)?),
            b"offset" => {
                if self.offset.is_some() {
                    return Err(bad("a sparse map has an offset without a length"));
                }
                self.offset = Some(number("an offset of a sparse map", value)?);
            }
            b"numbytes" => {
                let offset = self.offset.take();
                let offset =
                    offset.ok_or_else(|| bad("a sparse map has a length without an offset"))?;
                self.map.push((offset, number("a length of a sparse map", value)?));
            }
            b"map" => {
                let mut numbers = value.split(|byte| *byte == b',');
                while let Some(offset) = numbers.next() {
                    let offset = number("an offset of a sparse map", offset)?;
                    let len = numbers.next().unwrap_or_default();
                    self.map.push((offset, number("a length of a sparse map", len)?));
                }
            }
            // How many entries there are is seen.
            b"numblocks" => {}
            other => {
                let message =
                    format!("a sparse file with \"{}\", which is not known", other.escape_ascii());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }
}

/// Checks the records of a `g` member. Those that no two members can share are refused: readers
/// disagree about what they mean.
pub(super) fn check_global(records: &[u8]) -> Result<()> {
    each(records, |keyword, _| {
        if matches!(keyword, b"path" | b"size" | b"linkpath") || keyword.starts_with(b"GNU.sparse.")
        {
            let keyword = keyword.escape_ascii();
            return Err(bad(format!("a \"{keyword}\" for all members that follow")));
        }
        refuse_volumes(keyword)
    })
}

fn refuse_volumes(keyword: &[u8]) -> Result<()> {
    if !keyword.starts_with(b"GNU.volume.") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "an archive in several volumes")
        .hint("let tar put the volumes together"))
}

fn number(what: &str, text: &[u8]) -> Result<u64> {
    decimal(text).ok_or_else(|| {
        let shown = text.get(..32.min(text.len())).unwrap_or_default().escape_ascii();
        bad(format!("{what} is \"{shown}\", which is no number"))
    })
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Format, message)
}

/// Appends a record. Its length counts itself.
pub(super) fn append(out: &mut Vec<u8>, keyword: &str, value: &[u8]) {
    let rest = keyword.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + digits(len) != len {
        len = rest + digits(len);
    }
    out.extend_from_slice(len.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(keyword.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Checks the length of a member that says something about others.
pub(super) fn check_len(len: u64) -> Result<()> {
    if len <= limits::TAR_EXTENSION {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Limit,
        format!("{len} bytes of records for a member exceed limit {}", limits::TAR_EXTENSION),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_with_their_own_length() {
        let mut out = Vec::new();
        append(&mut out, "size", b"9000000000");
        assert_eq!(out, b"19 size=9000000000\n");
        for len in 1..2000 {
            let value = vec![b'v'; len];
            let mut out = Vec::new();
            append(&mut out, "path", &value);
            append(&mut out, "size", b"1");
            let records = Records::parse(&out).unwrap();
            assert_eq!((records.path, records.size), (Some(value), Some(1)));
        }
    }

    #[test]
    fn broken_records_are_refused() {
        for records in [
            "x",
            "8 a=b\n",
            "6 a=b\nx",
            "6 a=bc",
            "5 a=b\n",
            " 6 a=b\n",
            "-6 a=b\n",
            "99999999999999999999 a=b\n",
            "5 ab\n\n",
            "0 ",
            "1 ",
            "2 \n",
            "11 size=-1\n",
            "10 size=x\n",
            "24 GNU.sparse.map=1,2,3\n",
            "25 GNU.sparse.numbytes=1\n",
        ] {
            let error = Records::parse(records.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{records:?}: {error}");
        }
        assert!(Records::parse(b"6 a=b\n8 size=\n7 path=\n").is_err());
        let taken_back = Records::parse(b"11 path=ab\n8 path=\n").unwrap();
        assert_eq!(taken_back.path, None);
        assert!(check_global(b"13 path=a/b/\n").is_err());
        check_global(b"15 comment=abc\n").unwrap();
        let volumes = Records::parse(b"22 GNU.volume.size=11\n").unwrap_err();
        assert_eq!(volumes.kind(), ErrorKind::Unsupported);
    }
}
