//! Command lines by the rules of the MySQL programs.
//!
//! `_` and `-` are one in long names. An argument follows `=` or is the next word, but an optional
//! one only follows `=`. Before a truth value go `--skip-`, `--disable-` and `--enable-`; before
//! any name `--loose-`, which turns an unknown option into a warning. A prefix that only one option
//! has will do. Letters combine (`-xv -C d`, `-p2`). Options may follow other words, up to `--`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use xbkit::{Error, ErrorKind, Result, Secret};

use super::option::{Act, Group, Id, Opt, Table, Takes, all};

/// What an option was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Nothing, or a true value.
    On,
    /// A false value, or `--skip-`.
    Off,
    /// An argument.
    Text(OsString),
    /// An argument that nobody may see.
    Secret(Secret),
}

/// One option as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// Which.
    pub(crate) opt: &'static Opt,
    /// With what.
    pub(crate) setting: Setting,
    /// The option file it comes from, for messages; `None` for the command line.
    pub(crate) file: Option<String>,
}

/// A command line that was understood.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Its options, in order.
    pub(crate) given: Vec<Given>,
    /// Its other words, in order.
    pub(crate) words: Vec<OsString>,
    /// What should be told, though it goes on.
    pub(crate) warnings: Vec<String>,
}

/// Parses a command line by `table`.
///
/// # Errors
/// `InvalidArgument` with a sentence that never contains an option's argument: it may be a secret.
pub(crate) fn parse(table: Table, args: &[OsString]) -> Result<Parsed> {
    let mut parser = Parser { table, args: args.iter(), out: Parsed::default() };
    parser.run()?;
    Ok(parser.out)
}

struct Parser<'a> {
    table: Table,
    args: std::slice::Iter<'a, OsString>,
    out: Parsed,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<()> {
        while let Some(arg) = self.args.next() {
            let bytes = arg.as_bytes();
            if bytes == b"--" {
                self.out.words.extend(self.args.by_ref().cloned());
            } else if let Some(long) = bytes.strip_prefix(b"--") {
                self.long(long)?;
            } else if bytes.len() > 1 && bytes.first() == Some(&b'-') {
                self.letters(bytes.get(1..).unwrap_or_default())?;
            } else {
                self.out.words.push(arg.clone());
            }
            if self.out.given.last().is_some_and(|g| is_use(g.opt, Id::MysqldArgs)) {
                self.server_words();
            }
        }
        Ok(())
    }

    fn long(&mut self, text: &[u8]) -> Result<()> {
        let (name, argument) = split(text);
        let found = match find(self.table, &name)? {
            Found::Option(found) => found,
            Found::Loose => {
                self.out.warnings.push(format!("unknown option '--{name}' is ignored"));
                return Ok(());
            }
            Found::None => return Err(unknown(&format!("--{name}"))),
        };
        if let Some(full) = found.prefix_of {
            self.out.warnings.push(format!("option '--{name}' is taken as '--{full}'"));
        }
        let opt = found.opt;
        let setting = match argument {
            Some(argument) => with_argument(opt, found.negated, argument)?,
            None if found.negated => Setting::Off,
            None => self.without_argument(opt, &format!("--{name}"))?,
        };
        self.push(opt, setting);
        Ok(())
    }

    fn letters(&mut self, mut letters: &[u8]) -> Result<()> {
        while let [letter, rest @ ..] = letters {
            let letter = char::from(*letter);
            let opt = all(self.table).find(|opt| opt.short == Some(letter));
            let opt = opt.ok_or_else(|| unknown(&format!("-{}", letter.escape_default())))?;
            letters = rest;
            let setting = match opt.takes {
                Takes::Nothing | Takes::Bool => Setting::On,
                Takes::Value | Takes::Optional | Takes::Secret if !rest.is_empty() => {
                    letters = &[];
                    with_argument(opt, false, rest)?
                }
                _ => self.without_argument(opt, &format!("-{letter}"))?,
            };
            self.push(opt, setting);
        }
        Ok(())
    }

    /// The setting of an option with nothing attached: the next word, or none.
    fn without_argument(&mut self, opt: &Opt, spelled: &str) -> Result<Setting> {
        match opt.takes {
            Takes::Nothing | Takes::Bool | Takes::Optional => Ok(Setting::On),
            Takes::Value => match self.args.next() {
                Some(word) => with_argument(opt, false, word.as_bytes()),
                None => Err(invalid(format!("option '{spelled}' needs an argument"))),
            },
            Takes::Secret => {
                let mut ahead = self.args.clone();
                match ahead.next() {
                    Some(word) if !word.as_bytes().starts_with(b"-") => {
                        self.args = ahead;
                        with_argument(opt, false, word.as_bytes())
                    }
                    _ => Ok(Setting::On),
                }
            }
        }
    }

    fn push(&mut self, opt: &'static Opt, setting: Setting) {
        self.out.given.push(Given { opt, setting, file: None });
    }

    /// What follows `--mysqld-args` is the server's: what it knows and we use is taken, the rest
    /// is not ours.
    fn server_words(&mut self) {
        while let Some(word) = self.args.next() {
            let Some(long) = word.as_bytes().strip_prefix(b"--") else { continue };
            let (name, argument) = split(long);
            let Some(opt) = of_server(self.table, &name) else { continue };
            let setting = match argument {
                Some(argument) => with_argument(opt, false, argument),
                None => self.without_argument(opt, &format!("--{name}")),
            };
            // A server option that we cannot read is the server's to complain about.
            if let Ok(setting) = setting {
                self.push(opt, setting);
            }
        }
    }
}

