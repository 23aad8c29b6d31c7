//! The command lines: `xbkit` and the names under which it stands in for other programs.
//!
//! Each test runs the real executable in a directory of its own, with an environment that names
//! no server and no option file but its own.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const DROP_INS: [&str; 6] =
    ["xbstream", "mbstream", "innobackupex", "xtrabackup", "mariabackup", "mariadb-backup"];

/// A private directory, which is also HOME, with links under all names.
struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        for name in DROP_INS.iter().chain(&["xbkit"]) {
            symlink(env!("CARGO_BIN_EXE_xbkit"), dir.path().join("bin").join(name)).unwrap();
        }
        Self { dir }
    }

    fn root(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn mkdir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// A command of words split at blanks, in the sandbox, with nothing on its standard input;
    /// `{}` in it is the sandbox.
    fn command(&self, line: &str) -> Command {
        let line = line.replace("{}", self.root());
        let mut words = line.split_whitespace();
        let mut command = Command::new(self.path("bin").join(words.next().unwrap()));
        command
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a line with `input` on its standard input.
    fn feed(&self, line: &str, input: &[u8]) -> Output {
        let mut command = self.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who refuses its arguments does not read: a closed pipe is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// A directory `data` that looks like one of a stopped server.
    fn datadir(&self) -> Vec<(&'static str, Vec<u8>)> {
        // Whole pages, and zeros that are no page any more.
        let tablespace = |pages: u32, id: u32, len: usize| {
            let mut file =
                common::pages::tablespace(4096, pages, id, 0x13, common::pages::seal_full_crc32);
            file.resize(len, 0);
            file
        };
        let files = vec![
            ("ibdata1", tablespace(24, 0, 100_000)),
            ("ib_logfile0", vec![3; 5000]),
            ("shop/db.opt", b"default-character-set=utf8mb4\n".to_vec()),
            ("shop/item.ibd", tablespace(48, 5, 200_000)),
            ("mysql/user.MYD", b"u".to_vec()),
        ];
        for (name, content) in &files {
            self.write(&format!("data/{name}"), content);
        }
        files
    }

    #[track_caller]
    fn assert_holds(&self, dir: &str, files: &[(&str, Vec<u8>)]) {
        for (name, content) in files {
            let found = fs::read(self.path(dir).join(name));
            let found = found.unwrap_or_else(|error| panic!("{dir}/{name}: {error}"));
            assert!(found == *content, "{dir}/{name} has other content");
        }
    }
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("ended by a signal")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Lines of standard error, sorted: threads finish in any order.
fn sorted_lines(output: &Output) -> Vec<&str> {
    let mut lines: Vec<&str> = stderr(output).lines().collect();
    lines.sort_unstable();
    lines
}

/// Asserts a failure of status `code` whose standard error contains `text`, and no data.
#[track_caller]
fn assert_fails(output: &Output, code: i32, text: &str) {
    let told = stderr(output);
    assert_eq!(status(output), code, "{told}");
    assert!(told.contains(text), "no {text:?} in: {told}");
    assert!(!told.contains("completed OK!"), "{told}");
    assert!(output.stdout.is_empty(), "data on standard output");
}

#[track_caller]
fn assert_succeeds(output: &Output) {
    assert_eq!(status(output), 0, "{}", stderr(output));
}

#[test]
fn mistakes_end_xbkit_with_2_and_the_other_names_with_1() {
    let sandbox = Sandbox::new();
    for line in ["xbkit", "xbkit nope", "xbkit create", "xbkit extract --nope", "xbkit man"] {
        assert_fails(&sandbox.run(line), 2, "Usage");
    }
    assert_fails(&sandbox.run("xbkit create --chunk-size 1 x"), 2, "not within 65536");
    assert_fails(&sandbox.run("xbkit extract -p 0"), 2, "not within 1 to 256");
    assert_fails(&sandbox.run("xbkit backup --offline"), 2, "--datadir");
    let hot = sandbox.run("xbkit backup --socket none --datadir d");
    assert_fails(&hot, 1, "connecting to the server on socket none");
    for name in DROP_INS {
        let output = sandbox.run(&format!("{name} --nope=geheim"));
        assert_fails(&output, 1, "unknown option '--nope'");
        assert!(!stderr(&output).contains("geheim"));
        assert_fails(&sandbox.run(name), 1, "hint: --help lists the options");
    }
}

#[test]
fn a_drop_in_name_may_follow_xbkit() {
    let sandbox = Sandbox::new();
    let output = sandbox.run("xbkit xtrabackup --version");
    assert_succeeds(&output);
    assert!(stderr(&output).starts_with("xtrabackup version 8.0.35"));
    assert_fails(&sandbox.run("xbkit mbstream -c -x"), 1, "mbstream: -c and -x");
}

#[test]
fn versions_are_told_where_callers_look_for_them() {
    let sandbox = Sandbox::new();
    for (name, start) in [
        ("xtrabackup", "xtrabackup version 8.0.35-35 based on MySQL server 8.0.35 "),
        ("innobackupex", "innobackupex version 2.4.26 "),
        ("mariabackup", "mariabackup based on MariaDB server 10.11.19-MariaDB "),
        ("mariadb-backup", "mariadb-backup based on MariaDB server 10.11.19-MariaDB "),
    ] {
        for option in ["--version", "-v"] {
            let output = sandbox.run(&format!("{name} {option}"));
            assert_succeeds(&output);
            assert!(stderr(&output).starts_with(start), "{}", stderr(&output));
            assert!(output.stdout.is_empty());
        }
    }
    assert!(sandbox.run("xbstream --version").stdout.starts_with(b"xbstream  Ver 8.0.35"));
    assert!(sandbox.run("xbkit --version").stdout.starts_with(b"xbkit "));
}

#[test]
fn help_goes_to_standard_output_and_names_the_options() {
    let sandbox = Sandbox::new();
    for (line, text) in [
        ("xbkit --help", "extract"),
        ("xbkit help create", "--chunk-size"),
        ("xbstream -?", "--directory"),
        ("mbstream --help", "--parallel"),
        ("innobackupex --help", "--no-timestamp"),
        ("xtrabackup --help", "--rollback-prepared-trx"),
        ("mariadb-backup --help", "--no-version-check"),
    ] {
        let output = sandbox.run(line);
        assert_succeeds(&output);
        let help = std::str::from_utf8(&output.stdout).unwrap();
        assert!(help.contains(text), "no {text} in the help of {line}");
    }
}

#[test]
fn create_and_extract_carry_files() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let made = sandbox.run(&format!("xbkit create -C data -p 2 {}", names.join(" ")));
    assert_succeeds(&made);
    assert_eq!(stderr(&made), "");

    assert_succeeds(&sandbox.feed("xbkit extract -C out", &made.stdout));
    sandbox.assert_holds("out", &files);
    assert_fails(&sandbox.feed("xbkit extract -C out", &made.stdout), 1, "xbkit: out");
    assert_succeeds(&sandbox.feed("xbkit extract -C out --overwrite", &made.stdout));

    let line = "xbkit extract -C two -v --no-sync shop/*.ibd ibdata1";
    let output = sandbox.feed(line, &made.stdout);
    assert_succeeds(&output);
    let told = sorted_lines(&output);
    assert!(told.contains(&"ibdata1") && told.contains(&"shop/item.ibd"), "{told:?}");
    assert!(sandbox.path("two/shop/item.ibd").is_file() && !sandbox.path("two/mysql").exists());

    let output = sandbox.feed("xbkit extract -C three nothing*", &made.stdout);
    assert_fails(&output, 1, "nothing*");
}

#[test]
fn streams_go_to_and_come_from_files() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    assert_succeeds(&sandbox.run("xbkit create -C data -o s.xbs ibdata1 shop/item.ibd"));
    assert!(!sandbox.path("s.xbs.partial").exists());
    assert_fails(&sandbox.run("xbkit create -C data -o s.xbs ibdata1"), 1, "exists already");
    assert_succeeds(&sandbox.run("xbkit extract -i s.xbs -C out"));
    sandbox.assert_holds("out", &files[..1]);
    assert_fails(&sandbox.run("xbkit extract -i none.xbs -C out2"), 1, "none.xbs");
    assert_fails(&sandbox.run("xbkit extract -i data -C out2"), 1, "data: cannot open the input");
    // A stream that was not made whole leaves no file.
    assert_fails(&sandbox.run("xbkit create -C data -o t.xbs ibdata1 missing"), 1, "missing");
    assert!(!sandbox.path("t.xbs").exists() && !sandbox.path("t.xbs.partial").exists());
    assert_succeeds(&sandbox.run("xbkit create -C data -o /dev/null ibdata1"));
}

#[test]
fn progress_as_json_is_one_object_a_line_and_ends_with_the_outcome() {
    let sandbox = Sandbox::new();
    sandbox.datadir();
    let made = sandbox.run("xbkit create --progress=json -v -C data ibdata1 mysql/user.MYD");
    assert_succeeds(&made);
    let events = json_lines(&made);
    let done = events.last().unwrap();
    assert_eq!(done["event"], "done");
    assert_eq!(done["members"], 2);
    assert_eq!(done["payload_bytes"], 100_001);
    assert_eq!(done["stream_bytes"], made.stdout.len());
    assert!(events.iter().any(|event| event["event"] == "progress"));
    let is_ibdata1 = |event: &serde_json::Value| {
        event["event"] == "member" && event["path"] == "ibdata1" && event["size"] == 100_000
    };
    assert!(events.iter().any(is_ibdata1), "{events:?}");

    let cut = &made.stdout[..made.stdout.len() - 1];
    let output = sandbox.feed("xbkit extract --progress=json -C out", cut);
    assert_eq!(status(&output), 1);
    let events = json_lines(&output);
    let error = events.last().unwrap();
    assert_eq!(error["event"], "error");
    assert_eq!(error["code"], -41, "{error}");
    assert!(error["stream_offset"].is_u64(), "{error}");
}

fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    stderr(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn xbstream_and_mbstream_carry_files() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    let made = sandbox.run("mbstream -C data -cv ibdata1 ./shop/item.ibd");
    assert_succeeds(&made);
    let told = stderr(&made);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.lines().all(|line| line.starts_with("[00] 2")), "{told}");
    assert!(told.lines().any(|line| line.ends_with(" shop/item.ibd")), "{told}");

    let output = {
        sandbox.mkdir("v");
        sandbox.feed("xbstream -xv -C v", &made.stdout)
    };
    assert_succeeds(&output);
    assert_eq!(sorted_lines(&output), ["ibdata1", "shop/item.ibd"]);

    // Without -C into the current directory; what is there is neither overwritten nor removed.
    assert_succeeds(&sandbox.feed("mbstream -x", &made.stdout));
    assert_fails(&sandbox.feed("mbstream -x", &made.stdout), 1, "mbstream: ");
    sandbox.assert_holds(".", &files[..1]);
}

