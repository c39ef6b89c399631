//! Where results go: the report on stdout as text or JSON, failures on stderr.
//!
//! Invariant: nothing that a source, a bundle, an engine, a command or the command line says
//! reaches a terminal as something that it obeys.

use std::io::{BufWriter, Write};

use regrow::failure::Failure;
use regrow::report::{Role, Span, Text, View};
use regrow::tree::{is_unprintable, printable};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::screen::Colour;

/// The form of the result on stdout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output {
    /// For people.
    Text(View, Colour),
    /// One JSON value.
    Json,
}

impl Output {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T, &View) -> Text) {
        let stdout = std::io::stdout().lock();
        match self {
            Output::Text(view, colour) => {
                let text = text(value, &view);
                put(BufWriter::new(stdout), |to| {
                    text.wrapped(view.width).try_for_each(|line| write_line(to, &line, colour))
                });
            }
            // Every type given here serialises: maps have string keys.
            Output::Json => put(BufWriter::with_capacity(1 << 16, stdout), |to| {
                value.serialize(&mut Serializer::with_formatter(&mut *to, Escaping))?;
                to.write_all(b"\n")
            }),
        }
    }
}

/// One line of a report: colours are all that a terminal obeys of it.
fn write_line(to: &mut impl Write, line: &[Span], colour: Colour) -> std::io::Result<()> {
    for Span { role, text } in line {
        let text = printable(text);
        match (colour, sequence(*role)) {
            (Colour::Yes, Some(sequence)) => write!(to, "\x1b[{sequence}m{text}\x1b[0m")?,
            _ => to.write_all(text.as_bytes())?,
        }
    }
    to.write_all(b"\n")
}

/// How a terminal shows a role: the number of its colour or weight, of the sixteen colours that
/// everybody sets up for their own eyes.
fn sequence(role: Role) -> Option<&'static str> {
    match role {
        Role::Plain => None,
        Role::Title => Some("1"),
        Role::Alarm => Some("1;31"),
        Role::Subject => Some("36"),
        Role::Faint => Some("2"),
    }
}

/// Prints a failure with its five parts.
pub(crate) fn failure(failure: &Failure) {
    line(&failure.to_string());
}

/// Prints a line for people on stderr.
pub(crate) fn line(text: &str) {
    put_text(std::io::stderr().lock(), &format!("regrow: {}\n", printable(text)));
}

/// Writes all of it. A reader that went away (`| head`) is no error of ours, and there is nowhere
/// left to report one to.
fn put<W: Write>(mut to: W, write: impl FnOnce(&mut W) -> std::io::Result<()>) {
    write(&mut to).and_then(|()| to.flush()).ok();
}

/// The one door to the terminal for text: only line breaks are obeyed.
fn put_text(to: impl Write, text: &str) {
    put(to, |to| {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => writeln!(to, "{}", printable(line))?,
                None => write!(to, "{}", printable(line))?,
            }
        }
        Ok(())
    });
}

/// The same door for JSON: what a terminal would obey stands in its strings as `\u` and four
/// digits, which is the same value.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unprintable) {
            let (plain, from) = rest.split_at(at);
            to.write_all(plain.as_bytes())?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        to.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_and_a_terminal_obeys_nothing_of_it() {
        let bad = "a\x1b[2J\n\x7f\u{80}\u{9b}31m\u{202e}\u{2028}\u{e0041}\"\\ü";
        let value = serde_json::json!({ "x": bad, bad: [bad] });
        let mut bytes = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut bytes, Escaping)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(is_unprintable), "{text:?}");
        assert!(text.contains('ü'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn text_keeps_its_lines_and_nothing_else_that_a_terminal_obeys() {
        let mut bytes = Vec::new();
        put_text(&mut bytes, "a: \x1b[2J\n\n  b\r\u{9b}\nend\u{202e}");
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "a: \\u{1b}[2J\n\n  b\\r\\u{9b}\nend\\u{202e}");
    }
}
