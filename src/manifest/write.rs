//! Making a manifest while its stream is made.

use std::fmt::Write as _;

use serde_json::Value;

use super::{DIGEST_KEY, VERSION};
use crate::format::framing::{Framing, FramingDigest};
use crate::format::member::MemberPath;

/// Collects what the manifest says. Memory: about 100 bytes and the path for each member.
#[derive(Debug)]
pub(crate) struct ManifestWriter {
    /// The first line, and a line for each member so far.
    text: String,
    framing: Framing,
    members: u64,
    payload_bytes: u64,
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
        Self { text, framing: Framing::default(), members: 0, payload_bytes: 0 }
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
        let _ = write!(self.text, ",\"blake3\":\"{}\"}}", ended.hash.to_hex());
        self.members += 1;
        self.payload_bytes += ended.size;
    }

    fn path(&mut self, path: &MemberPath) {
        let bytes = path.as_bytes();
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

    /// The whole text.
    pub(crate) fn finish(self) -> Vec<u8> {
        let framing = self.framing.digest();
        self.finish_with(&framing)
    }

    /// The whole text with this framing instead of the one seen.
    pub(crate) fn finish_with(mut self, framing: &FramingDigest) -> Vec<u8> {
        let _ = writeln!(
            self.text,
            "\n],\"count\":{},\"payload_bytes\":{},\"framing\":{{\"bytes\":{},\"blake3\":\"{}\"}},",
            self.members,
            self.payload_bytes,
            framing.bytes,
            framing.hash.to_hex(),
        );
        let digest = blake3::hash(self.text.as_bytes());
        let _ = writeln!(self.text, "{DIGEST_KEY}{}\"}}", digest.to_hex());
        self.text.into_bytes()
    }
}
