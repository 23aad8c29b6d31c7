//! The story of an extraction.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use super::pattern::Selection;
use super::root::Root;
use super::workers::{Op, Workers};
use super::writer::MemberWriter;
use super::{Extract, ExtractReport};
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::{Decoder, Item};
use crate::io::layers::Layered;
use crate::io::pulse::Pulse;
use crate::io::source::Source;
use crate::limits;
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
        pulse,
        selection: Selection::new(&job.patterns),
        skipped_open: HashSet::new(),
        report: ExtractReport::default(),
    };
    let (mut reader, _) = Layered::peel(source)?;
    if job.parallel == 1 {
        unpack.on_this_thread(&mut reader)?;
    } else {
        unpack.on_workers(&mut reader, job.parallel)?;
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

/// What both ways of writing share.
struct Unpack<'r, 'p, 'a> {
    root: &'r Root,
    pulse: &'p Pulse<'a>,
    selection: Selection,
    /// Open members that no pattern asked for.
    skipped_open: HashSet<MemberId>,
    report: ExtractReport,
}

impl Unpack<'_, '_, '_> {
    fn on_this_thread(&mut self, reader: &mut dyn Read) -> Result<()> {
        let mut writer = MemberWriter::new(self.root, open_files());
        let mut decoder = Decoder::new();
        let mut buffer = vec![0; limits::READ_SIZE];
        loop {
            let count = read(reader, &mut buffer)?;
            if count == 0 {
                return decoder.finish();
            }
            let mut input = buffer.get(..count).unwrap_or_default();
            loop {
                let step = decoder.decode(input)?;
                input = input.get(step.consumed..).unwrap_or_default();
                match step.item {
                    None => break,
                    Some(item) => self.apply(item, &mut writer)?,
                }
            }
        }
    }

    fn apply(&mut self, item: Item<'_>, writer: &mut MemberWriter<'_>) -> Result<()> {
        match item {
            Item::Open { id, path, rewrite } => {
                let wanted = self.begins(id, &path, rewrite)?;
                return if wanted { writer.open(id, path) } else { Ok(()) };
            }
            Item::Data { id, offset, bytes } if self.is_wanted(id) => {
                writer.write(id, offset, bytes)?;
            }
            Item::Close { id, path, size } if self.ends(id, size) => {
                writer.close(id, size)?;
                self.pulse.member(path.as_path(), size)?;
            }
            Item::Rename { from, to, replaces } => self.rename(&from, &to, replaces)?,
            Item::Remove { path } => self.remove(&path)?,
            // A hole is what is not written; the file's length is set at its end.
            _ => {}
        }
        Ok(())
    }

    fn on_workers(&mut self, reader: &mut dyn Read, parallel: usize) -> Result<()> {
        let root = self.root;
        // Each worker needs a descriptor at least.
        let open_files = open_files();
        let parallel = parallel.min(open_files);
        std::thread::scope(|scope| {
            let buffers = (2 * parallel + 2, limits::READ_SIZE);
            let mut workers =
                Workers::start(scope, root, parallel, open_files, buffers, self.pulse)?;
            let mut decoder = Decoder::new();
            loop {
                let mut buffer = workers.buffer(self.pulse)?;
                let count = read(reader, buffer.bytes_mut())?;
                if count == 0 {
                    decoder.finish()?;
                    return workers.barrier(self.pulse);
                }
                let buffer = Arc::new(buffer);
                let mut at = 0;
                loop {
                    let input = buffer.bytes().get(at..count).unwrap_or_default();
                    let step = decoder.decode(input)?;
                    at += step.consumed;
                    match step.item {
                        None => break,
                        Some(Item::Data { id, offset, bytes }) if self.is_wanted(id) => {
                            let range = at - bytes.len()..at;
                            let op = Op::Write { id, offset, buffer: Arc::clone(&buffer), range };
                            workers.add(id, op, self.pulse)?;
                        }
                        Some(item) => self.hand_over(item, &mut workers)?,
                    }
                }
                workers.flush(self.pulse)?;
            }
        })
    }

    fn hand_over(&mut self, item: Item<'_>, workers: &mut Workers) -> Result<()> {
        match item {
            Item::Open { id, path, rewrite } => {
                if rewrite {
                    workers.barrier(self.pulse)?;
                }
                if self.begins(id, &path, rewrite)? {
                    workers.add(id, Op::Open { id, path }, self.pulse)?;
                }
            }
            Item::Close { id, path, size } if self.ends(id, size) => {
                workers.add(id, Op::Close { id, path, size }, self.pulse)?;
            }
            Item::Rename { from, to, replaces } => {
                workers.barrier(self.pulse)?;
                self.rename(&from, &to, replaces)?;
            }
            Item::Remove { path } => {
                workers.barrier(self.pulse)?;
                self.remove(&path)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a member that begins is wanted; then its place is free.
    fn begins(&mut self, id: MemberId, path: &MemberPath, rewrite: bool) -> Result<bool> {
        if !self.selection.wants(path.as_path()) {
            self.skipped_open.insert(id);
            return Ok(false);
        }
        if rewrite && self.root.made(path) {
            self.root.remove(path)?;
            self.report.members -= 1;
        }
        Ok(true)
    }

    fn is_wanted(&self, id: MemberId) -> bool {
        self.skipped_open.is_empty() || !self.skipped_open.contains(&id)
    }

    /// Whether a member that ends is wanted.
    fn ends(&mut self, id: MemberId, size: u64) -> bool {
        if !self.skipped_open.is_empty() && self.skipped_open.remove(&id) {
            self.report.skipped += 1;
            return false;
        }
        self.report.members += 1;
        self.report.payload_bytes += size;
        true
    }

    fn rename(&mut self, from: &MemberPath, to: &MemberPath, replaces: bool) -> Result<()> {
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

    fn remove(&mut self, path: &MemberPath) -> Result<()> {
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
