//! The story of a conversion.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Read, Write};
use std::rc::Rc;

use super::held::{Held, Part};
use super::{Convert, ConvertReport};
use crate::codec::stack::{Codec, layers_of};
use crate::error::{Error, ErrorKind, Result};
use crate::format::any::Format;
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::Coded;
use crate::format::xbstream::Item;
use crate::io::layers::Stream;
use crate::io::pulse::Pulse;
use crate::io::sink::Sink;
use crate::io::source::Source;
use crate::io::spool::Spool;
use crate::limits;
use crate::manifest::proof::Prover;
use crate::stream::writer::{EntryWriter, StreamWriter};
use crate::sys::fd::open_file_limit;

/// Bytes of a waiting member that stay in memory, and of all of them.
const MEMBER_MEMORY: usize = 1 << 20;
const MEMORY: usize = 64 << 20;

pub(super) fn convert(
    job: &Convert,
    source: Source<'_>,
    sink: Sink<'_>,
    pulse: &Pulse<'_>,
) -> Result<ConvertReport> {
    limits::check_chunk_size(job.chunk_size)?;
    let Stream { mut input, mut decoder, .. } =
        Stream::open(source, job.missing_end, job.key.as_ref())?;
    let mut prover = Prover::default();
    let writer = StreamWriter::new(job.to, Output(sink.uncounted()))
        .chunk_size(job.chunk_size)?
        .manifest(job.manifest)?;
    let mut converter = Converter {
        job,
        pulse,
        writer: &writer,
        // A tar archive's members do not interleave, and none changes any more.
        as_it_comes: job.to == Format::Xbstream && !job.spool_all,
        open: HashMap::new(),
        shared: Rc::new(RefCell::new(Spool::new(&job.tmpdir, MEMORY, u64::MAX))),
        ended: BTreeMap::new(),
        ended_by_path: HashMap::new(),
        numbers: 0,
        held_bytes: 0,
        memory: 0,
        made: HashSet::new(),
        directories: BTreeSet::new(),
        report: ConvertReport::default(),
    };
    let mut buffer = vec![0; limits::READ_SIZE];
    loop {
        let count = input
            .read(&mut buffer)
            .map_err(|error| Error::io(ErrorKind::Source, "reading the stream", error))?;
        if count == 0 {
            break;
        }
        let mut rest = buffer.get(..count).unwrap_or_default();
        loop {
            let step = decoder.decode(rest)?;
            rest = rest.get(step.consumed..).unwrap_or_default();
            let Some(item) = step.item else { break };
            if !prover.follow(&item, &decoder)? {
                converter.apply(item, decoder.opens_coded())?;
            }
        }
    }
    decoder.finish()?;
    let is_proven = prover.finish(&decoder)?;
    converter.end()?;
    let report = converter.report;
    let (_, stream_bytes) = writer.finish_counted()?;
    pulse.last_progress()?;
    Ok(ConvertReport { proven: is_proven, stream_bytes, ..report })
}

/// The job's sink, for a stream writer.
struct Output<'s>(Sink<'s>);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.0.flush()?)
    }
}

/// A member that is open in the old stream.
enum Open<'s> {
    /// Written as it comes.
    Entry(Box<EntryWriter<Output<'s>>>),
    /// Waiting.
    Held(Held, Coded),
}

/// A member that waits for the end of the stream.
struct Ended {
    path: MemberPath,
    held: Held,
    size: u64,
    coded: Coded,
}

