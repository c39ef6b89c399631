//! [`Setting`]: what configuration files need when their application becomes a newer one, and
//! [`Mentions`]: where the paths and names of an application stand in files that are not its own.
//!
//! Data only; what it does to a file is in `edit`, to a tree in `adapt`. A key that has a `since`
//! counts when the way from the old version to the new one crosses it: it was older, it is not any
//! more. Without, it counts on every way to a newer version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::{Fault, fault, listed, unknown};
use super::pattern::Template;
use super::scalar::{PathPattern, Words};
use super::version::Version;

/// What the configuration files of one form need in a newer version.
///
/// Done in the order of `since`, what has none first; within one version in the order of the keys
/// below, so that a question is asked before its answer is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    /// Which regular files; with the syntax `text` also symbolic links, for where they lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathPattern>,
    /// Programs that take the same as options on their command lines, as a container runs them: by
    /// name, without a directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// How they are to be read.
    pub syntax: Syntax,
    /// Changes nothing: asks a person where a key is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<Ask>,
    /// Whole words and paths that are called otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<Replace>,
    /// Items that leave a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop_item: Vec<DropItem>,
    /// New values for old ones; others stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub map_value: Vec<MapValue>,
    /// Keys that are called otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<RenameKey>,
    /// Keys that are not known any more: their lines become comments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Gone>,
    /// Gives a key a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SetKey>,
    /// Gives a key a value unless it has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_if_unset: Vec<SetKey>,
}

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// `[section]` and `key = value`, comments with `#` or `;`: smb.conf, php.ini. Case and
    /// blanks in a key do not matter.
    Ini,
    /// `Key value`, comments with `#`, the first one counts: sshd_config. Case does not matter.
    Keyword,
    /// `key value;`, comments with `#`: nginx, bind.
    Directive,
    /// `key = value`, comments with `#`, the last one counts: postgresql.conf.
    Assign,
    /// Any text; only `replace` can be used.
    Text,
}

/// A question about keys that are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The keys.
    pub keys: Vec<String>,
    /// Only where one of these is the value; case does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The question, for people.
    pub why: String,
    /// The first version in which it has to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// A text that is put for another wherever that stands as a whole word or path: `/var/lib/ntp` is
/// no part of `/var/lib/ntpsec`, nor of `/srv/var/lib/ntp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// What to look for, literally.
    pub text: Template,
    /// What to put there.
    pub with: Template,
    /// Also where it goes on with one of these and ends there, as `.sock` in `php7.4-fpm.sock`; the
    /// ending stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<String>,
    /// The first version in which it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// Items that leave lists, which commas or blanks divide. A list of which nothing is left becomes a
/// comment with the reason; a sign before the first item (`+`, `-`, `^`) belongs to the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropItem {
    /// The keys whose values are lists.
    pub keys: Vec<String>,
    /// What leaves them; case does not matter.
    pub items: Vec<String>,
    /// The reason, for people.
    pub why: String,
    /// The first version in which it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// New values for old ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MapValue {
    /// The keys.
    pub keys: Vec<String>,
    /// New value by old value; case does not matter in the old one.
    pub values: Words,
    /// The first version in which it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// A key with another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameKey {
    /// The old name.
    pub key: String,
    /// The new name.
    pub to: String,
    /// The first version in which it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// Keys that are not known any more. Their lines become comments, below the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The keys.
    pub keys: Vec<String>,
    /// Only where one of these is the value; case does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The reason, written into the file.
    pub why: String,
    /// The first version that does not know them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// A value for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetKey {
    /// The key.
    pub key: String,
    /// The value as it is written.
    pub value: Template,
    /// The section, with the syntax `ini`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Only where one of these keys is set too. Without, nothing is added to a command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// The first version that needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// Where applications are spoken of that own none of these places. What a rule says `everywhere`
/// is done in all of them, and in its application's own configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mentions {
    /// Files of any text, and symbolic links for where they lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathPattern>,
    /// Executable files, of which only the first line counts, and that when it begins with `#!`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<PathPattern>,
    /// Settings of the container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container: Vec<ContainerText>,
}

/// A setting of a container that is text or a list of texts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerText {
    /// What it runs.
    Command,
    /// What runs its command.
    Entrypoint,
    /// Its variables.
    Environment,
    /// Where it starts.
    WorkingDirectory,
    /// How its health is asked for.
    HealthCheck,
}

