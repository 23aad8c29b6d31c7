//! Pages of every layout; files fed in any slices, with holes, damaged layouts, and pages in the wrong
//! places. That each byte is covered is shown by `tests/every_byte`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::pages::{self, PAGE, Sample};
use xbkit::innodb::page::{Layout, Role, TablespaceChecker};
use xbkit::pages::{BadPage, Family, FileCheck, Reason, Verdict, What};

fn layout(sample: &Sample) -> Layout {
    Layout::of(&sample.page0, Role::Own).unwrap()
}

#[test]
fn a_page_of_each_layout_is_right() {
    for sample in pages::all() {
        let verdict = layout(&sample).check(PAGE.into(), &sample.page);
        let expected =
            if sample.is_unsummed { Verdict::Unchecked(Reason::NoChecksum) } else { Verdict::Good };
        assert_eq!(verdict, expected, "{}", sample.name);
    }
}

#[test]
fn a_fault_names_both_sums() {
    let mut page = vec![0x11; 4096];
    pages::put32(&mut page, 4, PAGE);
    pages::put32(&mut page, 0, 0);
    pages::put16(&mut page, 24, 17855);
    pages::put32(&mut page, 34, 7);
    pages::seal_full_crc32(&mut page);
    let layout = Layout::of(&pages::page0(7, 9, 0x13), Role::Own).unwrap();
    let stored = u32::from_be_bytes(page[4092..].try_into().unwrap());
    page[1000] = 0;
    let computed = pages::crc32c(&page[..4092]);
    let Verdict::Bad(fault) = layout.check(PAGE.into(), &page) else { panic!("it is good") };
    assert_eq!((fault.what, fault.stored, fault.computed), (What::Checksum, stored, computed));
    let text = fault.to_string();
    assert!(text.contains(&format!("{stored:#010x}")), "{text}");
    assert!(text.contains(&format!("{computed:#010x}")), "{text}");
}

#[test]
fn a_page_in_the_wrong_place_is_bad_though_its_sum_is_right() {
    for sample in pages::all() {
        let verdict = layout(&sample).check(u64::from(PAGE) + 1, &sample.page);
        let Verdict::Bad(fault) = verdict else { panic!("{}: {verdict:?}", sample.name) };
        assert_eq!(fault.what, What::PageNumber, "{}", sample.name);
        assert_eq!((fault.stored, fault.computed), (PAGE, PAGE + 1), "{}", sample.name);
    }
}

#[test]
fn a_page_of_another_tablespace_is_bad_though_its_sum_is_right() {
    for sample in pages::all() {
        // They encrypt or compress the number, too.
        if ["full_crc32-encrypted", "full_crc32-packed"].iter().any(|n| sample.name.starts_with(n))
        {
            continue;
        }
        let flags = u32::from_be_bytes(sample.page0[54..58].try_into().unwrap());
        let layout = Layout::of(&pages::page0(8, 9, flags), Role::Own).unwrap();
        let verdict = layout.check(PAGE.into(), &sample.page);
        let Verdict::Bad(fault) = verdict else { panic!("{}: {verdict:?}", sample.name) };
        assert_eq!((fault.what, fault.stored, fault.computed), (What::SpaceId, 7, 8));
    }
}

#[test]
fn a_page_of_zeros_is_good_anywhere_and_one_byte_in_it_is_not() {
    for sample in pages::all() {
        let layout = layout(&sample);
        let mut page = vec![0; sample.page.len()];
        assert_eq!(layout.check(0, &page), Verdict::Zero, "{}", sample.name);
        assert_eq!(layout.check(99, &page), Verdict::Zero, "{}", sample.name);
        for at in [0, 4, 25, 38, page.len() / 2, page.len() - 1] {
            page[at] = 1;
            let verdict = layout.check(PAGE.into(), &page);
            assert!(matches!(verdict, Verdict::Bad(_)), "{}, byte {at}: {verdict:?}", sample.name);
            page[at] = 0;
        }
    }
}

#[test]
fn pages_of_several_algorithms_in_one_file_are_right() {
    let flags = 0x21;
    let mut file = pages::tablespace(16384, 4, 7, flags, pages::seal_crc32);
    let others = [pages::seal_innodb as fn(&mut [u8]), pages::seal_none, pages::seal_crc32];
    for (page, seal) in file.chunks_mut(16384).skip(1).zip(others) {
        seal(page);
    }
    let (found, bad) = check(&file, file.len(), Role::Own);
    assert_eq!((found.tally.good, found.tally.unchecked_pages(), bad.len()), (3, 1, 0));
}

/// Checks a file that comes in slices of `step` bytes.
fn check(file: &[u8], step: usize, role: Role) -> (FileCheck, Vec<BadPage>) {
    feed(TablespaceChecker::new(role), file, step)
}

fn feed(mut checker: TablespaceChecker, file: &[u8], step: usize) -> (FileCheck, Vec<BadPage>) {
    let mut bad = Vec::new();
    for slice in file.chunks(step) {
        checker.feed(slice, &mut |page| bad.push(*page));
    }
    let (found, _) = checker.finish(&mut |page| bad.push(*page));
    (found, bad)
}

