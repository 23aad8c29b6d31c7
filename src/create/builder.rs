//! What every job that makes a stream can be told about the stream.

/// The builder's methods that set [`StreamOptions`](super::StreamOptions), for a job that has them
/// in `options`.
macro_rules! streaming_builder {
    () => {
        /// The stream's format.
        pub fn format(mut self, format: $crate::format::any::Format) -> Self {
            self.options.format = format;
            self
        }

        /// Reads on so many threads, 1 to 256. Each file belongs to one, so members interleave; in a tar
        /// archive they stand one behind the other, and threads only read ahead.
        pub fn parallel(mut self, threads: usize) -> Self {
            self.options.parallel = threads;
            self
        }

        /// Payload bytes of a chunk, 64 KiB to 64 MiB.
        pub fn chunk_size(mut self, bytes: usize) -> Self {
            self.options.chunk_size = bytes;
            self
        }

        /// Whether holes of sparse files travel as sparse chunks.
        pub fn dialect(mut self, dialect: $crate::format::xbstream::Dialect) -> Self {
            self.options.dialect = dialect;
            self
        }

        /// Whether the stream ends in a [manifest](crate::manifest), by which it can be proven whole.
        /// On by default.
        pub fn manifest(mut self, manifest: bool) -> Self {
            self.options.manifest = manifest;
            self
        }

        /// Compresses members, each by itself, as XtraBackup does: their names get a suffix such as
        /// `.zst`. Checkpoints (`*_checkpoints`), `*.meta`, files of RocksDB and encrypted tablespaces
        /// of MySQL are not compressed.
        pub fn compress(mut self, compression: $crate::codec::Compression) -> Self {
            self.options.storing.compression = Some(compression);
            self
        }

        /// Compresses on so many threads, 1 to 256, besides those that read. The stream is the same
        /// for every number.
        pub fn compress_threads(mut self, threads: usize) -> Self {
            self.options.compress_threads = threads;
            self
        }

        /// Plain bytes that are compressed on their own: a block of `QuickLZ` or LZ4. 1 KiB to 64 MiB,
        /// for LZ4 to 4 MiB; 65536 unless set.
        pub fn compress_chunk_size(mut self, bytes: usize) -> Self {
            self.options.storing.block_size = bytes;
            self
        }

        /// Encrypts members, each by itself, as xbcrypt does: their names get the suffix `.xbcrypt`,
        /// behind that of compression. Checkpoints (`*_checkpoints`), `*.meta` and the manifest, which
        /// names all members, stay readable.
        pub fn encrypt(mut self, key: $crate::codec::Key) -> Self {
            self.options.storing.encryption = Some(key);
            self
        }

        /// Encrypts on so many threads, 1 to 256, besides those that read. With compression, a piece
        /// is compressed and encrypted by one thread, of which there are as many as the larger number.
        pub fn encrypt_threads(mut self, threads: usize) -> Self {
            self.options.encrypt_threads = threads;
            self
        }

        /// Plain bytes of an encrypted chunk, 1 KiB to 64 MiB; 65536 unless set.
        pub fn encrypt_chunk_size(mut self, bytes: usize) -> Self {
            self.options.storing.chunk_size = bytes;
            self
        }

        /// Ends the job when the token is set.
        pub fn cancel(mut self, token: $crate::cancel::CancelToken) -> Self {
            self.options.cancel = Some(token);
            self
        }
    };
}

pub(crate) use streaming_builder;
