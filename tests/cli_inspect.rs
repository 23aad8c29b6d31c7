//! `xbkit list` and `xbkit verify`, as a script would call them.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn xbkit(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xbkit")).args(args).current_dir(dir).output().unwrap()
}

/// A stream file of two members, and the directory it is in.
fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir(scratch.path().join("db")).unwrap();
    fs::write(scratch.path().join("ibdata1"), "system").unwrap();
    fs::write(scratch.path().join("db/a\tb.ibd"), "").unwrap();
    for args in [&["create", "-o", "s.xbs"][..], &["create", "--no-manifest", "-o", "bare.xbs"]] {
        let output = xbkit(&[args, &["ibdata1", "db/a\tb.ibd"]].concat(), scratch.path());
        assert!(output.status.success(), "{output:?}");
    }
    scratch
}

#[test]
fn a_list_goes_to_standard_output_in_three_styles() {
    let scratch = scratch();
    let list = |args: &[&str]| {
        let output = xbkit(&[&["list", "-i", "s.xbs"], args].concat(), scratch.path());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list(&[]), "ibdata1\ndb/a\\x09b.ibd\n");
    assert_eq!(list(&["--long"]), "              6 ibdata1\n              0 db/a\\x09b.ibd\n");
    let json = list(&["--json"]);
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], serde_json::json!({"path": "ibdata1", "size": 6}));
    assert_eq!(lines[1], serde_json::json!({"path": "db/a\tb.ibd", "size": 0}));
}

#[test]
fn a_list_of_a_cut_stream_fails_behind_what_was_whole() {
    let scratch = scratch();
    let bytes = fs::read(scratch.path().join("bare.xbs")).unwrap();
    fs::write(scratch.path().join("cut.xbs"), &bytes[..bytes.len() - 1]).unwrap();
    let output = xbkit(&["list", "-i", "cut.xbs"], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"ibdata1\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the stream ends within"), "{said}");
}

#[test]
fn verify_says_yes_only_to_what_is_proven() {
    let scratch = scratch();
    let output = xbkit(&["verify", "-i", "s.xbs"], scratch.path());
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let output = xbkit(&["verify", "-i", "bare.xbs"], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing in it proves") && said.contains("--allow-unproven"), "{said}");
    let output = xbkit(&["verify", "--allow-unproven", "-i", "bare.xbs"], scratch.path());
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_list_that_nobody_reads_fails_as_a_full_device_does() {
    let scratch = scratch();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .args(["list", "-i", "s.xbs"])
        .current_dir(scratch.path())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    assert!(String::from_utf8_lossy(&status.stderr).contains("writing the list"), "{status:?}");
}

/// A stream without manifest is taken, but not in silence.
#[test]
fn extract_says_what_nothing_proves() {
    let scratch = scratch();
    for (stream, noted) in [("s.xbs", false), ("bare.xbs", true)] {
        let target = format!("out {stream}");
        let output = xbkit(&["extract", "-i", stream, "-C", &target], scratch.path());
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("nothing proves that it was complete"), noted, "{said}");
        assert_eq!(said.is_empty(), !noted, "{said}");
    }
}
