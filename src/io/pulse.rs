//! The job's pulse: events out, cancellation in, both on the thread that called the job.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cancel::CancelToken;
use crate::error::{Error, Result};
use crate::event::{Event, Level, Observer, Progress};
use crate::format::member::MemberPath;
use crate::pages::{BadPage, FileCheck};

/// How long a job may wait without looking at its token and its observer.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// What a wait looks at: at least every [`TICK`].
pub(crate) trait Beat {
    /// Ends the wait by an error.
    fn tick(&self) -> Result<()>;
    /// Becomes readable when the wait must end; to be polled beside a descriptor.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>>;
}

/// Without a job around it, a wait can only be cancelled.
impl Beat for Option<CancelToken> {
    fn tick(&self) -> Result<()> {
        self.as_ref().map_or(Ok(()), CancelToken::check)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.as_ref().map(AsFd::as_fd)
    }
}

/// A caller's own look around.
type Tick<'w> = Box<dyn FnMut() -> ControlFlow<()> + Send + 'w>;

/// What a descriptor outside of a job looks at while it waits: a token, and a caller's own look
/// around.
#[derive(Default)]
pub(crate) struct Watch<'w> {
    cancel: Option<CancelToken>,
    tick: Option<RefCell<Tick<'w>>>,
}

impl<'w> Watch<'w> {
    pub(crate) fn new(cancel: Option<CancelToken>) -> Self {
        Self { cancel, tick: None }
    }

    pub(crate) fn on_tick(&mut self, tick: impl FnMut() -> ControlFlow<()> + Send + 'w) {
        self.tick = Some(RefCell::new(Box::new(tick)));
    }
}

impl Beat for Watch<'_> {
    fn tick(&self) -> Result<()> {
        self.cancel.tick()?;
        match &self.tick {
            Some(tick) if (tick.borrow_mut())().is_break() => Err(Error::cancelled()),
            _ => Ok(()),
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.cancel.wake_fd()
    }
}

/// What threads that help a job have to say. The job's own thread hears it at each tick, also
/// while it waits for a stream that stalls.
#[derive(Default)]
pub(crate) struct Helpers {
    /// The first failure, until it was heard.
    error: Mutex<Option<Error>>,
    /// Members that are finished, not yet reported.
    members: Mutex<Vec<(MemberPath, u64)>>,
    /// What to tell, not yet told.
    logs: Mutex<Vec<(Level, String)>>,
}

impl Helpers {
    pub(crate) fn fail(&self, error: Error) {
        self.error.lock().get_or_insert(error);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.error.lock().is_some()
    }

    pub(crate) fn member(&self, path: MemberPath, size: u64) {
        self.members.lock().push((path, size));
    }

    pub(crate) fn log(&self, level: Level, message: String) {
        self.logs.lock().push((level, message));
    }
}

/// The observer and the token of a running job. Source, sink and job share one.
pub(crate) struct Pulse<'a> {
    helpers: Arc<Helpers>,
    observer: RefCell<&'a mut dyn Observer>,
    cancel: Option<CancelToken>,
    state: RefCell<State>,
}

struct State {
    progress: Progress,
    last_event: Instant,
}

impl<'a> Pulse<'a> {
    pub(crate) fn new(observer: &'a mut dyn Observer, cancel: Option<CancelToken>) -> Rc<Self> {
        Rc::new(Self {
            helpers: Arc::default(),
            observer: RefCell::new(observer),
            cancel,
            state: RefCell::new(State {
                progress: Progress::default(),
                last_event: Instant::now(),
            }),
        })
    }

    /// Where threads that help the job speak up.
    pub(crate) fn helpers(&self) -> Arc<Helpers> {
        Arc::clone(&self.helpers)
    }

    /// Reports what helping threads finished, or the first failure of one.
    pub(crate) fn hear(&self) -> Result<()> {
        if let Some(error) = self.helpers.error.lock().take() {
            return Err(error);
        }
        {
            let logs = std::mem::take(&mut *self.helpers.logs.lock());
            for (level, message) in logs {
                self.send(&Event::Log { level, message: &message })?;
            }
        }
        let members = std::mem::take(&mut *self.helpers.members.lock());
        members.iter().try_for_each(|(path, size)| self.member(path.as_path(), *size))
    }

    /// Tells the observer how far the job came.
    pub(crate) fn last_progress(&self) -> Result<()> {
        let progress = self.progress();
        self.send(&Event::Progress(progress))
    }

    pub(crate) fn progress(&self) -> Progress {
        self.state.borrow().progress
    }

    pub(crate) fn add_stream_bytes(&self, count: usize) {
        self.state.borrow_mut().progress.stream_bytes += count as u64;
    }

    pub(crate) fn set_total(&self, bytes: u64) {
        self.state.borrow_mut().progress.total_bytes = Some(bytes);
    }

    /// Whether the token was set.
    pub(crate) fn check(&self) -> Result<()> {
        self.cancel.as_ref().map_or(Ok(()), CancelToken::check)
    }

    /// Counts a finished member, and tells the observer.
    pub(crate) fn member(&self, path: &Path, size: u64) -> Result<()> {
        self.check()?;
        self.state.borrow_mut().progress.members += 1;
        self.send(&Event::Member { path, size })
    }

    pub(crate) fn bad_page(&self, path: &Path, page: &BadPage) -> Result<()> {
        self.send(&Event::BadPage { path, page })
    }

    /// Counts a finished member that has an event of its own.
    pub(crate) fn count_member(&self) {
        self.state.borrow_mut().progress.members += 1;
    }

    pub(crate) fn file_checked(&self, path: &Path, file: &FileCheck) -> Result<()> {
        self.check()?;
        self.send(&Event::FileChecked { path, file })
    }

    pub(crate) fn warn(&self, message: &str) -> Result<()> {
        self.send(&Event::Log { level: Level::Warning, message })
    }

    #[cfg(feature = "server")]
    pub(crate) fn log(&self, level: Level, message: &str) -> Result<()> {
        self.send(&Event::Log { level, message })
    }

    fn send(&self, event: &Event<'_>) -> Result<()> {
        // An observer that calls back into its own job finds it busy; it cannot, as the job
        // borrows everything it could call with.
        match self.observer.borrow_mut().event(event) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::cancelled()),
        }
    }
}

impl Beat for Pulse<'_> {
    /// Looks at the token, hears the helpers, and tells the observer how far the job is if it is
    /// time to.
    fn tick(&self) -> Result<()> {
        self.cancel.tick()?;
        self.hear()?;
        let progress = {
            let mut state = self.state.borrow_mut();
            if state.last_event.elapsed() < TICK {
                return Ok(());
            }
            state.last_event = Instant::now();
            state.progress
        };
        self.send(&Event::Progress(progress))
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.cancel.wake_fd()
    }
}
