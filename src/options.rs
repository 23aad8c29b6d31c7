//! The one table of options: what jobs can be told, under which name and number, in which range.
//!
//! The C interface takes its numbers from here, other bindings their keywords, and tests compare
//! all of them, and the command line, with this table. A number is never changed or used again.

use crate::error::{Error, ErrorKind, Result};
use crate::limits;

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionType {
    /// On or off.
    Bool,
    /// A whole number, not negative.
    Int,
    /// A string: a path (bytes without NUL, relative to the working directory) or UTF-8 text.
    String,
    /// Any bytes.
    Bytes,
}

impl OptionType {
    /// The pinned number of the type.
    pub const fn code(self) -> u32 {
        match self {
            Self::Bool => 1,
            Self::Int => 2,
            Self::String => 3,
            Self::Bytes => 4,
        }
    }
}

/// A job that takes options. The numbers are bits, so that a set of jobs is their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Job {
    /// [`crate::Create`]
    Create,
    /// [`crate::Backup`]
    Backup,
    /// [`crate::Extract`]
    Extract,
    /// [`crate::List`]
    List,
    /// [`crate::Verify`]
    Verify,
    /// [`crate::StreamWriter`]
    Writer,
    /// [`crate::EntryWriter`]
    Entry,
    /// [`crate::StreamReader`]
    Reader,
    /// [`crate::Convert`]
    Convert,
    /// [`crate::Info`]
    Info,
    /// [`crate::Cat`]
    Cat,
    /// [`crate::Check`]
    Check,
    /// `crate::ServerBackup`
    ServerBackup,
    /// `crate::Prepare`
    Prepare,
    /// `crate::Restore`
    Restore,
    /// `crate::PutBack`
    PutBack,
}

impl Job {
    /// Every job.
    pub const ALL: &'static [Self] = &[
        Self::Create,
        Self::Backup,
        Self::Extract,
        Self::List,
        Self::Verify,
        Self::Writer,
        Self::Entry,
        Self::Reader,
        Self::Convert,
        Self::Info,
        Self::Cat,
        Self::Check,
        Self::ServerBackup,
        Self::Prepare,
        Self::Restore,
        Self::PutBack,
    ];

    /// The job's bit.
    pub const fn bit(self) -> u32 {
        match self {
            Self::Create => 1,
            Self::Backup => 1 << 1,
            Self::Extract => 1 << 2,
            Self::List => 1 << 3,
            Self::Verify => 1 << 4,
            Self::Writer => 1 << 5,
            Self::Entry => 1 << 6,
            Self::Reader => 1 << 7,
            Self::Convert => 1 << 8,
            Self::Info => 1 << 9,
            Self::Cat => 1 << 10,
            Self::Check => 1 << 11,
            Self::ServerBackup => 1 << 12,
            Self::Prepare => 1 << 13,
            Self::Restore => 1 << 14,
            Self::PutBack => 1 << 15,
        }
    }

    /// The job's name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Backup => "backup",
            Self::Extract => "extract",
            Self::List => "list",
            Self::Verify => "verify",
            Self::Writer => "a writer",
            Self::Entry => "an entry",
            Self::Reader => "a reader",
            Self::Convert => "convert",
            Self::Info => "info",
            Self::Cat => "cat",
            Self::Check => "check",
            Self::ServerBackup => "server backup",
            Self::Prepare => "prepare",
            Self::Restore => "restore",
            Self::PutBack => "put back",
        }
    }
}

/// One option.
#[derive(Debug)]
#[non_exhaustive]
pub struct OptionInfo {
    /// Its number, pinned.
    pub id: u32,
    /// Its name; as a keyword, and in upper case behind `XBK_OPT_` in C.
    pub name: &'static str,
    /// Its long name on the command line, where it has one.
    pub long: Option<&'static str>,
    /// The type of its value.
    pub kind: OptionType,
    /// What a number counts or a string is: `bytes`, `threads`, `path`, `pattern`; else empty.
    pub unit: &'static str,
    /// Smallest and largest number, where the value is one.
    pub range: Option<(u64, u64)>,
    /// The words that a string may be; any if there are none.
    pub choices: &'static [&'static str],
    /// The value if it is not set, as text; empty where there is none.
    pub default: &'static str,
    /// Whether it may be given more than once, which adds a value.
    pub repeatable: bool,
    /// The jobs that take it; others refuse it.
    pub jobs: &'static [Job],
    /// What it does.
    pub doc: &'static str,
    /// The first version that has it.
    pub since: &'static str,
}

