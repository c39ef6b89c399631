//! [`Intent`]: the packages somebody asked for, from which all others follow.
//!
//! Installing the intents again, with what they depend on, must bring back every installed
//! package. That is why a package that came by a recommendation is an intent too: a successor
//! release may no longer recommend it.

use std::collections::{HashMap, VecDeque};

use super::package::{Broken, Package, Status};

/// A package to ask for when the system is built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent<'a> {
    /// The package.
    pub package: &'a Package,
    /// Why it is asked for.
    pub why: Why,
}

/// A package to ask for, as the records of its manager alone tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What to ask for; of another architecture than the system's, `name:architecture`.
    pub name: String,
    /// Why.
    pub why: Why,
    /// Of a package that brings nothing itself: the installed packages it depends on.
    pub stands_for: Vec<String>,
}

/// Why a package is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Somebody asked for it by name.
    Manual,
    /// Somebody asked for it by name, and something installed needs it anyway: all packages of a
    /// base system that was made by naming them. Only a `Wanted` has this reason.
    Needed,
    /// Nothing installed depends on it, but something recommends it: it came that way.
    Leaf,
    /// It came automatically, and nothing installed depends on it or recommends it any more: the
    /// package manager itself would remove it as no longer needed.
    Orphan,
}

/// The intents among `packages`, in their order, without those that `in_base` names: they come
/// with the base system.
pub(crate) fn intents<'a>(
    packages: &'a [Package],
    in_base: impl Fn(&Package) -> bool,
) -> Vec<Intent<'a>> {
    let graph = Graph::of(packages);
    let mut why: Vec<Option<Why>> = vec![None; packages.len()];
    let mut reached = vec![false; packages.len()];
    let base: Vec<bool> = packages.iter().map(&in_base).collect();
    for (index, package) in graph.installed() {
        if base[index] || !package.auto {
            graph.reach(index, &mut reached);
            why[index] = (!base[index]).then_some(Why::Manual);
        }
    }
    // Without relations nothing can be said about who needs whom.
    let relations_lost =
        packages.iter().any(|package| package.status == Status::Broken(Broken::RecordLost));
    if !relations_lost {
        let depended = graph.mentioned(|package| &package.depends);
        let recommended = graph.mentioned(|package| &package.recommends);
        // First those that nobody needs, then one of every ring whose members need each other.
        for ring in [false, true] {
            for (index, _) in graph.installed() {
                if !reached[index] && (ring || !depended[index]) {
                    graph.reach(index, &mut reached);
                    let leaf = recommended[index];
                    why[index] = Some(if leaf { Why::Leaf } else { Why::Orphan });
                }
            }
        }
    }
    let all = packages.iter().zip(why);
    all.filter_map(|(package, why)| Some(Intent { package, why: why? })).collect()
}

