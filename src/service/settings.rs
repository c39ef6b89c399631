//! [`ServiceSettings`]: everything a person decided about the container that a service ran in.
//!
//! Whose words these are: those of the field (command, environment, mounts, limits), never one
//! engine's. What only one engine's API knows stands in [`ServiceSettings::engine`], in its words.
//! What nobody decided is absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::health::HealthCheck;
use super::is_default;
use super::limits::{Limits, Restart};
use super::mount::Mount;
use super::network::Network;

/// How a service is run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceSettings {
    /// What is run, before `command`.
    #[serde(skip_serializing_if = "is_default")]
    pub entrypoint: Vec<String>,
    /// What is run, or the arguments of the entrypoint.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Vec<String>,
    /// Lines `NAME=VALUE`, in their order.
    #[serde(skip_serializing_if = "is_default")]
    pub environment: Vec<String>,
    /// Where it is run.
    #[serde(skip_serializing_if = "is_default")]
    pub working_directory: String,
    /// As whom: `USER` or `USER:GROUP`, by name or number.
    #[serde(skip_serializing_if = "is_default")]
    pub user: String,
    /// Further groups, by name or number.
    #[serde(skip_serializing_if = "is_default")]
    pub groups: Vec<String>,
    /// A host name that was set by hand.
    #[serde(skip_serializing_if = "is_default")]
    pub host_name: String,
    /// The domain it is in.
    #[serde(skip_serializing_if = "is_default")]
    pub domain_name: String,
    /// Its labels; ours are none of them.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// It has a terminal.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: bool,
    /// Its standard input stays open.
    #[serde(skip_serializing_if = "is_default")]
    pub open_input: bool,
    /// Its standard input is closed after the first who wrote to it.
    #[serde(skip_serializing_if = "is_default")]
    pub input_once: bool,
    /// The signal that asks it to end, by name or number.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_signal: String,
    /// How many seconds it gets to end.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_timeout: Option<i64>,
    /// How somebody finds out whether it works.
    #[serde(skip_serializing_if = "is_default")]
    pub health_check: Option<HealthCheck>,
    /// When it is started again.
    #[serde(skip_serializing_if = "is_default")]
    pub restart: Option<Restart>,
    /// A first process of the engine's reaps its children.
    #[serde(skip_serializing_if = "is_default")]
    pub init: bool,
    /// Its place in networks.
    #[serde(skip_serializing_if = "is_default")]
    pub network: Network,
    /// What is mounted into it.
    #[serde(skip_serializing_if = "is_default")]
    pub mounts: Vec<Mount>,
    /// Its root cannot be written to.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only_root: bool,
    /// How much it may use.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// What it may do.
    #[serde(skip_serializing_if = "is_default")]
    pub privileges: Privileges,
    /// What it shares with others: `host`, `shareable` and what else engines call that.
    #[serde(skip_serializing_if = "is_default")]
    pub namespaces: Namespaces,
    /// Kernel settings of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub sysctls: BTreeMap<String, String>,
    /// Where its output goes.
    #[serde(skip_serializing_if = "is_default")]
    pub log: Option<Log>,
    /// What only an engine's API has words for.
    #[serde(skip_serializing_if = "is_default")]
    pub engine: EngineWords,
    /// What a later version wrote and this one has no field for.
    #[serde(flatten)]
    pub further: BTreeMap<String, Value>,
}

/// What a service may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Privileges {
    /// Everything.
    #[serde(skip_serializing_if = "is_default")]
    pub all: bool,
    /// Capabilities beyond the usual ones.
    #[serde(skip_serializing_if = "is_default")]
    pub add: Vec<String>,
    /// Usual capabilities that it does not have.
    #[serde(skip_serializing_if = "is_default")]
    pub drop: Vec<String>,
    /// Options of the kernel's security modules, and `no-new-privileges`.
    #[serde(skip_serializing_if = "is_default")]
    pub security: Vec<String>,
    /// Devices of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub devices: Vec<Device>,
    /// Rules about whole groups of devices: `c 13:* rwm`.
    #[serde(skip_serializing_if = "is_default")]
    pub device_rules: Vec<String>,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its path on the host.
    pub host: String,
    /// Its path in the container.
    pub container: String,
    /// `r`, `w` and `m`.
    pub permissions: String,
}

/// Name spaces of the kernel that are not simply the container's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespaces {
    /// Shared memory and semaphores.
    #[serde(skip_serializing_if = "is_default")]
    pub ipc: String,
    /// Processes.
    #[serde(skip_serializing_if = "is_default")]
    pub pid: String,
    /// Host name.
    #[serde(skip_serializing_if = "is_default")]
    pub uts: String,
    /// User ids.
    #[serde(skip_serializing_if = "is_default")]
    pub user: String,
}

/// Where the output of a service goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The engine's driver.
    pub driver: String,
    /// Its options.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

