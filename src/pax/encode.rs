//! The one sequence of header bytes that stands for a member.
//!
//! A property stands in the header when it fits there exactly, else in a record; a field whose
//! record wins holds the nearest value that it can, so that a reader which ignores records is
//! wrong by as little as possible and never makes root the owner.

use tar::{EntryType, Header};

use super::extension::{self, XATTR};
use super::fault::Unfit;
use super::{BLOCK, Body, MAX_EXTENSION, MAX_RUNS, Member, number, padding, record, sparse};
use crate::tree::{Extent, Kind, Time};

/// Largest number in a field of 8 bytes: seven octal digits.
const MAX_SHORT: u32 = 0o7_777_777;
/// Largest number in a field of 12 bytes: eleven octal digits.
pub(super) const MAX_LONG: u64 = 0o77_777_777_777;
/// Longest link target that Linux knows.
const MAX_TARGET: usize = 4095;

/// A member in bytes, except for its content.
pub(super) struct Encoded {
    /// All that precedes the content.
    pub(super) head: Vec<u8>,
    /// The runs of the content that follow, back to back.
    pub(super) runs: Vec<Extent>,
}

/// The runs that are stored of a file of `size` bytes with data in `extents`: these widened to
/// blocks, or the whole file when they are too many. Given in place of `extents`, they come out
/// as they are.
pub(crate) fn stored_runs(extents: &[Extent], size: u64) -> Result<Vec<Extent>, Unfit> {
    let runs = sparse::aligned(&sparse::normal(extents, size).ok_or(Unfit::Extents)?, size);
    Ok(if runs.len() as u64 <= MAX_RUNS { runs } else { sparse::whole(size) })
}

/// Encodes `member`, whose content is data in `extents`; they matter for regular files only.
pub(super) fn encode(member: &Member, extents: &[Extent]) -> Result<Encoded, Unfit> {
    check(member)?;
    let size = member.size();
    let runs = stored_runs(extents, size)?;
    let is_sparse = runs != sparse::whole(size);
    let map = if is_sparse { sparse::map(&runs, size) } else { vec![] };
    let stored = map.len() as u64 + sparse::stored(&runs);

    let mut name = member.name.clone();
    if member.body == Body::Node(Kind::Dir) {
        name.push(b'/');
    }
    let mut records = Vec::new();
    if !is_sparse && name.len() > 100 {
        record::push(&mut records, b"path", &name);
    }
    meta_records(&mut records, member, stored);
    if is_sparse {
        record::push(&mut records, b"GNU.sparse.major", b"1");
        record::push(&mut records, b"GNU.sparse.minor", b"0");
        record::push(&mut records, b"GNU.sparse.name", &name);
        record::push(&mut records, b"GNU.sparse.realsize", size.to_string().as_bytes());
        // The stored bytes are no usable file under the file's own name.
        name.splice(..0, b"GNUSparseFile.0/".iter().copied());
    }
    for (key, value) in &member.meta.xattrs {
        record::push(&mut records, &[XATTR, &extension::escaped(key)].concat(), value);
    }
    if name.len() > 100 {
        name.truncate(100);
        // A slash at the end would make it a directory's.
        while name.ends_with(b"/") {
            name.pop();
        }
    }
    if records.len() as u64 > MAX_EXTENSION {
        return Err(Unfit::Records);
    }

    let mut head = Vec::new();
    if !records.is_empty() {
        let length = records.len() as u64;
        head.extend_from_slice(extension_header(length).as_bytes());
        head.append(&mut records);
        head.resize(head.len() + padding(length), 0);
    }
    head.extend_from_slice(header(member, &name, stored).as_bytes());
    head.extend_from_slice(&map);
    Ok(Encoded { head, runs })
}

/// Whether `name` is a relative path that every reader resolves to the same place.
fn is_canonical(name: &[u8]) -> bool {
    !name.contains(&0) && name.split(|&b| b == b'/').all(|c| !matches!(c, b"" | b"." | b".."))
}

