//! What of a program is neither said to people nor a text: the code itself.
//!
//! Not a whole grammar. A quote that does not close in its line is none, so that one in a pattern
//! costs no more than its line.

use std::ops::Range;

use super::lines::lines;
use super::shell::base;
use super::strings::{Strings, end_of_string};
use crate::references::outdated::Speech;

/// How the interpreters of languages are called, without a version; how files of their programs
/// end; and the last letter of the option whose value is a program.
const INTERPRETERS: &[(&str, Speech, &[&str], &[u8])] = &[
    ("perl", Speech::Perl, &[".pl", ".pm"], b"eE"),
    ("php", Speech::Php, &[".php", ".phtml"], b"r"),
    ("python", Speech::Python, &[".py"], b"c"),
    ("ruby", Speech::Ruby, &[".rb"], b"e"),
];

/// The language whose interpreter is called `name`, whatever version stands at its end, and that.
pub(super) fn interpreted_by(name: &[u8]) -> Option<(Speech, &[u8])> {
    INTERPRETERS.iter().find_map(|(interpreter, speech, _, _)| {
        let version = base(name).strip_prefix(interpreter.as_bytes())?;
        let is_version = version.iter().all(|b| b.is_ascii_digit() || *b == b'.');
        is_version.then_some((*speech, version))
    })
}

/// The language of a file that is called so.
pub(super) fn ending_of(name: &[u8]) -> Option<Speech> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending.as_bytes()));
    let found = INTERPRETERS.iter().find(|(_, _, endings, _)| ends(endings));
    found.map(|(_, speech, _, _)| *speech)
}

/// Whether the word after `option` of an interpreter is a program.
pub(super) fn takes_program(speech: Speech, option: &[u8]) -> bool {
    let found = INTERPRETERS.iter().find(|(_, of, _, _)| *of == speech);
    option.starts_with(b"-")
        && !option.starts_with(b"--")
        && found.is_some_and(|(_, _, _, last)| option.last().is_some_and(|b| last.contains(b)))
}

/// `text` with blanks for all that is not code. `open` says that a program begins at once, where
/// the language has marks for that.
pub(super) fn code(speech: Speech, text: &[u8], open: bool) -> Vec<u8> {
    let mut code = text.to_vec();
    let here = match speech {
        Speech::Python => vec![],
        _ => Strings::HereDocuments.within(text),
    };
    let mut reader =
        Reader { speech, triple: None, block: false, open: open || speech != Speech::Php };
    let mut is_told = false;
    for (number, line) in lines(text).enumerate() {
        let bytes = &text[line.clone()];
        let (ends, told) = documentation(speech, bytes);
        if ends {
            blank(&mut code, line.start..text.len());
            break;
        }
        let was_told = is_told;
        is_told = told.unwrap_or(is_told);
        if was_told || is_told || here.get(number) == Some(&true) {
            blank(&mut code, line);
            continue;
        }
        reader.line(bytes, line.start, &mut code);
    }
    code
}

/// Whether a program ends before `line`, and whether documentation begins or ends there.
fn documentation(speech: Speech, line: &[u8]) -> (bool, Option<bool>) {
    let close: &[u8] = match speech {
        Speech::Perl => b"=cut",
        Speech::Ruby => b"=end",
        Speech::Php | Speech::Python => return (false, None),
    };
    let ends = matches!(line.trim_ascii_end(), b"__END__" | b"__DATA__");
    let begins = line.first() == Some(&b'=') && line.get(1).is_some_and(u8::is_ascii_lowercase);
    (ends, begins.then(|| !line.starts_with(close)))
}

fn blank(text: &mut [u8], range: Range<usize>) {
    text[range].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
}

/// How far a program was read.
struct Reader {
    speech: Speech,
    /// The quote of which three end a text.
    triple: Option<u8>,
    /// A comment over several lines is open.
    block: bool,
    /// What is read is a program.
    open: bool,
}

impl Reader {
    fn line(&mut self, line: &[u8], start: usize, code: &mut [u8]) {
        let mut at = 0;
        while at < line.len() {
            let (end, is_code) = self.step(line, at);
            if !is_code {
                blank(code, start + at..start + end);
                // What is put into a text is code again.
                if self.speech == Speech::Ruby && line[at] == b'"' {
                    for part in inserted(&line[at..end]) {
                        let part = at + part.start..at + part.end;
                        code[start + part.start..start + part.end].copy_from_slice(&line[part]);
                    }
                }
            }
            at = end;
        }
    }

