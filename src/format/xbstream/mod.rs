//! xbstream: chunks back to back, without file header, trailer or padding.
//!
//! Every integer is little-endian. A chunk begins with
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | magic `XBSTCK01` |
//! | 8 | 1 | flags |
//! | 9 | 1 | type, an ASCII letter |
//! | 10 | 4 | path length, 1 to 511 |
//! | 14 | n | path, `/` between components, no NUL |
//!
//! and goes on by type:
//!
//! | type | dialect | after the path |
//! |---|---|---|
//! | `P` payload | both | length u64, offset in the member u64, CRC-32 of the payload u32, payload |
//! | `E` end of member | both | nothing |
//! | `S` sparse | Percona 8.x | entries u32, payload length u64, offset u64, CRC-32 of map and payload u32, map of (skip u32, length u32), payload |
//! | `S` seek | MariaDB | offset u64: where the member's next chunk is written |
//! | `R` rename | MariaDB | length u32 and bytes of the new path; the member must be closed |
//! | `D` remove | MariaDB | nothing; the member must be closed |
//!
//! The two `S` layouts are told apart exactly: behind MariaDB's eight bytes stands the next
//! chunk's magic or the end of the stream; in Percona's the same place holds the high half of a
//! payload length and the low half of an offset, which could equal the magic only for payloads
//! above 6 EB.
//!
//! Chunks of different members interleave freely; the chunks of one member follow each other
//! without gap or overlap. An empty member is one `E`. There are no directories, modes or times.
//! The stream itself has no end mark: a stream that stops between two chunks with every member
//! closed cannot be told from a complete one.
//!
//! xbkit's own streams end in a manifest. Their first chunk and all of the manifest's own have the
//! flag 0x80, all others 0x80 and 0x10, and nothing but the manifest's payload and end chunks may
//! follow the manifest's beginning. So whatever is left of a stream that lost its beginning can be
//! told, also if it lost its end, too. Their framing is every header, every sparse map, and what
//! chunks hold that may be ignored.
//!
//! Sources: the layouts of `P` and `E` and the limits were seen with `mbstream` 10.11.19 and
//! `xbstream` 2.2.10; `S` of Percona from its published format description and vectors of the
//! 8.x code; `S`, `R`, `D` of MariaDB by trying all 256 types on `mbstream` 10.11.19.

mod decode;
mod encode;
mod header;
mod members;

pub(crate) use decode::Coded;
pub use decode::{Decoder, Item, Step};
pub(crate) use encode::{
    PayloadSum, append_manifest_end, append_manifest_piece, mark_coded, mark_within,
};
pub use encode::{
    SparseRun, announce_manifest, append_end, append_payload_header, append_remove, append_rename,
    append_seek, append_sparse_header, crc32, payload_header_len, put_payload_header,
};
pub(crate) use members::Members;

/// First bytes of every chunk.
pub const MAGIC: [u8; 8] = *b"XBSTCK01";

/// Length of a chunk's header without the path.
pub const HEADER_LEN: usize = 14;

/// Length of what follows the path in a payload chunk, before the payload.
const PAYLOAD_FIELDS: usize = 20;

/// Length of what follows the path in a Percona sparse chunk, before the map.
const SPARSE_FIELDS: usize = 24;

/// Flag: readers that do not know the chunk's type shall skip it; its body is laid out like `P`.
pub const FLAG_IGNORABLE: u8 = 0x01;

/// Flag of MariaDB: the chunk opens an existing, closed member anew and truncates it.
pub const FLAG_REWRITE: u8 = 0x02;

/// Flag of xbkit, in streams with a manifest: the chunk opens a member that is compressed, as its
/// name's suffix says. Without the flag a suffix says nothing: data directories may hold a
/// `dump.sql.gz`. All known readers pass over it.
pub const FLAG_COMPRESSED: u8 = 0x40;

/// Flag of xbkit, in streams with a manifest: the chunk opens a member that is encrypted, behind
/// compression if there is both. All known readers pass over it.
pub const FLAG_ENCRYPTED: u8 = 0x20;

/// Both.
const FLAGS_CODED: u8 = FLAG_COMPRESSED | FLAG_ENCRYPTED;

/// Flag of xbkit: the stream's first chunk says that a manifest is the last member, and every chunk
/// of the manifest that it is one, not a file of its name. Only [`FLAG_COMPRESSED`] and
/// [`FLAG_ENCRYPTED`] may stand beside it there; with [`FLAG_WITHIN`] it means something else. All
/// known readers pass over it.
pub const FLAG_MANIFEST: u8 = 0x80;

/// Flag of xbkit, beside [`FLAG_MANIFEST`]: the chunk stands within a stream with a manifest, neither
/// first nor of the manifest itself. Without a first chunk that announces the manifest, a stream with
/// such a chunk is what is left of one. All known readers pass over it.
pub const FLAG_WITHIN: u8 = 0x10;

/// Which chunk types a writer may use beyond `P` and `E`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// What every reader takes: holes travel as zeros.
    #[default]
    Common,
    /// Percona XtraBackup 8.x: holes travel as sparse chunks, which `mbstream` refuses.
    Percona,
}
