//! The real server, run privately on a copy, until it has recovered it and shut down.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::event::Level;
use crate::io::pulse::{Beat, Pulse};
use crate::sys::child::{Program, is_root, output_of, search_path};
use crate::sys::{dir, file};

/// What a server's program is called, now and before MariaDB 10.5.
const NAMES: [&str; 2] = ["mariadbd", "mysqld"];
/// Where servers are beside the directories of `PATH`.
const USUAL: [&str; 4] = ["/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/mariadb/bin"];

const TICK: Duration = Duration::from_millis(50);
/// How long `--version` may take.
const VERSION_PATIENCE: Duration = Duration::from_secs(20);
/// How long a clean shutdown may take when the job was cancelled.
const END_PATIENCE: Duration = Duration::from_mins(2);
/// As much of the server's log as is looked at.
const MAX_LOG: usize = 64 << 20;

/// A server's version: what must be alike for its files to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(u32, u32);

impl Version {
    /// Reads `10.11.19-MariaDB-log`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-']).map_while(|part| part.parse().ok());
        Some(Self(numbers.next()?, numbers.next()?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Finds a MariaDB server of this version: the named one, or the first in `PATH` and the usual
/// places; several may be installed side by side.
pub(super) fn find(named: Option<&Path>, wanted: Version) -> Result<OsString> {
    let mut seen = Vec::new();
    for program in named.map_or_else(candidates, named_program) {
        let Ok(text) =
            output_of(program.as_os_str(), &["--no-defaults", "--version"], VERSION_PATIENCE)
        else {
            continue;
        };
        let version = text.split("Ver ").nth(1).filter(|_| text.contains("MariaDB"));
        match version.and_then(Version::parse) {
            Some(version) if version == wanted => return Ok(program.into_os_string()),
            Some(version) => seen.push(format!("{} is {version}", program.display())),
            None => seen.push(format!("{} is no MariaDB server", program.display())),
        }
    }
    let seen = if seen.is_empty() { "none was found".to_owned() } else { seen.join(", ") };
    let message = format!(
        "the backup is of MariaDB {wanted}, and only a server of that version may recover it: {seen}"
    );
    Err(Error::new(ErrorKind::NotFound, message)
        .hint("install that server, or name its program by --server"))
}

/// A name without a slash is for `PATH`. Any other is made absolute: the server is started in the
/// directory that it recovers.
fn named_program(path: &Path) -> Vec<PathBuf> {
    if path.as_os_str().as_bytes().contains(&b'/') {
        return vec![std::path::absolute(path).unwrap_or_else(|_| path.to_owned())];
    }
    vec![path.to_owned()]
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs = search_path();
    for dir in USUAL.map(PathBuf::from) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    NAMES.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name))).collect()
}

/// What the server is run on, and how.
pub(super) struct Recovery<'r> {
    pub(super) program: &'r OsStr,
    pub(super) datadir: &'r Path,
    /// Options from the backup and the caller.
    pub(super) options: &'r [String],
    /// Where its log goes.
    pub(super) log: PathBuf,
    /// Where the backup's redo ends, by its own account.
    pub(super) last_lsn: Option<u64>,
    /// A private directory for its socket and temporary files.
    pub(super) scratch: &'r Path,
}

/// What the server's log said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Errors that leave the data as they should be.
    pub(super) warnings: Vec<String>,
}

/// How a run of the server ended.
enum Attempt {
    Recovered(Said),
    /// It would not start, for transactions whose fate it does not know.
    Prepared,
}

