//! `regrow gc`.

use regrow::restore::GarbageReport;

use super::context::Context;
use super::exit_code::Exit;

/// Arguments of `gc`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let which = super::restore::which(context.global.engine);
    let removed = regrow::restore::collect_garbage(which, context.monitor)?;
    context.output.print(&removed, GarbageReport::text);
    Ok(Exit::Done)
}
