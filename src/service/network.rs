//! [`Network`]: a service's place in networks.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::is_default;

/// Where a service can be reached, and whom it reaches by which name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// The network that it begins in.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: NetworkMode,
    /// The networks that somebody made and put it in, by name.
    #[serde(skip_serializing_if = "is_default")]
    pub joined: BTreeMap<String, Endpoint>,
    /// The name of a rootless engine's network with options.
    #[serde(skip_serializing_if = "is_default")]
    pub rootless: Option<String>,
    /// Ports that it listens on.
    #[serde(skip_serializing_if = "is_default")]
    pub exposed: Vec<Port>,
    /// Where on the host they are reached.
    #[serde(skip_serializing_if = "is_default")]
    pub published: Vec<Published>,
    /// All its ports are reached somewhere on the host.
    #[serde(skip_serializing_if = "is_default")]
    pub publish_all: bool,
    /// A hardware address that was set by hand.
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: String,
    /// Name servers.
    #[serde(skip_serializing_if = "is_default")]
    pub dns: Vec<String>,
    /// Options of the resolver.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_options: Vec<String>,
    /// Domains in which names are looked up.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_search: Vec<String>,
    /// Further names, `NAME:ADDRESS`.
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
}

/// The network that a service begins in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// The engine's own.
    #[default]
    Default,
    /// The host's.
    Host,
    /// None.
    None,
    /// Another container's, in the engine's words.
    Shared(String),
    /// One that somebody made.
    Named(String),
}

/// What somebody decided about a service's place in one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// Further names of it there.
    #[serde(skip_serializing_if = "is_default")]
    pub aliases: Vec<String>,
    /// Addresses that were set by hand, in the words of the engine's API.
    #[serde(skip_serializing_if = "is_default")]
    pub addresses: Map<String, Value>,
    /// Options of the network's driver.
    #[serde(skip_serializing_if = "is_default")]
    pub options: Map<String, Value>,
}

/// A port that a service listens on, `80/tcp`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// A port of the host that leads to one of the service's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The service's.
    pub port: Port,
    /// The host's address; empty is all of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub address: String,
    /// The host's port or range of ports; empty is any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host_port: String,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Port, String> {
        let port = text.split_once('/').and_then(|(number, protocol)| {
            Some(Port { number: number.parse().ok()?, protocol: protocol.to_owned() })
        });
        // One port has one spelling.
        port.filter(|port| port.to_string() == text)
            .ok_or_else(|| format!("`{}` is no port such as 80/tcp", text.escape_debug()))
    }
}

impl TryFrom<String> for Port {
    type Error = String;

    fn try_from(text: String) -> Result<Port, String> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_spelling() {
        let port: Port = "80/tcp".parse().unwrap();
        assert_eq!((port.number, port.protocol.as_str()), (80, "tcp"));
        for wrong in ["80", "080/tcp", "70000/tcp", "+1/udp", "/tcp", ""] {
            assert!(wrong.parse::<Port>().is_err(), "{wrong}");
        }
    }
}
