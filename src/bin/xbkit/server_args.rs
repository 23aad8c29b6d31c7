//! How `xbkit` reaches a server: options, a password file, the environment, an option file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use xbkit::{Connect, Error, ErrorKind, Result, Secret};

use crate::dropin::SOCKETS;

/// Where the server is, and whose account to use.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Connecting")]
pub(crate) struct ServerArgs {
    /// The server's socket; the usual places are tried if neither this nor --host is given
    #[arg(short = 'S', long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Connect by TCP to this host, which is this machine by another name
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Option<String>,
    /// The TCP port; 3306 if not given
    #[arg(short = 'P', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The account
    #[arg(short = 'u', long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password from the first line of this file; else from the environment, in
    /// `XBKIT_PASSWORD` or `MYSQL_PWD`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read what is not given here from the [client] group of this option file
    #[arg(long, value_name = "FILE")]
    defaults_file: Option<PathBuf>,
    /// Encrypt TCP connections, and check the server's certificate
    #[arg(long)]
    tls: bool,
    /// Trust the authority whose certificates are in this PEM file
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Show the server this certificate
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Encrypt, but do not check who the server is
    #[arg(long)]
    tls_no_verify: bool,
}

impl ServerArgs {
    /// What all of these say together.
    pub(crate) fn connect(&self) -> Result<Connect> {
        let file = self.defaults_file.as_ref().map(Connect::of_option_file).transpose()?;
        let far = self.host.as_ref().filter(|host| !host.eq_ignore_ascii_case("localhost"));
        let mut connect = match (far, &self.socket) {
            (Some(host), _) => Connect::host(host),
            (None, Some(socket)) => Connect::socket(socket),
            (None, None) => Connect::default(),
        };
        if let Some(port) = self.port {
            connect = connect.port(port);
        }
        if let Some(user) = self.user.clone() {
            connect = connect.user(user);
        }
        if let Some(password) = self.password()? {
            connect = connect.password(password);
        }
        if self.tls || self.tls_no_verify {
            connect = connect.tls(true).tls_trust_any(self.tls_no_verify);
        }
        if let Some(path) = &self.tls_ca {
            connect = connect.tls_ca(path);
        }
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            connect = connect.tls_identity(cert, key);
        }
        if let Some(file) = file {
            connect = connect.or(file);
        }
        if !connect.has_place() {
            connect = Connect::socket(usual_socket()?).or(connect);
        }
        Ok(match account() {
            Some(account) => connect.or(Connect::default().user(account)),
            None => connect,
        })
    }

    /// As the command line and the environment have it; that of an option file counts less.
    fn password(&self) -> Result<Option<Secret>> {
        if let Some(path) = &self.password_file {
            return Secret::from_file(path).map(Some);
        }
        let environment = environment("XBKIT_PASSWORD").or_else(|| environment("MYSQL_PWD"));
        let Some(text) = environment else { return Ok(None) };
        let text = text.into_string().map_err(|_| {
            let message = "the password in the environment is not UTF-8";
            Error::new(ErrorKind::InvalidArgument, message)
        })?;
        Ok(Some(Secret::new(text)))
    }
}

/// Where servers have their sockets.
fn usual_socket() -> Result<PathBuf> {
    if let Some(socket) = environment("MYSQL_UNIX_PORT") {
        return Ok(PathBuf::from(socket));
    }
    SOCKETS.iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
        let message = "no server's socket is in any of the usual places";
        Error::new(ErrorKind::Connect, message)
            .hint("name it by --socket, or say --offline for a stopped server")
    })
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Who runs the program, as the MySQL programs find out.
pub(crate) fn account() -> Option<String> {
    environment("USER").or_else(|| environment("LOGNAME"))?.into_string().ok()
}

/// The words of this process's command line, for the backup to remember, without secrets.
pub(crate) fn command_line(words: impl Iterator<Item = OsString>) -> String {
    let words: Vec<OsString> = words.collect();
    crate::dropin::scrubbed(&words)
        .iter()
        .map(|word| String::from_utf8_lossy(word).replace(['\n', '\r'], " "))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a path begins with a slash, or what it is relative to the current directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        Error::io(ErrorKind::Source, "cannot find the current directory", error).at_path(path)
    })
}
