//! `xbkit check`: whether the pages of tablespaces on disk are what the server wrote.

use std::fmt::Write as _;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use xbkit::error::escape_path;
use xbkit::pages::{BadPage, Family, FileCheck, Reason, Tally};
use xbkit::{CancelToken, Check, Error, ErrorKind, Event, Observer, Result};

use crate::args::{Talk, threads};
use crate::ui::{Reporter, Totals, bad_page_object, count, put_path, put_tally};

/// Check every page of the tablespaces of a stopped server, or of an extracted backup
///
/// Prints each damaged page, and for each file how many pages are what. Exit status 1 if any page
/// is damaged or missing.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// One JSON object a line: `bad_page`, `file` and, last, `total`
    #[arg(long)]
    json: bool,
    /// Read with so many threads
    #[arg(short, long, value_name = "N", value_parser = threads)]
    parallel: Option<usize>,
    #[command(flatten)]
    pub(crate) talk: Talk,
    /// Data directories, or files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl CheckArgs {
    pub(crate) fn run(&self, token: CancelToken, reporter: &mut Reporter) -> Result<Totals> {
        let mut job = self
            .paths
            .split_first()
            .map(|(first, others)| others.iter().fold(Check::of(first), Check::and))
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "no path is named"))?
            .cancel(token);
        if let Some(threads) = self.parallel {
            job = job.parallel(threads);
        }
        let mut findings = Findings {
            json: self.json,
            out: BufWriter::new(io::stdout().lock()),
            failure: None,
            files: 0,
            pages: Tally::default(),
            reporter,
        };
        let result = job.run(&mut findings);
        let ended = findings.total().and_then(|()| findings.out.flush());
        // What cannot be written ends its job by cancelling it.
        if let Some(error) = findings.failure.take().or(ended.err()) {
            return Err(Error::io(ErrorKind::Sink, "writing what was found", error));
        }
        result.map(|report| Totals {
            members: report.files,
            payload_bytes: report.bytes,
            stream_bytes: report.bytes,
            skipped: 0,
            proven: None,
            note_unproven: false,
            pages: report.pages,
        })
    }
}

/// Findings go to standard output, everything else to the reporter.
struct Findings<'r> {
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
    failure: Option<io::Error>,
    files: u64,
    pages: Tally,
    reporter: &'r mut Reporter,
}

impl Findings<'_> {
    fn bad_page(&mut self, path: &Path, page: &BadPage) -> io::Result<()> {
        if !self.json {
            return writeln!(self.out, "{}: {page}", escape_path(path));
        }
        let mut object = bad_page_object(path, page);
        object.insert("type".to_owned(), "bad_page".into());
        writeln!(self.out, "{}", Value::Object(object))
    }

    fn file(&mut self, path: &Path, file: &FileCheck) -> io::Result<()> {
        self.files += 1;
        self.pages.add(&file.tally);
        if !self.json {
            let layout = file.family.map_or_else(
                || ", unknown layout".to_owned(),
                |family| format!(" of {} bytes, {}", file.page_size, family.name()),
            );
            let (path, pages) = (escape_path(path), count(file.tally.pages, "page"));
            return writeln!(self.out, "{path}: {pages}{layout}: {}", sentence(&file.tally));
        }
        let mut object = Map::new();
        object.insert("type".to_owned(), "file".into());
        put_path(&mut object, path);
        object.insert("layout".to_owned(), file.family.map(Family::name).into());
        object.insert("page_size".to_owned(), file.page_size.into());
        put_tally(&mut object, &file.tally);
        writeln!(self.out, "{}", Value::Object(object))
    }

    fn total(&mut self) -> io::Result<()> {
        if !self.json {
            let (files, pages) = (count(self.files, "file"), count(self.pages.pages, "page"));
            return writeln!(self.out, "{files}, {pages}: {}", sentence(&self.pages));
        }
        let mut object = Map::new();
        object.insert("type".to_owned(), "total".into());
        object.insert("files".to_owned(), self.files.into());
        put_tally(&mut object, &self.pages);
        writeln!(self.out, "{}", Value::Object(object))
    }
}

impl Observer for Findings<'_> {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        let written = match event {
            Event::BadPage { path, page } => self.bad_page(path, page),
            Event::FileChecked { path, file } => self.file(path, file),
            _ => return self.reporter.event(event),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// The counts that are not zero, and that of the good pages.
fn sentence(tally: &Tally) -> String {
    let mut text = format!("{} good", tally.good);
    let others = [(tally.zero, "zero"), (tally.bad, "damaged"), (tally.missing, "missing")];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, ", {count} {what}");
    }
    let reasons: Vec<String> = unchecked(tally)
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{count} {}", reason.name()))
        .collect();
    if !reasons.is_empty() {
        let _ = write!(text, ", {} unchecked ({})", tally.unchecked_pages(), reasons.join(", "));
    }
    text
}

fn unchecked(tally: &Tally) -> impl Iterator<Item = (Reason, u64)> {
    Reason::ALL.iter().copied().zip(tally.unchecked)
}
