//! What page 0 says of its tablespace.
//!
//! | bytes | of page 0 |
//! |---|---|
//! | 34..38, 38..42 | number of the tablespace; 0 is the system tablespace |
//! | 46..50 | pages in the tablespace |
//! | 54..58 | flags |
//!
//! | flags | family | page |
//! |---|---|---|
//! | bit 4 set | `full_crc32` | `512 << (bits 0..3)` |
//! | else bits 1..4 = z, not 0 | `ROW_FORMAT=COMPRESSED`, also on `full_crc32` servers | `512 << z` |
//! | else bits 6..9 = s | legacy | `512 << s`, 0 is 16384 |
//!
//! Bit 13 says that MySQL encrypts the tablespace; bit 16 that MariaDB compresses its pages.

use std::ops::Range;

use super::names::Role;
use super::{be32, rules};
use crate::pages::{Family, Verdict};

/// How the pages of one file are laid out, and what is known of it beyond a single page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) family: Family,
    pub(super) page_size: usize,
    /// The number of the file's first page; unknown in later files of the system tablespace,
    /// until a good page tells.
    pub(super) first_page: Option<u32>,
    pub(super) role: Role,
    /// The tablespace's number, where page 0 told it.
    pub(super) space: Option<u32>,
    /// MySQL keeps the key's envelope in page 0.
    pub(super) has_mysql_key: bool,
    /// Numbers of the pages of the doublewrite buffer.
    doublewrite: [Range<u32>; 2],
    /// Pages that the tablespace has, by page 0.
    pages: Option<u32>,
}

/// Bytes of page 0 up to and with the flags.
const FLAGS_END: usize = 58;

/// Largest page, in bytes.
pub(super) const MAX_PAGE: usize = 64 << 10;

/// The page that says where the doublewrite buffer is.
const TRX_SYS: u32 = 5;

/// What stands in that page if there is a doublewrite buffer.
const DOUBLEWRITE_MAGIC: u32 = 536_853_855;

impl Layout {
    /// The layout that `page0` claims: the first bytes of a file, at best 64 KiB of them.
    ///
    /// `None` if they are no page 0, or a damaged one. Whether the claim is true shows when the
    /// page is checked by it.
    pub fn of(page0: &[u8], role: Role) -> Option<Self> {
        let flags = be32(page0.get(..FLAGS_END)?, FLAGS_END - 4);
        let space = be32(page0, 34);
        if be32(page0, 4) != 0 || space != be32(page0, 38) || be32(page0, 46) == 0 {
            return None;
        }
        // In the system tablespace nothing but its number tells the first file from the others.
        if role == Role::System && space != 0 {
            return None;
        }
        let (family, page_size) = family_of(flags)?;
        let mut layout = Self::plain(family, page_size, role);
        layout.first_page = Some(0);
        layout.pages = Some(be32(page0, 46));
        layout.space = Some(space);
        let page0 = page0.get(..page_size).unwrap_or(page0);
        layout.has_mysql_key = family != Family::FullCrc32
            && (flags & (1 << 13) != 0 || page0.windows(3).any(is_key_magic));
        Some(layout)
    }

    /// The layout of a later file of the system tablespace of which this is the first.
    pub fn continued(&self) -> Self {
        Self { first_page: None, pages: None, ..self.clone() }
    }

    /// A layout of which nothing but the rules and the size of its pages is known.
    pub(super) fn plain(family: Family, page_size: usize, role: Role) -> Self {
        // An extent: 1 MiB, or 64 pages if they are larger than 16 KiB.
        let extent = u32::try_from((1 << 20) / page_size.clamp(1, 16 << 10)).unwrap_or(64);
        let doublewrite = match role {
            Role::System => [extent..2 * extent, 2 * extent..3 * extent],
            Role::Own => [0..0, 0..0],
        };
        Self {
            family,
            page_size,
            first_page: (role == Role::Own).then_some(0),
            role,
            space: (role == Role::System).then_some(0),
            has_mysql_key: false,
            doublewrite,
            pages: None,
        }
    }

    /// The layouts that there are, for a file that does not say.
    pub(super) fn candidates(role: Role) -> impl Iterator<Item = Self> {
        let sizes = |from: u32, to: u32| (from..=to).map(|shift| 512_usize << shift);
        let families = [(Family::FullCrc32, 3, 7), (Family::Legacy, 3, 7), (Family::Zip, 1, 5)];
        // The system tablespace is never of compressed rows.
        let families = families
            .into_iter()
            .filter(move |(family, ..)| role == Role::Own || *family != Family::Zip);
        families.flat_map(move |(family, from, to)| {
            sizes(from, to).map(move |size| Self::plain(family, size, role))
        })
    }

    /// Which rules the pages follow.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Bytes of a page in the file.
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    /// The number of the file's first page, if that is known: 0 but in later files of the system
    /// tablespace.
    pub fn first_page(&self) -> Option<u32> {
        self.first_page
    }

