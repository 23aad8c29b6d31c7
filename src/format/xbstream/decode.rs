//! Bytes to items: the sans-I/O reader of xbstream.

use super::encode::SparseRun;
use super::header::{self, Body, Header};
use super::members::Members;
use super::{
    FLAG_COMPRESSED, FLAG_ENCRYPTED, FLAG_IGNORABLE, FLAG_MANIFEST, FLAG_REWRITE, FLAG_WITHIN,
    FLAGS_CODED, MAGIC,
};
use crate::error::{Error, ErrorKind, Result};
use crate::format::framing::{Framing, FramingDigest, MANIFEST_NAME, ManifestPlace};
use crate::format::member::{MemberId, MemberPath, normalize};
use crate::limits;

/// One thing that a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'i> {
    /// A member begins.
    Open {
        /// The member's number.
        id: MemberId,
        /// Its path.
        path: MemberPath,
        /// Whether it replaces a closed member of this path (MariaDB).
        rewrite: bool,
    },
    /// Bytes of a member. They are provisional: the checksum over them is compared at the end of
    /// their chunk, so trust them once the member was closed without an error.
    Data {
        /// The member's number.
        id: MemberId,
        /// Where the bytes belong, from the member's beginning.
        offset: u64,
        /// The bytes: the last of the input that the step consumed.
        bytes: &'i [u8],
    },
    /// Bytes of a member that are all zero and need no disk space. No item has covered any of
    /// them before, so there is nothing to erase.
    Hole {
        /// The member's number.
        id: MemberId,
        /// Where the hole begins.
        offset: u64,
        /// How long it is, in bytes.
        len: u64,
    },
    /// A member is complete. Bytes below `size` that no item covered are zero.
    Close {
        /// The member's number.
        id: MemberId,
        /// Its path.
        path: MemberPath,
        /// Its size in bytes.
        size: u64,
    },
    /// A closed member gets another path (MariaDB).
    Rename {
        /// Path so far.
        from: MemberPath,
        /// Path from now on.
        to: MemberPath,
        /// Whether a closed member had the new path until now, and is gone.
        replaces: bool,
    },
    /// A closed member is taken back (MariaDB).
    Remove {
        /// Its path.
        path: MemberPath,
    },
    /// A directory (tar). It may be told more than once, before or after what is in it.
    Directory {
        /// Its path.
        path: MemberPath,
    },
}

impl Item<'_> {
    /// The item with the data bytes left out, bound to no input any more.
    pub(crate) fn without_bytes<'o>(self) -> Item<'o> {
        match self {
            Self::Open { id, path, rewrite } => Item::Open { id, path, rewrite },
            Self::Data { id, offset, .. } => Item::Data { id, offset, bytes: &[] },
            Self::Hole { id, offset, len } => Item::Hole { id, offset, len },
            Self::Close { id, path, size } => Item::Close { id, path, size },
            Self::Rename { from, to, replaces } => Item::Rename { from, to, replaces },
            Self::Remove { path } => Item::Remove { path },
            Self::Directory { path } => Item::Directory { path },
        }
    }
}

/// How a member is coded, as its stream says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coded {
    pub(crate) compressed: bool,
    pub(crate) encrypted: bool,
}

/// What one call of [`Decoder::decode`] did.
#[derive(Debug)]
pub struct Step<'i> {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// What they said; `None` when all input was consumed and more is needed.
    pub item: Option<Item<'i>>,
}

/// The reader's place within a chunk.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Collecting a header.
    Header,
    /// Within the payload of a `P`.
    Payload { left: u64 },
    /// Within the body of an unknown chunk that may be skipped.
    Ignored { left: u64 },
    /// Collecting the map of a sparse chunk whose payload has `payload` bytes.
    Map { entries: u32, payload: u64 },
    /// Before run `next` of a sparse chunk.
    Run { next: usize },
    /// Within the data of the run before `next`.
    RunData { next: usize, left: u32 },
    /// An `E` was read; its member is open.
    End,
    /// An error was returned.
    Failed,
}

