//! Backups of a running server from C: `tests/c/server` and the example, on a real server that is
//! being written to.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "tests start programs and read files")]

mod common;
#[path = "common/real.rs"]
mod real;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::program::{Form, Under, command, compile};
use common::{root, run};
use real::server::{Server, install};

/// What is written to: its sum stays the same in every transaction.
const SCHEMA: &str = "
CREATE DATABASE d; USE d;
CREATE TABLE still (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=InnoDB;
INSERT INTO still SELECT seq, REPEAT(MD5(seq), 6) FROM seq_1_to_5000;
CREATE TABLE isam (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=MyISAM;
INSERT INTO isam SELECT * FROM still WHERE id < 500;
CREATE TABLE bank (id INT PRIMARY KEY, amount BIGINT NOT NULL) ENGINE=InnoDB;
INSERT INTO bank SELECT seq, 1000 FROM seq_1_to_1000;
CREATE TABLE ctl (go INT) ENGINE=MEMORY; INSERT INTO ctl VALUES (1);
CREATE USER keeper@localhost IDENTIFIED BY 's3cret';
GRANT RELOAD, BINLOG MONITOR ON *.* TO keeper@localhost;
CREATE USER poor@localhost IDENTIFIED BY 's3cret';
DELIMITER //
CREATE PROCEDURE work() BEGIN
  WHILE (SELECT go FROM ctl) DO
    SET @a = 1 + FLOOR(RAND() * 1000), @b = 1 + FLOOR(RAND() * 1000), @n = FLOOR(RAND() * 9);
    START TRANSACTION;
    UPDATE bank SET amount = amount - @n WHERE id = @a;
    UPDATE bank SET amount = amount + @n WHERE id = @b;
    COMMIT;
    DO SLEEP(0.005);
  END WHILE;
END //
DELIMITER ;
";

/// A server, and one who writes to it.
struct Source {
    server: Server,
    writer: Child,
    datadir: PathBuf,
}

impl Source {
    /// `None`, after saying so, where no server is installed.
    fn start(dir: &Path) -> Option<Self> {
        let datadir = dir.join("data");
        let options = vec![
            format!("--log-bin={}", dir.join("bin").display()),
            "--binlog-format=ROW".to_owned(),
            "--server-id=1".to_owned(),
            "--innodb-data-file-path=ibdata1:10M:autoextend".to_owned(),
        ];
        if !install(&datadir, &options) {
            return None;
        }
        let server = Server::start(&datadir, &options);
        let schema = dir.join("schema.sql");
        std::fs::write(&schema, SCHEMA).expect("a file");
        run(client(&server.socket()).stdin(std::fs::File::open(&schema).expect("the schema")));
        let writer = client(&server.socket())
            .args(["--execute", "CALL d.work()"])
            .stdin(Stdio::null())
            .spawn()
            .expect("mariadb starts");
        Some(Self { server, writer, datadir })
    }

    /// Lets the writer come to its end.
    fn calm(&mut self) {
        self.server.sql("SET sql_log_bin = 0; UPDATE d.ctl SET go = 0");
        assert!(self.writer.wait().expect("the writer ends").success(), "the writer failed");
    }

    fn pid(&self) -> String {
        let run = self.server.socket();
        let file = run.parent().expect("a directory").join("pid");
        std::fs::read_to_string(file).expect("the server's pid").trim().to_owned()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.writer.kill();
        let _ = self.writer.wait();
    }
}

fn client(socket: &Path) -> Command {
    let mut command = Command::new("mariadb");
    command.arg("--no-defaults").arg(format!("--socket={}", socket.display())).arg("--user=root");
    command.args(["--batch", "--skip-column-names"]);
    command
}

/// The value of a key in flat JSON.
fn value<'j>(json: &'j str, key: &str) -> &'j str {
    let rest = json.split_once(&format!("\"{key}\":")).expect(key).1;
    rest.split([',', '}']).next().expect("a value").trim_matches('"')
}

