//! Either format's decoder, by the first bytes of a stream.

use super::framing::FramingDigest;
use super::tar;
use super::xbstream::{self, Coded, Step};
use crate::error::Result;

/// Bytes that [`AnyDecoder::of`] needs to see, unless fewer say it already.
pub(crate) const START_LEN: usize = tar::BLOCK;

/// A container format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Chunks of members, interleaved; see [`crate::format::xbstream`].
    #[default]
    Xbstream,
    /// Members one after the other; see [`crate::format::tar`].
    Tar,
}

impl Format {
    /// Its name, as users type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xbstream => "xbstream",
            Self::Tar => "tar",
        }
    }

    /// The format of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Xbstream, Self::Tar].into_iter().find(|format| format.name() == name)
    }

    /// The format of a stream that begins so; `None` while that is too little to tell.
    ///
    /// What is neither is taken for an xbstream, whose decoder says what is wrong.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let head = start.get(..xbstream::MAGIC.len())?;
        if head == xbstream::MAGIC {
            return Some(Self::Xbstream);
        }
        let block = start.get(..START_LEN)?;
        // The first of several archives may be empty, and an empty one has to be called that.
        let zeros = block.iter().all(|byte| *byte == 0);
        let is_tar = zeros || tar::looks_like_header(block) || has_magic(block);
        Some(if is_tar { Self::Tar } else { Self::Xbstream })
    }
}

/// A header whose checksum may be wrong: then it is a damaged archive, not a strange stream.
fn has_magic(block: &[u8]) -> bool {
    block.get(257..262) == Some(b"ustar")
}

/// Reads a stream of either format; see the formats' own decoders.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each stream")]
pub(crate) enum AnyDecoder {
    Xbstream(xbstream::Decoder),
    Tar(tar::Decoder),
}

impl AnyDecoder {
    /// The decoder of a stream that begins so, with all of its beginning if it is shorter than
    /// [`START_LEN`]. `may_lack_end`: see [`tar::Decoder::allow_missing_end`].
    pub(crate) fn of(start: &[u8], may_lack_end: bool) -> Self {
        match Format::of(start).unwrap_or_else(|| short(start)) {
            Format::Xbstream => Self::Xbstream(xbstream::Decoder::new()),
            Format::Tar => Self::Tar(tar::Decoder::new().allow_missing_end(may_lack_end)),
        }
    }

    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Xbstream(_) => Format::Xbstream,
            Self::Tar(_) => Format::Tar,
        }
    }

    pub(crate) fn decode<'i>(&mut self, input: &'i [u8]) -> Result<Step<'i>> {
        match self {
            Self::Xbstream(decoder) => decoder.decode(input),
            Self::Tar(decoder) => decoder.decode(input),
        }
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        match self {
            Self::Xbstream(decoder) => decoder.finish(),
            Self::Tar(decoder) => decoder.finish(),
        }
    }

    pub(crate) fn stream_offset(&self) -> u64 {
        match self {
            Self::Xbstream(decoder) => decoder.stream_offset(),
            Self::Tar(decoder) => decoder.stream_offset(),
        }
    }

    /// Whether the stream's beginning announced a manifest at its end.
    pub(crate) fn announces_manifest(&self) -> bool {
        match self {
            Self::Xbstream(decoder) => decoder.announces_manifest(),
            Self::Tar(decoder) => decoder.announces_manifest(),
        }
    }

    /// How the member is coded that the last item opens; `None` if only its name can say. Members
    /// of an archive are not: all of it is.
    pub(crate) fn opens_coded(&self) -> Option<Coded> {
        match self {
            Self::Xbstream(decoder) => decoder.opens_coded(),
            Self::Tar(_) => Some(Coded::default()),
        }
    }

    /// What stood before the manifest, besides payloads. Empty unless one was announced.
    pub(crate) fn framing(&self) -> FramingDigest {
        match self {
            Self::Xbstream(decoder) => decoder.framing(),
            Self::Tar(decoder) => decoder.framing(),
        }
    }
}

/// The format of a stream that is shorter than a block: a cut archive begins with a name.
fn short(start: &[u8]) -> Format {
    if start.len() >= 262 && has_magic(start) { Format::Tar } else { Format::Xbstream }
}
