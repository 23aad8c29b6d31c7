//! Running servers, and what becomes of their backups, as functions that `xbkit._server` calls.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use xbkit_core::{
    Backup, Connect, DamagedPages, Error, ErrorKind, Prepare, PutBack, Restore, Secret,
    ServerReport,
};

use crate::CancelToken;
use crate::jobs::{
    Created, Decoding, Extracted, Input, Job, Storing, Target, created, decode, extracted,
    python_error, store_members, to_dialect, to_format,
};
use crate::sink::Sink;
use crate::source::SourceSpec;

/// Where a running MariaDB server is, and whose account to use.
#[pyclass(frozen, module = "xbkit._xbkit")]
pub(crate) struct Server(Connect);

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (
        *,
        socket = None,
        host = None,
        port = None,
        user = None,
        password = None,
        password_file = None,
        defaults_file = None,
        tls = false,
        tls_ca = None,
        tls_cert = None,
        tls_key = None,
        tls_no_verify = false,
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        py: Python<'_>,
        socket: Option<PathBuf>,
        host: Option<String>,
        port: Option<u16>,
        user: Option<String>,
        password: Option<Password>,
        password_file: Option<PathBuf>,
        defaults_file: Option<PathBuf>,
        tls: bool,
        tls_ca: Option<PathBuf>,
        tls_cert: Option<PathBuf>,
        tls_key: Option<PathBuf>,
        tls_no_verify: bool,
    ) -> PyResult<Self> {
        let refuse = |message: &'static str| {
            python_error(py, Error::new(ErrorKind::InvalidArgument, message))
        };
        let mut connect = match (socket, host) {
            (Some(_), Some(_)) => return Err(refuse("both socket and host are given")),
            (Some(socket), None) => Connect::socket(socket),
            (None, Some(host)) => Connect::host(host),
            (None, None) => Connect::default(),
        };
        if let Some(port) = port {
            connect = connect.port(port);
        }
        if let Some(user) = user {
            connect = connect.user(user);
        }
        match (password, password_file) {
            (Some(_), Some(_)) => return Err(refuse("both password and password_file are given")),
            (Some(password), None) => {
                let text = password.text().ok_or_else(|| refuse("the password is not UTF-8"))?;
                connect = connect.password(Secret::new(text));
            }
            (None, Some(path)) => {
                let secret = Secret::from_file(path).map_err(|error| python_error(py, error))?;
                connect = connect.password(secret);
            }
            (None, None) => {}
        }
        if tls || tls_no_verify {
            connect = connect.tls(true).tls_trust_any(tls_no_verify);
        }
        if let Some(path) = tls_ca {
            connect = connect.tls_ca(path);
        }
        match (tls_cert, tls_key) {
            (Some(certificate), Some(key)) => connect = connect.tls_identity(certificate, key),
            (None, None) => {}
            _ => return Err(refuse("of tls_cert and tls_key only one is given")),
        }
        if let Some(path) = defaults_file {
            let file = Connect::of_option_file(path).map_err(|error| python_error(py, error))?;
            connect = connect.or(file);
        }
        if !connect.has_place() {
            return Err(refuse("neither socket nor host is given, and no option file names one"));
        }
        Ok(Self(connect))
    }

    /// The place, and nothing secret.
    fn __repr__(&self) -> String {
        format!("<xbkit.Server, {}>", self.0.place())
    }
}

/// A password of the caller's, whose own copy stays as it is.
#[derive(FromPyObject)]
enum Password {
    Text(pyo3::pybacked::PyBackedStr),
    Bytes(PyBackedBytes),
}

impl Password {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        }
    }
}

/// File, offset and GTID of the place in the binary log; LSNs: from, to, last; how long others
/// waited, in seconds: from `FLUSH`, `BLOCK_DDL`, `BLOCK_COMMIT` on; torn pages.
type OfServer = (Option<(String, u64, String)>, (u64, u64, u64), (f64, f64, f64), u64);

