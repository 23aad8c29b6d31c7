//! A server that is a replica: where it stands, and its applying threads.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::connect::Connect;
use super::session::{Look, Rows, Session};
use super::state::Variables;
use crate::error::{Error, ErrorKind, Result};

/// How often a replica is asked while something is waited for.
const TICK: Duration = Duration::from_millis(5);
/// A replica that is in the midst of a transaction has a position that is settled if it does not
/// move for so long, while nothing can commit.
const SETTLED: Duration = Duration::from_millis(100);
/// How long to wait for that at most. What still moves then are events that change nothing.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long starting the threads again may take.
const RESTART_PATIENCE: Duration = Duration::from_secs(20);

const STATUS: &str = "SHOW ALL SLAVES STATUS";

/// Statements that make the restored server a replica of what this one is a replica of; `None` if
/// it is none. To be asked while nothing can commit.
///
/// A thread that has just committed has not noted its position yet, for a moment: a restored
/// replica would apply that transaction twice. So this waits until the position settles.
pub(crate) fn slaves(
    session: &mut Session,
    variables: &Variables,
    look: Look<'_>,
) -> Result<Option<String>> {
    let parallel = !matches!(variables.bytes("slave_parallel_threads"), b"" | b"0");
    let begin = Instant::now();
    let mut since: Option<(String, Instant)> = None;
    loop {
        let rows = session.run(STATUS, look)?;
        if rows.rows.is_empty() {
            return Ok(None);
        }
        let gtid = session.run("SELECT @@GLOBAL.gtid_slave_pos", look)?;
        let gtid = gtid.first(0).unwrap_or_default();
        let text = statements(&rows, &gtid);
        let rests = is_at_rest(&rows, parallel);
        match &since {
            Some((known, when)) if *known == text => {
                if rests || when.elapsed() >= SETTLED {
                    return Ok(Some(text));
                }
            }
            _ if begin.elapsed() >= SETTLE_PATIENCE => return Ok(Some(text)),
            _ => since = Some((text, Instant::now())),
        }
        look()?;
        std::thread::sleep(TICK);
    }
}

/// Whether every applying thread is between transactions for certain, its position noted. Parallel
/// appliers do not tell: the state is that of the thread which hands work to them.
fn is_at_rest(rows: &Rows, parallel: bool) -> bool {
    (0..rows.rows.len()).all(|row| {
        let text = |column| rows.text(row, column).unwrap_or_default();
        let state = text("Slave_SQL_State");
        let waits = ["Waiting for backup lock", "Slave has read all relay log"];
        text("Slave_SQL_Running").eq_ignore_ascii_case("no")
            || !parallel && waits.iter().any(|wait| state.starts_with(wait))
    })
}

/// As `mariabackup` writes them.
fn statements(rows: &Rows, gtid: &str) -> String {
    let mut statements = String::new();
    let uses_gtid =
        |row| rows.text(row, "Using_Gtid").is_some_and(|using| !using.eq_ignore_ascii_case("no"));
    if (0..rows.rows.len()).any(uses_gtid) {
        let _ = writeln!(statements, "SET GLOBAL gtid_slave_pos = '{}';", quoted(gtid));
    }
    for row in 0..rows.rows.len() {
        let name = rows.text(row, "Connection_name").unwrap_or_default();
        let name = if name.is_empty() { String::new() } else { format!("'{}' ", quoted(&name)) };
        let change = if uses_gtid(row) {
            format!("CHANGE MASTER {name}TO master_use_gtid = slave_pos;\n")
        } else {
            let file = rows.text(row, "Relay_Master_Log_File").unwrap_or_default();
            let offset = rows.text(row, "Exec_Master_Log_Pos").unwrap_or_default();
            let file = quoted(&file);
            format!("CHANGE MASTER {name}TO MASTER_LOG_FILE='{file}', MASTER_LOG_POS={offset};\n")
        };
        statements.push_str(&change);
    }
    statements
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "''")
}

/// Applying threads of a replica that were stopped, between temporary tables. Whatever happens,
/// those that ran are started again when this is dropped.
pub(crate) struct StoppedSlaves {
    connect: Connect,
    names: Vec<String>,
}

impl StoppedSlaves {
    /// Stops the threads at a moment when none has a temporary table, which a backup does not
    /// carry, and which statements to come would miss. `None` if the server is no replica.
    ///
    /// # Errors
    /// `LockWait` if there is no such moment within `timeout`; what the server and `look` say.
    pub(crate) fn at_safe_point(
        connect: &Connect,
        session: &mut Session,
        timeout: Duration,
        look: Look<'_>,
    ) -> Result<Option<Self>> {
        let rows = session.run(STATUS, look)?;
        if rows.rows.is_empty() {
            return Ok(None);
        }
        let runs = |row: &usize| {
            rows.text(*row, "Slave_SQL_Running")
                .is_some_and(|runs| !runs.eq_ignore_ascii_case("no"))
        };
        let name = |row| rows.text(row, "Connection_name").unwrap_or_default();
        let running: Vec<String> = (0..rows.rows.len()).filter(runs).map(name).collect();
        let begin = Instant::now();
        loop {
            let mut open = open_tables(session, look)?;
            if open == 0 || running.is_empty() {
                let stopped = Self { connect: connect.clone(), names: running.clone() };
                for name in &running {
                    // It ends the transaction that it is in, or undoes it.
                    session.run_waiting(&of("STOP", name), look)?;
                }
                open = open_tables(session, look)?;
                if open == 0 {
                    return Ok(Some(stopped));
                }
                stopped.restart()?;
            }
            if begin.elapsed() >= timeout || running.is_empty() {
                return Err(still_open(open, timeout, running.is_empty()));
            }
            look()?;
            std::thread::sleep(TICK * 4);
        }
    }

