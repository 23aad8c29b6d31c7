//! QuickLZ 1.5.0, level 1, without streaming buffer: the packets in qpress archives.
//!
//! Both directions are written from the packets' layout, and compressing gives the very bytes
//! that `mariabackup --compress` 10.11 and `xtrabackup` 2.x and 8.x write (seen on their
//! archives). Unlike the original, decoding believes nothing: every length, table entry and
//! distance is checked before it is used.
//!
//! A packet is a header of 3 or 9 bytes (flags, compressed size with header, plain size), then
//! either the plain bytes, or groups of a 32-bit control word and up to 31 items. The word's bits,
//! from the lowest, say which items are literals (0) and matches (1); bit 31 ends the group. A
//! match does not hold a distance but the 12-bit hash of its first three bytes: both sides keep a
//! table of where a hash was seen last. Positions inside a match never enter the table.

#![expect(
    clippy::cast_possible_truncation,
    reason = "packets are smaller than 4 GiB, and hashes and bytes are cut out of words on purpose"
)]

use crate::error::{Error, ErrorKind, Result};

/// Entries of the table.
const HASHES: usize = 4096;

/// Bytes before the end of a packet's plain bytes in which no match begins.
const TAIL: usize = 11;

/// Plain bytes from which on a packet has a long header.
const LONG: usize = 216;

/// The longest header.
pub(crate) const MAX_HEADER: usize = 9;

/// A compressed body of fewer bytes is filled up to so many.
const MIN_BODY: usize = 9;

/// The longest match.
const MAX_MATCH: usize = 255;

/// Bytes that copying may go beyond the end of what it copies, so that it need not stop exactly.
const SLOP: usize = 32;

/// What the first bytes of a packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Length of the header itself.
    pub(crate) len: usize,
    /// Length of the packet, header included.
    pub(crate) packet: usize,
    /// Length of the plain bytes.
    pub(crate) plain: usize,
    compressed: bool,
    level: u8,
}

impl Header {
    /// Length of the header that begins with `flags`.
    pub(crate) fn len_of(flags: u8) -> usize {
        if flags & 2 == 0 { 3 } else { MAX_HEADER }
    }

    /// Reads the header at the front of `bytes`. `None` if it makes no sense.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (flags, fields) = bytes.split_first()?;
        let (packet, plain) = if flags & 2 == 0 {
            let [packet, plain] = *fields.first_chunk()?;
            (u32::from(packet), u32::from(plain))
        } else {
            let (packet, plain) = fields.split_first_chunk()?;
            (u32::from_le_bytes(*packet), u32::from_le_bytes(*plain.first_chunk()?))
        };
        let (packet, plain) = (usize::try_from(packet).ok()?, usize::try_from(plain).ok()?);
        let flags = *flags;
        let header = Self {
            len: Self::len_of(flags),
            packet,
            plain,
            compressed: flags & 1 != 0,
            level: (flags >> 2) & 3,
        };
        // Bit 6 is always set, bit 7 never; bits 4 and 5 are for history between packets.
        let sane = flags & 0xf0 == 0x40
            && packet >= header.len
            && (header.compressed || packet - header.len == plain)
            // 255 plain bytes for a match of 3, which 1/31 of a control word belongs to: 81.5.
            && plain / 82 <= packet;
        sane.then_some(header)
    }
}

/// Longest packet for `plain` bytes that any compressor makes: all literals, and their words.
pub(crate) fn max_packet(plain: usize) -> usize {
    plain + plain / 31 * 4 + MAX_HEADER + 4 + MIN_BODY
}

fn hash(three: u32) -> usize {
    (((three >> 12) ^ three) & 0xfff) as usize
}

/// Decompresses packets; its tables and buffer are used again.
pub(crate) struct Decompressor {
    /// Where a hash was seen last.
    seen: Box<[u32; HASHES]>,
    plain: Vec<u8>,
}

impl Decompressor {
    pub(crate) fn new() -> Self {
        Self { seen: Box::new([0; HASHES]), plain: Vec::new() }
    }

    /// The plain bytes of a whole packet.
    pub(crate) fn decompress(&mut self, header: &Header, packet: &[u8]) -> Result<&[u8]> {
        let body = packet.get(header.len..header.packet).ok_or_else(|| wrong("is cut"))?;
        if !header.compressed {
            self.plain.clear();
            self.plain.extend_from_slice(body);
            return Ok(&self.plain);
        }
        if header.level != 1 {
            let message = format!("a QuickLZ packet of level {}, not 1", header.level);
            return Err(Error::new(ErrorKind::Unsupported, message)
                .hint("no backup tool writes these; decompress the file with `qpress -do`"));
        }
        // Old bytes may stay: what is not written anew is never read.
        if self.plain.len() < header.plain + SLOP {
            self.plain.resize(header.plain + SLOP, 0);
        }
        self.seen.fill(u32::MAX);
        self.body(body, header.plain)?;
        self.plain.get(..header.plain).ok_or_else(|| wrong("is cut"))
    }

