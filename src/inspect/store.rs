//! Where the bytes of a member wait until they are final.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::io::sink::Sink;
use crate::limits;
use crate::sys::file;

/// How often the free space is looked at, in bytes written.
const LOOK: u64 = 16 << 20;

/// What stays free on the file system of the spool.
const RESERVE: u64 = 64 << 20;

/// Bytes copied to the output at once.
const COPY: usize = 1 << 20;

/// A member's bytes: in memory, then in a file without a name, then given away as they come.
pub(super) struct Store {
    dir: PathBuf,
    /// Most bytes that wait.
    cap: u64,
    memory: Vec<u8>,
    file: Option<File>,
    /// The end of what was put.
    len: u64,
    /// Bytes that were given to the output, from the member's beginning.
    given: Option<u64>,
    /// Bytes put into the file since the free space was looked at.
    unlooked: u64,
}

impl Store {
    /// An empty store that keeps up to `cap` bytes, those beyond [`limits::CAT_MEMORY`] in `dir`.
    pub(super) fn new(dir: &Path, cap: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            cap,
            memory: Vec::new(),
            file: None,
            len: 0,
            given: None,
            unlooked: LOOK,
        }
    }

    /// Bytes that the output already has.
    pub(super) fn given(&self) -> u64 {
        self.given.unwrap_or(0)
    }

    /// Most bytes that wait from now on.
    pub(super) fn set_cap(&mut self, cap: u64) {
        self.cap = cap;
    }

    /// Forgets everything, for a member that is taken back.
    ///
    /// # Errors
    /// `Limit` if some of it was given away.
    pub(super) fn reset(&mut self) -> Result<()> {
        if self.given() > 0 {
            return Err(self.too_late());
        }
        (self.given, self.len, self.file) = (None, 0, None);
        self.memory.clear();
        Ok(())
    }

    /// Takes bytes of the member. What lies between them is zero.
    pub(super) fn put(&mut self, offset: u64, bytes: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        let end = offset + bytes.len() as u64; // both below limits::MEMBER_SIZE
        self.reach(end, sink)?;
        match self.given {
            Some(given) if offset < given => return Err(self.too_late()),
            Some(given) => {
                zeros(offset - given, sink)?;
                sink.write_all(bytes)?;
                self.given = Some(end);
            }
            None if self.file.is_some() => self.write_file(offset, bytes)?,
            None => {
                let (Ok(begin), Ok(end)) = (usize::try_from(offset), usize::try_from(end)) else {
                    return Ok(()); // below limits::CAT_MEMORY
                };
                if self.memory.len() < end {
                    self.memory.resize(end, 0);
                }
                if let Some(place) = self.memory.get_mut(begin..end) {
                    place.copy_from_slice(bytes);
                }
            }
        }
        self.len = self.len.max(end);
        Ok(())
    }

    /// The member has this size: what was not put is zero.
    pub(super) fn end(&mut self, size: u64, sink: &mut Sink<'_>) -> Result<()> {
        self.reach(size, sink)?;
        if let Some(given) = self.given {
            zeros(size.saturating_sub(given), sink)?;
            self.given = Some(size.max(given));
        }
        self.len = self.len.max(size);
        Ok(())
    }

    /// Gives the output everything that waits.
    pub(super) fn give(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        if self.given.is_some() {
            return Ok(());
        }
        let mut at = 0;
        if let Some(file) = &self.file {
            let stored = file::facts(file).map_err(|error| self.error("looking at", error))?;
            let stored = stored.fingerprint.size.min(self.len);
            let mut buffer = vec![0; COPY];
            while at < stored {
                let most = usize::try_from(stored - at).unwrap_or(COPY).min(COPY);
                let room = buffer.get_mut(..most).unwrap_or_default();
                let count = match file.read_at(room, at) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => result.map_err(|error| self.error("reading", error))?,
                };
                if count == 0 {
                    let error = io::ErrorKind::UnexpectedEof.into();
                    return Err(self.error("reading", error));
                }
                sink.write_all(buffer.get(..count).unwrap_or_default())?;
                at += count as u64;
                self.given = Some(at);
            }
        } else {
            sink.write_all(&self.memory)?;
            at = self.memory.len() as u64;
        }
        zeros(self.len - at, sink)?;
        self.given = Some(self.len);
        self.memory = Vec::new();
        self.file = None;
        Ok(())
    }

    /// Makes room for bytes up to `end`, wherever that is; gives away what is there if there is
    /// none.
    fn reach(&mut self, end: u64, sink: &mut Sink<'_>) -> Result<()> {
        if self.given.is_some() || end <= limits::CAT_MEMORY as u64 {
            return Ok(());
        }
        if end > self.cap || !self.has_space(end.saturating_sub(self.len))? {
            return self.give(sink);
        }
        if self.file.is_none() {
            let file = file::nameless(&self.dir).map_err(|error| self.error("making", error))?;
            self.file = Some(file);
            let memory = std::mem::take(&mut self.memory);
            self.write_file(0, &memory)?;
        }
        Ok(())
    }

    /// Whether the file system has room for so many bytes more.
    fn has_space(&mut self, more: u64) -> Result<bool> {
        self.unlooked = self.unlooked.saturating_add(more);
        let Some(file) = self.file.as_ref().filter(|_| self.unlooked > LOOK) else {
            return Ok(true);
        };
        let free = file::free_space(file.as_fd())
            .map_err(|error| self.error("looking at the file system of", error))?;
        self.unlooked = 0;
        Ok(free > RESERVE + LOOK + more.min(LOOK))
    }

    fn write_file(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.write_all_at(bytes, offset).map_err(|error| self.error("writing", error))
    }

    fn error(&self, what: &str, error: io::Error) -> Error {
        let what = format!("{what} the spool file in this directory");
        Error::io(ErrorKind::Sink, what, error).at_path(&self.dir)
    }

    fn too_late(&self) -> Error {
        let message = format!(
            "the stream changes bytes of the member that were given away, as no more than {} of \
             them could wait",
            self.cap.max(limits::CAT_MEMORY as u64)
        );
        Error::new(ErrorKind::Limit, message)
            .hint("raise --max-spool above the member's size, name a --tmpdir with room for it, or extract the member")
    }
}

fn zeros(len: u64, sink: &mut Sink<'_>) -> Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut left = len;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(ZEROS.len()).min(ZEROS.len());
        sink.write_all(ZEROS.get(..count).unwrap_or_default())?;
        left -= count as u64;
    }
    Ok(())
}
