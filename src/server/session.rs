//! A connection, on a thread of its own, so that nobody ever has to wait for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, Value};

use super::connect::Connect;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::thread::spawn_detached;

/// How long a wait for an answer may take without a look around.
const TICK: Duration = Duration::from_millis(20);

/// How long to wait for a server to take away what an abandoned statement holds.
const KILL_PATIENCE: Duration = Duration::from_secs(3);

/// How long a statement that waits for no lock may take. A server that was stopped (`SIGSTOP`), or
/// whose machine hangs, never answers.
const ANSWER_PATIENCE: Duration = Duration::from_mins(2);

/// How long a connection may take until its server has let the account in.
const GREETING_PATIENCE: Duration = Duration::from_secs(20);

/// Asked while a statement runs; its error ends the wait.
pub(crate) type Look<'l> = &'l dyn Fn() -> Result<()>;

/// The rows of an answer.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<Vec<u8>>>>,
}

impl Rows {
    /// A field as text; `None` if it is not there, or NULL.
    pub(crate) fn text(&self, row: usize, column: &str) -> Option<String> {
        let at = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        let field = self.rows.get(row)?.get(at)?.as_ref()?;
        Some(String::from_utf8_lossy(field).into_owned())
    }

    /// The field in this place of the first row, as text.
    pub(crate) fn first(&self, column: usize) -> Option<String> {
        self.field(0, column)
    }

    /// The field in this place, as text.
    pub(crate) fn field(&self, row: usize, column: usize) -> Option<String> {
        let field = self.rows.get(row)?.get(column)?.as_ref()?;
        Some(String::from_utf8_lossy(field).into_owned())
    }
}

type Answer = std::result::Result<Rows, Error>;

