//! Users and groups that texts speak of.

use std::ops::Range;

use super::commands::heads;
use super::language::Language;
use super::lines::columns;
use super::shell::{Script, assigned, base};
use super::told::Fate;
use crate::references::records::Records;

/// A word that stands for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) at: Range<usize>,
    /// It is a group, or else a user.
    pub(super) group: bool,
    /// It cannot stand for anything else, so that another may take its place.
    pub(super) sure: bool,
}

/// More programs do not run each other in one command.
const MAX_HEADS: usize = 8;

impl Spoken {
    /// What it is, before its name.
    pub(super) fn sort(&self) -> &'static str {
        if self.group { "group " } else { "user " }
    }
}

/// Keys of settings whose value is an account, and whether that is a group.
const KEYS: &[(&str, bool)] = &[
    ("group", true),
    ("force group", true),
    ("force user", false),
    ("guest account", false),
    ("listen.group", true),
    ("listen.owner", false),
    ("owner", false),
    ("run_as", false),
    ("runas", false),
    ("socketgroup", true),
    ("socketuser", false),
    ("supplementarygroups", true),
    ("user", false),
];

/// Options whose value is an account, and of which program; of none, of all.
const OPTIONS: &[(&str, &[&str], bool)] = &[
    ("--chuid", &[], false),
    ("--group", &[], true),
    ("--owner", &[], false),
    ("--regid", &[], true),
    ("--reuid", &[], false),
    ("--user", &[], false),
    ("-c", &["start-stop-daemon"], false),
    ("-g", &["install", "sudo", "runuser"], true),
    ("-o", &["install"], false),
    ("-u", &["chpst", "doas", "runuser", "sudo"], false),
];

/// Programs whose first argument is an account.
const FIRST: &[(&str, bool)] = &[
    ("chgrp", true),
    ("chown", false),
    ("gosu", false),
    ("s6-setuidgid", false),
    ("setuidgid", false),
    ("su", false),
    ("su-exec", false),
];

/// The accounts that `text` speaks of where its language has a place for them.
pub(super) fn in_places(language: Language, text: &[u8], line: Range<usize>) -> Vec<Spoken> {
    let bytes = &text[line.clone()];
    let columns = columns(bytes);
    let word = |n: usize| columns.get(n).map(|word| &bytes[word.clone()]).unwrap_or_default();
    let column = |n: usize, group: bool| {
        let at = columns.get(n)?.clone();
        Some(Spoken { at, group, sure: true })
    };
    let found: Vec<Spoken> = match language {
        Language::Unit | Language::Pairs | Language::Config => values(language, bytes),
        Language::Crontab { user: true } if assigned(bytes.trim_ascii()).is_none() => {
            column(if word(0).starts_with(b"@") { 1 } else { 5 }, false).into_iter().collect()
        }
        Language::Tmpfiles => [column(3, false), column(4, true)].into_iter().flatten().collect(),
        Language::Inetd => {
            let user = columns.get(4).map(|at| pair(bytes, at.clone(), true, b".:"));
            user.unwrap_or_default()
        }
        Language::Logrotate => {
            let from = match word(0) {
                b"su" => 1,
                b"create" | b"createolddir" => 2,
                _ => return vec![],
            };
            [column(from, false), column(from + 1, true)].into_iter().flatten().collect()
        }
        Language::Sudoers => sudoers(bytes),
        _ => vec![],
    };
    let moved = |at: Range<usize>| line.start + at.start..line.start + at.end;
    found.into_iter().map(|spoken| Spoken { at: moved(spoken.at.clone()), ..spoken }).collect()
}

