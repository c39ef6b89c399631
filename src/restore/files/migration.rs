//! [`AppMigration`]: an application on its way between two versions, and what its rule wants done.

use crate::failure::{Failure, FailureKind};
use crate::layout::{
    self, Database, Former, Gap, Instance, Mentions, Migration, Recognised, Route, Rule, Run, Step,
    StepOutcome, Told, Vars, When, adapt_options,
};
use crate::packages::Installed;
use crate::restore::value::archived::Archived;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::step::{PlannedCommand, Step as PlanStep};
use crate::service::ServiceSettings;
use crate::survey::Survey;
use crate::tree::{Draft, Tree};
use crate::verdict::{Held, HeldKind};

/// An application on its way between two versions.
pub(in crate::restore) struct AppMigration {
    pub(in crate::restore) rule: Rule,
    pub(in crate::restore) vars: Vars,
    /// What is to be done on the way, with the versions that each step speaks of.
    steps: Vec<(Step, Vars)>,
    /// Its rule knows the way: settings are adapted.
    pub(in crate::restore) on_its_way: bool,
    /// The data of its databases stays readable: the version is the same.
    same_version: bool,
}

pub(in crate::restore) fn misfit(
    app: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Failure {
    Failure::new(FailureKind::Step, "applying the rule of", app)
        .because(error)
        .next("correct the rule (`regrow rules show` prints it) and run the same command again")
}

/// The applications of the staged system.
pub(in crate::restore) fn today(
    inputs: &Inputs,
    installed: &Installed,
) -> Result<Vec<Recognised>, Failure> {
    let packages = installed.recognisable();
    inputs.layout.recognise_in(inputs.target, &packages).map_err(Failure::from)
}

/// The archived applications with the way each has to go.
pub(in crate::restore) fn migrations(
    inputs: &Inputs,
    today: &[Recognised],
    decisions: &mut Decisions,
) -> Result<Vec<AppMigration>, Failure> {
    let migrations = inputs.layout.migrations(former(inputs.survey), today);
    let migrations = migrations.map_err(Failure::from)?;
    Ok(migrations.into_iter().map(|migration| prepare(migration, decisions)).collect())
}

/// The applications of the old system.
pub(in crate::restore) fn former(survey: &Survey) -> impl Iterator<Item = Former<'_>> {
    survey.apps.iter().map(|app| Former {
        app: &app.name,
        distribution: &app.distribution,
        version: app.version.as_deref(),
    })
}

fn prepare(migration: Migration, decisions: &mut Decisions) -> AppMigration {
    let (vars, way) = (migration.vars(), migration.route());
    let Migration { rule, old, new } = migration;
    match &way {
        Route::Same => {}
        Route::Chain(links) if links.is_empty() => {}
        Route::Chain(_) => {
            let (from, to) = (old.to_string(), new.to_string());
            decisions.step(PlanStep::Carry { app: rule.app.to_string(), from, to });
        }
        Route::NoRoute { .. } if rule.transitions.is_empty() => {}
        Route::NoRoute { gap } => {
            let held = Held::new(HeldKind::Version, &rule.app, gap_words(gap));
            decisions.held.push(held.was(&old).candidate(&new));
        }
    }
    let steps = way.steps(&vars);
    let same_version = old == new;
    let on_its_way = matches!(way, Route::Chain(_));
    AppMigration { rule, vars, steps, on_its_way, same_version }
}

/// The commands without those whose output would be compared with an export that nobody made, and
/// whether these are all.
fn comparable(
    commands: Vec<layout::Command>,
    exported: impl Fn(&String) -> bool,
) -> (Vec<layout::Command>, bool) {
    let all = commands.len();
    let left: Vec<_> =
        commands.into_iter().filter(|command| command.expect.iter().all(&exported)).collect();
    let whole = left.len() == all;
    (left, whole)
}

fn gap_words(gap: &Gap) -> String {
    match gap {
        Gap::Older { from, to } => {
            format!("the new system has {to}, older than the archived {from}; placed as it was")
        }
        Gap::From(version) => format!("no rule starts from version {version}; placed as it was"),
        Gap::To(version) => format!("no rule leads to version {version}; placed as it was"),
    }
}

