//! How members are compressed and encrypted, and how that is taken off, as command lines say it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;
use xbkit::codec::{Compression, Key};
use xbkit::{Backup, Create, Error, ErrorKind, Extract, Result, ServerBackup, limits};

use crate::dropin::parse_number;
use crate::secret::KeySource;

/// The level where nobody asks for one: XtraBackup's.
pub(crate) const ZSTD_LEVEL: i32 = 1;
/// That of the gzip program.
const GZIP_LEVEL: u32 = 6;

/// A compression by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// .qp, for mariabackup and XtraBackup before 8.1
    Quicklz,
    /// .lz4
    Lz4,
    /// .zst
    Zstd,
    /// .gz
    Gzip,
}

impl Algorithm {
    /// The compression, with a level if one was asked for.
    pub(crate) fn compression(self, level: Option<usize>) -> Compression {
        match self {
            Self::Quicklz => Compression::Quicklz,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd {
                level: level.and_then(|level| i32::try_from(level).ok()).unwrap_or(ZSTD_LEVEL),
            },
            Self::Gzip => Compression::Gzip {
                level: level.and_then(|level| u32::try_from(level).ok()).unwrap_or(GZIP_LEVEL),
            },
        }
    }
}

/// A cipher by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cipher {
    #[value(name = "AES128", alias = "aes128")]
    Aes128,
    #[value(name = "AES192", alias = "aes192")]
    Aes192,
    #[value(name = "AES256", alias = "aes256")]
    Aes256,
}

impl Cipher {
    /// Bits of its keys.
    pub(crate) fn bits(self) -> usize {
        match self {
            Self::Aes128 => 128,
            Self::Aes192 => 192,
            Self::Aes256 => 256,
        }
    }
}

/// How members are stored.
#[derive(Debug, Default)]
pub(crate) struct Storing {
    pub(crate) compression: Option<Compression>,
    pub(crate) compress_threads: Option<usize>,
    pub(crate) compress_chunk_size: Option<usize>,
    pub(crate) key: Option<Key>,
    pub(crate) encrypt_threads: Option<usize>,
    pub(crate) encrypt_chunk_size: Option<usize>,
}

/// Two kinds of jobs take the same options.
macro_rules! store {
    ($storing:expr, $job:expr) => {{
        let mut job = $job;
        if let Some(compression) = $storing.compression {
            job = job.compress(compression);
        }
        if let Some(threads) = $storing.compress_threads {
            job = job.compress_threads(threads);
        }
        if let Some(bytes) = $storing.compress_chunk_size {
            job = job.compress_chunk_size(bytes);
        }
        if let Some(key) = $storing.key {
            job = job.encrypt(key);
        }
        if let Some(threads) = $storing.encrypt_threads {
            job = job.encrypt_threads(threads);
        }
        if let Some(bytes) = $storing.encrypt_chunk_size {
            job = job.encrypt_chunk_size(bytes);
        }
        job
    }};
}

impl Storing {
    pub(crate) fn of_create(self, job: Create) -> Create {
        store!(self, job)
    }

    pub(crate) fn of_backup(self, job: Backup) -> Backup {
        store!(self, job)
    }

    pub(crate) fn of_server_backup(self, job: ServerBackup) -> ServerBackup {
        store!(self, job)
    }
}

/// What is taken off members.
#[derive(Debug)]
pub(crate) struct Decoding {
    pub(crate) decompress: bool,
    pub(crate) decrypt: bool,
    pub(crate) key: Option<Key>,
    pub(crate) threads: Option<usize>,
    pub(crate) max_size: Option<u64>,
    pub(crate) max_ratio: Option<u64>,
}

impl Decoding {
    /// Everything stays as it is stored, as the drop-in extractors do unless they are asked.
    pub(crate) fn none() -> Self {
        Self {
            decompress: false,
            decrypt: false,
            key: None,
            threads: None,
            max_size: None,
            max_ratio: None,
        }
    }

    pub(crate) fn of_extract(self, job: Extract) -> Extract {
        let mut job = job.decompress(self.decompress).decrypt(self.decrypt);
        if let Some(key) = self.key {
            job = job.key(key);
        }
        if let Some(threads) = self.threads {
            job = job.decode_threads(threads);
        }
        if let Some(bytes) = self.max_size {
            job = job.max_decoded_size(bytes);
        }
        if let Some(ratio) = self.max_ratio {
            job = job.max_ratio(ratio);
        }
        job
    }
}

/// Where the key is.
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of options")]
pub(crate) struct KeyArgs {
    /// The file that holds the key's 16, 24 or 32 bytes, and nothing else; /dev/fd/N is a descriptor
    #[arg(long, value_name = "FILE", group = "source_of_key", help_heading = "Keys")]
    encrypt_key_file: Option<PathBuf>,
    /// The environment variable that holds the key
    #[arg(long, value_name = "NAME", group = "source_of_key", help_heading = "Keys")]
    encrypt_key_env: Option<OsString>,
    /// The key itself; a file is safer, as others may see it here before it is overwritten
    #[arg(long, value_name = "KEY", group = "source_of_key", help_heading = "Keys")]
    encrypt_key: Option<OsString>,
}

