//! Lists a stream from standard input: `list < stream`.

use std::io::Write;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::process::ExitCode;

use xbkit::error::escape_path;
use xbkit::{Event, List};

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut observer = |event: &Event<'_>| match event {
        Event::Member { path, size } => match writeln!(out, "{size:>15} {}", escape_path(path)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        },
        _ => ControlFlow::Continue(()),
    };
    match List::new().run_fd(std::io::stdin().as_fd(), &mut observer) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("list: {error}");
            ExitCode::FAILURE
        }
    }
}
