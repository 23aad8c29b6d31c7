//! Reading a stream to its end.

use std::io::Read;

use super::StreamReport;
use super::audit::PageAudit;
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::format::xbstream::Item;
use crate::io::layers::Stream;
use crate::io::pulse::Pulse;
use crate::io::source::Source;
use crate::limits;
use crate::manifest::proof::Prover;
use crate::metadata::collect::Watch;

pub(super) fn scan(
    source: Source<'_>,
    may_lack_end: bool,
    key: Option<&Key>,
    mut audit: Option<PageAudit<'_>>,
    pulse: &Pulse<'_>,
    mut watch: Watch,
) -> Result<StreamReport> {
    let Stream { input: mut reader, mut decoder, .. } = Stream::open(source, may_lack_end, key)?;
    let mut prover = Prover::default();
    let mut report = StreamReport::default();
    let mut buffer = vec![0; limits::READ_SIZE];
    loop {
        let count = reader
            .read(&mut buffer)
            .map_err(|error| Error::io(ErrorKind::Source, "reading the stream", error))?;
        if count == 0 {
            decoder.finish()?;
            report.proven = prover.finish(&decoder)?;
            report.backup = watch.finish(decoder.announces_manifest())?;
            if let Some(audit) = audit.take() {
                report.pages = audit.finish(pulse)?;
            }
            report.stream_bytes = pulse.progress().stream_bytes;
            pulse.last_progress()?;
            return Ok(report);
        }
        let mut input = buffer.get(..count).unwrap_or_default();
        loop {
            let step = decoder.decode(input)?;
            input = input.get(step.consumed..).unwrap_or_default();
            let Some(item) = step.item else { break };
            watch.follow(&item)?;
            if !prover.follow(&item, &decoder)? {
                if let Some(audit) = &mut audit {
                    audit.see(&item, &decoder, pulse)?;
                }
                note(&item, &mut report, pulse)?;
            }
        }
    }
}

fn note(item: &Item<'_>, report: &mut StreamReport, pulse: &Pulse<'_>) -> Result<()> {
    match item {
        Item::Close { path, size, .. } => {
            report.members += 1;
            report.payload_bytes += size;
            pulse.member(path.as_path(), *size)
        }
        Item::Open { rewrite: true, .. }
        | Item::Remove { .. }
        | Item::Rename { replaces: true, .. } => {
            report.members -= 1;
            Ok(())
        }
        _ => Ok(()),
    }
}
