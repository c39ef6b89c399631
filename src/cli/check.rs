//! `regrow check`.

use std::path::PathBuf;

use regrow::failure::{Failure, FailureKind};
use regrow::restore::{CheckReport, Checks};
use regrow::source::{OpenOptions, Running, Source, SourceSpec};

use super::archive::source_spec;
use super::context::{Context, EngineName};
use super::exit_code::Exit;

/// Arguments of `check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The revived service: a container's name, or rootfs:DIR
    standing: String,
    /// The bundle that it was made from
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    /// Do not start the service in a throw-away copy to see whether it does what the old one did
    #[arg(long)]
    no_observe: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let spec = match (source_spec(&args.standing)?, context.global.engine) {
        (SourceSpec::Docker(name), Some(EngineName::Podman))
            if !args.standing.starts_with("docker:") =>
        {
            SourceSpec::Podman(name)
        }
        (SourceSpec::Tar(_) | SourceSpec::Oci(_), _) => {
            return Err(Failure::new(FailureKind::Usage, "checking", &args.standing)
                .why("a revived service is a container or an unpacked root")
                .next("name a container, or rootfs:DIR")
                .into());
        }
        (spec, _) => spec,
    };
    let options = OpenOptions { running: Running::Read, ..OpenOptions::default() };
    let scratch = std::env::temp_dir();
    let standing = Source::open(&spec, &options, &scratch, context.monitor)?;
    let layout = context.layout()?;
    let checks = if args.no_observe { Checks::Skip } else { Checks::Run };
    let found = regrow::restore::check(
        &standing,
        &args.against,
        &layout,
        (checks, &scratch),
        context.monitor,
    )?;
    let exit = if found.held.is_empty() { Exit::Done } else { Exit::WithLosses };
    context.output.print(&found, CheckReport::text);
    Ok(exit)
}
