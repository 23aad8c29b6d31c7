//! The story of a job that streams files.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::coders::Coders;
use super::digest::MemberDigest;
#[cfg(feature = "server")]
use super::feed::TaskFeed;
use super::outer::Outer;
use super::packer::{Outlet, Packer, Parcel, changed_warning, frames_len};
use super::tar::Turnstile;
use super::{CreateReport, StreamOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::format::any::Format;
use crate::format::framing::FramingDigest;
use crate::format::member::MemberPath;
use crate::format::tar;
use crate::format::xbstream::Members;
use crate::io::pulse::{Beat, Pulse, TICK};
use crate::io::sink::Sink;
use crate::manifest::{Ended, MANIFEST_NAME, ManifestWriter, Pages, is_in_manifests_place};
use crate::pipeline::queue::{Popped, Queue};
use crate::sys::file::Fingerprint;
use crate::sys::thread::spawn_worker;

/// A member to be streamed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) member: MemberPath,
    pub(crate) content: Content,
}

/// Where its bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// In a file; its facts where they are known already, for the progress, and to see whether
    /// it changed.
    File { path: PathBuf, facts: Option<Fingerprint> },
    /// Here; at most a chunk.
    Bytes(Vec<u8>),
    /// Somewhere else.
    #[cfg(feature = "server")]
    Origin(FromOrigin),
}

/// An origin, which is equal to itself alone.
#[cfg(feature = "server")]
#[derive(Clone, Debug)]
pub(crate) struct FromOrigin(pub(super) std::sync::Arc<dyn super::feed::Origin>);

#[cfg(feature = "server")]
impl PartialEq for FromOrigin {
    fn eq(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(feature = "server")]
impl Eq for FromOrigin {}

#[cfg(feature = "server")]
impl Task {
    /// A member whose bytes come from `origin`.
    pub(crate) fn from_origin(
        member: MemberPath,
        origin: impl super::feed::Origin + 'static,
    ) -> Self {
        Self { member, content: Content::Origin(FromOrigin(std::sync::Arc::new(origin))) }
    }
}

/// Where readers find their tasks.
pub(crate) trait Tasks: Sync {
    /// The next task, which nobody else gets, and its number, counted from 0. Calls `idle` before
    /// it waits for one.
    fn next(&self, idle: &mut dyn FnMut() -> Result<()>) -> Result<Option<(usize, Taken<'_>)>>;

    /// Ends waits for a task.
    fn stop(&self) {}
}

/// A task that a reader took.
pub(crate) enum Taken<'t> {
    Planned(&'t Task),
    #[cfg(feature = "server")]
    Fed(Box<Task>),
}

impl Deref for Taken<'_> {
    type Target = Task;

    fn deref(&self) -> &Task {
        match self {
            Self::Planned(task) => task,
            #[cfg(feature = "server")]
            Self::Fed(task) => task,
        }
    }
}

/// Tasks that are all known.
struct Planned<'t> {
    tasks: &'t [Task],
    next: AtomicUsize,
}

impl Tasks for Planned<'_> {
    fn next(&self, _: &mut dyn FnMut() -> Result<()>) -> Result<Option<(usize, Taken<'_>)>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(self.tasks.get(number).map(|task| (number, Taken::Planned(task))))
    }
}

/// Streams all tasks into `sink`. Before the last one it asks `check` whether what was read is
/// still true; if not, the stream stays without it.
pub(crate) fn stream(
    tasks: &[Task],
    options: &StreamOptions,
    sink: Sink<'_>,
    pulse: &Pulse<'_>,
    check: impl FnOnce() -> Result<()>,
) -> Result<CreateReport> {
    options.check()?;
    check_names(tasks, options.manifest)?;
    if let Some(total) = total(tasks, options) {
        pulse.set_total(total);
    }
    let coders = Coders::new(options);
    let mut pump = Pump::new(sink, pulse, options, &coders);
    with_coders(&coders, options, || {
        pump.begin()?;
        let coders = &coders;
        let (first, last) = tasks.split_at(tasks.len().saturating_sub(1));
        planned(first, options, coders, &mut pump)?;
        check()?;
        planned(last, options, coders, &mut pump)?;
        pump.end(options)
    })?;
    pump.sink.flush()?;
    pump.report.stream_bytes = pulse.progress().stream_bytes;
    pulse.last_progress()?;
    Ok(pump.report)
}

