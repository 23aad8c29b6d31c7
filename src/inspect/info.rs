//! What backup a stream or a directory holds.

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cancel::CancelToken;
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::format::member::MemberPath;
use crate::format::xbstream::{Decoder, MAGIC};
use crate::io::layers::Stream;
use crate::io::pulse::{Beat, Pulse};
use crate::io::source::Source;
use crate::limits;
use crate::manifest::MANIFEST_NAME;
use crate::manifest::proof::Prover;
use crate::metadata::BackupInfo;
use crate::metadata::collect::Collector;
use crate::sys::dir::{self, WalkKind};
use crate::sys::file;

/// Bytes of a file that are read at once where nearly all is passed over: some headers of small
/// members fit, and little payload is read in vain.
const STEP: usize = 16 << 10;

/// A job that says what backup a stream or a directory holds: its type, server, LSNs, positions,
/// and what it lacks.
///
/// It reads as little as it can, so it verifies nothing unless it comes to the end of a stream
/// anyway; [`BackupInfo::proven`] tells.
///
/// * A regular file that is an xbstream without compression around it: chunk headers and the few files that say
///   something; payloads are passed over. Structure is checked, checksums are not.
/// * Anything else is read and verified as it comes, up to its end; a stream without a manifest
///   only until every file was found that is known to say something. What writes to a pipe sees
///   it closed then, as by `head`.
/// * Files that are compressed or encrypted each by itself are decoded.
/// * A directory: its root, `mysql`, `#innodb_redo`, and the few files.
#[derive(Clone, Debug, Default)]
pub struct Info {
    key: Option<Key>,
    cancel: Option<CancelToken>,
}

impl Info {
    /// Says all that is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of a layer of xbcrypt around the whole stream, and of files that are encrypted each by
    /// itself. Without it these are named in [`BackupInfo::unread`]; compression needs none.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Says what backup the stream holds that `input` gives.
    ///
    /// # Errors
    /// What the stream's structure gives, and with the file's name `Format`, `Unsupported` or
    /// `Limit` for a metadata file that cannot be read. Missing ones are no error.
    pub fn run(&self, input: &mut dyn Read, observer: &mut dyn Observer) -> Result<BackupInfo> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        read_through(Source::from_reader(input, pulse.clone()), self.key.as_ref(), &pulse)
    }

    /// Says what backup the stream holds that can be read from a descriptor, which is borrowed
    /// and keeps its flags; that of a regular file may keep its position, too.
    ///
    /// # Errors
    /// As [`Info::run`].
    pub fn run_fd(&self, input: BorrowedFd<'_>, observer: &mut dyn Observer) -> Result<BackupInfo> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        let source = Source::from_fd(input, pulse.clone())?;
        match Walk::of(input)? {
            Some(walk) => walk.run(self.key.as_ref(), &pulse),
            None => read_through(source, self.key.as_ref(), &pulse),
        }
    }

    /// Says what backup a directory holds: one that was extracted, or a server's data directory.
    ///
    /// # Errors
    /// `InvalidState` for an extraction that did not finish, what reading gives, and as
    /// [`Info::run`] for metadata files.
    pub fn run_dir(&self, dir: impl AsRef<Path>) -> Result<BackupInfo> {
        let check = || self.cancel.as_ref().map_or(Ok(()), CancelToken::check);
        of_dir(dir.as_ref(), self.key.as_ref(), &check)
    }
}

/// Reads a stream until nothing more can be learned of it.
fn read_through(source: Source<'_>, key: Option<&Key>, pulse: &Pulse<'_>) -> Result<BackupInfo> {
    // What an archive holds can be said, however it ends.
    let Stream { input: mut reader, mut decoder, layers } = Stream::open(source, true, key)?;
    let mut collector = Collector::default().with_key(key);
    let mut prover = Prover::default();
    let mut buffer = vec![0; limits::READ_SIZE];
    let mut info = loop {
        let count = reader.read(&mut buffer).map_err(read_error)?;
        if count == 0 {
            decoder.finish()?;
            let is_proven = prover.finish(&decoder)?;
            let mut info = collector.finish(Some(decoder.announces_manifest()));
            info.proven = Some(is_proven);
            break info;
        }
        let mut input = buffer.get(..count).unwrap_or_default();
        loop {
            let step = decoder.decode(input)?;
            input = input.get(step.consumed..).unwrap_or_default();
            let Some(item) = step.item else { break };
            prover.follow(&item, &decoder)?;
            collector.follow(&item)?;
        }
        // A manifest is worth the way: it proves what was read.
        if collector.is_done() && !decoder.announces_manifest() {
            break collector.interrupt(Some(false));
        }
    };
    pulse.last_progress()?;
    info.layers = layers;
    Ok(info)
}

