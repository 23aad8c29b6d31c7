//! Physical backups of MySQL and MariaDB as streams: made, read, extracted, verified.
//!
//! The same jobs are behind the `xbkit` program and its drop-in names. A job is built, then run:
//! from or into a descriptor (`run_fd`), which is fastest and can be cancelled while it waits, or
//! any [`Read`](std::io::Read) or [`Write`](std::io::Write) (`run`). It runs on the calling
//! thread, helped by workers, reports to an [`Observer`] on that thread, and is cancelled by a
//! [`CancelToken`] from any other or from a signal handler.
//!
//! The library reads no environment, installs no signal handler, changes neither directory nor
//! umask, and prints nothing.
//!
//! # Back up a stopped server's data directory
//! ```no_run
//! use std::os::fd::AsFd;
//! use xbkit::{Backup, Silent};
//! # fn main() -> xbkit::Result<()> {
//! let report = Backup::of_datadir("/var/lib/mysql")
//!     .parallel(4)
//!     .run_fd(std::io::stdout().as_fd(), &mut Silent)?;
//! eprintln!("{} files, {} bytes", report.members, report.payload_bytes);
//! # Ok(())
//! # }
//! ```
//!
//! # Stream some files, and extract the stream
//! ```
//! use xbkit::{Create, Extract, Silent};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # std::fs::write(scratch.path().join("t.ibd"), "page")?;
//! let mut stream = Vec::new();
//! Create::new().base(scratch.path()).file("t.ibd").run(&mut stream, &mut Silent)?;
//!
//! let restored = scratch.path().join("restored");
//! let report = Extract::into_dir(&restored).run(&mut &stream[..], &mut Silent)?;
//! assert_eq!(report.members, 1);
//! assert_eq!(std::fs::read(restored.join("t.ibd"))?, b"page");
//! # Ok(())
//! # }
//! ```
//!
//! # Write a stream from your own data
//! See [`StreamWriter`]; several entries may be open at once, on several threads.
//!
//! # Read a stream item by item
//! See [`StreamReader`].
//!
//! # List or verify a stream
//! ```
//! use std::ops::ControlFlow;
//! use xbkit::{Event, List, Verify};
//! # fn main() -> xbkit::Result<()> {
//! # let stream = b"XBSTCK01\0E\x05\0\0\0a.txt";
//! let mut print = |event: &Event<'_>| {
//!     if let Event::Member { path, size } = event {
//!         println!("{size:>12} {}", path.display());
//!     }
//!     ControlFlow::Continue(())
//! };
//! List::new().run(&mut &stream[..], &mut print)?;
//! Verify::new().allow_unproven(true).run(&mut &stream[..], &mut xbkit::Silent)?;
//! # Ok(())
//! # }
//! ```
//!
//! # See what a backup is, and take one member out of it
//! ```no_run
//! use std::os::fd::AsFd;
//! use xbkit::{Cat, Info, Silent};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stream = std::fs::File::open("backup.xbstream")?;
//! let info = Info::new().run_fd(stream.as_fd(), &mut Silent)?;
//! println!("{:?}, to LSN {:?}", info.kind, info.to_lsn());
//! let mut position = Vec::new();
//! Cat::new("xtrabackup_binlog_info")?.run(&mut &stream, &mut position, &mut Silent)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Cancel a job
//! ```
//! use xbkit::{CancelToken, ErrorKind, Extract, Silent};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! let token = CancelToken::new()?;
//! token.cancel(); // from another thread, or a signal handler
//! let job = Extract::into_dir(scratch.path().join("new")).cancel(token);
//! let error = job.run(&mut std::io::empty(), &mut Silent).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Cancelled);
//! # Ok(())
//! # }
//! ```

pub mod backup;
pub mod cancel;
pub mod check;
pub mod codec;
pub mod convert;
pub mod create;
pub mod error;
pub mod event;
pub mod extract;
pub mod format;
pub mod innodb;
pub mod inspect;
mod io;
pub mod limits;
pub mod manifest;
pub mod metadata;
pub mod options;
pub mod pages;
mod pipeline;
#[cfg(feature = "server")]
pub mod prepare;
#[cfg(feature = "server")]
pub mod restore;
#[cfg(feature = "server")]
pub mod server;
pub mod stream;
mod sys;

pub use backup::Backup;
#[cfg(feature = "server")]
pub use backup::{ServerBackup, ServerReport};
pub use cancel::CancelToken;
pub use check::{Check, CheckReport};
pub use convert::{Convert, ConvertReport};
pub use create::{ChangedFiles, Create, CreateReport, DamagedPages};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Level, Observer, Progress, Silent};
pub use extract::directory::DecodeFiles;
pub use extract::{Extract, ExtractReport};
pub use format::any::Format;
pub use format::member::{MemberId, MemberPath};
pub use format::xbstream::{Dialect, Item};
pub use inspect::{Cat, CatReport, Info, List, StreamReport, Verify};
pub use io::coded::{DecodeReader, EncodeWriter};
pub use io::parts::Parts;
pub use io::sink::FdWriter;
pub use io::source::FdReader;
pub use metadata::{BackupInfo, BackupKind};
#[cfg(feature = "server")]
pub use prepare::{Prepare, PrepareReport};
#[cfg(feature = "server")]
pub use restore::{PutBack, Restore, RestoreReport};
#[cfg(feature = "server")]
pub use server::{Connect, Position, Secret, StageTimes};
pub use stream::reader::StreamReader;
pub use stream::writer::{EntryWriter, StreamWriter};
