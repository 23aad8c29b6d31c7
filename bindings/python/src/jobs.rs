//! The jobs, as functions that `xbkit._jobs` calls.

use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use xbkit_core::codec::{Compression, Key};
use xbkit_core::pages::Tally;
use xbkit_core::{
    Backup, BackupInfo, BackupKind, Cat, ChangedFiles, Check, Convert, Create, CreateReport,
    DamagedPages, Dialect, Error, ErrorKind, Event, Extract, ExtractReport, FdReader, FdWriter,
    Format, Info, Level, List, Observer, Result, StreamReport, Verify,
};

use crate::call::{Failure, Raised, Ticker};
use crate::sink::{Sink, SinkSpec};
use crate::source::{Source, SourceSpec};
use crate::{CancelToken, token};

/// How members are stored, as `_jobs` gives it: compression, level, threads, bytes of a block;
/// cipher, threads, bytes of a chunk, key.
pub(crate) type Storing = (
    Option<String>,
    Option<u32>,
    usize,
    usize,
    Option<String>,
    usize,
    usize,
    Option<PyBackedBytes>,
);

/// What is taken off members: whether decompressed, decrypted; threads, most bytes, most bytes for
/// a stored one, key.
pub(crate) type Decoding = (bool, bool, usize, u64, u64, Option<PyBackedBytes>);

pub(crate) fn to_key(py: Python<'_>, key: Option<&[u8]>) -> PyResult<Option<Key>> {
    key.map(Key::new).transpose().map_err(|error| python_error(py, error))
}

pub(crate) fn to_compression(name: &str, level: Option<u32>) -> PyResult<Compression> {
    Ok(match name {
        "quicklz" => Compression::Quicklz,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd {
            level: level.map_or(1, |level| i32::try_from(level).unwrap_or(i32::MAX)),
        },
        "gzip" => Compression::Gzip { level: level.unwrap_or(6) },
        other => {
            return Err(not_one_of("compress", other, "'quicklz', 'lz4', 'zstd', 'gzip'"));
        }
    })
}

/// The key that members are encrypted with, if they are.
pub(crate) fn to_encryption(
    py: Python<'_>,
    cipher: Option<&str>,
    key: Option<&[u8]>,
) -> PyResult<Option<Key>> {
    let bits = match cipher {
        None => return Ok(None),
        Some("AES128") => 128,
        Some("AES192") => 192,
        Some("AES256") => 256,
        Some(other) => return Err(not_one_of("encrypt", other, "'AES128', 'AES192', 'AES256'")),
    };
    let wrong = |message: String| python_error(py, Error::new(ErrorKind::Key, message));
    match to_key(py, key)? {
        Some(key) if key.bits() == bits => Ok(Some(key)),
        Some(key) => Err(wrong(format!("the key has {} bits, not {bits}", key.bits()))),
        None => Err(wrong("no key is given to encrypt with".to_owned())),
    }
}

/// Three kinds of jobs take the same.
macro_rules! store_members {
    ($py:expr, $storing:expr, $job:expr) => {{
        use $crate::jobs::{to_compression, to_encryption};
        let (compress, level, threads, block, cipher, encrypt_threads, chunk, key) = $storing;
        let mut job = $job.compress_threads(threads).compress_chunk_size(block);
        if let Some(name) = compress {
            job = job.compress(to_compression(&name, level)?);
        }
        if let Some(key) = to_encryption($py, cipher.as_deref(), key.as_deref())? {
            job = job.encrypt(key);
        }
        job.encrypt_threads(encrypt_threads).encrypt_chunk_size(chunk)
    }};
}
pub(crate) use store_members;

/// How an event is told to `emit`, together with three values.
mod kind {
    pub(super) const PROGRESS: u8 = 0;
    pub(super) const MEMBER: u8 = 1;
    pub(super) const LOG: u8 = 2;
    pub(super) const BAD_PAGE: u8 = 3;
    pub(super) const FILE_CHECKED: u8 = 4;
}

