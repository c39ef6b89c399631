//! From YAML text to a [`Rule`], or to an error that names the place and the nearest known word.
//!
//! Only plain YAML is a rule: no anchors, aliases, merge keys, tags or further documents. They
//! make a file mean something else than it says, and a rule is read by people who decide about
//! the only copy of something.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::script::Scripts;
use super::{LayoutError, Rule, lint};

/// Largest rule file in bytes.
pub const MAX_RULE: u64 = 256 * 1024;

/// A mistake in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
    /// The known word that is nearest to an unknown one.
    pub nearest: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        match &self.nearest {
            Some(word) => write!(f, "; did you mean `{word}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RuleError {}

/// Reads one rule; `file` is how errors name it. Its scripts have to stand in `text`.
///
/// # Errors
/// The first mistake, of form or of sense (a variable without a value, a glob that matches
/// everything), with its place.
pub fn parse(file: &str, text: &str) -> Result<Rule, RuleError> {
    parse_with(file, text, &Scripts::Nowhere)
}

/// Reads a rule of the binary.
pub(super) fn embedded(file: &str, text: &str) -> Result<Rule, RuleError> {
    parse_with(file, text, &Scripts::Embedded)
}

/// As [`parse`], with the texts of `scripts`.
fn parse_with(file: &str, text: &str, scripts: &Scripts<'_>) -> Result<Rule, RuleError> {
    let at = |(line, column): (usize, usize), what: String| RuleError {
        file: file.to_owned(),
        line,
        column,
        what,
        nearest: None,
    };
    if text.len() as u64 > MAX_RULE {
        return Err(at((1, 1), format!("a rule file has at most {MAX_RULE} bytes")));
    }
    if let Some((place, what)) = fancy(text) {
        return Err(at(place, what));
    }
    let deserializer = serde_yaml::Deserializer::from_str(text);
    let mut rule: Rule = serde_yaml::with::singleton_map_recursive::deserialize(deserializer)
        .map_err(|error| explain(file, text, &error))?;
    for (name, script) in rule.sources() {
        if script.is_none() {
            let read = scripts.read(name);
            *script = Some(read.map_err(|what| at(find(text, name.as_str()), what))?);
        }
    }
    match lint::first_fault(&rule) {
        Some(fault) => Err(at(find(text, &fault.subject), fault.to_string())),
        None => Ok(rule),
    }
}

/// Reads every `*.yaml` below `dir`, in path order, without following links.
///
/// # Errors
/// [`LayoutError::Read`] for what cannot be read, [`LayoutError::Rule`] for the first mistake: a
/// script that no rule names is one.
pub(super) fn directory(dir: &Path) -> Result<Vec<(PathBuf, Rule)>, LayoutError> {
    let mut rules: Vec<(PathBuf, Rule)> = Vec::new();
    let mut scripts = BTreeSet::new();
    for entry in walkdir::WalkDir::new(dir).sort_by_file_name() {
        let entry = entry.map_err(|error| LayoutError::Read {
            path: error.path().unwrap_or(dir).to_owned(),
            source: error.into(),
        })?;
        let path = entry.path();
        if entry.file_type().is_file() && path.extension().is_some_and(|e| e == "yaml") {
            rules.push((path.to_owned(), file(path)?));
        } else if entry.file_type().is_file() && path.extension().is_some_and(|e| e == "sh") {
            scripts.insert(path.to_owned());
        }
    }
    for (path, rule) in &mut rules {
        for (name, _) in rule.sources() {
            scripts.remove(&path.with_file_name(name.as_str()));
        }
    }
    match scripts.pop_first() {
        Some(unused) => Err(LayoutError::Rule(RuleError {
            file: crate::tree::escaped(unused.as_os_str().as_encoded_bytes()),
            line: 1,
            column: 1,
            what: "no rule beside this script names it".to_owned(),
            nearest: None,
        })),
        None => Ok(rules),
    }
}

/// Reads the rule in the file at `path`.
pub(super) fn file(path: &Path) -> Result<Rule, LayoutError> {
    use std::io::Read;
    let failed = |source| LayoutError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_RULE + 1).read_to_end(&mut bytes).map_err(failed)?;
    let name = crate::tree::escaped(path.as_os_str().as_encoded_bytes());
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let (line, column) = place(&String::from_utf8_lossy(good));
        let what = "the file is not UTF-8".to_owned();
        LayoutError::Rule(RuleError { file: name.clone(), line, column, what, nearest: None })
    })?;
    let beside = path.parent().unwrap_or(Path::new("."));
    parse_with(&name, &text, &Scripts::Below(beside)).map_err(LayoutError::Rule)
}

/// Brackets one line may have: what opens more only costs time.
const MAX_BRACKETS: usize = 256;

