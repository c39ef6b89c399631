//! Symbolic links of the service's own whose end is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Cure, Finding};
use super::named::{self, alike};
use super::question::{Kept, Question};
use super::zones;
use crate::tree::{Gap, Kind, RootPath, Tree, TreeError, Way, follow, list, resolve};
use crate::verdict::{Held, HeldKind};

/// More places than this have a name that says nothing.
const MOST_CANDIDATES: usize = 5;

/// A kept link that led somewhere and does not any more.
struct Lost<'a> {
    kept: &'a Kept,
    /// Where it leads by its text.
    aim: RootPath,
    /// Where it led.
    end: RootPath,
    gap: Gap,
}

/// Where things are in the new system.
struct Today<'a> {
    /// By the names that links lead to.
    places: BTreeMap<Vec<u8>, Vec<RootPath>>,
    /// Of what was kept and moved, by where it was.
    moved: BTreeMap<&'a RootPath, &'a RootPath>,
}

/// The kept links that led somewhere and do not any more.
pub(super) fn look(question: &Question<'_>) -> Result<Vec<Finding>, TreeError> {
    let mut lost = Vec::new();
    for kept in question.kept {
        let Some(entry) = question.new.entry(&kept.path)? else { continue };
        let Kind::Symlink { target } = &entry.kind else { continue };
        let aim = kept.path.aim(target);
        let Way::Gap(gap) = follow(question.new, &kept.path)? else { continue };
        let Ok(Some(end)) = resolve(question.old, &kept.was) else { continue };
        // Of links that lead to one another, the last one is told.
        let is_own =
            |link: &RootPath| question.kept.binary_search_by(|kept| kept.path.cmp(link)).is_ok();
        if gap.link.as_ref().is_none_or(|link| *link == kept.path || !is_own(link)) {
            lost.push(Lost { kept, aim, end, gap });
        }
    }
    if lost.is_empty() {
        return Ok(vec![]);
    }
    let names: BTreeSet<Vec<u8>> = lost.iter().map(|lost| lost.aim.name().to_vec()).collect();
    let moved = question.kept.iter().filter(|kept| kept.path != kept.was);
    let today = Today {
        places: named::find(question.new, &names)?,
        moved: moved.map(|kept| (&kept.was, &kept.path)).collect(),
    };
    lost.iter().map(|lost| judge(question, lost, &today)).collect()
}

fn judge(
    question: &Question<'_>,
    lost: &Lost<'_>,
    today: &Today<'_>,
) -> Result<Finding, TreeError> {
    let (path, aim) = (&lost.kept.path, &lost.aim);
    if let Some(end) = certain(question, lost, today)? {
        let what = format!("leads to {end}: the new system has no {aim}");
        let target = end.as_bytes().to_vec();
        return Ok(Finding::cured(Cure::Link { path: path.clone(), target, what }));
    }
    let why = format!("the link leads to {aim}, which the new system does not have");
    let held = Held::new(HeldKind::Reference, path, why).was(aim);
    let mut candidates = renumbered(question, &lost.gap)?;
    let same_name = today.places.get(aim.name()).map(Vec::as_slice).unwrap_or_default();
    if same_name.len() <= MOST_CANDIDATES {
        let others = same_name.iter().filter(|place| *place != path);
        candidates.extend(others.filter(|place| question.is_there(place)).cloned());
    }
    candidates.dedup();
    let candidates = candidates.iter().take(MOST_CANDIDATES);
    Ok(Finding::held(candidates.fold(held, Held::candidate)))
}

/// Where the link has to lead today, where that is beyond doubt.
fn certain(
    question: &Question<'_>,
    lost: &Lost<'_>,
    today: &Today<'_>,
) -> Result<Option<RootPath>, TreeError> {
    // What it led to was kept, and has moved.
    if let Some(place) = today.moved.get(&lost.end) {
        return Ok(Some((*place).clone()));
    }
    if let Some(zone) = zones::today(question.new, &lost.gap.whole())? {
        return Ok(Some(zone));
    }
    // A program or a directory that bears its version has one successor; of a library, another
    // version is another thing.
    let all = renumbered(question, &lost.gap)?;
    let [only] = all.as_slice() else { return Ok(None) };
    let is_library = only.name().windows(3).any(|part| part == b".so");
    let is_dir = |tree: &dyn Tree, path: &RootPath| -> Result<bool, TreeError> {
        let Some(place) = resolve(tree, path)? else { return Ok(false) };
        Ok(tree.entry(&place)?.is_some_and(|entry| entry.kind.is_dir()))
    };
    let is_new = !question.was_there(only);
    let alike = is_dir(question.old, &lost.end)? == is_dir(question.new, only)?;
    Ok((is_new && alike && !is_library).then(|| only.clone()))
}

