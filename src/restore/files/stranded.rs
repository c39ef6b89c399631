//! Programs and modules of no package that cannot work in the new system: what was decided about
//! them when today's packages were installed is done.

use crate::references::{self, Needing};
use crate::restore::packages::stranded::modules_of;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::packages::{Fate, Stranded};
use crate::tree::{Draft, DraftContent, Kind, RootPath, Tree, TreeError, resolve_parent};
use crate::verdict::{Harm, Held, HeldKind};

/// Puts links to today's files in the place of those that give way, and leaves out what is built
/// into programs today; what is not certain is placed as it was, and held. A program that gives way
/// is told too: that it is the same one is known by its name alone.
///
/// # Errors
/// The new system cannot be read.
pub(in crate::restore) fn settle(
    stranded: &[Stranded],
    target: &dyn Tree,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    for Stranded { path, why, fate } in stranded {
        match fate {
            Fate::GivesWay { to, package } => {
                let what = format!("it is {to} of {package} now: {why}");
                // A link there would lead to itself.
                if resolve_parent(target, path)? == resolve_parent(target, to)? {
                    draft.remove(path);
                    decisions.leave_out(path, what);
                } else if lead(draft, path, to) {
                    decisions.adapt(path, what);
                }
                if !path.name().ends_with(b".so") {
                    decisions.held.push(by_name(path, why, to, package));
                }
            }
            Fate::BuiltIn { package } => {
                draft.remove(path);
                decisions.leave_out(path, format!("{package} has it built in: {why}"));
            }
            Fate::Open { candidates } => decisions.held.push(held(path, why, candidates)),
        }
    }
    Ok(())
}

/// Takes out of `draft` the modules that a restore left out of the standing system `target` with the
/// program that they were made for: this is a link there, and they are not.
///
/// # Errors
/// A system cannot be read.
pub(in crate::restore) fn forget_left_out(
    old: &dyn Tree,
    target: &dyn Tree,
    draft: &mut Draft,
) -> Result<(), TreeError> {
    let kept = draft.nodes().map(|node| node.entry.path.clone()).collect();
    let all = references::needing(old, &kept)?;
    for program in all.iter().filter(|one| one.is_program) {
        let there = target.entry(&program.path)?;
        if !there.is_some_and(|entry| matches!(entry.kind, Kind::Symlink { .. })) {
            continue;
        }
        for Needing { path, .. } in modules_of(&program.path, &all) {
            if target.entry(path)?.is_none() {
                draft.remove(path);
            }
        }
    }
    Ok(())
}

/// Lets `path` be a link to `to`.
fn lead(draft: &mut Draft, path: &RootPath, to: &RootPath) -> bool {
    let Some(node) = draft.get_mut(path) else { return false };
    node.entry.kind = Kind::Symlink { target: to.as_bytes().to_vec() };
    node.entry.meta.mode = 0o777;
    node.entry.meta.xattrs.clear();
    node.entry.links = None;
    node.content = DraftContent::None;
    true
}

fn held(path: &RootPath, why: &str, candidates: &[String]) -> Held {
    let brings = match candidates {
        [] => "no package of today brings it".to_owned(),
        [_] => "this package brings it today, perhaps, and it is not installed".to_owned(),
        _ => "it is not certain which package brings it today".to_owned(),
    };
    let held = Held::new(HeldKind::Program, path, format!("{why}; {brings}"));
    let held = held.harm(Harm::DoesNotStart);
    candidates.iter().fold(held, Held::candidate)
}

