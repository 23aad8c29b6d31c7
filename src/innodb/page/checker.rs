//! A tablespace's bytes as they come, in any slices.

use super::layout::{Layout, MAX_PAGE};
use super::names::Role;
use super::{is_lsn_alone, is_zero};
use crate::pages::{BadPage, Fault, FileCheck, Reason, Tally, Verdict, What};

/// Bytes that are looked at, at most, to find out how a file is laid out that does not say so.
const WINDOW: usize = 4 * MAX_PAGE;

/// The size of pages, in bytes, of a file whose layout nothing shows: the servers' default.
const USUAL_PAGE: usize = 16 << 10;

/// Checks the pages of one file, whose bytes it is fed from front to back.
///
/// Memory: at most 256 KiB until the layout is known, then at most one page.
#[derive(Debug)]
pub struct TablespaceChecker {
    role: Role,
    /// The layout of the system tablespace, where its first file was seen before.
    system: Option<Layout>,
    state: State,
    /// The begin of the next page; of the file, as long as the layout is open.
    held: Vec<u8>,
    /// Bytes before `held`.
    offset: u64,
    tally: Tally,
    /// Bytes came that were not behind all before.
    is_disordered: bool,
}

#[derive(Debug)]
enum State {
    /// So far there were too few bytes, or nothing but zeros.
    Open,
    Known(Layout),
    /// There is a page that no layout makes good.
    Unknown,
}

impl TablespaceChecker {
    /// A checker of a file of which nothing is known but its role.
    pub fn new(role: Role) -> Self {
        let (state, tally) = (State::Open, Tally::default());
        let held = Vec::new();
        Self { role, system: None, state, held, offset: 0, tally, is_disordered: false }
    }

    /// A checker of no file.
    pub(crate) fn empty() -> Self {
        Self::new(Role::Own)
    }

    /// A checker of a file of which no bytes will be seen.
    pub(crate) fn disordered() -> Self {
        Self { is_disordered: true, ..Self::new(Role::Own) }
    }

    /// A checker of a file of the system tablespace, where the layout of its first one is known.
    pub fn of_system(first: &Layout) -> Self {
        Self { system: Some(first.continued()), ..Self::new(Role::System) }
    }

    /// The layout, once it is known.
    pub fn layout(&self) -> Option<&Layout> {
        match &self.state {
            State::Known(layout) => Some(layout),
            _ => None,
        }
    }

    /// What was seen so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes the next bytes of the file, and reports bad pages.
    pub fn feed(&mut self, mut bytes: &[u8], bad: &mut dyn FnMut(&BadPage)) {
        while !bytes.is_empty() {
            bytes = match &self.state {
                State::Open => self.hold(bytes, bad),
                _ => self.take(bytes, bad),
            };
        }
    }

    /// Takes `count` zero bytes: a hole.
    pub fn feed_zeros(&mut self, mut count: u64, bad: &mut dyn FnMut(&BadPage)) {
        const ZEROS: [u8; 4096] = [0; 4096];
        while count > 0 {
            if self.held.is_empty() {
                let whole = count / (WINDOW as u64) * (WINDOW as u64);
                // As long as the layout is open, nobody knows how many pages that are.
                if !matches!(self.state, State::Open) {
                    let pages = whole / self.unit() as u64;
                    self.tally.pages += pages;
                    self.tally.zero += pages;
                }
                self.offset += whole;
                count -= whole;
            }
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
            self.feed(ZEROS.get(..step).unwrap_or_default(), bad);
            count -= step as u64;
        }
    }

    /// Takes bytes of the file that belong at `offset`. What lies between them and those before
    /// is a hole. Bytes that are not behind all before end the checking: the file's pages count as
    /// seen out of order.
    pub fn feed_at(&mut self, offset: u64, bytes: &[u8], bad: &mut dyn FnMut(&BadPage)) {
        let position = self.offset + self.held.len() as u64;
        match offset.checked_sub(position) {
            _ if self.is_disordered => {}
            Some(hole) => {
                self.feed_zeros(hole, bad);
                self.feed(bytes, bad);
            }
            None => self.is_disordered = true,
        }
    }

