//! The command line of `xbkit` itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind as Mistake;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use xbkit::{DamagedPages, Dialect, Format, Result, ServerReport, limits};

use crate::check::CheckArgs;
use crate::coding::{DecodeArgs, Decoding, KeyArgs, StoreArgs};
use crate::dropin::parse_number;
use crate::exit::Status;
use crate::inspect::ListArgs;
use crate::jobs::{
    ColdBackup, ConvertStream, CreateFiles, ExtractWhole, HotBackup, PrepareDir, Recovery,
    RestoreStream,
};
use crate::look::{CatArgs, InfoArgs};
use crate::lsn_dir::LsnDir;
use crate::server_args::{ServerArgs, absolute, command_line};
use crate::stdio::{Input, Output};
use crate::ui::{Members, ProgressMode, Reporter, Totals};
use crate::verify::VerifyArgs;
use crate::voice::{Voice, tell_backup};
use crate::{link, pages, signals};

const VOICE: Voice = Voice::Plain("xbkit");

/// Streams physical backups of MySQL and MariaDB as xbstream or tar, and extracts such streams,
/// verified
#[derive(Debug, Parser)]
#[command(name = "xbkit", version, arg_required_else_help = true, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Under the names innobackupex, xtrabackup, mariabackup, mariadb-backup, \
    xbstream and mbstream (as links, or as the first word after xbkit) it takes the command lines \
    of those programs.";

#[derive(Debug, Subcommand)]
enum Command {
    Create(CreateArgs),
    Extract(ExtractArgs),
    Backup(Box<BackupArgs>),
    Prepare(PrepareArgs),
    Restore(RestoreArgs),
    List(ListArgs),
    Verify(VerifyArgs),
    Check(CheckArgs),
    Convert(ConvertArgs),
    Info(InfoArgs),
    Cat(CatArgs),
    Link(LinkArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// How much is told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Talk {
    /// Show progress on standard error: a bar on a terminal, or one JSON object a line
    #[arg(long, value_enum, default_value_t, value_name = "MODE", hide_possible_values = false)]
    progress: ProgressMode,
    /// Name each file on standard error when it is done
    #[arg(short, long)]
    verbose: bool,
}

/// Stream files to standard output
#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Take paths as relative to this directory
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// The format of the stream
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "xbstream")]
    stream: FormatArg,
    /// Read with so many threads
    #[arg(short, long, value_name = "N", value_parser = threads)]
    parallel: Option<usize>,
    /// Put so many bytes of a file into each chunk, 64K to 64M
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    chunk_size: Option<usize>,
    /// Use what only the readers of this dialect understand
    #[arg(long, value_enum)]
    dialect: Option<DialectArg>,
    /// Do not end the stream in a manifest, by which it can be proven whole
    #[arg(long)]
    no_manifest: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Write to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    talk: Talk,
    /// The files, which become members of these names
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Extract a stream from standard input, all or nothing
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct ExtractArgs {
    /// Extract into this directory, which is new or empty
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Write with so many threads
    #[arg(short, long, value_name = "N", value_parser = threads)]
    parallel: Option<usize>,
    /// Let the directory hold files, and replace those that are in the stream
    #[arg(long)]
    overwrite: bool,
    /// Do not wait until the files are on disk
    #[arg(long)]
    no_sync: bool,
    /// Let a tar archive end without its two blocks of zeros, as some writers leave it
    #[arg(long)]
    allow_missing_end: bool,
    /// Leave compressed members as they are
    #[arg(long)]
    no_decompress: bool,
    /// Leave encrypted members as they are
    #[arg(long)]
    no_decrypt: bool,
    #[command(flatten)]
    decode: DecodeArgs,
    /// Refuse a stream that lacks what a backup of a whole server has
    #[arg(long)]
    require_backup: bool,
    /// Read from this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// FILE is the first of parts, as split makes them; the others lie beside it
    #[arg(long, requires = "input")]
    parts: bool,
    #[command(flatten)]
    talk: Talk,
    /// Extract only members that match; * and ? stay within a name, ** crosses directories
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
}

