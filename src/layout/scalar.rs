//! The scalars of the rule language: each parses itself where it stands, so that an error has the
//! line and column of the value.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::pattern::{Pattern, PatternError, Template, Vars};
use super::version::{Range, Version};
use crate::tree::{PathError, RootPath};

/// Why a scalar of a rule is not what its place needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// Paths begin at the root.
    #[error("`{0}` is not absolute")]
    Relative(String),
    /// `.`, `..`, a double or a trailing slash.
    #[error("`{0}` is not written plainly: no `.`, `..`, `//` or `/` at the end")]
    Crooked(String),
    /// The root, or all that is in it.
    #[error("`{0}` would match everything")]
    Everything(String),
    /// A wildcard where one path is meant.
    #[error("`{0}` has a wildcard where one path is meant")]
    Wild(String),
    /// A brace that is not a variable.
    #[error("`{0}` has a brace that is not a variable such as `{{version}}`")]
    Brace(String),
    /// A pattern that does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A name with other characters.
    #[error("`{0}` is not a name; expected lower-case letters, digits and `-`")]
    Word(String),
    /// Not a SHA-256.
    #[error("`{0}` is not a SHA-256; expected 64 lower-case hexadecimal digits")]
    Digest(String),
    /// Not the name of a script.
    #[error(
        "`{0}` is not a script beside the rule; expected a relative path of letters, digits, `.`, \
         `_` and `-` that ends in `.sh`"
    )]
    Script(String),
    /// Not an octal mode.
    #[error("`{0}` is not a mode; expected octal digits such as 0640")]
    Mode(String),
}

/// Reads any scalar that parses itself.
struct Parsed<T>(PhantomData<T>);

impl<T> Visitor<'_> for Parsed<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Serialises by `Display`, deserialises by `FromStr`, inside the visitor so that the position
/// of the scalar is known to the error.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed(PhantomData))
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_text!(Template, Word, Mode, Digest, PathPattern, PathTemplate, ScriptName);

/// Reads versions: as text, or as a whole number, which every program reads alike.
struct Numbered<T>(PhantomData<T>);

impl<T> Visitor<'_> for Numbered<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a version")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(format!(
            "the version {number} needs quotes: without them it is a number, in which 1.10 is 1.1"
        )))
    }
}

/// As [`as_text`], for what consists of versions.
macro_rules! as_version {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Numbered(PhantomData))
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_version!(Version, Range);

/// The name of an application or a distribution: lower-case letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(String);

