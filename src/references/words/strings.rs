//! [`Strings`]: texts over several lines within a program. What stands in them is said, not done.

use std::ops::Range;

use super::lines::lines;

/// How a language writes a text over several lines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Strings {
    /// Between three quotes.
    Quoted,
    /// From the next line on until a word stands alone in one.
    HereDocuments,
}

impl Strings {
    /// Whether each line of `text` begins within such a text, in order.
    pub(super) fn within(self, text: &[u8]) -> Vec<bool> {
        let all: Vec<&[u8]> = lines(text).map(|line: Range<usize>| &text[line]).collect();
        match self {
            Strings::Quoted => {
                let mut open = None;
                let begins = all.iter().map(|line| {
                    let within = open.is_some();
                    open = quoted(line, open);
                    within
                });
                begins.collect()
            }
            Strings::HereDocuments => here_documents(&all),
        }
    }
}

/// The quote of which three end what is open after `line`, if `open` was before it.
fn quoted(line: &[u8], mut open: Option<u8>) -> Option<u8> {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let three = line.get(at..at + 3).is_some_and(|three| three.iter().all(|b| *b == byte));
        match (open, byte) {
            (Some(quote), _) if byte == quote && three => {
                open = None;
                at += 3;
            }
            (Some(_), b'\\') => at += 2,
            (Some(_), _) => at += 1,
            (None, b'#') => break,
            (None, b'"' | b'\'') if three => {
                open = Some(byte);
                at += 3;
            }
            (None, b'"' | b'\'') => at = end_of_string(line, at),
            (None, _) => at += 1,
        }
    }
    open
}

/// Where the string of one line ends that begins at `at`.
pub(super) fn end_of_string(line: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while line.get(end).is_some_and(|byte| *byte != line[at]) {
        end += if line[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

fn here_documents(lines: &[&[u8]]) -> Vec<bool> {
    let mut within = vec![false; lines.len()];
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if line.trim_ascii_start().starts_with(b"#") {
            continue;
        }
        for word in announced(line) {
            // What never ends was none: it may be a number that is shifted. After three signs more
            // may follow the word in its line.
            let three = line.windows(3).any(|three| three == b"<<<");
            let ends = |line: &&[u8]| {
                let rest = line.trim_ascii().strip_prefix(word);
                rest.is_some_and(|rest| {
                    rest.is_empty() || (three && rest.iter().all(|b| b";,)".contains(b)))
                })
            };
            if let Some(length) = lines[at..].iter().position(ends) {
                within[at..=at + length].fill(true);
                at += length + 1;
            }
        }
    }
    within
}

/// The words that end the texts that `line` announces: `<<EOT`, `<<-EOT`, `<<~'EOT'`.
fn announced(line: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.windows(2).position(|two| two == b"<<") {
        rest = &rest[at + 2..];
        let from = rest.iter().take_while(|b| b"<-~\"'`".contains(b)).count();
        let is_part = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
        let length = rest[from..].iter().take_while(is_part).count();
        let word = &rest[from..from + length];
        if word.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
            found.push(word);
        }
        rest = &rest[from + length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_within_three_quotes_begin_in_a_string() {
        let within = |text: &str| Strings::Quoted.within(text.as_bytes());
        assert_eq!(within("'''a\nb\nc'''\nd\n"), [false, true, true, false]);
        assert_eq!(within("\"\"\"a'''\nb\\\"\"\"\n\"\"\"\nd"), [false, true, true, false]);
        assert_eq!(within("a = \"'''\" # '''\nb = '\\'' + '#'\nc"), [false; 3]);
        assert_eq!(within("a = '''b''' + '''c\nd"), [false, true]);
    }

    #[test]
    fn lines_until_the_word_that_was_announced_begin_in_a_string() {
        let within = |text: &str| Strings::HereDocuments.within(text.as_bytes());
        assert_eq!(within("f <<A, <<~'B'\na\nA\n  b\n  B\nc"), {
            [false, true, true, true, true, false]
        });
        assert_eq!(within("# <<A\na\nA\n"), [false; 3]);
        assert_eq!(within("1 <<A\na <<2\n"), [false; 2]);
        assert_eq!(within("f(<<<A\na\nA);\nb\n"), [false, true, true, false]);
    }
}
