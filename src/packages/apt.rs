//! What apt knows: which packages came automatically, and which ones a repository still offers.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::control;
use super::package::Package;
use super::problem::{Problem, chain};
use super::records::Records;
use crate::tree::{self, RootPath, Tree, TreeError};

const MAX_STATES: u64 = 256 << 20;
/// All of Debian's index has 60 MB; more in one file is a forgery.
const MAX_INDEX: u64 = 1 << 30;
const MAX_LINE: u64 = 1 << 20;
const MAX_OFFERS: usize = 2_000_000;

/// The packages that apt installed because another one asked for them.
#[derive(Debug, Default)]
pub(crate) struct AutoInstalled(HashSet<(String, String)>);

impl AutoInstalled {
    /// Reads apt's record; without one, everything was asked for.
    pub(crate) fn load(records: &mut Records<'_>) -> AutoInstalled {
        let file = const { RootPath::literal("/var/lib/apt/extended_states") };
        let Some(bytes) = records.read(&file, MAX_STATES) else { return AutoInstalled::default() };
        let mut auto = HashSet::new();
        for stanza in control::stanzas(&bytes) {
            let read = stanza.and_then(|stanza| {
                let text = |name| stanza.text(name).map_err(|fault| stanza.bad(fault));
                let (name, arch) = (text("Package")?, text("Architecture")?);
                Ok((text("Auto-Installed")? == "1").then(|| (name.to_owned(), arch.to_owned())))
            });
            match read {
                Ok(package) => auto.extend(package),
                Err(bad) => records.problems.note(Problem::Skipped {
                    file: file.clone(),
                    line: bad.line,
                    package: bad.package,
                    fault: bad.fault,
                }),
            }
        }
        // For apt, `all` is the system's own architecture. A name is enough then.
        let names: Vec<_> = auto.iter().map(|(name, _)| (name.clone(), "all".to_owned())).collect();
        auto.extend(names);
        AutoInstalled(auto)
    }

    /// Whether `package` came automatically.
    pub(crate) fn has(&self, package: &Package) -> bool {
        let arch = if package.arch.is_empty() { "all" } else { &package.arch };
        self.0.contains(&(package.name.clone(), arch.to_owned()))
    }
}

/// Whether a repository offers a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Offer {
    /// This version.
    Same,
    /// Only other versions.
    Other,
    /// No version.
    None,
    /// None of the indexes that could be read has it, but some could not be read.
    Unknown,
}

/// The packages that the repositories a system used offered when apt last asked them.
#[derive(Debug)]
pub(crate) struct Offered {
    /// Name, version and repository, sorted.
    packages: Vec<(Box<str>, Box<str>, u16)>,
    repositories: Vec<Repository>,
    /// Indexes that could not be read, and why: their packages are unknown.
    pub unread: Vec<(RootPath, String)>,
}

impl Offered {
    /// Whether a repository offers `version` of the package `name`.
    pub(crate) fn offers(&self, name: &str, version: &str) -> Offer {
        let from = self.packages.partition_point(|(n, ..)| &**n < name);
        let mut versions = self.packages[from..].iter().take_while(|(n, ..)| &**n == name);
        match versions.next() {
            None if self.unread.is_empty() => Offer::None,
            None => Offer::Unknown,
            Some((_, first, _)) if &**first == version => Offer::Same,
            Some(_) if versions.any(|(_, v, _)| &**v == version) => Offer::Same,
            Some(_) if self.unread.is_empty() => Offer::Other,
            Some(_) => Offer::Unknown,
        }
    }