    /// The file ends at `size`, where a hole may lie before. Otherwise as
    /// [`TablespaceChecker::finish`].
    pub fn finish_at(
        mut self,
        size: u64,
        bad: &mut dyn FnMut(&BadPage),
    ) -> (FileCheck, Option<Layout>) {
        if !self.is_disordered {
            let position = self.offset + self.held.len() as u64;
            self.feed_zeros(size.saturating_sub(position), bad);
            return self.finish(bad);
        }
        self.held.clear();
        let (mut found, layout) = self.finish(bad);
        let unit = if found.page_size == 0 { USUAL_PAGE } else { found.page_size } as u64;
        let left = size.div_ceil(unit).saturating_sub(found.tally.pages);
        found.tally.pages += left;
        found.tally.missing = 0;
        found.tally.add_unchecked(Reason::OutOfOrder, left);
        (found, layout)
    }

    /// The file ends here. Gives what was found, and the layout if it is known.
    pub fn finish(mut self, bad: &mut dyn FnMut(&BadPage)) -> (FileCheck, Option<Layout>) {
        if matches!(self.state, State::Open) {
            self.decide(bad);
        }
        let rest = std::mem::take(&mut self.held);
        let unit = self.unit();
        match &self.state {
            State::Known(_) if !is_zero(&rest) => self.page(&rest, bad),
            State::Unknown if !rest.is_empty() => {
                self.tally.pages += 1;
                self.tally.add_unchecked(Reason::UnknownLayout, 1);
            }
            // Zeros behind the last whole page were never a page: a server leaves them unused.
            State::Known(_) | State::Unknown => {}
            State::Open => {
                let pages = (self.offset + rest.len() as u64).div_ceil(unit as u64);
                self.tally.pages += pages;
                self.tally.zero += pages;
                self.state = self.system.take().map_or(State::Open, State::Known);
            }
        }
        let State::Known(layout) = self.state else {
            return (FileCheck { family: None, page_size: 0, tally: self.tally }, None);
        };
        if self.role == Role::Own {
            let pages = u64::from(layout.pages().unwrap_or(0));
            self.tally.missing = pages.saturating_sub(self.tally.pages);
        }
        let (family, page_size) = (Some(layout.family()), layout.page_size());
        (FileCheck { family, page_size, tally: self.tally }, Some(layout))
    }

