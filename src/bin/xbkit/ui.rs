//! What a person or a program sees of a running job: a bar, lines of JSON, names, warnings.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use xbkit::error::escape_path;
use xbkit::pages::{BadPage, Reason, Tally};
use xbkit::{Error, ErrorKind, Event, Level, Observer, Progress, Result, StreamReport};

use crate::voice::{Voice, say};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar if standard error is a terminal, else nothing.
    #[default]
    Auto,
    /// A bar, if standard error is a terminal.
    Bar,
    /// One JSON object a line on standard error.
    Json,
    /// Nothing.
    None,
}

/// How members are named as they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// Not at all.
    Quiet,
    /// By the program's line for `--verbose`.
    Named,
    /// As the backup programs tell it, two lines a file.
    Streamed,
}

/// The totals of a job that succeeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    /// Members in the stream, or extracted.
    pub(crate) members: u64,
    /// Bytes of their contents.
    pub(crate) payload_bytes: u64,
    /// Bytes of the stream.
    pub(crate) stream_bytes: u64,
    /// Members that no pattern selected.
    pub(crate) skipped: u64,
    /// Whether what was read was proven whole; nothing for what was written.
    pub(crate) proven: Option<bool>,
    /// Whether to say so if it was not.
    pub(crate) note_unproven: bool,
    /// Pages of tablespaces that were checked.
    pub(crate) pages: Tally,
}

impl Totals {
    /// Fails if damaged pages were carried along, since the copy is as damaged as the original.
    pub(crate) fn check_pages(&self) -> Result<()> {
        let Tally { bad, pages, .. } = self.pages;
        if bad == 0 {
            return Ok(());
        }
        let message = format!("the stream is complete, with {bad} damaged pages of {pages} in it");
        Err(Error::new(ErrorKind::PageCorrupt, message))
    }
}

impl From<StreamReport> for Totals {
    fn from(report: StreamReport) -> Self {
        Self {
            members: report.members,
            payload_bytes: report.payload_bytes,
            stream_bytes: report.stream_bytes,
            skipped: 0,
            proven: Some(report.proven),
            note_unproven: false,
            pages: report.pages,
        }
    }
}

/// Shows the events of one job.
pub(crate) struct Reporter {
    voice: Voice,
    members: Members,
    display: Display,
}

enum Display {
    Nothing,
    Bar(ProgressBar),
    Json,
}

impl Reporter {
    /// A reporter that speaks with `voice`.
    pub(crate) fn new(voice: Voice, mode: ProgressMode, members: Members) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let display = match mode {
            ProgressMode::Json => Display::Json,
            ProgressMode::Auto | ProgressMode::Bar if on_terminal => Display::Bar(spinner()),
            _ => Display::Nothing,
        };
        Self { voice, members, display }
    }

    /// The job succeeded.
    pub(crate) fn done(&self, totals: &Totals) {
        match &self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                let elapsed = bar.elapsed();
                bar.finish_and_clear();
                let proven = if totals.proven == Some(true) { ", proven whole" } else { "" };
                self.voice.note(&format!(
                    "{}, {} in {:.1} s{proven}",
                    count(totals.members, "file"),
                    indicatif::HumanBytes(totals.stream_bytes),
                    elapsed.as_secs_f64()
                ));
            }
            Display::Json => say_json(&json!({
                "event": "done",
                "stream_bytes": totals.stream_bytes,
                "payload_bytes": totals.payload_bytes,
                "members": totals.members,
                "skipped": totals.skipped,
                "proven": totals.proven,
                "pages": tally_json(&totals.pages),
            })),
        }
        if totals.note_unproven
            && totals.proven == Some(false)
            && !matches!(self.display, Display::Json)
        {
            self.voice.note(
                "the stream has no manifest, so nothing proves that it was complete: look at the \
                 exit status of the program that made it",
            );
        }
    }

    /// The job failed: the bar goes, and the error is told in the shape that was asked for.
    pub(crate) fn failed(&self, error: &Error) {
        match &self.display {
            Display::Nothing => self.voice.error(error),
            Display::Bar(bar) => {
                bar.finish_and_clear();
                self.voice.error(error);
            }
            Display::Json => say_json(&error_json(error)),
        }
    }

    fn progress(&self, progress: &Progress) {
        match &self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                if let Some(total) = progress.total_bytes
                    && bar.length() != Some(total)
                {
                    bar.set_length(total);
                    bar.set_style(measured_style());
                }
                bar.set_message(count(progress.members, "file"));
                bar.set_position(progress.stream_bytes);
            }
            Display::Json => say_json(&json!({
                "event": "progress",
                "stream_bytes": progress.stream_bytes,
                "members": progress.members,
                "total_bytes": progress.total_bytes,
            })),
        }
    }

    fn member(&self, path: &Path, size: u64) {
        match (&self.display, self.members) {
            (_, Members::Quiet) => {}
            (Display::Json, _) => say_json(&member_json(path, size)),
            (_, Members::Named) => self.aside(|| self.voice.member(path)),
            (_, Members::Streamed) => self.aside(|| self.voice.streamed(path)),
        }
    }

    fn bad_page(&self, path: &Path, page: &BadPage) {
        if let Display::Json = self.display {
            let mut object = bad_page_object(path, page);
            object.insert("event".to_owned(), "bad_page".into());
            say_json(&Value::Object(object));
            return;
        }
        self.aside(|| self.voice.warning(&format!("{}: {page}", escape_path(path))));
    }

    fn log(&self, level: Level, message: &str) {
        if let Display::Json = self.display {
            let level = match level {
                Level::Info => "info",
                Level::Warning => "warning",
            };
            say_json(&json!({ "event": "log", "level": level, "message": message }));
            return;
        }
        self.aside(|| match level {
            Level::Info => self.voice.note(message),
            Level::Warning => self.voice.warning(message),
        });
    }

    /// Speaks while the bar is out of the way.
    fn aside(&self, speak: impl FnOnce()) {
        match &self.display {
            Display::Bar(bar) => bar.suspend(speak),
            Display::Nothing | Display::Json => speak(),
        }
    }
}

