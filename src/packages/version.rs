//! Debian versions: `[epoch:]upstream[-revision]`, compared as Debian's policy (5.6.12) says.
//!
//! A version is data somebody else wrote. Any text compares without a panic, and numbers of any
//! length compare by value.

use std::cmp::Ordering;

/// The order of two versions; a missing epoch is `0`, a missing revision sorts as `0`.
///
/// `~` sorts before everything, even the end: `1.0~rc1` < `1.0`. Texts that differ may be equal
/// (`1.0` and `0:1.0-0`).
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    number(a.epoch.as_bytes(), b.epoch.as_bytes())
        .then_with(|| part(a.upstream.as_bytes(), b.upstream.as_bytes()))
        .then_with(|| part(a.revision.as_bytes(), b.revision.as_bytes()))
}

/// The version its authors gave it, without epoch and revision: `13.11` of `1:13.11-0+deb11u1`.
pub fn upstream(version: &str) -> &str {
    Parts::of(version).upstream
}

struct Parts<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Parts<'a> {
        let version = version.trim();
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
            _ => ("", version),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Parts { epoch, upstream, revision }
    }
}

/// Compares runs of non-digits and of digits by turns.
fn part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split(a, |b| !b.is_ascii_digit());
        let (b_text, b_rest) = split(b, |b| !b.is_ascii_digit());
        let (a_number, a_rest) = split(a_rest, |b| b.is_ascii_digit());
        let (b_number, b_rest) = split(b_rest, |b| b.is_ascii_digit());
        let order = text(a_text, b_text).then_with(|| number(a_number, b_number));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

/// The bytes up to the first that does not belong, and the rest.
pub(super) fn split(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|&b| !belongs(b)).unwrap_or(bytes.len()))
}

/// Numbers as digit strings: they may be longer than any integer.
pub(super) fn number(a: &[u8], b: &[u8]) -> Ordering {
    let significant = |digits: &'_ [u8]| digits.iter().take_while(|&&b| b == b'0').count();
    let (a, b) = (&a[significant(a)..], &b[significant(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Letters before other characters, `~` before the end of the text.
fn text(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |b: Option<&u8>| match b {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(*b),
        Some(b) => i32::from(*b) + 256,
    };
    let longest = a.len().max(b.len());
    (0..longest)
        .map(|at| weight(a.get(at)).cmp(&weight(b.get(at))))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_policy_says() {
        let ascending = [
            "1.0~~",
            "1.0~~a",
            "1.0~",
            "1.0~rc1",
            "1.0",
            "1.0-0.1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1.1",
            "1.0a",
            "1.0+dfsg-1",
            "1.0.1",
            "1.2",
            "1.10",
            "1.100",
            "1:0.1",
            "2:0",
            "10:0",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
    }

    #[test]
    fn different_texts_can_be_one_version() {
        for (a, b) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.01", "1.1"), ("", "0"), ("a", "a0")]
        {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn a_number_longer_than_an_integer_compares_by_value() {
        let huge = "9".repeat(400);
        assert_eq!(compare(&format!("{huge}1"), &huge), Ordering::Greater);
        assert_eq!(compare(&format!("1:{huge}"), &format!("{huge}:1")), Ordering::Less);
    }

    #[test]
    fn upstream_leaves_out_epoch_and_revision() {
        assert_eq!(upstream("1:13.11-0+deb11u1"), "13.11");
        assert_eq!(upstream("2.4.62-1~deb11u2"), "2.4.62");
        assert_eq!(upstream("1-2-3"), "1-2");
        assert_eq!(upstream("2024a"), "2024a");
        assert_eq!(upstream("$(id)"), "$(id)");
        assert_eq!(upstream("git:1"), "git:1");
    }
}
