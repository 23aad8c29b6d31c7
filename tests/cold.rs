//! Cold backups of real data directories: a server runs on the copy and finds the same tables, and
//! none runs on the original meanwhile. And directories that no server made, for what a backup has
//! to refuse.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::sandbox::WAYS;
use common::server::{Server, install};
use common::tree::{self, Files, decode_whole};
use tempfile::TempDir;
use xbkit::{Backup, CreateReport, Dialect, Error, ErrorKind, Extract, Result, Silent};

use ErrorKind::{Exists, FileChanged, InvalidState, Locked, NotFound, Unsupported};

fn backup(job: &Backup) -> Vec<u8> {
    let mut stream = Vec::new();
    let report: CreateReport = job.run(&mut stream, &mut Silent).unwrap();
    assert_eq!(report.stream_bytes, stream.len() as u64);
    stream
}

#[track_caller]
fn refusal(job: &Backup) -> Error {
    let mut stream = Vec::new();
    let error = job.run(&mut stream, &mut Silent).unwrap_err();
    assert!(stream.is_empty(), "{} bytes before {error}", stream.len());
    error
}

/// Extracts a backup into a new directory, from which a server is to be started.
fn restore(stream: &[u8], dir: &Path) {
    Extract::into_dir(dir).parallel(2).sync(false).run(&mut { stream }, &mut Silent).unwrap();
}

/// Tables of every kind that a stopped server leaves in files of another kind.
fn tables(outside: &Path) -> String {
    let outside = outside.display();
    format!(
        "CREATE DATABASE shop; CREATE DATABASE empty; CREATE DATABASE `odd-n\u{e4}me`;
        USE shop;
        CREATE TABLE inno (id INT PRIMARY KEY, a VARCHAR(100), KEY (a)) ENGINE=InnoDB;
        INSERT INTO inno SELECT seq, MD5(seq) FROM seq_1_to_5000;
        CREATE TABLE aria ENGINE=Aria TRANSACTIONAL=1 SELECT * FROM inno;
        CREATE TABLE aria_plain ENGINE=Aria TRANSACTIONAL=0 SELECT * FROM inno;
        CREATE TABLE myisam (id INT PRIMARY KEY, a TEXT, FULLTEXT (a)) ENGINE=MyISAM;
        INSERT INTO myisam SELECT * FROM inno;
        CREATE TABLE csv (id INT NOT NULL, a TEXT NOT NULL) ENGINE=CSV;
        INSERT INTO csv SELECT id, a FROM inno;
        CREATE TABLE parts (id INT PRIMARY KEY, a TEXT) ENGINE=InnoDB
            PARTITION BY HASH (id) PARTITIONS 4;
        INSERT INTO parts SELECT * FROM inno;
        CREATE TABLE zipped (id INT PRIMARY KEY, a TEXT) ENGINE=InnoDB
            ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4;
        INSERT INTO zipped SELECT * FROM inno;
        CREATE TABLE packed (id INT PRIMARY KEY, a TEXT) ENGINE=InnoDB PAGE_COMPRESSED=1;
        INSERT INTO packed SELECT id, REPEAT(a, 10) FROM inno;
        CREATE TABLE words (id INT PRIMARY KEY, a TEXT, FULLTEXT (a)) ENGINE=InnoDB;
        INSERT INTO words SELECT * FROM inno;
        CREATE TABLE elsewhere (id INT PRIMARY KEY, a TEXT) ENGINE=InnoDB
            DATA DIRECTORY='{outside}';
        INSERT INTO elsewhere SELECT * FROM inno;
        CREATE TABLE spread (id INT PRIMARY KEY, a TEXT) ENGINE=InnoDB PARTITION BY RANGE (id)
            (PARTITION near VALUES LESS THAN (2000),
             PARTITION far VALUES LESS THAN MAXVALUE DATA DIRECTORY='{outside}');
        INSERT INTO spread SELECT * FROM inno;
        CREATE TABLE links (id INT PRIMARY KEY, a TEXT) ENGINE=MyISAM
            DATA DIRECTORY='{outside}' INDEX DIRECTORY='{outside}';
        INSERT INTO links SELECT * FROM inno;
        CREATE SEQUENCE numbers; SELECT NEXTVAL(numbers);
        CREATE TABLE `odd-n\u{e4}me`.`t/\u{f6} #1` (id INT PRIMARY KEY) ENGINE=InnoDB;
        INSERT INTO `odd-n\u{e4}me`.`t/\u{f6} #1` VALUES (1), (2);
        CREATE DATABASE ibtmp_data; CREATE DATABASE xtrabackup_info;
        CREATE TABLE ibtmp_data.t (id INT PRIMARY KEY) ENGINE=InnoDB;
        CREATE TABLE xtrabackup_info.t (id INT PRIMARY KEY) ENGINE=Aria;
        INSERT INTO ibtmp_data.t VALUES (3); INSERT INTO xtrabackup_info.t VALUES (4);"
    )
}

