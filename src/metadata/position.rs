//! `*_binlog_info` and `*_galera_info`.

use std::fmt::{self, Display};

use super::text::{bad_line, empty, shown, utf8};
use crate::error::Result;

/// A place in a binary log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BinlogPosition {
    /// The log's file name.
    pub file: String,
    /// The offset in it, in bytes.
    pub position: u64,
    /// The GTID or set of GTIDs at that place, without line feeds.
    pub gtid: Option<String>,
}

impl BinlogPosition {
    /// A position; line feeds are taken out of the GTID. `None` for a name that is none.
    pub fn new(file: &str, position: u64, gtid: Option<&str>) -> Option<Self> {
        if file.is_empty() || file.contains(char::is_control) {
            return None;
        }
        let gtid = gtid.map(|gtid| gtid.split(['\n', '\r']).map(str::trim).collect::<String>());
        let gtid = gtid.filter(|gtid| !gtid.is_empty() && gtid != "[]");
        Some(Self { file: file.to_owned(), position, gtid })
    }
}

/// What `*_binlog_info` says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BinlogInfo {
    /// A position for each line, at least one. Some versions of MariaDB write a line for each
    /// log that they copied; the backup's position is the last one.
    pub positions: Vec<BinlogPosition>,
}

impl BinlogInfo {
    /// The backup's position.
    pub fn last(&self) -> Option<&BinlogPosition> {
        self.positions.last()
    }

    /// Reads the file: `file TAB position [TAB gtid] LF`, where XtraBackup 2.4 leaves line feeds
    /// in the GTID.
    ///
    /// # Errors
    /// `Format` for an empty file, and for a line that is neither a position nor continues a GTID.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = utf8(bytes)?;
        if text.trim().is_empty() {
            return Err(empty());
        }
        let mut raw: Vec<(&str, u64, Option<String>)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            match (fields(line), raw.last_mut()) {
                (Some((file, position, gtid)), _) => {
                    raw.push((file, position, gtid.map(str::to_owned)));
                }
                (None, Some((_, _, Some(gtid)))) if !line.contains('\t') => {
                    gtid.push('\n');
                    gtid.push_str(line);
                }
                _ if line.trim().is_empty() => {}
                _ => {
                    let why = format!("is no position in a binary log: {}", shown(line));
                    return Err(bad_line(number, why));
                }
            }
        }
        let positions = raw
            .into_iter()
            .filter_map(|(file, position, gtid)| {
                BinlogPosition::new(file, position, gtid.as_deref())
            })
            .collect();
        Ok(Self { positions })
    }
}

/// `file TAB position [TAB gtid]`.
fn fields(line: &str) -> Option<(&str, u64, Option<&str>)> {
    let mut fields = line.splitn(3, '\t');
    let file = fields.next().filter(|file| !file.is_empty() && !file.contains(char::is_control))?;
    let position = fields.next()?.trim().parse().ok()?;
    Some((file, position, fields.next()))
}

/// The file, with a GTID in one line.
impl Display for BinlogInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in &self.positions {
            match &at.gtid {
                Some(gtid) => writeln!(f, "{}\t{}\t{gtid}", at.file, at.position)?,
                None => writeln!(f, "{}\t{}", at.file, at.position)?,
            }
        }
        Ok(())
    }
}

/// What `*_galera_info` says: a position in the history of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GaleraInfo {
    /// The history's UUID, `wsrep_local_state_uuid`.
    pub uuid: String,
    /// The last transaction, `wsrep_last_committed`; -1 if there is none.
    pub seqno: i64,
    /// `wsrep_gtid_domain_id`, of newer MariaDB.
    pub domain: Option<u32>,
}

impl GaleraInfo {
    /// Reads the file: `uuid:seqno[ domain] LF`.
    ///
    /// # Errors
    /// `Format` if it is anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = utf8(bytes)?;
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let line = lines.next().ok_or_else(empty)?;
        if lines.next().is_some() {
            return Err(bad_line(2, "follows the position"));
        }
        Self::of_line(line.trim()).ok_or_else(|| {
            bad_line(1, format!("is no position of a Galera cluster: {}", shown(line)))
        })
    }

    fn of_line(line: &str) -> Option<Self> {
        let (uuid, rest) = line.split_once(':')?;
        let is_uuid = uuid.len() == 36
            && uuid.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        let (seqno, domain) = match rest.split_once(' ') {
            Some((seqno, domain)) => (seqno, Some(domain.trim().parse().ok()?)),
            None => (rest, None),
        };
        is_uuid.then_some(Self { uuid: uuid.to_owned(), seqno: seqno.parse().ok()?, domain })
    }
}

/// The file.
impl Display for GaleraInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uuid, self.seqno)?;
        if let Some(domain) = self.domain {
            write!(f, " {domain}")?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn positions_are_read_and_rendered() {
        for text in ["mybin.000001\t4783308\t0-7-15\n", "bin.1\t4\n", "a\t1\nb\t2\t0-1-2\n"] {
            assert_eq!(BinlogInfo::parse(text.as_bytes()).unwrap().to_string(), text);
        }
    }

    /// As XtraBackup 2.4 writes `Executed_Gtid_Set`: with its line feeds.
    #[test]
    fn a_gtid_set_may_have_line_feeds() {
        let info = BinlogInfo::parse(b"bin.3\t194\ta1-b:1-5,\nc2-d:1-9,\ne3-f:7\n").unwrap();
        assert_eq!(info.positions.len(), 1);
        assert_eq!(info.last().unwrap().gtid.as_deref(), Some("a1-b:1-5,c2-d:1-9,e3-f:7"));
    }

    /// As MariaDB's Galera donors write it: all logs that were copied, the position last.
    #[test]
    fn of_several_logs_the_last_is_the_position() {
        let info = BinlogInfo::parse(b"b.1\t320\t[]\nb.2\t77\t[]\nb.3\t389\t0-1-5\n").unwrap();
        assert_eq!(info.positions.len(), 3);
        assert_eq!(info.positions[0].gtid, None);
        let last = info.last().unwrap();
        assert_eq!((last.file.as_str(), last.position), ("b.3", 389));
        assert_eq!(last.gtid.as_deref(), Some("0-1-5"));
    }

    #[test]
    fn what_is_no_position_is_refused_by_line() {
        for (text, said) in [
            ("", "empty"),
            ("\n", "empty"),
            ("bin.1\n", "line 1 is no position"),
            ("bin.1\tx\n", "line 1"),
            ("\t4\n", "line 1"),
            ("bin.1\t4\nmore\n", "line 2"),
            ("bin.1\t-4\n", "line 1"),
            ("bin.1\t4\tg\na\tb\tc\n", "line 2"),
        ] {
            let error = BinlogInfo::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{text:?}");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn galera_positions_are_read_and_rendered() {
        let uuid = "70a4aaee-e6a1-11f1-b440-02fc00000001";
        for (rest, seqno, domain) in [("12", 12, None), ("-1", -1, None), ("7 3", 7, Some(3))] {
            let text = format!("{uuid}:{rest}\n");
            let info = GaleraInfo::parse(text.as_bytes()).unwrap();
            assert_eq!((info.seqno, info.domain), (seqno, domain));
            assert_eq!(info.to_string(), text);
        }
        for text in ["", "x:1\n", "70a4aaee-e6a1-11f1-b440-02fc00000001\n"] {
            assert!(GaleraInfo::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(GaleraInfo::parse(format!("{uuid}:1\n{uuid}:2\n").as_bytes()).is_err());
        assert!(GaleraInfo::parse(format!("{uuid}:1 x\n").as_bytes()).is_err());
    }
}
