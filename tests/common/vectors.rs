//! The shared vectors: streams that the peers wrote, and what they hold.
//!
//! They lie beside the project in `../shared/vectors`; `XBK_VECTORS` names another place.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::peers;
use super::tree::Content;

/// The vectors' directory, and its catalogue.
pub(crate) struct Vectors {
    dir: PathBuf,
    entries: Vec<Value>,
}

/// One file of the catalogue.
pub(crate) struct Vector<'v> {
    dir: &'v Path,
    entry: &'v Value,
}

/// What a vector holds under one name.
#[derive(Debug)]
pub(crate) struct Expected<'v> {
    dir: &'v Path,
    pub(crate) path: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) sha256: &'v str,
    /// The expression that makes the content, and the file that holds it, where there is one.
    recipe: Option<&'v str>,
    stored: Option<&'v str>,
}

impl Vectors {
    /// The vectors, or `None` after saying that they are missing: then the test returns.
    #[expect(clippy::disallowed_methods, reason = "the test reads its vectors")]
    #[track_caller]
    pub(crate) fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
        let dir = std::env::var_os("XBK_VECTORS").map_or(beside, PathBuf::from);
        let Ok(text) = std::fs::read(dir.join("manifest.json")) else {
            peers::missing(&format!("the manifest of vectors in {}", dir.display()));
            return None;
        };
        let mut manifest: Value = serde_json::from_slice(&text).expect("the manifest is JSON");
        let entries = match manifest["entries"].take() {
            Value::Array(entries) if !entries.is_empty() => entries,
            _ => panic!("the manifest has no entries"),
        };
        Some(Self { dir, entries })
    }

    /// The vectors of one set, such as `xbstream-bad`. There is at least one.
    pub(crate) fn set<'v>(&'v self, set: &str) -> Vec<Vector<'v>> {
        let of_set = |vector: &Vector<'_>| vector.file().split('/').next() == Some(set);
        let all = self.entries.iter().map(|entry| Vector { dir: &self.dir, entry });
        let found: Vec<_> = all.filter(of_set).collect();
        assert!(!found.is_empty(), "no vectors of the set {set}");
        found
    }

    /// The names in the directory of a set, to see that none is left out.
    #[expect(clippy::disallowed_methods, reason = "the test lists its vectors")]
    pub(crate) fn listing(&self, set: &str) -> Vec<String> {
        let dir = std::fs::read_dir(self.dir.join(set)).expect("the set's directory");
        let mut names: Vec<String> = dir
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
            .collect();
        names.sort();
        names
    }
}

impl<'v> Vector<'v> {
    /// `set/name`, without the suffix of a compressed one.
    pub(crate) fn file(&self) -> &'v str {
        self.text("file")
    }

    /// The last part of [`Vector::file`].
    pub(crate) fn name(&self) -> &'v str {
        self.file().rsplit('/').next().expect("a name")
    }

    /// The length of the stream.
    pub(crate) fn size(&self) -> u64 {
        self.entry["size"].as_u64().expect("a size")
    }

    /// How the peer that made it was called.
    pub(crate) fn options(&self) -> &'v str {
        self.text("options")
    }

    /// Whether the peers' test record has this line.
    pub(crate) fn was(&self, verified: &str) -> bool {
        self.list("verified_by").any(|line| line.as_str() == Some(verified))
    }

    /// The stream, decompressed if it is stored so, and proved to be the one that was meant.
    #[expect(clippy::disallowed_methods, reason = "the test reads its vectors")]
    pub(crate) fn stream(&self) -> Vec<u8> {
        let stored_as = self.entry["stored_as"].as_str().unwrap_or(self.file());
        let stored = std::fs::read(self.dir.join(stored_as)).expect("the vector can be read");
        let stream = if self.entry["stored_as"].is_null() {
            stored
        } else {
            zstd::decode_all(stored.as_slice()).expect("the vector is zstd")
        };
        assert_eq!(hex(&Sha256::digest(&stream)), self.text("sha256"), "{stored_as} was changed");
        stream
    }

    /// Another file of the vectors, such as a key.
    #[expect(clippy::disallowed_methods, reason = "the test reads its vectors")]
    pub(crate) fn beside(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(file)).expect("the file can be read")
    }

    /// What it holds.
    pub(crate) fn expected(&self) -> Vec<Expected<'v>> {
        let dir = self.dir;
        self.list("expect")
            .map(|entry| Expected {
                dir,
                path: match (&entry["path_hex"], &entry["path"]) {
                    (Value::String(hex), _) => unhex(hex),
                    (_, Value::String(path)) => path.clone().into_bytes(),
                    _ => Vec::new(),
                },
                size: entry["size"].as_u64().expect("a size"),
                sha256: entry["sha256"].as_str().expect("a digest"),
                recipe: entry["gen"].as_str(),
                stored: entry["stored"].as_str(),
            })
            .collect()
    }

    pub(crate) fn text(&self, key: &str) -> &'v str {
        self.entry[key].as_str().unwrap_or_else(|| panic!("{key} in {}", self.entry))
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &'v Value> {
        self.entry[key].as_array().into_iter().flatten()
    }
}

impl Expected<'_> {
    /// The bytes, from their file or made anew by the vectors' own program, and proved right.
    /// `None` after saying that Python is missing.
    #[expect(clippy::disallowed_methods, reason = "the test reads its vectors")]
    pub(crate) fn content(&self) -> Option<Vec<u8>> {
        let bytes = if self.size == 0 {
            Vec::new()
        } else if let Some(stored) = self.stored {
            std::fs::read(self.dir.join(stored)).expect("the content can be read")
        } else {
            let python = peers::peer("python3")?;
            let recipe = self.recipe.expect("a content that is not stored has a recipe");
            let made = Command::new(python).arg(self.dir.join("plain_gen.py")).arg(recipe).output();
            made.expect("python3 runs").stdout
        };
        assert_eq!(hex(&Sha256::digest(&bytes)), self.sha256, "content of {self:?}");
        Some(bytes)
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(content: &Content) -> String {
    let mut hash = Sha256::new();
    content.feed(|bytes| hash.update(bytes));
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).expect("hexadecimal") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
