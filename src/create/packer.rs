//! Files to chunks: what one reading thread does.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::ChangedFiles;
use super::StreamOptions;
use super::audit::{Audit, Audited};
use super::coders::{Coders, Encoders};
#[cfg(feature = "server")]
use super::feed::{Findings, Origin, Reading};
use super::run::{Content, Task, check_manifests_place};
use crate::codec::stack::Way;
use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::format::any::Format;
use crate::format::member::MemberPath;
use crate::format::tar;
use crate::format::xbstream::{
    Coded, Dialect, HEADER_LEN, PayloadSum, SparseRun, announce_manifest, append_end,
    append_sparse_header, mark_coded, mark_within, payload_header_len, put_payload_header,
};
use crate::innodb::space::{FLAGS_END, is_encrypted};
use crate::limits;
use crate::sys::file::{self, Extent, FileFacts, Fingerprint};

/// Room in a parcel beyond one chunk's payload: the longest headers of a payload and an end chunk,
/// or of a member of a tar archive.
const HEADERS: usize = 8192;

/// Most that the begin of a parcel can be aligned to.
const MAX_ALIGNMENT: usize = 4096;

/// Most runs in a sparse chunk of ours, so that its header fits into [`HEADERS`].
const MAX_RUNS: usize = 128;

/// Whole chunks on their way to the sink.
pub(crate) struct Parcel {
    bytes: Box<[u8]>,
    /// Where its first chunk begins.
    begin: usize,
    filled: usize,
    /// Where in it are bytes that are no payload, in order.
    frames: Vec<Range<usize>>,
    /// Where in it is payload that has yet to be hashed, in order.
    unhashed: Vec<Range<usize>>,
    /// Members that end in it.
    pub(super) ended: Vec<Ended>,
    /// Files that changed while they were being read.
    pub(super) changed: Vec<PathBuf>,
    /// Tablespaces whose pages were checked, all of them.
    pub(super) audited: Vec<Audited>,
}

impl Parcel {
    pub(super) fn new(chunk_size: usize) -> Self {
        Self::reuse(vec![0; chunk_size + HEADERS].into_boxed_slice())
    }

    pub(super) fn reuse(bytes: Box<[u8]>) -> Self {
        let (frames, unhashed, ended, changed, audited) = Default::default();
        Self { bytes, begin: 0, filled: 0, frames, unhashed, ended, changed, audited }
    }

    pub(super) fn chunks(&self) -> &[u8] {
        self.bytes.get(self.begin..self.filled).unwrap_or_default()
    }

    /// Payload that its reader has left to be hashed, and where it begins.
    pub(super) fn unhashed(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.unhashed.iter().map(move |range| (range.start, bytes(range)))
    }

    /// All bytes that are no payload.
    pub(super) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(|frame| self.bytes.get(frame.clone()).unwrap_or_default())
    }

    /// Makes the stream's first parcel say that a manifest comes.
    pub(super) fn announce_manifest(&mut self) {
        announce_manifest(self.bytes.get_mut(self.begin..).unwrap_or_default());
    }

    pub(super) fn into_buffer(self) -> Box<[u8]> {
        self.bytes
    }

    fn is_empty(&self) -> bool {
        self.filled == self.begin
    }

    /// Moves the begin of an empty parcel so that what comes behind a header of this length stands
    /// at a multiple of `alignment` in memory.
    #[cfg(feature = "server")]
    fn align(&mut self, header_len: usize, alignment: usize) {
        let behind = self.bytes.as_ptr().wrapping_add(header_len);
        let gap = behind.align_offset(alignment);
        if self.is_empty() && gap < MAX_ALIGNMENT {
            (self.begin, self.filled) = (gap, gap);
        }
    }

    fn free(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let room = self.free().get_mut(..bytes.len()).ok_or_else(no_room)?;
        room.copy_from_slice(bytes);
        self.filled += bytes.len();
        Ok(())
    }

    /// Says that the chunk that begins at `start` opens a member that is coded so.
    fn mark_coded(&mut self, start: usize, coded: Coded) {
        mark_coded(self.bytes.get_mut(start..).unwrap_or_default(), coded);
    }

    fn append_frame(&mut self, bytes: &[u8]) -> Result<()> {
        self.append(bytes)?;
        self.note_frame(self.filled - bytes.len()..self.filled);
        Ok(())
    }

    fn note_frame(&mut self, frame: Range<usize>) {
        match self.frames.last_mut() {
            Some(last) if last.end == frame.start => last.end = frame.end,
            _ => self.frames.push(frame),
        }
    }
}

