//! The codecs of a member: which a name speaks of, and all of them as one.
//!
//! XtraBackup compresses, then encrypts, and each layer appends its suffix: `t1.ibd.zst.xbcrypt`.

use std::fmt;

use super::gzip::{GzipDecoder, GzipEncoder};
use super::lz4::{Lz4Decoder, Lz4Encoder};
use super::qpress::{QpressDecoder, QpressEncoder};
use super::xbcrypt::{IvSource, Key, XbcryptDecoder, XbcryptEncoder};
use super::zstd::{ZstdDecoder, ZstdEncoder};
use super::{Decoder, Encoder, Piece};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{self, check_range};

/// A format that stored bytes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// A qpress archive of `QuickLZ` packets, `.qp`.
    Quicklz,
    /// Frames of LZ4, `.lz4`.
    Lz4,
    /// Frames of Zstandard, `.zst`.
    Zstd,
    /// Gzip members (RFC 1952), `.gz`.
    Gzip,
    /// Chunks of xbcrypt, `.xbcrypt`.
    Xbcrypt,
}

impl Codec {
    /// Every codec.
    pub const ALL: &'static [Self] =
        &[Self::Quicklz, Self::Lz4, Self::Zstd, Self::Gzip, Self::Xbcrypt];

    /// What a member's name ends with, the full stop included.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Quicklz => ".qp",
            Self::Lz4 => ".lz4",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
            Self::Xbcrypt => ".xbcrypt",
        }
    }

    /// The name as users type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quicklz => "quicklz",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Xbcrypt => "xbcrypt",
        }
    }

    /// The codec whose suffix `name` ends with, and the name without it. A name that is nothing
    /// but a suffix has none.
    pub fn of_name(name: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.iter().find_map(|codec| {
            let plain = name.strip_suffix(codec.suffix().as_bytes())?;
            (!plain.is_empty() && !plain.ends_with(b"/")).then_some((*codec, plain))
        })
    }

    /// The codec of data that begin with `bytes`; eight are enough.
    pub fn of_magic(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // ID1, ID2 and CM = deflate, the only method there is.
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ if bytes.starts_with(super::qpress::MAGIC) => Some(Self::Quicklz),
            _ if bytes.starts_with(super::xbcrypt::MAGIC) => Some(Self::Xbcrypt),
            _ => None,
        }
    }

    /// A decoder. `key` is what xbcrypt needs; none for its algorithm `NONE`.
    pub(crate) fn decoder(self, key: Option<&Key>) -> Result<Box<dyn Decoder>> {
        Ok(match self {
            Self::Quicklz => Box::new(QpressDecoder::new()),
            Self::Lz4 => Box::new(Lz4Decoder::new()),
            Self::Zstd => Box::new(ZstdDecoder::new()?),
            Self::Gzip => Box::new(GzipDecoder::new()),
            Self::Xbcrypt => Box::new(XbcryptDecoder::new(key.cloned())),
        })
    }
}

/// The codecs that a member's name speaks of, outermost first, and the plain name: at most one
/// encryption, and in it at most one compression.
pub(crate) fn layers_of(name: &[u8]) -> (Vec<Codec>, &[u8]) {
    let mut layers = Vec::new();
    let mut plain = name;
    while let Some((codec, rest)) = Codec::of_name(plain) {
        if !layers.is_empty() && (layers.len() == 2 || codec == Codec::Xbcrypt) {
            break;
        }
        layers.push(codec);
        plain = rest;
        if codec != Codec::Xbcrypt {
            break;
        }
    }
    (layers, plain)
}

/// How members are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// `QuickLZ` level 1 in a qpress archive: what every XtraBackup before 8.1 and every
    /// mariabackup reads.
    Quicklz,
    /// LZ4, fast.
    Lz4,
    /// Zstandard.
    Zstd {
        /// 1 to 19.
        level: i32,
    },
    /// Gzip.
    Gzip {
        /// 1 to 9.
        level: u32,
    },
}

impl Compression {
    /// The format.
    pub const fn codec(self) -> Codec {
        match self {
            Self::Quicklz => Codec::Quicklz,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd { .. } => Codec::Zstd,
            Self::Gzip { .. } => Codec::Gzip,
        }
    }

    fn check(self) -> Result<()> {
        match self {
            Self::Zstd { level } => {
                check_range("zstd level", usize::try_from(level).unwrap_or(0), &limits::ZSTD_LEVEL)
            }
            Self::Gzip { level } => check_range("gzip level", level as usize, &limits::GZIP_LEVEL),
            _ => Ok(()),
        }
    }
}

