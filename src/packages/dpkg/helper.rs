//! What packages' scripts tell dpkg's helper about paths that moved or went.
//!
//! The scripts are shell. They are not run, and not understood but for calls of the helper whose
//! words are written out, or made of variables that are set to words in the same script. Whatever
//! else a script does with a path is not known.

use std::collections::BTreeMap;

use super::super::moving::Moving;
use crate::tree::RootPath;

/// The helper.
const HELPER: &str = "dpkg-maintscript-helper";

/// How many values of a loop's variable are looked at.
const MAX_VALUES: usize = 256;

/// How many calls of one script are looked at.
const MAX_CALLS: usize = 4096;

/// What the calls of the helper in a script say.
pub(super) fn movings(text: &[u8]) -> Vec<Moving> {
    let text = String::from_utf8_lossy(text);
    if !text.contains(HELPER) {
        return vec![];
    }
    let mut variables: Variables = BTreeMap::new();
    let mut found = vec![];
    for command in commands(&text) {
        let Some(at) = command.iter().position(|word| word.text().ends_with(HELPER)) else {
            remember(&command, &mut variables);
            continue;
        };
        for words in expanded(&command[at + 1..], &variables) {
            found.extend(moving(&words));
        }
        if found.len() >= MAX_CALLS {
            break;
        }
    }
    found
}

/// A call's words, those that are not known left empty.
fn moving(words: &[Option<String>]) -> Option<Moving> {
    let end = words.iter().position(|word| word.as_deref() == Some("--")).unwrap_or(words.len());
    let word = |at: usize| words[..end].get(at)?.as_deref();
    let path = |at: usize| {
        let path = word(at).filter(|path| path.starts_with('/'))?;
        RootPath::parse(path.as_bytes()).ok().filter(|path| !path.is_root())
    };
    Some(match word(0)? {
        "mv_conffile" => Moving::Moved { from: path(1)?, to: path(2)? },
        "rm_conffile" => Moving::Removed(path(1)?),
        "symlink_to_dir" => {
            let dir = path(1)?;
            let formerly = dir.aim(word(2)?.as_bytes());
            Moving::DirNow { dir, formerly }
        }
        "dir_to_symlink" => {
            let link = path(1)?;
            let to = link.aim(word(2)?.as_bytes());
            Moving::LinkNow { link, to }
        }
        _ => return None,
    })
}

/// The values that a variable may have; none when they are not known.
type Variables = BTreeMap<String, Vec<String>>;

/// Notes what a command sets: `NAME=words`, or `for NAME in words`.
fn remember(command: &[Word], variables: &mut Variables) {
    let values = |words: &[Word], variables: &Variables| -> Vec<String> {
        let known = words.iter().map(|word| word.value(variables, None));
        let known: Option<Vec<String>> = known.take(MAX_VALUES).collect();
        known.unwrap_or_default()
    };
    let at = command.iter().position(|word| word.text() == "for");
    if let Some([_, name, inside, words @ ..]) = at.map(|at| &command[at..])
        && inside.text() == "in"
    {
        let values = values(words, variables);
        variables.insert(name.text(), values);
        return;
    }
    for word in command {
        let text = word.text();
        let Some((name, _)) = text.split_once('=').filter(|(name, _)| is_name(name)) else {
            return;
        };
        let value = word
            .value(variables, None)
            .and_then(|value| value.split_once('=').map(|(_, value)| value.to_owned()));
        // Set twice: which value counts depends on the way through the script.
        let known: Vec<String> = match variables.contains_key(name) {
            true => vec![],
            false => value.into_iter().collect(),
        };
        variables.insert(name.to_owned(), known);
    }
}

/// The words of a call with variables put in, once for each value of a loop's variable.
fn expanded(words: &[Word], variables: &Variables) -> Vec<Vec<Option<String>>> {
    let names = words.iter().flat_map(Word::names);
    let many = names.filter(|name| variables.get(*name).is_some_and(|values| values.len() > 1));
    let Some(name) = many.min() else {
        return vec![words.iter().map(|word| word.value(variables, None)).collect()];
    };
    let values = variables.get(name).into_iter().flatten();
    values
        .map(|value| words.iter().map(|word| word.value(variables, Some((name, value)))).collect())
        .collect()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A word of a command.
#[derive(Debug, Default)]
struct Word(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Variable(String),
    /// What another command prints, arguments of the script, patterns.
    Unknown,
}

impl Word {
    fn add(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.0.push(Part::Text(c.to_string())),
        }
    }

    /// Its literal parts.
    fn text(&self) -> String {
        let texts = self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Variable(_) | Part::Unknown => None,
        });
        texts.collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) | Part::Unknown => None,
        })
    }

    /// The word with variables put in; of a loop's variable the value of this round.
    fn value(&self, variables: &Variables, round: Option<(&str, &str)>) -> Option<String> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Unknown => None,
            Part::Variable(name) => match round.filter(|(looped, _)| looped == name) {
                Some((_, value)) => Some(value),
                None => match variables.get(name)?.as_slice() {
                    [value] => Some(value.as_str()),
                    _ => None,
                },
            },
        });
        parts.collect()
    }
}

