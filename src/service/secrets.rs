//! Which of a service's settings look like passwords: by their names, and by the credentials in an
//! address. Only names are told, never values.

use std::collections::BTreeMap;

use super::ServiceSettings;

/// Parts of the names of what is a password or a key, in upper case without dashes.
const PARTS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "MASTER_KEY",
    "CREDENTIAL",
];

/// Their ends.
const ENDS: &[&str] = &["_PASS", "_PWD", "_KEY", "_PW", "_AUTH", "_DSN", "_SALT"];

impl ServiceSettings {
    /// What looks like a password or a key, by its name: `environment DB_PASSWORD`.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let lines = self.environment.iter().filter_map(|line| line.split_once('='));
        let environment = lines.filter(|(name, value)| is_secret(name, value));
        let mut found: Vec<String> =
            environment.map(|(name, _)| format!("environment {name}")).collect();
        let of = |what: &str, texts: &BTreeMap<String, String>| -> Vec<String> {
            let secret = texts.iter().filter(|(name, value)| is_secret(name, value));
            secret.map(|(name, _)| format!("{what} {name}")).collect()
        };
        found.extend(of("label", &self.labels));
        found.extend(self.log.iter().flat_map(|log| of("log option", &log.options)));
        for (what, arguments) in [("entrypoint", &self.entrypoint), ("command", &self.command)] {
            let mut before = "";
            for argument in arguments {
                let (name, value) = match argument.split_once('=') {
                    Some((name, value)) if name.starts_with('-') => (name, value),
                    _ if before.starts_with("--") && !argument.starts_with('-') => {
                        (before, argument.as_str())
                    }
                    _ => ("", argument.as_str()),
                };
                if is_secret(name.trim_start_matches('-'), value) {
                    found.push(match name {
                        "" => format!("{what}, an address with a password"),
                        name => format!("{what} {name}"),
                    });
                }
                before = argument;
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

/// Whether what is called `name` and is `value` looks like a password or holds one. The name of a
/// file with one does not.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_uppercase().replace(['-', '.'], "_");
    if value.is_empty() || name.ends_with("_FILE") || name.ends_with("_PATH") {
        return false;
    }
    let named = PARTS.iter().any(|part| name.contains(part))
        || ENDS.iter().any(|end| name.ends_with(end) || name == end[1..]);
    let says_whether = matches!(
        value.to_lowercase().as_str(),
        "0" | "1" | "true" | "false" | "yes" | "no" | "on" | "off"
    );
    (named && !says_whether) || has_credentials(value)
}

/// Whether `value` holds an address with a password: `scheme://user:password@host`.
fn has_credentials(value: &str) -> bool {
    value.match_indices("://").any(|(at, _)| {
        let rest = &value[at + 3..];
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else { return false };
        user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Log;

    #[test]
    fn passwords_are_told_by_their_names_and_never_as_they_are() {
        let texts = |all: &[&str]| -> Vec<String> { all.iter().map(|t| (*t).to_owned()).collect() };
        let pairs = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let settings = ServiceSettings {
            environment: texts(&[
                "MYSQL_ROOT_PASSWORD=hush",
                "API_TOKEN=hush",
                "SMTP_PASS=hush",
                "KEY=hush",
                "DATABASE_URL=postgres://app:hush@db/app",
                "aws-secret-access-key=hush",
                "POSTGRES_PASSWORD_FILE=/run/secrets/x",
                "PATH=/bin",
                "KEYBOARD=us",
                "URL=https://example.org/a@b",
                "ALLOW_EMPTY_PASSWORD=yes",
                "EMPTY_PASSWORD=",
                "USER=app",
                "PASSAGE=free",
                "SITE=http://app@host:80/x:y@z",
            ]),
            labels: pairs("app.token", "hush"),
            log: Some(Log { driver: "splunk".to_owned(), options: pairs("splunk-token", "hush") }),
            command: texts(&["serve", "--password=hush", "--secret", "hush", "http://a:hush@b/"]),
            ..ServiceSettings::default()
        };
        let told = settings.secrets();
        assert_eq!(
            told,
            [
                "command --password",
                "command --secret",
                "command, an address with a password",
                "environment API_TOKEN",
                "environment DATABASE_URL",
                "environment KEY",
                "environment MYSQL_ROOT_PASSWORD",
                "environment SMTP_PASS",
                "environment aws-secret-access-key",
                "label app.token",
                "log option splunk-token",
            ]
        );
        assert!(!told.join(" ").contains("hush"));
    }
}
