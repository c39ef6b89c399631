//! [`Reason`]: why a path has its class, as a code with arguments.
//!
//! One table makes all of it: the variant, its code and arguments as they stand in a bundle, and
//! the sentence for people. A code, once written into bundles, keeps its meaning; the sentence may
//! get better words at any time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Worth;
use crate::tree::RootPath;

/// The arguments of a reason, by name.
type Arguments = BTreeMap<String, String>;

/// What a reason can be about.
trait Argument: Sized {
    /// Its name and text in a bundle.
    fn spelled(&self, name: &'static str) -> (Cow<'static, str>, Cow<'_, str>);

    /// The one called `name` of `arguments`.
    fn found(name: &'static str, arguments: &Arguments) -> Option<Self>;
}

/// A name or words.
impl Argument for String {
    fn spelled(&self, name: &'static str) -> (Cow<'static, str>, Cow<'_, str>) {
        (name.into(), self.into())
    }

    fn found(name: &'static str, arguments: &Arguments) -> Option<String> {
        arguments.get(name).cloned()
    }
}

/// A word of a fixed list, which a later version may make longer.
impl Argument for Cow<'static, str> {
    fn spelled(&self, name: &'static str) -> (Cow<'static, str>, Cow<'_, str>) {
        (name.into(), Cow::Borrowed(self))
    }

    fn found(name: &'static str, arguments: &Arguments) -> Option<Cow<'static, str>> {
        arguments.get(name).cloned().map(Cow::Owned)
    }
}

/// A word of the rule language; with one that a later version has, the whole reason is unknown.
impl Argument for Worth {
    fn spelled(&self, name: &'static str) -> (Cow<'static, str>, Cow<'_, str>) {
        (name.into(), self.word().into())
    }

    fn found(name: &'static str, arguments: &Arguments) -> Option<Worth> {
        let text = StrDeserializer::<serde::de::value::Error>::new(arguments.get(name)?);
        Worth::deserialize(text).ok()
    }
}

/// A path; one that is not UTF-8 stands in hexadecimal under its name with `_hex`.
impl Argument for RootPath {
    fn spelled(&self, name: &'static str) -> (Cow<'static, str>, Cow<'_, str>) {
        match std::str::from_utf8(self.as_bytes()) {
            Ok(text) => (name.into(), text.into()),
            Err(_) => (format!("{name}_hex").into(), hex::encode(self.as_bytes()).into()),
        }
    }

    fn found(name: &'static str, arguments: &Arguments) -> Option<RootPath> {
        let bytes = match arguments.get(name) {
            Some(text) => text.as_bytes().to_vec(),
            None => hex::decode(arguments.get(&format!("{name}_hex"))?).ok()?,
        };
        RootPath::parse(&bytes).ok().filter(|path| path.as_bytes() == bytes)
    }
}

/// Makes [`Reason`] of lines `Variant { argument: Type } = "code", "sentence";`.
macro_rules! reasons {
    ($(
        $(#[$about:meta])*
        $name:ident $({ $($(#[$meaning:meta])* $argument:ident: $kind:ty),+ $(,)? })?
            = $code:literal, $sentence:literal;
    )+) => {
        /// Why a path has its class.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$about])* $name $({ $($(#[$meaning])* $argument: $kind),+ })?,)+
            /// What a later version wrote into a bundle, as it stands there.
            Unknown {
                /// Its code.
                code: String,
                /// Its arguments.
                arguments: Arguments,
            },
        }

        impl Reason {
            /// Its code, as it stands in a bundle.
            pub fn code(&self) -> &str {
                match self {
                    $(Reason::$name { .. } => $code,)+
                    Reason::Unknown { code, .. } => code,
                }
            }

            /// The names and texts of its arguments, as they stand in a bundle.
            pub fn arguments(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
                match self {
                    $(Reason::$name $({ $($argument),+ })? => {
                        vec![$($($argument.spelled(stringify!($argument))),+)?]
                    })+
                    Reason::Unknown { arguments, .. } => {
                        let texts = arguments.iter();
                        texts.map(|(name, text)| (name.into(), text.into())).collect()
                    }
                }
            }

            /// The reason that `code` stands for, when it has these arguments and no others.
            fn known(code: &str, arguments: &Arguments) -> Option<Reason> {
                let (reason, expected): (Reason, &[&str]) = match code {
                    $($code => (
                        Reason::$name $({
                            $($argument: Argument::found(stringify!($argument), arguments)?),+
                        })?,
                        &[$($(stringify!($argument)),+)?],
                    ),)+
                    _ => return None,
                };
                (expected.len() == arguments.len()).then_some(reason)
            }

            /// Each code with its sentence, in which an argument's name stands in braces.
            #[cfg(test)]
            const TABLE: &[(&str, &str)] = &[$(($code, $sentence)),+];
        }

        impl fmt::Display for Reason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Reason::$name $({ $($argument),+ })? => write!(f, $sentence),)+
                    Reason::Unknown { code, arguments } => {
                        f.write_str(code)?;
                        arguments.iter().try_for_each(|(name, text)| write!(f, ", {name} {text}"))
                    }
                }
            }
        }
    };
}

reasons! {
    /// The user's `--include`.
    Included {
        /// The glob that matched.
        glob: String,
    } = "included", "included by `{glob}`";
    /// The user's `--exclude`.
    Excluded {
        /// The glob that matched.
        glob: String,
    } = "excluded", "excluded by `{glob}`";
    /// Sockets hold nothing.
    Socket = "socket", "a socket has no content";
    /// A place that only a running system fills.
    Runtime = "runtime", "only a running system writes there";
    /// The engine writes it into every container.
    EngineManaged = "engine-managed", "the engine writes it into every container";
    /// Merged by name at the restore.
    Accounts = "accounts", "accounts: merged by name";
    /// Everything in a volume is kept.
    Volume = "volume", "in a volume";
    /// Like a volume: on the user's request.
    Bind = "bind", "in a bind mount";
    /// A rule, with its application and its own words.
    Rule {
        /// The rule's application.
        app: String,
        /// What the rule calls the path.
        worth: Worth,
        /// The rule's reason.
        why: String,
    } = "rule", "{worth} of {app}: {why}";
    /// Of a package that cannot be had again, or a link to what it brings.
    NotOffered {
        /// The package.
        package: String,
    } = "not-offered", "nothing shows that package {package} can be had again";
    /// A package's file with other content.
    PackageFileChanged {
        /// The package.
        package: String,
    } = "package-file-changed", "differs from package {package}";
    /// A configuration file that somebody edited.
    ConffileEdited {
        /// The package.
        package: String,
    } = "conffile-edited", "configuration of package {package}, edited";
    /// A package's path with another owner, mode or attributes.
    PackageMetaChanged {
        /// The package.
        package: String,
    } = "package-meta-changed", "owner, mode or attributes differ from package {package}";
    /// A package's path with an owner, mode or attributes of its own, which nothing recorded.
    PackageMetaUnrecorded {
        /// The package.
        package: String,
    } = "package-meta-unrecorded",
        "of package {package}, with an owner, mode or attributes on no record";
    /// What every system has, and the image with another owner, mode or attributes.
    MetaChanged = "meta-changed", "owner, mode or attributes differ from the image";
    /// As the package ships it.
    AsPackaged {
        /// The package.
        package: String,
    } = "as-packaged", "as package {package} ships it";
    /// Recorded by no digest, but by origin and time as the package left it.
    AsInstalled {
        /// The package.
        package: String,
    } = "as-installed", "as package {package} left it";
    /// No digest recorded, and changed since the baseline.
    PackageFileNewer {
        /// The package.
        package: String,
    } = "package-file-newer", "of package {package}, without a digest, changed since the baseline";
    /// A file managed by ucf, unchanged.
    UcfPristine = "ucf-pristine", "as its package generated it";
    /// A file managed by ucf that somebody edited.
    UcfEdited = "ucf-edited", "generated by its package, then edited";
    /// A file managed by ucf that its package made of answers, edited or not.
    UcfAnswered = "ucf-answered", "generated by its package from the answers to its questions";
    /// A file managed by ucf, which recorded no digest.
    UcfWritten {
        /// The package whose scripts wrote it.
        package: String,
    } = "ucf-written", "written by scripts of package {package}";
    /// A copy of a package's file.
    TemplateCopy {
        /// The package's file.
        template: RootPath,
    } = "template-copy", "copy of the package's {template}";
    /// A copy of a text that a package's scripts write.
    ScriptCopy = "script-copy", "copy of what a package's scripts write";
    /// Chosen by the alternatives system.
    AlternativeAuto = "alternative-auto", "link chosen by the alternatives system";
    /// Chosen by hand in the alternatives system.
    AlternativeManual = "alternative-manual", "alternative chosen by hand";
    /// Somebody's own file in the system says what it is.
    Declared {
        /// What the file calls the path.
        nature: Cow<'static, str>,
        /// The words that say it, such as `CacheDirectory=`.
        by: Cow<'static, str>,
        /// The file they stand in.
        file: RootPath,
    } = "declared", "{nature}, by {by} in {file}";
    /// A package's file says what it is.
    DeclaredByPackage {
        /// What the file calls the path.
        nature: Cow<'static, str>,
        /// The words that say it, such as `CacheDirectory=`.
        by: Cow<'static, str>,
        /// The file they stand in.
        file: RootPath,
        /// The package that the file came with.
        package: String,
    } = "declared-by-package", "{nature}, by {by} in {file} of package {package}";
    /// A package removes it with its last traces, and not before: it is the package's state.
    RemovedByPurge {
        /// The package.
        package: String,
    } = "removed-by-purge", "state of package {package}, removed only when it is purged";
    /// It switches a service, as a package's script left it.
    SwitchedByPackage = "switched-by-package", "a package's script switched the service";
    /// It switches a service on, as the system's preset does.
    SwitchedByPreset = "switched-by-preset", "switched on by the system's preset";
    /// It switches a service, as the header of the service's script asks for.
    SwitchedByHeader = "switched-by-header", "runlevels as the service's script asks for";
    /// It switches a service, and a person did that.
    SwitchedByHand = "switched-by-hand", "the service was switched by hand";
    /// A package lists it as made later, by its scripts or programs.
    Ghost {
        /// The package.
        package: String,
    } = "ghost", "made by package {package}, which does not bring it";
    /// The directory of an environment of a language's package manager.
    EnvironmentRoot = "environment-root", "the directory of an environment that is rebuilt";
    /// Made whenever such an environment is made.
    EnvironmentMade {
        /// The directory of the environment.
        root: RootPath,
    } = "environment-made", "made with the environment {root}, which is rebuilt";
    /// As a package of the environment brought it.
    EnvironmentInstalled {
        /// The directory of the environment.
        root: RootPath,
        /// Name and version of the package.
        package: String,
    } = "environment-installed",
        "as {package} was installed in {root}, which is rebuilt from its list";
    /// Brought by a package of the environment, and not as it was brought.
    EnvironmentChanged {
        /// The directory of the environment.
        root: RootPath,
        /// Name and version of the package.
        package: String,
    } = "environment-changed", "differs from {package} as it was installed in {root}";
    /// Made whenever such an environment is made, and not as it was made.
    EnvironmentEdited {
        /// The directory of the environment.
        root: RootPath,
    } = "environment-edited", "made with the environment {root}, and edited";
    /// Of a package that comes from no index that is known.
    EnvironmentNoIndex {
        /// The directory of the environment.
        root: RootPath,
        /// Name and version of the package.
        package: String,
        /// Where it comes from.
        why: String,
    } = "environment-no-index", "of {package} in {root}: {why}";
    /// Among the files of a package of the environment, and not of it.
    EnvironmentAmong {
        /// The directory of the environment.
        root: RootPath,
        /// Name and version of the package.
        package: String,
    } = "environment-among", "in {root} among the files of {package}, and not of it";
    /// In an environment, and of none of its packages.
    EnvironmentOwn {
        /// The directory of the environment.
        root: RootPath,
    } = "environment-own", "in the environment {root}, and of none of its packages";
    /// In an environment of which nothing is left out.
    EnvironmentWhole {
        /// The directory of the environment.
        root: RootPath,
        /// Why not.
        why: String,
    } = "environment-whole", "in the environment {root}, kept whole: {why}";
    /// Compiled from the source beside it.
    Compiled = "compiled", "compiled from the source beside it";
    /// Equal in the image that can be had again.
    InBase = "in-base", "the base image holds the same";
    /// Somebody removed what was there.
    Removed = "removed", "removed by hand";
    /// Nothing explains it.
    Unexplained = "unexplained", "nothing explains it";
    /// In the words of a bundle of format 1, which knew no codes.
    Text {
        /// The words.
        text: String,
    } = "text", "{text}";
}

impl Reason {
    /// The reason that stands in a bundle as `code` with `arguments`.
    fn of(code: String, arguments: Arguments) -> Reason {
        // A code or an argument of a later version is kept as it stands.
        Reason::known(&code, &arguments).unwrap_or(Reason::Unknown { code, arguments })
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code())?;
        for (name, text) in self.arguments() {
            map.serialize_entry(&name, &text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
        deserializer.deserialize_any(TextOrCode)
    }
}

/// A reason as it stands in a bundle: with a code, or of format 1 as a text.
struct TextOrCode;

impl<'de> Visitor<'de> for TextOrCode {
    type Value = Reason;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reason: an object with a `code` and texts, or a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Reason, E> {
        Ok(Reason::Text { text: text.to_owned() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reason, A::Error> {
        let mut arguments = Arguments::new();
        while let Some((name, text)) = map.next_entry::<String, String>()? {
            if let Some(_twice) = arguments.insert(name, text) {
                return Err(serde::de::Error::custom("a reason says one thing twice"));
            }
        }
        let code = arguments.remove("code");
        code.map(|code| Reason::of(code, arguments))
            .ok_or_else(|| serde::de::Error::missing_field("code"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{from_value, json, to_value};

    use super::*;

    /// A value for each name that an argument has.
    fn argument(name: &str) -> &'static str {
        match name {
            "template" | "file" | "root" => "/a path",
            "worth" => "version-bound",
            _ => "a word",
        }
    }

    /// Every reason there is, made of the arguments that its sentence names.
    fn all() -> Vec<Reason> {
        let reason = |(code, sentence): &(&str, &str)| {
            let names = sentence.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            let arguments = names.map(|name| (name.to_owned(), argument(name).to_owned()));
            Reason::of((*code).to_owned(), arguments.collect())
        };
        Reason::TABLE.iter().map(reason).collect()
    }

    #[test]
    fn each_code_is_one_reason_and_its_arguments_are_what_its_sentence_names() {
        let codes: BTreeSet<&str> = Reason::TABLE.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), Reason::TABLE.len());
        for (reason, (code, sentence)) in all().iter().zip(Reason::TABLE) {
            assert!(!matches!(reason, Reason::Unknown { .. }), "{code}: {reason:?}");
            assert_eq!(reason.code(), *code);
            let told = reason
                .arguments()
                .into_iter()
                .fold((*sentence).to_owned(), |text, (n, t)| text.replace(&format!("{{{n}}}"), &t));
            assert_eq!(reason.to_string(), told);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for reason in all() {
            let written = to_value(&reason).unwrap();
            assert_eq!(from_value::<Reason>(written).unwrap(), reason);
        }
        let root = RootPath::parse(b"/srv/\xff").unwrap();
        let reason = Reason::EnvironmentMade { root };
        let written = json!({"code": "environment-made", "root_hex": "2f7372762fff"});
        assert_eq!(to_value(&reason).unwrap(), written);
        assert_eq!(from_value::<Reason>(written).unwrap(), reason);
        let packaged = Reason::AsPackaged { package: "app".to_owned() };
        assert_eq!(to_value(packaged).unwrap(), json!({"code": "as-packaged", "package": "app"}));
    }

    #[test]
    fn what_a_rule_calls_a_path_is_its_word_in_a_bundle() {
        let reason = Reason::Rule { app: "x".into(), worth: Worth::VersionBound, why: "w".into() };
        let written = json!({"code": "rule", "app": "x", "worth": "version-bound", "why": "w"});
        assert_eq!(to_value(&reason).unwrap(), written);
        assert_eq!(from_value::<Reason>(written).unwrap(), reason);
        assert_eq!(reason.to_string(), "version-bound of x: w");
    }

    #[test]
    fn a_text_of_format_1_stays_as_it_is() {
        let read: Reason = from_value(json!("as package app ships it")).unwrap();
        assert_eq!(read.to_string(), "as package app ships it");
        assert_eq!(read.code(), "text");
        let written = to_value(&read).unwrap();
        assert_eq!(written, json!({"code": "text", "text": "as package app ships it"}));
        assert_eq!(from_value::<Reason>(written).unwrap(), read);
    }

    #[test]
    fn what_a_later_version_says_is_kept_and_shown() {
        for written in [
            json!({"code": "from-the-future", "planet": "Mars"}),
            json!({"code": "as-packaged", "package": "app", "planet": "Mars"}),
            json!({"code": "as-packaged"}),
            json!({"code": "rule", "app": "x", "worth": "gold", "why": "w"}),
            json!({"code": "environment-made", "root": "not/absolute"}),
        ] {
            let read: Reason = from_value(written.clone()).unwrap();
            assert!(matches!(read, Reason::Unknown { .. }), "{read:?}");
            assert_eq!(to_value(&read).unwrap(), written);
        }
        let read: Reason = from_value(json!({"code": "far", "a": "b", "c": "d"})).unwrap();
        assert_eq!(read.to_string(), "far, a b, c d");
        for wrong in [json!({}), json!({"code": 1}), json!({"a": "b"}), json!(7), json!(null)] {
            assert!(from_value::<Reason>(wrong).is_err());
        }
        let twice = r#"{"code":"bind","code":"volume"}"#;
        assert!(serde_json::from_str::<Reason>(twice).is_err());
    }

    #[test]
    fn the_format_lists_every_code() {
        let format = include_str!("../../docs/FORMAT.md");
        for (code, sentence) in Reason::TABLE {
            let row = format!("| `{code}` | {sentence} |");
            assert!(format.contains(&row), "docs/FORMAT.md lacks: {row}");
        }
    }
}