/// A member that ended.
pub(super) struct Ended {
    pub(super) path: MemberPath,
    /// In the stream.
    pub(super) size: u64,
    /// Before it was compressed or encrypted, if it was.
    pub(super) plain_size: Option<u64>,
    /// Of its bytes, if there will be a manifest and its reader has hashed them.
    pub(super) hash: Option<blake3::Hash>,
    /// Where in the parcel it ends.
    pub(super) at: usize,
}

/// Where full parcels go; gives an empty one back.
pub(super) trait Outlet {
    fn ship(&mut self, parcel: Parcel) -> Result<Parcel>;

    /// To be called while the reader waits for others; an error ends it.
    fn tick(&mut self) -> Result<()>;
}

/// Reads files and packs them into parcels.
pub(super) struct Packer<'o, O: Outlet> {
    pub(super) options: &'o StreamOptions,
    pub(super) coders: &'o Coders,
    pub(super) encoders: Encoders<'o>,
    pub(super) outlet: &'o mut O,
    /// `None` only after the outlet failed.
    parcel: Option<Parcel>,
    scratch: Vec<u8>,
    /// Of the member's bytes so far, if there will be a manifest.
    hasher: Option<blake3::Hasher>,
    /// Whether the member is left to be hashed by the thread that writes.
    leaves_hash: bool,
    /// Buffers to be used again.
    pub(super) spare: Vec<Vec<u8>>,
}

impl<'o, O: Outlet> Packer<'o, O> {
    pub(super) fn new(
        options: &'o StreamOptions,
        coders: &'o Coders,
        outlet: &'o mut O,
        parcel: Parcel,
    ) -> Self {
        Self {
            options,
            coders,
            encoders: Encoders::new(&options.storing),
            outlet,
            parcel: Some(parcel),
            scratch: Vec::new(),
            hasher: options.manifest.then(blake3::Hasher::new),
            leaves_hash: false,
            spare: Vec::new(),
        }
    }

