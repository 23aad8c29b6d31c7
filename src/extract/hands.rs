//! Who hashes and writes members: the job's own thread, or workers.

use std::ops::Range;
use std::sync::Arc;

use super::peelers::Peelers;
use super::root::Root;
use super::units::Decoders;
use super::writer::MemberWriter;
use crate::error::Result;
use crate::format::member::{MemberId, MemberPath};
use crate::io::pulse::Pulse;
use crate::io::unpack::{Decoding, Layers};
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
    /// The name of its file, if that is another one, because layers are taken off.
    pub(super) decoded: Option<MemberPath>,
    /// Whether the observer is told.
    pub(super) report: bool,
}

/// Takes the work that a stream makes, in the order of the stream.
pub(super) trait Hands {
    fn open(&mut self, id: MemberId, target: Target, what: Use) -> Result<()>;
    fn data(&mut self, piece: Piece<'_>, what: Use) -> Result<()>;
    fn close(&mut self, end: End, write: bool) -> Result<()>;
    /// Waits until all of it is done. Gives what members came to that ended since the last time.
    fn settle(&mut self) -> Result<Vec<(Place, Print)>>;
    /// Plain bytes of members that were decoded and ended since the last time.
    fn decoded_bytes(&mut self) -> u64;
}

/// Where a member is written.
#[derive(Debug)]
pub(super) enum Target {
    /// As it is, into this file.
    AsIs(MemberPath),
    /// Without its layers.
    Decoded(Layers),
}

/// What is told of a member that ended: the name and size of its file.
pub(super) type Written = (MemberPath, u64);

/// Where members are worked on: one for each thread.
pub(super) struct Desk<'r> {
    writer: MemberWriter<'r>,
    peelers: Peelers<'r>,
    decoded_bytes: u64,
    hashes: MemberHashes,
    prints: Vec<(Place, Print)>,
}

impl<'r> Desk<'r> {
    /// A desk that keeps up to `max_open_files` descriptors open.
    pub(super) fn new(
        (root, decoding): (&'r Root, &'r Decoding),
        decoders: Arc<Decoders<'r>>,
        max_open_files: usize,
    ) -> Self {
        Self {
            writer: MemberWriter::new(root, max_open_files),
            peelers: Peelers::new(decoding, decoders),
            decoded_bytes: 0,
            hashes: MemberHashes::default(),
            prints: Vec::new(),
        }
    }

    pub(super) fn open(&mut self, id: MemberId, target: Target) -> Result<()> {
        match target {
            Target::AsIs(path) => self.writer.open(id, path),
            Target::Decoded(layers) => {
                self.peelers.open(id, &layers)?;
                self.writer.open(id, layers.path)
            }
        }
    }

    /// Gives what should be told of it.
    pub(super) fn data(
        &mut self,
        id: MemberId,
        offset: u64,
        bytes: &[u8],
        what: Use,
    ) -> Result<Option<&'static str>> {
        if what.hash {
            self.hashes.update(id, bytes);
        }
        if !what.write {
            return Ok(None);
        }
        let writer = &mut self.writer;
        let write = &mut |id, offset, bytes: &[u8]| writer.write(id, offset, bytes);
        if self.peelers.data(id, offset, bytes, write)? {
            return Ok(self.peelers.warning(id));
        }
        self.writer.write(id, offset, bytes)?;
        Ok(None)
    }

    pub(super) fn close(&mut self, end: End, write: bool) -> Result<Written> {
        if let Some(place) = end.place {
            let print = self.hashes.end(end.id, end.path.as_bytes(), end.size);
            self.prints.push((place, print));
        }
        let mut size = end.size;
        if write {
            let writer = &mut self.writer;
            let write = &mut |id, offset, bytes: &[u8]| writer.write(id, offset, bytes);
            if let Some(plain) = self.peelers.close(end.id, size, write)? {
                size = plain;
                self.decoded_bytes += plain;
            }
            self.writer.close(end.id, size)?;
        }
        Ok((end.decoded.unwrap_or(end.path), size))
    }

    /// Waits for what others decode.
    pub(super) fn rest(&mut self) -> Result<()> {
        let writer = &mut self.writer;
        self.peelers.rest(&mut |id, offset, bytes| writer.write(id, offset, bytes))
    }

    pub(super) fn take_decoded_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.decoded_bytes)
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
    fn open(&mut self, id: MemberId, target: Target, what: Use) -> Result<()> {
        if what.write { self.desk.open(id, target) } else { Ok(()) }
    }

    fn data(&mut self, piece: Piece<'_>, what: Use) -> Result<()> {
        match self.desk.data(piece.id, piece.offset, piece.bytes, what)? {
            Some(warning) => self.pulse.warn(warning),
            None => Ok(()),
        }
    }

    fn close(&mut self, end: End, write: bool) -> Result<()> {
        let report = end.report;
        let (path, size) = self.desk.close(end, write)?;
        if report { self.pulse.member(path.as_path(), size) } else { Ok(()) }
    }

    fn decoded_bytes(&mut self) -> u64 {
        self.desk.take_decoded_bytes()
    }

    fn settle(&mut self) -> Result<Vec<(Place, Print)>> {
        Ok(self.desk.take_prints())
    }
}
