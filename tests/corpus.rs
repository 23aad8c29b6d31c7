//! Replays what the fuzzer found, with the fuzzer's own target, on every run of the tests.
//!
//! `tests/data/corpus/xbstream` holds `golden-*`, made of the golden streams
//! (`XBK_WRITE_GOLDEN=1 cargo test --test corpus` makes them anew), and what
//! `tests/fuzz/run.sh minimise` kept of fuzzing. An input that once failed stays for good.

#![expect(clippy::duplicate_mod, reason = "the fuzz crate takes the same helpers by path")]

mod common;
#[path = "fuzz/targets/xbstream.rs"]
mod xbstream;

use std::path::{Path, PathBuf};

/// More would only slow each run of the tests.
const MOST_FILES: usize = 300;
const MOST_BYTES: usize = 1 << 20;

/// An input for each golden stream, in pieces of lengths that depend on it.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (number, golden) in (0u8..).zip(common::golden::all()) {
        let right_sums = if golden.outcome.is_ok() { xbstream::RIGHT_SUMS } else { 0 };
        let by_seeks = if number % 2 == 0 { xbstream::BY_SEEKS } else { 0 };
        let control = [right_sums | by_seeks, 1, number % 23, 100];
        assert_eq!(control.len(), xbstream::CONTROL);
        let name = format!("golden-{}", golden.name);
        seeds.push((name, [&control[..], &golden.stream].concat()));
    }
    seeds
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads its corpus")]
fn the_corpus_finds_nothing() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/xbstream");
    if std::env::var_os("XBK_WRITE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(&dir).unwrap();
        for (name, input) in seeds() {
            std::fs::write(dir.join(name), input).unwrap();
        }
    }
    let files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut bytes = 0;
    for file in &files {
        let input = std::fs::read(file).unwrap();
        bytes += input.len();
        if let Err(panic) = std::panic::catch_unwind(|| xbstream::run(&input)) {
            eprintln!("{} fails", file.display());
            std::panic::resume_unwind(panic);
        }
    }
    let seeds = seeds();
    assert!(files.len() >= seeds.len() && files.len() < MOST_FILES, "{} files", files.len());
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    for (name, input) in seeds {
        assert_eq!(std::fs::read(dir.join(&name)).unwrap(), input, "{name} is of another stream");
    }
}