/// One operation of a [`Setting`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Op<'a> {
    Ask(&'a Ask),
    Replace(&'a Replace),
    DropItem(&'a DropItem),
    MapValue(&'a MapValue),
    Rename(&'a RenameKey),
    Gone(&'a Gone),
    Set(&'a SetKey),
    SetIfUnset(&'a SetKey),
}

impl Op<'_> {
    /// The version from which on it counts; `None`: in every newer one.
    pub(super) fn since(&self) -> Option<&Version> {
        match self {
            Op::Ask(op) => op.since.as_ref(),
            Op::Replace(op) => op.since.as_ref(),
            Op::DropItem(op) => op.since.as_ref(),
            Op::MapValue(op) => op.since.as_ref(),
            Op::Rename(op) => op.since.as_ref(),
            Op::Gone(op) => op.since.as_ref(),
            Op::Set(op) | Op::SetIfUnset(op) => op.since.as_ref(),
        }
    }

    /// What is wrong with it in a file of this syntax; variables in it are those in `given`.
    pub(super) fn fault(&self, syntax: Syntax, given: &[&str]) -> Option<Fault> {
        match self {
            Op::Ask(op) => listed("keys", &op.keys),
            Op::Gone(op) => listed("keys", &op.keys),
            Op::MapValue(op) => listed("keys", &op.keys),
            Op::DropItem(op) => listed("keys", &op.keys).or_else(|| listed("items", &op.items)),
            Op::Rename(_) => None,
            Op::Replace(op) => op.fault(given),
            Op::Set(op) | Op::SetIfUnset(op) => match &op.section {
                Some(section) if syntax != Syntax::Ini => {
                    Some(fault(section, format!("the section `{section}` needs the syntax `ini`")))
                }
                _ => unknown(op.value.as_str(), &op.value.names(), given),
            },
        }
    }

    /// What it does, key by key: the key or text, and all of it in words.
    pub(super) fn said(&self) -> Vec<(String, String)> {
        let of_keys = |keys: &[String], rest: String| {
            keys.iter().map(|key| (key.clone(), format!("{key}: {rest}"))).collect()
        };
        match self {
            Op::Ask(op) => of_keys(&op.keys, format!("ask {:?} {:?}", op.values, op.since)),
            Op::Gone(op) => of_keys(&op.keys, format!("gone {:?} {:?}", op.values, op.since)),
            Op::MapValue(op) => of_keys(&op.keys, format!("map {:?} {:?}", op.values, op.since)),
            Op::DropItem(op) => of_keys(&op.keys, format!("drop {:?} {:?}", op.items, op.since)),
            Op::Rename(op) => vec![(op.key.clone(), format!("{op:?}"))],
            Op::Replace(op) => vec![(op.text.as_str().to_owned(), format!("{op:?}"))],
            Op::Set(op) | Op::SetIfUnset(op) => vec![(op.key.clone(), format!("{op:?}"))],
        }
    }
}

impl Replace {
    /// What is wrong with it; variables in it are those in `given`.
    pub(super) fn fault(&self, given: &[&str]) -> Option<Fault> {
        if self.text.as_str().is_empty() {
            return Some(fault("text:", "an empty text cannot be replaced"));
        }
        if self.endings.iter().any(String::is_empty) {
            return Some(fault(self.text.as_str(), "an ending is not empty"));
        }
        [&self.text, &self.with].into_iter().find_map(|t| unknown(t.as_str(), &t.names(), given))
    }
}

impl Setting {
    /// All operations, in the order in which they are done.
    pub(super) fn ops(&self) -> Vec<Op<'_>> {
        let mut ops: Vec<Op> = self.ask.iter().map(Op::Ask).collect();
        ops.extend(self.replace.iter().map(Op::Replace));
        ops.extend(self.drop_item.iter().map(Op::DropItem));
        ops.extend(self.map_value.iter().map(Op::MapValue));
        ops.extend(self.rename.iter().map(Op::Rename));
        ops.extend(self.gone.iter().map(Op::Gone));
        ops.extend(self.set.iter().map(Op::Set));
        ops.extend(self.set_if_unset.iter().map(Op::SetIfUnset));
        ops.sort_by(|a, b| a.since().cmp(&b.since()));
        ops
    }
}

impl Mentions {
    /// The places that any of `all` names.
    pub fn joined<'a>(all: impl Iterator<Item = &'a Mentions>) -> Mentions {
        let mut joined = Mentions::default();
        for mentions in all {
            joined.extend(mentions.clone());
        }
        joined
    }

    /// Adds the places of `more`.
    pub fn extend(&mut self, more: Mentions) {
        self.files.extend(more.files);
        self.scripts.extend(more.scripts);
        self.container.extend(more.container);
    }
}
