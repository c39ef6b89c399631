//! [`Pattern`] and [`Template`]: how a rule points at paths and package names without knowing
//! them, and how what was found is put into what the rule says next.
//!
//! `{name}` stands for a variable: known ones (`{old}`, `{new}`) are put in, others capture.
//! A value that was captured is data: it is compared and copied byte by byte, never read as a
//! pattern, and never becomes part of a program's text.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use super::Version;

/// Wildcards and captures one pattern may have: bounds the work of matching.
const MAX_WILD: usize = 12;

/// Why text is not a pattern or cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A variable that nothing gives a value to.
    #[error("`{{{name}}}` has no value in `{text}`")]
    Unknown {
        /// The variable.
        name: String,
        /// Where it stands.
        text: String,
    },
    /// A character class without its end.
    #[error("`{0}` has a `[` without `]`")]
    Class(String),
    /// More wildcards than the limit.
    #[error("`{0}` has more than 12 wildcards")]
    TooWild(String),
    /// A value that is no text where text is needed.
    #[error("the value of `{{{0}}}` is not UTF-8")]
    NotText(String),
}

/// Values by variable name, and the versions that a transition leads from and to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vars {
    values: BTreeMap<String, Vec<u8>>,
    span: Option<(Version, Version)>,
}

impl Vars {
    /// The two versions of a transition as they stand in paths: `{old}` and `{new}`.
    pub fn versions(old: &Version, new: &Version) -> Vars {
        let mut vars = Vars { span: Some((old.clone(), new.clone())), ..Vars::default() };
        vars.set("old", old.short());
        vars.set("new", new.short());
        vars
    }

    /// Whether the transition crosses `since`: older before, not older after. Without versions
    /// everything is crossed.
    pub fn cross(&self, since: Option<&Version>) -> bool {
        match (&self.span, since) {
            (Some((old, new)), Some(since)) => old < since && since <= new,
            _ => true,
        }
    }

    /// Gives `name` a value.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.values.get(name).map(Vec::as_slice)
    }

    /// These values and those of `more`, which win.
    #[must_use]
    pub fn and(&self, more: &Vars) -> Vars {
        let mut all = self.clone();
        all.values.extend(more.values.clone());
        all.span = more.span.clone().or(all.span);
        all
    }
}

/// Text in which `{name}` stands for a variable's value; other braces are themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template(String);

/// A piece of a template.
enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

impl Template {
    /// The text as it stands in the rule.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The variables in it, in order.
    pub fn names(&self) -> Vec<&str> {
        let names = pieces(&self.0);
        names
            .into_iter()
            .filter_map(|p| if let Piece::Name(n) = p { Some(n) } else { None })
            .collect()
    }

    /// The text with all values put in.
    pub fn expand(&self, vars: &Vars) -> Result<Vec<u8>, PatternError> {
        let mut out = Vec::with_capacity(self.0.len());
        for piece in pieces(&self.0) {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Name(name) => match vars.get(name) {
                    Some(value) => out.extend_from_slice(value),
                    None => {
                        return Err(PatternError::Unknown {
                            name: name.to_owned(),
                            text: self.0.clone(),
                        });
                    }
                },
            }
        }
        Ok(out)
    }

    /// As [`Template::expand`], where the result has to be text: an argument, a name.
    pub fn expand_text(&self, vars: &Vars) -> Result<String, PatternError> {
        String::from_utf8(self.expand(vars)?).map_err(|_| PatternError::NotText(self.0.clone()))
    }
}

impl From<&str> for Template {
    fn from(text: &str) -> Template {
        Template(text.to_owned())
    }
}

