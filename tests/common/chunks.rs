//! A stream taken apart, independently of the decoder: with the whole of it in memory, and so
//! simply that reading it shows it right. It judges no paths and no order; `reference` does.

use std::ops::Range;

use xbkit::ErrorKind;

pub(crate) const MAGIC: &[u8] = b"XBSTCK01";

/// Which part of a chunk a byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Field {
    Magic,
    Flags,
    Type,
    PathLen,
    Path,
    PayloadLen,
    Offset,
    Crc,
    Entries,
    Map,
    Payload,
    SeekOffset,
    ToLen,
    To,
}

/// What kind of chunk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Payload,
    End,
    Sparse,
    Seek,
    Rename,
    Remove,
    Ignored,
}

/// One chunk, by the places of its parts.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) begin: usize,
    /// Behind its last part.
    pub(crate) end: usize,
    /// The parts that are there, in order.
    pub(crate) parts: Vec<(Range<usize>, Field)>,
    /// `None` if its layout is wrong, or cut, before that is known.
    pub(crate) kind: Option<Kind>,
    /// What is wrong with its layout: then parts are missing.
    pub(crate) fault: Option<ErrorKind>,
}

impl Chunk {
    /// The chunk that begins at `begin`.
    pub(crate) fn read(stream: &[u8], begin: usize) -> Self {
        let chunk = Self { begin, end: begin, parts: Vec::new(), kind: None, fault: None };
        let mut walk = Walk { stream, chunk };
        let fault = walk.read().err();
        Self { fault, ..walk.chunk }
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        self.parts.iter().any(|(_, this)| *this == field)
    }

    /// The bytes of a part; none if the chunk has no such part.
    pub(crate) fn part<'s>(&self, stream: &'s [u8], field: Field) -> &'s [u8] {
        let found = self.parts.iter().find(|(_, this)| *this == field);
        found.map_or(&[], |(range, _)| &stream[range.clone()])
    }

    /// A part as a number.
    pub(crate) fn number(&self, stream: &[u8], field: Field) -> u64 {
        little_endian(self.part(stream, field))
    }

    /// The entries of a sparse map: skip and length.
    pub(crate) fn map(&self, stream: &[u8]) -> Vec<(u64, u64)> {
        let entries = self.part(stream, Field::Map).chunks(8);
        entries.map(|entry| (little_endian(&entry[..4]), little_endian(&entry[4..]))).collect()
    }

    /// Which part the byte belongs to.
    pub(crate) fn field_at(&self, at: usize) -> Field {
        let found = self.parts.iter().find(|(range, _)| range.contains(&at));
        found.expect("every byte of a chunk belongs to a part").1
    }
}

/// The chunks of a stream whose layout is right.
pub(crate) fn chunks(stream: &[u8]) -> Vec<Chunk> {
    let mut all: Vec<Chunk> = Vec::new();
    while all.last().map_or(0, |chunk| chunk.end) < stream.len() {
        let chunk = Chunk::read(stream, all.last().map_or(0, |chunk| chunk.end));
        assert_eq!(chunk.fault, None, "{chunk:?}");
        all.push(chunk);
    }
    all
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

struct Walk<'s> {
    stream: &'s [u8],
    chunk: Chunk,
}

impl<'s> Walk<'s> {
    fn read(&mut self) -> Result<(), ErrorKind> {
        let rest = &self.stream[self.chunk.begin..];
        let seen = rest.len().min(MAGIC.len());
        if rest[..seen] != MAGIC[..seen] {
            return Err(ErrorKind::Format);
        }
        self.take(8, Field::Magic)?;
        let flags = self.number(1, Field::Flags)?;
        let letter = self.take(1, Field::Type)?[0];
        let path_len = self.path_len(Field::PathLen)?;
        if !matches!(letter, b'P' | b'E' | b'S' | b'R' | b'D') && flags & 1 == 0 {
            return Err(ErrorKind::Format);
        }
        self.take(path_len, Field::Path)?;
        let kind = match letter {
            b'P' => Kind::Payload,
            b'E' => Kind::End,
            b'S' => match self.stream.get(self.chunk.end + 8..self.chunk.end + 16) {
                None => return Err(ErrorKind::Truncated),
                Some(MAGIC) => Kind::Seek,
                Some(_) => Kind::Sparse,
            },
            b'R' => Kind::Rename,
            b'D' => Kind::Remove,
            _ => Kind::Ignored,
        };
        self.chunk.kind = Some(kind);
        self.body(kind)
    }

    fn body(&mut self, kind: Kind) -> Result<(), ErrorKind> {
        match kind {
            Kind::End | Kind::Remove => {}
            Kind::Seek => drop(self.take(8, Field::SeekOffset)?),
            Kind::Rename => {
                let len = self.path_len(Field::ToLen)?;
                self.take(len, Field::To)?;
            }
            Kind::Payload | Kind::Ignored => {
                let len = self.number(8, Field::PayloadLen)?;
                self.take(8, Field::Offset)?;
                self.take(4, Field::Crc)?;
                self.take(len, Field::Payload)?;
            }
            Kind::Sparse => {
                let entries = self.number(4, Field::Entries)?;
                let len = self.number(8, Field::PayloadLen)?;
                self.take(8, Field::Offset)?;
                self.take(4, Field::Crc)?;
                self.take(entries * 8, Field::Map)?;
                self.take(len, Field::Payload)?;
            }
        }
        Ok(())
    }

    fn path_len(&mut self, field: Field) -> Result<u64, ErrorKind> {
        match self.number(4, field)? {
            0 => Err(ErrorKind::UnsafePath),
            len @ 1..=511 => Ok(len),
            _ => Err(ErrorKind::Limit),
        }
    }

    fn number(&mut self, len: u64, field: Field) -> Result<u64, ErrorKind> {
        self.take(len, field).map(little_endian)
    }

    fn take(&mut self, len: u64, field: Field) -> Result<&'s [u8], ErrorKind> {
        let begin = self.chunk.end;
        let len = usize::try_from(len).map_err(|_| ErrorKind::Truncated)?;
        let end = begin.checked_add(len).ok_or(ErrorKind::Truncated)?;
        let taken = self.stream.get(begin..end).ok_or(ErrorKind::Truncated)?;
        self.chunk.parts.push((begin..end, field));
        self.chunk.end = end;
        Ok(taken)
    }
}
