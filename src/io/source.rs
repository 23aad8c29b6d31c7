//! Where a stream comes from: a descriptor or a reader.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use super::fd::StreamFd;
use super::pulse::{Beat, Pulse, Watch};
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::fd::Direction;

/// The input of a job.
pub(crate) struct Source<'a> {
    from: From<'a>,
    pulse: Rc<Pulse<'a>>,
}

enum From<'a> {
    Fd(StreamFd<'a>),
    Reader(&'a mut dyn Read),
}

impl<'a> Source<'a> {
    /// Reads from a descriptor, which is borrowed and stays open.
    pub(crate) fn from_fd(fd: BorrowedFd<'a>, pulse: Rc<Pulse<'a>>) -> Result<Self> {
        if let Some(size) = crate::sys::file::remaining(fd) {
            pulse.set_total(size);
        }
        let fd = StreamFd::new(fd, Direction::Read).map_err(read_error)?;
        Ok(Self { from: From::Fd(fd), pulse })
    }

    /// Reads from a reader, on the calling thread.
    pub(crate) fn from_reader(reader: &'a mut dyn Read, pulse: Rc<Pulse<'a>>) -> Self {
        Self { from: From::Reader(reader), pulse }
    }

    fn read_once(&mut self, buf: &mut [u8]) -> Result<usize> {
        let result = match &mut self.from {
            From::Fd(fd) => fd.read(buf, &*self.pulse)?,
            From::Reader(reader) => loop {
                self.pulse.tick()?;
                match reader.read(buf) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result,
                }
            },
        };
        let count = result.map_err(read_error)?;
        if count > buf.len() {
            return Err(Error::new(
                ErrorKind::Source,
                "the reader claims more bytes than it had room for",
            ));
        }
        self.pulse.add_stream_bytes(count);
        Ok(count)
    }
}

impl Read for Source<'_> {
    /// Errors carry an [`Error`] that [`Error::io`] takes out again.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_once(buf)?)
    }
}

/// A descriptor read outside of a job: waits in it can be cancelled.
pub struct FdReader<'fd> {
    fd: StreamFd<'fd>,
    watch: Watch<'fd>,
}

impl<'fd> FdReader<'fd> {
    /// Reads from a descriptor, which is borrowed, keeps its flags and stays open.
    pub fn new(fd: BorrowedFd<'fd>, cancel: Option<CancelToken>) -> Result<Self> {
        let fd = StreamFd::new(fd, Direction::Read).map_err(read_error)?;
        Ok(Self { fd, watch: Watch::new(cancel) })
    }

    /// Calls `tick` before each call to the system and at least every 100 ms while waiting, on
    /// the thread that reads. [`ControlFlow::Break`] ends the wait with `Cancelled`.
    ///
    /// For hosts that must look around themselves, such as an interpreter with signal handlers.
    pub fn on_tick(mut self, tick: impl FnMut() -> ControlFlow<()> + Send + 'fd) -> Self {
        self.watch.on_tick(tick);
        self
    }
}

impl Read for FdReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.fd.read(buf, &self.watch)?.map_err(read_error)?)
    }
}

fn read_error(error: io::Error) -> Error {
    Error::io(ErrorKind::Source, "reading the stream", error)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;
    use crate::io::sink::FdWriter;

    #[test]
    fn a_tick_ends_a_wait_and_no_byte_is_lost() {
        let (reader, writer) = io::pipe().unwrap();
        let mut ticks = 0;
        let mut input = FdReader::new(reader.as_fd(), None).unwrap().on_tick(move || {
            ticks += 1;
            if ticks == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let error = Error::io(ErrorKind::Source, "", input.read(&mut [0; 8]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Cancelled);

        let mut room = 3;
        let mut output = FdWriter::new(writer.as_fd(), None).unwrap().on_tick(move || {
            room -= 1;
            if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        output.write_all(b"abc").unwrap();
        let error = output.write_all(&vec![0; 4 << 20]).unwrap_err();
        assert_eq!(Error::io(ErrorKind::Sink, "", error).kind(), ErrorKind::Cancelled);
        let mut start = [0; 3];
        input.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"abc");
    }
}