    /// Starts what ran before.
    ///
    /// # Errors
    /// What the server says; then its replication stays stopped.
    pub(crate) fn restart(mut self) -> Result<()> {
        self.start()
    }

    fn start(&mut self) -> Result<()> {
        let names = std::mem::take(&mut self.names);
        if names.is_empty() {
            return Ok(());
        }
        // On a connection of its own: that of the backup may be why it ends. Nothing cancels this.
        let look = || Ok(());
        let started = Session::open(&self.connect, &look).and_then(|mut session| {
            session.be_patient_for(RESTART_PATIENCE);
            names.iter().try_for_each(|name| session.run(&of("START", name), &look).map(drop))
        });
        started.map_err(|error| {
            let message = format!("the replica's applying threads stay stopped: {error}");
            Error::new(error.kind(), message).hint("START ALL SLAVES SQL_THREAD on the server")
        })
    }
}

impl Drop for StoppedSlaves {
    fn drop(&mut self) {
        let _ = self.start();
    }
}

fn of(verb: &str, name: &str) -> String {
    format!("{verb} SLAVE '{}' SQL_THREAD", quoted(name))
}

fn open_tables(session: &mut Session, look: Look<'_>) -> Result<u64> {
    let rows = session.run("SHOW GLOBAL STATUS LIKE 'Slave_open_temp_tables'", look)?;
    let number = rows.first(1).and_then(|text| text.parse().ok());
    number.ok_or_else(|| Error::new(ErrorKind::Query, "the server has no Slave_open_temp_tables"))
}

fn still_open(open: u64, timeout: Duration, stopped: bool) -> Error {
    if stopped {
        let message = format!(
            "the replica's applying threads are stopped, with {open} temporary tables that a \
             backup does not carry"
        );
        return Error::new(ErrorKind::LockWait, message)
            .hint("start them, so that they can come to a moment without");
    }
    let message = format!(
        "the replica was never without temporary tables for {} s, and a backup does not carry \
         them: {open} are open",
        timeout.as_secs()
    );
    Error::new(ErrorKind::LockWait, message).hint(
        "give --safe-slave-backup-timeout more seconds; with binlog_format=ROW on its primary a \
         replica needs no temporary tables",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(rows: &[[&str; 7]]) -> Rows {
        let columns = [
            "Connection_name",
            "Slave_SQL_State",
            "Slave_SQL_Running",
            "Relay_Master_Log_File",
            "Exec_Master_Log_Pos",
            "Using_Gtid",
            "Parallel_Mode",
        ];
        let field = |text: &&str| Some(text.as_bytes().to_vec());
        Rows {
            columns: columns.map(str::to_owned).to_vec(),
            rows: rows.iter().map(|row| row.iter().map(field).collect()).collect(),
        }
    }

    #[test]
    fn statements_are_those_of_mariabackup() {
        let one = status(&[["", "", "Yes", "bin.000001", "10818", "No", "optimistic"]]);
        assert_eq!(
            statements(&one, "0-1-5"),
            "CHANGE MASTER TO MASTER_LOG_FILE='bin.000001', MASTER_LOG_POS=10818;\n"
        );
        let two = status(&[
            ["", "", "Yes", "bin.000001", "4", "Slave_Pos", "optimistic"],
            ["it's", "", "No", "b", "7", "No", "optimistic"],
        ]);
        assert_eq!(
            statements(&two, "0-1-5"),
            "SET GLOBAL gtid_slave_pos = '0-1-5';\nCHANGE MASTER TO master_use_gtid = slave_pos;\n\
             CHANGE MASTER 'it''s' TO MASTER_LOG_FILE='b', MASTER_LOG_POS=7;\n"
        );
    }

    #[test]
    fn a_thread_that_may_just_have_committed_is_not_at_rest() {
        let of = |state, runs| status(&[["", state, runs, "b", "4", "No", "optimistic"]]);
        for (state, runs, parallel, rests) in [
            ("", "No", true, true),
            ("Waiting for backup lock", "Yes", false, true),
            ("Slave has read all relay log; waiting for more updates", "Yes", false, true),
            ("Slave has read all relay log; waiting for more updates", "Yes", true, false),
            ("Commit", "Yes", false, false),
        ] {
            assert_eq!(is_at_rest(&of(state, runs), parallel), rests, "{state}");
        }
    }
}