/// The chunk being read.
#[derive(Debug)]
struct Chunk {
    /// Stream offset of its header.
    start: u64,
    member: Option<(MemberId, MemberPath)>,
    /// Where in the member the next payload byte belongs.
    offset: u64,
    stored_crc: u32,
    crc: crc32fast::Hasher,
    /// Those of its flags that say how a member is coded.
    coded: u8,
    /// Whether bytes of it were passed over, so that its checksum says nothing.
    skipped: bool,
}

/// What comes next in a stream, if that is payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// The member it belongs to; `None` in a chunk that readers may skip.
    pub(crate) member: Option<MemberId>,
    /// Where in the member it begins.
    pub(crate) offset: u64,
    /// How many bytes, at least one.
    pub(crate) len: u64,
}

/// Reads xbstream from slices as they come, of any length, and holds neither payload nor files.
///
/// Memory: a header of at most 1,060 bytes, a sparse map (8 bytes an entry, up to
/// [`limits::SPARSE_MAP_ENTRIES`], grown as it arrives), about 150 bytes and the path for each
/// open member, and about 30 bytes for each closed one.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The header so far, or the entry of a sparse map so far.
    head: Vec<u8>,
    map: Vec<SparseRun>,
    chunk: Chunk,
    members: Members,
    /// Stream bytes consumed.
    offset: u64,
    /// Whether the first chunk announced a manifest.
    announced: bool,
    manifest: ManifestPlace,
    /// The framing before the manifest.
    framing: Framing,
}

