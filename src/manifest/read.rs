//! Reading a manifest, line by line, as its bytes come.

use serde_json::{Map, Value};

use super::write::Ended;
use super::{DIGEST_KEY, VERSION};
use crate::error::{Error, ErrorKind, Result};
use crate::format::framing::{FramingDigest, PieceHasher};
use crate::format::member::MemberPath;
use crate::limits;

const LAYOUT: &str = "is not what the layout has there";

/// What the manifest says behind its members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footer {
    pub(super) count: u64,
    /// Bytes of all members together.
    pub(super) payload_bytes: u64,
    pub(super) framing: FramingDigest,
}

/// Takes the bytes of a manifest. Memory: its longest line, at most [`limits::MANIFEST_LINE`].
#[derive(Debug, Default)]
pub(super) struct ManifestReader {
    line: Vec<u8>,
    lines: u64,
    hasher: PieceHasher,
    /// Whether the line before ended in a comma.
    comma: Option<bool>,
    footer: Option<Footer>,
    ended: bool,
}

impl ManifestReader {
    /// Takes further bytes, and gives every member to `each`, in order.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Ended) -> Result<()>,
    ) -> Result<()> {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + piece.len() > limits::MANIFEST_LINE {
                let message = format!(
                    "line {} of the manifest is longer than {} bytes",
                    self.lines + 1,
                    limits::MANIFEST_LINE
                );
                return Err(Error::new(ErrorKind::Limit, message));
            }
            self.line.extend_from_slice(piece);
            bytes = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.lines += 1;
                self.take_line(&line, &mut each)?;
                self.line = line;
                self.line.clear();
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], each: &mut impl FnMut(Ended) -> Result<()>) -> Result<()> {
        let text = std::str::from_utf8(line).map_err(|_| self.bad("is not UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        if self.ended {
            return Err(self.bad("stands behind the last one"));
        }
        if self.footer.is_some() {
            return self.take_digest(text);
        }
        self.hasher.update(line);
        if self.lines == 1 {
            return self.take_head(text);
        }
        let (text, comma) = text.strip_suffix(',').map_or((text, false), |text| (text, true));
        let before = self.comma.replace(comma);
        if let Some(text) = text.strip_prefix("],") {
            // Behind the last member stands no comma, behind this line one.
            if before == Some(true) || !comma {
                return Err(self.bad(LAYOUT));
            }
            let footer = self.object(&format!("{{{text}}}"))?;
            self.footer = Some(self.footer_of(&footer)?);
            return Ok(());
        }
        if before == Some(false) {
            return Err(self.bad(LAYOUT));
        }
        if let Some(member) = plain_member(text) {
            return each(member);
        }
        let object = self.object(text)?;
        each(self.member_of(&object)?)
    }

    fn take_head(&mut self, text: &str) -> Result<()> {
        let head = self.object(&format!("{text}]}}"))?;
        match head.get("xbkit_manifest").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("the manifest has version {other}, and this xbkit knows {VERSION}"),
                )
                .hint("verify it with the version of xbkit that made it, or a newer one"));
            }
            None => return Err(self.bad("says no version")),
        }
        // The array that the line leaves open is that of the members, and no other.
        if text.ends_with(",\"members\":[") { Ok(()) } else { Err(self.bad(LAYOUT)) }
    }

    fn take_digest(&mut self, text: &str) -> Result<()> {
        self.ended = true;
        if text == format!("{DIGEST_KEY}{}\"}}", self.hasher.finalize().to_hex()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Checksum, "the manifest does not match its own digest")
            .hint(super::proof::DAMAGED))
    }

    /// What the manifest says at its end.
    ///
    /// # Errors
    /// `Truncated` if it does not get there.
    pub(super) fn finish(&self) -> Result<Footer> {
        self.footer.filter(|_| self.ended && self.line.is_empty()).ok_or_else(|| {
            let message = format!("the manifest ends behind {} lines, before its end", self.lines);
            Error::new(ErrorKind::Truncated, message).hint(super::proof::DAMAGED)
        })
    }

    fn object(&self, text: &str) -> Result<Map<String, Value>> {
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(self.bad(LAYOUT)),
        }
    }

    fn member_of(&self, object: &Map<String, Value>) -> Result<Ended> {
        let path = match (object.get("path"), object.get("path_hex")) {
            (Some(Value::String(path)), None) => Some(path.as_bytes().to_vec()),
            (None, Some(Value::String(hex))) => unhex(hex),
            _ => None,
        };
        let path = path.and_then(|path| MemberPath::new(&path).ok());
        let (Some(path), Some(size), Some(hash)) =
            (path, object.get("size").and_then(Value::as_u64), hash_in(object))
        else {
            return Err(self.bad("does not describe a member"));
        };
        let plain_size = object.get("plain_size").and_then(Value::as_u64);
        Ok(Ended { path, size, plain_size, hash })
    }

    fn footer_of(&self, object: &Map<String, Value>) -> Result<Footer> {
        let framing = object.get("framing").and_then(Value::as_object).and_then(|framing| {
            let bytes = framing.get("bytes").and_then(Value::as_u64)?;
            Some(FramingDigest { bytes, hash: hash_in(framing)? })
        });
        let number = |key| object.get(key).and_then(Value::as_u64);
        match (number("count"), number("payload_bytes"), framing) {
            (Some(count), Some(payload_bytes), Some(framing)) => {
                Ok(Footer { count, payload_bytes, framing })
            }
            _ => Err(self.bad("does not sum the stream up")),
        }
    }

    fn bad(&self, what: &str) -> Error {
        Error::new(ErrorKind::Format, format!("line {} of the manifest {what}", self.lines))
            .hint(super::proof::DAMAGED)
    }
}