/// Stream the data of a running MariaDB server, or of a stopped one, to standard output
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is given or not")]
struct BackupArgs {
    /// The server is stopped: copy its files
    #[arg(long)]
    offline: bool,
    /// The server's data directory. Of a running server it need not be given
    #[arg(long, value_name = "DIR", required_if_eq("offline", "true"))]
    datadir: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// Spool what does not fit into memory here
    #[arg(long, value_name = "DIR")]
    tmpdir: Option<PathBuf>,
    /// Spool so much at most, twice: redo, and what is read under locks
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_spool: Option<u64>,
    /// Read so much of the data files a second at most, with a suffix: 50M
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    throttle: Option<u64>,
    /// Wait so many seconds for a lock, while others queue behind
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(limits::LOCK_WAIT_RANGE))]
    lock_wait_timeout: Option<u64>,
    /// Keep what makes the restored server a replica of this one's primaries
    #[arg(long)]
    slave_info: bool,
    /// Of a replica: copy a moment without temporary tables, stopping what it applies meanwhile
    #[arg(long)]
    safe_slave_backup: bool,
    /// Wait so many seconds for that moment; 300 if not given
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(limits::LOCK_WAIT_RANGE))]
    safe_slave_backup_timeout: Option<u64>,
    /// Keep the server's place in its Galera cluster
    #[arg(long)]
    galera_info: bool,
    /// Where the system tablespace is, if elsewhere
    #[arg(long, value_name = "DIR")]
    innodb_data_home_dir: Option<PathBuf>,
    /// Where undo tablespaces are, if elsewhere
    #[arg(long, value_name = "DIR")]
    innodb_undo_directory: Option<PathBuf>,
    /// Where the redo log is, if elsewhere
    #[arg(long, value_name = "DIR")]
    innodb_log_group_home_dir: Option<PathBuf>,
    /// Where Aria's log is, if elsewhere
    #[arg(long, value_name = "DIR")]
    aria_log_dir_path: Option<PathBuf>,
    /// The format of the stream
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "xbstream")]
    stream: FormatArg,
    /// Read with so many threads
    #[arg(short, long, value_name = "N", value_parser = threads)]
    parallel: Option<usize>,
    /// Put so many bytes of a file into each chunk, 64K to 64M
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    chunk_size: Option<usize>,
    /// Do not end the stream in a manifest, by which it can be proven whole
    #[arg(long)]
    no_manifest: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Name each damaged page of a tablespace and go on; the exit status is 1 all the same. Of a
    /// running server, list them in `innodb_corrupted_pages`, too
    #[arg(long)]
    log_page_corruption: bool,
    /// Write to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also put the files that say up to which LSN the backup reaches here, once it succeeded; of a
    /// running server
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    extra_lsndir: Option<PathBuf>,
    /// Make this new or empty directory instead of a stream, of a running server
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "offline"])]
    target_dir: Option<PathBuf>,
    #[command(flatten)]
    talk: Talk,
}

/// How a server is found that recovers a backup
#[derive(Debug, clap::Args)]
struct RecoveryArgs {
    /// The program of the server that recovers; mariadbd or mysqld if not given
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// Memory for its buffer pool; 128M if not given
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    use_memory: Option<u64>,
    /// A further option for it, such as `file_key_management_filename=FILE`
    #[arg(long, value_name = "NAME=VALUE")]
    server_option: Vec<String>,
    /// Put its socket and temporary files here; the path must be short
    #[arg(long, value_name = "DIR")]
    tmpdir: Option<PathBuf>,
}