#[test]
fn lines_that_extract_are_understood() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    let made = sandbox.run("mbstream -C data -c ibdata1");
    for (n, line) in [
        "mbstream -x -C OUT",
        "xbstream -C OUT -xv",
        "xbstream -xvC OUT",
        "xbstream -x -C OUT --parallel=4",
        "xbstream -xv -C {}/OUT --parallel=4",
        "xbstream --extract --directory=OUT",
        "xbstream --directory OUT --extract --parallel 4 --verbose",
        "xbstream -x -C OUT --encrypt-threads=2 --decompress-threads=2",
        "mbstream -p 2 -x -C OUT",
        "mbstream -x -p2 -C OUT -v",
    ]
    .iter()
    .enumerate()
    {
        let out = format!("o{n}");
        sandbox.mkdir(&out);
        assert_succeeds(&sandbox.feed(&line.replace("OUT", &out), &made.stdout));
        sandbox.assert_holds(&out, &files[..1]);
    }
    let line = "xbstream --directory OUT --extract --decompress --decompress-threads 2 \
                --decrypt AES256 --encrypt-key-file {}/k --encrypt-threads 2 --parallel 2 --verbose";
    assert_fails(&sandbox.feed(&line.replace("OUT", "o0"), &made.stdout), 1, "key file");
    sandbox.write("k", "0123456789abcdef0123456789abcdef");
    sandbox.mkdir("coded");
    assert_succeeds(&sandbox.feed(&line.replace("OUT", "coded"), &made.stdout));
    sandbox.assert_holds("coded", &files[..1]);
}

