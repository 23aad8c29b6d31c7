//! Looking at a stream without extracting it: its members, whether it is whole, what backup it
//! holds, and the bytes of one member.
//!
//! [`List`] and [`Verify`] read the stream to its end and check what the format lets a reader check: every
//! chunk's place and checksum, that every member ends, and that all is as the stream's manifest says,
//! if it has one. The manifest itself is neither counted nor listed. Memory: as
//! [`StreamReader`](crate::StreamReader).

mod audit;
mod cat;
mod info;
mod scan;
mod store;

use std::io::Read;
use std::os::fd::BorrowedFd;

use crate::cancel::CancelToken;
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::io::pulse::Pulse;
use crate::io::source::Source;
use crate::io::unpack::Decoding;
use crate::metadata::BackupKind;
use crate::metadata::collect::Watch;
use crate::pages::Tally;
use audit::PageAudit;

pub use cat::{Cat, CatReport};
pub use info::Info;

/// What was seen of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamReport {
    /// Members of the stream, less those that it took back itself.
    pub members: u64,
    /// Bytes of all members that ended, holes included.
    pub payload_bytes: u64,
    /// Bytes read from the source, as they came: compressed, if there was an outer layer.
    pub stream_bytes: u64,
    /// Whether the stream was proven to be complete: that needs a manifest in it.
    pub proven: bool,
    /// What kind of backup it holds, as far as its members tell.
    pub backup: Option<BackupKind>,
    /// Pages of tablespaces that were checked, if that was asked for.
    pub pages: Tally,
}

/// A job that lists a stream: an [`Event::Member`](crate::Event::Member) for each member, when it
/// ends, in the order of the stream.
///
/// Members that MariaDB's chunks rename or remove later are reported under their first name.
#[derive(Clone, Debug, Default)]
pub struct List {
    missing_end: bool,
    key: Option<Key>,
    cancel: Option<CancelToken>,
}

impl List {
    /// Lists every member.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a tar archive may end without its two blocks of zeros, so that one that was cut
    /// behind a member passes for whole. Some writers leave them out.
    pub fn allow_missing_end(mut self, allow: bool) -> Self {
        self.missing_end = allow;
        self
    }

    /// The key of a layer of xbcrypt around the whole stream. What is encrypted within the stream,
    /// member by member, is looked at as it is stored, and needs none.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Lists the stream that `input` gives, to its end.
    pub fn run(&self, input: &mut dyn Read, observer: &mut dyn Observer) -> Result<StreamReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        self.scan(Source::from_reader(input, pulse.clone()), &pulse)
    }

    /// Lists the stream that can be read from a descriptor, which is borrowed and keeps its flags.
    pub fn run_fd(
        &self,
        input: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<StreamReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        self.scan(Source::from_fd(input, pulse.clone())?, &pulse)
    }

    fn scan(&self, source: Source<'_>, pulse: &Pulse<'_>) -> Result<StreamReport> {
        let watch = Watch::new(false, self.key.as_ref());
        scan::scan(source, self.missing_end, self.key.as_ref(), None, pulse, watch)
    }
}

/// A job that verifies a stream, without any disk.
///
/// An xbstream has no end mark, so a stream that was cut between two members, or from which one
/// was taken, cannot be told from a whole one by its structure. Success therefore means *proven*:
/// by the stream's [manifest](crate::manifest). Unless [`Verify::allow_unproven`] is set, a stream
/// without one fails with [`ErrorKind::Unproven`].
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Verify {
    missing_end: bool,
    allow_unproven: bool,
    key: Option<Key>,
    require_backup: bool,
    pages: bool,
    cancel: Option<CancelToken>,
}

impl Verify {
    /// Verifies strictly.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a stream may pass whose structure and checksums are right, but which nothing
    /// proves to be complete. [`StreamReport::proven`] tells the two apart.
    pub fn allow_unproven(mut self, allow: bool) -> Self {
        self.allow_unproven = allow;
        self
    }

    /// Whether the pages of members that are tablespaces by their names are checked, too, by
    /// [the rules of their layouts](crate::innodb::page). Each damaged one is an
    /// [`Event::BadPage`](crate::Event::BadPage), and at its end the job fails with
    /// [`ErrorKind::PageCorrupt`]. Members that are compressed or encrypted by themselves are
    /// decoded for that; encrypted ones without a key are not looked into, which a warning says.
    /// Memory: up to 64 MiB more, for streams with many members open at once, and what the codecs
    /// of open members need.
    pub fn pages(mut self, pages: bool) -> Self {
        self.pages = pages;
        self
    }

    /// Whether a tar archive may end without its two blocks of zeros, so that one that was cut
    /// behind a member passes for whole. Some writers leave them out.
    pub fn allow_missing_end(mut self, allow: bool) -> Self {
        self.missing_end = allow;
        self
    }

    /// The key of a layer of xbcrypt around the whole stream, and of members that are encrypted each
    /// by itself, where their contents are of use: with [`Verify::pages`], and for metadata files.
    /// Otherwise these are verified as they are stored, and need none.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Whether the stream must hold a backup of a whole server: system tablespace, redo log,
    /// system tables, of a running server also `*_checkpoints`, `*_info` and `backup-my.cnf`, of
    /// MySQL 8 also `mysql.ibd`, undo tablespaces and, if the server was running,
    /// `xtrabackup_tablespaces`. Names may have suffixes of compression and encryption, and both
    /// [naming schemes](crate::metadata::Naming) are known. Otherwise the job fails with
    /// [`ErrorKind::Incomplete`], which names what is missing; and with `Format` or `Limit` for a
    /// metadata file that cannot be read.
    pub fn require_backup(mut self, require: bool) -> Self {
        self.require_backup = require;
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Verifies the stream that `input` gives, to its end.
    pub fn run(&self, input: &mut dyn Read, observer: &mut dyn Observer) -> Result<StreamReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        self.run_source(Source::from_reader(input, pulse.clone()), &pulse)
    }

    /// Verifies the stream that can be read from a descriptor, which is borrowed and keeps its
    /// flags.
    pub fn run_fd(
        &self,
        input: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<StreamReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        self.run_source(Source::from_fd(input, pulse.clone())?, &pulse)
    }

    fn run_source(&self, source: Source<'_>, pulse: &Pulse<'_>) -> Result<StreamReport> {
        let watch = Watch::new(self.require_backup, self.key.as_ref());
        let decoding = Decoding { key: self.key.clone(), ..Decoding::default() };
        let audit = self.pages.then(|| PageAudit::new(&decoding));
        let report = scan::scan(source, self.missing_end, self.key.as_ref(), audit, pulse, watch)?;
        if report.proven || self.allow_unproven {
            return Ok(report);
        }
        Err(Error::new(
            ErrorKind::Unproven,
            "the stream is sound, but nothing in it proves that it is complete: it has no manifest",
        )
        .hint("if the exit status of its writer is known, --allow-unproven takes it as it is"))
    }
}
