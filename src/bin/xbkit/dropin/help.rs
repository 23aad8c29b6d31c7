//! `--help` and manual pages of the drop-in names, from their tables.

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command};

use super::Tool;
use super::option::{Act, Opt, Takes, all};

/// The help text of `tool`.
pub(super) fn text(tool: Tool) -> String {
    page(tool).render_help().to_string()
}

/// The program as a `clap` command: only to render its help and its manual page.
pub(crate) fn page(tool: Tool) -> Command {
    let mut command = Command::new(tool.name())
        .about(about(tool))
        .override_usage(usage(tool))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .after_help(AFTER);
    for opt in all(tool.table()) {
        command = command.arg(argument(opt));
    }
    command
}

const AFTER: &str = "In names of options, _ and - are one; sizes take K, M, G, T. This is xbkit \
    under another name; xbkit --help tells its own commands.";

fn about(tool: Tool) -> &'static str {
    match tool {
        Tool::Xbcrypt => "Encrypts and decrypts a stream or file as XtraBackup does",
        Tool::Xbstream | Tool::Mbstream => "Makes and extracts streams in the xbstream format",
        _ => "Backs up a MariaDB server that runs, or any that is stopped; prepares and restores",
    }
}

fn usage(tool: Tool) -> StyledStr {
    let name = tool.name();
    match tool {
        Tool::Xbcrypt => {
            format!("{name} -a AES256 -f KEYFILE < PLAIN > ENCRYPTED\n       {name} -d -f KEYFILE < ENCRYPTED > PLAIN")
        }
        Tool::Xbstream | Tool::Mbstream => {
            format!("{name} -c [OPTIONS] FILE... > STREAM\n       {name} -x [OPTIONS] < STREAM")
        }
        Tool::Innobackupex => format!("{name} [OPTIONS] --stream=xbstream DIR > STREAM"),
        _ => format!("{name} [OPTIONS] --backup --stream=xbstream > STREAM"),
    }
    .into()
}

fn argument(opt: &'static Opt) -> Arg {
    let (heading, text) = match opt.act {
        Act::Use(_, help) => ("Options", help.to_owned()),
        Act::Ignore(why) => ("Accepted, and without effect", why.to_owned()),
        Act::Refuse { why, hint, .. } => ("Refused", format!("{why}; {hint}")),
    };
    let arg =
        Arg::new(opt.name).long(opt.name).help_heading(heading).help(text).value_name("VALUE");
    let arg = match opt.short {
        Some(letter) => arg.short(letter),
        None => arg,
    };
    match opt.takes {
        Takes::Nothing | Takes::Bool => arg.action(ArgAction::SetTrue),
        Takes::Value => arg.action(ArgAction::Set),
        Takes::Optional | Takes::Secret => {
            arg.action(ArgAction::Set).num_args(0..=1).require_equals(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_page_that_names_each_option() {
        for tool in Tool::ALL {
            page(tool).debug_assert();
            let text = text(tool);
            for opt in all(tool.table()) {
                assert!(text.contains(&format!("--{}", opt.name)), "{tool:?}: --{}", opt.name);
            }
        }
    }
}
