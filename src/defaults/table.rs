//! [`Tables`]: which lines of a configuration file are data rather than settings.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Change;
use super::line::Line;

/// How many lines a table has at least.
const LINES: usize = 24;

/// How many fields a record has at least.
const FIELDS: usize = 4;

/// Sections that map names of one form to others, as types of media to endings of names, or that list
/// files with owner and mode: what comes and goes there with versions is knowledge of the world or of
/// the package, and no decision about a service.
pub(crate) struct Tables(BTreeSet<String>);

impl Tables {
    /// Of a file with these lines.
    pub(crate) fn of(lines: &[Line]) -> Tables {
        let mut sections = BTreeMap::<&str, (usize, usize)>::new();
        for line in lines {
            let (all, named) = sections.entry(&line.section).or_default();
            *all += 1;
            *named += usize::from(is_type(&line.key) || is_record(&line.text));
        }
        let tables = sections.into_iter().filter(|(_, (all, named))| *all >= LINES && all == named);
        Tables(tables.map(|(section, _)| section.to_owned()).collect())
    }

    /// Whether `change` is one of data.
    pub(crate) fn has(&self, change: &Change) -> bool {
        let mut lines = change.was().into_iter().chain(change.now());
        lines.all(|line| self.0.contains(&line.section))
    }
}

/// Whether `key` is two words with a slash between them.
fn is_type(key: &str) -> bool {
    let word = |text: &str| {
        let is_part = |c: char| c.is_alphanumeric() || "+-._".contains(c);
        !text.is_empty() && text.chars().all(is_part)
    };
    key.split_once('/').is_some_and(|(kind, name)| word(kind) && word(name))
}

/// Whether `text` is one word of several fields.
fn is_record(text: &str) -> bool {
    !text.contains(' ') && text.split(':').count() >= FIELDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::{compare, lines};

    fn of_data(old: &str, new: &str) -> Vec<bool> {
        let (old, new) = (lines(old.as_bytes()).unwrap(), lines(new.as_bytes()).unwrap());
        let tables = Tables::of(&old);
        compare(&old, &new, (None, None)).iter().map(|change| tables.has(change)).collect()
    }

    #[test]
    fn a_map_of_types_is_data_and_a_setting_beside_it_is_none() {
        let types: String = (0..LINES).map(|n| format!(" text/x-{n} x{n};\n")).collect();
        let old = format!("types {{\n{types} font/woff woff;\n}}\nsize 1;\n");
        let new = format!("types {{\n{types} font/new woff;\n}}\nsize 1;\n");
        assert_eq!(of_data(&old, &new), [true, true]);
        assert_eq!(of_data(&old, &old.replace("size 1", "size 2")), [false]);
        let files: String = (0..LINES).map(|n| format!("$dir/x{n}:f:root:-:644\n")).collect();
        let old = format!("{files}$dir/y:d:root:-:755\n");
        assert_eq!(of_data(&old, &files), [true]);
        assert_eq!(of_data("text/a b\n", "text/a c\n"), [false], "too few to tell");
    }
}
