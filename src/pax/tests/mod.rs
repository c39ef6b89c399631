//! Tests of the codec as a whole; the parts are tested beside themselves.

mod hostile;
mod oracle;
mod roundtrip;
mod tree;

use std::io::{Cursor, Read};

use super::fault::Unfit;
use super::*;
use crate::tree::{Extent, Time, Xattrs};

/// A member with its content, holes as zeros, and its data runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) member: Member,
    pub(super) content: Vec<u8>,
    pub(super) extents: Vec<Extent>,
}

pub(super) fn meta() -> Meta {
    let mtime = Time { secs: 1_600_000_000, nanos: 0 };
    Meta { mode: 0o644, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() }
}

pub(super) fn node(name: impl AsRef<[u8]>, kind: Kind) -> Full {
    let mode = if kind.is_dir() { 0o755 } else { 0o644 };
    let meta = Meta { mode, ..meta() };
    let member = Member { name: name.as_ref().to_vec(), body: Body::Node(kind), meta };
    Full { member, content: vec![], extents: vec![] }
}

pub(super) fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Full {
    let content = content.as_ref().to_vec();
    let size = content.len() as u64;
    Full { extents: sparse::whole(size), content, ..node(name, Kind::File { size }) }
}

/// A file whose `runs` hold the byte `d`.
pub(super) fn holey(name: &str, size: u64, runs: &[(u64, u64)]) -> Full {
    let mut full = file(name, vec![0; size as usize]);
    full.extents = runs.iter().map(|&(offset, length)| Extent { offset, length }).collect();
    for run in &full.extents {
        full.content[run.offset as usize..(run.offset + run.length) as usize].fill(b'd');
    }
    full
}

pub(super) fn hardlink(name: &str, target: &str) -> Full {
    let body = Body::Hardlink { target: target.into() };
    let mut full = node(name, Kind::Fifo);
    full.member.body = body;
    full
}

pub(super) fn symlink(name: &str, target: impl AsRef<[u8]>) -> Full {
    node(name, Kind::Symlink { target: target.as_ref().to_vec() })
}

pub(super) fn append(writer: &mut Writer<Vec<u8>>, full: &Full) -> Result<(), WriteError> {
    let mut content = Cursor::new(&full.content);
    let content: Option<&mut dyn crate::tree::Content> =
        if full.member.is_file() { Some(&mut content) } else { None };
    writer.append(&full.member, content, &full.extents)
}

pub(super) fn write(members: &[Full]) -> Vec<u8> {
    let mut writer = Writer::new(vec![]);
    for full in members {
        append(&mut writer, full).unwrap();
    }
    writer.finish().unwrap()
}

/// Everything in `bytes`, contents read to their ends.
pub(super) fn read(bytes: &[u8], dialect: Dialect) -> Result<Vec<Full>, ReadError> {
    let mut reader = Reader::new(bytes, dialect);
    let mut all = Vec::new();
    while let Some(mut found) = reader.next()? {
        let mut content = Vec::new();
        found.read_to_end(&mut content)?;
        let (member, extents, _) = found.split();
        all.push(Full { member, content, extents });
    }
    assert!(reader.next().unwrap().is_none(), "the end stays the end");
    Ok(all)
}

/// The fault that ends reading.
pub(super) fn fault(bytes: &[u8], dialect: Dialect) -> Fault {
    match read(bytes, dialect) {
        Err(ReadError::Malformed { fault, .. }) => fault,
        other => panic!("not malformed: {other:?}"),
    }
}

/// An extension header of type `flag` with `body`, as others write it.
pub(super) fn extension(flag: u8, body: &[u8]) -> Vec<u8> {
    raw(flag, b"ext", body.len() as u64, body, |_| ())
}

/// Pax records as they are, in an `x` header.
pub(super) fn pax(records: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        record::push(&mut body, key, value);
    }
    extension(b'x', &body)
}

/// A header with `body` and its padding; the checksum is right whatever `change` does.
pub(super) fn raw(
    flag: u8,
    name: &[u8],
    size: u64,
    body: &[u8],
    change: impl FnOnce(&mut tar::Header),
) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkflag[0] = flag;
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    change(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len() + padding(body.len() as u64), 0);
    bytes
}

/// `parts` with the end of an archive.
pub(super) fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}
