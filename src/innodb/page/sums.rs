//! The three sums that InnoDB has had.

/// CRC-32C of bytes; hardware where there is any.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
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
