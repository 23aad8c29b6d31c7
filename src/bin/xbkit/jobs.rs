//! The jobs of the library, as the commands start them. Nothing else here calls them.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use xbkit::pages::Tally;
use xbkit::{
    Backup, CancelToken, ChangedFiles, Connect, Convert, ConvertReport, Create, CreateReport,
    DamagedPages, DecodeFiles, Dialect, Extract, ExtractReport, FdWriter, Format, Prepare, PutBack,
    Restore, Result, ServerBackup, ServerReport,
};

use xbkit::codec::Key;

use crate::coding::{Decoding, Storing};
use crate::dropin::Named;
use crate::lsn_dir::LsnDir;
use crate::stdio::{Bytes, Input, Output};
use crate::ui::{Reporter, Totals};

/// `xbkit create`.
pub(crate) struct CreateFiles {
    pub(crate) base: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) format: Format,
    pub(crate) parallel: Option<usize>,
    pub(crate) chunk_size: Option<usize>,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) manifest: bool,
    pub(crate) storing: Storing,
}

impl CreateFiles {
    pub(crate) fn run(
        self,
        output: &Output,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job =
            Create::new().base(self.base).format(self.format).manifest(self.manifest).cancel(token);
        for file in self.files {
            job = job.file(file);
        }
        if let Some(threads) = self.parallel {
            job = job.parallel(threads);
        }
        if let Some(bytes) = self.chunk_size {
            job = job.chunk_size(bytes);
        }
        if let Some(dialect) = self.dialect {
            job = job.dialect(dialect);
        }
        self.storing
            .of_create(job)
            .run_fd(output.as_fd(), reporter)
            .map(|report| totals_of_create(&report))
    }
}

/// `xbstream -c`: names apart from paths, and a changing file is no reason to stop.
pub(crate) struct CreateNamed {
    pub(crate) base: PathBuf,
    pub(crate) files: Vec<Named>,
    pub(crate) parallel: usize,
    pub(crate) manifest: bool,
    pub(crate) storing: Storing,
}

impl CreateNamed {
    pub(crate) fn run(
        self,
        output: &Output,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job = Create::new()
            .base(self.base)
            .changed(ChangedFiles::Warn)
            .parallel(self.parallel)
            .manifest(self.manifest)
            .cancel(token);
        for file in self.files {
            job = job.file_as(file.name, file.path);
        }
        self.storing
            .of_create(job)
            .run_fd(output.as_fd(), reporter)
            .map(|report| totals_of_create(&report))
    }
}

/// `xbkit backup --offline`, and the backup programs on a stopped server.
#[derive(Debug)]
pub(crate) struct ColdBackup {
    pub(crate) format: Format,
    pub(crate) datadir: PathBuf,
    pub(crate) data_home: Option<PathBuf>,
    /// Of `innodb_data_file_path`; empty for the default.
    pub(crate) system_files: Vec<PathBuf>,
    pub(crate) log_dir: Option<PathBuf>,
    pub(crate) undo_dir: Option<PathBuf>,
    pub(crate) aria_log_dir: Option<PathBuf>,
    pub(crate) parallel: Option<usize>,
    pub(crate) chunk_size: Option<usize>,
    pub(crate) manifest: bool,
    pub(crate) storing: Storing,
    pub(crate) damaged: DamagedPages,
}

impl ColdBackup {
    pub(crate) fn run(
        self,
        output: &Output,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job = Backup::of_datadir(self.datadir)
            .format(self.format)
            .manifest(self.manifest)
            .damaged_pages(self.damaged)
            .cancel(token);
        if let Some(threads) = self.parallel {
            job = job.parallel(threads);
        }
        if let Some(bytes) = self.chunk_size {
            job = job.chunk_size(bytes);
        }
        if let Some(dir) = self.data_home {
            job = job.data_home(dir);
        }
        if !self.system_files.is_empty() {
            job = job.system_files(self.system_files);
        }
        if let Some(dir) = self.log_dir {
            job = job.log_dir(dir);
        }
        if let Some(dir) = self.undo_dir {
            job = job.undo_dir(dir);
        }
        if let Some(dir) = self.aria_log_dir {
            job = job.aria_log_dir(dir);
        }
        self.storing
            .of_backup(job)
            .run_fd(output.as_fd(), reporter)
            .map(|report| totals_of_create(&report))
    }
}

/// `xbkit backup`, and the backup programs, on a running server.
#[derive(Debug)]
pub(crate) struct HotBackup {
    pub(crate) format: Format,
    pub(crate) storing: Storing,
    pub(crate) connect: Connect,
    pub(crate) datadir: Option<PathBuf>,
    pub(crate) tmpdir: Option<PathBuf>,
    pub(crate) max_spool: Option<u64>,
    pub(crate) throttle: Option<u64>,
    pub(crate) lock_wait: Option<Duration>,
    pub(crate) manifest: bool,
    pub(crate) slave_info: bool,
    pub(crate) safe_slave: Option<Duration>,
    pub(crate) galera_info: bool,
    pub(crate) parallel: Option<usize>,
    pub(crate) chunk_size: Option<usize>,
    /// Where copies of `*_checkpoints` and `*_info` go.
    pub(crate) lsn_dir: Option<LsnDir>,
    pub(crate) damaged: DamagedPages,
    /// The program's name, and its command line without secrets.
    pub(crate) tool: (String, String),
}

