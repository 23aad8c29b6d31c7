//! The rules of one page, family by family.

use super::layout::Layout;
use super::names::Role;
use super::sums::{adler32, crc32c, crc32c_big_endian, fold};
use super::{be16, be32, is_lsn_alone, is_zero, unpack};
use crate::pages::{Family, Fault, Reason, Verdict, What};

/// What servers write in place of a sum when they are told to write none.
const NO_SUM: u32 = 0xdead_beef;

/// MySQL's types of encrypted pages: plain, compressed too, of spatial indexes.
const ENCRYPTED: [u16; 3] = [15, 16, 17];

/// MySQL's type of compressed pages.
const COMPRESSED: u16 = 14;

/// MariaDB's types of compressed pages before `full_crc32`: plain, and encrypted too.
const OLD_COMPRESSED: [u16; 2] = [34354, 37401];

/// What a page passes by.
enum Passed {
    /// All of its sums are right.
    Sum,
    /// It says that it has none.
    NoSum,
}

pub(super) fn check(layout: &Layout, index: u64, page: &[u8]) -> Verdict {
    if page.len() != layout.page_size {
        return Verdict::Bad(fault(What::Cut, len32(page), size32(layout)));
    }
    let may_have_lsn = layout.role == Role::System && index == 0;
    if is_zero(page) || (may_have_lsn && is_lsn_alone(page)) {
        return Verdict::Zero;
    }
    let number = layout.first_page.map(|first| u64::from(first) + index);
    let in_doublewrite = number
        .and_then(|number| u32::try_from(number).ok())
        .is_some_and(|number| layout.is_doublewrite(number));
    match judge(layout, index, page).and_placed(layout, number, page) {
        Verdict::Good => Verdict::Good,
        _ if in_doublewrite => Verdict::Unchecked(Reason::Doublewrite),
        other => other,
    }
}

fn judge(layout: &Layout, index: u64, page: &[u8]) -> Verdict {
    match layout.family {
        Family::FullCrc32 => full_crc32(page),
        Family::Legacy => legacy(layout, index, page),
        Family::Zip => zip(layout, index, page),
    }
}

impl Verdict {
    /// The verdict on a page that may be right otherwise, and that of another place.
    fn and_placed(self, layout: &Layout, number: Option<u64>, page: &[u8]) -> Self {
        if matches!(self, Self::Bad(_)) {
            return self;
        }
        let stored = be32(page, 4);
        if let Some(number) = number.filter(|number| *number != u64::from(stored)) {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            return Self::Bad(fault(What::PageNumber, stored, number));
        }
        let space = be32(page, 34);
        // Page 0 has it twice.
        let known = if number == Some(0) { Some(be32(page, 38)) } else { layout.space };
        match known {
            Some(known) if known != space && shows_space(layout, page) => {
                Self::Bad(fault(What::SpaceId, space, known))
            }
            _ => self,
        }
    }
}

/// Whether a page has its tablespace's number in bytes 34 to 37: `full_crc32` encrypts and
/// compresses them.
fn shows_space(layout: &Layout, page: &[u8]) -> bool {
    layout.family != Family::FullCrc32 || (be32(page, 0) == 0 && be16(page, 24) & 0x8000 == 0)
}

fn full_crc32(page: &[u8]) -> Verdict {
    let kind = be16(page, 24);
    let is_packed = kind & 0x8000 != 0;
    let len = if is_packed { usize::from(kind & 0x7fff) << 8 } else { page.len() };
    let Some((content, sum)) = page.get(..len).and_then(<[u8]>::split_last_chunk::<4>) else {
        let len = u32::from(kind & 0x7fff) << 8;
        return Verdict::Bad(fault(What::Length, len, len32(page)));
    };
    let (stored, computed) = (u32::from_be_bytes(*sum), crc32c(content));
    if stored != computed {
        return Verdict::Bad(fault(What::Checksum, stored, computed));
    }
    let is_encrypted = be32(page, 0) != 0;
    let (begin, end) = (be32(page, 20), be32(page, page.len() - 8));
    if !is_packed && !is_encrypted && begin != end {
        return Verdict::Bad(fault(What::Lsn, end, begin));
    }
    Verdict::Good
}

