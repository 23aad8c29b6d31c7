//! xbcrypt, the encryption of XtraBackup: chunks of AES in counter mode.
//!
//! Facts from files of `xbcrypt` 2.1, 2.2 and 8.x, all little-endian:
//!
//! ```text
//! "XBCRYP0v", u64 0, u64 original size, u64 encrypted size, u32 CRC-32 of the encrypted bytes,
//! from version 2 on: u64 size of the IV (16, or 0 if nothing is encrypted), IV,
//! encrypted bytes; in version 3 the last 32 are the SHA-256 of the others' plain ones
//! ```
//!
//! Each chunk is encrypted on its own. Its counter begins with the IV in version 3, and with zero
//! in versions 1 and 2, which store an IV but never used it: there all chunks share one key
//! stream, so whoever has two of them has both, nearly. They are read, never written.
//!
//! # What is noticed
//! A changed byte: by the CRC, unless the CRC was changed to fit; then by version 3's hash. A
//! wrong key: by version 3's hash. A cut inside of a chunk. Not noticed by this format: chunks
//! that are missing at the end, taken out, added or swapped, and in versions 1 and 2 a wrong key.
//! What is inside the encryption notices these nearly always: compressed data have their own
//! order and end, an xbstream checks each chunk's place, and a manifest each byte.
//!
//! Counter mode with a hash inside is no authentication: who can guess plain bytes can change
//! them. It keeps secrets, and finds accidents.

use std::fmt;

use aes::{Aes128, Aes192, Aes256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cut::Told;
use super::gather::Gather;
use super::{Decoder, Encoder, Piece};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

pub(super) const MAGIC: &[u8; 7] = b"XBCRYP0";

/// Magic, reserved, both sizes, CRC: what all versions begin with.
const HEAD: usize = 36;
const IV: usize = 16;
const HASH: usize = 32;

/// The largest size that the incumbents take.
const MOST_SIZE: u64 = 0x7fff_ffff;

/// Buffers that a chunk needed and that are larger are freed after it.
const KEEP: usize = 2 << 20;

/// A key of AES: 16, 24 or 32 bytes. Its length, not the name of an algorithm, says which AES it
/// is for, as in XtraBackup. It is zeroed when it is dropped, and never shown.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// A key of these bytes.
    ///
    /// # Errors
    /// `Key` if it has another length than 16, 24 or 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        if matches!(bytes.len(), 16 | 24 | 32) {
            return Ok(Self(Zeroizing::new(bytes.to_vec())));
        }
        let error = Error::new(
            ErrorKind::Key,
            format!("the key has {} bytes, not 16, 24 or 32", bytes.len()),
        );
        Err(match bytes {
            [start @ .., b'\n'] if matches!(start.len(), 16 | 24 | 32) => error
                .hint("the key file ends with a line feed, which counts; write it with `printf`"),
            _ => error.hint("a key file holds the bytes of the key and nothing else"),
        })
    }

    /// The cipher of one chunk.
    fn cipher(&self, counter: &[u8; IV]) -> Result<Cipher> {
        let wrong = |_| Error::new(ErrorKind::Key, "the key has no length of AES");
        let counter = counter.as_slice();
        Ok(match self.0.len() {
            16 => Cipher::Aes128(Box::new(
                Ctr128BE::new_from_slices(&self.0, counter).map_err(wrong)?,
            )),
            24 => Cipher::Aes192(Box::new(
                Ctr128BE::new_from_slices(&self.0, counter).map_err(wrong)?,
            )),
            _ => Cipher::Aes256(Box::new(
                Ctr128BE::new_from_slices(&self.0, counter).map_err(wrong)?,
            )),
        })
    }

    /// Length in bits: 128, 192 or 256.
    pub fn bits(&self) -> usize {
        self.0.len() * 8
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bits)", self.bits())
    }
}

enum Cipher {
    Aes128(Box<Ctr128BE<Aes128>>),
    Aes192(Box<Ctr128BE<Aes192>>),
    Aes256(Box<Ctr128BE<Aes256>>),
}

impl Cipher {
    fn apply(&mut self, bytes: &mut [u8]) {
        match self {
            Self::Aes128(cipher) => cipher.apply_keystream(bytes),
            Self::Aes192(cipher) => cipher.apply_keystream(bytes),
            Self::Aes256(cipher) => cipher.apply_keystream(bytes),
        }
    }
}

/// What the header of a chunk says.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    version: u8,
    /// Encrypted bytes.
    len: usize,
    crc: u32,
    /// Where the counter begins; `None` if the chunk is not encrypted.
    counter: Option<[u8; IV]>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    IvLen { chunk: Chunk },
    Iv { chunk: Chunk },
    Body { chunk: Chunk },
}

