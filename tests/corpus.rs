//! Replays what the fuzzer found, with the fuzzer's own targets, on every run of the tests.
//!
//! `tests/data/corpus/TARGET` holds `golden-*`, made of the golden streams
//! (`XBK_WRITE_GOLDEN=1 cargo test --test corpus` makes them anew), and what
//! `tests/fuzz/run.sh minimise` kept of fuzzing. An input that once failed stays for good.

#![expect(clippy::duplicate_mod, reason = "the fuzz crate takes the same helpers by path")]

mod common;
#[path = "fuzz/targets/manifest.rs"]
mod manifest;
#[path = "fuzz/targets/qpress.rs"]
mod qpress;
#[path = "fuzz/targets/quicklz.rs"]
mod quicklz;
#[path = "fuzz/targets/tar.rs"]
mod tar;
#[path = "fuzz/targets/xbcrypt.rs"]
mod xbcrypt;
#[path = "fuzz/targets/xbstream.rs"]
mod xbstream;

use std::path::{Path, PathBuf};

/// More would only slow each run of the tests.
const MOST_FILES: usize = 300;
const MOST_BYTES: usize = 1 << 20;

/// An input for each golden stream, in pieces of lengths that depend on it.
fn xbstream_seeds() -> Vec<(String, Vec<u8>)> {
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

/// An input for each sample, and each without its end.
fn tar_seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (number, (name, archive)) in (0u8..).zip(common::tarball::samples()) {
        let control = [tar::RIGHT_SUMS, 1, number, 200];
        assert_eq!(control.len(), tar::CONTROL);
        seeds.push((format!("golden-{name}"), [&control[..], &archive].concat()));
        let control = [tar::RIGHT_SUMS | tar::NO_END, 255, number, 0];
        let cut = &archive[..archive.len() - 1024];
        seeds.push((format!("golden-{name}-without-end"), [&control[..], cut].concat()));
    }
    seeds
}

/// A manifest that is right, one line shorter each, and spelt otherwise.
fn manifest_seeds() -> Vec<(String, Vec<u8>)> {
    let input = |text: &str| [&[manifest::RIGHT_DIGEST, 0, 40, 7][..], text.as_bytes()].concat();
    let mut seeds = vec![("golden-right".to_owned(), input(manifest::RIGHT))];
    let lines: Vec<&str> = manifest::RIGHT.split_inclusive('\n').collect();
    for left_out in 0..lines.len() {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
        let text: String = kept.map(|(_, line)| *line).collect();
        seeds.push((format!("golden-without-{left_out}"), input(&text)));
    }
    for (name, from, to) in [
        ("comma", "\"}\n]", "\"},\n]"),
        ("no-comma", "\"},\n{", "\"}\n{"),
        ("in-head", "[\n", "[{\"path\":\"c\"}\n"),
        ("other-array", "\"members\":[", "\"members\":[],\"others\":["),
        ("sign", "62ff", "62+f"),
        ("escapes", "db/a", "d\\u0062/a"),
        ("key", "\"size\":4", "\"new\":{\"size\":[9]},\"size\":4"),
    ] {
        assert!(manifest::RIGHT.contains(from), "{name}");
        seeds.push((format!("golden-{name}"), input(&manifest::RIGHT.replacen(from, to, 1))));
    }
    seeds
}

#[test]
fn the_corpus_of_manifests_finds_nothing() {
    replay("manifest", &manifest_seeds(), manifest::run);
}

#[test]
fn the_corpus_of_xbstreams_finds_nothing() {
    replay("xbstream", &xbstream_seeds(), xbstream::run);
}

#[test]
fn the_corpus_of_tar_archives_finds_nothing() {
    replay("tar", &tar_seeds(), tar::run);
}

/// Their seeds were written by hand, from the formats' layout.
#[test]
fn the_corpora_of_codecs_find_nothing() {
    replay("quicklz", &[], quicklz::run);
    replay("qpress", &[], qpress::run);
    replay("xbcrypt", &[], xbcrypt::run);
}

#[expect(clippy::disallowed_methods, reason = "the test reads its corpus")]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
fn replay(target: &str, seeds: &[(String, Vec<u8>)], run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus").join(target);
    if std::env::var_os("XBK_WRITE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(&dir).unwrap();
        for (name, input) in seeds {
            std::fs::write(dir.join(name), input).unwrap();
        }
    }
    let files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut bytes = 0;
    for file in &files {
        let input = std::fs::read(file).unwrap();
        bytes += input.len();
        if let Err(panic) = std::panic::catch_unwind(|| run(&input)) {
            eprintln!("{} fails", file.display());
            std::panic::resume_unwind(panic);
        }
    }
    assert!(files.len() >= seeds.len().max(3) && files.len() < MOST_FILES, "{} files", files.len());
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    for (name, input) in seeds {
        assert_eq!(&std::fs::read(dir.join(name)).unwrap(), input, "{name} is of another stream");
    }
}
