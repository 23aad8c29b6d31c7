//! Which members are wanted.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use crate::error::{Error, ErrorKind, Result};

/// Members named on a command line.
///
/// A name stands for that member, or for every member below that directory. `*`, `?`, `[…]`,
/// `{a,b}` match within one component, `**` across components.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self> {
        let plain = text.trim_start_matches("./").trim_end_matches('/');
        let matcher = GlobBuilder::new(plain)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| {
                let what = format!("pattern \"{text}\" is malformed: {}", error.kind());
                Error::new(ErrorKind::InvalidArgument, what)
            })?
            .compile_matcher();
        Ok(Self { text: text.to_owned(), matcher })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, path: &Path) -> bool {
        path.ancestors()
            .filter(|ancestor| !ancestor.as_os_str().is_empty())
            .any(|ancestor| self.matcher.is_match(ancestor))
    }
}

/// A set of patterns, and which of them were of use.
pub(super) struct Selection {
    patterns: Vec<(Pattern, bool)>,
}

impl Selection {
    pub(super) fn new(patterns: &[Pattern]) -> Self {
        Self { patterns: patterns.iter().map(|pattern| (pattern.clone(), false)).collect() }
    }

    /// Whether every member is wanted.
    pub(super) fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a member is wanted. Without patterns, all are.
    pub(super) fn wants(&mut self, path: &Path) -> bool {
        let mut wanted = self.patterns.is_empty();
        for (pattern, used) in &mut self.patterns {
            if pattern.matches(path) {
                *used = true;
                wanted = true;
            }
        }
        wanted
    }

    /// An error that names the patterns that matched nothing.
    pub(super) fn check_all_used(&self) -> Result<()> {
        let unused: Vec<String> = self
            .patterns
            .iter()
            .filter(|(_, used)| !used)
            .map(|(pattern, _)| format!("\"{}\"", pattern.text()))
            .collect();
        if unused.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NotFound,
            format!("no member of the stream matches {}", unused.join(", ")),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_directories_and_stars_stay_in_theirs() {
        for (pattern, path, expected) in [
            ("mysql", "mysql/user.frm", true),
            ("mysql/", "mysql/user.frm", true),
            ("./ibdata1", "ibdata1", true),
            ("*", "ibdata1", true),
            ("*.ibd", "db/t.ibd", false),
            ("*/*.ibd", "db/t.ibd", true),
            ("**/*.ibd", "t.ibd", true),
            ("mysql", "mysqlx/t", false),
            ("db/t#P#p[01].ibd", "db/t#P#p0.ibd", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(Path::new(path)),
                expected,
                "{pattern} {path}"
            );
        }
        assert!(Pattern::new("[").is_err());
    }
}
