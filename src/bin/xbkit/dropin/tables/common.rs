//! Parts of the tables that several programs share, and the sentences for what is not done.

use crate::dropin::option::{Id, Opt, Takes};

/// Why an option for locks, waiting or replication threads makes no difference.
pub(super) const STOPPED: &str =
    "a running server is locked by BACKUP STAGE, and a stopped one has nothing to lock";
/// Why an option about the connection makes no difference.
pub(super) const NO_LOGIN: &str = "makes no difference to how the server is reached";
/// Why an option of `--prepare` makes no difference to a backup.
pub(super) const PREPARE_ONLY: &str = "matters only when a backup is prepared";
/// Why an option about a resource makes no difference.
pub(super) const TUNING: &str = "tunes what is not tuned here";
/// Why a server's option makes no difference.
pub(super) const SERVERS: &str = "a server's option that does not change which files are carried";
/// Why an option about redo makes no difference.
pub(super) const NO_REDO: &str = "the redo log is followed in a way of its own";

type Sentence = (&'static str, &'static str);

const INCREMENTAL: Sentence = ("incremental backups are not in this version", "take a full backup");
const PARTIAL: Sentence =
    ("partial backups are not in this version", "leave it out to carry the whole data directory");
const KEYS: Sentence = (
    "handling the keys of encrypted tablespaces is not in this version",
    "leave it out: a cold backup carries encrypted files as they are, and they need their keyring",
);
const HISTORY: Sentence = (
    "a history record in the server is not in this version",
    "leave it out: the backup's *_info file says the same, and --extra-lsndir keeps a copy of it",
);
pub(super) const FIFO: Sentence =
    ("several streams over FIFOs are not in this version", "use one stream");

/// `--help` and `--version` are added by each program, with its own letters.
pub(super) const HELP: Opt =
    Opt::used("help", Takes::Nothing, Id::Help, "print this help and exit").short('?');

