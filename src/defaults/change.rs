//! [`Change`]: a line in which two versions of a file differ.

use std::collections::BTreeMap;
use std::fmt;

use super::line::Line;
use crate::tree::escaped;

/// Where a line stands in a file that reads another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Before the other file is read.
    Before,
    /// After it.
    After,
    /// The file reads no other one.
    Anywhere,
}

/// A line in which two versions of a file differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The new version has it, the old one has not.
    Added(Line, Place),
    /// The old version has it, the new one has not.
    Removed(Line, Place),
    /// It sets the same to something else.
    Changed {
        /// The line of the old version.
        was: Line,
        /// That of the new one.
        now: Line,
        /// Where the new one stands.
        place: Place,
    },
    /// The same line, on the other side of what the file reads.
    Moved(Line, Place),
}

impl Change {
    /// Where it stands; of a line that is gone, where it stood.
    pub(crate) fn place(&self) -> Place {
        match self {
            Change::Added(_, place) | Change::Removed(_, place) | Change::Moved(_, place) => *place,
            Change::Changed { place, .. } => *place,
        }
    }

    /// What is set otherwise.
    pub(crate) fn key(&self) -> &str {
        match self {
            Change::Added(line, _) | Change::Removed(line, _) | Change::Moved(line, _) => &line.key,
            Change::Changed { now, .. } => &now.key,
        }
    }

    /// The line that counts now, if there is one.
    pub(crate) fn now(&self) -> Option<&Line> {
        match self {
            Change::Added(line, _) | Change::Moved(line, _) => Some(line),
            Change::Changed { now, .. } => Some(now),
            Change::Removed(..) => None,
        }
    }

    /// The line that counted before, if there was one.
    pub(crate) fn was(&self) -> Option<&Line> {
        match self {
            Change::Removed(line, _) => Some(line),
            Change::Changed { was, .. } => Some(was),
            Change::Added(..) | Change::Moved(..) => None,
        }
    }
}

/// How much of a line is shown, in characters.
const SHOWN: usize = 100;

fn shown(line: &Line) -> String {
    cut(&line.text)
}

fn cut(whole: &str) -> String {
    let text: String = whole.chars().take(SHOWN).collect();
    let more = if text.len() < whole.len() { "..." } else { "" };
    format!("`{}{more}`", escaped(text.as_bytes()))
}

/// `added `x` in `[section]``, without the place.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added(line, _) => write!(f, "added {}", shown(line)),
            Change::Removed(line, _) => write!(f, "gone {}", shown(line)),
            Change::Changed { was, now, .. } => write!(f, "{} is now {}", shown(was), shown(now)),
            Change::Moved(line, _) => write!(f, "moved {}", shown(line)),
        }?;
        match self.now().or(self.was()) {
            Some(line) if !line.section.is_empty() => write!(f, " in {}", cut(&line.section)),
            _ => Ok(()),
        }
    }
}

/// A line as far as it counts.
type Same = (String, String);

/// Lines of one sort in one version, by number.
#[derive(Default)]
struct Sides {
    old: Vec<usize>,
    new: Vec<usize>,
}