impl Recovery<'_> {
    /// Starts the server, waits until it has recovered, and has it shut down cleanly.
    ///
    /// A replica that applies in parallel has transactions that are prepared and wait for their
    /// turn when a backup blocks commits. Neither has the binary log them, nor the position: they
    /// are undone. What clients prepared by `XA PREPARE` is not among them, and stays.
    pub(super) fn run(&self, pulse: &Pulse<'_>) -> Result<Said> {
        if let Attempt::Recovered(said) = self.attempt(pulse)? {
            return Ok(said);
        }
        pulse.log(Level::Info, "undoing transactions that waited for their commit")?;
        self.roll_back(pulse)?;
        match self.attempt(pulse)? {
            Attempt::Recovered(said) => Ok(said),
            Attempt::Prepared => {
                Err(self.failed("the server does not undo prepared transactions".to_owned()))
            }
        }
    }

    fn start(&self, extra: &[&str]) -> Result<Program> {
        let log = self.create_log()?;
        let mut args = self.args();
        args.extend(extra.iter().map(OsString::from));
        Program::start(self.program, &args, self.datadir, &log).map_err(|error| {
            Error::io(ErrorKind::Source, "starting the server", error)
                .at_path(Path::new(self.program))
        })
    }

    fn attempt(&self, pulse: &Pulse<'_>) -> Result<Attempt> {
        let mut server = self.start(&[])?;
        let recovered = self.wait_ready(&mut server, pulse);
        server.terminate();
        let ended = wait_end(&mut server, recovered.as_ref().err().map(|_| END_PATIENCE));
        let said = self.read_log();
        let prepared = has_prepared(&said);
        if !prepared {
            recovered?;
        }
        let status = ended?;
        self.check_log(&said)?;
        if prepared {
            return Ok(Attempt::Prepared);
        }
        if !status.is_some_and(|status| status.success()) {
            return Err(self.failed("the server did not shut down cleanly".to_owned()));
        }
        let warnings = said.lines().filter(|line| line.contains("[ERROR]"));
        Ok(Attempt::Recovered(Said {
            warnings: warnings.map(|line| line.trim().to_owned()).collect(),
        }))
    }

    /// Whether the engines recovered all of the redo, and without errors.
    fn check_log(&self, said: &str) -> Result<()> {
        if let Some(line) = said.lines().find(|line| is_fatal(line)) {
            return Err(self.failed(format!("the server reports an error: {}", line.trim())));
        }
        if let (Some(end), Some(last)) = (end_of_log(said), self.last_lsn)
            && end < last
        {
            let message = format!(
                "the server found redo up to LSN {end} only, and the backup has it to {last}"
            );
            return Err(self.failed(message));
        }
        Ok(())
    }

    /// Has a server undo what it had prepared by itself. Some versions end when they have, others
    /// go on; whether anything is left, the next start says.
    fn roll_back(&self, pulse: &Pulse<'_>) -> Result<()> {
        let mut server = self.start(&["--tc-heuristic-recover=ROLLBACK"])?;
        let ready = self.wait_ready(&mut server, pulse);
        server.terminate();
        wait_end(&mut server, ready.as_ref().err().map(|_| END_PATIENCE))?;
        let said = self.read_log();
        if !said.contains("Please restart without --tc-heuristic-recover") {
            ready?;
        }
        self.check_log(&said)
    }

    fn create_log(&self) -> Result<File> {
        file::create_log(&self.log).map_err(|error| {
            Error::io(ErrorKind::Sink, "making the server's log", error).at_path(&self.log)
        })
    }

    fn args(&self) -> Vec<OsString> {
        let path = |option: &str, path: &Path| {
            let mut arg = OsString::from(option);
            arg.push(path);
            arg
        };
        let mut args = vec![OsString::from("--no-defaults"), path("--datadir=", self.datadir)];
        if is_root() {
            args.push("--user=root".into());
        }
        args.extend(self.options.iter().map(OsString::from));
        args.push(path("--socket=", &self.scratch.join("sock")));
        args.push(path("--pid-file=", &self.scratch.join("pid")));
        args.push(path("--tmpdir=", self.scratch));
        // Nobody can log in but through a socket in a private directory, and nothing runs by itself.
        let fixed = [
            "--skip-networking",
            "--skip-log-bin",
            "--skip-slave-start",
            "--skip-grant-tables",
            "--loose-wsrep-on=OFF",
            "--innodb-buffer-pool-dump-at-shutdown=OFF",
            "--innodb-buffer-pool-load-at-startup=OFF",
            "--innodb-fast-shutdown=1",
        ];
        args.extend(fixed.map(OsString::from));
        args
    }

    fn wait_ready(&self, server: &mut Program, pulse: &Pulse<'_>) -> Result<()> {
        loop {
            let ended = server
                .ended()
                .map_err(|error| Error::io(ErrorKind::Source, "waiting for the server", error))?;
            let said = self.read_log();
            if said.contains("ready for connections") {
                return Ok(());
            }
            if let Some(status) = ended {
                let errors: Vec<&str> = said.lines().filter(|l| l.contains("[ERROR]")).collect();
                let why = errors.first().map_or("its log says nothing", |line| line.trim());
                return Err(self.failed(format!("the server ended with {status}: {why}")));
            }
            pulse.tick()?;
            std::thread::sleep(TICK);
        }
    }

    fn read_log(&self) -> String {
        let bytes = file::read_small(&self.log, MAX_LOG).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn failed(&self, message: String) -> Error {
        let log = crate::error::escape_path(&self.log);
        Error::new(ErrorKind::Recovery, message).at_path(self.datadir).hint(format!(
            "the server's whole log is {log}; the copy can be prepared again once the cause is gone"
        ))
    }
}

