//! Completion scripts and manual pages, made from the command lines themselves.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use xbkit::{Error, ErrorKind, Result};

use crate::dropin::{self, Tool};
use crate::stdio;

/// Prints the completion script of `command` for a shell.
pub(crate) fn completions(command: &mut Command, shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "xbkit", &mut script);
    stdio::print(&script)
}

/// Writes the pages of `xbkit`, of each subcommand and of each drop-in name into `dir`.
pub(crate) fn manual(mut command: Command, dir: &Path) -> Result<()> {
    command.build();
    fs::create_dir_all(dir).map_err(|error| {
        Error::io(ErrorKind::Sink, "cannot make the directory for the pages", error).at_path(dir)
    })?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("xbkit-{}", sub.get_name());
        write_page(dir, &name, sub.clone())?;
    }
    for tool in Tool::ALL {
        write_page(dir, tool.name(), dropin::page(tool))?;
    }
    write_page(dir, "xbkit", command)
}

fn write_page(dir: &Path, name: &str, command: Command) -> Result<()> {
    let path = dir.join(format!("{name}.1"));
    let man = Man::new(command).title(name);
    let mut page = Vec::new();
    man.render(&mut page)
        .and_then(|()| fs::write(&path, &page))
        .map_err(|error| Error::io(ErrorKind::Sink, "cannot write the page", error).at_path(&path))
}
