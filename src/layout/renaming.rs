//! What a package, an account or a service of the old system is called on the new one.

use super::Rule;
use super::model::Renaming;
use super::pattern::{Pattern, PatternError, Vars};

/// What becomes of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFate {
    /// What to install instead; nothing when it is gone.
    pub to: Vec<String>,
    /// The rule's reason.
    pub why: String,
}

impl Rule {
    /// What becomes of the package `name` on the way between the versions of `vars`; `None` when
    /// the rule says nothing of it. The first change that matches counts.
    pub fn package(&self, name: &str, vars: &Vars) -> Result<Option<PackageFate>, PatternError> {
        for change in self.packages.iter().filter(|change| vars.cross(change.since.as_ref())) {
            let pattern = Pattern::compile(change.from.as_str(), vars)?;
            if let Some(captured) = pattern.matches(name.as_bytes()) {
                let vars = captured.and(vars);
                let to: Result<_, _> = change.to.iter().map(|t| t.expand_text(&vars)).collect();
                return Ok(Some(PackageFate { to: to?, why: change.why.clone() }));
            }
        }
        Ok(None)
    }

    /// The new name of the account `name`; `None` when it keeps its name.
    pub fn account(&self, name: &str, vars: &Vars) -> Result<Option<String>, PatternError> {
        renamed(&self.accounts, name, vars)
    }

    /// The new name of the service `name`, without `.service`; `None` when it keeps its name.
    pub fn service(&self, name: &str, vars: &Vars) -> Result<Option<String>, PatternError> {
        renamed(&self.services, name, vars)
    }
}

fn renamed(all: &[Renaming], name: &str, vars: &Vars) -> Result<Option<String>, PatternError> {
    for renaming in all.iter().filter(|renaming| vars.cross(renaming.since.as_ref())) {
        if renaming.from.expand_text(vars)? == name {
            return renaming.to.expand_text(vars).map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{LayoutDb, Version};

    fn vars(old: &str, new: &str) -> Vars {
        let version = |text: &str| text.parse::<Version>().unwrap();
        Vars::versions(&version(old), &version(new))
    }

    fn installed(db: &LayoutDb, app: &str, name: &str, (old, new): (&str, &str)) -> Option<String> {
        let rule = db.rule(app, "debian").unwrap().unwrap();
        rule.package(name, &vars(old, new)).unwrap().map(|fate| fate.to.join(" "))
    }

    #[test]
    fn packages_are_called_as_the_new_release_calls_them() {
        let cases = [
            ("php", "php7.4-fpm", "7.4", "8.4", Some("php8.4-fpm")),
            ("php", "php7.4-json", "7.4", "8.4", Some("")),
            ("php", "php7.4-imap", "7.4", "8.2", Some("php8.2-imap")),
            ("php", "php7.4-imap", "7.4", "8.4", Some("")),
            ("php", "libapache2-mod-php7.4", "7.4", "8.4", Some("libapache2-mod-php8.4")),
            ("php", "php-fpm", "7.4", "8.4", None),
            ("php", "php7.3-fpm", "7.4", "8.4", None),
            ("postgresql", "postgresql-13", "13", "17", Some("postgresql-17")),
            ("postgresql", "postgresql-13-postgis-3", "13", "17", Some("postgresql-17-postgis-3")),
            ("postgresql", "postgresql-plperl-13", "13", "17", Some("postgresql-plperl-17")),
            ("postgresql", "postgresql-contrib-9.6", "9.6", "17", Some("postgresql-17")),
            ("postgresql", "postgresql", "13", "17", None),
            ("ntp", "ntp", "4.2", "1:1.2", Some("ntpsec")),
            ("ntp", "ntp", "4.1", "4.2", None),
            ("nginx", "nginx", "1.18", "1.26", Some("nginx nginx-core")),
            ("nginx", "nginx", "1.22", "1.26", None),
            ("samba", "samba-vfs-modules", "4.13", "4.22", Some("samba")),
        ];
        let db = LayoutDb::open(&[]).unwrap();
        for (app, name, old, new, expected) in cases {
            let found = installed(&db, app, name, (old, new));
            assert_eq!(found.as_deref(), expected, "{name} {old} {new}");
        }
    }

    #[test]
    fn accounts_and_services_are_renamed_when_their_version_is_crossed() {
        let db = LayoutDb::open(&[]).unwrap();
        let ntp = db.rule("ntp", "debian").unwrap().unwrap();
        let new = || Ok(Some("ntpsec".to_owned()));
        assert_eq!(ntp.account("ntp", &vars("4.2", "1:1.2")), new());
        assert_eq!(ntp.service("ntp", &vars("4.2", "1:1.2")), new());
        assert_eq!(ntp.account("ntp", &vars("1:1.1", "1:1.2")), Ok(None));
        let php = db.rule("php", "debian").unwrap().unwrap();
        assert_eq!(php.service("php7.4-fpm", &vars("7.4", "8.4")), Ok(Some("php8.4-fpm".into())));
    }
}
