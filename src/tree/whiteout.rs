//! [`Whiteouts`]: how a layer says that something below it is gone.
//!
//! Every engine marks a deletion in its own way, and what is a mark to one is a file of the user
//! to another. Invariant: only what the engine that wrote the layer would act upon is a mark.

use std::collections::BTreeSet;

use super::{Entry, Kind, RootPath, Xattrs};

/// In which way a layer marks what it deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whiteouts {
    /// A directory of the kernel's overlay file system: character devices 0:0, and the attributes
    /// `trusted.overlay.{opaque,redirect,metacopy}`.
    Overlay,
    /// The same for an overlay mounted with `userxattr`, as rootless engines do: the attributes
    /// are `user.overlay.*`. In an [`Overlay`](Whiteouts::Overlay) layer those are the user's, and
    /// the kernel does not act upon them.
    OverlayUser,
    /// A directory of fuse-overlayfs: devices 0:0, files `.wh.NAME`, `.wh..wh..opq` and `.wh..opq`,
    /// and the attribute `opaque` under any of its three prefixes.
    FuseOverlay,
    /// An OCI layer: names `.wh.NAME` and `.wh..wh..opq`.
    Tar,
    /// The deletions are these paths; everything in the layer's tree is content.
    Listed(BTreeSet<RootPath>),
}

/// What an entry of a layer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// It is what it is.
    Content,
    /// A directory that hides what the layers below have in it.
    OpaqueDir,
    /// A directory whose content in the layers below lies elsewhere.
    RedirectDir(Redirect),
    /// A file whose data lies in a layer below, under the same name or another one.
    MetaOnly(Option<Redirect>),
    /// Nothing is at this path any more.
    Gone(RootPath),
    /// The directory at this path hides what the layers below have in it.
    Opaque(RootPath),
    /// The engine's own bookkeeping.
    Bookkeeping,
}

/// Where the content of a renamed node lies in the layers below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// Under this name in the same directory.
    Name(Vec<u8>),
    /// At this path.
    Path(RootPath),
    /// The mark is malformed; nothing can be found by it.
    Broken,
}

const PREFIX: &[u8] = b".wh.";

/// Attributes of the engines' own, which are no part of the tree.
const OWN: [&[u8]; 3] = [b"trusted.overlay.", b"user.overlay.", b"user.fuseoverlayfs."];

/// Takes out the attributes that engines keep for themselves.
pub(super) fn strip(xattrs: &mut Xattrs) {
    xattrs.retain(|name, _| !OWN.iter().any(|own| name.starts_with(own)));
}

/// Takes out the attributes that an overlay file system would act upon if they came back with the
/// file, and returns their names: in a tree that is no layer somebody else made them.
pub(crate) fn take_reserved(xattrs: &mut Xattrs) -> Vec<Vec<u8>> {
    let reserved = |name: &Vec<u8>| OWN.iter().any(|own| name.starts_with(own));
    let names: Vec<Vec<u8>> = xattrs.keys().filter(|name| reserved(name)).cloned().collect();
    if !names.is_empty() {
        strip(xattrs);
    }
    names
}

/// What `entry` means in a layer that marks in this way.
pub(super) fn mark(style: &Whiteouts, entry: &Entry) -> Mark {
    match style {
        Whiteouts::Listed(_) => Mark::Content,
        Whiteouts::Overlay => kernel_mark(entry, b"trusted.overlay."),
        Whiteouts::OverlayUser => kernel_mark(entry, b"user.overlay."),
        Whiteouts::FuseOverlay => fuse_mark(entry),
        Whiteouts::Tar => tar_mark(entry),
    }
}

fn is_zero_device(entry: &Entry) -> bool {
    entry.kind == Kind::Char { major: 0, minor: 0 }
}

fn kernel_mark(entry: &Entry, prefix: &[u8]) -> Mark {
    let attribute = |name: &[u8]| entry.meta.xattrs.get(&[prefix, name].concat());
    let redirect = || attribute(b"redirect").map(|value| read_redirect(value));
    match entry.kind {
        Kind::Dir if attribute(b"opaque").is_some_and(|value| value == b"y") => Mark::OpaqueDir,
        Kind::Dir => redirect().map_or(Mark::Content, Mark::RedirectDir),
        Kind::File { .. } if attribute(b"metacopy").is_some() => Mark::MetaOnly(redirect()),
        _ if is_zero_device(entry) => Mark::Gone(entry.path.clone()),
        _ => Mark::Content,
    }
}

fn read_redirect(value: &[u8]) -> Redirect {
    // Some kernels count a final NUL.
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    match RootPath::parse(value) {
        Ok(path) if value.starts_with(b"/") && !path.is_root() => Redirect::Path(path),
        Ok(path) if !path.is_root() && !value.contains(&b'/') => Redirect::Name(value.to_vec()),
        _ => Redirect::Broken,
    }
}

fn fuse_mark(entry: &Entry) -> Mark {
    let name = entry.path.name();
    let opaque = |prefix: &&[u8]| {
        let name = [prefix, b"opaque".as_slice()].concat();
        entry.meta.xattrs.get(&name).is_some_and(|value| value == b"y")
    };
    if entry.kind.is_dir() {
        return if OWN.iter().any(opaque) { Mark::OpaqueDir } else { Mark::Content };
    }
    if is_zero_device(entry) && !name.starts_with(PREFIX) {
        return Mark::Gone(entry.path.clone());
    }
    match (name, name.strip_prefix(PREFIX)) {
        (b".wh..wh..opq" | b".wh..opq", _) => opaque_parent(entry),
        (_, Some(gone)) => sibling(entry, gone),
        _ => Mark::Content,
    }
}

fn tar_mark(entry: &Entry) -> Mark {
    let name = entry.path.name();
    match (name, name.strip_prefix(PREFIX)) {
        (b".wh..wh..opq", _) => opaque_parent(entry),
        // aufs kept its own things under doubled prefixes, and old images still have them.
        (_, Some(rest)) if rest.starts_with(PREFIX) => Mark::Bookkeeping,
        (_, Some(gone)) => sibling(entry, gone),
        _ => Mark::Content,
    }
}

fn opaque_parent(entry: &Entry) -> Mark {
    entry.path.parent().map_or(Mark::Bookkeeping, Mark::Opaque)
}

/// The path `name` beside `entry`, which is gone; a name that cannot be is no mark of anything.
fn sibling(entry: &Entry, name: &[u8]) -> Mark {
    match (entry.path.parent(), name) {
        (None, _) | (_, b"" | b"." | b"..") => Mark::Bookkeeping,
        (Some(parent), name) => Mark::Gone(parent.child(name)),
    }
}
