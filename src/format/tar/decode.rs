//! Bytes to items: the sans-I/O reader of tar.

use super::encode::{ANNOUNCEMENT, append_announcement, append_manifest_header, is_marked};
use super::header::{self, Block, Header, Kind};
use super::pax::{self, Records};
use super::sparse::{self, Map, MapReader};
use super::{BLOCK, BLOCK_LEN, to_border};
use crate::error::{Error, ErrorKind, Result};
use crate::format::framing::{Framing, FramingDigest, MANIFEST_NAME, ManifestPlace};
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::{Item, Members, Step};
use crate::limits;

/// The reader's place within an archive.
#[derive(Debug)]
enum State {
    /// Collecting a header, or a block of zeros.
    Header,
    /// Collecting what says something about the members that follow.
    About { kind: Kind, left: u64, padding: u64 },
    /// Collecting a block of a map of GNU's old layout.
    OldMap { stored: u64 },
    /// Collecting a block of a map that stands before the data.
    Map(Box<MapReader>),
    /// Before the stretch of data of this number.
    Run { next: usize },
    /// Within the stretch before `next`.
    RunData { next: usize, left: u64 },
    /// Within what fills up the last block.
    Padding { left: u64 },
    /// A member's last byte was read.
    End,
    /// An error was returned.
    Failed,
}

/// What came before a member and says something about it.
#[derive(Debug, Default)]
struct About {
    /// `x`.
    records: Option<Records>,
    /// `L`.
    long_name: Option<Vec<u8>>,
    /// `K`.
    long_link: bool,
}

impl About {
    fn is_none(&self) -> bool {
        self.records.is_none() && self.long_name.is_none() && !self.long_link
    }
}

/// The member being read.
#[derive(Debug)]
struct Member {
    id: MemberId,
    path: MemberPath,
}

