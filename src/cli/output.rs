//! Where results go: the report on stdout as text or JSON, failures on stderr.

use std::io::{BufWriter, Write};

use regrow::failure::Failure;
use serde::Serialize;

/// The form of the result on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}

impl Output {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        let stdout = std::io::stdout().lock();
        match self {
            Output::Text => put(stdout, |to| to.write_all(text(value).as_bytes())),
            // Every type given here serialises: maps have string keys.
            Output::Json => put(BufWriter::with_capacity(1 << 16, stdout), |to| {
                serde_json::to_writer(&mut *to, value)?;
                to.write_all(b"\n")
            }),
        }
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
