//! Options: what a program is told on its command line, in the words of its configuration files.
//!
//! A container of an image seldom has a configuration file of its own: what somebody decided stands
//! behind the program's name, or is all of the command where the image's entrypoint adds the name.
//! Each option is read as the line of a file that says the same, and edited as that.

use super::command::DatabaseOptions;
use super::edit::edit;
use super::model::Rule;
use super::pattern::{PatternError, Vars};
use super::setting::{Op, SetKey, Setting, Syntax};

/// What a container runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run<'a> {
    /// What is run, before `command`.
    pub entrypoint: &'a [String],
    /// What is run, or the arguments of the entrypoint.
    pub command: &'a [String],
    /// The command that its image has: of which program options are that stand alone.
    pub of_image: &'a [String],
}

/// What became of what a container runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Optioned {
    /// What is run, before `command`.
    pub entrypoint: Vec<String>,
    /// What is run, or the arguments of the entrypoint.
    pub command: Vec<String>,
    /// What was changed, in words.
    pub changes: Vec<String>,
    /// What a person has to decide, in words.
    pub doubts: Vec<String>,
}

/// How an option is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `--key=value`.
    Joined,
    /// `--key` and its values behind.
    Apart,
    /// `-c key=value`, in two words.
    Assigned,
    /// `-ckey=value`.
    AssignedAtOnce,
}

/// A part of a command line.
enum Item {
    /// An option, with its words.
    Option { form: Form, key: String, value: String, words: Vec<String> },
    /// Anything else.
    Other(String),
}

impl Item {
    fn words(self) -> Vec<String> {
        match self {
            Item::Option { words, .. } => words,
            Item::Other(word) => vec![word],
        }
    }

    fn is(&self, wanted: &str) -> bool {
        matches!(self, Item::Option { key, .. } if same(key, wanted))
    }
}

/// What `run` becomes in the newer version of the application of `rule`.
///
/// # Errors
/// A variable without a value.
pub fn adapt_options(rule: &Rule, vars: &Vars, run: Run<'_>) -> Result<Optioned, PatternError> {
    let mut all = Optioned {
        entrypoint: run.entrypoint.to_vec(),
        command: run.command.to_vec(),
        ..Optioned::default()
    };
    for setting in rule.settings.iter().filter(|setting| !setting.programs.is_empty()) {
        let now = Run { entrypoint: &all.entrypoint, command: &all.command, ..run };
        let (in_entrypoint, in_command) = now.options(&setting.programs);
        let (from, to) = (in_entrypoint.unwrap_or(all.entrypoint.len()), in_command);
        let behind = all.entrypoint.split_off(from);
        let mut edited = Edited { setting, vars, all: &mut all };
        let behind = edited.each(&behind)?;
        edited.all.entrypoint.extend(behind);
        if let Some(to) = to {
            let behind = edited.all.command.split_off(to);
            let behind = edited.each(&behind)?;
            let behind = edited.with_new(behind)?;
            edited.all.command.extend(behind);
        }
    }
    Ok(all)
}

impl DatabaseOptions {
    /// The options of `run` that matter to the data, a line `key=value` or `key` each.
    pub(crate) fn lines(&self, run: Run<'_>) -> String {
        let mut lines = Vec::new();
        for item in self.items(run) {
            let Item::Option { key, value, .. } = item else { continue };
            let matters = self.keys.iter().any(|wanted| same(wanted, &key));
            // A line is all that an option can be.
            if matters && !value.contains('\n') {
                lines.push(if value.is_empty() { key } else { format!("{key}={value}") });
            }
        }
        lines.join("\n")
    }

    /// The directory that an option of `run` names, where one does.
    pub(crate) fn place(&self, run: Run<'_>) -> Option<String> {
        let wanted = self.directory.as_ref()?;
        let mut named = self.items(run).into_iter().filter_map(|item| match item {
            Item::Option { key, value, .. } if same(&key, wanted) => Some(value),
            _ => None,
        });
        named.next_back()
    }

