//! `*_slave_info`.

use super::text::{empty, shown, utf8};
use crate::error::{Error, ErrorKind, Result};

/// What `*_slave_info` says: the statements that make the restored server a replica of the same
/// source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaInfo {
    /// The statements as they stand there.
    pub statements: String,
    /// `gtid_purged` of MySQL, without line feeds.
    pub gtid_purged: Option<String>,
    /// `gtid_slave_pos` of MariaDB, without line feeds.
    pub gtid_slave_pos: Option<String>,
    /// The connections to sources, one at least or a GTID.
    pub channels: Vec<ReplicaChannel>,
}

/// A connection to a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaChannel {
    /// The channel (MySQL) or connection (MariaDB), if it has a name.
    pub name: Option<String>,
    /// Where it goes on.
    pub position: ReplicaPosition,
}

/// Where a connection goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaPosition {
    /// By GTID.
    #[default]
    Gtid,
    /// At a place of the source's binary log.
    Log {
        /// The file.
        file: String,
        /// The offset in it, in bytes.
        position: u64,
    },
}

impl ReplicaInfo {
    /// Reads the file: `SET GLOBAL gtid_purged` or `gtid_slave_pos`, and `CHANGE MASTER` (or
    /// `CHANGE REPLICATION SOURCE`), with or without semicolons.
    ///
    /// # Errors
    /// `Format` for a string without end, a statement that is none of these, and a file without any.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = utf8(bytes)?;
        if text.trim().is_empty() {
            return Err(empty());
        }
        let tokens = tokens(text)?;
        let mut info = Self { statements: text.to_owned(), ..Self::default() };
        for statement in statements(&tokens) {
            info.take(statement)?;
        }
        Ok(info)
    }

    fn take(&mut self, statement: &[Token]) -> Result<()> {
        let refuse = || {
            let begin: Vec<&str> = statement.iter().take(4).map(Token::text).collect();
            Err(Error::new(
                ErrorKind::Format,
                format!("a statement is not known: {}", shown(&begin.join(" "))),
            ))
        };
        let Some(first) = statement.first() else { return Ok(()) };
        if first.is("SET") {
            for name in ["gtid_purged", "gtid_slave_pos"] {
                if let Some(value) = value_of(statement, &[name]) {
                    let value = value.split_whitespace().collect();
                    let place = match name {
                        "gtid_purged" => &mut self.gtid_purged,
                        _ => &mut self.gtid_slave_pos,
                    };
                    *place = Some(value);
                    return Ok(());
                }
            }
            return refuse();
        }
        if !first.is("CHANGE") {
            return refuse();
        }
        let file = value_of(statement, &["MASTER_LOG_FILE", "SOURCE_LOG_FILE"]);
        let offset = value_of(statement, &["MASTER_LOG_POS", "SOURCE_LOG_POS"]);
        let by_gtid = value_of(
            statement,
            &["MASTER_AUTO_POSITION", "SOURCE_AUTO_POSITION", "MASTER_USE_GTID"],
        );
        let position = match (file, offset.and_then(|offset| offset.parse().ok()), by_gtid) {
            (Some(file), Some(position), _) => {
                ReplicaPosition::Log { file: file.to_owned(), position }
            }
            (None, None, Some(_)) => ReplicaPosition::Gtid,
            _ => return refuse(),
        };
        // MariaDB names the connection before TO, MySQL the channel at the end.
        let connection = statement.get(2).filter(|token| token.quoted);
        let channel = statement
            .iter()
            .position(|token| token.is("CHANNEL"))
            .and_then(|at| statement.get(at + 1))
            .filter(|token| token.quoted);
        let name = connection.or(channel).map(|token| token.text.clone());
        let name = name.filter(|name| !name.is_empty());
        self.channels.push(ReplicaChannel { name, position });
        Ok(())
    }
}

/// A word, a number, a string or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    quoted: bool,
}

impl Token {
    fn text(&self) -> &str {
        &self.text
    }

    fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }
}

/// The value that one of these names is set to.
fn value_of<'t>(statement: &'t [Token], names: &[&str]) -> Option<&'t str> {
    statement.windows(3).find_map(|three| match three {
        [name, sign, value] if sign.is("=") && names.iter().any(|known| name.is(known)) => {
            Some(value.text())
        }
        _ => None,
    })
}

