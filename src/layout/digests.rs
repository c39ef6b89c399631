//! [`Digests`]: what packages' scripts write, told by digest and by the release it was seen in.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::scalar::{Digest, Word};

/// The digests of one file's texts, under the releases in which each was seen.
///
/// The release says where the fact comes from. It is not asked for: a system that went through
/// several releases keeps what an earlier one wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests(Vec<(Word, Vec<Digest>)>);

impl Digests {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `digest`, in lower-case hexadecimal digits, is one of them.
    pub fn contains(&self, digest: &str) -> bool {
        self.0.iter().flat_map(|(_, digests)| digests).any(|known| known.as_str() == digest)
    }
}

/// One digest, or a list of several.
struct OfRelease(Vec<Digest>);

impl Serialize for OfRelease {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OfRelease {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = OfRelease;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a SHA-256 or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OfRelease, E> {
                text.parse().map(|digest| OfRelease(vec![digest])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OfRelease, A::Error> {
                let mut digests = Vec::new();
                while let Some(digest) = list.next_element()? {
                    digests.push(digest);
                }
                if digests.is_empty() {
                    return Err(de::Error::custom("a release needs a digest"));
                }
                Ok(OfRelease(digests))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl Serialize for Digests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (release, digests) in &self.0 {
            map.serialize_entry(release, &OfRelease(digests.clone()))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByRelease;
        impl<'de> Visitor<'de> for ByRelease {
            type Value = Digests;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("digests by release, such as `bookworm: …`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Digests, A::Error> {
                let mut releases: Vec<(Word, Vec<Digest>)> = Vec::new();
                while let Some((release, OfRelease(digests))) = map.next_entry::<Word, _>()? {
                    if releases.iter().any(|(known, _)| *known == release) {
                        return Err(de::Error::custom(format!("duplicate field `{release}`")));
                    }
                    releases.push((release, digests));
                }
                Ok(Digests(releases))
            }
        }
        deserializer.deserialize_map(ByRelease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stand_under_their_release_and_any_of_them_counts() {
        let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(64));
        let text = format!(r#"{{"buster":"{a}","bookworm":["{b}","{c}"]}}"#);
        let digests: Digests = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&digests).unwrap(), text);
        assert!([a, b, c].iter().all(|digest| digests.contains(digest)));
        assert!(!digests.contains(&"d".repeat(64)));
        assert!(!digests.is_empty());
    }

    #[test]
    fn a_digest_without_a_release_or_a_release_without_a_digest_is_refused() {
        let a = "a".repeat(64);
        let wrong = [
            (format!(r#"["{a}"]"#), "expected digests by release"),
            (r#"{"buster":[]}"#.to_owned(), "a release needs a digest"),
            (r#"{"buster":"aa"}"#.to_owned(), "is not a SHA-256"),
            (format!(r#"{{"buster":"{a}","buster":"{a}"}}"#), "duplicate field `buster`"),
            (format!(r#"{{"Debian 10":"{a}"}}"#), "is not a name"),
        ];
        for (text, why) in wrong {
            let told = serde_json::from_str::<Digests>(&text).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
