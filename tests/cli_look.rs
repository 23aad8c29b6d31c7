//! `xbkit info`, `xbkit cat`, the report of `xbkit verify`, and `--require-backup`.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn xbkit(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xbkit")).args(args).current_dir(dir).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const CHECKPOINTS: &str = "backup_type = incremental\nfrom_lsn = 7\nto_lsn = 9\nlast_lsn = 9\n";

/// `s.xbs` with a manifest, `bare.xbs` without, both of two members.
fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("ibdata1"), "system\0").unwrap();
    fs::write(scratch.path().join("xtrabackup_checkpoints"), CHECKPOINTS).unwrap();
    for args in [&["create", "-o", "s.xbs"][..], &["create", "--no-manifest", "-o", "bare.xbs"]] {
        let all = [args, &["ibdata1", "xtrabackup_checkpoints"]].concat();
        assert!(xbkit(&all, scratch.path()).status.success());
    }
    scratch
}

#[test]
fn info_is_text_for_people_and_json_for_programs() {
    let scratch = scratch();
    let output = xbkit(&["info", "s.xbs"], scratch.path());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = stdout(&output);
    for line in
        ["backup             incremental", "from LSN           7", "server             unknown"]
    {
        assert!(text.lines().any(|it| it == line), "{text}");
    }
    for args in [&["info", "--json", "s.xbs"][..], &["info", "--json", "."]] {
        let output = xbkit(args, scratch.path());
        let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!((&value["kind"], &value["to_lsn"]), (&json!("incremental"), &json!(9)));
        assert_eq!(value["server_version"], Value::Null);
    }
    let stream = fs::File::open(scratch.path().join("s.xbs")).unwrap();
    let mut piped = Command::new("cat").stdin(stream).stdout(Stdio::piped()).spawn().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .args(["info", "--json"])
        .stdin(piped.stdout.take().unwrap())
        .output()
        .unwrap();
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&value["proven"], &value["members"]), (&json!(true), &json!(2)));
    assert!(piped.wait().unwrap().success());
}

#[test]
fn info_names_the_file_that_it_cannot_read() {
    let scratch = scratch();
    fs::write(scratch.path().join("xtrabackup_info"), "").unwrap();
    let output = xbkit(&["info", "."], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = stderr(&output);
    assert!(said.contains("xtrabackup_info") && said.contains("the file is empty"), "{said}");
    assert_eq!(xbkit(&["info", "nowhere"], scratch.path()).status.code(), Some(1));
}

#[test]
fn cat_writes_one_member() {
    let scratch = scratch();
    for stream in ["s.xbs", "bare.xbs"] {
        let output = xbkit(&["cat", "xtrabackup_checkpoints", "-i", stream], scratch.path());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(stdout(&output), CHECKPOINTS);
    }
    let output = xbkit(&["cat", "xbkit_manifest.json", "-i", "s.xbs"], scratch.path());
    let manifest: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(manifest["count"], 2);
    let output = xbkit(&["cat", "nowhere", "-i", "s.xbs"], scratch.path());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(stderr(&output).contains("no member of this name"), "{output:?}");
    assert_eq!(xbkit(&["cat", "-i", "s.xbs"], scratch.path()).status.code(), Some(2));
}

#[test]
fn cat_of_a_damaged_stream_fails() {
    let scratch = scratch();
    let mut bytes = fs::read(scratch.path().join("s.xbs")).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(scratch.path().join("bad.xbs"), bytes).unwrap();
    let output = xbkit(&["cat", "ibdata1", "-i", "bad.xbs"], scratch.path());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .args(["cat", "ibdata1", "-i", "s.xbs"])
        .current_dir(scratch.path())
        .stdout(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

/// `script` gives a command a terminal.
#[test]
fn a_terminal_gets_text_and_nothing_else() {
    let scratch = scratch();
    let on_terminal = |member: &str| {
        let command = format!("{} cat {member} -i s.xbs", env!("CARGO_BIN_EXE_xbkit"));
        let output = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code(), stdout(&output).replace('\r', ""))
    };
    let (status, text) = on_terminal("xtrabackup_checkpoints");
    assert!(text.contains(CHECKPOINTS), "{text:?}");
    assert_eq!(status, Some(0));
    let (status, text) = on_terminal("ibdata1");
    assert_eq!(status, Some(1));
    assert!(text.contains("is a terminal") && !text.contains('\0'), "{text:?}");
}

#[test]
fn verify_reports_where_it_is_asked_to() {
    let scratch = scratch();
    let output = xbkit(&["verify", "--report", "-i", "s.xbs"], scratch.path());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("proven             yes, by its manifest\n"), "{text}");
    assert!(text.contains("backup             incremental\n"), "{text}");

    let output = xbkit(&["verify", "--json", "-i", "s.xbs"], scratch.path());
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let size = fs::metadata(scratch.path().join("s.xbs")).unwrap().len();
    let expected = json!({
        "verified": true, "proven": true, "backup": "incremental", "members": 2,
        "payload_bytes": 7 + CHECKPOINTS.len(), "stream_bytes": size,
        "checked": ["structure", "checksums", "manifest"], "error": null, "pages": null,
    });
    assert_eq!(value, expected);
}

#[test]
fn a_refused_stream_is_reported_as_one_object_too() {
    let scratch = scratch();
    let bytes = fs::read(scratch.path().join("bare.xbs")).unwrap();
    fs::write(scratch.path().join("cut.xbs"), &bytes[..bytes.len() - 1]).unwrap();
    let output = xbkit(&["verify", "--json", "-i", "cut.xbs"], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&value["verified"], &value["members"]), (&json!(false), &json!(1)));
    assert_eq!(value["error"]["kind"], "truncated");
    assert_eq!(value["error"]["code"], -41);
    assert_eq!(value["error"]["stream_offset"], bytes.len() - 1);
    assert!(value["error"]["message"].as_str().unwrap().contains("ends within"));
    assert!(stderr(&output).contains("ends within"), "people read the other stream");

    let output = xbkit(&["verify", "--json", "-i", "bare.xbs"], scratch.path());
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(value["error"]["kind"], "unproven");
}

#[test]
fn what_is_no_whole_backup_is_refused_where_one_is_required() {
    let scratch = scratch();
    for args in [
        &["verify", "--require-backup", "-i", "s.xbs"][..],
        &["extract", "--require-backup", "-C", "out", "-i", "s.xbs"],
    ] {
        let output = xbkit(args, scratch.path());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = stderr(&output);
        assert!(said.contains("the backup lacks") && said.contains("backup-my.cnf"), "{said}");
    }
    let left = fs::read_dir(scratch.path().join("out")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

/// Callers of the drop-in names read every line of standard error.
#[test]
fn an_extraction_notes_a_missing_manifest_but_not_under_other_names() {
    let scratch = scratch();
    let proven = xbkit(&["extract", "-C", "a", "-i", "s.xbs"], scratch.path());
    assert!(proven.status.success() && proven.stderr.is_empty(), "{proven:?}");
    let bare = xbkit(&["extract", "-C", "b", "-i", "bare.xbs"], scratch.path());
    assert!(bare.status.success() && bare.stdout.is_empty(), "{bare:?}");
    assert!(stderr(&bare).contains("no manifest"), "{bare:?}");
    fs::create_dir(scratch.path().join("c")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .args(["xbstream", "-x", "-C", "c"])
        .current_dir(scratch.path())
        .stdin(fs::File::open(scratch.path().join("bare.xbs")).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