/// A connection that answers one statement after the other.
///
/// Dropping it closes the connection, which releases its locks. If a statement is still running
/// then, the server is asked by another connection to end it.
pub(crate) struct Session {
    connect: Connect,
    ask: Sender<String>,
    answers: Receiver<Answer>,
    id: u32,
    busy: bool,
    patience: Duration,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Connect`, `Auth`; what `look` says.
    pub(crate) fn open(connect: &Connect, look: Look<'_>) -> Result<Self> {
        let options = connect.options()?;
        let (ask, asked) = channel::<String>();
        let (answer, answers) = channel::<Answer>();
        let (greet, greeting) = channel::<Result<u32>>();
        let place = connect.place();
        spawn_detached("xbkit-sql", move || {
            let mut conn = match Conn::new(options) {
                Ok(conn) => conn,
                Err(error) => {
                    let _ = greet.send(Err(connect_error(error, &place)));
                    return;
                }
            };
            if greet.send(Ok(conn.connection_id())).is_err() {
                return;
            }
            while let Ok(statement) = asked.recv() {
                if answer.send(run(&mut conn, &statement)).is_err() {
                    return;
                }
            }
        })?;
        let id = wait(&greeting, look, Some(GREETING_PATIENCE))??;
        let mut session = Self {
            connect: connect.clone(),
            ask,
            answers,
            id,
            busy: false,
            patience: ANSWER_PATIENCE,
        };
        // A backup asks now and then; nothing may end the connection meanwhile.
        session.run("SET SESSION wait_timeout = 2147483, SESSION sql_mode = ''", look)?;
        Ok(session)
    }

    /// Runs a statement that waits for no lock.
    ///
    /// # Errors
    /// `Query`, `Auth`, `LockWait`, `Connect`; what `look` says. After the latter two the session
    /// is of no use any more.
    pub(crate) fn run(&mut self, statement: &str, look: Look<'_>) -> Result<Rows> {
        self.run_within(statement, look, Some(self.patience))
    }

    /// From now on, statements that wait for no lock may take so long.
    pub(crate) fn be_patient_for(&mut self, time: Duration) {
        self.patience = time;
    }

    /// Runs a statement that may wait for locks as long as the session's `lock_wait_timeout` says.
    pub(crate) fn run_waiting(&mut self, statement: &str, look: Look<'_>) -> Result<Rows> {
        self.run_within(statement, look, None)
    }

    fn run_within(
        &mut self,
        statement: &str,
        look: Look<'_>,
        patience: Option<Duration>,
    ) -> Result<Rows> {
        if self.busy {
            return Err(lost());
        }
        self.busy = true;
        self.ask.send(statement.to_owned()).map_err(|_| lost())?;
        let answer = wait(&self.answers, look, patience).map_err(|error| match error.kind() {
            ErrorKind::Connect => Error::new(ErrorKind::Connect, format!("{statement}: {error}")),
            _ => error,
        })?;
        self.busy = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connect);
        answer
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.busy {
            return; // its thread sees the end of the channel, and closes the connection
        }
        let Ok(options) = self.connect.options() else { return };
        let kill = format!("KILL HARD CONNECTION {}", self.id);
        let (done, is_done) = channel::<()>();
        let spawned = spawn_detached("xbkit-kill", move || {
            if let Ok(mut conn) = Conn::new(options) {
                let _ = conn.query_drop(kill);
            }
            let _ = done.send(());
        });
        if spawned.is_ok() {
            let _ = is_done.recv_timeout(KILL_PATIENCE);
        }
    }
}

fn run(conn: &mut Conn, statement: &str) -> Answer {
    let mut answer = conn.query_iter(statement).map_err(|error| query_error(error, statement))?;
    let mut rows = Rows::default();
    while let Some(set) = answer.iter() {
        rows = Rows::default();
        rows.columns = set.columns().as_ref().iter().map(|c| c.name_str().into_owned()).collect();
        for row in set {
            let row = row.map_err(|error| query_error(error, statement))?;
            let field = |value| match value {
                Value::Bytes(bytes) => Some(bytes),
                _ => None, // NULL: the text protocol knows nothing else
            };
            rows.rows.push(row.unwrap().into_iter().map(field).collect());
        }
    }
    Ok(rows)
}

fn wait<T>(from: &Receiver<T>, look: Look<'_>, patience: Option<Duration>) -> Result<T> {
    let begin = Instant::now();
    loop {
        match from.recv_timeout(TICK) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            Err(RecvTimeoutError::Timeout) => look()?,
        }
        if patience.is_some_and(|patience| begin.elapsed() > patience) {
            let seconds = begin.elapsed().as_secs();
            let message = format!("the server did not answer within {seconds} s");
            return Err(Error::new(ErrorKind::Connect, message));
        }
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Connect, "the connection to the server is lost")
        .hint("the server's error log says why it ended or closed the connection")
}

fn connect_error(error: mysql::Error, place: &str) -> Error {
    match error {
        mysql::Error::MySqlError(error) => Error::new(
            ErrorKind::Auth,
            format!("the server on {place} refuses the login: {} ({})", error.message, error.code),
        )
        .hint("check the account and its password"),
        mysql::Error::IoError(error) => {
            Error::io(ErrorKind::Connect, format!("connecting to the server on {place}"), error)
        }
        error => {
            Error::new(ErrorKind::Connect, format!("connecting to the server on {place}: {error}"))
        }
    }
}

/// Access denied, for want of a privilege.
const DENIED: [u16; 3] = [1044, 1142, 1227];
const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// The statement or its connection was killed, or the server shuts down.
const ENDED: [u16; 4] = [1053, 1077, 1079, 1927];

fn query_error(error: mysql::Error, statement: &str) -> Error {
    match error {
        mysql::Error::MySqlError(error) => {
            let kind = match error.code {
                code if DENIED.contains(&code) => ErrorKind::Auth,
                LOCK_WAIT_TIMEOUT => ErrorKind::LockWait,
                code if ENDED.contains(&code) => ErrorKind::Connect,
                _ => ErrorKind::Query,
            };
            let (message, code) = (error.message, error.code);
            Error::new(kind, format!("{statement}: the server says: {message} ({code})"))
        }
        mysql::Error::IoError(error) => {
            let message = format!("{statement}: the connection to the server broke");
            Error::io(ErrorKind::Connect, message, error)
        }
        error => {
            let message = format!("{statement}: the connection to the server broke: {error}");
            Error::new(ErrorKind::Connect, message)
        }
    }
}
