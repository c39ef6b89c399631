//! [`HealthCheck`]: how somebody finds out whether a service works.

use serde::{Deserialize, Serialize};

use super::is_default;

/// What is asked, and how often. Times are in nanoseconds; an engine's own hold for what is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub test: HealthTest,
    /// Between two questions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval: Option<i64>,
    /// For an answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout: Option<i64>,
    /// After the start, while failures do not count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start_period: Option<i64>,
    /// Between two questions in that time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start_interval: Option<i64>,
    /// How many failures it takes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: Option<i64>,
}

/// The question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthTest {
    /// The image's own.
    #[default]
    Inherited,
    /// None, although the image has one.
    Off,
    /// A program with its arguments.
    Run(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

impl HealthCheck {
    /// The texts of the question.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let texts: &mut [String] = match &mut self.test {
            HealthTest::Inherited | HealthTest::Off => &mut [],
            HealthTest::Run(argv) => argv,
            HealthTest::Shell(line) => std::slice::from_mut(line),
        };
        texts.iter_mut()
    }
}
