//! `regrow rules`.

use std::path::PathBuf;

use clap::Subcommand;
use regrow::failure::{Failure, Kind};
use regrow::layout;
use regrow::report::{self, RuleList};

use super::Context;
use super::exit_code::Exit;

/// Arguments of `rules`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List the applications that rules know
    List,
    /// Print one application's rule
    Show {
        /// The application
        app: String,
    },
    /// Check rule files; every problem names file and line
    Lint {
        /// Rule files, or directories of them
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    match &args.what {
        What::List => {
            let rules = context.layout()?.apps().map_err(Failure::from)?;
            context.output.print(&RuleList::new(&rules), report::rules_text);
        }
        What::Show { app } => {
            let rules = context.layout()?.apps().map_err(Failure::from)?;
            let rule =
                rules.into_iter().find(|rule| rule.app.as_str() == app).ok_or_else(|| {
                    Failure::new(Kind::Precondition, "showing the rule of", app)
                        .why("no rule has this name")
                        .next("`regrow rules list` names them")
                })?;
            let text = layout::render(&rule)
                .map_err(|e| Failure::new(Kind::Internal, "showing the rule of", app).because(e))?;
            context.output.print(&rule, |_| text);
        }
        What::Lint { paths } => {
            let checked = layout::lint_paths(paths).map_err(Failure::from)?;
            context.output.print(&checked, |n| format!("{n} rules are well-formed\n"));
        }
    }
    Ok(Exit::Done)
}