/// Fields of an answer to `inspect` that no field of the settings stands for, as they were told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineWords {
    /// Of `Config`.
    #[serde(skip_serializing_if = "is_default")]
    pub config: Map<String, Value>,
    /// Of `HostConfig`.
    #[serde(skip_serializing_if = "is_default")]
    pub host: Map<String, Value>,
}

/// Which of its texts a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextOf {
    /// An argument of the entrypoint.
    Entrypoint,
    /// An argument of the command.
    Command,
    /// A line of the environment.
    Environment,
    /// The working directory.
    WorkingDirectory,
    /// An argument or the line of the health check.
    HealthCheck,
    /// As whom it is run.
    User,
    /// A further group.
    Group,
}

impl TextOf {
    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            TextOf::Entrypoint => "entrypoint",
            TextOf::Command => "command",
            TextOf::Environment => "environment",
            TextOf::WorkingDirectory => "working directory",
            TextOf::HealthCheck => "health check",
            TextOf::User => "user",
            TextOf::Group => "group",
        }
    }
}

impl ServiceSettings {
    /// What is run, and asked whether it works: the words of all commands.
    pub fn words(&self) -> Vec<String> {
        let runs =
            |which| matches!(which, TextOf::Entrypoint | TextOf::Command | TextOf::HealthCheck);
        let mut copy = self.clone();
        let texts = copy.texts_mut().filter(|(which, _)| runs(*which));
        texts.map(|(_, text)| text.clone()).collect()
    }

    /// The values of the variable `name`, as it is given to whatever runs.
    pub(crate) fn variable(&self, name: &str) -> impl Iterator<Item = &str> {
        let own = move |text: &str| text.split_once('=').is_some_and(|(first, _)| first == name);
        let all = self.environment.iter().filter(move |text| own(text));
        all.filter_map(|text| Some(text.split_once('=')?.1))
    }

    /// The time zones that it names.
    pub(crate) fn zones(&self) -> Vec<String> {
        self.variable("TZ").map(|zone| zone.trim_start_matches(':').to_owned()).collect()
    }

    /// The texts that may name paths, users and programs of the system, to be replaced in place.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = (TextOf, &mut String)> {
        fn of(which: TextOf, texts: &mut [String]) -> impl Iterator<Item = (TextOf, &mut String)> {
            texts.iter_mut().map(move |text| (which, text))
        }
        let directory = std::slice::from_mut(&mut self.working_directory);
        let check = self.health_check.iter_mut().flat_map(HealthCheck::texts_mut);
        of(TextOf::Entrypoint, &mut self.entrypoint)
            .chain(of(TextOf::Command, &mut self.command))
            .chain(of(TextOf::Environment, &mut self.environment))
            .chain(of(TextOf::WorkingDirectory, directory))
            .chain(check.map(|text| (TextOf::HealthCheck, text)))
    }

    /// The texts that are names or numbers of accounts, to be replaced in place.
    pub fn accounts_mut(&mut self) -> impl Iterator<Item = (TextOf, &mut String)> {
        let user = std::iter::once((TextOf::User, &mut self.user));
        user.chain(self.groups.iter_mut().map(|group| (TextOf::Group, group)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::service::HealthTest;

    #[test]
    fn what_nobody_decided_is_not_written() {
        assert_eq!(serde_json::to_value(ServiceSettings::default()).unwrap(), json!({}));
        let read: ServiceSettings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(read, ServiceSettings::default());
    }

    #[test]
    fn what_a_later_version_decided_is_kept() {
        let written = json!({"user": "app", "gravity": {"planet": "Mars"}});
        let read: ServiceSettings = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read.further.keys().collect::<Vec<_>>(), ["gravity"]);
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }

    #[test]
    fn every_text_that_may_name_a_path_can_be_replaced() {
        let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let test = HealthTest::Run(words(&["/old/check"]));
        let mut settings = ServiceSettings {
            entrypoint: words(&["/old/entry"]),
            command: words(&["/old/app", "--config=/old/conf"]),
            environment: words(&["HOME=/old/home"]),
            working_directory: "/old/work".to_owned(),
            health_check: Some(HealthCheck { test, ..HealthCheck::default() }),
            user: "old".to_owned(),
            ..ServiceSettings::default()
        };
        let mut told = vec![];
        for (which, text) in settings.texts_mut() {
            *text = text.replace("/old/", "/new/");
            told.push((which.word(), text.clone()));
        }
        let expected = [
            ("entrypoint", "/new/entry"),
            ("command", "/new/app"),
            ("command", "--config=/new/conf"),
            ("environment", "HOME=/new/home"),
            ("working directory", "/new/work"),
            ("health check", "/new/check"),
        ];
        assert_eq!(told, expected.map(|(which, text)| (which, text.to_owned())));
        assert_eq!(settings.working_directory, "/new/work");
    }
}
