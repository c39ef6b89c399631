//! `regrow archive`.

use std::path::PathBuf;

use clap::ValueEnum;
use regrow::archive::{
    ArchiveOptions, ArchiveReport, ExamineOptions, Exports, LogPolicy, Observing, Since, archive,
    examine,
};
use regrow::failure::{Failure, FailureKind};
use regrow::report::Inspection;
use regrow::source::{Binds, OpenOptions, Source, SourceSpec};

use super::context::Context;
use super::exit_code::Exit;
use super::globs::Globs;

/// Arguments of `archive`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the service lives: docker:NAME, podman:NAME, rootfs:DIR,
    /// tar:FILE[:IMAGE], oci:DIR[:TAG]
    source: String,
    /// The bundle to write; an existing file is not overwritten
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    #[command(flatten)]
    look: Look,
    /// Do not run the old version to export databases
    #[arg(long)]
    no_export: bool,
    /// Do not start the service once in a throw-away copy to see what it does
    #[arg(long)]
    no_observe: bool,
    /// Print the verdicts, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// How to look at a source; shared with `inspect` and `explain`.
#[derive(clap::Args)]
pub(crate) struct Look {
    /// What counts as the service's own: after `image`, a path in the source, or a time
    #[arg(long, value_name = "image|MARKER|TIME")]
    since: Option<String>,
    /// An image of the engine that can be had again
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    #[command(flatten)]
    globs: Globs,
    /// Take the content of bind mounts too
    #[arg(long)]
    binds: bool,
    /// What becomes of logs
    #[arg(long, value_enum, default_value_t = Logs::Keep)]
    logs: Logs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Logs {
    Keep,
    Drop,
}

impl Look {
    /// Options for opening the source.
    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions {
            binds: if self.binds { Binds::Take } else { Binds::List },
            base: self.base.clone(),
            ..OpenOptions::default()
        }
    }

    /// Options for judging it.
    pub(crate) fn examine_options(&self) -> Result<ExamineOptions, Failure> {
        let since = match self.since.as_deref() {
            None | Some("image") => Since::Default,
            Some(text) => text.parse().map_err(|e| {
                Failure::new(FailureKind::Usage, "reading --since", text)
                    .because(e)
                    .next("give `image`, an absolute path, RFC 3339 or @SECONDS")
            })?,
        };
        let logs = match self.logs {
            Logs::Keep => LogPolicy::Keep,
            Logs::Drop => LogPolicy::Drop,
        };
        Ok(ExamineOptions { since, globs: self.globs.choices().to_vec(), logs })
    }
}

/// Reads a source from the command line.
pub(crate) fn source_spec(text: &str) -> Result<SourceSpec, Failure> {
    SourceSpec::parse(text).map_err(|e| {
        Failure::new(FailureKind::Usage, "reading the source", text)
            .because(e)
            .next("name a source as docker:NAME, podman:NAME, rootfs:DIR, tar:FILE or oci:DIR")
    })
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let spec = source_spec(&args.source)?;
    let examine_options = args.look.examine_options()?;
    let layout = context.layout()?;
    let scratch = match &args.output {
        Some(output) => regrow::archive::check_output(output)?,
        None => std::env::temp_dir(),
    };
    let open = args.look.open_options();
    let source = Source::open(&spec, &open, &scratch, context.monitor)?;
    let examined = examine(&source, &layout, &examine_options, context.monitor)?;
    let (Some(output), false) = (&args.output, args.dry_run) else {
        let report = Inspection::of_examined(&examined);
        context.output.print(&report, Inspection::text);
        return Ok(Exit::Done);
    };
    let options = ArchiveOptions {
        exports: if args.no_export { Exports::Skip } else { Exports::Run },
        observing: if args.no_observe { Observing::Skip } else { Observing::Run },
    };
    let outcome = archive(&source, examined, output, &options, context.monitor)?;
    let exit = if outcome.losses.is_empty() { Exit::Done } else { Exit::WithLosses };
    context.output.print(&outcome, ArchiveReport::text);
    Ok(exit)
}
