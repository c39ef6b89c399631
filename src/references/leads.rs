//! What of the old system's packages the kept files lead to: the new system may need a package for
//! it that nobody asked for.

use std::collections::BTreeSet;

use super::search::{Found, Search};
use super::zones;
use crate::tree::{Kind, RootPath, Tree, TreeError, resolve};

/// How many are looked after.
const MOST: usize = 4096;

/// What the links and programs among `kept` lead to in the system `old`, of which only what was
/// kept can be opened, what `zones` name, and what is `needed` otherwise; nothing that was kept
/// itself.
///
/// # Errors
/// The system cannot be read.
pub(crate) fn leads(
    old: &dyn Tree,
    kept: &BTreeSet<RootPath>,
    zones: &[String],
    needed: &[RootPath],
) -> Result<BTreeSet<Found>, TreeError> {
    let search = Search::kept(old, &[]);
    let mut found = BTreeSet::new();
    let lead = |by: RootPath| -> Option<Found> {
        let place = resolve(old, &by).ok()??;
        Some(Found { by, place })
    };
    for path in kept {
        let Some(entry) = old.entry(path)? else { continue };
        if let Kind::Symlink { target } = &entry.kind {
            found.extend(lead(path.aim(target)));
        }
        let Some(program) = search.program(&entry) else {
            continue;
        };
        let loader = program.loader.iter().map(|loader| RootPath::root().aim(loader));
        found.extend(loader.filter_map(lead));
        for library in &program.needed {
            found.extend(search.find(library, &program, path)?);
        }
        if found.len() > MOST {
            break;
        }
    }
    let zones = zones.iter().cloned().chain(zones::named(old));
    found.extend(zones.filter_map(|name| zones::file(&name)).filter_map(lead));
    found.extend(needed.iter().cloned().filter_map(lead));
    found.retain(|found| !kept.contains(&found.place));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::elf::testing::elf;
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn links_programs_and_zones_lead_to_what_packages_brought() {
        let tool = elf(62, &["liba.so.1", "libown.so"], "$ORIGIN", Some("/lib64/ld.so"));
        let old = MemoryTree::default()
            .file("/opt/tool", tool)
            .meta("/opt/tool", |meta| meta.mode = 0o755)
            .file("/opt/libown.so", "")
            .file("/usr/lib/liba.so.1.2", "")
            .link("/usr/lib/liba.so.1", "liba.so.1.2")
            .file("/lib64/ld.so", "")
            .link("/srv/data", "/usr/share/data")
            .dir("/usr/share/data")
            .link("/srv/own", "/opt/tool")
            .file("/etc/timezone", "US/Pacific\n")
            .file("/usr/share/zoneinfo/US/Pacific", "")
            .file("/usr/share/zoneinfo/UTC", "");
        let kept = ["/etc/timezone", "/opt/libown.so", "/opt/tool", "/srv/data", "/srv/own"];
        let kept = kept.iter().map(|at| RootPath::parse(at.as_bytes()).unwrap()).collect();
        let found = leads(&old, &kept, &["UTC".to_owned(), "../../etc".to_owned()], &[]).unwrap();
        let told: Vec<String> = found.iter().map(|f| format!("{} {}", f.by, f.place)).collect();
        assert_eq!(
            told,
            [
                "/lib64/ld.so /lib64/ld.so",
                "/usr/lib/liba.so.1 /usr/lib/liba.so.1.2",
                "/usr/share/data /usr/share/data",
                "/usr/share/zoneinfo/US/Pacific /usr/share/zoneinfo/US/Pacific",
                "/usr/share/zoneinfo/UTC /usr/share/zoneinfo/UTC",
            ]
        );
    }
}
