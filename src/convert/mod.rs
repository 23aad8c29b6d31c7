//! Converting a stream from one format into the other, or anew into its own.
//!
//! The new stream gets a manifest of its own, and its end only when the old one was read to its
//! proper end and, if it had a manifest, was proven. A tar archive needs each member's size before
//! its bytes, so members of an xbstream wait in a spool until they end; a tar archive is converted
//! as it comes.
//!
//! MariaDB's chunks can rename, remove and rewrite members that ended. A stream that does so is
//! refused when it happens, unless [`Convert::spool_all`] lets every member wait for the end.
//!
//! An xbstream holds no directories. One without files in it is kept as XtraBackup keeps an empty
//! database, by an empty `db.opt`, if it lies at the top; others are lost, with a warning.
//!
//! Memory: 1 MiB, what the decoder holds, and up to 1 MiB for each member that waits, 64 MiB in all.

mod held;
mod run;

use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use crate::cancel::CancelToken;
use crate::codec::xbcrypt::Key;
use crate::error::Result;
use crate::event::Observer;
use crate::format::any::Format;
use crate::io::pulse::Pulse;
use crate::io::sink::Sink;
use crate::io::source::Source;
use crate::limits;

/// A job that converts a stream. See the [module](self).
#[derive(Clone, Debug)]
pub struct Convert {
    to: Format,
    tmpdir: PathBuf,
    max_spool: u64,
    spool_all: bool,
    chunk_size: usize,
    manifest: bool,
    missing_end: bool,
    key: Option<Key>,
    cancel: Option<CancelToken>,
}

/// What a conversion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertReport {
    /// Members of the new stream, less the manifest.
    pub members: u64,
    /// Bytes of all members, holes included.
    pub payload_bytes: u64,
    /// Bytes of the new stream.
    pub stream_bytes: u64,
    /// Whether the old stream was proven to be complete and unchanged, by a manifest in it.
    pub proven: bool,
}

impl Convert {
    /// Converts a stream of either format into this one.
    pub fn to(format: Format) -> Self {
        Self {
            to: format,
            tmpdir: PathBuf::from("/tmp"),
            max_spool: limits::CONVERT_SPOOL,
            spool_all: false,
            chunk_size: limits::CHUNK_SIZE,
            manifest: true,
            missing_end: false,
            key: None,
            cancel: None,
        }
    }

    /// Where members wait that do not fit into memory, in files without names. `/tmp` unless set.
    pub fn tmpdir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.tmpdir = dir.into();
        self
    }

    /// Most bytes that may wait at once, in memory and files. 64 GiB unless set.
    pub fn max_spool(mut self, bytes: u64) -> Self {
        self.max_spool = bytes;
        self
    }

    /// Whether every member waits for the end of the stream, for streams that rename, remove or
    /// rewrite members that ended.
    pub fn spool_all(mut self, all: bool) -> Self {
        self.spool_all = all;
        self
    }

    /// Payload bytes of a chunk of the new stream, 64 KiB to 64 MiB.
    pub fn chunk_size(mut self, bytes: usize) -> Self {
        self.chunk_size = bytes;
        self
    }

    /// Whether the new stream ends in a [manifest](crate::manifest). On by default.
    pub fn manifest(mut self, manifest: bool) -> Self {
        self.manifest = manifest;
        self
    }

    /// Whether a tar archive may end without its two blocks of zeros, so that one that was cut
    /// behind a member passes for whole. Some writers leave them out.
    pub fn allow_missing_end(mut self, allow: bool) -> Self {
        self.missing_end = allow;
        self
    }

    /// The key of a layer of xbcrypt around the whole stream. What is encrypted member by member stays
    /// as it is, and needs none.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// The token that ends the job, if it was given one.
    pub fn token(&self) -> Option<CancelToken> {
        self.cancel.clone()
    }

    /// Converts from a reader into a writer, on the calling thread.
    ///
    /// # Errors
    /// What reading and writing streams give; `Limit` for more than may wait, `Unsupported` for a
    /// stream that changes members that ended. The new stream is then unfinished, and its reader
    /// must be told.
    pub fn run(
        &self,
        input: &mut dyn Read,
        output: &mut dyn Write,
        observer: &mut dyn Observer,
    ) -> Result<ConvertReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        let source = Source::from_reader(input, pulse.clone());
        run::convert(self, source, Sink::from_writer(output, pulse.clone()), &pulse)
    }

    /// Converts from a descriptor into another; both are borrowed and keep their flags.
    ///
    /// # Errors
    /// As [`Convert::run`].
    pub fn run_fd(
        &self,
        input: BorrowedFd<'_>,
        output: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<ConvertReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        let source = Source::from_fd(input, pulse.clone())?;
        run::convert(self, source, Sink::from_fd(output, pulse.clone())?, &pulse)
    }
}