impl FromStr for Template {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Template, Self::Err> {
        Ok(Template(text.to_owned()))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits text at its variables: `{` a lower-case letter, then letters, digits, `_`, `-`, `}`.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(open) = rest[from..].find('{').map(|at| at + from) {
        let name_end = rest[open + 1..]
            .bytes()
            .take_while(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-')
            })
            .count();
        let name = &rest[open + 1..open + 1 + name_end];
        let closed = rest[open + 1 + name_end..].starts_with('}');
        if closed && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            if open > 0 {
                found.push(Piece::Text(&rest[..open]));
            }
            found.push(Piece::Name(name));
            rest = &rest[open + name_end + 2..];
            from = 0;
        } else {
            from = open + 1;
        }
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

/// A compiled pattern over bytes: `?` and `*` stay within one component, `**` crosses, `/**/` is
/// also one slash, `[a-z]` and `[!a-z]` are classes.
#[derive(Debug, Clone)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
enum Token {
    Byte(u8),
    One,
    Star,
    Deep,
    DeepSlash,
    Class { ranges: Vec<(u8, u8)>, negated: bool },
    Capture(String),
}

impl Pattern {
    /// Compiles `text`; variables known to `vars` are literal, others capture: `{version}` digits
    /// and dots, any other name one component or a part of it.
    pub fn compile(text: &str, vars: &Vars) -> Result<Pattern, PatternError> {
        let mut tokens = Vec::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(part) => tokenise(part, text, &mut tokens)?,
                Piece::Name(name) => match vars.get(name) {
                    Some(value) => tokens.extend(value.iter().map(|&b| Token::Byte(b))),
                    None => tokens.push(Token::Capture(name.to_owned())),
                },
            }
        }
        let wild = tokens.iter().filter(|t| !matches!(t, Token::Byte(_))).count();
        if wild > MAX_WILD {
            return Err(PatternError::TooWild(text.to_owned()));
        }
        Ok(Pattern { tokens })
    }

    /// The values captured when all of `subject` matches.
    pub fn matches(&self, subject: &[u8]) -> Option<Vars> {
        let mut vars = Vars::default();
        let mut dead = HashSet::new();
        self.step(0, subject, 0, &mut vars, &mut dead).then_some(vars)
    }

    /// The whole pattern as a literal, when it has no wildcard.
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.tokens.iter().map(|t| if let Token::Byte(b) = t { Some(*b) } else { None }).collect()
    }

    /// The literal directory above the first wildcard, without its trailing slash: where a search
    /// has to begin.
    pub fn base(&self) -> Vec<u8> {
        let literal: Vec<u8> = self
            .tokens
            .iter()
            .map_while(|t| if let Token::Byte(b) = t { Some(*b) } else { None })
            .collect();
        if literal.len() == self.tokens.len() {
            return literal;
        }
        let slash = literal.iter().rposition(|&b| b == b'/').unwrap_or(0);
        literal[..slash].to_vec()
    }

    /// Matches tokens from `token` against `subject` from `at`. What failed once fails again,
    /// since captures are not referred back to: `dead` keeps the work polynomial.
    fn step(
        &self,
        token: usize,
        subject: &[u8],
        at: usize,
        vars: &mut Vars,
        dead: &mut HashSet<(usize, usize)>,
    ) -> bool {
        let (mut token, mut at) = (token, at);
        loop {
            let Some(next) = self.tokens.get(token) else { return at == subject.len() };
            let here = subject.get(at).copied();
            let one = match next {
                Token::Byte(byte) => here == Some(*byte),
                Token::One => here.is_some_and(|b| b != b'/'),
                Token::Class { ranges, negated } => here.is_some_and(|b| {
                    b != b'/' && ranges.iter().any(|&(l, h)| l <= b && b <= h) != *negated
                }),
                wild => {
                    if dead.contains(&(token, at)) {
                        return false;
                    }
                    for end in ends(wild, subject, at) {
                        if self.step(token + 1, subject, end, vars, dead) {
                            if let Token::Capture(name) = wild {
                                vars.set(name, &subject[at..end]);
                            }
                            return true;
                        }
                    }
                    dead.insert((token, at));
                    return false;
                }
            };
            if !one {
                return false;
            }
            token += 1;
            at += 1;
        }
    }
}

/// Where a wildcard that begins at `at` may end, the longest first.
fn ends(wild: &Token, subject: &[u8], at: usize) -> Vec<usize> {
    let rest = &subject[at..];
    let component = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
    match wild {
        Token::Star => (at..=at + component).rev().collect(),
        Token::Deep => (at + 1..=subject.len()).rev().collect(),
        Token::DeepSlash => {
            let slashes = rest.iter().enumerate().filter(|(_, b)| **b == b'/');
            let mut ends: Vec<usize> = slashes.map(|(i, _)| at + i + 1).rev().collect();
            if rest.first() != Some(&b'/') {
                ends.clear();
            }
            ends
        }
        Token::Capture(name) if name == "version" => {
            (at + 1..=at + component).rev().filter(|&end| is_version(&subject[at..end])).collect()
        }
        _ => (at + 1..=at + component).rev().collect(),
    }
}

/// Digits, or digits joined by single dots.
fn is_version(text: &[u8]) -> bool {
    text.split(|&b| b == b'.').all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

fn tokenise(part: &str, whole: &str, tokens: &mut Vec<Token>) -> Result<(), PatternError> {
    let bytes = part.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (token, length) = match rest {
            [b'/', b'*', b'*', b'/', ..] => (Token::DeepSlash, 4),
            [b'*', b'*', ..] => (Token::Deep, 2),
            [b'*', ..] => (Token::Star, 1),
            [b'?', ..] => (Token::One, 1),
            [b'[', class @ ..] => {
                let negated = class.first() == Some(&b'!');
                let class = if negated { &class[1..] } else { class };
                let end = class
                    .iter()
                    .position(|&b| b == b']')
                    .filter(|&end| end > 0)
                    .ok_or_else(|| PatternError::Class(whole.to_owned()))?;
                let ranges = class_ranges(&class[..end]);
                (Token::Class { ranges, negated }, end + 2 + usize::from(negated))
            }
            [byte, ..] => (Token::Byte(*byte), 1),
            [] => break,
        };
        tokens.push(token);
        at += length;
    }
    Ok(())
}

