//! What a job is told: values by option number, checked when they are set.

use std::ffi::{CString, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::id as process_id;
use std::sync::{LazyLock, Mutex, TryLockError};

use xbkit_core::codec::{Compression, Key};
use xbkit_core::options::{Job, OPTIONS, OptionInfo, OptionType, by_id};
use xbkit_core::{CancelToken, Dialect, Error, ErrorKind, Extract, Format};

use crate::cancel::xbk_cancel;
use crate::error::{Failure, xbk_error};
use crate::guard::{self, text};
use crate::status::{XBK_E_UNSUPPORTED, XBK_OK, xbk_status};

/// Worker threads that read or write files, 1 to 256; 1 if not set. int; create, backup, server
/// backup, extract, restore, check.
pub const XBK_OPT_PARALLEL: u32 = 1;
/// Payload bytes of a chunk, 65536 to 67108864; 1048576 if not set. int; create, backup,
/// server backup, writer, convert.
pub const XBK_OPT_CHUNK_SIZE: u32 = 2;
/// "mariadb" (if not set): holes travel as zeros; "percona": as sparse chunks, which mbstream
/// refuses. string; create, backup, server backup, writer.
pub const XBK_OPT_DIALECT: u32 = 3;
/// End the stream in a manifest, by which it can be proven whole. bool, on if not set; create,
/// backup, server backup, writer, convert.
pub const XBK_OPT_MANIFEST: u32 = 4;
/// The stream's format: "xbstream" (if not set), in which members interleave, or "tar", in which
/// they stand one behind the other. string; create, backup, server backup, writer, convert.
pub const XBK_OPT_FORMAT: u32 = 10;
/// How many bytes the member will have, 0 to 281474976710656, not more and not fewer. A tar archive
/// needs it. int; entry.
pub const XBK_OPT_SIZE: u32 = 11;
/// Compress each member by itself, as XtraBackup does: "quicklz", "lz4", "zstd" or "gzip"; a tar
/// archive is compressed as a whole. string; create, backup, server backup.
pub const XBK_OPT_COMPRESS: u32 = 12;
/// Compression level of zstd, 1 to 19 (1 if not set), or gzip, 1 to 9 (6 if not set). int; create,
/// backup, server backup.
pub const XBK_OPT_COMPRESS_LEVEL: u32 = 13;
/// Threads that compress, besides those that read, 1 to 256; 1 if not set. The stream is the same
/// for every number. int; create, backup, server backup.
pub const XBK_OPT_COMPRESS_THREADS: u32 = 14;
/// Bytes that quicklz and lz4 compress on their own, 1024 to 67108864, for lz4 to 4194304; 65536 if
/// not set. int; create, backup, server backup.
pub const XBK_OPT_COMPRESS_CHUNK_SIZE: u32 = 15;
/// Encrypt each member by itself with XBK_OPT_KEY, as XtraBackup does: "AES128", "AES192" or
/// "AES256"; a tar archive is encrypted as a whole. string; create, backup, server backup.
pub const XBK_OPT_ENCRYPT: u32 = 16;
/// Threads that encrypt, besides those that read, 1 to 256; 1 if not set. int; create, backup,
/// server backup.
pub const XBK_OPT_ENCRYPT_THREADS: u32 = 17;
/// Bytes that are encrypted on their own, 1024 to 67108864; 65536 if not set. int; create, backup,
/// server backup.
pub const XBK_OPT_ENCRYPT_CHUNK_SIZE: u32 = 18;
/// The key's 16, 24 or 32 bytes; wiped when the options are freed. To list and to read items only
/// what is encrypted as a whole needs it, to verify also its pages. bytes; create, backup, server
/// backup, extract, list, verify, reader, info, cat, restore.
pub const XBK_OPT_KEY: u32 = 19;
/// A regular file to stream; its path, relative and without "..", becomes its name. Each call adds
/// one. string; create.
pub const XBK_OPT_FILE: u32 = 20;
/// The directory that files are named relative to; the working directory if not set. string;
/// create.
pub const XBK_OPT_BASE_DIR: u32 = 21;
/// A file that changes while it is read: "refuse" (if not set) fails, "warn" goes on with a log
/// event. string; create.
pub const XBK_OPT_CHANGED: u32 = 22;
/// The data directory. string; backup, of a stopped server, which needs it; server backup, which
/// fails if the server has another; restore and put back, which make it, new or empty, and need it.
pub const XBK_OPT_DATADIR: u32 = 40;
/// Where the system tablespace is, if not in the data directory (innodb_data_home_dir). string;
/// Where the system tablespace is, if not in the data directory (innodb_data_home_dir). string;
/// backup, put back.
pub const XBK_OPT_DATA_HOME: u32 = 41;
/// Where undo tablespaces are, if not in the data directory (innodb_undo_directory). string;
/// backup, put back.
pub const XBK_OPT_UNDO_DIR: u32 = 42;
/// Where the redo log is, if not in the data directory (innodb_log_group_home_dir). string;
/// backup, put back.
pub const XBK_OPT_LOG_DIR: u32 = 43;
/// Where Aria's log is, if not in the data directory (aria_log_dir_path). string;
/// backup, put back.
pub const XBK_OPT_ARIA_LOG_DIR: u32 = 44;
/// A file of the system tablespace, as innodb_data_file_path names it, without its size; "ibdata1"
/// if not set. Each call adds one. string; backup.
pub const XBK_OPT_SYSTEM_FILE: u32 = 45;
/// Report damaged pages of tablespaces, each by an event, and carry them, instead of failing at the
/// first; the backup of a running server then lists them in innodb_corrupted_pages. bool, off if not
/// set; backup, server backup.
pub const XBK_OPT_LOG_PAGE_CORRUPTION: u32 = 46;
/// Where to extract to: a new or an empty directory, made if it is missing. string; extract, which
/// needs it.
pub const XBK_OPT_TARGET_DIR: u32 = 60;
/// Write straight into the target, which exists and may hold other files; refuse files that exist,
/// and remove what was made on failure. bool, off if not set; extract.
pub const XBK_OPT_IN_PLACE: u32 = 61;
/// Let the target hold files, and replace those that are in the stream, at the end. Not together
/// with XBK_OPT_IN_PLACE. bool, off if not set; extract.
pub const XBK_OPT_OVERWRITE: u32 = 62;
/// Wait until everything is on disk before success is reported. bool, on if not set; extract.
pub const XBK_OPT_SYNC: u32 = 63;
/// Extract only members that match: a name stands for itself or for all below that directory; the
/// wildcards ? [...] {a,b} and * match within a component, ** across. Each call adds one. string
/// (UTF-8); extract.
pub const XBK_OPT_MEMBER_PATTERN: u32 = 64;
/// Decompress members that are compressed each by itself. bool, on if not set; extract.
pub const XBK_OPT_DECOMPRESS: u32 = 65;
/// Decrypt members that are encrypted each by itself, with XBK_OPT_KEY. bool, on if not set;
/// extract.
pub const XBK_OPT_DECRYPT: u32 = 66;
/// Threads that decrypt, decompress and write, if that is more than XBK_OPT_PARALLEL, 1 to 256; 1 if
/// not set. int; extract, restore.
pub const XBK_OPT_DECODE_THREADS: u32 = 67;
/// Refuse a member that decodes to more bytes, 1 to 281474976710656, which it is if not set. int;
/// extract, restore.
pub const XBK_OPT_MAX_DECODED_SIZE: u32 = 68;
/// Refuse a member that decodes to more than so many bytes for each stored one, from 64 MiB on and
/// zeros aside, 1 to 281474976710656; 2000 if not set. int; extract, restore.
pub const XBK_OPT_MAX_RATIO: u32 = 69;
/// Let a sound stream pass that nothing proves to be complete. bool, off if not set; verify.
pub const XBK_OPT_ALLOW_UNPROVEN: u32 = 80;
/// Refuse a stream that lacks what a backup of a whole server has. bool, off if not set; extract,
/// verify.
pub const XBK_OPT_REQUIRE_BACKUP: u32 = 81;
/// Where members wait that must and do not fit into memory, in files without names; where a server
/// that recovers has its socket, so the path must be short then. "/tmp" if not set. string;
/// convert, cat, server backup, prepare, restore.
pub const XBK_OPT_TMPDIR: u32 = 84;
/// Most bytes of members that may wait at once, 0 to 281474976710656; 68719476736 if not set. int;
/// Most bytes of members that may wait at once, 0 to 281474976710656; 68719476736 if not set. Of a
/// server backup, in each of its two spools, and 1099511627776 if not set. int; convert, cat,
/// server backup.
pub const XBK_OPT_MAX_SPOOL: u32 = 85;
/// Let every member wait for the end, for streams that change members that ended. bool, off if not
/// set; convert.
pub const XBK_OPT_SPOOL_ALL: u32 = 86;
/// Write the member as the stream stores it, and do not decode it. bool, off if not set; cat.
pub const XBK_OPT_RAW: u32 = 87;
/// Check the pages of tablespaces, too. bool, off if not set; verify.
pub const XBK_OPT_PAGES: u32 = 82;
/// Let a tar archive end without its two blocks of zeros, as some writers leave it; one that was
/// cut behind a member then passes for whole. bool, off if not set; extract, list, verify,
/// reader, cat, convert.
pub const XBK_OPT_ALLOW_MISSING_END: u32 = 90;
/// A data directory or a file whose pages are checked. Each call adds one. string; check, which
/// needs it.
pub const XBK_OPT_PATH: u32 = 100;
/// The Unix socket of a running server, which makes xbk_backup_to_fd() and its like back up that
/// server. string; server backup.
pub const XBK_OPT_SOCKET: u32 = 120;
/// The host by which a running server is reached over TCP, which has the same effect. It is this
/// machine all the same, as files are read from disk. Not together with XBK_OPT_SOCKET. string
/// (UTF-8); server backup.
pub const XBK_OPT_HOST: u32 = 121;
/// The port of the host, 1 to 65535; 3306 if not set. int; server backup.
pub const XBK_OPT_PORT: u32 = 122;
/// The account; the server decides if none is given. string (UTF-8); server backup.
pub const XBK_OPT_USER: u32 = 123;
/// The account's password, UTF-8. Kept out of messages and events, and wiped when the options are
/// freed; wipe your own copy, too. bytes; server backup.
pub const XBK_OPT_PASSWORD: u32 = 124;
/// A file whose first line is the password; /dev/fd/N is a descriptor. Not together with
/// XBK_OPT_PASSWORD. string; server backup.
pub const XBK_OPT_PASSWORD_FILE: u32 = 125;
/// An option file whose groups [client], [client-mariadb] and [xbkit] say what is not set: socket,
/// host, port, user, password, ssl-ca. It makes the backup one of a running server, too. string;
/// server backup.
pub const XBK_OPT_DEFAULTS_FILE: u32 = 126;
/// Encrypt TCP connections, and check the server's certificate. bool, off if not set; server
/// backup.
pub const XBK_OPT_TLS: u32 = 127;
/// A PEM file with the certificates of the authority to trust; implies XBK_OPT_TLS. string; server
/// backup.
pub const XBK_OPT_TLS_CA: u32 = 128;
/// A PEM file with the certificate that the server is shown; needs XBK_OPT_TLS_KEY, and implies
/// XBK_OPT_TLS. string; server backup.
pub const XBK_OPT_TLS_CERT: u32 = 129;
/// The key of that certificate, PEM. string; server backup.
pub const XBK_OPT_TLS_KEY: u32 = 130;
/// Encrypt, but do not check who the server is. bool, off if not set; server backup.
pub const XBK_OPT_TLS_NO_VERIFY: u32 = 131;
/// Read data files with so many bytes a second at most, 1 to 281474976710656. The redo log is never
/// slowed down. int; server backup.
pub const XBK_OPT_THROTTLE: u32 = 140;
/// Seconds to wait for each lock, 1 to 31536000; 60 if not set. Others queue behind meanwhile. int;
/// server backup.
pub const XBK_OPT_LOCK_WAIT_TIMEOUT: u32 = 141;
/// Keep what makes the restored server a replica of this one's primaries. bool, off if not set;
/// server backup.
pub const XBK_OPT_SLAVE_INFO: u32 = 142;
/// Keep the server's place in its Galera cluster; fail if it is in none. bool, off if not set;
/// server backup.
pub const XBK_OPT_GALERA_INFO: u32 = 143;
/// Of a replica, copy a moment at which it has no temporary tables of its primary's sessions, which a
/// backup does not carry. What it applies is stopped while locks are held, and started again. bool,
/// off if not set; server backup.
pub const XBK_OPT_SAFE_SLAVE_BACKUP: u32 = 144;
/// Seconds to wait for that moment, 1 to 31536000; 300 if not set. int; server backup.
pub const XBK_OPT_SAFE_SLAVE_BACKUP_TIMEOUT: u32 = 145;
/// The program of the server that recovers; if not set, mariadbd and mysqld are looked for in PATH
/// and the usual places. string; prepare, restore.
pub const XBK_OPT_SERVER_PROGRAM: u32 = 160;
/// Bytes of that server's buffer pool, 5242880 to 281474976710656; 134217728 if not set. int;
/// prepare, restore.
pub const XBK_OPT_USE_MEMORY: u32 = 161;
/// A further option for that server, such as "file_key_management_filename=/etc/keys". Each call
/// adds one. string (UTF-8); prepare, restore.
pub const XBK_OPT_SERVER_OPTION: u32 = 162;
/// The user, by name, who gets the files. If not set, root gives them to the owner of the directory
/// if it was there, else to mysql. string (UTF-8); restore.
pub const XBK_OPT_OWNER: u32 = 163;
/// Move files instead of copying them. bool, off if not set; put back.
pub const XBK_OPT_MOVE_FILES: u32 = 164;
/// Let the data directory hold files; those of the backup may not be there all the same. bool, off
/// if not set; put back.
pub const XBK_OPT_NON_EMPTY: u32 = 165;

/// Type of an option: on or off, by xbk_options_set_bool().
pub const XBK_TYPE_BOOL: u32 = 1;
/// Type of an option: a number, by xbk_options_set_int().
pub const XBK_TYPE_INT: u32 = 2;
/// Type of an option: a string, by xbk_options_set_str() or xbk_options_set_bytes().
pub const XBK_TYPE_STRING: u32 = 3;
/// Type of an option: any bytes, by xbk_options_set_bytes().
pub const XBK_TYPE_BYTES: u32 = 4;

/// Bit of xbk_option_jobs(): xbk_create_to_fd(), xbk_create_to_cb().
pub const XBK_JOB_CREATE: u32 = 1;
/// Bit of xbk_option_jobs(): xbk_backup_to_fd(), xbk_backup_to_cb(), xbk_backup_to_dir(), of a
/// stopped server.
pub const XBK_JOB_BACKUP: u32 = 2;
/// Bit of xbk_option_jobs(): xbk_extract_from_fd(), xbk_extract_from_cb().
pub const XBK_JOB_EXTRACT: u32 = 4;
/// Bit of xbk_option_jobs(): xbk_list_from_fd(), xbk_list_from_cb().
pub const XBK_JOB_LIST: u32 = 8;
/// Bit of xbk_option_jobs(): xbk_verify_from_fd(), xbk_verify_from_cb().
pub const XBK_JOB_VERIFY: u32 = 16;
/// Bit of xbk_option_jobs(): xbk_writer_new_fd(), xbk_writer_new_cb().
pub const XBK_JOB_WRITER: u32 = 32;
/// Bit of xbk_option_jobs(): xbk_writer_open().
pub const XBK_JOB_ENTRY: u32 = 64;
/// Bit of xbk_option_jobs(): xbk_reader_new_fd(), xbk_reader_new_cb().
pub const XBK_JOB_READER: u32 = 128;
/// Job: xbk_convert_fd() and xbk_convert_cb().
pub const XBK_JOB_CONVERT: u32 = 256;
/// Bit of xbk_option_jobs(): xbk_info_from_fd(), xbk_info_from_cb(), xbk_info_from_dir().
pub const XBK_JOB_INFO: u32 = 512;
/// Bit of xbk_option_jobs(): xbk_cat_fd_to_fd(), xbk_cat_cb_to_cb().
pub const XBK_JOB_CAT: u32 = 1024;
/// Bit of xbk_option_jobs(): xbk_check().
pub const XBK_JOB_CHECK: u32 = 2048;
/// Bit of xbk_option_jobs(): xbk_backup_to_fd(), xbk_backup_to_cb(), xbk_backup_to_dir(), of a
/// running server.
pub const XBK_JOB_SERVER_BACKUP: u32 = 4096;
/// Bit of xbk_option_jobs(): xbk_prepare().
pub const XBK_JOB_PREPARE: u32 = 8192;
/// Bit of xbk_option_jobs(): xbk_restore_from_fd(), xbk_restore_from_cb().
pub const XBK_JOB_RESTORE: u32 = 16384;
/// Bit of xbk_option_jobs(): xbk_put_back().
pub const XBK_JOB_PUT_BACK: u32 = 32768;

/// What a job is told. Jobs, writers and readers copy what they need, so it may be changed, used
/// again or freed as soon as the call returns (or within its callbacks).
/// Thread safety: one thread at a time; it may move between threads.
pub struct xbk_options(Mutex<Values>);

#[derive(Default)]
struct Values {
    set: Vec<(u32, Value)>,
    cancel: Option<(u32, CancelToken)>,
}

#[derive(Clone)]
enum Value {
    Bool(bool),
    Int(u64),
    /// A string, or any bytes. Among them may be a key, so they are wiped.
    Bytes(Vec<u8>),
}

impl Drop for Value {
    fn drop(&mut self) {
        if let Self::Bytes(bytes) = self {
            bytes.fill(0);
            std::hint::black_box(bytes);
        }
    }
}

/// What jobs that make a stream of files have in common.
macro_rules! store_members {
    ($options:expr, $job:expr) => {{
        let (options, mut job) = (&$options, $job);
        job = job.format(options.format()).dialect(options.dialect());
        if let Some(threads) = options.int($crate::options::XBK_OPT_PARALLEL) {
            job = job.parallel(threads);
        }
        if let Some(on) = options.bool($crate::options::XBK_OPT_MANIFEST) {
            job = job.manifest(on);
        }
        if let Some(bytes) = options.int($crate::options::XBK_OPT_CHUNK_SIZE) {
            job = job.chunk_size(bytes);
        }
        if let Some(compression) = options.compression() {
            job = job.compress(compression);
        }
        if let Some(threads) = options.int($crate::options::XBK_OPT_COMPRESS_THREADS) {
            job = job.compress_threads(threads);
        }
        if let Some(bytes) = options.int($crate::options::XBK_OPT_COMPRESS_CHUNK_SIZE) {
            job = job.compress_chunk_size(bytes);
        }
        if let Some(key) = options.encryption()? {
            job = job.encrypt(key);
        }
        if let Some(threads) = options.int($crate::options::XBK_OPT_ENCRYPT_THREADS) {
            job = job.encrypt_threads(threads);
        }
        if let Some(bytes) = options.int($crate::options::XBK_OPT_ENCRYPT_CHUNK_SIZE) {
            job = job.encrypt_chunk_size(bytes);
        }
        job
    }};
}

pub(crate) use store_members;

impl xbk_options {
    fn with<R>(&self, run: impl FnOnce(&mut Values) -> Result<R, Failure>) -> Result<R, Failure> {
        match self.0.try_lock() {
            Ok(mut values) => run(&mut values),
            Err(TryLockError::Poisoned(values)) => run(&mut values.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::state("the options are in use by another thread"))
            }
        }
    }

    fn set(&self, id: u32, kinds: &[OptionType], value: Value) -> Result<(), Failure> {
        let option = find(id)?;
        if !kinds.contains(&option.kind) {
            let message = format!("{} takes {}", option.name, setter(option.kind));
            return Err(Failure::argument(message));
        }
        if let (OptionType::String, Value::Bytes(bytes)) = (option.kind, &value) {
            option.check_string(bytes)?;
            if id == XBK_OPT_MEMBER_PATTERN {
                // Checked here, where the mistake is, as well as when the job starts.
                let _ = Extract::into_dir("").member_pattern(utf8(option, bytes)?)?;
            }
        }
        self.with(|values| {
            if !option.repeatable {
                values.set.retain(|(other, _)| *other != id);
            }
            values.set.push((id, value));
            Ok(())
        })
    }
}

