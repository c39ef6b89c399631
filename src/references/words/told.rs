//! [`Told`]: what is left to a person, one thing for each word, whatever number of texts says it.

use std::collections::BTreeMap;

use super::lookup::Gone;
use crate::tree::{RootPath, escaped};
use crate::verdict::{Held, HeldKind};

/// How many texts are listed for one word.
const MAX_FILES: usize = 20;

/// Where a word stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file, with the number of the line.
    Line(RootPath, usize),
    /// In a setting of the container.
    Setting(&'static str),
}

impl Place {
    fn subject(&self) -> String {
        match self {
            Place::Line(path, _) => path.to_string(),
            Place::Setting(which) => format!("the container's {which}"),
        }
    }

    fn line(&self) -> String {
        match self {
            Place::Line(_, line) => format!("line {line} "),
            Place::Setting(_) => "it ".to_owned(),
        }
    }
}

/// What becomes of an account that a text speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It is called, or numbered, so now.
    Now(Vec<u8>),
    /// There is no such account.
    Gone,
    /// The number was nobody's, and is that of this account.
    Taken(Vec<u8>),
}

/// What is left to a person.
#[derive(Debug, Default)]
pub(super) struct Told {
    gone: BTreeMap<RootPath, (Gone, Vec<u8>, Vec<Place>)>,
    accounts: BTreeMap<(bool, Vec<u8>), (Fate, Vec<Place>)>,
}

impl Told {
    /// `word` names what is gone.
    pub(super) fn gone(&mut self, gone: &Gone, word: &[u8], place: Place) {
        let found = self.gone.entry(gone.path.clone());
        let (_, _, places) = found.or_insert_with(|| (gone.clone(), word.to_vec(), vec![]));
        add(places, place);
    }

    /// `word` is a group, or else a user, that is not what it was.
    pub(super) fn account(&mut self, group: bool, word: &[u8], fate: Fate, place: Place) {
        let found = self.accounts.entry((group, word.to_vec()));
        add(&mut found.or_insert_with(|| (fate, vec![])).1, place);
    }

    /// One thing for each word.
    pub(super) fn held(self) -> Vec<Held> {
        let gone = self.gone.into_values().map(|(gone, word, places)| {
            let kind = if gone.program { HeldKind::Command } else { HeldKind::Reference };
            let held = with_files(kind, &places, &about(&gone, &word));
            let Gone { path, nearest, .. } = gone;
            let candidates = nearest.certain.iter().chain(&nearest.candidates);
            candidates.fold(held.was(path), Held::candidate)
        });
        let accounts = self.accounts.into_iter().map(|((group, word), (fate, places))| {
            let what = if group { "group" } else { "user" };
            let shown = escaped(&word);
            let (why, candidate) = match &fate {
                Fate::Now(new) => {
                    let new = escaped(new);
                    (format!("names the {what} {shown}, which is {new} now"), Some(new))
                }
                Fate::Gone => {
                    (format!("names the {what} {shown}, which is not there any more"), None)
                }
                Fate::Taken(name) => {
                    let name = escaped(name);
                    let why = format!(
                        "names the {what} {shown}, which was nobody's in the old system and is \
                         {name} in the new one"
                    );
                    (why, None)
                }
            };
            let held = with_files(HeldKind::Account, &places, &why).was(shown);
            candidate.into_iter().fold(held, Held::candidate)
        });
        gone.chain(accounts).collect()
    }
}

fn add(places: &mut Vec<Place>, place: Place) {
    if !places.iter().any(|known| known.subject() == place.subject()) {
        places.push(place);
    }
}

fn about(gone: &Gone, word: &[u8]) -> String {
    let what = if gone.program { "a program" } else { "a path" };
    let from = gone.package.as_ref().map(|name| format!(" of package {name}")).unwrap_or_default();
    format!("names {}, {what}{from} that the new system does not have", escaped(word))
}

fn with_files(kind: HeldKind, places: &[Place], why: &str) -> Held {
    let (subject, line) = match places.first() {
        Some(first) => (first.subject(), first.line()),
        None => (String::new(), String::new()),
    };
    let more = match places.len() {
        0 | 1 => String::new(),
        2 => ", and one more place does".to_owned(),
        count => format!(", and {} more places do", count - 1),
    };
    let held = Held::new(kind, subject, format!("{line}{why}{more}"));
    let files = places.iter().filter_map(|place| match place {
        Place::Line(path, _) => Some(path),
        Place::Setting(_) => None,
    });
    files.take(MAX_FILES).fold(held, Held::file)
}
