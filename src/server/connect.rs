//! Where a server is, and who asks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql::{ClientIdentity, OptsBuilder, SslOpts};

use crate::error::{Error, ErrorKind, Result};
use crate::server::option_file::OptionFiles;
use crate::sys::file;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The groups of option files that say how to reach a server.
const GROUPS: [&str; 3] = ["client", "client-mariadb", "xbkit"];

/// Longest password file.
const MAX_PASSWORD: usize = 4096;

/// A password: never printed, and overwritten when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a password: the first line of a file, without its end.
    ///
    /// # Errors
    /// `Source` and its like for a file that cannot be read, `InvalidArgument` for one that does not
    /// begin with a line of UTF-8 text of less than 4096 bytes.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut bytes = file::read_head(path, MAX_PASSWORD).map_err(|error| {
            Error::io(ErrorKind::Source, "reading the password file", error).at_path(path)
        })?;
        let secret = Self::of_first_line(&bytes);
        bytes.fill(0);
        std::hint::black_box(&bytes);
        secret.ok_or_else(|| {
            let message = "the password file does not begin with a line of UTF-8 text";
            Error::new(ErrorKind::InvalidArgument, message).at_path(path)
        })
    }

    fn of_first_line(bytes: &[u8]) -> Option<Self> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        if line.len() >= MAX_PASSWORD {
            return None;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        std::str::from_utf8(line).ok().map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let len = self.0.len();
        self.0.clear();
        // Fills what the string had, in place: the capacity is at least `len`.
        self.0.extend(std::iter::repeat_n('\0', len));
        std::hint::black_box(&self.0);
    }
}

/// How to reach a server: a socket unless a host is given, and whose account to use.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    socket: Option<PathBuf>,
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<Secret>,
    tls: bool,
    tls_ca: Option<PathBuf>,
    tls_identity: Option<(PathBuf, PathBuf)>,
    tls_trust_any: bool,
}

impl Connect {
    /// Through a Unix socket.
    pub fn socket(path: impl AsRef<Path>) -> Self {
        Self { socket: Some(path.as_ref().to_owned()), ..Self::default() }
    }

