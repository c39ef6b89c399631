//! [`Observation`]: what a service did while it was watched for a few seconds without a network.
//!
//! Only what is the same on every run is in it: no process numbers, no times, no counts of workers,
//! no ports that the kernel chose. Lists are sorted and have nothing twice.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a service did while it was watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// The services that were switched on and were started one by one, where the container's own
    /// command starts nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// What ran.
    pub processes: Vec<ProcessFact>,
    /// Where it listened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerFact>,
    /// Nothing could be asked in it, as it has no shell: only what the engine tells is known, and
    /// that is what ran.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
    /// The exit code of the container's command, where it ended while it was watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exited: Option<i64>,
    /// What its health check answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The lines in which it complained, as patterns: numbers, times and addresses are `#`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<String>,
    /// Commands of rules that judge an application's files, and did not accept the old ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckFact>,
    /// Names of other machines that it would not start without: each was given this machine's own
    /// address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lent: Vec<String>,
}

/// A program that ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessFact {
    /// The program's name without its directory, followed by that of a script where it runs one.
    pub name: String,
    /// As whom: a name, or a number that has none. Empty where the engine does not tell.
    pub account: String,
}

/// A port that somebody listened on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListenerFact {
    /// Which sort of port.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
    /// Who can reach it.
    pub reach: Reach,
    /// Who opened it: a name, or a number that has none.
    pub account: String,
    /// The program, where it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

/// A sort of port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// Who can reach a port. The widest comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// The machine itself.
    Loopback,
    /// Whoever reaches one address of it.
    Address,
    /// Whoever reaches any address of it.
    Any,
}

/// What a health check answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It is well.
    Healthy,
    /// It is not, or there was no answer in time.
    Unhealthy,
}

/// A command that did not accept the files of an application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CheckFact {
    /// The application.
    pub app: String,
    /// Its exit code.
    pub code: i64,
    /// What it wrote, as patterns: numbers, times and addresses are `#`.
    pub said: Vec<String>,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// The words for people.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reach::Loopback => "the machine itself",
            Reach::Address => "one address",
            Reach::Any => "every address",
        })
    }
}

/// `80/tcp`.
impl fmt::Display for ListenerFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.protocol)
    }
}

impl Observation {
    /// Its most important numbers in one line.
    pub fn summary(&self) -> String {
        let names: std::collections::BTreeSet<&str> =
            self.processes.iter().map(|process| process.name.as_str()).collect();
        let ports: Vec<String> = self.listeners.iter().map(ToString::to_string).collect();
        let listed = |words: Vec<&str>| match words.is_empty() {
            true => "nothing".to_owned(),
            false => words.join(", "),
        };
        let ran = listed(names.into_iter().collect());
        let mut text = match self.unasked {
            true if self.processes.is_empty() => {
                "it ran, without a shell to ask in what runs and where it listens".to_owned()
            }
            true => format!("{ran} ran, without a shell to ask in where it listens"),
            false => {
                let open = listed(ports.iter().map(String::as_str).collect());
                format!("{ran} ran, {open} listened on")
            }
        };
        if let Some(code) = self.exited {
            text.push_str(&format!(", the command ended with {code}"));
        }
        match self.health {
            Some(Health::Healthy) => text.push_str(", healthy"),
            Some(Health::Unhealthy) => text.push_str(", unhealthy"),
            None => {}
        }
        match self.complaints.len() {
            0 => {}
            1 => text.push_str(", 1 complaint"),
            n => text.push_str(&format!(", {n} complaints")),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_observation_is_told_in_one_line_and_what_was_not_seen_is_not_written() {
        assert_eq!(serde_json::to_value(Observation::default()).unwrap(), json!({"processes": []}));
        let seen = Observation {
            processes: vec![ProcessFact { name: "web".into(), account: "root".into() }],
            listeners: vec![ListenerFact {
                protocol: Protocol::Tcp,
                port: 80,
                reach: Reach::Any,
                account: "root".into(),
                process: None,
            }],
            exited: Some(1),
            health: Some(Health::Unhealthy),
            complaints: vec!["a".into(), "b".into()],
            ..Observation::default()
        };
        assert_eq!(
            seen.summary(),
            "web ran, 80/tcp listened on, the command ended with 1, unhealthy, 2 complaints"
        );
        assert_eq!(Observation::default().summary(), "nothing ran, nothing listened on");
        let unasked = Observation { unasked: true, exited: None, listeners: vec![], ..seen };
        assert_eq!(
            unasked.summary(),
            "web ran, without a shell to ask in where it listens, unhealthy, 2 complaints"
        );
    }
}