fn find(id: u32) -> Result<&'static OptionInfo, Failure> {
    by_id(id).ok_or_else(|| {
        let message = format!("this version knows no option {id}");
        Failure::of(XBK_E_UNSUPPORTED, ErrorKind::Unsupported, message)
    })
}

fn setter(kind: OptionType) -> &'static str {
    match kind {
        OptionType::Bool => "a bool: xbk_options_set_bool()",
        OptionType::Int => "a number: xbk_options_set_int()",
        OptionType::String => "a string: xbk_options_set_str()",
        _ => "bytes: xbk_options_set_bytes()",
    }
}

fn utf8<'b>(option: &OptionInfo, bytes: &'b [u8]) -> Result<&'b str, Failure> {
    std::str::from_utf8(bytes)
        .map_err(|_| Failure::argument(format!("{} is not UTF-8", option.name)))
}

/// The options of one job, copied and checked.
pub(crate) struct JobOptions {
    job: Job,
    set: Vec<(u32, Value)>,
    pub(crate) cancel: Option<CancelToken>,
}

impl JobOptions {
    /// Whether one of them is set, by number.
    pub(crate) fn has_any(options: *const xbk_options, ids: &[u32]) -> Result<bool, Failure> {
        let Some(options) = guard::peek!(options) else { return Ok(false) };
        options.with(|values| Ok(values.set.iter().any(|(id, _)| ids.contains(id))))
    }