    /// By TCP. The server must run on this machine all the same, as its files are read from disk.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::host(host).port(port)
    }

    /// By TCP, through the port 3306 unless [`Connect::port`] says another.
    pub fn host(name: impl Into<String>) -> Self {
        Self { host: Some(name.into()), ..Self::default() }
    }

    /// The port of the host.
    pub fn port(mut self, number: u16) -> Self {
        self.port = Some(number);
        self
    }

    /// The account; the server decides if none is given.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Its password.
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Encrypts TCP connections, and fails if the server cannot. Its certificate must be signed by
    /// one of the well-known authorities, or by that of [`Connect::tls_ca`], and name the host.
    pub fn tls(mut self, on: bool) -> Self {
        self.tls = on;
        self
    }

    /// Trusts the authority whose certificates are in this PEM file; implies TLS.
    pub fn tls_ca(mut self, path: impl AsRef<Path>) -> Self {
        self.tls_ca = Some(path.as_ref().to_owned());
        self.tls = true;
        self
    }

    /// Shows the server this certificate, whose key is in `key`, both PEM; implies TLS.
    pub fn tls_identity(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.tls_identity = Some((certificate.as_ref().to_owned(), key.as_ref().to_owned()));
        self.tls = true;
        self
    }

    /// Encrypts, but does not check who the server is.
    pub fn tls_trust_any(mut self, on: bool) -> Self {
        self.tls_trust_any = on;
        self
    }

    /// What an option file says in the groups `[client]`, `[client-mariadb]` and `[xbkit]`: `socket`,
    /// `host`, `port`, `user`, `password`, `ssl-ca`.
    ///
    /// # Errors
    /// See [`OptionFiles::read_named`]; `InvalidArgument` if the port is none.
    pub fn of_option_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut files = OptionFiles::default();
        files.read_named(path)?;
        let text = |name: &str| files.text(&GROUPS, name);
        let port = text("port").map(str::parse).transpose().map_err(|_| {
            let message = "the port in the option file is not a number to 65535";
            Error::new(ErrorKind::InvalidArgument, message).at_path(path)
        })?;
        let far = text("host").filter(|host| !host.eq_ignore_ascii_case("localhost"));
        let tls_ca = text("ssl-ca").map(PathBuf::from);
        Ok(Self {
            // A server on another host is not the one behind the socket.
            socket: text("socket").filter(|_| far.is_none()).map(PathBuf::from),
            host: far.map(str::to_owned),
            port,
            user: text("user").map(str::to_owned),
            password: text("password").map(Secret::new),
            tls: tls_ca.is_some(),
            tls_ca,
            ..Self::default()
        })
    }

    /// Fills in from another what is not set here. Where the server is counts as one thing, but for
    /// the port of a host.
    pub fn or(mut self, other: Self) -> Self {
        if self.socket.is_none() && self.host.is_none() {
            (self.socket, self.host) = (other.socket, other.host);
        }
        self.port = self.port.or(other.port);
        self.user = self.user.or(other.user);
        self.password = self.password.or(other.password);
        if !self.tls {
            (self.tls, self.tls_trust_any) = (other.tls, other.tls_trust_any);
        }
        self.tls_ca = self.tls_ca.or(other.tls_ca);
        self.tls_identity = self.tls_identity.or(other.tls_identity);
        self
    }

    /// Whether it says where the server is.
    pub fn has_place(&self) -> bool {
        self.socket.is_some() || self.host.is_some()
    }

    /// The place, for messages: `socket /run/mysqld/mysqld.sock`, `db1:3306`.
    pub fn place(&self) -> String {
        match (&self.socket, &self.host) {
            (Some(socket), _) => format!("socket {}", crate::error::escape_path(socket)),
            (None, host) => {
                let host = host.as_deref().unwrap_or("localhost");
                let host = crate::error::escape_path(Path::new(host));
                format!("{host}:{}", self.port.unwrap_or(3306))
            }
        }
    }

    pub(super) fn options(&self) -> Result<OptsBuilder> {
        let mut options = OptsBuilder::new()
            .prefer_socket(false)
            .stmt_cache_size(0)
            .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
            .tcp_keepalive_time_ms(Some(30_000))
            .user(self.user.clone())
            .pass(self.password.as_ref().map(|password| password.0.clone()));
        if let Some(socket) = &self.socket {
            let socket = socket.to_str().ok_or_else(|| {
                let message = "the path of the socket is not UTF-8";
                Error::new(ErrorKind::InvalidArgument, message).at_path(socket)
            })?;
            return Ok(options.socket(Some(socket)));
        }
        options = options
            .ip_or_hostname(Some(self.host.as_deref().unwrap_or("localhost")))
            .tcp_port(self.port.unwrap_or(3306));
        if self.tls {
            let mut tls = SslOpts::default().with_root_cert_path(self.tls_ca.clone());
            if let Some((certificate, key)) = self.tls_identity.clone() {
                tls = tls.with_client_identity(Some(ClientIdentity::new(certificate, key)));
            }
            if self.tls_trust_any {
                tls = tls
                    .with_danger_accept_invalid_certs(true)
                    .with_danger_skip_domain_validation(true);
            }
            options = options.ssl_opts(tls);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_its_first_line() {
        assert!(Secret::of_first_line(b"s3cret \r\nmore") == Some(Secret::new("s3cret ")));
        assert!(Secret::of_first_line(b"") == Some(Secret::new("")));
        assert!(Secret::of_first_line(b"\xff").is_none());
    }

    #[test]
    fn nothing_prints_a_password() {
        let connect = Connect::socket("/s").user("u").password(Secret::new("s3cret"));
        assert!(!format!("{connect:?}").contains("s3cret"));
    }
}
