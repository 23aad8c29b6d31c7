//! A limit on how fast data files are read, so that the server keeps its share of the disk.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Bytes a second, for all readers together; or no limit.
#[derive(Debug)]
pub(super) struct Throttle {
    rate: Option<u64>,
    /// When the bytes that were taken so far are paid for.
    paid: Mutex<Option<Instant>>,
}

impl Throttle {
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { rate: rate.filter(|rate| *rate > 0), paid: Mutex::new(None) }
    }

    /// Waits until `bytes` more may be read.
    pub(super) fn take(&self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let now = Instant::now();
        let wait = {
            let mut paid = self.paid.lock();
            let begin = paid.map_or(now, |paid| paid.max(now));
            *paid = Some(begin + cost);
            begin.saturating_duration_since(now)
        };
        std::thread::sleep(wait);
    }
}
