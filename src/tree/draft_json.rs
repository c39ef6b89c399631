//! How a [`Draft`] stands in JSON.
//!
//! Invariant: a draft has one spelling. Nodes and deletions are in path order, bytes that are UTF-8
//! stand as text and others in base64, and what is absent is left out. The last change of an inode
//! is no part of a draft: nothing can place it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ContentId, Draft, DraftContent, DraftNode, Entry, Kind, LinkGroup, Meta, RootPath, Time,
};

/// Bytes, as text where they are some.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bytes {
    Text(String),
    Base64(String),
}

impl Bytes {
    fn of(bytes: &[u8]) -> Bytes {
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.to_owned()),
            Err(_) => Bytes::Base64(STANDARD.encode(bytes)),
        }
    }

    fn read(self) -> Result<Vec<u8>, String> {
        match self {
            Bytes::Text(text) => Ok(text.into_bytes()),
            Bytes::Base64(text) => STANDARD.decode(text).map_err(|e| e.to_string()),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindJson {
    File { size: u64 },
    Dir,
    Symlink { target: Bytes },
    Fifo,
    Char { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Socket,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ContentJson {
    /// A number of the bundle's.
    Stored(u64),
    Made(Bytes),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeJson {
    name: Bytes,
    value: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeJson {
    at: RootPath,
    kind: KindJson,
    mode: u32,
    uid: u32,
    gid: u32,
    /// Seconds and nanoseconds.
    mtime: (i64, u32),
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<AttributeJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    links: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<ContentJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftJson {
    nodes: Vec<NodeJson>,
    deletions: Vec<RootPath>,
}

impl NodeJson {
    fn of(node: &DraftNode) -> NodeJson {
        let DraftNode { entry, content } = node;
        let attribute = |(name, value): (&Vec<u8>, &Vec<u8>)| AttributeJson {
            name: Bytes::of(name),
            value: Bytes::of(value),
        };
        NodeJson {
            at: entry.path.clone(),
            kind: match &entry.kind {
                Kind::File { size } => KindJson::File { size: *size },
                Kind::Dir => KindJson::Dir,
                Kind::Symlink { target } => KindJson::Symlink { target: Bytes::of(target) },
                Kind::Fifo => KindJson::Fifo,
                Kind::Char { major, minor } => KindJson::Char { major: *major, minor: *minor },
                Kind::Block { major, minor } => KindJson::Block { major: *major, minor: *minor },
                Kind::Socket => KindJson::Socket,
            },
            mode: entry.meta.mode,
            uid: entry.meta.uid,
            gid: entry.meta.gid,
            mtime: (entry.meta.mtime.secs, entry.meta.mtime.nanos),
            attributes: entry.meta.xattrs.iter().map(attribute).collect(),
            links: entry.links.map(|group| group.0),
            content: match content {
                DraftContent::None => None,
                DraftContent::Stored(id) => Some(ContentJson::Stored(id.0)),
                DraftContent::Bytes(bytes) => Some(ContentJson::Made(Bytes::of(bytes))),
            },
        }
    }

    fn read(self) -> Result<DraftNode, String> {
        let (secs, nanos) = self.mtime;
        if self.mode > 0o7777 || nanos >= 1_000_000_000 {
            return Err(format!("{}: a mode or a time that there is not", self.at));
        }
        let attribute = |a: AttributeJson| Ok((a.name.read()?, a.value.read()?));
        let kind = match self.kind {
            KindJson::File { size } => Kind::File { size },
            KindJson::Dir => Kind::Dir,
            KindJson::Symlink { target } => Kind::Symlink { target: target.read()? },
            KindJson::Fifo => Kind::Fifo,
            KindJson::Char { major, minor } => Kind::Char { major, minor },
            KindJson::Block { major, minor } => Kind::Block { major, minor },
            KindJson::Socket => Kind::Socket,
        };
        let meta = Meta {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: Time { secs, nanos },
            xattrs: self.attributes.into_iter().map(attribute).collect::<Result<_, String>>()?,
        };
        let content = match self.content {
            None => DraftContent::None,
            Some(ContentJson::Stored(id)) => DraftContent::Stored(ContentId(id)),
            Some(ContentJson::Made(bytes)) => DraftContent::Bytes(bytes.read()?),
        };
        let links = self.links.map(LinkGroup);
        Ok(DraftNode { entry: Entry { path: self.at, kind, meta, ctime: None, links }, content })
    }
}

/// Nodes one after another, so that no second copy of all contents is made.
struct Nodes<'a>(&'a Draft);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.nodes().map(NodeJson::of))
    }
}

struct Deletions<'a>(&'a Draft);

impl Serialize for Deletions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.deletions())
    }
}

