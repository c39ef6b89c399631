//! Packages that cannot be had again, of which the bundle holds the files.
//!
//! Where nothing of the name is installed today the files are placed, and the package manager does
//! not know of them. Where today's release has a package in its place, programs and libraries of
//! the old one would stand among those of the new one, which fit together: there the new ones stay,
//! and only what lies outside the places of packages is placed, configuration above all.

use std::collections::BTreeMap;

use crate::packages::Installed;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::survey::WithdrawnFact;
use crate::tree::{Draft, RootPath};
use crate::verdict::{Class, Held, HeldKind, Reason};

/// Where packages have their programs, libraries and texts, or links to them, and nothing else is.
const PROGRAMS: &[&str] =
    &["/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/etc/alternatives/"];

/// Below these a person puts things.
const LOCAL: &str = "/usr/local/";

/// Decides about the files of every such package in `draft`, and tells of it.
pub(in crate::restore) fn settle(
    inputs: &Inputs<'_>,
    installed: &Installed,
    draft: &mut Draft,
    decisions: &mut Decisions,
) {
    let facts = &inputs.survey.withdrawn;
    if facts.is_empty() {
        return;
    }
    let mut files: BTreeMap<String, Vec<RootPath>> = BTreeMap::new();
    let of_some = inputs.manifest.entries.wanted(|listed| {
        let of_package = matches!(listed.reason, Reason::NotOffered { .. });
        of_package && listed.class == Class::Mutable && listed.stored && !listed.deleted
    });
    for entry in of_some {
        if let Reason::NotOffered { package } = entry.reason {
            files.entry(package).or_default().push(entry.path);
        }
    }
    for fact in facts {
        let files = files.remove(&fact.name).unwrap_or_default();
        let held = match todays(fact, inputs, installed) {
            Some((name, version)) => replaced(fact, &files, draft, &name, &version),
            None => placed(fact, &files, &|name| inputs.packages.is_gone(name)),
        };
        decisions.held.push(held);
    }
}

/// The package that stands in the old one's place, with its version.
fn todays(
    fact: &WithdrawnFact,
    inputs: &Inputs<'_>,
    installed: &Installed,
) -> Option<(String, String)> {
    let renamed = inputs.packages.install.iter();
    let renamed = renamed.filter(|install| install.formerly.as_ref() == Some(&fact.name));
    let names = std::iter::once(&fact.name).chain(renamed.map(|install| &install.name));
    names.into_iter().find_map(|name| Some((name.clone(), installed.version(name)?)))
}

fn replaced(
    fact: &WithdrawnFact,
    files: &[RootPath],
    draft: &mut Draft,
    name: &str,
    version: &str,
) -> Held {
    let mut left_out = 0;
    for path in files.iter().filter(|path| is_program(path)) {
        // What lies below a directory may be somebody's.
        let is_dir = draft.get(path).is_none_or(|node| node.entry.kind.is_dir());
        left_out += if is_dir { 0 } else { draft.take(path).len() };
    }
    let why = format!(
        "version {} cannot be had again: {}; {name} {version} of today is installed in its place, \
         and {left_out} files of the old one are in the bundle and are not placed",
        fact.version, fact.why
    );
    let mut held = Held::new(HeldKind::Package, &fact.name, why);
    held.was = Some(fact.version.clone());
    held.candidates = vec![format!("{name} {version}")];
    held
}

fn placed(fact: &WithdrawnFact, files: &[RootPath], is_gone: &dyn Fn(&str) -> bool) -> Held {
    let needs = fact.needs.iter().map(String::as_str);
    let lacking: Vec<&str> = needs.filter(|name| is_gone(name)).collect();
    let lacks = match lacking.as_slice() {
        [] => String::new(),
        names => format!("; it needs {}, which cannot be had today either", names.join(", ")),
    };
    let why = format!(
        "it cannot be had again: {}; its {} files are placed, and the package itself is not \
         installed: nothing updates them{lacks}",
        fact.why,
        files.len()
    );
    let mut held = Held::new(HeldKind::Package, &fact.name, why);
    held.was = Some(fact.version.clone());
    held
}

fn is_program(path: &RootPath) -> bool {
    let below = |dir: &str| path.as_bytes().starts_with(dir.as_bytes());
    PROGRAMS.iter().any(|dir| below(dir)) && !below(LOCAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftContent, DraftNode, Tree};

    fn fact() -> WithdrawnFact {
        WithdrawnFact {
            name: "nginx".to_owned(),
            version: "1.24.0-1~bullseye".to_owned(),
            why: "bullseye is no word of Debian's".to_owned(),
            needs: vec!["libc6".to_owned(), "libssl1.1".to_owned()],
        }
    }

    const FILES: &[&str] = &[
        "/etc/alternatives/nginx",
        "/etc/nginx/nginx.conf",
        "/opt/nginx/extra",
        "/usr/local/bin/own",
        "/usr/sbin/nginx",
    ];

    fn draft() -> (Draft, Vec<RootPath>) {
        let mut draft = Draft::default();
        let paths: Vec<RootPath> =
            FILES.iter().map(|at| RootPath::parse(at.as_bytes()).unwrap()).collect();
        for path in &paths {
            let tree = MemoryTree::default().file(path.to_string(), "x");
            let entry = tree.entry(path).unwrap().unwrap();
            draft.put(DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) });
        }
        (draft, paths)
    }

    #[test]
    fn where_todays_package_stands_in_its_place_only_its_programs_are_left_out() {
        let (mut draft, paths) = draft();
        let held = replaced(&fact(), &paths, &mut draft, "nginx", "1.26.3-3");
        let left: Vec<String> = draft.nodes().map(|n| n.entry.path.to_string()).collect();
        assert_eq!(left, ["/etc/nginx/nginx.conf", "/opt/nginx/extra", "/usr/local/bin/own"]);
        assert_eq!((held.kind, held.subject.as_str()), (HeldKind::Package, "nginx"));
        assert_eq!(held.candidates, ["nginx 1.26.3-3"]);
        assert!(held.why.contains("2 files of the old one are in the bundle"), "{}", held.why);
    }

    #[test]
    fn a_package_whose_files_are_placed_is_held_with_what_it_lacks() {
        let (_, paths) = draft();
        let held = placed(&fact(), &paths, &|name| name == "libssl1.1");
        assert!(held.why.contains("its 5 files are placed"), "{}", held.why);
        assert!(held.why.ends_with("it needs libssl1.1, which cannot be had today either"));
        assert_eq!(held.was.as_deref(), Some("1.24.0-1~bullseye"));
    }
}