/// Connection options, spelled alike everywhere.
pub(super) static CONNECT: &[Opt] = &[
    Opt::used("user", Takes::Value, Id::User, "account for a running server").short('u').client(),
    Opt::used("host", Takes::Value, Id::Host, "host on which to look for a running server")
        .short('H')
        .client(),
    Opt::used("port", Takes::Value, Id::Port, "TCP port on which to look for a running server")
        .short('P')
        .client(),
    Opt::used("socket", Takes::Value, Id::Socket, "socket on which to look for a running server")
        .short('S')
        .anywhere(),
    Opt::used("protocol", Takes::Value, Id::Protocol, "tcp or socket").client(),
    Opt::ignored("login-path", Takes::Value, NO_LOGIN),
    Opt::ignored("no-login-paths", Takes::Bool, NO_LOGIN),
    Opt::ignored("secure-auth", Takes::Bool, NO_LOGIN),
    Opt::ignored("default-auth", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("connect-timeout", Takes::Value, NO_LOGIN).client(),
    Opt::used("ssl", Takes::Bool, Id::Ssl, "encrypt TCP connections").client(),
    Opt::used("ssl-ca", Takes::Value, Id::SslCa, "authority to trust, PEM; implies --ssl").client(),
    Opt::ignored("ssl-capath", Takes::Value, NO_LOGIN).client(),
    Opt::used("ssl-cert", Takes::Value, Id::SslCert, "certificate to show, PEM").client(),
    Opt::ignored("ssl-cipher", Takes::Value, NO_LOGIN).client(),
    Opt::used("ssl-key", Takes::Value, Id::SslKey, "its key, PEM").client(),
    Opt::ignored("ssl-crl", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-crlpath", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-mode", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-fips-mode", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-fp", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-fplist", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-session-data", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("ssl-session-data-continue-on-failed-reuse", Takes::Bool, NO_LOGIN).client(),
    Opt::used(
        "ssl-verify-server-cert",
        Takes::Bool,
        Id::SslVerify,
        "check who the server is; on with --ssl-ca",
    )
    .client(),
    Opt::ignored("tls-version", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("tls-ciphersuites", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("tls-sni-servername", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("server-public-key-path", Takes::Value, NO_LOGIN).client(),
    Opt::ignored("get-server-public-key", Takes::Bool, NO_LOGIN).client(),
    Opt::ignored("no-version-check", Takes::Bool, NO_LOGIN),
    Opt::ignored("version-check", Takes::Bool, NO_LOGIN),
    Opt::ignored("no-server-version-check", Takes::Bool, NO_LOGIN),
    Opt::ignored("check-privileges", Takes::Bool, NO_LOGIN),
    Opt::ignored("tables-compatibility-check", Takes::Bool, NO_LOGIN),
];

/// Where a backup comes from and goes to.
pub(super) static PLACES: &[Opt] = &[
    Opt::used("datadir", Takes::Value, Id::Datadir, "the server's data directory; /var/lib/mysql")
        .short('h')
        .server(),
    Opt::used(
        "target-dir",
        Takes::Value,
        Id::TargetDir,
        "directory of the backup; when streaming it is not used",
    ),
    Opt::used("tmpdir", Takes::Value, Id::Tmpdir, "directory to spool in; that of the system")
        .short('t')
        .server(),
    Opt::used(
        "defaults-group",
        Takes::Value,
        Id::DefaultsGroup,
        "group of the option files to read in place of mysqld",
    ),
    Opt::used(
        "extra-lsndir",
        Takes::Value,
        Id::ExtraLsndir,
        "directory to put copies of the checkpoints and info files in",
    ),
    Opt::used("parallel", Takes::Value, Id::Parallel, "threads that read files; 1"),
    Opt::used(
        "no-manifest",
        Takes::Bool,
        Id::NoManifest,
        "do not end the stream in a manifest, by which it can be proven whole",
    ),
    Opt::used(
        "throttle",
        Takes::Value,
        Id::Throttle,
        "bytes a second to read of data files, with a suffix; a bare number as in the real program",
    ),
    Opt::ignored("close-files", Takes::Bool, TUNING),
    Opt::ignored("open-files-limit", Takes::Value, TUNING).server(),
    Opt::ignored("core-file", Takes::Bool, TUNING),
    Opt::ignored("log-copy-interval", Takes::Value, NO_REDO),
    Opt::refused(
        "rsync",
        Takes::Bool,
        ("copying with rsync is not possible into a stream", "leave it out"),
    ),
];

/// Compression of single files.
pub(super) static COMPRESSION: &[Opt] = &[
    Opt::used(
        "compress",
        Takes::Optional,
        Id::Compress,
        "compress each file: quicklz, lz4, zstd or gzip",
    ),
    Opt::used(
        "compress-threads",
        Takes::Value,
        Id::CompressThreads,
        "threads that compress, besides those that read; 1",
    ),
    Opt::used(
        "compress-chunk-size",
        Takes::Value,
        Id::CompressChunkSize,
        "bytes that are compressed on their own, with quicklz and lz4; 64K",
    ),
    Opt::used("decompress", Takes::Bool, Id::Decompress, "decompress the files of a backup"),
    Opt::used(
        "remove-original",
        Takes::Bool,
        Id::RemoveOriginal,
        "with --decompress or --decrypt: remove what was decoded",
    ),
];

/// Encryption of single files; mariabackup has none.
pub(super) static ENCRYPTION: &[Opt] = &[
    Opt::used("encrypt", Takes::Value, Id::Encrypt, "encrypt each file: AES128, AES192 or AES256"),
    ENCRYPT_KEY,
    ENCRYPT_KEY_FILE,
    ENCRYPT_THREADS,
    Opt::used(
        "encrypt-chunk-size",
        Takes::Value,
        Id::EncryptChunkSize,
        "bytes that are encrypted on their own; 64K",
    ),
    Opt::used("decrypt", Takes::Value, Id::Decrypt, "decrypt the files of a backup"),
];

/// The key as such.
pub(super) const ENCRYPT_KEY: Opt = Opt::used(
    "encrypt-key",
    Takes::Value,
    Id::EncryptKey,
    "the key; a file is safer, as others may see it here before it is overwritten",
);

/// The key in a file.
pub(super) const ENCRYPT_KEY_FILE: Opt = Opt::used(
    "encrypt-key-file",
    Takes::Value,
    Id::EncryptKeyFile,
    "the file that holds the key's 16, 24 or 32 bytes and nothing else",
);

/// Threads that encrypt or decrypt.
pub(super) const ENCRYPT_THREADS: Opt = Opt::used(
    "encrypt-threads",
    Takes::Value,
    Id::EncryptThreads,
    "threads that encrypt or decrypt; 1",
);

/// The level of zstd.
pub(super) const ZSTD_LEVEL: Opt = Opt::used(
    "compress-zstd-level",
    Takes::Value,
    Id::CompressZstdLevel,
    "with --compress=zstd: 1 to 19; 1",
);

/// Threads that decompress.
pub(super) const DECOMPRESS_THREADS: Opt = Opt::used(
    "decompress-threads",
    Takes::Value,
    Id::DecompressThreads,
    "threads that decompress; 1",
);

/// Deltas against an earlier backup.
pub(super) static DELTAS: &[Opt] = &[
    Opt::refused("incremental-basedir", Takes::Value, INCREMENTAL),
    Opt::refused("incremental-lsn", Takes::Value, INCREMENTAL),
    Opt::refused("incremental-dir", Takes::Value, INCREMENTAL),
    Opt::refused("incremental-history-name", Takes::Value, INCREMENTAL),
    Opt::refused("incremental-history-uuid", Takes::Value, INCREMENTAL),
    Opt::ignored("incremental-force-scan", Takes::Bool, "matters only for incremental backups"),
    Opt::refused("history", Takes::Optional, HISTORY),
];

/// `--incremental` itself, which only innobackupex has as an option.
pub(super) const INCREMENTAL_FLAG: Opt = Opt::refused("incremental", Takes::Bool, INCREMENTAL);

/// Some databases or tables only. A `lost+found` is no database, so to exclude it asks for nothing.
pub(super) static SELECTION: &[Opt] = &[
    Opt::refused("databases", Takes::Value, PARTIAL).unless(&[""]),
    Opt::refused("databases-file", Takes::Value, PARTIAL),
    Opt::refused("databases-exclude", Takes::Value, PARTIAL).unless(&["", "lost+found"]),
    Opt::refused("tables", Takes::Value, PARTIAL).unless(&[""]),
    Opt::refused("tables-file", Takes::Value, PARTIAL),
    Opt::refused("tables-exclude", Takes::Value, PARTIAL).unless(&[""]),
];

/// `--include` of innobackupex is another name for `--tables`.
pub(super) const INCLUDE: Opt = Opt::refused("include", Takes::Value, PARTIAL);

/// Locks, waiting, replication.
pub(super) static LOCKS: &[Opt] = &[
    Opt::ignored("no-lock", Takes::Bool, STOPPED),
    Opt::ignored("no-backup-locks", Takes::Bool, STOPPED),
    Opt::ignored("backup-locks", Takes::Bool, STOPPED),
    Opt::ignored("lock-ddl", Takes::Optional, STOPPED),
    Opt::ignored("lock-ddl-timeout", Takes::Value, STOPPED),
    Opt::ignored("lock-ddl-per-table", Takes::Bool, STOPPED),
    Opt::ignored("backup-lock-timeout", Takes::Value, STOPPED),
    Opt::ignored("backup-lock-retry-count", Takes::Value, STOPPED),
    Opt::ignored("ftwrl-wait-timeout", Takes::Value, STOPPED),
    Opt::ignored("ftwrl-wait-threshold", Takes::Value, STOPPED),
    Opt::ignored("ftwrl-wait-query-type", Takes::Value, STOPPED),
    Opt::ignored("startup-wait-timeout", Takes::Value, STOPPED),
    Opt::ignored("kill-long-queries-timeout", Takes::Value, STOPPED),
    Opt::ignored("kill-long-query-type", Takes::Value, STOPPED),
    Opt::used(
        "safe-slave-backup",
        Takes::Bool,
        Id::SafeSlaveBackup,
        "of a replica, copy a moment without temporary tables; stops what it applies meanwhile",
    ),
    Opt::used(
        "safe-slave-backup-timeout",
        Takes::Value,
        Id::SafeSlaveWait,
        "seconds to wait for that moment, 300 if not given",
    ),
    Opt::used(
        "slave-info",
        Takes::Bool,
        Id::SlaveInfo,
        "keep what makes the restored server a replica of this one's primaries",
    ),
    Opt::used("galera-info", Takes::Bool, Id::GaleraInfo, "keep the server's place in its cluster"),
    Opt::refused(
        "binlog-info",
        Takes::Optional,
        ("the position is asked under a lock that is needed anyway", "leave it out"),
    )
    .unless(&["on", "auto", "off"]),
    Opt::ignored("dump-innodb-buffer-pool", Takes::Bool, "only a running server dumps its pool"),
    Opt::ignored("dump-innodb-buffer-pool-timeout", Takes::Value, STOPPED),
    Opt::ignored("dump-innodb-buffer-pool-pct", Takes::Value, STOPPED),
    Opt::ignored("debug-sleep-before-unlock", Takes::Value, STOPPED),
];

/// What is done with a backup afterwards.
pub(super) static AFTERWARDS: &[Opt] = &[
    Opt::used("copy-back", Takes::Bool, Id::CopyBack, "copy a prepared backup into the datadir"),
    Opt::used("move-back", Takes::Bool, Id::MoveBack, "move a prepared backup into the datadir"),
    Opt::used(
        "force-non-empty-directories",
        Takes::Bool,
        Id::ForceNonEmpty,
        "let the datadir hold other files already",
    ),
    Opt::refused(
        "export",
        Takes::Bool,
        ("exporting tables is not in this version", "prepare the extracted backup with --export"),
    ),
    Opt::used("use-memory", Takes::Value, Id::UseMemory, "buffer pool of the server that recovers"),
    Opt::ignored("rebuild-threads", Takes::Value, PREPARE_ONLY),
];

/// Preparing without rolling back, for deltas to come.
pub(super) const BASE: Sentence = (
    "preparing the base of incremental backups is not in this version",
    "take full backups, and prepare them without it",
);

/// Keys of encrypted tablespaces.
pub(super) static KEYRINGS: &[Opt] = &[
    Opt::refused("transition-key", Takes::Optional, KEYS),
    Opt::refused("generate-transition-key", Takes::Bool, KEYS),
    Opt::refused("generate-new-master-key", Takes::Bool, KEYS),
    Opt::ignored("keyring-file-data", Takes::Value, SERVERS).server(),
    Opt::ignored("keyring-vault-config", Takes::Value, SERVERS).server(),
    Opt::ignored("component-keyring-config", Takes::Value, SERVERS),
    Opt::ignored("component-keyring-file-config", Takes::Value, SERVERS),
    Opt::ignored("xtrabackup-plugin-dir", Takes::Value, SERVERS),
    Opt::ignored("plugin-dir", Takes::Value, SERVERS),
    Opt::ignored("plugin-load", Takes::Value, SERVERS),
    Opt::ignored("reencrypt-for-server-id", Takes::Value, PREPARE_ONLY),
];

/// What the server says about its files. Those with an effect decide which directories are read.
pub(super) static SERVER: &[Opt] = &[
    Opt::used(
        "innodb-data-home-dir",
        Takes::Value,
        Id::DataHome,
        "directory of the system tablespace; the data directory",
    )
    .server(),
    Opt::used(
        "innodb-data-file-path",
        Takes::Value,
        Id::DataFilePath,
        "files of the system tablespace; ibdata1",
    )
    .server(),
    Opt::used(
        "innodb-log-group-home-dir",
        Takes::Value,
        Id::LogDir,
        "directory of the redo log; the data directory",
    )
    .server(),
    Opt::used(
        "innodb-undo-directory",
        Takes::Value,
        Id::UndoDir,
        "directory of undo tablespaces; the data directory",
    )
    .server(),
    Opt::used(
        "innodb-directories",
        Takes::Value,
        Id::InnodbDirectories,
        "directories of further tablespaces; those elsewhere are refused",
    )
    .server(),
    Opt::used(
        "innodb-doublewrite-dir",
        Takes::Value,
        Id::DoublewriteDir,
        "directory of the doublewrite files; elsewhere it is refused",
    )
    .server(),
    Opt::used(
        "rocksdb-datadir",
        Takes::Value,
        Id::RocksdbDatadir,
        "directory of RocksDB's files; elsewhere it is refused",
    )
    .server(),
    Opt::used(
        "rocksdb-wal-dir",
        Takes::Value,
        Id::RocksdbWalDir,
        "directory of RocksDB's log; elsewhere it is refused",
    )
    .server(),
    Opt::used(
        "aria-log-dir-path",
        Takes::Value,
        Id::AriaLogDir,
        "directory of the Aria logs; the data directory",
    )
    .server(),
    Opt::ignored("innodb-temp-tablespaces-dir", Takes::Value, "temporary files are not carried")
        .server(),
    Opt::ignored("log", Takes::Optional, SERVERS),
    Opt::ignored("log-bin", Takes::Optional, SERVERS).server(),
    Opt::ignored("log-bin-index", Takes::Value, SERVERS).server(),
    Opt::ignored("lower-case-table-names", Takes::Optional, SERVERS).server(),
    Opt::ignored("server-id", Takes::Value, SERVERS).server(),
    Opt::ignored("innodb", Takes::Optional, SERVERS),
    Opt::ignored("innodb-adaptive-hash-index", Takes::Bool, SERVERS),
    Opt::ignored("innodb-autoextend-increment", Takes::Value, SERVERS),
    Opt::ignored("innodb-buffer-pool-filename", Takes::Value, SERVERS),
    Opt::ignored("innodb-buffer-pool-size", Takes::Value, SERVERS),
    Opt::ignored("innodb-checksum-algorithm", Takes::Value, SERVERS),
    Opt::ignored("innodb-compression-level", Takes::Value, SERVERS),
    Opt::ignored("innodb-doublewrite", Takes::Optional, SERVERS),
    Opt::ignored("innodb-doublewrite-file", Takes::Value, SERVERS),
    Opt::ignored("innodb-extend-and-initialize", Takes::Bool, SERVERS),
    Opt::ignored("innodb-extra-undoslots", Takes::Bool, SERVERS),
    Opt::ignored("innodb-fast-checksum", Takes::Bool, SERVERS),
    Opt::ignored("innodb-file-io-threads", Takes::Value, SERVERS),
    Opt::ignored("innodb-file-per-table", Takes::Bool, SERVERS),
    Opt::ignored("innodb-flush-method", Takes::Value, SERVERS),
    Opt::ignored("innodb-force-recovery", Takes::Optional, SERVERS),
    Opt::ignored("innodb-io-capacity", Takes::Optional, SERVERS),
    Opt::ignored("innodb-linux-aio", Takes::Value, SERVERS),
    Opt::ignored("innodb-lock-wait-timeout", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-arch-dir", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-archive", Takes::Optional, SERVERS),
    Opt::ignored("innodb-log-block-size", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-buffer-size", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-checkpoint-now", Takes::Bool, "only a running server can"),
    Opt::ignored("innodb-log-checksum-algorithm", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-checksums", Takes::Bool, SERVERS),
    Opt::ignored("innodb-log-file-buffering", Takes::Bool, SERVERS),
    Opt::ignored("innodb-log-file-mmap", Takes::Bool, SERVERS),
    Opt::ignored("innodb-log-file-size", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-files-in-group", Takes::Value, SERVERS),
    Opt::ignored("innodb-log-write-ahead-size", Takes::Value, SERVERS),
    Opt::ignored("innodb-max-dirty-pages-pct", Takes::Value, SERVERS),
    Opt::ignored("innodb-open-files", Takes::Value, SERVERS),
    Opt::ignored("innodb-page-size", Takes::Value, SERVERS),
    Opt::ignored("innodb-read-io-threads", Takes::Value, SERVERS),
    Opt::ignored("innodb-redo-log-capacity", Takes::Value, SERVERS),
    Opt::ignored("innodb-redo-log-encrypt", Takes::Optional, SERVERS),
    Opt::ignored("innodb-sync-spin-loops", Takes::Value, SERVERS),
    Opt::ignored("innodb-track-changed-pages", Takes::Bool, SERVERS),
    Opt::ignored("innodb-undo-log-encrypt", Takes::Bool, SERVERS),
    Opt::ignored("innodb-undo-tablespaces", Takes::Value, SERVERS),
    Opt::ignored("innodb-use-native-aio", Takes::Bool, SERVERS),
    Opt::ignored("innodb-write-io-threads", Takes::Value, SERVERS),
    Opt::ignored("redo-log-version", Takes::Value, SERVERS),
];
