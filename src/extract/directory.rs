//! Decoding the files of a backup that was extracted as it was stored.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::ExtractReport;
use super::builder::decoding_builder;
use super::holes::Holes;
use crate::cancel::CancelToken;
use crate::codec::stack::Unpacker;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Level, Observer};
use crate::format::member::MemberPath;
use crate::io::pulse::{Beat, Helpers, Pulse, TICK};
use crate::io::unpack::{Decoding, Layers};
use crate::limits;
use crate::pipeline::queue::{Popped, Queue};
use crate::sys::dir::{Dir, EntryType};
use crate::sys::thread::spawn_worker;

/// What the name of a file that is not whole yet ends with.
const PARTIAL: &str = ".xbkit-partial";

/// As those that an extraction makes.
const FILE_MODE: u32 = 0o640;

/// A job that decompresses and decrypts the files of a directory, such as a backup that was
/// extracted with [`Extract::decompress`](crate::Extract::decompress) off. Which files are meant
/// their names say: those that end in `.qp`, `.lz4`, `.zst` or `.xbcrypt`.
///
/// Each file is written beside the stored one under another name, and gets its own when it is
/// whole; a file that has the name already is replaced then. A stored file is removed, if at all,
/// only when the plain one is whole and on disk. Symlinks are neither followed nor decoded.
///
/// Memory: 1 MiB and what the codecs need, for each thread.
#[derive(Clone, Debug)]
pub struct DecodeFiles {
    dir: PathBuf,
    decoding: Decoding,
    remove_original: bool,
    parallel: usize,
    cancel: Option<CancelToken>,
}

