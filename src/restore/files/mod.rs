//! What becomes of the archived files: migrated by rule, merged, settled in the new system.

pub(super) mod accounts;
pub(super) mod carry;
pub(super) mod config;
pub(super) mod container;
pub(super) mod locales;
pub(super) mod localhost;
pub(super) mod merge;
pub(super) mod migration;
pub(super) mod references;
pub(super) mod services;
pub(super) mod settle;
pub(super) mod state;