    /// What the last packet held, and bytes of no meaning behind it.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Frees what a large packet needed.
    pub(crate) fn shrink(&mut self, most: usize) {
        if self.plain.capacity() > most {
            self.plain = Vec::new();
        }
    }

    fn body(&mut self, body: &[u8], end: usize) -> Result<()> {
        let plain = self.plain.as_mut_slice();
        let seen = &mut *self.seen;
        let mut at = 0; // in the body
        let mut made = 0; // plain bytes
        let mut entered = 0; // the next position to enter in the table
        let mut word = 1_u32;
        while made < end {
            if word == 1 {
                word = read_u32(body, at).ok_or_else(|| wrong("is cut"))?;
                at += 4;
                if word >> 31 == 0 {
                    return Err(wrong("has a control word without its end"));
                }
            }
            let literals = word.trailing_zeros() as usize;
            if literals > 0 {
                let count = literals.min(end - made);
                copy_literals(plain, made, body, at, count).ok_or_else(|| wrong("is cut"))?;
                at += count;
                made += count;
                word >>= literals;
                continue;
            }
            word >>= 1;
            let (match_hash, len, used) = read_match(body, at).ok_or_else(|| wrong("is cut"))?;
            at += used;
            // Up to here all positions count, but those whose three bytes are not there yet.
            entered = enter(plain, seen, entered, made.saturating_sub(2));
            let from = seen.get(match_hash).map_or(usize::MAX, |from| *from as usize);
            if from >= made || len < 3 || len > end - made {
                return Err(wrong("has a match that cannot be"));
            }
            copy_match(plain, from, made, len)
                .ok_or_else(|| wrong("has a match that cannot be"))?;
            // The first bytes of the match complete the positions before it, and its own.
            enter(plain, seen, entered, made + 1);
            made += len;
            entered = made;
        }
        // Small bodies are filled up.
        if at == body.len() || (at < MIN_BODY && body.len() == MIN_BODY) {
            Ok(())
        } else {
            Err(wrong("goes on behind its end"))
        }
    }
}

/// Enters the positions from `from` until `until`; gives the next.
#[inline]
fn enter(plain: &[u8], seen: &mut [u32; HASHES], from: usize, until: usize) -> usize {
    let mut at = from;
    while at < until {
        let Some(four) = read_u32(plain, at) else { break };
        if let Some(place) = seen.get_mut(hash(four & 0xff_ffff)) {
            *place = at as u32;
        }
        at += 1;
    }
    at
}

#[inline]
fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|four| u32::from_le_bytes(*four))
}

#[inline]
fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|eight| u64::from_le_bytes(*eight))
}

/// Hash, length, and bytes of the match at `at`.
#[inline]
fn read_match(body: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let rest = body.get(at..)?;
    let [low, high] = *rest.first_chunk::<2>()?;
    let hash = usize::from(low >> 4) | usize::from(high) << 4;
    match low & 15 {
        0 => Some((hash, usize::from(*rest.get(2)?), 3)),
        len => Some((hash, usize::from(len) + 2, 2)),
    }
}

/// Copies up to 31 literals, by a fixed number of bytes where there is room for them.
#[inline]
fn copy_literals(
    plain: &mut [u8],
    to: usize,
    body: &[u8],
    from: usize,
    count: usize,
) -> Option<()> {
    let source = body.get(from..)?;
    let target = plain.get_mut(to..)?;
    if count <= 4
        && let Some(some) = source.first_chunk::<4>()
    {
        *target.first_chunk_mut::<4>()? = *some;
    } else if let Some(some) = source.first_chunk::<SLOP>() {
        *target.first_chunk_mut::<SLOP>()? = *some;
    } else {
        target.get_mut(..count)?.copy_from_slice(source.get(..count)?);
    }
    Some(())
}

