//! The backup programs on a running server; and what they do with a backup afterwards.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use xbkit::error::escape_path;
use xbkit::limits::SAFE_SLAVE_WAIT;
use xbkit::{Connect, DamagedPages, Error, ErrorKind, Format, Result, Secret};

use super::getopt::{self, Given, Parsed, Setting};
use super::option::Id;
use super::{Outcome, Tool, reporter, told, usage};
use crate::coding::Storing;
use crate::jobs::{HotBackup, PrepareDir, PutBackDir, Recovery};
use crate::lsn_dir::LsnDir;
use crate::server_args::{absolute, account, command_line};
use crate::signals;
use crate::stdio::Output;
use crate::ui::Members;
use crate::voice::{Voice, tell_backup};

/// Where the real programs put a backup if nobody says otherwise.
const TARGET_DIR: &str = "xtrabackup_backupfiles";
const DATADIR: &str = "/var/lib/mysql";

/// Backs up the server that answered.
pub(super) fn backup(
    tool: Tool,
    parsed: &Parsed,
    connect: Connect,
    parallel: usize,
    storing: Storing,
    output: Option<(&Output, Format)>,
) -> Result<Outcome> {
    let given = &parsed.given;
    let voice = tool.voice();
    let safe_slave = if getopt::is_on(given, Id::SafeSlaveBackup) {
        let seconds = getopt::number(given, Id::SafeSlaveWait, "safe-slave-backup-timeout")?;
        Some(seconds.map_or(SAFE_SLAVE_WAIT, Duration::from_secs))
    } else {
        None
    };
    let job = HotBackup {
        format: output.map_or(Format::Xbstream, |(_, format)| format),
        storing,
        connect: login(given, connect)?,
        datadir: datadir_given(given),
        tmpdir: getopt::text(given, Id::Tmpdir).map(|dir| absolute(Path::new(dir))).transpose()?,
        max_spool: None,
        throttle: throttle(tool, given)?,
        lock_wait: None,
        manifest: !getopt::is_on(given, Id::NoManifest),
        slave_info: getopt::is_on(given, Id::SlaveInfo),
        safe_slave,
        galera_info: getopt::is_on(given, Id::GaleraInfo),
        parallel: Some(parallel),
        chunk_size: None,
        lsn_dir: getopt::text(given, Id::ExtraLsndir)
            .map(|dir| LsnDir::open(Path::new(dir)))
            .transpose()?,
        damaged: damaged(given),
        tool: (tool.name().to_owned(), command_line(std::env::args_os().skip(1))),
    };
    let mut reporter = reporter(tool, Members::Streamed);
    let token = signals::token()?;
    let (result, place) = if let Some((output, _)) = output {
        (job.run(output, token, &mut reporter), "<STDOUT>".to_owned())
    } else {
        let dir = backup_dir(tool, parsed)?;
        (job.run_into(&dir, token, &mut reporter), escape_path(&dir))
    };
    let result = result.and_then(|(totals, report)| totals.check_pages().map(|()| report));
    Ok(told(
        &reporter,
        result.map(|report| {
            voice.note(&format!("Backup created in directory '{place}'"));
            tell_backup(voice, &report);
            voice.completed();
        }),
    ))
}

/// The account, and how the connection is protected.
fn login(given: &[Given], mut connect: Connect) -> Result<Connect> {
    let user = getopt::text(given, Id::User).and_then(OsStr::to_str).map(str::to_owned);
    if let Some(user) = user.or_else(account) {
        connect = connect.user(user);
    }
    if getopt::last(given, Id::Password) == Some(&Setting::On) {
        let message = "option '--password' has no argument, and nobody can be asked for it here";
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .hint("put it into the [client] group of an option file, or into MYSQL_PWD"));
    }
    let environment = || std::env::var("MYSQL_PWD").ok().map(Secret::new);
    if let Some(password) = getopt::secret(given).cloned().or_else(environment) {
        connect = connect.password(password);
    }
    let on = |id| getopt::is_on(given, id);
    if let Some(path) = getopt::text(given, Id::SslCa) {
        connect = connect.tls_ca(path);
    } else if on(Id::Ssl) {
        // As the client library does: without an authority to trust, nobody is checked.
        connect = connect.tls(true).tls_trust_any(!on(Id::SslVerify));
    }
    if let (Some(cert), Some(key)) =
        (getopt::text(given, Id::SslCert), getopt::text(given, Id::SslKey))
    {
        connect = connect.tls_identity(cert, key);
    }
    Ok(connect)
}

