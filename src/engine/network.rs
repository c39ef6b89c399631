//! Networks: only asked for and connected to, never made.

use serde_json::{Value, json};

use super::Engine;
use super::error::{EngineError, Object};
use super::wire::Call;

fn call(
    method: &'static str,
    name: &str,
    tail: &[&str],
    act: &'static str,
) -> Result<Call, EngineError> {
    let segments = [&["networks", name], tail].concat();
    Call::new(method, &segments, act, Object::Network(name.to_owned()))
}

impl Engine {
    /// Whether there is a network called `name`.
    pub fn network_exists(&self, name: &str) -> Result<bool, EngineError> {
        match call("GET", name, &[], "looking for").and_then(|call| self.json(call)) {
            // An id or its beginning is found as well, and is no name.
            Ok(found) => Ok(found["Name"] == name),
            Err(error) if error.is_absence() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Connects the container `id` to `network` with the settings of `endpoint`.
    pub(super) fn connect_network(
        &self,
        network: &str,
        id: &str,
        endpoint: &Value,
    ) -> Result<(), EngineError> {
        let body = json!({ "Container": id, "EndpointConfig": endpoint });
        self.bytes(call("POST", network, &["connect"], "connecting to")?.body(&body)).map(drop)
    }
}