/// Where the way leads when the number in the first name that is missing becomes another.
fn renumbered(question: &Question<'_>, gap: &Gap) -> Result<Vec<RootPath>, TreeError> {
    let Some(dir) = gap.missing.parent() else { return Ok(vec![]) };
    let old = gap.missing.name();
    let mut found = Vec::new();
    let mut ends = BTreeSet::new();
    let others = list(question.new, &dir)?;
    let others = others.iter().map(|entry| entry.path.name());
    let mut others: Vec<&[u8]> = others.filter(|name| *name != old && alike(name, old)).collect();
    // `python3.13` rather than `python3` takes the place of `python3.9`.
    let dots = |name: &[u8]| name.iter().filter(|&&byte| byte == b'.').count();
    if others.iter().any(|name| dots(name) == dots(old)) {
        others.retain(|name| dots(name) == dots(old));
    }
    for name in others {
        let path = gap.rest.iter().fold(dir.child(name), |path, name| path.child(name));
        let Ok(Some(end)) = resolve(question.new, &path) else { continue };
        if ends.insert(end) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn found(old: &MemoryTree, new: &MemoryTree, kept: &[(&str, &str)]) -> Vec<String> {
        let kept: Vec<Kept> =
            kept.iter().map(|(at, was)| Kept { path: path(at), was: path(was) }).collect();
        let question = Question { old, new, kept: &kept, settings: None };
        look(&question)
            .unwrap()
            .into_iter()
            .map(|finding| match (finding.cure, finding.held) {
                (Some(Cure::Link { path, target, .. }), None) => {
                    format!("{path} -> {}", String::from_utf8(target).unwrap())
                }
                (None, Some(held)) => {
                    format!("{} {} {:?}", held.subject, held.was.unwrap(), held.candidates)
                }
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_link_whose_end_is_gone_is_held_and_one_that_led_nowhere_before_is_not() {
        let both = MemoryTree::default()
            .link("/srv/gone", "../usr/lib/gone")
            .link("/srv/stays", "/usr/lib/stays")
            .link("/srv/never", "/usr/lib/never")
            .link("/srv/to-gone", "gone")
            .file("/usr/lib/stays", "");
        let old = both.clone().file("/usr/lib/gone", "");
        let kept = ["/srv/gone", "/srv/never", "/srv/stays", "/srv/to-gone"].map(|at| (at, at));
        assert_eq!(found(&old, &both, &kept), ["/srv/gone /usr/lib/gone []"]);
        let moved = both.clone().file("/usr/libexec/gone", "");
        let expected = r#"/srv/gone /usr/lib/gone ["/usr/libexec/gone"]"#;
        assert_eq!(found(&old, &moved, &kept), [expected]);
    }

    #[test]
    fn a_link_follows_what_has_one_successor_but_not_a_library() {
        let both = MemoryTree::default()
            .link("/srv/java", "/usr/lib/jvm/java-11-openjdk-amd64/bin")
            .link("/srv/foo.so", "/usr/lib/libfoo.so.1")
            .link("/srv/two", "/usr/bin/tool1.2");
        let old = both
            .clone()
            .dir("/usr/lib/jvm/java-11-openjdk-amd64/bin")
            .file("/usr/lib/libfoo.so.1", "")
            .file("/usr/bin/tool1.2", "");
        let new = both
            .dir("/usr/lib/jvm/java-21-openjdk-amd64/bin")
            .link("/usr/bin/tool1", "tool1.3")
            .file("/usr/lib/libfoo.so.2", "")
            .file("/usr/bin/tool1.3", "")
            .file("/usr/bin/tool1.4", "");
        let kept = ["/srv/foo.so", "/srv/java", "/srv/two"].map(|at| (at, at));
        assert_eq!(
            found(&old, &new, &kept),
            [
                r#"/srv/foo.so /usr/lib/libfoo.so.1 ["/usr/lib/libfoo.so.2"]"#,
                "/srv/java -> /usr/lib/jvm/java-21-openjdk-amd64/bin",
                r#"/srv/two /usr/bin/tool1.2 ["/usr/bin/tool1.3", "/usr/bin/tool1.4"]"#,
            ]
        );
    }

    #[test]
    fn a_link_follows_what_was_kept_and_has_moved() {
        let old =
            MemoryTree::default().link("/srv/conf", "/etc/x/1/conf").file("/etc/x/1/conf", "");
        let new = MemoryTree::default().link("/srv/conf", "/etc/x/1/conf").file("/etc/y/conf", "");
        let kept = [("/etc/y/conf", "/etc/x/1/conf"), ("/srv/conf", "/srv/conf")];
        assert_eq!(found(&old, &new, &kept), ["/srv/conf -> /etc/y/conf"]);
    }

    #[test]
    fn a_zone_has_the_name_of_today() {
        let link = MemoryTree::default().link("/etc/localtime", "/usr/share/zoneinfo/US/Pacific");
        let old = link.clone().file("/usr/share/zoneinfo/US/Pacific", "");
        let new = link
            .file("/usr/share/zoneinfo/tzdata.zi", "Z x\nL America/Los_Angeles US/Pacific\n")
            .file("/usr/share/zoneinfo/America/Los_Angeles", "");
        let expected = "/etc/localtime -> /usr/share/zoneinfo/America/Los_Angeles";
        assert_eq!(found(&old, &new, &[("/etc/localtime", "/etc/localtime")]), [expected]);
    }
}
