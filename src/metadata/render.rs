//! What is known of a backup, as JSON and as text.

use std::fmt::{self, Display};

use serde_json::{Map, Value, json};

use super::{
    BackupInfo, BinlogPosition, ExternalTablespace, GaleraInfo, Naming, ReplicaInfo,
    ReplicaPosition,
};
use crate::codec::Codec;

impl BackupInfo {
    /// The whole as one JSON object. Every key is always there, `null` for what is unknown:
    ///
    /// * `kind`: `full`, `incremental`, `cold`, `prepared`, `log-applied`; `naming`: `xtrabackup`,
    ///   `mariadb_backup`
    /// * `from_lsn`, `to_lsn`, `last_lsn`, `flushed_lsn`: numbers
    /// * `tool_name`, `tool_version`, `tool_command`, `server_version`, `server_flavor`,
    ///   `backup_uuid`, `history_name`, `start_time`, `end_time`: strings; `lock_seconds`: a
    ///   number; `partial`: a bool
    /// * `binlog`: `file`, `position`, `gtid`; `binlogs`: all positions that the file has
    /// * `replica`: `gtid_purged`, `gtid_slave_pos`, `channels` (`name`, `file`, `position`),
    ///   `statements`
    /// * `galera`, `donor_galera`: `uuid`, `seqno`, `domain`
    /// * `page_size`, `redo_file_size`: bytes; `system_files`: a list of names
    /// * `external_tablespaces`: `file_name`, `tablespace_name`, `tablespace_type`
    /// * `redo_creator`; `compression`: a list of names; `encrypted`; `unread`: a list of names;
    ///   `layers`: a list of names
    /// * `manifest`, `proven`: bools; `manifest_tool`
    /// * `members`, `payload_bytes`: numbers; `missing`: a list of what a backup of a whole server
    ///   has and this lacks
    ///
    /// Further keys may come.
    pub fn to_json(&self) -> String {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        put("kind", json!(self.kind.map(super::BackupKind::name)));
        put("naming", json!(self.naming.map(Naming::prefix)));
        put("from_lsn", json!(self.from_lsn()));
        put("to_lsn", json!(self.to_lsn()));
        put("last_lsn", json!(self.checkpoints.as_ref().and_then(|it| it.last_lsn)));
        put("flushed_lsn", json!(self.checkpoints.as_ref().and_then(|it| it.flushed_lsn)));
        let tool = self.tool.as_ref();
        put("tool_name", json!(tool.and_then(|it| it.tool_name.as_ref())));
        put("tool_version", json!(tool.and_then(|it| it.tool_version.as_ref())));
        put("tool_command", json!(tool.and_then(|it| it.tool_command.as_ref())));
        put("server_version", json!(self.server_version()));
        put("server_flavor", json!(tool.and_then(|it| it.server_flavor.as_ref())));
        put("backup_uuid", json!(tool.and_then(|it| it.uuid.as_ref())));
        put(
            "history_name",
            json!(tool.and_then(|it| it.name.as_ref()).filter(|name| !name.is_empty())),
        );
        put("start_time", json!(tool.and_then(|it| it.start_time.as_ref())));
        put("end_time", json!(tool.and_then(|it| it.end_time.as_ref())));
        put("lock_seconds", json!(tool.and_then(|it| it.lock_time)));
        put("partial", json!(tool.and_then(|it| it.partial)));
        put("binlog", self.binlog_position().as_ref().map_or(Value::Null, binlog));
        let positions = self.binlog.as_ref().map(|it| it.positions.iter().map(binlog));
        put("binlogs", positions.map_or(Value::Null, Iterator::collect));
        put("replica", self.replica.as_ref().map_or(Value::Null, replica));
        put("galera", self.galera.as_ref().map_or(Value::Null, galera));
        put("donor_galera", self.donor_galera.as_ref().map_or(Value::Null, galera));
        put("page_size", json!(self.config.as_ref().and_then(|it| it.page_size)));
        put("redo_file_size", json!(self.config.as_ref().and_then(|it| it.redo_file_size)));
        put("system_files", json!(self.config.as_ref().map(super::BackupConfig::system_files)));
        let tablespaces = self.external_tablespaces.as_ref();
        let tablespaces = tablespaces.map(|list| list.iter().map(tablespace).collect());
        put("external_tablespaces", tablespaces.unwrap_or(Value::Null));
        put("redo_creator", json!(self.redo_creator));
        put("compression", self.compression.iter().map(|codec| codec.name()).collect());
        put("encrypted", json!(self.encrypted));
        put("unread", json!(self.unread));
        put("layers", json!(self.layers));
        put("manifest", json!(self.manifest));
        put("manifest_tool", json!(self.manifest_tool));
        put("proven", json!(self.proven));
        put("members", json!(self.members));
        put("payload_bytes", json!(self.payload_bytes));
        put("missing", json!(self.missing));
        Value::Object(object).to_string()
    }
}

fn binlog(at: &BinlogPosition) -> Value {
    json!({ "file": at.file, "position": at.position, "gtid": at.gtid })
}

fn galera(at: &GaleraInfo) -> Value {
    json!({ "uuid": at.uuid, "seqno": at.seqno, "domain": at.domain })
}

