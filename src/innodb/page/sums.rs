//! The sums that InnoDB has had.

/// CRC-32C of bytes; hardware where there is any.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// What MySQL before 5.7 took for CRC-32C on big-endian machines, of bytes that lie at `at` in their
/// page: where eight bytes lie at a multiple of eight, it reads them as one number, whose lowest
/// byte is the last one there, and takes that one first.
pub(super) fn crc32c_big_endian(bytes: &[u8], at: usize) -> u32 {
    let unaligned = at.next_multiple_of(8) - at;
    let (head, rest) = bytes.split_at(unaligned.min(bytes.len()));
    let (words, tail) = rest.as_chunks::<8>();
    let mut crc = crc32c::crc32c(head);
    let mut turned = [[0; 8]; 128];
    for words in words.chunks(turned.len()) {
        for (to, from) in turned.iter_mut().zip(words) {
            *to = u64::from_be_bytes(*from).to_le_bytes();
        }
        let turned = turned.get(..words.len()).unwrap_or_default();
        crc = crc32c::crc32c_append(crc, turned.as_flattened());
    }
    crc32c::crc32c_append(crc, tail)
}

/// InnoDB's own sum of bytes, begun with 0. Only its low half is ever stored.
pub(super) fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| {
        let byte = u32::from(*byte);
        let mixed = ((sum ^ byte ^ 0x6294_6a4f) << 8).wrapping_add(sum);
        (mixed ^ 0x573e_d587).wrapping_add(byte)
    })
}

/// Adler-32, begun with 0 rather than 1, of several pieces in turn.
pub(super) fn adler32(pieces: &[&[u8]]) -> u32 {
    const BASE: u32 = 65_521;
    /// Most bytes whose sums, from any state, fit into 32 bits.
    const RUN: usize = 5552;
    let (mut a, mut b) = (0_u32, 0_u32);
    for run in pieces.iter().flat_map(|piece| piece.chunks(RUN)) {
        for byte in run {
            a += u32::from(*byte);
            b += a;
        }
        a %= BASE;
        b %= BASE;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a plain reading of the definition gives, bit by bit.
    fn crc32c_by_bits(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
                crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
            })
        })
    }

    #[test]
    fn crc32c_is_castagnoli_at_every_length() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..3000_u32).map(|i| ((i * i) >> 3).to_le_bytes()[0]).collect();
        for len in (0..600).chain([1024, 2047, 2999]) {
            assert_eq!(crc32c(&bytes[..len]), crc32c_by_bits(&bytes[..len]), "{len}");
        }
    }

    /// Eight bytes are turned around where they are read as one number, and no others.
    #[test]
    fn big_endian_machines_take_eight_bytes_in_reverse() {
        let bytes: Vec<u8> = (0..3000_u32).map(|i| ((i * i) >> 3).to_le_bytes()[0]).collect();
        for (at, len) in (0..9).flat_map(|at| (0..40).chain([1023, 2500]).map(move |len| (at, len)))
        {
            let mut turned = bytes[..len].to_vec();
            let mut place = 0;
            while place + 8 <= len {
                if (at + place) % 8 == 0 {
                    turned[place..place + 8].reverse();
                    place += 8;
                } else {
                    place += 1;
                }
            }
            assert_eq!(crc32c_big_endian(&bytes[..len], at), crc32c_by_bits(&turned), "{at} {len}");
        }
    }

    #[test]
    fn adler32_continues_over_pieces_and_never_overflows() {
        // Begun with 1, Adler-32 of "Wikipedia" is 0x11e60398; each of 9 bytes adds that 1 once.
        assert_eq!(adler32(&[b"Wiki", b"", b"pedia"]), 0x11e6_0398 - (9 << 16) - 1);
        let worst = vec![0xff_u8; 20_000];
        let a = 20_000_u64 * 255 % 65_521;
        let b = (1..=20_000_u64).map(|n| n * 255).sum::<u64>() % 65_521;
        assert_eq!(u64::from(adler32(&[&worst])), b << 16 | a);
    }
}