impl HotBackup {
    pub(crate) fn run(
        mut self,
        output: &Output,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<(Totals, ServerReport)> {
        let lsn_dir = self.lsn_dir.take();
        let report = self.job(token).run_fd(output.as_fd(), reporter)?;
        LsnDir::keep(lsn_dir, &report)?;
        Ok((totals_of_create(&report.created), report))
    }

    /// The same into a directory, which is new or empty.
    pub(crate) fn run_into(
        mut self,
        dir: &Path,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<(Totals, ServerReport)> {
        let lsn_dir = self.lsn_dir.take();
        let report = self.job(token).run_into(dir, reporter)?;
        LsnDir::keep(lsn_dir, &report)?;
        Ok((totals_of_create(&report.created), report))
    }

    fn job(self, token: CancelToken) -> ServerBackup {
        let mut job = self
            .storing
            .of_server_backup(Backup::of_server(self.connect))
            .format(self.format)
            .cancel(token)
            .manifest(self.manifest)
            .slave_info(self.slave_info)
            .galera_info(self.galera_info)
            .damaged_pages(self.damaged)
            .tool(self.tool.0, self.tool.1)
            .tmpdir(self.tmpdir.unwrap_or_else(std::env::temp_dir));
        if let Some(threads) = self.parallel {
            job = job.parallel(threads);
        }
        if let Some(bytes) = self.chunk_size {
            job = job.chunk_size(bytes);
        }
        if let Some(dir) = self.datadir {
            job = job.datadir(dir);
        }
        if let Some(bytes) = self.max_spool {
            job = job.max_spool(bytes);
        }
        if let Some(rate) = self.throttle {
            job = job.throttle(rate);
        }
        if let Some(time) = self.lock_wait {
            job = job.lock_wait(time);
        }
        if let Some(time) = self.safe_slave {
            job = job.safe_slave_backup(time);
        }
        job
    }
}

/// How a server is found and run that recovers a backup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) server: Option<PathBuf>,
    pub(crate) memory: Option<u64>,
    pub(crate) options: Vec<String>,
    pub(crate) tmpdir: Option<PathBuf>,
}

impl Recovery {
    fn apply(self, mut job: Prepare) -> Prepare {
        if let Some(program) = self.server {
            job = job.server(program);
        }
        if let Some(bytes) = self.memory {
            job = job.memory(bytes);
        }
        if let Some(dir) = self.tmpdir {
            job = job.tmpdir(dir);
        }
        self.options.into_iter().fold(job, Prepare::server_option)
    }
}

/// `xbkit prepare`, and the backup programs with `--prepare`.
pub(crate) struct PrepareDir {
    pub(crate) dir: PathBuf,
    pub(crate) recovery: Recovery,
}

impl PrepareDir {
    pub(crate) fn run(self, token: CancelToken, reporter: &mut Reporter) -> Result<()> {
        self.recovery.apply(Prepare::of_dir(self.dir).cancel(token)).run(reporter).map(drop)
    }
}

/// `xbkit restore`.
pub(crate) struct RestoreStream {
    pub(crate) decoding: Decoding,
    pub(crate) datadir: PathBuf,
    pub(crate) owner: Option<String>,
    pub(crate) parallel: Option<usize>,
    pub(crate) recovery: Recovery,
}

impl RestoreStream {
    pub(crate) fn run(
        self,
        input: &Input,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job = Restore::into_datadir(self.datadir)
            .prepare_with(|job| self.recovery.apply(job))
            .extract_with(|job| self.decoding.of_extract(job))
            .cancel(token)
            .parallel(self.parallel.unwrap_or_else(extracting_threads));
        if let Some(user) = self.owner {
            job = job.owner(user);
        }
        let report = match input.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, reporter)?,
            Bytes::Parts(mut parts) => job.run(&mut *parts, reporter)?,
        };
        Ok(totals_of_extract(&report.extracted))
    }
}

/// `--copy-back` and `--move-back` of the backup programs.
pub(crate) struct PutBackDir {
    pub(crate) from: PathBuf,
    pub(crate) datadir: PathBuf,
    pub(crate) data_home: Option<PathBuf>,
    pub(crate) undo_dir: Option<PathBuf>,
    pub(crate) log_dir: Option<PathBuf>,
    pub(crate) aria_log_dir: Option<PathBuf>,
    pub(crate) moved: bool,
    pub(crate) non_empty: bool,
}

impl PutBackDir {
    pub(crate) fn run(self, token: CancelToken, reporter: &mut Reporter) -> Result<u64> {
        let mut job = PutBack::new(self.from, self.datadir)
            .move_files(self.moved)
            .non_empty(self.non_empty)
            .cancel(token);
        if let Some(dir) = self.data_home {
            job = job.data_home(dir);
        }
        if let Some(dir) = self.undo_dir {
            job = job.undo_dir(dir);
        }
        if let Some(dir) = self.log_dir {
            job = job.log_dir(dir);
        }
        if let Some(dir) = self.aria_log_dir {
            job = job.aria_log_dir(dir);
        }
        job.run(reporter)
    }
}