fn of_server(report: &ServerReport) -> OfServer {
    let position = report.position.as_ref();
    (
        position.map(|it| (it.file.clone(), it.offset, it.gtid.clone())),
        (report.from_lsn, report.to_lsn, report.last_lsn),
        (
            report.times.flush.as_secs_f64(),
            report.times.block_ddl.as_secs_f64(),
            report.times.block_commit.as_secs_f64(),
        ),
        report.torn_pages,
    )
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
#[expect(clippy::fn_params_excessive_bools, reason = "options by position; Python names them")]
pub(crate) fn backup_server(
    py: Python<'_>,
    target: Target<'_>,
    server: &Bound<'_, Server>,
    datadir: Option<PathBuf>,
    tmpdir: PathBuf,
    max_spool: u64,
    throttle: Option<u64>,
    lock_wait_timeout: u64,
    slave_info: bool,
    galera_info: bool,
    safe_slave: Option<u64>,
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
) -> PyResult<(Created, OfServer)> {
    let job = Job::new(emit, wants_all, cancel);
    let mut backup = Backup::of_server(server.get().0.clone())
        .tmpdir(tmpdir)
        .max_spool(max_spool)
        .lock_wait(Duration::from_secs(lock_wait_timeout))
        .slave_info(slave_info)
        .galera_info(galera_info)
        .parallel(parallel)
        .chunk_size(chunk_size)
        .format(to_format(format)?)
        .dialect(to_dialect(dialect)?)
        .manifest(manifest);
    if log_page_corruption {
        backup = backup.damaged_pages(DamagedPages::Report);
    }
    if let Some(dir) = datadir {
        backup = backup.datadir(dir);
    }
    if let Some(seconds) = safe_slave {
        backup = backup.safe_slave_backup(Duration::from_secs(seconds));
    }
    if let Some(rate) = throttle {
        backup = backup.throttle(rate);
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
    .map(|report| (created(&report.created), of_server(&report)))
}

/// How a server is found and run that recovers: program, memory, options, directory.
type Recovery = (Option<PathBuf>, u64, Vec<String>, PathBuf);

fn recover(recovery: Recovery, job: Prepare) -> Prepare {
    let (program, memory, options, tmpdir) = recovery;
    let job = job.memory(memory).tmpdir(tmpdir);
    let job = match program {
        Some(program) => job.server(program),
        None => job,
    };
    options.into_iter().fold(job, Prepare::server_option)
}

#[pyfunction]
pub(crate) fn prepare(
    py: Python<'_>,
    dir: PathBuf,
    recovery: Recovery,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<(Option<PathBuf>, Vec<String>)> {
    let job = Job::new(emit, wants_all, cancel);
    let mut prepare = recover(recovery, Prepare::of_dir(dir));
    if let Some(token) = &job.cancel {
        prepare = prepare.cancel(token.clone());
    }
    job.alone(py, move |observer| prepare.run(observer))
        .map(|report| (report.server, report.warnings))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
#[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
pub(crate) fn restore(
    py: Python<'_>,
    source: SourceSpec<'_>,
    datadir: PathBuf,
    owner: Option<String>,
    parallel: usize,
    decoding: Decoding,
    recovery: Recovery,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<(Extracted, bool)> {
    let job = Job::new(emit, wants_all, cancel);
    let mut failed = None;
    let mut restore = Restore::into_datadir(datadir)
        .prepare_with(|job| recover(recovery, job))
        .extract_with(|job| {
            decode(py, decoding, job.clone()).unwrap_or_else(|error| {
                failed = Some(error);
                job
            })
        })
        .parallel(parallel);
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(user) = owner {
        restore = restore.owner(user);
    }
    if let Some(token) = &job.cancel {
        restore = restore.cancel(token.clone());
    }
    job.read(py, &source, move |input, observer| match input {
        Input::Fd(fd) => restore.run_fd(fd, observer),
        Input::Reader(reader) => restore.run(reader, observer),
    })
    .map(|report| (extracted(&report.extracted), report.recovered))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "options by position; Python names them")]
pub(crate) fn put_back(
    py: Python<'_>,
    dir: PathBuf,
    datadir: PathBuf,
    data_home: Option<PathBuf>,
    undo_dir: Option<PathBuf>,
    log_dir: Option<PathBuf>,
    aria_log_dir: Option<PathBuf>,
    move_files: bool,
    non_empty: bool,
    emit: Bound<'_, PyAny>,
    wants_all: bool,
    cancel: Option<&Bound<'_, CancelToken>>,
) -> PyResult<u64> {
    let job = Job::new(emit, wants_all, cancel);
    let mut put = PutBack::new(dir, datadir).move_files(move_files).non_empty(non_empty);
    if let Some(dir) = data_home {
        put = put.data_home(dir);
    }
    if let Some(dir) = undo_dir {
        put = put.undo_dir(dir);
    }
    if let Some(dir) = log_dir {
        put = put.log_dir(dir);
    }
    if let Some(dir) = aria_log_dir {
        put = put.aria_log_dir(dir);
    }
    if let Some(token) = &job.cancel {
        put = put.cancel(token.clone());
    }
    job.alone(py, move |observer| put.run(observer))
}
