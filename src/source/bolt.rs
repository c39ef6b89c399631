//! [`Bolt`]: the database files of containerd, read without the program that writes them.
//!
//! A file of bbolt is a tree of pages: two pages at the front (metas) say in turn where the newest
//! tree begins, and no page of that tree is written again before the next one is complete. So what
//! was read is one state of the database exactly when the newest meta is the same afterwards.
//!
//! The layout is that of bbolt's version 2, in the byte order of the machine that wrote it; only
//! little endian is read. Everything in the file is a claim: offsets are checked, and no page is
//! visited more often than there are pages.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Larger than the database of any machine; each snapshot takes some hundred bytes.
const MAX_FILE: u64 = 512 << 20;

/// How often a file that is being written is read again.
const READINGS: usize = 5;

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// Bytes in front of every page.
const HEADER: usize = 16;
/// Bytes of an element of a page.
const ELEMENT: usize = 16;
/// Bytes of a meta, and of them those that its checksum is over.
const META: usize = 64;
const SUMMED: usize = 56;
/// Bytes of a bucket in front of its own page, where it has one.
const BUCKET: usize = 16;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
/// Of an element: its value is a bucket.
const IS_BUCKET: u32 = 0x01;

/// One state of a database.
pub(super) struct Bolt {
    bytes: Vec<u8>,
    page_size: usize,
    root: u64,
}

/// A named collection of keys in a database.
#[derive(Clone, Copy)]
pub(super) struct Bucket<'a> {
    bolt: &'a Bolt,
    page: PageAt<'a>,
}

/// What stands under a key.
pub(super) enum Value<'a> {
    Bytes(&'a [u8]),
    Bucket(Bucket<'a>),
}

/// Where a bucket's tree begins.
#[derive(Clone, Copy)]
enum PageAt<'a> {
    Number(u64),
    /// In the value itself.
    Inline(&'a [u8]),
}

/// The part of a meta that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Newest {
    transaction: u64,
    root: u64,
    page_size: usize,
}

impl Bolt {
    /// Reads the file at `path`; `None` for what is no such database.
    ///
    /// # Errors
    /// The system's; that the file was written all the while.
    pub(super) fn read(path: &Path) -> io::Result<Option<Bolt>> {
        let file = File::open(path)?;
        for _ in 0..READINGS {
            let mut bytes = vec![];
            (&file).take(MAX_FILE).read_to_end(&mut bytes)?;
            let whole = |newest: &Newest| bytes.len() >= 2 * newest.page_size;
            let Some(newest) = newest(&bytes).filter(whole) else { return Ok(None) };
            let mut front = vec![0; 2 * newest.page_size];
            file.read_exact_at(&mut front, 0)?;
            if self::newest(&front) == Some(newest) {
                let Newest { root, page_size, .. } = newest;
                return Ok(Some(Bolt { bytes, page_size, root }));
            }
            io::Seek::rewind(&mut &file)?;
        }
        Err(io::Error::other("it is being written"))
    }

    /// The bucket with this name in that one, and so on from the root.
    pub(super) fn bucket(&self, names: &[&[u8]]) -> Option<Bucket<'_>> {
        let mut bucket = Bucket { bolt: self, page: PageAt::Number(self.root) };
        for name in names {
            let found = bucket.entries().into_iter().find(|(key, _)| key == name);
            let Some((_, Value::Bucket(inner))) = found else { return None };
            bucket = inner;
        }
        Some(bucket)
    }

    /// A page with what follows it; elements lead there.
    fn page(&self, number: u64) -> Option<&[u8]> {
        let at = usize::try_from(number).ok()?.checked_mul(self.page_size)?;
        self.bytes.get(at..).filter(|page| page.len() >= HEADER)
    }
}

impl<'a> Bucket<'a> {
    /// Everything in it, in the order of the keys; what is damaged is left out.
    pub(super) fn entries(&self) -> Vec<(&'a [u8], Value<'a>)> {
        let mut entries = vec![];
        let mut left = self.bolt.bytes.len() / self.bolt.page_size + 1;
        let mut todo = vec![self.page];
        while let (Some(at), Some(fewer)) = (todo.pop(), left.checked_sub(1)) {
            left = fewer;
            let page = match at {
                PageAt::Number(number) => self.bolt.page(number),
                PageAt::Inline(page) => Some(page),
            };
            let Some(page) = page else { continue };
            match flags(page) {
                Some(BRANCH) => {
                    let pages = elements(page).filter_map(|element| u64_at(element, 8));
                    // The last one on the stack is the next.
                    let from = todo.len();
                    todo.extend(pages.map(PageAt::Number));
                    todo[from..].reverse();
                }
                Some(LEAF) => {
                    entries.extend(elements(page).filter_map(|element| self.entry(element)));
                }
                _ => {}
            }
        }
        entries
    }

    /// The value of `key`, where that is no bucket.
    pub(super) fn value(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.entries().into_iter().find_map(|(found, value)| match value {
            Value::Bytes(bytes) if found == key => Some(bytes),
            _ => None,
        })
    }

