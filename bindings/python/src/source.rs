//! Where streams come from: a descriptor or a Python object. `xbkit._endpoints` decides which.

use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PySlice};
use xbkit_core::limits::READ_SIZE;
use xbkit_core::{CancelToken, FdReader, Result};

use crate::call::{Raised, Ticker};

/// As `xbkit._endpoints` describes a source: `(fd, bytes read before)`, or how to call an object.
#[derive(FromPyObject)]
pub(crate) enum SourceSpec<'py> {
    Fd(RawFd, Bound<'py, PyBytes>),
    Object(String, Bound<'py, PyAny>),
}

/// A source that can be read.
pub(crate) enum Source {
    Fd(OwnedFd),
    Begun(Vec<u8>, OwnedFd),
    Object(ObjectReader),
}

impl Source {
    pub(crate) fn open(
        spec: &SourceSpec<'_>,
        raised: &Raised,
        cancel: Option<CancelToken>,
    ) -> PyResult<Self> {
        Ok(match spec {
            SourceSpec::Fd(fd, begun) => {
                let fd = duplicate(*fd)?;
                let begun = begun.as_bytes();
                if begun.is_empty() { Self::Fd(fd) } else { Self::Begun(begun.to_vec(), fd) }
            }
            SourceSpec::Object(how, object) => Self::Object(ObjectReader {
                how: match how.as_str() {
                    "readinto" => How::ReadInto(
                        object.clone().unbind(),
                        PyByteArray::new(object.py(), &vec![0; READ_SIZE]).unbind(),
                    ),
                    "read" => How::Read(object.clone().unbind()),
                    _ => How::Next(object.clone().unbind()),
                },
                left: Cursor::default(),
                ticker: Ticker::new(raised.clone(), cancel),
            }),
        })
    }

    /// As one reader, which looks around by itself while it waits.
    pub(crate) fn into_reader(
        self,
        raised: &Raised,
        cancel: Option<CancelToken>,
    ) -> Result<Box<dyn Read + Send>> {
        let (begun, fd) = match self {
            Self::Fd(fd) => (Vec::new(), fd),
            Self::Begun(begun, fd) => (begun, fd),
            Self::Object(object) => return Ok(Box::new(object)),
        };
        let mut ticker = Ticker::new(raised.clone(), cancel.clone());
        // SAFETY: `OwnFdReader` drops the reader before it closes the descriptor.
        #[expect(unsafe_code, reason = "a reader and the descriptor it borrows, in one object")]
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
        let reader = FdReader::new(borrowed, cancel)?.on_tick(move || ticker.tick());
        Ok(Box::new(Cursor::new(begun).chain(OwnFdReader { reader, _fd: fd })))
    }
}

/// A duplicate of the caller's descriptor: closing it elsewhere meanwhile cannot lead us to
/// another file that got its number.
pub(crate) fn duplicate(fd: RawFd) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("file descriptor {fd} is negative")));
    }
    // SAFETY: nothing is done through the borrowed descriptor but duplicating it, which fails if
    // it is not open.
    #[expect(unsafe_code, reason = "Python gives descriptors as numbers")]
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned().map_err(|error| {
        pyo3::exceptions::PyOSError::new_err((
            error.raw_os_error(),
            format!("file descriptor {fd} cannot be used: {error}"),
        ))
    })
}

struct OwnFdReader {
    /// Dropped before the descriptor: fields drop in order.
    reader: FdReader<'static>,
    _fd: OwnedFd,
}

impl Read for OwnFdReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

/// How bytes are asked of an object.
enum How {
    /// `readinto(buffer)`, with the one buffer that all calls use.
    ReadInto(Py<PyAny>, Py<PyByteArray>),
    /// `read(n)`.
    Read(Py<PyAny>),
    /// `next()` of an iterator of buffers.
    Next(Py<PyAny>),
}

/// Reads from a Python object, on the calling thread.
pub(crate) struct ObjectReader {
    how: How,
    /// What the object gave beyond what was asked of it.
    left: Cursor<Vec<u8>>,
    ticker: Ticker,
}

