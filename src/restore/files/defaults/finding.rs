//! [`Finding`]: what a default has otherwise, and how a person is asked about it.

use std::cmp::Reverse;

use super::old_default::OldDefault;
use super::opening::Opening;
use super::place::{is_main, is_of_service};
use crate::defaults::{Change, Place};
use crate::tree::RootPath;
use crate::verdict::{Harm, Held, HeldKind};

/// How many lines are told of one file.
const TOLD: usize = 8;

/// What a default has otherwise.
pub(super) struct Finding {
    pub(super) path: RootPath,
    /// What of the user's is read by it, or sets what it sets.
    pub(super) around: Vec<RootPath>,
    /// Those of them that it does not read any more.
    pub(super) unread: Vec<RootPath>,
    /// The file is there no more.
    pub(super) gone: bool,
    /// Those that let somebody in come first.
    pub(super) changes: Vec<Change>,
    pub(super) opening: Opening,
}

impl Finding {
    /// Whether it is worth a question.
    pub(super) fn is_told(&mut self, default: &OldDefault) -> bool {
        if !self.around.is_empty() {
            let is_news = self.opening.changes > 0 || !(self.gone || self.changes.is_empty());
            return is_news || !self.unread.is_empty();
        }
        let mut opening = self.opening.changes;
        self.changes.retain(|change| {
            let opens = opening > 0;
            opening = opening.saturating_sub(1);
            opens || change.was().is_some()
        });
        // That files come and go with versions is no news where nothing of the user's is near.
        let is_news = self.opening.changes > 0 || !(self.gone || self.changes.is_empty());
        default.in_service && is_of_service(&default.path) && is_news
    }

    /// The question about it.
    pub(super) fn held(&self) -> Held {
        let names: Vec<String> = self.around.iter().take(TOLD).map(ToString::to_string).collect();
        let mut parts = Vec::new();
        let mut unread: Vec<String> = self.unread.iter().map(ToString::to_string).collect();
        unread.truncate(TOLD);
        if self.gone {
            parts.push("the new version has no such file".to_owned());
        }
        if !unread.is_empty() {
            parts.push(format!("nothing reads {} any more", unread.join(", ")));
        }
        // Of a file that is gone all lines are: what they kept out is what matters.
        let shown = match self.gone {
            true => &self.changes[..self.opening.changes],
            false => &self.changes,
        };
        for (place, words) in [
            (Place::Before, "before your lines"),
            (Place::After, "after your lines"),
            (Place::Anywhere, "in it"),
        ] {
            let there: Vec<Change> =
                shown.iter().filter(|change| change.place() == place).cloned().collect();
            if !there.is_empty() {
                let told: Vec<String> = told(&there).collect();
                parts.push(format!("{words}: {}", told.join("; ")));
            }
        }
        let why = format!(
            "nobody edited it, and the new version's default says something else around lines of \
             your own ({}): {}",
            names.join(", "),
            parts.join("; ")
        );
        let held = question(&self.path, why, &self.opening, HeldKind::Default.harm());
        let held = with_lines(held, &self.changes).file(&self.path);
        self.around.iter().take(TOLD).fold(held, Held::file)
    }
}

/// One question for all findings about the defaults of a package that stand alone. The service runs
/// with them, so nothing worse happens than that it is other than it was.
pub(super) fn together(mut findings: Vec<Finding>) -> Option<Held> {
    findings.sort_by_key(|finding| {
        let opens = finding.opening.changes > 0;
        (!opens, !is_main(&finding.path), Reverse(finding.changes.len()), finding.path.clone())
    });
    let first = findings.first()?;
    let words: Vec<String> = told(&first.changes).collect();
    let mut why = format!(
        "nobody edited it, its service was on, and the new version's default says something else: \
         {}",
        words.join("; ")
    );
    let others = &findings[1..];
    if !others.is_empty() {
        let names: Vec<String> =
            others.iter().take(TOLD).map(|finding| finding.path.to_string()).collect();
        why = format!("{why}; so it is with {}", names.join(", "));
        if others.len() > TOLD {
            why = format!("{why} and {} more", others.len() - TOLD);
        }
    }
    let held = question(&first.path, why, &first.opening, Harm::Cosmetic);
    let held = if others.is_empty() { with_lines(held, &first.changes) } else { held };
    Some(findings.iter().take(TOLD).fold(held, |held, finding| held.file(&finding.path)))
}

/// A question about the file at `path`: what lets somebody in is said, and is what may happen; else
/// `harm` is.
pub(super) fn question(path: &RootPath, why: String, opening: &Opening, harm: Harm) -> Held {
    match opening.changes {
        0 => Held::new(HeldKind::Default, path, why).harm(harm),
        _ => {
            let why = format!("{why}; this may open access: {}", opening.why);
            Held::new(HeldKind::Default, path, why).harm(Harm::OpensAccess)
        }
    }
}

/// Changes in words, with how many there are besides.
pub(super) fn told(changes: &[Change]) -> impl Iterator<Item = String> {
    let more = changes.len().saturating_sub(TOLD);
    let more = (more > 0).then(|| format!("and {more} more"));
    changes.iter().take(TOLD).map(ToString::to_string).chain(more)
}

/// `held` with the old and the new line, where there is one of each at most.
pub(super) fn with_lines(mut held: Held, changes: &[Change]) -> Held {
    if let [change] = changes {
        held.was = change.was().map(|line| line.text.clone());
        held.candidates.extend(change.now().map(|line| line.text.clone()));
    }
    held
}
