//! Reading tablespaces that a server is writing to: page by page, again until each is whole.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::damage::{Damage, PageFindings};
use super::direct::DirectBuffer;
use super::places::{SpaceFile, SpaceKind};
use super::throttle::Throttle;
use crate::create::DamagedPages;
use crate::create::feed::{Findings, Origin, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::innodb::page::{Layout, Role, TablespaceChecker};
use crate::pages::{BadPage, Fault, Reason, Verdict};
use crate::sys::file;

/// How often the begin of a file, or a page that nobody can check, is read again.
const TRIES: u32 = 100;

/// How long to wait before reading a page again: at first, and then.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// Largest page, in bytes.
const MAX_PAGE: usize = 64 << 10;

/// Bytes that show the layout of a file whose first page does not.
const WINDOW: usize = 4 * MAX_PAGE;

/// What a copied file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// The tablespace of this number.
    Space(u32),
    /// Nothing was written to it yet, so the redo log holds all of it.
    Zero,
    /// It is gone.
    Gone,
}

/// What the readers of tablespaces share.
#[derive(Debug)]
pub(super) struct Tables {
    /// The files that are in the stream, and their numbers.
    copied: Mutex<HashMap<MemberPath, u32>>,
    /// How `ibdata1` is laid out; its further files do not say.
    system: Mutex<Option<Layout>>,
    pub(super) throttle: Throttle,
    /// Whether to read past the page cache, as the server does.
    pub(super) direct: bool,
    pub(super) damage: Damage,
    pub(super) counts: Counts,
}

/// What was met while reading.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Pages that had to be read again until they were whole.
    pub(super) torn: AtomicU64,
    /// Pages that nothing can tell whether they are whole without a key or a codec.
    pub(super) unchecked: AtomicU64,
}

impl Tables {
    pub(super) fn new(throttle: Throttle, direct: bool, damaged: DamagedPages) -> Self {
        let (copied, system) = (Mutex::default(), Mutex::default());
        let damage = Damage::new(damaged);
        Self { copied, system, throttle, direct, damage, counts: Counts::default() }
    }

    /// The files of tables that are in the stream.
    pub(super) fn copied(&self) -> HashMap<MemberPath, u32> {
        std::mem::take(&mut self.copied.lock())
    }
}

/// A tablespace as the origin of a member.
#[derive(Debug)]
pub(super) struct Tablespace {
    pub(super) file: SpaceFile,
    pub(super) tables: Arc<Tables>,
}

impl Origin for Tablespace {
    fn open(&self) -> Result<Option<Box<dyn Reading + '_>>> {
        let opened = open(&self.file)?;
        let kind = self.file.kind;
        let (Some(file), begin) = opened else { return Ok(None) };
        match begin {
            Begin::Space(id) if kind == SpaceKind::Table => {
                self.tables.copied.lock().insert(self.file.member.clone(), id);
            }
            Begin::Zero if kind == SpaceKind::Table => return Ok(None),
            _ => {}
        }
        let reading = PageReading::new(file, begin, &self.file, &self.tables)?;
        Ok(Some(Box::new(reading)))
    }
}

/// Opens a tablespace and looks at its begin.
pub(super) fn open(of: &SpaceFile) -> Result<(Option<File>, Begin)> {
    let error = |what: &'static str, error: io::Error| {
        Error::io(ErrorKind::Source, what, error).at_path(&of.path)
    };
    let file = match file::open_read(&of.path) {
        Ok(file) => file,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound && of.kind == SpaceKind::Table => {
            return Ok((None, Begin::Gone));
        }
        Err(other) => return Err(error("opening the tablespace", other)),
    };
    let mut begin = [0; 1024];
    let len = read_full(&file, &mut begin, 0).map_err(|e| error("reading the tablespace", e))?;
    let begin = begin.get(..len).unwrap_or_default();
    let id = begin.get(34..38).and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
    let begin = match id {
        Some(id) if begin.iter().any(|byte| *byte != 0) => Begin::Space(id),
        _ => Begin::Zero,
    };
    Ok((Some(file), begin))
}

/// A tablespace being read.
pub(super) struct PageReading<'r> {
    file: File,
    /// The same file, opened for reads past the page cache.
    direct: Option<(File, DirectBuffer)>,
    of: &'r SpaceFile,
    tables: &'r Tables,
    size: u64,
    layout: Option<Layout>,
    found: PageFindings<'r>,
}

