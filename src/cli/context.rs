//! [`Context`]: what every command works with besides its own arguments.

use std::path::PathBuf;

use clap::ValueEnum;
use regrow::failure::Failure;
use regrow::layout::LayoutDb;
use regrow::monitor::Monitor;

use super::output::Output;

/// What a command works with besides its own arguments.
pub(super) struct Context<'a> {
    pub(super) global: &'a Global,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) output: Output,
}

impl Context<'_> {
    /// The layout database with the user's rules.
    pub(super) fn layout(&self) -> Result<LayoutDb, Failure> {
        Ok(LayoutDb::open(&self.global.rules)?)
    }
}

/// What every command takes.
#[derive(clap::Args)]
pub(super) struct Global {
    /// Print one JSON value on stdout, everything else on stderr
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Read further rules from this directory (repeatable)
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) rules: Vec<PathBuf>,
    /// The engine that a restore builds in
    #[arg(long, global = true, value_enum)]
    pub(super) engine: Option<EngineName>,
    /// List each thing instead of counting many, and say more on stderr
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// Say only what went wrong on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

/// An engine by name.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum EngineName {
    Docker,
    Podman,
}
