//! Files, counted by directory.

use crate::report::styled::{Line, Role, Text};
use crate::report::units::{counted, size};
use crate::tree::DirectoryTotal;

/// Files by directory, in columns; `indent` stands before each.
pub(super) fn directories(all: &[DirectoryTotal], indent: &str, text: &mut Text) {
    let files = |d: &DirectoryTotal| counted(d.files, "file", "files");
    let path = all.iter().map(|d| d.path.chars().count()).max().unwrap_or(0).min(48);
    let column = all.iter().map(|d| files(d).len()).max().unwrap_or(0);
    for directory in all {
        let line = Line::hanging(indent.len() + 2)
            .and(Role::Subject, format!("{indent}{:path$}", directory.path))
            .and(Role::Plain, format!("  {:>column$}", files(directory)))
            .and(Role::Plain, format!("  {:>8}", size(directory.bytes)));
        text.push(line);
    }
}
