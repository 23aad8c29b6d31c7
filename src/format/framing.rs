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

/// A digest over a stream's framing: every byte that is no payload, in the order of the stream,
/// from the beginning to the manifest's first header. Payloads have digests of their own; together
/// they leave no byte of the stream uncovered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    hasher: blake3::Hasher,
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