    /// Packs a whole member.
    pub(super) fn pack(&mut self, task: &Task) -> Result<()> {
        if self.options.manifest {
            check_manifests_place(&task.member)?; // of tasks that nobody knew before
        }
        if self.options.format == Format::Tar {
            return self.pack_tar(task);
        }
        match &task.content {
            Content::File { path, .. } => self.pack_file(&task.member, path),
            #[cfg(feature = "server")]
            Content::Origin(origin) => self.pack_origin(&task.member, origin.0.as_ref()),
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                self.begin_member(size);
                let way = self.options.storing.way(task.member.as_bytes());
                if way != Way::Plain {
                    return self.pack_coded(&task.member, way, size, &mut |room, at| {
                        let at = usize::try_from(at).unwrap_or(usize::MAX);
                        Ok(copy(room, bytes.get(at..).unwrap_or_default()))
                    });
                }
                self.reserve(&task.member, size)?;
                self.pack_chunk(&task.member, 0, |room| Ok(copy(room, bytes)))?;
                self.end(&task.member, size, None, Coded::default())
            }
        }
    }

    /// Makes the chunk packed last, of `len` payload bytes, say how the member is coded.
    pub(super) fn mark_opening(&mut self, member: &MemberPath, len: usize, coded: Coded) {
        if let Some(parcel) = self.parcel.as_mut().filter(|_| self.options.manifest) {
            let chunk = payload_header_len(member.as_bytes()) + len;
            parcel.mark_coded(parcel.filled.saturating_sub(chunk), coded);
        }
    }

    /// Ships what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.ship()
    }

    /// Ships what there is so far.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.ship()
    }

    #[cfg(feature = "server")]
    fn pack_origin(&mut self, member: &MemberPath, origin: &dyn Origin) -> Result<()> {
        let Some(mut reading) = origin.open()? else { return Ok(()) };
        let size = reading.size();
        self.begin_member(size);
        let way = self.options.storing.way(member.as_bytes());
        if way != Way::Plain {
            self.pack_coded(member, way, size, &mut |room, at| {
                reading.read(room, at, &mut |_| {})
            })?;
            return self.end_reading(member, reading.as_mut());
        }
        self.reserve(member, size)?;
        let mut offset = 0;
        while offset < size {
            let left = size - offset;
            self.reserve(member, left)?;
            let mut short = false;
            self.align(member, reading.alignment())?;
            let read = self.pack_seen(member, offset, |room, see| {
                let want = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
                let read = reading.read(room.get_mut(..want).unwrap_or_default(), offset, see)?;
                short = read < want;
                Ok(read)
            })?;
            offset += read as u64;
            if short {
                break;
            }
        }
        self.end_reading(member, reading.as_mut())?;
        self.end(member, offset, None, Coded::default())
    }

    /// Has the payload of the next chunk stand well in memory, if nothing stands before it.
    #[cfg(feature = "server")]
    fn align(&mut self, member: &MemberPath, alignment: usize) -> Result<()> {
        let header_len = payload_header_len(member.as_bytes());
        self.parcel.as_mut().ok_or_else(no_room)?.align(header_len, alignment);
        Ok(())
    }

    /// Everything of an origin is packed.
    #[cfg(feature = "server")]
    pub(super) fn end_reading(
        &mut self,
        member: &MemberPath,
        reading: &mut dyn Reading,
    ) -> Result<()> {
        if let Some(Findings { file, bad }) = reading.findings() {
            let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
            parcel.audited.push(Audited { member: member.clone(), file, bad });
        }
        Ok(())
    }

    pub(super) fn outlet(&mut self) -> &mut O {
        self.outlet
    }

    pub(super) fn chunk_size(&self) -> usize {
        self.options.chunk_size
    }

    /// Makes sure that the parcel takes so many bytes.
    pub(super) fn make_room(&mut self, len: usize) -> Result<()> {
        let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
        if parcel.free().len() < len { self.ship() } else { Ok(()) }
    }

    pub(super) fn append_frame(&mut self, bytes: &[u8]) -> Result<()> {
        self.parcel.as_mut().ok_or_else(no_room)?.append_frame(bytes)
    }

    /// A member of `size` bytes begins. A single reader leaves small ones to be hashed by the
    /// thread that writes, which has less to do with them than their reader has; large ones it
    /// hashes itself, as there it is the other way round.
    pub(super) fn begin_member(&mut self, size: u64) {
        self.leaves_hash = self.options.parallel == 1 && size <= self.options.chunk_size as u64;
    }

    /// Hashes the last `len` bytes of the parcel, which are payload, or leaves them to be hashed.
    fn hash(&mut self, len: usize) -> Result<()> {
        let Some(hasher) = &mut self.hasher else { return Ok(()) };
        let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
        let range = parcel.filled - len..parcel.filled;
        if self.leaves_hash {
            parcel.unhashed.push(range);
        } else {
            hasher.update(parcel.bytes.get(range).unwrap_or_default());
        }
        Ok(())
    }

    /// Packs up to `most` bytes of payload that `read` puts into the room it gets.
    pub(super) fn pack_bytes(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        let limit = most.min(self.options.chunk_size);
        let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
        let room = parcel.free();
        let limit = limit.min(room.len());
        let room = room.get_mut(..limit).unwrap_or_default();
        let len = read(room)?;
        parcel.filled += len;
        self.hash(len)?;
        Ok(len)
    }

    fn pack_file(&mut self, member: &MemberPath, path: &Path) -> Result<()> {
        let (mut source, before) = SourceFile::open(path)?;
        let size = before.fingerprint.size;
        self.begin_member(size);
        let way = self.way(member, &source)?;
        source.audit(Audit::of(member, self.options.pages));
        if way != Way::Plain {
            if size > self.options.chunk_size as u64 {
                file::advise_sequential(&source.file);
            }
            let packed =
                self.pack_pieces(member, way, size, &mut |room, at| source.read(room, at))?;
            self.end_audit(&source, packed.plain)?;
            let after = source.facts()?;
            self.check_unchanged(path, &before, &after, packed.plain)?;
            return self.end(&packed.name, packed.stored, Some(packed.plain), packed.coded);
        }
        self.reserve(member, size)?;
        let copied = if self.options.dialect == Dialect::Percona && before.allocated < size {
            self.pack_sparse(member, &source, size)?
        } else {
            self.pack_plain(member, &source, size)?
        };
        self.end_audit(&source, copied)?;
        let after = source.facts()?;
        self.check_unchanged(path, &before, &after, copied)?;
        self.end(member, copied, None, Coded::default())
    }

    /// What is done with a file: MySQL's encrypted tablespaces do not compress.
    fn way(&self, member: &MemberPath, source: &SourceFile<'_>) -> Result<Way> {
        let way = self.options.storing.way(member.as_bytes());
        let name = member.as_bytes();
        if way != Way::Whole || !(name.ends_with(b".ibd") || name.ends_with(b".ibu")) {
            return Ok(way);
        }
        let mut page = [0; FLAGS_END];
        let len = source.read(&mut page, 0)?;
        let encrypted = is_encrypted(page.get(..len).unwrap_or_default());
        Ok(if encrypted { self.options.storing.uncompressed() } else { way })
    }

    /// Copies `size` bytes, or fewer if the file shrinks meanwhile. Gives their number.
    fn pack_plain(
        &mut self,
        member: &MemberPath,
        source: &SourceFile<'_>,
        size: u64,
    ) -> Result<u64> {
        if size > self.options.chunk_size as u64 {
            file::advise_sequential(&source.file);
        }
        let mut offset = 0;
        while offset < size {
            let left = size - offset;
            self.reserve(member, left)?;
            let read = self.pack_seen(member, offset, |room, see| {
                let want = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
                source.read_seen(room.get_mut(..want).unwrap_or_default(), offset, see)
            })?;
            if read == 0 {
                break;
            }
            offset += read as u64;
        }
        Ok(offset)
    }

    /// Makes sure that the parcel takes `size` bytes of the member, or a whole chunk if that is
    /// less, so that big files are cut at multiples of the chunk size and small ones share.
    pub(super) fn reserve(&mut self, member: &MemberPath, size: u64) -> Result<()> {
        let chunk = usize::try_from(size).unwrap_or(usize::MAX).min(self.options.chunk_size);
        let path = member.as_bytes();
        let need = payload_header_len(path) + chunk + HEADER_LEN + path.len();
        let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
        if parcel.free().len() < need { self.ship() } else { Ok(()) }
    }

    /// Packs one chunk of what `read` puts into the room it gets, and gives the length.
    pub(super) fn pack_chunk(
        &mut self,
        member: &MemberPath,
        offset: u64,
        read: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        self.pack_seen(member, offset, |room, see| {
            let len = read(room)?;
            see(room.get(..len).unwrap_or_default());
            Ok(len)
        })
    }

    /// The same of what `read` shows as it reads it.
    fn pack_seen(
        &mut self,
        member: &MemberPath,
        offset: u64,
        read: impl FnOnce(&mut [u8], &mut dyn FnMut(&[u8])) -> Result<usize>,
    ) -> Result<usize> {
        let path = member.as_bytes();
        let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
        let (header, room) =
            parcel.free().split_at_mut_checked(payload_header_len(path)).ok_or_else(no_room)?;
        let limit = room.len().min(self.options.chunk_size);
        let room = room.get_mut(..limit).unwrap_or_default();
        let mut sum = PayloadSum::default();
        let leaves_hash = self.leaves_hash;
        let mut hasher = self.hasher.as_mut().filter(|_| !leaves_hash);
        let len = read(room, &mut |piece| {
            sum.update(piece);
            if let Some(hasher) = &mut hasher {
                hasher.update(piece);
            }
        })?;
        if len == 0 {
            return Ok(0);
        }
        let header_len = put_payload_header(header, path, offset, len as u64, sum.end())?;
        if self.options.manifest {
            mark_within(header);
        }
        parcel.note_frame(parcel.filled..parcel.filled + header_len);
        parcel.filled += header_len + len;
        if leaves_hash {
            self.hash(len)?;
        }
        Ok(len)
    }

    /// Copies a file with holes as sparse chunks. Gives the bytes copied, holes included.
    fn pack_sparse(
        &mut self,
        member: &MemberPath,
        source: &SourceFile<'_>,
        size: u64,
    ) -> Result<u64> {
        let mut payload = std::mem::take(&mut self.scratch);
        payload.resize(self.options.chunk_size, 0);
        let mut offset = 0;
        while offset < size {
            let chunk = read_sparse(source, offset, size, &mut payload)?;
            let data = payload.get(..chunk.data).unwrap_or_default();
            self.ship()?;
            let mut header = Vec::new();
            append_sparse_header(&mut header, member.as_bytes(), offset, &chunk.runs, data)?;
            if self.options.manifest {
                mark_within(&mut header);
            }
            let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
            parcel.append_frame(&header)?;
            parcel.append(data)?;
            self.hash(data.len())?;
            offset = chunk.end;
            if chunk.short {
                break;
            }
        }
        self.scratch = payload;
        Ok(offset)
    }

    /// All `size` bytes of the file are packed.
    pub(super) fn end_audit(&mut self, source: &SourceFile<'_>, size: u64) -> Result<()> {
        if let Some(audited) = source.end_audit(size)? {
            self.parcel.as_mut().ok_or_else(no_room)?.audited.push(audited);
        }
        Ok(())
    }

    pub(super) fn check_unchanged(
        &mut self,
        path: &Path,
        before: &FileFacts,
        after: &FileFacts,
        copied: u64,
    ) -> Result<()> {
        if before.fingerprint == after.fingerprint && copied == before.fingerprint.size {
            return Ok(());
        }
        match self.options.changed {
            ChangedFiles::Warn => {
                let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
                parcel.changed.push(path.to_owned());
                Ok(())
            }
            ChangedFiles::Refuse => Err(changed(path, &before.fingerprint, &after.fingerprint)),
        }
    }

    /// Ends a member of `size` bytes in the stream.
    pub(super) fn end(
        &mut self,
        member: &MemberPath,
        size: u64,
        plain_size: Option<u64>,
        coded: Coded,
    ) -> Result<()> {
        let mut chunk = Vec::with_capacity(HEADER_LEN + member.as_bytes().len());
        append_end(&mut chunk, member.as_bytes())?;
        if self.options.manifest {
            mark_within(&mut chunk);
            if size == 0 {
                mark_coded(&mut chunk, coded);
            }
        }
        if self.parcel.as_mut().ok_or_else(no_room)?.free().len() < chunk.len() {
            self.ship()?;
        }
        self.append_frame(&chunk)?;
        self.note_ended(member, size, plain_size)
    }

    pub(super) fn note_ended(
        &mut self,
        member: &MemberPath,
        size: u64,
        plain_size: Option<u64>,
    ) -> Result<()> {
        let parcel = self.parcel.as_mut().ok_or_else(no_room)?;
        let hasher = self.hasher.as_mut().filter(|_| !self.leaves_hash);
        let hash = hasher.map(|hasher| {
            let hash = hasher.finalize();
            hasher.reset();
            hash
        });
        let at = parcel.filled;
        parcel.ended.push(Ended { path: member.clone(), size, plain_size, hash, at });
        Ok(())
    }

    fn ship(&mut self) -> Result<()> {
        let parcel = self.parcel.take().ok_or_else(no_room)?;
        let is_empty = parcel.is_empty() && parcel.changed.is_empty() && parcel.audited.is_empty();
        self.parcel = Some(if is_empty { parcel } else { self.outlet.ship(parcel)? });
        Ok(())
    }
}

