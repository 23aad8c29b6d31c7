//! The story of an extraction.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use super::hands::{Desk, End, Hands, OwnHands, Piece, Target, Use};
use super::pattern::Selection;
use super::root::Root;
use super::units::Decoders;
use super::workers::Workers;
use super::{Extract, ExtractReport};
use crate::error::{Error, ErrorKind, Result};
use crate::format::any::AnyDecoder;
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::Item;
use crate::io::layers::Stream;
use crate::io::pulse::Pulse;
use crate::io::source::Source;
use crate::io::unpack::{Decoding, Layers};
use crate::limits;
use crate::manifest::MANIFEST_NAME;
use crate::manifest::proof::Proof;
use crate::metadata::collect::Watch;
use crate::sys::fd::open_file_limit;

/// Most descriptors for members' files.
const MAX_OPEN_FILES: u64 = 1024;

pub(super) fn extract(
    job: &Extract,
    source: Source<'_>,
    pulse: &Pulse<'_>,
) -> Result<ExtractReport> {
    let root = if job.in_place {
        Root::in_place(&job.dir)?
    } else {
        Root::staged(&job.dir, job.overwrite)?
    };
    let mut unpack = Unpack {
        root: &root,
        decoding: &job.decoding,
        pulse,
        selection: Selection::new(&job.patterns),
        skipped_open: HashSet::new(),
        decoded_open: HashMap::new(),
        proof: Proof::default(),
        watch: Some(Watch::new(job.require_backup, job.decoding.key.as_ref())),
        report: ExtractReport::default(),
    };
    let Stream { input: mut reader, mut decoder, .. } =
        Stream::open(source, job.missing_end, job.decoding.key.as_ref())?;
    match job.threads() {
        1 => unpack.on_this_thread(&mut reader, &mut decoder)?,
        threads => unpack.on_workers(&mut reader, &mut decoder, threads)?,
    }
    unpack.selection.check_all_used()?;
    let mut report = unpack.report;
    report.stream_bytes = pulse.progress().stream_bytes;
    // The last event, as the observer may still break; behind it nothing can be taken back.
    pulse.last_progress()?;
    if job.sync {
        root.sync()?;
        pulse.check()?;
    }
    root.publish(job.sync, job.overwrite)?;
    Ok(report)
}

/// Follows the stream, whoever writes.
struct Unpack<'r, 'p, 'a> {
    root: &'r Root,
    decoding: &'r Decoding,
    pulse: &'p Pulse<'a>,
    selection: Selection,
    /// Open members that no pattern asked for.
    skipped_open: HashSet<MemberId>,
    /// Open members whose layers are taken off, and the names of their files.
    decoded_open: HashMap<MemberId, MemberPath>,
    proof: Proof,
    /// `None` when the stream has ended.
    watch: Option<Watch>,
    report: ExtractReport,
}

