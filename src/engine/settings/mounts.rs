//! Mounts of a container, from an engine's words and to them.
//!
//! `Mounts` of the answer says what is mounted, whichever way it was asked for; how it was asked
//! for, in `HostConfig`, says with which options.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::Old;
use super::carry::Carried;
use super::{SettingsError, is_empty};
use crate::engine::container::is_generated_name;
use crate::engine::{items, text};
use crate::service::{Mount, MountKind};

/// Options of a bind that both engines understand. Others are Podman's way of writing down what
/// it does anyway.
const BIND_OPTIONS: [&str; 11] =
    ["ro", "rw", "z", "Z", "nocopy", "shared", "rshared", "slave", "rslave", "private", "rprivate"];

/// Options of Podman's for a tmpfs that Docker refuses and Podman adds by itself.
const PODMAN_TMPFS: [&str; 4] = ["rprivate", "private", "tmpcopyup", "rbind"];

/// Fields of a mount that was asked for as an object which have fields of their own.
const OWN_FIELDS: [&str; 4] = ["Type", "Source", "Target", "ReadOnly"];

impl Old<'_> {
    /// All mounts in the answer's order, then those that it does not show.
    pub(super) fn mounts(&self) -> Result<Vec<Mount>, SettingsError> {
        let null = Value::Null;
        let asked_mounts = items(self.host.get("Mounts").unwrap_or(&null));
        let asked_binds = items(self.host.get("Binds").unwrap_or(&null));
        let mut mounts = vec![];
        for mount in items(&self.inspect["Mounts"]) {
            let target = text(mount, &["Destination"]);
            if !target.starts_with('/') {
                return Err(SettingsError::BadMount(target));
            }
            let asked = asked_mounts.iter().find(|asked| text(asked, &["Target"]) == target);
            let kind = text(mount, &["Type"]);
            let source = match kind.as_str() {
                "volume" => Some(text(mount, &["Name"])).filter(|name| !is_generated_name(name)),
                "bind" => Some(text(mount, &["Source"])),
                // Only ever asked for in one of two ways, which are read below.
                "tmpfs" => continue,
                _ => Some(kind.clone()),
            };
            let (kind, source) = (MountKind::of_word(&kind), source.unwrap_or_default());
            mounts.push(match asked {
                Some(asked) => asked_mount(kind, source, asked)?,
                None => {
                    let options = options(mount, asked_binds);
                    Mount { kind, source, target, options, engine: None }
                }
            });
        }
        // Docker shows the tmpfs mounts of a running container only.
        for asked in asked_mounts.iter().filter(|asked| text(asked, &["Type"]) == "tmpfs") {
            mounts.push(asked_mount(MountKind::Tmpfs, String::new(), asked)?);
        }
        mounts.extend(self.tmpfs());
        Ok(mounts)
    }

    /// The tmpfs mounts that were asked for in lines.
    fn tmpfs(&self) -> impl Iterator<Item = Mount> {
        let lines = self.host.get("Tmpfs").and_then(Value::as_object).into_iter().flatten();
        lines.map(|(target, options)| {
            let options = options.as_str().unwrap_or_default().split(',');
            let kept = options.filter(|o| !o.is_empty() && !PODMAN_TMPFS.contains(o));
            Mount {
                kind: MountKind::Tmpfs,
                source: String::new(),
                target: target.clone(),
                options: kept.map(str::to_owned).collect(),
                engine: None,
            }
        })
    }
}

/// A mount that was asked for as an object.
fn asked_mount(kind: MountKind, source: String, asked: &Value) -> Result<Mount, SettingsError> {
    let target = text(asked, &["Target"]);
    let Some(fields) = asked.as_object() else { return Err(SettingsError::BadMount(target)) };
    let options = match fields.get("ReadOnly") {
        Some(Value::Bool(true)) => vec!["ro".to_owned()],
        _ => vec![],
    };
    Ok(Mount { kind, source, target, options, engine: Some(further(fields)) })
}

/// The fields of a mount without those that say what is mounted where: engines do not tell upper
/// case from lower in a field's name, so no spelling of them is left.
fn further(fields: &Map<String, Value>) -> Map<String, Value> {
    let is_own = |key: &str| OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(key));
    let others = fields.iter().filter(|(key, _)| !is_own(key));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
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

