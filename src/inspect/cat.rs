//! One member's bytes out of a stream.

use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::store::Store;
use crate::cancel::CancelToken;
use crate::codec::stack::layers_of;
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::format::any::AnyDecoder;
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::Coded;
use crate::format::xbstream::Item;
use crate::io::layers::Stream;
use crate::io::pulse::Pulse;
use crate::io::sink::Sink;
use crate::io::source::Source;
use crate::io::unpack::{Decoding, Layers, Unpackers};
use crate::limits;
use crate::manifest::proof::Prover;

/// A job that writes the bytes of one member somewhere.
///
/// A member that is compressed or encrypted by itself is decoded, unless [`Cat::raw`] is set: by its
/// name without suffixes in every stream (but for `.gz`, which XtraBackup never writes), and by its
/// whole name in those that say themselves how members are coded, as xbkit's do.
///
/// The whole stream is read and verified, as by [`Verify`](crate::Verify) with `allow_unproven`.
/// A member of up to [`limits::CAT_MEMORY`] bytes is written only then. A larger one of a stream
/// with a manifest is written as it comes. In other streams MariaDB's chunks may still change a
/// member that has ended, so it waits in a file without a name, up to [`Cat::max_spool`] and
/// while there is space; one that is larger yet is written as it comes, and a change that comes too
/// late is an error. **An error
/// may come after bytes were written: they are not to be used then.**
///
/// Memory: [`limits::CAT_MEMORY`], and as [`StreamReader`](crate::StreamReader).
#[derive(Clone, Debug)]
pub struct Cat {
    member: MemberPath,
    tmpdir: PathBuf,
    max_spool: u64,
    raw: bool,
    missing_end: bool,
    key: Option<Key>,
    cancel: Option<CancelToken>,
}

/// What a [`Cat`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatReport {
    /// Bytes of the member.
    pub size: u64,
    /// Bytes read from the source, as they came: compressed, if there was an outer layer.
    pub stream_bytes: u64,
    /// Whether the stream was proven to be complete and unchanged, by a manifest in it.
    pub proven: bool,
}

impl Cat {
    /// Writes this member: its path in the stream, with or without the suffixes of codecs. The
    /// [manifest](crate::manifest) is a member, too.
    ///
    /// # Errors
    /// `UnsafePath` for what no member can be called.
    pub fn new(member: impl AsRef<Path>) -> Result<Self> {
        Ok(Self {
            member: MemberPath::new(member.as_ref().as_os_str().as_bytes())?,
            tmpdir: PathBuf::from("/tmp"),
            max_spool: limits::CONVERT_SPOOL,
            raw: false,
            missing_end: false,
            key: None,
            cancel: None,
        })
    }

    /// Where a member waits that does not fit into memory; `/tmp` unless set.
    pub fn tmpdir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.tmpdir);
        self
    }

    /// Most bytes of a member that wait, [`limits::CONVERT_SPOOL`] unless set. Up to
    /// [`limits::CAT_MEMORY`] wait in any case.
    pub fn max_spool(mut self, bytes: u64) -> Self {
        self.max_spool = bytes;
        self
    }

    /// Writes the member's bytes as the stream stores them; its path is that with all suffixes.
    pub fn raw(mut self, raw: bool) -> Self {
        self.raw = raw;
        self
    }

    /// Whether a tar archive may end without its two blocks of zeros, so that one that was cut
    /// behind a member passes for whole.
    pub fn allow_missing_end(mut self, allow: bool) -> Self {
        self.missing_end = allow;
        self
    }

    /// The key of a layer of xbcrypt around the whole stream, or of the member if that is encrypted
    /// by itself.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Reads the stream that `input` gives, to its end.
    ///
    /// # Errors
    /// `Key` and `Decrypt` for a member that is encrypted with no or another key; `NotFound` if the
    /// stream has no such member; `Unsupported` if it only gets the name by a
    /// rename; `Limit` if the stream changes what was given already; what verifying gives, and
    /// the output, and the spool.
    pub fn run(
        &self,
        input: &mut dyn Read,
        output: &mut dyn Write,
        observer: &mut dyn Observer,
    ) -> Result<CatReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        let source = Source::from_reader(input, pulse.clone());
        self.run_through(source, Sink::from_writer(output, pulse.clone()), &pulse)
    }

    /// The same between descriptors, which are borrowed and keep their flags.
    pub fn run_fd(
        &self,
        input: BorrowedFd<'_>,
        output: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<CatReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        let source = Source::from_fd(input, pulse.clone())?;
        self.run_through(source, Sink::from_fd(output, pulse.clone())?, &pulse)
    }

    fn run_through(
        &self,
        source: Source<'_>,
        sink: Sink<'_>,
        pulse: &Pulse<'_>,
    ) -> Result<CatReport> {
        let decoding = Decoding { key: self.key.clone(), ..Decoding::default() };
        let mut search = Search {
            wanted: &self.member,
            decoding: (!self.raw).then_some(&decoding),
            unpackers: Unpackers::new(&decoding),
            store: Store::new(&self.tmpdir, self.max_spool),
            sink: sink.uncounted(),
            open: None,
            found: None,
            stored_as: None,
        };
        let result = search.read(source, self.missing_end, self.key.as_ref());
        if let Err(error) = result {
            let given = search.store.given();
            if given > 0 && error.kind() != ErrorKind::Cancelled {
                pulse.warn(&format!(
                    "{given} bytes of the member were written before this failed: do not use them"
                ))?;
            }
            return Err(error);
        }
        let report = CatReport { stream_bytes: pulse.progress().stream_bytes, ..result? };
        pulse.last_progress()?;
        Ok(report)
    }
}

