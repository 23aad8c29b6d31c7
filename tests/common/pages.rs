//! Pages of every layout, made by a plain reading of the rules, with sums computed another way than
//! the library does.

/// A page, and what of it no rule covers.
pub(crate) struct Sample {
    pub(crate) name: String,
    /// Page 0 of a tablespace of this layout, at least its first 64 bytes.
    pub(crate) page0: Vec<u8>,
    pub(crate) page: Vec<u8>,
    /// Bytes that may be anything.
    pub(crate) free: Vec<(usize, usize)>,
    /// It has no sum: what is not free is the page's number and LSN, and that there is none.
    pub(crate) is_unsummed: bool,
}

/// The place of each sample in its tablespace.
pub(crate) const PAGE: u32 = 3;

const NO_SUM: u32 = 0xdead_beef;

/// CRC-32C, bit by bit.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

/// CRC-32C as a big-endian machine took it from a page: `from` and `to` are places in it.
pub(crate) fn crc32c_big_endian(page: &[u8], from: usize, to: usize) -> u32 {
    let mut turned = page.to_vec();
    for place in (0..page.len()).step_by(8) {
        if place >= from && place + 8 <= to {
            turned[place..place + 8].reverse();
        }
    }
    crc32c(&turned[from..to])
}

/// InnoDB's fold, in 64 bits as the servers on such machines compute it.
pub(crate) fn fold(bytes: &[u8]) -> u32 {
    let mut sum = 0_u64;
    for byte in bytes {
        let byte = u64::from(*byte);
        sum =
            (((sum ^ byte ^ 0x6294_6a4f) << 8).wrapping_add(sum) ^ 0x573e_d587).wrapping_add(byte);
    }
    sum as u32
}

/// Adler-32 from 0, a division for each byte.
pub(crate) fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (0_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// Bytes that repeat nowhere, always the same.
pub(crate) fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    })
    .take(len)
    .collect()
}

