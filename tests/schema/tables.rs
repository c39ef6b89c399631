//! The tables of `rules/README.md`, made of the schema.
//!
//! `<!-- table NAME -->` and `<!-- end of table -->` stand around each, NAME being a type of the
//! language: a mapping becomes a table of keys, those of what it holds included; a choice of words
//! one of words, a choice of acts one of acts.

use serde_json::Value;

const BEGIN: &str = "<!-- table ";
const END: &str = "<!-- end of table -->";

/// `text` with all its tables made anew.
pub(crate) fn renewed(text: &str, schema: &Value) -> String {
    let mut new = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->\n").unwrap();
        let (_, after) = after.split_once(END).unwrap();
        let table = Tables { root: schema, told: Vec::new() }.table(name);
        new.push_str(&format!("{before}{BEGIN}{name} -->\n{table}{END}"));
        rest = after;
    }
    new + rest
}

struct Tables<'a> {
    root: &'a Value,
    /// Types whose keys are in the table, and below which key.
    told: Vec<(&'a str, String)>,
}

impl<'a> Tables<'a> {
    fn table(&mut self, name: &'a str) -> String {
        let schema = match name {
            "Rule" => self.root,
            _ => self.definition(name),
        };
        let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else {
            let rows = self.keys("", schema).concat();
            return format!("| key | meaning |\n|---|---|\n{rows}");
        };
        let words: Option<String> = choices.iter().map(|choice| self.word(choice)).collect();
        if let Some(words) = words {
            return format!("| word | meaning |\n|---|---|\n{words}");
        }
        let acts: String = choices.iter().map(|choice| self.act(choice)).collect();
        format!("| act | keys | meaning |\n|---|---|---|\n{acts}")
    }

    /// A row for each key of a mapping and, below it, for each key of what it holds.
    fn keys(&mut self, above: &str, schema: &'a Value) -> Vec<String> {
        let mut rows = Vec::new();
        for (key, held) in properties(schema) {
            let path = format!("{above}{key}");
            let shown = shown(schema, key, &path);
            let mut meaning = self.description(held).to_owned() + &self.words(held);
            let mut below = Vec::new();
            if let Some(name) = self.mapping(held) {
                match self.told.iter().find(|(told, _)| *told == name) {
                    Some((_, place)) => {
                        meaning.push_str(&format!(" Its keys are as in `{place}`."));
                    }
                    None => {
                        self.told.push((name, path.clone()));
                        below = self.keys(&format!("{path}."), self.definition(name));
                    }
                }
            }
            rows.push(format!("| {shown} | {} |\n", cell(&meaning)));
            rows.append(&mut below);
        }
        rows
    }

    /// A row for one word of a choice; `None` when it is an act.
    fn word(&self, choice: &'a Value) -> Option<String> {
        let word = choice.get("const")?.as_str()?;
        Some(format!("| `{word}` | {} |\n", cell(self.description(choice))))
    }

    /// A row for one act of a choice: a mapping of its name to its keys.
    fn act(&self, choice: &'a Value) -> String {
        let (name, held) = properties(choice)[0];
        let mapping = match self.mapping(held) {
            Some(name) => self.definition(name),
            None => held,
        };
        let keys: Vec<String> =
            properties(mapping).iter().map(|(key, _)| shown(mapping, key, key)).collect();
        let meaning = cell(self.description(choice));
        format!("| `{name}` | {} | {meaning} |\n", keys.join(", "))
    }

    fn definition(&self, name: &str) -> &'a Value {
        let definition = self.root.get("$defs").and_then(|all| all.get(name));
        definition.unwrap_or_else(|| panic!("the language has no {name}"))
    }

    /// The type of a mapping that `schema` holds, by itself, in a list, or perhaps.
    fn mapping(&self, schema: &'a Value) -> Option<&'a str> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next()?;
            return self.definition(name).get("properties").map(|_| name);
        }
        let inside = schema.get("items").into_iter();
        let inside =
            inside.chain(schema.get("anyOf").and_then(Value::as_array).into_iter().flatten());
        inside.filter_map(|schema| self.mapping(schema)).next()
    }

    /// Which words a key may hold, and which one it holds when nothing is said.
    fn words(&self, held: &'a Value) -> String {
        let name = held.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
        let choices = name.and_then(|name| self.definition(name).get("oneOf")?.as_array());
        let words: Vec<&str> =
            choices.into_iter().flatten().filter_map(|c| c.get("const")?.as_str()).collect();
        let mut text = String::new();
        if !words.is_empty() {
            text.push_str(&format!(" One of `{}`.", words.join("`, `")));
        }
        if let Some(default) = held.get("default").and_then(Value::as_str) {
            text.push_str(&format!(" When not said, `{default}`."));
        }
        text
    }

    fn description(&self, schema: &'a Value) -> &'a str {
        schema.get("description").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The keys of a mapping, those that have to be there first.
fn properties(schema: &Value) -> Vec<(&String, &Value)> {
    let all = schema.get("properties").and_then(Value::as_object);
    let mut all: Vec<_> = all.into_iter().flatten().collect();
    all.sort_by_key(|(key, _)| !is_required(schema, key));
    all
}

fn is_required(schema: &Value, key: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|keys| keys.iter().any(|other| other == key))
}

/// A key as the tables show it: bold when it has to be there.
fn shown(schema: &Value, key: &str, path: &str) -> String {
    if is_required(schema, key) { format!("**`{path}`**") } else { format!("`{path}`") }
}

/// Text that can stand in a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