struct FoundOption {
    opt: &'static Opt,
    negated: bool,
    prefix_of: Option<&'static str>,
}

enum Found {
    Option(FoundOption),
    /// Unknown, but `--loose-` allows that.
    Loose,
    None,
}

/// Finds an option by its long name: as it is, behind `loose-`, `skip-`, `disable-` or `enable-`,
/// and last as an unambiguous prefix.
fn find(table: Table, name: &str) -> Result<Found> {
    if let Some(rest) = name.strip_prefix("loose-") {
        return Ok(match find(table, rest)? {
            Found::None => Found::Loose,
            found => found,
        });
    }
    if let Some(opt) = exact(table, name) {
        return Ok(Found::Option(FoundOption { opt, negated: false, prefix_of: None }));
    }
    for (prefix, negated) in [("skip-", true), ("disable-", true), ("enable-", false)] {
        let Some(opt) = name.strip_prefix(prefix).and_then(|rest| exact(table, rest)) else {
            continue;
        };
        if matches!(opt.takes, Takes::Bool | Takes::Optional) {
            return Ok(Found::Option(FoundOption { opt, negated, prefix_of: None }));
        }
    }
    by_prefix(table, name)
}

fn by_prefix(table: Table, name: &str) -> Result<Found> {
    let mut candidates = all(table).filter(|opt| !name.is_empty() && opt.name.starts_with(name));
    let Some(opt) = candidates.next() else { return Ok(Found::None) };
    if let Some(other) = candidates.next() {
        return Err(invalid(format!(
            "option '--{name}' is ambiguous: it could be '--{}' or '--{}'",
            opt.name, other.name
        )));
    }
    Ok(Found::Option(FoundOption { opt, negated: false, prefix_of: Some(opt.name) }))
}

fn exact(table: Table, name: &str) -> Option<&'static Opt> {
    all(table).find(|opt| opt.name == name)
}

fn of_server(table: Table, name: &str) -> Option<&'static Opt> {
    exact(table, name).filter(|opt| matches!(opt.group, Group::Server | Group::ClientAndServer))
}

