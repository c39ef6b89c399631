//! Symbolic links of the service's own whose end is gone.

use super::finding::Finding;
use super::question::Question;
use crate::tree::{Kind, TreeError};
use crate::verdict::{Held, HeldKind};

/// The kept links that led somewhere and do not any more.
pub(super) fn look(question: &Question<'_>) -> Result<Vec<Finding>, TreeError> {
    let mut findings = Vec::new();
    for kept in question.kept {
        let Some(entry) = question.new.entry(&kept.path)? else { continue };
        let Kind::Symlink { target } = &entry.kind else { continue };
        if question.is_there(&kept.path) || !question.was_there(&kept.was) {
            continue;
        }
        let aim = kept.path.aim(target);
        let why = "the link leads to what the new system does not have";
        findings.push(Finding::held(Held::new(HeldKind::Reference, &kept.path, why).was(aim)));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::references::Kept;
    use crate::tree::RootPath;
    use crate::tree::memory::MemoryTree;

    fn kept(paths: &[&str]) -> Vec<Kept> {
        let path = |text: &&str| RootPath::parse(text.as_bytes()).unwrap();
        paths.iter().map(|text| Kept { path: path(text), was: path(text) }).collect()
    }

    #[test]
    fn a_link_whose_end_is_gone_is_held_and_one_that_led_nowhere_before_is_not() {
        let both = MemoryTree::default()
            .link("/srv/gone", "../usr/lib/gone")
            .link("/srv/stays", "/usr/lib/stays")
            .link("/srv/never", "/usr/lib/never")
            .file("/usr/lib/stays", "");
        let old = both.clone().file("/usr/lib/gone", "");
        let kept = kept(&["/srv/gone", "/srv/never", "/srv/stays"]);
        let question = Question { old: &old, new: &both, kept: &kept, settings: None };
        let found = look(&question).unwrap();
        let held: Vec<_> = found.iter().filter_map(|f| f.held.as_ref()).collect();
        assert_eq!(held.len(), 1);
        assert_eq!(
            (&*held[0].subject, held[0].was.as_deref()),
            ("/srv/gone", Some("/usr/lib/gone"))
        );
    }
}