/// Streams the tasks that `conduct` feeds, which runs on a thread of its own, and gives what it
/// gave.
#[cfg(feature = "server")]
pub(crate) fn stream_fed<T: Send>(
    options: &StreamOptions,
    sink: Sink<'_>,
    pulse: &Pulse<'_>,
    conduct: impl FnOnce(&TaskFeed) -> Result<T> + Send,
) -> Result<(CreateReport, T)> {
    options.check()?;
    let coders = Coders::new(options);
    let mut pump = Pump::new(sink, pulse, options, &coders);
    let feed = TaskFeed::new(options.parallel, pulse.helpers());
    let given = Mutex::new(None);
    let conductor = |shared: &Shared<'_>| match catch_unwind(AssertUnwindSafe(|| conduct(&feed))) {
        Ok(Ok(value)) => {
            *given.lock() = Some(value);
            feed.close();
        }
        Ok(Err(error)) => shared.fail(error),
        Err(panic) => shared.fail(Error::from_panic(&*panic)),
    };
    let value = with_coders(&coders, options, || {
        pump.begin()?;
        on_workers(&feed, options, &coders, &mut pump, Some(Box::new(conductor)))?;
        let value = given.lock().take().ok_or_else(stopped)?;
        pump.end(options)?;
        Ok(value)
    })?;
    pump.sink.flush()?;
    pulse.hear()?;
    pump.report.stream_bytes = pulse.progress().stream_bytes;
    pulse.last_progress()?;
    Ok((pump.report, value))
}

/// Runs `body` beside the threads that compress and encrypt.
fn with_coders<T>(
    coders: &Coders,
    options: &StreamOptions,
    body: impl FnOnce() -> Result<T>,
) -> Result<T> {
    std::thread::scope(|scope| {
        let _stop = StopCoders(coders);
        coders.start(scope, options)?;
        body()
    })
}

/// Ends the coders when it goes.
struct StopCoders<'c>(&'c Coders);

impl Drop for StopCoders<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Streams tasks that are all known, and are read while others are written; bytes in memory alone
/// need no thread to read them.
fn planned(
    tasks: &[Task],
    options: &StreamOptions,
    coders: &Coders,
    pump: &mut Pump<'_, '_, '_, '_>,
) -> Result<()> {
    if tasks.iter().all(|task| matches!(task.content, Content::Bytes(_))) {
        return on_this_thread(tasks, options, coders, pump);
    }
    let tasks = Planned { tasks, next: AtomicUsize::new(0) };
    on_workers(&tasks, options, coders, pump, None)
}

fn on_this_thread(
    tasks: &[Task],
    options: &StreamOptions,
    coders: &Coders,
    pump: &mut Pump<'_, '_, '_, '_>,
) -> Result<()> {
    let mut packer = Packer::new(options, coders, pump, Parcel::new(options.chunk_size));
    tasks.iter().try_for_each(|task| packer.pack(task))?;
    packer.finish()
}

/// Two members of one name make a stream that no reader takes.
fn check_names(tasks: &[Task], manifest: bool) -> Result<()> {
    let mut members = Members::default();
    for task in tasks {
        let name = task.member.as_bytes();
        if members.is_closed(name) {
            return Err(name_taken(&task.member));
        }
        members.note_closed(name);
        if manifest {
            check_manifests_place(&task.member)?;
        }
    }
    Ok(())
}

/// The manifest's name is taken, also as that of a directory.
pub(super) fn check_manifests_place(member: &MemberPath) -> Result<()> {
    if !is_in_manifests_place(member.as_bytes()) {
        return Ok(());
    }
    let message = "this is the name of the manifest that the stream itself gets";
    Err(Error::new(ErrorKind::InvalidArgument, message)
        .at_path(member)
        .hint("an earlier stream's manifest describes that one: leave it out"))
}

pub(super) fn name_taken(member: &MemberPath) -> Error {
    let message = "two files would have this name in the stream";
    Error::new(ErrorKind::InvalidArgument, message).at_path(member)
}

/// The stream's length, if all sizes are known, no file has holes that are left out, and nothing
/// is compressed or encrypted.
fn total(tasks: &[Task], options: &StreamOptions) -> Option<u64> {
    if !options.storing.is_plain() {
        return None;
    }
    let mut manifest = options.manifest.then(ManifestWriter::new);
    let (mut frames, mut payload, mut text) = (0, 0, 0);
    let hash = blake3::Hash::from_bytes([0; 32]);
    for task in tasks {
        let size = match &task.content {
            Content::File { facts, .. } => facts.as_ref()?.size,
            Content::Bytes(bytes) => bytes.len() as u64,
            #[cfg(feature = "server")]
            Content::Origin(_) => return None,
        };
        frames += frames_len(&task.member, size, options);
        payload += size;
        if let Some(manifest) = &mut manifest {
            let path = task.member.clone();
            manifest.member(&Ended { path, size, plain_size: None, hash });
            text += manifest.take_len();
        }
    }
    let is_tar = options.format == Format::Tar;
    let ends = if is_tar { tar::END.len() as u64 } else { 0 };
    let Some(mut manifest) = manifest else { return Some(frames + payload + ends) };
    if options.pages.is_some() {
        manifest.pages(Pages::default());
    }
    text += manifest.finish_with(&FramingDigest { bytes: frames, hash }).len();
    let path = MemberPath::new(MANIFEST_NAME.as_bytes()).ok()?;
    // What announces a manifest in a tar archive takes two blocks.
    let begins = if is_tar { 2 * tar::BLOCK as u64 } else { 0 };
    Some(begins + frames + payload + text + frames_len(&path, text, options) + ends)
}

