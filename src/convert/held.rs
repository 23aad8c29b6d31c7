//! Members that wait for their size.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use crate::error::Result;
use crate::io::spool::Spool;
use crate::limits;

/// The bytes of a member, wherever they came in it.
pub(super) struct Held {
    spool: Rc<RefCell<Spool>>,
    /// Bytes that were put.
    len: u64,
    /// Most of them that are in memory.
    budget: usize,
    /// Stretches of data by their offset: where in the spool they are, and how long. They do not
    /// overlap.
    stretches: BTreeMap<u64, (u64, u64)>,
}

impl Held {
    /// A member without bytes yet, with a spool of its own, of which `budget` may be in memory.
    pub(super) fn alone(tmpdir: &Path, budget: usize) -> Self {
        let spool = Rc::new(RefCell::new(Spool::new(tmpdir, budget, u64::MAX)));
        Self { spool, len: 0, budget, stretches: BTreeMap::new() }
    }

    /// A member without bytes yet, in a spool with others.
    pub(super) fn among(spool: &Rc<RefCell<Spool>>) -> Self {
        Self { spool: Rc::clone(spool), len: 0, budget: 0, stretches: BTreeMap::new() }
    }

    /// Bytes that wait in a spool of its own.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Most of them that are in memory.
    pub(super) fn budget(&self) -> usize {
        self.budget
    }

    /// Puts bytes at an offset, over what may have been there.
    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut spool = self.spool.borrow_mut();
        let (at, len) = (spool.len(), bytes.len() as u64);
        spool.append(bytes)?;
        drop(spool);
        self.len += len;
        self.cut(offset, offset + len);
        // Most members come in order, and are one stretch.
        if let Some((begin, (place, held))) = self.stretches.range_mut(..offset).next_back()
            && *begin + *held == offset
            && *place + *held == at
        {
            *held += len;
        } else {
            self.stretches.insert(offset, (at, len));
        }
        Ok(())
    }

    /// Makes room from `begin` to `end`.
    fn cut(&mut self, begin: u64, end: u64) {
        let before = self.stretches.range(..begin).next_back();
        let touched = before.filter(|(start, (_, len))| **start + len > begin).map(|(key, _)| *key);
        let within = self.stretches.range(begin..end).map(|(key, _)| *key);
        let keys: Vec<u64> = touched.into_iter().chain(within).collect();
        for start in keys {
            let Some((place, len)) = self.stretches.remove(&start) else { continue };
            if start < begin {
                self.stretches.insert(start, (place, begin - start));
            }
            if start + len > end {
                self.stretches.insert(end, (place + (end - start), start + len - end));
            }
        }
    }

    /// Gives all bytes below `size` in order: zeros by their number, data by themselves.
    pub(super) fn each(
        &self,
        size: u64,
        mut give: impl FnMut(Part<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut buffer =
            vec![0; limits::READ_SIZE.min(usize::try_from(size).unwrap_or(usize::MAX))];
        let mut at = 0;
        for (offset, (place, len)) in &self.stretches {
            if *offset > at {
                give(Part::Zeros(offset - at))?;
            }
            let mut done = 0;
            while done < *len {
                let most = usize::try_from(len - done).unwrap_or(usize::MAX).min(buffer.len());
                let room = buffer.get_mut(..most).unwrap_or_default();
                let count = self.spool.borrow().read(room, place + done)?;
                if count == 0 {
                    return Err(lost());
                }
                give(Part::Data(room.get(..count).unwrap_or_default()))?;
                done += count as u64;
            }
            at = offset + len;
        }
        if size > at { give(Part::Zeros(size - at)) } else { Ok(()) }
    }
}

/// A part of a member.
pub(super) enum Part<'b> {
    Zeros(u64),
    Data(&'b [u8]),
}

fn lost() -> crate::error::Error {
    let message = "the spool gives fewer bytes than it took: this is a bug in xbkit";
    crate::error::Error::new(crate::error::ErrorKind::Panic, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(held: &Held, size: u64) -> Vec<u8> {
        let mut all = Vec::new();
        held.each(size, |part| {
            match part {
                Part::Zeros(len) => all.resize(all.len() + usize::try_from(len).unwrap(), b'.'),
                Part::Data(data) => all.extend_from_slice(data),
            }
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn what_comes_later_lies_over_what_came_before() {
        let dir = tempfile::tempdir().unwrap();
        for budget in [0, 3, 1000] {
            let mut held = Held::alone(dir.path(), budget);
            held.put(0, b"aaaa").unwrap();
            held.put(4, b"bbbb").unwrap();
            assert_eq!(held.stretches.len(), 1);
            assert_eq!(bytes(&held, 10), b"aaaabbbb..");
            held.put(2, b"XX").unwrap();
            assert_eq!(bytes(&held, 8), b"aaXXbbbb");
            held.put(12, b"end").unwrap();
            assert_eq!(bytes(&held, 15), b"aaXXbbbb....end");
            held.put(7, b"......").unwrap();
            assert_eq!(bytes(&held, 15), b"aaXXbbb......nd");
            held.put(0, b"0123456789abcdef").unwrap();
            assert_eq!(bytes(&held, 16), b"0123456789abcdef");
        }
    }
}
