//! Whole databases over small trees, and records made to do harm.

mod containers;
mod hostile;
mod records;

use super::*;
use crate::packages::problem::LineFault;
use crate::packages::{Digest, Md5, Presence, RecordedKind, Role};
use crate::tree::memory::MemoryTree;

/// A record in the making: tags with their type, count and data.
#[derive(Debug, Clone, Default)]
struct Draft {
    signed: Vec<(u32, u32, u32, Vec<u8>)>,
    added: Vec<(u32, u32, u32, Vec<u8>)>,
}

impl Draft {
    fn raw(mut self, tag: u32, kind: u32, count: u32, data: impl AsRef<[u8]>) -> Draft {
        self.signed.retain(|entry| entry.0 != tag);
        self.signed.push((tag, kind, count, data.as_ref().to_vec()));
        self
    }

    fn text(self, tag: u32, text: &str) -> Draft {
        self.raw(tag, 6, 1, [text.as_bytes(), b"\0"].concat())
    }

    fn texts<T: AsRef<[u8]>>(self, tag: u32, texts: &[T]) -> Draft {
        let data: Vec<u8> = texts.iter().flat_map(|t| [t.as_ref(), b"\0"].concat()).collect();
        self.raw(tag, 8, texts.len() as u32, data)
    }

    fn shorts(self, tag: u32, values: &[u16]) -> Draft {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
        self.raw(tag, 3, values.len() as u32, data)
    }

    fn ints(self, tag: u32, values: &[u32]) -> Draft {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
        self.raw(tag, 4, values.len() as u32, data)
    }

    /// What rpm adds when it installs the package.
    fn add(mut self, tag: u32, kind: u32, count: u32, data: impl AsRef<[u8]>) -> Draft {
        self.added.push((tag, kind, count, data.as_ref().to_vec()));
        self
    }

    fn without(mut self, tag: u32) -> Draft {
        self.signed.retain(|entry| entry.0 != tag);
        self
    }

    /// The record, its signed part marked off.
    fn bytes(&self) -> Vec<u8> {
        let (mut index, mut data) = (vec![], vec![]);
        let mut put = |entries: &[(u32, u32, u32, Vec<u8>)], data: &mut Vec<u8>| {
            for (tag, kind, count, values) in entries {
                index.extend([*tag, *kind, data.len() as u32, *count]);
                data.extend(values);
            }
        };
        put(&self.signed, &mut data);
        let trailer = data.len() as u32;
        let back = (-16 * (self.signed.len() as i32 + 1)).cast_unsigned();
        data.extend([63, 7, back, 16].iter().flat_map(|n: &u32| n.to_be_bytes()));
        put(&self.added, &mut data);
        let mut all = vec![index.len() as u32 / 4 + 1, data.len() as u32, 63, 7, trailer, 16];
        all.extend(index);
        let head: Vec<u8> = all.iter().flat_map(|n| n.to_be_bytes()).collect();
        [head, data].concat()
    }
}

/// A package without files.
fn bare(name: &str) -> Draft {
    Draft::default().text(1000, name).text(1001, "1").text(1002, "2")
}

/// A package with files of mode 0644, in the directory `dir`.
fn with_files(name: &str, dir: &str, files: &[&str]) -> Draft {
    bare(name)
        .texts(1117, files)
        .texts(1118, &[dir])
        .ints(1116, &vec![0; files.len()])
        .shorts(1030, &vec![0o100_644; files.len()])
}

/// The database of rpm's own kind that holds `records`, numbered from 1.
fn ndb<B: AsRef<[u8]>>(records: &[B]) -> Vec<u8> {
    let le = |numbers: &[usize]| -> Vec<u8> {
        numbers.iter().flat_map(|&n| (n as u32).to_le_bytes()).collect()
    };
    let mut head = [b"RpmP".to_vec(), le(&[0, 1, 1, records.len() + 1, 0, 0, 0])].concat();
    let mut blocks = vec![];
    for (at, record) in records.iter().enumerate() {
        let (id, record) = (at + 1, record.as_ref());
        let begin = blocks.len();
        blocks.extend([b"BlbS".to_vec(), le(&[id, 1, record.len()])].concat());
        blocks.extend(record);
        while (blocks.len() + 12) % 16 != 0 {
            blocks.push(0);
        }
        let sum = super::ndb::adler32(&blocks[begin..]) as usize;
        blocks.extend([le(&[sum, record.len()]), b"BlbE".to_vec()].concat());
        let length = (blocks.len() - begin) / 16;
        head.extend([b"Slot".to_vec(), le(&[id, begin / 16 + 256, length])].concat());
    }
    while head.len() < 4096 {
        head.extend([b"Slot".to_vec(), le(&[0, 0, 0])].concat());
    }
    [head, blocks].concat()
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

/// A merged `/usr` with a database.
fn tree(records: &[Vec<u8>]) -> MemoryTree {
    MemoryTree::default()
        .dir("/usr/bin")
        .link("/bin", "usr/bin")
        .file("/usr/lib/sysimage/rpm/Packages.db", ndb(records))
}

fn load(tree: &MemoryTree) -> Rpm {
    Rpm::load(tree).unwrap().unwrap()
}

fn names(rpm: &Rpm) -> Vec<&str> {
    rpm.packages.iter().map(|package| package.name.as_str()).collect()
}

fn shown(rpm: &Rpm) -> Vec<String> {
    rpm.problems.iter().map(ToString::to_string).collect()
}