    fn entry(&self, element: &'a [u8]) -> Option<(&'a [u8], Value<'a>)> {
        let at = |from| u32_at(element, from).and_then(|n| usize::try_from(n).ok());
        let (flags, from) = (u32_at(element, 0)?, at(4)?);
        let middle = from.checked_add(at(8)?)?;
        let key = element.get(from..middle)?;
        let value = element.get(middle..middle.checked_add(at(12)?)?)?;
        if flags & IS_BUCKET == 0 {
            return Some((key, Value::Bytes(value)));
        }
        let page = match u64_at(value, 0)? {
            0 => PageAt::Inline(value.get(BUCKET..)?),
            number => PageAt::Number(number),
        };
        Some((key, Value::Bucket(Bucket { bolt: self.bolt, page })))
    }
}

/// The newer one of the two metas that are whole.
fn newest(bytes: &[u8]) -> Option<Newest> {
    let first = meta(bytes, 0);
    // The second stands where the first says that pages end; without it, where they usually do.
    let size = first.map_or(4096, |meta| meta.page_size);
    let second = meta(bytes, size);
    first.into_iter().chain(second).max_by_key(|meta| meta.transaction)
}

fn meta(bytes: &[u8], page: usize) -> Option<Newest> {
    let meta = bytes.get(page + HEADER..page + HEADER + META)?;
    // FNV-1a with 64 bits.
    let sum = meta[..SUMMED].iter().fold(0xCBF2_9CE4_8422_2325_u64, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let page_size = usize::try_from(u32_at(meta, 8)?).ok()?;
    let whole = u32_at(meta, 0)? == MAGIC
        && u32_at(meta, 4)? == VERSION
        && u64_at(meta, SUMMED)? == sum
        && (512..=1 << 20).contains(&page_size);
    let (root, transaction) = (u64_at(meta, 16)?, u64_at(meta, 48)?);
    whole.then_some(Newest { transaction, root, page_size })
}

fn flags(page: &[u8]) -> Option<u16> {
    Some(u16::from_le_bytes(page.get(8..10)?.try_into().ok()?))
}

/// The elements of a page, each with all that follows it: positions count from its beginning.
fn elements(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = page.get(10..12).and_then(|n| n.try_into().ok()).map_or(0, u16::from_le_bytes);
    (0..usize::from(count)).map_while(move |number| page.get(HEADER + number * ELEMENT..))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The snapshots of a Docker 28.5 with two images and more than 40 containers: its bucket
    /// has branches.
    pub(in crate::source) fn database() -> Vec<u8> {
        let packed = include_bytes!("../../fixtures/containerd/metadata.db.zst");
        zstd::decode_all(packed.as_slice()).unwrap()
    }

    fn read(bytes: &[u8]) -> Option<Bolt> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metadata.db");
        std::fs::write(&path, bytes).unwrap();
        Bolt::read(&path).unwrap()
    }

    fn names(bolt: &Bolt) -> Vec<Vec<u8>> {
        let bucket = bolt.bucket(&[b"v1", b"snapshots"]);
        bucket.map_or(vec![], |b| b.entries().iter().map(|(key, _)| key.to_vec()).collect())
    }

    #[test]
    fn a_bucket_is_read_over_all_its_pages_in_order() {
        let bolt = read(&database()).unwrap();
        let names = names(&bolt);
        assert_eq!(names.len(), 85);
        assert!(names.is_sorted());
        let value = bolt.bucket(&[b"v1", b"snapshots", &names[0]]).unwrap();
        assert!(value.value(b"id").is_some() && value.value(b"none").is_none());
        assert!(bolt.bucket(&[b"v2"]).is_none());
    }

    #[test]
    fn the_newer_meta_counts_and_a_torn_one_does_not() {
        let whole = database();
        let (a, b) = (meta(&whole, 0).unwrap(), meta(&whole, 4096).unwrap());
        assert!(newest(&whole).unwrap().transaction == a.transaction.max(b.transaction));
        for torn in [0, 4096] {
            let mut bytes = whole.clone();
            bytes[torn + HEADER + 20] ^= 1;
            let left = if torn == 0 { b } else { a };
            assert!(newest(&bytes) == Some(left));
        }
        assert!(read(b"").is_none());
        assert!(read(&vec![7; 10_000]).is_none());
    }

    #[test]
    fn no_flipped_byte_and_no_cut_end_leads_to_a_panic() {
        let whole = database();
        for at in (0..whole.len()).step_by(61) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            read(&bytes).map(|bolt| names(&bolt));
            read(&whole[..at]).map(|bolt| names(&bolt));
        }
    }

    #[test]
    fn pages_that_lead_in_a_circle_come_to_an_end() {
        let mut bytes = database();
        let root = usize::try_from(newest(&bytes).unwrap().root).unwrap() * 4096;
        bytes[root + 8..root + 12].copy_from_slice(&[1, 0, 2, 0]);
        for number in 0..2 {
            let element = root + HEADER + number * ELEMENT;
            bytes[element + 8..element + 16].copy_from_slice(&(root as u64 / 4096).to_le_bytes());
        }
        let bolt = read(&bytes).unwrap();
        assert!(Bucket { bolt: &bolt, page: PageAt::Number(bolt.root) }.entries().is_empty());
    }
}
