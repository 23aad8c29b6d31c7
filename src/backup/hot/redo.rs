//! Following the redo log while pages are copied.
//!
//! The one rule that keeps this right is the limit: nothing behind `Innodb_lsn_flushed`, as it was
//! before the read, is looked at. Checksums and sequence bytes alone do not tell where the log ends:
//! the rest of its last block is stale memory of the server, which may hold whole mini-transactions.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, ErrorKind, Result};
use crate::innodb::redo::{Checkpoint, HEADER_LEN, Header, Lsn, MAX_MTR, Walk, rewrite};
use crate::io::spool::Spool;
use crate::server::{Session, lsns};
use crate::sys::file;

/// How often the server is asked while the log keeps still.
const POLL: Duration = Duration::from_millis(50);

/// Bytes read at once: little while up to date, so as not to take the disk from the server.
const WINDOW: usize = 256 << 10;
const WINDOW_BEHIND: usize = 4 << 20;

/// What the server may have begun to write behind the end that it tells.
const WRITE_AHEAD: u64 = 8192;

/// How often a window that makes no sense is read again: the server may be writing it.
const TRIES: u32 = 50;

/// How often the header is read until a checkpoint in it is whole.
const HEADER_TRIES: u32 = 100;

/// The log at the begin of a backup.
pub(super) struct RedoFile {
    file: File,
    path: PathBuf,
    size: u64,
    pub(super) header: Header,
    pub(super) checkpoint: Checkpoint,
}

impl RedoFile {
    /// Opens the log, and chooses the checkpoint to recover from.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let at = |error: Error| error.at_path(path);
        let file = file::open_read(path).map_err(|error| {
            at(Error::io(ErrorKind::Source, "opening the redo log", error))
                .hint("run on the server's own machine, as a user who may read its files")
        })?;
        let size = file::facts(&file)
            .map_err(|error| at(Error::io(ErrorKind::Source, "looking at the redo log", error)))?
            .fingerprint
            .size;
        let mut last = Error::new(ErrorKind::RedoFormat, "the redo log has no valid checkpoint");
        for _ in 0..HEADER_TRIES {
            match read_header(&file, size) {
                Ok((header, Some(checkpoint))) => {
                    return Ok(Self { file, path: path.to_owned(), size, header, checkpoint });
                }
                Ok((_, None)) => {}
                Err(error) if error.kind() == ErrorKind::Checksum => last = error,
                Err(error) => return Err(at(error)),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(at(last))
    }

    /// The newest checkpoint there is now.
    fn newest_checkpoint(&self) -> Checkpoint {
        match read_header(&self.file, self.size) {
            Ok((_, Some(checkpoint))) if checkpoint.lsn >= self.checkpoint.lsn => checkpoint,
            _ => self.checkpoint,
        }
    }

    /// Fills the window from `lsn` on, round the end of the ring if need be.
    fn read(&self, window: &mut [u8], lsn: Lsn) -> Result<()> {
        let offset = self.header.offset(lsn);
        let to_end = HEADER_LEN as u64 + self.header.capacity - offset;
        let first = usize::try_from(to_end).unwrap_or(usize::MAX).min(window.len());
        let (head, tail) = window.split_at_mut_checked(first).unwrap_or_default();
        self.read_at(head, offset)?;
        self.read_at(tail, HEADER_LEN as u64)
    }

    fn read_at(&self, room: &mut [u8], offset: u64) -> Result<()> {
        if room.is_empty() {
            return Ok(());
        }
        self.file
            .read_exact_at(room, offset)
            .map_err(|error| self.error("reading the redo log", error).at_file(offset))?;
        // The server writes past the page cache, which would give this very window again.
        file::dont_need(&self.file, offset & !4095, room.len() as u64 + 8192);
        Ok(())
    }

    /// The server must still be writing to this very file.
    fn check_same(&self) -> Result<()> {
        let named = file::has_name(&self.file);
        let facts = file::facts(&self.file);
        let (Ok(named), Ok(facts)) = (named, facts) else { return Ok(()) };
        if named && facts.fingerprint.size == self.size {
            return Ok(());
        }
        let message = "the redo log was replaced or resized during the backup";
        Err(Error::new(ErrorKind::FileChanged, message)
            .at_path(&self.path)
            .hint("do not change innodb_log_file_size while a backup runs; start again"))
    }

    fn error(&self, what: &'static str, error: io::Error) -> Error {
        Error::io(ErrorKind::Source, what, error).at_path(&self.path)
    }
}

fn read_header(file: &File, size: u64) -> Result<(Header, Option<Checkpoint>)> {
    let mut bytes = vec![0; HEADER_LEN];
    // The server writes past the page cache, where others may have left an older state.
    file::dont_need(file, 0, HEADER_LEN as u64);
    file.read_exact_at(&mut bytes, 0).map_err(|error| {
        Error::io(ErrorKind::Source, "reading the header of the redo log", error)
    })?;
    file::dont_need(file, 0, HEADER_LEN as u64);
    let header = Header::parse(&bytes, size)?;
    let checkpoint = header.checkpoint(&bytes);
    Ok((header, checkpoint))
}

/// What conductor and tailer tell each other.
#[derive(Default)]
pub(super) struct Follow {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Copy up to here, then end.
    target: Option<Lsn>,
    /// The job is over.
    stop: bool,
    error: Option<Error>,
    done: bool,
    copied: Lsn,
}

impl Follow {
    /// Whether the log is still being followed.
    pub(super) fn check(&self) -> Result<()> {
        self.state.lock().error.take().map_or(Ok(()), Err)
    }

