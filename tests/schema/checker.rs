//! Checks a value against the part of JSON Schema that the schema of rules uses.

use regex::Regex;
use serde_json::{Map, Value};

/// A schema with its definitions.
pub(crate) struct Checker<'a> {
    root: &'a Value,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(root: &'a Value) -> Checker<'a> {
        Checker { root }
    }

    /// The first fault of `value`, with its place.
    pub(crate) fn fault(&self, value: &Value) -> Option<String> {
        self.in_schema(self.root, value).map(|fault| format!("at {fault}"))
    }

    fn in_schema(&self, schema: &Value, value: &Value) -> Option<String> {
        let Value::Object(keywords) = schema else { panic!("{schema} is no schema") };
        keywords.iter().find_map(|(keyword, wanted)| {
            if self.holds(keyword, wanted, value) {
                self.below(keywords, keyword, value)
            } else {
                Some(format!(": {value} against {keyword} {wanted}"))
            }
        })
    }

    /// Whether `value` itself is as one keyword wants it.
    fn holds(&self, keyword: &str, wanted: &Value, value: &Value) -> bool {
        let fits = |schema: &Value| self.in_schema(schema, value).is_none();
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
            "properties" | "additionalProperties" | "items" | "$ref" => true,
            "type" => match wanted {
                Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => value.as_object().is_none_or(|map| {
                let keys = wanted.as_array().unwrap();
                keys.iter().all(|key| map.contains_key(key.as_str().unwrap()))
            }),
            "oneOf" => wanted.as_array().unwrap().iter().filter(|s| fits(s)).count() == 1,
            "anyOf" => wanted.as_array().unwrap().iter().any(fits),
            "not" => !fits(wanted),
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "minItems" => {
                value.as_array().is_none_or(|list| list.len() as u64 >= wanted.as_u64().unwrap())
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
            other => panic!("{other} is not known here"),
        }
    }

    /// The first fault in what one keyword says of parts of `value`.
    fn below(&self, schema: &Map<String, Value>, keyword: &str, value: &Value) -> Option<String> {
        let wanted = &schema[keyword];
        let inside = |key: &str, schema: &Value, value: &Value| {
            self.in_schema(schema, value).map(|fault| format!("/{key}{fault}"))
        };
        match (keyword, value) {
            ("$ref", _) => {
                let target = self.root.pointer(&wanted.as_str().unwrap()[1..]).unwrap();
                self.in_schema(target, value)
            }
            ("properties", Value::Object(map)) => wanted
                .as_object()
                .unwrap()
                .iter()
                .find_map(|(key, schema)| inside(key, schema, map.get(key)?)),
            ("additionalProperties", Value::Object(map)) => map
                .iter()
                .filter(|(key, _)| schema.get("properties").is_none_or(|p| p.get(key).is_none()))
                .find_map(|(key, value)| match wanted {
                    Value::Bool(true) => None,
                    Value::Bool(false) => Some(format!("/{key}: this key is not known")),
                    schema => inside(key, schema, value),
                }),
            ("items", Value::Array(list)) => {
                list.iter().enumerate().find_map(|(at, item)| inside(&at.to_string(), wanted, item))
            }
            _ => None,
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}
