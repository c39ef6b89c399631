//! `regrow inspect` and `regrow explain`.

use std::path::{Path, PathBuf};

use regrow::archive::{ExamineOptions, examine, explain};
use regrow::bundle;
use regrow::failure::{Failure, FailureKind};
use regrow::report::{Explanation, Inspection, PageFile};
use regrow::source::Source;
use regrow::tree::RootPath;

use super::archive::{Look, source_spec};
use super::context::Context;
use super::exit_code::Exit;

/// Arguments of `inspect`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A bundle, or a source: docker:NAME, podman:NAME, rootfs:DIR,
    /// tar:FILE[:IMAGE], oci:DIR[:TAG]
    subject: String,
    /// Write the report as one HTML page too; an existing file is not overwritten
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
    #[command(flatten)]
    look: Look,
}

/// Arguments of `explain`.
#[derive(clap::Args)]
pub(crate) struct ExplainArgs {
    /// A bundle, or a source: docker:NAME, podman:NAME, rootfs:DIR,
    /// tar:FILE[:IMAGE], oci:DIR[:TAG]
    subject: String,
    /// The path inside the source
    path: String,
    #[command(flatten)]
    look: Look,
}

/// What a word on the command line that may be either is.
enum Subject<'a> {
    Bundle(&'a Path),
    Source(&'a str),
}

/// With a scheme it is a source; else an existing path is a bundle, and anything else a container.
fn subject(text: &str) -> Subject<'_> {
    let schemes = ["docker:", "podman:", "rootfs:", "tar:", "oci:"];
    if !schemes.iter().any(|s| text.starts_with(s)) && Path::new(text).exists() {
        Subject::Bundle(Path::new(text))
    } else {
        Subject::Source(text)
    }
}

fn open_source(text: &str, look: &Look, context: &Context) -> Result<Source, Failure> {
    let scratch = std::env::temp_dir();
    Source::open(&source_spec(text)?, &look.open_options(), &scratch, context.monitor)
}

/// Runs `inspect`.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let page = args.html.as_deref().map(PageFile::create).transpose()?;
    match subject(&args.subject) {
        Subject::Bundle(path) => {
            let reader = bundle::Reader::open(path).map_err(|e| e.into_failure("opening", path))?;
            tell(&Inspection::of_manifest(reader.manifest()), page, context)?;
        }
        Subject::Source(text) => {
            let options = args.look.examine_options()?;
            let source = open_source(text, &args.look, context)?;
            let examined = examine(&source, &context.layout()?, &options, context.monitor)?;
            tell(&Inspection::of_examined(&examined), page, context)?;
        }
    }
    Ok(Exit::Done)
}

/// Writes the page, if one is wanted, and prints the report.
fn tell(report: &Inspection, page: Option<PageFile>, context: &Context) -> Result<(), Failure> {
    page.map_or(Ok(()), |page| page.save(|to| report.page(to)))?;
    context.output.print(report, Inspection::text);
    Ok(())
}

/// Runs `explain`.
pub(crate) fn explain_path(args: &ExplainArgs, context: &Context) -> anyhow::Result<Exit> {
    let path = RootPath::parse(args.path.as_bytes()).map_err(|e| {
        Failure::new(FailureKind::Usage, "reading the path", &args.path)
            .because(e)
            .next("give an absolute path inside the source")
    })?;
    let explanation = match subject(&args.subject) {
        Subject::Bundle(file) => {
            let reader = bundle::Reader::open(file).map_err(|e| e.into_failure("opening", file))?;
            Explanation::of_manifest(reader.manifest(), &path)
        }
        Subject::Source(text) => {
            let options: ExamineOptions = args.look.examine_options()?;
            let source = open_source(text, &args.look, context)?;
            explain(&source, &context.layout()?, &options, &path, context.monitor)?
                .map(|found| Explanation::of_evidence(&path, &found))
        }
    };
    let explanation = explanation.ok_or_else(|| {
        Failure::new(FailureKind::Precondition, "explaining", path.as_bytes())
            .why(format!("{} holds no such path", args.subject))
            .next("`regrow inspect` lists the paths")
    })?;
    context.output.print(&explanation, Explanation::text);
    Ok(Exit::Done)
}
