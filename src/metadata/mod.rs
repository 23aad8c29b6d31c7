//! The small files in which a backup says what it is, as structures: read from their bytes, and
//! rendered as the programs write them.
//!
//! | file | what it says |
//! |---|---|
//! | `xtrabackup_checkpoints` | [`Checkpoints`]: full or incremental, and its LSNs |
//! | `xtrabackup_info` | [`ToolInfo`]: program, server, times, position |
//! | `xtrabackup_binlog_info` | [`BinlogInfo`]: the binary log's position, and GTID |
//! | `xtrabackup_slave_info` | [`ReplicaInfo`]: where a replica stood in its source's log |
//! | `xtrabackup_galera_info`, `donor_galera_info` | [`GaleraInfo`]: the cluster's position |
//! | `xtrabackup_tablespaces` | [`ExternalTablespace`]: files from outside the data directory |
//! | `backup-my.cnf` | [`BackupConfig`]: what the server must be told to recover |
//!
//! MariaDB 11.1 and later write `mariadb_backup_` instead of `xtrabackup_`, see [`Naming`]. Any of
//! them may be compressed or encrypted in a backup, which its suffix tells; then it is known to be
//! there and not read.
//!
//! The files are hostile input like the streams they come from: at most
//! [`limits::METADATA_FILE`](crate::limits::METADATA_FILE) bytes of each are held. What is missing
//! is unknown; what is malformed is an error that names the file.
//!
//! Sources: files written by `mariabackup` 10.11.19, and the layouts that the documentation of
//! XtraBackup 2.x and 8.x and its readers in other products describe.

mod checkpoints;
pub(crate) mod collect;
mod config;
mod info;
mod names;
mod position;
mod render;
mod replica;
pub(crate) mod required;
mod text;
mod tool;

pub use checkpoints::{BackupType, Checkpoints};
pub use config::{BackupConfig, ExternalTablespace};
pub use info::{BackupInfo, BackupKind};
pub use names::{MetadataFile, Naming};
pub use position::{BinlogInfo, BinlogPosition, GaleraInfo};
pub use replica::{ReplicaChannel, ReplicaInfo, ReplicaPosition};
pub use tool::ToolInfo;