    /// Copies a caller's options for `job`; NULL is none.
    pub(crate) fn read(options: *const xbk_options, job: Job) -> Result<Self, Failure> {
        let Some(options) = guard::peek!(options) else {
            return Ok(Self { job, set: Vec::new(), cancel: None });
        };
        options.with(|values| {
            for (id, _) in &values.set {
                let option = find(*id)?;
                if !option.is_for(job) {
                    let message = format!("{} is no option of {}", option.name, job.name());
                    let failure = Failure::argument(message);
                    // The same calls back up both kinds of servers.
                    let hint = match job {
                        Job::Backup if option.is_for(Job::ServerBackup) => {
                            "a running server is backed up if socket, host or defaults_file is set"
                        }
                        Job::ServerBackup if option.is_for(Job::Backup) => {
                            "a stopped server is backed up if neither socket, host nor \
                             defaults_file is set"
                        }
                        _ => return Err(failure),
                    };
                    return Err(failure.hint(hint));
                }
            }
            let cancel = match &values.cancel {
                Some((pid, _)) if *pid != process_id() => return Err(Failure::forked()),
                Some((_, token)) => Some(token.clone()),
                None => None,
            };
            Ok(Self { job, set: values.set.clone(), cancel })
        })
    }

    /// The token of the options or of the observer.
    pub(crate) fn cancel_or(
        &self,
        other: Option<CancelToken>,
    ) -> Result<Option<CancelToken>, Failure> {
        match (&self.cancel, other) {
            (Some(_), Some(_)) => {
                Err(Failure::argument("both the options and the observer have a cancel object"))
            }
            (mine, other) => Ok(mine.clone().or(other)),
        }
    }

