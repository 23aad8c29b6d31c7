//! Options of `innobackupex` (2.3, 2.4, and the older Perl script), `xtrabackup` (2.4, 8.x, 9.x)
//! and `mariabackup` (10.11).

use super::common::{
    AFTERWARDS, BASE, COMPRESSION, CONNECT, DECOMPRESS_THREADS, DELTAS, ENCRYPTION, FIFO, HELP,
    INCLUDE, INCREMENTAL_FLAG, KEYRINGS, LOCKS, NO_LOGIN, NO_REDO, PLACES, PREPARE_ONLY, SELECTION,
    SERVER, SERVERS, STOPPED, TUNING, ZSTD_LEVEL,
};
use crate::dropin::option::{Id, Opt, Table, Takes};

const STREAM_HELP: &str = "stream to standard output: xbstream";
const PREPARE_HELP: &str = "have the server recover an extracted backup";
const PASSWORD_HELP: &str = "its password; better in an option file, or in MYSQL_PWD";

const APPLY_LOG_ONLY: Opt = Opt::refused("apply-log-only", Takes::Bool, BASE);
const REDO_ONLY: Opt = Opt::refused("redo-only", Takes::Bool, BASE);

const COMPACT: (&str, &str) = (
    "backups without secondary indexes are not in this version",
    "leave it out to carry the whole data directory",
);

static INNOBACKUPEX_ONLY: &[Opt] = &[
    HELP,
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit").short('v'),
    Opt::used("stream", Takes::Value, Id::Stream, STREAM_HELP),
    Opt::used("password", Takes::Value, Id::Password, PASSWORD_HELP).short('p').client(),
    INCREMENTAL_FLAG,
    INCLUDE,
    Opt::used("apply-log", Takes::Bool, Id::Prepare, PREPARE_HELP),
    REDO_ONLY,
    APPLY_LOG_ONLY,
    Opt::refused("compact", Takes::Bool, COMPACT),
    Opt::ignored("rebuild-indexes", Takes::Bool, PREPARE_ONLY),
    Opt::used("no-timestamp", Takes::Bool, Id::NoTimestamp, "put the backup into DIR itself"),
    Opt::ignored("ibbackup", Takes::Value, "there is no other program to run"),
    ZSTD_LEVEL,
    Opt::ignored("strict", Takes::Bool, SERVERS),
    Opt::ignored("read-buffer-size", Takes::Value, TUNING),
    Opt::refused(
        "remote-host",
        Takes::Value,
        (
            "copying to another host is not in this version",
            "send the stream there: ... --stream=xbstream | ssh HOST 'xbstream -x -C DIR'",
        ),
    ),
    Opt::ignored("scpopt", Takes::Value, "matters only with --remote-host"),
    Opt::ignored("sshopt", Takes::Value, "matters only with --remote-host"),
    Opt::ignored("sleep", Takes::Value, TUNING),
    Opt::ignored("backup", Takes::Bool, "a backup is what the program makes anyway"),
];

