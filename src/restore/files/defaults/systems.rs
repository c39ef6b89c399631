//! [`Systems`]: the two systems whose defaults are compared, and what rules say on the way.

use crate::layout::{Access, Mentions};
use crate::packages::Installed;
use crate::restore::files::migration::AppMigration;
use crate::restore::value::archived::Archived;
use crate::restore::value::inputs::{Inputs, Station};

/// What is compared.
pub(in crate::restore) struct Systems<'a> {
    pub(in crate::restore) inputs: &'a Inputs<'a>,
    /// Whether somebody may have worked on the new system.
    pub(in crate::restore) station: Station,
    pub(in crate::restore) archived: &'a Archived<'a>,
    pub(in crate::restore) installed: &'a Installed,
    pub(in crate::restore) migrations: &'a [AppMigration],
    pub(in crate::restore) mentions: &'a Mentions,
    pub(in crate::restore) access: &'a Access,
}