    fn all(&self, id: u32) -> impl Iterator<Item = &Value> {
        self.set.iter().filter(move |(other, _)| *other == id).map(|(_, value)| value)
    }

    pub(crate) fn bool(&self, id: u32) -> Option<bool> {
        self.all(id).find_map(|value| if let Value::Bool(on) = value { Some(*on) } else { None })
    }

    pub(crate) fn number(&self, id: u32) -> Option<u64> {
        self.all(id).find_map(|value| match value {
            Value::Int(number) => Some(*number),
            _ => None,
        })
    }

    pub(crate) fn int(&self, id: u32) -> Option<usize> {
        self.all(id).find_map(|value| match value {
            Value::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        })
    }

    pub(crate) fn strings(&self, id: u32) -> impl Iterator<Item = &[u8]> {
        self.all(id).filter_map(|value| match value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn paths(&self, id: u32) -> impl Iterator<Item = PathBuf> {
        self.strings(id).map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)))
    }

    pub(crate) fn path(&self, id: u32) -> Option<PathBuf> {
        self.paths(id).next()
    }

    /// The first string of an option, which must be UTF-8.
    pub(crate) fn utf8(&self, id: u32) -> Result<Option<&str>, Failure> {
        self.all_utf8(id).next().transpose()
    }

    pub(crate) fn all_utf8(&self, id: u32) -> impl Iterator<Item = Result<&str, Failure>> {
        self.strings(id).map(move |bytes| utf8(find(id)?, bytes))
    }

    pub(crate) fn absolute_path(&self, id: u32) -> Result<Option<PathBuf>, Failure> {
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).map_err(|error| {
                Error::io(ErrorKind::Source, "finding the working directory", error).at_path(&path)
            })
        };
        Ok(self.path(id).map(absolute).transpose()?)
    }

    pub(crate) fn need_path(&self, id: u32) -> Result<PathBuf, Failure> {
        self.path(id).ok_or_else(|| {
            let name = by_id(id).map_or("an option", |option| option.name);
            Failure::argument(format!("{} needs {name}, which is not set", self.job.name()))
        })
    }

    /// The key, if there is one.
    pub(crate) fn key(&self) -> Result<Option<Key>, Failure> {
        Ok(self.strings(XBK_OPT_KEY).next().map(Key::new).transpose()?)
    }

    /// The key that members are encrypted with, if they are.
    pub(crate) fn encryption(&self) -> Result<Option<Key>, Failure> {
        let bits = match self.strings(XBK_OPT_ENCRYPT).next() {
            None => return Ok(None),
            Some(b"AES128") => 128,
            Some(b"AES192") => 192,
            Some(_) => 256,
        };
        match self.key()? {
            Some(key) if key.bits() == bits => Ok(Some(key)),
            Some(key) => {
                let message = format!("the key has {} bits, not {bits}", key.bits());
                Err(Error::new(ErrorKind::Key, message).into())
            }
            None => Err(Failure::argument("encrypt needs key, which is not set".to_owned())),
        }
    }

    pub(crate) fn compression(&self) -> Option<Compression> {
        let level = self.int(XBK_OPT_COMPRESS_LEVEL);
        Some(match self.strings(XBK_OPT_COMPRESS).next()? {
            b"quicklz" => Compression::Quicklz,
            b"lz4" => Compression::Lz4,
            b"gzip" => Compression::Gzip {
                level: level.and_then(|level| u32::try_from(level).ok()).unwrap_or(6),
            },
            _ => Compression::Zstd {
                level: level.and_then(|level| i32::try_from(level).ok()).unwrap_or(1),
            },
        })
    }

    pub(crate) fn format(&self) -> Format {
        match self.strings(XBK_OPT_FORMAT).next() {
            Some(b"tar") => Format::Tar,
            _ => Format::Xbstream,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.strings(XBK_OPT_DIALECT).next() {
            Some(b"percona") => Dialect::Percona,
            _ => Dialect::Common,
        }
    }

    pub(crate) fn patterns(&self, mut extract: Extract) -> Result<Extract, Failure> {
        let option = find(XBK_OPT_MEMBER_PATTERN)?;
        for pattern in self.strings(XBK_OPT_MEMBER_PATTERN) {
            extract = extract.member_pattern(utf8(option, pattern)?)?;
        }
        Ok(extract)
    }
}

