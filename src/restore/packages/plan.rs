//! Which packages the new system gets, decided from what the old one was asked for.
//!
//! An intent is a package that somebody asked for, not one that came along: dependencies are the
//! new release's own business. A name is kept when the target offers it, else the rules say what
//! it is called today.

use std::collections::{BTreeMap, BTreeSet};

use crate::family::{Family, Offered};
use crate::survey::{IntentFact, IntentWhy};

use crate::restore::value::packages::{Install, Missing, PackagePlan};
/// What a rule says about a package's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renamed {
    /// These packages take its place.
    To(Vec<String>),
    /// Nothing takes its place.
    Dropped(String),
}

/// What can be had in the new system.
pub(crate) struct Market<'a> {
    /// The family that its packages are of.
    pub family: &'a dyn Family,
    /// What its repositories offer.
    pub offered: &'a Offered,
    /// What it has already.
    pub installed: &'a BTreeSet<String>,
}

impl Market<'_> {
    fn has(&self, name: &str) -> bool {
        self.installed.contains(name) || self.offered.named(name).is_some()
    }
}

/// Decides about `intents`; `renamed` asks the rules about an old name.
pub(crate) fn plan_packages(
    intents: &[IntentFact],
    market: &Market<'_>,
    renamed: &dyn Fn(&str) -> Option<Renamed>,
) -> PackagePlan {
    let mut plan = PackagePlan::default();
    let mut install: BTreeMap<String, (Option<String>, IntentWhy)> = BTreeMap::new();
    for intent in intents {
        let names = match renamed(&intent.name) {
            Some(Renamed::Dropped(why)) => {
                plan.dropped.insert(intent.name.clone(), why);
                continue;
            }
            Some(Renamed::To(names)) => names,
            None => todays_names(intent, market, renamed),
        };
        for name in names {
            if market.installed.contains(&name) {
                plan.present.push(name);
            } else if intent.why == IntentWhy::Needed && market.family.comes_along(&name) {
                let why = "a library comes along with what needs it".to_owned();
                plan.dropped.insert(name, why);
            } else if let Some(today) = market.offered.named(&name) {
                let formerly = (today != intent.name).then(|| intent.name.clone());
                install.entry(today.to_owned()).or_insert((formerly, intent.why));
            } else if matches!(intent.why, IntentWhy::Manual | IntentWhy::Environment) {
                plan.missing.push(Missing { name });
            } else {
                // It came along with something; today's release decides what comes along.
                let why = "came along, and is not offered today".to_owned();
                plan.dropped.insert(name, why);
            }
        }
    }
    let made = |(name, (formerly, why))| Install { name, formerly, why };
    plan.install = install.into_iter().map(made).collect();
    plan.present.sort();
    plan.present.dedup();
    plan
}

