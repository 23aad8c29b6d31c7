//! Streams the data directory of a stopped server to standard output: `backup DATADIR > stream`.

use std::os::fd::AsFd;
use std::process::ExitCode;

use xbkit::{Backup, Silent};

fn main() -> ExitCode {
    let Some(datadir) = std::env::args_os().nth(1) else {
        eprintln!("usage: backup DATADIR > stream");
        return ExitCode::from(2);
    };
    match Backup::of_datadir(datadir).parallel(2).run_fd(std::io::stdout().as_fd(), &mut Silent) {
        Ok(report) => {
            eprintln!("{} members, {} bytes", report.members, report.payload_bytes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("backup: {error}");
            ExitCode::FAILURE
        }
    }
}