/// Flags that chunks before the manifest may have.
const KNOWN_FLAGS: u8 = FLAG_IGNORABLE | FLAG_REWRITE | FLAGS_CODED;

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        let crc = crc32fast::Hasher::new();
        Self {
            state: State::Header,
            head: Vec::with_capacity(header::MAX_LEN),
            map: Vec::new(),
            chunk: Chunk {
                start: 0,
                member: None,
                offset: 0,
                stored_crc: 0,
                crc,
                coded: 0,
                skipped: false,
            },
            members: Members::default(),
            offset: 0,
            announced: false,
            manifest: ManifestPlace::Ahead,
            framing: Framing::default(),
        }
    }

    /// Stream bytes consumed so far.
    pub fn stream_offset(&self) -> u64 {
        self.offset
    }

    /// Whether the stream's beginning announced a manifest at its end.
    pub(crate) fn announces_manifest(&self) -> bool {
        self.announced
    }

    /// How the member is coded that the last item opens; `None` if only its name can say, as in
    /// streams of other programs.
    pub(crate) fn opens_coded(&self) -> Option<Coded> {
        self.announced.then_some(Coded {
            compressed: self.chunk.coded & FLAG_COMPRESSED != 0,
            encrypted: self.chunk.coded & FLAG_ENCRYPTED != 0,
        })
    }

    /// What stood before the manifest, besides payloads. Empty unless one was announced.
    pub(crate) fn framing(&self) -> FramingDigest {
        self.framing.digest()
    }

    /// Reads `input` up to the next item, or to its end.
    ///
    /// # Errors
    /// `Format`, `Checksum`, `UnsafePath` and `Limit`, with the stream offset of the chunk's
    /// header, and the member where one is known. Afterwards every call gives `InvalidState`.
    pub fn decode<'i>(&mut self, input: &'i [u8]) -> Result<Step<'i>> {
        let mut rest = input;
        let result = loop {
            match self.step(&mut rest) {
                Ok(None) if rest.is_empty() && !self.owes_item() => break Ok(None),
                Ok(None) => {}
                done => break done,
            }
        };
        match result {
            Ok(item) => Ok(Step { consumed: input.len() - rest.len(), item }),
            Err(error) => {
                self.state = State::Failed;
                Err(self.located(error))
            }
        }
    }

    /// The payload that the input goes on with, up to the end of its chunk or run.
    pub(crate) fn ahead(&self) -> Option<Ahead> {
        let len = match self.state {
            State::Payload { left } | State::Ignored { left } => left,
            State::RunData { left, .. } => u64::from(left),
            _ => 0,
        };
        let member = self.chunk.member.as_ref().map(|(id, _)| *id);
        (len > 0).then_some(Ahead { member, offset: self.chunk.offset, len })
    }

    /// Passes over bytes of what is [`Decoder::ahead`], as the caller passes over them in its
    /// source. The checksum of their chunk is not compared then, and they are in no item.
    pub(crate) fn skip(&mut self, len: u64) {
        let left = match &mut self.state {
            State::Payload { left } | State::Ignored { left } => {
                let taken = len.min(*left);
                *left -= taken;
                taken
            }
            State::RunData { left, .. } => {
                let taken = u32::try_from(len).unwrap_or(u32::MAX).min(*left);
                *left -= taken;
                u64::from(taken)
            }
            _ => 0,
        };
        self.chunk.skipped |= left > 0;
        self.chunk.offset += left;
        self.offset += left;
    }

    /// Says that the input has ended.
    ///
    /// # Errors
    /// `Truncated` if the stream is empty, ends within a chunk, or leaves a member open.
    pub fn finish(&mut self) -> Result<()> {
        let result = self.check_end();
        self.state = State::Failed;
        result.map_err(|error| match error.kind() {
            ErrorKind::Truncated => error
                .at_stream(self.offset)
                .hint("the stream was cut: its writer failed or the transfer broke; make it again"),
            _ => self.located(error),
        })
    }

    fn check_end(&self) -> Result<()> {
        let truncated = |message: String| Error::new(ErrorKind::Truncated, message);
        if matches!(self.state, State::Failed) {
            return Err(poisoned());
        }
        if !matches!(self.state, State::Header) {
            let error = truncated(format!(
                "the stream ends within the chunk that begins at byte {}",
                self.chunk.start
            ));
            return Err(match &self.chunk.member {
                Some((_, path)) => error.at_path(path),
                None => error,
            });
        }
        // A seek at the very end needs no reading: it leaves its member open in any case.
        if !self.head.is_empty() && !header::is_final_seek(&self.head) {
            let seen = self.head.get(..8).unwrap_or(&self.head);
            return Err(if MAGIC.starts_with(seen) {
                truncated(format!(
                    "the stream ends within the header of the chunk that begins at byte {}",
                    self.chunk.start
                ))
            } else {
                header::bad_magic(&self.head)
            });
        }
        if self.offset == 0 {
            return Err(truncated("the stream is empty".to_owned()));
        }
        let (first_open, count) = self.members.first_open();
        match first_open {
            Some(path) if count == 1 => {
                Err(truncated("the stream ends before this member does".to_owned()).at_path(path))
            }
            Some(path) => Err(truncated(format!(
                "the stream ends before this member and {} more do",
                count - 1
            ))
            .at_path(path)),
            None if !self.head.is_empty() => {
                Err(truncated("the stream ends behind a seek".to_owned()))
            }
            None if self.announced && self.manifest != ManifestPlace::Behind => {
                Err(truncated("the stream ends without the manifest that it announces".to_owned()))
            }
            None => Ok(()),
        }
    }

    fn located(&self, error: Error) -> Error {
        let error = error.at_stream(self.chunk.start);
        match &self.chunk.member {
            Some((_, path)) => error.at_path(path),
            None => error,
        }
    }

    /// Whether the state leads to an item or to another state without further input.
    fn owes_item(&self) -> bool {
        match self.state {
            State::Header | State::Failed | State::Map { .. } => false,
            State::Payload { left } | State::Ignored { left } => left == 0,
            State::RunData { left, .. } => left == 0,
            State::Run { .. } | State::End => true,
        }
    }

    fn step<'i>(&mut self, rest: &mut &'i [u8]) -> Result<Option<Item<'i>>> {
        match self.state {
            State::Header => self.read_header(rest),
            State::Payload { left } => {
                let (bytes, left) = self.take(rest, left);
                self.state = State::Payload { left };
                if left == 0 {
                    self.end_of_payload()?;
                }
                Ok(self.data(bytes))
            }
            State::Ignored { left } => {
                let (bytes, left) = self.take(rest, left);
                if self.announced {
                    self.framing.update(bytes); // no member's, so nobody else hashes them
                }
                self.state = State::Ignored { left };
                if left == 0 {
                    self.end_of_payload()?;
                }
                Ok(None)
            }
            State::Map { entries, payload } => {
                self.read_map(rest, entries, payload)?;
                Ok(None)
            }
            State::Run { next } => self.begin_run(next),
            State::RunData { next, left } => {
                let (bytes, left) = self.take(rest, u64::from(left));
                let left = u32::try_from(left).unwrap_or(0); // below the u32 it was
                self.state =
                    if left == 0 { State::Run { next } } else { State::RunData { next, left } };
                Ok(self.data(bytes))
            }
            State::End => self.end_of_member().map(Some),
            State::Failed => Err(poisoned()),
        }
    }

    /// Takes up to `left` bytes of payload from the input, and hashes them.
    fn take<'i>(&mut self, rest: &mut &'i [u8], left: u64) -> (&'i [u8], u64) {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let (bytes, behind) = rest.split_at(len);
        *rest = behind;
        self.chunk.crc.update(bytes);
        self.offset += len as u64;
        (bytes, left - len as u64)
    }

    fn data<'i>(&mut self, bytes: &'i [u8]) -> Option<Item<'i>> {
        let (id, _) = self.chunk.member.as_ref().filter(|_| !bytes.is_empty())?;
        let offset = self.chunk.offset;
        self.chunk.offset += bytes.len() as u64;
        Some(Item::Data { id: *id, offset, bytes })
    }

    fn end_of_payload(&mut self) -> Result<()> {
        let computed = std::mem::take(&mut self.chunk.crc).finalize();
        let stored = self.chunk.stored_crc;
        if computed != stored && !self.chunk.skipped {
            return Err(Error::new(
                ErrorKind::Checksum,
                format!("chunk checksum is 0x{stored:08x}, but its bytes give 0x{computed:08x}"),
            )
            .hint("the stream was damaged on its way or at rest; fetch it again"));
        }
        self.state = State::Header;
        Ok(())
    }

    fn read_header<'i>(&mut self, rest: &mut &'i [u8]) -> Result<Option<Item<'i>>> {
        if self.head.is_empty() {
            self.chunk.start = self.offset;
            self.chunk.member = None;
            if self.announced && self.manifest == ManifestPlace::Behind && !rest.is_empty() {
                let message = "bytes follow the manifest, which ends its stream";
                return Err(Error::new(ErrorKind::Format, message)
                    .hint("another stream or other data was appended; separate them"));
            }
        }
        loop {
            let need = header::need(&self.head)?;
            if self.head.len() >= need {
                break;
            }
            if rest.is_empty() {
                return Ok(None);
            }
            self.collect(rest, need);
        }
        let head = std::mem::take(&mut self.head);
        let item = header::parse(&head).ok_or_else(bug).and_then(|header| {
            let seek = matches!(header.body, Body::Seek { .. });
            let next = if seek { MAGIC.len() } else { 0 };
            self.note_framing(&header, head.get(..head.len() - next).unwrap_or_default())?;
            Ok((self.begin_chunk(&header)?, seek))
        });
        self.head = head;
        let (item, seek) = item?;
        // Behind a seek the next chunk's magic was read already.
        let kept = if seek { MAGIC.len() } else { 0 };
        let done = self.head.len() - kept;
        self.head.drain(..done);
        if seek {
            self.chunk.start = self.offset - kept as u64;
            self.chunk.member = None;
        }
        Ok(item)
    }

    /// Moves input to `head`, up to `need` bytes.
    fn collect(&mut self, rest: &mut &[u8], need: usize) {
        let len = need.saturating_sub(self.head.len()).min(rest.len());
        let (bytes, behind) = rest.split_at(len);
        self.head.extend_from_slice(bytes);
        self.offset += len as u64;
        *rest = behind;
    }

    /// Takes note of a chunk's header, and holds the stream to what it says of its manifest.
    fn note_framing(&mut self, header: &Header<'_>, bytes: &[u8]) -> Result<()> {
        let is_first = self.chunk.start == 0;
        self.chunk.coded = header.flags & FLAGS_CODED;
        let is_flagged = header.flags & !FLAGS_CODED == FLAG_MANIFEST;
        let is_within = header.flags & !KNOWN_FLAGS == FLAG_MANIFEST | FLAG_WITHIN;
        let is_manifest =
            normalize(header.path).is_ok_and(|path| &*path == MANIFEST_NAME.as_bytes());
        if is_first {
            self.announced = is_flagged;
            self.members.set_hashed(is_flagged);
        }
        if is_within && !self.announced {
            let message = "here is the middle of a stream that began elsewhere";
            return Err(Error::new(ErrorKind::Format, message)
                .hint("the stream's beginning was lost or damaged, or other data precede it"));
        }
        if is_first {
            // What it may say was taken above.
        } else if is_flagged && !is_manifest {
            let message = "a stream with a manifest begins within this one";
            return Err(Error::new(ErrorKind::Format, message)
                .hint("two streams stand one behind the other; separate them"));
        } else if is_flagged && !self.announced {
            let message = "here is the manifest of a stream that began elsewhere";
            return Err(Error::new(ErrorKind::Format, message)
                .hint("the stream's beginning was lost or damaged, or other data precede it"));
        } else if self.announced && header.flags & !KNOWN_FLAGS != 0 && !is_flagged && !is_within {
            let message = format!(
                "chunk has flags 0x{:02x}, which no stream with a manifest has",
                header.flags
            );
            return Err(Error::new(ErrorKind::Format, message));
        }
        if !self.announced {
            return Ok(());
        }
        if is_manifest {
            return self.enter_manifest(header);
        }
        if self.manifest == ManifestPlace::Open {
            let message = "another member's chunk stands within the manifest";
            return Err(Error::new(ErrorKind::Format, message));
        }
        self.framing.update(bytes);
        Ok(())
    }

    /// Holds the manifest to its one form: its framing is the only one that nothing else covers.
    fn enter_manifest(&mut self, header: &Header<'_>) -> Result<()> {
        if let (Some(path), _) = self.members.first_open()
            && path.as_bytes() != MANIFEST_NAME.as_bytes()
        {
            let message = "the manifest begins before this member ends";
            return Err(Error::new(ErrorKind::Format, message).at_path(path));
        }
        let is_plain = matches!(header.body, Body::Payload { .. } | Body::End);
        if !is_plain || header.flags != FLAG_MANIFEST || header.path != MANIFEST_NAME.as_bytes() {
            let message =
                "the manifest has other chunks than payload and end, flagged and so named";
            return Err(Error::new(ErrorKind::Format, message));
        }
        self.manifest = ManifestPlace::Open;
        Ok(())
    }

    fn begin_chunk<'i>(&mut self, header: &Header<'_>) -> Result<Option<Item<'i>>> {
        if let Body::Ignored { len, crc } = header.body {
            self.begin_payload(crc, 0);
            self.state = State::Ignored { left: len };
            return Ok(None);
        }
        let path = normalize(header.path)?;
        match header.body {
            Body::Rename { to } => return self.rename(&path, &normalize(to)?),
            Body::Remove => return self.remove(&path),
            _ => {}
        }
        let opened = self.enter_member(&path, header.flags & FLAG_REWRITE != 0)?;
        match header.body {
            Body::Payload { len, offset, crc } => {
                self.check_place(&path, offset)?;
                self.members.advance(&path, offset, end_of(offset, len)?);
                self.begin_payload(crc, offset);
                self.state = State::Payload { left: len };
            }
            Body::Sparse { entries, len, offset, crc } => {
                check_entries(entries)?;
                self.check_place(&path, offset)?;
                self.check_fresh(&path, offset)?;
                self.begin_payload(crc, offset);
                self.map.clear();
                self.state = State::Map { entries, payload: len };
            }
            Body::Seek { offset } => self.members.seek(&path, end_of(offset, 0)?),
            _ => self.state = State::End,
        }
        Ok(opened)
    }

    /// Finds the chunk's member, or opens it.
    fn enter_member<'i>(&mut self, path: &[u8], rewrite: bool) -> Result<Option<Item<'i>>> {
        if let Some(open) = self.members.get(path) {
            self.chunk.member = Some((open.id, open.path.clone()));
            return Ok(None);
        }
        let (id, path, rewrite) = self.members.open(path, rewrite)?;
        self.chunk.member = Some((id, path.clone()));
        Ok(Some(Item::Open { id, path, rewrite }))
    }

    fn begin_payload(&mut self, stored_crc: u32, offset: u64) {
        self.chunk.stored_crc = stored_crc;
        self.chunk.crc = crc32fast::Hasher::new();
        self.chunk.offset = offset;
        self.chunk.skipped = false;
    }

    fn check_place(&self, path: &[u8], offset: u64) -> Result<()> {
        let expected = self.members.get(path).map_or(0, |open| open.expected);
        if offset == expected {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Format,
            format!("chunk holds byte {offset} of its member, but byte {expected} is next"),
        )
        .hint("chunks were lost, repeated or reordered; fetch the stream again"))
    }

    /// Refuses a sparse chunk behind a seek backwards. Percona's writers do not seek and MariaDB's
    /// write no sparse chunks; would a hole erase what lies there, or keep it? Nobody defined it.
    fn check_fresh(&self, path: &[u8], offset: u64) -> Result<()> {
        match self.members.get(path) {
            Some(open) if offset < open.size => Err(Error::new(
                ErrorKind::Format,
                format!(
                    "sparse chunk at byte {offset} of its member, of which {} bytes are written",
                    open.size
                ),
            )),
            _ => Ok(()),
        }
    }

    fn end_of_member<'i>(&mut self) -> Result<Item<'i>> {
        self.state = State::Header;
        let (_, path) = self.chunk.member.as_ref().ok_or_else(bug)?;
        let open = self.members.close(path.as_bytes()).ok_or_else(bug)?;
        if self.manifest == ManifestPlace::Open {
            self.manifest = ManifestPlace::Behind;
        }
        Ok(Item::Close { id: open.id, path: open.path, size: open.size })
    }

    /// A rename to the same path says nothing. As an item it would be a trap for who renames
    /// without replacing, since the new path exists.
    fn rename<'i>(&mut self, from: &[u8], to: &[u8]) -> Result<Option<Item<'i>>> {
        let (from, to) = (MemberPath::new(from)?, MemberPath::new(to)?);
        for path in [&from, &to] {
            if self.members.get(path.as_bytes()).is_some() {
                let message = "the stream renames a member that is still open";
                return Err(Error::new(ErrorKind::Format, message).at_path(path));
            }
        }
        if !self.members.forget(from.as_bytes()) {
            let message = "the stream renames a member that it does not hold";
            return Err(Error::new(ErrorKind::Format, message).at_path(from));
        }
        let replaces = self.members.is_closed(to.as_bytes());
        self.members.note_closed(to.as_bytes());
        Ok((from != to).then_some(Item::Rename { from, to, replaces }))
    }

    /// A remove of what the stream does not hold says nothing: there is nothing to take back, and
    /// files that were there before are none of its business.
    fn remove<'i>(&mut self, path: &[u8]) -> Result<Option<Item<'i>>> {
        let path = MemberPath::new(path)?;
        if self.members.get(path.as_bytes()).is_some() {
            let message = "the stream removes a member that is still open";
            return Err(Error::new(ErrorKind::Format, message).at_path(path));
        }
        Ok(self.members.forget(path.as_bytes()).then_some(Item::Remove { path }))
    }

    fn read_map(&mut self, rest: &mut &[u8], entries: u32, payload: u64) -> Result<()> {
        let mut left = entries;
        while left > 0 && !rest.is_empty() {
            self.collect(rest, 8);
            if let &[a, b, c, d, e, f, g, h] = self.head.as_slice() {
                self.chunk.crc.update(&self.head);
                if self.announced {
                    self.framing.update(&self.head);
                }
                self.map.push(SparseRun {
                    skip: u32::from_le_bytes([a, b, c, d]),
                    len: u32::from_le_bytes([e, f, g, h]),
                });
                self.head.clear();
                left -= 1;
            }
        }
        self.state = State::Map { entries: left, payload };
        if left == 0 { self.end_of_map(payload) } else { Ok(()) }
    }

    fn end_of_map(&mut self, payload: u64) -> Result<()> {
        // At most 2^20 entries of 2^33 bytes: no overflow.
        let data: u64 = self.map.iter().map(|run| u64::from(run.len)).sum();
        let span: u64 = self.map.iter().map(|run| u64::from(run.skip)).sum::<u64>() + data;
        if data != payload {
            return Err(Error::new(
                ErrorKind::Format,
                format!("sparse map describes {data} bytes of data, but the payload has {payload}"),
            ));
        }
        let begin = self.chunk.offset;
        let end = end_of(begin, span)?;
        if let Some((_, path)) = &self.chunk.member {
            self.members.advance(path.as_bytes(), begin, end);
        }
        self.state = State::Run { next: 0 };
        Ok(())
    }

    fn begin_run<'i>(&mut self, next: usize) -> Result<Option<Item<'i>>> {
        let Some(run) = self.map.get(next).copied() else {
            self.end_of_payload()?;
            return Ok(None);
        };
        self.state = State::RunData { next: next + 1, left: run.len };
        let offset = self.chunk.offset;
        self.chunk.offset += u64::from(run.skip);
        Ok(self.chunk.member.as_ref().filter(|_| run.skip > 0).map(|(id, _)| Item::Hole {
            id: *id,
            offset,
            len: u64::from(run.skip),
        }))
    }
}

