//! Settings of a container that speak of applications which are called otherwise now: what it runs,
//! its variables, where it starts, how its health is asked for.

use serde_json::Value;

use super::journey::{Journey, misfit};
use super::notes::Notes;
use crate::failure::Failure;
use crate::layout::{ContainerText, mentioned};

/// Adapts those of the settings that `texts` names to the versions of today. `settings` are as an
/// engine tells them; what they said of a value is told without it, as variables hold passwords.
pub(super) fn adapt(
    settings: &mut Value,
    texts: &[ContainerText],
    journeys: &[Journey],
    notes: &mut Notes,
) -> Result<(), Failure> {
    for (setting, text) in of_engine(settings).into_iter().filter(|(s, _)| texts.contains(s)) {
        for journey in journeys.iter().filter(|journey| journey.on_its_way) {
            let app = journey.rule.app.as_str();
            let found =
                mentioned(&journey.rule, &journey.vars, text).map_err(|e| misfit(app, e))?;
            if let Some(found) = found {
                let what = found.changes.join(", ");
                notes.step("adapt", subject(setting), format!("{app}: {what}"));
                *text = found.text;
            }
        }
    }
    Ok(())
}

/// How a plan calls a setting.
fn subject(setting: ContainerText) -> &'static str {
    match setting {
        ContainerText::Command => "the container's command",
        ContainerText::Entrypoint => "the container's entrypoint",
        ContainerText::Environment => "the container's environment",
        ContainerText::WorkingDirectory => "the container's working directory",
        ContainerText::HealthCheck => "the container's health check",
    }
}

/// The texts of an engine's settings.
fn of_engine(settings: &mut Value) -> Vec<(ContainerText, &mut String)> {
    let Some(config) = settings.get_mut("Config").and_then(Value::as_object_mut) else {
        return vec![];
    };
    let mut found = Vec::new();
    for (key, value) in config {
        let (setting, value) = match key.as_str() {
            "Cmd" => (ContainerText::Command, value),
            "Entrypoint" => (ContainerText::Entrypoint, value),
            "Env" => (ContainerText::Environment, value),
            "WorkingDir" => (ContainerText::WorkingDirectory, value),
            "Healthcheck" => match value.get_mut("Test") {
                Some(test) => (ContainerText::HealthCheck, test),
                None => continue,
            },
            _ => continue,
        };
        match value {
            Value::String(text) => found.push((setting, text)),
            Value::Array(list) => found.extend(list.iter_mut().filter_map(|item| match item {
                Value::String(text) => Some((setting, text)),
                _ => None,
            })),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::journey::testing::journey;
    use super::*;

    const ALL: [ContainerText; 5] = [
        ContainerText::Command,
        ContainerText::Entrypoint,
        ContainerText::Environment,
        ContainerText::WorkingDirectory,
        ContainerText::HealthCheck,
    ];

    fn adapted(texts: &[ContainerText]) -> (Value, Vec<String>) {
        let x = journey("everywhere: [{text: '/opt/x{old}', with: '/opt/x{new}'}]", "13", "17");
        let mut settings = json!({"Config": {
            "Cmd": ["/opt/x13/bin", "--x", "/srv/opt/x13"],
            "Entrypoint": "/opt/x13/run",
            "Env": ["PATH=/opt/x13/bin:/bin", "SECRET=x"],
            "WorkingDir": "/opt/x13",
            "Healthcheck": {"Test": ["CMD-SHELL", "/opt/x13/ping || exit 1"], "Retries": 3},
            "User": "/opt/x13",
        }, "Name": "/opt/x13"});
        let mut notes = Notes::default();
        adapt(&mut settings, texts, &[x], &mut notes).unwrap();
        let told = notes.steps.iter().map(|s| format!("{}: {}", s.subject, s.reason)).collect();
        (settings, told)
    }

    #[test]
    fn every_text_of_a_container_that_speaks_of_an_application_follows_it() {
        let (settings, told) = adapted(&ALL);
        let expected = json!({"Config": {
            "Cmd": ["/opt/x17/bin", "--x", "/srv/opt/x13"],
            "Entrypoint": "/opt/x17/run",
            "Env": ["PATH=/opt/x17/bin:/bin", "SECRET=x"],
            "WorkingDir": "/opt/x17",
            "Healthcheck": {"Test": ["CMD-SHELL", "/opt/x17/ping || exit 1"], "Retries": 3},
            "User": "/opt/x13",
        }, "Name": "/opt/x13"});
        assert_eq!(settings, expected);
        assert_eq!(told.len(), 5);
        assert!(told.contains(&"the container's command: x: `/opt/x13` is now `/opt/x17`".into()));
    }

    #[test]
    fn only_settings_that_a_rule_names_are_looked_at() {
        for text in ALL {
            assert_eq!(adapted(&[text]).1.len(), 1, "{text:?}");
        }
        assert_eq!(adapted(&[]).1, [""; 0]);
    }
}
