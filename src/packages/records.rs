//! [`Records`]: the one way in which package records are read from a tree.
//!
//! Everything a record says is turned into something usable or into a [`Problem`] here: a file
//! into bytes of bounded size, a path as recorded into the place where that file really lies.

use std::collections::HashMap;

use super::problem::{LineFault, Problem, Problems, chain};
use crate::tree::{self, Entry, Kind, RootPath, Tree, TreeError};

/// Directories as recorded, with the directory they are; `None` when that is the same.
type Directories = HashMap<RootPath, Option<RootPath>>;

/// Tables of a line per thing: real ones have some hundred lines.
pub(crate) const MAX_TABLE: u64 = 16 << 20;

/// The kernel's limit; no file on disk was ever named by more.
const MAX_PATH: usize = 4096;

/// Reads a tree's package records.
pub(crate) struct Records<'t> {
    /// The tree.
    pub(crate) tree: &'t dyn Tree,
    /// What was wrong so far.
    pub(crate) problems: Problems,
    directories: Directories,
    /// What another reader knew before this one began.
    known: Option<&'t Directories>,
    /// The directory asked for last, as recorded and as it lies: records name neighbours.
    last: Option<(RootPath, RootPath)>,
}

/// What a reader found out beside another.
pub(crate) struct Learned {
    problems: Problems,
    directories: Directories,
}

impl<'t> Records<'t> {
    /// A reader of `tree`.
    pub(crate) fn new(tree: &'t dyn Tree) -> Records<'t> {
        Records {
            tree,
            problems: Problems::default(),
            directories: Directories::new(),
            known: None,
            last: None,
        }
    }

    /// A reader of its own that knows what this one knows: for reading beside others.
    pub(crate) fn beside(&self) -> Records<'_> {
        Records { known: Some(&self.directories), ..Records::new(self.tree) }
    }

    /// What this reader found out, for the one it was made beside.
    pub(crate) fn into_learned(self) -> Learned {
        Learned { problems: self.problems, directories: self.directories }
    }

    /// Takes over what a reader beside this one found out.
    pub(crate) fn learn(&mut self, learned: Learned) {
        self.problems.append(learned.problems);
        self.directories.extend(learned.directories);
    }

    /// The content of a file of at most `limit` bytes; `None` when there is none, or it cannot be
    /// read, which is a problem.
    pub(crate) fn read(&mut self, path: &RootPath, limit: u64) -> Option<Vec<u8>> {
        let content = tree::read_file(self.tree, path, limit);
        self.or_problem(path, content).flatten()
    }

    /// The entries directly below `dir`; none when there is no such directory.
    pub(crate) fn list(&mut self, dir: &RootPath) -> Vec<Entry> {
        let entries = tree::list(self.tree, dir);
        self.or_problem(dir, entries).unwrap_or_default()
    }

    /// Turns an error about `path` into a problem.
    pub(crate) fn or_problem<T>(
        &mut self,
        path: &RootPath,
        result: Result<T, TreeError>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let why = chain(&error);
                self.problems.note(Problem::Unreadable { file: path.clone(), why });
                None
            }
        }
    }

    /// Where the entry that records call `path` really lies: links in the directories above it
    /// are followed, itself is not. What does not exist stays where it was said to be.
    pub(crate) fn place(&mut self, path: &RootPath) -> RootPath {
        let Some(parent) = path.parent_bytes() else { return path.clone() };
        if let Some((_, place)) = self.last.as_ref().filter(|(last, _)| last.as_bytes() == parent) {
            return place.child(path.name());
        }
        let parent = path.parent().unwrap_or_else(RootPath::root);
        let place = self.directory(&parent);
        let placed = place.child(path.name());
        self.last = Some((parent, place));
        placed
    }

    /// The directory that records call `dir`, all links followed.
    pub(crate) fn directory(&mut self, dir: &RootPath) -> RootPath {
        // Not a recursion: a path may be thousands of components deep.
        let mut unknown = vec![];
        let mut at = dir.clone();
        let mut place = loop {
            let known = self.directories.get(&at);
            if let Some(known) = known.or_else(|| self.known?.get(&at)) {
                break known.clone().unwrap_or(at);
            }
            match at.parent() {
                None => break at,
                Some(parent) => unknown.push(std::mem::replace(&mut at, parent)),
            }
        };
        while let Some(path) = unknown.pop() {
            place = self.follow(place.child(path.name()));
            let known = if place == path { None } else { Some(place.clone()) };
            self.directories.insert(path, known);
        }
        place
    }

    /// The directory at `path`, whose parent is canonical.
    fn follow(&mut self, path: RootPath) -> RootPath {
        let entry = self.tree.entry(&path);
        match self.or_problem(&path, entry).flatten().map(|entry| entry.kind) {
            Some(Kind::Symlink { .. }) => {
                let target = tree::resolve(self.tree, &path);
                self.or_problem(&path, target).flatten().unwrap_or(path)
            }
            _ => path,
        }
    }
}

