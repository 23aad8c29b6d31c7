//! InnoDB's files as bytes: facts of pages and tablespaces. Knows no stream and no server.

pub mod page;
#[cfg(feature = "server")]
pub(crate) mod redo;
pub(crate) mod space;
