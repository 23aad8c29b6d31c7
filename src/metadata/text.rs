//! Lines of text, and errors that say which one is wrong.

use crate::error::{Error, ErrorKind, Result};

/// The error of a line that is not what its file has there. Lines count from 1.
pub(super) fn bad_line(number: usize, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Format, format!("line {number} {why}"))
        .hint("the file was damaged or cut, or a program wrote it that xbkit does not know")
}

/// Text of a file whose values are all of ASCII or UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::new(ErrorKind::Format, "the file is not UTF-8").at_file(error.valid_up_to() as u64)
    })
}

/// The error of a file that says nothing at all.
pub(super) fn empty() -> Error {
    Error::new(ErrorKind::Format, "the file is empty")
        .hint("the backup was cut, or its disk was full when the file was written")
}

/// A value, quoted for a message: no more of it than helps.
pub(super) fn shown(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("\"{}{more}\"", short.escape_debug())
}

/// `key = value`, with any white space around the sign.
pub(super) fn key_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!key.is_empty() && key.chars().all(plain)).then_some((key, value.trim()))
}

/// A number of a line.
pub(super) fn number<T: std::str::FromStr>(line: usize, key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| bad_line(line, format!("has no number for {key}: {}", shown(value))))
}
