//! What programs and commands say that a newer version does not know, as far as it is on record.
//!
//! A word counts in programs of its language only, in code only, and not where the program sees to
//! it by itself: it defines the word, asks whether there is one, or asks for its version nearby.

use std::ops::Range;

use super::blocks::{BLOCK, headers, indent};
use super::code::{code, ending_of, interpreted_by, takes_program};
use super::commands::heads;
use super::language::Language;
use super::lines::lines;
use super::lookup::Lookup;
use super::shell::{Script, base};
use super::text::Text;
use crate::references::outdated::{Outdated, Said, Speech};

/// Words with which a program asks for the version of its interpreter.
const VERSIONS: &[&str] = &[
    "$PERL_VERSION",
    "PHP_MAJOR_VERSION",
    "PHP_VERSION",
    "RUBY_VERSION",
    "phpversion",
    "version_compare",
    "version_info",
];

/// How many lines before a word the version counts.
const NEARBY: usize = 3;

/// Words that a line has in which a name is defined, or asked for before it is used.
const SEEN_TO: &[&str] = &[
    "alias",
    "alias_method",
    "can",
    "def",
    "defined",
    "define_method",
    "function",
    "function_exists",
    "getattr",
    "hasattr",
    "is_callable",
    "method_exists",
    "respond_to?",
    "sub",
];

/// Errors that a program catches to do without what is not there.
const CAUGHT: &[&str] = &["AttributeError", "ImportError", "ModuleNotFoundError", "NameError"];

/// A word that is outdated: where it stands, and the number of what is on record of it.
pub(super) type Found = (Range<usize>, usize);

/// What the program `text` says.
pub(super) fn in_program(text: &Text, lookup: &Lookup<'_>) -> Vec<Found> {
    if !matches!(text.language, Language::Script | Language::Config) {
        return vec![];
    }
    let all = lookup.records.outdated;
    let Some(speech) = all.iter().any(of_program).then(|| speech(text, lookup)).flatten() else {
        return vec![];
    };
    in_code(all, speech, &text.bytes, false)
}

fn of_program(outdated: &Outdated) -> bool {
    matches!(outdated.said, Said::InPrograms { .. })
}

/// What the commands of `scripts` say, and programs among their arguments.
pub(super) fn in_commands<'s>(
    text: &[u8],
    scripts: impl IntoIterator<Item = &'s Script>,
    lookup: &Lookup<'_>,
) -> Vec<Found> {
    let all = lookup.records.outdated;
    let mut found = Vec::new();
    if all.is_empty() {
        return found;
    }
    for words in scripts.into_iter().flat_map(|script| &script.commands) {
        for head in heads(words, text, &|name| lookup.was_program(name)) {
            let name = base(&text[words[head].clone()]);
            found.extend(by_command(all, text, name, &words[head + 1..]));
            let Some((speech, _)) = interpreted_by(name) else { continue };
            let takes = |two: &&[Range<usize>]| takes_program(speech, &text[two[0].clone()]);
            let Some([_, program]) = words[head + 1..].windows(2).find(takes) else { continue };
            let told = in_code(all, speech, &text[program.clone()], true);
            let moved = |at: Range<usize>| program.start + at.start..program.start + at.end;
            found.extend(told.into_iter().map(|(at, number)| (moved(at), number)));
        }
    }
    found.sort_by_key(|(at, number)| (at.start, *number));
    found.dedup();
    found
}

/// What stands among the arguments of the program `name`.
fn by_command(all: &[Outdated], text: &[u8], name: &[u8], words: &[Range<usize>]) -> Vec<Found> {
    let mut found = Vec::new();
    for (number, outdated) in all.iter().enumerate() {
        let Said::ByCommands { programs, arguments } = &outdated.said else { continue };
        if !programs.iter().any(|program| program.as_bytes() == name) {
            continue;
        }
        for argument in arguments {
            let wanted: Vec<&[u8]> = argument.split(' ').map(str::as_bytes).collect();
            let fits = |part: &[Range<usize>]| {
                part.iter().zip(&wanted).all(|(word, wanted)| text[word.clone()] == **wanted)
            };
            let at = words.windows(wanted.len()).find(|part| fits(part));
            found.extend(at.map(|part| (part[0].start..part[part.len() - 1].end, number)));
        }
    }
    found
}

