//! Where streams go: a descriptor or a Python object. `xbkit._endpoints` decides which.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};
use xbkit_core::format::xbstream::MAGIC;
use xbkit_core::{CancelToken, FdWriter, Result};

use crate::call::{Raised, Ticker};
use crate::source::{duplicate, part};

/// As `xbkit._endpoints` describes a sink: a descriptor, or `(write, flush or None, whether None
/// from write means that it would block)`.
#[derive(FromPyObject)]
pub(crate) enum SinkSpec<'py> {
    Object(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, bool),
    #[pyo3(transparent)]
    Fd(RawFd),
}

/// A sink that can be written.
pub(crate) enum Sink {
    Fd(OwnedFd),
    Object(ObjectWriter),
}

impl Sink {
    pub(crate) fn open(
        spec: SinkSpec<'_>,
        raised: &Raised,
        cancel: Option<CancelToken>,
    ) -> PyResult<Self> {
        Ok(match spec {
            SinkSpec::Fd(fd) => Self::Fd(duplicate(fd)?),
            SinkSpec::Object(write, flush, may_block) => Self::Object(ObjectWriter {
                write: write.unbind(),
                flush: flush.map(Bound::unbind),
                may_block,
                failed: false,
                ticker: Ticker::new(raised.clone(), cancel),
            }),
        })
    }

    /// As one writer, which looks around by itself while it waits.
    pub(crate) fn into_writer(
        self,
        raised: &Raised,
        cancel: Option<CancelToken>,
    ) -> Result<Writer> {
        let fd = match self {
            Self::Fd(fd) => fd,
            Self::Object(object) => return Ok(Writer::Object(object)),
        };
        let mut ticker = Ticker::new(raised.clone(), cancel.clone());
        // SAFETY: `Writer::Fd` drops the writer before it closes the descriptor.
        #[expect(unsafe_code, reason = "a writer and the descriptor it borrows, in one object")]
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
        let writer = FdWriter::new(borrowed, cancel)?.on_tick(move || ticker.tick());
        Ok(Writer::Fd(writer, fd))
    }

    /// Makes a stream that stopped between two members look as unfinished as it is: xbstream has
    /// no end mark, so it could be taken for a whole one. Half a header more, and every reader
    /// refuses it. Best effort: whoever wrote the stream has an exception to tell.
    pub(crate) fn spoil(&mut self) {
        match self {
            Self::Fd(fd) => spoil_fd(fd.as_fd()),
            Self::Object(object) => object.spoil(),
        }
    }
}

/// What [`Sink::into_writer`] makes.
pub(crate) enum Writer {
    /// The writer is dropped before the descriptor: fields drop in order.
    Fd(FdWriter<'static>, OwnedFd),
    Object(ObjectWriter),
}

impl Writer {
    /// As [`Sink::spoil`].
    pub(crate) fn spoil(&mut self) {
        match self {
            Self::Fd(_, fd) => spoil_fd(fd.as_fd()),
            Self::Object(object) => object.spoil(),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Fd(writer, _) => writer.write(bytes),
            Self::Object(object) => object.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Fd(writer, _) => writer.flush(),
            Self::Object(object) => object.flush(),
        }
    }
}

fn spoil_fd(fd: BorrowedFd<'_>) {
    // Once, without waiting: where there is no room, a chunk was cut already, or nearly so.
    let mut tries = 0;
    let once = move || {
        tries += 1;
        if tries == 1 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    if let Ok(writer) = FdWriter::new(fd, None) {
        let _ = writer.on_tick(once).write_all(&MAGIC);
    }
}

/// Writes to a Python object, on the calling thread.
pub(crate) struct ObjectWriter {
    write: Py<PyAny>,
    flush: Option<Py<PyAny>>,
    may_block: bool,
    /// Whether the object raised.
    failed: bool,
    ticker: Ticker,
}

impl Write for ObjectWriter {
    /// Writes all of `bytes`: they become one Python object, of which short counts take parts.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let whole = Python::attach(|py| PyBytes::new(py, bytes).unbind());
        let mut done = 0;
        while done < bytes.len() {
            self.ticker.check()?;
            match Python::attach(|py| self.offer(whole.bind(py), done)) {
                Ok(Some(count)) => done += count,
                Ok(None) => self.ticker.pause()?,
                Err(error) => {
                    self.failed = true;
                    return Err(self.ticker.raised(error));
                }
            }
        }
        Ok(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(flush) = &self.flush else { return Ok(()) };
        Python::attach(|py| flush.call0(py).map(drop)).map_err(|error| {
            self.failed = true;
            self.ticker.raised(error)
        })
    }
}

impl ObjectWriter {
    /// One call of `write`: how much it took, or `None` if it would block.
    fn offer(&self, whole: &Bound<'_, PyBytes>, done: usize) -> PyResult<Option<usize>> {
        let len = whole.as_bytes().len();
        let left = if done == 0 {
            whole.clone().into_any()
        } else {
            part(&PyMemoryView::from(whole)?, done..len)?
        };
        let answer = self.write.bind(whole.py()).call1((left,))?;
        if answer.is_none() {
            if self.may_block {
                return Ok(None);
            }
            // Taken for "would block", it would be given the same bytes again for ever.
            return Err(PyTypeError::new_err(
                "write() returned None; it must return the number of bytes it took \
                 (only an io.RawIOBase says by None that it would block)",
            ));
        }
        let count: isize = answer.extract()?;
        match usize::try_from(count) {
            Ok(count) if (1..=len - done).contains(&count) => Ok(Some(count)),
            _ => {
                let message = format!("write() returned {count} for {} bytes", len - done);
                Err(PyValueError::new_err(message))
            }
        }
    }

    fn spoil(&mut self) {
        if !self.failed {
            Python::attach(|py| {
                let bytes = PyBytes::new(py, &MAGIC);
                // Whatever it raises: the exception that ended the stream is the one to tell.
                let _ = self.write.bind(py).call1((bytes,));
            });
        }
    }
}
