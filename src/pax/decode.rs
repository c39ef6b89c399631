//! What a header means together with the extension headers before it.

use super::extension::{Extension, SparseRecords};
use super::fault::Fault;
use super::header::Block;
use super::{Body, Dialect, Member, encode};
use crate::tree::{Extent, Kind, Meta, Time};

/// Everything that precedes a member's own header.
#[derive(Default)]
pub(super) struct Before {
    /// Its pax records, the global ones below them; `None` without an `x` header.
    pub(super) records: Option<Extension>,
    /// Its name from a GNU `L` header.
    pub(super) name: Option<Vec<u8>>,
    /// Its link target from a GNU `K` header.
    pub(super) target: Option<Vec<u8>>,
}

impl Before {
    /// Whether there was anything, and so a member has to follow.
    pub(super) fn is_any(&self) -> bool {
        self.records.is_some() || self.name.is_some() || self.target.is_some()
    }
}

/// Where the map of a sparse file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// The file is stored whole.
    None,
    /// GNU.sparse 0.0 and 0.1: it was in the records.
    Known(Vec<Extent>),
    /// Old GNU: it begins in the header, and goes on in blocks of its own if `more`.
    Header {
        /// The runs in the header.
        runs: Vec<Extent>,
        /// Whether blocks with further runs follow.
        more: bool,
    },
    /// GNU.sparse 1.0: it begins the content.
    Content,
}

/// A member as its headers state it.
pub(super) struct Decoded {
    /// The member; the size of a sparse file is its apparent one.
    pub(super) member: Member,
    /// Bytes of content that follow the header.
    pub(super) stored: u64,
    /// What of them is where in the file.
    pub(super) map: Map,
    /// Keys of records that state something which is not understood.
    pub(super) ignored: Vec<Vec<u8>>,
}

/// Decodes the member whose own header is `block`.
pub(super) fn decode(block: &Block, before: Before, dialect: Dialect) -> Result<Decoded, Fault> {
    let mut records = before.records.unwrap_or_default();
    records.settle();
    let stored = stored(block, &records, dialect)?;
    let name = records.sparse.name.take().or(records.path.take()).or(before.name);
    let name = name.unwrap_or_else(|| block.name());
    let mut decoded = Decoded {
        member: Member {
            name,
            body: Body::Node(Kind::Dir),
            meta: Meta {
                mode: block.mode()?,
                uid: records.uid.map_or_else(|| block.uid(), Ok)?,
                gid: records.gid.map_or_else(|| block.gid(), Ok)?,
                mtime: match records.mtime {
                    Some(time) => time,
                    None => Time { secs: block.mtime()?, nanos: 0 },
                },
                xattrs: std::mem::take(&mut records.xattrs),
            },
        },
        stored,
        map: Map::None,
        ignored: std::mem::take(&mut records.ignored),
    };
    let target = || records.target.clone().or(before.target).unwrap_or_else(|| block.target());
    let device = || match (records.major, records.minor) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        (major, minor) => block
            .device()
            .map(|(h_major, h_minor)| (major.unwrap_or(h_major), minor.unwrap_or(h_minor))),
    };
    decoded.member.body = match (block.flag(), dialect) {
        (b'0', Dialect::Strict) => file(&mut decoded, block, &records.sparse)?,
        (b'0' | b'7' | 0, Dialect::Lenient) if decoded.member.name.ends_with(b"/") => {
            Body::Node(Kind::Dir)
        }
        (b'0' | b'7' | 0 | b'S', Dialect::Lenient) => file(&mut decoded, block, &records.sparse)?,
        (b'1', _) => Body::Hardlink { target: target() },
        (b'2', _) => Body::Node(Kind::Symlink { target: target() }),
        (b'3', _) => {
            let (major, minor) = device()?;
            Body::Node(Kind::Char { major, minor })
        }
        (b'4', _) => {
            let (major, minor) = device()?;
            Body::Node(Kind::Block { major, minor })
        }
        (b'5', _) | (b'D', Dialect::Lenient) => Body::Node(Kind::Dir),
        (b'6', _) => Body::Node(Kind::Fifo),
        (flag, _) => return Err(Fault::Type(flag)),
    };
    check_content(&mut decoded, block, &records.sparse, dialect)?;
    trim_slash(&mut decoded.member, dialect);
    Ok(decoded)
}

/// Bytes of content: the record wins, and ours agrees with the header wherever that can hold it.
fn stored(block: &Block, records: &Extension, dialect: Dialect) -> Result<u64, Fault> {
    match (records.size, dialect) {
        (None, _) => block.size(),
        (Some(size), Dialect::Strict) if block.size()? != size.min(encode::MAX_LONG) => {
            Err(Fault::Sizes { header: block.size()?, record: size })
        }
        (Some(size), _) => Ok(size),
    }
}

/// The body of a regular file; its map and size as its kind of sparse file has them.
fn file(decoded: &mut Decoded, block: &Block, sparse: &SparseRecords) -> Result<Body, Fault> {
    let mut size = decoded.stored;
    if block.flag() == b'S' {
        let (runs, more, real) = block.old_sparse()?;
        decoded.map = Map::Header { runs, more };
        size = real;
    } else if sparse.is_present() {
        size = sparse.size.ok_or(Fault::SparseMap)?;
        decoded.map = match (sparse.major, sparse.minor) {
            (Some(1), Some(0)) => Map::Content,
            (None | Some(0), _) if sparse.count.is_none_or(|n| n == sparse.runs.len() as u64) => {
                Map::Known(sparse.runs.clone())
            }
            _ => return Err(Fault::SparseMap),
        };
    }
    Ok(Body::Node(Kind::File { size }))
}

/// Settles content of what has none: readers disagree on whether it is there.
fn check_content(
    decoded: &mut Decoded,
    block: &Block,
    sparse: &SparseRecords,
    dialect: Dialect,
) -> Result<(), Fault> {
    if decoded.member.is_file() {
        return Ok(());
    }
    if sparse.is_present() {
        return Err(Fault::SparseMap);
    }
    match (block.flag(), dialect) {
        // Older programs repeat the size of the file that is linked to, without its content.
        (b'1', Dialect::Lenient) => decoded.stored = 0,
        // The listing in a directory of an incremental archive is skipped.
        (b'D', Dialect::Lenient) => {}
        _ if decoded.stored != 0 => return Err(Fault::Content),
        _ => {}
    }
    Ok(())
}

/// Takes the slash off the end of a directory's name: of ours the one that is always there.
fn trim_slash(member: &mut Member, dialect: Dialect) {
    if member.body != Body::Node(Kind::Dir) {
        return;
    }
    while member.name.ends_with(b"/") {
        member.name.pop();
        if dialect == Dialect::Strict {
            break;
        }
    }
}
