//! Physical backups of MySQL and MariaDB as streams.

pub mod backup;
pub mod cancel;
mod codec;
pub mod create;
pub mod error;
pub mod event;
pub mod extract;
pub mod format;
mod innodb;
pub mod inspect;
mod io;
pub mod limits;
mod pipeline;
pub mod stream;
mod sys;

pub use backup::Backup;
pub use cancel::CancelToken;
pub use create::{ChangedFiles, Create, CreateReport};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Level, Observer, Progress, Silent};
pub use extract::{Extract, ExtractReport};
pub use format::member::{MemberId, MemberPath};
pub use format::xbstream::{Dialect, Item};
pub use inspect::{List, StreamReport, Verify};
pub use io::source::FdReader;
pub use stream::reader::StreamReader;
pub use stream::writer::{EntryWriter, Format, StreamWriter};
