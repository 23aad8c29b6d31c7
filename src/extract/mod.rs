//! Extracting a stream into a directory: verified, bounded, and whole or not at all.
//!
//! What an extraction promises:
//!
//! * It succeeds only if the stream is complete and every checksum is right, every member ended,
//!   all is as the stream's [manifest](crate::manifest) says, if it announces one, every file was
//!   written in full, and (unless [`Extract::sync`] is off) everything is durable.
//! * A run that fails leaves nothing that could be taken for a whole backup. By default members
//!   grow in `.xbkit-partial` beneath the target and move up at the end; in place, what was made
//!   is removed again, and a mark `.xbkit-incomplete` stays if the process is killed.
//! * Members that are compressed or encrypted, each by itself as XtraBackup stores them, are
//!   written plain, in the same pass: nothing is on disk twice, and no other program runs.
//! * No name is ever resolved through a symlink or outside the target; no existing file is
//!   written to; nothing but regular files and directories is made.
//! * Memory: 1 MiB for each of `2 × parallel + 2` buffers; where layers are taken off members, up
//!   to 3 MiB (usually half of that) for each of `2 × threads + 4` parts that are being decoded,
//!   and up to 1 MiB for the next part of each such member that is open, for zstd its window
//!   (128 MiB at most) where a member's frames cannot be told apart; and what the [decoder](crate::format) holds for each member, about as much again for
//!   an open one here, and its path once; in a stream with a manifest 2 KiB more for an open one,
//!   and about 40 bytes for one that ended. The windows of outer layers come on top, for zstd up to
//!   128 MiB each. Descriptors: half of the process's limit, up to 1024.

mod builder;
pub(crate) mod directory;
mod hands;
mod holes;
mod pattern;
mod peelers;
mod root;
mod run;
mod units;
mod workers;
mod writer;

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::io::pulse::Pulse;
use crate::io::source::Source;
use crate::io::unpack::Decoding;
use crate::limits;
use crate::metadata::BackupKind;
use builder::decoding_builder;
use pattern::Pattern;

/// A job that extracts a stream. See the [module](self) for what it promises.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Extract {
    dir: PathBuf,
    in_place: bool,
    overwrite: bool,
    sync: bool,
    missing_end: bool,
    parallel: usize,
    decode_threads: usize,
    patterns: Vec<Pattern>,
    decoding: Decoding,
    require_backup: bool,
    cancel: Option<CancelToken>,
}

/// What an extraction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtractReport {
    /// Members extracted, less the manifest and those that the stream took back itself.
    pub members: u64,
    /// Members of the stream that no pattern asked for; they were verified all the same.
    pub skipped: u64,
    /// Bytes of the extracted members' files: plain, where layers were taken off.
    pub payload_bytes: u64,
    /// Bytes read from the source, as they came: compressed, if there was an outer layer.
    pub stream_bytes: u64,
    /// Whether the stream was proven to be complete and unchanged, by a manifest in it.
    pub proven: bool,
    /// What kind of backup the stream holds, as far as its members tell; those that no pattern
    /// asked for count.
    pub backup: Option<BackupKind>,
}