/// A job's listener: signals, and the events that Python wants.
struct Listener {
    emit: Py<PyAny>,
    /// Whether anybody listens to more than logs.
    wants_all: bool,
    raised: Raised,
    members: u64,
}

impl Observer for Listener {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Member { .. } = event {
            self.members += 1;
            if !self.wants_all {
                return ControlFlow::Continue(());
            }
        }
        Python::attach(|py| match self.tell(py, event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.raised.set(error);
                ControlFlow::Break(())
            }
        })
    }
}

impl Listener {
    fn tell(&self, py: Python<'_>, event: &Event<'_>) -> PyResult<()> {
        let emit = self.emit.bind(py);
        match event {
            Event::Progress(progress) => {
                py.check_signals()?;
                if self.wants_all {
                    let (bytes, total) = (progress.stream_bytes, progress.total_bytes);
                    emit.call1((kind::PROGRESS, bytes, progress.members, total))?;
                }
            }
            Event::Member { path, size } => {
                emit.call1((kind::MEMBER, path.as_os_str(), size, py.None()))?;
            }
            Event::Log { level, message } => {
                let weight = if *level == Level::Warning { 30_u8 } else { 20_u8 };
                emit.call1((kind::LOG, weight, message, py.None()))?;
            }
            Event::BadPage { path, page } if self.wants_all => {
                let (place, message) = ((page.page, page.offset), page.to_string());
                emit.call1((kind::BAD_PAGE, path.as_os_str(), place, message))?;
            }
            Event::FileChecked { path, file } if self.wants_all => {
                let counts = counts(&file.tally);
                emit.call1((kind::FILE_CHECKED, path.as_os_str(), counts, py.None()))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Pages: all, good, zero, damaged, missing, unchecked.
pub(crate) type Counts = (u64, u64, u64, u64, u64, u64);

fn counts(tally: &Tally) -> Counts {
    let Tally { pages, good, zero, bad, missing, .. } = *tally;
    (pages, good, zero, bad, missing, tally.unchecked_pages())
}

/// What every job takes: whom to tell, and what ends it.
pub(crate) struct Job {
    listener: Listener,
    raised: Raised,
    pub(crate) cancel: Option<xbkit_core::CancelToken>,
}

impl Job {
    pub(crate) fn new(
        emit: Bound<'_, PyAny>,
        wants_all: bool,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> Self {
        let raised = Raised::default();
        let listener =
            Listener { emit: emit.unbind(), wants_all, raised: raised.clone(), members: 0 };
        Self { listener, raised, cancel: token(cancel) }
    }

    /// Runs a job that reads a stream: from a descriptor by `from_fd`, else by `from_reader`.
    pub(crate) fn read<R: Send>(
        mut self,
        py: Python<'_>,
        source: &SourceSpec<'_>,
        job: impl FnOnce(Input<'_>, &mut dyn Observer) -> Result<R> + Send,
    ) -> PyResult<R> {
        let source = Source::open(source, &self.raised, self.cancel.clone())?;
        py.detach(|| {
            let result = match source {
                Source::Fd(fd) => job(Input::Fd(fd.as_fd()), &mut self.listener),
                other => other
                    .into_reader(&self.raised, self.cancel)
                    .and_then(|mut reader| job(Input::Reader(&mut reader), &mut self.listener)),
            };
            self.raised.settle(result)
        })
        .map_err(|failure: Failure| failure.into_python(py))
    }

    /// Runs a job that reads a stream and writes another.
    fn both<R: Send>(
        mut self,
        py: Python<'_>,
        source: &SourceSpec<'_>,
        sink: SinkSpec<'_>,
        job: impl FnOnce(Input<'_>, &mut Sink, &mut dyn Observer) -> Result<R> + Send,
    ) -> PyResult<R> {
        let source = Source::open(source, &self.raised, self.cancel.clone())?;
        let mut sink = Sink::open(sink, &self.raised, self.cancel.clone())?;
        py.detach(|| {
            let listener = &mut self.listener;
            let result = match source {
                Source::Fd(fd) => job(Input::Fd(fd.as_fd()), &mut sink, listener),
                other => other
                    .into_reader(&self.raised, self.cancel)
                    .and_then(|mut reader| job(Input::Reader(&mut reader), &mut sink, listener)),
            };
            let result = self.raised.settle(result);
            if result.is_err() && self.listener.members > 0 {
                sink.spoil();
            }
            result
        })
        .map_err(|failure: Failure| failure.into_python(py))
    }

    /// Runs a job that writes a stream.
    pub(crate) fn write<R: Send>(
        mut self,
        py: Python<'_>,
        sink: SinkSpec<'_>,
        job: impl FnOnce(&mut Sink, &mut dyn Observer) -> Result<R> + Send,
    ) -> PyResult<R> {
        let mut sink = Sink::open(sink, &self.raised, self.cancel.clone())?;
        py.detach(|| {
            let result = self.raised.settle(job(&mut sink, &mut self.listener));
            if result.is_err() && self.listener.members > 0 {
                sink.spoil();
            }
            result
        })
        .map_err(|failure: Failure| failure.into_python(py))
    }

    /// Runs a job on what has a name.
    pub(crate) fn alone<R: Send>(
        mut self,
        py: Python<'_>,
        job: impl FnOnce(&mut dyn Observer) -> Result<R> + Send,
    ) -> PyResult<R> {
        py.detach(|| self.raised.settle(job(&mut self.listener)))
            .map_err(|failure: Failure| failure.into_python(py))
    }
}

/// Where a backup goes.
#[derive(FromPyObject)]
pub(crate) enum Target<'py> {
    /// A list of one path: the directory that gets the files.
    Dir([PathBuf; 1]),
    Sink(SinkSpec<'py>),
}

/// Members, payload bytes, stream bytes, pages.
pub(crate) type Created = (u64, u64, u64, Counts);

pub(crate) fn created(report: &CreateReport) -> Created {
    (report.members, report.payload_bytes, report.stream_bytes, counts(&report.pages))
}

pub(crate) enum Input<'i> {
    Fd(std::os::fd::BorrowedFd<'i>),
    Reader(&'i mut dyn Read),
}

/// Members, skipped, payload bytes, stream bytes, whether proven, kind of backup.
pub(crate) type Extracted = (u64, u64, u64, u64, bool, Option<&'static str>);

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
#[expect(clippy::fn_params_excessive_bools, reason = "options by position; Python names them")]
pub(crate) fn extract(
    py: Python<'_>,
    source: SourceSpec<'_>,
    dir: PathBuf,
    in_place: bool,
    overwrite: bool,
    sync: bool,
    allow_missing_end: bool,
    parallel: usize,
    members: Vec<String>,
    require_backup: bool,
    decoding: Decoding,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<Extracted> {
    let job = Job::new(emit, wants_all, cancel);
    let mut extract = Extract::into_dir(dir)
        .in_place(in_place)
        .overwrite(overwrite)
        .sync(sync)
        .allow_missing_end(allow_missing_end)
        .parallel(parallel)
        .require_backup(require_backup);
    for pattern in &members {
        extract = extract.member_pattern(pattern).map_err(|error| python_error(py, error))?;
    }
    extract = decode(py, decoding, extract)?;
    if let Some(token) = &job.cancel {
        extract = extract.cancel(token.clone());
    }
    let report = job.read(py, &source, move |input, observer| match input {
        Input::Fd(fd) => extract.run_fd(fd, observer),
        Input::Reader(reader) => extract.run(reader, observer),
    })?;
    Ok(extracted(&report))
}

pub(crate) fn decode(py: Python<'_>, decoding: Decoding, extract: Extract) -> PyResult<Extract> {
    let (decompress, decrypt, threads, most, ratio, key) = decoding;
    let extract = extract
        .decompress(decompress)
        .decrypt(decrypt)
        .decode_threads(threads)
        .max_decoded_size(most)
        .max_ratio(ratio);
    Ok(match to_key(py, key.as_deref())? {
        Some(key) => extract.key(key),
        None => extract,
    })
}

pub(crate) fn extracted(report: &ExtractReport) -> Extracted {
    let ExtractReport { members, skipped, payload_bytes, stream_bytes, proven, backup, .. } =
        *report;
    (members, skipped, payload_bytes, stream_bytes, proven, backup.map(BackupKind::name))
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
pub(crate) fn list(
    py: Python<'_>,
    source: SourceSpec<'_>,
    allow_missing_end: bool,
    key: Option<PyBackedBytes>,
    emit: Bound<'_, PyAny>,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<Seen> {
    let job = Job::new(emit, true, cancel);
    let mut list = List::new().allow_missing_end(allow_missing_end);
    if let Some(key) = to_key(py, key.as_deref())? {
        list = list.key(key);
    }
    if let Some(token) = &job.cancel {
        list = list.cancel(token.clone());
    }
    job.read(py, &source, move |input, observer| match input {
        Input::Fd(fd) => list.run_fd(fd, observer),
        Input::Reader(reader) => list.run(reader, observer),
    })
    .map(stream_report)
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
#[expect(clippy::fn_params_excessive_bools, reason = "options by position; Python names them")]
pub(crate) fn verify(
    py: Python<'_>,
    source: SourceSpec<'_>,
    allow_unproven: bool,
    allow_missing_end: bool,
    require_backup: bool,
    key: Option<PyBackedBytes>,
    pages: bool,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<Seen> {
    let job = Job::new(emit, wants_all, cancel);
    let mut verify = Verify::new()
        .allow_unproven(allow_unproven)
        .allow_missing_end(allow_missing_end)
        .require_backup(require_backup)
        .pages(pages);
    if let Some(key) = to_key(py, key.as_deref())? {
        verify = verify.key(key);
    }
    if let Some(token) = &job.cancel {
        verify = verify.cancel(token.clone());
    }
    job.read(py, &source, move |input, observer| match input {
        Input::Fd(fd) => verify.run_fd(fd, observer),
        Input::Reader(reader) => verify.run(reader, observer),
    })
    .map(stream_report)
}

/// Members, payload bytes, stream bytes, whether proven, kind of backup, pages.
type Seen = (u64, u64, u64, bool, Option<&'static str>, Counts);

fn stream_report(report: StreamReport) -> Seen {
    let StreamReport { members, payload_bytes, stream_bytes, proven, backup, .. } = report;
    let pages = counts(&report.pages);
    (members, payload_bytes, stream_bytes, proven, backup.map(BackupKind::name), pages)
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
pub(crate) fn info(
    py: Python<'_>,
    source: SourceSpec<'_>,
    key: Option<PyBackedBytes>,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<String> {
    let job = Job::new(emit, wants_all, cancel);
    let mut info = Info::new();
    if let Some(key) = to_key(py, key.as_deref())? {
        info = info.key(key);
    }
    if let Some(token) = &job.cancel {
        info = info.cancel(token.clone());
    }
    job.read(py, &source, move |input, observer| match input {
        Input::Fd(fd) => info.run_fd(fd, observer),
        Input::Reader(reader) => info.run(reader, observer),
    })
    .map(|info: BackupInfo| info.to_json())
}

#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
pub(crate) fn info_of_dir(
    py: Python<'_>,
    dir: PathBuf,
    key: Option<PyBackedBytes>,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<String> {
    let mut info = Info::new();
    if let Some(key) = to_key(py, key.as_deref())? {
        info = info.key(key);
    }
    if let Some(token) = token(cancel) {
        info = info.cancel(token);
    }
    py.detach(|| info.run_dir(&dir))
        .map(|info| info.to_json())
        .map_err(|error| python_error(py, error))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
pub(crate) fn cat(
    py: Python<'_>,
    source: SourceSpec<'_>,
    member: PathBuf,
    sink: SinkSpec<'_>,
    tmpdir: PathBuf,
    max_spool: u64,
    raw: bool,
    allow_missing_end: bool,
    key: Option<PyBackedBytes>,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<(u64, u64, bool)> {
    let job = Job::new(emit, wants_all, cancel);
    let mut cat = Cat::new(member)
        .map_err(|error| python_error(py, error))?
        .tmpdir(tmpdir)
        .max_spool(max_spool)
        .raw(raw)
        .allow_missing_end(allow_missing_end);
    if let Some(key) = to_key(py, key.as_deref())? {
        cat = cat.key(key);
    }
    if let Some(token) = &job.cancel {
        cat = cat.cancel(token.clone());
    }
    let sink = Sink::open(sink, &job.raised, job.cancel.clone())?;
    let (raised, cancel) = (job.raised.clone(), job.cancel.clone());
    job.read(py, &source, move |input, observer| {
        let mut writer = sink.into_writer(&raised, cancel.clone())?;
        match input {
            Input::Fd(fd) => {
                let mut ticker = Ticker::new(raised.clone(), cancel.clone());
                let mut reader = FdReader::new(fd, cancel)?.on_tick(move || ticker.tick());
                cat.run(&mut reader, &mut writer, observer)
            }
            Input::Reader(reader) => cat.run(reader, &mut writer, observer),
        }
    })
    .map(|report| (report.size, report.stream_bytes, report.proven))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
#[expect(clippy::fn_params_excessive_bools, reason = "options by position; Python names them")]
pub(crate) fn convert(
    py: Python<'_>,
    source: SourceSpec<'_>,
    sink: SinkSpec<'_>,
    format: &str,
    chunk_size: usize,
    manifest: bool,
    tmpdir: PathBuf,
    max_spool: u64,
    spool_all: bool,
    allow_missing_end: bool,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<(u64, u64, u64, bool)> {
    let job = Job::new(emit, wants_all, cancel);
    let mut convert = Convert::to(to_format(format)?)
        .chunk_size(chunk_size)
        .manifest(manifest)
        .tmpdir(tmpdir)
        .max_spool(max_spool)
        .spool_all(spool_all)
        .allow_missing_end(allow_missing_end);
    if let Some(token) = &job.cancel {
        convert = convert.cancel(token.clone());
    }
    job.both(py, &source, sink, move |input, output, observer| match (input, output) {
        (Input::Fd(from), Sink::Fd(to)) => convert.run_fd(from, to.as_fd(), observer),
        (Input::Fd(from), Sink::Object(to)) => {
            let mut from = FdReader::new(from, convert.token())?;
            convert.run(&mut from, to, observer)
        }
        (Input::Reader(from), Sink::Fd(to)) => {
            let mut to = FdWriter::new(to.as_fd(), convert.token())?;
            convert.run(from, &mut to, observer)
        }
        (Input::Reader(from), Sink::Object(to)) => convert.run(from, to, observer),
    })
    .map(|report| (report.members, report.payload_bytes, report.stream_bytes, report.proven))
}

#[pyfunction]
pub(crate) fn check(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    parallel: usize,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<(u64, u64, Counts)> {
    let job = Job::new(emit, wants_all, cancel);
    let mut paths = paths.into_iter();
    let Some(first) = paths.next() else {
        return Err(PyValueError::new_err("no path is named"));
    };
    let mut check = paths.fold(Check::of(first), Check::and).parallel(parallel);
    if let Some(token) = &job.cancel {
        check = check.cancel(token.clone());
    }
    job.alone(py, move |observer| check.run(observer))
        .map(|report| (report.files, report.bytes, counts(&report.pages)))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
pub(crate) fn create(
    py: Python<'_>,
    sink: SinkSpec<'_>,
    files: Vec<(PathBuf, PathBuf)>,
    base: PathBuf,
    parallel: usize,
    chunk_size: usize,
    format: &str,
    dialect: &str,
    manifest: bool,
    changed: &str,
    storing: Storing,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<Created> {
    let job = Job::new(emit, wants_all, cancel);
    let changed = match changed {
        "refuse" => ChangedFiles::Refuse,
        "warn" => ChangedFiles::Warn,
        other => return Err(not_one_of("changed", other, "'refuse', 'warn'")),
    };
    let mut create = Create::new()
        .base(base)
        .parallel(parallel)
        .chunk_size(chunk_size)
        .format(to_format(format)?)
        .dialect(to_dialect(dialect)?)
        .manifest(manifest)
        .changed(changed);
    for (name, path) in files {
        create = create.file_as(name, path);
    }
    create = store_members!(py, storing, create);
    if let Some(token) = &job.cancel {
        create = create.cancel(token.clone());
    }
    job.write(py, sink, move |sink, observer| match sink {
        Sink::Fd(fd) => create.run_fd(fd.as_fd(), observer),
        Sink::Object(object) => create.run(object, observer),
    })
    .map(|report| created(&report))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
pub(crate) fn backup(
    py: Python<'_>,
    target: Target<'_>,
    datadir: PathBuf,
    data_home: Option<PathBuf>,
    system_files: Option<Vec<PathBuf>>,
    undo_dir: Option<PathBuf>,
    log_dir: Option<PathBuf>,
    aria_log_dir: Option<PathBuf>,
    parallel: usize,
    chunk_size: usize,
    format: &str,
    dialect: &str,
    manifest: bool,
    storing: Storing,
    log_page_corruption: bool,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<Created> {
    let job = Job::new(emit, wants_all, cancel);
    let mut backup = Backup::of_datadir(datadir)
        .parallel(parallel)
        .chunk_size(chunk_size)
        .format(to_format(format)?)
        .dialect(to_dialect(dialect)?)
        .manifest(manifest);
    if log_page_corruption {
        backup = backup.damaged_pages(DamagedPages::Report);
    }
    if let Some(dir) = data_home {
        backup = backup.data_home(dir);
    }
    if let Some(files) = system_files {
        backup = backup.system_files(files);
    }
    if let Some(dir) = undo_dir {
        backup = backup.undo_dir(dir);
    }
    if let Some(dir) = log_dir {
        backup = backup.log_dir(dir);
    }
    if let Some(dir) = aria_log_dir {
        backup = backup.aria_log_dir(dir);
    }
    backup = store_members!(py, storing, backup);
    if let Some(token) = &job.cancel {
        backup = backup.cancel(token.clone());
    }
    match target {
        Target::Dir([dir]) => job.alone(py, move |observer| backup.run_into(dir, observer)),
        Target::Sink(sink) => job.write(py, sink, move |sink, observer| match sink {
            Sink::Fd(fd) => backup.run_fd(fd.as_fd(), observer),
            Sink::Object(object) => backup.run(object, observer),
        }),
    }
    .map(|report| created(&report))
}

pub(crate) fn to_format(name: &str) -> PyResult<Format> {
    Format::by_name(name).ok_or_else(|| not_one_of("format", name, "'xbstream', 'tar'"))
}

pub(crate) fn to_dialect(name: &str) -> PyResult<Dialect> {
    match name {
        "mariadb" => Ok(Dialect::Common),
        "percona" => Ok(Dialect::Percona),
        other => Err(not_one_of("dialect", other, "'mariadb', 'percona'")),
    }
}

fn not_one_of(option: &str, value: &str, known: &str) -> PyErr {
    PyValueError::new_err(format!("{option} '{value}' is none of {known}"))
}

pub(crate) fn python_error(py: Python<'_>, error: Error) -> PyErr {
    Failure::from(error).into_python(py)
}
