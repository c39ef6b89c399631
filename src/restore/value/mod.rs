//! What a plan is made of: values that are printed, saved, compared and executed.

pub(super) mod archived;
pub(super) mod config_merge;
pub(super) mod decisions;
pub(super) mod inputs;
pub(super) mod packages;
pub(super) mod rebuild;
pub(super) mod relation;
pub(super) mod step;
pub(super) mod succession;
