//! `regrow verify`.

use std::path::PathBuf;

use regrow::bundle;
use regrow::report::Verification;

use super::context::Context;
use super::exit_code::Exit;

/// Arguments of `verify`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The bundle
    file: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let started = std::time::Instant::now();
    let reader =
        bundle::Reader::open(&args.file).map_err(|e| e.into_failure("verifying", &args.file))?;
    let verified =
        reader.verify(context.monitor).map_err(|e| e.into_failure("verifying", &args.file))?;
    let report = Verification::new(reader.manifest(), &verified, started.elapsed());
    context.output.print(&report, Verification::text);
    Ok(Exit::Done)
}
