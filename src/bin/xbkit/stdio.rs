//! Where bytes come from and go to: standard input and output, or a file that appears only whole.

use std::cell::{RefCell, RefMut};
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use xbkit::{Error, ErrorKind, Parts, Result};

/// The end of a job where a stream goes out.
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// A device or FIFO that was there already.
    Device(File),
    /// A regular file, written under another name until it is whole.
    File(PartialFile),
}

/// A file that gets its name when it is whole, and is removed when it never is.
pub(crate) struct PartialFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl Output {
    /// Standard output for `None` and `-`, else the file, which may not exist yet.
    ///
    /// # Errors
    /// `InvalidArgument` for a terminal, `Exists` for a file.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        match path.filter(|path| path.as_os_str() != "-") {
            None => {
                refuse_terminal_output()?;
                Ok(Self::Stdout)
            }
            Some(path) => Self::open_file(path),
        }
    }

    fn open_file(path: &Path) -> Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.file_type().is_char_device() || found.file_type().is_fifo() => {
                let file = OpenOptions::new()
                    .write(true)
                    .open(path)
                    .map_err(|error| Error::io(ErrorKind::Sink, "cannot open the output", error))
                    .map_err(|error| error.at_path(path))?;
                if file.is_terminal() {
                    return Err(terminal("output").at_path(path));
                }
                Ok(Self::Device(file))
            }
            Ok(_) => Err(exists(path)),
            // A symlink to nowhere would stand in the way at the end.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match fs::symlink_metadata(path) {
                    Ok(_) => Err(exists(path)),
                    Err(_) => PartialFile::create(path).map(Self::File),
                }
            }
            Err(error) => {
                Err(Error::io(ErrorKind::Sink, "cannot look at the output", error).at_path(path))
            }
        }
    }

    /// Makes what was written last, and gives a file its name.
    pub(crate) fn commit(self) -> Result<()> {
        match self {
            Self::Stdout | Self::Device(_) => Ok(()),
            Self::File(file) => file.commit(),
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        static STDOUT: std::sync::LazyLock<io::Stdout> = std::sync::LazyLock::new(io::stdout);
        match self {
            Self::Stdout => STDOUT.as_fd(),
            Self::Device(file) => file.as_fd(),
            Self::File(partial) => partial.file.as_fd(),
        }
    }
}

impl PartialFile {
    fn create(path: &Path) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            // A backup holds every secret of its server.
            .mode(0o640)
            .open(&partial)
            .map_err(|error| {
                let error = Error::io(ErrorKind::Sink, "cannot create the output", error);
                let left_over = error.kind() == ErrorKind::Exists;
                let error = error.at_path(&partial);
                if left_over {
                    error.hint("an earlier run may have left it; remove it if none is running")
                } else {
                    error
                }
            })?;
        Ok(Self { file, partial, path: path.to_owned(), committed: false })
    }

    fn commit(mut self) -> Result<()> {
        let failed = |what: &'static str, path: &Path, error: io::Error| {
            Error::io(ErrorKind::Sink, what, error).at_path(path)
        };
        self.file.sync_all().map_err(|e| failed("cannot sync the output", &self.partial, e))?;
        // `rename` would replace; who made the name meanwhile keeps it, and the finished stream
        // keeps its other name.
        self.committed = true;
        match fs::hard_link(&self.partial, &self.path) {
            Ok(()) => fs::remove_file(&self.partial)
                .map_err(|e| failed("cannot remove the output's first name", &self.partial, e))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(exists(&self.path).hint(format!(
                    "the whole stream is in {}",
                    xbkit::error::escape_path(&self.partial)
                )));
            }
            // A file system without hard links.
            Err(_) => fs::rename(&self.partial, &self.path)
                .map_err(|e| failed("cannot name the output", &self.path, e))?,
        }
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(|e| failed("cannot sync the directory of the output", parent, e))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The end of a job where a stream comes in.
pub(crate) enum Input {
    /// Standard input.
    Stdin,
    /// A file or device.
    File(File),
    /// Files that hold parts of it.
    Parts(RefCell<Parts>),
}

/// How a job reads its input.
pub(crate) enum Bytes<'i> {
    /// From a descriptor.
    Fd(BorrowedFd<'i>),
    /// From files, one behind the other.
    Parts(RefMut<'i, Parts>),
}

impl Input {
    /// The parts of a stream of which `first` is the first one, or what [`Input::open`] gives.
    pub(crate) fn of(path: Option<&Path>, parts: bool) -> Result<Self> {
        match path {
            Some(first) if parts => Parts::beside(first).map(|it| Self::Parts(RefCell::new(it))),
            path => Self::open(path),
        }
    }

    /// What a job reads.
    pub(crate) fn bytes(&self) -> Bytes<'_> {
        static STDIN: std::sync::LazyLock<io::Stdin> = std::sync::LazyLock::new(io::stdin);
        match self {
            Self::Stdin => Bytes::Fd(STDIN.as_fd()),
            Self::File(file) => Bytes::Fd(file.as_fd()),
            Self::Parts(parts) => Bytes::Parts(parts.borrow_mut()),
        }
    }

    /// Standard input for `None` and `-`, else the file.
    ///
    /// # Errors
    /// `InvalidArgument` for a terminal or a directory.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            if io::stdin().is_terminal() {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "standard input is a terminal, and a stream is binary data",
                )
                .hint("send the stream in by a pipe, or redirect it from a file"));
            }
            return Ok(Self::Stdin);
        };
        let opened = File::open(path).and_then(|file| {
            let is_dir = file.metadata()?.is_dir();
            if is_dir { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        let file = opened
            .map_err(|error| Error::io(ErrorKind::Source, "cannot open the input", error))
            .map_err(|error| error.at_path(path))?;
        if file.is_terminal() {
            return Err(terminal("input").at_path(path));
        }
        Ok(Self::File(file))
    }
}

/// Binary data on a terminal helps nobody and can reprogram it.
pub(crate) fn refuse_terminal_output() -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "standard output is a terminal, and a stream is binary data",
        )
        .hint("send it into a pipe, or redirect it to a file"));
    }
    Ok(())
}

fn terminal(which: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("the {which} is a terminal, and a stream is binary data"),
    )
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, "the output exists already")
        .at_path(path)
        .hint("name another file, or remove this one")
}

/// Writes text that was asked for, such as a help text, to standard output.
pub(crate) fn print(text: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text)
        .and_then(|()| stdout.flush())
        .map_err(|error| Error::io(ErrorKind::Sink, "cannot write to standard output", error))
}
