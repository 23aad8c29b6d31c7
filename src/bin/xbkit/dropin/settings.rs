//! Settings of the backup programs: their command line on top of their option files.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use xbkit::error::escape_path;
use xbkit::{Error, ErrorKind, Result};

use super::Tool;
use super::getopt::{self, Given, Parsed};
use super::optfile::{Places, Surroundings};
use super::option::{Group, Table};
use crate::stdio;
use xbkit::server::OptionEntry as Entry;

/// What a command line and the option files say together.
pub(super) enum Settings {
    /// `--print-defaults`: it was answered.
    Answered,
    /// The options, files first, and the words of the command line.
    Parsed(Parsed),
}

/// Reads the option files that the command line names or that lie in standard places, then the
/// command line.
pub(super) fn gather(tool: Tool, args: &[OsString]) -> Result<Settings> {
    let (places, rest) = Places::take(args)?;
    let around = Surroundings::of_process();
    let mut line = getopt::parse(tool.table(), rest)?;
    let group = getopt::text(&line.given, super::Id::DefaultsGroup).map(OsStr::to_owned);
    let groups =
        Groups::of(tool, group.as_deref(), places.suffix.as_ref().or(around.suffix.as_ref()));
    let files = places.read(&around)?;
    if places.print {
        print_defaults(tool, &groups, &files.entries, rest)?;
        return Ok(Settings::Answered);
    }
    line.warnings.splice(0..0, files.warnings);
    let mut given = Vec::new();
    for entry in &files.entries {
        given.extend(groups.option_of(tool.table(), entry)?);
    }
    given.append(&mut line.given);
    line.given = given;
    Ok(Settings::Parsed(line))
}

/// The groups of option files that a program reads.
#[derive(Debug)]
struct Groups {
    own: Vec<Vec<u8>>,
    server: Vec<Vec<u8>>,
    client: Vec<Vec<u8>>,
}

impl Groups {
    /// `instead` replaces `mysqld`; `suffix` adds each group once more, with it at the end.
    fn of(tool: Tool, instead: Option<&OsStr>, suffix: Option<&OsString>) -> Self {
        let bytes = |names: &[&str]| names.iter().map(|n| n.as_bytes().to_vec()).collect();
        let mut groups = match tool {
            Tool::Mariabackup | Tool::MariadbBackup => Self {
                own: bytes(&["xtrabackup", "mariabackup", "mariadb-backup"]),
                server: bytes(&[
                    "mysqld",
                    "server",
                    "mysqld-10.11",
                    "mariadb",
                    "mariadb-10.11",
                    "mariadbd",
                    "mariadbd-10.11",
                    "client-server",
                    "galera",
                ]),
                client: bytes(&["client", "client-server", "client-mariadb"]),
            },
            Tool::Innobackupex => Self {
                own: bytes(&["xtrabackup", "innobackupex"]),
                server: bytes(&["mysqld"]),
                client: bytes(&["client"]),
            },
            _ => Self {
                own: bytes(&["xtrabackup"]),
                server: bytes(&["mysqld"]),
                client: bytes(&["client"]),
            },
        };
        if let (Some(instead), Some(first)) = (instead, groups.server.first_mut()) {
            *first = instead.as_bytes().to_vec();
        }
        if let Some(suffix) = suffix {
            for list in [&mut groups.own, &mut groups.server, &mut groups.client] {
                let with_suffix: Vec<Vec<u8>> =
                    list.iter().map(|name| [name.as_slice(), suffix.as_bytes()].concat()).collect();
                list.extend(with_suffix);
            }
        }
        groups
    }

    fn is_read(&self, entry: &Entry) -> bool {
        [&self.own, &self.server, &self.client].iter().any(|list| holds(list, entry))
    }

    /// The option that a line of a file sets, if it is for this program.
    ///
    /// What the groups of server and client say is mostly for others; what the program's own group
    /// says and nobody knows is an error, as with the real ones: it might have changed the backup.
    fn option_of(&self, table: Table, entry: &Entry) -> Result<Option<Given>> {
        let own = holds(&self.own, entry);
        let server = holds(&self.server, entry);
        let client = holds(&self.client, entry);
        if !own && !server && !client {
            return Ok(None);
        }
        if own && !getopt::knows(table, &entry.name) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "unknown option '{}' in group [{}] of {}",
                    escape_path(OsStr::from_bytes(&entry.name).as_ref()),
                    escape_path(OsStr::from_bytes(&entry.group).as_ref()),
                    entry.file
                ),
            )
            .hint("put loose- before its name if it is for other versions"));
        }
        let allowed = |group| {
            own || match group {
                Group::Own => false,
                Group::Client => client,
                Group::Server => server,
                Group::ClientAndServer => client || server,
            }
        };
        getopt::from_file(table, &entry.name, entry.argument.as_deref(), &entry.file, allowed)
    }
}

/// Whether the entry's group is among these. The server's programs do not tell cases apart.
fn holds(list: &[Vec<u8>], entry: &Entry) -> bool {
    list.iter().any(|name| name.eq_ignore_ascii_case(&entry.group))
}