/// Line and column just behind `text`.
fn place(text: &str) -> (usize, usize) {
    let line = text.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Where `needle` stands first as a whole word in `text`, comment lines left out; the beginning
/// when it does not.
fn find(text: &str, needle: &str) -> (usize, usize) {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || "'\"[]{},".contains(c));
    let mut places = text.match_indices(needle).filter(|(at, _)| {
        let (before, after) = (&text[..*at], &text[at + needle.len()..]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        !line.trim_start().starts_with('#')
            && ends(before.chars().next_back())
            && ends(after.chars().next())
    });
    places.next().map_or((1, 1), |(at, _)| place(&text[..at]))
}

/// The first use of YAML beyond plain mappings, lists and scalars.
///
/// A node begins a line, or follows an indicator; whatever begins one of these nodes is found.
/// Text inside quotes, comments and block scalars is passed over.
fn fancy(text: &str) -> Option<((usize, usize), String)> {
    if text.starts_with('\u{feff}') {
        return Some(((1, 1), "the file begins with a byte order mark".to_owned()));
    }
    let mut block: Option<usize> = None;
    let mut open = Open::default();
    let mut documents = 0;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if open.quote.is_none() {
            match block {
                Some(parent) if line.trim().is_empty() || indent > parent => continue,
                _ => block = None,
            }
            if line.bytes().filter(|b| matches!(b, b'[' | b'{')).count() > MAX_BRACKETS {
                return Some(((number + 1, 1), "too many brackets in one line".to_owned()));
            }
            if line[indent..].starts_with('\t') {
                return Some(((number + 1, indent + 1), "indentation is made of blanks".into()));
            }
            if line == "---" || line.starts_with("--- ") {
                documents += usize::from(number > 0 && before_is_content(text, number)) + 1;
                if documents > 1 {
                    let what = "one file holds one rule: a second document begins here";
                    return Some(((number + 1, 1), what.to_owned()));
                }
                continue;
            }
        }
        if let Some((column, what)) = fancy_line(line, &mut open) {
            return Some(((number + 1, column), what));
        }
        if open.quote.is_none() && opens_block(line) {
            // The text of a block is deeper than the key or dash it belongs to.
            let dashes = line[indent..].bytes().take_while(|b| matches!(b, b'-' | b' ')).count();
            let key = line[indent + dashes..].contains(": ") || line.ends_with(':');
            block = Some(if key { indent + dashes } else { indent });
        }
    }
    None
}

/// Whether a line before `number` is more than a comment.
fn before_is_content(text: &str, number: usize) -> bool {
    let mut before = text.lines().take(number).map(str::trim);
    before.any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether the line ends in a block scalar's header: `|`, `>-`, `|2`.
fn opens_block(line: &str) -> bool {
    let header = line.split(" #").next().unwrap_or_default().trim_end();
    let last = header.rsplit(' ').next().unwrap_or_default();
    last.starts_with(['|', '>']) && last[1..].chars().all(|c| matches!(c, '+' | '-' | '1'..='9'))
}

/// What a line leaves open for the next one.
#[derive(Default)]
struct Open {
    quote: Option<char>,
    /// How many `[` and `{`. Outside of them a comma or a bracket within a text is a part of it.
    brackets: usize,
}

/// Looks at the nodes that begin in one line; `open` is what is open at its start and end.
fn fancy_line(line: &str, open: &mut Open) -> Option<(usize, String)> {
    let Open { quote, brackets } = open;
    let mut node = quote.is_none();
    let mut before = ' ';
    let mut chars = line.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(mark) = *quote {
            match c {
                '\\' if mark == '"' => drop(chars.next()),
                '\'' if mark == '\'' && chars.peek().is_some_and(|(_, n)| *n == '\'') => {
                    chars.next();
                }
                _ if c == mark => *quote = None,
                _ => {}
            }
            before = c;
            continue;
        }
        let blank_next = chars.peek().is_none_or(|(_, n)| *n == ' ');
        match c {
            '#' if before == ' ' => return None,
            ' ' => {}
            '\'' | '"' if node => {
                *quote = Some(c);
                node = false;
            }
            '&' | '*' | '!' if node => {
                let what = match c {
                    '&' => "an anchor",
                    '*' => "an alias (quote a text that begins with `*`)",
                    _ => "a tag",
                };
                return Some((at + 1, format!("a rule does not use YAML's extras: {what}")));
            }
            '<' if node && line[line.char_indices().nth(at)?.0..].starts_with("<<:") => {
                let what = "a rule does not use YAML's extras: a merge key".to_owned();
                return Some((at + 1, what));
            }
            '-' | '?' | ':' if blank_next => node = true,
            '[' | '{' if node || *brackets > 0 => {
                *brackets += 1;
                node = true;
            }
            ']' | '}' => {
                *brackets = brackets.saturating_sub(1);
                node = false;
            }
            ',' if *brackets > 0 => node = true,
            _ => node = false,
        }
        before = c;
    }
    None
}

