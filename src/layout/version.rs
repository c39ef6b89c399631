//! [`Version`] and [`Range`]: the part of a version by which an application's layout changes.
//!
//! A layout changes with `7.4` or `13`, not with `7.4.33-1+deb11u5`: epoch and revision of the
//! package, suffixes and further components are cut off before anything is compared. A rule may
//! lift a successor under another name above its predecessor (`ntpsec` 1.2 follows `ntp` 4.2) with
//! a generation, written `1:1.2`; it is the rule's own and not the package's epoch.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Numbers a version may have; more are cut off.
const MAX_COMPONENTS: usize = 8;

/// An application's version, as far as its layout depends on it. Missing components count as 0.
#[derive(Debug, Clone)]
pub struct Version {
    generation: u32,
    numbers: Vec<u64>,
}

/// Why text is not a version or a range of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not `13`, `7.4` or `1:1.2`.
    #[error("`{0}` is not a version; expected numbers such as 13, 7.4 or 1:1.2")]
    Version(String),
    /// Not `*` or comparisons joined by commas.
    #[error("`{0}` is not a range; expected `*` or comparisons such as `>=13, <15`")]
    Range(String),
    /// No version can be in it.
    #[error("the range `{0}` is empty")]
    Empty(String),
}

impl Version {
    /// The version inside a package's version string, cut to `components` numbers: `7.4` from
    /// `7.4.33-1+deb11u5` with two. `None` when the upstream part does not start with a number.
    pub fn of_package(text: &str, components: usize) -> Option<Version> {
        let upstream = text.split_once(':').map_or(text, |(_, rest)| rest);
        let upstream = upstream.rsplit_once('-').map_or(upstream, |(rest, _)| rest);
        let numbers = leading_numbers(upstream, components.clamp(1, MAX_COMPONENTS));
        (!numbers.is_empty()).then_some(Version { generation: 0, numbers })
    }

    /// The same version in another generation of the application.
    #[must_use]
    pub fn in_generation(mut self, generation: u32) -> Version {
        self.generation = generation;
        self
    }

    /// The same version, with at most `components` numbers.
    #[must_use]
    pub fn cut(mut self, components: usize) -> Version {
        self.numbers.truncate(components.max(1));
        self
    }

    /// The version as it stands in paths: `7.4`, without the generation.
    pub fn short(&self) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(u64::to_string).collect();
        numbers.join(".")
    }

    /// The first version above all that start with this one: `5` after `4`, `7.5` after `7.4`.
    fn next(&self) -> Version {
        let mut next = self.clone();
        if let Some(last) = next.numbers.last_mut() {
            *last = last.saturating_add(1);
        }
        next
    }
}

