//! The `xbkit` command, and the names under which it stands in for other programs.
//!
//! One executable: the file name in `argv[0]` decides what it is. As `xbkit` it has subcommands;
//! as `xbstream`, `mbstream`, `innobackupex`, `xtrabackup`, `mariabackup` or `mariadb-backup` it
//! takes the command lines of those programs. Standard output carries data only, standard error
//! the talk.

#![expect(
    clippy::disallowed_methods,
    reason = "a command owns its process: its directories, environment, files and threads"
)]

mod args;
mod check;
mod coding;
mod dropin;
mod exit;
mod inspect;
mod jobs;
mod link;
mod look;
mod lsn_dir;
mod pages;
mod secret;
mod server_args;
mod signals;
mod stdio;
mod ui;
mod verify;
mod voice;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::dropin::Tool;
use crate::exit::Status;

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    run(&argv).into()
}

/// Picks the program by `argv[0]`, or by the word after `xbkit`, and runs it.
fn run(argv: &[OsString]) -> Status {
    let own_name = argv.first().and_then(|name| Path::new(name).file_name());
    if let Some(tool) = own_name.and_then(Tool::by_name) {
        return dropin::run(tool, argv.get(1..).unwrap_or_default());
    }
    if let Some(tool) = argv.get(1).and_then(|word| Tool::by_name(word)) {
        return dropin::run(tool, argv.get(2..).unwrap_or_default());
    }
    args::run(argv)
}
