//! An extractor into memory: what a stream's items make of an empty directory, and what they must
//! never say.
//!
//! Nothing here knows the bytes of a stream. Holes and far offsets cost no memory, so that damaged
//! streams can be tried: a content is a map of small pages, and zeros need none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use xbkit::format::member::{MemberId, MemberPath};
use xbkit::format::tar;
use xbkit::format::xbstream::{Decoder, Item, Step};
use xbkit::manifest::MANIFEST_NAME;
use xbkit::{Error, ErrorKind};

const PAGE: usize = 512;

/// The bytes of a file.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    size: u64,
    /// Pages by number; one that is not there is zero.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Puts bytes at an offset. The file grows if need be, and a gap is zero; no bytes do nothing.
    pub(crate) fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let mut at = offset;
        if bytes.is_empty() {
            return;
        }
        while !bytes.is_empty() {
            let (number, within) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let (here, rest) = bytes.split_at(bytes.len().min(PAGE - within));
            let page = self.pages.entry(number).or_insert_with(|| Box::new([0; PAGE]));
            page[within..within + here.len()].copy_from_slice(here);
            at += here.len() as u64;
            bytes = rest;
        }
        self.size = self.size.max(at);
    }

    /// Makes the file this long if it is shorter.
    pub(crate) fn grow(&mut self, size: u64) {
        self.size = self.size.max(size);
    }

    /// Without pages of zeros, so that equal bytes are equal values.
    pub(crate) fn tidied(mut self) -> Self {
        self.pages.retain(|_, page| page.iter().any(|byte| *byte != 0));
        self
    }

    /// The runs of bytes that are not all zero, in pages: offset and bytes.
    pub(crate) fn extents(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().map(|(number, page)| {
            let offset = number * PAGE as u64;
            let len = (self.size - offset).min(PAGE as u64) as usize;
            (offset, &page[..len])
        })
    }

    /// Gives all bytes, in order and in pieces.
    pub(crate) fn feed(&self, mut to: impl FnMut(&[u8])) {
        let mut at = 0;
        let zeros = |from: u64, until: u64, to: &mut dyn FnMut(&[u8])| {
            let mut left = until - from;
            while left > 0 {
                let len = left.min(1 << 16);
                to(&vec![0; len as usize]);
                left -= len;
            }
        };
        for (offset, bytes) in self.extents() {
            zeros(at, offset, &mut to);
            to(bytes);
            at = offset + bytes.len() as u64;
        }
        zeros(at, self.size, &mut to);
    }

    /// All bytes.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        assert!(self.size <= 1 << 26, "{} bytes are too many to hold", self.size);
        let mut all = Vec::new();
        self.feed(|bytes| all.extend_from_slice(bytes));
        all
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(0, bytes);
        content.tidied()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size)?;
        if self.size <= 64 {
            write!(f, " \"{}\"", self.to_vec().escape_ascii())?;
        }
        Ok(())
    }
}

/// Files by name.
pub(crate) type Files = BTreeMap<Vec<u8>, Content>;

/// The files below a directory, without the manifest of the stream that they came from.
#[expect(clippy::disallowed_methods, reason = "the test reads what a peer extracted")]
pub(crate) fn on_disk(dir: &Path) -> Files {
    let mut files = Files::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a directory");
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            let name = path.strip_prefix(dir).expect("a path below the directory");
            if name == Path::new(MANIFEST_NAME) {
                continue;
            }
            let bytes = std::fs::read(&path).expect("a file");
            files.insert(name.as_os_str().as_bytes().to_vec(), Content::from(&*bytes));
        }
    }
    files
}

/// A member being written.
struct Open {
    path: MemberPath,
    content: Content,
}

/// What the items so far made.
#[derive(Default)]
pub(crate) struct Tree {
    /// Members that were closed.
    pub(crate) files: Files,
    /// Directories that were told.
    pub(crate) directories: BTreeSet<Vec<u8>>,
    open: HashMap<MemberId, Open>,
    ids: u64,
}

impl Tree {
    /// Does what an item says.
    ///
    /// Panics if it breaks what `Item` promises: that is a bug of the decoder, whatever the input.
    pub(crate) fn apply(&mut self, item: &Item<'_>) {
        match item {
            Item::Open { id, path, rewrite } => {
                assert_eq!(id.0, self.ids, "members are numbered in order of appearance");
                self.ids += 1;
                assert!(self.open.values().all(|open| open.path != *path), "{path:?} is open");
                let replaced = self.files.remove(path.as_bytes());
                assert_eq!(replaced.is_some(), *rewrite, "{path:?} replaces or is new");
                self.open.insert(*id, Open { path: path.clone(), content: Content::default() });
            }
            Item::Data { id, offset, bytes } => {
                assert!(!bytes.is_empty(), "data of no bytes");
                self.content(*id).write(*offset, bytes);
            }
            Item::Hole { id, offset, len } => {
                let content = self.content(*id);
                assert!(*len > 0, "hole of no bytes");
                assert!(*offset >= content.size, "hole on bytes written before");
                content.grow(offset + len);
            }
            Item::Close { id, path, size } => {
                let open = self.open.remove(id).expect("an open member is closed");
                assert_eq!(open.path, *path, "a member keeps its path");
                assert_eq!(open.content.size, *size, "the size is where the data end");
                let content = open.content.tidied();
                assert!(self.files.insert(path.as_bytes().to_vec(), content).is_none());
            }
            Item::Rename { from, to, replaces } => {
                let content = self.files.remove(from.as_bytes()).expect("a closed member");
                assert_ne!(from, to, "a rename changes the path");
                let replaced = self.files.insert(to.as_bytes().to_vec(), content);
                assert_eq!(replaced.is_some(), *replaces, "{to:?} is replaced or not");
            }
            Item::Remove { path } => {
                assert!(self.files.remove(path.as_bytes()).is_some(), "a closed member");
            }
            Item::Directory { path } => {
                self.directories.insert(path.as_bytes().to_vec());
            }
            other => panic!("unknown item {other:?}"),
        }
    }

