//! Writing a stream from a program's own data. `xbkit._writer` makes context managers of it.
//!
//! The core collects chunks and keeps the members' order under a lock of its own, which must not
//! be held while user code runs or a descriptor is waited for: a thread that waits for it could
//! not see a signal. So finished chunks go into an outbox, and whoever filled it empties it into
//! the sink, under a [`Lock`]. An entry's thread has at most one chunk in the outbox.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xbkit_core::{Dialect, EntryWriter, Error, ErrorKind, Format, Result, StreamWriter};

use crate::call::{Failure, Raised};
use crate::errors;
use crate::jobs::{to_dialect, to_format};
use crate::lock::Lock;
use crate::sink::{self, Sink, SinkSpec};
use crate::source::with_bytes;
use crate::{CancelToken, token};

/// Chunks on their way from the core to the sink, in their order.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Vec<Vec<u8>>>>);

impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Shared {
    /// `None` once finished or aborted.
    stream: Mutex<Option<StreamWriter<Outbox>>>,
    outbox: Outbox,
    sink: Lock<sink::Writer>,
    raised: Raised,
    /// Set when anything went wrong: what was written cannot become a whole stream any more.
    failed: AtomicBool,
    finished: AtomicBool,
    written: AtomicU64,
    chunk_size: usize,
    format: Format,
    dialect: Dialect,
}

impl Shared {
    /// Runs one call; if it fails, so has the stream.
    fn guard<R>(&self, py: Python<'_>, call: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(errors::invalid_state(py, "the stream failed before"));
        }
        call().inspect_err(|_| self.failed.store(true, Ordering::SeqCst))
    }

    /// Empties the outbox into the sink.
    fn send(&self, py: Python<'_>, flush: bool) -> PyResult<()> {
        if !flush && self.outbox.0.lock().is_empty() {
            return Ok(());
        }
        let result = self.sink.with(py, |sink| {
            if self.failed.load(Ordering::SeqCst) {
                let message = "the stream failed before";
                return Err(Failure::Core(Error::new(ErrorKind::InvalidState, message)));
            }
            let result = self.send_all(sink, flush);
            if result.is_err() {
                // Before the lock is free: another thread must not write behind half a chunk.
                self.failed.store(true, Ordering::SeqCst);
            }
            self.raised.settle(result)
        })?;
        result.map_err(|failure| failure.into_python(py))
    }

    fn send_all(&self, sink: &mut sink::Writer, flush: bool) -> Result<()> {
        let pieces = std::mem::take(&mut *self.outbox.0.lock());
        let mut attempt = || {
            for piece in &pieces {
                sink.write_all(piece)?;
                self.written.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            if flush { sink.flush() } else { Ok(()) }
        };
        attempt().map_err(|error| Error::io(ErrorKind::Sink, "writing the stream", error))
    }
}

/// Writes a stream.
#[pyclass(frozen, module = "xbkit._xbkit")]
pub(crate) struct Writer(Arc<Shared>);

