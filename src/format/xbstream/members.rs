//! Which members a stream has open, and which it has closed.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use crate::error::{Error, ErrorKind, Result};
use crate::format::member::{MemberId, MemberPath};
use crate::limits;

/// An open member.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: MemberId,
    pub(crate) path: MemberPath,
    /// Where the next chunk must begin.
    pub(crate) expected: u64,
    /// The end of its furthest chunk. A seek alone adds nothing.
    pub(crate) size: u64,
}

/// All members of a stream so far.
///
/// A closed one is remembered by two independent keyed 64-bit hashes of its path, 16 bytes
/// instead of up to 511: among a million names two collide with a probability below 1e-26, and
/// nobody who does not know the process's random keys can bring it about.
#[derive(Debug, Default)]
pub(crate) struct Members {
    open: HashMap<MemberPath, Open>,
    closed: HashSet<(u64, u64)>,
    keys: (RandomState, RandomState),
    next_id: u64,
    /// Somebody hashes those that are open.
    hashed: bool,
}

impl Members {
    /// The open member of this path.
    pub(crate) fn get(&self, path: &[u8]) -> Option<&Open> {
        self.open.get(path)
    }

    /// Moves the open member from `begin` behind `end`, the end of a chunk. An empty chunk behind
    /// a seek adds nothing, as a write of no bytes does not make a file longer.
    pub(crate) fn advance(&mut self, path: &[u8], begin: u64, end: u64) {
        if let Some(open) = self.open.get_mut(path) {
            open.expected = end;
            if end > begin {
                open.size = open.size.max(end);
            }
        }
    }

    /// Moves the place of the open member's next chunk.
    pub(crate) fn seek(&mut self, path: &[u8], offset: u64) {
        if let Some(open) = self.open.get_mut(path) {
            open.expected = offset;
        }
    }

    /// Sets whether those that are open are hashed, so that fewer may be.
    pub(crate) fn set_hashed(&mut self, hashed: bool) {
        self.hashed = hashed;
    }

    /// Whether no member was ever opened.
    pub(crate) fn is_unused(&self) -> bool {
        self.next_id == 0
    }

    /// Opens a member that is not open; with `rewrite` it may have been closed before. Gives
    /// whether it had been.
    pub(crate) fn open(
        &mut self,
        path: &[u8],
        rewrite: bool,
    ) -> Result<(MemberId, MemberPath, bool)> {
        let path = MemberPath::new(path)?;
        let was_closed = self.is_closed(path.as_bytes());
        if was_closed && !rewrite {
            return Err(Error::new(
                ErrorKind::Format,
                "the stream holds two members of this name",
            )
            .at_path(path)
            .hint("two backups may stand in one file, one behind the other; extract each by itself"));
        }
        let most = if self.hashed { limits::HASHED_MEMBERS } else { limits::OPEN_MEMBERS };
        if self.open.len() >= most {
            let message = format!("more than {most} members are open at once");
            return Err(Error::new(ErrorKind::Limit, message).at_path(path));
        }
        self.forget(path.as_bytes());
        let id = MemberId(self.next_id);
        self.next_id += 1;
        let open = Open { id, path: path.clone(), expected: 0, size: 0 };
        self.open.insert(path.clone(), open);
        Ok((id, path, was_closed))
    }

    pub(crate) fn close(&mut self, path: &[u8]) -> Option<Open> {
        let open = self.open.remove(path)?;
        self.note_closed(open.path.as_bytes());
        Some(open)
    }

    pub(crate) fn is_closed(&self, path: &[u8]) -> bool {
        self.closed.contains(&self.fingerprint(path))
    }

    /// Takes note of a closed member.
    pub(crate) fn note_closed(&mut self, path: &[u8]) {
        self.closed.insert(self.fingerprint(path));
    }

    /// Forgets a closed member; false if there is none.
    pub(crate) fn forget(&mut self, path: &[u8]) -> bool {
        self.closed.remove(&self.fingerprint(path))
    }

    /// The open member that came first, and how many are open.
    pub(crate) fn first_open(&self) -> (Option<&MemberPath>, usize) {
        let first = self.open.values().min_by_key(|open| open.id).map(|open| &open.path);
        (first, self.open.len())
    }

    fn fingerprint(&self, path: &[u8]) -> (u64, u64) {
        (self.keys.0.hash_one(path), self.keys.1.hash_one(path))
    }
}
