//! Taking the layers off one member with several threads.
//!
//! Stored data are cut where a decoder may begin anew, at frames, chunks and blocks, and the units
//! go to threads that all members share. They come back in order, so whatever is written, counted
//! or refused is the same as with one decoder: a unit that a thread could not decode is decoded
//! again here, which tells why.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Scope;

use parking_lot::{Condvar, Mutex};

use crate::codec::Decoder;
use crate::codec::cut::{Cut, Cutter, Told, Unit, UnitDecoder};
use crate::codec::stack::{Codec, Count, Growth};
use crate::codec::xbcrypt::Key;
use crate::error::Result;
use crate::pipeline::queue::Queue;
use crate::sys::thread::spawn_worker;

/// What should be told of a member.
type Warning = Option<&'static str>;

/// Takes plain bytes.
pub(super) type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> Result<()>;

/// A unit on its way, and what became of it.
struct Slot {
    done: Mutex<Option<Done>>,
    ready: Condvar,
}

struct Done {
    unit: Unit,
    plain: Vec<u8>,
    /// What should be told; `None` if `plain` is not all of it.
    told: Option<Told>,
}

struct Job {
    unit: Unit,
    plain: Vec<u8>,
    slot: Arc<Slot>,
}

/// Threads that decode units.
pub(super) struct Decoders<'k> {
    jobs: Queue<Job>,
    key: Option<&'k Key>,
    /// Buffers for stored and for plain bytes, to be used again.
    spare: [Mutex<Vec<Vec<u8>>>; 2],
    /// Units handed out and not taken back.
    out: AtomicUsize,
    /// Most of them, though each layer of a member may always have one. 0: there are no threads,
    /// and nothing is cut.
    most_out: usize,
}

impl<'k> Decoders<'k> {
    /// For `threads`, and as many that hand out; none are started yet, and for 0 none is needed.
    pub(super) fn new(threads: usize, key: Option<&'k Key>) -> Self {
        // While the owner of a member writes, they go on with what is out: with two fewer for each
        // of two threads a restore took a quarter longer.
        let most_out = if threads == 0 { 0 } else { 2 * threads + 4 };
        let jobs = Queue::new(most_out + 2 * threads);
        Self { jobs, key, spare: Default::default(), out: AtomicUsize::new(0), most_out }
    }

    pub(super) fn start<'scope, 'env: 'scope>(
        self: &Arc<Self>,
        scope: &'scope Scope<'scope, 'env>,
        threads: usize,
    ) -> Result<()>
    where
        'k: 'scope,
    {
        (0..threads).try_for_each(|number| {
            let decoders = Arc::clone(self);
            spawn_worker(scope, &format!("xbkit-decode-{number}"), move || decoders.work())
                .map(drop)
        })
    }

    /// Ends all threads.
    pub(super) fn stop(&self) {
        self.jobs.close();
    }

    fn work(&self) {
        let mut decoder = UnitDecoder::default();
        while let Some(Job { unit, mut plain, slot }) = self.jobs.pop() {
            plain.clear();
            let work = || decoder.decode(&unit, self.key, &mut plain);
            // What panics here does so again where it is reported.
            let told = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                decoder = UnitDecoder::default();
                None
            });
            *slot.done.lock() = Some(Done { unit, plain, told });
            slot.ready.notify_one();
        }
    }

    /// An empty buffer, for stored bytes and one for plain ones.
    fn buffers(&self) -> [Vec<u8>; 2] {
        self.spare.each_ref().map(|spare| spare.lock().pop().unwrap_or_default())
    }

    fn give_back(&self, buffers: [Vec<u8>; 2]) {
        for (spare, buffer) in self.spare.iter().zip(buffers) {
            let mut spare = spare.lock();
            if spare.len() < self.most_out {
                spare.push(buffer);
            }
        }
    }

    fn hand_out(&self, unit: Unit, plain: Vec<u8>) -> Arc<Slot> {
        let slot = Arc::new(Slot { done: Mutex::new(None), ready: Condvar::new() });
        self.out.fetch_add(1, Ordering::Relaxed);
        if let Err(job) = self.jobs.push(Job { unit, plain, slot: Arc::clone(&slot) }) {
            // The job is over.
            *slot.done.lock() = Some(Done { unit: job.unit, plain: job.plain, told: None });
        }
        slot
    }
}

