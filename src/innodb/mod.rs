//! InnoDB's files as bytes: facts of pages and tablespaces. Knows no stream and no server.

pub mod page;
pub(crate) mod space;
