//! `regrow restore` and `regrow plan`.

use std::path::{Path, PathBuf};

use regrow::bundle;
use regrow::failure::{Failure, FailureKind};
use regrow::report::PageFile;
use regrow::restore::{
    Checks, Downloads, OnFailure, Plan, PlanFile, PlanReport, Relation, RestoreOptions,
    RestoreReport, Start, TargetSpec, Which, plan as plan_restore, restore,
};

use super::context::{Context, EngineName};
use super::exit_code::Exit;

/// Arguments of `restore`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The bundle
    file: PathBuf,
    /// Where to: an image of the engine (debian:trixie), or rootfs:DIR
    #[arg(long, value_name = "TARGET")]
    onto: String,
    /// Execute exactly this plan, saved by `regrow plan -o`, or stop and say what
    /// differs
    #[arg(long, value_name = "PLAN")]
    plan: Option<PathBuf>,
    /// What TARGET is to the image of the old container: a successor, which brings
    /// what that image brought, or a plain base (default: what both images show)
    #[arg(long = "as", value_name = "RELATION")]
    relation: Option<RelationName>,
    /// The new container's name (default: the plan's, or the archived one's)
    #[arg(long)]
    name: Option<String>,
    /// Give the resulting image this tag
    #[arg(long, value_name = "IMAGE")]
    tag: Option<String>,
    /// Start the new container
    #[arg(long)]
    start: bool,
    /// When the restore fails, keep what it made for a look, labelled; `gc`
    /// removes it
    #[arg(long, conflicts_with = "dry_run")]
    keep_failed: bool,
    /// Do not ask whether the new service does what the old one did
    #[arg(long)]
    no_check: bool,
    /// Print the plan, change nothing that lasts
    #[arg(long)]
    dry_run: bool,
    /// Write the report as one HTML page too; an existing file is not overwritten
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
}

/// What a target is to the old container's image.
#[derive(Clone, Copy, clap::ValueEnum)]
enum RelationName {
    Successor,
    Plain,
}

impl From<RelationName> for Relation {
    fn from(name: RelationName) -> Relation {
        match name {
            RelationName::Successor => Relation::Successor,
            RelationName::Plain => Relation::Plain,
        }
    }
}

/// Arguments of `plan`.
#[derive(clap::Args)]
pub(crate) struct PlanArgs {
    /// The bundle
    file: PathBuf,
    /// Where to: an image of the engine (debian:trixie), or rootfs:DIR
    #[arg(long, value_name = "TARGET")]
    onto: String,
    /// What TARGET is to the image of the old container: a successor, which brings
    /// what that image brought, or a plain base (default: what both images show)
    #[arg(long = "as", value_name = "RELATION")]
    relation: Option<RelationName>,
    /// The new container's name (default: the archived one's)
    #[arg(long)]
    name: Option<String>,
    /// Save the plan as a file too, for `regrow restore --plan`
    #[arg(short, long, value_name = "PLAN")]
    output: Option<PathBuf>,
    /// Write the plan as one HTML page too; an existing file is not overwritten
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
}

fn target(text: &str) -> Result<TargetSpec, Failure> {
    TargetSpec::parse(text).map_err(|e| {
        Failure::new(FailureKind::Usage, "reading --onto", text)
            .because(e)
            .next("name an image such as debian:trixie, or rootfs:DIR")
    })
}

pub(crate) fn which(engine: Option<EngineName>) -> Which {
    match engine {
        Some(EngineName::Docker) => Which::Docker,
        Some(EngineName::Podman) => Which::Podman,
        None => Which::Any,
    }
}

/// Runs `restore`.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let options = RestoreOptions {
        target: target(&args.onto)?,
        engine: which(context.global.engine),
        relation: args.relation.map(Relation::from),
        name: args.name.clone(),
        tag: args.tag.clone(),
        start: if args.start { Start::Yes } else { Start::No },
        downloads: Downloads::of(|name| std::env::var(name).ok()),
        on_failure: if args.keep_failed { OnFailure::Keep } else { OnFailure::Remove },
        checks: if args.no_check { Checks::Skip } else { Checks::Run },
        approved: args.plan.as_deref().map(Plan::load).transpose()?,
    };
    if args.dry_run {
        return make_plan(&args.file, Saved::new(None, args.html.as_deref())?, &options, context);
    }
    let page = Saved::new(None, args.html.as_deref())?.page;
    let outcome = restore(&args.file, &context.layout()?, &options, context.monitor)?;
    let exit = exit(&outcome.losses, &outcome.held);
    context.output.print(&outcome, RestoreReport::text);
    if let Some(page) = page {
        let reader = open(&args.file)?;
        page.save(|to| outcome.page(reader.manifest(), to))?;
    }
    Ok(exit)
}

/// Runs `plan`.
pub(crate) fn plan(args: &PlanArgs, context: &Context) -> anyhow::Result<Exit> {
    let options = RestoreOptions {
        target: target(&args.onto)?,
        engine: which(context.global.engine),
        relation: args.relation.map(Relation::from),
        name: args.name.clone(),
        tag: None,
        start: Start::No,
        downloads: Downloads::of(|name| std::env::var(name).ok()),
        on_failure: OnFailure::Remove,
        checks: Checks::Run,
        approved: None,
    };
    let saved = Saved::new(args.output.as_deref(), args.html.as_deref())?;
    make_plan(&args.file, saved, &options, context)
}

/// The files that a report goes to besides stdout. They are begun before anything else is done, so
/// that one that cannot be written ends the run early.
struct Saved {
    plan: Option<PlanFile>,
    page: Option<PageFile>,
}

impl Saved {
    fn new(plan: Option<&Path>, page: Option<&Path>) -> Result<Saved, Failure> {
        Ok(Saved {
            plan: plan.map(PlanFile::create).transpose()?,
            page: page.map(PageFile::create).transpose()?,
        })
    }
}

fn open(file: &Path) -> Result<bundle::Reader, Failure> {
    bundle::Reader::open(file).map_err(|e| e.into_failure("opening", file))
}

/// Makes the plan, saves it, and prints it.
fn make_plan(
    file: &Path,
    saved: Saved,
    options: &RestoreOptions,
    context: &Context,
) -> anyhow::Result<Exit> {
    let plan = plan_restore(file, &context.layout()?, options, context.monitor)?;
    let planned = plan.report();
    saved.plan.map_or(Ok(()), |output| output.save(&plan))?;
    if let Some(page) = saved.page {
        let reader = open(file)?;
        page.save(|to| planned.page(reader.manifest(), to))?;
    }
    let exit = exit(&planned.losses, &planned.held);
    context.output.print(&planned, PlanReport::text);
    Ok(exit)
}

fn exit<L, H>(losses: &[L], held: &[H]) -> Exit {
    if losses.is_empty() && held.is_empty() { Exit::Done } else { Exit::WithLosses }
}