/// The value of a line `key = value` or `key value;`, if its key asks for an account.
fn values(language: Language, line: &[u8]) -> Vec<Spoken> {
    let sure = language != Language::Config;
    let begin = line.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    let named = |text: &[u8]| {
        let key = String::from_utf8_lossy(text.trim_ascii()).to_ascii_lowercase();
        KEYS.iter().find(|(name, _)| *name == key).map(|(_, group)| *group)
    };
    let (at, group) = match line.iter().position(|b| *b == b'=' || *b == b':') {
        Some(sign) => match named(&line[..sign]) {
            Some(group) => (sign + 1, group),
            None => return vec![],
        },
        None => {
            let length = line[begin..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
            match named(&line[begin..begin + length]) {
                Some(group) if language == Language::Config => (begin + length, group),
                _ => return vec![],
            }
        }
    };
    let words = columns(&line[at..]).into_iter().map(|word| at + word.start..at + word.end);
    let words: Vec<Range<usize>> = words.collect();
    // A group or a list of groups; anything else is one word, or it is a sentence.
    if words.len() > 1 && !(group && language == Language::Unit) {
        return vec![];
    }
    let trimmed = words.into_iter().map(|word| {
        let text = &line[word.clone()];
        let quotes = |b: &u8| b"\"';".contains(b);
        let front = text.iter().take_while(|b| quotes(b)).count();
        let back = text[front..].iter().rev().take_while(|b| quotes(b)).count();
        word.start + front..word.end - back
    });
    trimmed.map(|at| Spoken { at, group, sure }).collect()
}

/// Who may do something, and as whom.
fn sudoers(line: &[u8]) -> Vec<Spoken> {
    let text = line.trim_ascii();
    if text.starts_with(b"Defaults") || text.starts_with(b"@") || text.starts_with(b"Cmnd_Alias") {
        return vec![];
    }
    let Some(sign) = line.iter().position(|b| *b == b'=') else { return vec![] };
    let is_list = text.starts_with(b"User_Alias") || text.starts_with(b"Runas_Alias");
    let range = match columns(line).first() {
        Some(_) if is_list => sign + 1..line.len(),
        Some(who) => who.start..who.end.min(sign),
        None => return vec![],
    };
    let mut found = names(line, range, false);
    if let (Some(open), Some(close)) =
        (line.iter().position(|b| *b == b'('), line.iter().position(|b| *b == b')'))
        && open < close
    {
        let colon = line[open..close].iter().position(|b| *b == b':').map(|at| open + at);
        found.extend(names(line, open + 1..colon.unwrap_or(close), false));
        found.extend(colon.into_iter().flat_map(|colon| names(line, colon + 1..close, true)));
    }
    found
}

/// The names of a list with commas, `%` before groups, `#` before numbers.
fn names(line: &[u8], range: Range<usize>, group: bool) -> Vec<Spoken> {
    let mut found = Vec::new();
    let mut at = range.start;
    for part in line[range].split(|b| *b == b',') {
        let front =
            part.iter().take_while(|b| b.is_ascii_whitespace() || b"!%#".contains(b)).count();
        let group = group || part[..front].contains(&b'%');
        let length = part[front..].trim_ascii_end().len();
        found.push(Spoken { at: at + front..at + front + length, group, sure: true });
        at += part.len() + 1;
    }
    found.retain(|spoken| !spoken.at.is_empty());
    found
}

/// `user:group` at `at`.
fn pair(text: &[u8], at: Range<usize>, sure: bool, signs: &[u8]) -> Vec<Spoken> {
    let sign = text[at.clone()].iter().position(|b| signs.contains(b)).map(|n| at.start + n);
    let user = Spoken { at: at.start..sign.unwrap_or(at.end), group: false, sure };
    let group = sign.map(|sign| Spoken { at: sign + 1..at.end, group: true, sure });
    [Some(user), group].into_iter().flatten().filter(|spoken| !spoken.at.is_empty()).collect()
}

/// The accounts that commands are given.
pub(super) fn in_commands(
    text: &[u8],
    script: &Script,
    was_program: &dyn Fn(&[u8]) -> bool,
) -> Vec<Spoken> {
    let mut found = Vec::new();
    for words in &script.commands {
        let word = |n: usize| &text[words[n].clone()];
        for head in heads(words, text, was_program).into_iter().take(MAX_HEADS) {
            let program = String::from_utf8_lossy(base(word(head))).into_owned();
            let rest = head + 1..words.len();
            if let Some((_, group)) = FIRST.iter().find(|(name, _)| *name == program) {
                let first = rest.clone().find(|n| !word(*n).starts_with(b"-"));
                let spoken = first.map(|n| match group {
                    true => vec![Spoken { at: words[n].clone(), group: true, sure: false }],
                    false => pair(text, words[n].clone(), false, b":"),
                });
                found.extend(spoken.into_iter().flatten());
            }
            for n in rest {
                for (option, of, group) in OPTIONS {
                    let fits = of.is_empty() || of.contains(&program.as_str());
                    let at = match word(n).strip_prefix(option.as_bytes()) {
                        Some(b"") if n + 1 < words.len() => words[n + 1].clone(),
                        Some([b'=', ..]) => words[n].start + option.len() + 1..words[n].end,
                        _ => continue,
                    };
                    if fits {
                        let spoken = pair(text, at, false, b":");
                        let first =
                            |spoken: Spoken| Spoken { group: *group || spoken.group, ..spoken };
                        found.extend(spoken.into_iter().map(first));
                    }
                }
            }
        }
    }
    found
}

/// Whether a variable of the environment holds the number of a user (`false`) or a group (`true`).
pub(super) fn numbered(name: &[u8]) -> Option<bool> {
    let name = name.to_ascii_uppercase();
    let ends = |ending: &str| name.ends_with(ending.as_bytes());
    if ends("UUID") || ends("GUID") {
        None
    } else if ends("UID") || ends("USER_ID") || ends("USERID") {
        Some(false)
    } else if ends("GID") || ends("GROUP_ID") || ends("GROUPID") {
        Some(true)
    } else {
        None
    }
}

/// What became of the account `word`; `None` where it is what it was, or never was one.
pub(super) fn fate(records: &Records<'_>, word: &[u8], group: bool) -> Option<Fate> {
    let (old, now) = (records.accounts, records.accounts_now);
    let number = std::str::from_utf8(word)
        .ok()
        .filter(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()));
    let mapped = |id: u32| if group { records.ids.gid(id) } else { records.ids.uid(id) };
    let named = |db: &'_ crate::accounts::AccountDb, id: u32| -> Option<Vec<u8>> {
        match group {
            true => db.group.records().find(|one| one.gid == id).map(|one| one.name.clone()),
            false => db.passwd.records().find(|one| one.uid == id).map(|one| one.name.clone()),
        }
    };
    if let Some(id) = number.and_then(|number| number.parse::<u32>().ok()) {
        if mapped(id) != id {
            return Some(Fate::Now(mapped(id).to_string().into_bytes()));
        }
        return if named(old, id).is_none() { named(now, id).map(Fate::Taken) } else { None };
    }
    let id_of = |db: &crate::accounts::AccountDb| match group {
        true => db.group.get(word).map(|one| one.gid),
        false => db.passwd.get(word).map(|one| one.uid),
    };
    let id = id_of(old).filter(|_| id_of(now).is_none())?;
    Some(named(now, mapped(id)).map_or(Fate::Gone, Fate::Now))
}

/// Whether the value of a line gives somebody's shell, and where it is.
pub(super) fn shell(line: &[u8]) -> Option<Range<usize>> {
    let colons: Vec<usize> =
        line.iter().enumerate().filter(|(_, b)| **b == b':').map(|(at, _)| at).collect();
    (colons.len() == 6).then(|| colons[5] + 1..line.len())
}