/// Splits where a statement ends, or where the word stands that begins one.
fn statements(tokens: &[Token]) -> Vec<&[Token]> {
    let mut all = Vec::new();
    for part in tokens.split(|token| token.is(";")) {
        let mut rest = part;
        while !rest.is_empty() {
            let next = rest
                .iter()
                .skip(1)
                .position(|token| token.is("SET") || token.is("CHANGE"))
                .map_or(rest.len(), |at| at + 1);
            let (statement, behind) = rest.split_at(next);
            all.push(statement);
            rest = behind;
        }
    }
    all
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, behind) = match first {
            '\'' | '"' => string(rest, first)?,
            ';' | '=' | ',' | '@' | '.' => {
                let (sign, behind) = rest.split_at(1);
                (Token { text: sign.to_owned(), quoted: false }, behind)
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, ';' | '=' | ',' | '\'' | '"');
                let end = rest.find(ends).unwrap_or(rest.len()).max(first.len_utf8());
                let (word, behind) = rest.split_at(end);
                (Token { text: word.to_owned(), quoted: false }, behind)
            }
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

/// A string and what follows it. A backslash or a second quote escapes.
fn string(text: &str, quote: char) -> Result<(Token, &str)> {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => content.extend(chars.next().map(|(_, escaped)| escaped)),
            _ if c == quote && chars.peek().is_some_and(|(_, next)| *next == quote) => {
                content.push(quote);
                chars.next();
            }
            _ if c == quote => {
                let behind = text.get(at + 1..).unwrap_or_default();
                return Ok((Token { text: content, quoted: true }, behind));
            }
            _ => content.push(c),
        }
    }
    Err(Error::new(ErrorKind::Format, format!("a string has no end: {}", shown(text)))
        .hint("the file was damaged or cut"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(file: &str, position: u64) -> ReplicaPosition {
        ReplicaPosition::Log { file: file.to_owned(), position }
    }

    /// The forms of 2.3, 2.4, 8.x and MariaDB.
    #[test]
    fn all_forms_are_read() {
        for (text, purged, slave_pos, channels) in [
            (
                "CHANGE MASTER TO MASTER_LOG_FILE='m.7', MASTER_LOG_POS=45\n",
                None,
                None,
                vec![(None, log("m.7", 45))],
            ),
            (
                "SET GLOBAL gtid_purged='aa:1-5,\nbb:1-2';\nCHANGE MASTER TO \
                 MASTER_AUTO_POSITION=1;\n",
                Some("aa:1-5,bb:1-2"),
                None,
                vec![(None, ReplicaPosition::Gtid)],
            ),
            (
                "SET GLOBAL gtid_purged='aa:1-5';\nCHANGE MASTER TO MASTER_AUTO_POSITION=1\n",
                Some("aa:1-5"),
                None,
                vec![(None, ReplicaPosition::Gtid)],
            ),
            (
                "CHANGE MASTER TO MASTER_LOG_FILE='a', MASTER_LOG_POS=1 FOR CHANNEL 'one';\n\
                 CHANGE MASTER TO MASTER_LOG_FILE='b', MASTER_LOG_POS=2 FOR CHANNEL '';\n",
                None,
                None,
                vec![(Some("one"), log("a", 1)), (None, log("b", 2))],
            ),
            (
                "SET GLOBAL gtid_slave_pos = '0-1-2,1-3-4';\nCHANGE MASTER 'conn' TO \
                 master_use_gtid = slave_pos;\nCHANGE MASTER TO MASTER_LOG_FILE='b', \
                 MASTER_LOG_POS=2;\n",
                None,
                Some("0-1-2,1-3-4"),
                vec![(Some("conn"), ReplicaPosition::Gtid), (None, log("b", 2))],
            ),
            (
                "CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='it''s', SOURCE_LOG_POS=2;",
                None,
                None,
                vec![(None, log("it's", 2))],
            ),
        ] {
            let info = ReplicaInfo::parse(text.as_bytes()).unwrap();
            assert_eq!(info.gtid_purged.as_deref(), purged, "{text}");
            assert_eq!(info.gtid_slave_pos.as_deref(), slave_pos, "{text}");
            let found: Vec<_> = info
                .channels
                .iter()
                .map(|channel| (channel.name.as_deref(), channel.position.clone()))
                .collect();
            assert_eq!(found, channels, "{text}");
        }
    }

    #[test]
    fn what_is_no_such_statement_is_refused() {
        for (text, said) in [
            ("", "empty"),
            ("CHANGE MASTER TO MASTER_LOG_FILE='m", "no end"),
            ("CHANGE MASTER TO MASTER_LOG_FILE='m'\n", "not known"),
            ("CHANGE MASTER TO MASTER_LOG_POS=x\n", "not known"),
            ("DROP TABLE t;\n", "not known: \"DROP TABLE t\""),
            ("SET GLOBAL other='x';", "not known"),
        ] {
            let error = ReplicaInfo::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{text:?}");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
    }
}
