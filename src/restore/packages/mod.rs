//! Which packages the new system gets, and how they get there.

mod further;
pub(super) mod plan;
pub(super) mod stage;
