//! [`Settings`]: what a bundle holds of how its service was run.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::ServiceSettings;

/// The settings of an archived service, as far as there are any.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Settings {
    /// It was a file tree.
    #[default]
    None,
    /// In the words of the field.
    Service(Box<ServiceSettings>),
    /// As an engine told them: in bundles of format 1, and where they could not be translated.
    Inspected(Value),
}

impl Settings {
    /// The names of what in them looks like a password or a key.
    pub(crate) fn secrets(&self) -> Vec<String> {
        match self {
            Settings::Service(settings) => settings.secrets(),
            Settings::None | Settings::Inspected(_) => vec![],
        }
    }

    /// The words of what is run, as far as that is known: arguments, divided at blanks.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let run = match self {
            Settings::Service(settings) => Some([&settings.entrypoint, &settings.command]),
            Settings::None | Settings::Inspected(_) => None,
        };
        run.into_iter().flatten().flatten().flat_map(|argument| argument.split_whitespace())
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Settings::None => serializer.serialize_unit(),
            Settings::Service(settings) => settings.serialize(serializer),
            Settings::Inspected(inspect) => inspect.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // An engine's answer has one of these keys, whichever engine it is.
        let told = ["Config", "HostConfig", "Id"];
        match &value {
            Value::Null => Ok(Settings::None),
            Value::Object(fields) if !told.iter().any(|key| fields.contains_key(*key)) => {
                let settings = ServiceSettings::deserialize(value).map_err(D::Error::custom)?;
                Ok(Settings::Service(Box::new(settings)))
            }
            _ => Ok(Settings::Inspected(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_told_apart_by_what_they_hold_and_written_as_they_were_read() {
        let read = |value: Value| serde_json::from_value::<Settings>(value).unwrap();
        assert_eq!(read(json!(null)), Settings::None);
        assert!(matches!(read(json!({"user": "app"})), Settings::Service(_)));
        assert!(matches!(read(json!({"Config": {}, "Id": "x"})), Settings::Inspected(_)));
        assert!(matches!(read(json!({"HostConfig": {}})), Settings::Inspected(_)));
        assert!(matches!(read(json!([])), Settings::Inspected(_)));
        for value in [json!(null), json!({"user": "app"}), json!({"Config": {}}), json!({})] {
            assert_eq!(serde_json::to_value(read(value.clone())).unwrap(), value);
        }
        assert!(serde_json::from_value::<Settings>(json!({"user": 7})).is_err());
    }
}
