//! A draft as an image layer of our own writing.
//!
//! Engines lose owners, times, attributes or holes when they make a layer themselves; one that is
//! loaded arrives as it was written. Rules of such a layer, all measured: a directory's entry comes
//! after what is in it, or its default ACL leaks onto its children; every directory on the way has
//! an entry with the metadata it has below, or it would get another; nothing is sparse, or the
//! image can never be saved again; `.wh.NAME` removes NAME.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Cursor, Seek, Write};

use sha2::{Digest, Sha256};

use crate::failure::{Failure, FailureKind};
use crate::pax::{Body, Member, WriteError, Writer};
use crate::tree::{
    Content, Draft, DraftContent, DraftNode, Entry, Extent, Kind, LinkGroup, Meta, RootPath, Store,
    Tree, TreeError,
};

/// A layer, ready to be loaded.
pub(in crate::restore) struct LayerTar {
    /// The uncompressed tar, from the beginning.
    pub(in crate::restore) tar: File,
    /// SHA-256 of it, in hexadecimal.
    pub(in crate::restore) digest: String,
}

/// Writes `draft` as a layer over `below`.
pub(in crate::restore) fn layer(
    draft: &Draft,
    store: &dyn Store,
    below: &dyn Tree,
) -> Result<LayerTar, Failure> {
    write(draft, store, below).map_err(|error| {
        let kind = match &error {
            LayerError::Write(WriteError::Sink(_)) | LayerError::Scratch(_) => {
                FailureKind::Resource
            }
            LayerError::Below(_) => FailureKind::Environment,
            _ => FailureKind::Internal,
        };
        Failure::new(kind, "writing", "the layer of restored files")
            .because(error)
            .safe("the bundle and the old container are as they were, nothing was published")
            .next("free space for temporary files and run the same command again")
    })
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
enum LayerError {
    #[error("the temporary file failed")]
    Scratch(#[source] std::io::Error),
    #[error("`{path}` cannot be written")]
    Content { path: RootPath, source: std::io::Error },
    #[error("the layer could not be written")]
    Write(#[from] WriteError),
    #[error("the system below cannot be read")]
    Below(#[from] TreeError),
}

fn write(draft: &Draft, store: &dyn Store, below: &dyn Tree) -> Result<LayerTar, LayerError> {
    let file = tempfile::tempfile().map_err(LayerError::Scratch)?;
    let hashing = Hashing { file, hash: Sha256::new() };
    let mut writer = Writer::new(hashing);
    let mut links: BTreeMap<LinkGroup, Vec<u8>> = BTreeMap::new();
    // Directories wait here until everything below them is written.
    let mut open: Vec<Entry> = Vec::new();
    for (path, item) in items(draft) {
        while open.last().is_some_and(|dir| !path.is_within(&dir.path)) {
            close(&mut open, &mut writer)?;
        }
        enter_parents(&path, below, &mut open)?;
        match item {
            Item::Whiteout => whiteout(&path, &mut writer)?,
            Item::Node(node) if node.entry.kind.is_dir() => open.push(node.entry.clone()),
            Item::Node(node) => entry(node, store, &mut links, &mut writer)?,
        }
    }
    while !open.is_empty() {
        close(&mut open, &mut writer)?;
    }
    let mut hashing = writer.finish()?;
    hashing.file.rewind().map_err(LayerError::Scratch)?;
    let digest = hex::encode(hashing.hash.finalize());
    Ok(LayerTar { tar: hashing.file, digest })
}

/// What the layer says about one path.
enum Item<'a> {
    Node(&'a DraftNode),
    Whiteout,
}

/// Everything the layer mentions, in path order. A path that is put needs no removal.
fn items(draft: &Draft) -> BTreeMap<RootPath, Item<'_>> {
    let nodes: BTreeMap<RootPath, Item> =
        draft.nodes().map(|n| (n.entry.path.clone(), Item::Node(n))).collect();
    let put: BTreeSet<&RootPath> = nodes.keys().collect();
    let gone: Vec<RootPath> =
        draft.deletions().filter(|path| !path.is_root() && !put.contains(path)).cloned().collect();
    let mut items = nodes;
    items.extend(gone.into_iter().map(|path| (path, Item::Whiteout)));
    items
}

/// Makes every directory above `path` wait for its entry, with the metadata it has below.
fn enter_parents(
    path: &RootPath,
    below: &dyn Tree,
    open: &mut Vec<Entry>,
) -> Result<(), LayerError> {
    let depth = |dir: &RootPath| dir.as_bytes().len();
    let last = open.last().map_or(depth(&RootPath::root()), |entry| depth(&entry.path));
    let waiting: Vec<RootPath> =
        path.ancestors().rev().take_while(|dir| depth(dir) > last).collect();
    for dir in waiting.into_iter().rev() {
        let known = below.entry(&dir)?.filter(|entry| entry.kind.is_dir());
        open.push(known.unwrap_or_else(|| plain_directory(dir)));
    }
    Ok(())
}

/// A directory that nobody described.
fn plain_directory(path: RootPath) -> Entry {
    Entry::new(path, Kind::Dir, Meta::root(0o755))
}

fn close(open: &mut Vec<Entry>, writer: &mut Writer<Hashing>) -> Result<(), LayerError> {
    // The root itself has no name in a layer; every system has one.
    if let Some(dir) = open.pop()
        && !dir.path.is_root()
    {
        let member = Member { name: name(&dir.path), body: Body::Node(Kind::Dir), meta: dir.meta };
        writer.append(&member, None, &[])?;
    }
    Ok(())
}

/// The name of a member.
fn name(path: &RootPath) -> Vec<u8> {
    path.relative().to_vec()
}

fn whiteout(path: &RootPath, writer: &mut Writer<Hashing>) -> Result<(), LayerError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let marker = parent.child(&[b".wh.", path.name()].concat());
    let member = Member {
        name: name(&marker),
        body: Body::Node(Kind::File { size: 0 }),
        meta: Meta::root(0o600),
    };
    writer.append(&member, Some(&mut Cursor::new(Vec::new())), &[])?;
    Ok(())
}

fn entry(
    node: &DraftNode,
    store: &dyn Store,
    links: &mut BTreeMap<LinkGroup, Vec<u8>>,
    writer: &mut Writer<Hashing>,
) -> Result<(), LayerError> {
    let name = name(&node.entry.path);
    let meta = node.entry.meta.clone();
    if let Some(group) = node.entry.links {
        if let Some(target) = links.get(&group) {
            let body = Body::Hardlink { target: target.clone() };
            writer.append(&Member { name, body, meta }, None, &[])?;
            return Ok(());
        }
        links.insert(group, name.clone());
    }
    let member = Member { name, body: Body::Node(node.entry.kind.clone()), meta };
    // Whole, even where the archived file had holes.
    let whole = [Extent { offset: 0, length: node.entry.kind.size() }];
    let extents = if whole[0].length == 0 { &whole[..0] } else { &whole[..] };
    let failed = |source| LayerError::Content { path: node.entry.path.clone(), source };
    let mut content: Option<Box<dyn Content + '_>> = match &node.content {
        DraftContent::None => None,
        DraftContent::Stored(id) => Some(store.open(*id).map_err(failed)?),
        DraftContent::Bytes(bytes) => Some(Box::new(Cursor::new(bytes.as_slice()))),
    };
    match &mut content {
        Some(content) => writer.append(&member, Some(&mut **content), extents)?,
        None => writer.append(&member, None, &[])?,
    }
    Ok(())
}

/// Writes through to the file and hashes what passes.
struct Hashing {
    file: File,
    hash: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::pax::{Dialect, Reader};
    use crate::tree::memory::MemoryTree;
    use crate::tree::{ContentId, Empty, Time, Xattrs};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str, kind: Kind, content: &str) -> DraftNode {
        let mtime = Time { secs: 1, nanos: 5 };
        let meta = Meta { mode: 0o640, uid: 7, gid: 8, mtime, xattrs: Xattrs::new() };
        let content = match kind {
            Kind::File { .. } => DraftContent::Bytes(content.as_bytes().to_vec()),
            _ => DraftContent::None,
        };
        let entry = Entry::new(path(at), kind, meta);
        DraftNode { entry, content }
    }

    fn file(at: &str, content: &str) -> DraftNode {
        node(at, Kind::File { size: content.len() as u64 }, content)
    }

    /// Each member in order: name, mode, and what it is.
    fn members(draft: &Draft, below: &dyn Tree) -> Vec<(String, u32, String)> {
        let layer = layer(draft, &Empty, below).unwrap();
        let mut bytes = Vec::new();
        let mut tar = &layer.tar;
        tar.read_to_end(&mut bytes).unwrap();
        assert_eq!(layer.digest, hex::encode(Sha256::digest(&bytes)));
        let mut reader = Reader::new(Cursor::new(bytes), Dialect::Strict);
        let mut found = Vec::new();
        while let Some(read) = reader.next().unwrap() {
            let member = &read.member;
            let name = String::from_utf8(member.name.clone()).unwrap();
            let what = match &member.body {
                Body::Hardlink { target } => format!("= {}", String::from_utf8_lossy(target)),
                Body::Node(kind) => kind.word().to_owned(),
            };
            found.push((name, member.meta.mode, what));
        }
        found
    }

    fn expected(members: &[(&str, u32, &str)]) -> Vec<(String, u32, String)> {
        members.iter().map(|(name, mode, what)| ((*name).into(), *mode, (*what).into())).collect()
    }

    #[test]
    fn a_directory_follows_what_is_in_it_with_the_metadata_it_has_below() {
        let below = MemoryTree::default().dir("/srv").meta("/srv", |meta| meta.mode = 0o711);
        let mut draft = Draft::default();
        draft.put(node("/srv/a", Kind::Dir, ""));
        draft.put(file("/srv/a/one", "1"));
        draft.put(file("/srv/b", "22"));
        draft.put(file("/new/deep/file", ""));
        let found = members(&draft, &below);
        let wanted = expected(&[
            ("new/deep/file", 0o640, "file"),
            ("new/deep", 0o755, "directory"),
            ("new", 0o755, "directory"),
            ("srv/a/one", 0o640, "file"),
            ("srv/a", 0o640, "directory"),
            ("srv/b", 0o640, "file"),
            ("srv", 0o711, "directory"),
        ]);
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_deletion_is_a_whiteout_and_one_that_is_put_again_is_none() {
        let mut draft = Draft::default();
        draft.delete(path("/etc/gone"));
        draft.delete(path("/etc/again"));
        draft.put(file("/etc/again", "x"));
        let found = members(&draft, &MemoryTree::default().dir("/etc"));
        let wanted = expected(&[
            ("etc/again", 0o640, "file"),
            ("etc/.wh.gone", 0o600, "file"),
            ("etc", 0o755, "directory"),
        ]);
        assert_eq!(found, wanted);
    }

    #[test]
    fn further_names_of_a_file_are_links_to_its_first() {
        let mut draft = Draft::default();
        for at in ["/z", "/a"] {
            let mut named = file(at, "same");
            named.entry.links = Some(LinkGroup(3));
            draft.put(named);
        }
        let found = members(&draft, &MemoryTree::default());
        assert_eq!(found, expected(&[("a", 0o640, "file"), ("z", 0o640, "= a")]));
    }

    #[test]
    fn a_content_that_cannot_be_read_ends_the_layer() {
        let mut lost = file("/a", "x");
        lost.content = DraftContent::Stored(ContentId(9));
        let mut draft = Draft::default();
        draft.put(lost);
        assert!(layer(&draft, &Empty, &MemoryTree::default()).is_err());
    }
}
