//! What single programs and modules need of a system, by the names that its loader finds it by.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::search::Search;
use crate::tree::{RootPath, Tree, TreeError, resolve};

/// A program or a shared object, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needing {
    /// Where it is.
    pub(crate) path: RootPath,
    /// Whether it is started, and not loaded by another.
    pub(crate) is_program: bool,
    /// The loader and the libraries that the old system had for it and that were not kept.
    pub(crate) needs: BTreeSet<RootPath>,
}

/// What the programs and shared objects among `kept` need of the system `old`, of which only what
/// was kept can be opened; one whose libraries need something needs that too.
///
/// # Errors
/// The system cannot be read.
pub(crate) fn needing(
    old: &dyn Tree,
    kept: &BTreeSet<RootPath>,
) -> Result<Vec<Needing>, TreeError> {
    let search = Search::kept(old, &[]);
    let mut all = Vec::new();
    for path in kept {
        let Some(entry) = old.entry(path)? else { continue };
        let Some(elf) = search.program(&entry) else {
            continue;
        };
        let is_program = elf.loader.is_some() && elf.soname.is_none();
        let loader = elf.loader.iter().map(|loader| RootPath::root().aim(loader));
        let was_there = |at: &RootPath| resolve(old, at).is_ok_and(|place| place.is_some());
        let mut needs: BTreeSet<RootPath> = loader.filter(was_there).collect();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![(path.clone(), Rc::new(elf))];
        while let Some((at, elf)) = waiting.pop() {
            for library in &elf.needed {
                let Some(found) = search.find(library, &elf, &at)? else { continue };
                if !kept.contains(&found.place) {
                    needs.insert(found.by);
                } else if seen.insert(found.place.clone()) {
                    let entry = old.entry(&found.place)?;
                    let own = entry.and_then(|entry| search.elf(&entry));
                    waiting.extend(own.map(|own| (found.place, own)));
                }
            }
        }
        all.push(Needing { path: path.clone(), is_program, needs });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::elf::testing::elf;
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn a_program_needs_what_its_own_libraries_need_too() {
        let tool = elf(62, &["libc.so.6", "libown.so"], "$ORIGIN", Some("/lib64/ld.so"));
        let old = MemoryTree::default()
            .file("/opt/tool", tool)
            .meta("/opt/tool", |meta| meta.mode = 0o755)
            .file("/opt/libown.so", elf(62, &["liba.so.1"], "", None))
            .file("/lib64/ld.so", "")
            .file("/usr/lib/libc.so.6", "")
            .file("/usr/lib/liba.so.1", "")
            .file("/opt/text.so", "#!/bin/sh");
        let kept = ["/opt/libown.so", "/opt/text.so", "/opt/tool"];
        let kept = kept.iter().map(|at| RootPath::parse(at.as_bytes()).unwrap()).collect();
        let all = needing(&old, &kept).unwrap();
        let told: Vec<String> = all
            .iter()
            .map(|one| {
                let needs: Vec<String> = one.needs.iter().map(ToString::to_string).collect();
                format!("{} {} {}", one.path, one.is_program, needs.join(" "))
            })
            .collect();
        let expected = [
            "/opt/libown.so false /usr/lib/liba.so.1",
            "/opt/tool true /lib64/ld.so /usr/lib/liba.so.1 /usr/lib/libc.so.6",
        ];
        assert_eq!(told, expected);
    }
}