struct Converter<'c, 's, 'p, 'a> {
    job: &'c Convert,
    pulse: &'p Pulse<'a>,
    writer: &'c StreamWriter<Output<'s>>,
    as_it_comes: bool,
    open: HashMap<MemberId, (MemberPath, Open<'s>)>,
    /// With `spool_all`: all bytes, and members in the order of their ends.
    shared: Rc<RefCell<Spool>>,
    ended: BTreeMap<u64, Ended>,
    ended_by_path: HashMap<MemberPath, u64>,
    numbers: u64,
    /// Bytes that wait, in memory and files.
    held_bytes: u64,
    /// Bytes of memory that waiting members may use.
    memory: usize,
    /// Directories in which there is a member.
    made: HashSet<MemberPath>,
    directories: BTreeSet<MemberPath>,
    report: ConvertReport,
}

impl Converter<'_, '_, '_, '_> {
    /// `said` is how the stream says that a member is coded that the item opens.
    fn apply(&mut self, item: Item<'_>, said: Option<Coded>) -> Result<()> {
        match item {
            Item::Open { id, path, rewrite } => {
                let coded = said.unwrap_or_else(|| coded_by_name(&path));
                self.begin(id, path, rewrite, coded)
            }
            Item::Data { id, offset, bytes } => self.data(id, offset, bytes),
            // What no data cover is zero.
            Item::Hole { .. } => Ok(()),
            Item::Close { id, size, .. } => self.close(id, size),
            Item::Rename { from, to, .. } => self.rename(&from, &to),
            Item::Remove { path } => self.remove(&path),
            Item::Directory { path } => self.directory(path),
        }
    }

    fn begin(&mut self, id: MemberId, path: MemberPath, rewrite: bool, coded: Coded) -> Result<()> {
        if rewrite {
            self.remove(&path)?;
        }
        let open = if self.as_it_comes {
            let entry = self.writer.entry(&path).map_err(|error| error.at_path(&path))?;
            let mut entry = Box::new(entry);
            entry.set_coded(coded);
            Open::Entry(entry)
        } else {
            Open::Held(self.hold(&path)?, coded)
        };
        let mut above = path.as_path().parent();
        while let Some(dir) = above.filter(|dir| !dir.as_os_str().is_empty()) {
            use std::os::unix::ffi::OsStrExt;
            if !self.made.insert(MemberPath::new(dir.as_os_str().as_bytes())?) {
                break;
            }
            above = dir.parent();
        }
        self.open.insert(id, (path, open));
        Ok(())
    }

    fn hold(&mut self, path: &MemberPath) -> Result<Held> {
        if self.job.spool_all {
            return Ok(Held::among(&self.shared));
        }
        let waiting = self.open.len();
        let most = usize::try_from(open_file_limit() / 2).unwrap_or(usize::MAX);
        let budget = MEMBER_MEMORY.min(MEMORY.saturating_sub(self.memory));
        if budget == 0 && waiting >= most {
            let message = format!("{waiting} members wait for their ends, each in a file");
            return Err(Error::new(ErrorKind::Limit, message)
                .at_path(path)
                .hint("let the process open more files (ulimit -n)"));
        }
        self.memory += budget;
        Ok(Held::alone(&self.job.tmpdir, budget))
    }

    fn data(&mut self, id: MemberId, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some((path, open)) = self.open.get_mut(&id) else { return Err(unknown(id)) };
        match open {
            Open::Entry(entry) => {
                let at = entry.size();
                if offset < at {
                    let message = "the stream writes this member out of order";
                    return Err(changes(message, path));
                }
                if offset > at {
                    entry.hole(offset - at)?;
                }
                entry.write_all(bytes).map_err(write_error)
            }
            Open::Held(held, _) => {
                self.held_bytes += bytes.len() as u64;
                if self.held_bytes > self.job.max_spool {
                    let message = format!(
                        "more than {} bytes wait for the ends of their members",
                        self.job.max_spool
                    );
                    return Err(Error::new(ErrorKind::Limit, message).at_path(path).hint(
                        "allow more by --max-spool, and name a large directory by --tmpdir",
                    ));
                }
                held.put(offset, bytes).map_err(|error| error.at_path(&*path))
            }
        }
    }

    fn close(&mut self, id: MemberId, size: u64) -> Result<()> {
        let Some((path, open)) = self.open.remove(&id) else { return Err(unknown(id)) };
        match open {
            Open::Entry(mut entry) => {
                if size > entry.size() {
                    entry.hole(size - entry.size())?;
                }
                entry.finish()?;
                self.count(&path, size)
            }
            Open::Held(held, coded) if self.job.spool_all => {
                self.ended_by_path.insert(path.clone(), self.numbers);
                self.ended.insert(self.numbers, Ended { path, held, size, coded });
                self.numbers += 1;
                Ok(())
            }
            Open::Held(held, coded) => self.write(&Ended { path, held, size, coded }),
        }
    }

