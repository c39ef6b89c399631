//! [`LeftOut`]: what a tar holds and its tree does not, in words for the report.

use std::collections::BTreeMap;

use crate::pax::{Problem, TarTree};
use crate::tree::escaped;

/// Something that the source holds and that cannot be taken out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is about: a path as the source writes it, escaped.
    pub subject: String,
    /// Why.
    pub why: String,
}

/// What of the tars that `trees` were made of is not in them. Properties that are not understood
/// are told once for each kind: every file can have them.
pub(super) fn left_out<'a>(trees: impl IntoIterator<Item = &'a TarTree>) -> Vec<LeftOut> {
    let mut found = Vec::new();
    let mut ignored = BTreeMap::<&[u8], (&[u8], u64)>::new();
    for problem in trees.into_iter().flat_map(TarTree::problems) {
        let name = match problem {
            Problem::Ignored { name, key } => {
                ignored.entry(key).or_insert((name, 0)).1 += 1;
                continue;
            }
            Problem::Name { name, .. }
            | Problem::Root { name }
            | Problem::Symlink { name }
            | Problem::Dangling { name, .. }
            | Problem::LinkedDirectory { name, .. } => escaped(name),
            Problem::Below { path, .. } => path.to_string(),
            Problem::Trailing { .. } => "the end of the tar".to_owned(),
        };
        let cause = std::error::Error::source(problem).map(|e| format!(": {e}"));
        let why = format!("{problem}{}", cause.unwrap_or_default());
        found.push(LeftOut { subject: name, why });
    }
    found.extend(ignored.into_iter().map(|(key, (name, count))| LeftOut {
        subject: format!("{} of {}", escaped(key), escaped(name)),
        why: match count {
            1 => "the property is not understood".to_owned(),
            _ => format!("the property is not understood, here and at {} other paths", count - 1),
        },
    }));
    found
}
