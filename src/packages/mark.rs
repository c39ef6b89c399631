//! Marks in Debian versions: words by which whoever builds a package tells it from Debian's own.
//!
//! `1.24.0-1~bullseye`, `8.2.1-1+0~2023.gbp09b2a5`, `1:2.3-1mycompany`: somebody else's. Debian's own
//! marks say that a release, a backport or a rebuilding is meant.

use std::collections::BTreeSet;

/// Words of Debian's own versions: of its revisions, and of what authors name before a release.
const USUAL: &[&str] = &[
    "alpha", "beta", "bis", "bpo", "build", "bzr", "cross", "cs", "cvs", "darcs", "deb", "dev",
    "dfsg", "ds", "esr", "exp", "final", "fsf", "ga", "git", "gnu", "hg", "nmu", "orig", "pl",
    "post", "pre", "rc", "really", "rel", "repack", "rev", "snapshot", "src", "stable", "svn",
];

/// The first word of `version` that is neither usual nor in one of the `known` versions.
pub(crate) fn foreign<'a>(version: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut strange: BTreeSet<String> = words(version).filter(|word| !is_usual(word)).collect();
    if strange.is_empty() {
        return None;
    }
    for version in known {
        strange.retain(|word| words(version).all(|known| known != *word));
    }
    strange.pop_first()
}

/// The number of the release that `version` says it is an update of, or a backport to.
pub(crate) fn release(version: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    ["deb", "bpo"].iter().find_map(|word| {
        let (_, rest) = version.rsplit_once(word)?;
        let (number, rest) = rest.split_at(digits(rest));
        let rest = rest.strip_prefix(['u', '+'])?;
        let after = &rest[digits(rest)..];
        let counted =
            after.len() < rest.len() && (after.is_empty() || after.starts_with(['+', '~', '.']));
        (!number.is_empty() && counted).then_some(number)
    })
}

/// `version` without what rebuilding it adds: `+b1`.
pub(crate) fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((base, count)) if !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) => {
            base
        }
        _ => version,
    }
}

fn words(version: &str) -> impl Iterator<Item = String> {
    let words = version.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

/// Also single letters, and what may be part of the digest of a commit.
fn is_usual(word: &str) -> bool {
    let digest = ["igit", "git", "g", ""].iter().find_map(|before| word.strip_prefix(before));
    USUAL.contains(&word)
        || word.len() == 1
        || digest.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strange(version: &str, known: &[&str]) -> Option<String> {
        foreign(version, known.iter().copied())
    }

    #[test]
    fn a_vendors_word_in_a_version_is_strange() {
        for (version, word) in [
            ("1.24.0-1~bullseye", "bullseye"),
            ("8.2.29-1+0~20250710.104+debian11~1.gbp09b2a5", "debian"),
            ("13.11-1.pgdg110+1", "pgdg"),
            ("1:10.6.12+maria~deb11", "maria"),
            ("1:2.3-1mycompany", "mycompany"),
            ("1.18.0-6.1+deb11u3+vendor1", "vendor"),
            ("2.0-1~local", "local"),
            ("18.16.0-1nodesource1", "nodesource"),
        ] {
            assert_eq!(strange(version, &["1.0-1"]).as_deref(), Some(word), "{version}");
        }
    }

    #[test]
    fn debians_own_words_and_those_of_the_packages_other_versions_are_not() {
        for version in [
            "1.1.1n-0+deb11u5",
            "5.10.162-1",
            "2.4.62-1~deb11u2",
            "0.0~git20230103.f53e7ac+ds-1",
            "12.2.0-14cross1",
            "6.12~rc1-1~exp1",
            "3.4-1+nmu2+b1",
            "1.2-3~bpo11+1",
            "246.9.1-1+debian1",
            "115.3esr-1~deb12u1",
        ] {
            assert_eq!(strange(version, &["246.10-1debian1"]), None, "{version}");
        }
    }

    #[test]
    fn an_update_or_a_backport_says_for_which_release_it_is() {
        for (version, number) in [
            ("1.18.0-6.1+deb11u9", Some("11")),
            ("128.5.0esr-1~deb12u1", Some("12")),
            ("2.6-1~bpo11+1", Some("11")),
            ("6.16-1+deb13u1~deb12u1", Some("12")),
            ("1.35-4+deb12u1+b1", Some("12")),
            ("10.6.12+maria~deb11", None),
            ("1.0-1+debian11", None),
            ("1.0-1", None),
            ("deb", None),
        ] {
            assert_eq!(release(version), number, "{version}");
        }
    }

    #[test]
    fn rebuilding_is_taken_off() {
        assert_eq!(without_rebuild("1-2+b13"), "1-2");
        assert_eq!(without_rebuild("1-2+beta"), "1-2+beta");
        assert_eq!(without_rebuild("1-2+b"), "1-2+b");
    }
}