impl<'r> PageReading<'r> {
    /// Reads a tablespace that begins so.
    pub(super) fn new(
        file: File,
        begin: Begin,
        of: &'r SpaceFile,
        tables: &'r Tables,
    ) -> Result<Self> {
        let facts = file::facts(&file).map_err(|error| {
            Error::io(ErrorKind::Source, "looking at the tablespace", error).at_path(&of.path)
        })?;
        let direct =
            if tables.direct { DirectBuffer::open(&file, facts.fingerprint.size) } else { None };
        let size = facts.fingerprint.size;
        let is_system = matches!(of.kind, SpaceKind::System | SpaceKind::SystemMore);
        let id = match begin {
            Begin::Space(id) if !is_system => id,
            _ => 0,
        };
        let found = PageFindings::new(&tables.damage, of, id);
        let mut reading = Self { file, direct, of, tables, size, layout: None, found };
        reading.layout = reading.find_layout()?;
        Ok(reading)
    }

    /// Reads page 0 until it is whole.
    fn find_layout(&mut self) -> Result<Option<Layout>> {
        if self.of.kind == SpaceKind::SystemMore {
            // ibdata1 is first in line, but another reader may still be at its begin.
            for _ in 0..TRIES {
                if let Some(system) = &*self.tables.system.lock() {
                    return Ok(Some(system.continued()));
                }
                std::thread::sleep(PAUSES[1]);
            }
            return Ok(None);
        }
        let role = if self.of.kind == SpaceKind::System { Role::System } else { Role::Own };
        let mut page0 = vec![0; MAX_PAGE];
        let mut last = String::new();
        for tried in 0..TRIES {
            let len = self.read_anew(&mut page0, 0)?;
            let bytes = page0.get(..len).unwrap_or_default();
            if bytes.iter().all(|byte| *byte == 0) {
                return Ok(None); // of undo logs just made; there is nothing to check
            }
            match true_layout(bytes, role) {
                Ok(layout) => {
                    if role == Role::System {
                        *self.tables.system.lock() = Some(layout.clone());
                    }
                    return Ok(Some(layout));
                }
                Err(why) => last = why,
            }
            pause(tried);
        }
        if !self.tables.damage.is_carried() {
            return Err(self.corrupt(0, &last, TRIES));
        }
        self.guess_layout(role)
    }

    /// The layout that most pages have at the begin of a file whose first page is damaged.
    fn guess_layout(&mut self, role: Role) -> Result<Option<Layout>> {
        let mut begin = vec![0; WINDOW];
        let len = self.read_file(&mut begin, 0)?;
        let mut checker = TablespaceChecker::new(role);
        checker.feed(begin.get(..len).unwrap_or_default(), &mut |_| {});
        let layout = checker.finish(&mut |_| {}).1;
        if layout.is_none() {
            self.found.judge_unknown(TablespaceChecker::new(role));
        }
        Ok(layout)
    }

    /// Reads what the server wrote last, when it writes past the page cache: another reader may
    /// have left an older state there.
    fn read_anew(&self, room: &mut [u8], offset: u64) -> Result<usize> {
        if self.tables.direct {
            file::dont_need(&self.file, offset & !4095, room.len() as u64 + 4096);
        }
        self.read_file(room, offset)
    }

    fn read_file(&self, room: &mut [u8], offset: u64) -> Result<usize> {
        read_full(&self.file, room, offset).map_err(|error| {
            Error::io(ErrorKind::Source, "reading the tablespace", error)
                .at_path(&self.of.path)
                .at_file(offset)
        })
    }

    /// Checks the pages in `bytes`, which begin at `offset`, and reads again those that are not whole.
    fn check(&mut self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let Some(mut layout) = self.layout.take() else {
            self.found.see_unknown(offset, bytes);
            return Ok(());
        };
        let size = layout.page_size();
        let first = offset / size as u64;
        let mut torn = Vec::new();
        for (index, page) in (first..).zip(bytes.chunks_exact_mut(size)) {
            let verdict = layout.check(index, page);
            match verdict {
                Verdict::Good => layout.learn(index, page),
                // Nothing needs the copies in the doublewrite buffer, and the server always writes
                // some.
                Verdict::Zero | Verdict::Unchecked(Reason::Doublewrite) => {}
                Verdict::Unchecked(_) => {
                    self.tables.counts.unchecked.fetch_add(1, Ordering::Relaxed);
                    self.read_alike(page, index * size as u64)?;
                }
                Verdict::Bad(fault) => {
                    torn.push((index, fault));
                    continue;
                }
            }
            self.found.count(verdict);
        }
        if !torn.is_empty() {
            self.read_again(&mut layout, torn, bytes, first)?;
        }
        self.layout = Some(layout);
        Ok(())
    }

