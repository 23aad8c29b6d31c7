//! Streams for programs with data of their own: write several members at once, or read items.

pub mod reader;
pub mod writer;
