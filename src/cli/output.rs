//! Where results go: the report on stdout as text or JSON, failures on stderr.

use std::io::Write;

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
        let body = match self {
            Output::Text => text(value),
            // Every type given here serialises: maps have string keys.
            Output::Json => serde_json::to_string(value).unwrap_or_default() + "\n",
        };
        put(&mut std::io::stdout().lock(), &body);
    }
}

/// Prints a failure with its five parts.
pub(crate) fn failure(failure: &Failure) {
    put(&mut std::io::stderr().lock(), &format!("regrow: {failure}\n"));
}

/// Prints a line for people on stderr.
pub(crate) fn line(text: &str) {
    put(&mut std::io::stderr().lock(), &format!("regrow: {text}\n"));
}

/// Writes all of `text`. A reader that went away (`| head`) is no error of ours, and there is
/// nowhere left to report one to.
fn put(to: &mut dyn Write, text: &str) {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).ok();
}
