//! Init systems: where units and scripts are, and the links that switch services on and off.
//!
//! systemd and the runlevels of SysV are known here and nowhere else. Only names are looked at.

mod link;
mod runlevel;
mod scope;

pub(crate) use link::Link;
pub(crate) use runlevel::{Action, LEVELS, runlevel, script, split};
pub(crate) use scope::Scope;
