//! Whether a server answers. One that runs is backed up hot; its files must not just be copied.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use xbkit::error::escape_path;
use xbkit::{Connect, Error, ErrorKind, Result};

use super::getopt::{self, Given};
use super::option::Id;

/// How long a connection may take. A server that is there answers at once; one whose queue is full
/// lets connections wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where servers listen if nobody says otherwise: Debian, others, MySQL's default, Red Hat.
pub(crate) const SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/tmp/mysql.sock",
    "/var/lib/mysql/mysql.sock",
];

/// Where to look for a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On one of these sockets.
    Sockets(Vec<PathBuf>),
    /// By TCP.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Place {
    /// The place that the settings name, by the rules of the client library: a host other than
    /// `localhost`, or the protocol, makes it TCP.
    pub(super) fn of(given: &[Given]) -> Result<Self> {
        let host = getopt::text(given, Id::Host).and_then(OsStr::to_str);
        let protocol = getopt::text(given, Id::Protocol).and_then(OsStr::to_str).unwrap_or("");
        let far = host.is_some_and(|host| !host.eq_ignore_ascii_case("localhost"));
        let tcp = match protocol.to_ascii_lowercase().as_str() {
            "" => far,
            "tcp" => true,
            "socket" => false,
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "option '--protocol' takes tcp or socket",
                ));
            }
        };
        if tcp {
            let port = getopt::number(given, Id::Port, "port")?.filter(|port| *port != 0);
            let port = u16::try_from(port.unwrap_or(3306)).map_err(|_| {
                Error::new(ErrorKind::InvalidArgument, "option '--port' takes 1 to 65535")
            })?;
            return Ok(Self::Tcp { host: host.unwrap_or("localhost").to_owned(), port });
        }
        let environment = std::env::var_os("MYSQL_UNIX_PORT").filter(|value| !value.is_empty());
        let named = getopt::text(given, Id::Socket).map(OsStr::to_owned);
        Ok(Self::Sockets(sockets(named, environment)))
    }

    /// How to reach the server that answers; `None` if none does. An error says that this cannot be
    /// told.
    pub(super) fn find_running(&self) -> Result<Option<Connect>> {
        match self {
            Self::Sockets(sockets) => {
                for socket in sockets {
                    let path = socket.clone();
                    let answer = patiently(move || UnixStream::connect(path).map(drop));
                    if is_running(answer, &format!("socket {}", escape_path(socket)))? {
                        return Ok(Some(Connect::socket(socket)));
                    }
                }
                Ok(None)
            }
            Self::Tcp { host, port } => {
                let place = format!("{}:{port}", escape_path(Path::new(host)));
                let (name, port) = (host.clone(), *port);
                let answer = patiently(move || connect_tcp(&name, port));
                Ok(is_running(answer, &place)?.then(|| Connect::tcp(host, port)))
            }
        }
    }
}

/// A socket that is named is the only one; otherwise a server may be on any of the usual ones.
fn sockets(named: Option<OsString>, environment: Option<OsString>) -> Vec<PathBuf> {
    match named.or(environment) {
        Some(socket) => vec![PathBuf::from(socket)],
        None => SOCKETS.iter().map(PathBuf::from).collect(),
    }
}

fn connect_tcp(host: &str, port: u16) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut unsure = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => last = error,
            Err(error) => unsure = Some(error),
        }
    }
    Err(unsure.unwrap_or(last))
}

/// Runs `connect` apart, since a connection to a full socket waits without end. `None`: it waits.
fn patiently(connect: impl FnOnce() -> io::Result<()> + Send + 'static) -> Option<io::Result<()>> {
    let (sender, receiver) = mpsc::channel();
    let spawned = thread::Builder::new().name("probe".to_owned()).spawn(move || {
        let _ = sender.send(connect());
    });
    match spawned {
        Ok(_) => receiver.recv_timeout(PATIENCE * 2).ok(),
        Err(error) => Some(Err(error)),
    }
}

fn is_running(answer: Option<io::Result<()>>, place: &str) -> Result<bool> {
    match answer {
        // One that lets connections wait is there, too.
        None | Some(Ok(())) => Ok(true),
        Some(Err(error)) if is_nobody(&error) => Ok(false),
        Some(Err(error)) => Err(Error::io(
            ErrorKind::Source,
            format!("cannot tell whether a server is running on {place}"),
            error,
        )
        .hint("name its --socket, or use xbkit backup --offline --datadir DIR")),
    }
}

/// Nobody listens: the socket or its directory is not there, or is left over from a dead server.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropin::tables::XTRABACKUP;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    fn place(line: &str) -> Result<Place> {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Place::of(&getopt::parse(XTRABACKUP, &args).unwrap().given)
    }

    #[test]
    fn host_and_protocol_decide_as_in_the_client_library() {
        let tcp = |host: &str, port| Place::Tcp { host: host.to_owned(), port };
        assert_eq!(place("--host=127.0.0.1").unwrap(), tcp("127.0.0.1", 3306));
        assert_eq!(place("-H db -P 3307").unwrap(), tcp("db", 3307));
        assert_eq!(place("--protocol=TCP").unwrap(), tcp("localhost", 3306));
        let socket = Place::Sockets(vec![PathBuf::from("/s")]);
        assert_eq!(place("--host=localhost -P 1 -S /s").unwrap(), socket);
        assert_eq!(place("--host=h --protocol=socket -S /s").unwrap(), socket);
        assert!(place("--host=h --port=99999").is_err());
        assert!(place("--protocol=pipe").is_err());
    }

    #[test]
    fn without_a_name_every_usual_socket_is_asked() {
        assert_eq!(sockets(None, None).len(), SOCKETS.len());
        assert_eq!(sockets(None, Some("/e".into())), [PathBuf::from("/e")]);
        assert_eq!(sockets(Some("/s".into()), Some("/e".into())), [PathBuf::from("/s")]);
    }

    #[test]
    fn a_listener_is_a_running_server_and_a_dead_socket_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let place = Place::Sockets(vec![dir.path().join("none"), path.clone()]);
        assert!(place.find_running().unwrap().is_none());
        let listener = UnixListener::bind(&path).unwrap();
        assert!(place.find_running().unwrap().is_some());
        drop(listener);
        assert!(place.find_running().unwrap().is_none());
    }

    #[test]
    fn tcp_is_asked_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let place = Place::Tcp { host: "127.0.0.1".to_owned(), port };
        assert!(place.find_running().unwrap().is_some());
        drop(listener);
        assert!(place.find_running().unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_told_is_not_taken_for_stopped() {
        let error = is_running(Some(Err(io::ErrorKind::PermissionDenied.into())), "x").unwrap_err();
        assert!(error.to_string().starts_with("cannot tell whether a server is running on x"));
    }
}