impl OptionInfo {
    /// What the options below have in common.
    const COMMON: Self = Self {
        id: 0,
        name: "",
        long: None,
        kind: OptionType::String,
        unit: "",
        range: None,
        choices: &[],
        default: "",
        repeatable: false,
        jobs: &[],
        doc: "",
        since: "0.1",
    };

    /// Whether `job` takes it.
    pub fn is_for(&self, job: Job) -> bool {
        self.jobs.contains(&job)
    }

    /// Checks a number.
    ///
    /// # Errors
    /// `InvalidArgument` with the name and the range.
    pub fn check_int(&self, value: i64) -> Result<u64> {
        let (min, max) = self.range.unwrap_or((0, i64::MAX.unsigned_abs()));
        match u64::try_from(value) {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{} {value} is not between {min} and {max}", self.name),
            )),
        }
    }

    /// Checks a string.
    ///
    /// # Errors
    /// `InvalidArgument` with the name and what it may be.
    pub fn check_string(&self, value: &[u8]) -> Result<()> {
        let refuse = |why: String| {
            Err(Error::new(ErrorKind::InvalidArgument, format!("{} {why}", self.name)))
        };
        if value.contains(&0) {
            return refuse("contains a NUL byte".to_owned());
        }
        if value.is_empty() {
            return refuse("is empty".to_owned());
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|word| word.as_bytes() == value) {
            let value = value.escape_ascii();
            return refuse(format!("\"{value}\" is none of {}", self.choices.join(", ")));
        }
        Ok(())
    }
}

/// The option of this number.
pub fn by_id(id: u32) -> Option<&'static OptionInfo> {
    OPTIONS.iter().find(|option| option.id == id)
}

/// The option of this name.
pub fn by_name(name: &str) -> Option<&'static OptionInfo> {
    OPTIONS.iter().find(|option| option.name == name)
}

const STREAMING: &[Job] = &[Job::Create, Job::Backup, Job::ServerBackup, Job::Writer];
const MAKING: &[Job] = &[Job::Create, Job::Backup, Job::ServerBackup, Job::Writer, Job::Convert];
const STORING: &[Job] = &[Job::Create, Job::Backup, Job::ServerBackup];
const DECODING: &[Job] = &[Job::Extract, Job::Restore];
const RECOVERING: &[Job] = &[Job::Prepare, Job::Restore];
const ASKING: &[Job] = &[Job::ServerBackup];

