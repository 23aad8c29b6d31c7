//! The options of each drop-in name, as data. Each option that the real programs know is here: it
//! is honoured, or makes no difference and says why, or is refused by name.

mod backup;
mod common;
mod stream;
mod xbcrypt;

pub(crate) use backup::{INNOBACKUPEX, MARIABACKUP, XTRABACKUP};
pub(crate) use stream::{MBSTREAM, XBSTREAM};
pub(crate) use xbcrypt::XBCRYPT;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::dropin::option::{Act, Id, Table, Takes, all};

    const TABLES: [(&str, Table); 6] = [
        ("xbcrypt", XBCRYPT),
        ("xbstream", XBSTREAM),
        ("mbstream", MBSTREAM),
        ("innobackupex", INNOBACKUPEX),
        ("xtrabackup", XTRABACKUP),
        ("mariabackup", MARIABACKUP),
    ];

    #[test]
    fn names_and_letters_are_unique_in_each_table() {
        for (tool, table) in TABLES {
            let mut names = HashSet::new();
            let mut letters = HashSet::new();
            for opt in all(table) {
                assert!(names.insert(opt.name), "{tool}: --{} is there twice", opt.name);
                assert!(!opt.name.contains('_'), "{tool}: --{} has a '_'", opt.name);
                if let Some(letter) = opt.short {
                    assert!(letters.insert(letter), "{tool}: -{letter} is there twice");
                }
            }
        }
    }

    #[test]
    fn every_option_says_what_becomes_of_it() {
        for (tool, table) in TABLES {
            for opt in all(table) {
                let (Act::Use(_, text) | Act::Ignore(text) | Act::Refuse { why: text, .. }) =
                    opt.act;
                assert!(!text.is_empty() && !text.ends_with('.'), "{tool}: --{}", opt.name);
            }
        }
    }

    #[test]
    fn passwords_are_kept_as_secrets_or_not_at_all() {
        for (tool, table) in TABLES {
            for opt in all(table).filter(|opt| opt.name.ends_with("password")) {
                assert_ne!(opt.takes, Takes::Optional, "{tool}");
                let kept = matches!(opt.act, Act::Use(Id::Password, _) | Act::Ignore(_));
                assert!(kept, "{tool}");
            }
        }
    }
}
