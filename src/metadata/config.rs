//! `backup-my.cnf` and `xtrabackup_tablespaces`.

use serde_json::Value;

use super::text::{bad_line, empty, number};
use crate::error::{Error, ErrorKind, Result};

/// What `backup-my.cnf` says: settings that the server needs to recover the backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupConfig {
    /// Every setting of `[mysqld]`, in order, `-` in names as `_`.
    pub settings: Vec<(String, String)>,
    /// `innodb_page_size`, in bytes.
    pub page_size: Option<u64>,
    /// `innodb_log_file_size`, in bytes.
    pub redo_file_size: Option<u64>,
    /// `innodb_undo_tablespaces`
    pub undo_tablespaces: Option<u64>,
    /// `server_id`
    pub server_id: Option<u64>,
}

impl BackupConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// `Format` for an empty file, a line that is none of an option file, a file without the
    /// group `[mysqld]`, and one of the numbers above that is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return Err(empty());
        }
        let mut config = Self::default();
        let (mut within, mut seen) = (false, false);
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with(['#', ';', '!']) {
                continue;
            }
            if let Some(group) = text.strip_prefix('[') {
                let group = group.split(']').next().unwrap_or_default();
                within = matches!(group, "mysqld" | "mariadbd" | "server");
                seen |= within;
                continue;
            }
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            let key = key.trim().replace('-', "_");
            if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(bad_line(line, "is none of an option file"));
            }
            if within {
                config.set(line, key, unquoted(value.trim()))?;
            }
        }
        if !seen {
            return Err(Error::new(ErrorKind::Format, "the file has no group [mysqld]"));
        }
        Ok(config)
    }

    fn set(&mut self, line: usize, key: String, value: &str) -> Result<()> {
        let place = match key.as_str() {
            "innodb_page_size" => Some(&mut self.page_size),
            "innodb_log_file_size" => Some(&mut self.redo_file_size),
            "innodb_undo_tablespaces" => Some(&mut self.undo_tablespaces),
            "server_id" => Some(&mut self.server_id),
            _ => None,
        };
        if let Some(place) = place {
            *place = Some(number(line, &key, value)?);
        }
        self.settings.push((key, value.to_owned()));
        Ok(())
    }

    /// The last value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The files of the system tablespace, by `innodb_data_file_path`, without directories.
    pub fn system_files(&self) -> Vec<&str> {
        let path = self.setting("innodb_data_file_path").unwrap_or_default();
        path.split(';')
            .filter_map(|element| element.split(':').next())
            .map(|file| file.rsplit('/').next().unwrap_or(file).trim())
            .filter(|file| !file.is_empty())
            .collect()
    }
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// A tablespace from outside the data directory, as `xtrabackup_tablespaces` lists it: in the
/// backup it is `NAME.ibd`, or `NAME.ibu` for undo.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalTablespace {
    /// Where the server has the file.
    pub file_name: String,
    /// The tablespace's name, such as `db/t1`.
    pub tablespace_name: String,
    /// `TABLESPACE` or `UNDO_LOG`.
    pub tablespace_type: String,
}

impl ExternalTablespace {
    /// Reads `xtrabackup_tablespaces`.
    ///
    /// # Errors
    /// `Format` if it is no such list, `Unsupported` for a version above 2.
    pub fn parse_list(bytes: &[u8]) -> Result<Vec<Self>> {
        let bad = |what: String| Error::new(ErrorKind::Format, what);
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| bad(format!("the file is no JSON: {error}")))?;
        let version = value.get("version").and_then(Value::as_u64);
        match version {
            Some(0..=2) => {}
            Some(other) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("the file has version {other}, and xbkit knows up to 2"),
                ));
            }
            None => return Err(bad("the file says no version".to_owned())),
        }
        let Some(Value::Array(list)) = value.get("external_tablespaces") else {
            return Err(bad("the file has no list external_tablespaces".to_owned()));
        };
        let text = |entry: &Value, key: &str| entry.get(key)?.as_str().map(str::to_owned);
        let entry = |(number, entry): (usize, &Value)| {
            let missing = |key: &str| bad(format!("tablespace {number} of the list has no {key}"));
            Ok(Self {
                file_name: text(entry, "file_name").ok_or_else(|| missing("file_name"))?,
                tablespace_name: text(entry, "tablespace_name")
                    .ok_or_else(|| missing("tablespace_name"))?,
                tablespace_type: text(entry, "tablespace_type")
                    .unwrap_or_else(|| "TABLESPACE".to_owned()),
            })
        };
        (1..).zip(list).map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `mariabackup` 10.11.19 wrote it.
    const MARIADB: &str = "# This options file was generated by innobackupex.\n\n# The server\n\
        [mysqld]\ninnodb_checksum_algorithm=crc32\n\
        innodb_data_file_path=ibdata1:12M:autoextend\ninnodb_log_file_size=8388608\n\
        innodb_page_size=16384\ninnodb_undo_directory=./\ninnodb_undo_tablespaces=0\n\
        innodb_compression_level=6\n\n\n";

    #[test]
    fn settings_are_read() {
        let config = BackupConfig::parse(MARIADB.as_bytes()).unwrap();
        assert_eq!((config.page_size, config.redo_file_size), (Some(16384), Some(8 << 20)));
        assert_eq!(config.settings.len(), 7);
        assert_eq!(config.system_files(), ["ibdata1"]);
        let config = BackupConfig::parse(
            b"[client]\nport=1\n[mysqld]\ninnodb-data-file-path=\"/a/ibd1:10M;../b/ibd2:1G:max\"\n\
              skip-name-resolve\nplugin_load=a\nplugin_load=b\n",
        )
        .unwrap();
        assert_eq!(config.system_files(), ["ibd1", "ibd2"]);
        assert_eq!(config.setting("plugin_load"), Some("b"));
        assert_eq!(config.setting("port"), None);
    }

    #[test]
    fn what_is_no_option_file_is_refused() {
        for (text, said) in [
            ("", "empty"),
            ("[mysqld]\n=x\n", "line 2"),
            ("[mysqld]\na b=x\n", "line 2"),
            ("innodb_page_size=1\n", "no group"),
            ("[mysqld]\ninnodb_page_size=16k\n", "no number for innodb_page_size"),
        ] {
            let error = BackupConfig::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{text:?}");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn external_tablespaces_are_read() {
        let text = r#"{"version":2,"external_tablespaces":[{"file_name":"/abs/orig.ibd",
            "tablespace_name":"db/t1"},{"file_name":"/u.ibu","tablespace_name":"u",
            "tablespace_type":"UNDO_LOG"}]}"#;
        let list = ExternalTablespace::parse_list(text.as_bytes()).unwrap();
        assert_eq!(list[0].tablespace_type, "TABLESPACE");
        assert_eq!(list[1].file_name, "/u.ibu");
        for (text, kind) in [
            ("", ErrorKind::Format),
            ("[]", ErrorKind::Format),
            (r#"{"version":3,"external_tablespaces":[]}"#, ErrorKind::Unsupported),
            (r#"{"version":2}"#, ErrorKind::Format),
            (r#"{"version":2,"external_tablespaces":[{}]}"#, ErrorKind::Format),
        ] {
            let error = ExternalTablespace::parse_list(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{text}");
        }
    }
}
