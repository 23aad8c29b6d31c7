//! Streams put together chunk by chunk.

use xbkit::format::xbstream::{
    SparseRun, append_end, append_payload_header, append_remove, append_rename, append_seek,
    append_sparse_header, crc32,
};

/// `len` bytes that do not repeat soon, by seed.
pub(crate) fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Appends chunks one behind the other.
#[derive(Clone, Default)]
pub(crate) struct Chunks(pub(crate) Vec<u8>);

impl Chunks {
    pub(crate) fn payload(mut self, path: &[u8], offset: u64, bytes: &[u8]) -> Self {
        let len = bytes.len() as u64;
        append_payload_header(&mut self.0, path, offset, len, crc32(bytes), false)
            .expect("a header");
        self.raw(bytes)
    }

    /// A payload that opens a closed member anew.
    pub(crate) fn rewrite(mut self, path: &[u8], bytes: &[u8]) -> Self {
        let len = bytes.len() as u64;
        append_payload_header(&mut self.0, path, 0, len, crc32(bytes), true).expect("a header");
        self.raw(bytes)
    }

    pub(crate) fn end(mut self, path: &[u8]) -> Self {
        append_end(&mut self.0, path).expect("an end");
        self
    }

    /// A member in one payload.
    pub(crate) fn file(self, path: &[u8], bytes: &[u8]) -> Self {
        self.payload(path, 0, bytes).end(path)
    }

    pub(crate) fn sparse(
        mut self,
        path: &[u8],
        offset: u64,
        map: &[(u32, u32)],
        bytes: &[u8],
    ) -> Self {
        let runs: Vec<_> = map.iter().map(|&(skip, len)| SparseRun { skip, len }).collect();
        append_sparse_header(&mut self.0, path, offset, &runs, bytes).expect("a header");
        self.raw(bytes)
    }

    pub(crate) fn seek(mut self, path: &[u8], offset: u64) -> Self {
        append_seek(&mut self.0, path, offset).expect("a seek");
        self
    }

    pub(crate) fn rename(mut self, from: &[u8], to: &[u8]) -> Self {
        append_rename(&mut self.0, from, to).expect("a rename");
        self
    }

    pub(crate) fn remove(mut self, path: &[u8]) -> Self {
        append_remove(&mut self.0, path).expect("a remove");
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A chunk by hand, with what our encoder would not write.
    pub(crate) fn chunk(self, flags: u8, letter: u8, path: &[u8], body: &[u8]) -> Self {
        let len = (path.len() as u32).to_le_bytes();
        self.raw(b"XBSTCK01").raw(&[flags, letter]).raw(&len).raw(path).raw(body)
    }

    /// The same with the body of a payload chunk.
    pub(crate) fn like_payload(self, flags: u8, letter: u8, path: &[u8], bytes: &[u8]) -> Self {
        let mut body = (bytes.len() as u64).to_le_bytes().to_vec();
        body.extend_from_slice(&[0; 8]);
        body.extend_from_slice(&crc32(bytes).to_le_bytes());
        body.extend_from_slice(bytes);
        self.chunk(flags, letter, path, &body)
    }

    /// With one byte changed.
    pub(crate) fn flip(mut self, at: usize, mask: u8) -> Self {
        self.0[at] ^= mask;
        self
    }

    /// Only the first bytes.
    pub(crate) fn cut(mut self, len: usize) -> Self {
        assert!(len < self.0.len());
        self.0.truncate(len);
        self
    }
}
