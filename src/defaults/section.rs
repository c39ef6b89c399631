//! Sections that are called otherwise: their lines went along with them.

use std::collections::BTreeMap;

use super::change::Change;
use super::line::Line;

/// `changes` of a file that had the lines `old`, without those that only say that lines stand in a
/// section with another head. That is told once, by the heads; of a condition that is no more, or
/// is new, around the same lines nothing is. What `keeps` says of a change, it stays: for some lines
/// it matters in which section they stand, but not that something has to be there for it.
pub(crate) fn by_head(
    changes: &[Change],
    old: &[Line],
    keeps: &dyn Fn(&Change) -> bool,
) -> Vec<Change> {
    let mut added = BTreeMap::<String, Vec<usize>>::new();
    for (at, change) in changes.iter().enumerate().rev() {
        if let Change::Added(line, _) = change {
            added.entry(line.canon()).or_default().push(at);
        }
    }
    // Which change came to be which one, by the sections.
    let mut ways = BTreeMap::<(&str, &str), Vec<(usize, usize)>>::new();
    for (at, change) in changes.iter().enumerate() {
        let Change::Removed(line, _) = change else { continue };
        let Some(other) = added.get_mut(&line.canon()).and_then(Vec::pop) else { continue };
        let now = changes[other].now().map_or("", |now| &*now.section);
        ways.entry((&line.section, now)).or_default().push((at, other));
    }
    let mut sizes = BTreeMap::<&str, usize>::new();
    old.iter().for_each(|line| *sizes.entry(&line.section).or_default() += 1);
    let (mut along, mut heads) = (vec![false; changes.len()], BTreeMap::new());
    for ((was, now), mut pairs) in ways {
        if pairs.len() * 2 < sizes.get(was).copied().unwrap_or_default() {
            continue;
        }
        let is_plain = is_without_condition(was, now) || is_without_condition(now, was);
        let is_kept = |at: usize| !is_plain && keeps(&changes[at]);
        pairs.retain(|(from, to)| !is_kept(*from) && !is_kept(*to));
        pairs.iter().for_each(|(from, to)| (along[*from], along[*to]) = (true, true));
        if let Some((_, first)) = pairs.first()
            && !is_inner(now, was)
            && !is_inner(was, now)
        {
            let place = changes[*first].place();
            heads.insert(*first, Change::Changed { was: head(was), now: head(now), place });
        }
    }
    let kept = changes.iter().enumerate().filter_map(|(at, change)| match heads.remove(&at) {
        Some(head) => Some(head),
        None => (!along[at]).then(|| change.clone()),
    });
    kept.collect()
}

/// Whether the heads `section` end with those of `inner`.
fn is_inner(inner: &str, section: &str) -> bool {
    let outer = section.strip_suffix(inner);
    outer.is_some_and(|outer| inner.is_empty() || outer.is_empty() || outer.ends_with(' '))
}

/// Whether `plain` is `section` without the heads that say what has to be there: `<IfModule x>`. One
/// that says what must not is no such head.
fn is_without_condition(section: &str, plain: &str) -> bool {
    let (mut left, mut rest) = (String::new(), section);
    while let Some(at) = rest.find("<If") {
        let Some(length) = rest[at..].find('>') else { break };
        if rest[at..at + length].contains('!') {
            return false;
        }
        left.push_str(&rest[..at]);
        rest = &rest[at + length + 1..];
    }
    left.push_str(rest);
    left.split_whitespace().eq(plain.split_whitespace())
}

fn head(section: &str) -> Line {
    let key = section.split(' ').next().unwrap_or_default().to_lowercase();
    Line { section: String::new(), key, text: section.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::{compare, lines};

    fn told(old: &str, new: &str) -> Vec<String> {
        let (old, new) = (lines(old.as_bytes()).unwrap(), lines(new.as_bytes()).unwrap());
        let changes = by_head(&compare(&old, &new, (None, None)), &old, &|_| false);
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_head_is_compared_as_a_whole() {
        let of = |head: &str| format!("{head} {{\nx 1\ny 2\n}}\n");
        assert_eq!(told(&of("subserver"), &of("server")), ["`subserver` is now `server`"]);
        assert_eq!(told(&format!("a {{\n{}}}\n", of("b")), &of("b")), [""; 0]);
    }

    #[test]
    fn a_condition_around_lines_of_which_the_section_matters_is_no_change() {
        let block = "<Directory /x>\ngrant a\ndeny b\n</Directory>\n";
        let told = |old: &str, new: &str| {
            let (old, new) = (lines(old.as_bytes()).unwrap(), lines(new.as_bytes()).unwrap());
            by_head(&compare(&old, &new, (None, None)), &old, &|_| true).len()
        };
        let within = |head: &str| format!("<If{head}>\n{block}</If>\n");
        assert_eq!((told(&within(" m"), block), told(block, &within(" m"))), (0, 0));
        assert_eq!((told(&within(" !m"), block), told(block, "grant a\ndeny b\n")), (4, 4));
    }

    #[test]
    fn a_section_with_another_head_is_told_once() {
        let old = "<If a>\nx 1\ny 2\n</If>\n";
        assert_eq!(told(old, "<If b>\nx 1\ny 2\n</If>\n"), ["`<If a>` is now `<If b>`"]);
        assert_eq!(told(old, "x 1\ny 2\n"), [""; 0], "a condition that is no more");
        assert_eq!(
            told(old, "<If b>\nx 1\ny 3\n</If>\n"),
            ["`<If a>` is now `<If b>`", "added `y 3` in `<If b>`", "gone `y 2` in `<If a>`"]
        );
        let other = "<If a>\nx 1\ny 2\nz 3\n</If>\n";
        assert_eq!(told(other, "<If a>\ny 2\nz 3\n</If>\nx 1\n").len(), 2, "one line of many");
    }
}
