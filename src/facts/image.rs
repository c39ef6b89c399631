//! [`ImageFact`]: the image beneath a container, as far as its files do not tell.

use serde::{Deserialize, Serialize};

use super::Choices;
use crate::service::ServiceSettings;

/// The image that a container was made of.
///
/// What of the container is the image's own can be told by it: whatever the container has
/// otherwise was said when it was made, or came in its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageFact {
    /// As it was named when the container was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How a container of it is run when nobody says otherwise.
    pub settings: ServiceSettings,
    /// The directories for which it asks for volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The names of the packages in it, as intents call them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// What its makers decided about packages.
    #[serde(skip_serializing_if = "is_none")]
    pub choices: Choices,
}

fn is_none(choices: &Choices) -> bool {
    *choices == Choices::default()
}
