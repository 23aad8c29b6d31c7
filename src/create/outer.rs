//! Compression and encryption around a whole stream: pieces of it on the coders' threads.

use super::coders::{Coders, Job, Window};
use crate::codec::stack::Way;
use crate::error::Result;
use crate::format::member::MemberPath;
use crate::io::pulse::{Beat, Pulse};
use crate::io::sink::Sink;
use crate::limits;

/// The name that formats which hold one get.
const NAME: &[u8] = b"backup";

/// What goes through it comes out coded.
pub(super) struct Outer<'c> {
    window: Window<'c>,
    plain: Vec<u8>,
    /// Bytes before `plain`.
    offset: u64,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
}

impl<'c> Outer<'c> {
    pub(super) fn new(coders: &'c Coders) -> Self {
        Self { window: Window::new(coders), plain: Vec::new(), offset: 0, spare: Vec::new() }
    }

    pub(super) fn write(
        &mut self,
        mut bytes: &[u8],
        sink: &mut Sink<'_>,
        pulse: &Pulse<'_>,
    ) -> Result<()> {
        while !bytes.is_empty() {
            if self.plain.len() == limits::ENCODE_PIECE {
                self.hand_out(false, sink, pulse)?;
            }
            let room = limits::ENCODE_PIECE - self.plain.len();
            let (some, rest) = bytes.split_at(room.min(bytes.len()));
            self.plain.extend_from_slice(some);
            bytes = rest;
        }
        Ok(())
    }

    /// Sends what is left, and the end of the format.
    pub(super) fn end(&mut self, sink: &mut Sink<'_>, pulse: &Pulse<'_>) -> Result<()> {
        self.hand_out(true, sink, pulse)?;
        while self.take_back(sink, pulse)? {}
        Ok(())
    }

    fn hand_out(&mut self, last: bool, sink: &mut Sink<'_>, pulse: &Pulse<'_>) -> Result<()> {
        while !self.window.has_room() {
            self.take_back(sink, pulse)?;
        }
        let next = self.spare.pop().unwrap_or_default();
        let plain = std::mem::replace(&mut self.plain, next);
        self.plain.clear();
        let offset = self.offset;
        self.offset += plain.len() as u64;
        let member = MemberPath::new(NAME)?;
        let stored = self.spare.pop().unwrap_or_default();
        self.window.hand_out(Job { member, way: Way::Whole, offset, plain, last, stored })
    }

    fn take_back(&mut self, sink: &mut Sink<'_>, pulse: &Pulse<'_>) -> Result<bool> {
        let Some(job) = self.window.take_back(|| pulse.tick())? else { return Ok(false) };
        sink.write_all(&job.stored)?;
        self.spare.push(job.plain);
        self.spare.push(job.stored);
        Ok(true)
    }
}