/// A data directory with system tables, of a server that never ran. `None` without a server.
struct Scratch {
    dir: TempDir,
    options: Vec<String>,
}

impl Scratch {
    fn new(options: &[String]) -> Option<Self> {
        let scratch = Self { dir: tempfile::tempdir().unwrap(), options: options.to_vec() };
        fs::create_dir(scratch.path("outside")).unwrap();
        install(&scratch.path("data"), options).then_some(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self) -> Server {
        Server::start(&self.path("data"), &self.options)
    }

    fn backup(&self) -> Backup {
        Backup::of_datadir(self.path("data"))
    }
}

#[test]
fn a_server_starts_on_the_copy_and_finds_every_table() {
    let Some(scratch) = Scratch::new(&[]) else { return };
    let server = scratch.start();
    server.sql(&tables(&scratch.path("outside")));
    let before = server.checksums();
    assert!(before.lines().count() > 40 && before.contains("shop.spread"), "{before}");
    assert!(!before.contains("NULL"), "a table without a checksum\n{before}");
    let error = refusal(&scratch.backup());
    assert_eq!(error.kind(), Locked, "while the server runs: {error}");
    assert!(error.hint_text().is_some());
    server.stop();
    // A database without any file, as MySQL 8 has them: a stream holds no directories.
    fs::remove_file(scratch.path("data/empty/db.opt")).unwrap();

    for (name, dialect, parallel) in [("one", Dialect::Common, 1), ("two", Dialect::Percona, 3)] {
        let stream = backup(&scratch.backup().dialect(dialect).parallel(parallel));
        let copy = scratch.path(name);
        restore(&stream, &copy);
        // A server that looked there would find nothing.
        fs::rename(scratch.path("outside"), scratch.path("away")).unwrap();
        let server = Server::start(&copy, &[]);
        assert_eq!(server.checksums(), before, "{name}");
        let checked =
            server.sql("CHECK TABLE shop.elsewhere, shop.spread, shop.links, shop.packed");
        assert!(checked.lines().all(|line| line.ends_with("status\tOK")), "{checked}");
        server.sql("INSERT INTO shop.elsewhere VALUES (0, 'new')");
        server.stop();
        fs::rename(scratch.path("away"), scratch.path("outside")).unwrap();
    }
}

/// A sink that does something before its first byte.
struct Before<F: FnMut()> {
    action: Option<F>,
    out: Vec<u8>,
}

impl<F: FnMut()> Before<F> {
    fn new(action: F) -> Self {
        Self { action: Some(action), out: Vec::new() }
    }
}

impl<F: FnMut()> Write for Before<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(mut action) = self.action.take() {
            action();
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_server_starts_while_its_directory_is_copied() {
    let Some(scratch) = Scratch::new(&[]) else { return };
    let data = scratch.path("data");
    // Aria waits for its lock for a while; with a log elsewhere it leaves the word to InnoDB.
    let aria = "aria control file";
    let elsewhere = format!("--aria-log-dir-path={}", scratch.path("outside").display());
    let mut said = (String::new(), String::new());
    let mut sink = Before::new(|| {
        said.0 = Server::is_kept_out(&data, &[], aria);
        said.1 = Server::is_kept_out(&data, std::slice::from_ref(&elsewhere), "Aborting");
    });
    let result = scratch.backup().run(&mut sink, &mut Silent);
    let stream = std::mem::take(&mut sink.out);
    drop(sink);
    assert!(said.0.contains(aria), "{}", said.0);
    assert!(said.1.contains("Unable to lock ./ibdata1"), "{}", said.1);
    match result {
        Ok(_) => {
            restore(&stream, &scratch.path("copy"));
            Server::start(&scratch.path("copy"), &[]).stop();
        }
        // Before it gives up, the server may have touched an Aria table.
        Err(error) => assert_eq!(error.kind(), FileChanged, "{error}"),
    }
    // With the lock gone, it starts.
    scratch.start().stop();
    backup(&scratch.backup());
}

/// Without `InnoDB` a server does not lock the system tablespace, and writes to all else.
#[test]
fn a_server_without_innodb_is_noticed_too() {
    let options = ["--skip-innodb", "--default-storage-engine=Aria"].map(str::to_owned);
    let Some(scratch) = Scratch::new(&[]) else { return };
    let server = Server::start(&scratch.path("data"), &options);
    let error = refusal(&scratch.backup());
    assert_eq!(error.kind(), Locked, "{error}");
    assert!(error.path().is_some_and(|path| path.ends_with("aria_log_control")), "{error}");
    server.stop();
    backup(&scratch.backup());
}

#[test]
fn a_crashed_server_recovers_on_the_copy() {
    let Some(scratch) = Scratch::new(&[]) else { return };
    let server = scratch.start();
    server.sql(
        "CREATE DATABASE d; USE d;
        CREATE TABLE t (id INT PRIMARY KEY, a TEXT) ENGINE=InnoDB;
        CREATE TABLE u (id INT PRIMARY KEY, a TEXT) ENGINE=Aria TRANSACTIONAL=1;
        INSERT INTO t SELECT seq, REPEAT(MD5(seq), 4) FROM seq_1_to_3000;
        INSERT INTO u SELECT * FROM t;
        UPDATE t SET a = CONCAT(a, 'x') WHERE id % 3 = 0;
        CREATE TABLE dropped (id INT) ENGINE=InnoDB; DROP TABLE dropped;",
    );
    let before = server.checksums();
    // Not committed, and so not to be found again.
    let mut open = Command::new("mariadb")
        .arg("--no-defaults")
        .arg(format!("--socket={}", server.socket().display()))
        .args(["--user=root", "--unbuffered", "d", "--execute"])
        .arg("BEGIN; DELETE FROM t WHERE id > 100; SELECT SLEEP(100)")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    common::sandbox::wait_until("the transaction has begun", || {
        // InnoDB fills this table anew only if nobody has read it for 100 ms.
        std::thread::sleep(std::time::Duration::from_millis(200));
        server.sql("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_modified > 0")
            == "1\n"
    });
    server.kill();
    open.wait().unwrap();

    let stream = backup(&scratch.backup().parallel(2));
    restore(&stream, &scratch.path("copy"));
    let server = Server::start(&scratch.path("copy"), &[]);
    assert_eq!(server.checksums(), before);
    assert_eq!(server.sql("SELECT COUNT(*) FROM d.t"), "3000\n");
    server.stop();
    // What was backed up is not what the recovery made of it.
    assert!(backup(&scratch.backup().parallel(1)).len().abs_diff(stream.len()) < 1000);
}

#[test]
fn directories_outside_of_the_data_directory_are_joined() {
    let places = tempfile::tempdir().unwrap();
    let place = |name: &str| places.path().join(name);
    let options: Vec<String> = [
        ("innodb-data-home-dir", "home"),
        ("innodb-undo-directory", "undo"),
        ("innodb-log-group-home-dir", "redo"),
        ("aria-log-dir-path", "aria"),
    ]
    .iter()
    .map(|(option, name)| {
        fs::create_dir(place(name)).unwrap();
        format!("--{option}={}", place(name).display())
    })
    .chain(["--innodb-undo-tablespaces=2".to_owned()])
    .chain(["--innodb-data-file-path=ibdata1:12M;ibdata2:4M:autoextend".to_owned()])
    .collect();
    let Some(scratch) = Scratch::new(&options) else { return };
    let server = scratch.start();
    server.sql(&tables(&scratch.path("outside")));
    let before = server.checksums();
    let job = || {
        let job = scratch.backup().data_home(place("home")).undo_dir(place("undo"));
        job.log_dir(place("redo")).aria_log_dir(place("aria"))
    };
    assert_eq!(refusal(&job()).kind(), Locked);
    server.stop();
    assert!(!scratch.path("data/ibdata1").exists());
    assert_eq!(refusal(&scratch.backup()).kind(), NotFound, "no system tablespace there");

    restore(&backup(&job().parallel(2)), &scratch.path("copy"));
    let defaults = [
        "--innodb-undo-tablespaces=2",
        "--innodb-data-file-path=ibdata1:12M;ibdata2:4M:autoextend",
    ];
    let server = Server::start(&scratch.path("copy"), &defaults.map(str::to_owned));
    assert_eq!(server.checksums(), before);
    server.stop();
    for name in ["undo001", "undo002", "ib_logfile0", "aria_log_control", "ibdata2"] {
        assert!(scratch.path("copy").join(name).exists(), "{name}");
    }
}

/// A tablespace of so many pages of 4 KiB.
fn tablespace(pages: u32) -> Vec<u8> {
    common::pages::tablespace(4096, pages, 7, 0x13, common::pages::seal_full_crc32)
}

/// A directory that looks like a data directory. What is called a tablespace and is none, its pages
/// wrong, would be refused: zeros are pages that were never written.
fn fake(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files.iter().chain(&[("ibdata1", &[0; 6][..]), ("ib_logfile0", b"redo")]) {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn members(job: &Backup) -> Files {
    decode_whole(&backup(job)).accepted()
}

fn names(files: &Files) -> Vec<String> {
    files.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[test]
fn what_a_copy_is_better_without_is_left_out_and_nothing_else() {
    let dir = fake(&[
        ("ibtmp1", b""),
        ("#innodb_temp/temp_1.ibt", b""),
        ("#binlog_cache_files/x", b""),
        ("lost+found/x", b""),
        ("vm.pid", b""),
        ("mysql.sock.lock", b""),
        ("xtrabackup_info", b"old"),
        ("xtrabackup_checkpoints", b"old"),
        ("xtrabackup_binlog_info", b"old"),
        ("mariadb_backup_info", b"old"),
        ("mariadb_backup_checkpoints", b"old"),
        ("xbkit_manifest.json", b"old"),
        // What only looks like it: databases, and files in them.
        ("ibtmp_data/t.ibd", &[0]),
        ("xtrabackup_info2/t.ibd", &[0]),
        ("db/xtrabackup_info", b"1"),
        ("db/ibtmp1", b"1"),
        ("db/server.pid", b"1"),
        ("db/xbkit_manifest.json", b"1"),
        ("db/.xbkit-incomplete", b"1"),
        ("#innodb_redo/#ib_redo1", b"1"),
    ]);
    for name in ["xtrabackup_x_info", "mariadb_backup_my_checkpoints"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("t.MYD"), "1").unwrap();
    }
    fs::create_dir(dir.path().join("no-files")).unwrap();
    let _listener = UnixListener::bind(dir.path().join("mysql.sock")).unwrap();
    let found = members(&Backup::of_datadir(dir.path()));
    let expected = [
        "#innodb_redo/#ib_redo1",
        "db/.xbkit-incomplete",
        "db/ibtmp1",
        "db/server.pid",
        "db/xbkit_manifest.json",
        "db/xtrabackup_info",
        "ib_logfile0",
        "ibdata1",
        "ibtmp_data/t.ibd",
        "mariadb_backup_my_checkpoints/t.MYD",
        "no-files/db.opt",
        "xtrabackup_info2/t.ibd",
        "xtrabackup_x_info/t.MYD",
    ];
    assert_eq!(names(&found), expected);
}

#[test]
fn a_directory_that_holds_no_whole_data_is_refused() {
    for mark in [".xbkit-partial/db/t.ibd", ".xbkit-incomplete"] {
        let dir = fake(&[(mark, b"")]);
        let error = refusal(&Backup::of_datadir(dir.path()));
        assert_eq!(error.kind(), InvalidState, "{mark}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = refusal(&Backup::of_datadir(empty.path()));
    assert_eq!(error.kind(), NotFound, "{error}");
    assert!(error.hint_text().is_some());
    assert_eq!(refusal(&Backup::of_datadir(empty.path().join("x"))).kind(), NotFound);
    let dir = fake(&[]);
    let job = Backup::of_datadir(dir.path()).system_files(["ibdata1".into(), "ibdata2".into()]);
    assert_eq!(refusal(&job).kind(), NotFound, "a system tablespace of two files");
    for (option, job) in [
        ("log", Backup::of_datadir(dir.path()).log_dir("nowhere")),
        ("undo", Backup::of_datadir(dir.path()).undo_dir("nowhere")),
        ("aria", Backup::of_datadir(dir.path()).aria_log_dir("nowhere")),
    ] {
        assert_eq!(refusal(&job).kind(), NotFound, "{option}");
    }
    assert!(Command::new("mkfifo").arg(dir.path().join("fifo")).status().unwrap().success());
    let error = refusal(&Backup::of_datadir(dir.path()));
    assert_eq!(error.kind(), Unsupported, "{error}");
}

#[test]
fn symlinks_are_followed_and_circles_and_loose_ends_refused() {
    let outside = fake(&[("db/t.ibd", &[0; 5]), ("files/x.MYD", b"data")]);
    let to = |name: &str| outside.path().join(name);
    let dir = fake(&[("near/t.frm", b"frm")]);
    symlink(to("db"), dir.path().join("far")).unwrap();
    symlink(to("files/x.MYD"), dir.path().join("near/x.MYD")).unwrap();
    let found = members(&Backup::of_datadir(dir.path()));
    assert_eq!(names(&found), ["far/t.ibd", "ib_logfile0", "ibdata1", "near/t.frm", "near/x.MYD"]);
    assert_eq!(found[&b"far/t.ibd"[..]].to_vec(), [0; 5]);

    let job = || Backup::of_datadir(dir.path());
    symlink("nowhere", dir.path().join("near/dangling")).unwrap();
    let error = refusal(&job());
    assert_eq!(error.kind(), NotFound, "{error}");
    assert!(error.path().is_some_and(|path| path.ends_with("near/dangling")), "{error}");
    fs::remove_file(dir.path().join("near/dangling")).unwrap();
    for circle in [".", "..", "../near"] {
        symlink(circle, dir.path().join("near/circle")).unwrap();
        let error = refusal(&job());
        assert_eq!(error.kind(), Unsupported, "{circle}: {error}");
        fs::remove_file(dir.path().join("near/circle")).unwrap();
    }
    symlink("self", dir.path().join("near/self")).unwrap();
    let error = refusal(&job());
    assert!(matches!(error.kind(), ErrorKind::UnsafePath | ErrorKind::Source), "{error}");
}

#[test]
fn link_files_bring_their_tablespace_and_conflicts_are_refused() {
    let outside = fake(&[("db/t.ibd", &[0; 8])]);
    let link = outside.path().join("db/t.ibd").display().to_string();
    for end in ["", "\n", " \r\n"] {
        let dir = fake(&[("db/t.frm", b"frm"), ("db/t.isl", format!("{link}{end}").as_bytes())]);
        let found = members(&Backup::of_datadir(dir.path()));
        assert_eq!(names(&found), ["db/t.frm", "db/t.ibd", "ib_logfile0", "ibdata1"], "{end:?}");
        assert_eq!(found[&b"db/t.ibd"[..]].to_vec(), [0; 8]);
    }
    let with = |link: &str| fake(&[("db/t.isl", link.as_bytes()), ("db/t.ibd", &[0; 4])]);
    // Both are there, and they differ.
    let error = refusal(&Backup::of_datadir(with(&link).path()));
    assert_eq!(error.kind(), Exists, "{error}");
    // The link leads to the file beside it, in whatever spelling.
    let dir = with("./db/../db/t.ibd");
    assert_eq!(
        names(&members(&Backup::of_datadir(dir.path()))),
        ["db/t.ibd", "ib_logfile0", "ibdata1"]
    );
    // The link leads nowhere: only a server knows whether the file beside it is the table.
    let error = refusal(&Backup::of_datadir(with("/nowhere/t.ibd").path()));
    assert_eq!(error.kind(), Exists, "{error}");
    let dir = fake(&[("db/t.isl", b"/nowhere/t.ibd")]);
    let error = Backup::of_datadir(dir.path()).run(&mut io::sink(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), NotFound, "{error}");
    let dir = fake(&[("db/t.isl", &[b'x'; 10_000])]);
    let error = Backup::of_datadir(dir.path()).run(&mut io::sink(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source, "{error}");
    for nothing in [&b""[..], b"\n"] {
        let dir = fake(&[("db/t.isl", nothing)]);
        let result = Backup::of_datadir(dir.path()).run(&mut io::sink(), &mut Silent);
        assert!(result.is_err(), "an empty link: {result:?}");
    }
}

/// A file that changes although no server has the lock: a copy of two times is refused.
#[test]
fn a_file_that_changes_meanwhile_is_refused() {
    let big = tablespace(768);
    let dir = fake(&[("db/t.ibd", &big), ("db/u.ibd", &[0])]);
    for parallel in [1, 3] {
        let change = || {
            let path = dir.path().join("db/t.ibd");
            fs::File::options().append(true).open(path).unwrap().write_all(&[0; 4]).unwrap();
        };
        let mut first = true;
        let mut sink = common::sandbox::Watched(|bytes: &[u8]| {
            if bytes.len() > 1000 && std::mem::take(&mut first) {
                change();
            }
        });
        let job = Backup::of_datadir(dir.path()).parallel(parallel).chunk_size(64 << 10);
        let result: Result<_> = job.run(&mut sink, &mut Silent);
        assert_eq!(result.unwrap_err().kind(), FileChanged);
    }
}

/// What a cold backup of an extracted directory gives is what it was extracted from.
#[test]
fn a_backup_of_a_copy_is_a_copy_of_the_backup() {
    let dir =
        fake(&[("db/t.ibd", &tablespace(24)), ("db/db.opt", b""), ("aria_log_control", b"x")]);
    let stream = backup(&Backup::of_datadir(dir.path()));
    for way in WAYS {
        let copy = tempfile::tempdir().unwrap();
        way.extract(copy.path(), &stream).unwrap();
        assert!(tree::on_disk(copy.path()) == tree::on_disk(dir.path()));
        assert!(backup(&Backup::of_datadir(copy.path())) == stream, "{way:?}");
    }
}
