//! Networks and ports of a container, from an engine's words and to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Fields, Old};
use super::carry::Carried;
use super::words::BindingWords;
use crate::engine::items;
use crate::service::{Endpoint, Network, NetworkMode, Port, Published};

/// Networks that are there by themselves, under whatever name an engine gives its default.
const DEFAULT_NETWORKS: [&str; 7] =
    ["", "default", "bridge", "podman", "slirp4netns", "pasta", "private"];

impl Old<'_> {
    /// The networks that a person put it in.
    pub(super) fn network(&self) -> Network {
        let mut network = Network::default();
        // Podman appends options: `slirp4netns:port_handler=…`.
        let whole = self.mode("NetworkMode");
        let (mode, rest) = whole.split_once(':').unwrap_or((whole, ""));
        match mode {
            "host" => return Network { mode: NetworkMode::Host, ..network },
            "none" => return Network { mode: NetworkMode::None, ..network },
            "container" | "ns" => {
                return Network { mode: NetworkMode::Shared(whole.to_owned()), ..network };
            }
            "slirp4netns" | "pasta" if !rest.is_empty() => {
                network.rootless = Some(whole.to_owned());
            }
            _ => {}
        }
        let networks = self.inspect["NetworkSettings"]["Networks"].as_object();
        let mut in_default = false;
        for (name, endpoint) in networks.into_iter().flatten() {
            if DEFAULT_NETWORKS.contains(&name.as_str()) {
                in_default = true;
            } else {
                network.joined.insert(name.clone(), endpoint_of(endpoint, self.short_id));
            }
        }
        // Podman says `bridge` for every network of its own.
        let first = match DEFAULT_NETWORKS.contains(&mode) {
            true if in_default => None,
            true => network.joined.keys().next().cloned(),
            false => Some(mode.to_owned()),
        };
        if let Some(first) = first {
            network.joined.entry(first.clone()).or_default();
            network.mode = NetworkMode::Named(first);
        }
        network
    }
}

/// What a person decided about the container's place in a network; addresses that the engine
/// assigned are not among it.
fn endpoint_of(endpoint: &Value, short_id: &str) -> Endpoint {
    let map = |key: &str| endpoint[key].as_object().cloned().unwrap_or_default();
    let aliases = items(&endpoint["Aliases"]).iter().filter_map(Value::as_str);
    Endpoint {
        aliases: aliases.filter(|alias| *alias != short_id).map(str::to_owned).collect(),
        addresses: map("IPAMConfig"),
        options: map("DriverOpts"),
    }
}

/// Reading ports and names from the fields of an answer to `inspect`.
pub(super) fn read_ports(network: &mut Network, config: &mut Fields, host: &mut Fields) {
    network.exposed = config.take_as("ExposedPorts", exposed).unwrap_or_default();
    network.published = host.take_as("PortBindings", published).unwrap_or_default();
    network.publish_all = host.flag("PublishAllPorts");
    network.mac_address = config.text("MacAddress");
    network.dns = host.list("Dns");
    network.dns_options = host.list("DnsOptions");
    network.dns_search = host.list("DnsSearch");
    network.hosts = host.list("ExtraHosts");
}

fn exposed(ports: BTreeMap<String, Map<String, Value>>) -> Option<Vec<Port>> {
    ports
        .into_iter()
        .map(|(port, options)| port.parse().ok().filter(|_| options.is_empty()))
        .collect()
}

fn published(ports: BTreeMap<String, Vec<BindingWords>>) -> Option<Vec<Published>> {
    let mut all = vec![];
    for (port, bindings) in ports {
        let port: Port = port.parse().ok().filter(|_| !bindings.is_empty())?;
        all.extend(bindings.into_iter().map(|words| Published {
            port: port.clone(),
            address: words.host_ip,
            host_port: words.host_port,
        }));
    }
    Some(all)
}

impl Carried {
    pub(super) fn set_network(&mut self, network: &Network) {
        if let Some(whole) = &network.rootless {
            self.drop_setting("NetworkMode", whole, "options of a rootless network");
        }
        let mode = match &network.mode {
            NetworkMode::Default => None,
            NetworkMode::Host => Some("host"),
            NetworkMode::None => Some("none"),
            NetworkMode::Shared(whole) => {
                self.drop_setting("NetworkMode", whole, "it belongs to another container");
                None
            }
            NetworkMode::Named(first) => Some(first.as_str()),
        };
        if let Some(mode) = mode {
            self.spec.host.insert("NetworkMode".to_owned(), mode.into());
        }
        for (name, endpoint) in &network.joined {
            self.spec.endpoints.insert(name.clone(), endpoint_words(endpoint));
        }
        self.set_ports(network);
    }

    fn set_ports(&mut self, network: &Network) {
        let exposed = network.exposed.iter().map(|port| (port.to_string(), json!({})));
        self.set_config("ExposedPorts", exposed.collect::<Map<_, _>>());
        self.set_config("MacAddress", network.mac_address.as_str());
        let mut bindings = Map::new();
        for published in &network.published {
            let words = json!({ "HostIp": published.address, "HostPort": published.host_port });
            let of_port = bindings.entry(published.port.to_string()).or_insert_with(|| json!([]));
            of_port.as_array_mut().into_iter().for_each(|list| list.push(words.clone()));
        }
        self.set_host("PortBindings", bindings);
        self.set_host("PublishAllPorts", network.publish_all);
        self.set_host("Dns", network.dns.as_slice());
        self.set_host("DnsOptions", network.dns_options.as_slice());
        self.set_host("DnsSearch", network.dns_search.as_slice());
        self.set_host("ExtraHosts", network.hosts.as_slice());
    }

    /// The networks that have to exist before the container can be made.
    pub fn networks(&self) -> impl Iterator<Item = &str> {
        self.spec.endpoints.keys().map(String::as_str)
    }

    /// Does without the network `name`, which the engine does not have: another of the
    /// container's networks, or the default one, takes its place.
    pub fn drop_network(&mut self, name: &str) {
        if self.spec.endpoints.remove(name).is_none() {
            return;
        }
        if self.spec.host.get("NetworkMode").is_some_and(|mode| mode == name) {
            match self.spec.endpoints.keys().next().cloned() {
                Some(next) => self.spec.host.insert("NetworkMode".to_owned(), next.into()),
                None => self.spec.host.remove("NetworkMode"),
            };
        }
        self.drop_setting("Networks", name, "the engine has no such network");
    }
}

fn endpoint_words(endpoint: &Endpoint) -> Value {
    let mut words = Map::new();
    for (key, map) in [("IPAMConfig", &endpoint.addresses), ("DriverOpts", &endpoint.options)] {
        if !map.is_empty() {
            words.insert(key.to_owned(), map.clone().into());
        }
    }
    if !endpoint.aliases.is_empty() {
        words.insert("Aliases".to_owned(), endpoint.aliases.as_slice().into());
    }
    Value::Object(words)
}
