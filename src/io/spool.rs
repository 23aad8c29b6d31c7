//! A spool: bytes kept in memory, then in a file without a name, until they can be sent.
//!
//! What was read under a lock of the server waits here for the stream, which may stall for as long
//! as it likes when the locks are gone.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::file;

/// How often the free space is looked at, in bytes written.
const LOOK: u64 = 16 << 20;

/// What stays free on the file system of the spool.
const RESERVE: u64 = 64 << 20;

/// A spool that is being filled.
pub(crate) struct Spool {
    dir: PathBuf,
    memory: Vec<u8>,
    /// Most bytes in memory.
    budget: usize,
    file: Option<File>,
    /// Bytes in the file.
    filed: u64,
    /// Most bytes in all.
    cap: u64,
    /// Free space was enough up to here.
    looked: u64,
}

impl Spool {
    /// An empty spool: `budget` bytes in memory, what is more in `dir`, at most `cap` in all.
    pub(crate) fn new(dir: &Path, budget: usize, cap: u64) -> Self {
        let dir = dir.to_owned();
        Self { dir, memory: Vec::new(), budget, file: None, filed: 0, cap, looked: 0 }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> u64 {
        self.filed + self.memory.len() as u64
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `Limit` beyond the cap; `NoSpace` before the file system is full.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.len() + bytes.len() as u64 > self.cap {
            let message = format!("the spool would exceed its limit of {} bytes", self.cap);
            return Err(Error::new(ErrorKind::Limit, message)
                .at_path(&self.dir)
                .hint("raise --max-spool, or read the stream faster"));
        }
        if self.memory.len() + bytes.len() > self.budget {
            self.spill()?;
        }
        if bytes.len() > self.budget {
            return self.write(bytes);
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let memory = std::mem::take(&mut self.memory);
        self.write(&memory)?;
        self.memory = memory;
        self.memory.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.file.is_none() {
            let made = file::nameless(&self.dir);
            self.file = Some(made.map_err(|error| self.error("making a spool file in", error))?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        if self.filed + bytes.len() as u64 > self.looked {
            let free = file::free_space(file.as_fd())
                .map_err(|error| self.error("looking at the free space of", error))?;
            if free < RESERVE + LOOK.max(bytes.len() as u64) {
                let message = format!("only {free} bytes are free for the spool");
                return Err(Error::new(ErrorKind::NoSpace, message)
                    .at_path(&self.dir)
                    .hint("name a directory with more space by --tmpdir"));
            }
            self.looked = self.filed + LOOK.max(bytes.len() as u64);
        }
        file.write_all_at(bytes, self.filed)
            .map_err(|error| self.error("writing the spool file in", error))?;
        self.filed += bytes.len() as u64;
        Ok(())
    }

    fn error(&self, what: &'static str, error: io::Error) -> Error {
        Error::io(ErrorKind::Sink, what, error).at_path(&self.dir)
    }

    /// Reads what was spooled, from `offset` on, until the room is full or the spool ends.
    pub(crate) fn read(&self, room: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest @ [_, ..]) = room.get_mut(done..) {
            let at = offset + done as u64;
            let count = if at < self.filed {
                let Some(file) = &self.file else { break };
                let most = usize::try_from(self.filed - at).unwrap_or(usize::MAX).min(rest.len());
                match file.read_at(rest.get_mut(..most).unwrap_or_default(), at) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => {
                        result.map_err(|error| self.error("reading the spool file in", error))?
                    }
                }
            } else {
                let from = usize::try_from(at - self.filed).unwrap_or(usize::MAX);
                let kept = self.memory.get(from..).unwrap_or_default();
                let most = kept.len().min(rest.len());
                rest.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
                most
            };
            if count == 0 {
                break;
            }
            done += count;
        }
        Ok(done)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests have a directory of their own")]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_from_memory_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path(), 100, 10_000);
        let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let mut at = 0;
        for len in [1, 99, 1, 50, 300, 7, 0, 93, 2449] {
            spool.append(&bytes[at..at + len]).unwrap();
            at += len;
            assert_eq!(spool.len(), at as u64);
            let mut back = vec![0; 4000];
            assert_eq!(spool.read(&mut back, 0).unwrap(), at);
            assert_eq!(back[..at], bytes[..at]);
        }
        for offset in [0, 1, 99, 2000, 2999] {
            let mut back = [0; 64];
            let count = spool.read(&mut back, offset).unwrap();
            let offset = usize::try_from(offset).unwrap();
            assert_eq!(back[..count], bytes[offset..(offset + 64).min(3000)]);
        }
        assert_eq!(spool.read(&mut [0; 8], 3000).unwrap(), 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "its file has no name");
    }

    #[test]
    fn a_full_spool_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path(), 100, 150);
        spool.append(&[0; 150]).unwrap();
        assert_eq!(spool.append(&[0]).unwrap_err().kind(), ErrorKind::Limit);
        let mut nowhere = Spool::new(&dir.path().join("none"), 10, 150);
        nowhere.append(&[0; 10]).unwrap();
        assert_eq!(nowhere.append(&[0]).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
