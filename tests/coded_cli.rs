//! Compression and encryption on the command line, under every name, beside the peers.

#![cfg(feature = "cli")]
#![expect(
    clippy::similar_names,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    reason = "a panic is how a test fails"
)]
#![expect(clippy::disallowed_methods, reason = "the tests make and read files")]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::vectors::Vectors;
use common::{peers, server};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Runs xbkit under a name, in a directory, with its input.
fn run(name: &str, dir: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xbkit"));
    command.arg0(name).args(args).current_dir(dir).env("HOME", dir);
    feed(command, input)
}

fn feed(mut command: Command, input: &[u8]) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // It may stop reading early; that is its verdict, not our failure.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("the program ends")
    })
}

#[track_caller]
fn good(output: Output) -> Vec<u8> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    output.stdout
}

#[track_caller]
fn bad(output: &Output, text: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(text), "no {text:?} in {said}");
}

/// Names and contents below a directory, but for what an extraction or a server adds.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut tree = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).expect("below it").display().to_string();
            tree.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
    tree.remove("xbkit_manifest.json");
    tree
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * i / 7 % 251) as u8).collect()
}

#[test]
fn xbcrypt_reads_what_xtrabackup_wrote_and_back() {
    let Some(vectors) = Vectors::find() else { return };
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = scratch.path();
    for vector in vectors.set("xbcrypt") {
        let options = vector.options();
        if options.contains("NONE") {
            continue;
        }
        let (_, algorithm) = options.split_once("-a ").expect("an algorithm");
        let algorithm = algorithm.split(' ').next().expect("a name");
        let mut args = vec!["-d", "-a", algorithm];
        let file = dir.join("key");
        if let Some((_, key)) = options.split_once("-k '") {
            args.extend(["-k", key.split('\'').next().expect("a key")]);
        } else {
            let (_, name) = options.split_once("-f ").expect("a key file");
            let bytes = vector.beside(name.split(' ').next().expect("a name"));
            std::fs::write(&file, bytes).expect("a key file");
            args.extend(["-f", "key"]);
        }
        let plain = good(run("xbcrypt", dir, &args, &vector.stream()));
        let [expected] = &vector.expected()[..] else { panic!("one content") };
        let Some(expected) = expected.content() else { return };
        assert!(plain == expected, "{}", vector.file());
        let mut back = args.clone();
        back.remove(0);
        back.extend(["-s", "4096", "-t", "2"]);
        let stored = good(run("xbcrypt", dir, &back, &plain));
        assert!(plain.is_empty() || stored.starts_with(b"XBCRYP03"));
        assert!(good(run("xbcrypt", dir, &args, &stored)) == plain, "{}", vector.file());
    }
}

#[test]
fn xbcrypt_takes_its_key_from_the_environment_and_never_destroys_its_input() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = scratch.path();
    let plain = content(200_000);
    std::fs::write(dir.join("plain"), &plain).expect("a file");
    std::fs::write(dir.join("key"), KEY).expect("a key file");
    let with_env = |args: &[&str], key: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xbkit"));
        command.arg0("xbcrypt").args(args).current_dir(dir).env("XBCRYPT_ENCRYPTION_KEY", key);
        feed(command, b"")
    };
    good(with_env(&["-a", "AES256", "-i", "plain", "-o", "stored"], KEY));
    let stored = std::fs::read(dir.join("stored")).expect("the output");
    good(run("xbcrypt", dir, &["-d", "-f", "key", "-i", "stored", "-o", "again"], b""));
    assert!(std::fs::read(dir.join("again")).expect("the output") == plain);

    let other = &KEY[1..17];
    bad(&with_env(&["-d", "-i", "stored", "-o", "wrong"], other), "the key is wrong");
    assert!(!dir.join("wrong").exists());
    bad(&with_env(&["-d", "-i", "stored", "-o", "plain"], KEY), "plain");
    assert!(std::fs::read(dir.join("plain")).expect("the input") == plain);
    assert!(std::fs::read(dir.join("stored")).expect("the input") == stored);
    bad(&run("xbcrypt", dir, &["-d", "-i", "stored"], b""), "XBCRYPT_ENCRYPTION_KEY");
    bad(&run("xbcrypt", dir, &["-k", KEY], b"x"), "an algorithm must be given");
    bad(&run("xbcrypt", dir, &["-k", KEY, "-f", "key", "-d"], b"x"), "more than one source");
    std::fs::write(dir.join("feed"), format!("{KEY}\n")).expect("a key file");
    bad(&run("xbcrypt", dir, &["-d", "-f", "feed"], b"x"), "33 bytes, not 16, 24 or 32");
}