/// A sparse chunk, read.
struct SparseChunk {
    runs: Vec<SparseRun>,
    /// Bytes of payload.
    data: usize,
    /// Where in the file the chunk ends.
    end: u64,
    /// The file ended before its size.
    short: bool,
}

/// Reads from `offset` on until the payload is full, the map is long, or `size` is reached.
fn read_sparse(
    source: &SourceFile<'_>,
    offset: u64,
    size: u64,
    payload: &mut [u8],
) -> Result<SparseChunk> {
    let mut chunk = SparseChunk { runs: Vec::new(), data: 0, end: offset, short: false };
    while chunk.end < size && chunk.data < payload.len() && chunk.runs.len() < MAX_RUNS {
        let extent = source.next_data(chunk.end)?;
        let (start, data_end) = extent.map_or((size, size), |extent| (extent.start, extent.end));
        // A longer hole goes on in the next round.
        let skip = u32::try_from(start.min(size) - chunk.end).unwrap_or(u32::MAX);
        chunk.end += u64::from(skip);
        let mut len = 0;
        if chunk.end == start && start < size {
            let room = payload.get_mut(chunk.data..).unwrap_or_default();
            let want = usize::try_from(data_end.min(size) - start).unwrap_or(usize::MAX);
            let want = want.min(room.len());
            len = source.read(room.get_mut(..want).unwrap_or_default(), start)?;
            chunk.short = len < want;
        }
        chunk.runs.push(SparseRun { skip, len: u32::try_from(len).unwrap_or(0) });
        chunk.data += len;
        chunk.end += len as u64;
        if chunk.short {
            break;
        }
    }
    Ok(chunk)
}