/// The language of a program, where it is one of those that something is on record of.
fn speech(text: &Text, lookup: &Lookup<'_>) -> Option<Speech> {
    let first = text.bytes.split(|b| *b == b'\n').next().unwrap_or_default().strip_prefix(b"#!");
    let Some(first) = first else { return ending_of(text.path.name()) };
    let mut words = first.split(u8::is_ascii_whitespace);
    let (speech, version, word) = words.find_map(|word| {
        interpreted_by(word).map(|(speech, version)| (speech, version.to_vec(), word))
    })?;
    // A name without a version is one of several: where it led says which.
    let led_to = || {
        let end = lookup.led_to(base(word))?;
        interpreted_by(end.name()).map(|(_, version)| version.to_vec())
    };
    let version = if version.is_empty() { led_to().unwrap_or_default() } else { version };
    (speech != Speech::Python || version.first() != Some(&b'2')).then_some(speech)
}

/// What `text`, a program, says.
fn in_code(all: &[Outdated], of: Speech, text: &[u8], open: bool) -> Vec<Found> {
    let code = code(of, text, open);
    // Case does not matter there in the names of functions.
    let lower = (of == Speech::Php).then(|| code.to_ascii_lowercase());
    let names = lower.as_deref().unwrap_or(&code);
    let program = Program { speech: of, text, code: &code, names };
    let mut found = Vec::new();
    for (number, outdated) in all.iter().enumerate() {
        let Said::InPrograms { speech, says, calls } = &outdated.said else { continue };
        if *speech != of {
            continue;
        }
        let says = says.iter().map(|word| (word, program.said(word)));
        let calls = calls.iter().map(|name| (name, program.called(name)));
        for (word, at) in says.chain(calls).filter(|(_, at)| !at.is_empty()) {
            let name = word.rsplit('.').next().unwrap_or(word);
            if !program.sees_to(name.as_bytes()) {
                let counts = |at: &Range<usize>| !program.is_guarded(at.start);
                found.extend(at.into_iter().filter(counts).map(|at| (at, number)));
            }
        }
    }
    found
}

/// A program that is looked at.
struct Program<'a> {
    speech: Speech,
    text: &'a [u8],
    code: &'a [u8],
    /// The code as the names of functions are compared.
    names: &'a [u8],
}