/// Makes options of which none is set.
/// \return the options; free them by xbk_options_free(). NULL only after a bug in xbkit
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn xbk_options_new() -> *mut xbk_options {
    guard::value("xbk_options_new", std::ptr::null_mut(), || {
        guard::into_raw(xbk_options(Mutex::new(Values::default())))
    })
}

/// Sets an option of type XBK_TYPE_BOOL.
/// \param value  0 is off, anything else on
/// \param err    may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_UNSUPPORTED for an option that this version does not know;
///         XBK_E_INVALID_ARGUMENT for an option of another type
/// Thread safety: one thread at a time for these options. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_set_bool(
    options: *mut xbk_options,
    id: u32,
    value: i32,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_options_set_bool", err, || {
        guard::need!(options).set(id, &[OptionType::Bool], Value::Bool(value != 0))?;
        Ok(XBK_OK)
    })
}

/// Sets an option of type XBK_TYPE_INT.
/// \param value  in the option's unit and range; see xbk_option_min() and xbk_option_max()
/// \param err    may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_UNSUPPORTED for an option that this version does not know;
///         XBK_E_INVALID_ARGUMENT for an option of another type or a value out of range
/// Thread safety: one thread at a time for these options. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_set_int(
    options: *mut xbk_options,
    id: u32,
    value: i64,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_options_set_int", err, || {
        let options = guard::need!(options);
        let option = find(id)?;
        let number = if option.kind == OptionType::Int { option.check_int(value)? } else { 0 };
        options.set(id, &[OptionType::Int], Value::Int(number))?;
        Ok(XBK_OK)
    })
}

