//! [`Search`]: where a system's loader of programs finds a library.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::elf::{Elf, Machine};
use crate::tree::{Entry, Kind, RootPath, Tree, TreeError, list, read_file, resolve};

/// Where the directories of libraries are listed.
const LIST: RootPath = RootPath::literal("/etc/ld.so.conf");
/// Largest such list.
const LIST_LIMIT: u64 = 64 * 1024;
/// How many lists are read.
const MOST_LISTS: usize = 256;

/// Where libraries are without being listed.
const DEFAULTS: [RootPath; 9] = [
    RootPath::literal("/lib"),
    RootPath::literal("/usr/lib"),
    RootPath::literal("/lib64"),
    RootPath::literal("/usr/lib64"),
    RootPath::literal("/lib32"),
    RootPath::literal("/usr/lib32"),
    RootPath::literal("/libx32"),
    RootPath::literal("/usr/libx32"),
    RootPath::literal("/usr/local/lib"),
];

/// Below these, a machine's libraries have a directory that is named by it.
const SHARED: [RootPath; 3] =
    [RootPath::literal("/lib"), RootPath::literal("/usr/lib"), RootPath::literal("/usr/local/lib")];

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// The name that it was found by.
    pub(crate) by: RootPath,
    /// The file that this leads to.
    pub(crate) place: RootPath,
}

/// Where a system's loader of programs finds a library.
pub(super) struct Search<'a> {
    tree: &'a dyn Tree,
    /// Whether every file can be opened. Where not, one that cannot counts as what its name says.
    whole: bool,
    listed: Vec<RootPath>,
    places: RefCell<HashMap<Machine, Rc<Vec<RootPath>>>>,
    files: RefCell<HashMap<RootPath, Option<Rc<Elf>>>>,
}

