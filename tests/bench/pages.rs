//! Page checks: GB/s of one core, on pages of 16 KiB, as a Markdown table. The target is 3.

use std::hint::black_box;
use std::time::Instant;

use xbkit::innodb::page::{Layout, Role};

const PAGE: usize = 16 << 10;
const PAGES: usize = 2048;

fn put(page: &mut [u8], at: usize, value: u32) {
    if let Some(room) = page.get_mut(at..at + 4) {
        room.copy_from_slice(&value.to_be_bytes());
    }
}

/// Pages of noise, always the same.
fn pages() -> Vec<u8> {
    let mut seed = 1_u64;
    let byte = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8 & 0x7f
    };
    std::iter::repeat_with(byte).take(PAGE * PAGES).collect()
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "this is its output")]
fn main() {
    let mut file = pages();
    println!("| layout | GB/s |\n|---|---:|");
    for (name, flags, at) in [("full_crc32", 0x15, PAGE - 4), ("crc32", 0x21, 0)] {
        let mut page0 = vec![0; 64];
        for (at, value) in [(34, 7), (38, 7), (46, 9), (54, flags)] {
            put(&mut page0, at, value);
        }
        let Some(layout) = Layout::of(&page0, Role::Own) else { continue };
        for (index, page) in (0..).zip(file.chunks_exact_mut(PAGE)) {
            seal(&layout, index, page, at, flags == 0x21);
        }
        let mut best = 0_f64;
        for _ in 0..20 {
            let begin = Instant::now();
            for (index, page) in (0..).zip(file.chunks_exact(PAGE)) {
                black_box(layout.check(index, page));
            }
            best = best.max((PAGE * PAGES) as f64 / begin.elapsed().as_secs_f64() / 1e9);
        }
        println!("| {name} | {best:.1} |");
    }
}

/// Makes a page right, by what the check itself says: tests compare that with other sums.
fn seal(layout: &Layout, index: u64, page: &mut [u8], at: usize, is_legacy: bool) {
    put(page, 0, 0);
    put(page, 4, u32::try_from(index).unwrap_or(0));
    put(page, 24, 0x45bf_0000);
    put(page, 34, 7);
    put(page, 38, 7);
    let low = [20, 21, 22, 23].map(|at| page.get(at).copied().unwrap_or(0));
    let end = if is_legacy { PAGE - 4 } else { PAGE - 8 };
    put(page, end, u32::from_be_bytes(low));
    put(page, 28, 0);
    if let xbkit::pages::Verdict::Bad(fault) = layout.check(index, page) {
        put(page, at, fault.computed);
        if is_legacy {
            put(page, PAGE - 8, fault.computed);
        }
    }
    assert_eq!(layout.check(index, page), xbkit::pages::Verdict::Good, "page {index}");
}