/// The numbers separated by dots at the start of `text`, at most `limit` of them.
fn leading_numbers(text: &str, limit: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut rest = text;
    while numbers.len() < limit {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = rest[..digits].parse() else { break };
        numbers.push(number);
        match rest[digits..].strip_prefix('.') {
            Some(more) => rest = more,
            None => break,
        }
    }
    numbers
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        let wrong = || VersionError::Version(text.to_owned());
        let (generation, numbers) = match text.split_once(':') {
            Some((generation, rest)) => (generation.parse().map_err(|_| wrong())?, rest),
            None => (0, text),
        };
        let numbers: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
        let numbers = numbers.map_err(|_| wrong())?;
        if numbers.len() > MAX_COMPONENTS || text.contains('+') {
            return Err(wrong());
        }
        Ok(Version { generation, numbers })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.generation > 0 {
            write!(f, "{}:", self.generation)?;
        }
        f.write_str(&self.short())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.generation.cmp(&other.generation).then_with(|| {
            let length = self.numbers.len().max(other.numbers.len());
            let at = |numbers: &[u64], i: usize| numbers.get(i).copied().unwrap_or(0);
            (0..length)
                .map(|i| at(&self.numbers, i).cmp(&at(&other.numbers, i)))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// A set of versions without gaps, from `low` (within) up to `high` (not within).
///
/// Comparisons are at the precision they are written in: `<=4` and `=4` hold for 4.13, `>4` does
/// not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    text: String,
    low: Option<Version>,
    high: Option<Version>,
}

impl Range {
    /// Whether `version` is in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.low.as_ref().is_none_or(|low| version >= low)
            && self.high.as_ref().is_none_or(|high| version < high)
    }

    /// The smallest version that is in both ranges and not below `least`; `None` when none is.
    pub fn first_in_both(&self, other: &Range, least: &Version) -> Option<Version> {
        let lows = self.low.iter().chain(&other.low);
        let first = lows.fold(least, |first, low| if low > first { low } else { first });
        (self.contains(first) && other.contains(first)).then(|| first.clone())
    }
}

impl FromStr for Range {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Range, VersionError> {
        let mut range = Range { text: text.to_owned(), low: None, high: None };
        if text.trim() == "*" {
            return Ok(range);
        }
        for part in text.split(',').map(str::trim) {
            let digits = part.trim_start_matches(['<', '>', '=']);
            let version: Version =
                digits.trim().parse().map_err(|_| VersionError::Range(text.to_owned()))?;
            let (low, high) = match &part[..part.len() - digits.len()] {
                ">=" => (Some(version), None),
                ">" => (Some(version.next()), None),
                "<" => (None, Some(version)),
                "<=" => (None, Some(version.next())),
                "" | "=" => {
                    let next = version.next();
                    (Some(version), Some(next))
                }
                _ => return Err(VersionError::Range(text.to_owned())),
            };
            if let Some(low) = low {
                range.low = Some(range.low.take().map_or(low.clone(), |other| other.max(low)));
            }
            if let Some(high) = high {
                range.high = Some(range.high.take().map_or(high.clone(), |other| other.min(high)));
            }
        }
        match (&range.low, &range.high) {
            (Some(low), Some(high)) if low >= high => Err(VersionError::Empty(text.to_owned())),
            _ => Ok(range),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    #[test]
    fn a_package_version_is_cut_to_the_numbers_that_matter() {
        let cases = [
            ("7.4.33-1+deb11u5", 2, "7.4"),
            ("2:4.13.13+dfsg-1~deb11u6", 2, "4.13"),
            ("1:8.4p1-5+deb11u3", 2, "8.4"),
            ("13+225+deb11u1", 1, "13"),
            ("1.18.0-6.1+deb11u3", 2, "1.18"),
            ("12.4+deb12u12", 1, "12"),
        ];
        for (text, components, short) in cases {
            assert_eq!(Version::of_package(text, components).unwrap().short(), short, "{text}");
        }
        assert!(Version::of_package("git20200101", 2).is_none());
        assert!(Version::of_package("", 2).is_none());
        assert!(Version::of_package("99999999999999999999999", 1).is_none());
    }

    #[test]
    fn versions_compare_by_number_and_the_generation_comes_first() {
        assert!(version("10.0") > version("9.6"));
        assert_eq!(version("13"), version("13.0"));
        assert!(version("1:1.2") > version("4.2"));
        assert_eq!(version("4.2").in_generation(1).to_string(), "1:4.2");
        for wrong in ["", "a", "1.", "1..2", "+1", "-1", "x:1"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_holds_what_its_comparisons_say_at_their_precision() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            ("*", &["0", "99.9", "3:1"], &[]),
            (">=13, <15", &["13", "14.9"], &["12.9", "15"]),
            ("<=4", &["4", "4.13"], &["5", "1:1"]),
            (">4", &["5"], &["4", "4.13"]),
            ("7.4", &["7.4", "7.4.33"], &["7.5", "7.3"]),
            (">=1:0", &["1:1.2"], &["4.2"]),
        ];
        for (text, inside, outside) in cases {
            assert!(inside.iter().all(|v| range(text).contains(&version(v))), "{text}");
            assert!(!outside.iter().any(|v| range(text).contains(&version(v))), "{text}");
        }
    }

    #[test]
    fn ranges_that_are_empty_or_not_ranges_are_refused() {
        assert_eq!(">=5, <3".parse::<Range>(), Err(VersionError::Empty(">=5, <3".into())));
        for wrong in ["", "~1", ">=", "1 2", "=>1", ">=1,"] {
            assert_eq!(wrong.parse::<Range>(), Err(VersionError::Range(wrong.into())));
        }
    }

    #[test]
    fn the_first_version_of_two_ranges_is_the_greater_of_their_lower_ends() {
        let first = |a: &str, b: &str, least: &str| {
            let found = range(a).first_in_both(&range(b), &version(least));
            found.map(|version| version.to_string())
        };
        assert_eq!(first(">=13, <15", ">=14", "2"), Some("14".into()));
        assert_eq!(first("<13", ">=13", "2"), None);
        assert_eq!(first("*", "=4", "2"), Some("4".into()));
        assert_eq!(first("*", "<=4", "2.1"), Some("2.1".into()));
        assert_eq!(first("*", "<=4", "5"), None);
    }
}