/// Copies a match, which may overlap itself.
#[inline]
fn copy_match(plain: &mut [u8], from: usize, to: usize, len: usize) -> Option<()> {
    let distance = to - from;
    if distance >= 8 {
        let mut done = 0;
        while done < len {
            let eight = *plain.get(from + done..)?.first_chunk::<8>()?;
            *plain.get_mut(to + done..)?.first_chunk_mut::<8>()? = eight;
            done += 8;
        }
    } else if distance == 1 {
        let byte = *plain.get(from)?;
        plain.get_mut(to..to + len)?.fill(byte);
    } else {
        for done in 0..len {
            let byte = *plain.get(from + done)?;
            *plain.get_mut(to + done)? = byte;
        }
    }
    Some(())
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Decompress, format!("a QuickLZ packet {what}"))
}

/// Compresses packets; its table is used again.
pub(crate) struct Compressor {
    /// For each hash where it was seen last, and its three bytes: the position in the high half.
    seen: Box<[u64; HASHES]>,
}

impl Compressor {
    #[expect(clippy::large_stack_arrays, reason = "32 KiB, once")]
    pub(crate) fn new() -> Self {
        Self { seen: Box::new([0; HASHES]) }
    }

    /// Appends the packet of `plain`; nothing for no bytes.
    ///
    /// # Panics
    /// Never; `plain` longer than 4 GiB is refused by the caller's chunk size.
    pub(crate) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        if plain.is_empty() {
            return;
        }
        let start = out.len();
        let header_len = if plain.len() < LONG { 3 } else { MAX_HEADER };
        out.resize(start + max_packet(plain.len()) + SLOP, 0);
        let body = out.get_mut(start + header_len..).unwrap_or_default();
        self.seen.fill(0);
        let compressed = body_of(plain, &mut self.seen, body);
        let len = if let Some(len) = compressed {
            if let Some(padding) = body.get_mut(len..MIN_BODY) {
                padding.fill(0); // leftovers of the original's buffer; any bytes do
            }
            header_len + len.max(MIN_BODY)
        } else {
            if let Some(stored) = body.get_mut(..plain.len()) {
                stored.copy_from_slice(plain);
            }
            header_len + plain.len()
        };
        out.truncate(start + len);
        put_header(out.get_mut(start..).unwrap_or_default(), compressed.is_some(), plain.len());
    }
}

fn put_header(packet: &mut [u8], compressed: bool, plain: usize) {
    let len = packet.len();
    let flags = 0x44 | u8::from(compressed);
    if plain < LONG {
        if let Some(header) = packet.first_chunk_mut() {
            *header = [flags, len as u8, plain as u8];
        }
    } else if let Some(header) = packet.first_chunk_mut::<MAX_HEADER>() {
        let (len, plain) = (len as u32, plain as u32);
        let mut bytes = len.to_le_bytes().into_iter().chain(plain.to_le_bytes());
        *header =
            std::array::from_fn(
                |i| {
                    if i == 0 { flags | 2 } else { bytes.next().unwrap_or_default() }
                },
            );
    }
}

/// A group of items on its way: the place of its control word, and the word's bits so far.
struct Group {
    place: usize,
    word: u32,
}

impl Group {
    const EMPTY: u32 = 1 << 31;

    /// Whether it holds 31 items.
    fn is_full(&self) -> bool {
        self.word & 1 != 0
    }

    fn store(&self, out: &mut [u8]) {
        if let Some(place) = out.get_mut(self.place..).and_then(<[u8]>::first_chunk_mut) {
            *place = ((self.word >> 1) | Self::EMPTY).to_le_bytes();
        }
    }

    /// Stores the word, and begins a group at `len`; gives the length behind its word.
    fn next(&mut self, out: &mut [u8], len: usize) -> usize {
        self.store(out);
        *self = Self { place: len, word: Self::EMPTY };
        len + 4
    }
}

