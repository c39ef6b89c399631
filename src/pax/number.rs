//! Numbers as tars spell them: octal and base-256 fields, decimal records, decimal times.
//!
//! Every function is total: what is no number, or does not fit, is `None`.

use crate::tree::Time;

/// The number in a header field: octal text, ended by NUL or space, or base-256 as GNU tar writes
/// what octal cannot hold. An empty field is 0.
pub(super) fn field(bytes: &[u8]) -> Option<i64> {
    match bytes.first() {
        Some(&first) if first & 0x80 != 0 => base_256(bytes),
        _ => octal(bytes),
    }
}

/// As [`field`], for numbers that cannot be negative.
pub(super) fn unsigned(bytes: &[u8]) -> Option<u64> {
    u64::try_from(field(bytes)?).ok()
}

fn octal(bytes: &[u8]) -> Option<i64> {
    let text = bytes.trim_ascii_start();
    let end = text.iter().position(|b| matches!(b, 0 | b' ')).unwrap_or(text.len());
    text[..end].iter().try_fold(0i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Two's complement, big-endian, without the uppermost bit, which is the mark.
fn base_256(bytes: &[u8]) -> Option<i64> {
    let (first, rest) = bytes.split_first()?;
    let start = if first & 0x40 == 0 { i128::from(first & 0x7f) } else { i128::from(*first as i8) };
    let value = rest.iter().try_fold(start, |value, byte| {
        // Fields have 12 bytes at most: 96 bits.
        Some(value.checked_mul(256)? | i128::from(*byte))
    })?;
    i64::try_from(value).ok()
}

/// A decimal number of digits only.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// A pax time: seconds since 1970 with an optional sign and fraction, such as `-1.5`. What is
/// finer than a nanosecond is rounded down.
pub(super) fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let secs = i128::from(decimal(whole)?);
    let (fine, finer) = fraction.split_at(fraction.len().min(9));
    let mut nanos = fine.iter().fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    nanos *= 10i128.pow(9 - fine.len() as u32);
    let mut total = secs * 1_000_000_000 + nanos;
    if negative {
        total = -total - i128::from(finer.iter().any(|&digit| digit != b'0'));
    }
    let secs = i64::try_from(total.div_euclid(1_000_000_000)).ok()?;
    let nanos = u32::try_from(total.rem_euclid(1_000_000_000)).ok()?;
    Some(Time { secs, nanos })
}

/// `time` as a pax record spells it, exact and without needless digits.
pub(super) fn time_text(time: Time) -> String {
    let total = i128::from(time.secs) * 1_000_000_000 + i128::from(time.nanos);
    let sign = if total < 0 { "-" } else { "" };
    let magnitude = total.unsigned_abs();
    let (secs, nanos) = (magnitude / 1_000_000_000, magnitude % 1_000_000_000);
    if nanos == 0 {
        return format!("{sign}{secs}");
    }
    format!("{sign}{secs}.{nanos:09}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64, nanos: u32) -> Option<Time> {
        Some(Time { secs, nanos })
    }

    #[test]
    fn a_field_is_octal_or_base_256_and_nothing_else() {
        assert_eq!(field(b"0000644\0"), Some(0o644));
        assert_eq!(field(b"   644 \0"), Some(0o644));
        assert_eq!(field(b"77777777777\0"), Some(0o77_777_777_777));
        assert_eq!(field(b"77777777"), Some(0o77_777_777));
        assert_eq!(field(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(field(b"0000688\0"), None);
        assert_eq!(field(b"-000001\0"), None);
        assert_eq!(field(b"0x10\0\0\0\0"), None);
        assert_eq!(field(b"\x80\0\0\0\xb2\xd0\x5e\x00"), Some(3_000_000_000));
        assert_eq!(field(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), None);
        assert_eq!(field(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), None, "2^63");
        assert_eq!(field(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }

    #[test]
    fn times_are_exact_on_both_sides_of_1970() {
        for (text, time) in [
            ("0", at(0, 0)),
            ("-2", at(-2, 0)),
            ("-1.5", at(-2, 500_000_000)),
            ("-0.5", at(-1, 500_000_000)),
            ("1350244992.023960108", at(1_350_244_992, 23_960_108)),
            ("8589934592", at(8_589_934_592, 0)),
            ("9223372036854775807.999999999", at(i64::MAX, 999_999_999)),
            ("-9223372036854775808", at(i64::MIN, 0)),
        ] {
            assert_eq!(super::time(text.as_bytes()), time, "{text}");
            assert_eq!(time.map(time_text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_time_finer_than_a_nanosecond_is_rounded_down() {
        assert_eq!(time(b"1.0000000019"), at(1, 1));
        assert_eq!(time(b"-1.0000000001"), at(-2, 999_999_999));
        assert_eq!(time(b"1."), at(1, 0));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "-", ".5", "+1", "1e3", "1.5.5", "--1", "1.-5", "9223372036854775808"] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }
}
