//! Compression and encryption, as the programs' options say them.

use std::ffi::OsStr;

use clap::ValueEnum;
use xbkit::codec::Key;
use xbkit::{Error, ErrorKind, Result, limits};

use super::getopt::{self, Given, Setting};
use super::option::Id;
use super::{Tool, usage};
use crate::coding::{Algorithm, Cipher, Decoding, Storing};
use crate::secret::KeySource;

/// How members are stored.
pub(super) fn storing(tool: Tool, given: &[Given]) -> Result<Storing> {
    let level = number(given, Id::CompressZstdLevel, "compress-zstd-level", &limits::ZSTD_LEVEL)?;
    let compression = algorithm(tool, given)?.map(|algorithm| match algorithm {
        Algorithm::Gzip => algorithm.compression(None),
        _ => algorithm.compression(level),
    });
    let key = match cipher(given, Id::Encrypt, "encrypt")? {
        None => None,
        Some(cipher) => Some(key(tool, given, cipher)?),
    };
    let threads = &limits::PARALLEL_RANGE;
    let sizes = &limits::CODEC_BLOCK_RANGE;
    Ok(Storing {
        compression,
        compress_threads: number(given, Id::CompressThreads, "compress-threads", threads)?,
        compress_chunk_size: number(given, Id::CompressChunkSize, "compress-chunk-size", sizes)?,
        key,
        encrypt_threads: number(given, Id::EncryptThreads, "encrypt-threads", threads)?,
        encrypt_chunk_size: number(given, Id::EncryptChunkSize, "encrypt-chunk-size", sizes)?,
    })
}

/// What is taken off members: nothing, unless it is asked for.
pub(super) fn decoding(tool: Tool, given: &[Given]) -> Result<Decoding> {
    let decompress = getopt::is_on(given, Id::Decompress);
    let key = match cipher(given, Id::Decrypt, "decrypt")? {
        None => None,
        Some(cipher) => Some(key(tool, given, cipher)?),
    };
    let threads = &limits::PARALLEL_RANGE;
    let decompress_threads = number(given, Id::DecompressThreads, "decompress-threads", threads)?;
    let encrypt_threads = number(given, Id::EncryptThreads, "encrypt-threads", threads)?;
    let decompress_threads = decompress_threads.filter(|_| decompress);
    let encrypt_threads = encrypt_threads.filter(|_| key.is_some());
    Ok(Decoding {
        decompress,
        decrypt: key.is_some(),
        key,
        threads: decompress_threads.max(encrypt_threads),
        ..Decoding::none()
    })
}

/// The compression that is asked for. Without a name it is what the program's versions wrote that
/// most readers know.
fn algorithm(tool: Tool, given: &[Given]) -> Result<Option<Algorithm>> {
    match getopt::last(given, Id::Compress) {
        None | Some(Setting::Off | Setting::Secret(_)) => Ok(None),
        Some(Setting::On) => Ok(Some(match tool {
            Tool::Xtrabackup => Algorithm::Zstd,
            _ => Algorithm::Quicklz,
        })),
        Some(Setting::Text(name)) => {
            let found = name.to_str().and_then(|name| Algorithm::from_str(name, true).ok());
            found.map(Some).ok_or_else(|| {
                usage(format!(
                    "option '--compress' takes quicklz, lz4, zstd or gzip, not '{}'",
                    name.display()
                ))
            })
        }
    }
}

fn cipher(given: &[Given], id: Id, name: &str) -> Result<Option<Cipher>> {
    let Some(text) = getopt::text(given, id) else { return Ok(None) };
    let found = text.to_str().and_then(|text| Cipher::from_str(text, true).ok());
    found.map(Some).ok_or_else(|| {
        usage(format!("option '--{name}' takes AES128, AES192 or AES256, not '{}'", text.display()))
    })
}

/// The key. Its length decides, as in the programs; the algorithm's name only has to be one.
fn key(tool: Tool, given: &[Given], cipher: Cipher) -> Result<Key> {
    let source = KeySource {
        text: getopt::text(given, Id::EncryptKey).map(OsStr::to_owned),
        file: getopt::text(given, Id::EncryptKeyFile).map(Into::into),
        variable: None,
    };
    let key = source.read()?.ok_or_else(|| {
        Error::new(ErrorKind::Key, "no key is given").hint("name its file with --encrypt-key-file")
    })?;
    compare(tool, &key, cipher);
    Ok(key)
}

/// Warns if the key is of another algorithm than the one named: it is the key that counts.
pub(super) fn compare(tool: Tool, key: &Key, cipher: Cipher) {
    if key.bits() != cipher.bits() {
        tool.voice().warning(&format!(
            "the key has {} bits and the algorithm's name says {}: it is the key that counts, so \
             this is AES{}",
            key.bits(),
            cipher.bits(),
            key.bits()
        ));
    }
}

/// A number within its range. Too many threads are brought into it, as the programs do.
pub(super) fn number(
    given: &[Given],
    id: Id,
    name: &str,
    range: &std::ops::RangeInclusive<usize>,
) -> Result<Option<usize>> {
    let Some(asked) = getopt::number(given, id, name)? else { return Ok(None) };
    let number = usize::try_from(asked).unwrap_or(usize::MAX);
    if range == &limits::PARALLEL_RANGE {
        return Ok(Some(number.clamp(*range.start(), *range.end())));
    }
    if range.contains(&number) {
        return Ok(Some(number));
    }
    let (start, end) = (range.start(), range.end());
    Err(usage(format!("option '--{name}' takes {start} to {end}, not {asked}")))
}