/// One line of an option file that sets `name`, in a group that may set options of `allowed`.
///
/// `Ok(None)` if the option is not for this program: in the groups of server and client that is
/// usual, in the program's own group it is the caller's to refuse, by [`knows`].
pub(crate) fn from_file(
    table: Table,
    name: &[u8],
    argument: Option<&[u8]>,
    file: &str,
    allowed: impl Fn(Group) -> bool,
) -> Result<Option<Given>> {
    let name = normal(name);
    let name = name.strip_prefix("loose-").unwrap_or(&name);
    let negation = ["skip-", "disable-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    let plain = exact(table, name).or_else(|| exact(table, name.strip_prefix("enable-")?));
    let (opt, negated) = match (plain, negation.and_then(|rest| exact(table, rest))) {
        (Some(opt), _) => (opt, false),
        (None, Some(opt)) => (opt, true),
        (None, None) => return Ok(None),
    };
    if !allowed(opt.group) {
        return Ok(None);
    }
    let setting = match argument {
        // What makes no difference need not be understood.
        _ if matches!(opt.act, Act::Ignore(_)) => Setting::On,
        Some(argument) => with_argument(opt, negated, argument)?,
        None if negated => Setting::Off,
        None if opt.takes == Takes::Value => {
            return Err(invalid(format!("option '{name}' of {file} needs an argument")));
        }
        None => Setting::On,
    };
    Ok(Some(Given { opt, setting, file: Some(file.to_owned()) }))
}

/// Whether `table` has an option of this name, or would pass over it.
pub(crate) fn knows(table: Table, name: &[u8]) -> bool {
    let name = normal(name);
    name.starts_with("loose-")
        || ["", "skip-", "disable-", "enable-"]
            .iter()
            .any(|prefix| name.strip_prefix(prefix).is_some_and(|n| exact(table, n).is_some()))
}

/// The setting of an option that has an argument attached.
fn with_argument(opt: &Opt, negated: bool, argument: &[u8]) -> Result<Setting> {
    match opt.takes {
        Takes::Nothing => {
            Err(invalid(format!("option '--{}' does not take an argument", opt.name)))
        }
        Takes::Bool => match truth(argument) {
            Some(on) if on != negated => Ok(Setting::On),
            Some(_) => Ok(Setting::Off),
            None => {
                Err(invalid(format!("option '--{}' takes on, off, true, false, 1 or 0", opt.name)))
            }
        },
        _ if is_use(opt, Id::Password) => match std::str::from_utf8(argument) {
            Ok(text) => Ok(Setting::Secret(Secret::new(text))),
            Err(_) => Err(invalid(format!("the argument of '--{}' is not UTF-8", opt.name))),
        },
        Takes::Secret => Ok(Setting::On),
        Takes::Value | Takes::Optional if negated => Ok(Setting::Off),
        Takes::Value | Takes::Optional => Ok(Setting::Text(OsString::from_vec(argument.to_vec()))),
    }
}

fn truth(argument: &[u8]) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|w| argument.eq_ignore_ascii_case(w.as_bytes()));
    if is(&["1", "on", "true", "yes"]) {
        Some(true)
    } else if is(&["0", "off", "false", "no"]) {
        Some(false)
    } else {
        None
    }
}

/// Name and argument of a long option; the name with `-`.
fn split(text: &[u8]) -> (String, Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, argument) = text.split_at(at);
            (normal(name), argument.get(1..))
        }
        None => (normal(text), None),
    }
}

/// An option's name with `-` for `_`.
pub(crate) fn normal(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace('_', "-")
}