/// Every option, in the order of its number. Numbers leave room between groups: 1 how a stream
/// is made, 20 what goes into it, 40 where a data directory has its parts, 60 extraction, 80
/// verification, 100 checking files, 120 how a server is reached, 140 what else a backup of it
/// takes, 160 how a data directory is made of it.
pub static OPTIONS: &[OptionInfo] = &[
    OptionInfo {
        id: 1,
        name: "parallel",
        long: Some("parallel"),
        kind: OptionType::Int,
        unit: "threads",
        range: Some((*limits::PARALLEL_RANGE.start() as u64, *limits::PARALLEL_RANGE.end() as u64)),
        default: "1",
        jobs: &[
            Job::Create,
            Job::Backup,
            Job::ServerBackup,
            Job::Extract,
            Job::Restore,
            Job::Check,
        ],
        doc: "worker threads that read or write files; each file belongs to one",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 2,
        name: "chunk_size",
        long: Some("chunk-size"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((
            *limits::CHUNK_SIZE_RANGE.start() as u64,
            *limits::CHUNK_SIZE_RANGE.end() as u64,
        )),
        default: "1048576",
        jobs: MAKING,
        doc: "payload bytes of a chunk",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 3,
        name: "dialect",
        long: Some("dialect"),
        choices: &["mariadb", "percona"],
        default: "mariadb",
        jobs: STREAMING,
        doc: "percona: holes travel as sparse chunks, which mbstream refuses; \
              mariadb: as zeros, which every reader takes",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 4,
        name: "manifest",
        long: Some("no-manifest"),
        kind: OptionType::Bool,
        default: "1",
        jobs: MAKING,
        doc: "end the stream in a manifest, by which it can be proven whole",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 10,
        name: "format",
        long: Some("stream"),
        choices: &["xbstream", "tar"],
        default: "xbstream",
        jobs: MAKING,
        doc: "the stream's format; in a tar archive members stand one behind the other",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 11,
        name: "size",
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((0, limits::MEMBER_SIZE)),
        jobs: &[Job::Entry],
        doc: "how many bytes the member will have, not more and not fewer; a tar archive needs it",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 12,
        name: "compress",
        long: Some("compress"),
        choices: &["quicklz", "lz4", "zstd", "gzip"],
        jobs: STORING,
        doc: "compress each member by itself, as XtraBackup does; a tar archive as a whole",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 13,
        name: "compress_level",
        long: Some("compress-level"),
        kind: OptionType::Int,
        range: Some((*limits::ZSTD_LEVEL.start() as u64, *limits::ZSTD_LEVEL.end() as u64)),
        jobs: STORING,
        doc: "compression level of zstd (1 to 19; 1) or gzip (1 to 9; 6)",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 14,
        name: "compress_threads",
        long: Some("compress-threads"),
        kind: OptionType::Int,
        unit: "threads",
        range: Some((*limits::PARALLEL_RANGE.start() as u64, *limits::PARALLEL_RANGE.end() as u64)),
        default: "1",
        jobs: STORING,
        doc: "threads that compress, besides those that read",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 15,
        name: "compress_chunk_size",
        long: Some("compress-chunk-size"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((
            *limits::CODEC_BLOCK_RANGE.start() as u64,
            *limits::CODEC_BLOCK_RANGE.end() as u64,
        )),
        default: "65536",
        jobs: STORING,
        doc: "bytes that quicklz and lz4 compress on their own; lz4 takes up to 4 MiB",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 16,
        name: "encrypt",
        long: Some("encrypt"),
        choices: &["AES128", "AES192", "AES256"],
        jobs: STORING,
        doc: "encrypt each member by itself, as XtraBackup does; a tar archive as a whole",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 17,
        name: "encrypt_threads",
        long: Some("encrypt-threads"),
        kind: OptionType::Int,
        unit: "threads",
        range: Some((*limits::PARALLEL_RANGE.start() as u64, *limits::PARALLEL_RANGE.end() as u64)),
        default: "1",
        jobs: STORING,
        doc: "threads that encrypt, besides those that read",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 18,
        name: "encrypt_chunk_size",
        long: Some("encrypt-chunk-size"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((
            *limits::CODEC_BLOCK_RANGE.start() as u64,
            *limits::CODEC_BLOCK_RANGE.end() as u64,
        )),
        default: "65536",
        jobs: STORING,
        doc: "bytes that are encrypted on their own",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 19,
        name: "key",
        kind: OptionType::Bytes,
        jobs: &[
            Job::Create,
            Job::Backup,
            Job::ServerBackup,
            Job::Extract,
            Job::List,
            Job::Verify,
            Job::Reader,
            Job::Info,
            Job::Cat,
            Job::Restore,
        ],
        doc: "the 16, 24 or 32 bytes of the key that encrypts or decrypts; to list and to read \
              items only what is encrypted as a whole needs it, to verify also its pages",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 20,
        name: "file",
        unit: "path",
        repeatable: true,
        jobs: &[Job::Create],
        doc: "a regular file to stream; its path, relative and without \"..\", becomes its name",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 21,
        name: "base_dir",
        long: Some("directory"),
        unit: "path",
        default: ".",
        jobs: &[Job::Create],
        doc: "the directory that files are named relative to",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 22,
        name: "changed",
        choices: &["refuse", "warn"],
        default: "refuse",
        jobs: &[Job::Create],
        doc: "a file that changes while it is read: fail, or warn by a log event and go on",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 40,
        name: "datadir",
        long: Some("datadir"),
        unit: "path",
        jobs: &[Job::Backup, Job::ServerBackup, Job::Restore, Job::PutBack],
        doc: "the data directory: of a stopped server that is backed up; which a running one must \
              have; or that is made, new or empty, by restore and put back",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 41,
        name: "data_home",
        long: Some("innodb-data-home-dir"),
        unit: "path",
        jobs: &[Job::Backup, Job::PutBack],
        doc: "where the system tablespace is, if not in datadir (innodb_data_home_dir)",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 42,
        name: "undo_dir",
        long: Some("innodb-undo-directory"),
        unit: "path",
        jobs: &[Job::Backup, Job::PutBack],
        doc: "where undo tablespaces are, if not in datadir (innodb_undo_directory)",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 43,
        name: "log_dir",
        long: Some("innodb-log-group-home-dir"),
        unit: "path",
        jobs: &[Job::Backup, Job::PutBack],
        doc: "where the redo log is, if not in datadir (innodb_log_group_home_dir)",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 44,
        name: "aria_log_dir",
        long: Some("aria-log-dir-path"),
        unit: "path",
        jobs: &[Job::Backup, Job::PutBack],
        doc: "where Aria's log is, if not in datadir (aria_log_dir_path)",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 45,
        name: "system_file",
        unit: "path",
        default: "ibdata1",
        repeatable: true,
        jobs: &[Job::Backup],
        doc: "a file of the system tablespace, as innodb_data_file_path names it, without size",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 46,
        name: "log_page_corruption",
        long: Some("log-page-corruption"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Backup, Job::ServerBackup],
        doc: "report damaged pages of tablespaces and carry them, instead of failing at the first",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 60,
        name: "target_dir",
        long: Some("directory"),
        unit: "path",
        jobs: &[Job::Extract],
        doc: "where to extract to: a new or empty directory, made if it is missing",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 61,
        name: "in_place",
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Extract],
        doc: "write straight into the target, which exists and may hold other files; refuse \
              files that exist, and remove what was made on failure",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 62,
        name: "overwrite",
        long: Some("overwrite"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Extract],
        doc: "let the target hold files, and replace those that are in the stream, at the end; \
              not together with in_place",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 63,
        name: "sync",
        long: Some("no-sync"),
        kind: OptionType::Bool,
        default: "1",
        jobs: &[Job::Extract],
        doc: "wait until everything is on disk before success is reported",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 64,
        name: "member_pattern",
        unit: "pattern",
        repeatable: true,
        jobs: &[Job::Extract],
        doc: "extract only members that match: a name stands for itself or for all below that \
              directory; *, ?, [...] and {a,b} match within a component, ** across",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 65,
        name: "decompress",
        long: Some("no-decompress"),
        kind: OptionType::Bool,
        default: "1",
        jobs: &[Job::Extract],
        doc: "decompress members that are compressed each by itself",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 66,
        name: "decrypt",
        long: Some("no-decrypt"),
        kind: OptionType::Bool,
        default: "1",
        jobs: &[Job::Extract],
        doc: "decrypt members that are encrypted each by itself, which needs the key",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 67,
        name: "decode_threads",
        long: Some("decode-threads"),
        kind: OptionType::Int,
        unit: "threads",
        range: Some((*limits::PARALLEL_RANGE.start() as u64, *limits::PARALLEL_RANGE.end() as u64)),
        default: "1",
        jobs: DECODING,
        doc: "threads that decrypt, decompress and write, if that is more than parallel",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 68,
        name: "max_decoded_size",
        long: Some("max-decoded-size"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((1, limits::MEMBER_SIZE)),
        default: "281474976710656",
        jobs: DECODING,
        doc: "refuse a member that decodes to more",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 69,
        name: "max_ratio",
        long: Some("max-ratio"),
        kind: OptionType::Int,
        range: Some((1, limits::MEMBER_SIZE)),
        default: "2000",
        jobs: DECODING,
        doc: "refuse a member that decodes to more than so many bytes for each stored one, from \
              64 MiB on and zeros aside",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 80,
        name: "allow_unproven",
        long: Some("allow-unproven"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Verify],
        doc: "let a sound stream pass that nothing proves to be complete",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 81,
        name: "require_backup",
        long: Some("require-backup"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Extract, Job::Verify],
        doc: "refuse a stream that lacks what a backup of a whole server has",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 82,
        name: "pages",
        long: Some("pages"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Verify],
        doc: "check the pages of tablespaces, too",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 84,
        name: "tmpdir",
        long: Some("tmpdir"),
        unit: "path",
        default: "/tmp",
        jobs: &[Job::Convert, Job::Cat, Job::ServerBackup, Job::Prepare, Job::Restore],
        doc: "where members wait that must and do not fit into memory, in files without names; where \
              a server that recovers has its socket, so the path must be short then",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 85,
        name: "max_spool",
        long: Some("max-spool"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((0, limits::MEMBER_SIZE)),
        default: "68719476736",
        jobs: &[Job::Convert, Job::Cat, Job::ServerBackup],
        doc: "most bytes of members that may wait at once; of a server backup, in each of its two \
              spools, and 1 TiB if not set",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 86,
        name: "spool_all",
        long: Some("spool-all"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Convert],
        doc: "let every member wait for the end, for streams that change members that ended",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 87,
        name: "raw",
        long: Some("raw"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Cat],
        doc: "write the member as the stream stores it, and do not decode it",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 90,
        name: "allow_missing_end",
        long: Some("allow-missing-end"),
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::Extract, Job::List, Job::Verify, Job::Reader, Job::Cat, Job::Convert],
        doc: "let a tar archive end without its two blocks of zeros, as some writers leave it; \
              one that was cut behind a member then passes for whole",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 100,
        name: "path",
        unit: "path",
        repeatable: true,
        jobs: &[Job::Check],
        doc: "a data directory or a file whose pages are checked",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 120,
        name: "socket",
        long: Some("socket"),
        unit: "path",
        jobs: ASKING,
        doc: "the Unix socket of the running server that is backed up",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 121,
        name: "host",
        long: Some("host"),
        jobs: ASKING,
        doc: "the host by which the running server is reached over TCP; it is this machine all the \
              same, as files are read from disk",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 122,
        name: "port",
        long: Some("port"),
        kind: OptionType::Int,
        range: Some((1, 65535)),
        default: "3306",
        jobs: ASKING,
        doc: "the port of the host",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 123,
        name: "user",
        long: Some("user"),
        jobs: ASKING,
        doc: "the account; the server decides if none is given",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 124,
        name: "password",
        kind: OptionType::Bytes,
        jobs: ASKING,
        doc: "the account's password, UTF-8; kept out of messages, and wiped",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 125,
        name: "password_file",
        long: Some("password-file"),
        unit: "path",
        jobs: ASKING,
        doc: "a file whose first line is the password",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 126,
        name: "defaults_file",
        long: Some("defaults-file"),
        unit: "path",
        jobs: ASKING,
        doc: "an option file whose groups [client], [client-mariadb] and [xbkit] say what is not \
              set: socket, host, port, user, password, ssl-ca",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 127,
        name: "tls",
        long: Some("tls"),
        kind: OptionType::Bool,
        default: "0",
        jobs: ASKING,
        doc: "encrypt TCP connections, and check the server's certificate",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 128,
        name: "tls_ca",
        long: Some("tls-ca"),
        unit: "path",
        jobs: ASKING,
        doc: "a PEM file with the certificates of the authority to trust; implies tls",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 129,
        name: "tls_cert",
        long: Some("tls-cert"),
        unit: "path",
        jobs: ASKING,
        doc: "a PEM file with the certificate that the server is shown; needs tls_key",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 130,
        name: "tls_key",
        long: Some("tls-key"),
        unit: "path",
        jobs: ASKING,
        doc: "the key of tls_cert, PEM",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 131,
        name: "tls_no_verify",
        long: Some("tls-no-verify"),
        kind: OptionType::Bool,
        default: "0",
        jobs: ASKING,
        doc: "encrypt, but do not check who the server is; implies tls",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 140,
        name: "throttle",
        long: Some("throttle"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((1, limits::MEMBER_SIZE)),
        jobs: ASKING,
        doc: "read data files with so many bytes a second at most; the redo log is never slowed",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 141,
        name: "lock_wait_timeout",
        long: Some("lock-wait-timeout"),
        kind: OptionType::Int,
        unit: "seconds",
        range: Some((*limits::LOCK_WAIT_RANGE.start(), *limits::LOCK_WAIT_RANGE.end())),
        default: "60",
        jobs: ASKING,
        doc: "how long to wait for each lock; others queue behind meanwhile",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 142,
        name: "slave_info",
        long: Some("slave-info"),
        kind: OptionType::Bool,
        default: "0",
        jobs: ASKING,
        doc: "keep what makes the restored server a replica of this one's primaries",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 143,
        name: "galera_info",
        long: Some("galera-info"),
        kind: OptionType::Bool,
        default: "0",
        jobs: ASKING,
        doc: "keep the server's place in its Galera cluster; fails if it is in none",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 144,
        name: "safe_slave_backup",
        long: Some("safe-slave-backup"),
        kind: OptionType::Bool,
        default: "0",
        jobs: ASKING,
        doc: "of a replica, copy a moment without temporary tables of its primary's sessions",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 145,
        name: "safe_slave_backup_timeout",
        long: Some("safe-slave-backup-timeout"),
        kind: OptionType::Int,
        unit: "seconds",
        range: Some((*limits::LOCK_WAIT_RANGE.start(), *limits::LOCK_WAIT_RANGE.end())),
        default: "300",
        jobs: ASKING,
        doc: "how long to wait for that moment",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 160,
        name: "server_program",
        long: Some("server"),
        unit: "path",
        jobs: RECOVERING,
        doc: "the program of the server that recovers; if not set, mariadbd and mysqld are looked \
              for in PATH and the usual places",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 161,
        name: "use_memory",
        long: Some("use-memory"),
        kind: OptionType::Int,
        unit: "bytes",
        range: Some((*limits::RECOVERY_MEMORY.start(), *limits::RECOVERY_MEMORY.end())),
        default: "134217728",
        jobs: RECOVERING,
        doc: "the buffer pool of the server that recovers",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 162,
        name: "server_option",
        long: Some("server-option"),
        repeatable: true,
        jobs: RECOVERING,
        doc: "a further option for the server that recovers, such as \
              file_key_management_filename=FILE",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 163,
        name: "owner",
        long: Some("owner"),
        jobs: &[Job::Restore],
        doc: "the user, by name, who gets the files; if not set, root gives them to the owner of \
              the directory if it was there, else to mysql",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 164,
        name: "move_files",
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::PutBack],
        doc: "move files instead of copying them",
        ..OptionInfo::COMMON
    },
    OptionInfo {
        id: 165,
        name: "non_empty",
        kind: OptionType::Bool,
        default: "0",
        jobs: &[Job::PutBack],
        doc: "let the data directory hold files; those of the backup may not be there all the same",
        ..OptionInfo::COMMON
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_in_order() {
        assert!(OPTIONS.is_sorted_by(|a, b| a.id < b.id));
        for option in OPTIONS {
            assert!(std::ptr::eq(by_id(option.id).unwrap(), option));
            assert!(std::ptr::eq(by_name(option.name).unwrap(), option));
            assert!(!option.jobs.is_empty() && !option.doc.is_empty(), "{}", option.name);
        }
    }

    #[test]
    fn defaults_are_values_of_their_type() {
        for option in OPTIONS.iter().filter(|option| !option.default.is_empty()) {
            match option.kind {
                OptionType::Bool => assert!(matches!(option.default, "0" | "1"), "{option:?}"),
                OptionType::Int => {
                    option.check_int(option.default.parse().unwrap()).unwrap();
                }
                _ => option.check_string(option.default.as_bytes()).unwrap(),
            }
        }
        assert_eq!(by_name("chunk_size").unwrap().default, limits::CHUNK_SIZE.to_string());
        assert_eq!(by_name("max_spool").unwrap().default, limits::CONVERT_SPOOL.to_string());
    }

    #[test]
    fn jobs_are_distinct_bits() {
        let sum: u32 = Job::ALL.iter().map(|job| job.bit()).sum();
        assert_eq!(sum.count_ones() as usize, Job::ALL.len());
    }

    #[test]
    fn a_wrong_value_names_the_option_and_what_it_may_be() {
        let error = by_name("parallel").unwrap().check_int(257).unwrap_err();
        assert_eq!(error.to_string(), "parallel 257 is not between 1 and 256");
        assert!(by_name("parallel").unwrap().check_int(-1).is_err());
        let error = by_name("dialect").unwrap().check_string(b"x\xff").unwrap_err();
        assert_eq!(error.to_string(), "dialect \"x\\xff\" is none of mariadb, percona");
        assert!(by_name("datadir").unwrap().check_string(b"a\0b").is_err());
        assert!(by_name("datadir").unwrap().check_string(b"").is_err());
    }
}
