//! What page 0 says of its tablespace, as far as holes are concerned.
//!
//! Page 0 holds the space's flags in bytes 54 to 57, big-endian, behind the 38-byte page header
//! and 16 bytes of the space header. Two families write them differently:
//!
//! | flags | page size | page compression |
//! |---|---|---|
//! | bit 4 set: MariaDB `full_crc32` | `512 << (bits 0..3)` | bits 5..7: an algorithm |
//! | else: MariaDB before, MySQL | bits 6..9: `512 << s`, 0 is 16384; bits 1..4: `ROW_FORMAT=COMPRESSED`, `512 << z` | bit 16 (MariaDB); MySQL marks pages, not spaces |
//!
//! A page-compressed page holds its data at the front, and a hole for the rest. MySQL marks such
//! pages with type 14, encrypted ones 16, in bytes 24 and 25.

/// Bytes of page 0 that [`HoleRule::of`] needs.
pub(crate) const FLAGS_END: usize = 58;

/// Where in a page its type ends.
const TYPE_END: usize = 26;

/// MySQL's types of page-compressed pages: compressed; compressed and encrypted.
const PAGE_COMPRESSED: [u16; 2] = [14, 16];

/// Which zero bytes of a tablespace were holes before it was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoleRule {
    /// All of them: MariaDB compresses the pages of this space.
    WholeSpace,
    /// Those of pages that say that they are compressed (MySQL).
    ByPage {
        /// Size of a page in bytes.
        page_size: u64,
    },
}

impl HoleRule {
    /// The rule of the tablespace that begins with `page0`; `None` if it does not look like one.
    pub(crate) fn of(page0: &[u8]) -> Option<Self> {
        let &[a, b, c, d] = page0.get(FLAGS_END - 4..FLAGS_END)? else { return None };
        let flags = u32::from_be_bytes([a, b, c, d]);
        let size = |shift: u32| (3..=7).contains(&shift).then(|| 512_u64 << shift);
        if flags & 0x10 != 0 {
            let page_size = size(flags & 15)?;
            let compressed = (flags >> 5) & 7 != 0;
            return Some(if compressed { Self::WholeSpace } else { Self::ByPage { page_size } });
        }
        if flags & (1 << 16) != 0 {
            return Some(Self::WholeSpace);
        }
        let page_size = match (flags >> 6) & 15 {
            0 => 16384,
            shift => size(shift)?,
        };
        Some(Self::ByPage { page_size })
    }
}

/// Type of a space's first page.
const SPACE_HEADER: u16 = 8;

/// Whether the tablespace that begins with `page0` is encrypted by MySQL: bit 13 of its flags.
/// MariaDB keeps that elsewhere.
pub(crate) fn is_encrypted(page0: &[u8]) -> bool {
    let kind = page0.get(TYPE_END - 2..TYPE_END).and_then(<[u8]>::first_chunk::<2>);
    if kind.map(|kind| u16::from_be_bytes(*kind)) != Some(SPACE_HEADER) {
        return false;
    }
    let flags = page0.get(FLAGS_END - 4..FLAGS_END).and_then(<[u8]>::first_chunk::<4>);
    flags.is_some_and(|flags| u32::from_be_bytes(*flags) & (0x10 | 1 << 13) == 1 << 13)
}

/// Whether the page that begins with `page` is page-compressed; `None` if too little is there.
pub(crate) fn is_page_compressed(page: &[u8]) -> Option<bool> {
    let &[a, b] = page.get(TYPE_END - 2..TYPE_END)? else { return None };
    Some(PAGE_COMPRESSED.contains(&u16::from_be_bytes([a, b])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_spaces_of_mysql_are_told() {
        let mut page = vec![0; FLAGS_END];
        page[24..26].copy_from_slice(&SPACE_HEADER.to_be_bytes());
        for (flags, encrypted) in [(0x4021_u32, false), (0x6021, true), (0x2015, false)] {
            page[54..58].copy_from_slice(&flags.to_be_bytes());
            assert_eq!(is_encrypted(&page), encrypted, "{flags:x}");
        }
        page[54..58].copy_from_slice(&0x6021_u32.to_be_bytes());
        page[25] = 0;
        assert!(!is_encrypted(&page), "no space");
    }

    fn page0(flags: u32) -> Vec<u8> {
        let mut page = vec![0; 64];
        page[54..58].copy_from_slice(&flags.to_be_bytes());
        page
    }

    #[test]
    fn flags_of_both_families_are_told_apart() {
        let by_page = |page_size| Some(HoleRule::ByPage { page_size });
        assert_eq!(HoleRule::of(&page0(0x15)), by_page(16384)); // full_crc32, 16 KiB
        assert_eq!(HoleRule::of(&page0(0x17)), by_page(65536));
        assert_eq!(HoleRule::of(&page0(0x35)), Some(HoleRule::WholeSpace)); // zlib
        assert_eq!(HoleRule::of(&page0(0x21)), by_page(16384)); // DYNAMIC, legacy
        assert_eq!(HoleRule::of(&page0(0x21 | 3 << 6)), by_page(4096));
        assert_eq!(HoleRule::of(&page0(0x21 | 1 << 16)), Some(HoleRule::WholeSpace));
        assert_eq!(HoleRule::of(&page0(0x4021)), by_page(16384)); // MySQL 8 with SDI
        assert_eq!(HoleRule::of(&page0(0x1f)), None);
        assert_eq!(HoleRule::of(&[0; 57]), None);
    }
}
