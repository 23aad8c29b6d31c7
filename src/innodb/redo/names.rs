//! The names of files in redo, and how a copy's differ.
//!
//! A mini-transaction may begin with records about files: their first byte has bit 7 set, and behind
//! the numbers of space and page they hold the file's name, or two names with a NUL between. A table
//! with a `DATA DIRECTORY` elsewhere has its whole path there. In a backup it lies in its database's
//! directory, so the server that recovers must find it there: were it led to the old path, it would
//! miss the file, or worse, change the one that another server uses.
//!
//! Names keep their length, or all LSNs behind them would be wrong: `/elsewhere/db/t.ibd` becomes
//! `.//////////db/t.ibd`. In encrypted logs they
//! are encrypted, so a backup with such a table and such a log is refused.

use super::mtr::variable;

/// Makes absolute names in the records of a mini-transaction relative. Gives whether there were any.
pub(super) fn localise(records: &mut [u8]) -> bool {
    let mut any = false;
    let mut at = 0;
    // Records about files come first, and only they have bit 7 set before any other record.
    while let Some(record) = file_record(records, at) {
        let names = records.get_mut(record.names_at..record.end).unwrap_or_default();
        for name in names.split_mut(|byte| *byte == 0) {
            any |= localise_name(name);
        }
        at = record.end;
    }
    any
}

struct FileRecord {
    names_at: usize,
    end: usize,
}

/// Records that hold names: of files made, deleted, renamed and changed. `FILE_CHECKPOINT` (0xf0)
/// holds an LSN there, whose bytes may look like one.
const NAMING: [u8; 4] = [0x80, 0x90, 0xa0, 0xb0];

/// The record at `at`, if it is one that names files.
fn file_record(records: &[u8], at: usize) -> Option<FileRecord> {
    let first = *records.get(at)?;
    if !NAMING.contains(&(first & 0xf0)) {
        return None;
    }
    let mut from = at + 1;
    let mut len = usize::from(first & 15);
    if len == 0 {
        let (value, width) = variable(records.get(from..)?).ok()??;
        len = value as usize + 15 - width;
        from += width;
    }
    let end = from.checked_add(len).filter(|end| *end <= records.len())?;
    let mut names_at = from;
    for _number in ["space", "page"] {
        let (_, width) = variable(records.get(names_at..end)?).ok()??;
        names_at += width;
    }
    Some(FileRecord { names_at, end })
}

/// Keeps the last two components of an absolute name.
fn localise_name(name: &mut [u8]) -> bool {
    if name.first() != Some(&b'/') {
        return false;
    }
    let mut slashes = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    let Some((keep_from, _)) = slashes.nth(1) else { return false };
    let (head, _) = name.split_at_mut(keep_from);
    let Some((dot, rest)) = head.split_first_mut() else { return false };
    *dot = b'.';
    rest.fill(b'/');
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(name: &str) -> String {
        let mut bytes = name.as_bytes().to_vec();
        localise_name(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_name_keeps_its_length_and_its_last_two_components() {
        assert_eq!(local("/a/db/t.ibd"), "././db/t.ibd".replace("./.", "./"));
        assert_eq!(local("/abc/db/t#P#p0.ibd"), ".////db/t#P#p0.ibd");
        assert_eq!(local("./db/t.ibd"), "./db/t.ibd");
        assert_eq!(local("/t.ibd"), "/t.ibd");
        for name in ["/a/db/t.ibd", "/data/two/db/t.ibd", "//x//db/t.ibd"] {
            assert_eq!(local(name).len(), name.len());
            assert!(local(name).starts_with("./") && local(name).ends_with("/db/t.ibd"));
        }
    }

    fn record(kind: u8, names: &[u8]) -> Vec<u8> {
        let body = [&[0x83, 0x05, 0x00], names].concat(); // space of two bytes, page of one
        if body.len() <= 15 {
            return [&[kind | u8::try_from(body.len()).unwrap()], &body[..]].concat();
        }
        let value = u8::try_from(body.len() + 1 - 15).unwrap();
        [&[kind, value], &body[..]].concat()
    }

    #[test]
    fn only_names_of_files_are_touched() {
        let modify = record(0xb0, b"/elsewhere/db/t.ibd");
        let rename = record(0xa0, b"/elsewhere/db/a.ibd\0/elsewhere/db/b.ibd");
        let local = record(0xb0, b"./db/t.ibd");
        let page = vec![0x35, 1, 2, b'/', b'/', b'/'];
        let mut records = [modify, rename, local.clone(), page.clone()].concat();
        let before = records.clone();
        assert!(localise(&mut records));
        assert_eq!(records.len(), before.len());
        let text = String::from_utf8_lossy(&records).into_owned();
        assert!(!text.contains("elsewhere"), "{text}");
        assert!(
            text.contains(".//////////db/t.ibd") && text.contains(".//////////db/b.ibd"),
            "{text}"
        );
        assert!(records.ends_with(&[local.clone(), page.clone()].concat()));
        assert!(!localise(&mut local.clone()) && !localise(&mut page.clone()));
        for cut in 0..before.len() {
            localise(&mut before[..cut].to_vec()); // never beyond its end
        }
    }

    /// `FILE_CHECKPOINT` has an LSN where others have a name.
    #[test]
    fn an_lsn_is_no_name() {
        let lsn = 0x2f2f_2f34_u64.to_be_bytes(); // "///4" behind zeros
        let checkpoint = [&[0xfa, 0, 0], &lsn[..]].concat();
        let mut records = checkpoint.clone();
        assert!(!localise(&mut records));
        assert_eq!(records, checkpoint);
    }
}
