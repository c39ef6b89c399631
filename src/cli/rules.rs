//! `regrow rules`.

use std::path::PathBuf;

use clap::Subcommand;
use regrow::failure::{Failure, FailureKind};
use regrow::layout::{self, Rule};
use regrow::report::{RuleList, Text};

use super::context::Context;
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
    /// Print the JSON Schema of rule files, with which editors complete and check them
    Schema,
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.what {
        What::List => {
            let rules = context.layout()?.apps()?;
            context.output.print(&RuleList::new(&rules), RuleList::text);
        }
        What::Show { app } => {
            let rules = context.layout()?.apps()?;
            let rule =
                rules.into_iter().find(|rule| rule.app.as_str() == app).ok_or_else(|| {
                    Failure::new(FailureKind::Precondition, "showing the rule of", app)
                        .why("no rule has this name")
                        .next("`regrow rules list` names them")
                })?;
            let text = rule.to_yaml().map_err(|e| {
                Failure::new(FailureKind::Internal, "showing the rule of", app).because(e)
            })?;
            context.output.print(&rule, |_, _| Text::plain(&text));
        }
        What::Lint { paths } => {
            let checked = layout::lint_paths(paths)?;
            context.output.print(&checked, |n, _| match n {
                1 => Text::plain("1 rule is well-formed"),
                _ => Text::plain(&format!("{n} rules are well-formed")),
            });
        }
        What::Schema => {
            let schema = Rule::schema();
            // `#` writes JSON with indentation.
            context
                .output
                .print(&schema, |schema, _| Text::plain(&format!("{:#}", schema.as_value())));
        }
    }
    Ok(Exit::Done)
}
