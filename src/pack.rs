//! Packing one directory of a tree into a tar, to fill a volume of a throw-away copy with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Seek;

use crate::pax::{Body, Member, WriteError, Writer};
use crate::tree::{Kind, LinkGroup, RootPath, Tree, TreeError};

/// Why a directory could not be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// The tree could not be read.
    #[error("the source cannot be read")]
    Tree(#[from] TreeError),
    /// The tar could not be written.
    #[error("the copy cannot be written")]
    Write(#[from] WriteError),
    /// There is no temporary file.
    #[error("no temporary file can be made")]
    Scratch(#[source] std::io::Error),
}

/// A tar of everything in the directory `dir` of `tree`, names seen from there; sockets are left
/// out. From the beginning, in an unlinked file.
pub(crate) fn pack(tree: &dyn Tree, dir: &RootPath) -> Result<File, PackError> {
    let file = tempfile::tempfile().map_err(PackError::Scratch)?;
    let mut writer = Writer::new(std::io::BufWriter::new(file));
    let mut links: BTreeMap<LinkGroup, Vec<u8>> = BTreeMap::new();
    for entry in tree.walk() {
        let entry = entry?;
        let Some(below) = entry.path.strip_prefix(dir) else { continue };
        if below.is_root() {
            // The directory itself is there already, and a tar cannot name it.
            continue;
        }
        let name = below.relative().to_vec();
        let meta = entry.meta.clone();
        let first = entry.links.and_then(|group| links.get(&group).cloned());
        if let Some(target) = first {
            writer.append(&Member { name, body: Body::Hardlink { target }, meta }, None, &[])?;
            continue;
        }
        links.extend(entry.links.map(|group| (group, name.clone())));
        let member = Member { name, body: Body::Node(entry.kind.clone()), meta };
        match entry.kind {
            Kind::Socket => {}
            Kind::File { .. } => {
                let extents = tree.extents(&entry)?;
                let mut content = tree.open(&entry)?;
                writer.append(&member, Some(&mut *content), &extents)?;
            }
            _ => writer.append(&member, None, &[])?,
        }
    }
    let mut file = writer.finish()?.into_inner().map_err(|e| PackError::Scratch(e.into_error()))?;
    file.rewind().map_err(PackError::Scratch)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::pax::{Dialect, Reader};
    use crate::tree::memory::MemoryTree;

    #[test]
    fn a_directory_is_packed_from_within_with_links_and_without_sockets_and_neighbours() {
        let tree = MemoryTree::default()
            .file("/data/sub/file", "content")
            .hard_link("/data/sub/link", "/data/sub/file")
            .node("/data/socket", Kind::Socket)
            .node("/data/fifo", Kind::Fifo)
            .link("/data/where", "sub/file")
            .file("/database", "a neighbour");
        let tar = pack(&tree, &RootPath::parse(b"/data").unwrap()).unwrap();
        let mut reader = Reader::new(tar, Dialect::Strict);
        let mut told = Vec::new();
        while let Some(mut read) = reader.next().unwrap() {
            let name = String::from_utf8(read.member.name.clone()).unwrap();
            let what = match &read.member.body {
                Body::Hardlink { target } => format!("= {}", String::from_utf8_lossy(target)),
                Body::Node(Kind::Symlink { target }) => {
                    format!("-> {}", String::from_utf8_lossy(target))
                }
                Body::Node(kind) => kind.word().to_owned(),
            };
            let mut content = String::new();
            read.read_to_string(&mut content).unwrap();
            told.push(format!("{name} {what} {content}").trim().to_owned());
        }
        assert_eq!(
            told,
            [
                "fifo FIFO",
                "sub directory",
                "sub/file file content",
                "sub/link = sub/file",
                "where -> sub/file",
            ]
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_empty_tar() {
        let tar = pack(&MemoryTree::default(), &RootPath::parse(b"/none").unwrap()).unwrap();
        assert!(Reader::new(tar, Dialect::Strict).next().unwrap().is_none());
    }
}
