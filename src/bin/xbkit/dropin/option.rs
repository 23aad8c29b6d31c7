//! One option of a drop-in name, as data: how it is spelled, and what becomes of it.

/// What an option does here, for those that do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    AriaLogDir,
    Backup,
    Compress,
    CompressChunkSize,
    CompressThreads,
    CompressZstdLevel,
    CopyBack,
    Create,
    DataFilePath,
    DataHome,
    Datadir,
    DefaultsGroup,
    Decompress,
    DecompressThreads,
    Decrypt,
    Directory,
    DoublewriteDir,
    Encrypt,
    EncryptChunkSize,
    EncryptKey,
    EncryptKeyFile,
    EncryptThreads,
    ExtraLsndir,
    Extract,
    ForceNonEmpty,
    GaleraInfo,
    Help,
    Host,
    InnodbDirectories,
    Input,
    LogDir,
    LogPageCorruption,
    Manifest,
    MoveBack,
    MysqldArgs,
    NoManifest,
    NoTimestamp,
    Output,
    Parallel,
    Password,
    Port,
    Prepare,
    Protocol,
    RemoveOriginal,
    RocksdbDatadir,
    RocksdbWalDir,
    SafeSlaveBackup,
    SafeSlaveWait,
    SlaveInfo,
    Socket,
    Ssl,
    SslCa,
    SslCert,
    SslKey,
    SslVerify,
    Stream,
    TargetDir,
    Throttle,
    Tmpdir,
    UndoDir,
    UseMemory,
    User,
    Verbose,
    Version,
}

/// Whether an option takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// None: `--extract`.
    Nothing,
    /// None, or a truth value after `=`; `--skip-`, `--disable-` and `--enable-` go before it.
    Bool,
    /// One, after `=` or as the next word.
    Value,
    /// One, only after `=`.
    Optional,
    /// One, after `=` or as the next word, unless that is an option: a password that may be left
    /// out. It is not kept.
    Secret,
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is honoured; the text is its help.
    Use(Id, &'static str),
    /// It is accepted and makes no difference; the text says why.
    Ignore(&'static str),
    /// What it asks for is not done, so the program ends.
    Refuse {
        /// Values that ask for nothing, and so are let through.
        unless: &'static [&'static str],
        /// What is missing.
        why: &'static str,
        /// What to do instead; may be empty.
        hint: &'static str,
    },
}

/// Which groups of an option file may set an option, besides the program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// None.
    Own,
    /// `[client]`.
    Client,
    /// `[mysqld]`.
    Server,
    /// Both.
    ClientAndServer,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    /// Its long name, with `-`.
    pub(crate) name: &'static str,
    /// Its one-letter name.
    pub(crate) short: Option<char>,
    /// Whether it takes an argument.
    pub(crate) takes: Takes,
    /// What becomes of it.
    pub(crate) act: Act,
    /// Which groups of option files may set it.
    pub(crate) group: Group,
}

/// The options of a program: several tables, so that programs can share some.
pub(crate) type Table = &'static [&'static [Opt]];

impl Opt {
    const fn new(name: &'static str, takes: Takes, act: Act) -> Self {
        Self { name, short: None, takes, act, group: Group::Own }
    }

    /// An option that is honoured.
    pub(crate) const fn used(name: &'static str, takes: Takes, id: Id, help: &'static str) -> Self {
        Self::new(name, takes, Act::Use(id, help))
    }

    /// An option that makes no difference, and why.
    pub(crate) const fn ignored(name: &'static str, takes: Takes, why: &'static str) -> Self {
        Self::new(name, takes, Act::Ignore(why))
    }

    /// An option that asks for what is not done; what that is, and what to do instead.
    pub(crate) const fn refused(
        name: &'static str,
        takes: Takes,
        (why, hint): (&'static str, &'static str),
    ) -> Self {
        Self::new(name, takes, Act::Refuse { unless: &[], why, hint })
    }

    /// Lets `values` of a refused option through: they ask for nothing.
    pub(crate) const fn unless(mut self, values: &'static [&'static str]) -> Self {
        if let Act::Refuse { why, hint, .. } = self.act {
            self.act = Act::Refuse { unless: values, why, hint };
        }
        self
    }

    /// Gives it a one-letter name.
    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// Lets `[client]` set it.
    pub(crate) const fn client(mut self) -> Self {
        self.group = Group::Client;
        self
    }

    /// Lets `[mysqld]` set it.
    pub(crate) const fn server(mut self) -> Self {
        self.group = Group::Server;
        self
    }

    /// Lets `[client]` and `[mysqld]` set it.
    pub(crate) const fn anywhere(mut self) -> Self {
        self.group = Group::ClientAndServer;
        self
    }
}

/// Every option of a table.
pub(crate) fn all(table: Table) -> impl Iterator<Item = &'static Opt> {
    table.iter().flat_map(|part| part.iter())
}