/// Ends the program if an option asks for what is not done. The last of each option counts, so
/// that a command line can switch off what an option file asks for.
pub(crate) fn check_refused(given: &[Given]) -> Result<()> {
    for (at, one) in given.iter().enumerate() {
        let Act::Refuse { unless, why, hint } = one.opt.act else { continue };
        let later = given.iter().skip(at + 1).any(|other| other.opt.name == one.opt.name);
        let harmless = match &one.setting {
            Setting::Off => true,
            Setting::On | Setting::Secret(_) => false,
            Setting::Text(text) => {
                unless.iter().any(|value| text.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
            }
        };
        if later || harmless {
            continue;
        }
        let origin = one.file.as_ref().map(|file| format!(" (from {file})")).unwrap_or_default();
        let error = Error::new(
            ErrorKind::Unsupported,
            format!("option '--{}'{origin}: {why}", one.opt.name),
        );
        return Err(if hint.is_empty() { error } else { error.hint(hint) });
    }
    Ok(())
}

fn is_use(opt: &Opt, id: Id) -> bool {
    matches!(opt.act, Act::Use(own, _) if own == id)
}

/// The last setting of the option that does `id`.
pub(crate) fn last(given: &[Given], id: Id) -> Option<&Setting> {
    given.iter().rev().find(|one| is_use(one.opt, id)).map(|one| &one.setting)
}

/// Whether the option that does `id` is on.
pub(crate) fn is_on(given: &[Given], id: Id) -> bool {
    matches!(last(given, id), Some(Setting::On | Setting::Text(_)))
}

/// The argument of the option that does `id`; an empty one is none.
pub(crate) fn text(given: &[Given], id: Id) -> Option<&OsStr> {
    match last(given, id) {
        Some(Setting::Text(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// The password, if one was given.
pub(crate) fn secret(given: &[Given]) -> Option<&Secret> {
    match last(given, Id::Password) {
        Some(Setting::Secret(secret)) => Some(secret),
        _ => None,
    }
}

/// A number with an optional K, M, G, T, P or E behind it.
///
/// # Errors
/// `InvalidArgument` if it is none, or too large.
pub(crate) fn number(given: &[Given], id: Id, name: &str) -> Result<Option<u64>> {
    let Some(text) = text(given, id) else { return Ok(None) };
    let wrong = || invalid(format!("option '--{name}' takes a number, not '{}'", text.display()));
    let text = text.to_str().ok_or_else(wrong)?;
    parse_number(text).map(Some).ok_or_else(wrong)
}

/// `64`, `64k`, `1M`: a number with an optional binary suffix.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        "e" => 60,
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn unknown(spelled: &str) -> Error {
    invalid(format!("unknown option '{spelled}'")).hint("--help lists the options")
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    static OPTIONS: &[Opt] = &[
        Opt::used("extract", Takes::Nothing, Id::Extract, "").short('x'),
        Opt::used("verbose", Takes::Bool, Id::Verbose, "").short('v'),
        Opt::used("directory", Takes::Value, Id::Directory, "").short('C'),
        Opt::used("parallel", Takes::Value, Id::Parallel, "").short('p'),
        Opt::used("stream", Takes::Optional, Id::Stream, ""),
        Opt::used("datadir", Takes::Value, Id::Datadir, "").server(),
        Opt::used("mysqld-args", Takes::Nothing, Id::MysqldArgs, ""),
        Opt::used("password", Takes::Secret, Id::Password, "").short('P'),
        Opt::refused("encrypt-key", Takes::Secret, ("no ciphers", "")).short('K'),
        Opt::refused("incremental-lsn", Takes::Value, ("no deltas", "take a full one")),
        Opt::refused("incremental-dir", Takes::Value, ("no deltas", "")),
        Opt::refused("throttle", Takes::Value, ("no throttle", "")).unless(&["0"]),
        Opt::refused("decompress", Takes::Bool, ("no codecs", "")),
    ];
    static TABLE: Table = &[OPTIONS];

    fn try_line(line: &str) -> Result<Parsed> {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(TABLE, &args)
    }

    fn line(words: &str) -> Parsed {
        try_line(words).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    fn message(words: &str) -> String {
        try_line(words).expect_err(words).to_string()
    }

    #[test]
    fn letters_combine_and_take_the_rest_or_the_next_word() {
        for words in ["-xvC d", "-xv -C d", "-x -v -Cd", "-C d -xv"] {
            let parsed = line(words);
            assert!(is_on(&parsed.given, Id::Extract) && is_on(&parsed.given, Id::Verbose));
            assert_eq!(text(&parsed.given, Id::Directory), Some(OsStr::new("d")), "{words}");
            assert!(parsed.words.is_empty());
        }
        // As the programs have it: after a letter there is no `=`.
        assert_eq!(text(&line("-C=d").given, Id::Directory), Some(OsStr::new("=d")));
        for words in ["-p2", "-p 2", "-xp2", "--parallel=2", "--parallel 2"] {
            assert_eq!(number(&line(words).given, Id::Parallel, "parallel").unwrap(), Some(2));
        }
    }

    #[test]
    fn underscores_prefixes_and_negations_are_understood() {
        assert!(is_on(&line("--mysqld_args").given, Id::MysqldArgs));
        let parsed = line("--par=3");
        assert_eq!(text(&parsed.given, Id::Parallel), Some(OsStr::new("3")));
        assert_eq!(parsed.warnings, ["option '--par' is taken as '--parallel'"]);
        for off in ["--skip-verbose", "--disable-verbose", "--verbose=0", "--verbose=OFF"] {
            assert_eq!(last(&line(off).given, Id::Verbose), Some(&Setting::Off), "{off}");
        }
        for on in ["--verbose", "--enable-verbose", "--verbose=1", "--skip-verbose=0"] {
            assert!(is_on(&line(on).given, Id::Verbose), "{on}");
        }
        assert!(message("--incremental=1").contains("ambiguous"));
    }

    #[test]
    fn an_optional_argument_follows_only_the_equals_sign() {
        let parsed = line("--stream xbstream");
        assert_eq!(last(&parsed.given, Id::Stream), Some(&Setting::On));
        assert_eq!(parsed.words, ["xbstream"]);
        assert_eq!(text(&line("--stream=tar").given, Id::Stream), Some(OsStr::new("tar")));
    }

    #[test]
    fn unknown_options_are_errors_unless_loose() {
        assert_eq!(message("--nope=secret"), "unknown option '--nope'");
        assert_eq!(message("-Zsecret"), "unknown option '-Z'");
        assert_eq!(line("--loose-nope=1").warnings, ["unknown option '--loose-nope' is ignored"]);
        assert!(is_on(&line("--loose_verbose").given, Id::Verbose));
        assert_eq!(message("-x -C"), "option '-C' needs an argument");
        assert_eq!(message("--parallel"), "option '--parallel' needs an argument");
        assert_eq!(message("--extract=1"), "option '--extract' does not take an argument");
    }

    #[test]
    fn words_may_stand_before_options_until_the_dashes() {
        let parsed = line("a -v b -- -x --nope");
        assert!(is_on(&parsed.given, Id::Verbose) && !is_on(&parsed.given, Id::Extract));
        assert_eq!(parsed.words, ["a", "b", "-x", "--nope"]);
    }

    #[test]
    fn a_secret_is_taken_and_not_shown() {
        for words in ["--password=geheim", "--password geheim", "-Pgeheim", "-P geheim", "-Kgeheim"]
        {
            let parsed = line(words);
            assert!(!format!("{parsed:?}").contains("geheim"), "{words}");
            let kept = secret(&parsed.given) == Some(&Secret::new("geheim"));
            assert_eq!(kept, !words.starts_with("-K"), "{words}");
            assert!(parsed.words.is_empty());
        }
        let parsed = line("--password --extract");
        assert!(is_on(&parsed.given, Id::Extract));
    }

    #[test]
    fn after_mysqld_args_only_the_servers_options_count() {
        let parsed = line("-v --mysqld-args --nope=1 --datadir /d -q --extract --wsrep x");
        assert_eq!(text(&parsed.given, Id::Datadir), Some(OsStr::new("/d")));
        assert!(!is_on(&parsed.given, Id::Extract));
        assert!(parsed.words.is_empty());
    }

    #[test]
    fn what_is_not_done_is_refused_by_name_unless_it_asks_for_nothing() {
        let refused = |words: &str| check_refused(&line(words).given);
        let error = refused("--incremental-lsn=5").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), "option '--incremental-lsn': no deltas");
        assert_eq!(error.hint_text(), Some("take a full one"));
        assert!(refused("--throttle=0").is_ok() && refused("--throttle=1").is_err());
        assert!(refused("--decompress").is_err() && refused("--decompress=0").is_ok());
        assert!(refused("--decompress --skip-decompress").is_ok());
        assert!(refused("--skip-decompress --decompress").is_err());
    }

    #[test]
    fn numbers_have_binary_suffixes_and_do_not_overflow() {
        assert_eq!(parse_number("64"), Some(64));
        assert_eq!(parse_number("64K"), Some(64 << 10));
        assert_eq!(parse_number("1g"), Some(1 << 30));
        for wrong in ["", "K", "-1", "1.5M", "1X", "1KB", "99999999999E", "+5", "0x10"] {
            assert_eq!(parse_number(wrong), None, "{wrong}");
        }
    }
}