/// What is read at once and then summed and hashed: it fits into a core's own cache. A multiple of
/// all page sizes.
const PIECE: usize = 128 << 10;

/// A file being read. Its errors name it; those of the sink do not.
pub(super) struct SourceFile<'p> {
    file: File,
    path: &'p Path,
    audit: RefCell<Option<Audit>>,
    opened: Fingerprint,
}

impl<'p> SourceFile<'p> {
    pub(super) fn open(path: &'p Path) -> Result<(Self, FileFacts)> {
        let file = file::open_read(path).map_err(|error| {
            Error::io(ErrorKind::Source, "opening the file", error).at_path(path)
        })?;
        let facts = file::facts(&file).map_err(|error| {
            Error::io(ErrorKind::Source, "looking at the file", error).at_path(path)
        })?;
        let opened = facts.fingerprint;
        let source = Self { file, path, audit: RefCell::default(), opened };
        if facts.is_regular {
            return Ok((source, facts));
        }
        let message = "not a regular file, so it cannot be streamed";
        Err(Error::new(ErrorKind::Unsupported, message).at_path(path))
    }

    pub(super) fn facts(&self) -> Result<FileFacts> {
        file::facts(&self.file).map_err(|error| self.error("looking at the file", error))
    }

    /// What is read from now on, front to back, is shown to the audit.
    pub(super) fn audit(&mut self, audit: Option<Audit>) {
        self.audit = RefCell::new(audit);
    }

