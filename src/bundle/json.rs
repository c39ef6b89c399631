//! How entries, volumes and members stand in the manifest's JSON.
//!
//! Invariants: a value has one spelling (bytes that are UTF-8 stand as text, others as lower case
//! hexadecimal under the key with `_hex`), what is absent is left out, and a key that does not
//! belong to an entry's kind is refused.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;
use super::entry::{ImageText, ManifestEntry, Node};
use super::manifest::{MemberRecord, VolumeRecord};
use crate::tree::{Kind, LinkGroup, Meta, RootPath, Time, Xattrs};
use crate::verdict::{Class, Origin, Reason};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    class: Class,
    reason: Reason,
    origin: Origin,
    #[serde(default, skip_serializing_if = "is_default")]
    deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<KindJson>,
    #[serde(default, skip_serializing_if = "is_default")]
    size: u64,
    /// Four octal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtime: Option<(i64, u32)>,
    /// Name to value, the value always hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    xattrs_hex: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_hex: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rdev: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    links: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    stored: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    volume: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pristine: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_text: Option<ImageText>,
    #[serde(default, skip_serializing_if = "is_default")]
    secret: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindJson {
    File,
    Dir,
    Symlink,
    Fifo,
    Char,
    Block,
    Socket,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VolumeJson {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes as text, or else as hexadecimal.
fn spelled(bytes: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(hex::encode(error.as_bytes()))),
    }
}

/// The bytes behind a text or its `_hex` twin.
fn bytes(what: &str, text: Option<String>, digits: Option<String>) -> Result<Vec<u8>, String> {
    match (text, digits) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(digits)) => {
            let bytes = unhex(what, &digits)?;
            match std::str::from_utf8(&bytes) {
                Ok(_) => Err(format!("`{what}_hex` holds text, which belongs in `{what}`")),
                Err(_) => Ok(bytes),
            }
        }
        _ => Err(format!("exactly one of `{what}` and `{what}_hex` is needed")),
    }
}

fn unhex(what: &str, digits: &str) -> Result<Vec<u8>, String> {
    let bytes = hex::decode(digits).map_err(|error| format!("`{what}`: {error}"))?;
    if hex::encode(&bytes) == digits {
        Ok(bytes)
    } else {
        Err(format!("`{what}`: hexadecimal digits are lower case"))
    }
}

fn root_path(text: Option<String>, digits: Option<String>) -> Result<RootPath, String> {
    let bytes = bytes("path", text, digits)?;
    let path = RootPath::parse(&bytes).map_err(|error| error.to_string())?;
    if path.as_bytes() == bytes { Ok(path) } else { Err("the path is not canonical".to_owned()) }
}

impl From<ManifestEntry> for EntryJson {
    fn from(entry: ManifestEntry) -> EntryJson {
        let (path, path_hex) = spelled(entry.path.as_bytes().to_vec());
        let mut json = EntryJson {
            path,
            path_hex,
            class: entry.class,
            reason: entry.reason,
            origin: entry.origin,
            deleted: entry.node.is_none(),
            kind: None,
            size: 0,
            mode: None,
            uid: None,
            gid: None,
            mtime: None,
            xattrs: BTreeMap::new(),
            xattrs_hex: BTreeMap::new(),
            target: None,
            target_hex: None,
            rdev: None,
            links: None,
            stored: entry.stored,
            digest: entry.digest,
            volume: entry.volume,
            package: entry.package,
            pristine: entry.pristine,
            image_text: entry.image_text,
            secret: entry.secret,
        };
        if let Some(node) = entry.node {
            json.set_node(node);
        }
        json
    }
}

impl EntryJson {
    fn set_node(&mut self, node: Node) {
        self.kind = Some(match node.kind {
            Kind::File { size } => {
                self.size = size;
                KindJson::File
            }
            Kind::Dir => KindJson::Dir,
            Kind::Symlink { target } => {
                (self.target, self.target_hex) = spelled(target);
                KindJson::Symlink
            }
            Kind::Fifo => KindJson::Fifo,
            Kind::Char { major, minor } => {
                self.rdev = Some((major, minor));
                KindJson::Char
            }
            Kind::Block { major, minor } => {
                self.rdev = Some((major, minor));
                KindJson::Block
            }
            Kind::Socket => KindJson::Socket,
        });
        self.mode = Some(format!("{:04o}", node.meta.mode));
        self.uid = Some(node.meta.uid);
        self.gid = Some(node.meta.gid);
        self.mtime = Some((node.meta.mtime.secs, node.meta.mtime.nanos));
        for (name, value) in node.meta.xattrs {
            let value = hex::encode(value);
            match spelled(name) {
                (Some(text), _) => self.xattrs.insert(text, value),
                (_, digits) => self.xattrs_hex.insert(digits.unwrap_or_default(), value),
            };
        }
        self.links = node.links.map(|group| group.0);
    }

