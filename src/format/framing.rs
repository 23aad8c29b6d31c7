//! The manifest's place in a stream: its name, and the digest of everything between payloads.

/// Name of the manifest, the last member of a stream that holds one.
pub const MANIFEST_NAME: &str = "xbkit_manifest.json";

/// Whether a member of this path would stand where the manifest's file is extracted to.
pub(crate) fn is_in_manifests_place(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').next() == Some(MANIFEST_NAME.as_bytes())
}

/// Where a stream is with its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManifestPlace {
    Ahead,
    Open,
    Behind,
}

/// Bytes that are hashed at once. BLAKE3 is many times as fast on sixteen of its chunks together as
/// on one short piece after the other.
const BATCH: usize = 16 << 10;

/// Hashes short pieces, many of them together. Memory: 18 KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct PieceHasher {
    hasher: blake3::Hasher,
    batch: Vec<u8>,
}

impl PieceHasher {
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(BATCH - self.batch.len()));
            self.batch.extend_from_slice(piece);
            if self.batch.len() == BATCH {
                self.hasher.update(&self.batch);
                self.batch.clear();
            }
            bytes = rest;
        }
    }

    pub(crate) fn finalize(&self) -> blake3::Hash {
        self.hasher.clone().update(&self.batch).finalize()
    }
}

/// A digest over a stream's framing: every byte that is no payload, in the order of the stream,
/// from the beginning to the manifest's first header. Payloads have digests of their own; together
/// they leave no byte of the stream uncovered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    hasher: PieceHasher,
    bytes: u64,
}

/// What a [`Framing`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FramingDigest {
    /// How many bytes of framing.
    pub(crate) bytes: u64,
    /// BLAKE3 of them.
    pub(crate) hash: blake3::Hash,
}

impl Framing {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) fn digest(&self) -> FramingDigest {
        FramingDigest { bytes: self.bytes, hash: self.hasher.finalize() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole_does() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * BATCH + 7).collect();
        for piece in [1, 37, 512, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, bytes.len()] {
            let mut hasher = PieceHasher::default();
            bytes.chunks(piece).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finalize(), blake3::hash(&bytes), "pieces of {piece}");
        }
        assert_eq!(PieceHasher::default().finalize(), blake3::hash(&[]));
    }
}
