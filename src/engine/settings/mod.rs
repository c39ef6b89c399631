//! An archived container's settings, carried over to its successor.
//!
//! Pure: from the engine's answer to `inspect`, kept in the bundle, to the request that makes the
//! new container. `inspect` has merged what came from the old image into `Config`, so command and
//! environment survive on a new image that has neither. Docker and Podman write "nothing" as
//! `null`, empty or absent, and each knows words the other refuses: whatever does not stand for a
//! decision of a person is left out, and a decision that cannot be kept is reported.
//!
//! The answer may come from somebody else's bundle: nothing in it is trusted to have a shape,
//! and [`Carried::grants`] says what the settings allow the container to do to its host.

mod mounts;
mod network;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ContainerSpec, Flavour, items, text};

/// Where the container is to be made anew.
#[derive(Debug, Clone, Copy)]
pub struct Renewal<'a> {
    /// The new image, by id or name.
    pub image: &'a str,
    /// New names of the named volumes, by their old ones.
    pub volumes: &'a BTreeMap<String, String>,
    /// The engine that will have it.
    pub flavour: Flavour,
}

/// Settings for the new container.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// What to make.
    pub spec: ContainerSpec,
    /// What could not be carried.
    pub dropped: Vec<Dropped>,
    /// What gives the container power over its host, in words: `capability NET_ADMIN`,
    /// `the host's /srv at /data`.
    pub grants: Vec<String>,
}

/// A setting that the new container will not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its name in the engine's API.
    pub setting: String,
    /// Its value.
    pub value: String,
    /// Why.
    pub reason: &'static str,
}

/// Why settings cannot be carried at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It is not an answer to `inspect`.
    #[error("the container's settings have no `{0}`")]
    Missing(&'static str),
    /// A named volume without a new name: mounting the old one would expose what is in it now.
    #[error("no new name is planned for the volume `{}`", crate::tree::escaped(.0.as_bytes()))]
    UnplannedVolume(String),
    /// A mount that cannot be written down.
    #[error("the mount at `{}` cannot be carried", crate::tree::escaped(.0.as_bytes()))]
    BadMount(String),
}

/// Fields of `Config` that are taken as they are, unless empty.
const CONFIG: [&str; 13] = [
    "Cmd",
    "Domainname",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "MacAddress",
    "OpenStdin",
    "StdinOnce",
    "StopSignal",
    "StopTimeout",
    "Tty",
    "User",
    "WorkingDir",
];

/// Fields of `HostConfig` that are taken as they are, unless empty.
const HOST: [&str; 43] = [
    "AutoRemove",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeight",
    "BlkioWeightDevice",
    "CapAdd",
    "CapDrop",
    "CgroupParent",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "NanoCpus",
    "OomKillDisable",
    "OomScoreAdj",
    "PidsLimit",
    "PortBindings",
    "Privileged",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "RestartPolicy",
    "SecurityOpt",
    "ShmSize",
    "StorageOpt",
    "Sysctls",
    "Init",
];

/// Runtimes that engines use when nobody chose one.
const USUAL_RUNTIMES: [&str; 4] = ["", "oci", "runc", "crun"];

/// The settings of the container that `inspect` describes, for a new one at its new home.
pub fn carry(inspect: &Value, renewal: &Renewal<'_>) -> Result<Carried, SettingsError> {
    let old = Old::new(inspect)?;
    let mut carried = Carried { spec: ContainerSpec::default(), dropped: vec![], grants: vec![] };
    carried.spec.config = config(&old, renewal);
    carried.spec.host = host(&old);
    carried.set_modes(&old, renewal.flavour);
    carried.set_log(&old, renewal.flavour);
    carried.set_network(&old);
    carried.set_mounts(&old, renewal.volumes)?;
    carried.grants.splice(0..0, grants(&carried.spec.host));
    Ok(carried)
}

/// The parts of an answer to `inspect`.
struct Old<'a> {
    inspect: &'a Value,
    config: &'a Map<String, Value>,
    host: &'a Map<String, Value>,
    /// The first twelve digits of the id: host name and alias where none was given.
    short_id: &'a str,
    podman: bool,
}