/// Where the server found the end of the redo log.
fn end_of_log(said: &str) -> Option<u64> {
    let line = said.lines().rfind(|line| line.contains("End of log at LSN="))?;
    line.rsplit('=').next()?.trim().parse().ok()
}

/// Whether the server gave up for transactions that it had prepared itself.
fn has_prepared(said: &str) -> bool {
    said.lines()
        .any(|line| line.contains("[ERROR] Found ") && line.contains(" prepared transactions! "))
}

/// Errors of the engines that recover: what they leave is not to be trusted.
fn is_fatal(line: &str) -> bool {
    line.contains("[ERROR]") && ["InnoDB", "Aria"].iter().any(|engine| line.contains(engine))
}

fn wait_end(
    server: &mut Program,
    patience: Option<Duration>,
) -> Result<Option<std::process::ExitStatus>> {
    let begin = Instant::now();
    loop {
        let ended = server
            .ended()
            .map_err(|error| Error::io(ErrorKind::Source, "waiting for the server", error))?;
        if ended.is_some() || patience.is_some_and(|patience| begin.elapsed() > patience) {
            return Ok(ended);
        }
        std::thread::sleep(TICK);
    }
}

/// A private directory, removed when this is dropped. Its name is short: a socket's may have 107
/// bytes.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(beneath: &Path) -> Result<Self> {
        let path = dir::make_unique(beneath, "xbk").map_err(|error| {
            Error::io(ErrorKind::Sink, "making a private directory in", error).at_path(beneath)
        })?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        dir::remove_flat(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_without_their_last_number() {
        assert_eq!(Version::parse("10.11.19-MariaDB-log"), Some(Version(10, 11)));
        assert_eq!(Version::parse("11.8.9-MariaDB for debian"), Some(Version(11, 8)));
        assert_eq!(Version::parse("MariaDB"), None);
    }

    #[test]
    fn the_end_of_the_log_is_read_from_what_the_server_said() {
        let said = "x\n2026 0 [Note] InnoDB: End of log at LSN=16961036\ny\n";
        assert_eq!(end_of_log(said), Some(16_961_036));
        assert_eq!(end_of_log("nothing"), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test has a directory of its own")]
    fn a_relative_name_is_found_from_where_the_caller_is() {
        use std::os::unix::fs::PermissionsExt;

        let scratch = tempfile::tempdir_in(".").unwrap();
        let program = scratch.path().join("mariadbd");
        std::fs::write(&program, "#!/bin/sh\necho 'x  Ver 11.8.6-MariaDB for Linux'\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let relative = Path::new(scratch.path().file_name().unwrap()).join("mariadbd");
        let relative = Path::new(".").join(relative);
        let found = PathBuf::from(find(Some(&relative), Version(11, 8)).unwrap());
        assert!(found.is_absolute() && found.ends_with("mariadbd"), "{}", found.display());
        let error = find(Some(&relative), Version(10, 11)).unwrap_err();
        assert!(error.to_string().contains("only a server of that version"), "{error}");
    }

    #[test]
    fn servers_are_looked_for_in_the_usual_places_once() {
        let found = candidates();
        let usual = Path::new("/usr/sbin/mariadbd");
        assert_eq!(found.iter().filter(|path| path.as_path() == usual).count(), 1);
        assert!(found.iter().all(|path| path.is_absolute()), "{found:?}");
    }

    #[test]
    fn transactions_that_wait_for_their_commit_are_told_from_those_of_clients() {
        assert!(has_prepared("2026 0 [ERROR] Found 2 prepared transactions! It means that server"));
        assert!(!has_prepared("2026 0 [Warning] Found 1 prepared XA transactions"));
    }

    #[test]
    fn a_server_that_is_none_is_told() {
        let error = find(Some(Path::new("/bin/true")), Version(10, 11)).unwrap_err();
        assert!(error.to_string().contains("/bin/true is no MariaDB server"), "{error}");
        let error = find(Some(Path::new("/nowhere")), Version(10, 11)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