fn by_name(path: &RootPath, why: &str, to: &RootPath, package: &str) -> Held {
    let why = format!(
        "{why}; {to} of {package} is in its place, because it is called the same; the old one stays \
         in the bundle"
    );
    Held::new(HeldKind::Program, path, why).harm(Harm::Cosmetic).file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::references::testing::elf;
    use crate::tree::DraftNode;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn draft(old: &MemoryTree, paths: &[&str]) -> Draft {
        let mut draft = Draft::default();
        for at in paths {
            let entry = old.entry(&path(at)).unwrap().unwrap();
            draft.put(DraftNode { entry, content: DraftContent::Bytes(vec![]) });
        }
        draft
    }

    fn told(draft: &Draft) -> Vec<String> {
        let one = |node: &DraftNode| match &node.entry.kind {
            Kind::Symlink { target } => {
                format!("{} -> {}", node.entry.path, String::from_utf8_lossy(target))
            }
            _ => node.entry.path.to_string(),
        };
        draft.nodes().map(one).collect()
    }

    #[test]
    fn the_old_path_leads_to_todays_and_what_is_uncertain_is_held() {
        let paths = [
            "/lib/web/liblang.so",
            "/usr/local/bin/lang",
            "/usr/local/bin/tool",
            "/usr/local/lib/lang/json.so",
            "/usr/local/lib/lang/rare.so",
        ];
        let old = paths.iter().fold(MemoryTree::default(), |tree, at| tree.file(*at, "x"));
        let old = old.meta("/usr/local/bin/lang", |meta| meta.mode = 0o4755);
        let target = MemoryTree::default().link("/lib", "usr/lib").dir("/usr/lib/web");
        let target = target.dir("/usr/bin").dir("/usr/local/bin");
        let mut draft = draft(&old, &paths);
        let way = |to: &str| Fate::GivesWay { to: path(to), package: "lang8".to_owned() };
        let candidates = vec!["tool".to_owned(), "tools".to_owned()];
        let fates = [
            way("/usr/lib/web/liblang.so"),
            way("/usr/bin/lang8"),
            Fate::Open { candidates },
            Fate::BuiltIn { package: "lang8".to_owned() },
            Fate::Open { candidates: vec![] },
        ];
        let stranded: Vec<Stranded> = paths
            .iter()
            .zip(fates)
            .map(|(at, fate)| Stranded { path: path(at), why: "why".to_owned(), fate })
            .collect();
        let mut decisions = Decisions::default();
        settle(&stranded, &target, &mut draft, &mut decisions).unwrap();
        let left = [
            "/usr/local/bin/lang -> /usr/bin/lang8",
            "/usr/local/bin/tool",
            "/usr/local/lib/lang/rare.so",
        ];
        assert_eq!(self::told(&draft), left);
        assert_eq!(draft.get(&path("/usr/local/bin/lang")).unwrap().entry.meta.mode, 0o777);
        let steps: Vec<String> = decisions.steps.iter().map(ToString::to_string).collect();
        let expected = [
            "leave out /lib/web/liblang.so (it is /usr/lib/web/liblang.so of lang8 now: why)",
            "adapt /usr/local/bin/lang (it is /usr/bin/lang8 of lang8 now: why)",
            "leave out /usr/local/lib/lang/json.so (lang8 has it built in: why)",
        ];
        assert_eq!(steps, expected);
        let held: Vec<(&str, &[String])> = decisions
            .held
            .iter()
            .map(|held| (held.subject.as_str(), held.candidates.as_slice()))
            .collect();
        let both = ["tool".to_owned(), "tools".to_owned()];
        let expected =
            [(paths[1], [].as_slice()), (paths[2], both.as_slice()), (paths[4], [].as_slice())];
        assert_eq!(held, expected);
        // That both are the same program is known by their name alone.
        let harm: Vec<Harm> = decisions.held.iter().map(|held| held.harm).collect();
        assert_eq!(harm, [Harm::Cosmetic, Harm::DoesNotStart, Harm::DoesNotStart]);
    }

    #[test]
    fn a_module_that_was_left_out_is_not_missed_later() {
        let paths = [
            "/usr/local/bin/lang",
            "/usr/local/lib/lang/json.so",
            "/usr/local/lib/lang/text.so",
            "/usr/local/lib/other/a.so",
        ];
        let module = || elf(62, &[], "", None);
        let old =
            paths[1..].iter().fold(MemoryTree::default(), |tree, at| tree.file(*at, module()));
        let old = old
            .file(paths[0], elf(62, &[], "", Some("/lib64/ld.so")))
            .meta(paths[0], |meta| meta.mode = 0o755);
        let standing = MemoryTree::default().file(paths[2], "").link(paths[0], "/usr/bin/lang8");
        let mut all = draft(&old, &paths);
        forget_left_out(&old, &standing, &mut all).unwrap();
        assert_eq!(told(&all), [paths[0], paths[2], paths[3]]);
        let standing = MemoryTree::default().file(paths[0], "");
        let mut all = draft(&old, &paths);
        forget_left_out(&old, &standing, &mut all).unwrap();
        assert_eq!(told(&all), paths);
    }
}