    fn items(&self, run: Run<'_>) -> Vec<Item> {
        let (in_entrypoint, in_command) = run.options(&self.programs);
        let of = |words: &[String], from: Option<usize>| {
            from.map(|from| items(&words[from..], self.syntax)).unwrap_or_default()
        };
        let mut all = of(run.entrypoint, in_entrypoint);
        all.extend(of(run.command, in_command));
        all
    }
}

impl Run<'_> {
    /// Where the options of one of `programs` begin in the entrypoint and in the command.
    fn options(self, programs: &[String]) -> (Option<usize>, Option<usize>) {
        let is = |word: &String| {
            let name = word.rsplit('/').next().unwrap_or_default();
            programs.iter().any(|program| program == name)
        };
        if let Some(at) = self.entrypoint.iter().position(is) {
            return (Some(at + 1), Some(0));
        }
        if let Some(at) = self.command.iter().position(is) {
            return (None, Some(at + 1));
        }
        // The entrypoint puts the program before what begins as its arguments do.
        let is_argument = |word: &String| word.starts_with('-') || word.ends_with(".conf");
        let alone = !self.entrypoint.is_empty()
            && self.command.first().is_some_and(is_argument)
            && self.of_image.first().is_some_and(is);
        (None, alone.then_some(0))
    }
}

/// The options of one setting's programs, on their way.
struct Edited<'a> {
    setting: &'a Setting,
    vars: &'a Vars,
    all: &'a mut Optioned,
}

impl Edited<'_> {
    /// What each option becomes.
    fn each(&mut self, words: &[String]) -> Result<Vec<String>, PatternError> {
        let mut new = Vec::new();
        for item in items(words, self.setting.syntax) {
            let Item::Option { form, key, value, words } = item else {
                new.extend(item.words());
                continue;
            };
            new.extend(self.one(form, (&key, &value), words)?);
        }
        Ok(new)
    }

    fn one(
        &mut self,
        form: Form,
        (key, value): (&str, &str),
        words: Vec<String>,
    ) -> Result<Vec<String>, PatternError> {
        let syntax = self.setting.syntax;
        let gap = if syntax == Syntax::Keyword { " " } else { " = " };
        let line = format!("{key}{gap}{value}\n");
        let mut ops = self.setting.ops();
        ops.retain(|op| match op {
            Op::Set(set) => same(&set.key, key),
            Op::SetIfUnset(_) => false,
            _ => true,
        });
        let edited = edit(line.as_bytes(), syntax, &ops, self.vars)?;
        let told = |text: String| {
            let text = text.strip_prefix("line 1").unwrap_or(&text).trim_start_matches([':', ' ']);
            text.replacen("commented out", "is not given any more", 1)
        };
        self.all.changes.extend(edited.changes.into_iter().map(told));
        let of_option = |text| format!("the option `{key}`: {}", told(text));
        self.all.doubts.extend(edited.doubts.into_iter().map(of_option));
        let text = String::from_utf8_lossy(&edited.bytes).into_owned();
        if text == line {
            return Ok(words);
        }
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let new = lines.filter_map(|line| line.split_once(gap));
        Ok(new.flat_map(|(key, value)| spelled(form, key, value)).collect())
    }

    /// The options `words`, and those that have to be said beside them now.
    fn with_new(&mut self, mut words: Vec<String>) -> Result<Vec<String>, PatternError> {
        let there = items(&words, self.setting.syntax);
        let has = |key: &String| there.iter().any(|item| item.is(key));
        let mut new = Vec::new();
        for set in &self.setting.set_if_unset {
            if !self.vars.cross(set.since.as_ref()) || has(&set.key) || !set.beside.iter().any(has)
            {
                continue;
            }
            match there.first() {
                // What is set there is not seen here, and would be overruled.
                Some(Item::Other(file)) if self.setting.syntax == Syntax::Keyword => {
                    let what = self.unsaid(set, file);
                    self.all.doubts.extend(what);
                }
                _ => {
                    let value = set.value.expand(self.vars)?;
                    let value = String::from_utf8_lossy(&value).into_owned();
                    self.all.changes.push(format!("`{}` is `{value}`, as it was", set.key));
                    let form = match self.setting.syntax {
                        Syntax::Keyword => Form::Apart,
                        Syntax::Assign => Form::Assigned,
                        _ => Form::Joined,
                    };
                    new.extend(spelled(form, &set.key, &value));
                }
            }
        }
        words.extend(new);
        Ok(words)
    }

    /// What is to be asked of `set` where the program reads `file`; nothing where that is a file
    /// that the rule edits.
    fn unsaid(&self, set: &SetKey, file: &str) -> Option<String> {
        let edits = self.setting.files.iter().any(|glob| {
            let pattern = glob.compile(self.vars);
            pattern.is_ok_and(|pattern| pattern.matches(file.as_bytes()).is_some())
        });
        (!edits).then(|| {
            format!(
                "see whether `{file}`, which it reads, sets `{}`: without, it was `{}` in the old \
                 version, and is not in the new one",
                set.key,
                set.value.as_str()
            )
        })
    }
}

