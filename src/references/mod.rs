//! The check of references: what was found by name in the old system, and is not in the new one.
//!
//! No rule is needed for it: a bundle lists every path of the old system, and the new one is there
//! to be looked at. Only what led somewhere in the old system counts, so that what was broken
//! before is no news. Each file of this room looks at one sort of reference and gives
//! [`Finding`]s; whoever asks applies cures and holds what is left.

mod disturbed;
mod elf;
mod finding;
mod leads;
mod libraries;
mod links;
mod modules;
mod named;
mod needing;
mod outdated;
mod question;
mod records;
mod search;
mod versioned;
mod words;
mod zones;

pub(crate) use disturbed::{Change, disturbed};
#[cfg(test)]
pub(crate) use elf::testing;
pub(crate) use finding::{Cure, Finding};
pub(crate) use leads::leads;
pub(crate) use needing::{Needing, needing};
pub(crate) use outdated::{Outdated, Said, Speech};
pub(crate) use question::{Kept, Question};
pub(crate) use records::Records;
pub(crate) use search::Found;

use crate::tree::TreeError;

/// One sort of reference.
type Look = fn(&Question<'_>) -> Result<Vec<Finding>, TreeError>;

/// All sorts of references, in the order in which they are told. What moves comes first: the others
/// are looked for once it has moved. Words, whose cures change texts, are the last round.
const LOOKS: &[&[Look]] = &[&[modules::look], &[links::look, libraries::look, zones::look]];

/// How many rounds of looking there are.
pub(crate) const ROUNDS: usize = LOOKS.len() + 1;

/// What the new system lacks for what was kept of the old one, as far as it is looked for in this
/// round. The cures of one round are applied before the next.
///
/// # Errors
/// One of the systems cannot be read.
pub(crate) fn check(
    round: usize,
    question: &Question<'_>,
    records: &Records<'_>,
) -> Result<Vec<Finding>, TreeError> {
    let mut findings = Vec::new();
    for look in LOOKS.get(round).copied().unwrap_or_default() {
        findings.extend(look(question)?);
    }
    if round + 1 == ROUNDS {
        findings.extend(words::look(question, records)?);
    }
    Ok(findings)
}
