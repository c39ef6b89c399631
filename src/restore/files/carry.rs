//! What somebody decided about packages, carried over to packages of today by the family's tools.
//!
//! The records in which a package manager keeps such decisions are of one installation. They become
//! commands that run once all files are placed, where what they are about is still there; else they
//! are held. Whatever the new system decided alike is left.

use std::collections::BTreeMap;

use crate::accounts::{AccountDb, IdMap};
use crate::failure::Failure;
use crate::family::{self, Act, New};
use crate::packages::Installed;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Inputs, unreadable};
use crate::restore::value::step::PlannedCommand;
use crate::survey::IntentWhy;
use crate::tree::{Draft, DraftNode};

/// Carries the decisions over. Returned are nodes that take the place of a package's file on
/// purpose: they are no edited versions of it.
pub(in crate::restore) fn carry(
    inputs: &Inputs,
    (installed, accounts, ids): (&Installed, &AccountDb, &IdMap),
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<Vec<DraftNode>, Failure> {
    let installs = inputs.packages.install.iter();
    let whole = installs.filter(|install| install.why != IntentWhy::Part);
    let renamed = whole.filter_map(|i| Some((i.formerly.as_deref()?, i.name.as_str())));
    let names: BTreeMap<&str, &str> = renamed.rev().collect();
    let new = New { target: inputs.target, installed, accounts, ids, names: &names };
    let family = family::of_bundle(inputs.survey)?;
    let carried = family.carry(&inputs.survey.choices, &new, draft).map_err(unreadable)?;
    for act in carried.acts {
        match act {
            Act::Run { argv, why } => {
                decisions.commands.push(PlannedCommand { argv, stdin: None, expect: None, why });
            }
            Act::Adapt { path, what } => decisions.adapt(&path, what),
            Act::LeaveOut { path, why } => decisions.leave_out(path, why),
        }
    }
    decisions.held.extend(carried.held);
    Ok(carried.aside)
}
