//! Compression formats: telling them by their first bytes.

/// A compression layer around a whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The LZ4 frame format, version 1.6.
    Lz4,
}

/// Bytes that [`Layer::of`] needs to see.
pub(crate) const MAGIC_LEN: usize = 4;

impl Layer {
    /// The layer that begins with `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // ID1, ID2 and CM = deflate, the only method there is.
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }

    /// The name as users type it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }
}