/// What is done with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It stays as it is.
    Plain,
    /// It is encrypted, if anything is, but not compressed.
    Encrypted,
    /// All that was asked for.
    Whole,
}

/// How members are stored: compressed, then encrypted.
#[derive(Clone)]
pub(crate) struct Storing {
    pub(crate) compression: Option<Compression>,
    /// Plain bytes of a block that is compressed on its own, where the format has such blocks.
    pub(crate) block_size: usize,
    pub(crate) encryption: Option<Key>,
    /// Bytes of an encrypted chunk.
    pub(crate) chunk_size: usize,
    pub(crate) ivs: IvSource,
}

impl fmt::Debug for Storing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storing")
            .field("compression", &self.compression)
            .field("block_size", &self.block_size)
            .field("encryption", &self.encryption)
            .field("chunk_size", &self.chunk_size)
            .finish_non_exhaustive()
    }
}

impl Storing {
    /// Members stay as they are; `ivs` serves those that will be encrypted.
    pub(crate) fn plain(ivs: IvSource) -> Self {
        Self {
            compression: None,
            block_size: limits::CODEC_BLOCK_DEFAULT,
            encryption: None,
            chunk_size: limits::CODEC_BLOCK_DEFAULT,
            ivs,
        }
    }

    /// Whether members stay as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.compression.is_none() && self.encryption.is_none()
    }

    /// What is done with the member of this path, which its name decides. XtraBackup leaves
    /// checkpoints and the pages' sizes of deltas readable, and does not compress RocksDB's
    /// files, which are compressed already.
    pub(crate) fn way(&self, path: &[u8]) -> Way {
        let name = super::base_name(path);
        if self.is_plain() || name.ends_with(b"_checkpoints") || name.ends_with(b".meta") {
            return Way::Plain;
        }
        let mut components = path.split(|byte| *byte == b'/');
        if components.any(|part| part == b".rocksdb" || part == b"#rocksdb") {
            return self.uncompressed();
        }
        Way::Whole
    }

    /// What is done with a member that does not compress.
    pub(crate) fn uncompressed(&self) -> Way {
        if self.encryption.is_some() { Way::Encrypted } else { Way::Plain }
    }

    /// Whether the numbers are within their ranges.
    pub(crate) fn check(&self) -> Result<()> {
        check_range("compress chunk size", self.block_size, &limits::CODEC_BLOCK_RANGE)?;
        check_range("encrypt chunk size", self.chunk_size, &limits::CODEC_BLOCK_RANGE)?;
        self.compression.map_or(Ok(()), Compression::check)
    }

    /// What a stored member's name ends with.
    pub(crate) fn suffix(&self, way: Way) -> String {
        let compression = self.compression.filter(|_| way == Way::Whole);
        let encryption = self.encryption.as_ref().filter(|_| way != Way::Plain);
        let compression = compression.map_or("", |compression| compression.codec().suffix());
        let encryption = encryption.map_or("", |_| Codec::Xbcrypt.suffix());
        format!("{compression}{encryption}")
    }

    /// An encoder; each thread needs one of its own.
    pub(crate) fn encoder(&self, way: Way) -> Result<StackEncoder> {
        let block = self.block_size;
        let compress: Option<Box<dyn Encoder>> =
            match self.compression.filter(|_| way == Way::Whole) {
                None => None,
                Some(Compression::Quicklz) => Some(Box::new(QpressEncoder::new(block))),
                Some(Compression::Lz4) => Some(Box::new(Lz4Encoder::new(block)?)),
                Some(Compression::Zstd { level }) => Some(Box::new(ZstdEncoder::new(level)?)),
                Some(Compression::Gzip { level }) => Some(Box::new(GzipEncoder::new(level))),
            };
        let key = self.encryption.clone().filter(|_| way != Way::Plain);
        let encrypt = key.map(|key| XbcryptEncoder::new(Some(key), self.chunk_size, self.ivs));
        Ok(StackEncoder { compress, encrypt, between: Vec::new() })
    }
}

/// Compresses, then encrypts.
pub(crate) struct StackEncoder {
    compress: Option<Box<dyn Encoder>>,
    encrypt: Option<XbcryptEncoder>,
    /// What is compressed and not encrypted yet.
    between: Vec<u8>,
}