    /// Reads pages of `bytes`, whose first one is `first`, until they are whole. All of them in
    /// turn, so that many damaged ones take no longer than one.
    fn read_again(
        &mut self,
        layout: &mut Layout,
        mut torn: Vec<(u64, Fault)>,
        bytes: &mut [u8],
        first: u64,
    ) -> Result<()> {
        let size = layout.page_size();
        let tries = self.tables.damage.tries();
        for tried in 0..tries {
            if torn.is_empty() {
                return Ok(());
            }
            pause(tried);
            let mut still = Vec::new();
            for (index, _) in torn {
                let nth = usize::try_from(index - first).unwrap_or(usize::MAX);
                let Some(page) = bytes.chunks_exact_mut(size).nth(nth) else { continue };
                if self.read_anew(page, index * size as u64)? < size {
                    continue; // the file was cut meanwhile: the redo log knows of it
                }
                let verdict = layout.check(index, page);
                match verdict {
                    Verdict::Bad(fault) => {
                        still.push((index, fault));
                        continue;
                    }
                    Verdict::Good => layout.learn(index, page),
                    _ => {}
                }
                self.found.count(verdict);
                self.tables.counts.torn.fetch_add(1, Ordering::Relaxed);
            }
            torn = still;
        }
        for (page, fault) in torn {
            let offset = page * size as u64;
            if !self.tables.damage.is_carried() {
                return Err(self.corrupt(offset, &format!("page {page}: {fault}"), tries));
            }
            let first_page = layout.first_page().unwrap_or(0);
            self.found.bad(&BadPage { page, offset, fault }, u64::from(first_page));
        }
        Ok(())
    }

    /// Reads a page that nobody can check until it is twice the same.
    fn read_alike(&self, page: &mut [u8], offset: u64) -> Result<()> {
        let mut again = vec![0; page.len()];
        for tried in 0..TRIES {
            let len = self.read_anew(&mut again, offset)?;
            if len < page.len() || again == *page {
                return Ok(());
            }
            page.copy_from_slice(&again);
            pause(tried);
        }
        let what = "a page that cannot be checked changes with each reading";
        Err(self.corrupt(offset, what, TRIES))
    }

    fn corrupt(&self, offset: u64, what: &str, tries: u32) -> Error {
        let message = format!("{what}, also after reading it {tries} times");
        Error::new(ErrorKind::PageCorrupt, message).at_path(&self.of.path).at_file(offset).hint(
            "the table may be damaged: ask the server by CHECK TABLE, or innochecksum; \
                 --log-page-corruption lists all damaged pages and carries them along",
        )
    }
}

impl Reading for PageReading<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, room: &mut [u8], offset: u64) -> Result<usize> {
        self.tables.throttle.take(room.len() as u64);
        let direct = match &mut self.direct {
            Some(direct) => direct.1.read(&direct.0, room, offset),
            None => None,
        };
        let len = match direct {
            Some(len) => len,
            None => self.read_anew(room, offset)?,
        };
        self.check(room.get_mut(..len).unwrap_or_default(), offset)?;
        Ok(len)
    }

    fn findings(&mut self) -> Option<Findings> {
        Some(self.found.end(self.layout.as_ref()))
    }
}

/// The layout that page 0 claims, if that page is right by it; else what is wrong.
fn true_layout(bytes: &[u8], role: Role) -> std::result::Result<Layout, String> {
    let layout = Layout::of(bytes, role).ok_or("it does not begin with a page 0")?;
    let Some(page) = bytes.get(..layout.page_size()) else {
        return Err(format!("it ends within page 0, after {} bytes", bytes.len()));
    };
    match layout.check(0, page) {
        Verdict::Bad(fault) => Err(format!("page 0: {fault}")),
        _ => Ok(layout),
    }
}

fn pause(tried: u32) {
    std::thread::sleep(if tried == 0 { PAUSES[0] } else { PAUSES[1] });
}

/// Reads until the room is full or the file ends.
pub(super) fn read_full(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = room.get_mut(filled..) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
