//! Absolute paths in a line of anything.

use std::ops::Range;

/// Where absolute paths stand in `line`, without what is no part of them: quotes, options, what a
/// pattern or a variable stands for. Where such begins, the directory before it is taken.
pub(super) fn paths(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        if line[at] != b'/' {
            at += 1;
        } else if let Some(end) = address(line, at) {
            at = end;
        } else {
            let end = at + line[at..].iter().take_while(|b| is_part(**b)).count();
            if begins(line, at) {
                found.extend(cut(line, at..end));
            }
            at = end.max(at + 1);
        }
    }
    found
}

/// Where the address of a network ends whose `//` stands at `at`; `file://` is none.
fn address(line: &[u8], at: usize) -> Option<usize> {
    let before = &line[..at];
    let scheme = before.strip_suffix(b":")?;
    if !line[at..].starts_with(b"//") || !scheme.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let begin = at + 2;
    if scheme.ends_with(b"file") || line.get(begin) == Some(&b'/') {
        return None;
    }
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>');
    Some(line[begin..].iter().position(ends).map_or(line.len(), |length| begin + length))
}

/// What names in paths are made of where nobody quotes them.
fn is_part(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || b >= 0x80
        || matches!(b, b'/' | b'_' | b'-' | b'.' | b'+' | b'@' | b'~')
}

/// Whether the slash at `at` is the first of a path.
fn begins(line: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| line[at]);
    let is_inside = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || is_part(b));
    match before(1) {
        None => true,
        Some(b':') => !is_remote(&line[..at - 1]),
        Some(b'-' | b'@' | b'+') => !is_inside(before(2)),
        // An option that its value is glued to, `-I/usr/include`.
        Some(b) if b.is_ascii_alphabetic() => before(2) == Some(b'-') && !is_inside(before(3)),
        Some(b) => {
            b.is_ascii_whitespace()
                || matches!(
                    b,
                    b'"' | b'\''
                        | b'`'
                        | b'='
                        | b','
                        | b';'
                        | b'('
                        | b'['
                        | b'{'
                        | b'<'
                        | b'>'
                        | b'|'
                        | b'&'
                        | b'!'
                )
        }
    }
}

/// Whether a path after this and a colon is one of another machine, `user@host:/path`.
fn is_remote(before: &[u8]) -> bool {
    let word = before.iter().rev().take_while(|b| is_part(**b) || **b == b'[' || **b == b']');
    word.into_iter().any(|b| *b == b'@')
}

fn cut(line: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let slashes = line[range.clone()].iter().take_while(|b| **b == b'/').count();
    let (begin, mut end) = (range.start + slashes.saturating_sub(1), range.end);
    if matches!(line.get(end), Some(b'$' | b'*' | b'?' | b'[' | b'{' | b'%' | b'\\')) {
        end = begin + line[begin..end].iter().rposition(|b| *b == b'/')?;
    }
    while end > begin && matches!(line[end - 1], b'.' | b'/') {
        end -= 1;
    }
    (end > begin + 1).then_some(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<&str> {
        paths(line.as_bytes()).into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn paths_are_found_in_the_syntax_of_shells_units_and_settings() {
        let cases: &[(&str, &[&str])] = &[
            ("PATH=/opt/a/bin:/usr/bin", &["/opt/a/bin", "/usr/bin"]),
            ("ExecStart=-/usr/bin/x --y=/etc/z", &["/usr/bin/x", "/etc/z"]),
            ("ExecStart=@/usr/bin/x", &["/usr/bin/x"]),
            ("gcc -I/usr/include/x -L/usr/lib", &["/usr/include/x", "/usr/lib"]),
            ("a '/b c' \"/d\",/e;(/f)", &["/b", "/d", "/e", "/f"]),
            ("${X:-/usr/lib/x}", &["/usr/lib/x"]),
            ("all: \"|/usr/bin/filter x\"", &["/usr/bin/filter"]),
            ("see /usr/lib/x.", &["/usr/lib/x"]),
            ("/usr/lib/x/*.so /usr/lib/y$V/z", &["/usr/lib/x", "/usr/lib"]),
            ("file:///usr/share/x", &["/usr/share/x"]),
        ];
        for (line, expected) in cases {
            assert_eq!(found(line), *expected, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_path_of_the_system_is_none() {
        for line in [
            "https://host/usr/lib/x",
            "$ROOT/usr/lib/x ${ROOT}/usr ../usr/lib ~/usr",
            "rsync bob@host:/usr/lib/x",
            "s%/%x% and/or 1/2 text/html",
            "\\/usr\\/lib",
            "/ //",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
        }
    }
}
