//! Which packages the new system gets, and how they get there.

pub(super) mod plan;
pub(super) mod stage;
