//! The command line has the names of the option table, and no option that the table lacks.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use xbkit::options::{Job, OPTIONS, OptionType};

/// What belongs to the command line alone: where bytes come from and go to, and talk.
const ITS_OWN: &[&str] = &[
    "help",
    "version",
    "progress",
    "verbose",
    "output",
    "input",
    "offline",
    "parts",
    "long",
    "json",
    "encrypt-key",
    "encrypt-key-file",
    "encrypt-key-env",
    "report",
    "extra-lsndir",
    "target-dir",
];

const COMMANDS: &[(&str, &[Job])] = &[
    ("create", &[Job::Create]),
    ("backup", &[Job::Backup, Job::ServerBackup]),
    ("extract", &[Job::Extract]),
    ("list", &[Job::List]),
    ("verify", &[Job::Verify]),
    ("convert", &[Job::Convert]),
    ("info", &[Job::Info]),
    ("cat", &[Job::Cat]),
    ("check", &[Job::Check]),
    ("prepare", &[Job::Prepare]),
    ("restore", &[Job::Restore]),
];

fn help(command: &str) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_xbkit")).args([command, "--help"]).output().unwrap();
    assert!(output.status.success(), "xbkit {command} --help: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The long options that stand at the beginning of a line of help.
fn longs(help: &str) -> BTreeSet<String> {
    help.lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .filter_map(|line| line.split_once("--"))
        .map(|(_, rest)| rest.split([' ', '=', '[', '<', ',']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_command_line_and_the_table_know_the_same_options() {
    let mut of_commands = BTreeMap::new();
    for (command, jobs) in COMMANDS {
        let found = longs(&help(command));
        assert!(found.contains("help"), "no options found in the help of {command}");
        for long in &found {
            let known = OPTIONS.iter().any(|option| {
                option.long == Some(long.as_str()) && jobs.iter().any(|job| option.is_for(*job))
            });
            assert!(
                known || ITS_OWN.contains(&long.as_str()),
                "xbkit {command} --{long} is not in src/options.rs for this job"
            );
        }
        for job in *jobs {
            of_commands.insert(job.bit(), found.clone());
        }
    }
    for option in OPTIONS {
        let Some(long) = option.long else { continue };
        let somewhere = option
            .jobs
            .iter()
            .filter_map(|job| of_commands.get(&job.bit()))
            .any(|found| found.contains(long));
        assert!(somewhere, "{}: no command of its jobs has --{long}", option.name);
    }
}

/// Values are checked by the same limits: the table's range is what the command line says.
#[test]
fn ranges_hold_on_the_command_line() {
    let numbers: Vec<_> = OPTIONS
        .iter()
        .filter(|option| option.kind == OptionType::Int && option.long.is_some())
        .collect();
    assert!(!numbers.is_empty());
    for option in numbers {
        let (min, max) = option.range.expect("a number has a range");
        let words = [
            (Job::Create, ["create", "no-such-file"]),
            (Job::Convert, ["convert", "--stream=tar"]),
            (Job::Extract, ["extract", "-Cno-such-directory"]),
            (Job::ServerBackup, ["backup", "--socket=no-such-socket"]),
            (Job::Prepare, ["prepare", "no-such-directory"]),
        ];
        let (_, words) = words.into_iter().find(|(job, _)| option.is_for(*job)).unwrap();
        for bad in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            let output = Command::new(env!("CARGO_BIN_EXE_xbkit"))
                .args(words)
                .arg(format!("--{}={bad}", option.long.unwrap()))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{} {bad}: {said}", option.name);
            assert!(said.contains("invalid value"), "{} {bad}: {said}", option.name);
        }
    }
}
