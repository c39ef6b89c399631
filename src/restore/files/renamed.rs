//! What the accounts and programs that ran in the old system are called in the new one, as the rules
//! of its applications say.

use crate::observe::Renamed;
use crate::restore::files::migration::AppMigration;
use crate::survey::Observation;

/// The new names of the accounts and programs of an old observation.
pub(in crate::restore) fn renamed(
    old: Option<&Observation>,
    migrations: &[AppMigration],
) -> Renamed {
    let mut renamed = Renamed::default();
    let Some(old) = old else { return renamed };
    let own = migrations.iter().flat_map(|migration| {
        let AppMigration { rule, vars, .. } = migration;
        rule.accounts.iter().filter_map(|account| account.to.expand_text(vars).ok())
    });
    renamed.own.extend(own);
    for process in &old.processes {
        let name = process.name.split(' ').next().unwrap_or_default();
        for AppMigration { rule, vars, .. } in migrations {
            if let Ok(Some(today)) = rule.account(&process.account, vars) {
                renamed.accounts.insert(process.account.clone(), today);
            }
            let package = rule.package(name, vars).ok().flatten().map(|fate| fate.to);
            let service = rule.service(name, vars).ok().flatten();
            let today = package.unwrap_or_default().into_iter().chain(service);
            renamed.programs.entry(name.to_owned()).or_default().extend(today);
        }
    }
    renamed.programs.retain(|_, today| !today.is_empty());
    renamed
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::facts::ProcessFact;
    use crate::restore::files::migration::testing::migration;

    #[test]
    fn accounts_and_programs_have_the_names_that_rules_say() {
        let rule = "accounts: [{from: app, to: newapp}]\nservices: [{from: appd, to: newappd}]";
        let processes = ["appd", "other"];
        let fact = |name: &&str| ProcessFact { name: (*name).into(), account: "app".into() };
        let old = Observation {
            processes: processes.iter().map(fact).collect(),
            ..Observation::default()
        };
        let found = renamed(Some(&old), &[migration(rule, "1", "2")]);
        assert_eq!(found.accounts, BTreeMap::from([("app".into(), "newapp".into())]));
        let today = BTreeSet::from(["newappd".to_owned()]);
        assert_eq!(found.programs, BTreeMap::from([("appd".into(), today)]));
    }
}
