//! Mounts of an archived container.
//!
//! `Mounts` of the answer says what is mounted, whichever way it was asked for; how it was asked
//! for, in `HostConfig`, says with which options.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Carried, Old, SettingsError};
use crate::engine::container::is_generated_name;
use crate::engine::{items, text};

/// Options of a bind that both engines understand. Others are Podman's way of writing down what
/// it does anyway.
const BIND_OPTIONS: [&str; 11] =
    ["ro", "rw", "z", "Z", "nocopy", "shared", "rshared", "slave", "rslave", "private", "rprivate"];

/// Options of Podman's for a tmpfs that Docker refuses and Podman adds by itself.
const PODMAN_TMPFS: [&str; 4] = ["rprivate", "private", "tmpcopyup", "rbind"];

impl Carried {
    pub(super) fn set_mounts(
        &mut self,
        old: &Old<'_>,
        volumes: &BTreeMap<String, String>,
    ) -> Result<(), SettingsError> {
        let null = Value::Null;
        let asked_mounts = items(old.host.get("Mounts").unwrap_or(&null));
        let asked_binds = items(old.host.get("Binds").unwrap_or(&null));
        let (mut binds, mut mounts, mut unnamed) = (vec![], vec![], Map::new());
        for mount in items(&old.inspect["Mounts"]) {
            let target = text(mount, &["Destination"]);
            if !target.starts_with('/') {
                return Err(SettingsError::BadMount(target));
            }
            let asked = asked_mounts.iter().find(|asked| text(asked, &["Target"]) == target);
            let source = match text(mount, &["Type"]).as_str() {
                "volume" => {
                    let name = text(mount, &["Name"]);
                    match is_generated_name(&name) {
                        true => None,
                        false => match volumes.get(&name) {
                            Some(new) => Some(new.clone()),
                            None => return Err(SettingsError::UnplannedVolume(name)),
                        },
                    }
                }
                "bind" => {
                    let source = text(mount, &["Source"]);
                    self.grants.push(format!("the host's {source} at {target}"));
                    Some(source)
                }
                // Only ever asked for in one of these two ways, which are taken as they are.
                "tmpfs" => {
                    mounts.extend(asked.cloned());
                    continue;
                }
                other => {
                    self.drop_setting("Mounts", format!("{other} {target}"), "of unknown kind");
                    continue;
                }
            };
            match (source, asked) {
                (source, Some(asked)) => {
                    let mut asked = asked.clone();
                    let Some(fields) = asked.as_object_mut() else {
                        return Err(SettingsError::BadMount(target));
                    };
                    match source {
                        Some(source) => fields.insert("Source".to_owned(), source.into()),
                        None => fields.remove("Source"),
                    };
                    mounts.push(asked);
                }
                (None, None) => {
                    unnamed.insert(target, json!({}));
                }
                (Some(source), None) => {
                    binds.push(bind(&source, &target, &options(mount, asked_binds))?);
                }
            }
        }
        for asked in asked_mounts {
            // Docker shows the tmpfs mounts of a running container only.
            if text(asked, &["Type"]) == "tmpfs" && !mounts.contains(asked) {
                mounts.push(asked.clone());
            }
        }
        for (key, list) in [("Binds", binds), ("Mounts", mounts)] {
            if !list.is_empty() {
                self.spec.host.insert(key.to_owned(), list.into());
            }
        }
        if !unnamed.is_empty() {
            self.spec.config.insert("Volumes".to_owned(), unnamed.into());
        }
        self.set_tmpfs(old);
        Ok(())
    }

    fn set_tmpfs(&mut self, old: &Old<'_>) {
        let Some(tmpfs) = old.host.get("Tmpfs").and_then(Value::as_object) else { return };
        let tmpfs: Map<String, Value> = tmpfs
            .iter()
            .map(|(target, options)| {
                let options = options.as_str().unwrap_or_default();
                let kept: Vec<&str> =
                    options.split(',').filter(|o| !PODMAN_TMPFS.contains(o)).collect();
                (target.clone(), kept.join(",").into())
            })
            .collect();
        if !tmpfs.is_empty() {
            self.spec.host.insert("Tmpfs".to_owned(), tmpfs.into());
        }
    }
}

/// The options of a bind or a named volume: as it was asked for, else as it is.
fn options(mount: &Value, asked_binds: &[Value]) -> Vec<String> {
    let target = text(mount, &["Destination"]);
    let asked = asked_binds.iter().filter_map(Value::as_str).find_map(|bind| {
        let mut parts = bind.splitn(3, ':').skip(1);
        (parts.next()? == target).then(|| parts.next().unwrap_or_default())
    });
    let mut options: Vec<String> = asked
        .unwrap_or_default()
        .split(',')
        .filter(|o| BIND_OPTIONS.contains(o))
        .map(str::to_owned)
        .collect();
    let says_mode = options.iter().any(|o| o == "ro" || o == "rw");
    if mount["RW"] == false && !says_mode {
        options.push("ro".to_owned());
    }
    options
}

/// A line of `Binds`, whose fields cannot hold a colon.
fn bind(source: &str, target: &str, options: &[String]) -> Result<Value, SettingsError> {
    if source.is_empty() || source.contains(':') || target.contains(':') {
        return Err(SettingsError::BadMount(target.to_owned()));
    }
    let mut line = format!("{source}:{target}");
    if !options.is_empty() {
        line.push(':');
        line.push_str(&options.join(","));
    }
    Ok(line.into())
}
