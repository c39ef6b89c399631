//! Words of kept texts and of the container's settings that named a program, a file or an account
//! of the old system.
//!
//! A word counts only where it led somewhere before and does not now. It becomes another where
//! that surely means the same ([`nearest`]), and else it is left to a person, once for all the
//! texts that say it.

mod accounts;
mod blocks;
mod code;
mod commands;
mod edits;
mod imports;
mod language;
mod lines;
mod lookup;
mod nearest;
mod paths;
mod said;
mod settings;
mod shell;
mod strings;
mod text;
mod told;
mod zones;

use edits::Edits;
use imports::Places;
use language::Language;
use lines::columns;
use lookup::Lookup;
use text::Text;
use told::{Fate, Place, Told};

use super::finding::{Cure, Finding};
use super::question::Question;
use super::records::Records;
use crate::tree::{RootPath, TreeError};

/// The words that lead nowhere any more.
///
/// # Errors
/// One of the systems cannot be read.
pub(super) fn look(
    question: &Question<'_>,
    records: &Records<'_>,
) -> Result<Vec<Finding>, TreeError> {
    let search = question.settings.map(|(old, now)| (settings::search(old), settings::search(now)));
    let search = search.unwrap_or_default();
    let mut lookup = Lookup::new(question, records, search);
    let (mut told, mut findings) = (Told::default(), Vec::new());
    let mut places = Places::default();
    for kept in question.kept {
        if let Some(text) = Text::read(question, kept, records.theirs)? {
            let edits = of_text(&text, &mut lookup, &mut told)?;
            for imports::Missing { at, place: was } in
                imports::missing(&text, &lookup, &mut places)?
            {
                if let Some(gone) = lookup.path(&was)? {
                    // Some modules can be run too.
                    let gone = gone.called("a module");
                    told.gone(&gone, &text.bytes[at.clone()], place(&text, at.start));
                }
            }
            outdated_in(&text, &lookup, &mut told);
            if !edits.is_empty() {
                findings.push(Finding::cured(Cure::Text {
                    text: edits.apply(&text.bytes, 0..text.bytes.len()),
                    what: edits.told(&text.bytes),
                    path: text.path,
                }));
            }
        }
    }
    if let Some((_, now)) = question.settings {
        findings.extend(settings::look(now, &mut lookup, &mut told)?);
    }
    findings.extend(told.held().into_iter().map(Finding::held));
    Ok(findings)
}

/// What becomes of the words of a text; what cannot be done is told.
fn of_text(text: &Text, lookup: &mut Lookup<'_>, told: &mut Told) -> Result<Edits, TreeError> {
    let mut edits = Edits::default();
    match text.language {
        Language::Passwd => shells(text, lookup, told)?,
        Language::Pam => modules(text, lookup, told)?,
        _ => {}
    }
    if !matches!(text.language, Language::Passwd | Language::Tmpfiles) {
        paths_of(text, lookup, (&mut edits, told))?;
    }
    if text.language == Language::Devices {
        helpers(text, lookup, told)?;
    }
    zones_of(text, lookup, (&mut edits, told))?;
    programs_of(text, lookup, (&mut edits, told))?;
    accounts_of(text, lookup, (&mut edits, told));
    Ok(edits)
}

/// What `text` says that a newer version does not know.
fn outdated_in(text: &Text, lookup: &Lookup<'_>, told: &mut Told) {
    let mut said = said::in_program(text, lookup);
    said.extend(said::in_commands(&text.bytes, &text.scripts, lookup));
    for (at, number) in said.into_iter().filter(|(at, _)| text.counts(at.start)) {
        let of = &lookup.records.outdated[number];
        told.outdated((number, of), &text.bytes[at.clone()], place(text, at.start));
    }
}

fn paths_of(
    text: &Text,
    lookup: &mut Lookup<'_>,
    (edits, told): (&mut Edits, &mut Told),
) -> Result<(), TreeError> {
    for line in text.lines() {
        for range in paths::paths(&text.counting[line.clone()]) {
            let at = line.start + range.start..line.start + range.end;
            let Ok(path) = RootPath::parse(&text.bytes[at.clone()]) else { continue };
            let Some(gone) = lookup.path(&path)? else { continue };
            match &gone.nearest.certain {
                Some(certain) if text.whole => edits.put(at, certain.as_bytes().to_vec()),
                _ => told.gone(&gone, &text.bytes[at.clone()], place(text, at.start)),
            }
        }
    }
    Ok(())
}

fn programs_of(
    text: &Text,
    lookup: &mut Lookup<'_>,
    (edits, told): (&mut Edits, &mut Told),
) -> Result<(), TreeError> {
    // What `env` in the first line runs.
    let first = (text.first_line > 0).then(|| shell::read(&text.bytes, 2..text.first_line));
    let scripts = first.iter().chain(&text.scripts);
    let named = commands::all_programs(&text.bytes, scripts, &|name| lookup.was_program(name));
    for word in named.into_iter().filter(|word| text.counts(word.at.start)) {
        let name = &text.bytes[word.at.clone()];
        match lookup.program(name)? {
            Some((_, Some(certain))) if text.whole && word.runs => edits.put(word.at, certain),
            Some((gone, _)) => told.gone(&gone, name, place(text, word.at.start)),
            None => {}
        }
    }
    Ok(())
}

