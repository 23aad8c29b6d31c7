//! Writing a stream from a program's own data, several members at once.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::format::any::Format;
use crate::format::member::MemberPath;
use crate::format::tar;
use crate::format::xbstream::{
    Coded, Dialect, Members, SparseRun, announce_manifest, append_end, append_payload_header,
    append_sparse_header, crc32, mark_coded, mark_within,
};
use crate::limits;
use crate::manifest::{Ended, ManifestWriter, is_in_manifests_place};

/// Writes a stream into any [`Write`].
///
/// Every [`EntryWriter`] collects a chunk of its own and hands it over whole, so several threads
/// can write several members at once. Memory: a chunk for each open entry, if it wrote that much.
///
/// The stream ends in a [manifest](crate::manifest) unless [`StreamWriter::manifest`] is off, so
/// dropping a writer without [`StreamWriter::finish`] leaves a stream that readers of xbkit refuse.
/// Other readers may not notice, as xbstream has no end mark: **call `finish`** and let its error
/// stop you.
///
/// A tar archive takes one member at a time, and needs its size first: [`StreamWriter::entry_sized`].
///
/// # Examples
/// ```
/// use std::io::Write;
/// use xbkit::{Format, StreamWriter};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let writer = StreamWriter::new(Format::Xbstream, Vec::new());
/// let (mut a, mut b) = (writer.entry("ibdata1")?, writer.entry("db/t.ibd")?);
/// a.write_all(b"page")?;
/// b.write_all(b"row")?;
/// b.finish()?;
/// a.finish()?;
/// let stream = writer.finish()?;
/// # assert!(stream.starts_with(b"XBSTCK01"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StreamWriter<W: Write> {
    shared: Arc<Mutex<Shared<W>>>,
    chunk_size: usize,
    dialect: Dialect,
    modified: i64,
    format: Format,
}

#[derive(Debug)]
struct Shared<W> {
    format: Format,
    sink: Option<W>,
    members: Members,
    manifest: Option<ManifestWriter>,
    /// Set when the sink failed: nothing more can be written behind half a chunk.
    failed: bool,
    stream_bytes: u64,
}

impl<W: Write> StreamWriter<W> {
    /// Writes into `sink`. Nothing is written until the first chunk is full, or the first entry of
    /// an archive is made.
    pub fn new(format: Format, sink: W) -> Self {
        let mut members = Members::default();
        members.set_hashed(true);
        Self {
            shared: Arc::new(Mutex::new(Shared {
                format,
                sink: Some(sink),
                members,
                manifest: Some(ManifestWriter::new()),
                failed: false,
                stream_bytes: 0,
            })),
            chunk_size: limits::CHUNK_SIZE,
            dialect: Dialect::Common,
            modified: 0,
            format,
        }
    }

    /// When members were modified, in seconds since 1970, for entries of a tar archive made from
    /// now on. 0 unless set, so that the same members make the same archive.
    pub fn modified(mut self, seconds: i64) -> Self {
        self.modified = seconds;
        self
    }

    /// Payload bytes of a chunk, 64 KiB to 64 MiB, for entries made from now on.
    pub fn chunk_size(mut self, bytes: usize) -> Result<Self> {
        limits::check_chunk_size(bytes)?;
        self.chunk_size = bytes;
        Ok(self)
    }

    /// Whether holes travel as sparse chunks, which only Percona's readers and xbkit take, for
    /// entries made from now on.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Whether the stream ends in a [manifest](crate::manifest), by which it can be proven whole.
    /// On by default.
    ///
    /// # Errors
    /// `InvalidState` behind the first [`StreamWriter::entry`].
    pub fn manifest(self, manifest: bool) -> Result<Self> {
        let mut shared = self.shared.lock();
        if shared.members.is_unused() {
            shared.manifest = manifest.then(ManifestWriter::new);
            shared.members.set_hashed(manifest);
            drop(shared);
            return Ok(self);
        }
        let message = "the stream has begun, and its beginning says whether it has a manifest";
        Err(Error::new(ErrorKind::InvalidState, message))
    }

    /// Begins a member of an xbstream.
    ///
    /// # Errors
    /// `UnsafePath` or `InvalidArgument` for a path no reader takes, `Exists` if a member has it
    /// already, `InvalidState` after the sink failed, `InvalidArgument` for a tar archive.
    pub fn entry(&self, path: impl AsRef<Path>) -> Result<EntryWriter<W>> {
        self.begin(path.as_ref(), None)
    }

    /// Begins a member that will have `size` bytes, not more and not fewer.
    ///
    /// # Errors
    /// As [`StreamWriter::entry`]; `InvalidState` while another entry of a tar archive is open.
    pub fn entry_sized(&self, path: impl AsRef<Path>, size: u64) -> Result<EntryWriter<W>> {
        self.begin(path.as_ref(), Some(size))
    }