/// A member's line as it nearly always stands, told in a tenth of the time that JSON takes: of
/// nothing but the three keys, in order, with a path that is as it is. `None` says nothing.
fn plain_member(text: &str) -> Option<Ended> {
    let (path, rest) = text.strip_prefix("{\"path\":\"")?.split_once('"')?;
    let (size, rest) = rest.strip_prefix(",\"size\":")?.split_once(',')?;
    let digits = rest.strip_prefix("\"blake3\":\"")?.strip_suffix("\"}")?;
    let is_plain = |byte: u8| byte >= b' ' && byte != b'\\';
    // JSON has neither signs nor leading zeros there.
    let is_number = size.bytes().all(|byte| byte.is_ascii_digit());
    if !path.bytes().all(is_plain) || !is_number || (size.len() > 1 && size.starts_with('0')) {
        return None;
    }
    let path = MemberPath::new(path.as_bytes()).ok()?;
    Some(Ended { path, size: size.parse().ok()?, plain_size: None, hash: hash(digits)? })
}

fn hash_in(object: &Map<String, Value>) -> Option<blake3::Hash> {
    object.get("blake3").and_then(Value::as_str).and_then(hash)
}

fn hash(hex: &str) -> Option<blake3::Hash> {
    blake3::Hash::from_hex(hex).ok()
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None; // a sign would be taken for a part of a number
    }
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_read_as_json_reads_them() {
        let digest = "0a".repeat(32);
        let line = |path: &str, size: &str| {
            format!("{{\"path\":\"{path}\",\"size\":{size},\"blake3\":\"{digest}\"}}")
        };
        let reader = ManifestReader::default();
        for (path, size) in [("a", "0"), ("db/t.ibd", "98304"), ("ä b", "18446744073709551615")] {
            let text = line(path, size);
            let plain = plain_member(&text).unwrap();
            let json = reader.member_of(&reader.object(&text).unwrap()).unwrap();
            assert_eq!((&plain.path, plain.size, plain.hash), (&json.path, json.size, json.hash));
        }
        for (path, size) in [
            ("a\\u0062", "0"),
            ("a\tb", "0"),
            ("../a", "0"),
            ("a", "01"),
            ("a", "+1"),
            ("a", "-0"),
            ("a", "1.0"),
            ("a", ""),
            ("a", "18446744073709551616"),
            ("a", "1,\"plain_size\":2"),
        ] {
            assert!(plain_member(&line(path, size)).is_none(), "{path} {size}");
        }
    }
}
