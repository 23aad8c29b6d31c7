//! Pages that stay damaged however often they are read, and the file that lists them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::places::{SpaceFile, SpaceKind};
use crate::create::DamagedPages;
use crate::create::audit::list;
use crate::create::feed::Findings;
use crate::innodb::page::{Layout, TablespaceChecker};
use crate::pages::{BadPage, FileCheck, Reason, Tally, Verdict};

/// Damaged pages after which a page is not read again as patiently as before: by then it is the
/// disk, and not a server that is just writing.
const PATIENCE: u64 = 64;

/// How often a page that is not whole is read again, before and after.
const TRIES: [u32; 2] = [100, 10];

/// Bytes of a page if nothing shows them.
const USUAL_PAGE: usize = 16 << 10;

/// The damaged pages of a backup.
#[derive(Debug)]
pub(super) struct Damage {
    policy: DamagedPages,
    found: AtomicU64,
    spaces: Mutex<BTreeMap<Vec<u8>, Space>>,
}

#[derive(Debug, Default)]
struct Space {
    id: u32,
    pages: Vec<Range<u64>>,
}

impl Damage {
    pub(super) fn new(policy: DamagedPages) -> Self {
        Self { policy, found: AtomicU64::new(0), spaces: Mutex::default() }
    }

    /// Whether damaged pages are carried along.
    pub(super) fn is_carried(&self) -> bool {
        self.policy == DamagedPages::Report
    }

    /// How often a page that is not whole is read again.
    pub(super) fn tries(&self) -> u32 {
        TRIES[usize::from(self.found.load(Ordering::Relaxed) >= PATIENCE)]
    }

    /// Notes a damaged page, numbered as in its tablespace.
    fn note(&self, of: &SpaceFile, id: u32, page: u64) {
        self.found.fetch_add(1, Ordering::Relaxed);
        let mut spaces = self.spaces.lock();
        let space = spaces.entry(name_of(of)).or_default();
        space.id = id;
        match space.pages.last_mut() {
            Some(last) if last.end == page => last.end += 1,
            _ => space.pages.push(page..page + 1),
        }
    }