    fn begin(&self, path: &Path, size: Option<u64>) -> Result<EntryWriter<W>> {
        use std::os::unix::ffi::OsStrExt;
        let path = MemberPath::new(path.as_os_str().as_bytes())?;
        let mut shared = self.shared.lock();
        shared.check()?;
        let mut end = Vec::new();
        let mut head = Vec::new();
        match (shared.format, size) {
            (Format::Xbstream, _) => append_end(&mut end, path.as_bytes())?,
            (Format::Tar, Some(size)) => {
                tar::append_member(&mut head, path.as_bytes(), size, self.modified)?;
                end.resize(tar::padding_len(size), 0);
                shared.check_none_open()?;
            }
            (Format::Tar, None) => {
                let message = "a tar archive needs a member's size before its bytes";
                return Err(Error::new(ErrorKind::InvalidArgument, message).at_path(path));
            }
        }
        if shared.manifest.is_some() && is_in_manifests_place(path.as_bytes()) {
            let message = "this is the name of the manifest that the stream itself gets";
            return Err(Error::new(ErrorKind::Exists, message).at_path(path));
        }
        if shared.members.get(path.as_bytes()).is_some()
            || shared.members.is_closed(path.as_bytes())
        {
            let message = "the stream holds a member of this name already";
            return Err(Error::new(ErrorKind::Exists, message).at_path(path));
        }
        shared.members.open(path.as_bytes(), false)?;
        if !head.is_empty() {
            shared.write_frame(&head)?;
        }
        let hasher = shared.manifest.is_some().then(blake3::Hasher::new);
        drop(shared);
        Ok(EntryWriter {
            shared: Arc::clone(&self.shared),
            path,
            format: self.format,
            size_told: size,
            end,
            coded: None,
            hasher,
            chunk_size: self.chunk_size,
            dialect: self.dialect,
            payload: Vec::new(),
            runs: Vec::new(),
            chunk_offset: 0,
            offset: 0,
        })
    }

    /// Adds a directory to a tar archive, for one in which there is nothing.
    ///
    /// # Errors
    /// As [`StreamWriter::entry_sized`]; `InvalidArgument` for an xbstream, which holds none.
    pub fn directory(&self, path: impl AsRef<Path>) -> Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let path = path.as_ref();
        let mut shared = self.shared.lock();
        shared.check()?;
        if shared.format != Format::Tar {
            let message = "an xbstream holds no directories";
            return Err(Error::new(ErrorKind::InvalidArgument, message).at_path(path));
        }
        shared.check_none_open()?;
        let mut head = Vec::new();
        tar::append_directory(&mut head, path.as_os_str().as_bytes(), self.modified)?;
        shared.write_frame(&head)
    }

    /// Stream bytes given to the sink so far.
    pub fn stream_bytes(&self) -> u64 {
        self.shared.lock().stream_bytes
    }

    /// Ends the stream, flushes the sink and gives it back.
    ///
    /// # Errors
    /// `InvalidState` if an entry was not finished or the sink failed before.
    pub fn finish(self) -> Result<W> {
        self.finish_counted().map(|(sink, _)| sink)
    }

    /// The same, with the bytes of the stream.
    pub(crate) fn finish_counted(self) -> Result<(W, u64)> {
        let mut shared = self.shared.lock();
        shared.check()?;
        if let (Some(path), count) = shared.members.first_open() {
            let message = format!("{count} entries are not finished, this one first");
            return Err(Error::new(ErrorKind::InvalidState, message).at_path(path));
        }
        match shared.format {
            Format::Xbstream => shared.write_manifest(self.chunk_size)?,
            Format::Tar => shared.write_end()?,
        }
        let mut sink = shared.sink.take().ok_or_else(finished)?;
        sink.flush().map_err(sink_error)?;
        Ok((sink, shared.stream_bytes))
    }
}

impl<W: Write> Shared<W> {
    fn check(&self) -> Result<()> {
        match (&self.sink, self.failed) {
            (Some(_), false) => Ok(()),
            (None, _) => Err(finished()),
            (_, true) => Err(Error::new(ErrorKind::InvalidState, "the sink failed before")),
        }
    }

    /// Writes a chunk, in this order with all others.
    fn write_chunk(&mut self, header: &mut [u8], payload: &[u8]) -> Result<()> {
        if let Some(manifest) = &mut self.manifest {
            if manifest.is_first() {
                announce_manifest(header);
            } else {
                mark_within(header);
            }
            manifest.framing(header);
        }
        self.write(&[header, payload])
    }

