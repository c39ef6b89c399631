//! Pax records: `LEN KEY=VALUE\n`, where LEN counts the whole record, itself included.
//!
//! The length alone says where a record ends. A value may hold any byte; a reader that looks for
//! the newline instead finds records that an attribute's value has smuggled in.

use super::number;

/// Appends the record of `key` and `value` to `out`.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + digits(rest);
    // One more digit of length can make the length one digit longer.
    length = rest + digits(length);
    out.extend_from_slice(format!("{length} ").as_bytes());
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// The bytes are no sequence of records.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The records in `bytes`, in order; after an error nothing more.
pub(super) fn parse(mut bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some((key, value, rest)) = first(bytes) else {
            bytes = &[];
            return Some(Err(Malformed));
        };
        bytes = rest;
        Some(Ok((key, value)))
    })
}

fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&b| b == b' ')?;
    let length = usize::try_from(number::decimal(&bytes[..space])?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let (newline, body) = record.get(space + 1..)?.split_last()?;
    let equals = body.iter().position(|&b| b == b'=')?;
    (*newline == b'\n' && equals > 0).then(|| (&body[..equals], &body[equals + 1..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Record<'a> = (&'a [u8], &'a [u8]);

    fn all(bytes: &[u8]) -> Vec<Result<Record<'_>, Malformed>> {
        parse(bytes).collect()
    }

    #[test]
    fn the_length_counts_itself() {
        for size in (0..120).chain(980..1010).chain(9980..10010) {
            let value = vec![b'v'; size];
            let mut out = Vec::new();
            push(&mut out, b"key", &value);
            let text = out.split(|&b| b == b' ').next().unwrap();
            assert_eq!(number::decimal(text), Some(out.len() as u64));
            assert_eq!(all(&out), [Ok((&b"key"[..], &value[..]))]);
        }
    }

    #[test]
    fn a_value_may_look_like_records() {
        let value = b"a\n22 linkpath=/etc/evil\n=";
        let mut out = Vec::new();
        push(&mut out, b"SCHILY.xattr.user.a", value);
        push(&mut out, b"size", b"1");
        assert_eq!(
            all(&out),
            [Ok((&b"SCHILY.xattr.user.a"[..], &value[..])), Ok((&b"size"[..], &b"1"[..]))]
        );
    }

    #[test]
    fn a_record_that_is_not_exactly_as_long_as_it_says_is_malformed() {
        for bytes in [
            &b"9 a=bcd\n"[..],
            b"7 a=bcd\n",
            b"8 a=bcd ",
            b"a=b\n",
            b" a=b\n",
            b"-8 a=bc\n",
            b"4 a=\n",
            b"6 abc\n",
            b"5 =b\n",
            b"0 a=b\n",
            b"2 a=b\n",
            b"3 \n",
            b"\0\0\0\0",
            b"99999999999999999999 a=b\n",
            b"000000000000000000000006 a=b\n",
        ] {
            assert_eq!(all(bytes), [Err(Malformed)], "{bytes:?}");
        }
    }
}
