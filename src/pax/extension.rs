//! [`Extension`]: what the pax records before a header say about its member.

use std::collections::BTreeSet;

use super::fault::Fault;
use super::{Dialect, number, record};
use crate::tree::{Extent, Time, Xattrs};

/// Prefix of the records that hold extended attributes.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

/// For how much of the archive a set of records holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// For the next member.
    Member,
    /// For all members that follow.
    Global,
}

/// The properties that records can state; what is `None` the header decides.
#[derive(Debug, Clone, Default)]
pub(super) struct Extension {
    pub(super) path: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) xattrs: Xattrs,
    pub(super) sparse: SparseRecords,
    /// Keys that state something which is not understood.
    pub(super) ignored: Vec<Vec<u8>>,
}

/// The records of GNU's three pax forms of sparse files.
#[derive(Debug, Clone, Default)]
pub(super) struct SparseRecords {
    /// 1.0 only: major and minor version.
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    /// The file's own name; its `path` is one for readers that know nothing of sparse files.
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// 0.0 and 0.1 only: the map, which has `count` runs.
    pub(super) runs: Vec<Extent>,
    pub(super) count: Option<u64>,
    /// 0.0 states a run by two records.
    offset: Option<u64>,
}

/// Records that say nothing which a tree of ours could hold, or say it twice.
const HARMLESS: [&[u8]; 15] = [
    b"atime",
    b"ctime",
    b"uname",
    b"gname",
    b"comment",
    b"charset",
    b"hdrcharset",
    b"LIBARCHIVE.creationtime",
    b"LIBARCHIVE.symlinktype",
    b"SCHILY.dev",
    b"SCHILY.ino",
    b"SCHILY.nlink",
    b"SCHILY.realsize",
    b"SCHILY.filetype",
    b"SCHILY.volhdr",
];

impl Extension {
    /// Adds the records in `body`, the content of an extension header.
    pub(super) fn apply(
        &mut self,
        body: &[u8],
        scope: Scope,
        dialect: Dialect,
    ) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        for item in record::parse(body) {
            let (key, value) = item.map_err(|record::Malformed| Fault::Records)?;
            if dialect == Dialect::Strict && !seen.insert(key) {
                return Err(Fault::RecordTwice(key.to_vec()));
            }
            if scope == Scope::Global && names_one_file(key) {
                return Err(Fault::Global(key.to_vec()));
            }
            let known = self.set(key, value).ok_or_else(|| Fault::Record(key.to_vec()))?;
            match (known, dialect) {
                (Known::Yes, _) => {}
                (Known::No, Dialect::Strict) => return Err(Fault::RecordUnknown(key.to_vec())),
                (Known::No, Dialect::Lenient) => self.ignored.push(key.to_vec()),
            }
        }
        Ok(())
    }

    /// Takes one record over; `None` when its value makes no sense.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<Known> {
        match key {
            b"path" => self.path = text(value),
            b"linkpath" => self.target = text(value),
            b"size" => self.size = optional(value, size)?,
            b"uid" => self.uid = optional(value, small)?,
            b"gid" => self.gid = optional(value, small)?,
            b"mtime" => self.mtime = optional(value, number::time)?,
            b"SCHILY.devmajor" => self.major = optional(value, small)?,
            b"SCHILY.devminor" => self.minor = optional(value, small)?,
            _ if key.starts_with(b"GNU.sparse.") => return self.sparse.set(&key[11..], value),
            _ if HARMLESS.contains(&key) => {}
            _ => match key.strip_prefix(XATTR) {
                Some(name) if !name.is_empty() => {
                    self.xattrs.insert(unescaped(name), value.to_vec());
                }
                _ => return Some(Known::No),
            },
        }
        Some(Known::Yes)
    }

    /// Forgets what is reported as not understood although it is: bsdtar states every attribute
    /// a second time in a form of its own.
    pub(super) fn settle(&mut self) {
        if !self.xattrs.is_empty() {
            self.ignored.retain(|key| !key.starts_with(b"LIBARCHIVE.xattr."));
        }
    }
}

impl SparseRecords {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<Known> {
        match key {
            b"major" => self.major = Some(number::decimal(value)?),
            b"minor" => self.minor = Some(number::decimal(value)?),
            b"name" => self.name = text(value),
            b"realsize" | b"size" => self.size = Some(size(value)?),
            b"numblocks" => self.count = Some(number::decimal(value)?),
            b"offset" => match self.offset.replace(number::decimal(value)?) {
                None => {}
                Some(_) => return None,
            },
            b"numbytes" => {
                let (offset, length) = (self.offset.take()?, number::decimal(value)?);
                self.runs.push(Extent { offset, length });
            }
            b"map" => {
                let numbers: Vec<u64> =
                    value.split(|&b| b == b',').map(number::decimal).collect::<Option<_>>()?;
                let (pairs, []) = numbers.as_chunks::<2>() else { return None };
                self.runs =
                    pairs.iter().map(|&[offset, length]| Extent { offset, length }).collect();
            }
            _ => return Some(Known::No),
        }
        Some(Known::Yes)
    }

