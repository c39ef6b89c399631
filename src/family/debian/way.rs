//! [`Way`]: how apt is told to reach what it downloads.
//!
//! A system may name proxies in apt's settings. Where it runs in a network of its own, none of them
//! is there; its variables name what is, and the way on from it is said by these settings. So they
//! become variables of the command, which apt obeys as it would have the settings.

use crate::failure::{Failure, FailureKind};
use crate::system::{Command, System};

/// Defines `get`.
const GET: &str = include_str!("way.sh");

/// Largest list of settings that is read.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What apt's settings say of proxies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    http: Option<String>,
    https: Option<String>,
    /// Hosts that are reached without.
    direct: Vec<String>,
    /// The settings that say so. One that leads to a single host by a proxy of its own is none of
    /// them: no variable can say that.
    settings: Vec<String>,
}

impl Way {
    /// Asks apt.
    ///
    /// # Errors
    /// No command could be run.
    pub(super) fn of(system: &mut dyn System) -> Result<Way, Failure> {
        let mut ran = system.run_one(Command::new(&["apt-config", "dump"]))?;
        let text = ran.text(LIMIT).map_err(|e| unreadable_output(e, "apt-config"))?;
        Ok(Way::read(&text))
    }

    /// Reads lines such as `Acquire::http::Proxy "http://proxy:3128";`.
    fn read(text: &str) -> Way {
        let mut way = Way::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            let value = value.trim_end_matches(';').trim_matches('"');
            let lower = name.to_ascii_lowercase();
            let Some((scheme, rest)) = lower.strip_prefix("acquire::").and_then(|rest| {
                rest.split_once("::proxy").filter(|(scheme, _)| ["http", "https"].contains(scheme))
            }) else {
                continue;
            };
            let host = rest.strip_prefix("::").unwrap_or_default();
            let direct = ["direct", "false"].contains(&value.to_ascii_lowercase().as_str());
            // Names are part of a list that a shell divides.
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
            if value.is_empty() || !name.chars().all(plain) {
                continue;
            }
            match (rest, scheme) {
                ("", "http") if !direct => way.http = Some(value.to_owned()),
                ("", "https") if !direct => way.https = Some(value.to_owned()),
                ("", _) => {}
                _ if direct && !host.is_empty() => way.direct.push(host.to_owned()),
                _ => continue,
            }
            way.settings.push(name.to_owned());
        }
        way
    }

    /// apt-get with `words`.
    pub(super) fn get(&self, words: &[&str]) -> Command {
        self.script("get \"$@\"\n", "apt-get", words)
    }

    /// A script that uses `get`, called `name`, with its arguments.
    pub(super) fn script(&self, script: &str, name: &str, words: &[&str]) -> Command {
        let whole = format!("{GET}{script}");
        let mut command = Command::new(&[&["sh", "-c", &whole, name], words].concat());
        if self.settings.is_empty() {
            return command;
        }
        let mut set = |name: &str, value: String| command.env.push((name.to_owned(), value));
        // Where there is none of its own, apt takes the other.
        let proxies = [("http_proxy", &self.http), ("https_proxy", &self.https)];
        for (name, proxy) in proxies {
            if let Some(proxy) = proxy.as_ref().or(self.http.as_ref()) {
                set(name, proxy.clone());
            }
        }
        if !self.direct.is_empty() {
            set("no_proxy", self.direct.join(","));
        }
        set("WAY", self.settings.join(" "));
        command
    }
}

pub(super) fn unreadable_output(error: std::io::Error, program: &str) -> Failure {
    Failure::new(FailureKind::Resource, "reading the output of", program).because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn apts_proxies_become_variables_and_apt_gets_what_these_say_inside() {
        let text = "Acquire \"\";\nAcquire::http \"\";\nAcquire::HTTP::Proxy \"http://p:3128/\";\n\
                    Acquire::http::Proxy::mirror.example \"DIRECT\";\n\
                    Acquire::http::Proxy::other.example \"http://q\";\n\
                    Acquire::http::Proxy-Auto-Detect \"/bin/x\";\nAcquire::ftp::Proxy \"f\";\n";
        let way = Way::read(text);
        let command = way.get(&["-q", "update"]);
        assert_eq!(command.line(), "apt-get -q update");
        let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            env("http_proxy", "http://p:3128/"),
            env("https_proxy", "http://p:3128/"),
            env("no_proxy", "mirror.example"),
            env("WAY", "Acquire::HTTP::Proxy Acquire::http::Proxy::mirror.example"),
        ];
        assert_eq!(command.env, expected);
    }

    #[test]
    fn without_proxies_apt_is_told_nothing() {
        let way = Way::read("Acquire::http::Proxy \"\";\nAcquire::https::Proxy::a \"http://b\";\n");
        assert_eq!(way, Way::default());
        assert_eq!(way.get(&["update"]).env, []);
    }

    #[test]
    fn the_script_gives_apt_the_variables_in_place_of_its_settings() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let fake = "#!/bin/sh\ncat \"$2\"\nshift 2\necho \"$@\"\n";
        std::fs::write(at("apt-get"), fake).unwrap();
        std::fs::set_permissions(at("apt-get"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(at("s"), format!("{GET}get -q update\n")).unwrap();
        let mut shell = std::process::Command::new("sh");
        shell.arg(at("s")).env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
        shell.env("WAY", "Acquire::http::Proxy Acquire::https::Proxy::a");
        shell.env("http_proxy", "http://1").env("https_proxy", "http://2");
        let said = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        let expected = "Acquire::http::Proxy \"http://1\";\nAcquire::https::Proxy::a \"http://2\";\n-q update\n";
        assert_eq!(said, expected);
    }
}