/// A regular file, walked from chunk header to chunk header.
struct Walk {
    file: std::fs::File,
    at: u64,
    end: u64,
}

impl Walk {
    /// A walk through the file behind a descriptor; `None` if it is no regular file, or begins as
    /// no xbstream does.
    fn of(fd: BorrowedFd<'_>) -> Result<Option<Self>> {
        let Some((file, at)) = file::by_offset(fd).map_err(read_error)? else { return Ok(None) };
        let end = file::facts(&file).map_err(read_error)?.fingerprint.size;
        let mut walk = Self { file, at, end };
        let mut start = [0; MAGIC.len()];
        let count = walk.read(&mut start)?;
        walk.at = at;
        Ok((count == start.len() && start == MAGIC).then_some(walk))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        use std::os::unix::fs::FileExt;
        loop {
            match self.file.read_at(buffer, self.at) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => {
                    let count = result.map_err(read_error)?;
                    self.at += count as u64;
                    return Ok(count);
                }
            }
        }
    }

    fn run(mut self, key: Option<&Key>, pulse: &Pulse<'_>) -> Result<BackupInfo> {
        let mut decoder = Decoder::new();
        let mut collector = Collector::default().with_key(key);
        let mut buffer = vec![0; STEP];
        loop {
            pulse.tick()?;
            let count = self.read(&mut buffer)?;
            if count == 0 {
                decoder.finish()?;
                pulse.last_progress()?;
                return Ok(collector.finish(Some(decoder.announces_manifest())));
            }
            pulse.add_stream_bytes(count);
            let mut input = buffer.get(..count).unwrap_or_default();
            loop {
                let step = decoder.decode(input)?;
                input = input.get(step.consumed..).unwrap_or_default();
                let Some(item) = step.item else { break };
                collector.follow(&item)?;
            }
            self.pass_over(&mut decoder, &collector, pulse);
        }
    }

    /// Passes over payload that nobody wants, but never behind the end of the file: a stream that
    /// was cut is to be seen as cut.
    fn pass_over(&mut self, decoder: &mut Decoder, collector: &Collector, pulse: &Pulse<'_>) {
        let Some(ahead) = decoder.ahead() else { return };
        if ahead.member.is_some_and(|id| collector.wants(id, ahead.offset)) {
            return;
        }
        let len = ahead.len.min(self.end.saturating_sub(self.at));
        decoder.skip(len);
        self.at += len;
        pulse.add_stream_bytes(usize::try_from(len).unwrap_or(usize::MAX));
    }
}

fn of_dir(dir: &Path, key: Option<&Key>, check: &dyn Fn() -> Result<()>) -> Result<BackupInfo> {
    let mut collector = Collector::default().with_key(key);
    let mut manifest = false;
    for entry in list(dir)? {
        check()?;
        let name = entry.name.as_bytes();
        let path = dir.join(&entry.name);
        match entry.kind {
            _ if name == b".xbkit-partial" || name == b".xbkit-incomplete" => {
                let message = "an extraction into this directory did not finish";
                return Err(Error::new(ErrorKind::InvalidState, message).at_path(path));
            }
            WalkKind::File { .. } => {
                manifest |= name == MANIFEST_NAME.as_bytes();
                collector.file(name);
                read_if_wanted(&mut collector, name, &path)?;
            }
            WalkKind::Directory { .. } if name == b"mysql" || name == b"#innodb_redo" => {
                for below in list(&path)? {
                    if let WalkKind::File { .. } = below.kind {
                        collector.file(&[name, b"/", below.name.as_bytes()].concat());
                    }
                }
            }
            _ => {}
        }
    }
    let mut info = collector.finish(Some(manifest));
    // Neither was counted.
    (info.members, info.payload_bytes) = (None, None);
    Ok(info)
}

fn read_if_wanted(collector: &mut Collector, name: &[u8], path: &Path) -> Result<()> {
    let Some(len) = Collector::wanted_of(name) else { return Ok(()) };
    // A byte more shows that there are too many.
    let bytes = file::read_head(path, len + 1)
        .map_err(|error| Error::io(ErrorKind::Source, "reading the file", error).at_path(path))?;
    collector.contents(&MemberPath::new(name)?, &bytes).map_err(|error| error.at_path(path))
}

fn list(dir: &Path) -> Result<Vec<dir::WalkEntry>> {
    dir::list_resolved(dir)
        .map_err(|error| Error::io(ErrorKind::Source, "listing the directory", error).at_path(dir))
}

fn read_error(error: std::io::Error) -> Error {
    Error::io(ErrorKind::Source, "reading the stream", error)
}
