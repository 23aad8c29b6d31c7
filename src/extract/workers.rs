//! Writing members on several threads.
//!
//! A member belongs to one worker, so its bytes are written in stream order and its state needs
//! no lock. Input buffers are shared and counted; the last worker to drop one gives it back.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use parking_lot::{Condvar, Mutex};

use super::root::Root;
use super::writer::MemberWriter;
use crate::error::{Error, Result};
use crate::format::member::{MemberId, MemberPath};
use crate::io::pulse::{Beat, Helpers, Pulse, TICK};
use crate::pipeline::queue::{Popped, Queue};
use crate::sys::thread::spawn_worker;

/// Batches that may wait for one worker.
const QUEUE_LEN: usize = 4;

/// Work that is added before it has to be handed over. Chunks may be tiny: without this a buffer
/// of 1 MiB became 10 MiB of work, and several of them could wait.
const MAX_ADDED: usize = 1024;

/// A piece of work.
pub(super) enum Op {
    Open { id: MemberId, path: MemberPath },
    Write { id: MemberId, offset: u64, buffer: Arc<Buffer>, range: Range<usize> },
    Close { id: MemberId, path: MemberPath, size: u64 },
}

/// Bytes read from the stream, on their way to the workers.
pub(super) struct Buffer {
    bytes: Option<Box<[u8]>>,
    home: Arc<Queue<Box<[u8]>>>,
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            // There is always room, as the queue is as long as there are buffers.
            let _ = self.home.push(bytes);
        }
    }
}

/// What workers share with the job's own thread.
struct Shared {
    helpers: Arc<Helpers>,
    /// The job ended.
    stopped: AtomicBool,
    /// Batches handed out and not done yet.
    pending: Mutex<usize>,
    idle: Condvar,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.helpers.has_failed()
    }
}

/// The job's side of the workers.
pub(super) struct Workers {
    queues: Vec<Arc<Queue<Vec<Op>>>>,
    batches: Vec<Vec<Op>>,
    /// Work in all batches.
    added: usize,
    shared: Arc<Shared>,
    buffers: Arc<Queue<Box<[u8]>>>,
}

impl Workers {
    /// Starts `count` workers, and fills a pool of `buffers` buffers of `buffer_size` bytes.
    pub(super) fn start<'scope, 'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        root: &'env Root,
        count: usize,
        open_files: usize,
        (buffers, buffer_size): (usize, usize),
        pulse: &Pulse<'_>,
    ) -> Result<Self> {
        let pool = Arc::new(Queue::new(buffers));
        for _ in 0..buffers {
            let _ = pool.push(vec![0; buffer_size].into_boxed_slice());
        }
        let mut workers = Self {
            queues: Vec::new(),
            batches: Vec::new(),
            added: 0,
            shared: Arc::new(Shared {
                helpers: pulse.helpers(),
                stopped: AtomicBool::new(false),
                pending: Mutex::new(0),
                idle: Condvar::new(),
            }),
            buffers: pool,
        };
        for number in 0..count {
            let queue = Arc::new(Queue::new(QUEUE_LEN));
            let (jobs, shared) = (Arc::clone(&queue), Arc::clone(&workers.shared));
            workers.queues.push(queue);
            workers.batches.push(Vec::new());
            let writer = MemberWriter::new(root, open_files / count);
            spawn_worker(scope, &format!("xbkit-write-{number}"), move || {
                work(&jobs, writer, &shared);
            })?;
        }
        Ok(workers)
    }

    /// An empty buffer, once there is one.
    pub(super) fn buffer(&self, pulse: &Pulse<'_>) -> Result<Buffer> {
        loop {
            pulse.hear()?;
            match self.buffers.pop_timeout(TICK) {
                Popped::Item(bytes) => {
                    return Ok(Buffer { bytes: Some(bytes), home: Arc::clone(&self.buffers) });
                }
                Popped::Timeout | Popped::Closed => pulse.tick()?,
            }
        }
    }

    /// Adds work for the member's worker; it is handed over by [`Workers::flush`], at the latest
    /// when there is much of it.
    pub(super) fn add(&mut self, id: MemberId, op: Op, pulse: &Pulse<'_>) -> Result<()> {
        let count = self.batches.len().max(1) as u64;
        let worker = usize::try_from(id.0 % count).unwrap_or(0);
        if let Some(batch) = self.batches.get_mut(worker) {
            batch.push(op);
        }
        self.added += 1;
        if self.added < MAX_ADDED { Ok(()) } else { self.flush(pulse) }
    }

    /// Hands all added work over, waiting for room in the queues, and reports closed members.
    pub(super) fn flush(&mut self, pulse: &Pulse<'_>) -> Result<()> {
        self.added = 0;
        for (batch, queue) in self.batches.iter_mut().zip(&self.queues) {
            if batch.is_empty() {
                continue;
            }
            let mut batch = std::mem::take(batch);
            *self.shared.pending.lock() += 1;
            while let Err(back) = queue.push_timeout(batch, TICK) {
                batch = back;
                pulse.tick()?;
            }
        }
        pulse.hear()
    }

    /// Waits until all work is done.
    pub(super) fn barrier(&mut self, pulse: &Pulse<'_>) -> Result<()> {
        self.flush(pulse)?;
        loop {
            let mut pending = self.shared.pending.lock();
            if *pending == 0 {
                break;
            }
            self.shared.idle.wait_for(&mut pending, TICK);
            drop(pending);
            pulse.tick()?;
        }
        self.flush(pulse)
    }
}

impl Drop for Workers {
    /// Lets the workers end, whatever ended the job: what is queued is not written any more, as
    /// after a success nothing is.
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for queue in &self.queues {
            queue.close();
        }
    }
}

fn work(jobs: &Queue<Vec<Op>>, mut writer: MemberWriter<'_>, shared: &Shared) {
    let mut failed = false;
    while let Some(batch) = jobs.pop() {
        // After a failure work is only taken and dropped, so that nobody waits for this worker.
        if !failed && !shared.is_over() {
            let done = catch_unwind(AssertUnwindSafe(|| apply(batch, &mut writer, shared)));
            if let Err(error) = done.unwrap_or_else(|panic| Err(Error::from_panic(&*panic))) {
                failed = true;
                shared.helpers.fail(error);
            }
        }
        *shared.pending.lock() -= 1;
        shared.idle.notify_all();
    }
}

fn apply(batch: Vec<Op>, writer: &mut MemberWriter<'_>, shared: &Shared) -> Result<()> {
    for op in batch {
        match op {
            Op::Open { id, path } => writer.open(id, path)?,
            Op::Write { id, offset, buffer, range } => {
                writer.write(id, offset, buffer.bytes().get(range).unwrap_or_default())?;
            }
            Op::Close { id, path, size } => {
                writer.close(id, size)?;
                shared.helpers.member(path, size);
            }
        }
    }
    Ok(())
}