    /// Whether nothing is offered, and nothing was left unread.
    pub(crate) fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.unread.is_empty()
    }

    /// The versions of the package `name`.
    pub(crate) fn versions(&self, name: &str) -> impl Iterator<Item = &str> {
        let from = self.packages.partition_point(|(n, ..)| &**n < name);
        self.packages[from..].iter().take_while(move |(n, ..)| &**n == name).map(|(_, v, _)| &**v)
    }

    /// What the distribution called `id` offers itself, and nobody else.
    ///
    /// A repository is the distribution's when its release says so, or when the package manager
    /// comes from there; then all are that say the same of themselves.
    pub(crate) fn of_distribution(mut self, id: &str) -> Offered {
        let same = |a: &str, b: &str| !a.is_empty() && a.eq_ignore_ascii_case(b);
        let from = self.packages.partition_point(|(n, ..)| &**n < MANAGER);
        let manager: HashSet<u16> = self.packages[from..]
            .iter()
            .take_while(|(n, ..)| &**n == MANAGER)
            .map(|(.., repository)| *repository)
            .collect();
        let at = |number: u16| self.repositories.get(usize::from(number));
        let sources: Vec<&Repository> = manager.iter().filter_map(|&number| at(number)).collect();
        let own = |repository: &Repository| {
            same(&repository.origin, id)
                || sources.iter().any(|source| {
                    source.base == repository.base || same(&source.origin, &repository.origin)
                })
        };
        let own: Vec<bool> = self.repositories.iter().map(own).collect();
        let is_own = |number: u16| own.get(usize::from(number)).copied().unwrap_or(false);
        self.packages.retain(|(.., repository)| is_own(*repository));
        self
    }
}

/// The package manager itself: whoever offers it makes the system.
const MANAGER: &str = "dpkg";

/// More repositories than any system has.
const MAX_REPOSITORIES: usize = 10_000;

/// What a repository's release says of itself is in its first lines.
const MAX_RELEASE: u64 = 64 << 10;

/// One repository, as far as the copies of its indexes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Repository {
    /// How the names of its files begin: its address.
    base: Vec<u8>,
    /// Who it says it is; empty where it does not.
    origin: String,
}

/// The repository of the index `name`.
fn repository(tree: &dyn Tree, dir: &RootPath, name: &[u8]) -> Repository {
    let part = |part: &[u8]| name.windows(part.len()).position(|found| found == part);
    let Some(at) = part(b"_dists_") else {
        return Repository { base: name.to_vec(), origin: String::new() };
    };
    let suite = &name[at + 7..];
    // Nothing tells where in the name the suite ends and its component begins.
    let ends = suite.iter().enumerate().filter(|(_, b)| **b == b'_').map(|(end, _)| end);
    let origin = ends.take(8).find_map(|end| {
        [&b"_InRelease"[..], b"_Release"].iter().find_map(|kind| {
            let file = dir.child(&[&name[..at + 7 + end], *kind].concat());
            origin(tree, &file)
        })
    });
    Repository { base: name[..at].to_vec(), origin: origin.unwrap_or_default() }
}

/// The field `Origin` of a release.
fn origin(tree: &dyn Tree, file: &RootPath) -> Option<String> {
    let entry = tree.entry(file).ok().flatten().filter(|entry| entry.kind.is_file())?;
    let mut head = Vec::new();
    tree.open(&entry).ok()?.take(MAX_RELEASE).read_to_end(&mut head).ok()?;
    let mut lines = head.split(|&b| b == b'\n');
    let origin = lines.find_map(|line| line.strip_prefix(b"Origin:"))?;
    Some(String::from_utf8_lossy(origin.trim_ascii()).into_owned())
}

/// Reads apt's copies of the repositories' indexes; `None` when there are none, as in most images.
///
/// # Errors
/// The directory of the indexes cannot be listed. An index that cannot be read is in
/// [`Offered::unread`].
pub(crate) fn origins(tree: &dyn Tree) -> Result<Option<Offered>, TreeError> {
    let dir = const { RootPath::literal("/var/lib/apt/lists") };
    let mut offered = Offered { packages: vec![], repositories: vec![], unread: vec![] };
    let mut any = false;
    for entry in tree::list(tree, &dir)? {
        let name = entry.path.name();
        let Some(at) = name.windows(9).rposition(|part| part == b"_Packages") else { continue };
        let packing = &name[at + 9..];
        if !(packing.is_empty() || packing.starts_with(b".")) || !entry.kind.is_file() {
            continue;
        }
        any = true;
        let from = repository(tree, &dir, name);
        let known = offered.repositories.iter().position(|known| *known == from);
        let number = known.unwrap_or(offered.repositories.len());
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        if known.is_none() && offered.repositories.len() < MAX_REPOSITORIES {
            offered.repositories.push(from);
        }
        let read = tree.open(&entry).map_err(|error| chain(&error)).and_then(|content| {
            let found = match packing {
                b"" => index(content),
                b".gz" => index(MultiGzDecoder::new(content)),
                _ => return Err("its compression is not supported".to_owned()),
            };
            found.map_err(|error| chain(&error))
        });
        match read {
            Ok(found) if offered.packages.len() + found.len() <= MAX_OFFERS => {
                offered.packages.extend(found.into_iter().map(|(n, v)| (n, v, number)));
            }
            Ok(_) => offered.unread.push((entry.path, "there are too many packages".to_owned())),
            Err(why) => offered.unread.push((entry.path, why)),
        }
    }
    offered.packages.sort_unstable();
    offered.packages.dedup();
    Ok(any.then_some(offered))
}

