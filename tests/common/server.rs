//! Private MariaDB servers: a data directory and a socket of their own, no network, no option file.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::child::am_root;
use super::peers;

/// Options that every server gets: small files, and no background work that changes a table's
/// statistics between two checksums.
const OPTIONS: [&str; 5] = [
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-stats-auto-recalc=0",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--skip-log-bin",
];

fn program(name: &str, datadir: &Path, options: &[String]) -> Command {
    let mut command = Command::new(name);
    command.arg("--no-defaults").arg(format!("--datadir={}", datadir.display()));
    if am_root() {
        command.arg("--user=root");
    }
    command.args(OPTIONS).args(options);
    command
}

/// Runs statements on a new data directory, without system tables, and leaves it cleanly shut
/// down. `false`, after saying so, if there is no server.
#[expect(clippy::disallowed_methods, reason = "the test prepares its own directory")]
pub(crate) fn bootstrap(datadir: &Path, options: &[String], statements: &str) -> bool {
    let Some(server) = peers::peer("mariadbd") else { return false };
    std::fs::create_dir_all(datadir).expect("a data directory");
    let log = datadir.with_extension("log");
    let mut child = program(&server.to_string_lossy(), datadir, options)
        .arg("--bootstrap")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(&log).expect("a log"))
        .spawn()
        .expect("mariadbd starts");
    // One statement a line is what a server in this mode reads.
    let sent = child.stdin.take().expect("a pipe").write_all(statements.as_bytes());
    let status = child.wait().expect("mariadbd ends");
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(sent.is_ok() && status.success(), "mariadbd --bootstrap: {status}\n{said}");
    true
}

/// Makes a new data directory with system tables. `false`, after saying so, if there is no server.
pub(crate) fn install(datadir: &Path, options: &[String]) -> bool {
    let programs = ["mariadb-install-db", "mariadbd", "mariadb"];
    if programs.into_iter().any(|name| peers::peer(name).is_none()) {
        return false;
    }
    let output = program("mariadb-install-db", datadir, options)
        .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"])
        // Temporary tables of two that install at once have the same names.
        .env("TMPDIR", datadir.parent().expect("a directory around it"))
        .output()
        .expect("mariadb-install-db starts");
    assert!(output.status.success(), "mariadb-install-db: {output:?}");
    true
}

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Its socket, in a directory whose name is short enough for one, and its log.
    run: TempDir,
}

impl Server {
    /// Starts a server, which does not answer yet.
    #[expect(clippy::disallowed_methods, reason = "the test prepares its own directory")]
    fn spawn(datadir: &Path, options: &[String]) -> Self {
        let run = tempfile::Builder::new().prefix("xbk").tempdir_in("/tmp").expect("a directory");
        let log = File::create(run.path().join("log")).expect("a log");
        let server = peers::peer("mariadbd").expect("mariadbd was there");
        let child = program(&server.to_string_lossy(), datadir, options)
            .arg(format!("--socket={}", run.path().join("sock").display()))
            .arg(format!("--pid-file={}", run.path().join("pid").display()))
            .arg(format!("--tmpdir={}", run.path().display()))
            .args(["--skip-networking", "--skip-name-resolve"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd starts");
        Self { child, run }
    }

    /// Starts a server and waits until it answers.
    #[track_caller]
    pub(crate) fn start(datadir: &Path, options: &[String]) -> Self {
        let mut server = Self::spawn(datadir, options);
        let begin = Instant::now();
        while server.query("SELECT 1").is_err() {
            let ended = server.child.try_wait().expect("its status").is_some();
            let in_time = begin.elapsed() < Duration::from_mins(1);
            assert!(!ended && in_time, "mariadbd does not answer:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Starts a server that must not get far, and gives what it said when it said `word` or
    /// ended. Then it is killed.
    #[track_caller]
    pub(crate) fn is_kept_out(datadir: &Path, options: &[String], word: &str) -> String {
        let mut server = Self::spawn(datadir, options);
        let begin = Instant::now();
        loop {
            let ended = server.child.try_wait().expect("its status");
            assert!(!ended.is_some_and(|status| status.success()), "it ends well");
            assert!(server.query("SELECT 1").is_err(), "mariadbd answers:\n{}", server.log());
            if ended.is_some() || server.log().contains(word) {
                return server.log();
            }
            assert!(begin.elapsed() < Duration::from_mins(1), "it waits:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the test reads what its server said")]
    fn log(&self) -> String {
        std::fs::read_to_string(self.run.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run.path().join("sock")
    }

    fn query(&self, statements: &str) -> Result<String, String> {
        let output = Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.socket().display()))
            .args(["--user=root", "--batch", "--skip-column-names", "--execute", statements])
            .stdin(Stdio::null())
            .output()
            .expect("mariadb starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The rows that statements give, fields separated by tabs.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.query(statements).unwrap_or_else(|error| {
            panic!("{statements}\n{error}\n{}", self.log());
        })
    }

    /// Every base table and its checksum, but for statistics, which a server changes by itself; and
    /// all databases.
    #[track_caller]
    pub(crate) fn checksums(&self) -> String {
        let names = self.sql(
            "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM \
             information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN \
             ('information_schema', 'performance_schema') AND table_name NOT IN \
             ('innodb_table_stats', 'innodb_index_stats') ORDER BY 1",
        );
        let names: Vec<&str> = names.lines().collect();
        self.sql(&format!("CHECKSUM TABLE {} EXTENDED; SHOW DATABASES", names.join(", ")))
    }

    /// A clean shutdown.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.sql("SHUTDOWN");
        let status = self.child.wait().expect("its status");
        assert!(status.success(), "mariadbd ends with {status}:\n{}", self.log());
    }

    /// A crash.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("its status");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
