//! [`Fault`]: something in a rule that cannot be meant, and the faults that any part of a rule can
//! have: a variable without a value, a list that is empty or says a thing twice.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

/// Something in a rule that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The text in the rule that it is about; its first occurrence is shown as the place.
    pub(super) subject: String,
    what: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What is wrong with `subject`.
pub(super) fn fault(subject: &str, what: impl Into<String>) -> Fault {
    Fault { subject: subject.to_owned(), what: what.into() }
}

/// The first of `used` that is not in `given`.
pub(super) fn unknown(subject: &str, used: &[&str], given: &[&str]) -> Option<Fault> {
    let name = used.iter().find(|name| !given.contains(*name))?;
    let given = if given.is_empty() {
        "none is known here".to_owned()
    } else {
        format!("known here: {}", given.join(", "))
    };
    Some(fault(subject, format!("`{{{name}}}` has no value in `{subject}`; {given}")))
}

/// Whether a list names something, and each once.
pub(super) fn listed<T: Display + Ord>(key: &str, all: &[T]) -> Option<Fault> {
    if all.is_empty() {
        return Some(fault(&format!("{key}:"), format!("`{key}` is an empty list")));
    }
    let mut seen = BTreeSet::new();
    let again = all.iter().find(|item| !seen.insert(*item))?.to_string();
    Some(fault(&again, format!("`{again}` stands twice in one list of `{key}`")))
}
