//! Tasks that become known while the stream is being made, by a thread that conducts the job.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::run::{Taken, Task, Tasks, name_taken, stopped};
use crate::error::Result;
use crate::event::Level;
use crate::format::xbstream::Members;
use crate::io::pulse::{Helpers, TICK};
use crate::pages::{BadPage, FileCheck};

/// Where the bytes of a member come from, if not straight from a file.
pub(crate) trait Origin: Send + Sync + fmt::Debug {
    /// Opens it, on the thread that will read it. `None`: there is no such member after all.
    fn open(&self) -> Result<Option<Box<dyn Reading + '_>>>;
}

/// Looks at bytes that were just read.
pub(crate) type See<'s> = &'s mut dyn FnMut(&[u8]);

/// An origin being read, front to back.
pub(crate) trait Reading {
    /// Bytes that it will have.
    fn size(&self) -> u64;

    /// Fills the room from `offset` on. Fewer bytes mean that it ends there.
    ///
    /// Shows `see` all of them, front to back, in pieces that are still in the processor's cache.
    fn read(&mut self, room: &mut [u8], offset: u64, see: See<'_>) -> Result<usize>;

    /// What the room's address should be a multiple of, to be filled without a copy.
    fn alignment(&self) -> usize {
        1
    }

    /// What its pages turned out to be, and the damaged ones, once all of it was read; `None` if
    /// it is no tablespace.
    fn findings(&mut self) -> Option<Findings> {
        None
    }
}

/// What the pages of a tablespace turned out to be.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    pub(crate) file: FileCheck,
    /// Damaged pages, up to [`crate::limits::LISTED_PAGES`].
    pub(crate) bad: Vec<BadPage>,
}

/// The conductor's side of a stream being made: tasks in, and what to tell.
pub(crate) struct TaskFeed {
    state: Mutex<State>,
    /// There is a task, or there will be none.
    changed: Condvar,
    /// All readers wait. Apart from the other: readers that woke each other by saying that they
    /// wait would never all wait at once.
    idle: Condvar,
    readers: usize,
    helpers: Arc<Helpers>,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    names: Members,
    /// Tasks that readers took.
    taken: usize,
    /// No more tasks will come.
    closed: bool,
    /// The job ended otherwise.
    stopped: bool,
    /// Readers that have nothing to do, and have handed over all they read.
    waiting: usize,
}

impl TaskFeed {
    pub(super) fn new(readers: usize, helpers: Arc<Helpers>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            idle: Condvar::new(),
            readers,
            helpers,
        }
    }

    /// Adds a task.
    ///
    /// # Errors
    /// `InvalidArgument` if a member has this name already; `Cancelled` if the job ended.
    pub(crate) fn push(&self, task: Task) -> Result<()> {
        let mut state = self.state.lock();
        if state.stopped {
            return Err(stopped());
        }
        if state.names.is_closed(task.member.as_bytes()) {
            return Err(name_taken(&task.member));
        }
        state.names.note_closed(task.member.as_bytes());
        state.tasks.push_back(task);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until all tasks so far are on their way to the sink.
    ///
    /// # Errors
    /// What `look` says; `Cancelled` if the job ended.
    pub(crate) fn wait_idle(&self, look: &dyn Fn() -> Result<()>) -> Result<()> {
        let mut state = self.state.lock();
        while !(state.tasks.is_empty() && state.waiting == self.readers) {
            if state.stopped {
                return Err(stopped());
            }
            self.idle.wait_for(&mut state, TICK);
            MutexGuard::unlocked(&mut state, look)?;
        }
        Ok(())
    }

    /// Whether the job ended otherwise, so that nothing more is wanted.
    pub(crate) fn check(&self) -> Result<()> {
        if self.state.lock().stopped { Err(stopped()) } else { Ok(()) }
    }

    /// Tells the observer something.
    pub(crate) fn log(&self, level: Level, message: impl Into<String>) {
        self.helpers.log(level, message.into());
    }

    /// No more tasks will come.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Tasks for TaskFeed {
    fn next(&self, idle: &mut dyn FnMut() -> Result<()>) -> Result<Option<(usize, Taken<'_>)>> {
        let mut handed_over = false;
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return Err(stopped());
            }
            if let Some(task) = state.tasks.pop_front() {
                let number = state.taken;
                state.taken += 1;
                return Ok(Some((number, Taken::Fed(Box::new(task)))));
            }
            if state.closed {
                return Ok(None);
            }
            if !handed_over {
                drop(state);
                idle()?;
                handed_over = true;
                state = self.state.lock();
                continue;
            }
            state.waiting += 1;
            if state.waiting == self.readers {
                self.idle.notify_all();
            }
            self.changed.wait(&mut state);
            state.waiting -= 1;
        }
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.idle.notify_all();
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::create::run::Content;
    use crate::format::member::MemberPath;

    fn task(number: usize) -> Task {
        let member = MemberPath::new(format!("t{number}").as_bytes()).unwrap();
        Task { member, content: Content::Bytes(Vec::new()) }
    }

    /// Readers that have nothing to do sleep, however many others wait: each hands over at most once
    /// for each task it had.
    #[test]
    fn readers_that_wait_do_not_wake_each_other() {
        let feed = TaskFeed::new(4, Arc::default());
        let (taken, handed_over) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut idle = || {
                        handed_over.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    };
                    while feed.next(&mut idle).unwrap().is_some() {
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for round in 0..50 {
                (0..10).for_each(|n| feed.push(task(round * 10 + n)).unwrap());
                feed.wait_idle(&|| Ok(())).unwrap();
                assert_eq!(taken.load(Ordering::SeqCst), round * 10 + 10);
                assert_eq!(feed.state.lock().waiting, 4);
            }
            assert!(feed.push(task(0)).is_err(), "its name is taken");
            feed.close();
        });
        assert!(handed_over.load(Ordering::SeqCst) <= 500 + 4);
    }

    #[test]
    fn a_job_that_ended_ends_all_waits() {
        let feed = TaskFeed::new(2, Arc::default());
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| feed.next(&mut || Ok(())).is_err());
            let conductor = scope.spawn(|| feed.wait_idle(&|| Ok(())).is_err());
            feed.stop();
            assert!(reader.join().unwrap() && conductor.join().unwrap());
        });
        assert!(feed.check().is_err() && feed.push(task(1)).is_err());
    }
}