    /// Pages that page 0 says there are: in the whole system tablespace, or in this file.
    pub fn pages(&self) -> Option<u32> {
        self.pages
    }

    /// Judges the page at place `index` of the file.
    pub fn check(&self, index: u64, page: &[u8]) -> Verdict {
        rules::check(self, index, page)
    }

    /// Takes from a good page what it says of other pages. To be called after [`Layout::check`],
    /// in the order of the file: page 5 of the system tablespace says where the doublewrite buffer
    /// is (until then it is taken to be in its usual place), and any page of a later file which
    /// number that file begins with.
    pub fn learn(&mut self, index: u64, page: &[u8]) {
        if self.role != Role::System {
            return;
        }
        let number = be32(page, 4);
        let Some(first) = self.first_page else {
            self.first_page = u32::try_from(index).ok().and_then(|at| number.checked_sub(at));
            return;
        };
        if first == 0 && index == u64::from(TRX_SYS) && number == TRX_SYS {
            self.learn_doublewrite(page);
        }
    }

    /// 200 bytes before the page's end: 10 bytes, a magic number, and the first pages of two
    /// stretches, each an extent long.
    fn learn_doublewrite(&mut self, page: &[u8]) {
        let at = page.len().saturating_sub(200) + 10;
        if be32(page, at) != DOUBLEWRITE_MAGIC {
            self.doublewrite = [0..0, 0..0];
            return;
        }
        let extent = u32::try_from((1 << 20) / self.page_size.clamp(1, 16 << 10)).unwrap_or(64);
        self.doublewrite = [4, 8].map(|behind| {
            let first = be32(page, at + behind);
            first..first.saturating_add(extent)
        });
    }

    /// Whether a page lies in the doublewrite buffer.
    pub(super) fn is_doublewrite(&self, number: u32) -> bool {
        self.doublewrite.iter().any(|stretch| stretch.contains(&number))
    }
}

fn family_of(flags: u32) -> Option<(Family, usize)> {
    let size = |shift: u32| (3..=7).contains(&shift).then(|| 512_usize << shift);
    if flags & 0x10 != 0 {
        return Some((Family::FullCrc32, size(flags & 15)?));
    }
    let logical = match flags >> 6 & 15 {
        0 => 16 << 10,
        shift => size(shift)?,
    };
    match flags >> 1 & 15 {
        0 => Some((Family::Legacy, logical)),
        shift @ 1..=5 if 512 << shift <= logical => Some((Family::Zip, 512 << shift)),
        _ => None,
    }
}

/// What MySQL's envelope of a key begins with, in its three versions.
fn is_key_magic(bytes: &[u8]) -> bool {
    matches!(bytes, b"lCA" | b"lCB" | b"lCC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page0(space: u32, flags: u32) -> Vec<u8> {
        let mut page = vec![0; 64];
        page[34..38].copy_from_slice(&space.to_be_bytes());
        page[38..42].copy_from_slice(&space.to_be_bytes());
        page[46..50].copy_from_slice(&6_u32.to_be_bytes());
        page[54..58].copy_from_slice(&flags.to_be_bytes());
        page
    }

    #[test]
    fn flags_give_family_and_page_size() {
        use Family::{FullCrc32, Legacy, Zip};
        let cases = [
            (0x15, FullCrc32, 16 << 10),
            (0x13, FullCrc32, 4 << 10),
            (0x37, FullCrc32, 64 << 10), // page-compressed by zlib
            (0, Legacy, 16 << 10),
            (0x21, Legacy, 16 << 10),
            (0x29, Zip, 8 << 10),
            (0x23 | 4 << 6, Zip, 1 << 10), // 1 KiB of 8 KiB
            (0x2b, Zip, 16 << 10),
            (0x40e1, Legacy, 4 << 10),
            (0x41a1, Legacy, 32 << 10),
            (0x41e1, Legacy, 64 << 10),
            (0x4029, Zip, 8 << 10),
            (0x6021, Legacy, 16 << 10),
            (0x21 | 1 << 16, Legacy, 16 << 10),
        ];
        for (flags, family, size) in cases {
            let layout = Layout::of(&page0(7, flags), Role::Own).unwrap();
            assert_eq!((layout.family(), layout.page_size()), (family, size), "{flags:#x}");
            assert_eq!(layout.has_mysql_key, flags == 0x6021);
        }
    }

    #[test]
    fn what_is_no_page_0_has_no_layout() {
        assert_eq!(Layout::of(&page0(7, 0x15)[..57], Role::Own), None);
        for flags in [0x12, 0x18, 1 << 6, 8 << 6, 6 << 1, 5 << 1 | 4 << 6] {
            assert_eq!(Layout::of(&page0(7, flags), Role::Own), None, "{flags:#x}");
        }
        assert_eq!(Layout::of(&page0(7, 0), Role::System), None);
        assert_eq!(Layout::of(&[0; 64], Role::Own), None);
        let mut page = page0(7, 0);
        page[41] = 8;
        assert_eq!(Layout::of(&page, Role::Own), None);
    }
}