/// `xbkit extract`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ExtractWhole {
    pub(crate) dir: PathBuf,
    pub(crate) patterns: Vec<String>,
    pub(crate) parallel: Option<usize>,
    pub(crate) overwrite: bool,
    pub(crate) sync: bool,
    pub(crate) missing_end: bool,
    pub(crate) decoding: Decoding,
    pub(crate) require_backup: bool,
}

impl ExtractWhole {
    pub(crate) fn run(
        self,
        input: &Input,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job = Extract::into_dir(self.dir)
            .overwrite(self.overwrite)
            .sync(self.sync)
            .allow_missing_end(self.missing_end)
            .require_backup(self.require_backup)
            .cancel(token);
        job = job.parallel(self.parallel.unwrap_or_else(extracting_threads));
        for pattern in &self.patterns {
            job = job.member_pattern(pattern)?;
        }
        let job = self.decoding.of_extract(job);
        let report = match input.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, reporter)?,
            Bytes::Parts(mut parts) => job.run(&mut *parts, reporter)?,
        };
        Ok(totals_of_extract(&report))
    }
}

/// `xbkit convert`.
pub(crate) struct ConvertStream {
    pub(crate) format: Format,
    pub(crate) chunk_size: Option<usize>,
    pub(crate) manifest: bool,
    pub(crate) tmpdir: PathBuf,
    pub(crate) max_spool: u64,
    pub(crate) spool_all: bool,
    pub(crate) missing_end: bool,
    pub(crate) key: Option<Key>,
}

impl ConvertStream {
    pub(crate) fn run(
        self,
        input: &Input,
        output: &Output,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job = Convert::to(self.format)
            .manifest(self.manifest)
            .tmpdir(self.tmpdir)
            .max_spool(self.max_spool)
            .spool_all(self.spool_all)
            .allow_missing_end(self.missing_end)
            .cancel(token);
        if let Some(bytes) = self.chunk_size {
            job = job.chunk_size(bytes);
        }
        if let Some(key) = self.key {
            job = job.key(key);
        }
        let report = match input.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, output.as_fd(), reporter)?,
            Bytes::Parts(mut parts) => {
                let mut output = FdWriter::new(output.as_fd(), job.token())?;
                job.run(&mut *parts, &mut output, reporter)?
            }
        };
        Ok(totals_of_convert(&report))
    }
}

/// `xbstream -x`: straight into a directory that is there.
pub(crate) struct ExtractInPlace {
    pub(crate) dir: PathBuf,
    pub(crate) parallel: usize,
    pub(crate) decoding: Decoding,
}

impl ExtractInPlace {
    pub(crate) fn run(
        self,
        input: &Input,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let job = Extract::into_dir(self.dir).in_place(true).parallel(self.parallel).cancel(token);
        let job = self.decoding.of_extract(job);
        let report = match input.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, reporter)?,
            Bytes::Parts(mut parts) => job.run(&mut *parts, reporter)?,
        };
        Ok(totals_of_extract(&report))
    }
}

/// The backup programs' `--decompress` and `--decrypt`.
pub(crate) struct DecodeInDir {
    pub(crate) dir: PathBuf,
    pub(crate) decoding: Decoding,
    pub(crate) remove_original: bool,
    pub(crate) parallel: usize,
}

impl DecodeInDir {
    pub(crate) fn run(self, token: CancelToken, reporter: &mut Reporter) -> Result<Totals> {
        let job = DecodeFiles::in_dir(self.dir)
            .decompress(self.decoding.decompress)
            .decrypt(self.decoding.decrypt)
            .remove_original(self.remove_original)
            .parallel(self.parallel)
            .cancel(token);
        let job = match self.decoding.key {
            Some(key) => job.key(key),
            None => job,
        };
        job.run(reporter).map(|report| totals_of_extract(&report))
    }
}

/// Threads that write, unless the user says how many: with a second one, one writes while the
/// other's data is read from the pipe. More were no faster where the files are in memory.
pub(crate) fn extracting_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(2))
}

fn totals_of_create(report: &CreateReport) -> Totals {
    Totals {
        members: report.members,
        payload_bytes: report.payload_bytes,
        stream_bytes: report.stream_bytes,
        skipped: 0,
        proven: None,
        pages: report.pages,
        note_unproven: false,
    }
}

fn totals_of_convert(report: &ConvertReport) -> Totals {
    Totals {
        members: report.members,
        payload_bytes: report.payload_bytes,
        stream_bytes: report.stream_bytes,
        skipped: 0,
        proven: Some(report.proven),
        note_unproven: true,
        pages: Tally::default(),
    }
}

fn totals_of_extract(report: &ExtractReport) -> Totals {
    Totals {
        members: report.members,
        payload_bytes: report.payload_bytes,
        stream_bytes: report.stream_bytes,
        skipped: report.skipped,
        proven: Some(report.proven),
        note_unproven: true,
        pages: Tally::default(),
    }
}