    fn end_audit(&self, size: u64) -> Result<Option<Audited>> {
        let audited = self.audit.take().map(|audit| audit.end(self.path, size)).transpose();
        audited.map_err(|error| self.unless_changed(error))
    }

    /// What is wrong with the pages of a file that changes is not what matters.
    fn unless_changed(&self, error: Error) -> Error {
        match self.facts() {
            Ok(now) if now.fingerprint != self.opened => {
                changed(self.path, &self.opened, &now.fingerprint)
            }
            _ => error,
        }
    }

    pub(super) fn advise_sequential(&self) {
        file::advise_sequential(&self.file);
    }

    fn next_data(&self, offset: u64) -> Result<Option<Extent>> {
        file::next_data(&self.file, offset)
            .map_err(|error| self.error("looking for holes", error).at_file(offset))
    }

    /// Reads until the room is full or the file ends.
    pub(super) fn read(&self, room: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = room.get_mut(filled..) {
            let at = offset + filled as u64;
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error("reading the file", error).at_file(at)),
            }
        }
        if let Some(audit) = &mut *self.audit.borrow_mut() {
            let bytes = room.get(..filled).unwrap_or_default();
            audit.see(self.path, offset, bytes).map_err(|error| self.unless_changed(error))?;
        }
        Ok(filled)
    }

    /// The same, and shows it piece by piece, while it is in the processor's cache.
    fn read_seen(&self, room: &mut [u8], offset: u64, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let mut filled = 0;
        for piece in room.chunks_mut(PIECE) {
            let len = self.read(piece, offset + filled as u64)?;
            see(piece.get(..len).unwrap_or_default());
            filled += len;
            if len < piece.len() {
                break;
            }
        }
        Ok(filled)
    }

    fn error(&self, what: &'static str, error: io::Error) -> Error {
        Error::io(ErrorKind::Source, what, error).at_path(self.path)
    }
}

