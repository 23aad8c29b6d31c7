//! One error type for every job: what failed, where, and what to do next.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is. The set grows; match with a wildcard arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A bug in xbkit: a panic was caught.
    Panic,
    /// An argument or option is not acceptable.
    InvalidArgument,
    /// The call does not fit the object's state (finished, failed, or busy).
    InvalidState,
    /// The job was cancelled by its token or its observer.
    Cancelled,
    /// xbkit knows what was asked for, and does not do it.
    Unsupported,
    /// A cap of [`crate::limits`] was exceeded.
    Limit,
    /// Reading the input failed.
    Source,
    /// Writing the output failed.
    Sink,
    /// The reader of the output is gone.
    PipeClosed,
    /// The file system or device is full, or a quota is reached.
    NoSpace,
    /// A file or directory does not exist.
    NotFound,
    /// A file or directory exists and may not be replaced.
    Exists,
    /// The operating system forbids it.
    Permission,
    /// A file changed while it was being read or written.
    FileChanged,
    /// A file is locked, so a server uses it.
    Locked,
    /// Input bytes break the rules of their format.
    Format,
    /// The input ends too early.
    Truncated,
    /// A checksum does not match its data.
    Checksum,
    /// A member's path is refused for safety.
    UnsafePath,
    /// A stream is sound, but nothing proves that it is complete.
    Unproven,
    /// A backup lacks members that it must have.
    Incomplete,
    /// A compressed layer cannot be decoded.
    Decompress,
    /// A key is missing, or cannot be one.
    Key,
    /// Encrypted data cannot be decrypted: the key is wrong, or the data were changed.
    Decrypt,
    /// The server cannot be reached, or the connection to it broke.
    Connect,
    /// The server refuses the login, or the account lacks a privilege.
    Auth,
    /// The server answers a statement with an error.
    Query,
    /// The server did not grant a lock in time.
    LockWait,
    /// The server did not recover a backup.
    Recovery,
    /// A page of a tablespace does not match its checksum, however often it is read.
    PageCorrupt,
    /// The server wrote over redo that was not copied yet.
    RedoOverrun,
    /// The redo log is of a format that is not known, or makes no sense.
    RedoFormat,
}

impl ErrorKind {
    /// Every kind, for bindings that must map each one.
    pub const ALL: &'static [Self] = &[
        Self::Panic,
        Self::InvalidArgument,
        Self::InvalidState,
        Self::Cancelled,
        Self::Unsupported,
        Self::Limit,
        Self::Source,
        Self::Sink,
        Self::PipeClosed,
        Self::NoSpace,
        Self::NotFound,
        Self::Exists,
        Self::Permission,
        Self::FileChanged,
        Self::Locked,
        Self::Format,
        Self::Truncated,
        Self::Checksum,
        Self::UnsafePath,
        Self::Unproven,
        Self::Incomplete,
        Self::Decompress,
        Self::Key,
        Self::Decrypt,
        Self::Connect,
        Self::Auth,
        Self::Query,
        Self::LockWait,
        Self::Recovery,
        Self::PageCorrupt,
        Self::RedoOverrun,
        Self::RedoFormat,
    ];

    /// The pinned number of the kind: negative, never reused, in ranges of twenty
    /// (-1 caller, -20 input and output, -40 stream, -60 codec, -80 server, -100 InnoDB).
    pub const fn code(self) -> i32 {
        match self {
            Self::Panic => -1,
            Self::InvalidArgument => -2,
            Self::InvalidState => -3,
            Self::Cancelled => -4,
            Self::Unsupported => -6,
            Self::Limit => -9,
            Self::Source => -20,
            Self::Sink => -21,
            Self::PipeClosed => -22,
            Self::NoSpace => -23,
            Self::NotFound => -24,
            Self::Exists => -25,
            Self::Permission => -26,
            Self::FileChanged => -27,
            Self::Locked => -28,
            Self::Format => -40,
            Self::Truncated => -41,
            Self::Checksum => -42,
            Self::UnsafePath => -43,
            Self::Unproven => -44,
            Self::Incomplete => -45,
            Self::Decompress => -61,
            Self::Key => -62,
            Self::Decrypt => -63,
            Self::Connect => -80,
            Self::Auth => -81,
            Self::Query => -82,
            Self::LockWait => -83,
            Self::Recovery => -84,
            Self::PageCorrupt => -100,
            Self::RedoOverrun => -101,
            Self::RedoFormat => -102,
        }
    }

    /// The kind that an operating system error stands for, or `otherwise`.
    fn of_io(error: &io::Error, otherwise: Self) -> Self {
        match error.raw_os_error() {
            Some(libc::EPIPE | libc::ECONNRESET) if otherwise == Self::Sink => Self::PipeClosed,
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => Self::NoSpace,
            Some(libc::ENOENT) => Self::NotFound,
            Some(libc::EEXIST | libc::ENOTEMPTY) => Self::Exists,
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => Self::Permission,
            // Only where xbkit asked that no symlink be followed.
            Some(libc::ELOOP) => Self::UnsafePath,
            _ => match error.kind() {
                io::ErrorKind::BrokenPipe if otherwise == Self::Sink => Self::PipeClosed,
                _ => otherwise,
            },
        }
    }
}

