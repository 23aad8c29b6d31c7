//! What the server says of itself: variables, log positions, its place in replication.

use std::collections::HashMap;

use super::session::{Look, Rows, Session};
use crate::error::{Error, ErrorKind, Result};

/// The server's global variables.
pub(crate) struct Variables(HashMap<String, Vec<u8>>);

impl Variables {
    pub(crate) fn read(session: &mut Session, look: Look<'_>) -> Result<Self> {
        let rows = session.run("SHOW GLOBAL VARIABLES", look)?;
        Ok(Self(pairs(rows)))
    }

    /// A variable's bytes; nothing if the server does not have it.
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The variables of a plugin, by name.
    pub(crate) fn starting_with(&self, prefix: &str) -> Vec<(&str, &[u8])> {
        let mut found: Vec<(&str, &[u8])> = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        found.sort_unstable();
        found
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }

    pub(crate) fn is_on(&self, name: &str) -> bool {
        matches!(self.bytes(name), b"ON" | b"1")
    }
}

fn pairs(rows: Rows) -> HashMap<String, Vec<u8>> {
    rows.rows
        .into_iter()
        .filter_map(|row| {
            let mut fields = row.into_iter();
            let name = String::from_utf8(fields.next()??).ok()?;
            Some((name.to_ascii_lowercase(), fields.next()?.unwrap_or_default()))
        })
        .collect()
}

/// Where InnoDB's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lsns {
    /// The end of the log, in the server's memory.
    pub(crate) current: u64,
    /// The end of what is in the file.
    pub(crate) flushed: u64,
    /// The newest checkpoint.
    pub(crate) checkpoint: u64,
}

/// Status variables whose names are like `pattern`.
///
/// It must be `LIKE`, which passes over all others. `WHERE` computes all of them before it chooses,
/// and some, which count grants, wait for the lock that a `CREATE USER` or `GRANT` holds while it
/// itself waits for a backup to release `BLOCK_COMMIT`.
fn status_like(
    session: &mut Session,
    pattern: &str,
    look: Look<'_>,
) -> Result<HashMap<String, Vec<u8>>> {
    session.run(&format!("SHOW GLOBAL STATUS LIKE '{pattern}'"), look).map(pairs)
}

/// Asks where InnoDB's log is; anyone may.
pub(crate) fn lsns(session: &mut Session, look: Look<'_>) -> Result<Lsns> {
    let status = status_like(session, "innodb\\_lsn\\_%", look)?;
    let number = |name: &str| {
        let text = status.get(name).and_then(|value| std::str::from_utf8(value).ok());
        text.and_then(|text| text.parse().ok()).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("the server has no status {name}"))
                .hint("hot backups need MariaDB 10.8 or later, with InnoDB")
        })
    };
    Ok(Lsns {
        current: number("innodb_lsn_current")?,
        flushed: number("innodb_lsn_flushed")?,
        checkpoint: number("innodb_lsn_last_checkpoint")?,
    })
}

/// Asks for what the backup will need while it holds locks, and so finds out before it copies
/// anything whether the account may.
pub(crate) fn check_privileges(session: &mut Session, needs: Needs, look: Look<'_>) -> Result<()> {
    let mut probe = |statement: &str, grant: &str| {
        session.run(statement, look).map(drop).map_err(|error| match error.kind() {
            ErrorKind::Auth => lacks(grant),
            _ => error,
        })
    };
    probe("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS", "RELOAD")?;
    if needs.log_bin {
        probe("SHOW MASTER STATUS", "BINLOG MONITOR")?;
    }
    if needs.slave_status {
        probe("SHOW ALL SLAVES STATUS", "SLAVE MONITOR")?;
    }
    if needs.slave_threads {
        // No statement tries this out without doing it.
        let grants = session.run("SHOW GRANTS", look)?;
        let may = (0..grants.rows.len()).any(|row| {
            let grant = grants.field(row, 0).unwrap_or_default();
            let all = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON *.* "));
            all.is_some_and(|(list, _)| {
                list.split(", ").any(|one| {
                    matches!(one, "ALL PRIVILEGES" | "SUPER" | "REPLICATION SLAVE ADMIN")
                })
            })
        });
        if !may {
            return Err(lacks("REPLICATION SLAVE ADMIN"));
        }
    }
    Ok(())
}

/// What a backup asks of a server beyond its tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    pub(crate) log_bin: bool,
    /// Where it stands as a replica.
    pub(crate) slave_status: bool,
    /// To stop its applying threads.
    pub(crate) slave_threads: bool,
}

fn lacks(grant: &str) -> Error {
    let message = format!("the account lacks the privilege {grant}");
    let who = "the account of the backup";
    Error::new(ErrorKind::Auth, message).hint(format!("GRANT {grant} ON *.* TO {who}"))
}

/// The place in the binary log that a backup holds everything before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The binary log.
    pub file: String,
    /// The offset in it, in bytes.
    pub offset: u64,
    /// `@@gtid_current_pos`, as `mariabackup` has it, or `@@gtid_binlog_pos`; may be empty.
    pub gtid: String,
}

impl std::fmt::Display for Position {
    /// As the backup programs tell it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "filename '{}', position '{}'", self.file, self.offset)?;
        if !self.gtid.is_empty() {
            write!(f, ", GTID of the last change '{}'", self.gtid)?;
        }
        Ok(())
    }
}

/// Asks for the place in the binary log; `None` if there is none.
pub(crate) fn position(session: &mut Session, look: Look<'_>) -> Result<Option<Position>> {
    let rows = session.run("SHOW MASTER STATUS", look)?;
    let Some(file) = rows.first(0) else { return Ok(None) };
    let offset = rows.first(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    // A replica may have applied what it does not log, such as temporary tables' statements.
    let gtid = session.run(
        "SELECT IF(@@GLOBAL.gtid_current_pos <> '', @@GLOBAL.gtid_current_pos, \
         @@GLOBAL.gtid_binlog_pos)",
        look,
    )?;
    let gtid = gtid.first(0).unwrap_or_default();
    Ok(Some(Position { file, offset, gtid }))
}

/// `uuid:seqno domain` of a node of a Galera cluster; `None` if it is none.
pub(crate) fn galera(
    session: &mut Session,
    variables: &Variables,
    look: Look<'_>,
) -> Result<Option<String>> {
    let status = status_like(session, "wsrep\\_l%", look)?;
    let get =
        |name: &str| status.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let (Some(uuid), Some(seqno)) = (get("wsrep_local_state_uuid"), get("wsrep_last_committed"))
    else {
        return Ok(None);
    };
    if uuid.is_empty() || !variables.is_on("wsrep_on") {
        return Ok(None);
    }
    Ok(Some(format!("{uuid}:{seqno} {}\n", variables.text("wsrep_gtid_domain_id"))))
}
