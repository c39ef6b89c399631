//! Packages that took over files of others, as their relations say.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::family::offered::{Offered, Taken};
use crate::packages::version::compare;

/// The packages that a package with these relations took files from, with the versions that had
/// them: it replaces them, and cannot stand beside those versions. A package that only replaces
/// another overwrites some of its files and lets it be.
pub(super) fn taken<'a>(replaces: &'a str, others: &[&'a str]) -> Vec<(&'a str, Option<&'a str>)> {
    let beside = others.iter().flat_map(|field| relations(field));
    let beside: BTreeMap<&str, Option<&str>> = beside.collect();
    let taken = relations(replaces).filter_map(|(name, replaced)| {
        let broken = beside.get(name)?;
        Some((name, broken.or(replaced)))
    });
    taken.collect()
}

/// `name (<< 1), name`: the names with the versions in their parentheses.
fn relations(field: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    field.split(',').filter_map(|relation| {
        let (name, versions) = match relation.split_once('(') {
            Some((name, versions)) => (name, Some(versions.split(')').next()?.trim())),
            None => (relation, None),
        };
        let name = name.split(':').next()?.trim();
        (!name.is_empty()).then_some((name, versions))
    })
}

/// The packages on offer that took files of `name` as it was at `version`.
pub(super) fn took_from(offered: &Offered, name: &str, version: &str) -> Vec<String> {
    let taken = offered.taken.get(name).into_iter().flatten();
    let of_version = |taken: &&Taken| taken.of.as_deref().is_none_or(|of| covers(of, version));
    let mut all: Vec<String> = taken.filter(of_version).map(|taken| taken.by.clone()).collect();
    all.sort();
    all.dedup();
    all
}

/// Whether `version` is one of `of`, such as `<< 4.0-1`.
fn covers(of: &str, version: &str) -> bool {
    let (operator, bound) = of.split_at(of.find(|c| !"<=>".contains(c)).unwrap_or(of.len()));
    let order = compare(version, bound.trim());
    match operator {
        "<<" => order == Ordering::Less,
        "<" | "<=" => order != Ordering::Greater,
        "=" => order == Ordering::Equal,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_took_files_of_what_it_replaces_and_cannot_stand_beside() {
        let found = taken(
            "old (<< 2), other (<< 3), ours:any, all",
            &["old (<< 2.1~), ours (<= 4)", "all, else"],
        );
        let expected = [("old", Some("<< 2.1~")), ("ours", Some("<= 4")), ("all", None)];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_versions_before_the_split_had_what_was_split_off() {
        let taken = |of: Option<&str>| Taken { by: "part".into(), of: of.map(str::to_owned) };
        let took = |of: Option<&str>, version: &str| {
            let all = BTreeMap::from([("old".to_owned(), vec![taken(of), taken(of)])]);
            took_from(&Offered { taken: all, ..Offered::default() }, "old", version)
        };
        assert_eq!(took(Some("<< 4.0~"), "3.4.6-1"), ["part"]);
        assert_eq!(took(Some("<< 4.0~"), "4.0-1"), [""; 0]);
        assert_eq!(took(Some("<= 4.0"), "4.0"), ["part"]);
        assert_eq!(took(Some("= 4.0"), "4.1"), [""; 0]);
        assert_eq!(took(Some(">= 4.0"), "5"), [""; 0]);
        assert_eq!(took(None, "1"), ["part"]);
        assert_eq!(took_from(&Offered::default(), "old", "1"), [""; 0]);
    }
}