/// The parts of `words`, which stand behind a program that reads files of this `syntax`.
fn items(words: &[String], syntax: Syntax) -> Vec<Item> {
    let mut all = Vec::new();
    let mut left = words;
    while let Some((word, rest)) = left.split_first() {
        let value = rest.first();
        let (form, pair, taken) = match (syntax, word.strip_prefix("--")) {
            (Syntax::Keyword, Some(key)) if !key.is_empty() => {
                let values = rest.iter().take_while(|word| !word.starts_with("--")).count();
                let quoted = rest[..values].iter().map(|word| match word.as_str() {
                    "" => "\"\"",
                    word => word,
                });
                let value = quoted.collect::<Vec<_>>().join(" ");
                (Form::Apart, Some((key.to_owned(), value)), values)
            }
            (Syntax::Ini | Syntax::Assign, Some(text)) if text.contains('=') => {
                (Form::Joined, assigned(text, syntax), 0)
            }
            (Syntax::Ini, Some(key)) if !key.is_empty() => {
                let value = value.filter(|value| !value.starts_with('-'));
                let pair = (key.to_owned(), value.cloned().unwrap_or_default());
                (Form::Apart, Some(pair), usize::from(value.is_some()))
            }
            (Syntax::Assign, None) if word == "-c" => {
                (Form::Assigned, value.and_then(|text| assigned(text, syntax)), 1)
            }
            (Syntax::Assign, None) if word.starts_with("-c") => {
                (Form::AssignedAtOnce, assigned(&word[2..], syntax), 0)
            }
            _ => (Form::Apart, None, 0),
        };
        match pair {
            Some((key, value)) => {
                let words = left[..=taken].to_vec();
                all.push(Item::Option { form, key, value, words });
                left = &rest[taken..];
            }
            None => {
                all.push(Item::Other(word.clone()));
                left = rest;
            }
        }
    }
    all
}

/// Key and value of `text`. A program that reads assignments takes hyphens for underscores.
fn assigned(text: &str, syntax: Syntax) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let key = if syntax == Syntax::Assign { key.replace('-', "_") } else { key.to_owned() };
    Some((key, value.to_owned()))
}

/// The words of an option.
fn spelled(form: Form, key: &str, value: &str) -> Vec<String> {
    match form {
        Form::Joined => vec![format!("--{key}={value}")],
        Form::Assigned => vec!["-c".to_owned(), format!("{key}={value}")],
        Form::AssignedAtOnce => vec![format!("-c{key}={value}")],
        Form::Apart => {
            let values = value.split_whitespace();
            let values = values.map(|word| if word == "\"\"" { "" } else { word }.to_owned());
            std::iter::once(format!("--{key}")).chain(values).collect()
        }
    }
}