/// The calling thread's part: everything goes through it into the sink.
struct Pump<'s, 'p, 'a, 'c> {
    sink: Sink<'s>,
    pulse: &'p Pulse<'a>,
    format: Format,
    /// A tar archive is compressed and encrypted as a whole.
    outer: Option<Outer<'c>>,
    manifest: Option<ManifestWriter>,
    /// Of members that readers left to be hashed.
    digest: MemberDigest,
    report: CreateReport,
}

impl<'s, 'p, 'a, 'c> Pump<'s, 'p, 'a, 'c> {
    fn new(
        sink: Sink<'s>,
        pulse: &'p Pulse<'a>,
        options: &StreamOptions,
        coders: &'c Coders,
    ) -> Self {
        let whole = options.format == Format::Tar && !options.storing.is_plain();
        Self {
            sink,
            pulse,
            format: options.format,
            outer: whole.then(|| Outer::new(coders)),
            manifest: options.manifest.then(ManifestWriter::new),
            digest: MemberDigest::default(),
            report: CreateReport::default(),
        }
    }

    /// Everything of the stream goes out here.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.outer {
            None => self.sink.write_all(bytes),
            Some(outer) => outer.write(bytes, &mut self.sink, self.pulse),
        }
    }

    /// Begins an archive by what announces its manifest; an xbstream's first chunk does that.
    fn begin(&mut self) -> Result<()> {
        if self.format != Format::Tar || self.manifest.is_none() {
            return Ok(());
        }
        let mut announcement = Vec::new();
        tar::append_announcement(&mut announcement);
        self.write(&announcement)
    }

    fn send(&mut self, mut parcel: Parcel) -> Result<Box<[u8]>> {
        if let Some(manifest) = &mut self.manifest {
            let announce = self.format == Format::Xbstream && manifest.is_first();
            if announce && !parcel.chunks().is_empty() {
                parcel.announce_manifest();
            }
            parcel.frames().for_each(|frame| manifest.framing(frame));
            self.digest.see(&mut parcel);
        }
        self.write(parcel.chunks())?;
        for path in &parcel.changed {
            self.pulse.warn(&changed_warning(path))?;
        }
        for audited in std::mem::take(&mut parcel.audited) {
            self.report.pages.add(&audited.file.tally);
            audited.tell(self.pulse)?;
        }
        for ended in std::mem::take(&mut parcel.ended) {
            self.report.members += 1;
            self.report.payload_bytes += ended.plain_size.unwrap_or(ended.size);
            self.pulse.member(ended.path.as_path(), ended.size)?;
            if let (Some(manifest), Some(hash)) = (&mut self.manifest, ended.hash) {
                let (path, size, plain_size) = (ended.path, ended.size, ended.plain_size);
                manifest.member(&Ended { path, size, plain_size, hash });
            }
        }
        Ok(parcel.into_buffer())
    }

    /// Ends the stream by its manifest.
    fn end(&mut self, options: &StreamOptions) -> Result<()> {
        self.end_members(options)?;
        match &mut self.outer {
            Some(outer) => outer.end(&mut self.sink, self.pulse),
            None => Ok(()),
        }
    }

    fn end_members(&mut self, options: &StreamOptions) -> Result<()> {
        let Some(mut manifest) = self.manifest.take() else {
            return if self.format == Format::Tar { self.write(&tar::END) } else { Ok(()) };
        };
        if options.pages.is_some() {
            let (all, damaged) = (self.report.pages.pages, self.report.pages.bad);
            manifest.pages(Pages { all, unchecked: self.report.pages.unchecked_pages(), damaged });
        }
        let text = manifest.finish();
        match self.format {
            Format::Xbstream => text.write_chunks(options.chunk_size, |chunk| self.write(chunk)),
            Format::Tar => text.write_tar_end(|piece| self.write(piece)),
        }
    }
}

/// Without readers, it packs and writes in turn.
impl Outlet for Pump<'_, '_, '_, '_> {
    fn ship(&mut self, parcel: Parcel) -> Result<Parcel> {
        self.send(parcel).map(Parcel::reuse)
    }

    fn tick(&mut self) -> Result<()> {
        self.pulse.tick()
    }
}

/// What readers and the calling thread share.
struct Shared<'t> {
    tasks: &'t dyn Tasks,
    full: Queue<Parcel>,
    empty: Queue<Box<[u8]>>,
    error: Mutex<Option<Error>>,
    readers: AtomicUsize,
    /// Whether there were several readers.
    many: bool,
    /// In a tar archive members stand one behind the other, which several readers must keep to.
    turnstile: Option<Turnstile>,
}

