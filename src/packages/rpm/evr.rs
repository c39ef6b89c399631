//! Versions of rpm: `[epoch:]version[-release]`, and the order of each part.
//!
//! A version is data somebody else wrote. Any text compares without a panic, and numbers of any
//! length compare by value.

use std::cmp::Ordering;

/// The order of two versions; a missing epoch is `0`, a missing release comes before any.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    vercmp(a.epoch, b.epoch).then_with(|| vercmp(a.version, b.version)).then_with(|| {
        match (a.release, b.release) {
            (Some(a), Some(b)) => vercmp(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    })
}

struct Parts<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Parts<'a> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
            _ => ("", text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Parts { epoch: if epoch.is_empty() { "0" } else { epoch }, version, release }
    }
}

/// The order of two versions, or of two releases, by runs of digits and of letters. All other
/// characters only part these, but for two: `~` sorts before everything, even the end (`1.0~rc1` <
/// `1.0`), and `^` after the end, but before anything else that follows (`1.0` < `1.0^git1` <
/// `1.0.1`). Texts that differ may be equal (`1.0` and `1_0`).
pub fn vercmp(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (from_next_part(a), from_next_part(b));
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'~'), _) | (None, Some(b'^')) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, _) | (_, None) => return a.len().min(1).cmp(&b.len().min(1)),
            (Some(first), Some(other)) => {
                let digits = first.is_ascii_digit();
                // A number is newer than letters.
                if digits != other.is_ascii_digit() {
                    return digits.cmp(&!digits);
                }
                let (a_part, a_rest) = run(a, digits);
                let (b_part, b_rest) = run(b, digits);
                let order = if digits { number(a_part, b_part) } else { a_part.cmp(b_part) };
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (a_rest, b_rest);
            }
        }
    }
}

fn from_next_part(text: &[u8]) -> &[u8] {
    let part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'~' || *b == b'^';
    &text[text.iter().position(part).unwrap_or(text.len())..]
}

/// The digits, or the letters, that `text` begins with, and the rest.
fn run(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let belongs = |b: &u8| if digits { b.is_ascii_digit() } else { b.is_ascii_alphabetic() };
    text.split_at(text.iter().position(|b| !belongs(b)).unwrap_or(text.len()))
}

fn number(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |text: &[u8]| text.iter().position(|&b| b != b'0').unwrap_or(text.len());
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_of_rpm() {
        let ascending = [
            "~~",
            "~",
            "",
            "^",
            "a",
            "ab~1",
            "ab",
            "b",
            "1~~",
            "1~rc1",
            "1~rc2",
            "1",
            "1^",
            "1^git1~x",
            "1^git1",
            "1^1",
            "1.a",
            "1.0",
            "1.0^",
            "1.0.1",
            "1.2",
            "1.10",
            "2",
            "2a",
            "2.1",
            "18446744073709551616",
            "18446744073709551617",
        ];
        for (a, older) in ascending.iter().enumerate() {
            for (b, newer) in ascending.iter().enumerate() {
                assert_eq!(vercmp(older, newer), a.cmp(&b), "{older} {newer}");
            }
        }
    }

    #[test]
    fn what_only_parts_the_parts_does_not_count() {
        for (a, b) in [("1.0", "1_0"), ("1.0", "1..0."), ("1.05", "1.5"), ("1é0", "1.0"), ("", "-")]
        {
            assert_eq!(vercmp(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn epoch_comes_first_and_a_missing_release_is_the_oldest() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("1:1-1", "2-1", Greater),
            ("0:1-1", "1-1", Equal),
            (":1-1", "1-1", Equal),
            ("1-1", "1-2", Less),
            ("1", "1-2", Less),
            ("1", "1-~", Less),
            ("1~1-9", "1-1", Less),
            ("x:1", "1", Less),
            ("10:1", "9:2", Greater),
        ] {
            assert_eq!(compare(a, b), order, "{a} {b}");
            assert_eq!(compare(b, a), order.reverse(), "{b} {a}");
        }
    }
}