/// Takes data of another version out of the draft and returns the commands that bring it back;
/// `settings` are those that the new container will have.
pub(in crate::restore) fn withhold(
    migrations: &[AppMigration],
    archived: &Archived,
    inputs: &Inputs,
    (settings, draft): (Option<&ServiceSettings>, &mut Draft),
    decisions: &mut Decisions,
) -> Result<Vec<PlannedCommand>, Failure> {
    let mut imports = Vec::new();
    for migration in migrations {
        let app = migration.rule.app.as_str();
        let version = String::from_utf8_lossy(migration.vars.get("old").unwrap_or_default());
        let variable = |name: &str| -> Option<String> {
            inputs.settings?.variable(name).last().map(str::to_owned)
        };
        let told = Told { variable: &variable, run: inputs.run(inputs.settings) };
        let found = migration.rule.instances(archived, &version, &told);
        let run = inputs.run(settings);
        let on_new = adapt_options(&migration.rule, &migration.vars, run);
        let on_new = on_new.map_err(|e| misfit(app, e))?;
        let run = Run { entrypoint: &on_new.entrypoint, command: &on_new.command, ..run };
        for (database, mut instance) in found.map_err(|e| misfit(app, e))? {
            database.tell(run, &mut instance.vars);
            let instance = &instance;
            let commands =
                database.imports(instance, &migration.vars).map_err(|e| misfit(app, e))?;
            let exported = |name: &String| {
                inputs.manifest.exports.iter().any(|e| e.app == app && e.name == *name)
            };
            if commands.iter().flat_map(|command| &command.stdin).all(exported) {
                let (commands, all_compared) = comparable(commands, exported);
                if !all_compared {
                    let why = "its export is imported, and not compared with what it was: it \
                               was archived before that was asked for";
                    decisions.hold(HeldKind::Data, &instance.directory, why);
                }
                take_data(database, instance, draft);
                decisions.step(PlanStep::Withhold {
                    directory: instance.directory.clone(),
                    version: instance.version.to_string(),
                });
                imports.extend(commands.into_iter().map(|command| PlannedCommand {
                    argv: command.argv,
                    stdin: command.stdin,
                    expect: command.expect,
                    why: format!("imports the export of {}", instance.directory),
                }));
            } else if !migration.same_version {
                take_data(database, instance, draft);
                let reason = format!(
                    "data of version {} without an export: kept in the bundle, not placed",
                    instance.version
                );
                let held = Held::new(HeldKind::Data, &instance.directory, reason);
                decisions.held.push(held.was(&instance.version));
            }
        }
    }
    Ok(imports)
}

/// Takes the data of `instance` out of the draft; what is kept of its directory stays.
fn take_data(database: &Database, instance: &Instance, draft: &mut Draft) {
    for node in draft.take(&instance.directory) {
        if database.keeps(instance, &node.entry.path) {
            draft.put(node);
        }
    }
}

/// Applies the steps that `wanted` picks, of all migrations in order.
pub(in crate::restore) fn apply_steps(
    migrations: &[AppMigration],
    wanted: &dyn Fn(&Step) -> bool,
    inputs: &Inputs,
    installed: &Installed,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    for migration in migrations {
        let app = migration.rule.app.as_str();
        for (step, vars) in migration.steps.iter().filter(|(step, _)| wanted(step)) {
            let outcomes = layout::apply(step, vars, draft, inputs.contents, inputs.target)
                .map_err(|e| misfit(app, e))?;
            for outcome in outcomes {
                if let StepOutcome::Run { when: Some(when), .. } = &outcome
                    && !holds(when, &migration.vars, inputs.target, draft, installed)
                        .map_err(|e| misfit(app, e))?
                {
                    continue;
                }
                note_outcome(app, outcome, decisions);
            }
        }
    }
    Ok(())
}

/// Where the rules of `today` say that applications are spoken of.
pub(in crate::restore) fn mentions(today: &[Recognised]) -> Mentions {
    Mentions::joined(today.iter().map(|found| &found.rule.mentions))
}

/// Adapts the settings of all migrations in order.
pub(in crate::restore) fn adapt_settings(
    migrations: &[AppMigration],
    mentions: &Mentions,
    inputs: &Inputs,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    for migration in migrations.iter().filter(|migration| migration.on_its_way) {
        let app = migration.rule.app.as_str();
        let outcomes =
            layout::adapt(&migration.rule, mentions, &migration.vars, draft, inputs.contents)
                .map_err(|e| misfit(app, e))?;
        outcomes.into_iter().for_each(|outcome| note_outcome(app, outcome, decisions));
    }
    Ok(())
}

fn note_outcome(app: &str, outcome: StepOutcome, decisions: &mut Decisions) {
    match outcome {
        StepOutcome::Changed { path, what } => {
            decisions.adapt(&path, format!("{app}: {what}"));
        }
        StepOutcome::Dropped { path, entries, why } => {
            decisions.leave_out(path, format!("{app}: {why} ({entries} entries)"));
        }
        StepOutcome::Hold { path, why } => {
            decisions.hold(HeldKind::Rule, path, format!("{app}: {why}"));
        }
        StepOutcome::Run { argv, why, when: _ } => {
            decisions.commands.push(PlannedCommand { argv, stdin: None, expect: None, why });
        }
    }
}

/// The commands that make again what is generated from files that are placed or removed.
pub(in crate::restore) fn rebuilds(
    migrations: &[AppMigration],
    target: &dyn Tree,
    draft: &Draft,
    installed: &Installed,
) -> Result<Vec<PlannedCommand>, Failure> {
    let mut commands = Vec::new();
    for migration in migrations {
        let app = migration.rule.app.as_str();
        for rebuild in &migration.rule.rebuild {
            let holds = match &rebuild.when {
                Some(when) => holds(when, &migration.vars, target, draft, installed)
                    .map_err(|e| misfit(app, e))?,
                None => true,
            };
            if rebuild.is_due(draft) && holds {
                let argv = rebuild.call().expand(&migration.vars).map_err(|e| misfit(app, e))?;
                let why = rebuild.why.clone();
                commands.push(PlannedCommand { argv, stdin: None, expect: None, why });
            }
        }
    }
    Ok(commands)
}