/// The mounts of a request, sorted by the way in which they are asked for.
#[derive(Default)]
struct Asked {
    binds: Vec<Value>,
    mounts: Vec<Value>,
    unnamed: Map<String, Value>,
    tmpfs: Map<String, Value>,
}

impl Carried {
    pub(super) fn set_mounts(
        &mut self,
        mounts: &[Mount],
        volumes: &BTreeMap<String, String>,
    ) -> Result<(), SettingsError> {
        let mut asked = Asked::default();
        for mount in mounts {
            if !mount.target.starts_with('/') {
                return Err(SettingsError::BadMount(mount.target.clone()));
            }
            let source = match mount.kind {
                MountKind::Volume if mount.source.is_empty() => None,
                MountKind::Volume => match volumes.get(&mount.source) {
                    Some(new) => Some(new.as_str()),
                    None => return Err(SettingsError::UnplannedVolume(mount.source.clone())),
                },
                MountKind::Bind => {
                    let (source, target) = (&mount.source, &mount.target);
                    self.grants.push(format!("the host's {source} at {target}"));
                    Some(source.as_str())
                }
                MountKind::Tmpfs => None,
                MountKind::Other => {
                    let what = format!("{} {}", mount.source, mount.target);
                    self.drop_setting("Mounts", what, "of unknown kind");
                    continue;
                }
            };
            if mount.kind == MountKind::Volume && has_driver(mount) {
                let (what, why) = (&mount.target, "the new volume is the engine's own");
                self.drop_setting("VolumeOptions.DriverConfig", what, why);
            }
            asked.add(mount, source)?;
        }
        self.set_host("Binds", asked.binds);
        self.set_host("Mounts", asked.mounts);
        self.set_config("Volumes", asked.unnamed);
        self.set_host("Tmpfs", asked.tmpfs);
        Ok(())
    }
}

impl Asked {
    /// Adds `mount`, whose content is now called `source`, if it has a name.
    fn add(&mut self, mount: &Mount, source: Option<&str>) -> Result<(), SettingsError> {
        let target = mount.target.clone();
        match (&mount.engine, source, mount.kind) {
            (Some(fields), ..) => self.mounts.push(object(mount, source, fields)),
            (None, None, MountKind::Tmpfs) => {
                self.tmpfs.insert(target, mount.options.join(",").into());
            }
            (None, None, _) => {
                self.unnamed.insert(target, json!({}));
            }
            (None, Some(source), _) => self.binds.push(bind(source, &target, &mount.options)?),
        }
        Ok(())
    }
}

/// Whether a mount says who makes its volume, and how. A volume that is made with that again could
/// be the old one.
fn has_driver(mount: &Mount) -> bool {
    let options = mount.engine.as_ref().and_then(|fields| fields.get("VolumeOptions"));
    options.is_some_and(|options| !is_empty(&options["DriverConfig"]))
}

/// A mount as an object.
fn object(mount: &Mount, source: Option<&str>, fields: &Map<String, Value>) -> Value {
    let word = match mount.kind {
        MountKind::Bind => "bind",
        MountKind::Tmpfs => "tmpfs",
        MountKind::Volume | MountKind::Other => "volume",
    };
    let mut fields = further(fields);
    if has_driver(mount)
        && let Some(options) = fields.get_mut("VolumeOptions").and_then(Value::as_object_mut)
    {
        options.remove("DriverConfig");
    }
    fields.insert("Type".to_owned(), word.into());
    fields.insert("Target".to_owned(), mount.target.as_str().into());
    if let Some(source) = source {
        fields.insert("Source".to_owned(), source.into());
    }
    if mount.options.iter().any(|option| option == "ro") {
        fields.insert("ReadOnly".to_owned(), true.into());
    }
    Value::Object(fields)
}

/// A line of `Binds`, whose fields cannot hold a colon.
fn bind(source: &str, target: &str, options: &[String]) -> Result<Value, SettingsError> {
    if source.is_empty() || source.contains(':') || target.contains(':') {
        return Err(SettingsError::BadMount(target.to_owned()));
    }
    let mut line = format!("{source}:{target}");
    let known = options.iter().map(String::as_str).filter(|o| BIND_OPTIONS.contains(o));
    let known: Vec<&str> = known.collect();
    if !known.is_empty() {
        line.push(':');
        line.push_str(&known.join(","));
    }
    Ok(line.into())
}
