//! [`Spooler`]: takes the members of a tar one by one and makes a [`TarTree`] of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use super::content::{Data, ReadMember};
use super::problem::Problem;
use super::section::Run;
use super::tarball::{Node, Stored, TarTree};
use super::{Body, Dialect, MAX_ENTRIES, Member, ReadError, Reader, sparse};
use crate::tree::{Extent, Kind, Meta, RootPath};

/// What of a regular file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Its entry and its content.
    Content,
    /// Its entry; opening it is an error.
    Listing,
}

/// Where contents end up in the spool.
#[derive(Debug, Clone, Copy)]
pub(super) enum Contents {
    /// At its end, which is this many bytes from its beginning.
    Copied(u64),
    /// Where they are: the spool holds the tar itself from this byte on.
    InPlace(u64),
}

/// A tree in the making.
pub(super) struct Spooler {
    spool: File,
    contents: Contents,
    /// How many entries may still come.
    left: u64,
    names: BTreeMap<RootPath, usize>,
    nodes: Vec<Node>,
    /// Hard links whose targets have not come yet.
    waiting: BTreeMap<RootPath, RootPath>,
    problems: Vec<Problem>,
    buffer: Vec<u8>,
}

impl TarTree {
    /// Reads a tar in [`Dialect::Lenient`] from `input` to its end, and keeps contents in `spool`:
    /// an empty file that nobody else writes, best one without a name.
    ///
    /// `keep` is asked once for every regular file. Of equal names the last one holds. A hard
    /// link is a further name of what its target is at that point of the archive, or at its end
    /// when the target comes later. Directories that the tar does not mention belong to root,
    /// with mode 0755 and time 0.
    ///
    /// # Errors
    /// Any damage of the stream; nothing that is wrong with a single entry, which is a
    /// [`Problem`].
    pub(crate) fn spool(
        input: &mut dyn Read,
        spool: File,
        keep: &mut dyn FnMut(&Member) -> Keep,
    ) -> Result<TarTree, ReadError> {
        TarTree::read(input, Spooler::new(spool, Contents::Copied(0), MAX_ENTRIES), keep)
    }

    /// As [`spool`](TarTree::spool), but nothing is copied: `input` reads the tar that lies in
    /// `file` from byte `start` on, and contents are read there later. Nobody may change `file`
    /// meanwhile.
    ///
    /// # Errors
    /// As [`spool`](TarTree::spool).
    pub(crate) fn in_place(
        input: &mut dyn Read,
        file: File,
        start: u64,
    ) -> Result<TarTree, ReadError> {
        let spooler = Spooler::new(file, Contents::InPlace(start), MAX_ENTRIES);
        TarTree::read(input, spooler, &mut |_| Keep::Content)
    }

    pub(super) fn read(
        input: &mut dyn Read,
        mut spooler: Spooler,
        keep: &mut dyn FnMut(&Member) -> Keep,
    ) -> Result<TarTree, ReadError> {
        let input = BufReader::with_capacity(1 << 16, input);
        let mut reader = Reader::new(input, Dialect::Lenient);
        while let Some(member) = reader.next()? {
            spooler.add(member, keep)?;
        }
        Ok(spooler.finish(reader.trailing_bytes()))
    }
}

impl Spooler {
    /// Takes at most `most` entries.
    pub(super) fn new(spool: File, contents: Contents, most: u64) -> Spooler {
        Spooler {
            spool,
            contents,
            left: most,
            names: BTreeMap::new(),
            nodes: vec![],
            waiting: BTreeMap::new(),
            problems: vec![],
            buffer: vec![0; 1 << 16],
        }
    }

    /// Takes in one member.
    pub(super) fn add<R: Read>(
        &mut self,
        mut member: ReadMember<'_, R>,
        keep: &mut dyn FnMut(&Member) -> Keep,
    ) -> Result<(), ReadError> {
        self.left = self.left.checked_sub(1).ok_or(ReadError::Entries)?;
        for key in std::mem::take(&mut member.ignored) {
            self.problems.push(Problem::Ignored { name: member.member.name.clone(), key });
        }
        let position = member.position();
        let (member, extents, data) = member.split();
        let name = member.name.clone();
        let path = match RootPath::parse(&name) {
            Ok(path) => path,
            Err(source) => {
                self.problems.push(Problem::Name { name, source });
                return Ok(());
            }
        };
        if path.is_root() && member.body != Body::Node(Kind::Dir) {
            self.problems.push(Problem::Root { name });
            return Ok(());
        }
        let stored = match &member.body {
            Body::Hardlink { target } => {
                self.link(path, name, target);
                return Ok(());
            }
            Body::Node(Kind::Symlink { target }) if target.is_empty() || target.contains(&0) => {
                self.problems.push(Problem::Symlink { name });
                return Ok(());
            }
            Body::Node(Kind::File { size }) => match keep(&member) {
                Keep::Content => {
                    let start = self.store(data, position)?;
                    located(start, &extents, *size)
                }
                Keep::Listing => Stored::Listed,
            },
            Body::Node(_) => Stored::Nothing,
        };
        if let Body::Node(kind) = member.body {
            self.put(path, Node { kind, meta: member.meta, stored, names: 1 });
        }
        Ok(())
    }

