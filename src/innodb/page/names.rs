//! Which files are tablespaces, by their names.

/// What a tablespace's file is, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A file of the system tablespace, `ibdata1` or a later one. The first begins with page 0;
    /// the others go on counting where the one before ends, and say nothing of their layout.
    System,
    /// Any other: a table, a partition, undo logs, a general tablespace, a data dictionary.
    Own,
}

/// The role of the file or member of this name; `None` if it is no tablespace, or a temporary one.
///
/// Known are `ibdata*`, `*.ibd`, `*.ibu`, `undo001` and `undo_001`, and `*.new` in a directory,
/// which is what `mariabackup` calls a table that was made during the backup. Compressed members
/// (`t.ibd.qp`) are none; nor are `*.isl`, `ibtmp1` and doublewrite files.
pub fn role_of(name: &[u8]) -> Option<Role> {
    let slash = name.iter().rposition(|byte| *byte == b'/');
    let base = name.get(slash.map_or(0, |at| at + 1)..).unwrap_or_default();
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if base.strip_prefix(b"ibdata").is_some_and(is_number) {
        return Some(Role::System);
    }
    let is_undo = base
        .strip_prefix(b"undo")
        .is_some_and(|rest| is_number(rest.strip_prefix(b"_").unwrap_or(rest)));
    let has_suffix = [&b".ibd"[..], b".ibu"].iter().any(|suffix| has_stem(base, suffix));
    let is_marked_new = slash.is_some() && has_stem(base, b".new");
    (is_undo || has_suffix || is_marked_new).then_some(Role::Own)
}

fn has_stem(base: &[u8], suffix: &[u8]) -> bool {
    base.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_tablespaces_from_other_files() {
        for name in ["ibdata1", "home/ibdata2", "ibdata10"] {
            assert_eq!(role_of(name.as_bytes()), Some(Role::System), "{name}");
        }
        for name in [
            "undo001",
            "undo_001",
            "extra.ibu",
            "mysql.ibd",
            "db/t.ibd",
            "db/t#P#p0.ibd",
            "db/t#p#p0#sp#s1.ibd",
            "db/#sql-ib17.ibd",
            "db/t.new",
        ] {
            assert_eq!(role_of(name.as_bytes()), Some(Role::Own), "{name}");
        }
        for name in [
            "ibtmp1",
            "ibdata",
            "ibdata1.bak",
            "undo",
            "undo_",
            "undo_1_trunc.log",
            "undone",
            "db/t.isl",
            "db/t.ibd.qp",
            "db/t.del",
            "t.new",
            ".ibd",
            "db/.ibd",
            "#ib_16384_0.dblwr",
            "#innodb_temp/temp_1.ibt",
            "ib_logfile0",
            "",
        ] {
            assert_eq!(role_of(name.as_bytes()), None, "{name}");
        }
    }
}
