//! What DDL did to tablespaces while they were copied, as markers that `--prepare` understands.
//!
//! Tablespaces are known by their numbers, which a table gets anew when it is made, rebuilt or
//! truncated, and keeps when it is renamed. So comparing what was copied with what there is, when
//! DDL is blocked, says everything; no redo record need be read.

use std::collections::{HashMap, HashSet};

use crate::format::member::MemberPath;

/// What is to be done to the copy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fixups {
    /// Files that are no more: to be removed first.
    pub(super) removed: Vec<MemberPath>,
    /// Files that have another name: from, to. Then these, all at once, as tables swap names.
    pub(super) renamed: Vec<(MemberPath, MemberPath)>,
    /// Files that are new, or hold another table: to be copied now.
    pub(super) made: Vec<MemberPath>,
}

/// Compares the copied files with those there are: their numbers, or `None` where nothing was
/// written yet.
pub(super) fn compare(
    copied: &HashMap<MemberPath, u32>,
    now: &HashMap<MemberPath, Option<u32>>,
) -> Fixups {
    let mut fixups = Fixups::default();
    let is_kept = |path: &MemberPath, id: u32| now.get(path) == Some(&Some(id));
    // Files whose table is elsewhere now, or nowhere. A swap of names while copying can leave one
    // table in two files.
    let mut loose: HashMap<u32, Vec<&MemberPath>> = HashMap::new();
    for (path, id) in copied.iter().filter(|(path, id)| !is_kept(path, **id)) {
        loose.entry(*id).or_default().push(path);
    }
    for paths in loose.values_mut() {
        paths.sort_by(|a, b| b.as_bytes().cmp(a.as_bytes()));
    }
    for (path, id) in now {
        let Some(id) = id else {
            fixups.made.push(path.clone());
            continue;
        };
        if copied.get(path) == Some(id) {
            continue;
        }
        match loose.get_mut(id).and_then(Vec::pop) {
            Some(from) => fixups.renamed.push((from.clone(), path.clone())),
            None => fixups.made.push(path.clone()),
        }
    }
    // What is new replaces what has its name.
    let made: HashSet<&MemberPath> = fixups.made.iter().collect();
    let gone = loose.into_values().flatten().filter(|path| !made.contains(*path));
    fixups.removed = gone.cloned().collect();
    fixups.removed.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    fixups.renamed.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    fixups.made.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    fixups
}

/// The name of the marker that stands for a table's file: `db/t.ibd` and `new` give `db/t.new`.
pub(super) fn marker(table: &MemberPath, suffix: &str) -> crate::error::Result<MemberPath> {
    let stem = stem(table);
    MemberPath::new(&[stem, b".", suffix.as_bytes()].concat())
}

/// A table's file without its suffix.
pub(super) fn stem(table: &MemberPath) -> &[u8] {
    let name = table.as_bytes();
    name.strip_suffix(b".ibd").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> MemberPath {
        MemberPath::new(format!("d/{name}.ibd").as_bytes()).unwrap()
    }

    /// Fix-ups, as `-gone`, `old>new` and `+made`.
    fn fixups(copied: &[(&str, u32)], now: &[(&str, u32)]) -> String {
        let copied = copied.iter().map(|(name, id)| (path(name), *id)).collect();
        let now = now.iter().map(|(name, id)| (path(name), (*id != 0).then_some(*id))).collect();
        let found = compare(&copied, &now);
        let name = |path: &MemberPath| String::from_utf8(stem(path)[2..].to_vec()).unwrap();
        let removed = found.removed.iter().map(|path| format!("-{}", name(path)));
        let renamed = found.renamed.iter().map(|(a, b)| format!("{}>{}", name(a), name(b)));
        let made = found.made.iter().map(|path| format!("+{}", name(path)));
        removed.chain(renamed).chain(made).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_ddl_has_its_fixup() {
        assert_eq!(fixups(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)]), "");
        assert_eq!(fixups(&[("a", 1)], &[]), "-a");
        assert_eq!(fixups(&[("a", 1)], &[("b", 1)]), "a>b");
        assert_eq!(fixups(&[("a", 1)], &[("a", 2)]), "+a"); // truncated or rebuilt
        assert_eq!(fixups(&[], &[("a", 1)]), "+a");
        assert_eq!(fixups(&[("a", 1), ("b", 2)], &[("a", 2), ("b", 1)]), "a>b b>a"); // swapped
        assert_eq!(fixups(&[("a", 1), ("b", 2)], &[("b", 1)]), "-b a>b"); // b dropped, a renamed
        assert_eq!(fixups(&[("a", 1)], &[("a", 2), ("b", 1)]), "a>b +a"); // renamed, made anew
        assert_eq!(fixups(&[("a", 1)], &[("a", 0)]), "+a"); // nothing written yet
        assert_eq!(fixups(&[("a", 1), ("b", 2)], &[("b", 3), ("c", 1)]), "a>c +b");
    }

    #[test]
    fn a_table_that_was_copied_twice_is_kept_once() {
        // Swapped between the copies of a and b: both hold table 1, and table 2 was missed.
        assert_eq!(fixups(&[("a", 1), ("b", 1)], &[("a", 2), ("b", 1)]), "+a");
        assert_eq!(fixups(&[("a", 1), ("b", 1)], &[("c", 1)]), "-b a>c");
        assert_eq!(fixups(&[("a", 1), ("b", 1)], &[("b", 1)]), "-a");
    }
}