/// The commands of the rules that have to accept their applications' files become steps.
pub(in crate::restore) fn validators(
    migrations: &[AppMigration],
    target: &dyn Tree,
    draft: &Draft,
    installed: &Installed,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    for migration in migrations {
        let app = migration.rule.app.as_str();
        for validator in &migration.rule.validate {
            let holds = match &validator.when {
                Some(when) => holds(when, &migration.vars, target, draft, installed)
                    .map_err(|e| misfit(app, e))?,
                None => true,
            };
            if holds {
                let argv = validator.call().expand(&migration.vars).map_err(|e| misfit(app, e))?;
                decisions.step(PlanStep::Check { app: app.to_owned(), argv });
            }
        }
    }
    Ok(())
}

/// Whether a condition holds in the system that the draft makes of the target.
fn holds(
    when: &When,
    vars: &Vars,
    target: &dyn Tree,
    draft: &Draft,
    installed: &Installed,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let package = match &when.package {
        Some(name) => {
            let name = name.expand_text(vars)?;
            installed.version(&name).is_some()
        }
        None => true,
    };
    let path = match &when.path {
        Some(path) => {
            let path = path.expand(vars)?;
            let removed = || draft.deletions().any(|gone| path.is_within(gone));
            draft.get(&path).is_some()
                || (!removed() && crate::tree::resolve(target, &path)?.is_some())
        }
        None => true,
    };
    Ok(package && path)
}

#[cfg(test)]
pub(in crate::restore) mod testing {
    use super::*;

    /// The way of an application between two versions, with `more` in its rule.
    pub(in crate::restore) fn moving(more: &str, old: &str, new: &str) -> Migration {
        let text = format!("app: x\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\n{more}\n");
        let rule = crate::layout::load::parse("x.yaml", &text).unwrap();
        Migration { rule, old: old.parse().unwrap(), new: new.parse().unwrap() }
    }

    /// The migration of an application between two versions, with `more` in its rule.
    pub(in crate::restore) fn migration(more: &str, old: &str, new: &str) -> AppMigration {
        let Migration { rule, old, new } = moving(more, old, new);
        let vars = Vars::versions(&old, &new);
        AppMigration { rule, vars, steps: vec![], on_its_way: true, same_version: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Version;
    use crate::layout::load::parse;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftContent, DraftNode, RootPath};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn node(at: &str) -> DraftNode {
        let tree = MemoryTree::default().file(at, "x");
        let entry = tree.entry(&path(at)).unwrap().unwrap();
        DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) }
    }

    #[test]
    fn a_gap_is_told_with_its_version() {
        let older = Gap::Older { from: version("15"), to: version("13") };
        let words = [older, Gap::From(version("3")), Gap::To(version("99"))];
        let words: Vec<String> = words.iter().map(gap_words).collect();
        assert_eq!(
            words,
            [
                "the new system has 13, older than the archived 15; placed as it was",
                "no rule starts from version 3; placed as it was",
                "no rule leads to version 99; placed as it was",
            ]
        );
    }

    #[test]
    fn what_an_older_bundle_cannot_be_compared_with_is_left_out_and_the_rest_is_imported() {
        let command = |argv: &str, stdin: Option<&str>, expect: Option<&str>| layout::Command {
            argv: vec![argv.to_owned()],
            file: None,
            stdin: stdin.map(str::to_owned),
            expect: expect.map(str::to_owned),
        };
        let commands = vec![
            command("load", Some("dump"), None),
            command("count", None, Some("count")),
            command("stop", None, None),
        ];
        let names = |commands: Vec<layout::Command>| -> Vec<String> {
            commands.into_iter().flat_map(|command| command.argv).collect()
        };
        let (left, whole) = comparable(commands.clone(), |name| name == "dump");
        assert_eq!((names(left), whole), (vec!["load".to_owned(), "stop".to_owned()], false));
        let (left, whole) = comparable(commands, |_| true);
        assert_eq!((left.len(), whole), (3, true));
    }

    #[test]
    fn a_condition_looks_at_the_target_and_at_what_is_placed() {
        let target = MemoryTree::default().file("/etc/there", "");
        let mut draft = Draft::default();
        draft.put(node("/etc/placed"));
        let rule = |at: &str| {
            let text = format!(
                "app: x\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\nvalidate:\n  \
                 - {{run: ['true'], when: {{path: {at}}}}}\n"
            );
            parse("x.yaml", &text).unwrap().validate.remove(0).when.unwrap()
        };
        let installed = Installed::default();
        let told =
            |at: &str| holds(&rule(at), &Vars::default(), &target, &draft, &installed).unwrap();
        assert!(told("/etc/there"));
        assert!(told("/etc/placed"));
        assert!(!told("/etc/nowhere"));
    }
}
