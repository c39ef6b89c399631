//! [`Opening`]: what of a default's changes lets somebody in, as rules say.

use crate::defaults::{Change, Line};
use crate::layout::Access;
use crate::tree::RootPath;

/// What of a list of changes lets somebody in.
#[derive(Default)]
pub(super) struct Opening {
    /// What is open then, in the words of a rule; empty where nothing is.
    pub(super) why: String,
    /// How many of the changes do so: the first ones.
    pub(super) changes: usize,
}

impl Opening {
    /// Puts those of the `changes` of the file at `path` first that let somebody in.
    pub(super) fn first(access: &Access, path: &RootPath, changes: &mut Vec<Change>) -> Opening {
        let mut why = None;
        let (mut opening, rest): (Vec<Change>, Vec<Change>) =
            std::mem::take(changes).into_iter().partition(|change| {
                let found = opened(access, path, change).map(str::to_owned);
                let is_opening = found.is_some();
                why = why.take().or(found);
                is_opening
            });
        let count = opening.len();
        opening.extend(rest);
        *changes = opening;
        Opening { why: why.unwrap_or_default(), changes: count }
    }
}

fn opened<'a>(access: &'a Access, path: &RootPath, change: &Change) -> Option<&'a str> {
    let spelled = |line: Option<&Line>| line.map(spellings).unwrap_or_default();
    let now = spelled(change.now());
    let was = match change {
        // Where it stands decides whom it keeps out.
        Change::Moved(..) => now.clone(),
        _ => spelled(change.was()),
    };
    access.opened(path, &was, &now)
}

/// A line as rules may mean it: by itself, and with the heads of its sections.
fn spellings(line: &Line) -> Vec<String> {
    let text = line.text.trim_end_matches([';', ' ']);
    match line.section.is_empty() {
        true => vec![text.to_owned()],
        false => vec![text.to_owned(), format!("{} {text}", line.section)],
    }
}