/// Sets an option of type XBK_TYPE_STRING, or adds a value to one that is repeatable.
/// \param value  a path (bytes, not necessarily UTF-8, relative to the working directory of the
///               job's start) or a word; copied
/// \param err    may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_UNSUPPORTED for an option that this version does not know;
///         XBK_E_INVALID_ARGUMENT for an option of another type, an empty value, or one that the
///         option does not take
/// Thread safety: one thread at a time for these options. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_set_str(
    options: *mut xbk_options,
    id: u32,
    value: *const c_char,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_options_set_str", err, || {
        let options = guard::need!(options);
        let value = guard::string!(value).to_vec();
        options.set(id, &[OptionType::String], Value::Bytes(value))?;
        Ok(XBK_OK)
    })
}

/// Sets an option of type XBK_TYPE_BYTES or XBK_TYPE_STRING by pointer and length, or adds a value
/// to one that is repeatable.
/// \param data  copied; may be NULL when len is 0
/// \param len   bytes; a string has no NUL within them
/// \param err   may be NULL; set only when the result is < 0
/// \return as xbk_options_set_str()
/// Thread safety: one thread at a time for these options. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_set_bytes(
    options: *mut xbk_options,
    id: u32,
    data: *const c_void,
    len: usize,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_options_set_bytes", err, || {
        let options = guard::need!(options);
        let value = guard::bytes!(data, len).to_vec();
        options.set(id, &[OptionType::Bytes, OptionType::String], Value::Bytes(value))?;
        Ok(XBK_OK)
    })
}