/// Whether both name one setting: hyphens and underscores are one, and case does not matter.
fn same(a: &str, b: &str) -> bool {
    let plain = |key: &str| key.replace('-', "_").to_ascii_lowercase();
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Version;
    use crate::layout::load::parse;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()
    }

    /// What `entrypoint` and `command` become on the way from 1 to 3, with what is told and asked.
    fn adapted(settings: &str, entrypoint: &str, command: &str) -> (String, Vec<String>) {
        let text = format!(
            "app: x\ntitle: X\nrecognise: {{packages: [{{name: x}}]}}\nsettings:\n  - {settings}\n"
        );
        let rule = parse("x.yaml", &text).unwrap();
        let version = |text: &str| text.parse::<Version>().unwrap();
        let vars = Vars::versions(&version("1"), &version("3"));
        let (entrypoint, command, of_image) = (words(entrypoint), words(command), words("/bin/xd"));
        let run = Run { entrypoint: &entrypoint, command: &command, of_image: &of_image };
        let found = adapt_options(&rule, &vars, run).unwrap();
        let all = [found.entrypoint, found.command].concat().join(" ");
        (all, [found.changes, found.doubts].concat())
    }

    const INI: &str = "{programs: [xd], syntax: ini, gone: [{since: '2', keys: [old_way], why: no}], \
                       rename: [{since: '2', key: was, to: is}]}";

    #[test]
    fn options_are_adapted_as_lines_of_a_file_are() {
        for (entrypoint, command, expected) in [
            ("entry.sh", "xd --a=1 --old_way=2 --b", "entry.sh xd --a=1 --b"),
            ("entry.sh", "--was=5 --old_way 2 --b", "entry.sh --is=5 --b"),
            ("/sbin/xd --old_way=1", "--was 5", "/sbin/xd --is 5"),
            // Somebody else's.
            ("entry.sh", "other --old_way=2", "entry.sh other --old_way=2"),
            ("", "--old_way=2", "--old_way=2"),
        ] {
            assert_eq!(adapted(INI, entrypoint, command).0, expected);
        }
        let (_, told) = adapted(INI, "entry.sh", "xd --old_way=2");
        assert_eq!(told, ["`old_way` is not given any more, no"]);
    }

    #[test]
    fn assignments_have_their_forms() {
        let settings = "{programs: [xd], syntax: assign, gone: [{since: '2', keys: [old_way], why: \
                        no}], map-value: [{since: '2', keys: [mode], values: {'on': new}}]}";
        let (found, told) =
            adapted(settings, "", "xd -D /d -c old_way=1 -cmode=on --mode=on -c mode=on -c a=b");
        assert_eq!(found, "xd -D /d -cmode=new --mode=new -c mode=new -c a=b");
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(adapted(settings, "", "xd --old-way=1").0, "xd");
    }

    #[test]
    fn what_no_option_says_is_said_where_it_matters() {
        let settings = "{files: ['/**/x*.conf'], programs: [xd], syntax: keyword, set-if-unset: \
                        [{since: '2', key: who, value: all, beside: [list, user]}]}";
        let told = |command| adapted(settings, "entry.sh", command);
        assert_eq!(told("xd --list /l").0, "entry.sh xd --list /l --who all");
        assert_eq!(told("--user a b --port 1").0, "entry.sh --user a b --port 1 --who all");
        let none: (_, &[String]) = ("entry.sh xd --port 1".to_owned(), &[]);
        let (found, asked) = told("xd --port 1");
        assert_eq!((found, &*asked), none);
        assert_eq!(told("xd --list /l --who none").0, "entry.sh xd --list /l --who none");
        // What is set in a file is seen there, or by a person.
        assert_eq!(told("/d/x.conf --list /l").0, "entry.sh /d/x.conf --list /l");
        assert_eq!(told("/d/x.conf --list /l").1, [""; 0]);
        let (found, asked) = told("/d/other.conf --list /l");
        assert_eq!(found, "entry.sh /d/other.conf --list /l");
        assert!(asked[0].starts_with("see whether `/d/other.conf`"), "{asked:?}");
    }

    #[test]
    fn options_that_matter_to_data_are_lines() {
        let options = DatabaseOptions {
            programs: words("xd"),
            syntax: Syntax::Ini,
            keys: words("page_size names datadir"),
            directory: Some("datadir".to_owned()),
        };
        let (entrypoint, of_image) = (words("entry.sh"), words("xd"));
        let command = words("--page-size=4k --port=1 --names --datadir /srv/d");
        let run = Run { entrypoint: &entrypoint, command: &command, of_image: &of_image };
        assert_eq!(options.lines(run), "page-size=4k\nnames\ndatadir=/srv/d");
        assert_eq!(options.place(run).as_deref(), Some("/srv/d"));
        assert_eq!(options.lines(Run::default()), "");
        assert_eq!(options.place(Run::default()), None);
    }
}
