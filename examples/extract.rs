//! Extracts a stream from standard input: `extract DIR < stream`. Says how far it is.

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::process::ExitCode;

use xbkit::{Event, Extract};

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("usage: extract DIR < stream");
        return ExitCode::from(2);
    };
    let mut observer = |event: &Event<'_>| {
        if let Event::Progress(progress) = event {
            eprintln!("{} bytes read", progress.stream_bytes);
        }
        ControlFlow::Continue(())
    };
    match Extract::into_dir(dir).run_fd(std::io::stdin().as_fd(), &mut observer) {
        Ok(report) => {
            eprintln!("{} members, {} bytes", report.members, report.payload_bytes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            // The target holds nothing of the stream now.
            eprintln!("extract: {error}");
            if let Some(hint) = error.hint_text() {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