impl Unpack<'_, '_, '_> {
    fn on_this_thread(&mut self, reader: &mut dyn Read, decoder: &mut AnyDecoder) -> Result<()> {
        let decoders = Arc::new(Decoders::new(0, self.decoding.key.as_ref()));
        let desk = Desk::new((self.root, self.decoding), decoders, open_files());
        let mut hands = OwnHands { desk, pulse: self.pulse };
        let mut buffer = vec![0; limits::READ_SIZE];
        loop {
            let count = read(reader, &mut buffer)?;
            if count == 0 {
                return self.end(decoder, &mut hands);
            }
            self.follow(buffer.get(..count).unwrap_or_default(), decoder, &mut hands)?;
        }
    }

    fn on_workers(
        &mut self,
        reader: &mut dyn Read,
        decoder: &mut AnyDecoder,
        parallel: usize,
    ) -> Result<()> {
        let (place, pulse) = ((self.root, self.decoding), self.pulse);
        // Each worker needs a descriptor at least.
        let open_files = open_files();
        let parallel = parallel.min(open_files);
        std::thread::scope(|scope| {
            let buffers = (2 * parallel + 2, limits::READ_SIZE);
            let mut workers = Workers::start(scope, place, parallel, open_files, buffers, pulse)?;
            loop {
                let mut buffer = workers.buffer()?;
                let count = read(reader, buffer.bytes_mut())?;
                if count == 0 {
                    return self.end(decoder, &mut workers);
                }
                let buffer = Arc::new(buffer);
                workers.begin_buffer(&buffer);
                let input = buffer.bytes().get(..count).unwrap_or_default();
                self.follow(input, decoder, &mut workers)?;
                workers.flush()?;
            }
        })
    }

    /// Decodes what was read, and has it written.
    fn follow(
        &mut self,
        input: &[u8],
        decoder: &mut AnyDecoder,
        hands: &mut dyn Hands,
    ) -> Result<()> {
        let mut at = 0;
        loop {
            let step = decoder.decode(input.get(at..).unwrap_or_default())?;
            at += step.consumed;
            match step.item {
                None => return Ok(()),
                Some(item) => self.apply(item, at, decoder, hands)?,
            }
        }
    }

    /// Does what an item says, of which data ends `at` this place of the input.
    fn apply(
        &mut self,
        item: Item<'_>,
        at: usize,
        decoder: &AnyDecoder,
        hands: &mut dyn Hands,
    ) -> Result<()> {
        if let Item::Open { path, .. } = &item
            && path.as_bytes() == MANIFEST_NAME.as_bytes()
        {
            // What it says is compared with what all members before it came to.
            self.settle(hands)?;
        }
        if let Some(watch) = &mut self.watch {
            watch.follow(&item)?;
        }
        let is_manifest = self.proof.follow(&item, decoder)?;
        let hash = decoder.announces_manifest() && !is_manifest;
        match item {
            Item::Open { id, path, rewrite } => {
                if rewrite {
                    self.settle(hands)?;
                }
                let layers = self.decoding.of(&path, decoder.opens_coded())?;
                let write = self.begins(id, &path, layers.as_ref(), rewrite)?;
                let target = match layers {
                    None => Target::AsIs(path),
                    Some(layers) => {
                        if write {
                            self.decoded_open.insert(id, layers.path.clone());
                        }
                        Target::Decoded(layers)
                    }
                };
                hands.open(id, target, Use { write, hash })
            }
            Item::Data { id, offset, bytes } => {
                let piece = Piece { id, offset, bytes, range: at - bytes.len()..at };
                hands.data(piece, Use { write: self.is_wanted(id), hash })
            }
            Item::Close { id, path, size } => {
                let file = self.decoded_open.remove(&id);
                let plain_size = if file.is_some() { None } else { Some(size) };
                let write = self.ends(id, plain_size, is_manifest);
                let place = hash.then(|| self.proof.ends());
                let report = write && !is_manifest;
                hands.close(End { id, path, size, place, decoded: file, report }, write)
            }
            Item::Rename { from, to, replaces } => {
                self.settle(hands)?;
                self.rename(&from, &to, replaces)
            }
            Item::Remove { path } => {
                self.settle(hands)?;
                self.remove(&path)
            }
            Item::Directory { path } => self.directory(&path),
            // A hole is what is not written; the file's length is set at its end.
            Item::Hole { .. } => Ok(()),
        }
    }

    /// Makes a directory, for one in which there may be nothing. Patterns ask for members, and
    /// these make their directories themselves.
    fn directory(&mut self, path: &MemberPath) -> Result<()> {
        if self.selection.is_all() { self.root.make_directory(path) } else { Ok(()) }
    }

    /// Waits until everything so far is done, and takes note of what it came to.
    fn settle(&mut self, hands: &mut dyn Hands) -> Result<()> {
        for (place, print) in hands.settle()? {
            self.proof.set(place, print);
        }
        self.report.payload_bytes += hands.decoded_bytes();
        Ok(())
    }

    /// The stream has ended.
    fn end(&mut self, decoder: &mut AnyDecoder, hands: &mut dyn Hands) -> Result<()> {
        decoder.finish()?;
        self.settle(hands)?;
        self.report.proven = self.proof.finish(decoder)?;
        if let Some(watch) = self.watch.take() {
            self.report.backup = watch.finish(decoder.announces_manifest())?;
        }
        Ok(())
    }

    /// Whether a member that begins is wanted; then its place is free.
    fn begins(
        &mut self,
        id: MemberId,
        path: &MemberPath,
        layers: Option<&Layers>,
        rewrite: bool,
    ) -> Result<bool> {
        let file = layers.map_or(path, |layers| &layers.path);
        let wanted = self.selection.wants(file.as_path())
            || (layers.is_some() && self.selection.wants(path.as_path()));
        if !wanted {
            self.skipped_open.insert(id);
            return Ok(false);
        }
        if rewrite && self.root.made(file) {
            self.root.remove(file)?;
            self.report.members -= 1;
        }
        Ok(true)
    }

    fn is_wanted(&self, id: MemberId) -> bool {
        self.skipped_open.is_empty() || !self.skipped_open.contains(&id)
    }

    /// Whether a member that ends is wanted. The manifest is not counted, nor are the bytes of
    /// members that are decoded: their number is known later.
    fn ends(&mut self, id: MemberId, size: Option<u64>, is_manifest: bool) -> bool {
        let wanted = self.skipped_open.is_empty() || !self.skipped_open.remove(&id);
        match (wanted, is_manifest) {
            (_, true) => {}
            (false, _) => self.report.skipped += 1,
            (true, _) => {
                self.report.members += 1;
                self.report.payload_bytes += size.unwrap_or(0);
            }
        }
        wanted
    }

    fn rename(&mut self, from: &MemberPath, to: &MemberPath, replaces: bool) -> Result<()> {
        let (from, to) = (&self.file_of(from)?, &self.file_of(to)?);
        // A member that no pattern asked for has no file.
        if !self.root.made(from) {
            if self.selection.wants(to.as_path()) {
                let message =
                    format!("a pattern asks for this, but not for its first name, {from}");
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .at_path(to)
                    .hint("extract without patterns, or with one for both names"));
            }
            return Ok(());
        }
        let replaces = replaces && self.root.made(to);
        self.root.rename(from, to, replaces)?;
        self.report.members -= u64::from(replaces);
        Ok(())
    }

    /// The name of the file that a closed member was written into.
    fn file_of(&self, path: &MemberPath) -> Result<MemberPath> {
        let layers = self.decoding.of(path, None)?;
        Ok(layers
            .map(|layers| layers.path)
            .filter(|_| !self.root.made(path))
            .unwrap_or_else(|| path.clone()))
    }

    fn remove(&mut self, path: &MemberPath) -> Result<()> {
        let path = &self.file_of(path)?;
        if self.root.made(path) {
            self.root.remove(path)?;
            self.report.members -= 1;
        }
        Ok(())
    }
}

fn read(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    reader.read(buffer).map_err(|error| Error::io(ErrorKind::Source, "reading the stream", error))
}

/// Half of the process's descriptors: the other half is the caller's.
fn open_files() -> usize {
    usize::try_from((open_file_limit() / 2).clamp(4, MAX_OPEN_FILES)).unwrap_or(4)
}