/// The layers of one member.
pub(super) struct Peeler<'d> {
    decoders: Arc<Decoders<'d>>,
    /// Outermost first.
    layers: Vec<Layer>,
    count: Count,
    warning: Warning,
}

struct Layer {
    way: Way,
    /// Units that are out, in order.
    out: VecDeque<Arc<Slot>>,
}

enum Way {
    Cut(Cutter),
    Serial(Box<dyn Decoder>),
    /// Between the two, for a moment, and behind an error.
    Gone,
}

impl<'d> Peeler<'d> {
    /// For `codecs`, outermost first.
    pub(super) fn new(
        codecs: &[Codec],
        growth: Growth,
        decoders: &Arc<Decoders<'d>>,
    ) -> Result<Self> {
        let layer = |codec: &Codec| {
            let cutter = Cutter::new(*codec).filter(|_| decoders.most_out > 0);
            let way = match cutter {
                Some(cutter) => Way::Cut(cutter),
                None => Way::Serial(codec.decoder(decoders.key)?),
            };
            Ok(Layer { way, out: VecDeque::new() })
        };
        let layers = codecs.iter().map(layer).collect::<Result<_>>()?;
        let count = Count::new(growth);
        Ok(Self { decoders: Arc::clone(decoders), layers, count, warning: None })
    }

    /// Takes stored bytes, and hands plain ones to `sink`, not all of them at once.
    pub(super) fn push(&mut self, stored: &[u8], sink: Sink<'_>) -> Result<()> {
        self.count.add_stored(stored);
        let count = &mut self.count;
        push(&mut self.layers, &self.decoders, &mut self.warning, stored, &mut |plain| {
            count.add(plain)?;
            sink(plain)
        })
    }

    /// Waits for what is out.
    pub(super) fn rest(&mut self, sink: Sink<'_>) -> Result<()> {
        self.through(sink, take_back_all)
    }

    /// The member ends.
    pub(super) fn finish(&mut self, sink: Sink<'_>) -> Result<()> {
        self.through(sink, end)
    }

    /// Does something with each layer and those within it, from the outermost.
    fn through(
        &mut self,
        sink: Sink<'_>,
        each: fn(&mut [Layer], &Decoders<'_>, &mut Warning, Sink<'_>) -> Result<()>,
    ) -> Result<()> {
        let count = &mut self.count;
        for from in 0..self.layers.len() {
            let layers = self.layers.get_mut(from..).unwrap_or_default();
            each(layers, &self.decoders, &mut self.warning, &mut |plain| {
                count.add(plain)?;
                sink(plain)
            })?;
        }
        Ok(())
    }

    /// Plain bytes so far.
    pub(super) fn plain_bytes(&self) -> u64 {
        self.count.plain_bytes()
    }

    /// What was accepted though a format does not allow it, since the last call.
    pub(super) fn warning(&mut self) -> Warning {
        self.warning.take()
    }
}

impl Drop for Peeler<'_> {
    fn drop(&mut self) {
        let out: usize = self.layers.iter().map(|layer| layer.out.len()).sum();
        self.decoders.out.fetch_sub(out, Ordering::Relaxed);
    }
}

fn push(
    layers: &mut [Layer],
    decoders: &Decoders<'_>,
    warning: &mut Warning,
    mut input: &[u8],
    sink: Sink<'_>,
) -> Result<()> {
    loop {
        let Some(layer) = layers.first_mut() else { return sink(input) };
        let cut = match &mut layer.way {
            Way::Cut(cutter) => cutter.cut(&mut input),
            Way::Serial(_) | Way::Gone => return feed(layers, decoders, warning, input, sink),
        };
        match cut {
            Cut::More => return Ok(()),
            Cut::Whole => {
                while layers.first().is_some_and(|layer| !layer.has_room(decoders)) {
                    take_back(layers, decoders, warning, sink)?;
                }
                let [buffer, plain] = decoders.buffers();
                let Some(layer) = layers.first_mut() else { return Ok(()) };
                if let Way::Cut(cutter) = &mut layer.way {
                    let unit = cutter.take(buffer);
                    layer.out.push_back(decoders.hand_out(unit, plain));
                }
            }
            Cut::Serial => {
                let held = into_serial(layers, decoders, warning, sink)?;
                feed(layers, decoders, warning, &held, sink)?;
            }
        }
    }
}

