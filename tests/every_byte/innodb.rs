//! As in the library.

#[path = "../../src/innodb/page/mod.rs"]
pub mod page;
