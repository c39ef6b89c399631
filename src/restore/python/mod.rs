//! Environments of Python: planned from their lists, and made again.

pub(super) mod downloads;
pub(super) mod environments;
pub(super) mod execute;