fn replica(info: &ReplicaInfo) -> Value {
    let channel = |channel: &super::ReplicaChannel| {
        let (file, position) = match &channel.position {
            ReplicaPosition::Gtid => (None, None),
            ReplicaPosition::Log { file, position } => (Some(file), Some(position)),
        };
        json!({ "name": channel.name, "file": file, "position": position })
    };
    json!({
        "gtid_purged": info.gtid_purged,
        "gtid_slave_pos": info.gtid_slave_pos,
        "channels": info.channels.iter().map(channel).collect::<Vec<_>>(),
        "statements": info.statements,
    })
}

fn tablespace(it: &ExternalTablespace) -> Value {
    json!({
        "file_name": it.file_name,
        "tablespace_name": it.tablespace_name,
        "tablespace_type": it.tablespace_type,
    })
}

/// Text for people, a fact a line. Control characters are escaped.
impl Display for BackupInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = || "unknown".to_owned();
        let mut line = |key: &str, value: Option<String>| {
            let value = value.unwrap_or_else(unknown);
            let value: String = value
                .chars()
                .flat_map(|c| {
                    let plain = !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
                    let escape = (!plain).then(|| c.escape_default());
                    plain.then_some(c).into_iter().chain(escape.into_iter().flatten())
                })
                .collect();
            writeln!(f, "{key:<18} {value}")
        };
        let tool = self.tool.as_ref();
        let lsn = |value: Option<u64>| value.map(|value| value.to_string());
        line("backup", self.kind.map(|kind| kind.name().to_owned()))?;
        line("server", self.server_version().map(str::to_owned))?;
        line("tool", self.shown_tool())?;
        line("naming", self.naming.map(|naming| naming.prefix().to_owned()))?;
        line("started", tool.and_then(|it| it.start_time.clone()))?;
        line("ended", tool.and_then(|it| it.end_time.clone()))?;
        line("from LSN", lsn(self.from_lsn()))?;
        line("to LSN", lsn(self.to_lsn()))?;
        line("last LSN", lsn(self.checkpoints.as_ref().and_then(|it| it.last_lsn)))?;
        let binlog = self.binlog_position();
        line("binlog position", binlog.as_ref().map(|it| format!("{} {}", it.file, it.position)))?;
        line("GTID", binlog.and_then(|it| it.gtid))?;
        line("Galera position", self.galera.as_ref().map(shown_galera))?;
        if let Some(galera) = &self.donor_galera {
            line("Galera donor", Some(shown_galera(galera)))?;
        }
        line("replica position", self.replica.as_ref().map(shown_replica))?;
        line("page size", lsn(self.config.as_ref().and_then(|it| it.page_size)))?;
        if let Some(list) = self.external_tablespaces.as_ref().filter(|list| !list.is_empty()) {
            line("tablespaces", Some(format!("{} outside the data directory", list.len())))?;
        }
        line("compression", Some(self.shown_compression()))?;
        line("encryption", Some(if self.encrypted { "xbcrypt" } else { "none" }.to_owned()))?;
        if !self.unread.is_empty() {
            line("not read", Some(self.unread.join(", ")))?;
        }
        line("members", self.shown_members())?;
        line("manifest", self.manifest.map(|has| if has { "yes" } else { "no" }.to_owned()))?;
        line("proven", self.proven.map(|is| if is { "yes" } else { "no" }.to_owned()))?;
        let missing = self.missing.as_ref().map(|list| match list.as_slice() {
            [] => "nothing".to_owned(),
            list => list.join(", "),
        });
        line("missing", missing)
    }
}

impl BackupInfo {
    fn shown_tool(&self) -> Option<String> {
        let of_file = self.tool.as_ref().and_then(|it| {
            let version = it.tool_version.as_deref().unwrap_or_default();
            Some(format!("{} {version}", it.tool_name.as_deref()?).trim_end().to_owned())
        });
        of_file.or_else(|| self.manifest_tool.clone())
    }

    fn shown_compression(&self) -> String {
        let members = self.compression.iter().map(|codec| Codec::name(*codec).to_owned());
        let layers = self.layers.iter().map(|layer| format!("{layer} around the stream"));
        let all: Vec<String> = members.chain(layers).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }

    fn shown_members(&self) -> Option<String> {
        let members = self.members?;
        Some(match self.payload_bytes {
            Some(bytes) => format!("{members}, {bytes} bytes"),
            None => members.to_string(),
        })
    }
}

fn shown_galera(at: &GaleraInfo) -> String {
    format!("{}:{}", at.uuid, at.seqno)
}

fn shown_replica(info: &ReplicaInfo) -> String {
    let gtid = info.gtid_purged.iter().chain(&info.gtid_slave_pos).cloned();
    let channels = info.channels.iter().filter_map(|channel| match &channel.position {
        ReplicaPosition::Gtid => None,
        ReplicaPosition::Log { file, position } => Some(match &channel.name {
            Some(name) => format!("{name}: {file} {position}"),
            None => format!("{file} {position}"),
        }),
    });
    let all: Vec<String> = gtid.chain(channels).collect();
    if all.is_empty() { "by GTID".to_owned() } else { all.join("; ") }
}
