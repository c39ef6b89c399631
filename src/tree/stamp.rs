//! [`Problem`]: what a tree on disk could not take, and the stamping of metadata that finds out.
//!
//! Invariant: after a node is stamped it is looked at again, and what did not hold is a problem
//! with a name. Nothing that the file system dropped goes unsaid.

use std::fmt;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::dir::Node;
use super::{Meta, RootPath, Time, Xattrs, escaped};

/// Something that is not as it was in the tree that was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where.
    pub path: RootPath,
    /// What is missing or different there.
    pub what: Lost,
}

/// What was lost of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// An extended attribute is missing, or one that should be gone is still there.
    Xattr {
        /// Its name.
        name: Vec<u8>,
        /// Why.
        why: Refusal,
    },
    /// The file system cannot hold this time.
    Time {
        /// As it should be.
        wanted: Time,
        /// As it is.
        kept: Time,
    },
    /// The file system did not take these permissions.
    Mode {
        /// As they should be.
        wanted: u32,
        /// As they are.
        kept: u32,
    },
    /// The file system did not take this owner and group.
    Owner {
        /// As they should be.
        wanted: (u32, u32),
        /// As they are.
        kept: (u32, u32),
    },
    /// The file system holds no more names of one file: this name is now a file of its own.
    Link,
    /// The entry could not be read where it came from, and is missing with all that is below it.
    Unread {
        /// The error and the chain behind it.
        why: String,
    },
}

/// Why a file system does not take an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has no such attributes, or not on this type of node.
    Unsupported,
    /// This process may not set it.
    Denied,
    /// It has room for smaller attributes only.
    TooLarge,
    /// The value is not what an attribute of this name can be, such as a broken ACL.
    Malformed,
    /// It is an ACL that says something else than the mode of the same entry.
    Contradicted,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.what)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Xattr { name, why } => write!(f, "attribute `{}` {why}", escaped(name)),
            Lost::Time { wanted, kept } => write!(
                f,
                "the file system holds the time {}.{:09} as {}.{:09}",
                wanted.secs, wanted.nanos, kept.secs, kept.nanos
            ),
            Lost::Mode { wanted, kept } => write!(f, "mode {wanted:04o} became {kept:04o}"),
            Lost::Owner { wanted, kept } => {
                write!(f, "owner {}:{} became {}:{}", wanted.0, wanted.1, kept.0, kept.1)
            }
            Lost::Link => f.write_str("became a file of its own: too many hard links"),
            Lost::Unread { why } => write!(f, "could not be read: {}", escaped(why.as_bytes())),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Unsupported => "is not supported by the file system",
            Refusal::Denied => "may not be set",
            Refusal::TooLarge => "is larger than the file system can hold",
            Refusal::Malformed => "is malformed",
            Refusal::Contradicted => "was changed to agree with the mode",
        })
    }
}

const ACL: &[u8] = b"system.posix_acl_access";
const CAPABILITY: &[u8] = b"security.capability";

/// Gives `node` the metadata `meta` and returns what did not hold.
///
/// The order leaves no moment with more rights than the node has before or after: a new owner
/// clears set-id bits and capabilities; an inherited ACL goes and the own one comes before the
/// mode, whose group bits would be the limit of whatever ACL is there; set-id bits come with the
/// mode, capabilities behind it; and all of it changes the times.
pub(super) fn stamp(node: &Node, meta: &Meta) -> Result<Vec<Lost>, Errno> {
    let path = node.proc_path();
    let link = node.stat.file_type == FileType::Symlink;
    let (uid, gid) = (Uid::from_raw_unchecked(meta.uid), Gid::from_raw_unchecked(meta.gid));
    let this = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(node, c"", Some(uid), Some(gid), this)?;
    let there = node.xattrs()?;
    let mut lost = remove_stale(node, &there, meta)?;
    for (name, value) in meta.xattrs.iter().filter(|(name, _)| *name != CAPABILITY) {
        if there.get(name) != Some(value) {
            lost.extend(set_xattr(node, name, value)?);
        }
    }
    if !link {
        rustix::fs::chmod(&path, Mode::from_raw_mode(meta.mode))?;
        lost.extend(check_acl(node, meta)?);
    }
    if let Some(value) = meta.xattrs.get(CAPABILITY) {
        lost.extend(set_xattr(node, CAPABILITY, value)?);
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: meta.mtime.secs, tv_nsec: meta.mtime.nanos.into() },
    };
    rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty())?;

    let now = node.stat_now()?;
    if now.mtime != meta.mtime {
        lost.push(Lost::Time { wanted: meta.mtime, kept: now.mtime });
    }
    if !link && now.mode != meta.mode {
        lost.push(Lost::Mode { wanted: meta.mode, kept: now.mode });
    }
    if (now.uid, now.gid) != (meta.uid, meta.gid) {
        lost.push(Lost::Owner { wanted: (meta.uid, meta.gid), kept: (now.uid, now.gid) });
    }
    Ok(lost)
}

fn remove_stale(node: &Node, there: &Xattrs, meta: &Meta) -> Result<Vec<Lost>, Errno> {
    let mut lost = Vec::new();
    for (name, value) in there {
        let stale = match meta.xattrs.get(name) {
            Some(wanted) => wanted != value && name == ACL,
            // The host's policy labels every new file; that label is not the tree's to remove.
            None => name != b"security.selinux",
        };
        if !stale {
            continue;
        }
        match rustix::fs::removexattr(node.proc_path(), name.as_slice()) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(errno) => lost.push(Lost::Xattr { name: name.clone(), why: refusal(node, errno)? }),
        }
    }
    Ok(lost)
}

fn set_xattr(node: &Node, name: &[u8], value: &[u8]) -> Result<Option<Lost>, Errno> {
    match rustix::fs::setxattr(node.proc_path(), name, value, XattrFlags::empty()) {
        Ok(()) => Ok(None),
        Err(errno) => Ok(Some(Lost::Xattr { name: name.to_vec(), why: refusal(node, errno)? })),
    }
}

/// A mode that does not agree with the ACL beside it has changed the ACL.
fn check_acl(node: &Node, meta: &Meta) -> Result<Option<Lost>, Errno> {
    let Some(wanted) = meta.xattrs.get(ACL) else { return Ok(None) };
    match node.xattrs()?.get(ACL) {
        Some(kept) if kept != wanted => {
            Ok(Some(Lost::Xattr { name: ACL.to_vec(), why: Refusal::Contradicted }))
        }
        // One that says no more than the mode is not stored; one that was refused is told already.
        _ => Ok(None),
    }
}

/// What an error about an attribute means; an error of the disk stays one.
fn refusal(node: &Node, errno: Errno) -> Result<Refusal, Errno> {
    match errno {
        Errno::OPNOTSUPP => Ok(Refusal::Unsupported),
        Errno::PERM | Errno::ACCESS => Ok(Refusal::Denied),
        Errno::TOOBIG | Errno::RANGE => Ok(Refusal::TooLarge),
        Errno::INVAL => Ok(Refusal::Malformed),
        // ext4 says `no space` of an attribute that does not fit into its one block.
        Errno::NOSPC if rustix::fs::fstatvfs(node)?.f_bfree > 0 => Ok(Refusal::TooLarge),
        errno => Err(errno),
    }
}
