//! The check of references: what was found by name in the old system, and is not in the new one.
//!
//! No rule is needed for it: a bundle lists every path of the old system, and the new one is there
//! to be looked at. Only what led somewhere in the old system counts, so that what was broken
//! before is no news. Each file of this room looks at one sort of reference and gives
//! [`Finding`]s; whoever asks applies cures and holds what is left.

mod finding;
mod links;
mod question;
mod records;
mod words;

pub(crate) use finding::{Cure, Finding};
pub(crate) use question::{Kept, Question};
pub(crate) use records::Records;

use crate::tree::TreeError;

/// One sort of reference.
type Look = fn(&Question<'_>) -> Result<Vec<Finding>, TreeError>;

/// All sorts of references, in the order in which they are told.
const LOOKS: &[Look] = &[links::look];

/// Everything that the new system lacks for what was kept of the old one.
///
/// # Errors
/// One of the systems cannot be read.
pub(crate) fn check(
    question: &Question<'_>,
    records: &Records<'_>,
) -> Result<Vec<Finding>, TreeError> {
    let mut findings = Vec::new();
    for look in LOOKS {
        findings.extend(look(question)?);
    }
    findings.extend(words::look(question, records)?);
    Ok(findings)
}