static XTRABACKUP_ONLY: &[Opt] = &[
    HELP,
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit").short('v'),
    Opt::used("backup", Takes::Bool, Id::Backup, "back up a server"),
    Opt::used("stream", Takes::Optional, Id::Stream, STREAM_HELP),
    Opt::used("password", Takes::Secret, Id::Password, PASSWORD_HELP).short('p').client(),
    Opt::ignored("password1", Takes::Secret, NO_LOGIN).client(),
    Opt::ignored("password2", Takes::Secret, NO_LOGIN).client(),
    Opt::ignored("password3", Takes::Secret, NO_LOGIN).client(),
    Opt::used("prepare", Takes::Bool, Id::Prepare, PREPARE_HELP),
    APPLY_LOG_ONLY,
    REDO_ONLY,
    Opt::refused(
        "print-param",
        Takes::Bool,
        ("printing parameters is not in this version", "look at the server's option file"),
    ),
    Opt::refused(
        "stats",
        Takes::Bool,
        ("statistics of indexes are not in this version", "ask the server"),
    ),
    Opt::refused("compact", Takes::Bool, COMPACT),
    Opt::ignored("rebuild-indexes", Takes::Bool, PREPARE_ONLY),
    ZSTD_LEVEL,
    DECOMPRESS_THREADS,
    Opt::refused("fifo-streams", Takes::Value, FIFO).unless(&["0", "1"]),
    Opt::ignored("fifo-dir", Takes::Value, "matters only with --fifo-streams"),
    Opt::ignored("fifo-timeout", Takes::Value, "matters only with --fifo-streams"),
    Opt::ignored("read-buffer-size", Takes::Value, TUNING),
    Opt::ignored("use-free-memory-pct", Takes::Value, PREPARE_ONLY),
    Opt::ignored("estimate-memory", Takes::Bool, PREPARE_ONLY),
    Opt::ignored("rollback-prepared-trx", Takes::Bool, PREPARE_ONLY),
    Opt::ignored("strict", Takes::Bool, SERVERS),
    Opt::ignored("page-tracking", Takes::Bool, "matters only for incremental backups"),
    Opt::ignored("redo-log-arch-dir", Takes::Value, NO_REDO),
    Opt::ignored("register-redo-log-consumer", Takes::Bool, NO_REDO),
    Opt::ignored("to-archived-lsn", Takes::Value, PREPARE_ONLY),
    Opt::ignored("create-ib-logfile", Takes::Bool, PREPARE_ONLY),
    Opt::ignored("rocksdb-checkpoint-max-age", Takes::Value, STOPPED),
    Opt::ignored("rocksdb-checkpoint-max-count", Takes::Value, STOPPED),
    Opt::ignored("no-timestamp", Takes::Bool, "streaming makes no directory"),
    Opt::ignored("ibbackup", Takes::Value, "there is no other program to run"),
    Opt::ignored("debug-sync", Takes::Value, TUNING),
    Opt::ignored("debug-sync-thread", Takes::Value, TUNING),
];

static MARIABACKUP_ONLY: &[Opt] = &[
    HELP,
    Opt::used("version", Takes::Nothing, Id::Version, "print the version and exit").short('v'),
    Opt::used("verbose", Takes::Bool, Id::Verbose, "accepted; each file is named anyway")
        .short('V'),
    Opt::used("backup", Takes::Bool, Id::Backup, "back up a server"),
    Opt::used("stream", Takes::Value, Id::Stream, STREAM_HELP),
    Opt::used(
        "mysqld-args",
        Takes::Nothing,
        Id::MysqldArgs,
        "what follows are options of the server",
    ),
    Opt::used("password", Takes::Value, Id::Password, PASSWORD_HELP).short('p').client(),
    Opt::used("prepare", Takes::Bool, Id::Prepare, PREPARE_HELP),
    Opt::used("apply-log", Takes::Bool, Id::Prepare, PREPARE_HELP),
    APPLY_LOG_ONLY,
    REDO_ONLY,
    Opt::refused(
        "print-param",
        Takes::Bool,
        ("printing parameters is not in this version", "look at the server's option file"),
    ),
    Opt::ignored("extended-validation", Takes::Bool, "files are carried as they are"),
    Opt::ignored("encrypted-backup", Takes::Bool, "files are carried as they are"),
    Opt::used(
        "log-innodb-page-corruption",
        Takes::Bool,
        Id::LogPageCorruption,
        "name each damaged page and go on; the status is 1 all the same",
    ),
    Opt::ignored(
        "rocksdb-backup",
        Takes::Bool,
        "RocksDB's files in the data directory are carried like all others",
    ),
    Opt::ignored("innodb-force-recovery-crash", Takes::Value, SERVERS),
];

/// `innobackupex`, which knows the options of xtrabackup 2.4 too.
pub(crate) static INNOBACKUPEX: Table = &[
    INNOBACKUPEX_ONLY,
    CONNECT,
    PLACES,
    COMPRESSION,
    ENCRYPTION,
    DELTAS,
    SELECTION,
    LOCKS,
    AFTERWARDS,
    KEYRINGS,
    SERVER,
];

/// `xtrabackup`.
pub(crate) static XTRABACKUP: Table = &[
    XTRABACKUP_ONLY,
    CONNECT,
    PLACES,
    COMPRESSION,
    ENCRYPTION,
    DELTAS,
    SELECTION,
    LOCKS,
    AFTERWARDS,
    KEYRINGS,
    SERVER,
];

/// `mariabackup` and `mariadb-backup`.
pub(crate) static MARIABACKUP: Table = &[
    MARIABACKUP_ONLY,
    CONNECT,
    PLACES,
    COMPRESSION,
    DELTAS,
    SELECTION,
    LOCKS,
    AFTERWARDS,
    KEYRINGS,
    SERVER,
];