/// Has the first layer go on with one decoder. Gives what that has to begin with.
fn into_serial(
    layers: &mut [Layer],
    decoders: &Decoders<'_>,
    warning: &mut Warning,
    sink: Sink<'_>,
) -> Result<Vec<u8>> {
    take_back_all(layers, decoders, warning, sink)?;
    let Some(layer) = layers.first_mut() else { return Ok(Vec::new()) };
    match std::mem::replace(&mut layer.way, Way::Gone) {
        Way::Cut(cutter) => {
            let (decoder, held) = cutter.into_serial(decoders.key)?;
            layer.way = Way::Serial(decoder);
            Ok(held)
        }
        other => {
            layer.way = other;
            Ok(Vec::new())
        }
    }
}

/// Pushes `input` through the first layer's one decoder into those within.
fn feed(
    layers: &mut [Layer],
    decoders: &Decoders<'_>,
    warning: &mut Warning,
    mut input: &[u8],
    sink: Sink<'_>,
) -> Result<()> {
    let Some((Layer { way: Way::Serial(decoder), .. }, within)) = layers.split_first_mut() else {
        return Ok(());
    };
    while decoder.decode(&mut input)? {
        push(within, decoders, warning, decoder.output(), sink)?;
    }
    *warning = decoder.warning().or(*warning);
    Ok(())
}

/// Takes back the first layer's next unit, and pushes what it holds into those within.
fn take_back(
    layers: &mut [Layer],
    decoders: &Decoders<'_>,
    warning: &mut Warning,
    sink: Sink<'_>,
) -> Result<()> {
    let Some((layer, within)) = layers.split_first_mut() else { return Ok(()) };
    let Some(slot) = layer.out.pop_front() else { return Ok(()) };
    decoders.out.fetch_sub(1, Ordering::Relaxed);
    let mut done = slot.done.lock();
    let Done { unit, plain, told } = loop {
        match done.take() {
            Some(done) => break done,
            None => slot.ready.wait(&mut done),
        }
    };
    drop(done);
    if let Some(Told(told)) = told {
        *warning = told.or(*warning);
        push(within, decoders, warning, &plain, sink)?;
    } else {
        let mut decoder = unit.decoder(decoders.key)?;
        let mut input = unit.stored.as_slice();
        while decoder.decode(&mut input)? {
            push(within, decoders, warning, decoder.output(), sink)?;
        }
        unit.end(&mut *decoder)?;
        *warning = decoder.warning().or(*warning);
    }
    decoders.give_back([unit.stored, plain]);
    Ok(())
}

fn take_back_all(
    layers: &mut [Layer],
    decoders: &Decoders<'_>,
    warning: &mut Warning,
    sink: Sink<'_>,
) -> Result<()> {
    while layers.first().is_some_and(|layer| !layer.out.is_empty()) {
        take_back(layers, decoders, warning, sink)?;
    }
    Ok(())
}

/// The first layer's data end here.
fn end(
    layers: &mut [Layer],
    decoders: &Decoders<'_>,
    warning: &mut Warning,
    sink: Sink<'_>,
) -> Result<()> {
    take_back_all(layers, decoders, warning, sink)?;
    if let Some(Layer { way: Way::Cut(cutter), .. }) = layers.first()
        && cutter.has_ended()
    {
        return Ok(());
    }
    // The last unit is too small for a thread, or not whole, which the decoder says.
    let held = into_serial(layers, decoders, warning, sink)?;
    feed(layers, decoders, warning, &held, sink)?;
    match layers.first_mut() {
        Some(Layer { way: Way::Serial(decoder), .. }) => decoder.finish(),
        _ => Ok(()),
    }
}

impl Layer {
    /// Whether another unit may be handed out before one is taken back.
    fn has_room(&self, decoders: &Decoders<'_>) -> bool {
        self.out.is_empty() || decoders.out.load(Ordering::Relaxed) < decoders.most_out
    }
}