#[test]
fn xbstream_refuses_what_it_would_do_wrong() {
    let sandbox = Sandbox::new();
    sandbox.datadir();
    for (line, text) in [
        ("xbstream", "either -c or -x"),
        ("xbstream -c -x a", "-c and -x cannot both"),
        ("xbstream -c", "no files are specified"),
        ("mbstream -x -C missing", "missing: the directory to extract into does not exist"),
        ("mbstream -x one", "unexpected argument 'one'"),
        ("xbstream -c missing", "missing"),
        ("mbstream -c data", "data"),
        ("xbstream -x -d AES512 -k geheim", "option '--decrypt' takes AES128"),
        ("xbstream -x -d AES256 -k geheim", "the key has 6 bytes, not 16, 24 or 32"),
        ("xbstream -x -d AES256", "no key is given"),
        ("xbstream -x -d AES256 -k geheim -f /k", "more than one source"),
        ("xbstream -x -P", "option '--absolute-names'"),
        ("mbstream -P -x", "unknown option '-P'"),
        ("mbstream -x --decompress", "the stream is empty"),
        ("xbstream -x --fifo-streams=2", "option '--fifo-streams'"),
        ("xbstream -p", "option '-p' needs an argument"),
        ("xbstream -x --parallel=many", "takes a number, not 'many'"),
    ] {
        let output = sandbox.run(line);
        assert_fails(&output, 1, text);
        assert!(!stderr(&output).contains("geheim"));
    }
    // Empty input is no stream, whoever says that it is.
    assert_fails(&sandbox.run("xbstream -x --fifo-streams=1"), 1, "xbstream: ");
    assert_fails(&sandbox.feed("mbstream -x", b""), 1, "mbstream: ");
}

#[test]
fn names_in_a_stream_do_not_lead_out_of_a_directory() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    let made = sandbox.run("xbstream -C data -c {}/data/ibdata1 shop/../mysql/user.MYD");
    assert_succeeds(&made);
    let told = stderr(&made);
    assert!(told.contains("removing leading '/' from the name"), "{told}");
    assert!(told.contains("removing leading 'shop/../' from the name"), "{told}");
    sandbox.mkdir("out");
    assert_succeeds(&sandbox.feed("xbstream -x -C out", &made.stdout));
    sandbox.assert_holds("out", &files[4..]);
    let inner = sandbox.path("data").strip_prefix("/").unwrap().to_owned();
    sandbox.assert_holds(Path::new("out").join(inner).to_str().unwrap(), &files[..1]);
    assert_fails(&sandbox.run("xbkit create -C data ../data/ibdata1"), 1, "xbkit: ");
}

