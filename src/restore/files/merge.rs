//! Three texts become one, line by line.
//!
//! What only one side changed is taken from that side. Where both changed the same lines ours
//! stand: the service was run with them. How many such places there are is told, because only a
//! person can say whether that is right. Places in which the new text has nothing else in effect
//! than the old one or ours are no question, nor is what it changed only in settings that ours left
//! out altogether.

use diffy::MergeOptions;

use crate::defaults::{self, Change, Line};

/// A merged text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) struct Merged {
    /// The text.
    pub(in crate::restore) text: Vec<u8>,
    /// Places where both sides changed the same lines; ours are in the text.
    pub(in crate::restore) conflicts: usize,
}

/// The marks that begin a line around a place where both sides changed the same lines.
const MARKS: [u8; 4] = *b"<|=>";

/// Merges what became of `base` on both sides. Whether the last line ends is no change: it is as
/// in ours.
pub(in crate::restore) fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Merged {
    let mut merged = merge_lines(&whole_lines(base), &whole_lines(ours), &whole_lines(theirs));
    if merged.conflicts > 0 && concerns_nothing(base, ours, theirs) {
        merged.conflicts = 0;
    }
    if !ours.is_empty() && !ours.ends_with(b"\n") && merged.text.ends_with(b"\n") {
        merged.text.pop();
    }
    merged
}

/// `text` with an end to its last line: a mark of a conflict would be put behind it otherwise.
fn whole_lines(text: &[u8]) -> Vec<u8> {
    let end: &[u8] = if text.is_empty() || text.ends_with(b"\n") { b"" } else { b"\n" };
    [text, end].concat()
}

fn merge_lines(base: &[u8], ours: &[u8], theirs: &[u8]) -> Merged {
    // One longer than anything in the texts that could be taken for a mark.
    let length = 1 + [base, ours, theirs].map(longest_mark).into_iter().max().unwrap_or(0).max(6);
    let mut options = MergeOptions::new();
    options.set_conflict_marker_length(length);
    match options.merge_bytes(base, ours, theirs) {
        Ok(text) => Merged { text, conflicts: 0 },
        Err(marked) => ours_where_marked(&marked, length),
    }
}

/// The longest run of one mark that begins a line of `text`.
fn longest_mark(text: &[u8]) -> usize {
    let runs = text.split(|&b| b == b'\n').filter_map(|line| {
        let mark = line.first().filter(|first| MARKS.contains(first))?;
        Some(line.iter().take_while(|b| *b == mark).count())
    });
    runs.max().unwrap_or(0)
}

fn ours_where_marked(marked: &[u8], length: usize) -> Merged {
    let mut text = Vec::with_capacity(marked.len());
    let mut conflicts = 0;
    // Ours, the base and theirs of the place that is read.
    let mut place: Option<(usize, [Vec<u8>; 3])> = None;
    for line in marked.split_inclusive(|&b| b == b'\n') {
        let mark = line.first().filter(|first| {
            MARKS.contains(first) && line.iter().take_while(|b| b == first).count() == length
        });
        match (mark, &mut place) {
            (Some(b'<'), _) => place = Some((0, Default::default())),
            (Some(b'>'), _) => {
                if let Some((_, [ours, base, theirs])) = place.take() {
                    let is_question = !(same(&base, &theirs) || same(&ours, &theirs));
                    conflicts += usize::from(is_question);
                    text.extend(ours);
                }
            }
            (Some(b'|'), Some((part, _))) => *part = 1,
            (Some(_), Some((part, _))) => *part = 2,
            (_, Some((part, parts))) => parts[*part].extend_from_slice(line),
            (_, None) => text.extend_from_slice(line),
        }
    }
    Merged { text, conflicts }
}

/// Whether `theirs` only changed or took out settings of `base` that are not in `ours`, and that
/// nothing has taken the place of there.
fn concerns_nothing(base: &[u8], ours: &[u8], theirs: &[u8]) -> bool {
    let [Some(base), Some(ours), Some(theirs)] = [base, ours, theirs].map(defaults::lines) else {
        return false;
    };
    let is_left_out = |change: &Change| {
        let sets =
            |line: &Line| ours.iter().any(|our| our.key == line.key && our.section == line.section);
        change.was().is_some_and(|was| !sets(was))
    };
    defaults::compare(&base, &theirs, (None, None)).iter().all(is_left_out)
}

