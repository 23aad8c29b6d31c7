//! The golden streams of `tests/data/xbstream`, as the program that makes them.

use xbkit::ErrorKind;

use super::tree::Files;

mod bad;
mod good;

/// A golden stream.
pub(crate) struct Golden {
    /// File name without suffix. `good-` is accepted, `bad-` is refused.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) shows: &'static str,
    pub(crate) stream: Vec<u8>,
    /// The files that it makes, or why and where it is refused.
    pub(crate) outcome: Result<Files, (ErrorKind, u64)>,
}

/// All of them, in the order of their names.
pub(crate) fn all() -> Vec<Golden> {
    let mut all = good::all();
    all.extend(bad::all());
    all.sort_by_key(|golden| golden.name);
    all
}