/// Sizes of pages, flags and seals of whole files.
type Shape = (usize, u32, fn(&mut [u8]), Family);

const SHAPES: [Shape; 4] = [
    (4096, 0x13, pages::seal_full_crc32, Family::FullCrc32),
    (65536, 0x17, pages::seal_full_crc32, Family::FullCrc32),
    (8192, 0x21 | 4 << 6, pages::seal_crc32, Family::Legacy),
    (16384, 0, pages::seal_innodb, Family::Legacy),
];

#[test]
fn slices_of_any_length_give_the_same() {
    for (size, flags, seal, family) in SHAPES {
        let mut file = pages::tablespace(size, 9, 7, flags, seal);
        file[size * 5 + 777] ^= 1;
        file[size * 7..size * 8].fill(0);
        let whole = check(&file, file.len(), Role::Own);
        assert_eq!((whole.0.family, whole.0.page_size), (Some(family), size));
        let tally = whole.0.tally;
        assert_eq!((tally.pages, tally.good, tally.zero, tally.bad), (9, 7, 1, 1), "{size}");
        assert_eq!(whole.1.len(), 1);
        assert_eq!((whole.1[0].page, whole.1[0].offset), (5, 5 * size as u64));
        for step in [1000, 4096, 16384, 65536, 65537, 262_144, 300_001] {
            assert_eq!(check(&file, step, Role::Own), whole, "{size}, slices of {step}");
        }
    }
    let (size, flags, seal, _) = SHAPES[0];
    let file = pages::tablespace(size, 5, 7, flags, seal);
    assert_eq!(check(&file, 1, Role::Own), check(&file, file.len(), Role::Own));
}

#[test]
fn holes_are_pages_of_zeros() {
    for (size, flags, seal, _) in SHAPES {
        let file = pages::tablespace(size, 3, 7, flags, seal);
        for hole in [1, 4, 64, 1000_u64].map(|pages| pages * size as u64) {
            let mut checker = TablespaceChecker::new(Role::Own);
            let mut bad = Vec::new();
            checker.feed(&file, &mut |page| bad.push(*page));
            checker.feed_zeros(hole, &mut |page| bad.push(*page));
            let mut last = file[size..2 * size].to_vec();
            let number = u32::try_from(3 + hole / size as u64).unwrap();
            pages::put32(&mut last, 4, number);
            seal(&mut last);
            checker.feed(&last, &mut |page| bad.push(*page));
            let (found, _) = checker.finish(&mut |page| bad.push(*page));
            assert_eq!(bad, [], "{size}, {hole}");
            assert_eq!((found.tally.good, found.tally.zero), (4, hole / size as u64));
        }
    }
}

#[test]
fn a_hole_of_256_tebibytes_takes_no_time() {
    let mut checker = TablespaceChecker::new(Role::Own);
    checker.feed_zeros(1 << 48, &mut |page| panic!("{page}"));
    let (found, _) = checker.finish(&mut |page| panic!("{page}"));
    assert_eq!((found.tally.zero, found.tally.pages), (1 << 34, 1 << 34));
    let (size, flags, seal, _) = SHAPES[0];
    let file = pages::tablespace(size, 3, 7, flags, seal);
    let mut checker = TablespaceChecker::new(Role::Own);
    checker.feed(&file, &mut |page| panic!("{page}"));
    checker.feed_zeros(1 << 48, &mut |page| panic!("{page}"));
    let (found, _) = checker.finish(&mut |page| panic!("{page}"));
    assert_eq!((found.tally.zero, found.tally.good), (1 << 36, 3));
}

type Damage = fn(&mut [u8]);

/// Whatever is wrong with page 0, one page is reported, and the others are checked by the layout
/// that they show themselves.
#[test]
fn a_damaged_page_0_is_one_bad_page() {
    for (size, flags, seal, family) in SHAPES {
        let file = pages::tablespace(size, 9, 7, flags, seal);
        let damages: [Damage; 7] = [
            |page0| page0[57] ^= 1,
            |page0| page0[57] ^= 0x10,
            |page0| page0[56] ^= 1,
            |page0| page0[40] ^= 1,
            |page0| page0[35] ^= 1,
            |page0| page0[7] ^= 1,
            |page0| page0.copy_from_slice(&pages::noise(page0.len(), 5)),
        ];
        for (number, damage) in damages.iter().enumerate() {
            let mut file = file.clone();
            damage(&mut file[..size]);
            let (found, bad) = check(&file, 4096, Role::Own);
            assert_eq!((found.family, found.page_size), (Some(family), size), "{size}, {number}");
            assert_eq!((found.tally.good, bad.len()), (8, 1), "{size}, damage {number}: {bad:?}");
            assert_eq!(bad[0].page, 0);
        }
    }
}

