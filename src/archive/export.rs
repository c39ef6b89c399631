//! Exports: what the old version itself says about its data.
//!
//! It runs in a throw-away copy of the stopped container and its volumes, or of the tree, without
//! network ([`crate::copies`]); the source is not touched.

use std::fs::File;
use std::io::{Seek, Write};

use super::Examined;
use crate::copies::Copies;
use crate::environments::EnvironmentFact;
use crate::failure::{Failure, FailureKind};
use crate::layout::{self, Run, Told};
use crate::monitor::Monitor;
use crate::service::Settings;
use crate::source::Source;
use crate::system::{Command, line};

/// One export.
pub(super) struct Export {
    /// Its name in the bundle.
    pub(super) name: String,
    /// The application.
    pub(super) app: String,
    /// The version that wrote it.
    pub(super) version: String,
    /// What it wrote, from the beginning.
    pub(super) content: File,
}

/// A command with the export it makes.
struct Wanted {
    app: String,
    version: String,
    command: layout::Command,
}

/// Runs the exports that the rules ask for; without any, no copy is made.
///
/// # Errors
/// A command that fails (step): nothing is published then.
pub(super) fn run(
    source: &Source,
    examined: &Examined,
    copies: &mut Copies<'_>,
    monitor: &dyn Monitor,
) -> Result<Vec<Export>, Failure> {
    let wanted = wanted(source, examined)?;
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    monitor.phase("copying the old system for its exports");
    let copy = copies.copy(monitor).map_err(unexported)?;
    monitor.phase("exporting databases with the old version");
    let batch = wanted
        .iter()
        .map(|wanted| Command { argv: wanted.command.argv.clone(), stdin: None, env: vec![] })
        .collect();
    let ran = copy.system().and_then(|system| system.run(batch)).map_err(unexported)?;
    let mut exports = Vec::new();
    for (wanted, ran) in wanted.into_iter().zip(ran) {
        if ran.code != 0 {
            return Err(Failure::new(
                FailureKind::Step,
                "exporting with",
                line(&wanted.command.argv),
            )
            .why(format!("it ended with {}: {}", ran.code, ran.complaint()))
            .safe("the source is untouched, no bundle was written")
            .next("repair the old service, or leave the export out with --no-export"));
        }
        if let Some(name) = wanted.command.file {
            let Wanted { app, version, .. } = wanted;
            exports.push(Export { name, app, version, content: ran.stdout });
        }
    }
    Ok(exports)
}

/// The failure of a copy, as far as it is about an export.
fn unexported(failure: Failure) -> Failure {
    match failure.kind() {
        FailureKind::Signal(_) => failure,
        _ => failure
            .safe("the source is untouched, no bundle was written")
            .or("leave the export out with --no-export"),
    }
}

/// The lists of what package managers of languages installed.
///
/// # Errors
/// No place for temporary files.
pub(super) fn lists(environments: &[EnvironmentFact]) -> Result<Vec<Export>, Failure> {
    let mut lists = Vec::new();
    for fact in environments {
        let Some(name) = fact.list_name() else { continue };
        let unwritten = |e: std::io::Error| {
            Failure::new(FailureKind::Resource, "writing the list", &name).because(e)
        };
        let mut content = tempfile::tempfile().map_err(unwritten)?;
        content.write_all(fact.list_text().as_bytes()).map_err(unwritten)?;
        content.rewind().map_err(unwritten)?;
        let (app, version) = (fact.kind.to_string(), fact.interpreter.clone());
        lists.push(Export { name, app, version, content });
    }
    Ok(lists)
}

fn wanted(source: &Source, examined: &Examined) -> Result<Vec<Wanted>, Failure> {
    let settings = match source.settings() {
        Settings::Service(settings) => Some(settings),
        Settings::None | Settings::Inspected(_) => None,
    };
    let variable = |name: &str| settings?.variable(name).last().map(str::to_owned);
    let of_image = examined.survey.image.as_ref().map_or(&[][..], |image| &image.settings.command);
    let run = settings.map_or_else(Run::default, |settings| Run {
        entrypoint: &settings.entrypoint,
        command: &settings.command,
        of_image,
    });
    let told = Told { variable: &variable, run };
    let mut all = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for app in &examined.apps {
        // Several versions of one application share its rule.
        if !seen.insert(app.app.clone()) {
            continue;
        }
        let misfit = |e: Box<dyn std::error::Error + Send + Sync>| {
            Failure::new(FailureKind::Step, "applying the rule of", &app.app)
                .because(e)
                .next("correct the rule and run the same command again")
        };
        let version = app.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let found = app.rule.instances(source.tree(), &version, &told);
        for (database, instance) in found.map_err(|e| misfit(e.into()))? {
            for command in database.exports(&instance).map_err(|e| misfit(e.into()))? {
                let version = instance.version.clone();
                all.push(Wanted { app: app.app.clone(), version, command });
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_cannot_be_made_can_be_done_without_unless_the_run_was_cancelled() {
        let failure = |kind| Failure::new(kind, "copying", "x").why("no").safe("all").next("wait");
        let said = unexported(failure(FailureKind::Resource)).to_string();
        let end = " Kept: the source is untouched, no bundle was written. Next: wait, or leave the \
                   export out with --no-export.";
        assert!(said.ends_with(end), "{said}");
        let said = unexported(failure(FailureKind::Signal(15))).to_string();
        assert!(said.ends_with(" Kept: all. Next: wait."), "{said}");
    }
}
