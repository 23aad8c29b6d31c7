//! Each byte of pages of every layout and size, damaged one at a time.
//!
//! That are 4 million checks of whole pages, and some sums take 100 µs for one. So the library's own
//! files are compiled here once more, by themselves, as fast code: in a debug build of everything the
//! test took minutes.

#![cfg(test)]
#![expect(dead_code, reason = "the library, and other tests, have more uses for these files")]

#[expect(clippy::cast_possible_truncation, reason = "pages are small, and sums are cut to 32 bits")]
#[path = "../common/pages.rs"]
mod samples;

pub mod innodb;
#[path = "../../src/pages.rs"]
pub mod pages;

use std::io::Read as _;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use innodb::page::{Layout, Role};
use pages::Verdict;
use samples::{PAGE, Sample};

/// Bytes of a page that one thread damages in one go.
const STRETCH: usize = 512;

/// Pages up to this size are damaged in two ways in each byte, larger ones in one.
const SMALL: usize = 16 << 10;

#[test]
fn each_byte_of_each_layout_is_noticed_or_known_to_be_free() {
    let samples = samples::all();
    let mut stretches: Vec<(&Sample, Range<usize>)> = Vec::new();
    for sample in &samples {
        let len = sample.page.len();
        let begins = (0..len).step_by(STRETCH);
        stretches.extend(begins.map(|begin| (sample, begin..len.min(begin + STRETCH))));
    }
    let bytes: usize = stretches.iter().map(|(_, stretch)| stretch.len()).sum();
    assert_eq!(bytes, samples.iter().map(|sample| sample.page.len()).sum::<usize>());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((sample, stretch)) =
                    stretches.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    damage_each_byte(sample, stretch.clone());
                }
            });
        }
    });
}

fn damage_each_byte(sample: &Sample, stretch: Range<usize>) {
    let layout = Layout::of(&sample.page0, Role::Own).unwrap();
    let plain = &sample.page;
    let mut page = plain.clone();
    let is_whole = !matches!(layout.check(PAGE.into(), &page), Verdict::Bad(_));
    assert!(is_whole, "{}", sample.name);
    for at in stretch {
        let is_free = sample.free.iter().any(|(from, to)| (*from..*to).contains(&at));
        let others = [plain[at] ^ (1 << (at % 8)), plain[at] ^ 0xff];
        let ways = if page.len() <= SMALL { 2 } else { 1 };
        for other in others.into_iter().take(ways) {
            page[at] = other;
            let verdict = layout.check(PAGE.into(), &page);
            let what = || format!("{}, byte {at} is {other:#x}: {verdict:?}", sample.name);
            match verdict {
                Verdict::Bad(_) => assert!(!is_free, "{}", what()),
                // Two ways to say the same in LZ4, spare bits in zlib: what it unpacks to counts.
                _ if !is_free => assert!(unpacks_alike(plain, &page), "{}", what()),
                _ => {}
            }
            page[at] = plain[at];
        }
    }
}

fn unpacks_alike(one: &[u8], other: &[u8]) -> bool {
    let unpack = |page: &[u8]| {
        let len = usize::from(u16::from_be_bytes([page[32], page[33]]));
        let (data, size) = (&page[38..38 + len], page.len() - 38);
        match page[27] {
            1 => {
                let mut plain = Vec::new();
                flate2::read::ZlibDecoder::new(data).read_to_end(&mut plain).unwrap();
                Some(plain)
            }
            2 => lz4_flex::block::decompress(data, size).ok(),
            _ => None,
        }
    };
    unpack(one).is_some_and(|plain| Some(plain) == unpack(other))
}
