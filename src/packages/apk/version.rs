//! apk's versions: `1.2.3a_rc1_p2~hash-r4`, compared as apk 3 compares them.
//!
//! Numbers, one letter, suffixes, a commit's hash, a revision: each part may be left out, none may
//! come before its turn. What breaks these rules ends a version, and sorts before its true end.

use std::cmp::Ordering;

use super::super::version::{number, split};

/// Suffixes in their order; the first four sort before the version without a suffix.
const SUFFIXES: [&[u8]; 9] =
    [b"alpha", b"beta", b"pre", b"rc", b"cvs", b"svn", b"git", b"hg", b"p"];
const PRE_RELEASES: usize = 4;

/// The order of two versions. Texts that differ may be equal (`1.1-r01` and `1.1-r1`).
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (Parts::of(a), Parts::of(b));
    loop {
        let (one, two) = (a.next(), b.next());
        if one.turn() != two.turn() || one.turn() >= Part::End.turn() {
            return at_the_end(&one, &two);
        }
        let order = same_turn(&one, &two);
        if order.is_ne() {
            return order;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    First(&'a [u8]),
    Number(&'a [u8]),
    Letter(u8),
    /// Index into [`SUFFIXES`].
    Suffix(usize),
    SuffixNumber(&'a [u8]),
    Hash(&'a [u8]),
    Revision(&'a [u8]),
    End,
    Invalid,
}

impl Part<'_> {
    /// Its place in a version.
    fn turn(&self) -> u8 {
        match self {
            Part::First(_) => 0,
            Part::Number(_) => 1,
            Part::Letter(_) => 2,
            Part::Suffix(_) => 3,
            Part::SuffixNumber(_) => 4,
            Part::Hash(_) => 5,
            Part::Revision(_) => 6,
            Part::End => 7,
            Part::Invalid => 8,
        }
    }
}

fn same_turn(a: &Part<'_>, b: &Part<'_>) -> Ordering {
    match (a, b) {
        // `1.05` is less than `1.1`: after a leading zero digits are a fraction.
        (Part::Number(a), Part::Number(b)) if a.starts_with(b"0") || b.starts_with(b"0") => {
            a.cmp(b)
        }
        (Part::First(a), Part::First(b))
        | (Part::Number(a), Part::Number(b))
        | (Part::SuffixNumber(a), Part::SuffixNumber(b))
        | (Part::Revision(a), Part::Revision(b)) => number(a, b),
        (Part::Letter(a), Part::Letter(b)) => a.cmp(b),
        (Part::Suffix(a), Part::Suffix(b)) => a.cmp(b),
        (Part::Hash(a), Part::Hash(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// One version goes on where the other does not: it is the greater one, except when it goes on
/// with what came before a release.
fn at_the_end(a: &Part<'_>, b: &Part<'_>) -> Ordering {
    let pre_release = |part: &Part<'_>| matches!(part, Part::Suffix(at) if *at < PRE_RELEASES);
    if a.turn() == b.turn() {
        Ordering::Equal
    } else if pre_release(a) {
        Ordering::Less
    } else if pre_release(b) {
        Ordering::Greater
    } else {
        b.turn().cmp(&a.turn())
    }
}

struct Parts<'a> {
    rest: &'a [u8],
    /// Turn of the part before; `None` before the first.
    before: Option<u8>,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Parts<'a> {
        Parts { rest: version.as_bytes(), before: None }
    }

    fn next(&mut self) -> Part<'a> {
        let part = self.read().unwrap_or(Part::Invalid);
        self.before = Some(part.turn());
        part
    }

    /// The next part; `None` when it is none, or not its turn.
    fn read(&mut self) -> Option<Part<'a>> {
        let Some(before) = self.before else { return self.digits().map(Part::First) };
        let number = Part::Number(b"").turn();
        let Some((&first, rest)) = self.rest.split_first() else { return Some(Part::End) };
        match first {
            b'a'..=b'z' if before <= number => {
                self.rest = rest;
                Some(Part::Letter(first))
            }
            b'.' if before <= number => {
                self.rest = rest;
                self.digits().map(Part::Number)
            }
            // As apk does: `_rc.1` is `_rc1`.
            b'.' | b'0'..=b'9' if before == Part::Suffix(0).turn() => {
                self.rest = if first == b'.' { rest } else { self.rest };
                self.digits().map(Part::SuffixNumber)
            }
            b'_' if before <= Part::SuffixNumber(b"").turn() => {
                let (name, rest) = split(rest, |b| b.is_ascii_lowercase());
                self.rest = rest;
                SUFFIXES.iter().position(|suffix| *suffix == name).map(Part::Suffix)
            }
            b'~' if before < Part::Hash(b"").turn() => {
                let (hash, rest) = split(rest, |b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                self.rest = rest;
                (!hash.is_empty()).then_some(Part::Hash(hash))
            }
            b'-' if before < Part::Revision(b"").turn() => {
                self.rest = rest.strip_prefix(b"r")?;
                self.digits().map(Part::Revision)
            }
            _ => None,
        }
    }

    fn digits(&mut self) -> Option<&'a [u8]> {
        let (digits, rest) = split(self.rest, |b| b.is_ascii_digit());
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_part_by_part() {
        let ascending = [
            "",
            "0_alpha",
            "0",
            "1.0_alpha",
            "1.0_alpha2",
            "1.0_beta1",
            "1.0_pre3",
            "1.0_rc1",
            "1.0_rc1_git20200101",
            "1.0_rc2",
            "1.0.x",
            "1.0",
            "1.0-r1",
            "1.0-r10",
            "1.0~1234abc",
            "1.0_git20240101",
            "1.0_p1",
            "1.0_p1-r3",
            "1.0a",
            "1.0b-r1",
            "1.0.1",
            "1.05",
            "1.1",
            "1.9",
            "1.10",
            "2",
            "10",
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                // "1.0.x" breaks the rules after `1.0`, as "" does at once.
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }

    #[test]
    fn different_texts_can_be_one_version() {
        for (a, b) in
            [("1.1-r01", "1.1-r1"), ("01", "1"), ("1.0#", "1.0$"), ("", "x"), ("1a2", "1a-")]
        {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn a_number_longer_than_an_integer_compares_by_value() {
        let huge = "9".repeat(400);
        assert_eq!(compare(&format!("{huge}1"), &huge), Ordering::Greater);
        assert_eq!(compare(&format!("1_p{huge}"), &format!("1_p1{huge}")), Ordering::Less);
    }
}
