//! Any text as the manifest of a small stream: it is judged alike however it is cut, and what is
//! accepted is JSON that says of the stream what is so.
//!
//! An input is [`CONTROL`] bytes that say how to go about it, and the text behind them. No fuzzer
//! guesses a digest, so marks in the text stand for the right ones.

#![allow(dead_code, reason = "the tests use more of the shared modules")]
#![expect(clippy::expect_used, reason = "a panic is how a target fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers come from a slice in memory")]

#[path = "../../common/build.rs"]
mod build;

use std::io::Read;

use build::Chunks;
use serde_json::Value;
use xbkit::format::xbstream::{FLAG_MANIFEST, announce_manifest};
use xbkit::manifest::MANIFEST_NAME;
use xbkit::{Error, ErrorKind, StreamReader};

/// Bytes before the text: how to go about it, and three lengths of pieces.
pub(crate) const CONTROL: usize = 4;

/// The text gets the right last line.
pub(crate) const RIGHT_DIGEST: u8 = 1;

/// What the stream holds; the second name is no UTF-8.
const MEMBERS: [(&[u8], &[u8]); 2] = [(b"db/a.ibd", b"page"), (b"b\xff", b"")];

/// A manifest that is right, with marks in place of digests.
pub(crate) const RIGHT: &str = "{\"xbkit_manifest\":1,\"tool\":\"xbkit\",\"members\":[\n\
    {\"path\":\"db/a.ibd\",\"size\":4,\"blake3\":\"@0\"},\n\
    {\"path_hex\":\"62ff\",\"size\":0,\"blake3\":\"@1\"}\n\
    ],\"count\":2,\"payload_bytes\":4,\"framing\":{\"bytes\":@2,\"blake3\":\"@3\"},\n";

/// Tries one input; panics if something is wrong with the code, never with the input.
pub(crate) fn run(data: &[u8]) {
    let Some((&[how, pieces @ ..], text)) = data.split_first_chunk::<CONTROL>() else { return };
    let mut before =
        MEMBERS.into_iter().fold(Chunks::default(), |to, (path, bytes)| to.file(path, bytes)).0;
    announce_manifest(&mut before);
    let is_right = text == RIGHT.as_bytes() && how & RIGHT_DIGEST != 0;
    let mut text = with_digests(text, &before);
    if how & RIGHT_DIGEST != 0 {
        let digest = blake3::hash(&text).to_hex();
        text.extend_from_slice(format!("\"blake3\":\"{digest}\"}}\n").as_bytes());
    }
    let stream = [&before[..], &manifest(&text, usize::from(pieces[0]))].concat();
    let whole = read(&stream[..]);
    let in_pieces = read(Pieces { left: &stream, lengths: &pieces, turn: 0 });
    let verdict = |read: &Result<(), Error>| {
        read.as_ref().err().map(|error| (error.kind(), error.stream_offset(), error.to_string()))
    };
    assert_eq!(verdict(&in_pieces), verdict(&whole));
    match whole {
        Ok(()) => is_true(&text),
        Err(error) => {
            assert!(!is_right, "{error}");
            assert!(!matches!(error.kind(), ErrorKind::Panic | ErrorKind::InvalidState), "{error}");
        }
    }
}

/// The text with digests in place of their marks.
fn with_digests(text: &[u8], before: &[u8]) -> Vec<u8> {
    let payloads = MEMBERS.map(|(_, bytes)| blake3::hash(bytes).to_hex().to_string());
    let mut framing = before.to_vec();
    for (_, bytes) in MEMBERS.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let at = framing.windows(bytes.len()).position(|at| at == *bytes).expect("the payload");
        framing.drain(at..at + bytes.len());
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let mark = behind.first().filter(|_| *first == b'@');
        match mark {
            Some(b'0') => out.extend_from_slice(payloads[0].as_bytes()),
            Some(b'1') => out.extend_from_slice(payloads[1].as_bytes()),
            Some(b'2') => out.extend_from_slice(framing.len().to_string().as_bytes()),
            Some(b'3') => out.extend_from_slice(blake3::hash(&framing).to_hex().as_bytes()),
            _ => {
                out.push(*first);
                continue;
            }
        }
        rest = &behind[1..];
    }
    out
}

/// The text as the stream's last member, in pieces.
fn manifest(text: &[u8], piece: usize) -> Vec<u8> {
    let name = MANIFEST_NAME.as_bytes();
    let mut out = Vec::new();
    let mut offset = 0;
    let flagged = |chunks: Chunks| {
        let mut bytes = chunks.0;
        bytes[8] = FLAG_MANIFEST;
        bytes
    };
    for piece in text.chunks(if piece == 0 { text.len().max(1) } else { piece }) {
        out.extend(flagged(Chunks::default().payload(name, offset, piece)));
        offset += piece.len() as u64;
    }
    out.extend(flagged(Chunks::default().end(name)));
    out
}

fn read(input: impl Read) -> Result<(), Error> {
    let mut reader = StreamReader::new(input)?;
    while reader.next_item()?.is_some() {}
    assert!(reader.is_proven(), "a stream that announces a manifest is proven or refused");
    Ok(())
}

/// Gives its bytes in pieces of these lengths.
struct Pieces<'b> {
    left: &'b [u8],
    lengths: &'b [u8],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let piece = usize::from(self.lengths[self.turn % self.lengths.len()]).max(1);
        self.turn += 1;
        let len = buf.len().min(piece);
        self.left.read(&mut buf[..len])
    }
}

/// What was accepted says what is so, to any reader of JSON.
fn is_true(text: &[u8]) {
    let json: Value = serde_json::from_slice(text).expect("the manifest is JSON");
    assert_eq!(json["xbkit_manifest"], 1);
    assert_eq!(json["count"], 2);
    let members = json["members"].as_array().expect("the members are an array");
    assert_eq!(members.len(), MEMBERS.len());
    for (member, (path, bytes)) in members.iter().zip(MEMBERS) {
        let said = match (&member["path"], &member["path_hex"]) {
            (Value::String(path), Value::Null) => path.as_bytes().to_vec(),
            (Value::Null, Value::String(hex)) => hex
                .as_bytes()
                .chunks(2)
                .map(|pair| char::from(pair[0]).to_digit(16).zip(char::from(pair[1]).to_digit(16)))
                .map(|pair| pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()))
                .collect::<Option<Vec<u8>>>()
                .expect("hexadecimal digits"),
            other => panic!("{other:?} is no path"),
        };
        assert_eq!(said, path);
        assert_eq!(member["size"], bytes.len());
        let hash = member["blake3"].as_str().expect("a digest").to_ascii_lowercase();
        assert_eq!(hash, blake3::hash(bytes).to_hex().to_string());
    }
}