impl Observer for Reporter {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Progress(progress) => self.progress(progress),
            Event::Member { path, size } => self.member(path, *size),
            Event::Log { level, message } => self.log(*level, message),
            Event::BadPage { path, page } => self.bad_page(path, page),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn say_json(value: &Value) {
    say(&value.to_string());
}

/// A path is text where it can be, and its bytes in hex where it is not UTF-8.
pub(crate) fn put_path(object: &mut Map<String, Value>, path: &Path) {
    if let Some(text) = path.to_str() {
        object.insert("path".to_owned(), text.into());
    } else {
        let mut hex = String::new();
        for byte in path.as_os_str().as_bytes() {
            let _ = write!(hex, "{byte:02x}");
        }
        object.insert("path_hex".to_owned(), hex.into());
    }
}

fn member_json(path: &Path, size: u64) -> Value {
    let mut object = member_object(path, size);
    object.insert("event".to_owned(), "member".into());
    Value::Object(object)
}

/// A member's path and size.
pub(crate) fn member_object(path: &Path, size: u64) -> Map<String, Value> {
    let mut object = Map::new();
    put_path(&mut object, path);
    object.insert("size".to_owned(), size.into());
    object
}

fn error_json(error: &Error) -> Value {
    let mut object = error_object(error);
    object.insert("event".to_owned(), "error".into());
    Value::Object(object)
}

/// All that an error says.
pub(crate) fn error_object(error: &Error) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("kind".to_owned(), kind_name(error.kind()).into());
    object.insert("code".to_owned(), error.kind().code().into());
    object.insert("message".to_owned(), error.to_string().into());
    object.insert("hint".to_owned(), error.hint_text().into());
    if let Some(path) = error.path() {
        put_path(&mut object, path);
    }
    object.insert("stream_offset".to_owned(), error.stream_offset().into());
    object.insert("file_offset".to_owned(), error.file_offset().into());
    object
}

/// The kind's name in words, `unsafe_path` for `UnsafePath`.
fn kind_name(kind: ErrorKind) -> String {
    let mut name = String::new();
    for c in format!("{kind:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// A damaged page: where, by which rule, and the two numbers that should be equal.
pub(crate) fn bad_page_object(path: &Path, page: &BadPage) -> Map<String, Value> {
    let mut object = Map::new();
    put_path(&mut object, path);
    object.insert("page".to_owned(), page.page.into());
    object.insert("offset".to_owned(), page.offset.into());
    object.insert("what".to_owned(), page.fault.what.name().into());
    object.insert("stored".to_owned(), page.fault.stored.into());
    object.insert("computed".to_owned(), page.fault.computed.into());
    object
}

/// How many pages are what; nothing if none was checked.
pub(crate) fn tally_json(tally: &Tally) -> Value {
    if tally.pages == 0 {
        return Value::Null;
    }
    let mut object = Map::new();
    put_tally(&mut object, tally);
    Value::Object(object)
}

/// How many pages are what.
pub(crate) fn put_tally(object: &mut Map<String, Value>, tally: &Tally) {
    let Tally { pages, good, zero, bad, missing, .. } = *tally;
    let counts =
        [("pages", pages), ("good", good), ("zero", zero), ("bad", bad), ("missing", missing)];
    for (name, count) in counts {
        object.insert(name.to_owned(), count.into());
    }
    let unchecked: Map<String, Value> = Reason::ALL
        .iter()
        .zip(tally.unchecked)
        .map(|(reason, count)| (reason.name().to_owned(), count.into()))
        .collect();
    object.insert("unchecked".to_owned(), Value::Object(unchecked));
}

/// `1 file`, `2 files`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A bar for a job whose length is not known, until it is.
fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{spinner} {bytes} {binary_bytes_per_sec} {elapsed_precise} {msg}",
    );
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn measured_style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{bar:30} {percent}% {bytes}/{total_bytes} {binary_bytes_per_sec} eta {eta} {msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn names_that_are_no_text_are_given_in_hex() {
        let text = member_json(Path::new("db/t\n.ibd"), 7).to_string();
        assert_eq!(text, r#"{"event":"member","path":"db/t\n.ibd","size":7}"#);
        let text = member_json(Path::new(OsStr::from_bytes(b"a\xff")), 0).to_string();
        assert_eq!(text, r#"{"event":"member","path_hex":"61ff","size":0}"#);
    }

    #[test]
    fn an_error_carries_its_pinned_code_and_places() {
        let error = Error::new(ErrorKind::Checksum, "bad").at_path("x").at_stream(9).hint("h");
        let value = error_json(&error);
        assert_eq!(value["code"], -42);
        assert_eq!(value["kind"], "checksum");
        assert_eq!(kind_name(ErrorKind::UnsafePath), "unsafe_path");
        assert_eq!(value["path"], "x");
        assert_eq!(value["stream_offset"], 9);
        assert_eq!(value["hint"], "h");
        assert!(value["file_offset"].is_null());
    }

    #[test]
    fn templates_of_the_bars_are_understood() {
        assert!(ProgressStyle::with_template("{bar:30} {percent}% {bytes}").is_ok());
        let _ = spinner();
        let _ = measured_style();
    }
}