impl DecodeFiles {
    /// Decodes the files in `dir` and in directories below it.
    pub fn in_dir(dir: impl AsRef<Path>) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            decoding: Decoding::default(),
            remove_original: false,
            parallel: 1,
            cancel: None,
        }
    }

    /// Whether compressed files are decompressed. On by default.
    pub fn decompress(mut self, decompress: bool) -> Self {
        self.decoding.decompress = decompress;
        self
    }

    /// Whether encrypted files are decrypted. On by default; then they need [`DecodeFiles::key`].
    /// Off, they and what is compressed within them stay as they are.
    pub fn decrypt(mut self, decrypt: bool) -> Self {
        self.decoding.decrypt = decrypt;
        self
    }

    decoding_builder!();

    /// Whether stored files are removed, each when the plain one is whole and on disk.
    pub fn remove_original(mut self, remove: bool) -> Self {
        self.remove_original = remove;
        self
    }

    /// Decodes so many files at once, 1 to 256.
    pub fn parallel(mut self, threads: usize) -> Self {
        self.parallel = threads;
        self
    }

    /// Ends the job when the token is set. Files that are whole by then stay.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Decodes. The report counts files, their plain bytes and, as stream bytes, their stored
    /// ones.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<ExtractReport> {
        limits::check_parallel(self.parallel)?;
        let pulse = Pulse::new(observer, self.cancel.clone());
        let dir = Dir::open(&self.dir).map_err(|error| {
            Error::io(ErrorKind::Source, "opening the directory", error).at_path(&self.dir)
        })?;
        let mut files = Vec::new();
        self.find(&dir, &[], &mut files)?;
        let work = Work {
            job: self,
            dir: &dir,
            files,
            next: AtomicUsize::new(0),
            helpers: pulse.helpers(),
            over: AtomicBool::new(false),
            stored: AtomicU64::new(0),
            plain: AtomicU64::new(0),
            ended: Queue::new(self.parallel),
        };
        work.run(self.parallel, &pulse)?;
        if !self.remove_original {
            dir.sync_filesystem().map_err(|error| {
                Error::io(ErrorKind::Sink, "writing to disk", error).at_path(&self.dir)
            })?;
        }
        let report = ExtractReport {
            members: work.files.len() as u64,
            payload_bytes: work.plain.into_inner(),
            stream_bytes: work.stored.into_inner(),
            ..ExtractReport::default()
        };
        pulse.last_progress()?;
        Ok(report)
    }

    /// Lists what is to be decoded below `prefix`.
    fn find(&self, dir: &Dir, prefix: &[u8], files: &mut Vec<(MemberPath, Layers)>) -> Result<()> {
        let failed = |error, path: &[u8]| {
            let path = self.dir.join(OsStr::from_bytes(path));
            Error::io(ErrorKind::Source, "listing the directory", error).at_path(path)
        };
        let here;
        let listed = if prefix.is_empty() {
            dir
        } else {
            here = dir.open_dir(prefix).map_err(|error| failed(error, prefix))?;
            &here
        };
        let mut entries = listed.entries().map_err(|error| failed(error, prefix))?;
        entries.sort();
        for entry in entries {
            let separator: &[u8] = if prefix.is_empty() { b"" } else { b"/" };
            let path = [prefix, separator, entry.as_bytes()].concat();
            match dir.entry_type(&path).map_err(|error| failed(error, &path))? {
                Some(EntryType::Directory) => self.find(dir, &path, files)?,
                Some(EntryType::File) => {
                    let path = MemberPath::new(&path)?;
                    if let Some(layers) = self.decoding.of(&path, None)? {
                        files.push((path, layers));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What the threads share.
struct Work<'j> {
    job: &'j DecodeFiles,
    dir: &'j Dir,
    files: Vec<(MemberPath, Layers)>,
    next: AtomicUsize,
    helpers: Arc<Helpers>,
    /// The job ended, or a thread failed.
    over: AtomicBool,
    stored: AtomicU64,
    plain: AtomicU64,
    /// A thread that is done says so here.
    ended: Queue<()>,
}

/// Ends the threads when it goes.
struct Stop<'w>(&'w AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Work<'_> {
    fn run(&self, threads: usize, pulse: &Pulse<'_>) -> Result<()> {
        std::thread::scope(|scope| {
            let _stop = Stop(&self.over);
            for number in 0..threads {
                spawn_worker(scope, &format!("xbkit-decode-{number}"), || self.work())?;
            }
            let mut running = threads;
            while running > 0 {
                match self.ended.pop_timeout(TICK) {
                    Popped::Item(()) => running -= 1,
                    _ => pulse.tick()?,
                }
            }
            pulse.hear()
        })
    }

    fn work(&self) {
        let all = || -> Result<()> {
            let mut buffer = vec![0; limits::READ_SIZE];
            while let Some((path, layers)) =
                self.files.get(self.next.fetch_add(1, Ordering::Relaxed))
            {
                if self.over.load(Ordering::Relaxed) {
                    break;
                }
                self.decode(path, layers, &mut buffer)
                    .map_err(|error| error.at_path(self.job.dir.join(path.as_path())))?;
            }
            Ok(())
        };
        let result = catch_unwind(AssertUnwindSafe(all));
        if let Err(error) = result.unwrap_or_else(|panic| Err(Error::from_panic(&*panic))) {
            self.over.store(true, Ordering::Relaxed);
            self.helpers.fail(error);
        }
        let _ = self.ended.push(());
    }

    fn decode(&self, path: &MemberPath, layers: &Layers, buffer: &mut [u8]) -> Result<()> {
        let partial = [layers.path.as_bytes(), PARTIAL.as_bytes()].concat();
        let made = self.decode_into(path, layers, &partial, buffer);
        let size = match made {
            Ok(Some(size)) => size,
            other => {
                let _ = self.dir.remove_file(&partial); // what went wrong is told
                return other.map(drop);
            }
        };
        let sink = |what: &'static str| move |error| Error::io(ErrorKind::Sink, what, error);
        let target = layers.path.as_bytes();
        self.dir
            .rename(&partial, self.dir, target, true)
            .map_err(sink("giving the file its name"))?;
        if self.job.remove_original {
            self.dir.remove_file(path.as_bytes()).map_err(sink("removing the stored file"))?;
        }
        self.plain.fetch_add(size, Ordering::Relaxed);
        self.helpers.member(layers.path.clone(), size);
        Ok(())
    }

    /// Gives the plain size, or `None` if the job ended meanwhile.
    fn decode_into(
        &self,
        path: &MemberPath,
        layers: &Layers,
        partial: &[u8],
        buffer: &mut [u8],
    ) -> Result<Option<u64>> {
        let read = |error| Error::io(ErrorKind::Source, "reading the file", error);
        let write = |error| Error::io(ErrorKind::Sink, "writing the file", error);
        let mut stored = self.dir.open_read(path.as_bytes()).map_err(read)?;
        let _ = self.dir.remove_file(partial); // of an earlier run
        let file = self.dir.create_new(partial, FILE_MODE).map_err(write)?;
        let decoding = &self.job.decoding;
        let mut unpacker = Unpacker::new(&layers.codecs, decoding.key.as_ref(), decoding.growth)?;
        let mut plain = Plain { file, holes: Holes::of(layers.path.as_bytes()), at: 0 };
        loop {
            if self.over.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let count = match stored.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                result => result.map_err(read)?,
            };
            if count == 0 {
                break;
            }
            self.stored.fetch_add(count as u64, Ordering::Relaxed);
            let bytes = buffer.get(..count).unwrap_or_default();
            unpacker.push(bytes, &mut |bytes| plain.write(bytes).map_err(write))?;
            if let Some(warning) = unpacker.warning() {
                self.helpers.log(Level::Warning, warning.to_owned());
            }
        }
        unpacker.finish()?;
        plain.file.set_len(plain.at).map_err(write)?;
        if self.job.remove_original {
            plain.file.sync_all().map_err(write)?;
        }
        Ok(Some(plain.at))
    }
}

/// A file being written front to back, with its holes.
struct Plain {
    file: File,
    holes: Holes,
    at: u64,
}

impl Plain {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let (file, at) = (&self.file, self.at);
        self.holes.written(at, bytes, |range| {
            let start = at + range.start as u64;
            file.write_all_at(bytes.get(range).unwrap_or_default(), start)
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}