/// Looks for a member in a stream.
struct Search<'s, 'a> {
    wanted: &'s MemberPath,
    /// How layers come off the member, if they do.
    decoding: Option<&'s Decoding>,
    unpackers: Unpackers<'s>,
    store: Store,
    sink: Sink<'a>,
    open: Option<MemberId>,
    /// The size of the member that has the name now.
    found: Option<u64>,
    /// A member that would have the name without its suffixes.
    stored_as: Option<MemberPath>,
}

impl Search<'_, '_> {
    fn read(
        &mut self,
        source: Source<'_>,
        missing_end: bool,
        key: Option<&Key>,
    ) -> Result<CatReport> {
        let Stream { input: mut reader, mut decoder, .. } = Stream::open(source, missing_end, key)?;
        let mut prover = Prover::default();
        let mut buffer = vec![0; limits::READ_SIZE];
        loop {
            let count = reader
                .read(&mut buffer)
                .map_err(|error| Error::io(ErrorKind::Source, "reading the stream", error))?;
            if count == 0 {
                break;
            }
            let mut input = buffer.get(..count).unwrap_or_default();
            loop {
                let step = decoder.decode(input)?;
                input = input.get(step.consumed..).unwrap_or_default();
                let Some(item) = step.item else { break };
                prover.follow(&item, &decoder)?;
                self.follow(&item, &decoder)?;
            }
        }
        decoder.finish()?;
        let is_proven = prover.finish(&decoder)?;
        let size = self.found.ok_or_else(|| self.not_found())?;
        self.store.give(&mut self.sink)?;
        self.sink.flush()?;
        Ok(CatReport { size, stream_bytes: 0, proven: is_proven })
    }

    fn follow(&mut self, item: &Item<'_>, decoder: &AnyDecoder) -> Result<()> {
        match item {
            Item::Data { id, offset, bytes } if self.open == Some(*id) => {
                let (store, sink) = (&mut self.store, &mut self.sink);
                let is_coded = self
                    .unpackers
                    .data(*id, *offset, bytes, &mut |at, plain| store.put(at, plain, sink))?;
                if is_coded { Ok(()) } else { store.put(*offset, bytes, sink) }
            }
            Item::Open { id, path, .. } if self.is_wanted(path) => {
                let layers = self.layers(path, decoder.opens_coded())?;
                if layers.is_none() && path != self.wanted {
                    return Ok(());
                }
                if decoder.announces_manifest() {
                    // Who makes such streams takes nothing back.
                    self.store.set_cap(0);
                }
                self.store.reset()?;
                (self.open, self.found) = (Some(*id), None);
                layers.map_or(Ok(()), |layers| self.unpackers.open(*id, &layers))
            }
            Item::Close { id, size, .. } if self.open == Some(*id) => {
                let size = self.unpackers.close(*id, *size)?.unwrap_or(*size);
                (self.open, self.found) = (None, Some(size));
                self.store.end(size, &mut self.sink)
            }
            Item::Close { path, .. } => {
                let (layers, plain) = layers_of(path.as_bytes());
                if !layers.is_empty() && plain == self.wanted.as_bytes() {
                    self.stored_as = Some(path.clone());
                }
                Ok(())
            }
            Item::Remove { path } if path == self.wanted => self.take_back(),
            Item::Rename { from, .. } if from == self.wanted => self.take_back(),
            Item::Rename { from, to, .. } if to == self.wanted => {
                let message =
                    format!("the stream gives this name to a member that begins as {from}");
                Err(Error::new(ErrorKind::Unsupported, message)
                    .at_path(to)
                    .hint("extract the stream; its members then have their last names"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a member has the wanted name, or that with suffixes.
    fn is_wanted(&self, path: &MemberPath) -> bool {
        let (path, wanted) = (path.as_bytes(), self.wanted.as_bytes());
        path == wanted || (path.starts_with(wanted) && layers_of(path).1 == wanted)
    }

    /// The layers that come off a member with the wanted name, or that with suffixes.
    fn layers(&self, path: &MemberPath, said: Option<Coded>) -> Result<Option<Layers>> {
        let Some(decoding) = self.decoding else { return Ok(None) };
        if path == self.wanted && said.is_none() {
            return Ok(None); // a data directory may hold a `dump.sql.zst`
        }
        let layers = decoding.of(path, said)?;
        Ok(layers.filter(|layers| path == self.wanted || layers.path == *self.wanted))
    }

    fn take_back(&mut self) -> Result<()> {
        self.found = None;
        self.store.reset()
    }

    fn not_found(&self) -> Error {
        let error = Error::new(ErrorKind::NotFound, "the stream has no member of this name")
            .at_path(self.wanted);
        match &self.stored_as {
            Some(path) => error.hint(format!("as it is stored, it is there as {path}")),
            None => error.hint("xbkit list names them all"),
        }
    }
}
