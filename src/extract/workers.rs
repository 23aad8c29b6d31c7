//! Writing members on several threads.
//!
//! A member belongs to one worker, so its bytes are written in stream order and its state needs
//! no lock. One further worker hashes large members beside those that write them. Input buffers are
//! shared and counted; the last worker to drop one gives it back.

use std::collections::HashSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::hands::{Desk, End, Hands, Piece, Target, Use};
use super::root::Root;
use super::units::Decoders;
use crate::error::{Error, Result};
use crate::event::Level;
use crate::format::member::MemberId;
use crate::io::pulse::{Beat, Helpers, Pulse, TICK};
use crate::io::unpack::Decoding;
use crate::manifest::proof::{Place, Print};
use crate::pipeline::queue::{Popped, Queue};
use crate::sys::thread::spawn_worker;

/// Batches that may wait for one worker.
const QUEUE_LEN: usize = 4;

/// Work that is added before it has to be handed over. Chunks may be tiny: without this a buffer
/// of 1 MiB became 10 MiB of work, and several of them could wait.
const MAX_ADDED: usize = 1024;

/// A member is hashed apart from writing it if its first piece has so many bytes. Large members
/// come one after the other, so that a single writer is at work; small ones keep all writers busy,
/// and to hand them to yet another thread would cost more than it gains.
const HASHED_APART: usize = 32 << 10;

/// A piece of work.
enum Op {
    Open { id: MemberId, target: Target },
    Data { id: MemberId, offset: u64, buffer: Arc<Buffer>, range: Range<usize>, what: Use },
    Close { end: End, write: bool },
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
    /// What members came to.
    prints: Mutex<Vec<(Place, Print)>>,
    decoded_bytes: AtomicU64,
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
pub(super) struct Workers<'d, 'p, 'a> {
    pulse: &'p Pulse<'a>,
    /// Those of the writers, and behind them the hasher's.
    queues: Vec<Arc<Queue<Vec<Op>>>>,
    batches: Vec<Vec<Op>>,
    writers: usize,
    /// Open members that the hasher hashes.
    apart: HashSet<MemberId>,
    /// Work in all batches.
    added: usize,
    shared: Arc<Shared>,
    buffers: Arc<Queue<Box<[u8]>>>,
    /// The one being decoded.
    buffer: Option<Arc<Buffer>>,
    decoders: Arc<Decoders<'d>>,
}

impl<'d, 'p, 'a> Workers<'d, 'p, 'a> {
    /// Starts `count` workers, and as many that decode for them, and fills a pool of `buffers`
    /// buffers of `buffer_size` bytes.
    pub(super) fn start<'scope, 'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        (root, decoding): (&'d Root, &'d Decoding),
        count: usize,
        open_files: usize,
        (buffers, buffer_size): (usize, usize),
        pulse: &'p Pulse<'a>,
    ) -> Result<Self>
    where
        'd: 'scope,
    {
        let pool = Arc::new(Queue::new(buffers));
        for _ in 0..buffers {
            let _ = pool.push(vec![0; buffer_size].into_boxed_slice());
        }
        let mut workers = Self {
            pulse,
            queues: Vec::new(),
            batches: Vec::new(),
            writers: count,
            apart: HashSet::new(),
            added: 0,
            shared: Arc::new(Shared {
                helpers: pulse.helpers(),
                stopped: AtomicBool::new(false),
                prints: Mutex::default(),
                decoded_bytes: AtomicU64::new(0),
                pending: Mutex::new(0),
                idle: Condvar::new(),
            }),
            buffers: pool,
            buffer: None,
            decoders: Arc::new(Decoders::new(count, decoding.key.as_ref())),
        };
        workers.decoders.start(scope, count)?;
        for number in 0..count {
            let decoders = Arc::clone(&workers.decoders);
            let desk = Desk::new((root, decoding), decoders, open_files / count);
            workers.start_one(scope, &format!("xbkit-write-{number}"), desk)?;
        }
        let desk = Desk::new((root, decoding), Arc::clone(&workers.decoders), 0);
        workers.start_one(scope, "xbkit-hash", desk)?;
        Ok(workers)
    }

    fn start_one<'scope, 'env: 'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        name: &str,
        desk: Desk<'d>,
    ) -> Result<()>
    where
        'd: 'scope,
    {
        let queue = Arc::new(Queue::new(QUEUE_LEN));
        let (jobs, shared) = (Arc::clone(&queue), Arc::clone(&self.shared));
        self.queues.push(queue);
        self.batches.push(Vec::new());
        spawn_worker(scope, name, move || work(&jobs, desk, &shared)).map(drop)
    }

    /// An empty buffer, once there is one.
    pub(super) fn buffer(&mut self) -> Result<Buffer> {
        self.buffer = None;
        loop {
            self.pulse.hear()?;
            match self.buffers.pop_timeout(TICK) {
                Popped::Item(bytes) => {
                    return Ok(Buffer { bytes: Some(bytes), home: Arc::clone(&self.buffers) });
                }
                Popped::Timeout | Popped::Closed => self.pulse.tick()?,
            }
        }
    }

    /// Data that comes is in this buffer.
    pub(super) fn begin_buffer(&mut self, buffer: &Arc<Buffer>) {
        self.buffer = Some(Arc::clone(buffer));
    }

    /// Adds work for the member's writer.
    fn add(&mut self, id: MemberId, op: Op) -> Result<()> {
        let count = self.writers.max(1) as u64;
        self.add_for(usize::try_from(id.0 % count).unwrap_or(0), op)
    }

    /// Adds work for the hasher.
    fn add_hash(&mut self, op: Op) -> Result<()> {
        self.add_for(self.writers, op)
    }

    /// Adds work; it is handed over by [`Workers::flush`], at the latest when there is much of it.
    fn add_for(&mut self, worker: usize, op: Op) -> Result<()> {
        if let Some(batch) = self.batches.get_mut(worker) {
            batch.push(op);
        }
        self.added += 1;
        if self.added < MAX_ADDED { Ok(()) } else { self.flush() }
    }

    /// Hands all added work over, waiting for room in the queues, and reports closed members.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.added = 0;
        for (batch, queue) in self.batches.iter_mut().zip(&self.queues) {
            if batch.is_empty() {
                continue;
            }
            let mut batch = std::mem::take(batch);
            *self.shared.pending.lock() += 1;
            while let Err(back) = queue.push_timeout(batch, TICK) {
                batch = back;
                self.pulse.tick()?;
            }
        }
        self.pulse.hear()
    }
}