fn accounts_of(text: &Text, lookup: &Lookup<'_>, (edits, told): (&mut Edits, &mut Told)) {
    let mut spoken = Vec::new();
    for line in text.lines() {
        spoken.extend(accounts::in_places(text.language, &text.counting, line));
    }
    for script in &text.scripts {
        spoken.extend(accounts::in_commands(&text.bytes, script, &|name| lookup.was_program(name)));
    }
    for one in spoken.into_iter().filter(|one| text.counts(one.at.start)) {
        let word = &text.bytes[one.at.clone()];
        match accounts::fate(lookup.records, word, one.group) {
            Some(Fate::Now(new)) if text.whole && one.sure => edits.put_as(one.sort(), one.at, new),
            // Any number may be taken that is no account's: only where it surely is one.
            Some(Fate::Taken(_)) if !one.sure => {}
            Some(fate) => told.account(one.group, word, fate, place(text, one.at.start)),
            None => {}
        }
    }
}

/// Time zones that are set by a name that is no file's any more.
fn zones_of(
    text: &Text,
    lookup: &mut Lookup<'_>,
    (edits, told): (&mut Edits, &mut Told),
) -> Result<(), TreeError> {
    for line in text.lines() {
        for range in zones::named(&text.counting[line.clone()]) {
            let at = line.start + range.start..line.start + range.end;
            let word = &text.bytes[at.clone()];
            match lookup.zone(word)? {
                Some((_, Some(today))) if text.whole => edits.put(at, today),
                Some((gone, _)) => told.gone(&gone, word, place(text, at.start)),
                None => {}
            }
        }
    }
    Ok(())
}

/// Where programs for devices are, when they are named without a directory.
const HELPERS: [RootPath; 2] = [RootPath::literal("/usr/lib/udev"), RootPath::literal("/lib/udev")];

/// Programs that rules about devices run, named without their directory.
fn helpers(text: &Text, lookup: &mut Lookup<'_>, told: &mut Told) -> Result<(), TreeError> {
    for line in text.lines() {
        for command in commands::on_device(&text.counting, line) {
            let Some(word) = columns(&text.counting[command.clone()]).into_iter().next() else {
                continue;
            };
            let at = command.start + word.start..command.start + word.end;
            let name = &text.bytes[at.clone()];
            if name.iter().any(|byte| b"/$%".contains(byte)) {
                continue;
            }
            let places = HELPERS.map(|dir| dir.child(name));
            if places.iter().any(|place| lookup.question.is_there(place)) {
                continue;
            }
            for helper in &places {
                if let Some(gone) = lookup.path(helper)? {
                    told.gone(&gone, name, place(text, at.start));
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Shells with which accounts of the old system logged in.
fn shells(text: &Text, lookup: &mut Lookup<'_>, told: &mut Told) -> Result<(), TreeError> {
    for line in text.lines() {
        let Some(shell) = accounts::shell(&text.counting[line.clone()]) else { continue };
        let at = line.start + shell.start..line.start + shell.end;
        let Ok(path) = RootPath::parse(&text.bytes[at.clone()]) else { continue };
        if let Some(gone) = lookup.path(&path)? {
            told.gone(&gone, &text.bytes[at.clone()], place(text, at.start));
        }
    }
    Ok(())
}

/// Where the modules of a login are, the first as it is on most systems.
fn security_directories(question: &Question<'_>) -> Result<Vec<RootPath>, TreeError> {
    let mut found = Vec::new();
    for lib in ["/usr/lib", "/lib", "/usr/lib64", "/lib64"].map(RootPath::literal) {
        let below = crate::tree::list(question.old, &lib)?.into_iter();
        let below = below.map(|entry| lib.child(entry.path.name()).child(b"security"));
        found.extend(std::iter::once(lib.child(b"security")).chain(below));
    }
    Ok(found.into_iter().filter(|dir| question.was_there(dir)).collect())
}

/// Modules that let users in, named without their directory.
fn modules(text: &Text, lookup: &mut Lookup<'_>, told: &mut Told) -> Result<(), TreeError> {
    let directories = security_directories(lookup.question)?;
    for line in text.lines() {
        for word in columns(&text.counting[line.clone()]) {
            let at = line.start + word.start..line.start + word.end;
            let name = &text.bytes[at.clone()];
            if !name.ends_with(b".so") || name.contains(&b'/') {
                continue;
            }
            let places: Vec<RootPath> = directories.iter().map(|dir| dir.child(name)).collect();
            if places.iter().any(|place| lookup.question.is_there(place)) {
                continue;
            }
            for place_of in &places {
                if let Some(gone) = lookup.path(place_of)? {
                    told.gone(&gone.called("a module"), name, place(text, at.start));
                    break;
                }
            }
        }
    }
    Ok(())
}

fn place(text: &Text, at: usize) -> Place {
    Place::Line(text.path.clone(), text.line(at))
}

#[cfg(test)]
mod tests;