/// Makes what is made with these options end when the cancel object is set. This is how readers
/// and writers are cancelled; jobs have xbk_observer for it too, and refuse both at once.
/// \param cancel  may be NULL, which takes an earlier one away
/// \param err     may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_FORKED for a cancel object of the parent process
/// Thread safety: one thread at a time for these options. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_set_cancel(
    options: *mut xbk_options,
    cancel: *const xbk_cancel,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_options_set_cancel", err, || {
        let options = guard::need!(options);
        let token = guard::peek!(cancel).map(xbk_cancel::token).transpose()?;
        options.with(|values| {
            values.cancel = token.map(|token| (process_id(), token));
            Ok(XBK_OK)
        })
    })
}

/// Takes all values of an option away, so that its default counts again.
/// \param err  may be NULL; set only when the result is < 0
/// \return XBK_OK, also if it was not set; XBK_E_UNSUPPORTED for an option that this version does
///         not know
/// Thread safety: one thread at a time for these options. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_unset(
    options: *mut xbk_options,
    id: u32,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_options_unset", err, || {
        let options = guard::need!(options);
        find(id)?;
        options.with(|values| {
            values.set.retain(|(other, _)| *other != id);
            Ok(XBK_OK)
        })
    })
}

/// Frees options.
/// \param options  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use them. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_options_free(options: *mut xbk_options) {
    guard::value("xbk_options_free", (), || {
        if let Some(options) = guard::peek!(options) {
            let _ = options.with(|values| {
                // The child's descriptor of this number may be another one by now.
                if let Some((_, token)) = values.cancel.take_if(|(pid, _)| *pid != process_id()) {
                    std::mem::forget(token);
                }
                Ok(())
            });
        }
        guard::free!(options);
    });
}

/// What xbkit knows about one option. Static: never freed.
/// Thread safety: any thread.
pub struct xbk_option {
    info: &'static OptionInfo,
    name: CString,
    unit: CString,
    default: CString,
    choices: CString,
    doc: CString,
    since: CString,
}