    /// Has the log copied to `lsn` at least, and waits for that.
    ///
    /// # Errors
    /// What `look` says; `Connect` if it takes longer than `patience`.
    pub(super) fn finish_at(
        &self,
        lsn: Lsn,
        patience: Duration,
        look: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let begin = Instant::now();
        let mut state = self.state.lock();
        state.target = Some(lsn);
        self.changed.notify_all();
        while !state.done {
            self.changed.wait_for(&mut state, POLL);
            parking_lot::MutexGuard::unlocked(&mut state, look)?;
            if !state.done && begin.elapsed() > patience {
                let (copied, seconds) = (state.copied, patience.as_secs());
                let message = format!(
                    "the server did not write its redo log up to LSN {lsn} within {seconds} s, but up \
                     to {copied}"
                );
                return Err(Error::new(ErrorKind::Connect, message)
                    .hint("the server's disk may hang; the locks were released, so try again"));
            }
        }
        Ok(())
    }

    /// Ends the tailer, whose copy is not wanted.
    pub(super) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().stop
    }

    fn wait(&self) {
        let mut state = self.state.lock();
        if state.target.is_none() && !state.stop {
            self.changed.wait_for(&mut state, POLL);
        }
    }

    fn is_reached(&self, lsn: Lsn) -> bool {
        let mut state = self.state.lock();
        state.copied = lsn;
        state.target.is_some_and(|target| lsn >= target)
    }

    fn end(&self, result: Result<()>) {
        let mut state = self.state.lock();
        match result {
            Ok(()) => state.done = true,
            Err(error) => state.error = Some(error),
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// The redo of a backup, from its checkpoint on.
pub(super) struct RedoCopy {
    pub(super) spool: Spool,
    pub(super) header: Header,
    pub(super) checkpoint: Checkpoint,
    /// Where it ends.
    pub(super) end: Lsn,
    /// The server's newest checkpoint at the end.
    pub(super) newest: Checkpoint,
}

/// Follows the log until it is told where to end; `None` if it was stopped or failed, which
/// `follow` then tells.
pub(super) fn tail(
    redo: RedoFile,
    mut session: Session,
    mut spool: Spool,
    follow: &Follow,
) -> Option<RedoCopy> {
    let result = copy(&redo, &mut session, &mut spool, follow);
    let copied = result.as_ref().ok().copied();
    follow.end(result.map(drop));
    let newest = redo.newest_checkpoint();
    let (header, checkpoint) = (redo.header, redo.checkpoint);
    copied.map(|end| RedoCopy { spool, header, checkpoint, end, newest })
}

fn copy(redo: &RedoFile, session: &mut Session, spool: &mut Spool, follow: &Follow) -> Result<Lsn> {
    let look = || if follow.is_stopped() { Err(Error::cancelled()) } else { Ok(()) };
    let mut lsn = redo.checkpoint.lsn;
    let mut window = Vec::new();
    let mut flushed = lsns(session, &look)?.flushed;
    let mut tries = 0;
    loop {
        look()?;
        if follow.is_reached(lsn) {
            return Ok(lsn);
        }
        let left = usize::try_from(flushed.saturating_sub(lsn)).unwrap_or(usize::MAX);
        let most = if left > WINDOW { WINDOW_BEHIND } else { WINDOW };
        let len = left.min(most);
        window.resize(len, 0);
        redo.read(&mut window, lsn)?;
        // Asked after the read: what was overwritten by then may not be what was read.
        let now = lsns(session, &look)?;
        redo.check_same()?;
        check_overrun(redo, lsn, now.current)?;
        let walk = rewrite(&redo.header, &mut window, lsn);
        if is_sound(walk, len, left) {
            tries = 0;
            spool.append(window.get(..walk.len()).unwrap_or_default())?;
            lsn += walk.len() as u64;
        } else {
            tries += 1;
            if tries > TRIES {
                return Err(out_of_step(redo, lsn + walk.len() as u64, flushed));
            }
            std::thread::sleep(Duration::from_millis(if tries < 5 { 1 } else { 20 }));
            continue;
        }
        if now.flushed <= lsn {
            follow.wait();
            flushed = lsns(session, &look)?.flushed;
        } else {
            flushed = now.flushed;
        }
    }
}

/// A window that reaches the end of the log ends with a mini-transaction; another one holds at
/// least one.
fn is_sound(walk: Walk, len: usize, left: usize) -> bool {
    match walk {
        Walk::Whole { len: walked } if len == left => walked == len,
        Walk::Whole { len: walked } => walked > 0 && len - walked <= MAX_MTR,
        Walk::End { .. } => false,
    }
}

fn check_overrun(redo: &RedoFile, lsn: Lsn, current: Lsn) -> Result<()> {
    let ahead = current.saturating_sub(lsn);
    let capacity = redo.header.capacity;
    if ahead + WRITE_AHEAD <= capacity {
        return Ok(());
    }
    let message = format!(
        "redo log overrun: the server is {ahead} bytes ahead of the copy, and its log holds \
         {capacity}, so redo that the backup needs is lost"
    );
    Err(Error::new(ErrorKind::RedoOverrun, message).at_path(&redo.path).hint(
        "give the server a larger innodb_log_file_size, or back up when it writes less; \
         a faster disk or --tmpdir helps too",
    ))
}

fn out_of_step(redo: &RedoFile, lsn: Lsn, flushed: Lsn) -> Error {
    let message = format!(
        "the redo log makes no sense at LSN {lsn}, although the server has written it up to \
         {flushed}"
    );
    Error::new(ErrorKind::RedoFormat, message).at_path(&redo.path).at_file(redo.header.offset(lsn))
}
