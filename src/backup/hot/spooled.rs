//! Members that wait in a spool, or are read there under a lock.

use std::path::Path;
use std::sync::Arc;

use super::opened::read_full;
use crate::create::feed::{Findings, Origin, Reading, See};
use crate::create::run::{Content, Task};
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::io::spool::Spool;
use crate::sys::file;

/// Bytes read at once.
const STEP: usize = 1 << 20;

/// Members read one after the other, to be sent later.
pub(super) struct LockedFiles {
    spool: Spool,
    members: Vec<Spooled>,
    buffer: Vec<u8>,
}

/// A member, and where it is in the spool.
struct Spooled {
    member: MemberPath,
    start: u64,
    len: u64,
    /// What its pages are, if it is a tablespace.
    findings: Option<Findings>,
}

impl LockedFiles {
    pub(super) fn new(spool: Spool) -> Self {
        Self { spool, members: Vec::new(), buffer: vec![0; STEP] }
    }

    /// Keeps these bytes.
    pub(super) fn bytes(&mut self, member: MemberPath, bytes: &[u8]) -> Result<()> {
        self.pieces(member, &[bytes])
    }

    /// Keeps these bytes, one piece behind the other.
    pub(super) fn pieces(&mut self, member: MemberPath, pieces: &[impl AsRef<[u8]>]) -> Result<()> {
        let start = self.spool.len();
        pieces.iter().try_for_each(|piece| self.spool.append(piece.as_ref()))?;
        let len = self.spool.len() - start;
        self.members.push(Spooled { member, start, len, findings: None });
        Ok(())
    }

    /// Reads a whole file, which keeps still.
    pub(super) fn file(&mut self, member: MemberPath, path: &Path) -> Result<()> {
        let file = file::open_read(path).map_err(|error| {
            Error::io(ErrorKind::Source, "opening the file", error).at_path(path)
        })?;
        let start = self.spool.len();
        let mut offset = 0;
        loop {
            let len = read_full(&file, &mut self.buffer, offset).map_err(|error| {
                Error::io(ErrorKind::Source, "reading the file", error).at_path(path)
            })?;
            self.spool.append(self.buffer.get(..len).unwrap_or_default())?;
            offset += len as u64;
            if len < STEP {
                break;
            }
        }
        self.members.push(Spooled { member, start, len: offset, findings: None });
        Ok(())
    }

    /// Reads what `reading` gives.
    pub(super) fn reading(&mut self, member: MemberPath, reading: &mut dyn Reading) -> Result<()> {
        let start = self.spool.len();
        let size = reading.size();
        let mut offset = 0;
        while offset < size {
            let want = usize::try_from(size - offset).unwrap_or(usize::MAX).min(STEP);
            let room = self.buffer.get_mut(..want).unwrap_or_default();
            let len = reading.read(room, offset, &mut |_| {})?;
            self.spool.append(room.get(..len).unwrap_or_default())?;
            offset += len as u64;
            if len < want {
                break;
            }
        }
        let findings = reading.findings();
        self.members.push(Spooled { member, start, len: offset, findings });
        Ok(())
    }

    /// The members, to be streamed.
    pub(super) fn into_tasks(self) -> impl Iterator<Item = Task> {
        let spool = Arc::new(self.spool);
        self.members.into_iter().map(move |Spooled { member, start, len, findings }| {
            if len == 0 {
                return Task { member, content: Content::Bytes(Vec::new()) };
            }
            let part = Part { spool: Arc::clone(&spool), head: Vec::new(), start, len, findings };
            Task::from_origin(member, part)
        })
    }
}

/// A stretch of a spool, behind some bytes of its own.
pub(super) struct Part {
    spool: Arc<Spool>,
    head: Vec<u8>,
    start: u64,
    len: u64,
    findings: Option<Findings>,
}

impl Part {
    /// A whole spool behind `head`.
    pub(super) fn whole(head: Vec<u8>, spool: Spool) -> Self {
        let len = spool.len();
        Self { spool: Arc::new(spool), head, start: 0, len, findings: None }
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} spooled bytes", self.len)
    }
}

impl Origin for Part {
    fn open(&self) -> Result<Option<Box<dyn Reading + '_>>> {
        Ok(Some(Box::new(PartReading(self))))
    }
}

struct PartReading<'p>(&'p Part);

impl Reading for PartReading<'_> {
    fn size(&self) -> u64 {
        self.0.head.len() as u64 + self.0.len
    }

    fn read(&mut self, room: &mut [u8], offset: u64, see: See<'_>) -> Result<usize> {
        let part = self.0;
        let mut done = 0;
        if let Some(head) = usize::try_from(offset).ok().and_then(|at| part.head.get(at..)) {
            done = head.len().min(room.len());
            room.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        }
        let at = (offset + done as u64).saturating_sub(part.head.len() as u64);
        let left = usize::try_from(part.len - at).unwrap_or(usize::MAX);
        let rest = room.get_mut(done..).unwrap_or_default();
        let rest_len = rest.len().min(left);
        let rest = rest.get_mut(..rest_len).unwrap_or_default();
        done += part.spool.read(rest, part.start + at)?;
        see(room.get(..done).unwrap_or_default());
        Ok(done)
    }

    fn findings(&mut self) -> Option<Findings> {
        self.0.findings.clone()
    }
}
