//! A backup into a directory: a stream that is extracted as it is made.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Observer, Silent};
use crate::extract::Extract;
use crate::io::pulse::{Beat, Pulse};
use crate::io::sink::FdWriter;
use crate::sys::thread::spawn_worker;

/// Threads that write at least: one's file is written while the other's data is read from the pipe.
const THREADS: usize = 2;

/// Between two looks at an extraction that waits for the disk.
const LOOK: Duration = Duration::from_millis(20);

/// Extracts into `dir`, which is new or empty, what `make` streams. Files stay as they are stored:
/// compressed and encrypted, if that was asked for.
pub(super) fn into_dir<R>(
    dir: &Path,
    parallel: usize,
    cancel: Option<&CancelToken>,
    observer: &mut dyn Observer,
    make: impl FnOnce(BorrowedFd<'_>, &mut dyn Observer) -> Result<R>,
) -> Result<R> {
    // Its own, so that what ends the job otherwise ends the extraction, too.
    let token = CancelToken::new()?;
    let extract = Extract::into_dir(dir)
        .parallel(parallel.max(THREADS))
        .decompress(false)
        .decrypt(false)
        .cancel(token.clone());
    let (reader, writer) =
        std::io::pipe().map_err(|error| Error::io(ErrorKind::Source, "making a pipe", error))?;
    std::thread::scope(|scope| {
        let extracting = spawn_worker(scope, "xbkit-extract", move || {
            extract.run_fd(reader.as_fd(), &mut Silent)
        })?;
        let streamed = make(writer.as_fd(), observer);
        if streamed.is_err() {
            spoil(writer.as_fd());
        }
        drop(writer);
        let waited = if streamed.is_ok() {
            wait(cancel, observer, || extracting.is_finished())
        } else {
            Ok(())
        };
        if waited.is_err() {
            token.cancel();
        }
        let extracted = extracting.join().unwrap_or_else(|panic| Err(Error::from_panic(&*panic)));
        match (streamed, extracted) {
            // The extraction went first, and knows why.
            (Err(error), Err(cause)) if error.kind() == ErrorKind::PipeClosed => Err(cause),
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(waited.err().unwrap_or(error)),
            // A cancel that came after everything was in place came too late.
            (Ok(report), Ok(_)) => Ok(report),
        }
    })
}

/// Makes a stream that was cut show it: without a manifest, whole chunks alone would pass.
fn spoil(writer: BorrowedFd<'_>) {
    if let Ok(mut writer) = FdWriter::new(writer, None) {
        // If nobody reads any more, nobody is misled.
        let _ = writer.write_all(b"cut");
    }
}

/// Waits for the rest of the extraction: what it has not read yet, and the disk.
fn wait(
    cancel: Option<&CancelToken>,
    observer: &mut dyn Observer,
    is_finished: impl Fn() -> bool,
) -> Result<()> {
    let pulse = Pulse::new(observer, cancel.cloned());
    while !is_finished() {
        pulse.tick()?;
        std::thread::sleep(LOOK);
    }
    Ok(())
}
