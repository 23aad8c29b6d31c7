//! Members that are compressed or encrypted on their way into the stream.

use super::coders::{Job, Window};
use super::packer::{Outlet, Packer};
use crate::codec::stack::Way;
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::format::xbstream::Coded;
use crate::limits;

/// Members up to this size are encoded by the thread that read them: handing them over takes
/// longer than it saves.
const AT_ONCE: u64 = 64 << 10;

/// A coded member that is in the stream but for its end.
pub(super) struct CodedMember {
    /// Its name with the suffixes.
    pub(super) name: MemberPath,
    pub(super) coded: Coded,
    /// Bytes that it has in the stream.
    pub(super) stored: u64,
    /// Bytes that were read.
    pub(super) plain: u64,
}

/// Reads into the room from an offset on, and gives how much; less than the room at the end only.
type ReadAt<'r> = &'r mut dyn FnMut(&mut [u8], u64) -> Result<usize>;

impl<O: Outlet> Packer<'_, O> {
    /// Packs a whole member of `size` bytes.
    pub(super) fn pack_coded(
        &mut self,
        member: &MemberPath,
        way: Way,
        size: u64,
        read: ReadAt<'_>,
    ) -> Result<()> {
        let packed = self.pack_pieces(member, way, size, read)?;
        self.end(&packed.name, packed.stored, Some(packed.plain), packed.coded)
    }

    /// Packs a member of `size` bytes, or fewer if it shrinks meanwhile, but for its end.
    pub(super) fn pack_pieces(
        &mut self,
        member: &MemberPath,
        way: Way,
        size: u64,
        read: ReadAt<'_>,
    ) -> Result<CodedMember> {
        let name = coded_name(member, &self.options.storing.suffix(way))?;
        let storing = &self.options.storing;
        let compressed = way == Way::Whole && storing.compression.is_some();
        let coded = Coded { compressed, encrypted: storing.encryption.is_some() };
        let mut packed = CodedMember { name, coded, stored: 0, plain: 0 };
        let mut tail = self.spare.pop().unwrap_or_default();
        tail.clear();
        let coders = self.coders;
        let mut window = Window::new(coders);
        let mut ended = false;
        loop {
            while !ended && window.has_room() {
                let mut job = self.read_piece(member, way, packed.plain, size, read)?;
                packed.plain += job.plain.len() as u64;
                ended = job.last;
                if size <= AT_ONCE {
                    job.encode(&mut self.encoders)?;
                    self.pack_stored(&mut packed, &mut tail, job)?;
                } else {
                    window.hand_out(job)?;
                }
            }
            let outlet = &mut *self.outlet;
            match window.take_back(|| outlet.tick())? {
                Some(job) => self.pack_stored(&mut packed, &mut tail, job)?,
                None if ended => break,
                None => {}
            }
        }
        if !tail.is_empty() {
            self.pack_payload(&mut packed, &tail)?;
        }
        self.spare.push(tail);
        Ok(packed)
    }

    fn read_piece(
        &mut self,
        member: &MemberPath,
        way: Way,
        offset: u64,
        size: u64,
        read: ReadAt<'_>,
    ) -> Result<Job> {
        let mut plain = self.spare.pop().unwrap_or_default();
        let left = size.saturating_sub(offset);
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(limits::ENCODE_PIECE);
        plain.resize(want, 0);
        let len = read(&mut plain, offset)?;
        plain.truncate(len);
        let last = len < want || len as u64 == left;
        let stored = self.spare.pop().unwrap_or_default();
        Ok(Job { member: member.clone(), way, offset, plain, last, stored })
    }

    /// Packs what a piece became, in chunks of the full size; the rest waits in `tail`.
    fn pack_stored(
        &mut self,
        packed: &mut CodedMember,
        tail: &mut Vec<u8>,
        job: Job,
    ) -> Result<()> {
        let full = self.options.chunk_size;
        let mut stored = job.stored.as_slice();
        while tail.len() + stored.len() >= full {
            let (some, rest) = stored.split_at(full.saturating_sub(tail.len()).min(stored.len()));
            tail.extend_from_slice(some);
            self.pack_payload(packed, tail)?;
            tail.clear();
            stored = rest;
        }
        tail.extend_from_slice(stored);
        self.spare.push(job.plain);
        self.spare.push(job.stored);
        Ok(())
    }

    fn pack_payload(&mut self, packed: &mut CodedMember, payload: &[u8]) -> Result<()> {
        let name = packed.name.clone();
        self.reserve(&name, payload.len() as u64)?;
        let len = self.pack_chunk(&name, packed.stored, |room| {
            let room = room.get_mut(..payload.len()).ok_or_else(no_room)?;
            room.copy_from_slice(payload);
            Ok(payload.len())
        })?;
        if packed.stored == 0 {
            self.mark_opening(&name, len, packed.coded);
        }
        packed.stored += len as u64;
        Ok(())
    }
}

/// The member's name with the suffixes of its codecs.
fn coded_name(member: &MemberPath, suffix: &str) -> Result<MemberPath> {
    let name = [member.as_bytes(), suffix.as_bytes()].concat();
    let too_long = |limit: usize| {
        let message = format!("with {suffix} the name is longer than {limit} bytes");
        Error::new(ErrorKind::InvalidArgument, message).at_path(member)
    };
    if name.len() > limits::XBSTREAM_PATH {
        return Err(too_long(limits::XBSTREAM_PATH));
    }
    MemberPath::new(&name).map_err(|_| too_long(limits::PATH_COMPONENT))
}

fn no_room() -> Error {
    Error::new(ErrorKind::Panic, "a chunk did not fit its buffer: this is a bug in xbkit")
}