    /// Whether any record spoke of a sparse file; its name alone makes none.
    pub(super) fn is_present(&self) -> bool {
        [self.major, self.minor, self.size, self.count].iter().any(Option::is_some)
    }
}

/// Whether a record was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

/// Whether a record can only be about one file, and makes no sense for all that follow.
fn names_one_file(key: &[u8]) -> bool {
    matches!(key, b"path" | b"linkpath" | b"size")
        || key.starts_with(b"GNU.sparse.")
        || key.starts_with(XATTR)
}

/// An empty value takes a property back that a global header has set.
fn optional<T>(value: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
    if value.is_empty() { Some(None) } else { parse(value).map(Some) }
}

fn text(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

fn small(value: &[u8]) -> Option<u32> {
    u32::try_from(number::decimal(value)?).ok()
}

/// A size that can be rounded up to blocks and added to a position without overflow.
fn size(value: &[u8]) -> Option<u64> {
    number::decimal(value).filter(|&size| i64::try_from(size).is_ok())
}

/// The name of an attribute as it stands in a key: `%` and `=` escaped, as GNU tar does.
pub(super) fn escaped(name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            _ => key.push(byte),
        }
    }
    key
}

fn unescaped(mut key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(key.len());
    while let Some((&byte, rest)) = key.split_first() {
        let (byte, rest) = match key {
            [b'%', b'2', b'5', rest @ ..] => (b'%', rest),
            [b'%', b'3', b'D', rest @ ..] => (b'=', rest),
            _ => (byte, rest),
        };
        name.push(byte);
        key = rest;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(records: &[(&str, &str)], dialect: Dialect) -> Result<Extension, Fault> {
        let mut body = Vec::new();
        for (key, value) in records {
            record::push(&mut body, key.as_bytes(), value.as_bytes());
        }
        let mut extension = Extension::default();
        extension.apply(&body, Scope::Member, dialect).map(|()| extension)
    }

    #[test]
    fn attribute_names_survive_their_escaping() {
        for name in [&b"user.a"[..], b"user.a=b", b"user.%3D", b"user.%25=%", b"user.%"] {
            assert_eq!(unescaped(&escaped(name)), name);
        }
        assert_eq!(escaped(b"user.a=%"), b"user.a%3D%25");
    }

    #[test]
    fn the_last_of_equal_records_holds_and_an_empty_one_takes_back() {
        let found =
            apply(&[("uid", "1"), ("uid", "2"), ("gid", "3"), ("gid", "")], Dialect::Lenient);
        let found = found.unwrap();
        assert_eq!((found.uid, found.gid), (Some(2), None));
        let twice = apply(&[("uid", "1"), ("uid", "1")], Dialect::Strict);
        assert_eq!(twice.err(), Some(Fault::RecordTwice(b"uid".to_vec())));
    }

    #[test]
    fn what_is_not_understood_is_named_or_refused() {
        let records = [("SCHILY.acl.access", "user::rw-"), ("atime", "1"), ("comment", "c")];
        let found = apply(&records, Dialect::Lenient).unwrap();
        assert_eq!(found.ignored, [b"SCHILY.acl.access"]);
        let refused = apply(&records, Dialect::Strict).err();
        assert_eq!(refused, Some(Fault::RecordUnknown(b"SCHILY.acl.access".to_vec())));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused() {
        for record in [
            ("size", "-1"),
            ("size", "9223372036854775808"),
            ("uid", "4294967296"),
            ("uid", "0x1"),
            ("mtime", "soon"),
            ("GNU.sparse.map", "1,2,3"),
            ("GNU.sparse.numbytes", "1"),
        ] {
            let fault = Fault::Record(record.0.as_bytes().to_vec());
            assert_eq!(apply(&[record], Dialect::Lenient).err(), Some(fault));
        }
    }

    #[test]
    fn a_global_header_cannot_name_a_file() {
        let mut body = Vec::new();
        record::push(&mut body, b"path", b"etc/passwd");
        let fault = Extension::default().apply(&body, Scope::Global, Dialect::Lenient);
        assert_eq!(fault, Err(Fault::Global(b"path".to_vec())));
    }
}