/// Lines that back up a stopped server.
const COLD: [&str; 5] = [
    "innobackupex --stream=xbstream --datadir={}/data --socket={}/none ./",
    "xtrabackup --backup --stream=xbstream --datadir={}/data --socket={}/none --target-dir=/backup/",
    "xtrabackup --backup --stream --datadir {}/data --socket {}/none --parallel=4",
    "mariabackup --backup --stream=mbstream --datadir={}/data --socket={}/none",
    "mariadb-backup --no-defaults --backup --stream=xbstream -h {}/data -S {}/none",
];

#[test]
fn a_stopped_server_is_backed_up_and_the_last_line_says_so() {
    for line in COLD {
        let sandbox = Sandbox::new();
        let files = sandbox.datadir();
        let made = sandbox.run(line);
        assert_succeeds(&made);
        let told = stderr(&made);
        let last = told.lines().last().unwrap();
        let shape = last.replace(|c: char| c.is_ascii_digit(), "9");
        let expected = match line.split(' ').next().unwrap() {
            "innobackupex" => "999999 99:99:99 completed OK!",
            "xtrabackup" => {
                "9999-99-99T99:99:99.999999-99:99 9 [Note] [MY-999999] [Xtrabackup] completed OK!"
            }
            _ => "[99] 9999-99-99 99:99:99 completed OK!",
        };
        assert_eq!(shape, expected);
        assert_eq!(told.matches("completed OK!").count(), 1, "{told}");
        assert!(told.contains("taking a cold backup"), "{told}");
        assert!(told.contains("./shop/item.ibd"), "{told}");

        assert_succeeds(&sandbox.feed("xbkit extract -C out", &made.stdout));
        sandbox.assert_holds("out", &files);
    }
}