impl Shared<'_> {
    /// Ends all waits; parcels that are full can still be sent.
    fn stop(&self) {
        self.full.close();
        self.empty.close();
        self.tasks.stop();
        if let Some(turnstile) = &self.turnstile {
            turnstile.stop();
        }
    }

    /// Ends the job by an error; the first one counts.
    fn fail(&self, error: Error) {
        self.error.lock().get_or_insert(error);
        self.stop();
    }
}

/// Ends all waits of the readers when it goes.
struct StopReaders<'s, 't>(&'s Shared<'t>);

impl Drop for StopReaders<'_, '_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A reader's way to the calling thread.
struct ToPump<'s, 't> {
    shared: &'s Shared<'t>,
    /// The task being packed.
    task: usize,
}

impl Outlet for ToPump<'_, '_> {
    fn ship(&mut self, parcel: Parcel) -> Result<Parcel> {
        if let Some(turnstile) = &self.shared.turnstile {
            turnstile.wait(self.task)?;
        }
        self.shared.full.push(parcel).map_err(|_| stopped())?;
        self.shared.empty.pop().map(Parcel::reuse).ok_or_else(stopped)
    }

    fn tick(&mut self) -> Result<()> {
        if self.shared.full.is_closed() { Err(stopped()) } else { Ok(()) }
    }
}

/// What feeds the readers, beside them.
type Conductor<'c> = Box<dyn FnOnce(&Shared<'_>) + Send + 'c>;

fn on_workers(
    tasks: &dyn Tasks,
    options: &StreamOptions,
    coders: &Coders,
    pump: &mut Pump<'_, '_, '_, '_>,
    conductor: Option<Conductor<'_>>,
) -> Result<()> {
    let buffers = 2 * options.parallel + 2;
    let shared = Shared {
        tasks,
        full: Queue::new(buffers),
        empty: Queue::new(buffers),
        error: Mutex::new(None),
        readers: AtomicUsize::new(options.parallel),
        many: options.parallel > 1,
        turnstile: (options.format == Format::Tar && options.parallel > 1).then(Turnstile::default),
    };
    for _ in options.parallel..buffers {
        let _ = shared.empty.push(Parcel::new(options.chunk_size).into_buffer());
    }
    std::thread::scope(|scope| {
        // Whatever ends this, a panic of the observer included, the readers end too.
        let _stop = StopReaders(&shared);
        (0..options.parallel)
            .try_for_each(|number| {
                let shared = &shared;
                spawn_worker(scope, &format!("xbkit-read-{number}"), move || {
                    read(shared, options, coders);
                })
                .map(drop)
            })
            .and_then(|()| match conductor {
                Some(body) => {
                    let shared = &shared;
                    spawn_worker(scope, "xbkit-conduct", move || body(shared)).map(drop)
                }
                None => Ok(()),
            })
            .and_then(|()| drain(&shared, pump))
    })
}

/// Sends parcels until the last reader is done or one failed.
fn drain(shared: &Shared<'_>, pump: &mut Pump<'_, '_, '_, '_>) -> Result<()> {
    loop {
        match shared.full.pop_timeout(TICK) {
            Popped::Item(parcel) => {
                let buffer = pump.send(parcel)?;
                let _ = shared.empty.push(buffer);
            }
            Popped::Timeout => pump.pulse.tick()?,
            Popped::Closed => return shared.error.lock().take().map_or(Ok(()), Err),
        }
        // What a single reader read before it failed goes out, as if it wrote it itself.
        if shared.many
            && let Some(error) = shared.error.lock().take()
        {
            return Err(error);
        }
    }
}

/// A reader: takes one file after the other, the next that nobody has.
fn read(shared: &Shared<'_>, options: &StreamOptions, coders: &Coders) {
    let pack_all = || {
        let mut outlet = ToPump { shared, task: 0 };
        let parcel = Parcel::new(options.chunk_size);
        let mut packer = Packer::new(options, coders, &mut outlet, parcel);
        while let Some((number, task)) = shared.tasks.next(&mut || packer.flush())? {
            packer.outlet().task = number;
            packer.pack(&task)?;
            if let Some(turnstile) = &shared.turnstile {
                packer.flush()?;
                turnstile.wait(number)?;
                turnstile.pass(number);
            }
        }
        packer.finish()
    };
    let result = catch_unwind(AssertUnwindSafe(pack_all));
    if let Err(error) = result.unwrap_or_else(|panic| Err(Error::from_panic(&*panic))) {
        shared.fail(error);
    }
    if shared.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
        shared.full.close();
    }
}

/// What a reader meets after the job ended otherwise; the reason is reported there.
pub(super) fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the job ended")
}