/// Copies what fits, and gives how much.
fn copy(room: &mut [u8], bytes: &[u8]) -> usize {
    room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    room.len().min(bytes.len())
}

pub(super) fn no_room() -> Error {
    Error::new(ErrorKind::Panic, "a chunk did not fit its buffer: this is a bug in xbkit")
}

fn changed(path: &Path, before: &Fingerprint, after: &Fingerprint) -> Error {
    let (before, after) = (before.size, after.size);
    let message =
        format!("the file changed while it was being read: it had {before} bytes, now {after}");
    Error::new(ErrorKind::FileChanged, message)
        .at_path(path)
        .hint("stop what writes to it, and start again")
}

/// The warning about a file that changed.
pub(super) fn changed_warning(path: &Path) -> String {
    format!("{}: file changed as it was read; the stream holds what was read", escape_path(path))
}

/// Bytes that a member of `size` bytes takes in a stream without holes, beside its payload.
pub(super) fn frames_len(member: &MemberPath, size: u64, options: &StreamOptions) -> u64 {
    let path = member.as_bytes();
    if options.format == Format::Tar {
        return tar::member_len(path, size) - size;
    }
    let chunk_size = options.chunk_size;
    let chunks = size.div_ceil(chunk_size as u64);
    chunks * payload_header_len(path) as u64 + (HEADER_LEN + path.len()) as u64
}

// The headers of a sparse chunk with the longest path, and of the end chunk behind it.
// And records with the longest path and a size, a header, and what fills up the last block.
const _: () = assert!(HEADERS >= 3 * tar::BLOCK + limits::TAR_PATH + 64 + 2 * tar::BLOCK);
const _: () = assert!(HEADERS >= 2 * (HEADER_LEN + limits::XBSTREAM_PATH) + 24 + MAX_RUNS * 8);
// The headers of a payload with the longest path, behind a begin that was moved.
const _: () = assert!(HEADERS >= MAX_ALIGNMENT + 2 * (HEADER_LEN + limits::XBSTREAM_PATH) + 24);
