//! A configuration file as a list of lines: which of them set what, and where a new one goes.
//!
//! A line that is not changed comes back byte for byte, line ends included.

use super::setting::Syntax;
use crate::tree::escaped;

pub(super) struct ConfigFile {
    pub(super) syntax: Syntax,
    /// Each with its line end.
    pub(super) lines: Vec<Vec<u8>>,
    /// What was changed, in words, in order.
    pub(super) changes: Vec<String>,
    /// What a person has to decide about a line, by its number from 0.
    doubts: Vec<(usize, String)>,
}

/// A line that sets something, in parts that make up the line again when joined.
pub(super) struct Assignment<'a> {
    pub(super) indent: &'a [u8],
    pub(super) key: &'a [u8],
    /// What stands between key and value: blanks, `=`.
    pub(super) gap: &'a [u8],
    pub(super) value: &'a [u8],
    /// What follows the value: `;`, a comment, the line end.
    pub(super) rest: &'a [u8],
}

impl ConfigFile {
    pub(super) fn read(text: &[u8], syntax: Syntax) -> ConfigFile {
        let lines = text.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        ConfigFile { syntax, lines, changes: vec![], doubts: vec![] }
    }

    /// Asks a person about the line `at`.
    pub(super) fn doubt(&mut self, at: usize, what: String) {
        self.doubts.push((at, what));
    }

    /// What a person has to decide, in order, with the lines' numbers as they are now.
    pub(super) fn doubts(self) -> Vec<String> {
        self.doubts.into_iter().map(|(at, what)| format!("line {} {what}", at + 1)).collect()
    }

    /// Puts a line before the line `at`.
    pub(super) fn insert(&mut self, at: usize, line: Vec<u8>) {
        self.lines.insert(at, line);
        for (below, _) in self.doubts.iter_mut().filter(|(line, _)| *line >= at) {
            *below += 1;
        }
    }