/// The simple commands of a script, in order.
fn commands(text: &str) -> Vec<Vec<Word>> {
    let mut all = vec![];
    let (mut command, mut word): (Vec<Word>, Option<Word>) = (vec![], None);
    let mut quote = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => match rest.next() {
                Some('\n') | None => {}
                Some(next) => word.get_or_insert_default().add(next),
            },
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('$', None | Some('"')) => {
                word.get_or_insert_default().0.push(variable(&mut rest));
            }
            ('`', None | Some('"')) => word.get_or_insert_default().0.push(Part::Unknown),
            (c, Some(_)) => word.get_or_insert_default().add(c),
            ('#', None) if word.is_none() => while rest.next_if(|c| *c != '\n').is_some() {},
            ('\n' | ';' | '&' | '|' | '(' | ')', None) => {
                command.extend(word.take());
                if !command.is_empty() {
                    all.push(std::mem::take(&mut command));
                }
            }
            (c, None) if c.is_whitespace() => command.extend(word.take()),
            ('*' | '?' | '~', None) => word.get_or_insert_default().0.push(Part::Unknown),
            (c, None) => word.get_or_insert_default().add(c),
        }
    }
    command.extend(word);
    all.push(command);
    all
}

/// What stands behind a `$`.
fn variable(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Part {
    let braced = rest.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    if braced && rest.next_if_eq(&'}').is_none() {
        // `${name%suffix}` and the like.
        while rest.next_if(|c| !"}\n".contains(*c)).is_some() {}
        rest.next_if_eq(&'}');
        return Part::Unknown;
    }
    if is_name(&name) { Part::Variable(name) } else { Part::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(script: &str) -> Vec<String> {
        let told = movings(script.as_bytes()).into_iter().map(|moving| match moving {
            Moving::Moved { from, to } => format!("{from} > {to}"),
            Moving::Removed(path) => format!("- {path}"),
            Moving::DirNow { dir, formerly } => format!("{dir}/ was {formerly}"),
            Moving::LinkNow { link, to } => format!("{link} -> {to}"),
        });
        told.collect()
    }

    #[test]
    fn calls_of_the_helper_are_read_as_they_are_generated() {
        let script = "#!/bin/sh\nset -e\n# Automatically added by dh_installdeb/13\n\
             dpkg-maintscript-helper mv_conffile /etc/old.conf /etc/new/new.conf 1.2~ app -- \"$@\"\n\
             dpkg-maintscript-helper rm_conffile /etc/gone.conf 2.0-1\\~ -- \"$@\"\n\
             dpkg-maintscript-helper symlink_to_dir /usr/share/app ../lib/app 3 app -- \"$@\"\n\
             dpkg-maintscript-helper dir_to_symlink /etc/app/d /etc/app.d 3 -- \"$@\"\n\
             # dpkg-maintscript-helper rm_conffile /etc/comment -- \"$@\"\n";
        assert_eq!(
            told(script),
            [
                "/etc/old.conf > /etc/new/new.conf",
                "- /etc/gone.conf",
                "/usr/share/app/ was /usr/lib/app",
                "/etc/app/d -> /etc/app.d",
            ]
        );
    }

    #[test]
    fn quotes_continued_lines_conditions_and_variables_are_read() {
        let script = "CONF=/etc/app\n\
             if dpkg-maintscript-helper supports rm_conffile; then\n\
             \tdpkg-maintscript-helper rm_conffile \\\n\t\t'/etc/a b' 1.0 -- \"$@\"\n\
             fi\n\
             [ \"$1\" = x ] && dpkg-maintscript-helper mv_conffile \"$CONF/a\" ${CONF}/b -- \"$@\"\n\
             for f in one two; do dpkg-maintscript-helper mv_conffile /etc/$f \"$CONF/$f\" -- \"$@\"; done\n";
        assert_eq!(
            told(script),
            [
                "- /etc/a b",
                "/etc/app/a > /etc/app/b",
                "/etc/one > /etc/app/one",
                "/etc/two > /etc/app/two",
            ]
        );
    }

    #[test]
    fn what_a_script_finds_out_while_it_runs_is_unknown() {
        for script in [
            "dpkg-maintscript-helper rm_conffile $(find /etc) -- \"$@\"",
            "dpkg-maintscript-helper rm_conffile \"$1\" -- \"$@\"",
            "dpkg-maintscript-helper rm_conffile ${F%.conf} -- \"$@\"",
            "dpkg-maintscript-helper rm_conffile etc/relative",
            "dpkg-maintscript-helper rm_conffile /",
            "dpkg-maintscript-helper mv_conffile /etc/only-one -- \"$@\"",
            "F=/a\nF=/b\ndpkg-maintscript-helper rm_conffile $F",
            "dpkg-maintscript-helper rm_conffile \"/etc/open",
            "rm -f /etc/by-hand",
        ] {
            let found = told(script);
            let open = script.ends_with("open");
            assert_eq!(found, if open { vec!["- /etc/open"] } else { vec![] }, "{script}");
        }
    }
}