/// Reads chunks of all versions.
pub(crate) struct XbcryptDecoder {
    /// `None`: nothing is encrypted, the algorithm `NONE`.
    key: Option<Key>,
    state: State,
    gather: Gather,
    plain: Vec<u8>,
    /// Where in `plain` the last chunk is.
    begin: usize,
    warning: Option<&'static str>,
}

impl XbcryptDecoder {
    pub(crate) fn new(key: Option<Key>) -> Self {
        Self {
            key,
            state: State::Head,
            gather: Gather::default(),
            plain: Vec::new(),
            begin: 0,
            warning: None,
        }
    }

    /// A decoder of the chunks that begin at byte `at`.
    pub(crate) fn behind(key: Option<Key>, at: u64) -> Self {
        Self { gather: Gather::behind(at), ..Self::new(key) }
    }

    fn part(&mut self, input: &mut &[u8]) -> Result<Option<State>> {
        let at = self.gather.at();
        Ok(Some(match self.state {
            State::Head => {
                let Some(head) = self.gather.take(input, HEAD) else { return Ok(None) };
                let chunk = read_head(head, at)?;
                match chunk.version {
                    // It does not say whether it is encrypted; its writers had no reason not to.
                    1 if self.key.is_none() => return Err(no_key()),
                    1 => State::Body { chunk: Chunk { counter: Some([0; IV]), ..chunk } },
                    _ => State::IvLen { chunk },
                }
            }
            State::IvLen { chunk } => {
                let Some(len) = self.gather.take(input, 8) else { return Ok(None) };
                match (number(len), self.key.is_some()) {
                    (16, true) => State::Iv { chunk },
                    (0, false) => State::Body { chunk },
                    (0, true) => {
                        let what = "a chunk that is not encrypted among encrypted ones";
                        return Err(wrong(at, what));
                    }
                    (16, false) => return Err(no_key()),
                    (len, _) => return Err(wrong(at, &format!("an IV of {len} bytes, not 16"))),
                }
            }
            State::Iv { chunk } => {
                let Some(iv) = self.gather.take(input, IV) else { return Ok(None) };
                let iv = iv.first_chunk().copied().unwrap_or_default();
                let counter = if chunk.version == 2 { [0; IV] } else { iv };
                State::Body { chunk: Chunk { counter: Some(counter), ..chunk } }
            }
            State::Body { chunk } => {
                let Some(body) = self.gather.take(input, chunk.len) else { return Ok(None) };
                if crc32fast::hash(body) != chunk.crc {
                    let message = format!("xbcrypt: a chunk's checksum is wrong, at byte {at}");
                    return Err(Error::new(ErrorKind::Checksum, message)
                        .hint("the backup was damaged on its way or at rest; fetch it again"));
                }
                self.plain.truncate(self.begin);
                self.plain.extend_from_slice(body);
                self.decrypt(chunk, at)?;
                State::Head
            }
        }))
    }

    /// Appends what whole chunks hold to `plain`, and gives what should be told. `None`: that would
    /// be more than `most` bytes, or something is wrong.
    pub(crate) fn decode_all(
        mut self,
        mut input: &[u8],
        plain: &mut Vec<u8>,
        most: usize,
    ) -> Option<Told> {
        if input.len() > most {
            return None;
        }
        std::mem::swap(&mut self.plain, plain);
        self.begin = self.plain.len();
        let mut going = self.part(&mut input);
        while let Ok(Some(next)) = going {
            self.state = next;
            if matches!(next, State::Head) {
                self.begin = self.plain.len();
            }
            going = self.part(&mut input);
        }
        std::mem::swap(&mut self.plain, plain);
        let whole = going.is_ok() && self.finish().is_ok();
        whole.then_some(Told(self.warning))
    }

    fn decrypt(&mut self, chunk: Chunk, at: u64) -> Result<()> {
        if let (Some(key), Some(counter)) = (&self.key, &chunk.counter) {
            key.cipher(counter)?.apply(self.plain.get_mut(self.begin..).unwrap_or_default());
        }
        if chunk.version < 3 {
            if chunk.counter.is_some() {
                self.warning = Some(
                    "xbcrypt: data of version 1 or 2, by an old XtraBackup, whose encryption is weak \
                     and cannot tell a wrong key",
                );
            }
            return Ok(());
        }
        let end = self.plain.len().saturating_sub(HASH);
        let hash = self.plain.split_off(end);
        let plain = self.plain.get(self.begin..).unwrap_or_default();
        if Sha256::digest(plain).as_slice() == hash {
            return Ok(());
        }
        self.plain.truncate(self.begin);
        let message = format!(
            "xbcrypt: a chunk does not decrypt: the key is wrong, or the data were changed, \
             at byte {at}"
        );
        Err(Error::new(ErrorKind::Decrypt, message)
            .hint("try the key that the backup was made with"))
    }
}