/// In which lines `new` differs from `old`; first those before what the file reads, in the order of
/// the new version, with what is gone at the end of each part. `reads` are the numbers of the lines
/// of both that read what the places are about.
pub(crate) fn compare(
    old: &[Line],
    new: &[Line],
    reads: (Option<usize>, Option<usize>),
) -> Vec<Change> {
    let (old_read, new_read) = reads;
    let place = |at: usize, read: Option<usize>| match read {
        Some(read) if at < read => Place::Before,
        Some(_) => Place::After,
        None => Place::Anywhere,
    };
    let (old_place, new_place) = (|at| place(at, old_read), |at| place(at, new_read));
    let same = |line: &Line| (line.section.clone(), line.canon());
    let mut sorts = BTreeMap::<Same, Sides>::new();
    for (at, line) in old.iter().enumerate() {
        sorts.entry(same(line)).or_default().old.push(at);
    }
    for (at, line) in new.iter().enumerate() {
        sorts.entry(same(line)).or_default().new.push(at);
    }
    let (mut gone, mut added, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for Sides { old: olds, new: news } in sorts.values() {
        let both = olds.len().min(news.len());
        gone.extend_from_slice(&olds[both..]);
        added.extend_from_slice(&news[both..]);
        for (&was, &now) in olds.iter().zip(news) {
            let (from, to) = (old_place(was), new_place(now));
            let known = from != Place::Anywhere && to != Place::Anywhere;
            if known && from != to && new_read != Some(now) {
                changes.push((now, Change::Moved(new[now].clone(), to)));
            }
        }
    }
    let mut by_key = BTreeMap::<(&str, &str), Sides>::new();
    for &at in &gone {
        by_key.entry((&old[at].section, &old[at].key)).or_default().old.push(at);
    }
    for &at in &added {
        by_key.entry((&new[at].section, &new[at].key)).or_default().new.push(at);
    }
    for Sides { old: olds, new: news } in by_key.into_values() {
        if let ([was], [now]) = (&olds[..], &news[..]) {
            let (was, place) = (old[*was].clone(), new_place(*now));
            changes.push((*now, Change::Changed { was, now: new[*now].clone(), place }));
            continue;
        }
        let added = news.into_iter().map(|at| (at, Change::Added(new[at].clone(), new_place(at))));
        changes.extend(added);
        let end = new.len();
        let gone =
            olds.into_iter().map(|at| (end + at, Change::Removed(old[at].clone(), old_place(at))));
        changes.extend(gone);
    }
    changes.sort_by_key(|(at, change)| (change.place(), *at));
    changes.into_iter().map(|(_, change)| change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::lines;

    /// What `new` has otherwise, each with its place when `conf.d` is read.
    fn told(old: &str, new: &str) -> Vec<String> {
        let (old, new) = (lines(old.as_bytes()).unwrap(), lines(new.as_bytes()).unwrap());
        let read = |lines: &[Line]| lines.iter().position(|line| line.text.contains("conf.d"));
        let changes = compare(&old, &new, (read(&old), read(&new)));
        changes.iter().map(|change| format!("{:?}: {change}", change.place())).collect()
    }

    #[test]
    fn equal_lines_with_other_comments_blanks_and_quotes_are_no_change() {
        let old = "# old\nport = 1\nlog \"/var/run/x\";\n";
        assert_eq!(told(old, "log /run/x\n\n# new\nport=1\n"), [""; 0]);
    }

    #[test]
    fn a_key_that_is_set_once_on_both_sides_is_changed_and_lists_are_not() {
        assert_eq!(told("type = a\n", "type = b\n"), ["Anywhere: `type = a` is now `type = b`"]);
        assert_eq!(
            told("acl a\nacl b\n", "acl c\nacl b\nacl d\n"),
            ["Anywhere: added `acl c`", "Anywhere: added `acl d`", "Anywhere: gone `acl a`"]
        );
    }

    #[test]
    fn the_same_key_in_another_section_is_another() {
        let old = "[a]\ntype = x\n[b]\ntype = y\n";
        let new = "[a]\ntype = y\n[b]\ntype = y\n";
        assert_eq!(told(old, new), ["Anywhere: `type = x` is now `type = y` in `[a]`"]);
    }

    #[test]
    fn lines_that_only_open_a_part_and_the_order_of_directories_are_no_change() {
        let none = [""; 0];
        assert_eq!(told("a {\n x 1\n}\n", "a {\n x 1\n}\nplugin {\n # y\n}\n"), none);
        let new = "a {\n x 1\n}\nplugin {\n y 2\n}\n";
        assert_eq!(told("a {\n x 1\n}\n", new), ["Anywhere: added `y 2` in `plugin`"]);
        assert_eq!(told("PATH=/sbin:/usr/bin:/bin\n", "PATH=\"/usr/bin:/usr/sbin\"\n"), none);
        assert_eq!(
            told(
                "5 6 * * * test -x /x || ( cd / && y )\n",
                "5 6 * * * test -x /x || { cd / && y; }\n"
            ),
            none
        );
        assert_eq!(told("PATH=/bin:/sbin\n", "PATH=/bin:/opt\n").len(), 1);
        assert_eq!(told("a = x:y\n", "a = y:x\n").len(), 1, "no directories");
    }

    #[test]
    fn what_moved_to_the_other_side_of_an_include_is_told_with_its_side() {
        let old = "deny x\ninclude conf.d/*\nallow localhost\ndeny all\n";
        let new = "deny x\nallow localhost\ninclude conf.d/*\nport 2\n";
        assert_eq!(
            told(old, new),
            ["Before: moved `allow localhost`", "After: added `port 2`", "After: gone `deny all`"]
        );
    }

    #[test]
    fn an_include_that_is_gone_or_new_is_a_line_like_others() {
        assert_eq!(told("include conf.d/*\nx 1\n", "x 1\n"), ["After: gone `include conf.d/*`"]);
        assert_eq!(told("x 1\n", "include conf.d/*\nx 1\n"), ["After: added `include conf.d/*`"]);
    }

    #[test]
    fn a_long_line_is_cut_and_controls_are_escaped() {
        let told = told("", &format!("x \u{1b}[1m{}\n", "y".repeat(300)));
        assert!(told[0].starts_with("Anywhere: added `x \\u{1b}[1m"), "{told:?}");
        assert!(told[0].len() < 160);
    }
}
