//! `xbkit info` and `xbkit cat`: what backup there is, and one member of it.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use xbkit::{BackupInfo, CancelToken, Cat, Error, ErrorKind, FdReader, FdWriter, Info, Result};

use crate::args::{Talk, spool_size};
use crate::coding::KeyArgs;
use crate::stdio::{self, Bytes, Input};
use crate::ui::{Reporter, Totals};

/// Say what backup a stream or a directory holds: type, server, LSNs, positions, what it lacks
///
/// Of a file, only headers and a few small members are read; a pipe is read to its end, or closed
/// when nothing more can be learned.
#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    /// As one JSON object, null for what is unknown
    #[arg(long)]
    json: bool,
    /// A stream's file or a directory; standard input if it is missing or -
    #[arg(value_name = "STREAM|DIR")]
    path: Option<PathBuf>,
    /// STREAM is the first of parts, as split makes them; the others lie beside it
    #[arg(long, requires = "path")]
    parts: bool,
    #[command(flatten)]
    key: KeyArgs,
}

impl InfoArgs {
    pub(crate) fn run(mut self, token: CancelToken, reporter: &mut Reporter) -> Result<()> {
        let mut job = Info::new().cancel(token);
        if let Some(key) = std::mem::take(&mut self.key).read()? {
            job = job.key(key);
        }
        let info = self.look(&job, reporter)?;
        let text = if self.json { format!("{}\n", info.to_json()) } else { info.to_string() };
        stdio::print(text.as_bytes())
    }

    fn look(&self, job: &Info, reporter: &mut Reporter) -> Result<BackupInfo> {
        let is_dir = |path: &&Path| fs::metadata(path).is_ok_and(|meta| meta.is_dir());
        if let Some(dir) = self.path.as_deref().filter(is_dir) {
            return job.run_dir(dir);
        }
        match Input::of(self.path.as_deref(), self.parts)?.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, reporter),
            Bytes::Parts(mut parts) => job.run(&mut *parts, reporter),
        }
    }
}

/// Write the bytes of one member to standard output, and verify the stream
///
/// The exit status tells whether the bytes are right: what is longer than 16 MiB may be written
/// before the stream turns out to be damaged. `xbkit_manifest.json` is the manifest.
#[derive(Debug, clap::Args)]
pub(crate) struct CatArgs {
    /// Where a member waits that may still change and does not fit into memory; $TMPDIR or /tmp
    #[arg(long, value_name = "DIR")]
    tmpdir: Option<PathBuf>,
    /// Most bytes that wait there; larger members are written as they come
    #[arg(long, value_name = "SIZE", value_parser = spool_size, default_value = "64G")]
    max_spool: u64,
    /// As the stream stores it: a compressed or encrypted member is not decoded
    #[arg(long)]
    raw: bool,
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
    key: KeyArgs,
    #[command(flatten)]
    pub(crate) talk: Talk,
    /// The member, as xbkit list names it, or without suffixes such as .zst and .xbcrypt
    #[arg(value_name = "MEMBER")]
    member: PathBuf,
}

impl CatArgs {
    pub(crate) fn run(
        self,
        input: &Input,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut job = Cat::new(&self.member)?
            .tmpdir(self.tmpdir.unwrap_or_else(std::env::temp_dir))
            .max_spool(self.max_spool)
            .raw(self.raw)
            .allow_missing_end(self.allow_missing_end)
            .cancel(token.clone());
        if let Some(key) = self.key.read()? {
            job = job.key(key);
        }
        let stdout = io::stdout();
        let to_terminal = stdout.is_terminal();
        let mut text = TextOnly::default();
        let report = match input.bytes() {
            Bytes::Fd(fd) if !to_terminal => job.run_fd(fd, stdout.as_fd(), reporter)?,
            Bytes::Fd(fd) => job.run(&mut FdReader::new(fd, Some(token))?, &mut text, reporter)?,
            Bytes::Parts(mut parts) if to_terminal => job.run(&mut *parts, &mut text, reporter)?,
            Bytes::Parts(mut parts) => {
                let mut output = FdWriter::new(stdout.as_fd(), Some(token))?;
                job.run(&mut *parts, &mut output, reporter)?
            }
        };
        stdio::print(&text.0)?;
        Ok(Totals {
            members: 1,
            payload_bytes: report.size,
            stream_bytes: report.stream_bytes,
            skipped: 0,
            proven: Some(report.proven),
            note_unproven: false,
            pages: xbkit::pages::Tally::default(),
        })
    }
}

/// A terminal gets short text alone: other bytes can reprogram it.
#[derive(Default)]
struct TextOnly(Vec<u8>);

impl TextOnly {
    const MOST: usize = 1 << 20;
}

impl Write for TextOnly {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let plain = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
        if !bytes.iter().all(plain) || self.0.len() + bytes.len() > Self::MOST {
            let message = "standard output is a terminal, and the member is no short text";
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .hint("send it into a pipe, or redirect it to a file")
                .into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
