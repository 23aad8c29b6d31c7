//! `xbcrypt`: one stream or file, encrypted or decrypted.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use xbkit::codec::{Codec, Key};
use xbkit::error::escape_path;
use xbkit::{DecodeReader, EncodeWriter, Error, ErrorKind, FdReader, FdWriter, Result, limits};

use super::getopt::{self, Given};
use super::option::Id;
use super::{Outcome, Tool, answer, coding, usage};
use crate::coding::Cipher;
use crate::secret::KeySource;
use crate::signals;
use crate::stdio::{Bytes, Input, Output};

/// Where the key is if no option says so.
const VARIABLE: &str = "XBCRYPT_ENCRYPTION_KEY";

/// Plain bytes handed on at once.
const BUFFER: usize = 1 << 20;

/// Runs it.
pub(super) fn run(tool: Tool, args: &[OsString]) -> Result<Outcome> {
    let parsed = getopt::parse(tool.table(), args)?;
    for warning in &parsed.warnings {
        tool.voice().warning(warning);
    }
    if let Some(answer) = answer(tool, &parsed) {
        return answer;
    }
    getopt::check_refused(&parsed.given)?;
    if let Some(word) = parsed.words.first() {
        let word = escape_path(Path::new(word));
        return Err(usage(format!("unexpected argument '{word}'; input and output are options")));
    }
    let given = &parsed.given;
    let decrypt = getopt::is_on(given, Id::Decrypt);
    let key = key(tool, given, decrypt)?;
    let path = |id| getopt::text(given, id).map(PathBuf::from);
    let input = Input::open(path(Id::Input).as_deref())?;
    let output = Output::open(path(Id::Output).as_deref())?;
    let token = signals::token()?;
    let Bytes::Fd(from) = input.bytes() else { return Err(usage("the input has parts")) };
    let source = FdReader::new(from, Some(token.clone()))?;
    let sink = FdWriter::new(output.as_fd(), Some(token))?;
    if decrypt {
        decrypt_all(tool, source, sink, key.as_ref())?;
    } else {
        let key = key.ok_or_else(|| Error::new(ErrorKind::Key, "no key is given"))?;
        let mut writer = EncodeWriter::new(sink, "")?.encrypt(key);
        let range = &limits::CODEC_BLOCK_RANGE;
        let size = coding::number(given, Id::EncryptChunkSize, "encrypt-chunk-size", range)?;
        if let Some(bytes) = size {
            writer = writer.encrypt_chunk_size(bytes)?;
        }
        let mut source = source;
        copy(&mut source, &mut writer)?;
        writer.finish()?;
    }
    output.commit()?;
    Ok(Outcome::Done)
}

fn decrypt_all(
    tool: Tool,
    source: FdReader<'_>,
    mut sink: FdWriter<'_>,
    key: Option<&Key>,
) -> Result<()> {
    let mut reader = DecodeReader::new(source, Codec::Xbcrypt, key)?;
    copy(&mut reader, &mut sink)?;
    if let Some(warning) = reader.warning() {
        tool.voice().warning(warning);
    }
    Ok(())
}

/// Which side fails the errors themselves say.
fn copy(source: &mut impl Read, sink: &mut impl Write) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            result => result.map_err(|error| Error::io(ErrorKind::Source, "reading", error))?,
        };
        if count == 0 {
            return Ok(());
        }
        let written = sink.write_all(buffer.get(..count).unwrap_or_default());
        written.map_err(|error| Error::io(ErrorKind::Sink, "writing", error))?;
    }
}

/// The key; none to decrypt what was made with the algorithm `NONE`. To encrypt, the algorithm must
/// be said: without it the program of this name writes everything readable.
fn key(tool: Tool, given: &[Given], decrypt: bool) -> Result<Option<Key>> {
    let algorithm = getopt::text(given, Id::Encrypt);
    let none = algorithm.is_some_and(|name| name.eq_ignore_ascii_case("none"));
    if none && decrypt {
        return Ok(None);
    }
    let cipher = match algorithm.and_then(OsStr::to_str) {
        Some(name) if !none => Some(Cipher::from_str(name, true).map_err(|_| {
            usage(format!("option '--encrypt-algo' takes AES128, AES192 or AES256, not '{name}'"))
        })?),
        _ if decrypt => None,
        _ => {
            return Err(usage("an algorithm must be given to encrypt with: --encrypt-algo=AES256"));
        }
    };
    let mut source = KeySource {
        text: getopt::text(given, Id::EncryptKey).map(OsStr::to_owned),
        file: getopt::text(given, Id::EncryptKeyFile).map(Into::into),
        variable: None,
    };
    if source.text.is_none() && source.file.is_none() {
        source.variable = Some(VARIABLE.into());
    }
    let key = source.read()?;
    if let (Some(key), Some(cipher)) = (&key, cipher) {
        coding::compare(tool, key, cipher);
    }
    Ok(key)
}
