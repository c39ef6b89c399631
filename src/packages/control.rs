//! Debian's control format: stanzas of `Field: value` lines, parted by empty lines.
//!
//! The parser works on bytes, borrows everything and never gives up on a file: a stanza with a
//! fault is named, the next one is read. It is the caller who decides what a field means.

use crate::tree::escaped;

/// More fields than this no real stanza has; the limit bounds the memory of a forged one.
const MAX_FIELDS: usize = 256;

/// Why a stanza cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line is neither a field nor the continuation of one.
    #[error("it has a line that is no field")]
    NoField,
    /// A field's name holds a byte that no field's name has: a flipped bit, mostly.
    #[error("it has an impossible field name")]
    FieldName,
    /// It holds a NUL byte.
    #[error("it holds a NUL byte")]
    Nul,
    /// It has more fields than any real one.
    #[error("it has too many fields")]
    TooManyFields,
    /// The file ends inside it.
    #[error("the file ends inside it")]
    Truncated,
    /// A field that is needed is missing.
    #[error("it has no field `{0}`")]
    Missing(&'static str),
    /// A field's value is not what the field can hold.
    #[error("its field `{field}` cannot be `{}`", escaped(.value))]
    Value {
        /// The field.
        field: &'static str,
        /// Its value, cut to a length worth showing.
        value: Vec<u8>,
    },
}

impl Fault {
    /// The fault of `field` to have this `value`.
    pub(crate) fn value(field: &'static str, value: &[u8]) -> Fault {
        Fault::Value { field, value: value.iter().copied().take(80).collect() }
    }
}

/// One stanza.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stanza<'a> {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    fields: Vec<(&'a [u8], &'a [u8])>,
}

/// A stanza that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadStanza {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// What its field `Package` says, if that much can be read.
    pub(crate) package: Option<String>,
    /// What is wrong with it.
    pub(crate) fault: Fault,
}

impl<'a> Stanza<'a> {
    /// The raw value of a field, trimmed; of several lines, line breaks included.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        let mut fields = self.fields.iter();
        fields.find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    }

    /// The value of a field that is printable text; an absent field is empty.
    pub(crate) fn text(&self, name: &'static str) -> Result<&'a str, Fault> {
        let value = self.get(name).unwrap_or_default();
        match std::str::from_utf8(value) {
            Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') => Ok(text),
            _ => Err(Fault::value(name, value)),
        }
    }

    /// The fault `fault`, as this stanza's.
    pub(crate) fn bad(&self, fault: Fault) -> BadStanza {
        BadStanza { line: self.line, package: self.package(), fault }
    }

    fn package(&self) -> Option<String> {
        self.get("Package").map(|name| escaped(&name[..name.len().min(80)]))
    }
}

/// The stanzas of a file, in order.
pub(crate) fn stanzas(bytes: &[u8]) -> Stanzas<'_> {
    Stanzas { rest: bytes, line: 1 }
}

/// Iterator of [`stanzas`].
#[derive(Debug)]
pub(crate) struct Stanzas<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Stanzas<'a> {
    /// The next line, with its line break.
    fn peek(&self) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| b == b'\n').map_or(self.rest.len(), |at| at + 1);
        &self.rest[..end]
    }

    fn advance(&mut self, line: &[u8]) {
        self.rest = &self.rest[line.len()..];
        self.line += 1;
    }
}

impl<'a> Iterator for Stanzas<'a> {
    type Item = Result<Stanza<'a>, BadStanza>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.peek() == b"\n" {
            self.advance(b"\n");
        }
        if self.rest.is_empty() {
            return None;
        }
        let mut stanza = Stanza { line: self.line, fields: vec![] };
        let mut fault = None;
        loop {
            let line = self.peek();
            if line.is_empty() || line == b"\n" {
                break;
            }
            let from = self.rest;
            self.advance(line);
            let mut length = line.len();
            while matches!(self.rest.first(), Some(b' ' | b'\t')) {
                let more = self.peek();
                self.advance(more);
                length += more.len();
            }
            if !from[..length].ends_with(b"\n") {
                fault = fault.or(Some(Fault::Truncated));
            }
            match field(&from[..length]) {
                Ok(_) if stanza.fields.len() == MAX_FIELDS => {
                    fault = fault.or(Some(Fault::TooManyFields));
                }
                Ok(field) => stanza.fields.push(field),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        Some(match fault {
            None => Ok(stanza),
            Some(fault) => Err(stanza.bad(fault)),
        })
    }
}

fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    if line.contains(&0) {
        return Err(Fault::Nul);
    }
    let colon = line.iter().position(|&b| b == b':').ok_or(Fault::NoField)?;
    let name = &line[..colon];
    match name.first() {
        None | Some(b'-' | b'#') => return Err(Fault::NoField),
        _ if !name.iter().all(u8::is_ascii_graphic) => return Err(Fault::FieldName),
        _ => {}
    }
    Ok((name, line[colon + 1..].trim_ascii()))
}

/// A relation field such as `Depends`: all groups are needed, one name of each. Versions,
/// architectures and qualifiers (`:any`) are left out.
pub(crate) fn relations(value: &str) -> Vec<Vec<String>> {
    let groups = value.split(',').map(|group| {
        let names = group.split('|').filter_map(|relation| {
            let name = relation.trim().split(|c: char| c.is_whitespace() || "([<:".contains(c));
            name.into_iter().next().filter(|name| !name.is_empty()).map(str::to_owned)
        });
        names.collect::<Vec<_>>()
    });
    groups.filter(|group| !group.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every stanza's package, or where and why it was refused.
    fn names(bytes: &[u8]) -> Vec<String> {
        let read = stanzas(bytes).map(|stanza| match stanza {
            Ok(stanza) => String::from_utf8_lossy(stanza.get("package").unwrap()).into_owned(),
            Err(bad) => format!("{}: {:?}: {}", bad.line, bad.package, bad.fault),
        });
        read.collect()
    }

    #[test]
    fn a_value_keeps_its_lines_and_field_names_have_no_case() {
        let text = b"\n\nPACKAGE: a\nConffiles:\n /x 1\n /y 2\nDescription: d\n .\n more\n\n\n";
        let all: Vec<_> = stanzas(text).map(Result::unwrap).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].line, 3);
        assert_eq!(all[0].get("Package"), Some(&b"a"[..]));
        assert_eq!(all[0].get("Conffiles"), Some(&b"/x 1\n /y 2"[..]));
        assert_eq!(all[0].get("Description"), Some(&b"d\n .\n more"[..]));
        assert_eq!(all[0].get("Version"), None);
    }

    #[test]
    fn a_stanza_with_a_fault_is_named_and_the_next_is_read() {
        let text = b"Package: a\nDepends\xb0: x\n\nPackage: b\nVersion: 1\0\n\nnonsense\n\n\
                     Package: c\n\nPackage: d\nVersion: 1.";
        let expected = [
            r#"1: Some("a"): it has an impossible field name"#,
            r#"4: Some("b"): it holds a NUL byte"#,
            "7: None: it has a line that is no field",
            "c",
            r#"11: Some("d"): the file ends inside it"#,
        ];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn a_stanza_of_endless_fields_is_bounded() {
        let mut text = b"Package: a\n".to_vec();
        text.extend_from_slice("X: 1\n".repeat(1000).as_bytes());
        text.extend_from_slice(b"\nPackage: b\n");
        assert_eq!(names(&text), [r#"1: Some("a"): it has too many fields"#, "b"]);
    }

    #[test]
    fn text_with_control_characters_or_broken_utf8_is_refused() {
        let text = b"Version: 1\x1b[31m\nSource: \xff\nPriority: $(id)\n";
        let stanza = stanzas(text).next().unwrap().unwrap();
        assert_eq!(stanza.text("Version"), Err(Fault::value("Version", b"1\x1b[31m")));
        assert_eq!(stanza.text("Source"), Err(Fault::value("Source", b"\xff")));
        assert_eq!(stanza.text("Priority"), Ok("$(id)"));
        assert_eq!(stanza.text("Section"), Ok(""));
    }

    #[test]
    fn relations_are_names_only() {
        assert_eq!(
            relations("libc6 (>= 2.36), python3:any | python3-minimal [amd64],\n a<!nocheck> ,,"),
            [vec!["libc6"], vec!["python3", "python3-minimal"], vec!["a"]]
        );
        assert_eq!(relations(""), Vec::<Vec<String>>::new());
    }
}
