//! Words of the settings that a container is run with.
//!
//! Variables of the environment hold passwords: of their values nothing is told but the word that
//! leads nowhere.

use std::ops::Range;

use super::accounts::{self, Spoken};
use super::commands::{Named, all_programs, is_versioned};
use super::edits::Edits;
use super::lookup::Lookup;
use super::paths::paths;
use super::said;
use super::shell::{self, Script};
use super::told::{Fate, Place, Told};
use super::zones;
use crate::references::finding::{Cure, Finding};
use crate::service::{HealthTest, ServiceSettings, TextOf};
use crate::tree::{RootPath, TreeError};

/// The directories in which programs are looked for, as a list with colons.
pub(super) fn search(settings: &ServiceSettings) -> &[u8] {
    let found = settings.environment.iter().rev().find_map(|line| line.strip_prefix("PATH="));
    found.unwrap_or_default().as_bytes()
}

/// All texts of the settings in one, so that a word has one place.
struct Texts {
    all: Vec<u8>,
    parts: Vec<(TextOf, Range<usize>)>,
}

impl Texts {
    fn of(settings: &ServiceSettings) -> Texts {
        let mut settings = settings.clone();
        let mut texts = Texts { all: vec![], parts: vec![] };
        for (which, text) in settings.texts_mut() {
            texts.push(which, text);
        }
        for (which, text) in settings.accounts_mut() {
            texts.push(which, text);
        }
        texts
    }

    fn push(&mut self, which: TextOf, text: &str) {
        let begin = self.all.len();
        self.all.extend_from_slice(text.as_bytes());
        self.parts.push((which, begin..self.all.len()));
        self.all.push(b'\n');
    }

    fn ranges(&self, which: &[TextOf]) -> Vec<Range<usize>> {
        let wanted = self.parts.iter().filter(|(of, _)| which.contains(of));
        wanted.map(|(_, range)| range.clone()).collect()
    }

    fn place(&self, at: usize) -> Place {
        let part = self.parts.iter().find(|(_, range)| range.contains(&at));
        Place::Setting(part.map_or("settings", |(which, _)| which.word()))
    }

    /// What is run, each as the words of a command or as lines for a shell.
    fn scripts(&self, settings: &ServiceSettings) -> Vec<Script> {
        let mut found = Vec::new();
        // The entrypoint may run the command.
        for which in [&[TextOf::Entrypoint, TextOf::Command][..], &[TextOf::Command]] {
            found.push(shell::run(&self.all, self.ranges(which)));
        }
        let check = self.ranges(&[TextOf::HealthCheck]);
        match settings.health_check.as_ref().map(|check| &check.test) {
            Some(HealthTest::Shell(_)) => {
                found.extend(check.into_iter().map(|line| shell::read(&self.all, line)));
            }
            _ => found.push(shell::run(&self.all, check)),
        }
        found
    }

    /// Values of variables that are nothing but the name of a program with its version.
    fn named_by_variables(&self) -> Vec<Named> {
        let mut found = Vec::new();
        for line in self.ranges(&[TextOf::Environment]) {
            let value = shell::assigned(&self.all[line.clone()]).map(|at| line.start + at + 1);
            let value = value.map(|begin| begin..line.end);
            let named = value.filter(|value| is_versioned(&self.all[value.clone()]));
            found.extend(named.map(|at| Named { at, runs: true }));
        }
        found
    }