/// What an object answered.
enum Answer {
    Bytes(usize),
    WouldBlock,
    /// An iterator's empty buffer, which is not its end.
    Empty,
}

impl Read for ObjectReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.left.read(buf)?;
            if count > 0 {
                return Ok(count);
            }
            self.ticker.check()?;
            match Python::attach(|py| self.ask(py, buf)) {
                Ok(Answer::Bytes(count)) => return Ok(count),
                Ok(Answer::WouldBlock) => self.ticker.pause()?,
                Ok(Answer::Empty) => {}
                Err(error) => return Err(self.ticker.raised(error)),
            }
        }
    }
}

impl ObjectReader {
    fn ask(&mut self, py: Python<'_>, buf: &mut [u8]) -> PyResult<Answer> {
        let room = buf.len().min(READ_SIZE);
        let given = match &self.how {
            How::ReadInto(readinto, scratch) => {
                return read_into(readinto.bind(py), scratch.bind(py), buf, room);
            }
            How::Read(read) => read.bind(py).call1((room,))?,
            How::Next(next) => match next.bind(py).call0() {
                Err(error) if error.is_instance_of::<pyo3::exceptions::PyStopIteration>(py) => {
                    return Ok(Answer::Bytes(0));
                }
                given => given?,
            },
        };
        let is_iterator = matches!(self.how, How::Next(_));
        if given.is_none() && !is_iterator {
            return Ok(Answer::WouldBlock);
        }
        let left = &mut self.left;
        let count = with_bytes(&given, |bytes| {
            let count = bytes.len().min(buf.len());
            let (now, later) = bytes.split_at(count);
            if let Some(place) = buf.get_mut(..count) {
                place.copy_from_slice(now);
            }
            *left = Cursor::new(later.to_vec());
            count
        })?;
        Ok(if count == 0 && is_iterator { Answer::Empty } else { Answer::Bytes(count) })
    }
}

fn read_into(
    readinto: &Bound<'_, PyAny>,
    scratch: &Bound<'_, PyByteArray>,
    buf: &mut [u8],
    room: usize,
) -> PyResult<Answer> {
    let view = part(&PyMemoryView::from(scratch)?, 0..room)?;
    let answer = readinto.call1((view,))?;
    if answer.is_none() {
        return Ok(Answer::WouldBlock);
    }
    let count: usize = answer.extract()?;
    // SAFETY: attached, and no Python code runs while the slice is in use.
    #[expect(unsafe_code, reason = "the bytes are copied from where the object put them")]
    let bytes = unsafe { scratch.as_bytes() };
    match (bytes.get(..count), buf.get_mut(..count)) {
        (Some(bytes), Some(place)) if count <= room => {
            place.copy_from_slice(bytes);
            Ok(Answer::Bytes(count))
        }
        _ => {
            let message = format!("readinto() returned {count} for a buffer of {room} bytes");
            Err(PyValueError::new_err(message))
        }
    }
}

/// A part of a view.
pub(crate) fn part<'py>(
    view: &Bound<'py, PyMemoryView>,
    range: Range<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    // `PySlice::new` of PyO3 0.30 leaks the numbers it is given.
    let slice = view.py().get_type::<PySlice>().call1((range.start, range.end))?;
    view.get_item(slice)
}

/// Calls `use_bytes` with the bytes of any object that has contiguous ones.
pub(crate) fn with_bytes<R>(
    object: &Bound<'_, PyAny>,
    use_bytes: impl FnOnce(&[u8]) -> R,
) -> PyResult<R> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(use_bytes(bytes.as_bytes()));
    }
    let buffer = PyUntypedBuffer::get(object)?;
    if !buffer.is_c_contiguous() {
        return Err(PyTypeError::new_err("the buffer is not contiguous"));
    }
    if buffer.len_bytes() == 0 {
        return Ok(use_bytes(&[]));
    }
    // SAFETY: the exporter keeps the memory in place until `buffer` is released; attached, and
    // without Python code running, nobody writes to it during the call.
    #[expect(unsafe_code, reason = "the buffer protocol gives a pointer and a length")]
    let bytes =
        unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) };
    Ok(use_bytes(bytes))
}
