//! Lines and columns of texts.

use std::ops::Range;

/// The lines of `text`, without their ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = at..at + length;
        at += length + 1;
        Some(line)
    })
}

/// Where a line ends that goes on in the next one after a backslash.
pub(super) fn continued(text: &[u8], mut end: usize) -> usize {
    while end > 0 && text[end - 1] == b'\\' && end < text.len() {
        let rest = &text[end + 1..];
        end += 1 + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }
    end
}

/// Where the value of `line` begins, if it is `key = value`.
pub(super) fn value_at(line: &[u8], wanted: &dyn Fn(&[u8]) -> bool) -> Option<usize> {
    let at = line.iter().position(|b| *b == b'=')?;
    let blank = line[at + 1..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    wanted(line[..at].trim_ascii()).then_some(at + 1 + blank)
}

/// Where column `number`, from 0, begins.
pub(super) fn column(line: &[u8], number: usize) -> Option<usize> {
    columns(line).get(number).map(|column| column.start)
}

/// The words of `line`, however far they are apart.
pub(super) fn columns(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = None;
    for (at, b) in line.iter().enumerate() {
        match (b.is_ascii_whitespace(), begin) {
            (true, Some(from)) => {
                found.push(from..at);
                begin = None;
            }
            (false, None) => begin = Some(at),
            _ => {}
        }
    }
    found.extend(begin.map(|from| from..line.len()));
    found
}