    /// A member of a tar archive begins when the one before it has ended.
    fn check_none_open(&self) -> Result<()> {
        let (Some(path), _) = self.members.first_open() else { return Ok(()) };
        let message = "a tar archive takes one member at a time, and this one is not finished";
        Err(Error::new(ErrorKind::InvalidState, message).at_path(path))
    }

    /// Writes headers or padding of a tar archive.
    fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        self.announce()?;
        if let Some(manifest) = &mut self.manifest {
            manifest.framing(frame);
        }
        self.write(&[frame])
    }

    /// Begins a tar archive, if nothing was written yet.
    fn announce(&mut self) -> Result<()> {
        if self.manifest.is_none() || self.stream_bytes > 0 {
            return Ok(());
        }
        let mut announcement = Vec::new();
        tar::append_announcement(&mut announcement);
        self.write(&[&announcement])
    }

    /// Ends a tar archive, by its manifest if it is to have one.
    fn write_end(&mut self) -> Result<()> {
        self.announce()?;
        match self.manifest.take() {
            Some(manifest) => manifest.finish().write_tar_end(|piece| self.write(&[piece])),
            None => self.write(&[&tar::END]),
        }
    }

    /// Ends the stream by its manifest, if it is to have one.
    fn write_manifest(&mut self, chunk_size: usize) -> Result<()> {
        let Some(manifest) = self.manifest.take() else { return Ok(()) };
        manifest.finish().write_chunks(chunk_size, |chunk| self.write(&[chunk]))
    }

    fn write(&mut self, pieces: &[&[u8]]) -> Result<()> {
        self.check()?;
        let Some(sink) = &mut self.sink else { return Err(finished()) };
        self.failed = true;
        for piece in pieces {
            sink.write_all(piece).map_err(sink_error)?;
            self.stream_bytes += piece.len() as u64;
        }
        self.failed = false;
        Ok(())
    }
}

/// Writes one member. Bytes come in order; [`EntryWriter::hole`] skips zeros.
///
/// Dropping it unfinished makes [`StreamWriter::finish`] fail.
///
/// # Thread safety
/// Different entries of one writer may be used on different threads at once.
#[derive(Debug)]
#[must_use = "an entry that is not finished spoils its stream"]
pub struct EntryWriter<W: Write> {
    shared: Arc<Mutex<Shared<W>>>,
    path: MemberPath,
    format: Format,
    /// The size that was told when it began.
    size_told: Option<u64>,
    /// The member's last chunk, made first so that a bad path fails early; what fills up the last
    /// block of a member of a tar archive.
    end: Vec<u8>,
    /// How the member is coded, until its first chunk says it.
    coded: Option<Coded>,
    /// Of the bytes sent, if there will be a manifest.
    hasher: Option<blake3::Hasher>,
    chunk_size: usize,
    dialect: Dialect,
    /// Data of the chunk being collected.
    payload: Vec<u8>,
    /// Its sparse map, if it has a hole.
    runs: Vec<SparseRun>,
    /// Where in the member the chunk begins.
    chunk_offset: u64,
    /// Where in the member the next byte goes.
    offset: u64,
}

impl<W: Write> EntryWriter<W> {
    /// The member's path, normalised.
    pub fn path(&self) -> &Path {
        self.path.as_path()
    }

    /// Bytes written so far, holes included.
    pub fn size(&self) -> u64 {
        self.offset
    }