fn legacy(layout: &Layout, index: u64, page: &[u8]) -> Verdict {
    let kind = be16(page, 24);
    if OLD_COMPRESSED.contains(&kind) {
        return Verdict::Unchecked(Reason::PageCompressed);
    }
    if layout.has_mysql_key && ENCRYPTED.contains(&kind) {
        return Verdict::Unchecked(Reason::Encrypted);
    }
    if kind == COMPRESSED {
        let mut plain = vec![0; page.len()];
        return match unpack::unpack(page, &mut plain) {
            Ok(()) => verdict(&plain_sums(&plain).map_err(|doubt| doubt.fault(&plain))),
            Err(fault) => Verdict::Bad(fault),
        };
    }
    with_key(index, page, &LEGACY_SUMS, plain_sums, Doubt::fault)
}

fn zip(layout: &Layout, index: u64, page: &[u8]) -> Verdict {
    if layout.has_mysql_key && ENCRYPTED.contains(&be16(page, 24)) {
        return Verdict::Unchecked(Reason::Encrypted);
    }
    let plain = |page: &[u8]| {
        let stored = be32(page, 0);
        // The Adler-32 of zeros is 0, which says nothing.
        let sums = ZIP_SUMS.iter().chain([&(zip_crc32_big_endian as Sum)]);
        match sums.into_iter().find(|sum| stored != 0 && sum(page) == stored) {
            Some(_) => Ok(Passed::Sum),
            None if stored == NO_SUM => Ok(Passed::NoSum),
            None => Err(stored),
        }
    };
    let fault = |stored, page: &[u8]| fault(What::Checksum, stored, zip_crc32(page));
    with_key(index, page, &ZIP_SUMS, plain, fault)
}

/// One way to sum a page.
type Sum = fn(&[u8]) -> u32;

const LEGACY_SUMS: [Sum; 2] = [legacy_crc32, legacy_fold];
const ZIP_SUMS: [Sum; 2] = [zip_crc32, zip_adler32];

/// Judges a page that MariaDB may have encrypted before it had `full_crc32`: then the version of
/// the key is in bytes 26 to 29, and a sum of the page as it is stored behind it. In page 0, and
/// in the first of each file of the system tablespace, an LSN may be there.
fn with_key<D>(
    index: u64,
    page: &[u8],
    sums: &[Sum],
    plain: impl FnOnce(&[u8]) -> Result<Passed, D>,
    blame: impl FnOnce(D, &[u8]) -> Fault,
) -> Verdict {
    let plain = plain(page);
    if plain.is_ok() || index == 0 || be32(page, 26) == 0 {
        return verdict(&plain.map_err(|doubt| blame(doubt, page)));
    }
    let stored = be32(page, 30);
    if sums.iter().any(|sum| sum(page) == stored) {
        return Verdict::Good;
    }
    if stored == NO_SUM {
        return Verdict::Unchecked(Reason::NoChecksum);
    }
    let computed = sums.first().map_or(0, |sum| sum(page));
    Verdict::Bad(fault(What::Checksum, stored, computed))
}

/// What is known of a page that did not pass.
enum Doubt {
    /// Its sums are right, its LSN is not twice the same.
    Lsn,
    /// Its sums are not right; that of its content by the old algorithm, if it was taken.
    Sums(Option<u32>),
}

