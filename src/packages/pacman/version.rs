//! pacman's versions: `[epoch:]version[-release]`, compared as its `vercmp` does.

use std::cmp::Ordering;

use super::super::version::{number, split};

/// The order of two versions; a missing epoch is `0`, and without a release on one side neither
/// counts. That makes it no order for sorting: `1-1` and `1-2` are both equal to `1`.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b) = (Parts::of(a), Parts::of(b));
    let release = match (a.release, b.release) {
        (Some(a), Some(b)) => part(a, b),
        _ => Ordering::Equal,
    };
    part(a.epoch, b.epoch).then_with(|| part(a.version, b.version)).then(release)
}

struct Parts<'a> {
    epoch: &'a [u8],
    version: &'a [u8],
    release: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Parts<'a> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
            _ => ("", text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release.as_bytes())),
            None => (rest, None),
        };
        let epoch = if epoch.is_empty() { "0" } else { epoch };
        Parts { epoch: epoch.as_bytes(), version: version.as_bytes(), release }
    }
}

/// Compares runs of digits and of letters, one by one; what parts them counts by its length.
fn part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    while !a.is_empty() && !b.is_empty() {
        let (a_gap, a_rest) = split(a, |b| !b.is_ascii_alphanumeric());
        let (b_gap, b_rest) = split(b, |b| !b.is_ascii_alphanumeric());
        (a, b) = (a_rest, b_rest);
        let (Some(a_first), Some(_)) = (a.first(), b.first()) else { break };
        if a_gap.len() != b_gap.len() {
            return a_gap.len().cmp(&b_gap.len());
        }
        let digits = a_first.is_ascii_digit();
        let belongs = |b: u8| if digits { b.is_ascii_digit() } else { b.is_ascii_alphabetic() };
        let (a_run, a_rest) = split(a, belongs);
        let (b_run, b_rest) = split(b, belongs);
        let order = match (digits, b_run.is_empty()) {
            // Digits are newer than letters.
            (true, true) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (true, false) => number(a_run, b_run),
            (false, false) => a_run.cmp(b_run),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    // Letters that are left are a pre-release (`1.0rc`), anything else is something more (`1.0.1`).
    let letter = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_alphabetic);
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if letter(b) => Ordering::Greater,
        (true, false) => Ordering::Less,
        _ if letter(a) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_pacmans_manual_says() {
        let ascending = [
            "1.0a", "1.0b", "1.0beta", "1.0p", "1.0pre", "1.0rc", "1.0", "1.0.a", "1.0.1", "1.1.a",
            "1.1.1", "1.2", "2.0", "3.0.0", "1:0.1", "10:0",
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_release_counts_where_both_have_one() {
        assert_eq!(compare("1.5-1", "1.5-2"), Ordering::Less);
        assert_eq!(compare("1.5-1", "1.6-1"), Ordering::Less);
        assert_eq!(compare("1.5", "1.5-2"), Ordering::Equal);
        assert_eq!(compare("0:1.5", "1.5"), Ordering::Equal);
        assert_eq!(compare("1.05", "1.5"), Ordering::Equal);
    }
}
