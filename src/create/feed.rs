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

/// Where the bytes of a member come from, if not straight from a file.
pub(crate) trait Origin: Send + Sync + fmt::Debug {
    /// Opens it, on the thread that will read it. `None`: there is no such member after all.
    fn open(&self) -> Result<Option<Box<dyn Reading + '_>>>;
}

/// An origin being read, front to back.
pub(crate) trait Reading {
    /// Bytes that it will have.
    fn size(&self) -> u64;

    /// Fills the room from `offset` on. Fewer bytes mean that it ends there.
    fn read(&mut self, room: &mut [u8], offset: u64) -> Result<usize>;
}

/// The conductor's side of a stream being made: tasks in, and what to tell.
pub(crate) struct TaskFeed {
    state: Mutex<State>,
    changed: Condvar,
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
        Self { state: Mutex::default(), changed: Condvar::new(), readers, helpers }
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
            self.changed.wait_for(&mut state, TICK);
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
            self.changed.notify_all();
            self.changed.wait(&mut state);
            state.waiting -= 1;
        }
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}