impl<'a> Old<'a> {
    fn new(inspect: &'a Value) -> Result<Old<'a>, SettingsError> {
        let id = inspect["Id"].as_str().ok_or(SettingsError::Missing("Id"))?;
        let config = inspect["Config"].as_object().ok_or(SettingsError::Missing("Config"))?;
        let host = inspect["HostConfig"].as_object().ok_or(SettingsError::Missing("HostConfig"))?;
        let podman = items(&inspect["Config"]["Env"]).iter().any(|v| v == "container=podman")
            || inspect["HostConfig"]["Runtime"] == "oci";
        Ok(Old { inspect, config, host, short_id: id.get(..12).unwrap_or(id), podman })
    }

    /// A text of `HostConfig`; empty when there is none.
    fn mode(&self, key: &str) -> &'a str {
        self.host.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Whether `value` says nothing: engines write that as null, false, zero or empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

fn copied(from: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    keys.iter()
        .filter_map(|key| Some((key.to_string(), from.get(*key)?.clone())))
        .filter(|(_, value)| !is_empty(value))
        .collect()
}

fn config(old: &Old<'_>, renewal: &Renewal<'_>) -> Map<String, Value> {
    let mut new = copied(old.config, &CONFIG);
    new.insert("Image".to_owned(), renewal.image.into());
    // Present even when empty, or the new image's own would come in its place.
    let entrypoint = match old.config.get("Entrypoint") {
        Some(Value::Array(argv)) => argv.clone(),
        Some(Value::String(line)) if !line.is_empty() => vec![line.as_str().into()],
        _ => vec![],
    };
    new.insert("Entrypoint".to_owned(), entrypoint.into());
    let hostname = old.config.get("Hostname").and_then(Value::as_str).unwrap_or_default();
    // On the host's network it is the old host's own name, given or not.
    if !hostname.is_empty() && hostname != old.short_id && old.mode("NetworkMode") != "host" {
        new.insert("Hostname".to_owned(), hostname.into());
    }
    let env: Vec<Value> = items(old.config.get("Env").unwrap_or(&Value::Null))
        .iter()
        .filter(|line| match line.as_str() {
            // Podman's own additions.
            Some("container=podman") => false,
            Some(line) if old.podman => line.strip_prefix("HOSTNAME=") != Some(hostname),
            other => other.is_some(),
        })
        .cloned()
        .collect();
    if !env.is_empty() {
        new.insert("Env".to_owned(), env.into());
    }
    if let Some(Value::Object(labels)) = new.get_mut("Labels") {
        labels.retain(|key, _| !key.starts_with("regrow."));
    }
    new
}

fn host(old: &Old<'_>) -> Map<String, Value> {
    let mut new = copied(old.host, &HOST);
    // The one number where zero differs from nothing; Podman writes it for nothing.
    if !old.podman && old.host.get("MemorySwappiness") == Some(&json!(0)) {
        new.insert("MemorySwappiness".to_owned(), 0.into());
    }
    if new.get("MemorySwappiness").and_then(Value::as_i64) == Some(-1) {
        new.remove("MemorySwappiness");
    }
    // Podman shows one limit in both ways, and Docker refuses both at once.
    if new.contains_key("NanoCpus") {
        new.remove("CpuPeriod");
        new.remove("CpuQuota");
    }
    if text(&new.get("RestartPolicy").cloned().unwrap_or_default(), &["Name"]) == "no" {
        new.remove("RestartPolicy");
    }
    let ulimits: Vec<Value> = items(old.host.get("Ulimits").unwrap_or(&Value::Null))
        .iter()
        .filter_map(Value::as_object)
        .map(|limit| {
            let mut limit = limit.clone();
            // Podman writes `RLIMIT_NOFILE` for what both want to be told as `nofile`.
            let name = limit.get("Name").and_then(Value::as_str).unwrap_or_default();
            let name = name.trim_start_matches("RLIMIT_").to_lowercase();
            limit.insert("Name".to_owned(), name.into());
            Value::Object(limit)
        })
        .collect();
    if !ulimits.is_empty() {
        new.insert("Ulimits".to_owned(), ulimits.into());
    }
    // An explicit "nothing is hidden"; the full lists are each engine's own.
    for key in ["MaskedPaths", "ReadonlyPaths"] {
        if old.host.get(key) == Some(&json!([])) {
            new.insert(key.to_owned(), json!([]));
        }
    }
    let runtime = old.mode("Runtime");
    if !USUAL_RUNTIMES.contains(&runtime) {
        new.insert("Runtime".to_owned(), runtime.into());
    }
    new
}

impl Carried {
    fn drop_setting(&mut self, setting: &str, value: impl Into<String>, reason: &'static str) {
        self.dropped.push(Dropped { setting: setting.to_owned(), value: value.into(), reason });
    }

    /// Shared name spaces.
    fn set_modes(&mut self, old: &Old<'_>, flavour: Flavour) {
        for key in ["IpcMode", "PidMode", "UTSMode", "UsernsMode"] {
            let mode = old.mode(key);
            if mode.is_empty() || (mode == "private" && key != "IpcMode") {
                continue;
            }
            if mode.starts_with("container:") || mode.starts_with("ns:") {
                self.drop_setting(key, mode, "it belongs to another container");
            } else if key == "UsernsMode" && mode != "host" && flavour == Flavour::Docker {
                self.drop_setting(key, mode, "Docker does not have it");
            } else {
                self.spec.host.insert(key.to_owned(), mode.into());
            }
        }
        if let Some(links) = old.host.get("Links").filter(|links| !is_empty(links)) {
            self.drop_setting("Links", links.to_string(), "links lead to other containers");
        }
    }

    fn set_log(&mut self, old: &Old<'_>, flavour: Flavour) {
        let Some(log) = old.host.get("LogConfig").filter(|log| !is_empty(log)) else { return };
        let driver = text(log, &["Type"]);
        let known = match flavour {
            Flavour::Docker => {
                !matches!(driver.as_str(), "k8s-file" | "passthrough" | "passthrough-tty")
            }
            Flavour::Podman => {
                matches!(
                    driver.as_str(),
                    "json-file" | "k8s-file" | "journald" | "none" | "passthrough"
                )
            }
        };
        if driver.is_empty() {
            return;
        }
        if !known {
            self.drop_setting("LogConfig", driver, "the engine has no such log driver");
            return;
        }
        let options = log["Config"].as_object().cloned().unwrap_or_default();
        self.spec.host.insert("LogConfig".to_owned(), json!({ "Type": driver, "Config": options }));
    }
}

/// What the settings in `host` allow, mounts aside.
fn grants(host: &Map<String, Value>) -> Vec<String> {
    let mut grants = vec![];
    let list = |key: &str| items(host.get(key).unwrap_or(&Value::Null)).to_vec();
    if host.contains_key("Privileged") {
        grants.push("all privileges".to_owned());
    }
    for capability in list("CapAdd") {
        let name = text(&capability, &[]);
        grants.push(format!("capability {}", name.trim_start_matches("CAP_")));
    }
    for device in list("Devices") {
        grants.push(format!("the host's device {}", text(&device, &["PathOnHost"])));
    }
    for rule in list("DeviceCgroupRules") {
        grants.push(format!("devices {}", text(&rule, &[])));
    }
    if host.contains_key("DeviceRequests") {
        grants.push("devices by driver".to_owned());
    }
    for option in list("SecurityOpt") {
        let option = text(&option, &[]);
        if option != "no-new-privileges" && option != "no-new-privileges:true" {
            grants.push(format!("security option {option}"));
        }
    }
    for key in ["MaskedPaths", "ReadonlyPaths"] {
        if host.get(key) == Some(&json!([])) {
            grants.push("unprotected /proc and /sys".to_owned());
        }
    }
    for (key, what) in [
        ("NetworkMode", "network"),
        ("PidMode", "processes"),
        ("IpcMode", "shared memory"),
        ("UTSMode", "host name"),
        ("UsernsMode", "user ids"),
    ] {
        if host.get(key).is_some_and(|mode| mode == "host") {
            grants.push(format!("the host's {what}"));
        }
    }
    grants.dedup();
    grants
}

#[cfg(test)]
mod tests;
