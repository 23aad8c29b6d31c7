//! How `xbkit` reaches a server: options, a password file, the environment, an option file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use xbkit::{Connect, Error, ErrorKind, Result, Secret};

use crate::dropin::{DefaultsFile, SOCKETS};

/// Longest password file.
const MAX_PASSWORD: usize = 4096;

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
    #[arg(short = 'P', long, value_name = "PORT")]
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
        let file = match &self.defaults_file {
            Some(path) => DefaultsFile::read(path, &["client", "client-mariadb", "xbkit"])?,
            None => DefaultsFile::default(),
        };
        let from_file = |name: &str| file.text(name);
        let host = self.host.clone().or_else(|| {
            // A socket that is given here counts more than a host that is given there.
            if self.socket.is_some() { None } else { from_file("host") }
        });
        let far = host.filter(|host| !host.eq_ignore_ascii_case("localhost"));
        let mut connect = match far {
            Some(host) => {
                let port = match (self.port, from_file("port")) {
                    (Some(port), _) => port,
                    (None, Some(text)) => text.parse().map_err(|_| {
                        let message = "the port in the option file is not a number to 65535";
                        Error::new(ErrorKind::InvalidArgument, message)
                    })?,
                    (None, None) => 3306,
                };
                Connect::tcp(host, port)
            }
            None => Connect::socket(self.socket(from_file("socket"))?),
        };
        if let Some(user) = self.user.clone().or_else(|| from_file("user")).or_else(account) {
            connect = connect.user(user);
        }
        if let Some(password) = self.password(&file)? {
            connect = connect.password(password);
        }
        if self.tls || self.tls_no_verify {
            connect = connect.tls(true).tls_trust_any(self.tls_no_verify);
        }
        if let Some(path) = self.tls_ca.clone().or_else(|| from_file("ssl-ca").map(PathBuf::from)) {
            connect = connect.tls_ca(path);
        }
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            connect = connect.tls_identity(cert, key);
        }
        Ok(connect)
    }

    fn socket(&self, from_file: Option<String>) -> Result<PathBuf> {
        if let Some(socket) = self.socket.clone().or_else(|| from_file.map(PathBuf::from)) {
            return Ok(socket);
        }
        if let Some(socket) = environment("MYSQL_UNIX_PORT") {
            return Ok(PathBuf::from(socket));
        }
        SOCKETS.iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
            let message = "no server's socket is in any of the usual places";
            Error::new(ErrorKind::Connect, message)
                .hint("name it by --socket, or say --offline for a stopped server")
        })
    }

    fn password(&self, file: &DefaultsFile) -> Result<Option<Secret>> {
        if let Some(path) = &self.password_file {
            return read_password(path).map(Some);
        }
        let environment = environment("XBKIT_PASSWORD").or_else(|| environment("MYSQL_PWD"));
        if let Some(text) = environment {
            let text = text.into_string().map_err(|_| {
                let message = "the password in the environment is not UTF-8";
                Error::new(ErrorKind::InvalidArgument, message)
            })?;
            return Ok(Some(Secret::new(text)));
        }
        Ok(file.text("password").map(Secret::new))
    }
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Who runs the program, as the MySQL programs find out.
pub(crate) fn account() -> Option<String> {
    environment("USER").or_else(|| environment("LOGNAME"))?.into_string().ok()
}

fn read_password(path: &Path) -> Result<Secret> {
    let bytes = fs::read(path).map_err(|error| {
        Error::io(ErrorKind::Source, "cannot read the password file", error).at_path(path)
    })?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).ok().filter(|_| bytes.len() <= MAX_PASSWORD);
    text.map(Secret::new).ok_or_else(|| {
        let message = "the password file does not begin with a line of UTF-8 text";
        Error::new(ErrorKind::InvalidArgument, message).at_path(path)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        fs::write(&path, "s3cret \r\nmore").unwrap();
        assert!(read_password(&path).is_ok());
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_password(&path).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
