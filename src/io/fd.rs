//! A stream's descriptor: non-blocking through our own open file description, polled together
//! with the cancel token, and never changed for its other users.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::pulse::{Beat, TICK};
use crate::error::Result;
use crate::sys::fd::{self, Direction, FdKind, Wake};

/// Pipe capacity asked for: with 1 MiB writes it halves to quarters the time of a stream, as the
/// two ends stop taking turns every 64 KiB.
const PIPE_CAPACITY: i32 = 1 << 20;

/// What one write to a pipe that could not be reopened may hold without blocking once it polls
/// writable (`PIPE_BUF`).
const PIPE_ATOMIC: usize = 4096;

/// How a call on the descriptor is kept from blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Calls do not block for long: a file.
    Direct,
    /// Our own description is non-blocking: try first, wait when refused.
    Reopened,
    /// Each call says so itself.
    Socket,
    /// Neither can be had: wait first, then one small call.
    WaitFirst,
}

/// A borrowed descriptor, prepared for one direction.
pub(super) struct StreamFd<'fd> {
    caller: BorrowedFd<'fd>,
    reopened: Option<OwnedFd>,
    mode: Mode,
    direction: Direction,
}

impl<'fd> StreamFd<'fd> {
    pub(super) fn new(caller: BorrowedFd<'fd>, direction: Direction) -> io::Result<Self> {
        let kind = fd::kind(caller)?;
        let mut own = Self { caller, reopened: None, mode: Mode::Direct, direction };
        own.mode = match kind {
            FdKind::File => Mode::Direct,
            FdKind::Socket => Mode::Socket,
            FdKind::Terminal => Mode::WaitFirst,
            FdKind::Pipe => {
                fd::grow_pipe(caller, PIPE_CAPACITY);
                // Fails without /proc, or where the pipe belongs to another user.
                own.reopened = fd::reopen_pipe(caller, direction).ok();
                if own.reopened.is_some() { Mode::Reopened } else { Mode::WaitFirst }
            }
        };
        Ok(own)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.reopened.as_ref().map_or(self.caller, AsFd::as_fd)
    }

    /// Reads once; 0 at the end.
    pub(super) fn read(&self, buf: &mut [u8], beat: &impl Beat) -> Result<io::Result<usize>> {
        self.attempt(beat, |fd, mode| match mode {
            Mode::Socket => fd::recv(fd, buf),
            _ => fd::read(fd, buf),
        })
    }

    /// Writes once, at least a byte.
    pub(super) fn write(&self, buf: &[u8], beat: &impl Beat) -> Result<io::Result<usize>> {
        self.attempt(beat, |fd, mode| match mode {
            Mode::Socket => fd::send(fd, buf),
            Mode::WaitFirst => fd::write(fd, buf.get(..PIPE_ATOMIC).unwrap_or(buf)),
            _ => fd::write(fd, buf),
        })
    }

    fn attempt(
        &self,
        beat: &impl Beat,
        mut call: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<usize>,
    ) -> Result<io::Result<usize>> {
        let mut must_wait = self.mode == Mode::WaitFirst;
        loop {
            beat.tick()?;
            if must_wait {
                match fd::wait(self.fd(), self.direction, beat.wake_fd(), TICK) {
                    Ok(Wake::Ready) => {}
                    // Back to the tick, which sees a set token.
                    Ok(Wake::Woken | Wake::Timeout) => continue,
                    Err(error) => return Ok(Err(error)),
                }
            }
            match call(self.fd(), self.mode) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => must_wait = true,
                result => return Ok(result),
            }
        }
    }
}
