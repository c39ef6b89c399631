//! [`Text`]: a report for people as lines of words with roles, before it is wrapped and coloured.
//!
//! Nothing here is a terminal: roles become colours, and lines get as wide as a screen, where they
//! are printed. What a word is made of is shown and never obeyed.

use std::fmt;

use crate::tree::printable;

/// What a word is to its reader; a terminal may show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Text.
    Plain,
    /// The title of a part.
    Title,
    /// The title of a part that wants a decision.
    Alarm,
    /// What is spoken of.
    Subject,
    /// What matters less.
    Faint,
}

/// Words of one role; they hold no line break, and nothing that a terminal would obey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What they are to the reader.
    pub role: Role,
    /// The words.
    pub text: String,
}

/// One line, which may be longer than a screen is wide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    spans: Vec<Span>,
    /// How far its second and further lines are indented on a screen.
    hang: usize,
}

/// A report for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Line>,
}

impl Line {
    /// An empty line, of which what does not fit on a screen is indented by `hang`.
    pub(super) fn hanging(hang: usize) -> Line {
        Line { spans: vec![], hang }
    }

    /// Adds words.
    pub(super) fn and(mut self, role: Role, text: impl fmt::Display) -> Line {
        self.spans.push(Span { role, text: printable(&text.to_string()).into_owned() });
        self
    }

    /// How many characters it has.
    pub(super) fn len(&self) -> usize {
        self.spans.iter().map(|span| span.text.chars().count()).sum()
    }

    /// How many lines of a screen of `width` it takes.
    pub(super) fn height(&self, width: Option<usize>) -> usize {
        width.map_or(1, |width| self.wrapped(width).len())
    }

    /// The line broken between words; a word that is wider than the screen stays whole.
    fn wrapped(&self, width: usize) -> Vec<Vec<Span>> {
        let mut lines: Vec<Vec<Span>> = vec![vec![]];
        let mut used = 0;
        // What stands before the first word is no place to break at.
        let mut empty = true;
        for span in &self.spans {
            for word in span.text.split_inclusive(' ') {
                let length = word.trim_end_matches(' ').chars().count();
                if !empty && used + length > width && length > 0 {
                    let hang = self.hang.min(width / 2);
                    used = hang;
                    lines.push(vec![Span { role: Role::Plain, text: " ".repeat(hang) }]);
                }
                empty = empty && length == 0;
                used += word.chars().count();
                let Some(line) = lines.last_mut() else { continue };
                match line.last_mut() {
                    Some(last) if last.role == span.role => last.text.push_str(word),
                    _ => line.push(Span { role: span.role, text: word.to_owned() }),
                }
            }
        }
        lines
    }
}

impl Text {
    /// Text whose lines are all as they are.
    pub fn plain(text: &str) -> Text {
        Text { lines: text.lines().map(|line| Line::default().and(Role::Plain, line)).collect() }
    }

    /// Adds a line.
    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds all lines of `other`.
    pub(super) fn append(&mut self, other: Text) {
        self.lines.extend(other.lines);
    }

    /// How many lines of a screen of `width` it takes.
    pub(super) fn height(&self, width: Option<usize>) -> usize {
        self.lines.iter().map(|line| line.height(width)).sum()
    }

    /// The lines of a screen of `width`; without one every line is as long as it is.
    pub fn wrapped(&self, width: Option<usize>) -> impl Iterator<Item = Vec<Span>> {
        self.lines.iter().flat_map(move |line| match width {
            Some(width) => line.wrapped(width),
            None => vec![line.spans.clone()],
        })
    }
}

/// Without colours, each line as long as it is.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            line.spans.iter().try_for_each(|span| f.write_str(&span.text))?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &Text, width: Option<usize>) -> Vec<String> {
        let joined = |spans: Vec<Span>| spans.into_iter().map(|span| span.text).collect();
        text.wrapped(width).map(|spans: Vec<Span>| -> String { joined(spans) }).collect()
    }

    #[test]
    fn lines_are_broken_between_words_and_never_in_one() {
        let mut text = Text::default();
        let line = Line::hanging(4).and(Role::Subject, "  /srv/a/long/name: ");
        text.push(line.and(Role::Plain, "why it is so"));
        let expected = ["  /srv/a/long/name: ", "    why it ", "    is so"];
        assert_eq!(lines(&text, Some(11)), expected);
        assert_eq!(lines(&text, None), ["  /srv/a/long/name: why it is so"]);
        assert_eq!(text.height(Some(11)), 3);
        assert_eq!(text.height(None), 1);
    }

    #[test]
    fn what_a_word_is_made_of_is_shown_and_not_obeyed() {
        let line = Line::default().and(Role::Plain, "a\x1b[2J\nb\u{202e}");
        let mut text = Text::default();
        text.push(line);
        assert_eq!(text.to_string(), "a\\u{1b}[2J\\nb\\u{202e}\n");
    }
}