    fn content(&mut self, id: MemberId) -> &mut Content {
        &mut self.open.get_mut(&id).expect("data belong to an open member").content
    }
}

/// What came of a stream.
pub(crate) struct Outcome {
    /// Members closed before the end or the error.
    pub(crate) files: Files,
    /// Directories told before the end or the error.
    pub(crate) directories: BTreeSet<Vec<u8>>,
    /// Whether the stream was accepted.
    pub(crate) result: Result<(), Error>,
    /// Items in all, and bytes of data in them.
    pub(crate) items: usize,
    pub(crate) bytes: u64,
}

impl Outcome {
    /// The files of a stream that was accepted, without its manifest.
    #[track_caller]
    pub(crate) fn accepted(self) -> Files {
        match self.result {
            Ok(()) => {
                let mut files = self.files;
                files.remove(MANIFEST_NAME.as_bytes());
                files
            }
            Err(error) => panic!("refused: {error}"),
        }
    }

    /// What does not depend on how the input was cut: files, and the error with kind and place.
    pub(crate) fn verdict(&self) -> (&Files, Option<(ErrorKind, u64, String)>) {
        let error = self.result.as_ref().err().map(|error| {
            let place = error.stream_offset().expect("an error has its place in the stream");
            (error.kind(), place, error.to_string())
        });
        (&self.files, error)
    }
}

/// What the decoders of both formats do.
pub(crate) trait Decodes {
    fn decode<'i>(&mut self, input: &'i [u8]) -> Result<Step<'i>, Error>;
    fn finish(&mut self) -> Result<(), Error>;
    fn stream_offset(&self) -> u64;
}

impl Decodes for Decoder {
    fn decode<'i>(&mut self, input: &'i [u8]) -> Result<Step<'i>, Error> {
        Self::decode(self, input)
    }
    fn finish(&mut self) -> Result<(), Error> {
        Self::finish(self)
    }
    fn stream_offset(&self) -> u64 {
        Self::stream_offset(self)
    }
}

impl Decodes for tar::Decoder {
    fn decode<'i>(&mut self, input: &'i [u8]) -> Result<Step<'i>, Error> {
        Self::decode(self, input)
    }
    fn finish(&mut self) -> Result<(), Error> {
        Self::finish(self)
    }
    fn stream_offset(&self) -> u64 {
        Self::stream_offset(self)
    }
}

/// Decodes an xbstream given in pieces of the lengths that `piece` says.
pub(crate) fn decode(stream: &[u8], piece: impl FnMut() -> usize) -> Outcome {
    decode_by(Decoder::new(), stream, piece)
}

/// Decodes a stream given in pieces of the lengths that `piece` says, and holds the decoder to
/// its word at each step.
pub(crate) fn decode_by(
    mut decoder: impl Decodes,
    stream: &[u8],
    mut piece: impl FnMut() -> usize,
) -> Outcome {
    let mut tree = Tree::default();
    let (mut items, mut bytes) = (0, 0);
    let mut rest = stream;
    let result = loop {
        if rest.is_empty() {
            break decoder.finish();
        }
        let (input, behind) = rest.split_at(piece().min(rest.len()));
        rest = behind;
        let fed = feed(&mut decoder, input, &mut |item| {
            items += 1;
            if let Item::Data { bytes: data, .. } = item {
                bytes += data.len() as u64;
            }
            tree.apply(item);
        });
        if fed.is_err() {
            break fed;
        }
        assert_eq!(decoder.stream_offset(), (stream.len() - rest.len()) as u64);
    };
    let after = decoder.decode(stream).map(|_| ()).and(decoder.finish());
    let kind = after.expect_err("the decoder has ended").kind();
    assert_eq!(kind, ErrorKind::InvalidState);
    Outcome { files: tree.files, directories: tree.directories, result, items, bytes }
}

/// Decodes a stream given whole.
pub(crate) fn decode_whole(stream: &[u8]) -> Outcome {
    decode(stream, || stream.len())
}

/// Takes all items of one input.
fn feed(
    decoder: &mut impl Decodes,
    mut input: &[u8],
    each: &mut impl FnMut(&Item<'_>),
) -> Result<(), Error> {
    loop {
        let step = decoder.decode(input)?;
        let (consumed, rest) = input.split_at(step.consumed);
        let Some(item) = step.item else {
            assert!(rest.is_empty(), "no item, and {} bytes left", rest.len());
            return Ok(());
        };
        if let Item::Data { bytes, .. } = item {
            let tail = &consumed[consumed.len() - bytes.len()..];
            assert!(std::ptr::eq(tail, bytes), "data are the last of what was consumed");
        }
        each(&item);
        input = rest;
    }
}
