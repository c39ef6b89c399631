//! [`Readers`]: whether anything reads a file of configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::system::{PLACE, Stop, System, Texts, stem};
use crate::failure::Failure;
use crate::tree::{RootPath, read_file};

/// Larger files are no programs that name what they read.
const OF_ONE: u64 = 8 << 20;

/// How much of programs is looked through; what nobody looked for counts as found.
const OF_ALL: u64 = 64 << 20;

/// Where packages have what they run.
const PROGRAMS: &[&[u8]] = &[
    b"/bin",
    b"/sbin",
    b"/usr/bin",
    b"/usr/sbin",
    b"/lib",
    b"/usr/lib",
    b"/usr/libexec",
    b"/etc/init.d",
];

/// What reads files of configuration: lines of others, and programs that have their name.
#[derive(Default)]
pub(super) struct Readers {
    /// Files that lines read.
    reached: BTreeSet<RootPath>,
    /// Directories of such files.
    chosen: BTreeSet<RootPath>,
    /// Names of files that the programs of a family of packages have, by the family.
    named: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Not all of them were looked through.
    cut: bool,
}

impl Readers {
    /// Of `texts`, and of the programs of the packages of `wanted`: pairs of a package and a file.
    ///
    /// # Errors
    /// As `stop` has it.
    pub(super) fn of(
        system: &System<'_>,
        texts: &Texts,
        wanted: &[(String, RootPath)],
        stop: Stop<'_>,
    ) -> Result<Readers, Failure> {
        let mut readers = Readers { cut: texts.cut, ..Readers::default() };
        for path in texts.paths.iter().chain(wanted.iter().map(|(_, path)| path)) {
            stop()?;
            if texts.reaches.iter().any(|reach| reach.first(path).is_some()) {
                readers.reached.insert(path.clone());
            }
        }
        let chosen = texts.paths.iter().filter(|path| readers.reached.contains(*path));
        readers.chosen = chosen.filter_map(RootPath::parent).collect();
        let mut asked = BTreeMap::<&str, BTreeSet<Vec<u8>>>::new();
        for (package, path) in wanted.iter().filter(|(_, path)| !readers.is_reached(path)) {
            asked.entry(stem(package)).or_default().insert(path.name().to_vec());
        }
        readers.look_through(system, &asked, stop)?;
        Ok(readers)
    }

    fn look_through(
        &mut self,
        system: &System<'_>,
        asked: &BTreeMap<&str, BTreeSet<Vec<u8>>>,
        stop: Stop<'_>,
    ) -> Result<(), Failure> {
        let mut left = OF_ALL;
        if asked.is_empty() || self.cut {
            return Ok(());
        }
        for file in system.installed.unpacked() {
            stop()?;
            if !PROGRAMS.iter().any(|dir| file.as_bytes().starts_with(dir)) {
                continue;
            }
            let owners = system.owners(&file);
            let families: BTreeSet<&str> = owners.iter().map(|name| stem(name)).collect();
            let families: Vec<&str> =
                families.into_iter().filter(|family| asked.contains_key(family)).collect();
            if families.is_empty() {
                continue;
            }
            let text = match read_file(system.tree, &file, OF_ONE) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                // Nobody looked: it may have all of the names.
                Err(_) => {
                    for family in families {
                        let found = self.named.entry(family.to_owned()).or_default();
                        found.extend(asked[family].iter().cloned());
                    }
                    continue;
                }
            };
            self.cut |= text.len() as u64 > left;
            left = left.saturating_sub(text.len() as u64);
            if self.cut {
                return Ok(());
            }
            for family in families {
                let found = self.named.entry(family.to_owned()).or_default();
                for name in &asked[family] {
                    if !found.contains(name) && has(&text, name) {
                        found.insert(name.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a line of another file reads the one at `path`.
    pub(super) fn is_reached(&self, path: &RootPath) -> bool {
        self.reached.contains(path)
    }

    /// Whether nothing reads the file at `path` of `package`: no line of another file does, though
    /// lines do so with files beside it, and no program of its family has its name.
    pub(super) fn leave_out(&self, package: &str, path: &RootPath) -> bool {
        if self.cut || self.is_reached(path) {
            return false;
        }
        let dir = path.parent().filter(|dir| dir.as_bytes() != PLACE);
        let is_chosen = dir.is_some_and(|dir| self.chosen.contains(&dir));
        let named = self.named.get(stem(package));
        is_chosen && !named.is_some_and(|names| names.contains(path.name()))
    }
}

fn has(text: &[u8], name: &[u8]) -> bool {
    text.windows(name.len()).any(|part| part == name)
}