/// Whether two texts have the same lines in effect.
pub(in crate::restore) fn same(a: &[u8], b: &[u8]) -> bool {
    let lines = defaults::lines(a).zip(defaults::lines(b));
    lines.is_some_and(|(a, b)| defaults::compare(&a, &b, (None, None)).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> (String, usize) {
        let merged = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
        (String::from_utf8(merged.text).unwrap(), merged.conflicts)
    }

    #[test]
    fn what_one_side_changed_is_taken_from_it() {
        let (base, ours) = ("a\nb\nc\nd\ne\n", "A\nb\nc\nd\ne\n");
        assert_eq!(merged(base, ours, "a\nb\nc\nd\nE\n"), ("A\nb\nc\nd\nE\n".to_owned(), 0));
    }

    #[test]
    fn where_both_changed_the_same_lines_ours_stand_and_the_rest_is_merged() {
        let base = "bind a\nx\ny\nport 1\nx\ny\nlog on\n";
        let ours = "bind a\nx\ny\nport 2\nx\ny\nlog on\n";
        let theirs = "bind b\nx\ny\nport 3\nx\ny\nlog on\nnew\n";
        let expected = "bind b\nx\ny\nport 2\nx\ny\nlog on\nnew\n".to_owned();
        assert_eq!(merged(base, ours, theirs), (expected, 1));
    }

    #[test]
    fn a_place_in_which_only_comments_of_the_new_text_are_others_is_no_question() {
        let (base, ours) = ("a\n# one\n\n# vi\n", "a\n# one\n\n# vi\nb\n");
        assert_eq!(merged(base, ours, "a\n# two\n"), (ours.to_owned(), 0));
        let (base, ours, theirs) = ("# off;\n", "off;\n", "off; # for good reasons\n");
        assert_eq!(merged(base, ours, theirs), (ours.to_owned(), 0));
        assert_eq!(merged(base, "on;\n", theirs), ("on;\n".to_owned(), 1));
        assert_eq!(merged("x = 1\n", "# x = 1\n", "# x\n"), ("# x = 1\n".to_owned(), 0));
    }

    #[test]
    fn what_ours_left_out_altogether_is_no_question() {
        let (base, theirs) = ("[a]\nx = 1\n[b]\npath = 1\n", "[a]\nx = 1\n[b]\npath = 2\n");
        let ours = "[a]\ny = 1\npath = 3\n";
        assert_eq!(merged(base, ours, theirs), (ours.to_owned(), 0));
        assert_eq!(merged(base, "[b]\npath = 3\n", theirs).1, 1);
        assert_eq!(merged("x = 1\n", "y = 1\n", "x = 2\nz = 1\n").1, 1);
    }

    #[test]
    fn a_side_without_a_last_line_end_and_an_empty_one_are_texts_too() {
        assert_eq!(merged("a\nb", "a\nc", "a\nd"), ("a\nc".to_owned(), 1));
        assert_eq!(merged("a\nb\n", "a\nc", "a\nd\n"), ("a\nc".to_owned(), 1));
        assert_eq!(merged("a\nb", "a\nc\n", "a\nd"), ("a\nc\n".to_owned(), 1));
        assert_eq!(merged("a\nx\nb", "a\nx\nb\nc", "z\nx\nb"), ("z\nx\nb\nc".to_owned(), 0));
        assert_eq!(merged("a\n", "", "b\n"), (String::new(), 1));
        assert_eq!(merged("", "a\n", "b\n"), ("a\n".to_owned(), 1));
    }

    #[test]
    fn lines_that_look_like_marks_are_lines() {
        let marks = "<<<<<<< ours\n=======\n>>>>>>>>> theirs\n|||||||\n";
        let (base, theirs) = (format!("{marks}x\n"), format!("{marks}z\n"));
        let ours = format!("{marks}y\n");
        assert_eq!(merged(&base, &ours, &theirs), (ours.clone(), 1));
    }
}
