//! [`Unpacking`]: how a server unpacks an archive beside a directory.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::scalar::Mode;

/// How a server unpacks an archive: what of its directory can be had again.
///
/// A text in its place is the ending alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unpacking {
    /// The archive is called as the directory, with this ending.
    pub ending: String,
    /// An empty file that the server leaves in the directory, which the archive need not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracker: Option<String>,
    /// The modes that it gives to files.
    pub files: Vec<Mode>,
    /// The modes that it gives to directories.
    pub directories: Vec<Mode>,
}

impl Unpacking {
    /// Of the archives with `ending`, unpacked as most programs make files.
    fn of(ending: &str) -> Unpacking {
        Unpacking {
            ending: ending.to_owned(),
            tracker: None,
            files: plain_file(),
            directories: plain_directory(),
        }
    }

    /// What cannot be meant by it.
    pub(super) fn fault(&self) -> Option<(&str, String)> {
        let Unpacking { ending, tracker, .. } = self;
        if !ending.starts_with('.') || ending.len() < 2 || ending.contains('/') {
            return Some((ending, format!("`{ending}` is no ending of a name such as `.war`")));
        }
        let inside = |name: &str| name.split('/').all(|part| !["", ".", ".."].contains(&part));
        let outside = tracker.as_deref().filter(|name| !inside(name))?;
        Some((outside, format!("`{outside}` is no path below a directory")))
    }
}

fn plain_file() -> Vec<Mode> {
    vec![Mode(0o644)]
}

fn plain_directory() -> Vec<Mode> {
    vec![Mode(0o755)]
}

/// The keys of an [`Unpacking`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    ending: String,
    #[serde(default)]
    tracker: Option<String>,
    #[serde(default = "plain_file")]
    files: Vec<Mode>,
    #[serde(default = "plain_directory")]
    directories: Vec<Mode>,
}

impl<'de> Deserialize<'de> for Unpacking {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrKeys;
        impl<'de> Visitor<'de> for TextOrKeys {
            type Value = Unpacking;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an ending such as `.war`, or `ending` with more keys")
            }

            fn visit_str<E: de::Error>(self, ending: &str) -> Result<Unpacking, E> {
                Ok(Unpacking::of(ending))
            }

            fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<Unpacking, A::Error> {
                let Keys { ending, tracker, files, directories } =
                    Keys::deserialize(MapAccessDeserializer::new(keys))?;
                Ok(Unpacking { ending, tracker, files, directories })
            }
        }
        deserializer.deserialize_any(TextOrKeys)
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::parse;

    fn read(unpacked: &str) -> Result<super::Unpacking, String> {
        let text = format!(
            "app: x\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\nlayout:\n  \
             - {{glob: '/srv/**', worth: generated, unpacked: {unpacked}, why: w}}\n"
        );
        let mut rule = parse("x.yaml", &text).map_err(|error| error.to_string())?;
        Ok(rule.layout.remove(0).unpacked.unwrap())
    }

    #[test]
    fn an_unpacking_is_an_ending_or_more_keys_and_says_the_same_in_json() {
        let short = read(".war").unwrap();
        assert_eq!(short, read("{ending: .war, files: ['644'], directories: ['755']}").unwrap());
        let long = read("{ending: .war, tracker: META-INF/x, files: ['0640', '0644']}").unwrap();
        assert_eq!(long.tracker.as_deref(), Some("META-INF/x"));
        for unpacking in [short, long] {
            let json = serde_json::to_string(&unpacking).unwrap();
            assert_eq!(serde_json::from_str::<super::Unpacking>(&json).unwrap(), unpacking);
        }
    }

    #[test]
    fn an_unpacking_that_leads_out_or_ends_in_nothing_is_refused() {
        for wrong in ["war", "./war", "{ending: .war, tracker: ../x}", "{ending: .war, left: x}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
