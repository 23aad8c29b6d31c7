//! `xbkit list`: what is in a stream.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xbkit::error::escape_path;
use xbkit::{CancelToken, Error, ErrorKind, Event, List, Observer, Result};

use crate::coding::KeyArgs;
use crate::stdio::{Bytes, Input};
use crate::ui::{Reporter, Totals, member_object};

/// List the members of a stream, in the order in which they end
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct ListArgs {
    /// One JSON object a line: `path` (or `path_hex`, if it is not UTF-8) and `size`
    #[arg(long, conflicts_with = "long")]
    json: bool,
    /// With sizes in bytes
    #[arg(short, long)]
    long: bool,
    /// Let a tar archive end without its two blocks of zeros, as some writers leave it
    #[arg(long)]
    allow_missing_end: bool,
    /// Read from this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// FILE is the first of parts, as split makes them; the others lie beside it
    #[arg(long, requires = "input")]
    pub(crate) parts: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

impl ListArgs {
    pub(crate) fn run(
        self,
        input: &Input,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut listing = Listing {
            style: match (self.json, self.long) {
                (true, _) => Style::Json,
                (false, true) => Style::Long,
                (false, false) => Style::Names,
            },
            out: BufWriter::new(io::stdout().lock()),
            failure: None,
            reporter,
        };
        let mut job = List::new().allow_missing_end(self.allow_missing_end).cancel(token);
        if let Some(key) = self.key.read()? {
            job = job.key(key);
        }
        let result = match input.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, &mut listing),
            Bytes::Parts(mut parts) => job.run(&mut *parts, &mut listing),
        };
        let flushed = listing.out.flush();
        // A list that cannot be written ends its job by cancelling it.
        if let Some(error) = listing.failure.take().or(flushed.err()) {
            return Err(Error::io(ErrorKind::Sink, "writing the list", error));
        }
        result.map(Totals::from)
    }
}

#[derive(Clone, Copy)]
enum Style {
    Names,
    Long,
    Json,
}

/// Members go to standard output, everything else to the reporter.
struct Listing<'r> {
    style: Style,
    out: BufWriter<StdoutLock<'static>>,
    failure: Option<io::Error>,
    reporter: &'r mut Reporter,
}

impl Listing<'_> {
    fn write(&mut self, path: &Path, size: u64) -> io::Result<()> {
        match self.style {
            Style::Names => writeln!(self.out, "{}", escape_path(path)),
            Style::Long => writeln!(self.out, "{size:>15} {}", escape_path(path)),
            Style::Json => {
                writeln!(self.out, "{}", serde_json::Value::Object(member_object(path, size)))
            }
        }
    }
}

impl Observer for Listing<'_> {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        let Event::Member { path, size } = event else { return self.reporter.event(event) };
        match self.write(path, *size) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