    /// Sees to it that the data of a file is in the spool, and says where it begins; `position` is
    /// its place in the tar.
    fn store<R: Read>(&mut self, mut data: Data<'_, R>, position: u64) -> Result<u64, ReadError> {
        let start = match self.contents {
            // The reader goes over it, and finds out whether it is all there.
            Contents::InPlace(start) => return Ok(start + position),
            Contents::Copied(end) => end,
        };
        let mut end = start;
        loop {
            let length = match data.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let piece = &self.buffer[..length];
            self.spool.write_all_at(piece, end).map_err(ReadError::Spool)?;
            end += length as u64;
        }
        self.contents = Contents::Copied(end);
        Ok(start)
    }

    /// Makes `node` the one at `path`; what was there loses this name.
    fn put(&mut self, path: RootPath, node: Node) {
        self.waiting.remove(&path);
        match self.names.get(&path) {
            Some(&old) if self.nodes[old].names == 1 => self.nodes[old] = node,
            _ => {
                // Growing by halves would need twice the memory for a moment.
                if self.nodes.len() == self.nodes.capacity() {
                    self.nodes.reserve_exact(64 + self.nodes.len() / 4);
                }
                self.nodes.push(node);
                self.name(path, self.nodes.len() - 1);
            }
        }
    }

    /// Lets `path` be a name of the node at `index`, which counts it already.
    fn name(&mut self, path: RootPath, index: usize) {
        if let Some(old) = self.names.insert(path, index) {
            self.nodes[old].names -= 1;
        }
    }

    fn link(&mut self, path: RootPath, name: Vec<u8>, target: &[u8]) {
        match RootPath::parse(target) {
            Ok(to) if self.names.contains_key(&to) => self.join(path, &to),
            Ok(to) if to != path => {
                self.waiting.insert(path, to);
            }
            _ => self.problems.push(Problem::Dangling { name, target: target.to_vec() }),
        }
    }

    /// Makes `path` a further name of what `to` names.
    fn join(&mut self, path: RootPath, to: &RootPath) {
        self.waiting.remove(&path);
        let (name, target) = (path.relative().to_vec(), to.relative().to_vec());
        match self.names.get(to) {
            None => self.problems.push(Problem::Dangling { name, target }),
            Some(&index) if self.nodes[index].kind.is_dir() => {
                self.problems.push(Problem::LinkedDirectory { name, target });
            }
            Some(&index) => {
                self.nodes[index].names += 1;
                self.name(path, index);
            }
        }
    }

    /// The tree, after the last member; `trailing` bytes of data followed the archive.
    pub(super) fn finish(mut self, trailing: u64) -> TarTree {
        self.settle_links();
        let implied = self.settle_parents();
        if trailing > 0 {
            self.problems.push(Problem::Trailing { bytes: trailing });
        }
        self.nodes.shrink_to_fit();
        let Spooler { spool, names, nodes, problems, .. } = self;
        TarTree { spool, names, nodes, problems, implied }
    }

    /// Resolves links to what came after them, through links that waited themselves.
    fn settle_links(&mut self) {
        while let Some((path, mut to)) = self.waiting.pop_first() {
            let mut chain = vec![path];
            // Every link is taken out on the way, so that a circle comes to an end.
            while let Some((path, next)) = self.waiting.remove_entry(&to) {
                chain.push(path);
                to = next;
            }
            for path in chain {
                self.join(path, &to);
            }
        }
    }

    /// Adds the directories that are missing and returns them, and takes out what lies below
    /// anything else.
    fn settle_parents(&mut self) -> BTreeSet<RootPath> {
        let mut missing = BTreeSet::new();
        let mut below = Vec::new();
        let mut leaf: Option<&RootPath> = None;
        for (path, &index) in &self.names {
            // What lies below a path directly follows it.
            if let Some(above) = leaf.filter(|leaf| path.is_within(leaf)) {
                below.push((path.clone(), above.clone()));
                continue;
            }
            let mut parent = path.parent();
            while let Some(dir) = parent.filter(|dir| !self.names.contains_key(dir)) {
                parent = dir.parent();
                if !missing.insert(dir) {
                    break;
                }
            }
            if !self.nodes[index].kind.is_dir() {
                leaf = Some(path);
            }
        }
        if !self.names.contains_key(&RootPath::root()) {
            missing.insert(RootPath::root());
        }
        for (path, above) in below {
            if let Some(index) = self.names.remove(&path) {
                self.nodes[index].names -= 1;
            }
            self.problems.push(Problem::Below { path, above });
        }
        for path in &missing {
            let meta = Meta::root(0o755);
            let node = Node { kind: Kind::Dir, meta, stored: Stored::Nothing, names: 1 };
            self.put(path.clone(), node);
        }
        missing
    }
}

/// Where the content of a file of `size` bytes is whose data begins at `start` of the spool.
fn located(start: u64, extents: &[Extent], size: u64) -> Stored {
    if *extents == *sparse::whole(size) {
        return Stored::Whole(start);
    }
    let mut place = start;
    let runs = extents.iter().map(|&Extent { offset, length }| {
        let run = Run { offset, length, place };
        place += length;
        run
    });
    Stored::Runs(runs.collect())
}
