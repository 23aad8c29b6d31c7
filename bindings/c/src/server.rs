//! How a server is reached, and how one is found that recovers.

use xbkit_core::{Connect, Prepare, Secret};

use crate::error::Failure;
use crate::options::{self, JobOptions};

/// The options that say which server is meant: with one of them set, it is a running one.
pub(crate) const PLACES: [u32; 3] =
    [options::XBK_OPT_SOCKET, options::XBK_OPT_HOST, options::XBK_OPT_DEFAULTS_FILE];

/// Where the server is, and who asks.
pub(crate) fn connect(options: &JobOptions) -> Result<Connect, Failure> {
    let socket = options.path(options::XBK_OPT_SOCKET);
    let mut connect = match (socket, options.utf8(options::XBK_OPT_HOST)?) {
        (Some(_), Some(_)) => return Err(Failure::argument("both socket and host are set")),
        (Some(socket), None) => Connect::socket(socket),
        (None, Some(host)) => Connect::host(host),
        (None, None) => Connect::default(),
    };
    let port = options.number(options::XBK_OPT_PORT).and_then(|port| u16::try_from(port).ok());
    if let Some(port) = port {
        connect = connect.port(port);
    }
    if let Some(user) = options.utf8(options::XBK_OPT_USER)? {
        connect = connect.user(user);
    }
    if let Some(password) = password(options)? {
        connect = connect.password(password);
    }
    if options.bool(options::XBK_OPT_TLS) == Some(true) {
        connect = connect.tls(true);
    }
    if options.bool(options::XBK_OPT_TLS_NO_VERIFY) == Some(true) {
        connect = connect.tls(true).tls_trust_any(true);
    }
    if let Some(path) = options.path(options::XBK_OPT_TLS_CA) {
        connect = connect.tls_ca(path);
    }
    let certificate = options.path(options::XBK_OPT_TLS_CERT);
    match (certificate, options.path(options::XBK_OPT_TLS_KEY)) {
        (Some(certificate), Some(key)) => connect = connect.tls_identity(certificate, key),
        (None, None) => {}
        _ => return Err(Failure::argument("of tls_cert and tls_key only one is set")),
    }
    if let Some(path) = options.path(options::XBK_OPT_DEFAULTS_FILE) {
        connect = connect.or(Connect::of_option_file(path)?);
    }
    if !connect.has_place() {
        let message = "neither socket nor host is set, and the option file names none";
        return Err(Failure::argument(message));
    }
    Ok(connect)
}

fn password(options: &JobOptions) -> Result<Option<Secret>, Failure> {
    let password = options.utf8(options::XBK_OPT_PASSWORD)?;
    match (password, options.path(options::XBK_OPT_PASSWORD_FILE)) {
        (Some(_), Some(_)) => Err(Failure::argument("both password and password_file are set")),
        (Some(password), None) => Ok(Some(Secret::new(password))),
        (None, Some(path)) => Ok(Some(Secret::from_file(path)?)),
        (None, None) => Ok(None),
    }
}

/// The server that recovers, for jobs that run one.
pub(crate) fn recovery(options: &JobOptions, mut job: Prepare) -> Result<Prepare, Failure> {
    if let Some(program) = options.path(options::XBK_OPT_SERVER_PROGRAM) {
        job = job.server(program);
    }
    if let Some(bytes) = options.number(options::XBK_OPT_USE_MEMORY) {
        job = job.memory(bytes);
    }
    for option in options.all_utf8(options::XBK_OPT_SERVER_OPTION) {
        job = job.server_option(option?);
    }
    if let Some(dir) = options.absolute_path(options::XBK_OPT_TMPDIR)? {
        job = job.tmpdir(dir);
    }
    Ok(job)
}
