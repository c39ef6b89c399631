//! Containers as they are: inspected, compared with their image, and their files in and out.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::{About, EngineError, Object};
use super::stream::EngineReader;
use super::wire::Call;
use super::{Engine, Flavour, at, items, text};
use crate::service::MountKind;
use crate::tree::RootPath;

/// A container as the engine describes it.
#[derive(Debug, Clone)]
pub struct Container {
    /// Full id; calls by id cannot meet another container that took the name meanwhile.
    pub id: String,
    /// Name without the slash that Docker puts before it.
    pub name: String,
    /// Id of its image, as the engine writes it (Podman leaves out `sha256:`).
    pub image_id: String,
    /// The image as it was named when the container was made.
    pub image_name: String,
    /// What it is doing.
    pub state: State,
    /// Process id of its first process on the engine's machine; 0 when it is not running.
    pub pid: u32,
    /// What is mounted into it, by destination.
    pub mounts: Vec<Mount>,
    /// Where its layers lie, if the storage driver shows that.
    pub layers: Option<LayerDirs>,
    /// The engine's whole answer.
    pub raw: Value,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Made, never started.
    Created,
    /// Running, or being started again.
    Running,
    /// Frozen: its processes exist.
    Paused,
    /// Ended.
    Exited,
    /// Anything else, in the engine's word.
    Other(String),
}

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// The volume's name; empty unless it is one.
    pub name: String,
    /// Where the content lies, in the engine's file system; may be empty.
    pub source: PathBuf,
    /// Where it is mounted.
    pub destination: RootPath,
    /// Whether the volume was made for this container without a name.
    pub anonymous: bool,
    /// Whether the container may write to it.
    pub read_write: bool,
    /// The volume's driver; empty unless it is one.
    pub driver: String,
}

/// Directories of a container's layers, **in the engine's file system**: the caller has to prove
/// that this is ours before it trusts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerDirs {
    /// The container's own changes.
    pub upper: PathBuf,
    /// What is below, the base first.
    pub lower: Vec<PathBuf>,
    /// The one of them that is not of the image: Docker puts the mount points it needs there.
    pub init: Option<PathBuf>,
    /// Storage driver.
    pub driver: String,
}

/// How a path differs from the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Content or metadata differ; for a directory often only what is in it.
    Modified,
    /// Not in the image.
    Added,
    /// In the image, not in the container.
    Deleted,
}

/// One line of a container's difference from its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: RootPath,
    /// How.
    pub kind: ChangeKind,
}

impl State {
    fn new(raw: &Value) -> State {
        match text(raw, &["State", "Status"]).as_str() {
            "created" | "configured" | "initialized" => State::Created,
            "running" | "restarting" => State::Running,
            "paused" => State::Paused,
            "exited" | "stopped" => State::Exited,
            other => State::Other(other.to_owned()),
        }
    }
}

impl Container {
    /// Reads an engine's answer, or one that was kept in a bundle.
    pub fn from_raw(mut raw: Value) -> Result<Container, EngineError> {
        // Docker lists mounts in another order every time it is asked.
        if let Some(mounts) = raw.get_mut("Mounts").and_then(Value::as_array_mut) {
            mounts.sort_by_cached_key(|mount| text(mount, &["Destination"]));
        }
        let id = text(&raw, &["Id"]);
        let about = about("reading the settings of", &id);
        if id.is_empty() {
            return Err(about.unexpected("the container has no id"));
        }
        let mut mounts = items(&raw["Mounts"])
            .iter()
            .map(|mount| Mount::new(mount, &about))
            .collect::<Result<Vec<_>, _>>()?;
        mounts.sort_by(|a, b| a.destination.cmp(&b.destination));
        Ok(Container {
            name: text(&raw, &["Name"]).trim_start_matches('/').to_owned(),
            image_id: text(&raw, &["Image"]),
            image_name: text(&raw, &["Config", "Image"]),
            state: State::new(&raw),
            pid: at(&raw, &["State", "Pid"]).as_u64().and_then(|p| p.try_into().ok()).unwrap_or(0),
            mounts,
            layers: LayerDirs::new(&raw["GraphDriver"]),
            id,
            raw,
        })
    }
}

impl Container {
    /// Its labels, those of its image among them.
    pub fn labels(&self) -> Map<String, Value> {
        at(&self.raw, &["Config", "Labels"]).as_object().cloned().unwrap_or_default()
    }
}

impl Mount {
    fn new(raw: &Value, about: &About) -> Result<Mount, EngineError> {
        let kind = MountKind::of_word(&text(raw, &["Type"]));
        let name = text(raw, &["Name"]);
        Ok(Mount {
            kind,
            source: PathBuf::from(text(raw, &["Source"])),
            destination: RootPath::parse(text(raw, &["Destination"]).as_bytes())
                .map_err(|e| about.path(&e))?,
            anonymous: kind == MountKind::Volume && is_generated_name(&name),
            name,
            read_write: raw["RW"].as_bool().unwrap_or(true),
            driver: text(raw, &["Driver"]),
        })
    }
}

/// Whether a volume's name is one that engines make up: 64 hexadecimal digits. The inspected
/// settings do not tell: Podman lists unnamed volumes among the named ones.
pub(super) fn is_generated_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl LayerDirs {
    /// `None` where the driver shows no directories: containerd's store (`Data` is null), btrfs,
    /// zfs, vfs.
    fn new(raw: &Value) -> Option<LayerDirs> {
        let upper = at(raw, &["Data", "UpperDir"]).as_str().filter(|u| u.starts_with('/'))?;
        let lower = text(raw, &["Data", "LowerDir"]);
        let mut lower: Vec<PathBuf> =
            lower.split(':').filter(|l| !l.is_empty()).map(PathBuf::from).collect();
        lower.reverse();
        let is_init = |dir: &&PathBuf| {
            let name = dir.parent().and_then(Path::file_name);
            name.is_some_and(|name| name.as_encoded_bytes().ends_with(b"-init"))
        };
        let init = lower.last().filter(is_init).cloned();
        Some(LayerDirs { upper: PathBuf::from(upper), lower, init, driver: text(raw, &["Name"]) })
    }
}