/// A failure: its kind, a sentence, and the place.
///
/// `Display` gives one line without the hint: the file, the sentence, the stream offset and the
/// cause. Member paths in it are escaped, so a hostile name cannot forge terminal output.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    path: Option<PathBuf>,
    stream_offset: Option<u64>,
    file_offset: Option<u64>,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`: lower case, no full stop, value and limit included.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            stream_offset: None,
            file_offset: None,
            hint: None,
            source: None,
        }))
    }

    /// An operating system error met while doing `what`. An [`Error`] that travelled inside
    /// `error` (through `Read` or `Write`) comes out as itself.
    ///
    /// `otherwise` is the kind where the errno says nothing more exact.
    pub fn io(otherwise: ErrorKind, what: impl Into<Cow<'static, str>>, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => {
                let mut own = Self::new(ErrorKind::of_io(&error, otherwise), what);
                own.0.source = Some(Box::new(error));
                own
            }
        }
    }

    /// The error that stands for a caught panic.
    pub(crate) fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self::new(ErrorKind::Panic, format!("a worker panicked, which is a bug in xbkit: {text}"))
    }

    /// The error of a job whose token was set.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// Adds the file or member concerned, unless one is named already.
    pub fn at_path(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// Adds the offset in the stream, in bytes, unless one is known already.
    pub fn at_stream(mut self, offset: u64) -> Self {
        self.0.stream_offset.get_or_insert(offset);
        self
    }

    /// Adds the offset in the file, in bytes, unless one is known already.
    pub fn at_file(mut self, offset: u64) -> Self {
        self.0.file_offset.get_or_insert(offset);
        self
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence alone, without place and cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file or stream member concerned.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Where in the stream, in bytes from its beginning (behind outer compression layers).
    pub fn stream_offset(&self) -> Option<u64> {
        self.0.stream_offset
    }

    /// Where in the file or member, in bytes.
    pub fn file_offset(&self) -> Option<u64> {
        self.0.file_offset
    }

    /// What to do next, where xbkit knows.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The operating system's number, if the cause was one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.source.as_ref()?.downcast_ref::<io::Error>()?.raw_os_error()
    }
}

/// Bytes of a path as printable text: control bytes, backslashes and what is not UTF-8 as `\xNN`.
pub fn escape_path(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for piece in path.as_os_str().as_bytes().utf8_chunks() {
        for c in piece.valid().chars() {
            if c == '\\' {
                text.push_str("\\\\");
            } else if c.is_control() || is_bidi_control(c) {
                let mut utf8 = [0; 4];
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            } else {
                text.push(c);
            }
        }
        for byte in piece.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that reorder the text around them on a terminal.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", escape_path(path))?;
        }
        f.write_str(&self.0.message)?;
        if let Some(offset) = self.0.file_offset {
            write!(f, ", at byte {offset} of the file")?;
        }
        if let Some(offset) = self.0.stream_offset {
            write!(f, ", at byte {offset} of the stream")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("path", &self.0.path)
            .field("stream_offset", &self.0.stream_offset)
            .field("file_offset", &self.0.file_offset)
            .field("hint", &self.0.hint)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Error> for io::Error {
    /// For errors that pass through `Read` and `Write`; [`Error::io`] takes them out again.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::PipeClosed => io::ErrorKind::BrokenPipe,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::Exists => io::ErrorKind::AlreadyExists,
            ErrorKind::Permission => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidArgument | ErrorKind::InvalidState => io::ErrorKind::InvalidInput,
            ErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
            ErrorKind::Format | ErrorKind::Checksum | ErrorKind::Decompress => {
                io::ErrorKind::InvalidData
            }
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_negative_and_distinct() {
        let mut codes: Vec<i32> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert!(codes.iter().all(|code| *code < 0));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn an_error_survives_a_trip_through_io() {
        let io: io::Error = Error::new(ErrorKind::Checksum, "bad").at_stream(7).into();
        let back = Error::io(ErrorKind::Source, "reading", io);
        assert_eq!((back.kind(), back.stream_offset()), (ErrorKind::Checksum, Some(7)));
    }

    #[test]
    fn hostile_names_are_escaped() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\x1b[2J\xff\\\xe2\x80\xae"));
        assert_eq!(escape_path(path), "a\\x1b[2J\\xff\\\\\\xe2\\x80\\xae");
    }
}