    /// Appends `len` zero bytes. In Percona's dialect they take no space in the stream.
    pub fn hole(&mut self, len: u64) -> Result<()> {
        self.check_size(len)?;
        match self.dialect {
            _ if self.format == Format::Tar => self.zeros(len)?,
            Dialect::Common => self.zeros(len)?,
            Dialect::Percona => {
                let mut left = len;
                while left > 0 {
                    let skip = u32::try_from(left).unwrap_or(u32::MAX);
                    self.begin_runs();
                    self.runs.push(SparseRun { skip, len: 0 });
                    self.offset += u64::from(skip);
                    left -= u64::from(skip);
                    if self.runs.len() >= 1024 {
                        self.flush_chunk()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn zeros(&mut self, len: u64) -> Result<()> {
        let zeros = vec![0; self.chunk_size];
        let mut left = len;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
            self.append(zeros.get(..count).unwrap_or_default())?;
            left -= count as u64;
        }
        Ok(())
    }

    /// Ends the member.
    ///
    /// # Errors
    /// `InvalidArgument` if it has fewer bytes than were told when it began: its stream is spoiled.
    pub fn finish(mut self) -> Result<()> {
        if let Some(told) = self.size_told.filter(|told| *told != self.offset) {
            let message = format!("the member has {} bytes, and {told} were told", self.offset);
            return Err(Error::new(ErrorKind::InvalidArgument, message).at_path(&self.path));
        }
        self.flush_chunk()?;
        self.mark_opening_end();
        let mut shared = self.shared.lock();
        match self.format {
            Format::Xbstream => shared.write_chunk(&mut self.end, &[])?,
            Format::Tar => shared.write_frame(&self.end)?,
        }
        shared.members.close(self.path.as_bytes());
        if let (Some(manifest), Some(hasher)) = (&mut shared.manifest, &self.hasher) {
            let (path, hash) = (self.path.clone(), hasher.finalize());
            manifest.member(&Ended { path, size: self.offset, plain_size: None, hash });
        }
        Ok(())
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.format == Format::Tar {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(bytes);
            }
            self.shared.lock().write(&[bytes])?;
            self.offset += bytes.len() as u64;
            return Ok(());
        }
        while !bytes.is_empty() {
            let room = self.chunk_size.saturating_sub(self.payload.len());
            if self.payload.is_empty() && self.runs.is_empty() && bytes.len() >= self.chunk_size {
                // A whole chunk at once needs no copy.
                let (chunk, rest) = bytes.split_at(self.chunk_size);
                self.send_payload(chunk)?;
                self.offset += chunk.len() as u64;
                self.chunk_offset = self.offset;
                bytes = rest;
                continue;
            }
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.payload.extend_from_slice(piece);
            if let Some(run) = self.runs.last_mut() {
                // Below the chunk size, which is at most 64 MiB.
                run.len += u32::try_from(piece.len()).unwrap_or(0);
            }
            self.offset += piece.len() as u64;
            bytes = rest;
            if self.payload.len() >= self.chunk_size {
                self.flush_chunk()?;
            }
        }
        Ok(())
    }

    /// Describes the data collected so far by a run, so that a hole can follow it.
    fn begin_runs(&mut self) {
        if self.runs.is_empty() && !self.payload.is_empty() {
            let len = u32::try_from(self.payload.len()).unwrap_or(0); // at most 64 MiB
            self.runs.push(SparseRun { skip: 0, len });
        }
    }

    fn flush_chunk(&mut self) -> Result<()> {
        let payload = std::mem::take(&mut self.payload);
        if !self.runs.is_empty() {
            let mut header = Vec::new();
            append_sparse_header(
                &mut header,
                self.path.as_bytes(),
                self.chunk_offset,
                &self.runs,
                &payload,
            )?;
            self.send(&mut header, &payload)?;
            self.runs.clear();
        } else if !payload.is_empty() {
            self.send_payload(&payload)?;
        }
        self.chunk_offset = self.offset;
        self.payload = payload;
        self.payload.clear();
        Ok(())
    }

    fn send_payload(&mut self, payload: &[u8]) -> Result<()> {
        let mut header = Vec::with_capacity(64 + self.path.as_bytes().len());
        append_payload_header(
            &mut header,
            self.path.as_bytes(),
            self.chunk_offset,
            payload.len() as u64,
            crc32(payload),
            false,
        )?;
        self.send(&mut header, payload)
    }

    fn send(&mut self, header: &mut [u8], payload: &[u8]) -> Result<()> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(payload);
            mark_coded(header, self.coded.take().unwrap_or_default());
        }
        self.shared.lock().write_chunk(header, payload)
    }

    /// Says of the member how it is coded: it comes so. To be called before its first byte. Only
    /// an xbstream with a manifest can tell.
    pub(crate) fn set_coded(&mut self, coded: Coded) {
        self.coded = Some(coded);
    }

    /// An empty member is opened by its end.
    fn mark_opening_end(&mut self) {
        if let Some(coded) = self.coded.take().filter(|_| self.hasher.is_some())
            && self.format == Format::Xbstream
        {
            mark_coded(&mut self.end, coded);
        }
    }

    fn check_size(&self, more: u64) -> Result<()> {
        match self.offset.checked_add(more) {
            Some(end) if self.size_told.is_some_and(|told| end > told) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the member would have {end} bytes, more than were told"),
            )
            .at_path(&self.path)),
            Some(end) if end <= limits::MEMBER_SIZE => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Limit,
                format!("{more} bytes behind {} exceed limit {}", self.offset, limits::MEMBER_SIZE),
            )
            .at_path(&self.path)),
        }
    }
}

impl<W: Write> Write for EntryWriter<W> {
    /// Takes all of `bytes`. Errors carry an [`Error`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check_size(bytes.len() as u64)?;
        self.append(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: chunks are handed over when they are full, and at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn finished() -> Error {
    Error::new(ErrorKind::InvalidState, "the stream was finished before")
}

fn sink_error(error: io::Error) -> Error {
    Error::io(ErrorKind::Sink, "writing the stream", error)
}
