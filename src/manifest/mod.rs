//! The manifest: what a stream says of itself at its end, so that it can be proven whole.
//!
//! It is the stream's last member, [`MANIFEST_NAME`], and the stream's beginning announces it: a
//! stream that announces one and does not deliver it was cut. Its own chunks bear the same flag, and
//! all others between one more: a stream with one of these that its beginning did not announce has
//! lost that beginning, while a file of the manifest's name is a file like others. It is JSON, laid
//! out in lines so that it can be written and read piece by piece:
//!
//! ```text
//! {"xbkit_manifest":1,"tool":"xbkit 0.1.0","members":[
//! {"path":"ibdata1","size":12582912,"blake3":"5d…"},
//! {"path":"db/t.ibd","size":98304,"blake3":"07…"}
//! ],"count":2,"payload_bytes":12681216,"framing":{"bytes":204,"blake3":"c1…"},
//! "blake3":"9e…"}
//! ```
//!
//! * `xbkit_manifest`: the version of this layout, 1. Readers refuse others. Further keys may come
//!   in any line within a version, and readers pass over those that they do not know.
//! * `members`: in the order in which they end in the stream, one a line. `path` is UTF-8;
//!   otherwise `path_hex` stands for it, the bytes in hexadecimal. `size` counts bytes as the
//!   stream has them, holes included; `plain_size` stands beside it where the member is compressed
//!   or encrypted, and is its size without that. `blake3` is over the member's bytes as the stream
//!   carries them, without holes, in order: it can be checked without any key.
//! * `framing`: over everything in the stream but payloads, see [`crate::format`]; holes are there.
//! * `pages`, behind `framing`, where pages of tablespaces were checked on their way: how many there
//!   were, how many could not be checked, and how many are damaged.
//! * `blake3` in the last line: over all lines before it.
//!
//! A digest protects against accident. Whoever can write the stream can write another manifest:
//! against an attacker it helps only within authenticated encryption.

pub(crate) mod proof;
mod read;
mod write;

pub(crate) use write::{Ended, ManifestWriter, Pages};

pub use crate::format::framing::MANIFEST_NAME;
pub(crate) use crate::format::framing::is_in_manifests_place;

/// The version of the layout.
const VERSION: u64 = 1;

/// Opens the last line.
const DIGEST_KEY: &str = "\"blake3\":\"";
