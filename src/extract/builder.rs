//! What every job that takes layers off stored files can be told about it.

/// The builder's methods that set [`Decoding`](crate::io::unpack::Decoding), but for those whose
/// documents say what is stored where, for a job that has one in `decoding`.
macro_rules! decoding_builder {
    () => {
        /// The key of what is encrypted.
        pub fn key(mut self, key: $crate::codec::Key) -> Self {
            self.decoding.key = Some(key);
            self
        }

        /// Most bytes that a compressed or encrypted member or file may become: 256 TiB unless set.
        pub fn max_decoded_size(mut self, bytes: u64) -> Self {
            self.decoding.growth.size = bytes;
            self
        }

        /// Most plain bytes for a stored byte of a member or file, 2000 unless set. It matters from
        /// 64 MiB of plain bytes on, zeros aside, since a preallocated file is one long run of them.
        pub fn max_ratio(mut self, ratio: u64) -> Self {
            self.decoding.growth.ratio = ratio;
            self
        }
    };
}

pub(crate) use decoding_builder;
