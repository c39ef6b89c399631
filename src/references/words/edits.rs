//! [`Edits`]: words of one text that become others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::tree::escaped;

/// How many different words are told of one text.
const MAX_TOLD: usize = 10;

/// Words of one text that become others.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// By where the word begins. They do not overlap.
    edits: BTreeMap<usize, Word>,
}

/// Where a word ends, what it becomes, and what such a word is called where that does not show.
#[derive(Debug, Clone)]
struct Word {
    end: usize,
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
        let before = self.edits.range(..at.end).next_back();
        if before.is_none_or(|(_, word)| word.end <= at.start) {
            self.edits.insert(at.start, Word { end: at.end, with, sort });
        }
    }

    /// Those within `range` of the text.
    pub(super) fn within(&self, range: &Range<usize>) -> Edits {
        let inside = self.edits.range(range.clone()).filter(|(_, word)| word.end <= range.end);
        Edits { edits: inside.map(|(at, word)| (*at, word.clone())).collect() }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The part `range` of `text` with all of them.
    pub(super) fn apply(&self, text: &[u8], range: Range<usize>) -> Vec<u8> {
        let (mut new, mut at) = (Vec::with_capacity(range.len()), range.start);
        for (begin, word) in &self.edits {
            new.extend_from_slice(&text[at..*begin]);
            new.extend_from_slice(&word.with);
            at = word.end;
        }
        new.extend_from_slice(&text[at..range.end]);
        new
    }

    /// What they do to `text`, for people, each word once.
    pub(super) fn told(&self, text: &[u8]) -> String {
        let (mut told, mut known) = (Vec::new(), BTreeSet::new());
        for (at, Word { end, with, sort }) in &self.edits {
            let word = &text[*at..*end];
            if known.insert((*sort, word)) && told.len() < MAX_TOLD {
                told.push(format!("{sort}`{}` is now `{}`", escaped(word), escaped(with)));
            }
        }
        let more = known.len() - told.len();
        if more > 0 {
            told.push(format!("and {more} more words"));
        }
        told.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_each_once_and_told_each_once() {
        let text = b"a b c b";
        let mut edits = Edits::default();
        edits.put(6..7, b"yy".to_vec());
        edits.put(2..3, b"yy".to_vec());
        edits.put(2..5, b"no".to_vec());
        edits.put(0..3, b"no".to_vec());
        edits.put_as("user ", 0..1, b"1".to_vec());
        assert_eq!(edits.apply(text, 0..7), b"1 yy c yy");
        assert_eq!(edits.within(&(2..7)).apply(text, 2..7), b"yy c yy");
        assert_eq!(edits.told(text), "user `a` is now `1`, `b` is now `yy`");
    }
}