fn check_entries(entries: u32) -> Result<()> {
    match entries {
        0 => Err(Error::new(ErrorKind::Format, "sparse map has no entries")),
        1..=limits::SPARSE_MAP_ENTRIES => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Limit,
            format!("sparse map of {entries} entries exceeds limit {}", limits::SPARSE_MAP_ENTRIES),
        )),
    }
}

/// The end of `len` bytes at `offset` of a member.
fn end_of(offset: u64, len: u64) -> Result<u64> {
    offset.checked_add(len).filter(|end| *end <= limits::MEMBER_SIZE).ok_or_else(|| {
        Error::new(
            ErrorKind::Limit,
            format!(
                "chunk of {len} bytes at byte {offset} of its member exceeds limit {}",
                limits::MEMBER_SIZE
            ),
        )
    })
}

fn poisoned() -> Error {
    Error::new(ErrorKind::InvalidState, "the stream was ended or failed before")
}

/// For what the states rule out: an error is better than a panic in somebody's restore.
fn bug() -> Error {
    Error::new(ErrorKind::Panic, "the decoder lost its place: this is a bug in xbkit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::xbstream::{
        append_end, append_payload_header, append_rename, append_seek, append_sparse_header, crc32,
    };

    fn decode_all(stream: &[u8], piece: usize) -> Result<Vec<String>> {
        let mut decoder = Decoder::new();
        let mut items = Vec::new();
        for mut input in stream.chunks(piece) {
            loop {
                let step = decoder.decode(input)?;
                input = &input[step.consumed..];
                match step.item {
                    Some(item) => items.push(format!("{item:?}")),
                    None => break,
                }
            }
        }
        decoder.finish()?;
        Ok(items)
    }

    /// A seek is only known by the chunk behind it, whose first bytes were read with it.
    #[test]
    fn a_seek_leaves_the_next_chunk_whole() {
        let mut stream = Vec::new();
        append_payload_header(&mut stream, b"f", 0, 3, crc32(b"abc"), false).unwrap();
        stream.extend_from_slice(b"abc");
        append_seek(&mut stream, b"f", 8).unwrap();
        append_payload_header(&mut stream, b"f", 8, 2, crc32(b"XY"), false).unwrap();
        stream.extend_from_slice(b"XY");
        append_end(&mut stream, b"f").unwrap();
        let items = decode_all(&stream, stream.len()).unwrap();
        assert_eq!(items.len(), 4);
        assert!(items[2].contains("offset: 8") && items[3].contains("size: 10"), "{items:?}");
        assert_eq!(decode_all(&stream, 1).unwrap().len(), 7);
    }

    fn payload(out: &mut Vec<u8>, path: &[u8], offset: u64, bytes: &[u8]) {
        let len = bytes.len() as u64;
        append_payload_header(out, path, offset, len, crc32(bytes), false).unwrap();
        out.extend_from_slice(bytes);
    }

    /// `mbstream` 10.11.19 gives 2 bytes for this stream.
    #[test]
    fn an_empty_payload_behind_a_seek_adds_nothing() {
        let mut stream = Vec::new();
        payload(&mut stream, b"f", 0, b"xy");
        append_seek(&mut stream, b"f", 100).unwrap();
        payload(&mut stream, b"f", 100, b"");
        append_end(&mut stream, b"f").unwrap();
        let items = decode_all(&stream, stream.len()).unwrap();
        assert!(items.last().unwrap().contains("size: 2 "), "{items:?}");
    }

    #[test]
    fn a_sparse_chunk_never_lies_on_written_bytes() {
        let runs = [SparseRun { skip: 2, len: 1 }];
        for (seek, refused) in [(3, true), (4, false), (5, false)] {
            let mut stream = Vec::new();
            payload(&mut stream, b"f", 0, b"abcd");
            append_seek(&mut stream, b"f", seek).unwrap();
            append_sparse_header(&mut stream, b"f", seek, &runs, b"x").unwrap();
            stream.push(b'x');
            append_end(&mut stream, b"f").unwrap();
            let result = decode_all(&stream, stream.len());
            assert_eq!(result.is_err(), refused, "{seek}: {result:?}");
        }
    }

    #[test]
    fn a_rename_to_the_same_path_says_nothing() {
        let mut stream = Vec::new();
        append_end(&mut stream, b"d/f").unwrap();
        append_rename(&mut stream, b"d/f", b"./d//f").unwrap();
        assert_eq!(decode_all(&stream, 1).unwrap().len(), 2);
        append_end(&mut stream, b"d/f").unwrap();
        assert!(decode_all(&stream, 1).is_err(), "the member is forgotten");
    }

    /// What is skipped is in no item, and everything else is as if it had been read.
    #[test]
    fn payload_that_is_skipped_changes_nothing_else() {
        let mut stream = Vec::new();
        payload(&mut stream, b"f", 0, b"abcdef");
        append_sparse_header(&mut stream, b"s", 0, &[SparseRun { skip: 3, len: 4 }], b"data")
            .unwrap();
        stream.extend_from_slice(b"data");
        append_end(&mut stream, b"f").unwrap();
        payload(&mut stream, b"s", 7, b"ghi");
        append_end(&mut stream, b"s").unwrap();
        for step in [1, 2, 3, 100] {
            let mut decoder = Decoder::new();
            let (mut at, mut items) = (0, Vec::new());
            while at < stream.len() {
                if let Some(ahead) = decoder.ahead() {
                    let len = ahead.len.min(step);
                    decoder.skip(len);
                    at += usize::try_from(len).unwrap();
                }
                let input = &stream[at..stream.len().min(at + 1)];
                let taken = decoder.decode(input).unwrap();
                at += taken.consumed;
                items.extend(taken.item.map(|item| format!("{:?}", item.without_bytes())));
                while let Some(item) = decoder.decode(b"").unwrap().item {
                    items.push(format!("{:?}", item.without_bytes()));
                }
            }
            decoder.finish().unwrap();
            let closed: Vec<&String> = items.iter().filter(|it| it.contains("Close")).collect();
            assert_eq!(closed.len(), 2, "{items:?}");
            assert!(closed[0].contains("size: 6") && closed[1].contains("size: 10"), "{items:?}");
            assert!(items.iter().any(|it| it.contains("Hole") && it.contains("len: 3")));
        }
    }

    #[test]
    fn a_sparse_map_without_entries_is_no_matter_of_limits() {
        for (entries, kind) in [(0, ErrorKind::Format), (1 << 21, ErrorKind::Limit)] {
            let mut stream = b"XBSTCK01\0S\x01\0\0\0s".to_vec();
            stream.extend_from_slice(&u32::to_le_bytes(entries));
            stream.extend_from_slice(&[0; 20]);
            assert_eq!(decode_all(&stream, 1).unwrap_err().kind(), kind);
        }
    }
}
