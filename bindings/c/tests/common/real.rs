//! Private servers, as the tests of the core have them.

#![allow(dead_code, reason = "each test uses a part")]

#[path = "../../../../tests/common/child.rs"]
pub(crate) mod child;
#[path = "../../../../tests/common/peers.rs"]
pub(crate) mod peers;
#[path = "../../../../tests/common/server.rs"]
pub(crate) mod server;
