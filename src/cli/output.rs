//! Where results go: the report on stdout as text or JSON, failures on stderr.

use std::io::{BufWriter, Write};

use regrow::failure::Failure;
use regrow::report::{Role, Span, Text, View};
use serde::Serialize;

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
                serde_json::to_writer(&mut *to, value)?;
                to.write_all(b"\n")
            }),
        }
    }
}

/// One line of a report. Colours come last: the words hold nothing that a terminal obeys.
fn write_line(to: &mut impl Write, line: &[Span], colour: Colour) -> std::io::Result<()> {
    for Span { role, text } in line {
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
    put(std::io::stderr().lock(), |to| writeln!(to, "regrow: {failure}"));
}

/// Prints a line for people on stderr.
pub(crate) fn line(text: &str) {
    put(std::io::stderr().lock(), |to| writeln!(to, "regrow: {text}"));
}

/// Writes all of it. A reader that went away (`| head`) is no error of ours, and there is nowhere
/// left to report one to.
fn put<W: Write>(mut to: W, write: impl FnOnce(&mut W) -> std::io::Result<()>) {
    write(&mut to).and_then(|()| to.flush()).ok();
}
