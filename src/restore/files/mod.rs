//! What becomes of the archived files: migrated by rule, merged, settled in the new system.

pub(super) mod accounts;
mod address;
pub(super) mod carry;
pub(super) mod config;
pub(super) mod container;
pub(super) mod defaults;
pub(super) mod locales;
pub(super) mod localhost;
mod mentions;
pub(super) mod merge;
pub(super) mod migration;
pub(crate) mod outdated;
pub(super) mod own_state;
pub(super) mod references;
pub(super) mod renamed;
pub(super) mod services;
pub(super) mod settle;
pub(super) mod standing;
pub(super) mod state;
pub(super) mod stranded;
pub(super) mod successor;
pub(super) mod today;
pub(super) mod unread;
pub(super) mod withdrawn;