impl Doubt {
    /// Which sum is wrong, by the algorithm that the page seems to have been written with.
    fn fault(self, page: &[u8]) -> Fault {
        let end = page.len() - 8;
        let (first, last) = (be32(page, 0), be32(page, end));
        let Self::Sums(new) = self else {
            return fault(What::Lsn, be32(page, end + 4), be32(page, 20));
        };
        let crc = legacy_crc32(page);
        if first == crc {
            return fault(What::Trailer, last, crc);
        }
        // Both kinds of CRC-32C stand in both places.
        if first == last {
            return fault(What::Checksum, first, crc);
        }
        let new = new.unwrap_or_else(|| legacy_fold(page));
        let old = old_fold(page);
        if first == new {
            fault(What::Trailer, last, old)
        } else if last == old {
            fault(What::Checksum, first, new)
        } else {
            fault(What::Checksum, first, crc)
        }
    }
}

/// Both sums of a page that is neither encrypted nor compressed, and its LSN.
fn plain_sums(page: &[u8]) -> Result<Passed, Doubt> {
    let end = page.len() - 8;
    let (first, last) = (be32(page, 0), be32(page, end));
    let passed = if first == NO_SUM && last == NO_SUM {
        Passed::NoSum
    } else {
        both_sums(page, first, last)?;
        Passed::Sum
    };
    if be32(page, 20) == be32(page, end + 4) { Ok(passed) } else { Err(Doubt::Lsn) }
}

/// Whether both sums are right by one algorithm. The old one takes twenty times as long, so it is
/// left out where the one of its two sums that takes no time is wrong.
fn both_sums(page: &[u8], first: u32, last: u32) -> Result<(), Doubt> {
    if first == last && (first == legacy_crc32(page) || first == legacy_crc32_big_endian(page)) {
        return Ok(());
    }
    if last != old_fold(page) {
        return Err(Doubt::Sums(None));
    }
    let new = legacy_fold(page);
    if first == new { Ok(()) } else { Err(Doubt::Sums(Some(new))) }
}

/// The old algorithm's second sum: of the page's header alone.
fn old_fold(page: &[u8]) -> u32 {
    fold(page.get(..26).unwrap_or_default())
}

fn legacy_pieces(page: &[u8]) -> [&[u8]; 2] {
    [(4, 26), (38, page.len() - 8)].map(|(from, to)| page.get(from..to).unwrap_or_default())
}

fn legacy_crc32(page: &[u8]) -> u32 {
    legacy_pieces(page).into_iter().fold(0, |sum, piece| sum ^ crc32c(piece))
}

fn legacy_crc32_big_endian(page: &[u8]) -> u32 {
    let [head, body] = legacy_pieces(page);
    crc32c_big_endian(head, 4) ^ crc32c_big_endian(body, 38)
}

fn legacy_fold(page: &[u8]) -> u32 {
    legacy_pieces(page).into_iter().fold(0, |sum: u32, piece| sum.wrapping_add(fold(piece)))
}

fn zip_pieces(page: &[u8]) -> [&[u8]; 3] {
    [(4, 16), (24, 26), (34, page.len())].map(|(from, to)| page.get(from..to).unwrap_or_default())
}

fn zip_crc32(page: &[u8]) -> u32 {
    zip_pieces(page).into_iter().fold(0, |sum, piece| sum ^ crc32c(piece))
}

fn zip_crc32_big_endian(page: &[u8]) -> u32 {
    let [head, kind, body] = zip_pieces(page);
    crc32c_big_endian(head, 4) ^ crc32c_big_endian(kind, 24) ^ crc32c_big_endian(body, 34)
}

fn zip_adler32(page: &[u8]) -> u32 {
    adler32(&zip_pieces(page))
}

fn verdict(passed: &Result<Passed, Fault>) -> Verdict {
    match passed {
        Ok(Passed::Sum) => Verdict::Good,
        Ok(Passed::NoSum) => Verdict::Unchecked(Reason::NoChecksum),
        Err(fault) => Verdict::Bad(*fault),
    }
}

fn fault(what: What, stored: u32, computed: u32) -> Fault {
    Fault { what, stored, computed }
}

fn len32(page: &[u8]) -> u32 {
    u32::try_from(page.len()).unwrap_or(u32::MAX)
}

fn size32(layout: &Layout) -> u32 {
    u32::try_from(layout.page_size).unwrap_or(u32::MAX)
}
