//! Making a manifest while its stream is made.

use std::fmt::Write as _;

use serde_json::Value;

use super::{DIGEST_KEY, VERSION};
use crate::error::Result;
use crate::format::framing::{Framing, FramingDigest};
use crate::format::member::MemberPath;
use crate::format::tar;
use crate::format::xbstream::{append_manifest_end, append_manifest_piece};

/// Collects what the manifest says. Memory: about 120 bytes and the path for each member.
#[derive(Debug)]
pub(crate) struct ManifestWriter {
    /// The first line, and a line for each member so far.
    text: String,
    framing: Framing,
    members: u64,
    payload_bytes: u64,
    pages: Option<Pages>,
}

/// How many pages of tablespaces were looked at, if they were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pages {
    pub(crate) all: u64,
    pub(crate) unchecked: u64,
    pub(crate) damaged: u64,
}

/// A member that ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) path: MemberPath,
    /// Its size in the stream, holes included.
    pub(crate) size: u64,
    /// Its size before it was compressed or encrypted, if it was.
    pub(crate) plain_size: Option<u64>,
    /// Of its bytes in the stream.
    pub(crate) hash: blake3::Hash,
}

impl ManifestWriter {
    /// A manifest of a stream that begins.
    pub(crate) fn new() -> Self {
        let text = format!(
            "{{\"xbkit_manifest\":{VERSION},\"tool\":\"xbkit {}\",\"members\":[",
            env!("CARGO_PKG_VERSION")
        );
        let framing = Framing::default();
        Self { text, framing, members: 0, payload_bytes: 0, pages: None }
    }

    /// Takes note of what was found of all pages.
    pub(crate) fn pages(&mut self, pages: Pages) {
        self.pages = Some(pages);
    }

    /// Whether nothing of the stream was noted yet.
    pub(crate) fn is_first(&self) -> bool {
        self.framing.is_empty()
    }

    /// Takes note of framing as it goes into the stream.
    pub(crate) fn framing(&mut self, bytes: &[u8]) {
        self.framing.update(bytes);
    }

    /// Takes note of a member that ended, in the order of the stream.
    pub(crate) fn member(&mut self, ended: &Ended) {
        let line = if self.members == 0 { "\n{" } else { ",\n{" };
        self.text.push_str(line);
        self.path(&ended.path);
        let _ = write!(self.text, ",\"size\":{}", ended.size); // a String takes everything
        if let Some(plain) = ended.plain_size {
            let _ = write!(self.text, ",\"plain_size\":{plain}");
        }
        self.text.push_str(",\"blake3\":\"");
        self.text.push_str(&ended.hash.to_hex());
        self.text.push_str("\"}");
        self.members += 1;
        self.payload_bytes += ended.size;
    }

    fn path(&mut self, path: &MemberPath) {
        let bytes = path.as_bytes();
        if let Some(plain) = plain_text(bytes) {
            self.text.push_str("\"path\":\"");
            self.text.push_str(plain);
            self.text.push('"');
            return;
        }
        let _ = if let Ok(text) = std::str::from_utf8(bytes) {
            write!(self.text, "\"path\":{}", Value::from(text))
        } else {
            let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            write!(self.text, "\"path_hex\":\"{hex}\"")
        };
    }

    /// Forgets the text so far, and gives its length.
    pub(crate) fn take_len(&mut self) -> u64 {
        let len = self.text.len() as u64;
        self.text.clear();
        len
    }

    /// The whole text.
    pub(crate) fn finish(self) -> ManifestText {
        let framing = self.framing.digest();
        self.finish_with(&framing)
    }

    /// The whole text with this framing instead of the one seen.
    pub(crate) fn finish_with(mut self, framing: &FramingDigest) -> ManifestText {
        let _ = write!(
            self.text,
            "\n],\"count\":{},\"payload_bytes\":{},\"framing\":{{\"bytes\":{},\"blake3\":\"{}\"}},",
            self.members,
            self.payload_bytes,
            framing.bytes,
            framing.hash.to_hex(),
        );
        if let Some(Pages { all, unchecked, damaged }) = self.pages {
            // Of one width, as the length is told before the pages are counted.
            let _ = write!(
                self.text,
                "\"pages\":{{\"all\":{all:20},\"unchecked\":{unchecked:20},\"damaged\":{damaged:20}}},"
            );
        }
        self.text.push('\n');
        let digest = blake3::hash(self.text.as_bytes());
        let _ = writeln!(self.text, "{DIGEST_KEY}{}\"}}", digest.to_hex());
        ManifestText(self.text)
    }
}

/// The path, if a JSON string holds it as it is, as it does most names of files.
fn plain_text(path: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if path.iter().all(is_plain) { std::str::from_utf8(path).ok() } else { None }
}

/// A manifest.
#[derive(Debug)]
pub(crate) struct ManifestText(String);

impl ManifestText {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Gives all chunks of it, the last of the stream, to `write`.
    pub(crate) fn write_chunks(
        &self,
        chunk_size: usize,
        mut write: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut out = Vec::new();
        let mut offset = 0;
        for piece in self.0.as_bytes().chunks(chunk_size.max(1)) {
            if !out.is_empty() {
                write(&out)?;
                out.clear();
            }
            append_manifest_piece(&mut out, offset, piece)?;
            offset += piece.len() as u64;
        }
        append_manifest_end(&mut out)?;
        write(&out)
    }

    /// Gives it as the last member of a tar archive, and the archive's end, to `write`.
    pub(crate) fn write_tar_end(&self, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut header = Vec::new();
        tar::append_manifest_header(&mut header, self.len());
        write(&header)?;
        write(self.0.as_bytes())?;
        let mut end = vec![0; tar::padding_len(self.len())];
        end.extend_from_slice(&tar::END);
        write(&end)
    }
}