#[test]
fn a_server_that_answers_is_not_backed_up_cold() {
    let sandbox = Sandbox::new();
    sandbox.datadir();
    let server = UnixListener::bind(sandbox.path("none")).unwrap();
    // It answers, and hangs up: so no login is possible.
    std::thread::spawn(move || server.incoming().for_each(drop));
    for line in COLD {
        let output = sandbox.run(line);
        assert_fails(&output, 1, "connecting to the server on socket");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_is_no_data_directory_is_not_backed_up() {
    let sandbox = Sandbox::new();
    sandbox.mkdir("empty");
    sandbox.write("file", "");
    for (datadir, text) in [("missing", "missing"), ("empty", "ibdata1"), ("file", "file")] {
        let line = format!("xtrabackup --backup --stream --datadir={{}}/{datadir} -S {{}}/none");
        let output = sandbox.run(&line);
        assert_fails(&output, 1, text);
        assert!(stderr(&output).contains("[ERROR]"), "{}", stderr(&output));
        let line = format!("xbkit backup --offline --datadir {datadir}");
        assert_fails(&sandbox.run(&line), 1, text);
    }
}

#[test]
fn xbkit_backs_up_offline() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    let made = sandbox.run("xbkit backup --offline --datadir data --stream=xbstream -p 2");
    assert_succeeds(&made);
    assert_succeeds(&sandbox.feed("xbkit extract -C out", &made.stdout));
    sandbox.assert_holds("out", &files);
    assert_fails(&sandbox.run("xbkit backup --offline --datadir data --stream cpio"), 2, "cpio");
}

#[test]
fn directories_elsewhere_are_carried_where_an_option_names_them() {
    let sandbox = Sandbox::new();
    sandbox.datadir();
    sandbox.write("undo/undo001", "\0\0");
    sandbox.write("redo/ib_logfile1", "r1");
    let made = sandbox.run(
        "xtrabackup --backup --stream --datadir={}/data -S {}/none \
         --innodb-undo-directory={}/undo --innodb_log_group_home_dir=../redo",
    );
    assert_succeeds(&made);
    assert_succeeds(&sandbox.feed("xbkit extract -C out", &made.stdout));
    let elsewhere = [("undo001", b"\0\0".to_vec()), ("ib_logfile1", b"r1".to_vec())];
    sandbox.assert_holds("out", &elsewhere);
}

#[test]
fn option_files_in_standard_places_name_the_data_directory() {
    let sandbox = Sandbox::new();
    let files = sandbox.datadir();
    let root = sandbox.root();
    sandbox.write(
        ".my.cnf",
        format!(
            "[mysqld]\ndatadir = \"{root}/data\" # here\nsocket={root}/none\nkey_buffer=1\n\
             !includedir {root}/conf.d\n[client]\npassword=geheim\n"
        ),
    );
    sandbox.write("conf.d/a.cnf", "[xtrabackup]\nparallel=2\n[mariabackup]\ncompress\n");
    let made = sandbox.run("xtrabackup --backup --stream=xbstream");
    assert_succeeds(&made);
    assert_succeeds(&sandbox.feed("xbkit extract -C out", &made.stdout));
    sandbox.assert_holds("out", &files);

    // What a file asks for counts as much as what a command line does, and can be taken back.
    // mariabackup reads [xtrabackup] too.
    let compressed = |line| {
        let made = sandbox.run(line);
        assert_succeeds(&made);
        let listed = sandbox.feed("xbkit list", &made.stdout);
        String::from_utf8_lossy(&listed.stdout).lines().filter(|name| name.ends_with(".qp")).count()
    };
    assert_eq!(compressed("mariabackup --backup --stream=xbstream"), files.len());
    assert_eq!(compressed("mariabackup --backup --stream=xbstream --skip-compress"), 0);

    let output = sandbox.run("xtrabackup --print-defaults --backup --password=geheim");
    assert_succeeds(&output);
    let shown = std::str::from_utf8(&output.stdout).unwrap();
    assert!(shown.contains("--parallel=2") && shown.contains("/data --"), "{shown}");
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn a_named_option_file_is_the_only_one_and_must_be_right() {
    let sandbox = Sandbox::new();
    sandbox.write(".my.cnf", format!("[mysqld]\ndatadir={}/data\n", sandbox.root()));
    let other = sandbox.write("other.cnf", "[mysqld]\ndatadir=/nonexistent/x\n");
    let line = "xtrabackup --defaults-file={}/other.cnf --backup --stream --socket={}/none";
    assert_fails(&sandbox.run(line), 1, "/nonexistent/x");
    fs::write(&other, "[mysqld]\ndatadir\n").unwrap();
    assert_fails(&sandbox.run(line), 1, "option 'datadir' of ");
    fs::write(&other, "datadir=x\n").unwrap();
    assert_fails(&sandbox.run(line), 1, "line 1 of the option file");
    fs::write(&other, "[xtrabackup]\nnope=1\n").unwrap();
    assert_fails(&sandbox.run(line), 1, "unknown option 'nope' in group [xtrabackup]");
    let line = "xtrabackup --backup --defaults-file={}/other.cnf --stream";
    assert_fails(&sandbox.run(line), 1, "--defaults-file must be specified first");
    assert_fails(&sandbox.run("xtrabackup --defaults-file={}/no.cnf --backup"), 1, "no.cnf");
}

/// What becomes of a line that a known product runs.
enum Fate {
    /// It is understood; it ends because its data directory does not exist.
    Understood,
    /// It is understood, and this option is refused.
    Refused(&'static str),
    /// It is wrong for the real programs too.
    Wrong(&'static str),
}

use Fate::{Refused, Understood, Wrong};

/// The lines of products that call these programs, with their places filled in.
#[rustfmt::skip]
const PRODUCTS: &[(&str, Fate)] = &[
    // Galera's scripts
    ("mariadb-backup --defaults-file={}/my.cnf --defaults-group=mysqld --backup --no-version-check --parallel=4 --databases-exclude=lost+found --tmpdir=/tmp/x --user=sst --socket={}/none --use-memory=100M --stream=mbstream --target-dir=/tmp/x --datadir={}/no --mysqld-args --wsrep_on=1 --datadir={}/no --basedir=/usr --skip-networking", Understood),
    ("mariadb-backup --backup --galera-info --stream=mbstream --target-dir=/tmp/x", Refused("galera-info")),
    ("mariadb-backup --backup --compress=quicklz --compress-threads=4 --compress-chunk-size=64K --stream=mbstream", Understood),
    ("mariadb-backup --prepare --use-memory=1G --target-dir=/x --datadir={}/no --mysqld-args --wsrep_on=1", Wrong("opening the directory")),
    ("mariadb-backup --move-back --galera-info --force-non-empty-directories --parallel=4 --target-dir=/x --datadir={}/no", Wrong("opening the directory")),
    ("mariadb-backup --backup --stream=tar --target-dir=/tmp/x", Understood),
    ("innobackupex --defaults-file={}/my.cnf --defaults-group=mysqld --no-version-check --tmpdir=/tmp/x --user=u --password=p --socket={}/none --galera-info --stream=xbstream /tmp/x", Refused("galera-info")),
    ("innobackupex --apply-log --rebuild-indexes --rebuild-threads=4 /x", Wrong("opening the directory")),
    ("innobackupex --move-back --force-non-empty-directories --datadir={}/no /x", Wrong("opening the directory")),
    ("xtrabackup --defaults-file={}/my.cnf --defaults-group=mysqld --parallel=4 --user=u --password=p --socket={}/none --lock-ddl --backup --stream=xbstream --xtrabackup-plugin-dir=/p --target-dir=/x", Understood),
    ("xtrabackup --backup --galera-info --transition-key=k --stream=xbstream --target-dir=/x", Refused("transition-key")),
    ("xtrabackup --backup --transition-key=k --stream=xbstream --target-dir=/x", Refused("transition-key")),
    ("xtrabackup --prepare --rollback-prepared-trx --use-memory=1G --transition-key=k --target-dir=/x", Refused("transition-key")),
    ("xtrabackup --move-back --force-non-empty-directories --generate-new-master-key --target-dir=/x", Refused("generate-new-master-key")),
    ("xtrabackup --parallel=4 --decompress --remove-original --target-dir=/x", Wrong("/x: ")),
    // Vitess
    ("xtrabackup --defaults-file={}/my.cnf --backup --socket={}/none --slave-info --user=u --target-dir=/x --stream=xbstream", Refused("slave-info")),
    ("xtrabackup --defaults-file={}/my.cnf --backup --socket={}/none --user=u --target-dir=/x --stream=tar", Understood),
    ("xtrabackup --defaults-file={}/my.cnf --prepare --target-dir=/x", Wrong("opening the directory")),
    // wal-g
    ("xtrabackup --backup --stream=xbstream --datadir={}/no", Understood),
    ("mariabackup --backup --stream=xbstream", Understood),
    ("xtrabackup --backup --stream=xbstream --extra-lsndir=/x --datadir={}/no", Refused("extra-lsndir")),
    ("xtrabackup --backup --stream=xbstream --incremental-lsn=12345 --datadir={}/no", Refused("incremental-lsn")),
    ("xtrabackup --prepare --apply-log-only --target-dir=/x --incremental-dir=/y", Refused("apply-log-only")),
    // Operators for Kubernetes
    ("xtrabackup --backup --stream=xbstream --safe-slave-backup --target-dir=/backup/ --socket={}/none --user=u --password=p --component-keyring-config=/k", Understood),
    ("xtrabackup --backup --stream=xbstream --safe-slave-backup --target-dir=/backup/ --generate-transition-key --keyring-vault-config=/k", Refused("generate-transition-key")),
    ("innobackupex --parallel=4 --decompress /x", Wrong("/x: ")),
    ("xtrabackup --backup --stream=xbstream --target-dir=/backup/ --databases-exclude=lost+found --user=u --password=p --defaults-extra-file=/x", Wrong("must be specified first")),
    ("xtrabackup --defaults-extra-file={}/my.cnf --backup --stream=xbstream --safe-slave-backup --target-dir=/backup/ --databases-exclude=lost+found --user=u --password=p", Understood),
    ("xtrabackup --backup --stream=xbstream --encrypt=AES256 --encrypt-key-file=/k", Wrong("cannot read the key file")),
    ("xtrabackup --decrypt=AES256 --encrypt-key-file=/k --target-dir=/x --parallel=4", Wrong("/k: cannot read the key file")),
    ("xtrabackup --backup --slave-info --stream=xbstream --tables-exclude=db\\.tbl --host=127.0.0.1 --user=u --password=p --target-dir=/x", Refused("tables-exclude")),
    ("xtrabackup --backup --stream=xbstream --tables-exclude=db\\.tbl --host=127.0.0.1 --port=1", Refused("tables-exclude")),
    ("mariadb-backup --host=127.0.0.1 --port=1 --backup --stream=xbstream --databases-exclude=lost+found --safe-slave-backup --ssl-ca=/c --ssl-cert=/c --ssl-key=/c", Understood),
    ("mariadb-backup --copy-back --target-dir=/x --force-non-empty-directories", Wrong("opening the directory")),
    // OpenStack
    ("innobackupex --stream=xbstream --parallel=2 --user=u --password=p --host=127.0.0.1 --port=1 /var/lib/mysql", Understood),
    ("innobackupex --stream=xbstream --parallel=2 --incremental --incremental-lsn=1 /var/lib/mysql", Refused("incremental")),
    ("innobackupex --apply-log --redo-only --ibbackup=xtrabackup /x", Refused("redo-only")),
    ("mariabackup --defaults-file={}/my.cnf --backup --stream=mbstream --history=2026-01-01", Refused("history")),
    // KubeBlocks
    ("xtrabackup --backup --safe-slave-backup --lock-ddl-per-table --stream=xbstream --host=127.0.0.1 --port=1 --user=u --password=p --datadir={}/no", Understood),
    ("mariadb-backup --backup --stream=mbstream --skip-ssl --host=127.0.0.1 --port=1 --datadir={}/no", Understood),
    // Aiven: values as words of their own, but for the optional one
    ("xtrabackup --defaults-file={}/my.cnf --backup --no-version-check --parallel 4 --stream xbstream", Wrong("unknown argument: 'xbstream'")),
    ("xtrabackup --defaults-file={}/my.cnf --backup --no-version-check --register-redo-log-consumer --estimate-memory=ON --stream=xbstream --target-dir /x", Understood),
    ("xtrabackup --backup --compress --compress-threads 4 --encrypt AES256 --encrypt-threads 4 --encrypt-key-file /k --stream=xbstream --target-dir /x --extra-lsndir /y", Wrong("cannot read the key file")),
    ("xtrabackup --no-version-check --prepare --target-dir /x --use-free-memory-pct=80", Wrong("opening the directory")),
    // twindb, Holland, AutoXtraBackup, Bareos
    ("mariabackup --defaults-file={}/my.cnf --stream=xbstream --host=127.0.0.1 --port=1 --backup --target-dir .", Understood),
    ("xtrabackup --stream=xbstream --backup --target-dir . --galera-info --no-backup-locks", Refused("galera-info")),
    ("xtrabackup --backup --target-dir . --incremental-basedir . --incremental-lsn=5 --stream=xbstream", Refused("incremental-basedir")),
    ("mariadb-backup --defaults-file={}/my.cnf --backup --stream=xbstream --tmpdir=/t --safe-slave-backup --no-lock --target-dir=/x", Understood),
    ("innobackupex --defaults-file={}/my.cnf --ibbackup=/usr/bin/xtrabackup --stream=xbstream --tmpdir=/t --strict=OFF --no-timestamp /x", Understood),
    ("innobackupex --stream=tar --tmpdir=/t --no-timestamp /x", Understood),
    ("xtrabackup --defaults-file={}/my.cnf --user=u --password=p --target-dir=/x --backup --socket={}/none --compress=zstd --compress-chunk-size=65536 --compress-threads=4 --stream=xbstream", Understood),
    ("xtrabackup --backup --databases=a --stream=xbstream", Refused("databases")),
    // replication-manager and others
    ("innobackupex --defaults-file={}/my.cnf --socket={}/none --no-version-check --user=u --password=p --stream=xbstream /tmp", Understood),
    ("xtrabackup --prepare --export --target-dir=/x", Refused("export")),
    ("xtrabackup --throttle=40 --login-path=x --stream=xbstream --backup", Refused("throttle")),
    ("innobackupex --no-lock --no-timestamp --incremental-force-scan --stream=xbstream /x", Understood),
    ("mariabackup --backup --stream=mbstream --user=root --password=root --socket={}/none", Understood),
    ("mariabackup --prepare --skip-innodb-use-native-aio --target-dir=/x", Wrong("opening the directory")),
    ("innobackupex --defaults-extra-file={}/my.cnf --no-version-check --stream=xbstream --parallel=2 /x --safe-slave-backup", Understood),
    ("mariabackup --innobackupex --defaults-file={}/my.cnf --stream=xbstream ./", Understood),
    ("mariadb-backup --backup --stream=xbstream --innodb_force_recovery=1 --loose-new-option=1 --binlog-info=auto", Understood),
    ("xtrabackup --backup --stream=xbstream --kill-long-queries-timeout=20 --kill-long-query-type=all --ftwrl-wait-timeout=180 --ftwrl-wait-query-type=all --ftwrl-wait-threshold=20", Understood),
];

#[test]
fn lines_of_known_products_are_understood_or_refused_by_name() {
    let sandbox = Sandbox::new();
    let root = sandbox.root();
    let places = format!("[mysqld]\ndatadir={root}/no\nsocket={root}/none\n");
    sandbox.write("my.cnf", &places);
    sandbox.write(".my.cnf", &places);
    let mut wrong = Vec::new();
    for (line, fate) in PRODUCTS {
        let output = sandbox.run(line);
        let told = stderr(&output).replace("unknown option '--loose-", "");
        assert_eq!(status(&output), 1, "{line}: {told}");
        assert!(!told.contains("unknown option"), "{line}: {told}");
        let text = match fate {
            Understood => "cannot open the data directory".to_owned(),
            Refused(name) => format!("option '--{name}'"),
            Wrong(text) => (*text).to_owned(),
        };
        let hinted = !matches!(fate, Refused(_)) || told.contains("\nhint: ");
        if !told.contains(&text) || !hinted {
            wrong.push(format!("{line}: no {text:?} in: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_terminal_gets_no_stream_and_gives_none() {
    let sandbox = Sandbox::new();
    sandbox.datadir();
    // The master of a new pseudo-terminal is a terminal, too.
    let terminal = || fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let mut lines = vec!["xbkit create -C data ibdata1", "xbkit backup --offline --datadir data"];
    lines.extend(["xbstream -C data -c ibdata1", "mbstream -C data -c ibdata1"]);
    lines.extend(COLD);
    for line in lines {
        let mut command = sandbox.command(line);
        let child = command.stdout(terminal()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_fails(&output, 1, "standard output is a terminal");
    }
    for line in ["xbkit extract -C out", "xbstream -x", "mbstream -x"] {
        let output = sandbox.command(line).stdin(terminal()).output().unwrap();
        assert_fails(&output, 1, "standard input is a terminal");
    }
    assert_fails(&sandbox.run("xbkit create -C data -o /dev/ptmx ibdata1"), 1, "is a terminal");
}

/// An extraction that has told its first member, and waits for the rest of its input.
struct Waiting {
    child: std::process::Child,
    stdin: std::process::ChildStdin,
    told: std::process::ChildStderr,
    rest: Vec<u8>,
}

fn wait_in_extraction(sandbox: &Sandbox, mut command: Command) -> Waiting {
    sandbox.datadir();
    let line = "xbkit create --no-manifest -C data ibdata1 shop/item.ibd";
    let mut stream = sandbox.run(line).stdout;
    let rest = stream.split_off(stream.len() - 10);
    command.stdin(Stdio::piped()).stderr(Stdio::piped()).current_dir(sandbox.dir.path());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&stream).unwrap();
    let mut told = child.stderr.take().unwrap();
    let mut first = [0; 8];
    told.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"ibdata1\n");
    Waiting { child, stdin, told, rest }
}

fn send(signal: &str, to: &std::process::Child) {
    let script = format!("kill -{signal} {}", to.id());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

#[test]
fn a_signal_cancels_and_leaves_nothing() {
    for signal in ["TERM", "INT", "HUP"] {
        let sandbox = Sandbox::new();
        let command = sandbox.command("xbkit extract -v -C out");
        let mut waiting = wait_in_extraction(&sandbox, command);
        send(signal, &waiting.child);
        let status = waiting.child.wait().unwrap();
        let mut told = String::new();
        waiting.told.read_to_string(&mut told).unwrap();
        assert_eq!(status.code(), Some(1), "{told}");
        assert!(told.contains("xbkit: cancelled"), "{told}");
        assert!(!sandbox.path("out/ibdata1").exists());
    }
}

#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let sandbox = Sandbox::new();
    let script = format!("trap '' HUP; exec {}/bin/xbkit extract -v -C out", sandbox.root());
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let mut waiting = wait_in_extraction(&sandbox, command);
    send("HUP", &waiting.child);
    waiting.stdin.write_all(&waiting.rest).unwrap();
    drop(waiting.stdin);
    let mut told = String::new();
    waiting.told.read_to_string(&mut told).unwrap();
    assert!(waiting.child.wait().unwrap().success(), "{told}");
    assert!(sandbox.path("out/shop/item.ibd").is_file());
}

#[test]
fn a_reader_that_goes_away_is_an_error_without_the_last_line() {
    let sandbox = Sandbox::new();
    sandbox.datadir();
    sandbox.write("data/big.ibd", vec![0; 8 << 20]);
    for line in [COLD[0], COLD[3], "xbkit create -C data big.ibd", "mbstream -C data -c big.ibd"] {
        let mut command = sandbox.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_fails(&output, 1, ": ");
    }
}

#[test]
fn link_makes_the_names_and_spares_others() {
    let sandbox = Sandbox::new();
    sandbox.write("links/mbstream", "theirs");
    assert_fails(&sandbox.run("xbkit link links"), 1, "another program has this name");
    assert!(!sandbox.path("links/xbstream").exists());
    assert_succeeds(&sandbox.run("xbkit link --force links"));
    for name in DROP_INS {
        assert!(fs::read_link(sandbox.path("links").join(name)).unwrap().is_absolute(), "{name}");
    }
    assert_succeeds(&sandbox.run("xbkit link links"));
    assert_fails(&sandbox.run("xbkit link missing"), 1, "missing");

    // Beside the executable the links are relative.
    let prefix = sandbox.mkdir("prefix");
    // By a process of its own: a file that this one has open for writing cannot be run by a test
    // that forks meanwhile ("text file busy").
    let mut copy = Command::new("cp");
    copy.args([env!("CARGO_BIN_EXE_xbkit"), "prefix/xbkit"]);
    assert!(copy.current_dir(sandbox.dir.path()).status().unwrap().success());
    let output = Command::new(prefix.join("xbkit")).arg("link").arg(&prefix).output().unwrap();
    assert_succeeds(&output);
    assert_eq!(fs::read_link(prefix.join("mbstream")).unwrap(), Path::new("xbkit"));
    let output = Command::new(prefix.join("mbstream")).output().unwrap();
    assert_fails(&output, 1, "mbstream: either -c or -x");
}

#[test]
fn completions_and_pages_are_written() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = sandbox.run(&format!("xbkit completions {shell}"));
        assert_succeeds(&output);
        assert!(std::str::from_utf8(&output.stdout).unwrap().contains("chunk-size"), "{shell}");
    }
    assert_fails(&sandbox.run("xbkit completions tcsh"), 2, "tcsh");
    assert_succeeds(&sandbox.run("xbkit man share/man1"));
    for (page, text) in [
        ("xbkit", "extract"),
        ("xbkit-extract", "overwrite"),
        ("xbkit-backup", "datadir"),
        ("mbstream", "directory"),
        ("innobackupex", "no\\-timestamp"),
        ("mariadb-backup", "mysqld\\-args"),
    ] {
        let path = sandbox.path("share/man1").join(format!("{page}.1"));
        let roff = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(roff.contains(&format!(".TH {page} 1")) && roff.contains(text), "{page}");
    }
}
