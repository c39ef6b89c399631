//! What a container goes through: started, stopped, waited for, renamed, committed, removed.

use std::time::Duration;

use serde_json::Value;

use super::container::{State, call};
use super::error::{EngineError, Object};
use super::image::with_algorithm;
use super::wire::{Call, parsed};
use super::{Engine, Flavour, at, text};

impl Engine {
    /// Starts the container; one that runs already is left running.
    pub fn start(&self, id: &str) -> Result<(), EngineError> {
        self.bytes(call("POST", id, &["start"], "starting")?.patient()).map(drop)
    }

    /// Stops the container, by force after `grace`; one that does not run is left alone.
    pub fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let call = call("POST", id, &["stop"], "stopping")?;
        self.bytes(call.query("t", grace.as_secs().to_string()).patient()).map(drop)
    }

    /// Ends the container at once; one that does not run is left alone.
    pub fn kill(&self, id: &str) -> Result<(), EngineError> {
        match self.bytes(call("POST", id, &["kill"], "ending")?) {
            // Both engines answer 409 when there is nothing to kill; some Podman a 500.
            Err(EngineError::Refused { .. }) if self.container(id)?.state != State::Running => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Waits until the container does not run, and returns its exit code.
    pub fn wait(&self, id: &str, limit: Duration) -> Result<i64, EngineError> {
        let call = call("POST", id, &["wait"], "waiting for")?.within(limit);
        let about = call.about();
        // Podman does not know Docker's word `not-running`, which is the default of both.
        let answer = self.json(call)?;
        answer["StatusCode"].as_i64().ok_or_else(|| about.unexpected("there is no exit code"))
    }

    /// The last `lines` lines of what the container's process wrote to its two outputs, as raw
    /// text without the frames around it.
    pub fn logs(&self, id: &str, lines: u32) -> Result<Vec<u8>, EngineError> {
        let container = self.container(id)?;
        let call = call("GET", id, &["logs"], "reading the log of")?
            .query("stdout", "true")
            .query("stderr", "true")
            .query("tail", lines.to_string());
        let bytes = self.bytes(call)?;
        let tty = at(&container.raw, &["Config", "Tty"]).as_bool().unwrap_or(false);
        Ok(if tty { bytes.to_vec() } else { unframed(&bytes) })
    }

    /// Removes the container, running or not, and the unnamed volumes that are its own.
    pub fn remove(&self, id: &str) -> Result<(), EngineError> {
        let call = call("DELETE", id, &[], "removing")?.query("force", "true").query("v", "true");
        self.bytes(call.patient()).map(drop)
    }

    /// Gives the container another name.
    pub fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let call = Call::new(
            "POST",
            &["containers", id, "rename"],
            "renaming a container to",
            Object::Container(name.to_owned()),
        )?;
        let error = match self.bytes(call.query("name", name)) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let object = Object::Container(name.to_owned());
        match error {
            EngineError::NoSuch { .. } => {
                Err(EngineError::NoSuch { object: Object::Container(id.to_owned()) })
            }
            // Podman lets its database refuse, in the database's words.
            EngineError::Refused { .. } if self.container(name).is_ok() => {
                Err(EngineError::NameTaken { object })
            }
            other => Err(other),
        }
    }

    /// Makes an untagged image of the container's present state with `config` (`Cmd`, `Env`,
    /// `Labels` …) in place of its own, and returns its id.
    ///
    /// Loses ACLs and fractions of seconds everywhere, Docker user attributes too: only for what
    /// was generated in a staging container. The container has to be stopped.
    pub fn commit(&self, id: &str, config: &Value) -> Result<String, EngineError> {
        let call = Call::new("POST", &["commit"], "committing", Object::Container(id.to_owned()))?
            .query("container", id)
            .query("pause", "false")
            .patient();
        let call = match self.info().flavour {
            // Podman takes labels from the query only, in the words of a Dockerfile.
            Flavour::Podman => call.query("changes", dockerfile(config)),
            Flavour::Docker => call,
        };
        let about = call.about();
        let bytes = self.bytes(call.body(config))?;
        let answer = parsed(&bytes, &about)?;
        let image = text(&answer, &["Id"]);
        if image.is_empty() {
            return Err(about.unexpected("there is no image id"));
        }
        Ok(with_algorithm(&image))
    }
}

/// `config` as the Dockerfile instructions that set it.
fn dockerfile(config: &Value) -> String {
    let mut lines = vec![];
    for (key, word) in [("Cmd", "CMD"), ("Entrypoint", "ENTRYPOINT")] {
        if config[key].is_array() {
            lines.push(format!("{word} {}", config[key]));
        }
    }
    for (key, value) in config["Labels"].as_object().into_iter().flatten() {
        lines.push(format!("LABEL {}={}", Value::from(key.as_str()), value));
    }
    lines.join("\n")
}

/// Takes the eight-byte frame headers out of a log.
fn unframed(mut log: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(log.len());
    while let Some((head, rest)) = log.split_at_checked(8) {
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (content, next) = rest.split_at(length.min(rest.len()));
        text.extend_from_slice(content);
        log = next;
    }
    text
}