static TABLE: LazyLock<Vec<xbk_option>> = LazyLock::new(|| {
    let row = |info: &'static OptionInfo| xbk_option {
        info,
        name: text(info.name),
        unit: text(info.unit),
        default: text(info.default),
        choices: text(info.choices.join(",")),
        doc: text(info.doc),
        since: text(info.since),
    };
    OPTIONS.iter().map(row).collect()
});

/// How many options this version knows.
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn xbk_option_count() -> usize {
    guard::value("xbk_option_count", 0, || TABLE.len())
}

/// One of the options that this version knows.
/// \param index  0 to xbk_option_count() - 1; the order is that of their numbers
/// \return the option, which lives as long as the library; NULL beyond the last
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn xbk_option_info(index: usize) -> *const xbk_option {
    guard::value("xbk_option_info", std::ptr::null(), || {
        TABLE.get(index).map_or(std::ptr::null(), std::ptr::from_ref)
    })
}

/// Its number: one of XBK_OPT_...
/// \param option  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_id(option: *const xbk_option) -> u32 {
    guard::value("xbk_option_id", 0, || guard::peek!(option).map_or(0, |it| it.info.id))
}

/// Its name, such as "chunk_size": XBK_OPT_ in lower case, and the keyword in other languages.
/// \param option  may be NULL, which gives NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_name(option: *const xbk_option) -> *const c_char {
    guard::value("xbk_option_name", std::ptr::null(), || {
        guard::peek!(option).map_or(std::ptr::null(), |it| it.name.as_ptr())
    })
}

/// The type of its value: one of XBK_TYPE_...
/// \param option  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_type(option: *const xbk_option) -> u32 {
    guard::value("xbk_option_type", 0, || guard::peek!(option).map_or(0, |it| it.info.kind.code()))
}

/// What a number counts or a string is: "threads", "bytes", "path", "pattern", or "".
/// \param option  may be NULL, which gives NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_unit(option: *const xbk_option) -> *const c_char {
    guard::value("xbk_option_unit", std::ptr::null(), || {
        guard::peek!(option).map_or(std::ptr::null(), |it| it.unit.as_ptr())
    })
}

/// The smallest number it may be.
/// \param option  may be NULL, which gives 0
/// \return in its unit; 0 if it is no number
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_min(option: *const xbk_option) -> u64 {
    guard::value("xbk_option_min", 0, || {
        guard::peek!(option).and_then(|it| it.info.range).map_or(0, |(min, _)| min)
    })
}

/// The largest number it may be.
/// \param option  may be NULL, which gives 0
/// \return in its unit; 0 if it is no number
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_max(option: *const xbk_option) -> u64 {
    guard::value("xbk_option_max", 0, || {
        guard::peek!(option).and_then(|it| it.info.range).map_or(0, |(_, max)| max)
    })
}

/// The words that a string may be, with commas between them.
/// \param option  may be NULL, which gives NULL
/// \return "" if it may be any
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_choices(option: *const xbk_option) -> *const c_char {
    guard::value("xbk_option_choices", std::ptr::null(), || {
        guard::peek!(option).map_or(std::ptr::null(), |it| it.choices.as_ptr())
    })
}

/// The value that counts if it is not set, as text.
/// \param option  may be NULL, which gives NULL
/// \return "" if there is none; a bool's is "0" or "1"
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_default(option: *const xbk_option) -> *const c_char {
    guard::value("xbk_option_default", std::ptr::null(), || {
        guard::peek!(option).map_or(std::ptr::null(), |it| it.default.as_ptr())
    })
}

/// Whether setting it again adds a value rather than replaces the first.
/// \param option  may be NULL, which gives 0
/// \return 1 or 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_repeatable(option: *const xbk_option) -> i32 {
    guard::value("xbk_option_repeatable", 0, || {
        guard::peek!(option).map_or(0, |it| i32::from(it.info.repeatable))
    })
}

/// The jobs that take it: a sum of XBK_JOB_... Others refuse options in which it is set, with
/// XBK_E_INVALID_ARGUMENT.
/// \param option  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_jobs(option: *const xbk_option) -> u32 {
    guard::value("xbk_option_jobs", 0, || {
        guard::peek!(option).map_or(0, |it| it.info.jobs.iter().map(|job| job.bit()).sum())
    })
}

/// What it does, as one sentence.
/// \param option  may be NULL, which gives NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_doc(option: *const xbk_option) -> *const c_char {
    guard::value("xbk_option_doc", std::ptr::null(), || {
        guard::peek!(option).map_or(std::ptr::null(), |it| it.doc.as_ptr())
    })
}

/// The first version that has it, such as "0.1".
/// \param option  may be NULL, which gives NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_option_since(option: *const xbk_option) -> *const c_char {
    guard::value("xbk_option_since", std::ptr::null(), || {
        guard::peek!(option).map_or(std::ptr::null(), |it| it.since.as_ptr())
    })
}