pub(crate) fn put32(page: &mut [u8], at: usize, value: u32) {
    page[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

pub(crate) fn put16(page: &mut [u8], at: usize, value: u16) {
    page[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The beginning of page 0 of a tablespace, without a sum.
pub(crate) fn page0(space: u32, pages: u32, flags: u32) -> Vec<u8> {
    let mut page = vec![0; 64];
    put16(&mut page, 24, 8);
    put32(&mut page, 34, space);
    put32(&mut page, 38, space);
    put32(&mut page, 46, pages);
    put32(&mut page, 54, flags);
    page
}

/// A page of this number full of noise, of the type of an index.
fn blank(size: usize, number: u32) -> Vec<u8> {
    let mut page = noise(size, u64::from(number) + size as u64);
    put32(&mut page, 0, 0);
    put32(&mut page, 4, number);
    put16(&mut page, 24, 17855);
    page[26..34].fill(0);
    put32(&mut page, 34, 7);
    page
}

/// Copies the LSN's low half to the end.
fn end_lsn(page: &mut [u8], from_end: usize) {
    let at = page.len() - from_end;
    page.copy_within(20..24, at);
}

pub(crate) fn seal_full_crc32(page: &mut [u8]) {
    let end = page.len() - 4;
    end_lsn(page, 8);
    put32(page, end, crc32c(&page[..end]));
}

fn legacy_crc32(page: &[u8]) -> u32 {
    crc32c(&page[4..26]) ^ crc32c(&page[38..page.len() - 8])
}

pub(crate) fn seal_crc32(page: &mut [u8]) {
    let (end, sum) = (page.len() - 8, legacy_crc32(page));
    put32(page, 0, sum);
    put32(page, end, sum);
    end_lsn(page, 4);
}

pub(crate) fn seal_big_endian(page: &mut [u8]) {
    let end = page.len() - 8;
    let sum = crc32c_big_endian(page, 4, 26) ^ crc32c_big_endian(page, 38, end);
    put32(page, 0, sum);
    put32(page, end, sum);
    end_lsn(page, 4);
}

pub(crate) fn seal_zip_big_endian(page: &mut [u8]) {
    let part = |from, to| crc32c_big_endian(page, from, to);
    let sum = part(4, 16) ^ part(24, 26) ^ part(34, page.len());
    put32(page, 0, sum);
}

pub(crate) fn seal_innodb(page: &mut [u8]) {
    let end = page.len() - 8;
    put32(page, 0, fold(&page[4..26]).wrapping_add(fold(&page[38..end])));
    put32(page, end, fold(&page[..26]));
    end_lsn(page, 4);
}

pub(crate) fn seal_none(page: &mut [u8]) {
    let end = page.len() - 8;
    put32(page, 0, NO_SUM);
    put32(page, end, NO_SUM);
    end_lsn(page, 4);
}

fn zip_crc32(page: &[u8]) -> u32 {
    crc32c(&page[4..16]) ^ crc32c(&page[24..26]) ^ crc32c(&page[34..])
}

/// All samples, of every size of pages that there is.
pub(crate) fn all() -> Vec<Sample> {
    let mut all = Vec::new();
    for shift in 3..=7 {
        let size = 512 << shift;
        all.extend(full_crc32(shift, size));
        all.extend(legacy(shift, size));
        all.extend(compressed_by_mysql(shift, size));
    }
    for shift in 1..=5 {
        all.extend(zip(shift, 512 << shift));
    }
    all
}

fn full_crc32(shift: u32, size: usize) -> Vec<Sample> {
    let sample = |name: &str, flags, page, free| Sample {
        name: format!("{name}-{size}"),
        page0: page0(7, 9, flags),
        page,
        free,
        is_unsummed: false,
    };
    let mut plain = blank(size, PAGE);
    seal_full_crc32(&mut plain);
    let mut encrypted = blank(size, PAGE);
    put32(&mut encrypted, 0, 1);
    seal_full_crc32(&mut encrypted);
    put32(&mut encrypted, size - 8, 0x1234_5678); // ciphertext
    let sum = crc32c(&encrypted[..size - 4]);
    put32(&mut encrypted, size - 4, sum);
    let mut packed = blank(size, PAGE);
    let len = size / 2 + 256;
    put16(&mut packed, 24, 0x8000 | (len >> 8) as u16);
    let sum = crc32c(&packed[..len - 4]);
    put32(&mut packed, len - 4, sum);
    packed[len..].fill(0);
    vec![
        sample("full_crc32", 0x10 | shift, plain, vec![]),
        sample("full_crc32-encrypted", 0x10 | shift, encrypted, vec![]),
        sample("full_crc32-packed", 0x30 | shift, packed, vec![(len, size)]),
    ]
}

fn legacy_flags(shift: u32) -> u32 {
    if shift == 5 { 0x21 } else { 0x21 | shift << 6 }
}

fn legacy(shift: u32, size: usize) -> Vec<Sample> {
    let sample = |name: &str, page, free, is_unsummed| Sample {
        name: format!("{name}-{size}"),
        page0: page0(7, 9, legacy_flags(shift)),
        page,
        free,
        is_unsummed,
    };
    let [mut crc32, mut turned, mut innodb, mut none, mut encrypted] =
        [(); 5].map(|()| blank(size, PAGE));
    seal_crc32(&mut crc32);
    seal_big_endian(&mut turned);
    seal_innodb(&mut innodb);
    seal_none(&mut none);
    put32(&mut encrypted, 26, 3);
    let sum = legacy_crc32(&encrypted);
    put32(&mut encrypted, 30, sum);
    let end = size - 8;
    vec![
        sample("crc32", crc32, vec![(26, 34)], false),
        sample("crc32-big-endian", turned, vec![(26, 34)], false),
        sample("innodb", innodb, vec![(26, 34)], false),
        sample("none", none, vec![(8, 20), (24, 34), (38, end)], true),
        sample("crc32-encrypted", encrypted, vec![(0, 4), (26, 30), (end, size)], false),
    ]
}

fn compressed_by_mysql(shift: u32, size: usize) -> Vec<Sample> {
    let mut plain = blank(size, PAGE);
    plain[size / 2..size - 8].fill(0x61); // so that it shrinks
    seal_crc32(&mut plain);
    let flags = if shift == 5 { 0x4021 } else { 0x4021 | shift << 6 };
    [(1, "zlib"), (2, "lz4")]
        .map(|(algorithm, name)| {
            let data = match algorithm {
                1 => zlib(&plain[38..]),
                _ => lz4_flex::block::compress(&plain[38..]),
            };
            let mut page = vec![0; size];
            page[..26].copy_from_slice(&plain[..26]);
            page[34..38].copy_from_slice(&plain[34..38]);
            put16(&mut page, 24, 14);
            page[26..28].copy_from_slice(&[1, algorithm]);
            put16(&mut page, 28, 17855);
            put16(&mut page, 30, (size - 38) as u16);
            put16(&mut page, 32, data.len() as u16);
            let end = 38 + data.len();
            page[38..end].copy_from_slice(&data);
            Sample {
                name: format!("mysql-{name}-{size}"),
                page0: page0(7, 9, flags),
                page,
                free: vec![(end, size)],
                is_unsummed: false,
            }
        })
        .into()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zip(shift: u32, size: usize) -> Vec<Sample> {
    let sample = |name: &str, page, free, is_unsummed| Sample {
        name: format!("{name}-{size}"),
        page0: page0(7, 9, 0x21 | shift << 1),
        page,
        free,
        is_unsummed,
    };
    let [mut crc32, mut turned, mut adler, mut none, mut encrypted] =
        [(); 5].map(|()| blank(size, PAGE));
    seal_zip_big_endian(&mut turned);
    let sum = zip_crc32(&crc32);
    put32(&mut crc32, 0, sum);
    let sum = adler32(&[&adler[4..16], &adler[24..26], &adler[34..]].concat());
    put32(&mut adler, 0, sum);
    put32(&mut none, 0, NO_SUM);
    put32(&mut encrypted, 26, 3);
    let sum = zip_crc32(&encrypted);
    put32(&mut encrypted, 30, sum);
    let free = || vec![(16, 24), (26, 34)];
    vec![
        sample("zip-crc32", crc32, free(), false),
        sample("zip-crc32-big-endian", turned, free(), false),
        sample("zip-adler32", adler, free(), false),
        sample("zip-none", none, vec![(8, 34), (38, size)], true),
        sample("zip-encrypted", encrypted, vec![(0, 4), (16, 24), (26, 30)], false),
    ]
}

/// Whole tablespaces of full noise: page 0, then pages 1 to `pages - 1`, each sealed by `seal`.
pub(crate) fn tablespace(
    size: usize,
    pages: u32,
    space: u32,
    flags: u32,
    seal: impl Fn(&mut [u8]),
) -> Vec<u8> {
    let mut all = Vec::new();
    for number in 0..pages {
        let mut page = blank(size, number);
        put32(&mut page, 34, space);
        if number == 0 {
            page[..64].copy_from_slice(&page0(space, pages, flags));
        }
        seal(&mut page);
        all.extend(page);
    }
    all
}
