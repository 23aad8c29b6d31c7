//! `BACKUP STAGE`: the locks of a backup, and how long they were held.

use std::time::{Duration, Instant};

use super::session::{Look, Session};
use crate::error::{Error, ErrorKind, Result};

/// How long a statement may take while others wait for the backup: then it gives up, and frees them.
pub(crate) const LOCKED_PATIENCE: Duration = Duration::from_secs(30);

/// A stage of a backup, in order. A connection that closes ends all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// No second backup, no purge of Aria's log.
    Start,
    /// Tables without transactions are closed, and cannot be written to.
    Flush,
    /// No DDL.
    BlockDdl,
    /// No commit, no write to the binary log.
    BlockCommit,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Flush => "FLUSH",
            Self::BlockDdl => "BLOCK_DDL",
            Self::BlockCommit => "BLOCK_COMMIT",
        }
    }
}

/// How long each kind of statement had to wait for the backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageTimes {
    /// Writes to tables without transactions waited: from `FLUSH` on.
    pub flush: Duration,
    /// DDL waited: from `BLOCK_DDL` on.
    pub block_ddl: Duration,
    /// Commits waited: from `BLOCK_COMMIT` on.
    pub block_commit: Duration,
}

/// The stages of one backup. Dropping it releases everything.
pub(crate) struct Stages {
    session: Session,
    entered: Vec<(Stage, Instant)>,
}

impl Stages {
    /// Prepares a session to take stages: none waits longer than `lock_wait`.
    pub(crate) fn new(mut session: Session, lock_wait: Duration, look: Look<'_>) -> Result<Self> {
        let seconds = lock_wait.as_secs().max(1);
        session.run(&format!("SET SESSION lock_wait_timeout = {seconds}"), look)?;
        Ok(Self { session, entered: Vec::new() })
    }

    /// Enters a stage. While it waits for one, others that need what it waits for wait behind it.
    pub(crate) fn enter(&mut self, stage: Stage, look: Look<'_>) -> Result<()> {
        // Who waits for us does so from the moment we ask.
        let asked = Instant::now();
        let statement = format!("BACKUP STAGE {}", stage.name());
        self.session.be_patient_for(LOCKED_PATIENCE);
        self.session.run_waiting(&statement, look).map_err(|error| match error.kind() {
            ErrorKind::LockWait if stage == Stage::Start => {
                error.hint("another backup is running on this server, or a table is locked")
            }
            ErrorKind::LockWait => error.hint(
                "a statement that runs long holds what the backup needs; SHOW PROCESSLIST names \
                 it; or give --lock-wait-timeout more seconds",
            ),
            ErrorKind::Auth => error.hint("GRANT RELOAD ON *.* TO the backup's account"),
            _ => error,
        })?;
        self.entered.push((stage, asked));
        Ok(())
    }

    /// Runs a statement of the connection that holds the locks, which waits for none.
    pub(crate) fn run(&mut self, statement: &str, look: Look<'_>) -> Result<()> {
        self.session.run(statement, look).map(drop)
    }

    /// Releases everything, and tells how long it was held.
    pub(crate) fn end(mut self, look: Look<'_>) -> Result<StageTimes> {
        let ended = self.session.run("BACKUP STAGE END", look);
        let since = |stage| {
            let entered = self.entered.iter().find(|(entered, _)| *entered == stage);
            entered.map_or(Duration::ZERO, |(_, asked)| asked.elapsed())
        };
        let times = StageTimes {
            flush: since(Stage::Flush),
            block_ddl: since(Stage::BlockDdl),
            block_commit: since(Stage::BlockCommit),
        };
        // Without an answer nobody knows when the locks went, and so what the copy holds.
        ended.map_err(|error| {
            let what = "the locks were lost before they were released";
            Error::new(ErrorKind::Connect, format!("{what}: {error}"))
        })?;
        Ok(times)
    }
}