/// Reads tar from slices as they come, of any length, and holds neither payload nor files: ustar,
/// POSIX (pax) and GNU archives, with each of GNU's layouts of files with holes, and archives one
/// behind the other, as the first `innobackupex` wrote them and `tar -i` reads them.
///
/// A directory is an item of its own; the archive's root (`./`) is none, as it says nothing.
/// Owners, rights and times are not looked at. Links, devices and whatever else is no regular
/// file are refused by name, and so are two members of one name.
///
/// Memory: a block, the records for one member ([`limits::TAR_EXTENSION`]), a sparse map (16 bytes
/// an entry, up to [`limits::TAR_SPARSE_ENTRIES`], grown as it arrives), and about 30 bytes for
/// each member that ended.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The block so far.
    block: Vec<u8>,
    about: About,
    /// The body of a member that says something about others, so far.
    body: Vec<u8>,
    map: Map,
    /// Where in the member the next byte is.
    at: u64,
    member: Option<Member>,
    members: Members,
    /// Stream offset of the first header of the member, or of the block.
    start: u64,
    /// Blocks of zeros that were just read, up to 2.
    zeros: u8,
    /// Members and directories so far.
    entries: u64,
    may_lack_end: bool,
    /// Stream bytes consumed.
    offset: u64,
    /// The archive's first bytes, while they may be those that announce a manifest.
    opening: Vec<u8>,
    /// Whether they did.
    announced: bool,
    manifest: ManifestPlace,
    framing: Framing,
    /// The framing before the manifest.
    framing_digest: FramingDigest,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of an archive.
    pub fn new() -> Self {
        Self {
            state: State::Header,
            block: Vec::with_capacity(BLOCK),
            about: About::default(),
            body: Vec::new(),
            map: Map::default(),
            at: 0,
            member: None,
            members: Members::default(),
            start: 0,
            zeros: 0,
            entries: 0,
            may_lack_end: false,
            offset: 0,
            opening: Vec::new(),
            announced: false,
            manifest: ManifestPlace::Ahead,
            framing: Framing::default(),
            framing_digest: Framing::default().digest(),
        }
    }

    /// Whether the archive may end behind a member, without the two blocks of zeros. Then one that
    /// was cut there cannot be told from a whole one.
    #[must_use]
    pub fn allow_missing_end(mut self, allow: bool) -> Self {
        self.may_lack_end = allow;
        self
    }

    /// Stream bytes consumed so far.
    pub fn stream_offset(&self) -> u64 {
        self.offset
    }

    /// Whether the archive's beginning announced a manifest at its end.
    pub(crate) fn announces_manifest(&self) -> bool {
        self.announced
    }

    /// What stood before the manifest, besides payloads.
    pub(crate) fn framing(&self) -> FramingDigest {
        self.framing_digest
    }

    /// Reads `input` up to the next item, or to its end.
    ///
    /// # Errors
    /// `Format`, `Checksum`, `UnsafePath`, `Unsupported` and `Limit`, with the stream offset of
    /// the member's first header, and the member where one is known. Afterwards every call gives
    /// `InvalidState`.
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

    /// Says that the input has ended.
    ///
    /// # Errors
    /// `Truncated` if the stream is empty, ends within a member, holds no member, or lacks the two
    /// blocks of zeros at its end (see [`Decoder::allow_missing_end`]); `Format` if what follows
    /// them is no block.
    pub fn finish(&mut self) -> Result<()> {
        let result = self.check_end();
        self.state = State::Failed;
        result.map_err(|error| match error.kind() {
            ErrorKind::Truncated => {
                let error = error.at_stream(self.offset);
                if error.hint_text().is_some() { error } else { error.hint(CUT) }
            }
            _ => self.located(error),
        })
    }

    fn check_end(&self) -> Result<()> {
        let truncated = |message: String| Err(Error::new(ErrorKind::Truncated, message));
        if matches!(self.state, State::Failed) {
            return Err(poisoned());
        }
        if self.offset == 0 {
            return truncated("the stream is empty".to_owned());
        }
        let strange = self.announced || self.block.iter().any(|byte| *byte != 0);
        if self.zeros == 2 && !self.block.is_empty() && strange {
            let message = format!("{} bytes follow the archive's end", self.block.len());
            return Err(Error::new(ErrorKind::Format, message)
                .hint("the archive is followed by other data, or damaged"));
        }
        if !matches!(self.state, State::Header) || !self.about.is_none() || !self.block.is_empty() {
            let message =
                format!("the stream ends within what begins at byte {} of it", self.start);
            let error = Error::new(ErrorKind::Truncated, message);
            return Err(match &self.member {
                Some(member) => error.at_path(&member.path),
                None => error,
            });
        }
        if self.entries == 0 {
            return truncated("the archive holds nothing but blocks of zeros".to_owned());
        }
        if self.announced && self.manifest != ManifestPlace::Behind {
            return truncated("the archive ends without the manifest that it announces".to_owned());
        }
        if self.zeros < 2 && (self.announced || !self.may_lack_end) {
            return Err(Error::new(
                ErrorKind::Truncated,
                "the archive does not end with two blocks of zeros",
            )
            .hint(
                "it was cut: make it again; or, if its maker never writes them, say that the end \
                 may be missing",
            ));
        }
        Ok(())
    }

    fn located(&self, error: Error) -> Error {
        let error = error.at_stream(self.start);
        match &self.member {
            Some(member) => error.at_path(&member.path),
            None => error,
        }
    }

    /// Whether the state leads to an item or to another state without further input.
    fn owes_item(&self) -> bool {
        match self.state {
            State::Header | State::OldMap { .. } | State::Map(_) | State::Failed => false,
            State::About { left, padding, .. } => left == 0 && padding == 0,
            State::RunData { left, .. } | State::Padding { left } => left == 0,
            State::Run { .. } | State::End => true,
        }
    }

    fn step<'i>(&mut self, rest: &mut &'i [u8]) -> Result<Option<Item<'i>>> {
        match self.state {
            State::Header => match self.next_block(rest) {
                Some(block) => self.header(&block),
                None => Ok(None),
            },
            State::About { kind, left, padding } => {
                let (bytes, left) = self.take_frame(rest, left);
                self.body.extend_from_slice(bytes);
                let padding = if left == 0 { self.take_frame(rest, padding).1 } else { padding };
                self.state = State::About { kind, left, padding };
                if left == 0 && padding == 0 {
                    self.end_of_about(kind)?;
                }
                Ok(None)
            }
            State::OldMap { stored } => {
                if let Some(block) = self.next_block(rest) {
                    self.framing.update(&block);
                    if !sparse::old_block(&mut self.map, &block)? {
                        self.begin_data(stored)?;
                    }
                }
                Ok(None)
            }
            State::Map(_) => {
                let Some(block) = self.next_block(rest) else { return Ok(None) };
                self.framing.update(&block);
                self.map_block(&block)?;
                Ok(None)
            }
            State::Run { next } => Ok(self.begin_run(next)),
            State::RunData { next, left } => {
                let (bytes, left) = self.take(rest, left);
                self.state =
                    if left == 0 { State::Run { next } } else { State::RunData { next, left } };
                Ok(self.data(bytes))
            }
            State::Padding { left } => {
                let (bytes, left) = self.take_frame(rest, left);
                if self.announced
                    && self.manifest == ManifestPlace::Open
                    && bytes.iter().any(|byte| *byte != 0)
                {
                    return Err(not_canonical());
                }
                self.state = if left == 0 { State::End } else { State::Padding { left } };
                Ok(None)
            }
            State::End => self.end_of_member().map(Some),
            State::Failed => Err(poisoned()),
        }
    }

    /// Takes up to `left` bytes from the input.
    fn take<'i>(&mut self, rest: &mut &'i [u8], left: u64) -> (&'i [u8], u64) {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let (bytes, behind) = rest.split_at(len);
        *rest = behind;
        self.offset += len as u64;
        (bytes, left - len as u64)
    }

    /// The same for what is no member's bytes.
    fn take_frame<'i>(&mut self, rest: &mut &'i [u8], left: u64) -> (&'i [u8], u64) {
        let (bytes, left) = self.take(rest, left);
        if self.opening.is_empty() {
            self.framing.update(bytes);
        } else {
            self.opening.extend_from_slice(bytes);
        }
        (bytes, left)
    }

    /// Collects a block; `None` if the input ends before it.
    fn next_block(&mut self, rest: &mut &[u8]) -> Option<Block> {
        if self.block.is_empty() && self.about.is_none() && self.member.is_none() {
            self.start = self.offset;
        }
        let missing = BLOCK - self.block.len();
        let (bytes, _) = self.take(rest, missing as u64);
        self.block.extend_from_slice(bytes);
        let block = Block::try_from(self.block.as_slice()).ok()?;
        self.block.clear();
        Some(block)
    }

    fn header<'i>(&mut self, block: &Block) -> Result<Option<Item<'i>>> {
        if block.iter().all(|byte| *byte == 0) {
            return self.zero_block();
        }
        if self.announced && self.manifest == ManifestPlace::Behind {
            let message = "members follow the manifest, which ends its archive";
            return Err(Error::new(ErrorKind::Format, message)
                .hint("another archive or other data was appended; separate them"));
        }
        if self.zeros == 1 {
            // A header that was overwritten with zeros would vanish without a trace.
            let message = "a block of zeros where a header or the archive's end should be";
            return Err(Error::new(ErrorKind::Format, message));
        }
        self.zeros = 0;
        let header = header::parse(block)?;
        self.note_header(&header, block)?;
        match header.kind {
            Kind::File | Kind::OldSparse => self.begin_member(header, block).map(Some),
            Kind::Directory => self.directory(&header),
            Kind::Records | Kind::GlobalRecords | Kind::LongName | Kind::LongLink => {
                pax::check_len(header.size)?;
                self.check_first(header.kind)?;
                self.body.clear();
                self.state = State::About {
                    kind: header.kind,
                    left: header.size,
                    padding: to_border(header.size),
                };
                Ok(None)
            }
        }
    }

    /// Takes note of a header as framing, unless it is the manifest's.
    fn note_header(&mut self, header: &Header, block: &Block) -> Result<()> {
        if self.offset == BLOCK_LEN && header.kind == Kind::GlobalRecords {
            self.opening.extend_from_slice(block);
            return Ok(());
        }
        if is_marked(block) && !self.announced {
            let message = "here is the manifest of an archive that began elsewhere";
            return Err(Error::new(ErrorKind::Format, message)
                .hint("the archive's beginning was lost or damaged, or other data precede it"));
        }
        if self.announced && self.about.is_none() && header.name == MANIFEST_NAME.as_bytes() {
            self.framing_digest = self.framing.digest();
            self.manifest = ManifestPlace::Open;
            let mut canonical = Vec::with_capacity(BLOCK);
            append_manifest_header(&mut canonical, header.size);
            if canonical != block {
                return Err(not_canonical());
            }
        }
        self.framing.update(block);
        Ok(())
    }

    fn zero_block<'i>(&mut self) -> Result<Option<Item<'i>>> {
        if !self.about.is_none() {
            let message = "the archive ends behind what says something about a member";
            return Err(Error::new(ErrorKind::Format, message));
        }
        if self.announced && self.manifest != ManifestPlace::Behind {
            let message = "the archive ends before the manifest that it announces";
            return Err(Error::new(ErrorKind::Format, message).hint(CUT));
        }
        if self.announced && self.zeros == 2 {
            let message = "bytes follow the end of an archive with a manifest";
            return Err(Error::new(ErrorKind::Format, message));
        }
        self.framing.update(&[0; BLOCK]);
        self.zeros = (self.zeros + 1).min(2);
        Ok(None)
    }

    /// Refuses to be told the same thing about one member twice: readers differ in which counts.
    fn check_first(&self, kind: Kind) -> Result<()> {
        let twice = match kind {
            Kind::Records => self.about.records.is_some(),
            Kind::LongName => self.about.long_name.is_some(),
            Kind::LongLink => self.about.long_link,
            // It says something about all members, so it must not stand between one's headers.
            _ => !self.about.is_none(),
        };
        if !twice {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Format, "a member has two headers of the same kind before it"))
    }

    fn end_of_about(&mut self, kind: Kind) -> Result<()> {
        let body = std::mem::take(&mut self.body);
        match kind {
            Kind::Records => self.about.records = Some(Records::parse(&body)?),
            Kind::GlobalRecords => self.end_of_global(&body)?,
            Kind::LongName => {
                let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
                self.about.long_name = Some(name.to_vec());
            }
            _ => self.about.long_link = true,
        }
        self.body = body;
        self.state = State::Header;
        Ok(())
    }

    fn end_of_global(&mut self, records: &[u8]) -> Result<()> {
        pax::check_global(records)?;
        let opening = std::mem::take(&mut self.opening);
        if !opening.is_empty() {
            let mut announcement = Vec::new();
            append_announcement(&mut announcement);
            self.announced = opening == announcement;
            return Ok(());
        }
        pax::each(records, |keyword, value| {
            if keyword != b"comment" || value != ANNOUNCEMENT.as_bytes() {
                return Ok(());
            }
            let message = "an archive with a manifest begins within this one";
            Err(Error::new(ErrorKind::Format, message)
                .hint("two archives stand one behind the other; separate them"))
        })
    }

    /// The name of the member whose last header this is.
    fn name(&self, header: Header, sparse_name: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let of_records = self.about.records.as_ref().and_then(|records| records.path.clone());
        let name = match (of_records, self.about.long_name.clone()) {
            (Some(a), Some(b)) if a != b => {
                let message = "the headers before a member give it two names";
                return Err(header::named(Error::new(ErrorKind::Format, message), &a));
            }
            (name, other) => sparse_name.or(name).or(other).unwrap_or(header.name),
        };
        if name.len() <= limits::TAR_PATH {
            return Ok(name);
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!("path length {} exceeds limit {}", name.len(), limits::TAR_PATH),
        ))
    }

    fn begin_member<'i>(&mut self, header: Header, block: &Block) -> Result<Item<'i>> {
        let kind = header.kind;
        let mut records = self.about.records.take().unwrap_or_default();
        let stored = records.size.unwrap_or(header.size);
        let mut sparse = records.sparse.take();
        self.about.records = Some(records);
        let sparse_name = sparse.as_mut().and_then(|sparse| sparse.name.take());
        let name = self.name(header, sparse_name)?;
        let (id, path, _) = self.members.open(&name, false)?;
        self.about = About::default();
        self.entries += 1;
        self.at = 0;
        self.member = Some(Member { id, path: path.clone() });
        match (kind, sparse) {
            (Kind::OldSparse, None) => {
                let (map, goes_on) = sparse::old_header(block)?;
                self.map = map;
                if goes_on {
                    self.state = State::OldMap { stored };
                } else {
                    self.begin_data(stored)?;
                }
            }
            (Kind::OldSparse, Some(_)) => {
                let message = "a member has two sparse maps";
                return Err(Error::new(ErrorKind::Format, message));
            }
            (_, Some(sparse)) => {
                let size = sparse.size.ok_or_else(|| {
                    Error::new(ErrorKind::Format, "the records of a sparse file lack its size")
                })?;
                match sparse.map(size)? {
                    Some(map) => {
                        self.map = map;
                        self.begin_data(stored)?;
                    }
                    None => self.state = State::Map(Box::new(MapReader::new(size, stored)?)),
                }
            }
            (_, None) => {
                self.map.set_plain(stored)?;
                self.begin_data(stored)?;
            }
        }
        Ok(Item::Open { id, path, rewrite: false })
    }

    fn map_block(&mut self, block: &Block) -> Result<()> {
        let State::Map(reader) = &mut self.state else { return Err(poisoned()) };
        if reader.block(block)? {
            let stored = reader.behind;
            self.map = std::mem::take(&mut reader.map);
            self.begin_data(stored)?;
        }
        Ok(())
    }

    fn begin_data(&mut self, stored: u64) -> Result<()> {
        self.map.check_data(stored)?;
        self.state = State::Run { next: 0 };
        Ok(())
    }

    /// Gives the hole before the next stretch of data, if there is one, or begins it.
    fn begin_run<'i>(&mut self, next: usize) -> Option<Item<'i>> {
        let run = self.map.run(next);
        let until = run.map_or(self.map.size, |run| run.offset);
        if self.at < until {
            let id = self.member.as_ref()?.id;
            let offset = std::mem::replace(&mut self.at, until);
            return Some(Item::Hole { id, offset, len: until - offset });
        }
        self.state = match run {
            Some(run) => State::RunData { next: next + 1, left: run.len },
            None => State::Padding { left: to_border(self.map.data) },
        };
        None
    }

    fn data<'i>(&mut self, bytes: &'i [u8]) -> Option<Item<'i>> {
        let member = self.member.as_ref().filter(|_| !bytes.is_empty())?;
        let offset = self.at;
        self.at += bytes.len() as u64;
        Some(Item::Data { id: member.id, offset, bytes })
    }

    fn end_of_member<'i>(&mut self) -> Result<Item<'i>> {
        self.state = State::Header;
        let Member { id, path } = self.member.take().ok_or_else(poisoned)?;
        self.members.close(path.as_bytes()).ok_or_else(poisoned)?;
        if path.as_bytes() == MANIFEST_NAME.as_bytes() {
            self.manifest = ManifestPlace::Behind;
        }
        Ok(Item::Close { id, path, size: self.map.size })
    }

    fn directory<'i>(&mut self, header: &Header) -> Result<Option<Item<'i>>> {
        let header = Header { kind: header.kind, name: header.name.clone(), size: 0 };
        let name = self.name(header, None)?;
        if let Some(records) = &self.about.records
            && (records.size.is_some_and(|size| size > 0) || records.sparse.is_some())
        {
            let message = "a directory that has bytes: where its member ends is not defined";
            return Err(header::named(Error::new(ErrorKind::Format, message), &name));
        }
        self.about = About::default();
        self.entries += 1;
        let end = name.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
        let plain = name.get(..end).unwrap_or_default();
        let is_root = !name.starts_with(b"/")
            && !name.is_empty()
            && plain.split(|byte| *byte == b'/').all(|part| matches!(part, b"" | b"."));
        if is_root {
            return Ok(None);
        }
        // An absolute name of slashes only has nothing left of it.
        let checked = if plain.is_empty() { &name } else { plain };
        Ok(Some(Item::Directory { path: MemberPath::new(checked)? }))
    }
}

/// The hint for an archive that is cut.
const CUT: &str = "the stream was cut: its writer failed or the transfer broke; make it again";

fn not_canonical() -> Error {
    let message = "the manifest's header and end are not as xbkit writes them";
    Error::new(ErrorKind::Format, message)
        .hint("the archive was damaged on its way or at rest; fetch it again")
}

fn poisoned() -> Error {
    Error::new(ErrorKind::InvalidState, "the stream failed before")
}
