//! Environments: what the package managers of languages installed.
//!
//! A Python environment, a tree of Node modules or a directory of gems is bound to one version of
//! its interpreter and made from a list. Where its own records prove that a file is what came from
//! an index, the list is enough: the file is left out, and a restore rebuilds the environment for
//! the interpreter of its day. Only Python's records hold digests of files; the other kinds are
//! listed and kept whole.
//!
//! Everything is read from files of the source, none of it is executed. Records are claims of the
//! source about itself: they are bounded, a path that leads out of its environment claims nothing,
//! and a claim explains a file only while the file's content agrees with it.

mod activation;
mod dist;
mod fact;
mod finder;
mod listing;
mod part;
mod python;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use dist::comparable;
pub(crate) use fact::{EnvironmentFact, EnvironmentKind, Options, Parked};
pub(crate) use finder::{Environments, PYTHON_PATH};
pub(crate) use part::{Part, PartOf};
pub(crate) use python::system_python;

use std::io::Read;

use crate::tree::{RootPath, Tree};

/// The content of the regular file that stands at `path` itself; `None` where there is none, where
/// it has more than `limit` bytes, and where it cannot be read: a record that says nothing.
fn plain_file(tree: &dyn Tree, path: &RootPath, limit: u64) -> Option<Vec<u8>> {
    let entry = tree.entry(path).ok()??;
    if !entry.kind.is_file() || entry.kind.size() > limit {
        return None;
    }
    let mut bytes = Vec::new();
    tree.open(&entry).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The path `relative` below `dir`, which holds neither `..` nor NUL.
fn below(dir: &RootPath, relative: &str) -> Option<RootPath> {
    RootPath::parse(relative.as_bytes()).ok().map(|path| dir.join(&path))
}