/// Name and version of every package of an index. It is read line by line: unpacked it would be
/// the largest thing in memory.
fn index(content: impl Read) -> std::io::Result<Vec<(Box<str>, Box<str>)>> {
    let mut lines = BufReader::with_capacity(1 << 16, content.take(MAX_INDEX));
    let mut found = vec![];
    let (mut name, mut version) = (None, None);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line)?;
        let text = line.trim_ascii_end();
        if text.is_empty() {
            if let (Some(name), Some(version)) = (name.take(), version.take())
                && found.len() < MAX_OFFERS
            {
                found.push((name, version));
            }
            if length == 0 {
                return Ok(found);
            }
        } else if let Some(value) = text.strip_prefix(b"Package:") {
            name = value_of(value);
        } else if let Some(value) = text.strip_prefix(b"Version:") {
            version = value_of(value);
        }
    }
}

fn value_of(value: &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(value.trim_ascii()).ok().map(Box::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use std::io::Write;

    const INDEX: &str = "Package: a\nVersion: 1\nDescription: x\n Version: 9\n\nPackage: b\n\
                         Version: 1:2-3\n\nPackage: a\nVersion: 2\n";

    #[test]
    fn what_the_indexes_say_is_offered() {
        let tree = MemoryTree::default()
            .file("/var/lib/apt/lists/x_main_binary-amd64_Packages", INDEX)
            .file("/var/lib/apt/lists/x_InRelease", "Package: c\nVersion: 1\n");
        let offered = origins(&tree).unwrap().unwrap();
        assert_eq!(offered.offers("a", "1"), Offer::Same);
        assert_eq!(offered.offers("a", "2"), Offer::Same);
        assert_eq!(offered.offers("a", "9"), Offer::Other);
        assert_eq!(offered.offers("b", "1:2-3"), Offer::Same);
        assert_eq!(offered.offers("c", "1"), Offer::None);
    }

    #[test]
    fn an_index_that_cannot_be_read_makes_absence_unknown() {
        let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gz.write_all(INDEX.as_bytes()).unwrap();
        let gz = gz.finish().unwrap();
        let tree = MemoryTree::default().file("/var/lib/apt/lists/x_Packages.gz", &gz);
        let offered = origins(&tree).unwrap().unwrap();
        assert_eq!(offered.offers("c", "1"), Offer::None);
        let tree = tree
            .file("/var/lib/apt/lists/y_Packages.gz", &gz[..gz.len() / 2])
            .file("/var/lib/apt/lists/z_Packages.xz", "?");
        let offered = origins(&tree).unwrap().unwrap();
        assert_eq!(offered.unread.len(), 2);
        assert_eq!(offered.offers("a", "1"), Offer::Same);
        assert_eq!(offered.offers("a", "9"), Offer::Unknown);
        assert_eq!(offered.offers("c", "1"), Offer::Unknown);
    }

    #[test]
    fn without_indexes_nothing_is_known() {
        let tree = MemoryTree::default().dir("/var/lib/apt/lists/partial");
        assert!(origins(&tree).unwrap().is_none());
        assert!(origins(&MemoryTree::default()).unwrap().is_none());
    }
}