impl KeyArgs {
    pub(crate) fn read(self) -> Result<Option<Key>> {
        KeySource {
            text: self.encrypt_key,
            file: self.encrypt_key_file,
            variable: self.encrypt_key_env,
        }
        .read()
    }
}

/// Options of the commands that make streams.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArgs {
    /// Compress each member by itself, as XtraBackup does; zstd if no ALG is given
    #[arg(
        long,
        value_enum,
        value_name = "ALG",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "zstd"
    )]
    compress: Option<Algorithm>,
    /// Compression level, of zstd (1 to 19; 1) or gzip (1 to 9; 6)
    #[arg(long, value_name = "N", value_parser = level, alias = "compress-zstd-level")]
    compress_level: Option<usize>,
    /// Compress with so many threads, besides those that read
    #[arg(long, value_name = "N", value_parser = threads)]
    compress_threads: Option<usize>,
    /// Compress so many bytes on their own, with quicklz and lz4
    #[arg(long, value_name = "SIZE", value_parser = block_size)]
    compress_chunk_size: Option<usize>,
    /// Encrypt each member by itself, as XtraBackup does
    #[arg(long, value_enum, value_name = "ALG", ignore_case = true, requires = "source_of_key")]
    encrypt: Option<Cipher>,
    /// Encrypt with so many threads, besides those that read
    #[arg(long, value_name = "N", value_parser = threads)]
    encrypt_threads: Option<usize>,
    /// Encrypt so many bytes on their own
    #[arg(long, value_name = "SIZE", value_parser = block_size)]
    encrypt_chunk_size: Option<usize>,
    #[command(flatten)]
    key: KeyArgs,
}

impl StoreArgs {
    pub(crate) fn storing(self) -> Result<Storing> {
        let key = self.key.read()?;
        let key = match (self.encrypt, key) {
            (Some(cipher), Some(key)) if key.bits() != cipher.bits() => {
                let (have, want) = (key.bits() / 8, cipher.bits() / 8);
                let message = format!("the key has {have} bytes, and this algorithm takes {want}");
                return Err(Error::new(ErrorKind::Key, message));
            }
            (Some(_), key) => key,
            (None, Some(_)) => {
                let message = "a key is given, but not what to do with it";
                return Err(Error::new(ErrorKind::InvalidArgument, message)
                    .hint("encrypt with --encrypt=AES256"));
            }
            (None, None) => None,
        };
        Ok(Storing {
            compression: self.compress.map(|algorithm| algorithm.compression(self.compress_level)),
            compress_threads: self.compress_threads,
            compress_chunk_size: self.compress_chunk_size,
            key,
            encrypt_threads: self.encrypt_threads,
            encrypt_chunk_size: self.encrypt_chunk_size,
        })
    }
}

/// Options of the commands that extract.
#[derive(Debug, clap::Args)]
pub(crate) struct DecodeArgs {
    /// Decrypt and decompress with so many threads; as many as there are processors
    #[arg(long, value_name = "N", value_parser = threads)]
    decode_threads: Option<usize>,
    /// Refuse a member that decodes to more bytes
    #[arg(long, value_name = "SIZE", value_parser = decoded_size)]
    max_decoded_size: Option<u64>,
    /// Refuse a member that decodes to more than N bytes for each stored one; 2000
    #[arg(long, value_name = "N", value_parser = ratio)]
    max_ratio: Option<u64>,
    #[command(flatten)]
    key: KeyArgs,
}

impl DecodeArgs {
    pub(crate) fn decoding(self) -> Result<Decoding> {
        Ok(Decoding {
            decompress: true,
            decrypt: true,
            key: self.key.read()?,
            threads: Some(self.decode_threads.unwrap_or_else(processors)),
            max_size: self.max_decoded_size,
            max_ratio: self.max_ratio,
        })
    }
}

/// Threads where nobody says how many, and they have much to do.
pub(crate) fn processors() -> usize {
    let most = *limits::PARALLEL_RANGE.end();
    std::thread::available_parallelism().map_or(1, |count| count.get().min(most))
}

fn threads(text: &str) -> Result<usize, String> {
    crate::args::within(text, &limits::PARALLEL_RANGE, "threads")
}

fn level(text: &str) -> Result<usize, String> {
    crate::args::within(text, &limits::ZSTD_LEVEL, "")
}

fn block_size(text: &str) -> Result<usize, String> {
    crate::args::within(text, &limits::CODEC_BLOCK_RANGE, "bytes")
}

fn decoded_size(text: &str) -> Result<u64, String> {
    let most = limits::MEMBER_SIZE;
    let number = parse_number(text).filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("not a number of bytes up to {most}"))
}

fn ratio(text: &str) -> Result<u64, String> {
    let most = limits::MEMBER_SIZE;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("not a number from 1 to {most}"))
}
