//! Which packages the new system gets, and how they get there.

mod further;
pub(super) mod in_use;
mod parts;
pub(super) mod plan;
mod renames;
mod replaced;
pub(super) mod stage;
mod staging;
pub(super) mod stranded;
