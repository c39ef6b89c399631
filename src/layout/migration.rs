//! [`Migration`]: an application on its way between the version of an old system and that of a new
//! one.

use super::db::LayoutDb;
use super::model::Rule;
use super::pattern::Vars;
use super::recognised::Recognised;
use super::version::Version;
use super::{LayoutError, Route, route};

/// An application that an old system had, as its facts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Former<'a> {
    /// The name of its rule.
    pub app: &'a str,
    /// The family of distributions that its rule is for.
    pub distribution: &'a str,
    /// Its version, where that could be told.
    pub version: Option<&'a str>,
}

/// An application on its way between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// What is known of it.
    pub rule: Rule,
    /// The version that the old system had.
    pub old: Version,
    /// The newest one that the new system has.
    pub new: Version,
}

impl Migration {
    /// The way between the versions, as its rule knows it.
    pub fn route(&self) -> Route {
        route(&self.rule, &self.old, &self.new)
    }

    /// The versions as variables.
    pub fn vars(&self) -> Vars {
        Vars::versions(&self.old, &self.new)
    }
}

impl LayoutDb {
    /// The applications among `former` that are among `today` too, where both versions and a rule
    /// are known: in the order of `former`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn migrations<'a>(
        &self,
        former: impl IntoIterator<Item = Former<'a>>,
        today: &[Recognised],
    ) -> Result<Vec<Migration>, LayoutError> {
        let mut migrations = Vec::new();
        for Former { app, distribution, version } in former {
            let found = today.iter().filter(|found| found.app == app);
            let new = found.filter_map(|found| found.version.clone()).max();
            let old = version.and_then(|version| version.parse().ok());
            if let (Some(rule), Some(old), Some(new)) = (self.rule(app, distribution)?, old, new) {
                migrations.push(Migration { rule, old, new });
            }
        }
        Ok(migrations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_migrates_when_both_versions_and_a_rule_are_known() {
        let rule = |app: &str| {
            let mark = format!("{{packages: [{{name: '{app}{{version}}'}}]}}");
            (format!("{app}.yaml"), format!("app: {app}\ntitle: X\nrecognise: {mark}\n"))
        };
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [rule("web"), rule("mail")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let layout = LayoutDb::open(&[dir.path().to_owned()]).unwrap();
        let today =
            layout.recognise(&[("web8", "8.1"), ("web10", "10.0"), ("mail2", "2.0")], &|_| false);
        let former = |app, version| Former { app, distribution: "debian", version };
        let all = [former("web", Some("7")), former("mail", None), former("gone", Some("1"))];
        let migrations = layout.migrations(all, &today.unwrap()).unwrap();
        let told: Vec<_> = migrations
            .iter()
            .map(|m| (m.rule.app.as_str(), m.old.to_string(), m.new.to_string()))
            .collect();
        assert_eq!(told, [("web", "7".to_owned(), "10".to_owned())]);
    }
}