/// Answers `--print-defaults`, without passwords.
fn print_defaults(tool: Tool, groups: &Groups, entries: &[Entry], rest: &[OsString]) -> Result<()> {
    let mut text =
        format!("{} would have been started with the following arguments:\n", tool.name())
            .into_bytes();
    for entry in entries.iter().filter(|entry| groups.is_read(entry)) {
        text.extend(b"--");
        text.extend(&entry.name);
        if let Some(argument) = &entry.argument {
            text.push(b'=');
            text.extend(if is_secret(&entry.name) { b"*****" } else { argument.as_slice() });
        }
        text.push(b' ');
    }
    for word in scrubbed(rest) {
        text.extend(word);
        text.push(b' ');
    }
    text.push(b'\n');
    stdio::print(&text)
}

fn is_secret(name: &[u8]) -> bool {
    let name = getopt::normal(name);
    let is_key = name.contains("encrypt-key") || name.contains("transition-key");
    // A file's name is not what is in it.
    (name.contains("pass") || is_key) && !name.ends_with("-file")
}

/// The words of a command line, with stars for what may be a secret.
pub(crate) fn scrubbed(words: &[OsString]) -> Vec<Vec<u8>> {
    let mut secret_next = false;
    words
        .iter()
        .map(|word| {
            let bytes = word.as_bytes();
            if std::mem::take(&mut secret_next) && !bytes.starts_with(b"-") {
                return b"*****".to_vec();
            }
            if let Some(long) = bytes.strip_prefix(b"--") {
                let name = long.split(|byte| *byte == b'=').next().unwrap_or(long);
                if !is_secret(name) {
                    return bytes.to_vec();
                }
                secret_next = name.len() == long.len();
                return if secret_next {
                    bytes.to_vec()
                } else {
                    [b"--", name, b"=*****"].concat()
                };
            }
            match bytes {
                b"-p" => {
                    secret_next = true;
                    bytes.to_vec()
                }
                [b'-', b'p', ..] => b"-p*****".to_vec(),
                _ => bytes.to_vec(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropin::getopt::Setting;
    use crate::dropin::option::Id;

    fn entry(group: &str, name: &str, argument: Option<&str>) -> Entry {
        Entry {
            group: group.into(),
            name: name.into(),
            argument: argument.map(Into::into),
            file: "my.cnf".to_owned(),
        }
    }

    fn option(tool: Tool, entry: &Entry) -> Result<Option<Given>> {
        Groups::of(tool, None, None).option_of(tool.table(), entry)
    }

    #[test]
    fn each_group_sets_only_what_is_its_own() {
        let tool = Tool::Xtrabackup;
        let some = |e: &Entry| option(tool, e).unwrap();
        let datadir = some(&entry("mysqld", "datadir", Some("/d"))).unwrap();
        assert_eq!(datadir.setting, Setting::Text("/d".into()));
        assert!(some(&entry("client", "datadir", Some("/d"))).is_none());
        assert!(some(&entry("client", "port", Some("1"))).is_some());
        assert!(some(&entry("mysqld", "port", Some("1"))).is_none());
        assert!(some(&entry("mysqld", "socket", Some("/s"))).is_some());
        // Options of the programs are not the server's to set, nor are its own known.
        assert!(some(&entry("mysqld", "compress", None)).is_none());
        assert!(some(&entry("mysqld", "performance_schema", None)).is_none());
        assert!(some(&entry("mysqld_safe", "datadir", Some("/d"))).is_none());
        assert!(some(&entry("xtrabackup", "compress", None)).is_some());
        assert!(some(&entry("mariabackup", "compress", None)).is_none());
    }

    #[test]
    fn what_its_own_group_says_must_be_known_or_loose() {
        let tool = Tool::MariadbBackup;
        let error = option(tool, &entry("mariabackup", "nope", Some("s"))).unwrap_err();
        assert_eq!(error.to_string(), "unknown option 'nope' in group [mariabackup] of my.cnf");
        assert!(option(tool, &entry("mariabackup", "loose-nope", None)).unwrap().is_none());
        assert!(option(tool, &entry("mariabackup", "skip_ssl", None)).unwrap().is_some());
        assert!(option(tool, &entry("mariabackup", "parallel", None)).is_err());
    }

    #[test]
    fn a_group_can_be_replaced_and_suffixed() {
        let groups = Groups::of(Tool::Xtrabackup, Some(OsStr::new("mysqld2")), Some(&"_x".into()));
        let reads = |group: &str| groups.is_read(&entry(group, "a", None));
        assert!(reads("mysqld2") && reads("mysqld2_x") && reads("xtrabackup_x"));
        assert!(!reads("mysqld"));
    }

    #[test]
    fn a_file_asks_for_what_is_refused_and_says_where() {
        let given = option(Tool::Xtrabackup, &entry("xtrabackup", "history", Some("lz4")));
        let given = [given.unwrap().unwrap()];
        let error = getopt::check_refused(&given).unwrap_err().to_string();
        assert!(error.starts_with("option '--history' (from my.cnf): "), "{error}");
        assert!(getopt::text(&given, Id::Datadir).is_none());
    }

    #[test]
    fn print_defaults_shows_no_secret() {
        let words: Vec<OsString> =
            "--password=s --password s -ps -p s --encrypt_key=s --encrypt-key-file=f --user=u"
                .split(' ')
                .map(OsString::from)
                .collect();
        let shown: Vec<String> =
            scrubbed(&words).into_iter().map(|w| String::from_utf8(w).unwrap()).collect();
        assert_eq!(
            shown,
            [
                "--password=*****",
                "--password",
                "*****",
                "-p*****",
                "-p",
                "*****",
                "--encrypt_key=*****",
                "--encrypt-key-file=f",
                "--user=u",
            ]
        );
    }
}
