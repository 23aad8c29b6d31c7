//! Keys: where they come from, and keeping them out of the list of processes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xbkit::codec::Key;
use xbkit::{Error, ErrorKind, Result};

/// Longer than any key, so that a wrong file is told by its length and not read to its end.
const MOST: u64 = 4096;

/// Where a key may come from, as a command line says it.
#[derive(Debug, Default)]
pub(crate) struct KeySource {
    /// On the command line.
    pub(crate) text: Option<OsString>,
    pub(crate) file: Option<PathBuf>,
    /// The name of an environment variable.
    pub(crate) variable: Option<OsString>,
}

impl KeySource {
    /// The key, if there is one.
    ///
    /// # Errors
    /// `InvalidArgument` for more than one source, `Key` for what cannot be a key.
    pub(crate) fn read(self) -> Result<Option<Key>> {
        let given = [self.text.is_some(), self.file.is_some(), self.variable.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            let message = "more than one source is given for the key";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        if let Some(text) = self.text {
            let key = Key::new(text.as_bytes());
            hide(&text);
            return key.map(Some);
        }
        if let Some(variable) = self.variable {
            let value = std::env::var_os(&variable).ok_or_else(|| {
                let name = variable.display();
                let message =
                    format!("the environment has no variable {name}, which holds the key");
                Error::new(ErrorKind::Key, message)
            })?;
            return Key::new(value.as_bytes()).map(Some);
        }
        self.file.map(|file| read_file(&file)).transpose()
    }
}

/// The key that a file holds; `/dev/fd/N` is a descriptor.
fn read_file(path: &Path) -> Result<Key> {
    let failed =
        |error| Error::io(ErrorKind::Source, "cannot read the key file", error).at_path(path);
    let mut bytes = zeroed();
    File::open(path).map_err(failed)?.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    let key = Key::new(&bytes).map_err(|error| error.at_path(path));
    bytes.fill(0);
    key
}

/// Room for all that is read, so that no copy of it stays behind where a vector grew.
fn zeroed() -> Vec<u8> {
    Vec::with_capacity(usize::try_from(MOST).unwrap_or(0) + 1)
}

/// Overwrites every `secret` in the command line of this process, as others see it. What they saw
/// before they saw: a file is better.
fn hide(secret: &OsStr) {
    // Without /proc nobody sees it there either.
    let _ = CommandLine::read().and_then(|line| line.hide_all(secret.as_bytes()));
}

/// Overwrites parts of the last words of the command line, `args`: of each that is not `shown` as
/// it is, what is behind the beginning that both have.
pub(crate) fn hide_arguments(args: &[OsString], shown: &[Vec<u8>]) {
    if args.iter().zip(shown).all(|(arg, shown)| arg.as_bytes() == shown) {
        return;
    }
    let _ = CommandLine::read().and_then(|line| line.hide_parts(args, shown));
}

/// The words of this process, each with a NUL behind it, where others see them.
struct CommandLine {
    memory: File,
    begin: u64,
    words: Vec<u8>,
}

impl CommandLine {
    fn read() -> io::Result<Self> {
        let stat = fs::read("/proc/self/stat")?;
        // The name of the program, in brackets, may hold anything; fields are counted behind it.
        let behind = stat.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 2);
        let fields: Vec<&[u8]> =
            stat.get(behind..).unwrap_or_default().split(|byte| *byte == b' ').collect();
        // proc(5): arg_start and arg_end are fields 48 and 49, the first here is 3.
        let field = |number: usize| -> Option<u64> {
            std::str::from_utf8(fields.get(number - 3)?).ok()?.trim().parse().ok()
        };
        let (begin, end) = field(48).zip(field(49)).ok_or(io::ErrorKind::InvalidData)?;
        let memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
        let mut words = vec![0; usize::try_from(end.saturating_sub(begin)).unwrap_or(0)];
        memory.read_exact_at(&mut words, begin)?;
        Ok(Self { memory, begin, words })
    }

    fn overwrite(&self, at: usize, len: usize) -> io::Result<()> {
        self.memory.write_all_at(&vec![b'x'; len], self.begin + at as u64)
    }

    fn hide_all(&self, secret: &[u8]) -> io::Result<()> {
        let mut at = 0;
        while let Some(rest) = self.words.get(at..).filter(|rest| rest.len() >= secret.len()) {
            if secret.is_empty() {
                break;
            }
            if rest.starts_with(secret) {
                self.overwrite(at, secret.len())?;
                at += secret.len();
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    fn hide_parts(&self, args: &[OsString], shown: &[Vec<u8>]) -> io::Result<()> {
        let mut end = self.words.len();
        for (arg, shown) in args.iter().zip(shown).rev() {
            let arg = arg.as_bytes();
            let Some(at) = end.checked_sub(arg.len() + 1) else { break };
            // They are the last ones, unless somebody has changed them meanwhile.
            if self.words.get(at..end - 1) != Some(arg) {
                break;
            }
            if arg != shown {
                let same = arg.iter().zip(shown).take_while(|(one, other)| one == other).count();
                // Stars are not in the secret's place by chance.
                let stars = shown.iter().position(|byte| *byte == b'*').unwrap_or(same);
                let same = same.min(stars);
                self.overwrite(at + same, arg.len() - same)?;
            }
            end = at;
        }
        Ok(())
    }
}
