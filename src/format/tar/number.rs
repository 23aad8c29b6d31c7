//! Numbers in headers.

/// The number in a field: octal digits, or GNU's binary form. A blank field is 0, as the sizes of
/// directories and the devices of files are left in old archives.
///
/// `None` for what is no number, is negative, or has over 63 bits.
pub(super) fn parse(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, rest)) => binary(rest),
        Some((first, _)) if first & 0x80 != 0 => None,
        _ => octal(field),
    }
}

fn binary(bytes: &[u8]) -> Option<u64> {
    let value = bytes.iter().try_fold(0_u64, |value, byte| {
        value.checked_mul(256).map(|value| value | u64::from(*byte))
    })?;
    (value <= i64::MAX.unsigned_abs()).then_some(value)
}

fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ').unwrap_or(field.len());
    let digits = field.get(start..).unwrap_or_default();
    let len = digits.iter().position(|byte| !matches!(byte, b'0'..=b'7')).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(len);
    if rest.iter().any(|byte| !matches!(byte, b' ' | 0)) {
        return None;
    }
    // Twelve digits are 36 bits at most.
    Some(digits.iter().fold(0, |value, digit| value * 8 + u64::from(digit - b'0')))
}

/// A decimal number, as in records and sparse maps: digits and nothing else, at most 63 bits.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let value = text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    (value <= i64::MAX.unsigned_abs()).then_some(value)
}

/// Writes `value` as octal digits and `end` into the field. The value must fit.
pub(super) fn put_octal(field: &mut [u8], value: u64, end: &[u8]) {
    let (digits, tail) = field.split_at_mut(field.len().saturating_sub(end.len()));
    tail.iter_mut().zip(end).for_each(|(to, from)| *to = *from);
    let mut left = value;
    for digit in digits.iter_mut().rev() {
        *digit = b"01234567".get(usize::try_from(left & 7).unwrap_or(0)).copied().unwrap_or(b'0');
        left >>= 3;
    }
    debug_assert_eq!(left, 0, "{value} does not fit {} digits", field.len());
}

/// Writes a size into its field of 12 bytes as libarchive does: 11 digits and a space; from 8 GiB
/// on 12 digits, from 64 GiB on in binary.
pub(super) fn put_size(field: &mut [u8; 12], size: u64) {
    if size < 1 << 33 {
        put_octal(field, size, b" ");
    } else if size < 1 << 36 {
        put_octal(field, size, b"");
    } else {
        field.fill(0);
        field[0] = 0x80;
        field[4..].copy_from_slice(&size.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_and_nothing_else() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"000644 \0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"103034215000", Some(9_000_000_000)),
            (b"777777777777", Some((1 << 36) - 1)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"\x80\0\0\0\0\0\0\x10\0\0\0\0", Some(1 << 36)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX as u64)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\xc0\0\0\0\0\0\0\0\0\0\0\0", None),
            (b"0000008\0", None),
            (b"-000001\0", None),
            (b"00 0001\0", None),
            (b"\x00000001\0", None),
            (b"", Some(0)),
        ] {
            assert_eq!(parse(field), expected, "{}", field.escape_ascii());
        }
        assert_eq!(decimal(b"9000000000"), Some(9_000_000_000));
        for text in ["", "-1", "+1", " 1", "1 ", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sizes_of_every_width_come_back() {
        for size in [0, 5, (1 << 33) - 1, 1 << 33, (1 << 36) - 1, 1 << 36, 1 << 48] {
            let mut field = [b'x'; 12];
            put_size(&mut field, size);
            assert_eq!(parse(&field), Some(size));
        }
        let mut field = [0; 12];
        put_size(&mut field, 5);
        assert_eq!(&field, b"00000000005 ");
    }
}
