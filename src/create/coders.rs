//! Threads that compress and encrypt pieces of members, shared by all readers.
//!
//! A piece becomes the same bytes whoever encodes it, so a reader hands out several pieces of its
//! member at once, takes them back in order, and the stream does not depend on the number of
//! threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Scope;

use parking_lot::{Condvar, Mutex};

use super::StreamOptions;
use super::run::stopped;
use crate::codec::stack::{StackEncoder, Storing, Way};
use crate::codec::{Encoder, Piece};
use crate::error::{Error, Result};
use crate::format::member::MemberPath;
use crate::io::pulse::TICK;
use crate::pipeline::queue::Queue;
use crate::sys::thread::spawn_worker;

/// A piece to be encoded.
pub(super) struct Job {
    pub(super) member: MemberPath,
    pub(super) way: Way,
    pub(super) offset: u64,
    pub(super) plain: Vec<u8>,
    pub(super) last: bool,
    /// Emptied, then filled with what the piece becomes.
    pub(super) stored: Vec<u8>,
}

impl Job {
    /// Does it.
    pub(super) fn encode(&mut self, encoders: &mut Encoders<'_>) -> Result<()> {
        self.stored.clear();
        let (offset, bytes, last) = (self.offset, &self.plain[..], self.last);
        let piece = Piece { member: self.member.as_bytes(), offset, bytes, last };
        let done =
            encoders.of(self.way).and_then(|encoder| encoder.encode(&piece, &mut self.stored));
        done.map_err(|error| error.at_path(&self.member).at_file(offset))
    }
}

/// The encoders of one thread, made when they are needed.
pub(super) struct Encoders<'s> {
    storing: &'s Storing,
    whole: Option<StackEncoder>,
    encrypting: Option<StackEncoder>,
}

impl<'s> Encoders<'s> {
    pub(super) fn new(storing: &'s Storing) -> Self {
        Self { storing, whole: None, encrypting: None }
    }

    fn of(&mut self, way: Way) -> Result<&mut StackEncoder> {
        let place = if way == Way::Encrypted { &mut self.encrypting } else { &mut self.whole };
        Ok(match place {
            Some(encoder) => encoder,
            empty => empty.insert(self.storing.encoder(way)?),
        })
    }
}

/// A job that was handed out.
struct Slot {
    done: Mutex<Option<Result<Job>>>,
    ready: Condvar,
}

/// The threads, as readers see them.
pub(super) struct Coders {
    jobs: Queue<(Job, Arc<Slot>)>,
    /// Jobs handed out and not taken back.
    out: AtomicUsize,
    /// Most of them, though each reader may always have one.
    most_out: usize,
}

impl Coders {
    /// No threads yet.
    pub(super) fn new(options: &StreamOptions) -> Self {
        let most_out = options.coding_threads() + options.parallel + 2;
        Self { jobs: Queue::new(most_out + options.parallel), out: AtomicUsize::new(0), most_out }
    }

    /// Starts the threads.
    pub(super) fn start<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        options: &'env StreamOptions,
    ) -> Result<()> {
        (0..options.coding_threads()).try_for_each(|number| {
            spawn_worker(scope, &format!("xbkit-code-{number}"), move || self.work(options))
                .map(drop)
        })
    }

    fn work(&self, options: &StreamOptions) {
        let mut encoders = Encoders::new(&options.storing);
        while let Some((mut job, slot)) = self.jobs.pop() {
            let result = catch_unwind(AssertUnwindSafe(|| job.encode(&mut encoders)));
            let result = result.unwrap_or_else(|panic| Err(Error::from_panic(&*panic)));
            *slot.done.lock() = Some(result.map(|()| job));
            slot.ready.notify_one();
        }
    }

    /// Ends all threads.
    pub(super) fn stop(&self) {
        self.jobs.close();
    }
}

/// The pieces of one member that are out, in order.
pub(super) struct Window<'c> {
    coders: &'c Coders,
    slots: VecDeque<Arc<Slot>>,
}

impl<'c> Window<'c> {
    pub(super) fn new(coders: &'c Coders) -> Self {
        Self { coders, slots: VecDeque::new() }
    }

    /// Whether another piece may be handed out before one is taken back.
    pub(super) fn has_room(&self) -> bool {
        self.slots.is_empty() || self.coders.out.load(Ordering::Relaxed) < self.coders.most_out
    }

    pub(super) fn hand_out(&mut self, job: Job) -> Result<()> {
        let slot = Arc::new(Slot { done: Mutex::new(None), ready: Condvar::new() });
        self.coders.out.fetch_add(1, Ordering::Relaxed);
        self.slots.push_back(Arc::clone(&slot));
        self.coders.jobs.push((job, slot)).map_err(|_| stopped())
    }

    /// The next piece, once it is encoded. `tick` is called while it is not.
    pub(super) fn take_back(
        &mut self,
        mut tick: impl FnMut() -> Result<()>,
    ) -> Result<Option<Job>> {
        let Some(slot) = self.slots.pop_front() else { return Ok(None) };
        self.coders.out.fetch_sub(1, Ordering::Relaxed);
        let mut done = slot.done.lock();
        loop {
            if let Some(result) = done.take() {
                return result.map(Some);
            }
            if slot.ready.wait_for(&mut done, TICK).timed_out() {
                parking_lot::MutexGuard::unlocked(&mut done, &mut tick)?;
            }
        }
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        self.coders.out.fetch_sub(self.slots.len(), Ordering::Relaxed);
    }
}
