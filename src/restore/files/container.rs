//! Settings of a container that speak of applications which are called otherwise now: what it runs,
//! its variables, where it starts, how its health is asked for.

use crate::failure::Failure;
use crate::layout::{ContainerText, adapt_options, mentioned};
use crate::restore::files::migration::{AppMigration, misfit};
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::step::Step;
use crate::service::{ServiceSettings, TextOf};
use crate::verdict::{Held, HeldKind};

/// Adapts those of the settings that `texts` names to the versions of today. What was a value
/// before is not told, as variables hold passwords.
pub(in crate::restore) fn adapt(
    settings: &mut ServiceSettings,
    texts: &[ContainerText],
    inputs: &Inputs,
    migrations: &[AppMigration],
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    adapt_texts(settings, texts, migrations, decisions)?;
    for migration in migrations.iter().filter(|migration| migration.on_its_way) {
        let app = migration.rule.app.as_str();
        let found = adapt_options(&migration.rule, &migration.vars, inputs.run(Some(settings)));
        let found = found.map_err(|e| misfit(app, e))?;
        if !found.changes.is_empty() {
            let what = format!("{app}: {}", found.changes.join(", "));
            decisions.step(Step::Setting { which: TextOf::Command, what });
        }
        let held = found.doubts.into_iter().map(|why| {
            Held::new(HeldKind::Rule, "the container's command", format!("{app}: {why}"))
        });
        decisions.held.extend(held);
        (settings.entrypoint, settings.command) = (found.entrypoint, found.command);
    }
    Ok(())
}

fn adapt_texts(
    settings: &mut ServiceSettings,
    texts: &[ContainerText],
    migrations: &[AppMigration],
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    let wanted = |which| named(which).is_some_and(|named| texts.contains(&named));
    for (which, text) in settings.texts_mut().filter(|(which, _)| wanted(*which)) {
        for migration in migrations.iter().filter(|migration| migration.on_its_way) {
            let app = migration.rule.app.as_str();
            let found =
                mentioned(&migration.rule, &migration.vars, text).map_err(|e| misfit(app, e))?;
            if let Some(found) = found {
                let what = format!("{app}: {}", found.changes.join(", "));
                decisions.step(Step::Setting { which, what });
                *text = found.text;
            }
        }
    }
    Ok(())
}

/// How rules call a setting; accounts are no affair of theirs.
fn named(which: TextOf) -> Option<ContainerText> {
    Some(match which {
        TextOf::Command => ContainerText::Command,
        TextOf::Entrypoint => ContainerText::Entrypoint,
        TextOf::Environment => ContainerText::Environment,
        TextOf::WorkingDirectory => ContainerText::WorkingDirectory,
        TextOf::HealthCheck => ContainerText::HealthCheck,
        TextOf::User | TextOf::Group => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::restore::files::migration::testing::migration;

    const ALL: [ContainerText; 5] = [
        ContainerText::Command,
        ContainerText::Entrypoint,
        ContainerText::Environment,
        ContainerText::WorkingDirectory,
        ContainerText::HealthCheck,
    ];

    fn settings(version: u32) -> Value {
        json!({
            "command": [format!("/opt/x{version}/bin"), "--x", "/srv/opt/x13"],
            "entrypoint": [format!("/opt/x{version}/run")],
            "environment": [format!("PATH=/opt/x{version}/bin:/bin"), "SECRET=x"],
            "working_directory": format!("/opt/x{version}"),
            "user": "/opt/x13",
        })
    }

    fn adapted(texts: &[ContainerText]) -> (Value, Vec<String>) {
        let x = migration("everywhere: [{text: '/opt/x{old}', with: '/opt/x{new}'}]", "13", "17");
        let mut found: ServiceSettings = serde_json::from_value(settings(13)).unwrap();
        let mut decisions = Decisions::default();
        adapt_texts(&mut found, texts, &[x], &mut decisions).unwrap();
        let told = decisions.steps.iter().map(|s| format!("{}: {}", s.subject(), s.reason()));
        (serde_json::to_value(found).unwrap(), told.collect())
    }

    #[test]
    fn every_text_of_a_container_that_speaks_of_an_application_follows_it() {
        let (found, told) = adapted(&ALL);
        assert_eq!(found, settings(17));
        assert_eq!(told.len(), 4);
        assert!(told.contains(&"the container's command: x: `/opt/x13` is now `/opt/x17`".into()));
    }

    #[test]
    fn only_settings_that_a_rule_names_are_looked_at() {
        for text in ALL.into_iter().filter(|text| *text != ContainerText::HealthCheck) {
            assert_eq!(adapted(&[text]).1.len(), 1, "{text:?}");
        }
        assert_eq!(adapted(&[]).1, [""; 0]);
    }
}
