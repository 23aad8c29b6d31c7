//! Where a server is, and who asks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql::{ClientIdentity, OptsBuilder, SslOpts};

use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A password: never printed, and overwritten when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
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
        Self { host: Some(host.into()), port: Some(port), ..Self::default() }
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

    /// The place, for messages.
    pub(crate) fn place(&self) -> String {
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
