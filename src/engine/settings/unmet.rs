//! What was asked of an engine and is not in the container that it made.
//!
//! Engines leave out what they do not know, without a word. So the container is described again
//! and its description read as an old container's would be; what was asked has to be in that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::carry::{Dropped, Renewal, carry};
use super::is_empty;
use super::read::translate;
use crate::engine::{ContainerSpec, Flavour, items, text};
use crate::service::MountKind;

const WHY: &str = "the engine made the container without it";

/// Fields in which mounts are asked for: each stands in one of them, and engines choose.
const MOUNTS: [&str; 4] = ["Binds", "Mounts", "Volumes", "Tmpfs"];

/// Fields whose values may be passwords, or hold some.
const HUSHED: [&str; 6] = ["Env", "Labels", "LogConfig", "Cmd", "Entrypoint", "Healthcheck"];

/// What of `asked` the container that `inspect` describes lacks. Values that may be passwords are
/// not in it.
pub(crate) fn unmet(asked: &ContainerSpec, inspect: &Value, flavour: Flavour) -> Vec<Dropped> {
    let lost = |setting: String, value: String| Dropped { setting, value, reason: WHY };
    let Ok(made) = translate(inspect) else {
        return vec![lost("Config".to_owned(), "all".to_owned())];
    };
    let volumes = made.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
    let volumes: BTreeMap<String, String> =
        volumes.map(|mount| (mount.source.clone(), mount.source.clone())).collect();
    let renewal = Renewal { image: "", volumes: &volumes, flavour };
    let Ok(made) = carry(&made, &renewal) else {
        return vec![lost("Mounts".to_owned(), "all".to_owned())];
    };
    let made = made.spec;
    let mut found = Vec::new();
    for (asked, made) in [(&asked.config, &made.config), (&asked.host, &made.host)] {
        for (key, value) in asked.iter().filter(|(key, _)| !MOUNTS.contains(&key.as_str())) {
            if key != "Image" {
                lacking(key, value, made.get(key).unwrap_or(&Value::Null), &mut found);
            }
        }
    }
    for (network, endpoint) in &asked.endpoints {
        let name = format!("Networks.{network}");
        match made.endpoints.get(network) {
            Some(made) => lacking(&name, endpoint, made, &mut found),
            None => found.push((name, String::new())),
        }
    }
    let there = targets(&made);
    let missing = targets(asked).into_iter().filter(|target| !there.contains(target));
    found.extend(missing.map(|target| ("Mounts".to_owned(), target)));
    found.into_iter().map(|(setting, value)| lost(setting, value)).collect()
}

/// Where something is mounted.
fn targets(spec: &ContainerSpec) -> BTreeSet<String> {
    let null = Value::Null;
    let field = |fields: &Map<String, Value>, key: &str| fields.get(key).unwrap_or(&null).clone();
    let mut found = BTreeSet::new();
    for bind in items(&field(&spec.host, "Binds")) {
        found.extend(text(bind, &[]).split(':').nth(1).map(str::to_owned));
    }
    for mount in items(&field(&spec.host, "Mounts")) {
        found.insert(text(mount, &["Target"]));
    }
    for value in [field(&spec.host, "Tmpfs"), field(&spec.config, "Volumes")] {
        found.extend(value.as_object().into_iter().flat_map(Map::keys).cloned());
    }
    found
}

/// Adds what `made` lacks of `asked`, a field called `name`.
fn lacking(name: &str, asked: &Value, made: &Value, found: &mut Vec<(String, String)>) {
    match asked {
        _ if is_empty(asked) => {}
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !key.starts_with("regrow.")) {
                lacking(&format!("{name}.{key}"), value, &made[key], found);
            }
        }
        Value::Array(all) if is_ordered(name) => {
            if made != asked && !(all.is_empty() && is_empty(made)) {
                found.push((name.to_owned(), shown(name, asked)));
            }
        }
        Value::Array(all) => {
            let there: Vec<Value> = items(made).iter().map(same).collect();
            for item in all.iter().filter(|item| !there.contains(&same(item))) {
                found.push((name.to_owned(), shown(name, item)));
            }
        }
        _ if same(asked) == same(made) => {}
        // Engines write a signal by its name or by its number.
        Value::String(_) if name == "StopSignal" && !is_empty(made) => {}
        _ => found.push((name.to_owned(), shown(name, asked))),
    }
}