impl Serialize for Draft {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Draft", 2)?;
        json.serialize_field("nodes", &Nodes(self))?;
        json.serialize_field("deletions", &Deletions(self))?;
        json.end()
    }
}

impl<'de> Deserialize<'de> for Draft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Draft, D::Error> {
        let DraftJson { nodes, deletions } = DraftJson::deserialize(deserializer)?;
        let mut draft = Draft::default();
        for node in nodes {
            draft.put(node.read().map_err(D::Error::custom)?);
        }
        deletions.into_iter().for_each(|path| draft.delete(path));
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Xattrs;

    fn node(at: &[u8], kind: Kind, content: DraftContent) -> DraftNode {
        let xattrs = Xattrs::from([
            (b"user.note".to_vec(), b"x".to_vec()),
            (b"security.capability".to_vec(), vec![1, 0, 0xff]),
        ]);
        let mtime = Time { secs: -1, nanos: 999_999_999 };
        let meta = Meta { mode: 0o4755, uid: 1, gid: 2, mtime, xattrs };
        let path = RootPath::parse(at).unwrap();
        DraftNode {
            entry: Entry { path, kind, meta, ctime: None, links: Some(LinkGroup(7)) },
            content,
        }
    }

    #[test]
    fn a_draft_of_everything_comes_back_from_json_as_it_was() {
        let mut draft = Draft::default();
        for (at, kind, content) in [
            (&b"/a"[..], Kind::File { size: 4 }, DraftContent::Bytes(b"t\xc3\xa4x".to_vec())),
            (b"/b\xff", Kind::File { size: 2 }, DraftContent::Bytes(vec![0xff, 0])),
            (b"/c", Kind::File { size: 9 }, DraftContent::Stored(ContentId(41))),
            (b"/d", Kind::Dir, DraftContent::None),
            (b"/e", Kind::Symlink { target: b"../\xfe".to_vec() }, DraftContent::None),
            (b"/f", Kind::Fifo, DraftContent::None),
            (b"/g", Kind::Char { major: 1, minor: 2 }, DraftContent::None),
            (b"/h", Kind::Block { major: 3, minor: 4 }, DraftContent::None),
            (b"/i", Kind::Socket, DraftContent::None),
        ] {
            draft.put(node(at, kind, content));
        }
        draft.delete(RootPath::parse(b"/gone").unwrap());
        let json = serde_json::to_string(&draft).unwrap();
        assert_eq!(serde_json::from_str::<Draft>(&json).unwrap(), draft, "{json}");
    }

    #[test]
    fn what_no_file_can_have_and_a_field_that_nobody_knows_are_refused() {
        let draft = |more: &str| {
            format!(
                r#"{{"nodes":[{{"at":{{"path":"/a"}},"kind":"dir","uid":0,"gid":0,{more}}}],"deletions":[]}}"#
            )
        };
        let read = |more: &str| serde_json::from_str::<Draft>(&draft(more)).map(drop);
        assert!(read(r#""mode":493,"mtime":[0,0]"#).is_ok());
        for wrong in [
            r#""mode":65535,"mtime":[0,0]"#,
            r#""mode":493,"mtime":[0,1000000000]"#,
            r#""mode":493,"mtime":[0,0],"owner":"me""#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