/// Compresses into `out`, which has room for the worst; gives the length, or `None` if it is
/// better stored.
fn body_of(plain: &[u8], seen: &mut [u64; HASHES], out: &mut [u8]) -> Option<usize> {
    let n = plain.len();
    let mut group = Group { place: 0, word: Group::EMPTY };
    let mut len = 4;
    let mut literals = 0_u32;
    let mut at = 0;
    while at + TAIL <= n {
        if group.is_full() {
            if at > n / 2 && len > at - at / 32 {
                return None;
            }
            len = group.next(out, len);
        }
        let four = read_u32(plain, at)?;
        let three = four & 0xff_ffff;
        let place = seen.get_mut(hash(three))?;
        let old = std::mem::replace(place, (at as u64) << 32 | u64::from(three));
        let from = (old >> 32) as usize;
        if old as u32 == three
            && from != 0
            && (at - from > 2 || (from + 1 == at && literals >= 3 && is_run(plain, at)))
        {
            let most = MAX_MATCH.min(n - 4 - at);
            let same = match_len(plain, from, at, most);
            let hash = (hash(three) as u32) << 4;
            let (bytes, used) = if same < 18 {
                (hash | (same as u32 - 2), 2)
            } else {
                (hash | (same as u32) << 16, 3)
            };
            *out.get_mut(len..)?.first_chunk_mut()? = bytes.to_le_bytes();
            len += used;
            at += same;
            literals = 0;
            group.word = (group.word >> 1) | Group::EMPTY;
        } else {
            *out.get_mut(len)? = four as u8;
            len += 1;
            at += 1;
            literals += 1;
            group.word >>= 1;
        }
    }
    for byte in plain.get(at..)? {
        if group.is_full() {
            len = group.next(out, len);
        }
        *out.get_mut(len)? = *byte;
        len += 1;
        group.word >>= 1;
    }
    group.word >>= group.word.trailing_zeros();
    group.store(out);
    Some(len)
}

/// Whether the seven bytes around `at` are one and the same, and begin behind the first.
#[cold]
fn is_run(plain: &[u8], at: usize) -> bool {
    at > 3
        && plain
            .get(at - 3..at + 4)
            .is_some_and(|seven| seven.iter().all(|byte| Some(byte) == seven.first()))
}

/// How many bytes, of at least 3 and at most `most`, are the same.
#[inline]
fn match_len(plain: &[u8], from: usize, at: usize, most: usize) -> usize {
    let mut same = 3;
    while same < most {
        let (Some(one), Some(other)) = (read_u64(plain, from + same), read_u64(plain, at + same))
        else {
            break;
        };
        let differ = one ^ other;
        if differ != 0 {
            return most.min(same + (differ.trailing_zeros() / 8) as usize);
        }
        same += 8;
    }
    while same < most && plain.get(from + same) == plain.get(at + same) {
        same += 1;
    }
    same.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Compressor::new().compress(plain, &mut out);
        out
    }

    fn plain(packet: &[u8]) -> Result<Vec<u8>> {
        let header = Header::read(packet).ok_or_else(|| wrong("has no header"))?;
        Decompressor::new().decompress(&header, packet).map(<[u8]>::to_vec)
    }

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// What `mariabackup` 10.11 writes, worked out by hand from the layout.
    #[test]
    fn packets_are_the_original_ones() {
        let a300 = "471b0000002c01000030000080616161617077ff70772561616161";
        for (source, expected) in [
            (b"hello".to_vec(), "450c050000008068656c6c6f"),
            (b"abcdefgh".repeat(5), "4517280002008061626364656667686140521b65666768"),
            (vec![b'a'; 40], "4512281000008061616161707720 61616161"),
            (vec![b'a'; 300], a300),
        ] {
            let expected = unhex(&expected.replace(' ', ""));
            assert_eq!(packet(&source), expected);
            assert_eq!(plain(&expected).unwrap(), source);
        }
        let bytes: Vec<u8> = (0..=0xd7).collect();
        let stored = [&unhex("46e1000000d8000000")[..], &bytes].concat();
        assert_eq!(packet(&bytes), stored);
        assert!(packet(b"").is_empty());
    }

    #[test]
    fn a_word_without_its_end_and_a_body_that_goes_on_are_refused() {
        for bad in [
            "450c050000000068656c6c6f",   // bit 31 of the word
            "450d050000008068656c6c6f00", // a byte more
            "450b050000008068656c6c",     // a byte less
            "450c060000008068656c6c6f",   // a plain byte more
            "450c050100008068656c6c6f",   // a match before anything
            "250c050000008068656c6c6f",   // history between packets
            "4502050000008068656c6c6f",   // a packet shorter than its header
        ] {
            assert!(plain(&unhex(bad)).is_err(), "{bad}");
        }
        let level3 = plain(&unhex("4d0c050000008068656c6c6f")).unwrap_err();
        assert_eq!(level3.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn the_worst_and_best_cases_fit_their_bounds() {
        let noise: Vec<u8> =
            (0..70_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for len in [1, 3, 4, 9, 11, 12, 200, 215, 216, 300, 65536, 70_000] {
            for source in [&noise[..len], &vec![0; len], &vec![0xff; len]] {
                let packet = packet(source);
                let header = Header::read(&packet).unwrap();
                assert_eq!((header.packet, header.plain), (packet.len(), len));
                assert!(packet.len() <= max_packet(len));
                assert!(plain(&packet).unwrap() == source, "{len}");
            }
        }
    }
}