impl<'a> Search<'a> {
    /// In a system of which every file can be opened; `also` are directories beside those listed.
    pub(super) fn whole(tree: &'a dyn Tree, also: &[RootPath]) -> Search<'a> {
        Search::new(tree, true, also.to_vec())
    }

    /// In a system of which only what was kept can be opened; `also` are further directories that
    /// are likely to have been listed.
    pub(super) fn kept(tree: &'a dyn Tree, also: &[RootPath]) -> Search<'a> {
        Search::new(tree, false, also.to_vec())
    }

    fn new(tree: &'a dyn Tree, whole: bool, mut listed: Vec<RootPath>) -> Search<'a> {
        listed.extend(directories(tree));
        let (places, files) = Default::default();
        Search { tree, whole, listed, places, files }
    }

    /// The directories that are listed.
    pub(super) fn listed(&self) -> &[RootPath] {
        &self.listed
    }

    /// Where libraries for `machine` are looked for, whoever asks.
    pub(super) fn places(&self, machine: Machine) -> Result<Rc<Vec<RootPath>>, TreeError> {
        if let Some(known) = self.places.borrow().get(&machine) {
            return Ok(known.clone());
        }
        let mut places = self.listed.clone();
        for dir in &SHARED {
            for entry in list(self.tree, dir)? {
                let name = String::from_utf8_lossy(entry.path.name()).into_owned();
                let is_its = |triplet: &&str| {
                    name.strip_prefix(*triplet).is_some_and(|rest| rest.starts_with("-linux"))
                };
                if machine.triplets().iter().any(is_its) {
                    places.push(dir.child(entry.path.name()));
                }
            }
        }
        places.extend(DEFAULTS);
        let places = Rc::new(places);
        self.places.borrow_mut().insert(machine, places.clone());
        Ok(places)
    }

    /// Where `program`, which lies at `at`, finds `library`.
    pub(super) fn find(
        &self,
        library: &[u8],
        program: &Elf,
        at: &RootPath,
    ) -> Result<Option<Found>, TreeError> {
        let fits = |path: &RootPath| self.fits(path, program.machine);
        if library.contains(&b'/') {
            let absolute = library.starts_with(b"/");
            return if absolute { fits(&RootPath::root().aim(library)) } else { Ok(None) };
        }
        if library.is_empty() || library == b"." || library == b".." {
            return Ok(None);
        }
        for dir in own_places(program, at) {
            if let Some(found) = fits(&dir.child(library))? {
                return Ok(Some(found));
            }
        }
        for dir in self.places(program.machine)?.iter() {
            if let Some(found) = fits(&dir.child(library))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The names of links to what is called by one of `names`, where libraries are.
    pub(super) fn names_of(
        &self,
        names: &BTreeSet<Vec<u8>>,
    ) -> Result<BTreeSet<Vec<u8>>, TreeError> {
        let mut found = BTreeSet::new();
        let mut dirs: BTreeSet<RootPath> =
            DEFAULTS.into_iter().chain(self.listed.clone()).collect();
        for dir in &SHARED {
            let named = list(self.tree, dir)?;
            let named = named.iter().filter(|entry| entry.kind.is_dir());
            let is_shared = |name: &[u8]| name.windows(7).any(|part| part == b"-linux-");
            let named = named.filter(|entry| is_shared(entry.path.name()));
            dirs.extend(named.map(|entry| entry.path.clone()));
        }
        for dir in &dirs {
            for entry in list(self.tree, dir)? {
                let Kind::Symlink { target } = &entry.kind else { continue };
                let end = target.rsplit(|&b| b == b'/').next().unwrap_or_default();
                if names.contains(end) {
                    found.insert(entry.path.name().to_vec());
                }
            }
        }
        Ok(found)
    }

    /// The library at `path`, if it is one for `machine`.
    fn fits(&self, path: &RootPath, machine: Machine) -> Result<Option<Found>, TreeError> {
        let Ok(Some(place)) = resolve(self.tree, path) else { return Ok(None) };
        let Some(entry) = self.tree.entry(&place)? else { return Ok(None) };
        if !entry.kind.is_file() {
            return Ok(None);
        }
        let is_one = match self.elf(&entry) {
            Some(elf) => elf.machine == machine,
            None => !self.whole,
        };
        Ok(is_one.then(|| Found { by: path.clone(), place }))
    }

    /// As [`Self::elf`], of one that is asked for once.
    pub(super) fn read(&self, entry: &Entry) -> Option<Elf> {
        self.tree.open(entry).ok().and_then(|mut content| Elf::read(&mut *content))
    }

    /// The program or library that `entry` is, where it can be one.
    pub(super) fn program(&self, entry: &Entry) -> Option<Elf> {
        may_be_program(entry).then(|| self.read(entry)).flatten()
    }

    /// What the file at `entry` needs; `None` where it is no program or cannot be opened.
    pub(super) fn elf(&self, entry: &Entry) -> Option<Rc<Elf>> {
        if let Some(known) = self.files.borrow().get(&entry.path) {
            return known.clone();
        }
        let read = self.read(entry).map(Rc::new);
        self.files.borrow_mut().insert(entry.path.clone(), read.clone());
        read
    }
}

/// Whether `entry` may be a program or a library: others are not opened.
pub(super) fn may_be_program(entry: &Entry) -> bool {
    let name = entry.path.name();
    let is_library = || {
        name.windows(3).any(|part| part == b".so")
            || name.ends_with(b".node")
            || name.ends_with(b".jnilib")
    };
    entry.kind.is_file() && entry.kind.size() > 64 && (entry.meta.mode & 0o111 != 0 || is_library())
}

/// Where `program` itself says that its libraries are.
fn own_places(program: &Elf, at: &RootPath) -> Vec<RootPath> {
    let origin = at.parent().unwrap_or_else(RootPath::root);
    let triplets = program.machine.triplets();
    let shared = triplets.iter().map(|name| format!("lib/{name}-linux-gnu"));
    let shared: Vec<String> =
        ["lib".to_owned(), "lib64".to_owned()].into_iter().chain(shared).collect();
    let mut places = Vec::new();
    for dir in &program.dirs {
        let Ok(dir) = std::str::from_utf8(dir) else { continue };
        let Ok(origin) = std::str::from_utf8(origin.as_bytes()) else { continue };
        let platform = triplets.first().copied().unwrap_or_default();
        let text = with(dir, "ORIGIN", origin);
        let text = with(&text, "PLATFORM", platform);
        for shared in &shared {
            let text = with(&text, "LIB", shared);
            if text.starts_with('/') && !text.contains('\0') {
                places.push(RootPath::root().aim(text.as_bytes()));
            }
        }
        places.dedup();
    }
    places
}

/// `text` with the value of the variable `name`.
fn with(text: &str, name: &str, value: &str) -> String {
    text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
}

/// The directories that the system's lists name. What cannot be read lists nothing.
fn directories(tree: &dyn Tree) -> Vec<RootPath> {
    let mut found = Vec::new();
    let mut waiting = vec![LIST];
    let mut seen = BTreeSet::new();
    while let Some(list) = waiting.pop() {
        if seen.len() >= MOST_LISTS || !seen.insert(list.clone()) {
            continue;
        }
        let Ok(Some(text)) = read_file(tree, &list, LIST_LIMIT) else { continue };
        for line in text.split(|&b| b == b'\n') {
            let line = line.split(|&b| b == b'#').next().unwrap_or_default().trim_ascii();
            let pattern = line
                .strip_prefix(b"include")
                .filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace));
            match pattern {
                Some(pattern) => waiting.extend(named(tree, &list, pattern.trim_ascii())),
                // `/opt/lib=libc6` says of what sort the libraries are.
                None => {
                    let dir = line.split(|&b| b == b'=').next().unwrap_or_default();
                    if dir.starts_with(b"/") && !dir.contains(&0) {
                        found.push(RootPath::root().aim(dir));
                    }
                }
            }
        }
    }
    found
}

/// The files that `pattern` names, a star in the last name of it standing for anything.
fn named(tree: &dyn Tree, list_file: &RootPath, pattern: &[u8]) -> Vec<RootPath> {
    if pattern.is_empty() || pattern.contains(&0) {
        return vec![];
    }
    let pattern = list_file.aim(pattern);
    let Some(star) = pattern.name().iter().position(|&b| b == b'*') else { return vec![pattern] };
    let (begin, end) = (&pattern.name()[..star], &pattern.name()[star + 1..]);
    let Some(dir) = pattern.parent() else { return vec![] };
    let all = list(tree, &dir).unwrap_or_default();
    let fits = |name: &[u8]| {
        name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
    };
    all.iter()
        .map(|entry| entry.path.name())
        .filter(|name| fits(name))
        .map(|n| dir.child(n))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::elf::testing::elf;
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn program(runpath: &str) -> Elf {
        Elf::read(&mut Cursor::new(elf(62, &["liba.so"], runpath, None))).unwrap()
    }

    #[test]
    fn a_library_is_found_where_the_program_the_lists_and_the_machine_say() {
        let library = elf(62, &[], "", None);
        let found = |tree: &MemoryTree, runpath: &str| {
            let search = Search::whole(tree, &[]);
            let found = search.find(b"liba.so", &program(runpath), &path("/opt/x/bin/tool"));
            found.unwrap().map(|found| found.place.to_string())
        };
        let own = MemoryTree::default().file("/opt/x/lib/liba.so", &library);
        assert_eq!(found(&own, "$ORIGIN/../lib").as_deref(), Some("/opt/x/lib/liba.so"));
        assert_eq!(found(&own, "${ORIGIN}/../$LIB").as_deref(), Some("/opt/x/lib/liba.so"));
        assert_eq!(found(&own, ""), None);
        let listed = own
            .clone()
            .file("/etc/ld.so.conf", "# own\ninclude /etc/ld.so.conf.d/*.conf\n")
            .file("/etc/ld.so.conf.d/x.conf", "/opt/x/lib # own\ninclude /etc/ld.so.conf\n");
        assert_eq!(found(&listed, "").as_deref(), Some("/opt/x/lib/liba.so"));
        let machine = MemoryTree::default()
            .link("/lib", "usr/lib")
            .file("/usr/lib/x86_64-linux-gnu/liba.so.1", &library)
            .link("/usr/lib/x86_64-linux-gnu/liba.so", "liba.so.1");
        let place = "/usr/lib/x86_64-linux-gnu/liba.so.1";
        assert_eq!(found(&machine, "").as_deref(), Some(place));
    }

    #[test]
    fn a_library_of_another_machine_is_none() {
        let tree = MemoryTree::default().file("/usr/lib/liba.so", elf(3, &[], "", None));
        let search = Search::whole(&tree, &[]);
        assert_eq!(search.find(b"liba.so", &program(""), &path("/bin/x")).unwrap(), None);
        let own = MemoryTree::default().file("/usr/lib/liba.so", "not a library");
        assert_eq!(
            Search::whole(&own, &[]).find(b"liba.so", &program(""), &path("/x")).unwrap(),
            None
        );
        assert!(
            Search::kept(&own, &[]).find(b"liba.so", &program(""), &path("/x")).unwrap().is_some()
        );
    }
}