impl Encoder for StackEncoder {
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()> {
        match (&mut self.compress, &mut self.encrypt) {
            (Some(compress), Some(encrypt)) => {
                self.between.clear();
                compress.encode(piece, &mut self.between)?;
                encrypt.encode(&Piece { bytes: &self.between, ..*piece }, out)
            }
            (Some(one), None) => one.encode(piece, out),
            (None, Some(one)) => one.encode(piece, out),
            (None, None) => {
                out.extend_from_slice(piece.bytes);
                Ok(())
            }
        }
    }
}

/// How much a member may grow when it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Most plain bytes.
    pub(crate) size: u64,
    /// Most plain bytes for a stored byte. Counted from [`limits::RATIO_FREE`] plain bytes on, and
    /// without those that are zero: preallocated files are, and compress to next to nothing.
    pub(crate) ratio: u64,
}

impl Default for Growth {
    fn default() -> Self {
        Self { size: limits::MEMBER_SIZE, ratio: limits::RATIO }
    }
}

/// Takes all layers off a member.
pub(crate) struct Unpacker {
    /// Outermost first.
    decoders: Vec<Box<dyn Decoder>>,
    count: Count,
}

/// How much a member has grown.
pub(crate) struct Count {
    growth: Growth,
    stored: u64,
    plain: u64,
    not_zero: u64,
}

impl Unpacker {
    /// An unpacker of `layers`, outermost first.
    pub(crate) fn new(layers: &[Codec], key: Option<&Key>, growth: Growth) -> Result<Self> {
        let decoders = layers.iter().map(|layer| layer.decoder(key)).collect::<Result<_>>()?;
        Ok(Self { decoders, count: Count::new(growth) })
    }

    /// Takes stored bytes, and hands plain ones to `sink` in pieces.
    pub(crate) fn push(
        &mut self,
        stored: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let Self { decoders, count } = self;
        count.add_stored(stored);
        feed(decoders, stored, &mut |plain| {
            count.add(plain)?;
            sink(plain)
        })
    }

    /// The member ends.
    ///
    /// # Errors
    /// `Truncated` if a layer does not end with it.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.decoders.iter_mut().try_for_each(|decoder| decoder.finish())
    }

    /// Plain bytes so far.
    pub(crate) fn plain_bytes(&self) -> u64 {
        self.count.plain_bytes()
    }

    /// What was accepted though a format does not allow it, since the last call.
    pub(crate) fn warning(&mut self) -> Option<&'static str> {
        self.decoders.iter_mut().find_map(|decoder| decoder.warning())
    }
}

impl Count {
    pub(crate) fn new(growth: Growth) -> Self {
        Self { growth, stored: 0, plain: 0, not_zero: 0 }
    }

    /// Plain bytes so far.
    pub(crate) fn plain_bytes(&self) -> u64 {
        self.plain
    }

    pub(crate) fn add_stored(&mut self, stored: &[u8]) {
        self.stored += stored.len() as u64;
    }

    /// Takes more plain bytes into account.
    ///
    /// # Errors
    /// `Limit` if there are too many now.
    pub(crate) fn add(&mut self, plain: &[u8]) -> Result<()> {
        let growth = self.growth;
        self.plain += plain.len() as u64;
        let is_zero = |some: &[u8]| some.iter().fold(0, |all, byte| all | byte) == 0;
        // By themselves, so that it does not matter in which pieces they come.
        for some in plain.chunks(4096) {
            if !some.chunks(256).all(is_zero) {
                self.not_zero += some.len() as u64;
            }
        }
        if self.plain > growth.size {
            let message = format!("decoding gives more than {} bytes", growth.size);
            return Err(Error::new(ErrorKind::Limit, message)
                .hint("if the backup can be trusted, raise the limit for decoded members"));
        }
        let free = self.not_zero.saturating_sub(limits::RATIO_FREE);
        if free > self.stored.saturating_mul(growth.ratio) {
            let message = format!(
                "decoding gives more than {} bytes for each stored one, as no real data do",
                growth.ratio
            );
            return Err(Error::new(ErrorKind::Limit, message)
                .hint("if the backup can be trusted, raise the limit for the ratio"));
        }
        Ok(())
    }
}