/// While a job runs, its command line does not show the key.
#[test]
fn a_key_is_overwritten_in_the_command_line() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .arg0("xbcrypt")
        .args(["-d", &format!("--encrypt-key={KEY}")])
        .current_dir(scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let line = format!("/proc/{}/cmdline", child.id());
    let shown = || std::fs::read(&line).expect("its command line");
    let shows = |text: &str| shown().windows(text.len()).any(|some| some == text.as_bytes());
    let hidden = format!("--encrypt-key={}", "x".repeat(KEY.len()));
    common::sandbox::wait_until("the key is overwritten", || shows(&hidden));
    assert!(!shows(KEY), "{:?}", shown());
    drop(child.stdin.take());
    child.wait().expect("the program ends");
}

/// Nor a password, wherever it stands; the rest stays as it was.
#[test]
fn a_password_is_overwritten_in_the_command_line() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = scratch.path();
    // Reading the key waits for whoever writes into the pipe.
    let pipe = dir.join("key");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    for (words, shown) in [
        (&["--user=me", "--password=user"][..], &["--user=me", "--password=xxxx"][..]),
        (&["--password", "s3cret", "--parallel=2"], &["--password", "xxxxxx", "--parallel=2"]),
        (&["-ps3cret", "--parallel=2", "-p", "me"], &["-pxxxxxx", "--parallel=2", "-p", "xx"]),
    ] {
        let key = format!("--encrypt-key-file={}", pipe.display());
        let rest = ["--backup", "--stream=xbstream", "--encrypt=AES256", &key];
        let mut child = Command::new(env!("CARGO_BIN_EXE_xbkit"))
            .arg0("xtrabackup")
            .arg("--no-defaults")
            .args(words)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let line = format!("/proc/{}/cmdline", child.id());
        let mut expected = "xtrabackup\0--no-defaults\0".to_owned();
        for word in shown.iter().chain(&rest) {
            expected.extend([word, "\0"]);
        }
        let seen = || std::fs::read(&line).is_ok_and(|seen| seen == expected.as_bytes());
        common::sandbox::wait_until("the password is overwritten", seen);
        child.kill().expect("it still waits");
        child.wait().expect("the program ends");
    }
}

#[test]
fn members_go_through_the_commands_and_the_peers() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = scratch.path();
    std::fs::create_dir_all(dir.join("data/db")).expect("a directory");
    std::fs::write(dir.join("data/ibdata1"), content(3_000_000)).expect("a file");
    std::fs::write(dir.join("data/db/t.ibd"), content(70_000)).expect("a file");
    std::fs::write(dir.join("data/db/empty.opt"), b"").expect("a file");
    std::fs::write(dir.join("key"), KEY).expect("a key file");
    let files = ["ibdata1", "db/t.ibd", "db/empty.opt"];
    let expected = tree(&dir.join("data"));
    for (algorithm, suffix, tool) in [
        ("quicklz", ".qp", None),
        ("lz4", ".lz4", Some("lz4")),
        ("zstd", ".zst", Some("zstd")),
        ("gzip", ".gz", Some("gzip")),
    ] {
        let compress = format!("--compress={algorithm}");
        let made = |more: &[&str]| {
            let args = [&["create", "-C", "data", &compress, "--compress-threads=2"], more, &files];
            good(run("xbkit", dir, &args.concat(), b""))
        };
        let stream = made(&[]);
        let target = dir.join(format!("out{suffix}"));
        let out = target.to_str().expect("UTF-8");
        good(run("xbkit", dir, &["extract", "-C", out], &stream));
        assert!(tree(&target) == expected, "{algorithm}");

        // As the incumbents would: extract, then decompress.
        let Some(mbstream) = peers::peer("mbstream") else { return };
        let stored = dir.join(format!("stored{suffix}"));
        assert!(peers::extracts(&mbstream, &stream, &stored));
        for name in files {
            let file = stored.join(format!("{name}{suffix}"));
            if let Some(tool) = tool {
                let Some(tool) = peers::peer(tool) else { return };
                let mut command = Command::new(tool);
                command.arg("-dc").arg(&file);
                assert!(good(feed(command, b"")) == expected[name], "{algorithm} {name}");
                std::fs::remove_file(&file).expect("a file");
                std::fs::write(stored.join(name), &expected[name]).expect("a file");
            }
        }
        if algorithm == "quicklz" {
            let at = stored.to_str().expect("UTF-8");
            let args = ["--decompress", "--remove-original", "--target-dir", at];
            let output = run("mariabackup", dir, &args, b"");
            assert!(String::from_utf8_lossy(&output.stderr).ends_with("completed OK!\n"));
            good(output);
        }
        assert!(tree(&stored) == expected, "{algorithm}");

        let stream = made(&["--encrypt=AES256", "--encrypt-key-file=key", "--encrypt-threads=2"]);
        let target = dir.join(format!("both{suffix}"));
        std::fs::create_dir(&target).expect("a directory");
        if algorithm == "gzip" {
            continue; // no suffix of XtraBackup's, which is what its extractor goes by
        }
        let args = ["-x", "--decompress", "--decrypt=AES256", "-f", "../key", "--parallel=2"];
        let threads = ["--decompress-threads=2", "--encrypt-threads=2"];
        good(run("xbstream", &target, &[&args[..], &threads].concat(), &stream));
        assert!(tree(&target) == expected, "{algorithm}");
        bad(&run("xbkit", dir, &["extract", "-C", "none"], &stream), "no key was given");
        let args = ["extract", "-C", "none", "--encrypt-key", "0123456789abcdef"];
        bad(&run("xbkit", dir, &args, &stream), "the key is wrong");
        assert!(tree(dir).keys().all(|name| !name.starts_with("none/")));
        let args =
            ["create", "-C", "data", "--encrypt=AES128", "--encrypt-key-file=key", "ibdata1"];
        bad(&run("xbkit", dir, &args, b""), "this algorithm takes 16");
    }
}