#[pymethods]
impl Writer {
    #[new]
    #[pyo3(signature = (sink, chunk_size, format, dialect, manifest, cancel))]
    fn new(
        py: Python<'_>,
        sink: SinkSpec<'_>,
        chunk_size: usize,
        format: &str,
        dialect: &str,
        manifest: bool,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Self> {
        let (raised, cancel) = (Raised::default(), token(cancel));
        let (format, dialect) = (to_format(format)?, to_dialect(dialect)?);
        let outbox = Outbox::default();
        let stream = StreamWriter::new(format, outbox.clone())
            .dialect(dialect)
            .chunk_size(chunk_size)
            .and_then(|stream| stream.manifest(manifest))
            .map_err(|error| errors::to_python(py, &error))?;
        let sink = Sink::open(sink, &raised, cancel.clone())?
            .into_writer(&raised, cancel)
            .map_err(|error| errors::to_python(py, &error))?;
        Ok(Self(Arc::new(Shared {
            stream: Mutex::new(Some(stream)),
            outbox,
            sink: Lock::new(sink),
            raised,
            failed: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            written: AtomicU64::new(0),
            chunk_size,
            format,
            dialect,
        })))
    }

    /// Begins a member.
    fn entry(
        &self,
        py: Python<'_>,
        name: std::path::PathBuf,
        size: Option<u64>,
    ) -> PyResult<Entry> {
        if self.failed() {
            return Err(errors::invalid_state(py, "the stream failed before"));
        }
        let entry = py
            .detach(|| match &*self.0.stream.lock() {
                Some(stream) => match size {
                    Some(size) => stream.entry_sized(name, size),
                    None => stream.entry(name),
                },
                None => Err(Error::new(ErrorKind::InvalidState, "the writer is closed")),
            })
            .map_err(|error| errors::to_python(py, &error))?;
        // An archive's header goes out with the entry.
        self.0.guard(py, || self.0.send(py, false))?;
        let name = entry.path().as_os_str().to_owned();
        Ok(Entry {
            shared: Arc::clone(&self.0),
            name,
            size: AtomicU64::new(0),
            native: Lock::new(Some(entry)),
        })
    }

    /// Whether the stream cannot become whole any more.
    #[getter]
    fn failed(&self) -> bool {
        self.0.failed.load(Ordering::SeqCst)
    }

    /// Stream bytes given to the sink so far.
    #[getter]
    fn stream_bytes(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Ends the stream and flushes the sink.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.0.guard(py, || {
            let stream = self.0.stream.lock().take();
            let stream = stream.ok_or_else(|| errors::invalid_state(py, "the writer is closed"))?;
            py.detach(|| stream.finish()).map_err(|error| errors::to_python(py, &error))?;
            self.0.send(py, true)?;
            self.0.finished.store(true, Ordering::SeqCst);
            Ok(())
        })
    }

    /// Gives up: leaves the stream unfinished, and so that this shows. Does nothing to a stream
    /// that was finished.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let shared = &self.0;
        let _ = shared.stream.lock().take();
        shared.failed.store(true, Ordering::SeqCst);
        shared.sink.with(py, |sink| {
            shared.outbox.0.lock().clear();
            if !shared.finished.load(Ordering::SeqCst) && shared.written.load(Ordering::Relaxed) > 0
            {
                sink.spoil();
            }
            let _ = shared.raised.take();
        })
    }
}

/// Writes one member.
#[pyclass(frozen, module = "xbkit._xbkit")]
pub(crate) struct Entry {
    shared: Arc<Shared>,
    name: std::ffi::OsString,
    size: AtomicU64,
    /// `None` once finished or aborted.
    native: Lock<Option<EntryWriter<Outbox>>>,
}

#[pymethods]
impl Entry {
    /// The member's path, normalised.
    #[getter]
    fn name(&self) -> &std::ffi::OsStr {
        &self.name
    }

    /// Bytes written so far, holes included.
    #[getter]
    fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Appends bytes, and says how many.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            // Nobody can change these meanwhile, so they need no copy.
            let bytes = bytes.as_bytes();
            for piece in bytes.chunks(self.shared.chunk_size) {
                self.append(py, piece)?;
            }
            return Ok(bytes.len());
        }
        let bytes = with_bytes(data, <[u8]>::to_vec)?;
        for piece in bytes.chunks(self.shared.chunk_size) {
            self.append(py, piece)?;
        }
        Ok(bytes.len())
    }

    /// Appends zeros.
    fn hole(&self, py: Python<'_>, len: u64) -> PyResult<()> {
        let step = match self.shared.dialect {
            Dialect::Percona if self.shared.format == Format::Xbstream => u64::MAX,
            // There, holes travel as zeros; those of one step wait in the outbox.
            _ => self.shared.chunk_size as u64,
        };
        let mut left = len;
        while left > 0 {
            let len = left.min(step);
            self.with(py, |entry| entry.hole(len))?;
            left -= len;
        }
        Ok(())
    }

    /// Ends the member.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.guard(py, || {
            let done = self.native.with(py, |entry| entry.take().map(EntryWriter::finish))?;
            let done = done.ok_or_else(|| errors::invalid_state(py, "the entry is closed"))?;
            done.map_err(|error| errors::to_python(py, &error))?;
            self.shared.send(py, false)
        })
    }

    /// Gives up the member, and with it the stream, which cannot be finished any more.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.native.with(py, |entry| drop(entry.take()))
    }
}

impl Entry {
    fn append(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<()> {
        self.with(py, |entry| {
            entry.write_all(bytes).map_err(|error| Error::io(ErrorKind::Sink, "collecting", error))
        })
    }

    fn with(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut EntryWriter<Outbox>) -> Result<()> + Send,
    ) -> PyResult<()> {
        self.shared.guard(py, || {
            let done = self.native.with(py, |entry| {
                entry.as_mut().map(|entry| {
                    let done = work(entry);
                    self.size.store(entry.size(), Ordering::Relaxed);
                    done
                })
            })?;
            let done = done.ok_or_else(|| errors::invalid_state(py, "the entry is closed"))?;
            done.map_err(|error| errors::to_python(py, &error))?;
            self.shared.send(py, false)
        })
    }
}