/// Who needs whom among installed packages.
struct Graph<'a> {
    packages: &'a [Package],
    /// Installed packages by the names they answer to.
    by_name: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn of(packages: &'a [Package]) -> Graph<'a> {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, package) in packages.iter().enumerate().filter(|(_, p)| p.has_files()) {
            let names = std::iter::once(&package.name).chain(&package.provides);
            for name in names {
                by_name.entry(name).or_default().push(index);
            }
        }
        Graph { packages, by_name }
    }

    fn installed(&self) -> impl Iterator<Item = (usize, &'a Package)> {
        self.packages.iter().enumerate().filter(|(_, package)| package.has_files())
    }

    /// Every installed package that can satisfy one of `groups`.
    fn named<'g>(&'g self, groups: &'g [Vec<String>]) -> impl Iterator<Item = usize> + 'g {
        let names = groups.iter().flatten();
        names.filter_map(|name| self.by_name.get(name.as_str())).flatten().copied()
    }

    /// Marks a package and all it depends on.
    fn reach(&self, index: usize, reached: &mut [bool]) {
        let mut todo = VecDeque::from([index]);
        while let Some(index) = todo.pop_front() {
            if !std::mem::replace(&mut reached[index], true) {
                todo.extend(
                    self.named(&self.packages[index].depends).filter(|&next| !reached[next]),
                );
            }
        }
    }

    /// Which packages another one's relation names.
    fn mentioned(&self, relation: impl Fn(&Package) -> &[Vec<String>]) -> Vec<bool> {
        let mut mentioned = vec![false; self.packages.len()];
        for (index, package) in self.installed() {
            for other in self.named(relation(package)).filter(|&other| other != index) {
                mentioned[other] = true;
            }
        }
        mentioned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name`, `auto` when it starts with `~`, depends, recommends, provides.
    fn package(name: &str, depends: &[&str], recommends: &[&str], provides: &[&str]) -> Package {
        let groups = |names: &[&str]| {
            let group = |name: &&str| name.split('|').map(str::to_owned).collect();
            names.iter().map(group).collect()
        };
        Package {
            name: name.trim_start_matches('~').to_owned(),
            arch: "amd64".to_owned(),
            version: "1".to_owned(),
            source: None,
            maker: String::new(),
            status: Status::Installed,
            essential: false,
            priority: String::new(),
            auto: name.starts_with('~'),
            hold: false,
            depends: groups(depends),
            recommends: groups(recommends),
            provides: provides.iter().map(ToString::to_string).collect(),
            takes_over: vec![],
            conffiles: vec![],
        }
    }

    fn names(packages: &[Package], base: &[&str]) -> Vec<(String, Why)> {
        let intents = intents(packages, |package| base.contains(&package.name.as_str()));
        intents.iter().map(|intent| (intent.package.name.clone(), intent.why)).collect()
    }

    fn named(names: &[(&str, Why)]) -> Vec<(String, Why)> {
        names.iter().map(|(name, why)| ((*name).to_owned(), *why)).collect()
    }

    #[test]
    fn intents_are_what_was_asked_for_and_what_came_by_a_recommendation() {
        let packages = [
            package("bash", &[], &[], &[]),
            package("~libc", &[], &[], &[]),
            package("mail", &["mta", "libc"], &["~spam".trim_start_matches('~')], &[]),
            package("~postfix", &["libc"], &["doc"], &["mta"]),
            package("~spam", &["libc", "perl|gawk"], &[], &[]),
            package("~perl", &[], &[], &[]),
            package("~old", &[], &[], &[]),
        ];
        let expected = [("mail", Why::Manual), ("spam", Why::Leaf), ("old", Why::Orphan)];
        assert_eq!(names(&packages, &["bash"]), named(&expected));
        let expected = [("bash", Why::Manual), ("mail", Why::Manual), ("spam", Why::Leaf)];
        assert_eq!(names(&packages, &["old", "mailx"]), named(&expected));
    }

    #[test]
    fn of_packages_that_need_each_other_one_is_an_intent() {
        let packages = [
            package("app", &[], &["ring-a"], &[]),
            package("~ring-a", &["ring-b"], &[], &[]),
            package("~ring-b", &["ring-a"], &[], &[]),
            package("~self", &["self"], &[], &[]),
        ];
        let expected = [("app", Why::Manual), ("ring-a", Why::Leaf), ("self", Why::Orphan)];
        assert_eq!(names(&packages, &[]), named(&expected));
    }

    #[test]
    fn a_removed_package_is_no_intent_and_needs_nothing() {
        let mut removed = package("gone", &["lib"], &[], &[]);
        removed.status = Status::ConfigFiles;
        let packages = [removed, package("~lib", &[], &[], &[])];
        assert_eq!(names(&packages, &[]), named(&[("lib", Why::Orphan)]));
    }

    #[test]
    fn without_relations_only_what_was_asked_for_is_an_intent() {
        let mut lost = package("lost", &[], &[], &[]);
        lost.status = Status::Broken(Broken::RecordLost);
        let packages = [lost, package("~lib", &[], &[], &[])];
        assert_eq!(names(&packages, &[]), named(&[("lost", Why::Manual)]));
    }
}