impl Extract {
    /// Extracts into `dir`, which is made if it is missing.
    pub fn into_dir(dir: impl AsRef<Path>) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            in_place: false,
            overwrite: false,
            sync: true,
            missing_end: false,
            parallel: 1,
            decode_threads: 1,
            patterns: Vec::new(),
            decoding: Decoding::default(),
            require_backup: false,
            cancel: None,
        }
    }

    /// The same job for all of the stream, into this new or empty directory.
    #[cfg(feature = "server")]
    pub(crate) fn whole_into(mut self, dir: &Path) -> Self {
        dir.clone_into(&mut self.dir);
        (self.in_place, self.overwrite) = (false, false);
        self.patterns.clear();
        self
    }

    /// Writes members straight into the directory, which must exist and may hold other files, as
    /// `xbstream -x` does. A member whose file exists is an error.
    pub fn in_place(mut self, in_place: bool) -> Self {
        self.in_place = in_place;
        self
    }

    /// Lets the target hold files already, and replaces those that have a member's name. Only at
    /// the end, file by file: if that fails, the target is a mixture, and `.xbkit-partial` stays
    /// in it as a mark. Not together with [`Extract::in_place`].
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Whether to wait until everything is on disk (`syncfs`) before success is reported.
    /// On by default.
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Writes on so many threads, 1 to 256. Each member belongs to one.
    pub fn parallel(mut self, threads: usize) -> Self {
        self.parallel = threads;
        self
    }

    /// Whether members that are compressed, each by itself, are decompressed into files of their
    /// plain names. On by default: a stream of xbkit's says which members are; in others those
    /// are whose names end in `.qp`, `.lz4` or `.zst`, also beneath `.xbcrypt`.
    pub fn decompress(mut self, decompress: bool) -> Self {
        self.decoding.decompress = decompress;
        self
    }

    /// Whether members that are encrypted, each by itself, are decrypted. On by default: without
    /// [`Extract::key`] a stream that holds such members is refused with
    /// [`ErrorKind::Key`]. Off, they and what is compressed within them stay as they are.
    pub fn decrypt(mut self, decrypt: bool) -> Self {
        self.decoding.decrypt = decrypt;
        self
    }

    decoding_builder!();

    /// Decodes on at least so many threads, 1 to 256: where that is more than
    /// [`Extract::parallel`], so many write. From 2 on as many more decode, several of them one
    /// member: its frames of LZ4 or Zstandard up to 1 MiB, its blocks of qpress, its chunks of
    /// xbcrypt. What comes of it, errors included, does not depend on their number.
    pub fn decode_threads(mut self, threads: usize) -> Self {
        self.decode_threads = threads;
        self
    }

    /// Extracts only members that match one of the patterns given. A name stands for itself or
    /// for all below that directory; `*`, `?`, `[…]` and `{a,b}` match within a component, `**`
    /// across. The rest of the stream is verified all the same.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed pattern. The job fails with `NotFound` if a pattern
    /// matches no member.
    pub fn member_pattern(mut self, pattern: &str) -> Result<Self> {
        self.patterns.push(Pattern::new(pattern)?);
        Ok(self)
    }

    /// Whether a tar archive may end without its two blocks of zeros, so that one that was cut
    /// behind a member passes for whole. Some writers leave them out.
    pub fn allow_missing_end(mut self, allow: bool) -> Self {
        self.missing_end = allow;
        self
    }

    /// Whether the stream must hold a backup of a whole server, see
    /// [`Verify::require_backup`](crate::Verify::require_backup); members that no pattern asked
    /// for count. Otherwise the job fails with [`ErrorKind::Incomplete`].
    pub fn require_backup(mut self, require: bool) -> Self {
        self.require_backup = require;
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Extracts the stream that `input` gives, to its end.
    pub fn run(&self, input: &mut dyn Read, observer: &mut dyn Observer) -> Result<ExtractReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        self.run_source(Source::from_reader(input, pulse.clone()), &pulse)
    }

    /// Extracts the stream that can be read from a descriptor, to its end. Pipes, sockets and
    /// files are read as fast as they can be, without blocking in them: cancelling takes at most
    /// 200 ms. The descriptor is borrowed, and its flags stay as they are.
    pub fn run_fd(
        &self,
        input: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<ExtractReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        self.run_source(Source::from_fd(input, pulse.clone())?, &pulse)
    }

    /// Threads that decode and write.
    fn threads(&self) -> usize {
        self.parallel.max(self.decode_threads)
    }

    fn run_source(&self, source: Source<'_>, pulse: &Pulse<'_>) -> Result<ExtractReport> {
        limits::check_parallel(self.parallel)?;
        limits::check_range("decode threads", self.decode_threads, &limits::PARALLEL_RANGE)?;
        if self.in_place && self.overwrite {
            let message = "overwrite and in_place exclude each other";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        run::extract(self, source, pulse)
    }
}