/// Reads a path that a record names.
pub(crate) fn recorded_path(bytes: &[u8]) -> Result<RootPath, LineFault> {
    if bytes.len() >= MAX_PATH {
        return Err(LineFault::PathTooLong);
    }
    Ok(RootPath::parse(bytes)?)
}

/// The lines of a file, without their line breaks.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|&b| b == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_recorded_path_is_placed_through_the_trees_own_directory_links() {
        let tree = MemoryTree::default()
            .dir("/usr/bin")
            .dir("/usr/lib/x86_64-linux-gnu")
            .dir("/run/lock")
            .link("/bin", "usr/bin")
            .link("/lib", "usr/lib")
            .link("/var/run", "/run")
            .link("/var/lock", "../run/lock")
            .link("/gone", "/nowhere")
            .link("/loop", "/loop")
            .link("/usr/bin/awk", "/etc/alternatives/awk");
        let mut records = Records::new(&tree);
        let places = [
            ("/", "/"),
            ("/bin", "/bin"),
            ("/bin/awk", "/usr/bin/awk"),
            ("/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("/lib/missing/dir/x", "/usr/lib/missing/dir/x"),
            ("/var/run/a/b", "/run/a/b"),
            ("/var/lock/a", "/run/lock/a"),
            ("/gone/a", "/gone/a"),
            ("/loop/a", "/loop/a"),
            ("/usr/bin/ls", "/usr/bin/ls"),
        ];
        for (recorded, real) in places {
            assert_eq!(records.place(&path(recorded)), path(real), "{recorded}");
        }
        let problems = records.problems.finish();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(matches!(&problems[0], Problem::Unreadable { file, .. } if *file == path("/loop")));
    }

    #[test]
    fn a_reader_beside_another_knows_as_much_and_tells_what_it_learned() {
        let tree = MemoryTree::default()
            .dir("/usr/lib")
            .dir("/srv/real")
            .link("/lib", "usr/lib")
            .link("/data", "srv/real")
            .link("/loop", "/loop");
        let mut records = Records::new(&tree);
        records.place(&path("/lib/a"));
        let mut beside = records.beside();
        assert_eq!(beside.place(&path("/lib/b")), path("/usr/lib/b"));
        assert_eq!(beside.place(&path("/data/b")), path("/srv/real/b"));
        beside.place(&path("/loop/b"));
        let learned = beside.into_learned();
        let known: Vec<&RootPath> = learned.directories.keys().collect();
        assert!(!known.contains(&&path("/lib")) && known.contains(&&path("/data")), "{known:?}");
        records.learn(learned);
        assert_eq!(records.directories[&path("/data")], Some(path("/srv/real")));
        assert_eq!(records.problems.finish().len(), 1);
    }

    #[test]
    fn a_path_deeper_than_the_stack_is_placed_or_refused() {
        let deep = "/a".repeat(2000);
        let tree = MemoryTree::default().dir("/b").link("/a", "b");
        let place = Records::new(&tree).place(&path(&deep));
        assert_eq!(place, path(&deep.replacen("/a", "/b", 1)));
        assert_eq!(recorded_path("/a".repeat(2048).as_bytes()), Err(LineFault::PathTooLong));
    }
}
