//! [`Told`]: what is left to a person, one thing for each word, whatever number of texts says it.

use std::collections::BTreeMap;

use super::lookup::Gone;
use crate::references::outdated::Outdated;
use crate::tree::{RootPath, escaped};
use crate::verdict::{Held, HeldKind};

/// How many texts are listed for one word.
const MAX_FILES: usize = 20;

/// How many words are held one by one.
const MAX_WORDS: usize = 200;

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
    outdated: BTreeMap<(usize, Vec<u8>), (Outdated, Vec<Place>)>,
}

impl Told {
    /// `word` names what is gone.
    pub(super) fn gone(&mut self, gone: &Gone, word: &[u8], place: Place) {
        let found = self.gone.entry(gone.place.clone());
        let (_, _, places) = found.or_insert_with(|| (gone.clone(), word.to_vec(), vec![]));
        add(places, place);
    }

    /// `word` is a group, or else a user, that is not what it was.
    pub(super) fn account(&mut self, group: bool, word: &[u8], fate: Fate, place: Place) {
        let found = self.accounts.entry((group, word.to_vec()));
        add(&mut found.or_insert_with(|| (fate, vec![])).1, place);
    }

    /// `word` is what a newer version does not know, by the number of what is on record of it.
    pub(super) fn outdated(&mut self, (number, of): (usize, &Outdated), word: &[u8], place: Place) {
        let found = self.outdated.entry((number, word.to_vec()));
        add(&mut found.or_insert_with(|| (of.clone(), vec![])).1, place);
    }

    /// One thing for each word.
    pub(super) fn held(self) -> Vec<Held> {
        let gone = self.gone.into_values().map(|(gone, word, places)| {
            let kind = if gone.program { HeldKind::Command } else { HeldKind::Reference };
            let held = with_files(kind, &places, &about(&gone, &word));
            let Gone { place, nearest, .. } = gone;
            let candidates = nearest.certain.iter().chain(&nearest.candidates);
            candidates.fold(held.was(place), Held::candidate)
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
        let outdated = self.outdated.into_iter().map(|((_, word), (of, places))| {
            let said = with_files(HeldKind::Rule, &places, &format!("says `{}`", escaped(&word)));
            let why = format!("{}: {}", said.why, of.why);
            of.today.into_iter().fold(Held { why, ..said }, Held::candidate)
        });
        let mut all: Vec<Held> = gone.chain(accounts).chain(outdated).collect();
        if all.len() > MAX_WORDS {
            let why =
                format!("{} more words lead nowhere in the new system", all.len() - MAX_WORDS);
            all.truncate(MAX_WORDS);
            all.push(Held::new(HeldKind::Reference, "further texts", why));
        }
        all
    }
}

/// Texts come one after another, so that the last place is the one that may be there already.
fn add(places: &mut Vec<Place>, place: Place) {
    let same = places.last().is_some_and(|last| match (last, &place) {
        (Place::Line(one, _), Place::Line(other, _)) => one == other,
        (one, other) => one == other,
    });
    if !same {
        places.push(place);
    }
}

fn about(gone: &Gone, word: &[u8]) -> String {
    let (what, word) = (gone.what, escaped(word));
    let from = gone.package.as_ref().map(|name| format!(" of package {name}")).unwrap_or_default();
    format!("names {word}, {what}{from} that the new system does not have")
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