fn about(act: &'static str, id: &str) -> About {
    About { act, object: Object::Container(id.to_owned()) }
}

/// A call about a container: `/containers/ID` and `tail`.
pub(super) fn call(
    method: &'static str,
    id: &str,
    tail: &[&str],
    act: &'static str,
) -> Result<Call, EngineError> {
    let segments = [&["containers", id], tail].concat();
    Call::new(method, &segments, act, Object::Container(id.to_owned()))
}

impl Engine {
    /// The container called `name`, or with that id or an unambiguous beginning of it.
    pub fn container(&self, name: &str) -> Result<Container, EngineError> {
        Container::from_raw(self.json(call("GET", name, &["json"], "inspecting")?)?)
    }

    /// The command lines of what runs in the container, as the engine's own machine lists them:
    /// the only way in where the container has no shell.
    pub fn top(&self, id: &str) -> Result<Vec<String>, EngineError> {
        let mut call = call("GET", id, &["top"], "listing the processes of")?;
        if self.info().flavour == Flavour::Podman {
            // Otherwise it looks for a program of the container's that lists them.
            call = call.query("ps_args", "args");
        }
        let answer = self.json(call)?;
        let titles = items(&answer["Titles"]);
        let at = titles.iter().position(|t| matches!(t.as_str(), Some("CMD" | "COMMAND")));
        let column = at.unwrap_or(titles.len().saturating_sub(1));
        let lines = items(&answer["Processes"]).iter();
        Ok(lines.filter_map(|line| line[column].as_str().map(str::to_owned)).collect())
    }

    /// All of the container's root as a tar, without what is mounted into it.
    ///
    /// Whole seconds, nothing before 1970, no ACLs, no user attributes; holes are written out.
    pub fn export(&self, id: &str) -> Result<EngineReader, EngineError> {
        self.reader(|| call("GET", id, &["export"], "exporting"))
    }

    /// What differs from the image, sorted by path. A changed path brings its parents along.
    pub fn changes(&self, id: &str) -> Result<Vec<Change>, EngineError> {
        let call = call("GET", id, &["changes"], "comparing")?.patient();
        let about = call.about();
        let answer = self.json(call)?;
        let mut changes = items(&answer)
            .iter()
            .map(|change| {
                let path = text(change, &["Path"]);
                Ok(Change {
                    path: RootPath::parse(path.as_bytes()).map_err(|e| about.path(&e))?,
                    kind: match change["Kind"].as_u64() {
                        Some(0) => ChangeKind::Modified,
                        Some(1) => ChangeKind::Added,
                        Some(2) => ChangeKind::Deleted,
                        _ => return Err(about.unexpected("a change of unknown kind")),
                    },
                })
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    /// The file or directory at `path` as a tar, names relative to `path`'s parent, volumes
    /// included. The container need not run.
    ///
    /// Loses what [`Engine::export`] loses; Podman besides turns owners from 2^21 on into 0.
    pub fn get_archive(&self, id: &str, path: &RootPath) -> Result<EngineReader, EngineError> {
        let utf8 = utf8(path, id)?;
        let call =
            || Ok(call("GET", id, &["archive"], "reading from")?.query("path", utf8.as_str()));
        self.reader(call).map_err(|e| self.absent_path(e, id, path))
    }

    /// Unpacks the tar `body` into the directory `path` of the container.
    ///
    /// Docker keeps nanoseconds, ACLs, attributes, capabilities and hard links, clamps times
    /// before 1970, writes holes out, cannot delete, and lets a directory replace a symlink.
    /// Podman drops ACLs and `trusted.*`, keeps microseconds only, and makes a directory that is
    /// missing, which is an error of Docker's.
    pub fn put_archive(
        &self,
        id: &str,
        path: &RootPath,
        mut body: impl Read,
    ) -> Result<(), EngineError> {
        let utf8 = utf8(path, id)?;
        // Without `copyUIDGID`, which in spite of its name gives all to the container's user.
        let call = call("PUT", id, &["archive"], "writing into")?.query("path", utf8);
        self.upload(call, &mut body).map_err(|e| self.absent_path(e, id, path)).map(drop)
    }

    /// A 404 of an archive call is about the path when the container is there.
    fn absent_path(&self, error: EngineError, id: &str, path: &RootPath) -> EngineError {
        match error {
            EngineError::NoSuch { object } if self.container(id).is_ok() => {
                EngineError::NoSuchPath { object, path: path.clone() }
            }
            other => other,
        }
    }
}

fn utf8(path: &RootPath, id: &str) -> Result<String, EngineError> {
    String::from_utf8(path.as_bytes().to_vec()).map_err(|_| {
        about("naming a path of", id).unexpected(format!("`{path}` is not text, as its API needs"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mounts_stand_in_one_order_whatever_order_they_were_told_in() {
        let told = |places: [&str; 3]| {
            let mounts = places.map(|at| json!({ "Type": "bind", "Destination": at }));
            Container::from_raw(json!({ "Id": "x", "Mounts": mounts })).unwrap().raw
        };
        assert_eq!(told(["/b", "/a/b", "/a"]), told(["/a", "/b", "/a/b"]));
    }
}
