//! Reading tablespaces that a server is writing to: page by page, again until each is whole.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::damage::{Damage, PageFindings};
use super::direct::ALIGN;
use super::opened::{Begin, Buffers, HEAD, Opened};
use super::places::{SpaceFile, SpaceKind};
use super::throttle::Throttle;
use crate::create::DamagedPages;
use crate::create::feed::{Findings, Origin, Reading, See};
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::innodb::page::{Layout, Role, TablespaceChecker};
use crate::pages::{BadPage, Fault, Reason, Verdict};
use crate::sys::file::Stamp;

/// How often the begin of a file, or a page that nobody can check, is read again.
const TRIES: u32 = 100;

/// How long to wait before reading a page again: at first, and then.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// Largest page, in bytes.
const MAX_PAGE: usize = 64 << 10;

/// Bytes that are checked and hashed at once, while they are in the processor's cache: what came
/// from a device is not, and a chunk with what else is under way does not fit in.
const PIECE: usize = 2 * MAX_PAGE;

/// Bytes that show the layout of a file whose first page does not.
const WINDOW: usize = 4 * MAX_PAGE;

/// A table that is in the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) id: u32,
    stamp: Option<Stamp>,
}

impl Copied {
    /// Whether the file of this name is still the one that was copied, and nobody wrote to it, so
    /// that it is still the same tablespace.
    pub(super) fn is_untouched(&self, path: &Path) -> bool {
        self.stamp.is_some() && self.stamp == Stamp::of_path(path)
    }
}

/// What the readers of tablespaces share.
#[derive(Debug)]
pub(super) struct Tables {
    /// The files that are in the stream, and their numbers.
    copied: Mutex<HashMap<MemberPath, Copied>>,
    /// How `ibdata1` is laid out; its further files do not say.
    system: Mutex<Option<Layout>>,
    pub(super) throttle: Throttle,
    /// Whether to read past the page cache, as the server does.
    direct: bool,
    buffers: Buffers,
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
        let (buffers, counts) = (Buffers::default(), Counts::default());
        Self { copied, system, throttle, direct, buffers, damage, counts }
    }

    /// The files of tables that are in the stream.
    pub(super) fn copied(&self) -> HashMap<MemberPath, Copied> {
        std::mem::take(&mut self.copied.lock())
    }

    /// Opens a tablespace and reads up to `len` bytes of its begin; `None` if it is gone.
    pub(super) fn open<'t>(&'t self, of: &'t SpaceFile, len: usize) -> Result<Option<Opened<'t>>> {
        self.buffers.open(of, self.direct, len)
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
        let Some(opened) = self.tables.open(&self.file, HEAD)? else { return Ok(None) };
        let kind = self.file.kind;
        match opened.begin {
            Begin::Space(id) if kind == SpaceKind::Table => {
                let copied = Copied { id, stamp: opened.stamp };
                self.tables.copied.lock().insert(self.file.member.clone(), copied);
            }
            Begin::Zero if kind == SpaceKind::Table => return Ok(None),
            _ => {}
        }
        let reading = PageReading::new(opened, &self.file, &self.tables)?;
        Ok(Some(Box::new(reading)))
    }
}

/// A tablespace being read.
pub(super) struct PageReading<'r> {
    opened: Opened<'r>,
    of: &'r SpaceFile,
    tables: &'r Tables,
    layout: Option<Layout>,
    found: PageFindings<'r>,
}

impl<'r> PageReading<'r> {
    pub(super) fn new(opened: Opened<'r>, of: &'r SpaceFile, tables: &'r Tables) -> Result<Self> {
        let is_system = matches!(of.kind, SpaceKind::System | SpaceKind::SystemMore);
        let id = match opened.begin {
            Begin::Space(id) if !is_system => id,
            _ => 0,
        };
        let found = PageFindings::new(&tables.damage, of, id);
        let mut reading = Self { opened, of, tables, layout: None, found };
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
        let mut last = String::new();
        for tried in 0..TRIES {
            if tried > 0 {
                self.opened.read_head(HEAD)?;
            }
            let bytes = self.opened.head();
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
        let len = self.opened.read(&mut begin, 0)?;
        let mut checker = TablespaceChecker::new(role);
        checker.feed(begin.get(..len).unwrap_or_default(), &mut |_| {});
        let layout = checker.finish(&mut |_| {}).1;
        if layout.is_none() {
            self.found.judge_unknown(TablespaceChecker::new(role));
        }
        Ok(layout)
    }

    /// Reads the room piece by piece, and checks and shows each before the next. From the first page
    /// on that is not whole, pages are shown when all that are not were read again, together.
    fn read_pieces(&mut self, room: &mut [u8], offset: u64, see: See<'_>) -> Result<usize> {
        let at_once = self.opened.read_at_once(room, offset)?;
        let (mut len, mut seen) = (0, 0);
        let mut torn = Vec::new();
        for piece in room.chunks_mut(PIECE) {
            let at = offset + len as u64;
            let got = match at_once {
                Some(all) => all.saturating_sub(len).min(piece.len()),
                None => self.opened.read(piece, at)?,
            };
            let is_last = got < piece.len();
            let piece = piece.get_mut(..got).unwrap_or_default();
            self.check(piece, at, &mut torn)?;
            len += got;
            if torn.is_empty() {
                see(piece);
                seen = len;
            }
            if is_last {
                break;
            }
        }
        if !torn.is_empty() {
            self.read_again(torn, room.get_mut(..len).unwrap_or_default(), offset)?;
            see(room.get(seen..len).unwrap_or_default());
        }
        Ok(len)
    }

    /// Checks the pages in `bytes`, which begin at `offset`, and notes those that are not whole.
    fn check(&mut self, bytes: &mut [u8], offset: u64, torn: &mut Vec<(u64, Fault)>) -> Result<()> {
        let Some(mut layout) = self.layout.take() else {
            self.found.see_unknown(offset, bytes);
            return Ok(());
        };
        let size = layout.page_size();
        let first = offset / size as u64;
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
        self.layout = Some(layout);
        Ok(())
    }

    /// Reads pages of `bytes`, which begin at `offset`, until they are whole. All of them in turn,
    /// so that many damaged ones take no longer than one.
    fn read_again(
        &mut self,
        mut torn: Vec<(u64, Fault)>,
        bytes: &mut [u8],
        offset: u64,
    ) -> Result<()> {
        let Some(mut layout) = self.layout.take() else { return Ok(()) };
        let size = layout.page_size();
        let first = offset / size as u64;
        let tries = self.tables.damage.tries();
        for tried in 0..tries {
            if torn.is_empty() {
                break;
            }
            pause(tried);
            let mut still = Vec::new();
            for (index, _) in torn {
                let nth = usize::try_from(index - first).unwrap_or(usize::MAX);
                let Some(page) = bytes.chunks_exact_mut(size).nth(nth) else { continue };
                if self.opened.read(page, index * size as u64)? < size {
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
        self.layout = Some(layout);
        Ok(())
    }

    /// Reads a page that nobody can check until it is twice the same.
    fn read_alike(&mut self, page: &mut [u8], offset: u64) -> Result<()> {
        let mut again = vec![0; page.len()];
        for tried in 0..TRIES {
            let len = self.opened.read(&mut again, offset)?;
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
        self.opened.size
    }

    fn read(&mut self, room: &mut [u8], offset: u64, see: See<'_>) -> Result<usize> {
        self.tables.throttle.take(room.len() as u64);
        self.read_pieces(room, offset, see)
    }

    fn alignment(&self) -> usize {
        if self.opened.wants_alignment() { ALIGN } else { 1 }
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
