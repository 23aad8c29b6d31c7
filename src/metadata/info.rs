//! What is known of a backup, from all its files together.

use super::{
    BackupConfig, BackupType, BinlogInfo, BinlogPosition, Checkpoints, ExternalTablespace,
    GaleraInfo, MetadataFile, Naming, ReplicaInfo, ToolInfo,
};
use crate::codec::Codec;
use crate::error::{Error, Result};

/// What kind of backup it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackupKind {
    /// Of a running server, all pages; it must be prepared before a server can use it.
    Full,
    /// The pages that changed since another backup.
    Incremental,
    /// Of a stopped server: its files as they were.
    Cold,
    /// A full backup that was prepared.
    Prepared,
    /// A full backup that was prepared so far that incremental ones can be added.
    LogApplied,
}

impl BackupKind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Full, Self::Incremental, Self::Cold, Self::Prepared, Self::LogApplied];

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Cold => "cold",
            Self::Prepared => "prepared",
            Self::LogApplied => "log-applied",
        }
    }
}

impl From<BackupType> for BackupKind {
    fn from(kind: BackupType) -> Self {
        match kind {
            BackupType::Full => Self::Full,
            BackupType::Incremental => Self::Incremental,
            BackupType::FullPrepared => Self::Prepared,
            BackupType::LogApplied => Self::LogApplied,
        }
    }
}

/// What is known of a backup. `None` is unknown: the file that would say it is missing, or
/// compressed or encrypted, or was not come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupInfo {
    /// What kind of backup.
    pub kind: Option<BackupKind>,
    /// How it names its files; a cold backup has none of them.
    pub naming: Option<Naming>,
    /// `*_checkpoints`
    pub checkpoints: Option<Checkpoints>,
    /// `*_info`
    pub tool: Option<ToolInfo>,
    /// `*_binlog_info`
    pub binlog: Option<BinlogInfo>,
    /// `*_slave_info`
    pub replica: Option<ReplicaInfo>,
    /// `*_galera_info`
    pub galera: Option<GaleraInfo>,
    /// `donor_galera_info`
    pub donor_galera: Option<GaleraInfo>,
    /// `backup-my.cnf`
    pub config: Option<BackupConfig>,
    /// `xtrabackup_tablespaces`
    pub external_tablespaces: Option<Vec<ExternalTablespace>>,
    /// `mysql_upgrade_info`: the version that a data directory was last upgraded to.
    pub upgraded_to: Option<String>,
    /// What the redo log says of the program that began it, such as `MariaDB 10.11.19`; in a
    /// backup by `mariabackup` `Backup 10.11.19`.
    pub redo_creator: Option<String>,
    /// Formats that members are compressed in, by their suffixes.
    pub compression: Vec<Codec>,
    /// Whether members are encrypted, by their suffix.
    pub encrypted: bool,
    /// Files that would say more, but are encrypted, and no key is given.
    pub unread: Vec<String>,
    /// Layers of compression around the stream, outermost first.
    pub layers: Vec<&'static str>,
    /// Whether the stream announces a manifest, or the directory holds one.
    pub manifest: Option<bool>,
    /// The program that wrote the manifest.
    pub manifest_tool: Option<String>,
    /// Whether the stream was proven complete and unchanged; `None` if its contents were not read.
    pub proven: Option<bool>,
    /// Members, where all of the stream was seen.
    pub members: Option<u64>,
    /// Their bytes, as the stream or directory stores them.
    pub payload_bytes: Option<u64>,
    /// What a backup that a server can be restored from has, and this lacks; `None` if not all
    /// was seen.
    pub missing: Option<Vec<String>>,
}

impl BackupInfo {
    /// The version of the server, from the best source there is.
    pub fn server_version(&self) -> Option<&str> {
        let creator = self.redo_creator.as_deref();
        self.tool
            .as_ref()
            .and_then(|tool| tool.server_version.as_deref())
            .or(self.upgraded_to.as_deref())
            .or_else(|| creator?.strip_prefix("Backup "))
            .or_else(|| creator.filter(|it| it.starts_with("MariaDB ") || it.starts_with("MySQL ")))
            .filter(|version| !version.is_empty())
    }

    /// The position in the server's own binary log.
    pub fn binlog_position(&self) -> Option<BinlogPosition> {
        let of_file = self.binlog.as_ref().and_then(BinlogInfo::last).cloned();
        of_file.or_else(|| self.tool.as_ref()?.binlog_position())
    }

    /// The LSN that the backup begins at: 0 for a full one.
    pub fn from_lsn(&self) -> Option<u64> {
        let of_tool = self.tool.as_ref().and_then(|tool| tool.innodb_from_lsn);
        self.checkpoints.as_ref().map(|it| it.from_lsn).or(of_tool)
    }

    /// The LSN that an incremental backup on this one begins at.
    pub fn to_lsn(&self) -> Option<u64> {
        let of_tool = self.tool.as_ref().and_then(|tool| tool.innodb_to_lsn);
        self.checkpoints.as_ref().map(|it| it.to_lsn).or(of_tool)
    }

    /// Takes what a file says.
    ///
    /// # Errors
    /// What the file's own reader gives, with its name.
    pub(crate) fn take(
        &mut self,
        file: MetadataFile,
        naming: Option<Naming>,
        name: &str,
        bytes: &[u8],
    ) -> Result<()> {
        let named = |error: Error| error.at_path(name);
        match file {
            MetadataFile::Checkpoints => {
                self.checkpoints = Some(Checkpoints::parse(bytes).map_err(named)?);
            }
            MetadataFile::Info => self.tool = Some(ToolInfo::parse(bytes).map_err(named)?),
            MetadataFile::BinlogInfo => {
                self.binlog = Some(BinlogInfo::parse(bytes).map_err(named)?);
            }
            MetadataFile::SlaveInfo => {
                self.replica = Some(ReplicaInfo::parse(bytes).map_err(named)?);
            }
            MetadataFile::GaleraInfo => {
                self.galera = Some(GaleraInfo::parse(bytes).map_err(named)?);
            }
            MetadataFile::DonorGaleraInfo => {
                self.donor_galera = Some(GaleraInfo::parse(bytes).map_err(named)?);
            }
            MetadataFile::Tablespaces => {
                let list = ExternalTablespace::parse_list(bytes).map_err(named)?;
                self.external_tablespaces = Some(list);
            }
            MetadataFile::Config => self.config = Some(BackupConfig::parse(bytes).map_err(named)?),
            MetadataFile::UpgradeInfo => {
                let text = String::from_utf8_lossy(bytes);
                let version = text.trim_matches(['\0', '\n', ' ']);
                let plain = !version.is_empty() && !version.contains(char::is_control);
                self.upgraded_to = plain.then(|| version.to_owned());
            }
        }
        self.naming = self.naming.or(naming);
        Ok(())
    }

    /// Forgets what a file said, as the stream takes it back.
    pub(crate) fn forget(&mut self, file: MetadataFile) {
        match file {
            MetadataFile::Checkpoints => self.checkpoints = None,
            MetadataFile::Info => self.tool = None,
            MetadataFile::BinlogInfo => self.binlog = None,
            MetadataFile::SlaveInfo => self.replica = None,
            MetadataFile::GaleraInfo => self.galera = None,
            MetadataFile::DonorGaleraInfo => self.donor_galera = None,
            MetadataFile::Tablespaces => self.external_tablespaces = None,
            MetadataFile::Config => self.config = None,
            MetadataFile::UpgradeInfo => self.upgraded_to = None,
        }
    }
}