/// The name of an intent that no rule names: its own, or, where that is gone and it only stood for
/// other packages, theirs.
fn todays_names(
    intent: &IntentFact,
    market: &Market<'_>,
    renamed: &dyn Fn(&str) -> Option<Renamed>,
) -> Vec<String> {
    if market.has(&intent.name) || intent.stands_for.is_empty() {
        return vec![intent.name.clone()];
    }
    let others = intent.stands_for.iter().flat_map(|name| match renamed(name) {
        Some(Renamed::To(names)) => names,
        Some(Renamed::Dropped(_)) => vec![],
        None => vec![name.clone()],
    });
    let others: Vec<String> = others.filter(|name| market.has(name)).collect();
    if others.is_empty() { vec![intent.name.clone()] } else { others }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Manager;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    fn offered(names: &[&str]) -> Offered {
        Offered { packages: set(names), ..Offered::default() }
    }

    fn plan(
        intents: &[IntentFact],
        offered: &Offered,
        installed: &BTreeSet<String>,
        renamed: &dyn Fn(&str) -> Option<Renamed>,
    ) -> PackagePlan {
        let family = crate::family::of(Manager::Dpkg).unwrap();
        plan_packages(intents, &Market { family, offered, installed }, renamed)
    }

    fn intent(name: &str, why: IntentWhy) -> IntentFact {
        IntentFact { name: name.into(), why, stands_for: vec![] }
    }

    #[test]
    fn an_intent_is_installed_by_its_name_of_today() {
        let rename =
            |name: &str| (name == "php7.4-fpm").then(|| Renamed::To(vec!["php8.4-fpm".to_owned()]));
        let plan = plan(
            &[intent("nginx", IntentWhy::Manual), intent("php7.4-fpm", IntentWhy::Manual)],
            &offered(&["nginx", "php8.4-fpm"]),
            &set(&[]),
            &rename,
        );
        let expected = [
            Install { name: "nginx".into(), formerly: None, why: IntentWhy::Manual },
            Install {
                name: "php8.4-fpm".into(),
                formerly: Some("php7.4-fpm".into()),
                why: IntentWhy::Manual,
            },
        ];
        assert_eq!(plan.install, expected);
    }

    #[test]
    fn what_somebody_asked_for_and_is_gone_is_missing_and_what_came_along_is_not() {
        let plan = plan(
            &[
                intent("gone", IntentWhy::Manual),
                intent("helper", IntentWhy::Leaf),
                intent("there", IntentWhy::Manual),
            ],
            &offered(&[]),
            &set(&["there"]),
            &|_| None,
        );
        assert_eq!(plan.missing, [Missing { name: "gone".into() }]);
        assert!(plan.dropped.contains_key("helper"));
        assert_eq!(plan.present, ["there"]);
    }

    #[test]
    fn of_what_others_need_only_libraries_come_along() {
        let names = ["libc6", "libssl3t64", "libapache2-mod-php8.4", "libpam-ldapd", "libreoffice"];
        let intents = names.map(|name| intent(name, IntentWhy::Needed));
        let plan = plan(&intents, &offered(&names), &set(&[]), &|_| None);
        let installed: Vec<&str> = plan.install.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(installed, ["libapache2-mod-php8.4", "libpam-ldapd", "libreoffice"]);
        assert_eq!(plan.dropped.len(), 2);
    }

    #[test]
    fn a_name_that_one_package_answers_to_today_is_that_package() {
        let provided = BTreeMap::from([
            ("dnsutils".to_owned(), set(&["bind9-dnsutils"])),
            ("mta".to_owned(), set(&["exim", "postfix"])),
        ]);
        let packages = set(&["bind9-dnsutils", "exim", "postfix"]);
        let offered = Offered { packages, provided, ..Offered::default() };
        let intents = [intent("dnsutils", IntentWhy::Manual), intent("mta", IntentWhy::Manual)];
        let plan = plan(&intents, &offered, &set(&[]), &|_| None);
        let expected = [Install {
            name: "bind9-dnsutils".into(),
            formerly: Some("dnsutils".into()),
            why: IntentWhy::Manual,
        }];
        assert_eq!(plan.install, expected);
        assert_eq!(plan.missing, [Missing { name: "mta".into() }]);
    }

    #[test]
    fn a_name_that_is_gone_gives_way_to_what_it_stood_for() {
        let mut meta = intent("tools", IntentWhy::Manual);
        meta.stands_for = vec!["tool13".to_owned(), "libx".to_owned(), "gone".to_owned()];
        let rename =
            |name: &str| (name == "tool13").then(|| Renamed::To(vec!["tool17".to_owned()]));
        let plan_with = |meta: &IntentFact, names: &[&str]| {
            plan(std::slice::from_ref(meta), &offered(names), &set(&[]), &rename)
        };
        let plan = plan_with(&meta, &["tool17", "libx"]);
        let names: Vec<&str> = plan.install.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["libx", "tool17"]);
        assert_eq!(plan.missing, []);
        // Its own name comes first, and without anything it stood for it is missed.
        assert_eq!(plan_with(&meta, &["tools", "libx"]).install[0].name, "tools");
        assert_eq!(plan_with(&meta, &[]).missing, [Missing { name: "tools".into() }]);
    }
}
