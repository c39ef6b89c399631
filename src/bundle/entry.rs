//! [`ManifestEntry`]: what a manifest says about one path.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::tree::{Entry, Kind, LinkGroup, Meta, RootPath};
use crate::verdict::{Class, Origin, Reason};

/// Said of the pristine text of a file whose own text it is: only owner, mode or attributes were
/// changed.
pub(crate) const ITSELF: &str = "itself";

/// What the image beneath a container had at a path that the container's life changed, where its
/// package had something else there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageText {
    /// The same text: only owner, mode or attributes were changed since.
    Itself,
    /// Another one, which the bundle holds below `image/`.
    Apart,
}

/// One path of the source and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Where; a volume's files stand under their mount point.
    pub path: RootPath,
    /// What it is worth.
    pub class: Class,
    /// The evidence that decided.
    pub reason: Reason,
    /// Where it came from.
    pub origin: Origin,
    /// What is there; `None` for a deletion.
    pub node: Option<Node>,
    /// Whether the bundle holds it as a member. Filled in by the writer.
    pub stored: bool,
    /// Of a stored regular file. Filled in by the writer.
    pub digest: Option<Digest>,
    /// The volume it lies in.
    pub volume: Option<String>,
    /// The package that owns it.
    pub package: Option<String>,
    /// Where its pristine text was found: `itself`, else the bundle holds it below `pristine/`.
    pub pristine: Option<String>,
    /// What its image had there, where that is not the pristine text.
    pub image_text: Option<ImageText>,
    /// Whether it was kept and holds a key or a password.
    pub secret: bool,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Kind, with the size or target that belongs to it.
    pub kind: Kind,
    /// Owner, mode, times and attributes.
    pub meta: Meta,
    /// Names with an equal number within the root, or within one volume, are one file. The writer
    /// renumbers them in the order of the entries, from 1.
    pub links: Option<LinkGroup>,
}

impl ManifestEntry {
    /// The verdict on an entry of the source.
    pub fn new(entry: &Entry, class: Class, reason: Reason, origin: Origin) -> Self {
        let node = Node { kind: entry.kind.clone(), meta: entry.meta.clone(), links: entry.links };
        ManifestEntry {
            node: Some(node),
            ..ManifestEntry::deleted(entry.path.clone(), class, reason, origin)
        }
    }

    /// A path that is gone, and the gap is worth `class`.
    pub fn deleted(path: RootPath, class: Class, reason: Reason, origin: Origin) -> Self {
        ManifestEntry {
            path,
            class,
            reason,
            origin,
            node: None,
            stored: false,
            digest: None,
            volume: None,
            package: None,
            pristine: None,
            image_text: None,
            secret: false,
        }
    }

    /// Whether the path is recorded as removed.
    pub fn is_deleted(&self) -> bool {
        self.node.is_none()
    }

    /// Size in bytes of a regular file, else 0.
    pub fn size(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| node.kind.size())
    }

    /// As an entry of a tree; `None` for a deletion.
    pub fn into_entry(self) -> Option<Entry> {
        let Node { kind, meta, links } = self.node?;
        Some(Entry { path: self.path, kind, meta, ctime: None, links })
    }
}