impl Hands for Workers<'_, '_, '_> {
    fn open(&mut self, id: MemberId, target: Target, what: Use) -> Result<()> {
        if what.write { self.add(id, Op::Open { id, target }) } else { Ok(()) }
    }

    fn data(&mut self, piece: Piece<'_>, mut what: Use) -> Result<()> {
        let Some(buffer) = self.buffer.clone() else { return Ok(()) };
        let Piece { id, offset, bytes, range } = piece;
        if what.hash && what.write && offset == 0 && bytes.len() >= HASHED_APART {
            self.apart.insert(id);
        }
        if what.hash && !self.apart.is_empty() && self.apart.contains(&id) {
            let (buffer, range) = (Arc::clone(&buffer), range.clone());
            let apart = Use { write: false, hash: true };
            self.add_hash(Op::Data { id, offset, buffer, range, what: apart })?;
            what.hash = false;
        }
        let is_work = what.write || what.hash;
        if is_work { self.add(id, Op::Data { id, offset, buffer, range, what }) } else { Ok(()) }
    }

    fn close(&mut self, mut end: End, write: bool) -> Result<()> {
        let id = end.id;
        if !self.apart.is_empty() && self.apart.remove(&id) {
            let (path, size, place) = (end.path.clone(), end.size, end.place.take());
            let hashed = End { id, path, size, place, decoded: None, report: false };
            self.add_hash(Op::Close { end: hashed, write: false })?;
        }
        let is_work = write || end.place.is_some();
        if is_work { self.add(id, Op::Close { end, write }) } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<Vec<(Place, Print)>> {
        self.flush()?;
        loop {
            let mut pending = self.shared.pending.lock();
            if *pending == 0 {
                break;
            }
            self.shared.idle.wait_for(&mut pending, TICK);
            drop(pending);
            self.pulse.tick()?;
        }
        self.flush()?;
        Ok(std::mem::take(&mut *self.shared.prints.lock()))
    }

    fn decoded_bytes(&mut self) -> u64 {
        self.shared.decoded_bytes.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Workers<'_, '_, '_> {
    /// Lets the workers end, whatever ended the job: what is queued is not written any more, as
    /// after a success nothing is.
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for queue in &self.queues {
            queue.close();
        }
        self.decoders.stop();
    }
}

fn work(jobs: &Queue<Vec<Op>>, mut desk: Desk<'_>, shared: &Shared) {
    let mut failed = false;
    // Batches taken, of which parts may still be with those who decode.
    let mut taken = 0;
    loop {
        let (batch, ended) = match jobs.pop_timeout(Duration::ZERO) {
            Popped::Item(batch) => (Some(batch), false),
            Popped::Timeout if taken == 0 => match jobs.pop() {
                Some(batch) => (Some(batch), false),
                None => break,
            },
            Popped::Timeout => (None, false),
            Popped::Closed => (None, true),
        };
        taken += usize::from(batch.is_some());
        let rests = batch.is_none();
        // After a failure work is only taken and dropped, so that nobody waits for this worker.
        if !failed && !shared.is_over() {
            let todo = || match batch {
                Some(batch) => apply(batch, &mut desk, shared),
                None => desk.rest(),
            };
            let done = catch_unwind(AssertUnwindSafe(todo));
            if let Err(error) = done.unwrap_or_else(|panic| Err(Error::from_panic(&*panic))) {
                failed = true;
                shared.helpers.fail(error);
            }
        }
        if rests || failed {
            *shared.pending.lock() -= std::mem::take(&mut taken);
            shared.idle.notify_all();
        }
        if ended {
            break;
        }
    }
}

fn apply(batch: Vec<Op>, desk: &mut Desk<'_>, shared: &Shared) -> Result<()> {
    for op in batch {
        match op {
            Op::Open { id, target } => desk.open(id, target)?,
            Op::Data { id, offset, buffer, range, what } => {
                let bytes = buffer.bytes().get(range).unwrap_or_default();
                if let Some(warning) = desk.data(id, offset, bytes, what)? {
                    shared.helpers.log(Level::Warning, warning.to_owned());
                }
            }
            Op::Close { end, write } => {
                let report = end.report;
                let (path, size) = desk.close(end, write)?;
                if report {
                    shared.helpers.member(path, size);
                }
            }
        }
    }
    shared.decoded_bytes.fetch_add(desk.take_decoded_bytes(), Ordering::Relaxed);
    shared.prints.lock().append(&mut desk.take_prints());
    Ok(())
}
