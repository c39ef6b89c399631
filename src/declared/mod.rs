//! What files of the system say about paths that no package owns: which service keeps its state or
//! its cache where, which logs are rotated, what is made at every start, what goes with a package,
//! and which services somebody switched on or off.
//!
//! Read once for a source, from small files and within bounds; nothing is executed, and nothing
//! outside the source is looked at. A declaration is a claim of whoever could write the file, the
//! user among them: it may say that something is a cache only in places that are for caches, and
//! everywhere else only that it is worth keeping, and why.

mod book;
mod declaration;
mod logrotate;
mod pattern;
mod places;
mod purge;
mod reading;
mod switches;
#[cfg(test)]
mod testing;
mod tmpfiles;
mod units;

use book::Book;
pub(crate) use declaration::{Author, Declaration, Form, Nature, Reach};
use pattern::Pattern;
use reading::Files;
pub(crate) use switches::{Switch, Switches};

use crate::packages::Installed;
use crate::tree::{Entry, Kind, RootPath, Tree};

/// All declarations of a source.
#[derive(Default)]
pub(crate) struct Declared {
    book: Book,
    /// Which services are switched on, and by whom.
    pub switches: Switches,
}

impl Declared {
    /// Reads the declarations of `tree`.
    pub(crate) fn load(tree: &dyn Tree, installed: &Installed) -> Declared {
        let files = Files { tree, installed };
        let mut book = Book::default();
        units::load(&files, &mut book);
        tmpfiles::load(&files, &mut book);
        logrotate::load(&files, &mut book);
        purge::load(&files, &mut book);
        Declared { book, switches: Switches::load(&files) }
    }

    /// The declarations that reach `entry`, the one about the most particular place first; whether
    /// an exact one is met is for the caller to see.
    pub(crate) fn of(&self, entry: &Entry) -> Vec<&Declaration> {
        let path = &entry.path;
        let bytes = path.as_bytes();
        let depth = path.components().count();
        let family = if entry.kind.is_file() { logrotate::family(path) } else { vec![] };
        let mut found: Vec<(usize, &Declaration)> = vec![];
        let ends = (1..=bytes.len()).filter(|&end| end == bytes.len() || bytes[end] == b'/');
        for end in std::iter::once(0).chain(ends) {
            let dir = if end == 0 { &b"/"[..] } else { &bytes[..end] };
            let page = self.book.pages.get(dir).into_iter().flatten();
            found.extend(page.filter_map(|(pattern, declared)| {
                Some((reached(pattern, declared, entry, &family)?, declared))
            }));
        }
        // The rotated siblings of a file have pages of their own.
        for name in &family {
            if let Some(page) = self.book.pages.get(name.as_bytes()) {
                let rotated = page.iter().filter(|(_, d)| d.reach == Reach::Family);
                found.extend(rotated.map(|(_, declared)| (depth, declared)));
            }
        }
        found.sort_by_key(|(depth, declared)| (std::cmp::Reverse(*depth), rank(declared)));
        found.into_iter().map(|(_, declared)| declared).collect()
    }
}

/// Of several declarations about one place the first in this order counts.
fn rank(declared: &Declaration) -> u8 {
    match declared.nature {
        Nature::Generated => 0,
        Nature::Choice => 1,
        Nature::Log => 2,
        Nature::Cache | Nature::Runtime => 3,
        Nature::State => 4,
    }
}

/// How particular `declared` is where it reaches `path`.
fn reached(
    pattern: &Pattern,
    declared: &Declaration,
    entry: &Entry,
    family: &[RootPath],
) -> Option<usize> {
    let path = &entry.path;
    let depth = path.components().count();
    let leads_away = matches!(entry.kind, Kind::Symlink { .. });
    match &declared.reach {
        // A link in the place of a directory: somebody moved it, and only the link says where to.
        Reach::Below if leads_away && declared.nature != Nature::State => {
            pattern.covers(path.as_bytes()).filter(|found| *found < depth)
        }
        Reach::Exactly(_) | Reach::Itself => {
            pattern.covers(path.as_bytes()).filter(|found| *found == depth)
        }
        Reach::Below => pattern.covers(path.as_bytes()),
        Reach::Inside => pattern.covers(path.as_bytes()).filter(|found| *found < depth),
        Reach::Family if !entry.kind.is_file() => None,
        Reach::Family => std::iter::once(path)
            .chain(family)
            .find_map(|name| pattern.covers(name.as_bytes()).filter(|found| *found == depth)),
    }
}