    /// What stands for an account.
    fn accounts(&self, scripts: &[Script], was_program: &dyn Fn(&[u8]) -> bool) -> Vec<Spoken> {
        let mut found = Vec::new();
        for (which, range) in &self.parts {
            let text = &self.all[range.clone()];
            match which {
                TextOf::User => {
                    let colon = text.iter().position(|b| *b == b':').map(|at| range.start + at);
                    let user = range.start..colon.unwrap_or(range.end);
                    found.push(Spoken { at: user, group: false, sure: true });
                    let group = colon.map(|colon| colon + 1..range.end);
                    found.extend(group.map(|at| Spoken { at, group: true, sure: true }));
                }
                TextOf::Group => {
                    found.push(Spoken { at: range.clone(), group: true, sure: true });
                }
                TextOf::Environment => {
                    let Some(sign) = shell::assigned(text) else { continue };
                    let at = range.start + sign + 1..range.end;
                    let is_number = self.all[at.clone()].iter().all(u8::is_ascii_digit);
                    if let Some(group) = accounts::numbered(&text[..sign]).filter(|_| is_number) {
                        found.push(Spoken { at, group, sure: true });
                    }
                }
                _ => {}
            }
        }
        for script in scripts {
            found.extend(accounts::in_commands(&self.all, script, was_program));
        }
        found
    }
}

/// The words of `settings` that lead nowhere any more.
///
/// # Errors
/// One of the systems cannot be read.
pub(super) fn look(
    settings: &ServiceSettings,
    lookup: &mut Lookup<'_>,
    told: &mut Told,
) -> Result<Vec<Finding>, TreeError> {
    let texts = Texts::of(settings);
    let mut edits = Edits::default();
    for (_, part) in &texts.parts {
        for range in paths(&texts.all[part.clone()]) {
            let at = part.start + range.start..part.start + range.end;
            let Ok(path) = RootPath::parse(&texts.all[at.clone()]) else { continue };
            let Some(gone) = lookup.path(&path)? else { continue };
            match &gone.nearest.certain {
                Some(certain) => edits.put(at, certain.as_bytes().to_vec()),
                None => told.gone(&gone, &texts.all[at.clone()], texts.place(at.start)),
            }
        }
    }
    for line in texts.ranges(&[TextOf::Environment]) {
        for range in zones::named(&texts.all[line.clone()]) {
            let at = line.start + range.start..line.start + range.end;
            let word = &texts.all[at.clone()];
            match lookup.zone(word)? {
                Some((_, Some(today))) => edits.put(at, today),
                Some((gone, None)) => told.gone(&gone, word, texts.place(at.start)),
                None => {}
            }
        }
    }
    let scripts = texts.scripts(settings);
    let mut named = texts.named_by_variables();
    named.extend(all_programs(&texts.all, &scripts, &|name| lookup.was_program(name)));
    for word in named {
        let name = &texts.all[word.at.clone()];
        match lookup.program(name)? {
            Some((_, Some(certain))) if word.runs => edits.put(word.at, certain),
            Some((gone, _)) => told.gone(&gone, name, texts.place(word.at.start)),
            None => {}
        }
    }
    for one in texts.accounts(&scripts, &|name| lookup.was_program(name)) {
        let word = &texts.all[one.at.clone()];
        match accounts::fate(lookup.records, word, one.group) {
            Some(Fate::Now(new)) if one.sure => edits.put_as(one.sort(), one.at, new),
            Some(Fate::Taken(_)) if !one.sure => {}
            Some(fate) => told.account(one.group, word, fate, texts.place(one.at.start)),
            None => {}
        }
    }
    for (at, number) in said::in_commands(&texts.all, &scripts, lookup) {
        let of = &lookup.records.outdated[number];
        told.outdated((number, of), &texts.all[at.clone()], texts.place(at.start));
    }
    Ok(cures(&texts, &edits))
}

/// Each text that is other now as a whole.
fn cures(texts: &Texts, edits: &Edits) -> Vec<Finding> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let changed = texts.parts.iter().filter_map(|(which, part)| {
        let edits = edits.within(part);
        (!edits.is_empty()).then(|| {
            Finding::cured(Cure::Setting {
                which: *which,
                from: text(&texts.all[part.clone()]),
                to: text(&edits.apply(&texts.all, part.clone())),
                what: edits.told(&texts.all),
            })
        })
    });
    changed.collect()
}
