//! Codecs: stored bytes to plain bytes and back, and telling formats by their first bytes.
//!
//! All have one shape. A `Decoder` is pushed slices of any length and gives plain bytes in
//! bounded pieces; an `Encoder` turns pieces of a member into stored bytes, each piece on its
//! own, so that pieces may be encoded on different threads and put together in order.

pub(crate) mod cut;
pub(crate) mod gzip;
pub(crate) mod lz4;
pub(crate) mod qpress;
pub(crate) mod quicklz;
pub(crate) mod stack;
pub(crate) mod xbcrypt;
pub(crate) mod zstd;

mod gather;

pub use stack::{Codec, Compression};
pub use xbcrypt::Key;

use crate::error::{Error, ErrorKind, Result};

/// Stored bytes to plain bytes. After an error it is not used again.
pub(crate) trait Decoder: Send {
    /// Takes bytes from the front of `input`. `true`: there is a piece in [`Decoder::output`],
    /// and `input` may hold more; `false`: all of `input` was taken, and more is wanted.
    fn decode(&mut self, input: &mut &[u8]) -> Result<bool>;

    /// The piece that [`Decoder::decode`] announced; empty if its last call announced none.
    fn output(&self) -> &[u8];

    /// The input ends here.
    ///
    /// # Errors
    /// `Truncated` if it may not.
    fn finish(&mut self) -> Result<()>;

    /// What was accepted though the format does not allow it, since the last call.
    fn warning(&mut self) -> Option<&'static str> {
        None
    }
}

/// A piece of a member, as an [`Encoder`] gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'p> {
    /// The member's path; its last component is the name in formats that hold one.
    pub(crate) member: &'p [u8],
    /// Where in the member the piece begins.
    pub(crate) offset: u64,
    /// Its bytes; none for a member that is empty, or whose end was not known before.
    pub(crate) bytes: &'p [u8],
    /// Whether the member ends with it.
    pub(crate) last: bool,
}

/// Plain bytes to stored bytes. What a piece becomes depends on nothing but the piece (and, when
/// encrypting, chance); the stored member is what its pieces became, in order.
pub(crate) trait Encoder: Send {
    /// Appends what `piece` becomes.
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()>;
}

/// The last component of a path.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// An error of a compressed format, `at` a byte of what is stored.
pub(crate) fn damaged(codec: &str, at: u64, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Decompress, format!("{codec}: {what}, at compressed byte {at}"))
        .hint("the backup was damaged on its way or at rest; fetch it again")
}

/// The error of stored bytes that end too early.
pub(crate) fn cut(codec: &str, at: u64) -> Error {
    Error::new(ErrorKind::Truncated, format!("the {codec} data ends too early, at byte {at}"))
        .hint("the backup was cut: its writer failed or the transfer broke; make it again")
}