fn read_head(head: &[u8], at: u64) -> Result<Chunk> {
    let (magic, fields) = head.split_at(head.len().min(8));
    let version = match magic.strip_prefix(MAGIC) {
        Some(&[version @ b'1'..=b'3']) => version - b'0',
        Some(&[other]) if other.is_ascii_digit() => {
            let message = format!("xbcrypt data of version {}, later than 3", other - b'0');
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        _ => return Err(wrong(at, "no chunk begins here")),
    };
    // The reserved field is 0, and ignored by all.
    let original = fields.get(8..).map_or(0, number);
    let encrypted = fields.get(16..).map_or(0, number);
    let crc = fields.last_chunk().map_or(0, |crc| u32::from_le_bytes(*crc));
    // `olen` may say less in files that the incumbents accept; nothing depends on it.
    if original > MOST_SIZE || encrypted > MOST_SIZE {
        let what = format!("a chunk of {} bytes", original.max(encrypted));
        return Err(wrong(at, &what));
    }
    let least = if version == 3 { HASH as u64 } else { 0 };
    if encrypted < least {
        return Err(wrong(at, &format!("a chunk of {encrypted} bytes, which holds no hash")));
    }
    match usize::try_from(encrypted) {
        Ok(len) if len <= limits::CODEC_BLOCK + HASH => {
            Ok(Chunk { version, len, crc, counter: None })
        }
        _ => {
            let most = limits::CODEC_BLOCK;
            let message = format!("an xbcrypt chunk of {encrypted} bytes, more than {most}");
            Err(Error::new(ErrorKind::Limit, message))
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

fn no_key() -> Error {
    Error::new(ErrorKind::Key, "the data are encrypted, and no key was given")
        .hint("give the key that the backup was made with")
}

fn wrong(at: u64, what: &str) -> Error {
    Error::new(ErrorKind::Decrypt, format!("xbcrypt: {what}, at encrypted byte {at}"))
        .hint("the backup was damaged on its way or at rest, or is not encrypted; fetch it again")
}

impl Decoder for XbcryptDecoder {
    fn decode(&mut self, input: &mut &[u8]) -> Result<bool> {
        self.plain.clear();
        self.plain.shrink_to(KEEP);
        self.gather.shrink(KEEP);
        while let Some(next) = self.part(input)? {
            self.state = next;
            if !self.plain.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn output(&self) -> &[u8] {
        &self.plain
    }

    fn finish(&mut self) -> Result<()> {
        match self.state {
            State::Head if self.gather.is_empty() => Ok(()),
            _ => Err(super::cut("encrypted", self.gather.at())),
        }
    }

    fn warning(&mut self) -> Option<&'static str> {
        self.warning.take()
    }
}

/// Fills an IV with bytes that nobody can foretell.
pub(crate) type IvSource = fn(&mut [u8; IV]) -> Result<()>;

/// Writes chunks of version 3.
pub(crate) struct XbcryptEncoder {
    /// `None` for the algorithm `NONE`, which adds checksums alone.
    key: Option<Key>,
    chunk_size: usize,
    ivs: IvSource,
}

impl XbcryptEncoder {
    /// `chunk_size`: plain bytes of a chunk, 65536 where nobody asks otherwise.
    pub(crate) fn new(key: Option<Key>, chunk_size: usize, ivs: IvSource) -> Self {
        Self { key, chunk_size, ivs }
    }

    fn chunk(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let len = (plain.len() + HASH) as u64;
        let mut iv = [0; IV];
        out.extend_from_slice(MAGIC);
        out.push(b'3');
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        let crc_at = out.len();
        out.extend_from_slice(&[0; 4]);
        if self.key.is_some() {
            (self.ivs)(&mut iv)?;
            out.extend_from_slice(&(IV as u64).to_le_bytes());
            out.extend_from_slice(&iv);
        } else {
            out.extend_from_slice(&[0; 8]);
        }
        let body_at = out.len();
        out.extend_from_slice(plain);
        out.extend_from_slice(&Sha256::digest(plain));
        let body = out.get_mut(body_at..).unwrap_or_default();
        if let Some(key) = &self.key {
            key.cipher(&iv)?.apply(body);
        }
        let crc = crc32fast::hash(body);
        if let Some(place) = out.get_mut(crc_at..).and_then(<[u8]>::first_chunk_mut) {
            *place = crc.to_le_bytes();
        }
        Ok(())
    }
}

impl Encoder for XbcryptEncoder {
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()> {
        piece.bytes.chunks(self.chunk_size).try_for_each(|plain| self.chunk(plain, out))
    }
}
