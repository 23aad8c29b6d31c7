//! The C interface of xbkit: one C type for each file, every call through [`guard`].
//!
//! `include/xbkit.h` is generated from the comments here, so they speak C. Its promises in short:
//! no call crashes on NULL, unwinds, or raises a signal; numbers and symbols are never reused.
#![expect(
    unsafe_code,
    reason = "the boundary to C: pointers are taken apart in `guard`, by the header's contract"
)]
#![expect(non_camel_case_types, reason = "these are the names that C sees")]
#![expect(
    clippy::doc_markdown,
    reason = "the comments become the C header, which has no backticks"
)]
#![expect(clippy::missing_safety_doc, reason = "the whole comment is the contract")]

pub mod backup;
pub mod cancel;
pub mod cat;
pub mod check;
pub mod convert;
pub mod create;
pub mod entry;
pub mod error;
pub mod extract;
mod guard;
pub mod info;
pub mod io;
pub mod item;
pub mod list;
pub mod observer;
pub mod options;
pub mod prepare;
pub mod put_back;
pub mod reader;
pub mod report;
pub mod restore;
mod server;
pub mod status;
pub mod verify;
pub mod version;
pub mod writer;
