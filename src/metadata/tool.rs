//! `*_info`.

use std::fmt::{self, Display};

use super::position::BinlogPosition;
use super::text::{bad_line, empty, key_value, number, shown};
use crate::error::Result;

/// What `*_info` says. Which lines there are depends on the program that wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolInfo {
    /// `uuid`: of this backup.
    pub uuid: Option<String>,
    /// `name`: what `--history` called it; empty without.
    pub name: Option<String>,
    /// `tool_name`: what the program was called as.
    pub tool_name: Option<String>,
    /// `tool_command`: its arguments, secrets masked by the program.
    pub tool_command: Option<String>,
    /// `tool_version`
    pub tool_version: Option<String>,
    /// `ibbackup_version`: the same, for old readers.
    pub ibbackup_version: Option<String>,
    /// `server_version`: as `SELECT VERSION()` gave it.
    pub server_version: Option<String>,
    /// `server_flavor`, of the newest XtraBackup.
    pub server_flavor: Option<String>,
    /// `start_time`, `YYYY-MM-DD HH:MM:SS`, in the zone of the machine.
    pub start_time: Option<String>,
    /// `end_time`, likewise.
    pub end_time: Option<String>,
    /// `lock_time`, in seconds; negative if the clock was set back.
    pub lock_time: Option<i64>,
    /// `binlog_pos`, as it stands there; see [`ToolInfo::binlog_position`].
    pub binlog_pos: Option<String>,
    /// `innodb_from_lsn`
    pub innodb_from_lsn: Option<u64>,
    /// `innodb_to_lsn`
    pub innodb_to_lsn: Option<u64>,
    /// `partial`: whether tables or databases were selected.
    pub partial: Option<bool>,
    /// `incremental`
    pub incremental: Option<bool>,
    /// `format`: `file`, `tar`, `xbstream`, or `mbstream`, as MariaDB calls the same.
    pub format: Option<String>,
    /// `compact`, of XtraBackup 2.x.
    pub compact: Option<bool>,
    /// `compressed`
    pub compressed: Option<bool>,
    /// `encrypted`, not of MariaDB.
    pub encrypted: Option<bool>,
    /// `lock_ddl_type`, of the newest XtraBackup.
    pub lock_ddl_type: Option<String>,
}

impl ToolInfo {
    /// Reads the file. A line that begins with no key continues the one before, as GTIDs of
    /// XtraBackup 2.4 do; keys that are not known are passed over. Bytes that are no UTF-8, which
    /// an argument may have, become U+FFFD.
    ///
    /// # Errors
    /// `Format` if the file is empty or has no key in its first line, and for a known key whose
    /// value is no number or no yes or no.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return Err(empty());
        }
        let mut info = Self::default();
        for (line, key, value) in entries(&text)? {
            info.set(line, key, value)?;
        }
        Ok(info)
    }

    /// The position in `binlog_pos`, if it has the form that is known:
    /// `filename 'F', position 'N', GTID of the last change 'G'`.
    pub fn binlog_position(&self) -> Option<BinlogPosition> {
        let rest = self.binlog_pos.as_deref()?.strip_prefix("filename '")?;
        let (file, rest) = rest.split_once("', position ")?;
        let rest = rest.strip_prefix('\'').unwrap_or(rest);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (position, rest) = rest.split_at_checked(digits)?;
        let gtid = rest
            .split_once("GTID of the last change '")
            .map(|(_, gtid)| gtid.strip_suffix('\'').unwrap_or(gtid));
        BinlogPosition::new(file, position.parse().ok()?, gtid)
    }

    fn set(&mut self, line: usize, key: &str, value: String) -> Result<()> {
        match key {
            "uuid" => self.uuid = Some(value),
            "name" => self.name = Some(value),
            "tool_name" => self.tool_name = Some(value),
            "tool_command" => self.tool_command = Some(value),
            "tool_version" => self.tool_version = Some(value),
            "ibbackup_version" => self.ibbackup_version = Some(value),
            "server_version" => self.server_version = Some(value),
            "server_flavor" => self.server_flavor = Some(value),
            "start_time" => self.start_time = Some(value),
            "end_time" => self.end_time = Some(value),
            "lock_time" => self.lock_time = Some(number(line, key, &value)?),
            "binlog_pos" => self.binlog_pos = Some(value),
            "innodb_from_lsn" => self.innodb_from_lsn = Some(number(line, key, &value)?),
            "innodb_to_lsn" => self.innodb_to_lsn = Some(number(line, key, &value)?),
            "partial" => self.partial = Some(yes_no(line, key, &value)?),
            "incremental" => self.incremental = Some(yes_no(line, key, &value)?),
            "format" => self.format = Some(value),
            "compact" => self.compact = Some(yes_no(line, key, &value)?),
            "compressed" => self.compressed = Some(yes_no(line, key, &value)?),
            "encrypted" => self.encrypted = Some(yes_no(line, key, &value)?),
            "lock_ddl_type" => self.lock_ddl_type = Some(value),
            _ => {}
        }
        Ok(())
    }
}

