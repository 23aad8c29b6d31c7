//! Bytes that nobody can foretell.

use crate::error::{Error, ErrorKind, Result};

/// Fills `bytes` from the operating system's generator.
pub(crate) fn fill<const N: usize>(bytes: &mut [u8; N]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(ErrorKind::Source, format!("the system gives no random bytes: {error}"))
    })
}
