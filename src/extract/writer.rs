//! Writing members into files, with a bounded number of descriptors.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::holes::Holes;
use super::root::Root;
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::{MemberId, MemberPath};
use crate::sys::file::Identity;

/// Writes the members it was given. Each worker has one of its own.
pub(super) struct MemberWriter<'r> {
    root: &'r Root,
    members: HashMap<MemberId, Member>,
    /// Members whose file is open, in the order of a clock: looked at from the front, those used
    /// since the last look go to the back, the first one that was not loses its descriptor.
    clock: VecDeque<MemberId>,
    open_files: usize,
    max_open_files: usize,
}

struct Member {
    path: MemberPath,
    file: Option<File>,
    /// Known once the descriptor was closed for another's sake.
    identity: Option<Identity>,
    used: bool,
    holes: Holes,
    /// The end of what was written.
    end: u64,
}

impl<'r> MemberWriter<'r> {
    /// A writer that keeps up to `max_open_files` descriptors open.
    pub(super) fn new(root: &'r Root, max_open_files: usize) -> Self {
        Self {
            root,
            members: HashMap::new(),
            clock: VecDeque::new(),
            open_files: 0,
            max_open_files: max_open_files.max(1),
        }
    }

    pub(super) fn open(&mut self, id: MemberId, path: MemberPath) -> Result<()> {
        self.make_room()?;
        let file = self.root.create(&path)?;
        self.open_files += 1;
        let holes = Holes::of(path.as_bytes());
        self.members.insert(
            id,
            Member { path, file: Some(file), identity: None, used: false, holes, end: 0 },
        );
        self.clock.push_back(id);
        Ok(())
    }

    pub(super) fn write(&mut self, id: MemberId, offset: u64, bytes: &[u8]) -> Result<()> {
        if self.members.get(&id).is_some_and(|member| member.file.is_none()) {
            self.make_room()?;
        }
        let Some(member) = self.members.get_mut(&id) else { return Err(unknown(id)) };
        let file = if let Some(file) = &member.file {
            file
        } else {
            let identity = member.identity.ok_or_else(|| unknown(id))?;
            self.open_files += 1;
            self.clock.push_back(id);
            member.file.insert(self.root.reopen(&member.path, identity)?)
        };
        member.used = true;
        if offset < member.end {
            // A seek backwards: zeros here have to replace what was written.
            member.holes = Holes::None;
        }
        let end = &mut member.end;
        member
            .holes
            .written(offset, bytes, |range| {
                let at = offset + range.start as u64;
                let piece = bytes.get(range).unwrap_or_default();
                *end = (*end).max(at + piece.len() as u64);
                file.write_all_at(piece, at)
            })
            .map_err(|error| write_error(error, &member.path).at_file(offset))
    }

    pub(super) fn close(&mut self, id: MemberId, size: u64) -> Result<()> {
        let needs_size = self.members.get(&id).is_some_and(|member| member.end != size);
        if needs_size && self.members.get(&id).is_some_and(|member| member.file.is_none()) {
            self.make_room()?;
        }
        let Some(mut member) = self.members.remove(&id) else { return Err(unknown(id)) };
        if member.file.is_some() {
            self.open_files -= 1;
        }
        self.leave_clock(id);
        if needs_size {
            let file = match (member.file.take(), member.identity) {
                (Some(file), _) => file,
                (None, Some(identity)) => self.root.reopen(&member.path, identity)?,
                (None, None) => return Err(unknown(id)),
            };
            file.set_len(size).map_err(|error| write_error(error, &member.path))?;
        }
        Ok(())
    }

    /// Takes a closed member off the clock: at once if it came last, as most files of a backup
    /// are opened and closed before the next; else together with others, later.
    fn leave_clock(&mut self, id: MemberId) {
        if self.clock.back() == Some(&id) {
            self.clock.pop_back();
        } else if self.clock.len() > 2 * self.members.len() + 64 {
            let members = &self.members;
            self.clock.retain(|id| members.get(id).is_some_and(|member| member.file.is_some()));
        }
    }

    /// Closes a descriptor if all are taken.
    fn make_room(&mut self) -> Result<()> {
        while self.open_files >= self.max_open_files {
            let Some(id) = self.clock.pop_front() else { return Ok(()) };
            // A closed member that has not left the clock yet.
            let Some(member) = self.members.get_mut(&id) else { continue };
            if std::mem::take(&mut member.used) {
                self.clock.push_back(id);
                continue;
            }
            if let Some(file) = member.file.take() {
                self.open_files -= 1;
                let meta = file.metadata().map_err(|error| write_error(error, &member.path))?;
                member.identity = Some(Identity::of(&meta));
            }
        }
        Ok(())
    }
}

fn write_error(error: std::io::Error, path: &MemberPath) -> Error {
    let error = Error::io(ErrorKind::Sink, "writing the file", error).at_path(path);
    match error.kind() {
        ErrorKind::NoSpace => {
            error.hint("free space on the target's file system, and extract again")
        }
        _ => error,
    }
}

fn unknown(id: MemberId) -> Error {
    let message = format!("member {} is not open: this is a bug in xbkit", id.0);
    Error::new(ErrorKind::Panic, message)
}
