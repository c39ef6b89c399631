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

/// What is open by `change` of the file at `path`, in the words of a rule.
pub(super) fn opened<'a>(access: &'a Access, path: &RootPath, change: &Change) -> Option<&'a str> {
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

#[cfg(test)]
mod tests {
    use super::super::finding::question;
    use super::*;
    use crate::defaults::{compare, lines};
    use crate::layout::{Recognised, load};
    use crate::verdict::Harm;

    const RULE: &str = "app: x\ntitle: X\nrecognise: {packages: [{name: x}]}\naccess:\n  \
                        - {globs: [/etc/x], opens: [allow *, '*transfer any'], closes: [deny all], why: w}\n";

    fn opening(old: &str, new: &str) -> (usize, Vec<String>, Harm) {
        let rule = load::parse("x.yaml", RULE).unwrap();
        let found = Recognised { app: "x".to_owned(), version: None, rule };
        let access = Access::new(&[found]).unwrap();
        let path = RootPath::parse(b"/etc/x").unwrap();
        let (old, new) = (lines(old.as_bytes()).unwrap(), lines(new.as_bytes()).unwrap());
        let read = |lines: &[Line]| lines.iter().position(|line| line.text.starts_with("include"));
        let mut changes = compare(&old, &new, (read(&old), read(&new)));
        let opening = Opening::first(&access, &path, &mut changes);
        let harm = question(&path, String::new(), &opening, Harm::Cosmetic).harm;
        (opening.changes, changes.iter().map(ToString::to_string).collect(), harm)
    }

    #[test]
    fn what_lets_somebody_in_comes_first_and_is_the_harm() {
        let (count, told, harm) = opening("a 1\ndeny all\n", "a 2\nallow me\n");
        assert_eq!((count, harm), (2, Harm::OpensAccess));
        assert_eq!(told, ["added `allow me`", "gone `deny all`", "`a 1` is now `a 2`"]);
        let (count, _, harm) = opening("a 1\n", "a 2\n");
        assert_eq!((count, harm), (0, Harm::Cosmetic));
        let (count, _, _) = opening("", "transfer {\n any;\n};\nb 1;\nc 2;\n");
        assert_eq!(count, 1, "in a section");
        let (count, _, _) = opening("include y\nallow me\n", "allow me\ninclude y\n");
        assert_eq!(count, 1, "before the user's lines");
    }
}