    /// The lines that set `key`, in `section` when one is given (the beginning of the file is the
    /// section with the empty name).
    pub(super) fn found(&self, key: &str, section: Option<&str>) -> Vec<usize> {
        let mut inside = String::new();
        let mut found = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(name) = self.section(line) {
                inside = name;
            } else if section.is_none_or(|s| same_key(Syntax::Ini, s.as_bytes(), inside.as_bytes()))
                && self.setting(line).is_some_and(|s| same_key(self.syntax, s.key, key.as_bytes()))
            {
                found.push(at);
            }
        }
        found
    }

    /// The lines that set `key`, to one of `values` when there are any; case does not matter in them.
    pub(super) fn with_value(&self, key: &str, values: &[String]) -> Vec<usize> {
        let mut found = self.found(key, None);
        found.retain(|&at| {
            let setting = self.setting(&self.lines[at]);
            let is = |v: &String| {
                setting.as_ref().is_some_and(|s| s.value.eq_ignore_ascii_case(v.as_bytes()))
            };
            values.is_empty() || values.iter().any(is)
        });
        found
    }

    /// The name of the section that `line` opens.
    fn section(&self, line: &[u8]) -> Option<String> {
        let line = line.trim_ascii();
        (self.syntax == Syntax::Ini && line.starts_with(b"["))
            .then(|| line[1..].split(|&b| b == b']').next().unwrap_or_default())
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
    }

    pub(super) fn setting<'a>(&self, line: &'a [u8]) -> Option<Assignment<'a>> {
        let body = line.trim_ascii_start();
        let comment = match self.syntax {
            Syntax::Ini => body.starts_with(b"#") || body.starts_with(b";"),
            _ => body.starts_with(b"#"),
        };
        if body.is_empty() || comment || self.syntax == Syntax::Text {
            return None;
        }
        let indent = &line[..line.len() - body.len()];
        let key_end = match self.syntax {
            // Blanks are part of a key such as `map to guest`.
            Syntax::Ini => body.iter().position(|&b| b == b'=')?,
            _ => body
                .iter()
                .position(|&b| b.is_ascii_whitespace() || matches!(b, b'=' | b';' | b'{' | b'"'))
                .unwrap_or(body.len()),
        };
        let key = body[..key_end].trim_ascii_end();
        let after = &body[key.len()..];
        let gap = after.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'=')).count();
        let (gap, after) = after.split_at(gap);
        let value = value_length(self.syntax, after);
        let (value, rest) = after.split_at(value);
        Some(Assignment { indent, key, gap, value, rest })
    }

    /// The line before which a new setting goes; opens the section when there is none.
    pub(super) fn place_for_new(&mut self, section: Option<&str>) -> usize {
        match (self.syntax, section) {
            // What follows a `Match` belongs to it.
            (Syntax::Keyword, _) => {
                let block = |line: &Vec<u8>| {
                    self.setting(line).is_some_and(|s| {
                        [b"match".as_slice(), b"host"]
                            .iter()
                            .any(|key| same_key(Syntax::Keyword, s.key, key))
                    })
                };
                self.lines.iter().position(block).unwrap_or(self.lines.len())
            }
            (Syntax::Ini, Some(section)) => {
                let is = |line: &Vec<u8>| {
                    self.section(line)
                        .is_some_and(|s| same_key(Syntax::Ini, s.as_bytes(), section.as_bytes()))
                };
                match self.lines.iter().position(is) {
                    Some(at) => at + 1,
                    None => {
                        if let Some(last) = self.lines.last_mut()
                            && !last.ends_with(b"\n")
                        {
                            last.push(b'\n');
                        }
                        self.lines.push(format!("[{section}]\n").into_bytes());
                        self.lines.len()
                    }
                }
            }
            (Syntax::Ini, None) => {
                let first = self.lines.iter().position(|line| self.section(line).is_some());
                first.unwrap_or(self.lines.len())
            }
            _ => self.lines.len(),
        }
    }

    pub(super) fn put_value(&mut self, at: usize, value: &[u8]) {
        let Some(s) = self.setting(&self.lines[at]) else { return };
        if s.value == value {
            return;
        }
        let gap = match (s.gap, self.syntax) {
            ([], Syntax::Keyword | Syntax::Directive) => b" ",
            (gap, _) => gap,
        };
        let told = format!(
            "line {}: `{}` set to `{}`, was `{}`",
            at + 1,
            escaped(s.key),
            escaped(value),
            escaped(s.value)
        );
        let line = [s.indent, s.key, gap, value, s.rest].concat();
        self.changes.push(told);
        self.lines[at] = line;
    }
}

/// Whether two keys mean the same.
fn same_key(syntax: Syntax, a: &[u8], b: &[u8]) -> bool {
    match syntax {
        Syntax::Ini => {
            let plain = |key: &[u8]| -> Vec<u8> {
                let visible = key.iter().filter(|b| !b.is_ascii_whitespace());
                visible.map(u8::to_ascii_lowercase).collect()
            };
            plain(a) == plain(b)
        }
        Syntax::Directive | Syntax::Text => a == b,
        Syntax::Keyword | Syntax::Assign => a.eq_ignore_ascii_case(b),
    }
}

/// How much of what follows key and gap is the value.
fn value_length(syntax: Syntax, after: &[u8]) -> usize {
    let mut quote = None;
    let mut length = 0;
    for (at, &b) in after.iter().enumerate() {
        match (quote, b) {
            (Some(open), _) if b == open => quote = None,
            (Some(_), _) => {}
            // smb.conf and sshd_config take the rest of the line as it is.
            (None, b'\'' | b'"') if matches!(syntax, Syntax::Assign | Syntax::Directive) => {
                quote = Some(b);
            }
            (None, b'#') if syntax == Syntax::Assign => break,
            (None, b';' | b'{') if syntax == Syntax::Directive => break,
            (None, b'\n' | b'\r') => break,
            _ => {}
        }
        if !b.is_ascii_whitespace() {
            length = at + 1;
        }
    }
    length
}
