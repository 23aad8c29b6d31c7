//! Golden streams: bytes on disk that our encoder must write and our decoder must judge, for good.
//!
//! `XBK_WRITE_GOLDEN=1 cargo test --test golden` writes them anew; a difference to what is
//! committed is a change of the format, and wants a reason in its commit.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use common::golden::{Golden, all};
use common::tree::{self, decode};
use common::{peers, reference};

const ABOUT: &str = "\
# Golden xbstreams

Small streams that cover each chunk type of both dialects. `good-*` are accepted, `bad-*` refused;
the files that a good one makes, and the kind and place of a bad one's error, stand beside the
program that makes them, `tests/common/golden.rs`. `cargo test --test golden` compares these bytes
with that program's, and what the decoder makes of them with what it says;
`XBK_WRITE_GOLDEN=1 cargo test --test golden` writes them and this list anew.

Origin: xbkit's own encoder, and bytes put together by hand where it refuses. Where the list says
that a peer writes or takes the same, that was seen with the version named.

| file | bytes | shows |
|---|---|---|
";

/// Where they lie; written anew first, if that is asked for.
#[expect(clippy::disallowed_methods, reason = "the test writes its golden files when asked to")]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
fn directory() -> PathBuf {
    static WRITTEN: Once = Once::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/xbstream");
    WRITTEN.call_once(|| {
        if std::env::var_os("XBK_WRITE_GOLDEN").is_some_and(|value| value == "1") {
            let _ = std::fs::remove_dir_all(&directory);
            std::fs::create_dir_all(&directory).unwrap();
            for (name, bytes) in made() {
                std::fs::write(directory.join(name), bytes).unwrap();
            }
        }
    });
    directory
}

fn made() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut list = ABOUT.to_owned();
    for Golden { name, shows, stream, .. } in all() {
        let _ = writeln!(list, "| `{name}.xbs` | {} | {shows} |", stream.len());
        assert!(files.insert(format!("{name}.xbs"), stream).is_none(), "{name} twice");
    }
    files.insert("README.md".to_owned(), list.into_bytes());
    files
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads its golden files")]
fn the_encoder_writes_the_golden_bytes() {
    let found: BTreeMap<String, Vec<u8>> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    let made = made();
    assert!(found.keys().eq(made.keys()), "{:?} and {:?}", found.keys(), made.keys());
    for (name, bytes) in &made {
        assert_eq!(
            found[name].escape_ascii().to_string(),
            bytes.escape_ascii().to_string(),
            "{name}"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads its golden files")]
fn the_decoder_judges_the_golden_bytes() {
    for Golden { name, outcome, .. } in all() {
        assert_eq!(name.starts_with("good-"), outcome.is_ok(), "{name}");
        let stream = std::fs::read(directory().join(format!("{name}.xbs"))).unwrap();
        for piece in [1, 2, 3, 7, 16, stream.len().max(1)] {
            let decoded = decode(&stream, || piece);
            match (&outcome, &decoded.result) {
                (Ok(files), Ok(())) => assert_eq!(&decoded.files, files, "{name}"),
                (Err((kind, at)), Err(error)) => {
                    let found = (error.kind(), error.stream_offset());
                    assert_eq!(found, (*kind, Some(*at)), "{name}: {error}");
                }
                (_, result) => panic!("{name} in pieces of {piece}: {result:?}"),
            }
        }
        assert_eq!(reference::read(&stream), outcome, "{name}: the reference reader");
    }
}

/// What `mbstream` 10.11.19 does otherwise, and why that is no fault of the stream.
const NOT_FOR_MBSTREAM: &[(&str, &str)] = &[
    ("good-ignorable", "writes the chunks that it should skip"),
    ("good-names", "takes `..x` for climbing"),
    ("good-path-511", "makes only one directory level"),
    ("good-rename-into-directory", "leaves the file where it was, and exits 0"),
    ("good-sparse", "does not know Percona's sparse chunks"),
    ("good-sparse-and-payload", "does not know Percona's sparse chunks"),
    ("good-sparse-interleaved", "does not know Percona's sparse chunks"),
    ("good-spellings", "takes each spelling for a member of its own"),
];

#[test]
fn mbstream_makes_the_same_of_the_good_ones() {
    let Some(mbstream) = peers::peer("mbstream") else { return };
    let scratch = tempfile::tempdir().unwrap();
    for Golden { name, stream, outcome, .. } in all() {
        let Ok(files) = outcome else { continue };
        if NOT_FOR_MBSTREAM.iter().any(|(this, _)| *this == name) {
            continue;
        }
        let dir = scratch.path().join(name);
        assert!(peers::extracts(&mbstream, &stream, &dir), "{name}");
        assert_eq!(tree::on_disk(&dir), files, "{name}");
    }
}
