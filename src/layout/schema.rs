//! The rule language as a JSON Schema, made of the types that are the language and of their doc
//! comments: editors complete and check rules with it, and the tables of `rules/README.md` come
//! from it.
//!
//! It tells the form of a rule. What depends on other parts of it (a variable without a value, an
//! export that is not there) is told by `regrow rules lint` alone.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::Rule;
use super::digests::Digests;
use super::pattern::Template;
use super::scalar::{Argv, Mode, PathPattern, PathTemplate, ScriptName, Word, Words};
use super::version::{Range, Version};

impl Rule {
    /// The JSON Schema (draft 2020-12) of a rule file.
    pub fn schema() -> Schema {
        SchemaSettings::draft2020_12()
            .with_transform(AsWritten)
            .into_generator()
            .into_root_schema_for::<Rule>()
    }
}

/// What a YAML parser sees of a rule, and what a reader who is not in the code.
#[derive(Clone)]
struct AsWritten;

impl Transform for AsWritten {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(text) = schema.get("description").and_then(Value::as_str) {
            let text = prose(text);
            schema.insert("description".to_owned(), text.into());
        }
        // Where text is expected, a number or a truth value is read as it is written.
        let closed = ["const", "enum", "pattern"].iter().any(|key| schema.get(*key).is_some());
        if !closed {
            let wider = match schema.get("type") {
                Some(kind) if *kind == json!("string") => Some(json!(TEXT)),
                Some(kind) if *kind == json!(["string", "null"]) => {
                    Some(json!(["string", "number", "boolean", "null"]))
                }
                _ => None,
            };
            wider.map(|kind| schema.insert("type".to_owned(), kind));
        }
        transform_subschemas(self, schema);
    }
}

/// What a YAML parser may take a text for.
const TEXT: [&str; 3] = ["string", "number", "boolean"];

/// A doc comment without line breaks, and with the language's words where it links to the code's.
fn prose(doc: &str) -> String {
    let doc = doc.replace("\n\n", "\u{0}").replace('\n', " ").replace('\u{0}', "\n\n");
    let mut text = String::with_capacity(doc.len());
    let mut rest = doc.as_str();
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        let item = name.rsplit("::").next().unwrap_or(name);
        text.push_str(before);
        text.push('`');
        text.push_str(&kebab_case(item));
        text.push('`');
        rest = after;
    }
    text + rest
}

/// `TemplateCopy` as `template-copy`.
fn kebab_case(name: &str) -> String {
    let mut word = String::with_capacity(name.len() + 2);
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

/// Gives scalars of the language their schema.
macro_rules! scalars {
    ($($type:ident: $schema:tt)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

/// Numbers with dots between them, a generation in front.
macro_rules! version {
    () => {
        r"([0-9]+:)?[0-9]+(\.[0-9]+){0,7}"
    };
}

/// A comparison with a version.
macro_rules! comparison {
    () => {
        concat!(r"\s*(>=|<=|>|<|=)?\s*", version!(), r"\s*")
    };
}

scalars! {
    Word: {
        "description": "Lower-case letters, digits and `-`.",
        "type": "string",
        "pattern": "^[a-z][a-z0-9-]*$"
    }
    Mode: {
        "description": "Permission bits in octal, such as 0640.",
        "type": ["string", "integer"],
        "pattern": "^0?0?[0-7]{3,4}$"
    }
    Version: {
        "description": "Numbers with dots between them, in quotes; `1:` in front is a later generation.",
        "type": ["string", "integer"],
        "pattern": concat!("^", version!(), "$")
    }
    Range: {
        "description": "`*`, or comparisons joined by commas: `>=13, <15`.",
        "type": ["string", "integer"],
        "pattern": concat!(r"^\s*\*\s*$|^", comparison!(), "(,", comparison!(), ")*$")
    }
    Template: {
        "description": "Text in which `{name}` stands for a variable's value.",
        "type": TEXT
    }
    PathPattern: {
        "description": "An absolute path; `*`, `?` and `[a-z]` stay within one component, `**` \
                        crosses, `{name}` is a variable or captures.",
        "type": "string",
        "pattern": r"^(/([^./][^/]*|\.[^./][^/]*|\.\.[^/]+))+$",
        "not": {"pattern": r"^(/\*\*)?/[^/a-zA-Z0-9]*$"}
    }
    PathTemplate: {
        "description": "One absolute path, without wildcards; `{name}` is a variable.",
        "type": "string",
        "pattern": r"^(/([^./*?\[][^/*?\[]*|\.[^./*?\[][^/*?\[]*|\.\.[^/*?\[]+))+$"
    }
    Argv: {
        "description": "A program and its arguments, each a text of its own; no shell reads them.",
        "type": "array",
        "items": {"type": TEXT},
        "minItems": 1
    }
    ScriptName: {
        "description": "The path of a script below the directory of the rule.",
        "type": "string"
    }
    Digests: {
        "description": "Digests by the release in which they were seen.",
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "minItems": 1}
            ]
        }
    }
    Words: {
        "description": "Words by word.",
        "type": "object",
        "additionalProperties": {"type": TEXT}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_in_the_language_s_words() {
        assert_eq!(
            prose("With [`Worth::TemplateCopy`]: as\n[`LayoutEntry::glob`]."),
            "With `template-copy`: as `glob`."
        );
        assert_eq!(prose("One.\n\nTwo [`"), "One.\n\nTwo [`");
    }

    #[test]
    fn a_text_may_look_like_a_number() {
        let schema = Rule::schema();
        assert_eq!(
            schema.get("$schema"),
            Some(&json!("https://json-schema.org/draft/2020-12/schema"))
        );
        assert_eq!(schema.pointer("/properties/title/type"), Some(&json!(TEXT)));
    }
}
