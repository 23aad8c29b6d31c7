//! Files to members of a tar archive: headers first, so sizes have to be known and kept to.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use super::audit::Audit;
#[cfg(feature = "server")]
use super::feed::Origin;
use super::packer::{Outlet, Packer, SourceFile, no_room};
use super::run::{Content, Task};
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::format::tar;
use crate::io::pulse::TICK;

impl<O: Outlet> Packer<'_, O> {
    /// Packs a whole member.
    pub(super) fn pack_tar(&mut self, task: &Task) -> Result<()> {
        match &task.content {
            Content::File { path, .. } => self.pack_tar_file(&task.member, path),
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                self.begin_tar(&task.member, size, 0)?;
                self.fill_tar(size, |room, offset| {
                    let from = usize::try_from(offset).unwrap_or(usize::MAX);
                    let left = bytes.get(from..).unwrap_or_default();
                    let len = room.len().min(left.len());
                    room.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
                    Ok(len)
                })?;
                self.end_tar(&task.member, size)
            }
            #[cfg(feature = "server")]
            Content::Origin(origin) => self.pack_tar_origin(&task.member, origin.0.as_ref()),
        }
    }

    /// Packs what an origin gives. If that is less than it told, zeros stand for the rest.
    #[cfg(feature = "server")]
    fn pack_tar_origin(&mut self, member: &MemberPath, origin: &dyn Origin) -> Result<()> {
        let Some(mut reading) = origin.open()? else { return Ok(()) };
        let size = reading.size();
        self.begin_tar(member, size, 0)?;
        let copied = self.fill_tar(size, |room, offset| reading.read(room, offset, &mut |_| {}))?;
        self.end_reading(member, reading.as_mut())?;
        self.fill_tar(size - copied, |room, _| {
            room.fill(0);
            Ok(room.len())
        })?;
        self.end_tar(member, size)
    }

    fn pack_tar_file(&mut self, member: &MemberPath, path: &Path) -> Result<()> {
        let (mut source, before) = SourceFile::open(path)?;
        source.audit(Audit::of(member, self.options.pages));
        let size = before.fingerprint.size;
        self.begin_tar(member, size, before.fingerprint.modified_seconds())?;
        if size > self.chunk_size() as u64 {
            source.advise_sequential();
        }
        let copied = self.fill_tar(size, |room, offset| source.read(room, offset))?;
        self.end_audit(&source, copied)?;
        let after = source.facts()?;
        self.check_unchanged(path, &before, &after, copied)?;
        // It shrank, and may: the header has told its size, so zeros stand for what is gone.
        self.fill_tar(size - copied, |room, _| {
            room.fill(0);
            Ok(room.len())
        })?;
        self.end_tar(member, size)
    }

    fn begin_tar(&mut self, member: &MemberPath, size: u64, modified: i64) -> Result<()> {
        self.begin_member(size);
        let mut head = Vec::new();
        tar::append_member(&mut head, member.as_bytes(), size, modified)?;
        // A small member stands in one parcel with its headers.
        let small = usize::try_from(size).unwrap_or(usize::MAX).min(self.chunk_size());
        self.make_room(head.len() + small)?;
        self.append_frame(&head)
    }

    /// Packs `size` bytes of what `read` puts into the room it gets, from the offset it gets, or
    /// fewer if it gives none. Gives their number.
    fn fill_tar(
        &mut self,
        size: u64,
        mut read: impl FnMut(&mut [u8], u64) -> Result<usize>,
    ) -> Result<u64> {
        let mut offset = 0;
        while offset < size {
            let want = usize::try_from(size - offset).unwrap_or(usize::MAX);
            self.make_room(want.min(self.chunk_size()))?;
            let len = self.pack_bytes(want, |room| read(room, offset))?;
            if len == 0 {
                break;
            }
            offset += len as u64;
        }
        Ok(offset)
    }

    fn end_tar(&mut self, member: &MemberPath, size: u64) -> Result<()> {
        let padding = tar::padding_len(size);
        self.make_room(padding)?;
        let zeros = [0; tar::BLOCK];
        self.append_frame(zeros.get(..padding).ok_or_else(no_room)?)?;
        self.note_ended(member, size, None)
    }
}

/// Who of several readers may send: the members of an archive stand one behind the other, so the
/// next one's reader waits, with the beginning of its member at hand, until all before it are out.
#[derive(Default)]
pub(super) struct Turnstile {
    turn: Mutex<usize>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Turnstile {
    /// Waits until it is this task's turn.
    pub(super) fn wait(&self, task: usize) -> Result<()> {
        let mut turn = self.turn.lock();
        while *turn != task {
            if self.stopped.load(Ordering::Acquire) {
                return Err(Error::new(ErrorKind::Cancelled, "the job ended"));
            }
            self.changed.wait_for(&mut turn, TICK);
        }
        Ok(())
    }

    /// Says that all of this task is out.
    pub(super) fn pass(&self, task: usize) {
        *self.turn.lock() = task + 1;
        self.changed.notify_all();
    }

    /// Ends all waits.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_all();
    }
}