/// A backup of a real server by mariabackup, compressed, is restored in one pass, and is what the
/// same server's plain backup is.
#[test]
fn a_compressed_backup_of_mariabackup_restores_in_one_pass() {
    let Some(mariabackup) = peers::peer("mariabackup") else { return };
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = scratch.path();
    let datadir = dir.join("data");
    if !server::install(&datadir, &[]) {
        return;
    }
    let server = server::Server::start(&datadir, &[]);
    server.sql(
        "CREATE DATABASE d; USE d; CREATE TABLE d.t (id INT PRIMARY KEY, v CHAR(200)) ENGINE=InnoDB; \
         INSERT INTO d.t SELECT seq, REPEAT(MD5(seq), 6) FROM seq_1_to_20000; \
         CREATE TABLE d.m (v CHAR(200)) ENGINE=MyISAM; \
         INSERT INTO d.m SELECT REPEAT(MD5(seq), 6) FROM seq_1_to_5000; FLUSH TABLES;",
    );
    let sums = server.checksums();
    let mut command = Command::new(&mariabackup);
    command
        .args(["--no-defaults", "--backup", "--stream=xbstream", "--compress"])
        .args(["--compress-threads=2", "--user=root"])
        .arg(format!("--socket={}", server.socket().display()))
        .arg(format!("--target-dir={}", dir.join("tmp").display()))
        .arg(format!("--datadir={}", datadir.display()));
    let stream = good(feed(command, b""));
    server.stop();

    let target = dir.join("restored");
    std::fs::create_dir(&target).expect("a directory");
    good(run("mbstream", &target, &["-x", "--decompress", "-p", "2"], &stream));
    let restored = tree(&target);
    assert!(restored.keys().any(|name| name.starts_with("d/t.")));
    assert!(restored.keys().all(|name| !name.ends_with(".qp")));

    // The same members, extracted by the peer and decoded where they lie.
    let Some(mbstream) = peers::peer("mbstream") else { return };
    let stored = dir.join("stored");
    assert!(peers::extracts(&mbstream, &stream, &stored));
    let at = stored.to_str().expect("UTF-8");
    good(run("innobackupex", dir, &["--decompress", "--remove-original", "--parallel=2", at], b""));
    assert!(tree(&stored) == restored);

    let mut prepare = Command::new(&mariabackup);
    prepare.args(["--no-defaults", "--prepare"]).arg(format!("--target-dir={}", target.display()));
    good(feed(prepare, b""));
    for name in ["xtrabackup_checkpoints", "xtrabackup_info"] {
        assert!(target.join(name).exists() || restored.contains_key(name), "{name}");
    }
    let server = server::Server::start(&target, &[]);
    assert_eq!(server.checksums(), sums);
    server.stop();
}
