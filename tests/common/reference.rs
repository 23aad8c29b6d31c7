//! A second opinion: the rules of a stream, written for a stream that is whole in memory, chunk
//! by chunk, without the decoder's states. Where the two differ, one is wrong.

use std::collections::BTreeMap;

use xbkit::ErrorKind;
use xbkit::format::member::normalize;
use xbkit::format::xbstream::crc32;

use super::chunks::{Chunk, Field, Kind};
use super::tree::{Content, Files};

const MEMBER_SIZE: u64 = 1 << 48;
const MAP_ENTRIES: u64 = 1 << 20;
const MANIFEST: &[u8] = b"xbkit_manifest.json";

/// A refusal: its kind, and its place in the stream.
pub(crate) type Refusal = (ErrorKind, u64);

/// What a stream makes, or why and where it is to be refused.
pub(crate) fn read(stream: &[u8]) -> Result<Files, Refusal> {
    let mut reader = Reader::default();
    let mut at = 0;
    while at < stream.len() {
        let chunk = Chunk::read(stream, at);
        reader.chunk(stream, &chunk).map_err(|kind| match kind {
            ErrorKind::Truncated => (kind, stream.len() as u64),
            _ => (kind, chunk.begin as u64),
        })?;
        at = chunk.end;
    }
    let misses_manifest = announces_manifest(stream) && reader.manifest != Manifest::Behind;
    if stream.is_empty() || !reader.open.is_empty() || misses_manifest {
        return Err((ErrorKind::Truncated, stream.len() as u64));
    }
    Ok(reader.files)
}

/// The flag of the first chunk that says that a manifest comes; what that says is not read here.
fn announces_manifest(stream: &[u8]) -> bool {
    stream.get(8) == Some(&0x80)
}

#[derive(Default)]
struct Member {
    content: Content,
    next: u64,
}

#[derive(Default, PartialEq)]
enum Manifest {
    #[default]
    Ahead,
    Open,
    Behind,
}

#[derive(Default)]
struct Reader {
    open: BTreeMap<Vec<u8>, Member>,
    files: Files,
    manifest: Manifest,
}

impl Reader {
    fn chunk(&mut self, stream: &[u8], chunk: &Chunk) -> Result<(), ErrorKind> {
        if announces_manifest(stream) && self.manifest == Manifest::Behind {
            return Err(ErrorKind::Format);
        }
        let fault = chunk.fault.map_or(Ok(()), Err);
        let Some(kind) = chunk.kind else { return fault };
        let last_of_header = match kind {
            Kind::End | Kind::Remove => Field::Path,
            Kind::Seek => Field::SeekOffset,
            Kind::Rename => Field::To,
            Kind::Payload | Kind::Sparse | Kind::Ignored => Field::Crc,
        };
        if !chunk.has(last_of_header) {
            return fault;
        }
        let final_seek = kind == Kind::Seek && chunk.end == stream.len();
        if !final_seek {
            self.flags_and_manifest(stream, chunk, kind)?;
        }
        if kind == Kind::Ignored {
            fault?;
            return check_crc(stream, chunk);
        }
        let path = normal(chunk.part(stream, Field::Path))?;
        match kind {
            Kind::Rename => return self.rename(&path, normal(chunk.part(stream, Field::To))?),
            Kind::Remove if self.open.contains_key(&path) => return Err(ErrorKind::Format),
            Kind::Remove => {
                self.files.remove(&path);
                return Ok(());
            }
            _ => {}
        }
        let rewrite = chunk.number(stream, Field::Flags) & 2 != 0;
        if !self.open.contains_key(&path) && self.files.remove(&path).is_some() && !rewrite {
            return Err(ErrorKind::Format);
        }
        let member = self.open.entry(path.clone()).or_default();
        match kind {
            Kind::Seek => member.next = within(chunk.number(stream, Field::SeekOffset), 0)?,
            Kind::Payload => member.payload(stream, chunk)?,
            Kind::Sparse => member.sparse(stream, chunk)?,
            _ => {
                if self.manifest == Manifest::Open {
                    self.manifest = Manifest::Behind;
                }
                let member = self.open.remove(&path).unwrap_or_default();
                self.files.insert(path, member.content.tidied());
            }
        }
        Ok(())
    }

