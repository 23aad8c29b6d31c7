//! Signals that ask the process to end, turned into a cancelled job.

use std::fs;
use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use xbkit::{CancelToken, Error, ErrorKind, Result};

/// A token that SIGINT, SIGTERM and SIGHUP set, so that a job can tidy up before the process ends.
///
/// A signal that the process was started to ignore stays ignored: under `nohup`, or in the
/// background of a script, a backup must outlive the terminal.
pub(crate) fn token() -> Result<CancelToken> {
    let token = CancelToken::new()?;
    let wanted: Vec<i32> = {
        let ignored = ignored_at_start();
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_in(ignored, *signal)).collect()
    };
    let mut signals = Signals::new(wanted).map_err(cannot_handle)?;
    let handle = token.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                handle.cancel();
            }
        })
        .map_err(cannot_handle)?;
    Ok(token)
}

fn cannot_handle(error: io::Error) -> Error {
    Error::io(ErrorKind::Source, "cannot install signal handlers", error)
}

/// The mask of signals that this process ignores, from the kernel; none where it cannot be told.
fn ignored_at_start() -> u64 {
    fs::read_to_string("/proc/self/status").map_or(0, |status| ignored_in(&status))
}

fn ignored_in(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(mask: u64, signal: i32) -> bool {
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|m| m & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let mask = ignored_in("Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n");
        assert!(is_in(mask, SIGHUP));
        assert!(!is_in(mask, SIGINT));
        assert!(!is_in(mask, SIGTERM));
        assert_eq!(ignored_in("nothing"), 0);
    }
}
