//! Tablespaces that are open: what they begin with, and reading them as the server writes them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::direct::{self, ALIGN, AlignedBuffer};
use super::places::{SpaceFile, SpaceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::{self, Stamp};

/// Bytes that are read when a file is opened to be copied: all of a small one, and page 0 of each.
pub(super) const HEAD: usize = 128 << 10;

/// Bytes that tell which tablespace a file is.
pub(super) const ID: usize = 4096;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// The tablespace of this number.
    Space(u32),
    /// Nothing was written to it yet, so the redo log holds all of it.
    Zero,
}

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<AlignedBuffer>>);

/// An open tablespace.
pub(super) struct Opened<'b> {
    buffers: &'b Buffers,
    file: File,
    /// Whether `file` is read past the page cache.
    direct: bool,
    /// The same file through the page cache, where that is needed all the same.
    cached: Option<File>,
    path: &'b Path,
    pub(super) size: u64,
    /// What the file was just before it was read, if a later write would show.
    pub(super) stamp: Option<Stamp>,
    buffer: AlignedBuffer,
    /// Bytes of the file's begin in the buffer.
    head: usize,
    pub(super) begin: Begin,
}

impl Buffers {
    /// Opens a tablespace and reads up to `len` bytes of its begin; `None` if it is gone. `direct`:
    /// past the page cache, if the file system can.
    pub(super) fn open<'b>(
        &'b self,
        of: &'b SpaceFile,
        direct: bool,
        len: usize,
    ) -> Result<Option<Opened<'b>>> {
        let error = |what: &'static str, error: io::Error| {
            Error::io(ErrorKind::Source, what, error).at_path(&of.path)
        };
        let (file, direct) = match open_file(&of.path, direct) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound && of.kind == SpaceKind::Table => {
                return Ok(None);
            }
            result => result.map_err(|e| error("opening the tablespace", e))?,
        };
        let (size, stamp) =
            file::size_and_stamp(&file).map_err(|e| error("looking at the tablespace", e))?;
        let mut opened = Opened {
            buffers: self,
            file,
            direct,
            cached: None,
            path: &of.path,
            size,
            stamp,
            buffer: self.0.lock().pop().unwrap_or_default(),
            head: 0,
            begin: Begin::Zero,
        };
        opened.read_head(len)?;
        let begin = opened.head();
        let begin = begin.get(..begin.len().min(1024)).unwrap_or_default();
        let id = begin.get(34..38).and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
        opened.begin = match id {
            Some(id) if begin.iter().any(|byte| *byte != 0) => Begin::Space(id),
            _ => Begin::Zero,
        };
        Ok(Some(opened))
    }
}

impl Opened<'_> {
    /// Bytes of the begin, as they were read last.
    pub(super) fn head(&self) -> &[u8] {
        self.buffer.get(self.head)
    }

    /// Reads the begin again.
    pub(super) fn read_head(&mut self, len: usize) -> Result<()> {
        let all = usize::try_from(self.size).unwrap_or(usize::MAX);
        let len = len.min(all.checked_next_multiple_of(ALIGN).unwrap_or(all));
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read(buffer.room(len), 0);
        self.buffer = buffer;
        self.head = result?;
        Ok(())
    }

    /// Whether rooms should be aligned.
    pub(super) fn wants_alignment(&self) -> bool {
        self.direct && self.size > HEAD as u64
    }

    /// Fills the room at once if that is as good: with what is here, or past the page cache. `None`
    /// if it is to be read in pieces.
    pub(super) fn read_at_once(&mut self, room: &mut [u8], offset: u64) -> Result<Option<usize>> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(here) = self.head().get(from..from.saturating_add(room.len())) {
            room.copy_from_slice(here);
            return Ok(Some(room.len()));
        }
        if self.direct { self.read(room, offset).map(Some) } else { Ok(None) }
    }

    /// Reads what the server wrote last, until the room is full or the file ends.
    pub(super) fn read(&mut self, room: &mut [u8], offset: u64) -> Result<usize> {
        if self.direct && direct::is_possible(room.len(), offset) {
            let read = if direct::is_aligned(room) {
                direct::read(&self.file, room, offset)
            } else {
                self.head = 0;
                let aligned = self.buffer.room(room.len());
                direct::read(&self.file, aligned, offset).inspect(|len| {
                    let (to, from) = (room.get_mut(..*len), aligned.get(..*len));
                    to.unwrap_or_default().copy_from_slice(from.unwrap_or_default());
                })
            };
            if let Some(len) = read {
                return Ok(len);
            }
        }
        self.read_cached(room, offset).map_err(|error| {
            Error::io(ErrorKind::Source, "reading the tablespace", error)
                .at_path(self.path)
                .at_file(offset)
        })
    }

    fn read_cached(&mut self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        if !self.direct {
            return read_full(&self.file, room, offset);
        }
        if self.cached.is_none() {
            // By its descriptor: the name may lead elsewhere by now.
            let path = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
            self.cached = Some(file::open_read(&path)?);
        }
        let Some(cached) = &self.cached else { return Ok(0) };
        // Another reader may have left there what the server has overwritten on the device since.
        file::dont_need(cached, offset & !4095, room.len() as u64 + 4096);
        read_full(cached, room, offset)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.buffers.0.lock().push(std::mem::take(&mut self.buffer));
    }
}

fn open_file(path: &Path, direct: bool) -> io::Result<(File, bool)> {
    if direct && let Some(file) = file::open_direct(path)? {
        return Ok((file, true));
    }
    Ok((file::open_read(path)?, false))
}

/// Reads until the room is full or the file ends.
pub(super) fn read_full(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = room.get_mut(filled..) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