/// Whether the order of a list says something.
fn is_ordered(name: &str) -> bool {
    matches!(name, "Cmd" | "Entrypoint" | "Healthcheck.Test")
}

/// A value as far as engines write it alike: without the beginning of a capability's name, and
/// without what says nothing.
fn same(value: &Value) -> Value {
    match value {
        Value::String(text) => text.trim_start_matches("CAP_").into(),
        Value::Object(fields) => {
            let telling = fields.iter().filter(|(_, value)| !is_empty(value));
            Value::Object(telling.map(|(key, value)| (key.clone(), same(value))).collect())
        }
        other => other.clone(),
    }
}

/// `value` as it is told; of what may be a password the name only.
fn shown(name: &str, value: &Value) -> String {
    let field = name.split('.').next().unwrap_or_default();
    if field == "Env" {
        let line = text(value, &[]);
        return line.split('=').next().unwrap_or_default().to_owned();
    }
    if HUSHED.contains(&field) {
        return "...".to_owned();
    }
    let all = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    all.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::service::ServiceSettings;

    /// What Docker 20.10 answered for a container with many flags.
    const DOCKER: &str = include_str!("docker-20.10.json");
    /// What Docker 28.5 answered for one in two networks.
    const NETWORKS: &str = include_str!("docker-28-containerd.json");

    fn asked(inspect: &Value) -> ContainerSpec {
        let settings: ServiceSettings = translate(inspect).unwrap();
        let names = ["engine-vol", "engine-mv"].map(|v| (v.to_owned(), v.to_owned())).into();
        let renewal = Renewal { image: "x", volumes: &names, flavour: Flavour::Docker };
        carry(&settings, &renewal).unwrap().spec
    }

    fn told(asked: &ContainerSpec, made: &Value) -> Vec<String> {
        let unmet = unmet(asked, made, Flavour::Docker);
        unmet.iter().map(|d| format!("{} {}", d.setting, d.value)).collect()
    }

    #[test]
    fn a_container_that_is_as_asked_lacks_nothing() {
        for text in [DOCKER, NETWORKS] {
            let inspect: Value = serde_json::from_str(text).unwrap();
            assert_eq!(told(&asked(&inspect).label("regrow.run", "x"), &inspect), [""; 0]);
        }
    }

    #[test]
    fn what_an_engine_left_out_is_named_and_no_password_is_told() {
        let inspect: Value = serde_json::from_str(DOCKER).unwrap();
        let mut asked = asked(&inspect).label("owner", "hush").config("Env", json!(["A=hush"]));
        asked = asked.host("Annotations", json!({ "org.x": "y" }));
        let mut made = inspect;
        made["HostConfig"]["MemorySwap"] = json!(0);
        made["HostConfig"]["Sysctls"] = json!({});
        made["HostConfig"]["CapAdd"] = json!(null);
        made["HostConfig"]["PortBindings"] = json!({ "80/tcp": [{ "HostPort": "8080" }] });
        made["HostConfig"]["Tmpfs"] = json!({});
        assert_eq!(
            told(&asked, &made),
            [
                "Env A",
                "Labels.owner ...",
                "Annotations.org.x y",
                "CapAdd CAP_NET_ADMIN",
                "MemorySwap 134217728",
                "PortBindings.53/udp {\"HostIp\":\"127.0.0.1\",\"HostPort\":\"53\"}",
                "Sysctls.net.core.somaxconn 100",
                "Mounts /scratch",
            ]
        );
    }

    #[test]
    fn a_network_that_is_missing_and_an_address_that_is_another_are_named() {
        let inspect: Value = serde_json::from_str(NETWORKS).unwrap();
        let asked = asked(&inspect);
        let mut made = inspect;
        let networks = &mut made["NetworkSettings"]["Networks"];
        networks.as_object_mut().unwrap().remove("engine-net2");
        networks["engine-net"]["IPAMConfig"] = json!({ "IPv4Address": "10.99.0.77" });
        assert_eq!(
            told(&asked, &made),
            ["Networks.engine-net.IPAMConfig.IPv4Address 10.99.0.9", "Networks.engine-net2 "]
        );
    }
}