    /// The lines of `innodb_corrupted_pages`, as `mariabackup` 10.11 writes it: for each tablespace
    /// its name and number, and below them the numbers of its damaged pages. In pieces, as they may
    /// be many.
    pub(super) fn listing(&self) -> Vec<Vec<u8>> {
        const AT_ONCE: usize = 64 << 10;
        let mut pieces = vec![Vec::new()];
        let mut put = |bytes: &[u8]| match pieces.last_mut() {
            Some(last) if last.len() + bytes.len() <= AT_ONCE => last.extend_from_slice(bytes),
            _ => pieces.push(bytes.to_vec()),
        };
        for (name, space) in &*self.spaces.lock() {
            put(name);
            put(format!(" {}\n", space.id).as_bytes());
            let mut pages: Vec<_> = space.pages.clone();
            pages.sort_by_key(|pages| pages.start);
            let mut before = "";
            for page in pages.into_iter().flatten() {
                put(format!("{before}{page}").as_bytes());
                before = " ";
            }
            put(b"\n");
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// What the server calls a tablespace.
fn name_of(of: &SpaceFile) -> Vec<u8> {
    let member = of.member.as_bytes();
    match of.kind {
        SpaceKind::System | SpaceKind::SystemMore => b"innodb_system".to_vec(),
        SpaceKind::Undo => [b"innodb_", member].concat(),
        SpaceKind::Table => member.strip_suffix(b".ibd").unwrap_or(member).to_vec(),
    }
}

/// What the pages of one tablespace are found to be.
pub(super) struct PageFindings<'d> {
    damage: &'d Damage,
    of: &'d SpaceFile,
    id: u32,
    tally: Tally,
    bad: Vec<BadPage>,
    /// Judges what has no layout, since its begin is damaged.
    unknown: Option<TablespaceChecker>,
}

impl<'d> PageFindings<'d> {
    pub(super) fn new(damage: &'d Damage, of: &'d SpaceFile, id: u32) -> Self {
        Self { damage, of, id, tally: Tally::default(), bad: Vec::new(), unknown: None }
    }

    /// Judges from now on what has no layout.
    pub(super) fn judge_unknown(&mut self, checker: TablespaceChecker) {
        self.unknown = Some(checker);
    }

    /// Counts a page.
    pub(super) fn count(&mut self, verdict: Verdict) {
        self.tally.count(verdict);
    }

    /// Counts a page that stays damaged. `first_page` is the number of the file's first page.
    pub(super) fn bad(&mut self, page: &BadPage, first_page: u64) {
        self.tally.count(Verdict::Bad(page.fault));
        list(&mut self.bad, page);
        self.damage.note(self.of, self.id, first_page + page.page);
    }

    /// Looks at bytes of a file of which no layout is known.
    pub(super) fn see_unknown(&mut self, offset: u64, bytes: &[u8]) {
        let (damage, of, id, bad) = (self.damage, self.of, self.id, &mut self.bad);
        if let Some(checker) = &mut self.unknown {
            checker.feed_at(offset, bytes, &mut |page| {
                list(bad, page);
                damage.note(of, id, page.page);
            });
            return;
        }
        // Undo logs that were just made: the redo log has all of them.
        for page in bytes.chunks(USUAL_PAGE) {
            let is_zero = page.iter().all(|byte| *byte == 0);
            self.tally.count(if is_zero {
                Verdict::Zero
            } else {
                Verdict::Unchecked(Reason::UnknownLayout)
            });
        }
    }

    /// What was found, now that all was read.
    pub(super) fn end(&mut self, layout: Option<&Layout>) -> Findings {
        let (damage, of, id) = (self.damage, self.of, self.id);
        let mut bad = std::mem::take(&mut self.bad);
        let file = match self.unknown.take() {
            Some(checker) => {
                let mut note = |page: &BadPage| {
                    list(&mut bad, page);
                    damage.note(of, id, page.page);
                };
                let (mut file, _) = checker.finish(&mut note);
                file.tally.missing = 0;
                file
            }
            None => FileCheck {
                family: layout.map(Layout::family),
                page_size: layout.map_or(0, Layout::page_size),
                tally: std::mem::take(&mut self.tally),
            },
        };
        Findings { file, bad }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::format::member::MemberPath;
    use crate::pages::{Fault, What};

    fn space(member: &str, kind: SpaceKind) -> SpaceFile {
        let member = MemberPath::new(member.as_bytes()).unwrap();
        SpaceFile { member, path: PathBuf::new(), kind, elsewhere: false }
    }

    /// The text is what `mariabackup` 10.11.19 made of the same damage.
    #[test]
    fn the_list_is_that_of_mariabackup() {
        let damage = Damage::new(DamagedPages::Report);
        assert!(damage.listing().is_empty());
        let (t, u) = (space("d/t.ibd", SpaceKind::Table), space("d/u.ibd", SpaceKind::Table));
        damage.note(&u, 6, 6);
        for page in [7, 8, 5] {
            damage.note(&t, 5, page);
        }
        assert_eq!(damage.listing().concat(), b"d/t 5\n5 7 8\nd/u 6\n6\n");
        damage.note(&space("ibdata1", SpaceKind::System), 0, 3);
        damage.note(&space("ibdata2", SpaceKind::SystemMore), 0, 900);
        assert!(damage.listing().concat().ends_with(b"innodb_system 0\n3 900\n"));
    }

    #[test]
    fn a_long_list_comes_in_pieces_and_patience_ends() {
        let damage = Damage::new(DamagedPages::Report);
        let t = space("d/t.ibd", SpaceKind::Table);
        let mut findings = PageFindings::new(&damage, &t, 5);
        let before = damage.tries();
        let fault = Fault { what: What::Checksum, stored: 1, computed: 2 };
        let numbers: Vec<u64> = (0..50_000).map(|n| n * 3).collect();
        for page in &numbers {
            findings.bad(&BadPage { page: *page, offset: page << 14, fault }, 0);
        }
        assert!(damage.tries() < before);
        let pieces = damage.listing();
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() <= 64 << 10));
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        assert_eq!(pieces.concat(), format!("d/t 5\n{}\n", numbers.join(" ")).into_bytes());
        let found = findings.end(None);
        assert_eq!(found.file.tally.bad, 50_000);
        assert_eq!(found.bad.len(), crate::limits::LISTED_PAGES);
    }
}
