//! Which packages the new system gets, decided from what the old one was asked for.
//!
//! An intent is a package that somebody asked for, not one that came along: dependencies are the
//! new release's own business. A name is kept when the target offers it, else the rules say what
//! it is called today.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::survey::{IntentFact, IntentWhy};

/// A package to install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Install {
    /// Today's name.
    pub name: String,
    /// What it was called in the source, when that differs.
    pub formerly: Option<String>,
}

/// A package that was asked for and is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its old name.
    pub name: String,
}

/// What becomes of the intents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PackagePlan {
    /// To install, by name.
    pub install: Vec<Install>,
    /// Intents that the target has already.
    pub present: Vec<String>,
    /// Asked for by somebody, not offered today and not renamed by any rule.
    pub missing: Vec<Missing>,
    /// Dropped by a rule or of no consequence today, with the reason.
    pub dropped: BTreeMap<String, String>,
}

/// What a rule says about a package's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renamed {
    /// These packages take its place.
    To(Vec<String>),
    /// Nothing takes its place.
    Dropped(String),
}

/// Decides about `intents`.
///
/// `offered` and `installed` are what the target's package lists and database hold; `renamed`
/// asks the rules about an old name.
pub fn plan_packages(
    intents: &[IntentFact],
    offered: &BTreeSet<String>,
    installed: &BTreeSet<String>,
    renamed: &dyn Fn(&str) -> Option<Renamed>,
) -> PackagePlan {
    let mut plan = PackagePlan::default();
    let mut install: BTreeMap<String, Option<String>> = BTreeMap::new();
    for intent in intents {
        let names = match renamed(&intent.name) {
            Some(Renamed::Dropped(why)) => {
                plan.dropped.insert(intent.name.clone(), why);
                continue;
            }
            Some(Renamed::To(names)) => names,
            None => vec![intent.name.clone()],
        };
        for name in names {
            if installed.contains(&name) {
                plan.present.push(name);
            } else if intent.why == IntentWhy::Needed && name.starts_with("lib") {
                let why = "a library comes along with what needs it".to_owned();
                plan.dropped.insert(name, why);
            } else if offered.contains(&name) {
                let formerly = (name != intent.name).then(|| intent.name.clone());
                install.entry(name).or_insert(formerly);
            } else if intent.why == IntentWhy::Manual {
                plan.missing.push(Missing { name });
            } else {
                // It came along with something; today's release decides what comes along.
                let why = "came along, and is not offered today".to_owned();
                plan.dropped.insert(name, why);
            }
        }
    }
    plan.install = install.into_iter().map(|(name, formerly)| Install { name, formerly }).collect();
    plan.present.sort();
    plan.present.dedup();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    fn intent(name: &str, why: IntentWhy) -> IntentFact {
        IntentFact { name: name.into(), why }
    }

    #[test]
    fn an_intent_is_installed_by_its_name_of_today() {
        let rename =
            |name: &str| (name == "php7.4-fpm").then(|| Renamed::To(vec!["php8.4-fpm".to_owned()]));
        let plan = plan_packages(
            &[intent("nginx", IntentWhy::Manual), intent("php7.4-fpm", IntentWhy::Manual)],
            &set(&["nginx", "php8.4-fpm"]),
            &set(&[]),
            &rename,
        );
        let expected = [
            Install { name: "nginx".into(), formerly: None },
            Install { name: "php8.4-fpm".into(), formerly: Some("php7.4-fpm".into()) },
        ];
        assert_eq!(plan.install, expected);
    }

    #[test]
    fn what_somebody_asked_for_and_is_gone_is_missing_and_what_came_along_is_not() {
        let plan = plan_packages(
            &[
                intent("gone", IntentWhy::Manual),
                intent("helper", IntentWhy::Leaf),
                intent("there", IntentWhy::Manual),
            ],
            &set(&[]),
            &set(&["there"]),
            &|_| None,
        );
        assert_eq!(plan.missing, [Missing { name: "gone".into() }]);
        assert!(plan.dropped.contains_key("helper"));
        assert_eq!(plan.present, ["there"]);
    }
}