/// Words that the language had once, and what says the same now.
const RETIRED: [(&str, &str); 2] = [
    ("rename-account", "`accounts` of the rule, with `since`"),
    ("rename-package", "`packages` of the rule, with `since`"),
];

/// What is to be said in place of the word that `what` calls unknown.
fn retired(what: &str) -> Option<String> {
    let word = what.strip_prefix("unknown ")?.split('`').nth(1)?;
    let (_, instead) = RETIRED.iter().find(|(known, _)| *known == word)?;
    Some(format!("`{word}` is not a word of rules any more; use {instead}"))
}

/// Turns the parser's error into ours: its place, its words, and the nearest known word.
fn explain(file: &str, text: &str, error: &serde_yaml::Error) -> RuleError {
    let (line, column) = error.location().map_or((1, 1), |l| (l.line(), l.column()));
    let full = error.to_string();
    // The key path in front and the position behind are told by file, line and column.
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    let what = match what.split_once(": ") {
        Some((path, rest)) if path.chars().all(is_key_path) => rest.to_owned(),
        _ => what.to_owned(),
    };
    if let Some(what) = retired(&what) {
        return RuleError { file: file.to_owned(), line, column, what, nearest: None };
    }
    let nearest = nearest_word(&what);
    let (line, column) = match what.strip_prefix("duplicate field `") {
        Some(rest) => {
            let key = rest.split('`').next().unwrap_or_default();
            second(text, line, key).unwrap_or((line, column))
        }
        None => (line, column),
    };
    let what =
        what.replace("unknown field", "unknown key").replace("unknown variant", "unknown word");
    let what =
        what.replace("missing field", "missing key").replace("duplicate field", "duplicate key");
    RuleError { file: file.to_owned(), line, column, what, nearest }
}

/// Whether the parser's path to a value (`layout[0].glob`) may hold `c`.
fn is_key_path(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '[' | ']' | '-' | '_' | '?')
}

/// The second line from `from` on that sets `key`.
fn second(text: &str, from: usize, key: &str) -> Option<(usize, usize)> {
    let start = format!("{key}:");
    let mut found =
        text.lines().enumerate().skip(from.saturating_sub(1)).filter_map(|(i, line)| {
            let rest = line.trim_start_matches([' ', '-']);
            rest.starts_with(&start).then(|| (i + 1, line.len() - rest.len() + 1))
        });
    let (_, column) = found.next()?;
    found.find(|(_, other)| *other == column)
}

/// From "unknown field `x`, expected one of `a`, `b`": the expected word most like `x`.
fn nearest_word(what: &str) -> Option<String> {
    let mut quoted = what.split('`').skip(1).step_by(2);
    if !what.starts_with("unknown ") {
        return None;
    }
    let word = quoted.next()?;
    let near = quoted.map(|known| (distance(word, known), known)).min()?;
    (near.0 <= 1 + word.len() / 3).then(|| near.1.to_owned())
}

/// Insertions, deletions and substitutions between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_yaml_passes_whatever_stands_inside_quotes_comments_and_blocks() {
        let text = "a: 'x: *y'  # &no *no !no\nb: \"it's \\\" *\"\nc: |\n  *not an alias\n  !x\n\
                    d: /var/*/a&b\ne: [a, '*']\nf:\n  - run: [sh, -c, 'a\n      *b']\n  - >-\n    \
                    <<: x\n    &x\ng: it''s\nh: any[*]of, *these\ni:\n- bind?[*]*\n";
        assert_eq!(fancy(text), None);
        assert_eq!(fancy("---\na: b\n"), None);
        assert_eq!(fancy("# comment\n\n---\na: b\n"), None);
    }

    #[test]
    fn extras_are_found_where_they_stand() {
        let cases = [
            ("a: &x b\n", (1, 4)),
            ("a: b\nc: *x\n", (2, 4)),
            ("a: [b, *x]\n", (1, 8)),
            ("a: [b,\n  c, *x]\n", (2, 6)),
            ("a: [{b: c}, *x]\n", (1, 13)),
            ("a: {b: !x c}\n", (1, 8)),
            ("a:\n  - !!binary aGk=\n", (2, 5)),
            ("a:\n  <<: {}\n", (2, 3)),
            ("a: b\n---\nc: d\n", (2, 1)),
            ("a:\n\t- b\n", (2, 1)),
            ("a: |\n  text\nb: *x\n", (3, 4)),
            ("a:\n  - |\n    text\n  - *x\n", (4, 5)),
            ("\u{feff}a: b\n", (1, 1)),
        ];
        for (text, place) in cases {
            assert_eq!(fancy(text).map(|(place, _)| place), Some(place), "{text:?}");
        }
    }

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let near = |word: &str| {
            nearest_word(&format!("unknown field `{word}`, expected one of `layout`, `packages`"))
        };
        assert_eq!(near("pakages"), Some("packages".into()));
        assert_eq!(near("lay-out"), Some("layout".into()));
        assert_eq!(near("transitions"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
