//! Runs the examples, as a reader of the documentation would.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Cargo builds the examples beside this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built: PathBuf = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(
        built.exists(),
        "{} was not built: run `cargo test` without --all-targets",
        built.display()
    );
    Command::new(built)
}

fn run(name: &str, argument: Option<&Path>, input: Option<&Path>) -> Output {
    let mut command = example(name);
    command.args(argument);
    match input {
        Some(path) => command.stdin(std::fs::File::open(path).unwrap()),
        None => command.stdin(Stdio::null()),
    };
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}: {said}", output.status);
    output
}

#[test]
fn what_the_examples_write_the_examples_read() {
    let scratch = tempfile::tempdir().unwrap();
    let stream = scratch.path().join("stream");
    std::fs::write(&stream, run("writer", None, None).stdout).unwrap();

    let list = String::from_utf8(run("list", None, Some(&stream)).stdout).unwrap();
    let mut names: Vec<&str> = list.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["1400000", "1400000", "a.txt", "dir/b.txt"]);

    let read = String::from_utf8(run("reader", None, Some(&stream)).stderr).unwrap();
    assert!(read.contains("dir/b.txt: 1400000 bytes, 1400000 of them data"), "{read}");

    let target = scratch.path().join("new");
    run("extract", Some(&target), Some(&stream));
    assert_eq!(
        std::fs::read_to_string(target.join("dir/b.txt")).unwrap(),
        "one line of b\n".repeat(100_000)
    );
}

#[test]
fn a_backup_of_a_directory_extracts_to_the_same_files() {
    let scratch = tempfile::tempdir().unwrap();
    let datadir = scratch.path().join("data");
    std::fs::create_dir_all(datadir.join("db")).unwrap();
    std::fs::write(datadir.join("ibdata1"), vec![0; 3 << 20]).unwrap();
    std::fs::write(datadir.join("ib_logfile0"), "redo").unwrap();
    std::fs::write(datadir.join("db/t.ibd"), "\0\0\0").unwrap();
    let stream = scratch.path().join("stream");
    std::fs::write(&stream, run("backup", Some(&datadir), None).stdout).unwrap();
    let target = scratch.path().join("new");
    run("extract", Some(&target), Some(&stream));
    assert_eq!(std::fs::read(target.join("ibdata1")).unwrap(), vec![0; 3 << 20]);
    assert_eq!(std::fs::read(target.join("db/t.ibd")).unwrap(), b"\0\0\0");
}