    /// Where in `line` what begins at `at` ends, and whether it is code.
    fn step(&mut self, line: &[u8], at: usize) -> (usize, bool) {
        let (rest, is_tagged) = (&line[at..], self.speech == Speech::Php);
        let until = |end: &[u8]| rest.windows(end.len()).position(|part| part == end);
        if !self.open {
            let mark = [b"<?php".as_slice(), b"<?="].iter().filter_map(|mark| until(mark)).min();
            self.open = mark.is_some();
            return (mark.map_or(line.len(), |begin| at + begin + 2), false);
        }
        if self.block {
            let close = until(b"*/");
            self.block = close.is_none();
            return (close.map_or(line.len(), |length| at + length + 2), false);
        }
        if let Some(quote) = self.triple {
            let close = until(&[quote; 3]);
            self.triple = Some(quote).filter(|_| close.is_none());
            return (close.map_or(line.len(), |length| at + length + 3), false);
        }
        match rest[0] {
            b'?' if is_tagged && rest.starts_with(b"?>") => {
                self.open = false;
                (at + 2, false)
            }
            b'/' if is_tagged && rest.starts_with(b"/*") => {
                self.block = true;
                (at + 2, false)
            }
            b'/' if is_tagged && rest.starts_with(b"//") => self.comment(line, at),
            b'#' if begins_comment(line, at) && !(is_tagged && rest.starts_with(b"#[")) => {
                self.comment(line, at)
            }
            quote @ (b'"' | b'\'') => {
                if self.speech == Speech::Python && rest.starts_with(&[quote; 3]) {
                    self.triple = Some(quote);
                    return (at + 3, false);
                }
                let end = end_of_string(line, at);
                if end <= line.len() { (end, false) } else { (at + 1, true) }
            }
            _ => (at + 1, true),
        }
    }

    /// A comment ends with its line, or where the program does.
    fn comment(&self, line: &[u8], at: usize) -> (usize, bool) {
        let close = line[at..].windows(2).position(|two| two == b"?>");
        let close = close.filter(|_| self.speech == Speech::Php);
        (close.map_or(line.len(), |length| at + length), false)
    }
}

fn begins_comment(line: &[u8], at: usize) -> bool {
    at == 0 || line[at - 1].is_ascii_whitespace() || b";{}()[],".contains(&line[at - 1])
}

/// What stands between `#{` and `}` in a text.
fn inserted(text: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = text[at..].windows(2).position(|two| two == b"#{") {
        let begin = at + begin + 2;
        let Some(length) = text[begin..].iter().position(|b| *b == b'}') else { break };
        found.push(begin..begin + length);
        at = begin + length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(speech: Speech, text: &str) -> Vec<String> {
        let code = String::from_utf8(code(speech, text.as_bytes(), false)).unwrap();
        assert_eq!(code.lines().count(), text.lines().count(), "{text}");
        code.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn comments_texts_and_documentation_are_no_code() {
        let cases = [
            (Speech::Python, "a # no\n'no' + \\\n'''no\nno'''; + b\n"),
            (Speech::Ruby, "a # no\n=begin\nno\n=end\n'no' + b\n__END__\nno\n"),
            (Speech::Perl, "a; # no\n=pod\nno\n=cut\nprint 'no' + b <<E;\nno\nE\n__DATA__\nno\n"),
            (
                Speech::Php,
                "no\n<?php a // no ?> no\n<?= /* no\nno */ + b # no\n$x = <<<E\nno\nE;\n",
            ),
        ];
        for (speech, text) in cases {
            let words = words(speech, text);
            assert!(!words.iter().any(|word| word == "no"), "{text}: {words:?}");
            let code = words.join(" ");
            assert!(code.contains('a') && code.contains("+ b"), "{text}: {words:?}");
        }
        assert_eq!(words(Speech::Ruby, "\"x #{f y} z\""), ["f", "y"]);
        assert_eq!(words(Speech::Perl, "$#x; s/don't/x/; y"), ["$#x;", "s/don't/x/;", "y"]);
        assert_eq!(words(Speech::Php, "<?php #[A]\nb"), ["php", "#[A]", "b"]);
    }

    #[test]
    fn languages_are_known_by_interpreters_and_endings() {
        assert_eq!(interpreted_by(b"/usr/bin/python3.9"), Some((Speech::Python, &b"3.9"[..])));
        assert_eq!(interpreted_by(b"php"), Some((Speech::Php, &b""[..])));
        assert_eq!(interpreted_by(b"ruby-build"), None);
        assert_eq!(ending_of(b"x.php"), Some(Speech::Php));
        assert_eq!(ending_of(b"x.conf"), None);
        assert!(takes_program(Speech::Perl, b"-ne") && !takes_program(Speech::Perl, b"--e"));
    }
}