/// The keys and values of the file, and the lines they begin in.
fn entries(text: &str) -> Result<Vec<(usize, &str, String)>> {
    let mut entries: Vec<(usize, &str, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let begins = line.split_once(" =").filter(|(key, rest)| {
            key.starts_with(|c: char| c.is_ascii_lowercase())
                && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && (rest.is_empty() || rest.starts_with(' '))
        });
        match (begins.and_then(|_| key_value(line)), entries.last_mut()) {
            (Some((key, value)), _) => entries.push((number, key, value.to_owned())),
            (None, Some((_, _, value))) => {
                value.push('\n');
                value.push_str(line);
            }
            (None, None) if line.trim().is_empty() => {}
            (None, None) => return Err(bad_line(number, "is no \"key = value\"")),
        }
    }
    for (_, _, value) in &mut entries {
        value.truncate(value.trim_end().len());
    }
    Ok(entries)
}

/// `Y` or `N`; where it says what was done, `compressed` or `encrypted` for yes.
fn yes_no(line: usize, key: &str, value: &str) -> Result<bool> {
    match value {
        "Y" => Ok(true),
        "N" => Ok(false),
        _ if value == key => Ok(true),
        _ => Err(bad_line(line, format!("has neither Y nor N for {key}: {}", shown(value)))),
    }
}

/// The file, in the programs' order.
impl Display for ToolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let yes = |value: Option<bool>| value.map(|yes| if yes { "Y" } else { "N" }.to_owned());
        let done =
            |value: Option<bool>| value.map(|yes| if yes { "compressed" } else { "N" }.to_owned());
        for (key, value) in [
            ("uuid", self.uuid.clone()),
            ("name", self.name.clone()),
            ("tool_name", self.tool_name.clone()),
            ("tool_command", self.tool_command.clone()),
            ("tool_version", self.tool_version.clone()),
            ("ibbackup_version", self.ibbackup_version.clone()),
            ("server_version", self.server_version.clone()),
            ("server_flavor", self.server_flavor.clone()),
            ("start_time", self.start_time.clone()),
            ("end_time", self.end_time.clone()),
            ("lock_time", self.lock_time.map(|seconds| seconds.to_string())),
            ("binlog_pos", self.binlog_pos.clone()),
            ("innodb_from_lsn", number(self.innodb_from_lsn)),
            ("innodb_to_lsn", number(self.innodb_to_lsn)),
            ("partial", yes(self.partial)),
            ("incremental", yes(self.incremental)),
            ("format", self.format.clone()),
            ("compact", yes(self.compact)),
            ("compressed", done(self.compressed)),
            ("encrypted", yes(self.encrypted)),
            ("lock_ddl_type", self.lock_ddl_type.clone()),
        ] {
            if let Some(value) = value {
                writeln!(f, "{key} = {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// As `mariabackup` 10.11.19 wrote it.
    const MARIADB: &str = "uuid = c55459cd-e6a1-11f1-b440-02fc00000001\nname = \n\
        tool_name = mariabackup\ntool_command = --no-defaults --backup --user=root\n\
        tool_version = 10.11.19-MariaDB\nibbackup_version = 10.11.19-MariaDB\n\
        server_version = 10.11.19-MariaDB-0+deb12u1-log\nstart_time = 2026-11-22 18:23:09\n\
        end_time = 2026-11-22 18:23:09\nlock_time = 0\n\
        binlog_pos = filename 'mybin.000001', position '1499', GTID of the last change '0-7-7'\n\
        innodb_from_lsn = 0\ninnodb_to_lsn = 44420\npartial = N\nincremental = N\n\
        format = xbstream\ncompressed = N\n";

    #[test]
    fn what_is_read_is_rendered_byte_for_byte() {
        let info = ToolInfo::parse(MARIADB.as_bytes()).unwrap();
        assert_eq!(info.to_string(), MARIADB);
        let position = info.binlog_position().unwrap();
        assert_eq!(
            (position.file.as_str(), position.position, position.gtid.as_deref()),
            ("mybin.000001", 1499, Some("0-7-7"))
        );
    }

    #[test]
    fn a_gtid_of_several_lines_belongs_to_its_position() {
        let text = "uuid = u\nbinlog_pos = filename 'b.1', position '4', GTID of the last change \
                    'aa:1-5,\nbb:1-7'\ninnodb_from_lsn = 1\n";
        let info = ToolInfo::parse(text.as_bytes()).unwrap();
        assert_eq!(info.innodb_from_lsn, Some(1));
        assert_eq!(info.binlog_position().unwrap().gtid.as_deref(), Some("aa:1-5,bb:1-7"));
        assert_eq!(info.to_string(), text);
    }

    #[test]
    fn positions_of_other_forms_are_unknown() {
        for (text, known) in [
            ("filename 'a', position 104", true),
            ("filename 'a', position '104'", true),
            ("", false),
            ("filename 'a'", false),
            ("filename 'a', position 'x'", false),
            ("filename 'a', position '99999999999999999999'", false),
        ] {
            let info = ToolInfo { binlog_pos: Some(text.to_owned()), ..ToolInfo::default() };
            assert_eq!(info.binlog_position().is_some(), known, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_by_line() {
        for (text, said) in [
            ("", "empty"),
            ("hello\n", "line 1 is no"),
            ("uuid = x\ninnodb_to_lsn = many\n", "line 2 has no number for innodb_to_lsn"),
            ("partial = maybe\n", "neither Y nor N for partial"),
            ("lock_time = \n", "no number"),
        ] {
            let error = ToolInfo::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{text:?}");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
        let info = ToolInfo::parse(b"tool_command = --x=\xff\nfuture_key = 1\n").unwrap();
        assert_eq!(info.tool_command.as_deref(), Some("--x=\u{fffd}"));
    }
}
