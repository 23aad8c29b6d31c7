//! Who hashes and writes members: the job's own thread, or workers.

use std::ops::Range;

use super::root::Root;
use super::writer::MemberWriter;
use crate::error::Result;
use crate::format::member::{MemberId, MemberPath};
use crate::io::pulse::Pulse;
use crate::manifest::proof::{MemberHashes, Place, Print};

/// What is done with a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// Its file is made.
    pub(super) write: bool,
    /// Its bytes are hashed, as a manifest will name it.
    pub(super) hash: bool,
}

/// Bytes of a member, and where they are in the buffer being decoded.
pub(super) struct Piece<'b> {
    pub(super) id: MemberId,
    pub(super) offset: u64,
    pub(super) bytes: &'b [u8],
    pub(super) range: Range<usize>,
}

/// A member that ends.
pub(super) struct End {
    pub(super) id: MemberId,
    pub(super) path: MemberPath,
    pub(super) size: u64,
    /// Where what its hash came to is awaited.
    pub(super) place: Option<Place>,
    /// Whether the observer is told.
    pub(super) report: bool,
}

/// Takes the work that a stream makes, in the order of the stream.
pub(super) trait Hands {
    fn open(&mut self, id: MemberId, path: MemberPath, what: Use) -> Result<()>;
    fn data(&mut self, piece: Piece<'_>, what: Use) -> Result<()>;
    fn close(&mut self, end: End, write: bool) -> Result<()>;
    /// Waits until all of it is done. Gives what members came to that ended since the last time.
    fn settle(&mut self) -> Result<Vec<(Place, Print)>>;
}

/// Where members are worked on: one for each thread.
pub(super) struct Desk<'r> {
    writer: MemberWriter<'r>,
    hashes: MemberHashes,
    prints: Vec<(Place, Print)>,
}

impl<'r> Desk<'r> {
    /// A desk that keeps up to `max_open_files` descriptors open.
    pub(super) fn new(root: &'r Root, max_open_files: usize) -> Self {
        Self {
            writer: MemberWriter::new(root, max_open_files),
            hashes: MemberHashes::default(),
            prints: Vec::new(),
        }
    }

    pub(super) fn open(&mut self, id: MemberId, path: MemberPath) -> Result<()> {
        self.writer.open(id, path)
    }

    pub(super) fn data(
        &mut self,
        id: MemberId,
        offset: u64,
        bytes: &[u8],
        what: Use,
    ) -> Result<()> {
        if what.hash {
            self.hashes.update(id, bytes);
        }
        if what.write { self.writer.write(id, offset, bytes) } else { Ok(()) }
    }

    pub(super) fn close(&mut self, end: &End, write: bool) -> Result<()> {
        if let Some(place) = end.place {
            let print = self.hashes.end(end.id, end.path.as_bytes(), end.size);
            self.prints.push((place, print));
        }
        if write { self.writer.close(end.id, end.size) } else { Ok(()) }
    }

    pub(super) fn take_prints(&mut self) -> Vec<(Place, Print)> {
        std::mem::take(&mut self.prints)
    }
}

/// The job's own thread.
pub(super) struct OwnHands<'r, 'p, 'a> {
    pub(super) desk: Desk<'r>,
    pub(super) pulse: &'p Pulse<'a>,
}

impl Hands for OwnHands<'_, '_, '_> {
    fn open(&mut self, id: MemberId, path: MemberPath, what: Use) -> Result<()> {
        if what.write { self.desk.open(id, path) } else { Ok(()) }
    }

    fn data(&mut self, piece: Piece<'_>, what: Use) -> Result<()> {
        self.desk.data(piece.id, piece.offset, piece.bytes, what)
    }

    fn close(&mut self, end: End, write: bool) -> Result<()> {
        self.desk.close(&end, write)?;
        if end.report { self.pulse.member(end.path.as_path(), end.size) } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<Vec<(Place, Print)>> {
        Ok(self.desk.take_prints())
    }
}
