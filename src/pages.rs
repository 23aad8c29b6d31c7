//! What checks of InnoDB pages find: facts alone, which events and reports carry.
//!
//! [`crate::innodb::page`] has the rules.

use std::fmt;

/// What a page is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its checksum is right, and everything else that can be seen.
    Good,
    /// Nothing but zeros: allocated, never written.
    Zero,
    /// What can be checked is right, which is not enough to trust it.
    Unchecked(Reason),
    /// It is not what the server wrote.
    Bad(Fault),
}

/// Why a page's content cannot be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It lies in the doublewrite buffer, which holds copies of other pages, and is not what
    /// belongs there otherwise.
    Doublewrite,
    /// The server was told to write none (`innodb_checksum_algorithm=none`).
    NoChecksum,
    /// MySQL encrypted it, and sums the plain page.
    Encrypted,
    /// MariaDB compressed it before `full_crc32`, and stores no sum of what it stored.
    PageCompressed,
    /// Nothing shows the size of the pages, and which rules they follow.
    UnknownLayout,
    /// Its file was not seen from front to back, or beside too many others.
    OutOfOrder,
}

impl Reason {
    /// Every reason, in the order of [`Tally::unchecked`].
    pub const ALL: &'static [Self] = &[
        Self::Doublewrite,
        Self::NoChecksum,
        Self::Encrypted,
        Self::PageCompressed,
        Self::UnknownLayout,
        Self::OutOfOrder,
    ];

    /// The reason's name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Doublewrite => "doublewrite",
            Self::NoChecksum => "no_checksum",
            Self::Encrypted => "encrypted",
            Self::PageCompressed => "page_compressed",
            Self::UnknownLayout => "unknown_layout",
            Self::OutOfOrder => "out_of_order",
        }
    }
}

/// What is wrong with a page, and the two numbers that should be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule it breaks.
    pub what: What,
    /// What the page says.
    pub stored: u32,
    /// What its place or its content says.
    pub computed: u32,
}

/// A rule that a page breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum What {
    /// The checksum of the page.
    Checksum,
    /// The second checksum, at the page's end.
    Trailer,
    /// The low half of the LSN, at the page's begin and at its end: a torn write.
    Lsn,
    /// The page's number: it is the page of another place.
    PageNumber,
    /// The tablespace's number: it is the page of another tablespace.
    SpaceId,
    /// The length of its compressed content.
    Length,
    /// Its compressed content cannot be unpacked.
    Unpack,
    /// The file ends in the middle of this page.
    Cut,
}

impl What {
    /// Every rule.
    pub const ALL: &'static [Self] = &[
        Self::Checksum,
        Self::Trailer,
        Self::Lsn,
        Self::PageNumber,
        Self::SpaceId,
        Self::Length,
        Self::Unpack,
        Self::Cut,
    ];

    /// The rule's name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Trailer => "trailer",
            Self::Lsn => "lsn",
            Self::PageNumber => "page_number",
            Self::SpaceId => "space_id",
            Self::Length => "length",
            Self::Unpack => "unpack",
            Self::Cut => "cut",
        }
    }
}

impl fmt::Display for Fault {
    /// Half a sentence, to go behind the page's number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, stored, computed } = *self;
        match what {
            What::Checksum => {
                write!(f, "its checksum is {stored:#010x}, that of its content {computed:#010x}")
            }
            What::Trailer => {
                write!(f, "the checksum at its end is {stored:#010x}, not {computed:#010x}")
            }
            What::Lsn => {
                write!(f, "its LSN ends in {computed:#010x}, the copy at its end is {stored:#010x}")
            }
            What::PageNumber => write!(f, "it says that it is page {stored}, not {computed}"),
            What::SpaceId => {
                write!(f, "it says that it is of tablespace {stored}, not {computed}")
            }
            What::Length => {
                write!(f, "it says that it holds {stored} bytes, and can hold {computed}")
            }
            What::Unpack => {
                write!(f, "its content does not unpack to {computed} bytes")
            }
            What::Cut => write!(f, "the file ends after {stored} of its {computed} bytes"),
        }
    }
}

/// A page that is not what the server wrote, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPage {
    /// The page's place in the file, from 0.
    pub page: u64,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for BadPage {
    /// One sentence: place, fault and both numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} at byte {} is damaged: {}", self.page, self.offset, self.fault)
    }
}

/// Which rules the pages of a file follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// MariaDB 10.4 and later: one sum of the whole page, as it is stored.
    FullCrc32,
    /// MariaDB before, and all of MySQL.
    Legacy,
    /// `ROW_FORMAT=COMPRESSED`, of both.
    Zip,
}

impl Family {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullCrc32 => "full_crc32",
            Self::Legacy => "legacy",
            Self::Zip => "compressed",
        }
    }
}

/// How many pages of a file are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All pages. One that the file's end cuts counts, too.
    pub pages: u64,
    /// Pages that are right.
    pub good: u64,
    /// Pages of zeros.
    pub zero: u64,
    /// Pages that are not what the server wrote.
    pub bad: u64,
    /// Pages that cannot be checked, by reason, in the order of [`Reason::ALL`].
    pub unchecked: [u64; Reason::ALL.len()],
    /// Pages that are not there, of those that page 0 says there are. Not counted in `pages`.
    pub missing: u64,
}

impl Tally {
    /// Pages that cannot be checked.
    pub fn unchecked_pages(&self) -> u64 {
        self.unchecked.iter().sum()
    }

    /// Adds the pages of another file.
    pub fn add(&mut self, other: &Self) {
        self.pages += other.pages;
        self.good += other.good;
        self.zero += other.zero;
        self.bad += other.bad;
        self.missing += other.missing;
        for (mine, theirs) in self.unchecked.iter_mut().zip(other.unchecked) {
            *mine += theirs;
        }
    }

    /// Counts a page.
    pub(crate) fn count(&mut self, verdict: Verdict) {
        self.pages += 1;
        match verdict {
            Verdict::Good => self.good += 1,
            Verdict::Zero => self.zero += 1,
            Verdict::Bad(_) => self.bad += 1,
            Verdict::Unchecked(reason) => self.add_unchecked(reason, 1),
        }
    }

    /// Counts pages that cannot be checked.
    pub(crate) fn add_unchecked(&mut self, reason: Reason, pages: u64) {
        let place = Reason::ALL.iter().position(|known| *known == reason);
        if let Some(count) = place.and_then(|place| self.unchecked.get_mut(place)) {
            *count += pages;
        }
    }
}

/// What was found of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCheck {
    /// Which rules its pages follow; `None` if nothing shows that.
    pub family: Option<Family>,
    /// Bytes of a page in the file; 0 if nothing shows that.
    pub page_size: usize,
    /// How many pages are what.
    pub tally: Tally,
}
