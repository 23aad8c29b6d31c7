//! Stream formats as pure functions of bytes: no files, threads, clocks or descriptors.

pub(crate) mod any;
pub(crate) mod framing;
pub mod member;
pub mod tar;
pub mod xbstream;