impl Program<'_> {
    /// Where `word` is said.
    fn said(&self, word: &str) -> Vec<Range<usize>> {
        let (first, last) = (word.as_bytes().first(), word.as_bytes().last());
        let (begins, ends) = (first.is_some_and(is_part), last.is_some_and(is_part));
        let is_whole = |at: &Range<usize>| {
            let before = at.start.checked_sub(1).map(|before| self.code[before]);
            let after = self.code.get(at.end);
            let goes_on = |b: &u8| is_part(b) || b"!?".contains(b);
            let joined = begins && before.is_some_and(|b| is_part(&b) || b".$@>".contains(&b));
            let open = ends && after.is_some_and(goes_on);
            !joined && !open
        };
        let mut found: Vec<_> = places(self.code, word.as_bytes()).filter(is_whole).collect();
        if let (Speech::Python, Some((module, name))) = (self.speech, word.rsplit_once('.')) {
            found.extend(self.taken(module.as_bytes(), name.as_bytes()));
        }
        found
    }

    /// Where `from module import name` stands.
    fn taken(&self, module: &[u8], name: &[u8]) -> Vec<Range<usize>> {
        let begin = [b"from ", module, b" import"].concat();
        let mut found = Vec::new();
        for at in places(self.code, &begin) {
            let rest = &self.code[at.end..];
            let open = rest.trim_ascii_start().first() == Some(&b'(');
            let close = rest.iter().position(|b| *b == if open { b')' } else { b'\n' });
            let named = &rest[..close.unwrap_or(rest.len())];
            let is_whole = |part: &Range<usize>| {
                !part.start.checked_sub(1).is_some_and(|before| is_part(&named[before]))
                    && !named.get(part.end).is_some_and(is_part)
            };
            let part = places(named, name).find(is_whole);
            found.extend(part.map(|part| at.end + part.start..at.end + part.end));
        }
        found
    }

    /// Where a function is called by its name alone.
    fn called(&self, name: &str) -> Vec<Range<usize>> {
        // What is called otherwise, or made, has other words before it.
        let is_other = |before: &[u8]| {
            let before = before.strip_suffix(b"\\").unwrap_or(before);
            let space = before.trim_ascii_end();
            let word = space.iter().rposition(|b| !is_part(b)).map_or(0, |at| at + 1);
            before.last().is_some_and(|b| is_part(b) || b"$@&%\\".contains(b))
                || space.ends_with(b"->")
                || space.ends_with(b"::")
                || (space.ends_with(b".") && self.speech != Speech::Php)
                || matches!(&space[word..], b"function" | b"new" | b"def" | b"sub" | b"class")
        };
        let is_call = |at: &Range<usize>| {
            let after = self.code[at.end..].iter().find(|b| !b" \t".contains(b));
            after == Some(&b'(') && !is_other(&self.code[..at.start])
        };
        places(self.names, name.as_bytes()).filter(is_call).collect()
    }

    /// Whether the program defines `name`, or asks whether there is one.
    fn sees_to(&self, name: &[u8]) -> bool {
        let name = name.strip_prefix(b".").unwrap_or(name);
        let has = |line: &[u8], word: &[u8]| {
            places(line, word).any(|at| {
                let part = |b: Option<&u8>| b.is_some_and(is_part);
                !part(at.start.checked_sub(1).and_then(|before| line.get(before)))
                    && !part(line.get(at.end))
            })
        };
        lines(self.text)
            .map(|line| &self.text[line])
            .any(|line| has(line, name) && SEEN_TO.iter().any(|word| has(line, word.as_bytes())))
    }

    /// Whether the program asks for its version shortly before `at`, or catches that there is none.
    fn is_guarded(&self, at: usize) -> bool {
        let all: Vec<Range<usize>> = lines(self.code).collect();
        let number = all.partition_point(|line| line.end < at);
        let near = &all[number.saturating_sub(NEARBY)..=number.min(all.len() - 1)];
        let asks = |line: &Range<usize>| {
            let line = &self.code[line.clone()];
            VERSIONS.iter().any(|word| places(line, word.as_bytes()).next().is_some())
        };
        near.iter().any(asks)
            || (self.speech == Speech::Python && is_caught(self.code, &all, number))
    }
}

/// Whether line `number` of a program, whose blocks are told by their indent, is tried, and done
/// without when that fails.
fn is_caught(code: &[u8], all: &[Range<usize>], number: usize) -> bool {
    let catches = |line: &[u8]| {
        line.starts_with(b"except")
            && CAUGHT.iter().any(|error| places(line, error.as_bytes()).next().is_some())
    };
    headers(code, all, number).into_iter().any(|header| {
        let line = code[all[header].clone()].trim_ascii_start();
        let depth = indent(&code[all[header].clone()]);
        let mut after = all[number + 1..].iter().take(BLOCK).map(|line| &code[line.clone()]);
        catches(line)
            || (line.starts_with(b"try")
                && after.any(|line| indent(line) == depth && catches(line.trim_ascii_start())))
    })
}

fn is_part(b: &u8) -> bool {
    *b == b'_' || b.is_ascii_alphanumeric()
}

/// Where `word` stands in `text`.
fn places<'a>(text: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        let first = word.first()?;
        loop {
            at += text.get(at..)?.iter().position(|b| b == first)?;
            let found = at..at + word.len();
            at += 1;
            if text[found.start..].starts_with(word) {
                at = found.end;
                return Some(found);
            }
        }
    })
}