/// Pushes `input` through `decoders` into `sink`.
fn feed(
    decoders: &mut [Box<dyn Decoder>],
    mut input: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Some((first, rest)) = decoders.split_first_mut() else { return sink(input) };
    while first.decode(&mut input)? {
        feed(rest, first.output(), sink)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_encryption_and_in_it_a_compression() {
        use Codec::{Gzip, Lz4, Quicklz, Xbcrypt, Zstd};
        for (name, layers, plain) in [
            ("t.ibd", &[][..], "t.ibd"),
            ("t.ibd.qp", &[Quicklz], "t.ibd"),
            ("t.ibd.zst.xbcrypt", &[Xbcrypt, Zstd], "t.ibd"),
            ("t.ibd.xbcrypt", &[Xbcrypt], "t.ibd"),
            ("t.ibd.gz.lz4", &[Lz4], "t.ibd.gz"),
            ("t.xbcrypt.gz", &[Gzip], "t.xbcrypt"),
            ("t.xbcrypt.xbcrypt", &[Xbcrypt], "t.xbcrypt"),
            ("d/.zst.xbcrypt", &[Xbcrypt], "d/.zst"),
        ] {
            assert_eq!(layers_of(name.as_bytes()), (layers.to_vec(), plain.as_bytes()), "{name}");
        }
    }

    fn storing() -> Storing {
        Storing {
            compression: Some(Compression::Zstd { level: 1 }),
            block_size: 65536,
            encryption: Some(Key::new(&[7; 32]).unwrap()),
            chunk_size: 1000 + 24,
            ivs: |iv| {
                *iv = [9; 16];
                Ok(())
            },
        }
    }

    /// What a piece becomes does not depend on the pieces before it, so threads may share them.
    #[test]
    fn pieces_are_encoded_alone_and_decoded_together() {
        let storing = storing();
        storing.check().unwrap();
        assert_eq!(storing.suffix(Way::Whole), ".zst.xbcrypt");
        let plain: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let pieces: Vec<Piece<'_>> = plain
            .chunks(100_000)
            .enumerate()
            .map(|(number, bytes)| Piece {
                member: b"d/t.ibd",
                offset: number as u64 * 100_000,
                bytes,
                last: number == 11,
            })
            .collect();
        let mut one = storing.encoder(Way::Whole).unwrap();
        let mut together = Vec::new();
        for piece in &pieces {
            one.encode(piece, &mut together).unwrap();
        }
        let mut alone = vec![Vec::new(); pieces.len()];
        for (piece, out) in pieces.iter().zip(&mut alone).rev() {
            storing.encoder(Way::Whole).unwrap().encode(piece, out).unwrap();
        }
        assert!(alone.concat() == together);

        let layers = [Codec::Xbcrypt, Codec::Zstd];
        let key = storing.encryption.as_ref();
        let mut unpacker = Unpacker::new(&layers, key, Growth::default()).unwrap();
        let mut decoded = Vec::new();
        for some in together.chunks(777) {
            let keep = &mut |bytes: &[u8]| {
                decoded.extend_from_slice(bytes);
                Ok(())
            };
            unpacker.push(some, keep).unwrap();
        }
        unpacker.finish().unwrap();
        assert!(decoded == plain);
        assert_eq!(unpacker.plain_bytes(), plain.len() as u64);
    }

    fn unpack(stored: &[u8], layers: &[Codec], growth: Growth) -> Result<u64> {
        let mut unpacker = Unpacker::new(layers, None, growth)?;
        for some in stored.chunks(4096) {
            unpacker.push(some, &mut |_| Ok(()))?;
        }
        unpacker.finish()?;
        Ok(unpacker.plain_bytes())
    }

    #[test]
    fn what_grows_too_much_is_refused_and_preallocated_zeros_are_not() {
        let make = |byte: u8| {
            let mut encoder = ZstdEncoder::new(1).unwrap();
            let mut frame = Vec::new();
            let bytes = &vec![byte; 16 << 20];
            let piece = Piece { member: b"t", offset: 0, bytes, last: true };
            encoder.encode(&piece, &mut frame).unwrap();
            frame.repeat(5)
        };
        let layers = [Codec::Zstd];
        let error = unpack(&make(b'x'), &layers, Growth::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        let generous = Growth { ratio: 100_000, ..Growth::default() };
        assert_eq!(unpack(&make(b'x'), &layers, generous).unwrap(), 80 << 20);
        assert_eq!(unpack(&make(0), &layers, Growth::default()).unwrap(), 80 << 20);
        let small = Growth { size: 1 << 20, ..Growth::default() };
        assert_eq!(unpack(&make(0), &layers, small).unwrap_err().kind(), ErrorKind::Limit);
    }
}