/// The data directory, if the command line names it: then it must be the server's. What an option
/// file says may be about another server on this machine.
fn datadir_given(given: &[Given]) -> Option<PathBuf> {
    let on_the_line: Vec<Given> = given.iter().filter(|one| one.file.is_none()).cloned().collect();
    getopt::text(&on_the_line, Id::Datadir).map(PathBuf::from)
}

/// Bytes a second. A bare number is in units of the real program: what it reads at once, which is
/// 10 MiB in xtrabackup 8.x, and 1 MiB in innobackupex. In mariabackup it is 64 pages: 10.11 took
/// 9.4 s for 1.1 GB with `--throttle=100`.
fn throttle(tool: Tool, given: &[Given]) -> Result<Option<u64>> {
    let Some(number) = getopt::number(given, Id::Throttle, "throttle")?.filter(|n| *n > 0) else {
        return Ok(None);
    };
    let text = getopt::text(given, Id::Throttle).and_then(OsStr::to_str).unwrap_or("");
    if text.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(Some(number));
    }
    let unit = if tool == Tool::Xtrabackup { 10 << 20 } else { 1 << 20 };
    Ok(Some(number.saturating_mul(unit)))
}

/// What to do about pages that stay damaged.
pub(super) fn damaged(given: &[Given]) -> DamagedPages {
    if getopt::is_on(given, Id::LogPageCorruption) {
        DamagedPages::Report
    } else {
        DamagedPages::Refuse
    }
}

/// Where a backup that is not streamed goes.
fn backup_dir(tool: Tool, parsed: &Parsed) -> Result<PathBuf> {
    if tool != Tool::Innobackupex {
        let dir = getopt::text(&parsed.given, Id::TargetDir).unwrap_or(OsStr::new(TARGET_DIR));
        return absolute(Path::new(dir));
    }
    let root = parsed.words.first().ok_or_else(|| usage("a backup directory must be given"))?;
    let root = absolute(Path::new(root))?;
    if getopt::is_on(&parsed.given, Id::NoTimestamp) {
        return Ok(root);
    }
    Ok(root.join(Voice::timestamp()))
}

/// The directory that holds a backup.
fn target_dir(tool: Tool, parsed: &Parsed) -> Result<PathBuf> {
    let word = parsed.words.first().map(|word| Path::new(word).to_owned());
    let dir = getopt::text(&parsed.given, Id::TargetDir).map(PathBuf::from);
    match (tool, word, dir) {
        (Tool::Innobackupex, Some(dir), _) | (_, None, Some(dir)) => absolute(&dir),
        (_, None, None) if tool != Tool::Innobackupex => absolute(Path::new(TARGET_DIR)),
        (_, Some(word), _) => Err(usage(format!("unknown argument: '{}'", escape_path(&word)))),
        _ => Err(usage("the directory of the backup must be given")),
    }
}

/// `--prepare`, `--apply-log`.
pub(super) fn prepare(tool: Tool, parsed: &Parsed) -> Result<Outcome> {
    let dir = target_dir(tool, parsed)?;
    let voice = tool.voice();
    voice.note(&tool.banner());
    let recovery = Recovery {
        memory: getopt::number(&parsed.given, Id::UseMemory, "use-memory")?.filter(|n| *n > 0),
        tmpdir: None,
        ..Recovery::default()
    };
    let mut reporter = reporter(tool, Members::Quiet);
    let result = PrepareDir { dir, recovery }.run(signals::token()?, &mut reporter);
    Ok(told(&reporter, result.map(|()| voice.completed())))
}

/// `--copy-back`, `--move-back`.
pub(super) fn put_back(tool: Tool, parsed: &Parsed, moved: bool) -> Result<Outcome> {
    let given = &parsed.given;
    let place = |id: Id| getopt::text(given, id).map(PathBuf::from);
    let job = PutBackDir {
        from: target_dir(tool, parsed)?,
        datadir: absolute(&place(Id::Datadir).unwrap_or_else(|| PathBuf::from(DATADIR)))?,
        data_home: place(Id::DataHome),
        undo_dir: place(Id::UndoDir),
        log_dir: place(Id::LogDir),
        aria_log_dir: place(Id::AriaLogDir),
        moved,
        non_empty: getopt::is_on(given, Id::ForceNonEmpty),
    };
    let voice = tool.voice();
    voice.note(&tool.banner());
    let mut reporter = reporter(tool, Members::Quiet);
    let result = job.run(signals::token()?, &mut reporter);
    Ok(told(&reporter, result.map(|_| voice.completed())))
}
