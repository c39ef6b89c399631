//! The command line. Only this module knows clap, prints, and picks exit codes.

mod archive;
mod check;
mod context;
mod exit_code;
mod gc;
mod globs;
mod inspect;
mod output;
mod restore;
mod rules;
mod screen;
mod signals;
mod terminal;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use regrow::cancel::Cancel;
use regrow::failure::{Failure, FailureKind};
use regrow::monitor::Stoppable;
use regrow::report::View;
use regrow::tree::escaped;

use context::{Context, Global};
use exit_code::Exit;
use output::Output;
use screen::Screen;

/// Brings a dead service back to life on a current OS.
#[derive(Parser)]
#[command(name = "regrow", version, about, max_term_width = 80, subcommand_required = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take what cannot be had again out of a stopped container, a root, a tar or
    /// an image
    Archive(archive::Args),
    /// Rebuild an archived service on a current OS
    Restore(restore::Args),
    /// Show what a restore would do, changing nothing
    Plan(restore::PlanArgs),
    /// Show what the service had and the revived one has not
    Check(check::Args),
    /// Show what is kept, what is not, and why
    Inspect(inspect::Args),
    /// Show all evidence for one path
    Explain(inspect::ExplainArgs),
    /// Check that a bundle is whole
    Verify(verify::Args),
    /// Remove what an interrupted run left
    Gc(gc::Args),
    /// Look at the rules of the layout database
    Rules(rules::Args),
}

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // Also what a bug of ours says goes through the door.
    std::panic::set_hook(Box::new(|info| output::line(&info.to_string())));
    let cancel = Cancel::new();
    signals::install(cancel.clone());
    let shown = terminal::monitor(&cli.global);
    let monitor = Stoppable::new(&*shown, cancel);
    let context =
        Context { global: &cli.global, monitor: &monitor, output: output_of(&cli.global) };
    let result = run(&cli.command, &context);
    drop(shown);
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            let failure = complete(error);
            output::failure(&failure);
            Exit::Failed(failure.kind()).into()
        }
    }
}

/// What was asked for, and what stdout can show.
fn output_of(global: &Global) -> Output {
    if global.json {
        return Output::Json;
    }
    let screen = Screen::of_stdout(|name| std::env::var(name).ok());
    Output::Text(View { all: global.verbose, width: screen.width }, screen.colour)
}

/// Every error of the library says all that a message needs. One that does not is a bug of ours,
/// and is told as one.
fn complete(error: anyhow::Error) -> Failure {
    error.downcast::<Failure>().unwrap_or_else(|error| {
        Failure::new(FailureKind::Internal, "running", "the command")
            .why(format!("{error:#}"))
            .safe("what is published is whole")
            .next("report this as a bug")
    })
}

fn run(command: &Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Archive(args) => archive::run(args, context),
        Command::Restore(args) => restore::run(args, context),
        Command::Plan(args) => restore::plan(args, context),
        Command::Check(args) => check::run(args, context),
        Command::Inspect(args) => inspect::run(args, context),
        Command::Explain(args) => inspect::explain_path(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Gc(args) => gc::run(args, context),
        Command::Rules(args) => Ok(rules::run(args, context)?),
    }
}

/// Ends on what clap found: help and version, which are no errors, or a mistake.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed stdout is the reader's choice.
        error.print().ok();
        return Exit::Done.into();
    }
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print().ok();
        return Exit::Failed(FailureKind::Usage).into();
    }
    // Its first paragraph names the mistake, the second may have a tip.
    let text = error.render().to_string();
    let why: Vec<String> = text
        .trim_start_matches("error: ")
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(|line| escaped(line.trim().as_bytes()))
        .filter(|line| !line.is_empty())
        .collect();
    output::failure(
        &Failure::new(FailureKind::Usage, "reading", "the command line")
            .why(why.join("; "))
            .next("`regrow --help`, or `--help` after a command, says what it takes"),
    );
    Exit::Failed(FailureKind::Usage).into()
}