    /// Holds bytes until there are enough to know the layout.
    fn hold<'b>(&mut self, bytes: &'b [u8], bad: &mut dyn FnMut(&BadPage)) -> &'b [u8] {
        let goal = if self.held.len() < MAX_PAGE { MAX_PAGE } else { WINDOW };
        let (now, later) = bytes.split_at(bytes.len().min(goal - self.held.len()));
        self.held.extend_from_slice(now);
        if self.held.len() < goal {
            return later;
        }
        if goal == WINDOW {
            self.decide(bad);
        } else if let Some(layout) = self.claimed().filter(|layout| self.is_true(layout)) {
            self.begin(State::Known(layout), bad);
        }
        later
    }

    /// Finds the layout of what is held, if it is more than zeros.
    fn decide(&mut self, bad: &mut dyn FnMut(&BadPage)) {
        if self.is_empty() {
            if self.held.len() == WINDOW {
                self.held.clear();
                self.offset += WINDOW as u64;
            }
            return;
        }
        let claimed = self.claimed();
        let layout = match claimed {
            Some(layout) if self.is_true(&layout) => Some(layout),
            claimed => self.guess(claimed.as_ref()).or(claimed),
        };
        self.begin(layout.map_or(State::Unknown, State::Known), bad);
    }

    /// Whether what is held shows nothing: zeros, or an LSN in the first page of a later file of
    /// the system tablespace.
    fn is_empty(&self) -> bool {
        let has_lsn = self.role == Role::System && self.offset == 0;
        is_zero(&self.held) || (has_lsn && is_lsn_alone(&self.held))
    }

    /// The layout that page 0 claims, or that the first file of the tablespace has.
    fn claimed(&self) -> Option<Layout> {
        let page0 = if self.offset == 0 { Layout::of(&self.held, self.role) } else { None };
        page0.or_else(|| self.system.clone())
    }

    /// Whether the first page with anything in it is right by this layout.
    fn is_true(&self, layout: &Layout) -> bool {
        let index = self.offset / layout.page_size() as u64;
        let mut pages = (index..).zip(self.held.chunks(layout.page_size()));
        let first = pages.find(|(_, page)| !is_zero(page));
        first.is_some_and(|(index, page)| is_right(layout.check(index, page)))
    }

    /// The layout by which most of what is held is right. A page 0 that is damaged elsewhere still
    /// says more than other pages do.
    fn guess(&self, claimed: Option<&Layout>) -> Option<Layout> {
        let right_bytes = |layout: &Layout| {
            let index = self.offset / layout.page_size() as u64;
            let mut layout = layout.clone();
            let pages = (index..).zip(self.held.chunks_exact(layout.page_size()));
            let right = pages.filter(|(index, page)| {
                let is_right = is_right(layout.check(*index, page));
                if is_right {
                    layout.learn(*index, page);
                }
                is_right
            });
            right.map(|(_, page)| page.len()).sum::<usize>()
        };
        let candidates = claimed.cloned().into_iter().chain(Layout::candidates(self.role));
        let mut best = (0, None);
        for layout in candidates {
            let right = right_bytes(&layout);
            if right > best.0 {
                best = (right, Some(layout));
            }
        }
        best.1
    }

    /// The layout is settled: checks what was held until now.
    fn begin(&mut self, state: State, bad: &mut dyn FnMut(&BadPage)) {
        self.state = state;
        let unit = self.unit() as u64;
        self.tally.pages += self.offset / unit;
        self.tally.zero += self.offset / unit;
        let held = std::mem::take(&mut self.held);
        if matches!(self.state, State::Unknown) && self.offset == 0 {
            self.no_layout(&held, bad);
        }
        let mut rest = &held[..];
        while !rest.is_empty() {
            rest = self.take(rest, bad);
        }
    }

    /// The first page holds something, and nothing in the file shows what.
    fn no_layout(&mut self, held: &[u8], bad: &mut dyn FnMut(&BadPage)) {
        let page = held.get(..USUAL_PAGE).unwrap_or(held);
        if is_zero(page) {
            return;
        }
        let fault = Layout::candidates(self.role)
            .find(|layout| layout.page_size() == page.len())
            .and_then(|layout| match layout.check(0, page) {
                Verdict::Bad(fault) => Some(fault),
                _ => None,
            });
        let cut = Fault {
            what: What::Cut,
            stored: u32::try_from(page.len()).unwrap_or(0),
            computed: u32::try_from(USUAL_PAGE).unwrap_or(0),
        };
        self.tally.bad += 1;
        bad(&BadPage { page: 0, offset: 0, fault: fault.unwrap_or(cut) });
    }

    /// Checks the pages that begin in what is held and go on in `bytes`; gives back what is left.
    fn take<'b>(&mut self, mut bytes: &'b [u8], bad: &mut dyn FnMut(&BadPage)) -> &'b [u8] {
        let unit = self.unit();
        if !self.held.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(unit - self.held.len()));
            self.held.extend_from_slice(now);
            if self.held.len() == unit {
                let mut page = std::mem::take(&mut self.held);
                self.page(&page, bad);
                page.clear();
                self.held = page;
            }
            return later;
        }
        while let Some((page, rest)) = bytes.split_at_checked(unit) {
            self.page(page, bad);
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
        &[]
    }

    /// Judges the next page.
    fn page(&mut self, page: &[u8], bad: &mut dyn FnMut(&BadPage)) {
        let offset = self.offset;
        self.offset += page.len() as u64;
        let State::Known(layout) = &mut self.state else {
            let is_counted_bad = offset == 0 && self.tally.bad > 0;
            self.tally.pages += 1;
            match is_zero(page) {
                _ if is_counted_bad => {}
                true => self.tally.zero += 1,
                false => self.tally.add_unchecked(Reason::UnknownLayout, 1),
            }
            return;
        };
        let index = offset / layout.page_size() as u64;
        let verdict = layout.check(index, page);
        self.tally.count(verdict);
        match verdict {
            Verdict::Good => layout.learn(index, page),
            Verdict::Bad(fault) => bad(&BadPage { page: index, offset, fault }),
            _ => {}
        }
    }

    /// Bytes of a page.
    fn unit(&self) -> usize {
        self.layout().or(self.system.as_ref()).map_or(USUAL_PAGE, Layout::page_size)
    }
}

fn is_right(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Good | Verdict::Unchecked(Reason::NoChecksum))
}
