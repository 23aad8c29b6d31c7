//! What the test binaries share: peers, vectors, and streams taken apart.

#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers come from a slice in memory")]

pub(crate) mod build;
pub(crate) mod child;
pub(crate) mod chunks;
pub(crate) mod coded;
pub(crate) mod golden;
pub(crate) mod pages;
pub(crate) mod peers;
pub(crate) mod reference;
pub(crate) mod sandbox;
pub(crate) mod server;
pub(crate) mod tarball;
pub(crate) mod tree;
pub(crate) mod vectors;
