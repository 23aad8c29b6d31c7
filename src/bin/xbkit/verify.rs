//! `xbkit verify`: whether a stream is whole, as an exit status and, if asked for, as a report.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde_json::{Value, json};
use xbkit::{BackupKind, CancelToken, Error, Event, Observer, Result, StreamReport, Verify};

use crate::args::Talk;
use crate::coding::KeyArgs;
use crate::stdio::{self, Bytes, Input};
use crate::ui::{Reporter, Totals, error_object, tally_json};

/// Read a stream to its end and check it, without any disk
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct VerifyArgs {
    /// Let a sound stream pass although nothing in it proves that it is complete
    #[arg(long)]
    allow_unproven: bool,
    /// Check the pages of tablespaces, too
    #[arg(long)]
    pages: bool,
    /// Let a tar archive end without its two blocks of zeros, as some writers leave it
    #[arg(long)]
    allow_missing_end: bool,
    /// Refuse a stream that lacks what a backup of a whole server has
    #[arg(long)]
    require_backup: bool,
    /// Say on standard output what was found and checked, a fact a line
    #[arg(long)]
    report: bool,
    /// Say it as one JSON object, also if the stream is refused, then with the error
    #[arg(long, conflicts_with = "report")]
    json: bool,
    /// Read from this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// FILE is the first of parts, as split makes them; the others lie beside it
    #[arg(long, requires = "input")]
    pub(crate) parts: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) talk: Talk,
}

impl VerifyArgs {
    pub(crate) fn run(
        mut self,
        input: &Input,
        token: CancelToken,
        reporter: &mut Reporter,
    ) -> Result<Totals> {
        let mut seen = Seen { members: 0, payload_bytes: 0, stream_bytes: 0, reporter };
        let mut job = Verify::new()
            .allow_unproven(self.allow_unproven)
            .allow_missing_end(self.allow_missing_end)
            .require_backup(self.require_backup)
            .pages(self.pages)
            .cancel(token);
        if let Some(key) = std::mem::take(&mut self.key).read()? {
            job = job.key(key);
        }
        let result = match input.bytes() {
            Bytes::Fd(fd) => job.run_fd(fd, &mut seen),
            Bytes::Parts(mut parts) => job.run(&mut *parts, &mut seen),
        };
        let told = if self.json {
            stdio::print(format!("{}\n", self.as_json(&result, &seen)).as_bytes())
        } else if let (true, Ok(report)) = (self.report, &result) {
            stdio::print(self.as_text(report).as_bytes())
        } else {
            Ok(())
        };
        let report = result?;
        told?;
        Ok(report.into())
    }

    /// What a stream that passes was held to.
    fn checked(&self, proven: bool) -> Vec<&'static str> {
        let mut checked = vec!["structure", "checksums"];
        if proven {
            checked.push("manifest");
        }
        if self.require_backup {
            checked.push("required members");
        }
        checked
    }

    fn as_json(&self, result: &Result<StreamReport>, seen: &Seen<'_>) -> Value {
        match result {
            Ok(report) => json!({
                "verified": true,
                "proven": report.proven,
                "backup": report.backup.map(BackupKind::name),
                "members": report.members,
                "payload_bytes": report.payload_bytes,
                "stream_bytes": report.stream_bytes,
                "pages": tally_json(&report.pages),
                "checked": self.checked(report.proven),
                "error": null,
            }),
            Err(error) => json!({
                "verified": false,
                "proven": false,
                "backup": null,
                "members": seen.members,
                "payload_bytes": seen.payload_bytes,
                "stream_bytes": seen.stream_bytes,
                "pages": null,
                "checked": [],
                "error": of_error(error),
            }),
        }
    }

    fn as_text(&self, report: &StreamReport) -> String {
        let proven = if report.proven { "yes, by its manifest" } else { "no, it has no manifest" };
        let mut text = String::new();
        for (key, value) in [
            ("verified", "yes".to_owned()),
            ("proven", proven.to_owned()),
            ("backup", report.backup.map_or("unknown", BackupKind::name).to_owned()),
            ("members", format!("{}, {} bytes", report.members, report.payload_bytes)),
            ("stream", format!("{} bytes", report.stream_bytes)),
            ("checked", self.checked(report.proven).join(", ")),
        ] {
            let _ = writeln!(text, "{key:<18} {value}");
        }
        text
    }
}

fn of_error(error: &Error) -> Value {
    Value::Object(error_object(error))
}

/// Counts what ends before a stream is refused.
struct Seen<'r> {
    members: u64,
    payload_bytes: u64,
    stream_bytes: u64,
    reporter: &'r mut Reporter,
}

impl Observer for Seen<'_> {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Member { size, .. } => {
                self.members += 1;
                self.payload_bytes += size;
            }
            Event::Progress(progress) => self.stream_bytes = progress.stream_bytes,
            _ => {}
        }
        self.reporter.event(event)
    }
}