    /// Writes a member that waited.
    fn write(&mut self, ended: &Ended) -> Result<()> {
        let Ended { path, held, size, coded } = ended;
        let mut entry = self.writer.entry_sized(path, *size)?;
        entry.set_coded(*coded);
        held.each(*size, |part| match part {
            Part::Zeros(len) => entry.hole(len),
            Part::Data(bytes) => entry.write_all(bytes).map_err(write_error),
        })?;
        entry.finish()?;
        self.held_bytes -= held.len();
        self.memory -= held.budget();
        self.count(path, *size)
    }

    fn count(&mut self, path: &MemberPath, size: u64) -> Result<()> {
        self.report.members += 1;
        self.report.payload_bytes += size;
        self.pulse.member(path.as_path(), size)
    }

    fn rename(&mut self, from: &MemberPath, to: &MemberPath) -> Result<()> {
        if !self.job.spool_all {
            return Err(changes("the stream renames a member that ended", from));
        }
        self.remove(to)?;
        if let Some(number) = self.ended_by_path.remove(from)
            && let Some(ended) = self.ended.get_mut(&number)
        {
            ended.path = to.clone();
            self.ended_by_path.insert(to.clone(), number);
        }
        Ok(())
    }

    fn remove(&mut self, path: &MemberPath) -> Result<()> {
        if !self.job.spool_all {
            return Err(changes("the stream takes back a member that ended", path));
        }
        // Its place in the spool is not used again.
        if let Some(number) = self.ended_by_path.remove(path) {
            self.ended.remove(&number);
        }
        Ok(())
    }

    fn directory(&mut self, path: MemberPath) -> Result<()> {
        if self.job.to == Format::Tar && !self.directories.contains(&path) {
            self.writer.directory(&path)?;
        }
        self.directories.insert(path);
        Ok(())
    }

    /// The old stream has ended, properly.
    fn end(&mut self) -> Result<()> {
        for (_, ended) in std::mem::take(&mut self.ended) {
            self.write(&ended)?;
        }
        if self.job.to != Format::Xbstream {
            return Ok(());
        }
        for path in std::mem::take(&mut self.directories) {
            if !self.made.contains(&path) {
                self.empty_directory(&path)?;
            }
        }
        Ok(())
    }

    /// As a backup of a stopped server does it.
    fn empty_directory(&mut self, path: &MemberPath) -> Result<()> {
        let name = path.as_bytes();
        if name.contains(&b'/') || name.starts_with(b"#") || name.starts_with(b".") {
            let message =
                format!("{path}: a directory without files, which an xbstream cannot hold");
            return self.pulse.warn(&message);
        }
        let path = MemberPath::new(&[name, b"/db.opt"].concat())?;
        self.writer.entry_sized(&path, 0)?.finish()?;
        self.count(&path, 0)
    }
}

/// How a member is coded of a stream that does not say so: by its name, as when it is extracted.
fn coded_by_name(path: &MemberPath) -> Coded {
    let (codecs, _) = layers_of(path.as_bytes());
    let is = |codec: &Codec| !matches!(codec, Codec::Xbcrypt | Codec::Gzip);
    Coded { compressed: codecs.iter().any(is), encrypted: codecs.first() == Some(&Codec::Xbcrypt) }
}

fn changes(message: &'static str, path: &MemberPath) -> Error {
    Error::new(ErrorKind::Unsupported, message).at_path(path).hint(
        "--spool-all lets every member wait for the end of the stream, which takes as much space",
    )
}

fn write_error(error: io::Error) -> Error {
    Error::io(ErrorKind::Sink, "writing the stream", error)
}

fn unknown(id: MemberId) -> Error {
    let message = format!("member {} is not open: this is a bug in xbkit", id.0);
    Error::new(ErrorKind::Panic, message)
}
