//! [`PackageRenames`]: what old packages are called today.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::family::Offered;
use crate::layout::{LayoutDb, Migration, PackageFate, Releases, Vars};
use crate::restore::files::migration::former;
use crate::restore::packages::plan::Renamed;
use crate::survey::{IntentFact, OsRelease, Survey};

/// What rules say about package names on the way to what is offered today, and what is learned of
/// the releases on the way.
pub(super) struct PackageRenames {
    migrations: Vec<(Migration, Vars)>,
    /// By the old name; what a rule says comes before it.
    learned: BTreeMap<String, PackageFate>,
}

impl PackageRenames {
    /// What is known of the packages that are asked for, on the way to `release`.
    pub(super) fn new(
        (survey, intents): (&Survey, &[IntentFact]),
        layout: &LayoutDb,
        release: &OsRelease,
        offered: &Offered,
    ) -> Result<PackageRenames, Failure> {
        let versions = offered.versions.iter();
        let versions: Vec<(&str, &str)> =
            versions.map(|(name, version)| (name.as_str(), version.as_str())).collect();
        let today = layout.recognise(&versions, &|_| false).map_err(Failure::from)?;
        let migrations = layout.migrations(former(survey), &today).map_err(Failure::from)?;
        let with_vars = migrations.into_iter().map(|migration| {
            let vars = migration.vars();
            (migration, vars)
        });
        let mut learned = BTreeMap::new();
        if release.id == survey.os.id && !release.version.is_empty() {
            let between = Releases {
                distribution: &release.id,
                old: &survey.os.version,
                new: &release.version,
            };
            let names = intents
                .iter()
                .flat_map(|intent| std::iter::once(&intent.name).chain(&intent.stands_for));
            let names: Vec<&str> = names.map(|name| parted(name).0).collect();
            learned = layout.became(&between, &names).map_err(Failure::from)?;
            // What was learned once does not count against what is on offer now.
            learned.retain(|name, fate| is_on_offer(name, fate, offered));
        }
        Ok(PackageRenames { migrations: with_vars.collect(), learned })
    }

    /// What became of the package `name`; `None` when nothing is known of it.
    pub(super) fn of(&self, name: &str) -> Option<Renamed> {
        let (name, arch) = parted(name);
        let full = |name: String| arch.map_or(name.clone(), |arch| format!("{name}:{arch}"));
        let fate = self.by_rule(name).or_else(|| self.learned.get(name).cloned())?;
        Some(match fate.to.is_empty() {
            true => Renamed::Dropped(fate.why),
            false => Renamed::To(fate.to.into_iter().map(full).collect()),
        })
    }

    /// Whether a rule says what became of the package `name`.
    pub(super) fn ruled(&self, name: &str) -> bool {
        self.by_rule(name).is_some()
    }

    fn by_rule(&self, name: &str) -> Option<PackageFate> {
        self.migrations.iter().find_map(|(migration, vars)| {
            // A pattern that cannot be filled in says nothing about this name.
            migration.rule.package(name, vars).ok()?
        })
    }
}

/// Whether `offered` has what a package became; of one that is gone, whether it has it no more.
fn is_on_offer(name: &str, fate: &PackageFate, offered: &Offered) -> bool {
    match fate.to.as_slice() {
        [] => offered.named(name).is_none(),
        to => to.iter().all(|name| offered.named(name).is_some()),
    }
}

/// A package's name and its architecture, where that is another than the system's.
fn parted(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(name, arch)| (name, Some(arch)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::IntentWhy;

    fn fate(to: &[&str]) -> PackageFate {
        let to = to.iter().map(|&name| name.to_owned()).collect();
        PackageFate { to, why: "split in d 13".to_owned() }
    }

    fn offered(names: &[&str]) -> Offered {
        let packages = names.iter().map(|&name| name.to_owned()).collect();
        Offered { packages, ..Offered::default() }
    }

    #[test]
    fn what_was_learned_counts_as_far_as_it_is_on_offer() {
        let on_offer = |to: &[&str], names: &[&str]| is_on_offer("old", &fate(to), &offered(names));
        assert!(on_offer(&["new", "more"], &["new", "more"]));
        assert!(!on_offer(&["new", "more"], &["new"]));
        assert!(on_offer(&[], &["new"]));
        assert!(!on_offer(&[], &["old"]));
    }

    #[test]
    fn a_rule_comes_before_what_was_learned() {
        let layout = LayoutDb::open(&[]).unwrap();
        let survey = Survey::default();
        let why = IntentWhy::Manual;
        let intents = [IntentFact { name: "old".to_owned(), why, stands_for: vec![] }];
        let release = OsRelease::default();
        let mut renames =
            PackageRenames::new((&survey, &intents), &layout, &release, &Offered::default())
                .unwrap();
        assert_eq!(renames.of("old"), None);
        renames.learned =
            BTreeMap::from([("old".to_owned(), fate(&["new"])), ("gone".to_owned(), fate(&[]))]);
        assert_eq!(renames.of("old:i386"), Some(Renamed::To(vec!["new:i386".to_owned()])));
        assert_eq!(renames.of("gone"), Some(Renamed::Dropped("split in d 13".to_owned())));
        assert!(!renames.ruled("old"));
        let rule = "packages: [{from: old, to: [ruled], why: x}]";
        let migration = crate::restore::files::migration::testing::moving(rule, "1", "2");
        let vars = migration.vars();
        renames.migrations = vec![(migration, vars)];
        assert_eq!(renames.of("old"), Some(Renamed::To(vec!["ruled".to_owned()])));
        assert!(renames.ruled("old"));
    }
}