/// Have the real server recover an extracted hot backup, so that it can start on it
#[derive(Debug, clap::Args)]
struct PrepareArgs {
    #[command(flatten)]
    recovery: RecoveryArgs,
    #[command(flatten)]
    talk: Talk,
    /// The directory that the backup was extracted to
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Make a data directory of a stream: extract, recover, give it to the server's user
#[derive(Debug, clap::Args)]
struct RestoreArgs {
    /// The data directory, which is new or empty
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// Give the files to this user. Unless said, root gives them to the owner of the directory, or
    /// to mysql
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Write with so many threads
    #[arg(short, long, value_name = "N", value_parser = threads)]
    parallel: Option<usize>,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    recovery: RecoveryArgs,
    #[command(flatten)]
    talk: Talk,
    /// The stream; standard input if it is - or not given
    #[arg(value_name = "STREAM")]
    input: Option<PathBuf>,
}

/// Turn a stream into one of another format
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct ConvertArgs {
    /// The format of the new stream
    #[arg(long, value_enum, value_name = "FORMAT")]
    stream: FormatArg,
    /// Put so many bytes of a file into each chunk, 64K to 64M
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    chunk_size: Option<usize>,
    /// Do not end the new stream in a manifest, by which it can be proven whole
    #[arg(long)]
    no_manifest: bool,
    /// Let what does not fit into memory wait in this directory
    #[arg(long, value_name = "DIR")]
    tmpdir: Option<PathBuf>,
    /// Let at most so many bytes wait at once
    #[arg(long, value_name = "SIZE", value_parser = spool_size, default_value = "64G")]
    max_spool: u64,
    /// Let every member wait for the end, for streams that change members that ended
    #[arg(long)]
    spool_all: bool,
    /// Let a tar archive end without its two blocks of zeros, as some writers leave it
    #[arg(long)]
    allow_missing_end: bool,
    /// Read from this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// FILE is the first of parts, as split makes them; the others lie beside it
    #[arg(long, requires = "input")]
    parts: bool,
    /// Write to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    talk: Talk,
}

/// Make links in DIR under which xbkit stands in for other programs
#[derive(Debug, clap::Args)]
struct LinkArgs {
    /// Replace other files and links of these names
    #[arg(long)]
    force: bool,
    /// The directory, such as /usr/local/bin
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write manual pages into DIR
#[derive(Debug, clap::Args)]
struct ManArgs {
    /// The directory, such as /usr/local/share/man/man1
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DialectArg {
    /// Readable by MariaDB's programs, and by all others
    Mariadb,
    /// Readable by Percona's programs only: holes as sparse chunks
    Percona,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArg {
    /// Members interleave; what xbstream and mbstream extract
    Xbstream,
    /// Members one behind the other; what tar -x and tar -ix extract
    Tar,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Xbstream => Self::Xbstream,
            FormatArg::Tar => Self::Tar,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Runs `xbkit`; the first of `words` is its name.
pub(crate) fn run(words: &[OsString]) -> Status {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    match cli.command {
        Command::Create(args) => create(args),
        Command::Extract(args) => extract(args),
        Command::Backup(args) => backup(*args),
        Command::Prepare(args) => prepare(args),
        Command::Restore(args) => restore(args),
        Command::List(args) => {
            let from = args.input.clone();
            from_input(from.as_deref(), args.parts, &Talk::default(), |input, reporter| {
                args.run(input, signals::token()?, reporter)
            })
        }
        Command::Verify(mut args) => {
            let (talk, from) = (std::mem::take(&mut args.talk), args.input.clone());
            from_input(from.as_deref(), args.parts, &talk, |input, reporter| {
                args.run(input, signals::token()?, reporter)
            })
        }
        Command::Check(args) => {
            let mut reporter = reporter(&args.talk);
            let result = signals::token().and_then(|token| args.run(token, &mut reporter));
            tell(&reporter, &result)
        }
        Command::Convert(args) => convert(args),
        Command::Info(args) => {
            let mut reporter = Reporter::new(VOICE, ProgressMode::None, Members::Quiet);
            plainly(&signals::token().and_then(|token| args.run(token, &mut reporter)))
        }
        Command::Cat(mut args) => {
            let (talk, from) = (std::mem::take(&mut args.talk), args.input.clone());
            from_input(from.as_deref(), args.parts, &talk, |input, reporter| {
                args.run(input, signals::token()?, reporter)
            })
        }
        Command::Link(args) => plainly(&link::run(&args.directory, args.force)),
        Command::Completions(args) => {
            plainly(&pages::completions(&mut Cli::command(), args.shell.into()))
        }
        Command::Man(args) => plainly(&pages::manual(Cli::command(), &args.directory)),
    }
}

/// Prints what `clap` has to say: help to standard output, mistakes to standard error.
fn explain(error: &clap::Error) -> Status {
    let printed = error.print();
    match error.kind() {
        Mistake::DisplayHelp | Mistake::DisplayVersion if printed.is_ok() => Status::Success,
        Mistake::DisplayHelp | Mistake::DisplayVersion => Status::Failure,
        _ => Status::Usage,
    }
}

fn create(args: CreateArgs) -> Status {
    let storing = match args.store.storing() {
        Ok(storing) => storing,
        Err(error) => return plainly(&Err(error)),
    };
    let job = CreateFiles {
        storing,
        base: args.directory,
        files: args.paths,
        format: args.stream.into(),
        parallel: args.parallel,
        chunk_size: args.chunk_size,
        dialect: args.dialect.map(|dialect| match dialect {
            DialectArg::Mariadb => Dialect::Common,
            DialectArg::Percona => Dialect::Percona,
        }),
        manifest: !args.no_manifest,
    };
    to_output(args.output.as_deref(), &args.talk, |output, reporter| {
        job.run(output, signals::token()?, reporter)
    })
}

fn backup(args: BackupArgs) -> Status {
    if !args.offline {
        return hot_backup(args);
    }
    let storing = match args.store.storing() {
        Ok(storing) => storing,
        Err(error) => return plainly(&Err(error)),
    };
    let job = ColdBackup {
        format: args.stream.into(),
        storing,
        datadir: args.datadir.unwrap_or_default(),
        data_home: args.innodb_data_home_dir,
        system_files: Vec::new(),
        log_dir: args.innodb_log_group_home_dir,
        undo_dir: args.innodb_undo_directory,
        aria_log_dir: args.aria_log_dir_path,
        parallel: args.parallel,
        chunk_size: args.chunk_size,
        manifest: !args.no_manifest,
        damaged: damaged(args.log_page_corruption),
    };
    to_output(args.output.as_deref(), &args.talk, |output, reporter| {
        job.run(output, signals::token()?, reporter)
    })
}

fn damaged(carried: bool) -> DamagedPages {
    if carried { DamagedPages::Report } else { DamagedPages::Refuse }
}

fn hot_backup(mut args: BackupArgs) -> Status {
    let (talk, output) = (std::mem::take(&mut args.talk), args.output.take());
    let target_dir = args.target_dir.clone();
    let job = || -> Result<HotBackup> {
        Ok(HotBackup {
            // A directory gets files, whatever brings them there.
            format: args.target_dir.as_ref().map_or(args.stream.into(), |_| Format::Xbstream),
            storing: args.store.storing()?,
            connect: args.server.connect()?,
            datadir: args.datadir,
            tmpdir: args.tmpdir.as_deref().map(absolute).transpose()?,
            max_spool: args.max_spool,
            throttle: args.throttle,
            lock_wait: args.lock_wait_timeout.map(Duration::from_secs),
            manifest: !args.no_manifest,
            slave_info: args.slave_info,
            safe_slave: args.safe_slave_backup.then(|| {
                let seconds = args.safe_slave_backup_timeout;
                seconds.map_or(limits::SAFE_SLAVE_WAIT, Duration::from_secs)
            }),
            galera_info: args.galera_info,
            parallel: args.parallel,
            chunk_size: args.chunk_size,
            lsn_dir: args.extra_lsndir.as_deref().map(LsnDir::open).transpose()?,
            damaged: damaged(args.log_page_corruption),
            tool: ("xbkit".to_owned(), command_line(std::env::args_os().skip(1))),
        })
    };
    let told = |(totals, report): (Totals, ServerReport)| {
        tell_backup(VOICE, &report);
        totals
    };
    if let Some(dir) = &target_dir {
        let mut reporter = reporter(&talk);
        let result = job().and_then(|job| job.run_into(dir, signals::token()?, &mut reporter));
        let result = result.map(told).and_then(|totals| totals.check_pages().map(|()| totals));
        return tell(&reporter, &result);
    }
    to_output(output.as_deref(), &talk, |output, reporter| {
        job()?.run(output, signals::token()?, reporter).map(told)
    })
}

fn prepare(args: PrepareArgs) -> Status {
    let mut reporter = reporter(&args.talk);
    let job = PrepareDir { dir: args.directory, recovery: args.recovery.into() };
    let result = signals::token().and_then(|token| job.run(token, &mut reporter));
    tell_plainly(&reporter, &result, "prepared: a server can start on it")
}

fn restore(args: RestoreArgs) -> Status {
    let mut reporter = reporter(&args.talk);
    let decoding = match args.decode.decoding() {
        Ok(decoding) => decoding,
        Err(error) => return plainly(&Err(error)),
    };
    let job = RestoreStream {
        decoding,
        datadir: args.datadir,
        owner: args.owner,
        parallel: args.parallel,
        recovery: args.recovery.into(),
    };
    let result = Input::open(args.input.as_deref())
        .and_then(|input| job.run(&input, signals::token()?, &mut reporter));
    tell(&reporter, &result)
}

impl From<RecoveryArgs> for Recovery {
    fn from(args: RecoveryArgs) -> Self {
        Self {
            server: args.server,
            memory: args.use_memory,
            options: args.server_option,
            tmpdir: args.tmpdir,
        }
    }
}

fn tell_plainly(reporter: &Reporter, result: &Result<()>, done: &str) -> Status {
    match result {
        Ok(()) => {
            VOICE.note(done);
            Status::Success
        }
        Err(error) => {
            reporter.failed(error);
            Status::Failure
        }
    }
}

fn extract(args: ExtractArgs) -> Status {
    let decoding = match args.decode.decoding() {
        Ok(decoding) => {
            Decoding { decompress: !args.no_decompress, decrypt: !args.no_decrypt, ..decoding }
        }
        Err(error) => return plainly(&Err(error)),
    };
    let job = ExtractWhole {
        decoding,
        dir: args.directory,
        patterns: args.patterns,
        parallel: args.parallel,
        overwrite: args.overwrite,
        sync: !args.no_sync,
        missing_end: args.allow_missing_end,
        require_backup: args.require_backup,
    };
    from_input(args.input.as_deref(), args.parts, &args.talk, |input, reporter| {
        job.run(input, signals::token()?, reporter)
    })
}

fn convert(args: ConvertArgs) -> Status {
    let key = match args.key.read() {
        Ok(key) => key,
        Err(error) => return plainly(&Err(error)),
    };
    let job = ConvertStream {
        format: args.stream.into(),
        chunk_size: args.chunk_size,
        manifest: !args.no_manifest,
        // As all programs do.
        tmpdir: args.tmpdir.unwrap_or_else(std::env::temp_dir),
        max_spool: args.max_spool,
        spool_all: args.spool_all,
        missing_end: args.allow_missing_end,
        key,
    };
    let (input, parts) = (args.input, args.parts);
    to_output(args.output.as_deref(), &args.talk, |output, reporter| {
        let input = Input::of(input.as_deref(), parts)?;
        job.run(&input, output, signals::token()?, reporter)
    })
}

/// Runs a job that reads a stream.
fn from_input(
    path: Option<&Path>,
    parts: bool,
    talk: &Talk,
    job: impl FnOnce(&Input, &mut Reporter) -> Result<Totals>,
) -> Status {
    let mut reporter = reporter(talk);
    let result = Input::of(path, parts).and_then(|input| job(&input, &mut reporter));
    tell(&reporter, &result)
}

/// Runs a job that makes a stream. A file gets its name only when the stream is whole.
fn to_output(
    path: Option<&Path>,
    talk: &Talk,
    job: impl FnOnce(&Output, &mut Reporter) -> Result<Totals>,
) -> Status {
    let mut reporter = reporter(talk);
    let result = Output::open(path).and_then(|output| {
        let totals = job(&output, &mut reporter)?;
        output.commit()?;
        totals.check_pages()?;
        Ok(totals)
    });
    tell(&reporter, &result)
}

fn reporter(talk: &Talk) -> Reporter {
    let members = if talk.verbose { Members::Named } else { Members::Quiet };
    Reporter::new(VOICE, talk.progress, members)
}

fn tell(reporter: &Reporter, result: &Result<Totals>) -> Status {
    match result {
        Ok(totals) => {
            reporter.done(totals);
            Status::Success
        }
        Err(error) => {
            reporter.failed(error);
            Status::Failure
        }
    }
}

fn plainly(result: &Result<()>) -> Status {
    match result {
        Ok(()) => Status::Success,
        Err(error) => {
            VOICE.error(error);
            Status::Failure
        }
    }
}

impl From<Shell> for clap_complete::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    within(text, &limits::PARALLEL_RANGE, "threads")
}

fn chunk_size(text: &str) -> Result<usize, String> {
    within(text, &limits::CHUNK_SIZE_RANGE, "bytes")
}

fn bytes(text: &str) -> Result<u64, String> {
    parse_number(text)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "not a number, or not one of the suffixes K, M, G, T".to_owned())
}

fn memory(text: &str) -> Result<u64, String> {
    bytes(text)?;
    let range = limits::RECOVERY_MEMORY;
    let number = parse_number(text).filter(|number| range.contains(number));
    number.ok_or_else(|| format!("not within {} to {} bytes", range.start(), range.end()))
}

/// Other programs take a bare number for multiples of a megabyte, of which there are two kinds.
fn rate(text: &str) -> Result<u64, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("say K, M or G behind the number".to_owned());
    }
    bytes(text)
}

pub(crate) fn spool_size(text: &str) -> Result<u64, String> {
    let number = parse_number(text)
        .ok_or_else(|| "not a number, or not one of the suffixes K, M, G, T".to_owned())?;
    if number <= limits::MEMBER_SIZE {
        return Ok(number);
    }
    Err(format!("not within 0 to {} bytes", limits::MEMBER_SIZE))
}

pub(crate) fn within(
    text: &str,
    range: &std::ops::RangeInclusive<usize>,
    unit: &str,
) -> Result<usize, String> {
    let number = parse_number(text)
        .ok_or_else(|| "not a number, or not one of the suffixes K, M, G, T".to_owned())?;
    usize::try_from(number)
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("not within {} to {} {unit}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_have_suffixes_and_limits() {
        assert_eq!(chunk_size("64K"), Ok(64 << 10));
        assert_eq!(chunk_size("1M"), Ok(1 << 20));
        assert_eq!(threads("256"), Ok(256));
        assert_eq!(threads("0").unwrap_err(), "not within 1 to 256 threads");
        assert!(chunk_size("1").is_err() && chunk_size("1G").is_err() && chunk_size("1Q").is_err());
    }
}
