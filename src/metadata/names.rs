//! What the files are called.

/// How a backup names its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Naming {
    /// `xtrabackup_info`: XtraBackup, and MariaDB up to 11.0.
    Xtrabackup,
    /// `mariadb_backup_info`: MariaDB 11.1 and later.
    MariadbBackup,
}

impl Naming {
    /// What the names begin with, without the underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Xtrabackup => "xtrabackup",
            Self::MariadbBackup => "mariadb_backup",
        }
    }

    /// How backups of a MariaDB server of this version name their files.
    pub fn of_mariadb(version: &str) -> Self {
        let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) >= (11, 1) => Self::MariadbBackup,
            _ => Self::Xtrabackup,
        }
    }
}

/// A kind of file that says something about its backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MetadataFile {
    /// `*_checkpoints`
    Checkpoints,
    /// `*_info`
    Info,
    /// `*_binlog_info`
    BinlogInfo,
    /// `*_slave_info`
    SlaveInfo,
    /// `*_galera_info`
    GaleraInfo,
    /// `donor_galera_info`, which state transfers of MariaDB carry
    DonorGaleraInfo,
    /// `xtrabackup_tablespaces`
    Tablespaces,
    /// `backup-my.cnf`
    Config,
    /// `mysql_upgrade_info` of a data directory: the server's version, in a line
    UpgradeInfo,
}

impl MetadataFile {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = 9;

    /// The kind of file that a member of this name is, its codecs' suffixes taken off, and how its
    /// backup names files where the name shows that.
    pub fn of_name(name: &[u8]) -> Option<(Self, Option<Naming>)> {
        match name {
            b"backup-my.cnf" => return Some((Self::Config, None)),
            b"donor_galera_info" => return Some((Self::DonorGaleraInfo, None)),
            b"mysql_upgrade_info" | b"mariadb_upgrade_info" => {
                return Some((Self::UpgradeInfo, None));
            }
            _ => {}
        }
        [Naming::Xtrabackup, Naming::MariadbBackup].into_iter().find_map(|naming| {
            let rest = name.strip_prefix(naming.prefix().as_bytes())?;
            let file = match rest {
                b"_checkpoints" => Self::Checkpoints,
                b"_info" => Self::Info,
                b"_binlog_info" => Self::BinlogInfo,
                b"_slave_info" => Self::SlaveInfo,
                b"_galera_info" => Self::GaleraInfo,
                b"_tablespaces" => Self::Tablespaces,
                _ => return None,
            };
            Some((file, Some(naming)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_names_its_files_anew_since_11_1() {
        for (version, expected) in [
            ("10.11.19-MariaDB-0+deb12u1-log", Naming::Xtrabackup),
            ("11.0.6-MariaDB", Naming::Xtrabackup),
            ("11.1.1-MariaDB", Naming::MariadbBackup),
            ("12.0.2-MariaDB", Naming::MariadbBackup),
            ("", Naming::Xtrabackup),
        ] {
            assert_eq!(Naming::of_mariadb(version), expected, "{version}");
        }
    }

    #[test]
    fn both_schemes_are_known_and_nothing_else() {
        for (name, expected) in [
            ("xtrabackup_info", Some((MetadataFile::Info, Some(Naming::Xtrabackup)))),
            (
                "mariadb_backup_checkpoints",
                Some((MetadataFile::Checkpoints, Some(Naming::MariadbBackup))),
            ),
            ("backup-my.cnf", Some((MetadataFile::Config, None))),
            ("xtrabackup_logfile", None),
            ("db/xtrabackup_info", None),
            ("xtrabackup_infos", None),
            ("", None),
        ] {
            assert_eq!(MetadataFile::of_name(name.as_bytes()), expected, "{name}");
        }
    }
}
