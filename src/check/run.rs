//! The story of a check.

use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::CheckReport;
use super::plan::{Group, Plan, Space, lock};
use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::innodb::page::{Layout, Role, TablespaceChecker};
use crate::io::pulse::{Beat, Pulse, TICK};
use crate::limits;
use crate::pages::{BadPage, FileCheck};
use crate::pipeline::queue::{Popped, Queue};
use crate::sys::file;
use crate::sys::thread::spawn_worker;

/// What a thread has to say to the one that called the job.
enum Note<'p> {
    Read(usize),
    Bad(&'p Path, BadPage),
    Done(&'p Path, FileCheck),
    Failed(&'p Path, Error),
    Panicked(Error),
}

/// Notes that may wait to be heard.
const NOTES: usize = 256;

struct Shared<'p> {
    plan: &'p Plan,
    next: AtomicUsize,
    notes: Queue<Note<'p>>,
    readers: AtomicUsize,
}

/// Ends all waits of the readers when it goes.
struct StopReaders<'s, 'p>(&'s Shared<'p>);

impl Drop for StopReaders<'_, '_> {
    fn drop(&mut self) {
        self.0.notes.close();
    }
}

pub(super) fn run(plan: &Plan, parallel: usize, pulse: &Pulse<'_>) -> Result<CheckReport> {
    pulse.set_total(plan.bytes);
    let threads = parallel.min(plan.groups.len());
    let shared = Shared {
        plan,
        next: AtomicUsize::new(0),
        notes: Queue::new(NOTES),
        readers: AtomicUsize::new(threads),
    };
    let mut hearing = Hearing { pulse, report: CheckReport::default(), damaged: 0, first: None };
    std::thread::scope(|scope| {
        let _stop = StopReaders(&shared);
        for number in 0..threads {
            let shared = &shared;
            spawn_worker(scope, &format!("xbkit-check-{number}"), move || read_all(shared))?;
        }
        hearing.hear_all(&shared)
    })?;
    pulse.last_progress()?;
    hearing.judge()
}

/// What the calling thread makes of the notes.
struct Hearing<'p, 'a> {
    pulse: &'p Pulse<'a>,
    report: CheckReport,
    /// Files with damaged or missing pages.
    damaged: u64,
    /// The first failure, which the job ends with.
    first: Option<Error>,
}

impl Hearing<'_, '_> {
    fn hear_all(&mut self, shared: &Shared<'_>) -> Result<()> {
        loop {
            match shared.notes.pop_timeout(TICK) {
                Popped::Item(note) => self.hear(note)?,
                Popped::Timeout => {}
                Popped::Closed => return Ok(()),
            }
            self.pulse.tick()?;
        }
    }

    fn hear(&mut self, note: Note<'_>) -> Result<()> {
        match note {
            Note::Read(count) => {
                self.pulse.add_stream_bytes(count);
                self.report.bytes += count as u64;
                Ok(())
            }
            Note::Bad(path, page) => {
                let damaged = || {
                    let message = page.to_string();
                    Error::new(ErrorKind::PageCorrupt, message).at_path(path)
                };
                self.first.get_or_insert_with(damaged);
                self.pulse.bad_page(path, &page)
            }
            Note::Done(path, file) => {
                self.report.files += 1;
                self.pulse.count_member();
                self.report.pages.add(&file.tally);
                self.damaged += u64::from(file.tally.bad + file.tally.missing > 0);
                if file.tally.missing > 0 {
                    self.first.get_or_insert_with(|| missing(path, &file));
                }
                self.pulse.file_checked(path, &file)
            }
            Note::Failed(path, error) => {
                self.pulse.warn(&error.to_string())?;
                self.first.get_or_insert(error.at_path(path));
                Ok(())
            }
            Note::Panicked(error) => Err(error),
        }
    }

    fn judge(self) -> Result<CheckReport> {
        let pages = &self.report.pages;
        let Some(first) = self.first else { return Ok(self.report) };
        if self.damaged == 0 {
            return Err(first);
        }
        let place = first.path().map(escape_path).unwrap_or_default();
        let lost = match pages.missing {
            0 => String::new(),
            count => format!(" and {count} missing"),
        };
        let message = format!(
            "{} of {} pages are damaged{lost}, in {} of {} files; the first: {place}: {}",
            pages.bad,
            pages.pages,
            self.damaged,
            self.report.files,
            first.message()
        );
        Err(Error::new(ErrorKind::PageCorrupt, message)
            .hint("restore these files from a backup that was checked"))
    }
}

fn missing(path: &Path, file: &FileCheck) -> Error {
    let message = format!(
        "the file has {} pages, and its first one says that there are {}",
        file.tally.pages,
        file.tally.pages + file.tally.missing
    );
    Error::new(ErrorKind::PageCorrupt, message).at_path(path)
}

/// A reader: takes one group after the other, the next that nobody has.
fn read_all(shared: &Shared<'_>) {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut buffer = vec![0; limits::READ_SIZE];
        while let Some(group) = shared.plan.groups.get(shared.next.fetch_add(1, Ordering::Relaxed))
        {
            if read_group(shared, group, &mut buffer).is_none() {
                break;
            }
        }
    }));
    if let Err(panic) = result {
        let _ = shared.notes.push(Note::Panicked(Error::from_panic(&*panic)));
    }
    if shared.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
        shared.notes.close();
    }
}

/// Checks files that share a layout. `None`: nobody listens any more.
fn read_group<'p>(shared: &Shared<'p>, group: &'p Group, buffer: &mut [u8]) -> Option<()> {
    let mut system = None;
    for space in group {
        let checker = match (&system, space.role) {
            (Some(first), Role::System) => TablespaceChecker::of_system(first),
            (_, role) => TablespaceChecker::new(role),
        };
        let note = match read_space(shared, space, checker, buffer) {
            Ok((file, layout)) => {
                system = system.or(layout);
                Note::Done(&space.path, file)
            }
            Err(Stop::Closed) => return None,
            Err(Stop::Failed(error)) => Note::Failed(&space.path, error),
        };
        shared.notes.push(note).ok()?;
    }
    Some(())
}

enum Stop {
    /// Nobody listens any more.
    Closed,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn read_space<'p>(
    shared: &Shared<'p>,
    space: &'p Space,
    mut checker: TablespaceChecker,
    buffer: &mut [u8],
) -> Result<(FileCheck, Option<Layout>), Stop> {
    let path = &space.path;
    let file = lock(path)?;
    let failed = |what: &'static str| {
        move |error: io::Error| Error::io(ErrorKind::Source, what, error).at_path(path)
    };
    let before = file::facts(&file).map_err(failed("looking at the file"))?.fingerprint;
    file::advise_sequential(&file);
    let mut closed = false;
    let mut bad = |page: &BadPage| {
        closed |= shared.notes.push(Note::Bad(path, *page)).is_err();
    };
    let mut offset = 0;
    loop {
        let count = match file.read_at(buffer, offset) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed("reading the file")(error).at_file(offset).into()),
        };
        checker.feed(buffer.get(..count).unwrap_or_default(), &mut bad);
        offset += count as u64;
        shared.notes.push(Note::Read(count)).map_err(|_| Stop::Closed)?;
    }
    let found = checker.finish(&mut bad);
    let after = file::facts(&file).map_err(failed("looking at the file"))?.fingerprint;
    if before != after {
        let message = "the file changed while it was checked, so what was found means nothing";
        let error = Error::new(ErrorKind::FileChanged, message).at_path(path);
        return Err(error.hint("stop what writes to it, and start again").into());
    }
    if closed { Err(Stop::Closed) } else { Ok(found) }
}
