//! Pages of tablespaces, checked on their way into a stream.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::format::member::MemberPath;
use crate::innodb::page::{TablespaceChecker, role_of};
use crate::io::pulse::Pulse;
use crate::limits;
use crate::pages::{BadPage, FileCheck};

/// What to do about a page of a tablespace that is not what the server wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DamagedPages {
    /// Fail at the first one: the stream stays unfinished.
    #[default]
    Refuse,
    /// Report each one, and carry it. The job succeeds, and its report counts them: the copy is
    /// as damaged as the original.
    Report,
}

/// What was found of a file whose last byte is packed.
pub(super) struct Audited {
    pub(super) member: MemberPath,
    pub(super) file: FileCheck,
    /// Damaged pages, up to [`limits::LISTED_PAGES`].
    pub(super) bad: Vec<BadPage>,
}

impl Audited {
    /// Tells the observer.
    pub(super) fn tell(&self, pulse: &Pulse<'_>) -> Result<()> {
        let (path, tally) = (self.member.as_path(), &self.file.tally);
        self.bad.iter().try_for_each(|page| pulse.bad_page(path, page))?;
        let unlisted = tally.bad - self.bad.len() as u64;
        if unlisted > 0 {
            let name = escape_path(path);
            pulse.warn(&format!("{name}: {unlisted} more pages are damaged"))?;
        }
        if tally.missing > 0 {
            let (name, missing) = (escape_path(path), tally.missing);
            let message = "pages fewer than its first one says there are";
            pulse.warn(&format!("{name}: the file has {missing} {message}"))?;
        }
        pulse.file_checked(path, &self.file)
    }
}

/// Watches the bytes of one file.
pub(super) struct Audit {
    member: MemberPath,
    policy: DamagedPages,
    checker: TablespaceChecker,
    bad: Vec<BadPage>,
}

impl Audit {
    /// An audit of the member, if its name is that of a tablespace.
    pub(super) fn of(member: &MemberPath, policy: Option<DamagedPages>) -> Option<Self> {
        let (policy, role) = (policy?, role_of(member.as_bytes())?);
        let checker = TablespaceChecker::new(role);
        Some(Self { member: member.clone(), policy, checker, bad: Vec::new() })
    }

    /// Sees bytes that were read from `path` at `offset`.
    pub(super) fn see(&mut self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let bad = &mut self.bad;
        self.checker.feed_at(offset, bytes, &mut |page| list(bad, page));
        self.judge(path)
    }

    /// The file ends at `size`.
    pub(super) fn end(mut self, path: &Path, size: u64) -> Result<Audited> {
        let checker = std::mem::replace(&mut self.checker, TablespaceChecker::empty());
        let bad = &mut self.bad;
        let (file, _) = checker.finish_at(size, &mut |page| list(bad, page));
        self.judge(path)?;
        Ok(Audited { member: self.member, file, bad: self.bad })
    }

    fn judge(&self, path: &Path) -> Result<()> {
        match self.bad.first() {
            Some(page) if self.policy == DamagedPages::Refuse => {
                Err(Error::new(ErrorKind::PageCorrupt, page.to_string()).at_path(path).hint(
                    "xbkit check lists all damaged pages; --log-page-corruption carries them \
                     along, and the copy is as damaged as the original",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Keeps a damaged page, unless there are too many to name.
pub(crate) fn list(bad: &mut Vec<BadPage>, page: &BadPage) {
    if bad.len() < limits::LISTED_PAGES {
        bad.push(*page);
    }
}
