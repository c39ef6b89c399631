//! Locales that were made in the old system by a command, not by a list: they are made again.

use std::collections::BTreeSet;

use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::step::PlannedCommand;
use crate::survey;
use crate::tree::{Draft, Overlaid, RootPath, TreeError, read_file, resolve};
use crate::verdict::{Held, HeldKind};

/// All locales that can be made, with their charsets.
const SUPPORTED: RootPath = RootPath::literal("/usr/share/i18n/SUPPORTED");

/// The list of those that are made by its own command.
const CHOSEN: RootPath = RootPath::literal("/etc/locale.gen");

/// Further names of locales.
const ALIASES: RootPath = RootPath::literal("/usr/share/locale/locale.alias");

/// Largest of these lists.
const LIMIT: u64 = 1 << 20;

/// Who has more of them has all.
const MOST: usize = 64;

/// Has the locales made again that the new system lacks, before anything that may need one.
///
/// # Errors
/// The new system cannot be read.
pub(in crate::restore) fn make(
    inputs: &Inputs,
    draft: &Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let wanted = &inputs.survey.locales;
    if wanted.is_empty() {
        return Ok(());
    }
    let placed = Overlaid::new(inputs.target, draft, inputs.contents);
    let text = |path: &RootPath| -> Option<String> {
        let bytes = read_file(&placed, path, LIMIT).ok()??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut there: BTreeSet<String> = survey::locales(inputs.target)?.into_iter().collect();
    if draft.get(&CHOSEN).is_some() {
        let chosen = text(&CHOSEN).unwrap_or_default();
        there.extend(Supported::all(&chosen).map(|one| normal(one.name)));
    }
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|name| !there.contains(*name) && !there.contains(&normal(name)))
        .collect();
    let supported = text(&SUPPORTED).unwrap_or_default();
    let aliases = resolve(&placed, &ALIASES)?.is_some();
    let mut commands = Vec::new();
    for name in missing.iter().take(MOST) {
        match Supported::all(&supported).find(|one| one.is(name)) {
            Some(one) => commands.push(one.command(aliases)),
            None => decisions.held.push(held(name)),
        }
    }
    decisions.held.extend(missing.iter().skip(MOST).map(|name| held(name)));
    decisions.commands.splice(0..0, commands);
    Ok(())
}

fn held(name: &str) -> Held {
    let why = "the old system had this locale, and the new one does not know how it is made";
    Held::new(HeldKind::Locale, name, why)
}

/// A locale that can be made.
struct Supported<'a> {
    name: &'a str,
    charset: &'a str,
}

impl<'a> Supported<'a> {
    /// Those that a list names, one a line.
    fn all(text: &'a str) -> impl Iterator<Item = Supported<'a>> {
        text.lines().filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            Some(Supported { name: words.next()?, charset: words.next()? })
        })
    }

    /// Whether it is what is called `name` in an archive.
    fn is(&self, name: &str) -> bool {
        let (language, modifier) = parts(self.name);
        let full = format!("{language}.{}{modifier}", charset(self.charset));
        normal(self.name) == normal(name) || full == normal(name)
    }

    fn command(&self, aliases: bool) -> PlannedCommand {
        let (language, modifier) = parts(self.name);
        let input = format!("{language}{modifier}");
        let mut argv = vec!["localedef", "-i", &input, "-c", "-f", self.charset];
        let file = ALIASES.to_string();
        if aliases {
            argv.extend(["-A", &file]);
        }
        argv.push(self.name);
        PlannedCommand {
            argv: argv.into_iter().map(str::to_owned).collect(),
            stdin: None,
            expect: None,
            why: "the old system had this locale".to_owned(),
        }
    }
}

/// The name without its charset: language, and what follows the at sign with this.
fn parts(name: &str) -> (&str, &str) {
    let at = name.find('@').unwrap_or(name.len());
    let (begin, modifier) = name.split_at(at);
    (begin.split('.').next().unwrap_or(begin), modifier)
}

/// The name as an archive has it.
fn normal(name: &str) -> String {
    let (language, modifier) = parts(name);
    let end = name.len() - modifier.len();
    match name[..end].split_once('.') {
        Some((_, code)) => format!("{language}.{}{modifier}", charset(code)),
        None => name.to_owned(),
    }
}

/// The charset as names have it.
fn charset(name: &str) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    let plain = plain.collect::<String>().to_ascii_lowercase();
    if plain.bytes().all(|byte| byte.is_ascii_digit()) { format!("iso{plain}") } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_made_by_the_name_and_charset_that_the_list_has() {
        let list = "# all\naa_DJ ISO-8859-1\nde_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n\
                    de_DE@euro ISO-8859-15\n# en_US.UTF-8 UTF-8\n";
        let made = |name: &str| {
            let found = Supported::all(list).find(|one| one.is(name));
            found.map(|one| one.command(false).argv.join(" "))
        };
        let expected = "localedef -i de_DE -c -f UTF-8 de_DE.UTF-8";
        assert_eq!(made("de_DE.utf8").as_deref(), Some(expected));
        assert_eq!(made("de_DE.UTF-8").as_deref(), Some(expected));
        let latin = "localedef -i de_DE -c -f ISO-8859-1 de_DE";
        assert_eq!(made("de_DE").as_deref(), Some(latin));
        assert_eq!(made("de_DE.iso88591").as_deref(), Some(latin));
        let euro = "localedef -i de_DE@euro -c -f ISO-8859-15 de_DE@euro";
        assert_eq!(made("de_DE@euro").as_deref(), Some(euro));
        assert_eq!(made("en_US.utf8"), None);
    }
}