/// Starts a server on what was restored: with the source's binary log from the reported place on,
/// it becomes the source.
fn prove(source: &Source, restored: &Path, json: Option<&str>, dir: &Path) {
    let options = ["--innodb-data-file-path=ibdata1:10M:autoextend".to_owned()];
    let copy = Server::start(restored, &options);
    assert_eq!(copy.sql("SELECT SUM(amount) FROM d.bank"), "1000000\n", "a torn transaction");
    let still = "CHECKSUM TABLE d.still, d.isam EXTENDED";
    assert_eq!(copy.sql(still), source.server.sql(still), "{}", restored.display());
    let checked = copy.sql("CHECK TABLE d.still, d.isam, d.bank EXTENDED");
    assert!(checked.lines().all(|line| line.ends_with("OK")), "{checked}");
    if let Some(json) = json {
        let (file, position) = (value(json, "binlog_file"), value(json, "binlog_position"));
        let later = source.server.sql("SHOW BINARY LOGS");
        let files = later.lines().filter_map(|line| line.split('\t').next());
        let files = files.skip_while(|name| *name != file).map(|name| dir.join(name));
        let replay = Command::new("mariadb-binlog")
            .args(["--no-defaults", "--disable-log-bin"])
            .arg(format!("--start-position={position}"))
            .args(files)
            .output()
            .expect("mariadb-binlog starts");
        assert!(replay.status.success(), "{replay:?}");
        let statements = dir.join("replay.sql");
        std::fs::write(&statements, &replay.stdout).expect("a file");
        let from = std::fs::File::open(&statements).expect("the file");
        run(client(&copy.socket()).arg("--binary-mode").stdin(from));
        let all = "CHECKSUM TABLE d.still, d.isam, d.bank EXTENDED";
        assert_eq!(copy.sql(all), source.server.sql(all), "{}", restored.display());
    }
    copy.stop();
}

fn back_up_and_restore(form: Form, under: Under) {
    if !common::has("gcc") || (under == Under::Valgrind && !common::has("valgrind")) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let Some(mut source) = Source::start(dir.path()) else { return };
    let program = dir.path().join("hot");
    compile(&root().join("tests/c/server/hot.c"), &program, form, under);
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).expect("a directory");
    let mut hot = command(&program, under);
    hot.arg(&scratch).arg(source.server.socket()).arg(&source.datadir);
    run(&mut hot);

    source.calm();
    let json = std::fs::read_to_string(scratch.join("a.json")).expect("the report");
    prove(&source, &scratch.join("a"), Some(&json), dir.path());
    prove(&source, &scratch.join("b"), None, dir.path());
    prove(&source, &scratch.join("c"), None, dir.path());
    run(hot.arg(source.pid()));
}

#[test]
fn a_running_server_is_backed_up_from_c_under_sanitizers() {
    back_up_and_restore(Form::Archive, Under::Sanitizers);
}

#[test]
fn a_running_server_is_backed_up_from_c_under_valgrind() {
    back_up_and_restore(Form::Shared, Under::Valgrind);
}

#[test]
fn the_example_backs_up_and_restores_a_running_server() {
    if !common::has("gcc") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let Some(mut source) = Source::start(dir.path()) else { return };
    let program = dir.path().join("hot");
    compile(&root().join("examples/c/hot.c"), &program, Form::Shared, Under::Sanitizers);
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("pw"), "s3cret\n").expect("a file");

    let stream = at("stream");
    let mut backup = command(&program, Under::Sanitizers);
    backup.arg("backup").arg(source.server.socket()).args(["keeper"]).arg(at("pw"));
    let done = backup
        .stdout(std::fs::File::create(&stream).expect("an output"))
        .output()
        .expect("the example starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    let json = said.lines().rfind(|line| line.starts_with('{')).expect("a report");

    let mut restore = command(&program, Under::Sanitizers);
    let from = std::fs::File::open(&stream).expect("the stream");
    run(restore.arg("restore").arg(at("restored")).stdin(from));
    source.calm();
    prove(&source, &at("restored"), Some(json), dir.path());

    // Nobody reads: the signal ends it, and the server's locks with it.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut waiting = command(&program, Under::Sanitizers);
    waiting.arg("backup").arg(source.server.socket()).args(["keeper"]).arg(at("pw"));
    let mut waiting =
        waiting.stdout(writer).stderr(Stdio::piped()).spawn().expect("the example starts");
    let locked = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'keeper'";
    let begin = Instant::now();
    while source.server.sql(locked) == "0\n" {
        assert!(begin.elapsed() < Duration::from_mins(1), "it never connects");
        std::thread::sleep(Duration::from_millis(20));
    }
    run(Command::new("kill").args(["-INT", &waiting.id().to_string()]));
    let status = waiting.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    let begin = Instant::now();
    while source.server.sql(locked) != "0\n" {
        assert!(begin.elapsed() < Duration::from_mins(1), "its connections stay");
        std::thread::sleep(Duration::from_millis(20));
    }
    source.server.sql("BACKUP STAGE START; BACKUP STAGE END");
    drop(reader);
}