    /// The node, or `None` for a deletion; leaves behind only what belongs to no node.
    fn take_node(&mut self) -> Result<Option<Node>, String> {
        let Some(kind) = self.kind.take() else {
            return match self.deleted {
                true => Ok(None),
                false => Err("an entry needs a `kind` or `deleted`".to_owned()),
            };
        };
        let kind = match kind {
            KindJson::File => Kind::File { size: std::mem::take(&mut self.size) },
            KindJson::Dir => Kind::Dir,
            KindJson::Symlink => Kind::Symlink {
                target: bytes("target", self.target.take(), self.target_hex.take())?,
            },
            KindJson::Fifo => Kind::Fifo,
            KindJson::Char => {
                let (major, minor) = self.rdev.take().ok_or("a device needs `rdev`")?;
                Kind::Char { major, minor }
            }
            KindJson::Block => {
                let (major, minor) = self.rdev.take().ok_or("a device needs `rdev`")?;
                Kind::Block { major, minor }
            }
            KindJson::Socket => Kind::Socket,
        };
        let links = self.links.take().map(LinkGroup);
        if links.is_some() && kind.is_dir() {
            return Err("a directory has no `links`".to_owned());
        }
        Ok(Some(Node { kind, meta: self.take_meta()?, links }))
    }

    fn take_meta(&mut self) -> Result<Meta, String> {
        let (Some(digits), Some(uid), Some(gid), Some((secs, nanos))) =
            (self.mode.take(), self.uid.take(), self.gid.take(), self.mtime.take())
        else {
            return Err("`mode`, `uid`, `gid` and `mtime` are needed".to_owned());
        };
        let mode = u32::from_str_radix(&digits, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777 && format!("{mode:04o}") == digits)
            .ok_or("`mode` is not four octal digits")?;
        if nanos >= 1_000_000_000 {
            return Err("`mtime` has too many nanoseconds".to_owned());
        }
        let mut xattrs = Xattrs::new();
        for (name, value) in std::mem::take(&mut self.xattrs) {
            xattrs.insert(name.into_bytes(), unhex("xattrs", &value)?);
        }
        for (name, value) in std::mem::take(&mut self.xattrs_hex) {
            let name = bytes("xattrs", None, Some(name))?;
            xattrs.insert(name, unhex("xattrs", &value)?);
        }
        Ok(Meta { mode, uid, gid, mtime: Time { secs, nanos }, xattrs })
    }

    /// Whether a key is left that no node took.
    fn has_leftovers(&self) -> bool {
        self.size != 0
            || self.mode.is_some()
            || self.uid.is_some()
            || self.gid.is_some()
            || self.mtime.is_some()
            || !self.xattrs.is_empty()
            || !self.xattrs_hex.is_empty()
            || self.target.is_some()
            || self.target_hex.is_some()
            || self.rdev.is_some()
            || self.links.is_some()
    }
}

impl TryFrom<EntryJson> for ManifestEntry {
    type Error = String;

    fn try_from(mut json: EntryJson) -> Result<ManifestEntry, String> {
        let path = root_path(json.path.take(), json.path_hex.take())?;
        let at = |what: String| format!("entry `{path}`: {what}");
        let node = json.take_node().map_err(at)?;
        if json.has_leftovers() || json.deleted == node.is_some() {
            return Err(at("a key does not belong to its kind".to_owned()));
        }
        let is_file = node.as_ref().is_some_and(|node| node.kind.is_file());
        if json.stored && node.is_none() {
            return Err(at("a deletion cannot be stored".to_owned()));
        }
        if json.digest.is_some() != (json.stored && is_file) {
            return Err(at("stored regular files, and only they, have a digest".to_owned()));
        }
        Ok(ManifestEntry {
            path,
            class: json.class,
            reason: json.reason,
            origin: json.origin,
            node,
            stored: json.stored,
            digest: json.digest,
            volume: json.volume,
            package: json.package,
            pristine: json.pristine,
            image_text: json.image_text,
            secret: json.secret,
        })
    }
}

impl From<VolumeRecord> for VolumeJson {
    fn from(volume: VolumeRecord) -> VolumeJson {
        let (path, path_hex) = spelled(volume.path.as_bytes().to_vec());
        VolumeJson { name: volume.name, path, path_hex }
    }
}

impl TryFrom<VolumeJson> for VolumeRecord {
    type Error = String;

    fn try_from(json: VolumeJson) -> Result<VolumeRecord, String> {
        Ok(VolumeRecord { name: json.name, path: root_path(json.path, json.path_hex)? })
    }
}

impl From<MemberRecord> for MemberJson {
    fn from(member: MemberRecord) -> MemberJson {
        let (name, name_hex) = spelled(member.name);
        MemberJson { name, name_hex, size: member.size, digest: member.digest }
    }
}

impl TryFrom<MemberJson> for MemberRecord {
    type Error = String;

    fn try_from(json: MemberJson) -> Result<MemberRecord, String> {
        let name = bytes("name", json.name, json.name_hex)?;
        if json.digest.is_none() && json.size != 0 {
            return Err("a member without digest has no size".to_owned());
        }
        Ok(MemberRecord { name, size: json.size, digest: json.digest })
    }
}

impl<'de> Deserialize<'de> for ManifestEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ManifestEntry, D::Error> {
        EntryJson::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for VolumeRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VolumeRecord, D::Error> {
        VolumeJson::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl Serialize for VolumeRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        VolumeJson::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MemberRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MemberRecord, D::Error> {
        MemberJson::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl Serialize for MemberRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MemberJson::from(self.clone()).serialize(serializer)
    }
}
