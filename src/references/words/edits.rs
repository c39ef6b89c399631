//! [`Edits`]: words of one text that become others.

use std::ops::Range;

use crate::tree::escaped;

/// Words of one text that become others.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<(Range<usize>, Word)>,
}

/// What a word becomes, and what such a word is called where that does not show.
#[derive(Debug, Clone)]
struct Word {
    with: Vec<u8>,
    sort: &'static str,
}

impl Edits {
    /// What stands at `at` becomes `with`; a second word for the same place does not count.
    pub(super) fn put(&mut self, at: Range<usize>, with: Vec<u8>) {
        self.put_as("", at, with);
    }

    /// As [`Self::put`], of a word that is a `sort` of name.
    pub(super) fn put_as(&mut self, sort: &'static str, at: Range<usize>, with: Vec<u8>) {
        if !self.edits.iter().any(|(known, _)| known.start < at.end && at.start < known.end) {
            self.edits.push((at, Word { with, sort }));
        }
    }

    /// Those within `range` of the text.
    pub(super) fn within(&self, range: &Range<usize>) -> Edits {
        let inside =
            |(at, _): &&(Range<usize>, Word)| range.start <= at.start && at.end <= range.end;
        Edits { edits: self.edits.iter().filter(inside).cloned().collect() }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The part `range` of `text` with all of them.
    pub(super) fn apply(&self, text: &[u8], range: Range<usize>) -> Vec<u8> {
        let mut edits: Vec<_> = self.edits.iter().collect();
        edits.sort_by_key(|(at, _)| at.start);
        let (mut new, mut at) = (Vec::with_capacity(range.len()), range.start);
        for (place, word) in edits {
            new.extend_from_slice(&text[at..place.start]);
            new.extend_from_slice(&word.with);
            at = place.end;
        }
        new.extend_from_slice(&text[at..range.end]);
        new
    }

    /// What they do to `text`, for people, each word once.
    pub(super) fn told(&self, text: &[u8]) -> String {
        let mut told: Vec<String> = Vec::new();
        for (at, Word { with, sort }) in &self.edits {
            let line = format!("{sort}`{}` is now `{}`", escaped(&text[at.clone()]), escaped(with));
            if !told.contains(&line) {
                told.push(line);
            }
        }
        told.join(", ")
    }
}