    /// The rules of streams with a manifest, and those that keep other streams apart from them.
    fn flags_and_manifest(
        &mut self,
        stream: &[u8],
        chunk: &Chunk,
        kind: Kind,
    ) -> Result<(), ErrorKind> {
        let (flags, path) = (chunk.number(stream, Field::Flags), chunk.part(stream, Field::Path));
        let is_manifest = normal(path).is_ok_and(|path| path == MANIFEST);
        let announced = announces_manifest(stream);
        let good = match (chunk.begin > 0, flags) {
            // What else may stand beside it here says how a member is coded, or what is done with it.
            (begins_later, flags) if flags & !0x63 == 0x90 => announced && begins_later,
            (false, _) => true,
            (true, 0x80) => announced && is_manifest,
            (true, _) => !announced || flags & !3 == 0,
        };
        let in_its_form = path == MANIFEST && flags == 0x80;
        let is_plain = matches!(kind, Kind::Payload | Kind::End);
        let others_open = self.open.keys().any(|open| open != MANIFEST);
        if !good
            || announced && is_manifest && (!in_its_form || !is_plain || others_open)
            || announced && !is_manifest && self.manifest == Manifest::Open
        {
            return Err(ErrorKind::Format);
        }
        if announced && is_manifest {
            self.manifest = Manifest::Open;
        }
        Ok(())
    }

    fn rename(&mut self, from: &[u8], to: Vec<u8>) -> Result<(), ErrorKind> {
        if self.open.contains_key(from) || self.open.contains_key(&to) {
            return Err(ErrorKind::Format);
        }
        let content = self.files.remove(from).ok_or(ErrorKind::Format)?;
        self.files.insert(to, content);
        Ok(())
    }
}

impl Member {
    fn payload(&mut self, stream: &[u8], chunk: &Chunk) -> Result<(), ErrorKind> {
        let begin = self.begin(stream, chunk)?;
        let end = within(begin, chunk.number(stream, Field::PayloadLen))?;
        chunk.fault.map_or(Ok(()), Err)?;
        check_crc(stream, chunk)?;
        self.content.write(begin, chunk.part(stream, Field::Payload));
        self.next = end;
        Ok(())
    }

    fn sparse(&mut self, stream: &[u8], chunk: &Chunk) -> Result<(), ErrorKind> {
        match chunk.number(stream, Field::Entries) {
            0 => return Err(ErrorKind::Format),
            1..=MAP_ENTRIES => {}
            _ => return Err(ErrorKind::Limit),
        }
        let begin = self.begin(stream, chunk)?;
        if begin < self.content.size() {
            return Err(ErrorKind::Format);
        }
        if !chunk.has(Field::Map) {
            return Err(ErrorKind::Truncated);
        }
        let map = chunk.map(stream);
        let data: u64 = map.iter().map(|(_, len)| len).sum();
        if data != chunk.number(stream, Field::PayloadLen) {
            return Err(ErrorKind::Format);
        }
        let end = within(begin, map.iter().map(|(skip, len)| skip + len).sum())?;
        chunk.fault.map_or(Ok(()), Err)?;
        check_crc(stream, chunk)?;
        let (mut at, mut payload) = (begin, chunk.part(stream, Field::Payload));
        for (skip, len) in map {
            let (run, rest) = payload.split_at(len as usize);
            self.content.write(at + skip, run);
            at += skip + len;
            payload = rest;
        }
        if end > begin {
            self.content.grow(end);
        }
        self.next = end;
        Ok(())
    }

    fn begin(&self, stream: &[u8], chunk: &Chunk) -> Result<u64, ErrorKind> {
        let begin = chunk.number(stream, Field::Offset);
        if begin == self.next { Ok(begin) } else { Err(ErrorKind::Format) }
    }
}

fn normal(path: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    normalize(path).map(Vec::from).map_err(|error| error.kind())
}

fn within(begin: u64, len: u64) -> Result<u64, ErrorKind> {
    begin.checked_add(len).filter(|end| *end <= MEMBER_SIZE).ok_or(ErrorKind::Limit)
}

fn check_crc(stream: &[u8], chunk: &Chunk) -> Result<(), ErrorKind> {
    // The map, where there is one, stands right before the payload.
    let sums = [Field::Map, Field::Payload].map(|field| chunk.part(stream, field));
    let stored = chunk.number(stream, Field::Crc);
    if u64::from(crc32(&sums.concat())) == stored { Ok(()) } else { Err(ErrorKind::Checksum) }
}