fn check(member: &Member) -> Result<(), Unfit> {
    let meta = &member.meta;
    let refuse = |unfit, when| if when { Err(unfit) } else { Ok(()) };
    refuse(Unfit::Name, !is_canonical(&member.name))?;
    match &member.body {
        Body::Node(Kind::Socket) => return Err(Unfit::Socket),
        Body::Node(Kind::Symlink { target }) => {
            let fits = !target.is_empty() && target.len() <= MAX_TARGET && !target.contains(&0);
            refuse(Unfit::Symlink, !fits)?;
        }
        Body::Node(Kind::File { size }) => refuse(Unfit::Size, i64::try_from(*size).is_err())?,
        Body::Node(_) => {}
        Body::Hardlink { target } => refuse(Unfit::Hardlink, !is_canonical(target))?,
    }
    refuse(Unfit::Mode, meta.mode > 0o7777)?;
    refuse(Unfit::Owner, meta.uid == u32::MAX || meta.gid == u32::MAX)?;
    refuse(Unfit::Time, meta.mtime.nanos >= 1_000_000_000)?;
    refuse(Unfit::Attribute, meta.xattrs.keys().any(|key| key.is_empty() || key.contains(&0)))
}

/// The records for what the header of `member` cannot hold, names and attributes aside.
fn meta_records(records: &mut Vec<u8>, member: &Member, stored: u64) {
    let mut push = |key: &[u8], value: String| record::push(records, key, value.as_bytes());
    let meta = &member.meta;
    if stored > MAX_LONG {
        push(b"size", stored.to_string());
    }
    for (key, id) in [(b"uid", meta.uid), (b"gid", meta.gid)] {
        if id > MAX_SHORT {
            push(key, id.to_string());
        }
    }
    let Time { secs, nanos } = meta.mtime;
    if nanos != 0 || secs < 0 || secs.unsigned_abs() > MAX_LONG {
        push(b"mtime", number::time_text(meta.mtime));
    }
    if let Some((major, minor)) = device(&member.body) {
        for (key, value) in [(&b"SCHILY.devmajor"[..], major), (b"SCHILY.devminor", minor)] {
            if value > MAX_SHORT {
                push(key, value.to_string());
            }
        }
    }
    if let Some(target) = target(&member.body).filter(|target| target.len() > 100) {
        record::push(records, b"linkpath", target);
    }
}

fn target(body: &Body) -> Option<&[u8]> {
    match body {
        Body::Node(Kind::Symlink { target }) | Body::Hardlink { target } => Some(target),
        Body::Node(_) => None,
    }
}

fn device(body: &Body) -> Option<(u32, u32)> {
    match body {
        Body::Node(Kind::Char { major, minor } | Kind::Block { major, minor }) => {
            Some((*major, *minor))
        }
        _ => None,
    }
}

/// What of `time` the header's field can hold.
fn field_time(time: Time) -> u64 {
    u64::try_from(time.secs).unwrap_or(0).min(MAX_LONG)
}

fn header(member: &Member, name: &[u8], stored: u64) -> Header {
    let mut header = Header::new_ustar();
    fill(&mut header.as_old_mut().name, name);
    fill(&mut header.as_old_mut().linkname, target(&member.body).unwrap_or_default());
    header.set_entry_type(match &member.body {
        Body::Hardlink { .. } => EntryType::Link,
        Body::Node(Kind::Dir) => EntryType::Directory,
        Body::Node(Kind::Symlink { .. }) => EntryType::Symlink,
        Body::Node(Kind::Fifo) => EntryType::Fifo,
        Body::Node(Kind::Char { .. }) => EntryType::Char,
        Body::Node(Kind::Block { .. }) => EntryType::Block,
        // A socket has been refused.
        Body::Node(Kind::File { .. } | Kind::Socket) => EntryType::Regular,
    });
    let meta = &member.meta;
    header.set_mode(meta.mode);
    header.set_uid(u64::from(meta.uid.min(MAX_SHORT)));
    header.set_gid(u64::from(meta.gid.min(MAX_SHORT)));
    header.set_mtime(field_time(meta.mtime));
    header.set_size(stored.min(MAX_LONG));
    if let (Some(ustar), Some((major, minor))) = (header.as_ustar_mut(), device(&member.body)) {
        ustar.set_device_major(major.min(MAX_SHORT));
        ustar.set_device_minor(minor.min(MAX_SHORT));
    }
    header.set_cksum();
    header
}

/// The header before records of `length` bytes. BusyBox wants it to have a name.
fn extension_header(length: u64) -> Header {
    let mut header = Header::new_ustar();
    fill(&mut header.as_old_mut().name, b"./PaxHeaders/entry");
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(length);
    header.set_cksum();
    header
}

/// Puts as much of `text` into `field` as there is room for.
fn fill(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

const _: () = assert!(size_of::<Header>() == BLOCK);