impl Word {
    /// A name that is written in the program.
    pub(super) fn from_static(text: &'static str) -> Word {
        Word(text.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Word {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<Word, ScalarError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
            Ok(Word(text.to_owned()))
        } else {
            Err(ScalarError::Word(text.to_owned()))
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SHA-256, 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest(String);

impl Digest {
    /// The digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<Digest, ScalarError> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(Digest(text.to_owned()))
        } else {
            Err(ScalarError::Digest(text.to_owned()))
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a script lies beside its rule file: a relative path such as `example/export.sh`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptName(String);

impl ScriptName {
    /// The path as it stands in the rule.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScriptName {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<ScriptName, ScalarError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // No component begins with a point, so none is `.` or `..`.
        let component =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
        if text.ends_with(".sh") && text.split('/').all(component) {
            Ok(ScriptName(text.to_owned()))
        } else {
            Err(ScalarError::Script(text.to_owned()))
        }
    }
}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Permission bits with set-id and sticky, `0..=0o7777`, written in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl FromStr for Mode {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<Mode, ScalarError> {
        let wrong = || ScalarError::Mode(text.to_owned());
        if !(3..=5).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let mode = u32::from_str_radix(text, 8).map_err(|_| wrong())?;
        if mode > 0o7777 { Err(wrong()) } else { Ok(Mode(mode)) }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A pattern of absolute paths, `{name}` a variable or a capture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathPattern(Template);

impl PathPattern {
    /// The text as it stands in the rule.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The variables and captures in it.
    pub fn names(&self) -> Vec<&str> {
        self.0.names()
    }

    /// Compiled, with the variables of `vars` put in literally.
    pub fn compile(&self, vars: &Vars) -> Result<Pattern, PatternError> {
        Pattern::compile(self.as_str(), vars)
    }
}

impl FromStr for PathPattern {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<PathPattern, ScalarError> {
        plain_path(text)?;
        // Something has to be said about the place, or about the name, wherever it is: `/*/x` says
        // neither.
        let (first, rest) = text[1..].split_once('/').unwrap_or((&text[1..], ""));
        let named = first == "**" && rest.contains(|c: char| c.is_alphanumeric());
        if first.starts_with(['*', '?', '[', '{']) && !named {
            return Err(ScalarError::Everything(text.to_owned()));
        }
        Pattern::compile(text, &Vars::default())?;
        Ok(PathPattern(Template::from(text)))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One absolute path, `{name}` a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathTemplate(Template);

impl PathTemplate {
    /// The text as it stands in the rule.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The variables in it.
    pub fn names(&self) -> Vec<&str> {
        self.0.names()
    }

    /// The path with all values put in.
    pub fn expand(&self, vars: &Vars) -> Result<RootPath, ExpandError> {
        Ok(RootPath::parse(&self.0.expand(vars)?)?)
    }
}

/// Why a template did not become a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A variable has no value.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The values make no path.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl FromStr for PathTemplate {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<PathTemplate, ScalarError> {
        plain_path(text)?;
        if text.contains(['*', '?', '[']) {
            return Err(ScalarError::Wild(text.to_owned()));
        }
        Ok(PathTemplate(Template::from(text)))
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Refuses a path that is not absolute, means everything, or hides where it leads.
fn plain_path(text: &str) -> Result<(), ScalarError> {
    let Some(inside) = text.strip_prefix('/') else {
        return Err(ScalarError::Relative(text.to_owned()));
    };
    if inside.is_empty() {
        return Err(ScalarError::Everything(text.to_owned()));
    }
    if inside.split('/').any(|c| matches!(c, "" | "." | "..")) || text.contains('\0') {
        return Err(ScalarError::Crooked(text.to_owned()));
    }
    let template = Template::from(text);
    let named: usize = template.names().iter().map(|n| n.len() + 2).sum();
    let braces = text.matches(['{', '}']).count();
    if braces != 2 * template.names().len() || named > text.len() {
        return Err(ScalarError::Brace(text.to_owned()));
    }
    Ok(())
}

/// A command: a program and its arguments, at least the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argv(Vec<Template>);

impl Argv {
    /// The words as they stand in the rule.
    pub fn words(&self) -> &[Template] {
        &self.0
    }

    /// The words with all values put in.
    pub fn expand(&self, vars: &Vars) -> Result<Vec<String>, PatternError> {
        self.0.iter().map(|word| word.expand_text(vars)).collect()
    }
}

impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(Template::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

impl Serialize for Argv {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<Template>::deserialize(deserializer)?;
        if words.first().is_none_or(|program| program.as_str().is_empty()) {
            return Err(de::Error::custom("a command needs at least its program"));
        }
        // A value inside a program's text would be read as program.
        for pair in words.windows(2) {
            let script = matches!(pair[0].as_str(), "-c" | "-e" | "-ec" | "-euc");
            if script && !pair[1].names().is_empty() {
                return Err(de::Error::custom(format!(
                    "`{{{}}}` stands inside a script; pass it as a further argument and use \"$1\"",
                    pair[1].names()[0]
                )));
            }
        }
        Ok(Argv(words))
    }
}

/// Pairs of words in the order they were written; a key stands once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<(String, String)>);

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("words by word")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if pairs.iter().any(|(other, _)| *other == key) {
                        return Err(de::Error::custom(format!("duplicate field `{key}`")));
                    }
                    pairs.push((key, value));
                }
                Ok(Words(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_absolute_plain_and_never_everything() {
        for good in ["/etc/ssh/sshd_*", "/etc/php/{old}/**", "/srv", "/**/.netrc", "/**/*.key"] {
            assert!(good.parse::<PathPattern>().is_ok(), "{good}");
        }
        let wrong = [
            ("etc", ScalarError::Relative("etc".into())),
            ("~/x", ScalarError::Relative("~/x".into())),
            ("", ScalarError::Relative(String::new())),
            ("/", ScalarError::Everything("/".into())),
            ("/**", ScalarError::Everything("/**".into())),
            ("/**/*", ScalarError::Everything("/**/*".into())),
            ("/*/x", ScalarError::Everything("/*/x".into())),
            ("/{x}", ScalarError::Everything("/{x}".into())),
            ("/a/../b", ScalarError::Crooked("/a/../b".into())),
            ("/a//b", ScalarError::Crooked("/a//b".into())),
            ("/a/", ScalarError::Crooked("/a/".into())),
            ("/a/{b,c}", ScalarError::Brace("/a/{b,c}".into())),
            ("/a/[b", ScalarError::Pattern(PatternError::Class("/a/[b".into()))),
        ];
        for (text, error) in wrong {
            assert_eq!(text.parse::<PathPattern>(), Err(error), "{text}");
        }
        assert_eq!("/a/*".parse::<PathTemplate>(), Err(ScalarError::Wild("/a/*".into())));
    }

    #[test]
    fn a_mode_is_octal_and_a_name_is_lower_case() {
        assert_eq!("0640".parse(), Ok(Mode(0o640)));
        assert_eq!("2770".parse::<Mode>().map(|m| m.to_string()), Ok("2770".into()));
        for wrong in ["", "64", "0o640", "10000", "0689", "u+x", "+640"] {
            assert_eq!(wrong.parse::<Mode>(), Err(ScalarError::Mode(wrong.into())));
        }
        for wrong in ["", "Samba", "a b", "-a", "ä"] {
            assert_eq!(wrong.parse::<Word>(), Err(ScalarError::Word(wrong.into())));
        }
    }

    #[test]
    fn a_script_lies_beside_its_rule_and_never_above_it() {
        for good in ["export.sh", "postgresql/export.sh", "a/b-1/c_d.e.sh"] {
            assert_eq!(good.parse::<ScriptName>().map(|name| name.to_string()), Ok(good.into()));
        }
        let wrong = [
            "",
            ".sh",
            "/a.sh",
            "../a.sh",
            "a/../b.sh",
            "a//b.sh",
            "./a.sh",
            "a",
            "a.py",
            "a b.sh",
            "a/.sh",
            "ä.sh",
        ];
        for text in wrong {
            assert_eq!(text.parse::<ScriptName>(), Err(ScalarError::Script(text.into())), "{text}");
        }
    }

    #[test]
    fn a_value_is_never_put_into_a_script() {
        let argv = |json: &str| serde_json::from_str::<Argv>(json);
        assert!(argv(r#"["sh","-c","echo \"$1\"","sh","{cluster}"]"#).is_ok());
        let error = argv(r#"["sh","-c","echo {cluster}"]"#).unwrap_err().to_string();
        assert!(error.contains("`{cluster}` stands inside a script"), "{error}");
        assert!(argv("[]").is_err());
        assert!(argv(r#"[""]"#).is_err());
    }

    #[test]
    fn an_expanded_path_cannot_climb() {
        let mut vars = Vars::default();
        vars.set("x", "..");
        let path: PathTemplate = "/a/{x}/b".parse().unwrap();
        assert_eq!(path.expand(&vars), Err(ExpandError::Path(PathError::DotDot)));
    }

    #[test]
    fn pairs_keep_their_order_and_a_key_stands_once() {
        let words: Words = serde_json::from_str(r#"{"b":"1","a":"2"}"#).unwrap();
        assert_eq!(words.0, [("b".into(), "1".into()), ("a".into(), "2".into())]);
        assert_eq!(serde_json::to_string(&words).unwrap(), r#"{"b":"1","a":"2"}"#);
        assert!(serde_json::from_str::<Words>(r#"{"b":"1","b":"2"}"#).is_err());
    }
}