fn class_ranges(class: &[u8]) -> Vec<(u8, u8)> {
    let mut ranges = Vec::new();
    let mut rest = class;
    while let [first, tail @ ..] = rest {
        match tail {
            [b'-', last, after @ ..] => {
                ranges.push((*first, *last));
                rest = after;
            }
            _ => {
                ranges.push((*first, *first));
                rest = tail;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, subject: &str) -> Option<Vars> {
        Pattern::compile(pattern, &Vars::default()).unwrap().matches(subject.as_bytes())
    }

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        let mut vars = Vars::default();
        pairs.iter().for_each(|(name, value)| vars.set(name, *value));
        vars
    }

    #[test]
    fn wildcards_stay_within_their_component_unless_they_are_double() {
        let cases = [
            ("/etc/*.conf", "/etc/a.conf", true),
            ("/etc/*.conf", "/etc/a/b.conf", false),
            ("/etc/**", "/etc/a/b", true),
            ("/etc/**", "/etc", false),
            ("/etc/**/x", "/etc/x", true),
            ("/etc/**/x", "/etc/a/b/x", true),
            ("/etc/**/x", "/etcx", false),
            ("/etc/rc?.d/[SK]*", "/etc/rc2.d/S01ssh", true),
            ("/etc/rc?.d/[!SK]*", "/etc/rc2.d/S01ssh", false),
            ("postgresql-[0-9]*", "postgresql-13", true),
            ("postgresql-[0-9]*", "postgresql-common", false),
        ];
        for (pattern, subject, expected) in cases {
            assert_eq!(matched(pattern, subject).is_some(), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn unknown_names_capture_and_a_version_is_digits_and_dots() {
        assert_eq!(
            matched(
                "/var/lib/postgresql/{version}/{cluster}/PG_VERSION",
                "/var/lib/postgresql/13/main/PG_VERSION"
            ),
            Some(vars(&[("version", "13"), ("cluster", "main")]))
        );
        assert_eq!(
            matched("php{version}-{ext}", "php7.4-fpm"),
            Some(vars(&[("version", "7.4"), ("ext", "fpm")]))
        );
        assert_eq!(matched("php{version}-{ext}", "php-fpm"), None);
        assert_eq!(matched("php{version}-{ext}", "php7.-fpm"), None);
    }

    #[test]
    fn a_known_value_is_literal_even_when_it_looks_like_a_pattern() {
        let known = vars(&[("old", "*")]);
        let pattern = Pattern::compile("/a/{old}/b", &known).unwrap();
        assert!(pattern.matches(b"/a/*/b").is_some());
        assert!(pattern.matches(b"/a/x/b").is_none());
        assert_eq!(pattern.literal(), Some(b"/a/*/b".to_vec()));
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern = Pattern::compile("/a*a*a*a*a*a*a*a*a*a*b", &Vars::default()).unwrap();
        assert!(pattern.matches(format!("/{}", "a".repeat(250)).as_bytes()).is_none());
        assert_eq!(
            Pattern::compile(&"*a".repeat(13), &Vars::default()).err(),
            Some(PatternError::TooWild("*a".repeat(13)))
        );
        assert!(Pattern::compile("[]", &Vars::default()).is_err());
        assert!(Pattern::compile("/[a", &Vars::default()).is_err());
    }

    #[test]
    fn a_search_begins_above_the_first_wildcard() {
        let base = |text| Pattern::compile(text, &Vars::default()).unwrap().base();
        assert_eq!(base("/etc/php/{old}/x"), b"/etc/php");
        assert_eq!(base("/etc/ssh/sshd_*"), b"/etc/ssh");
        assert_eq!(base("/*"), b"");
        assert_eq!(base("/etc/x"), b"/etc/x");
    }

    #[test]
    fn a_template_puts_values_in_and_leaves_other_braces_alone() {
        let template = Template::from("location {old} { return; } {print $1} {{new}}");
        assert_eq!(template.names(), ["old", "new"]);
        let filled = template.expand_text(&vars(&[("old", "7.4"), ("new", "{old}")])).unwrap();
        assert_eq!(filled, "location 7.4 { return; } {print $1} {{old}}");
        assert_eq!(
            Template::from("{x}").expand(&Vars::default()),
            Err(PatternError::Unknown { name: "x".into(), text: "{x}".into() })
        );
        let mut bytes = Vars::default();
        bytes.set("x", vec![0xff]);
        assert_eq!(Template::from("a{x}").expand(&bytes), Ok(vec![b'a', 0xff]));
        assert!(Template::from("a{x}").expand_text(&bytes).is_err());
    }
}
