//! Physical backups of MySQL and MariaDB as streams.

pub mod cancel;
mod codec;
pub mod error;
pub mod event;
pub mod format;
mod io;
pub mod limits;
mod sys;

pub use cancel::CancelToken;
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Level, Observer, Progress, Silent};