#[test]
fn a_file_without_a_first_page_shows_its_layout_later() {
    for (size, flags, seal, family) in SHAPES {
        for zeros in [1, 80] {
            let mut file = vec![0; zeros * size];
            let mut page = pages::noise(size, 3);
            pages::put32(&mut page, 0, 0);
            page[24..38].fill(0);
            pages::put32(&mut page, 4, u32::try_from(zeros).unwrap());
            seal(&mut page);
            file.extend(page);
            let (found, bad) = check(&file, 10_000, Role::Own);
            assert_eq!((found.family, bad.len()), (Some(family), 0), "{size} {flags}: {bad:?}");
            assert_eq!((found.tally.good, found.tally.zero), (1, zeros as u64));
        }
    }
}

#[test]
fn what_shows_no_layout_is_not_called_good() {
    let file = pages::noise(300_000, 9);
    let (found, bad) = check(&file, 4096, Role::Own);
    assert_eq!(found.family, None);
    assert_eq!((found.tally.good, found.tally.bad, bad.len()), (0, 1, 1));
    let unknown = Reason::ALL.iter().position(|reason| *reason == Reason::UnknownLayout).unwrap();
    assert_eq!(found.tally.unchecked[unknown], found.tally.pages - 1);
}

#[test]
fn a_file_that_is_cut_within_a_page_or_between_pages_is_not_whole() {
    for (size, flags, seal, _) in SHAPES {
        let file = pages::tablespace(size, 9, 7, flags, seal);
        let (found, bad) = check(&file[..size * 6], 4096, Role::Own);
        assert_eq!((found.tally.missing, bad.len()), (3, 0), "{size}");
        let (found, bad) = check(&file[..size * 6 + 100], 4096, Role::Own);
        assert_eq!((found.tally.missing, found.tally.bad, found.tally.pages), (2, 1, 7), "{size}");
        assert_eq!((bad[0].page, bad[0].fault.what), (6, What::Cut));
        let mut longer = file.clone();
        longer.extend([0; 1024]);
        let (found, bad) = check(&longer, 4096, Role::Own);
        assert_eq!((found.tally.missing, found.tally.pages, bad.len()), (0, 9, 0), "{size}");
    }
}

/// The first file of a system tablespace, with or without a doublewrite buffer at pages 8 and 20.
fn system(has_doublewrite: bool) -> Vec<u8> {
    let seal = pages::seal_crc32;
    let mut file = pages::tablespace(65536, 200, 0, 7 << 6, seal);
    if has_doublewrite {
        let at = 6 * 65536 - 200 + 10;
        for (behind, value) in [(0, 536_853_855), (4, 64), (8, 128)] {
            pages::put32(&mut file, at + behind, value);
        }
        seal(&mut file[5 * 65536..6 * 65536]);
    }
    file
}

#[test]
fn the_doublewrite_buffer_is_where_page_5_says() {
    for has_doublewrite in [true, false] {
        let mut file = system(has_doublewrite);
        for page in [63, 64, 127, 128, 191, 192] {
            file[page * 65536 + 500] ^= 1;
        }
        let (found, bad) = check(&file, 1 << 20, Role::System);
        let pages: Vec<u64> = bad.iter().map(|bad| bad.page).collect();
        if has_doublewrite {
            assert_eq!(pages, [63, 192]);
            // What lies there may as well be a good page of its own place.
            assert_eq!(found.tally.unchecked[0], 4);
        } else {
            assert_eq!(pages, [63, 64, 127, 128, 191, 192]);
            assert_eq!(found.tally.unchecked_pages(), 0);
        }
    }
}

#[test]
fn a_later_file_goes_on_counting() {
    let seal = pages::seal_full_crc32;
    let both = pages::tablespace(16384, 40, 0, 0x15, seal);
    let (first, second) = both.split_at(16384 * 24);
    let mut checker = TablespaceChecker::new(Role::System);
    checker.feed(first, &mut |page| panic!("{page}"));
    let (found, layout) = checker.finish(&mut |page| panic!("{page}"));
    assert_eq!((found.tally.good, found.tally.missing), (24, 0));
    let layout = layout.unwrap();
    // With the first one's layout, and without.
    for known in [true, false] {
        let checker = || {
            if known {
                TablespaceChecker::of_system(&layout)
            } else {
                TablespaceChecker::new(Role::System)
            }
        };
        let (found, bad) = feed(checker(), second, 5000);
        assert_eq!((found.tally.good, bad.len()), (16, 0));
        // Beginning with zeros, or with an LSN in a page that was never written.
        for lsn in [0, 1] {
            let mut file = second.to_vec();
            file[..16384].fill(0);
            file[27] = lsn;
            let (found, bad) = feed(checker(), &file, 5000);
            assert_eq!((found.tally.good, found.tally.zero, bad.len()), (15, 1, 0), "{bad:?}");
        }
        let mut file = second.to_vec();
        file[16384 * 3..16384 * 5].rotate_left(16384);
        file[7] ^= 1;
        let (found, bad) = feed(checker(), &file, 5000);
        let pages: Vec<u64> = bad.iter().map(|bad| bad.page).collect();
        assert_eq!((found.tally.good, pages), (13, vec![0, 3, 4]));
    }
}
