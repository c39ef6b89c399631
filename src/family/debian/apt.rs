//! The staged system's packages: asked of dpkg, and offered by apt.

use std::collections::BTreeSet;

use super::taken;
use super::way::{Way, unreadable_output};
use crate::failure::{Failure, FailureKind};
use crate::family::offered::{Offered, Taken};
use crate::system::{Command, Ran, System};

/// Prints what can be installed.
const OFFERED: &str = include_str!("offered.sh");

/// Largest list of packages that is read.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Longer than the name of any architecture.
const WORD: u64 = 64;

/// What helps where nothing more is known.
pub(super) const AGAIN: &str = "see the reason, then run the same command again";

/// The system's own architecture; `None` where it has no dpkg.
pub(super) fn architecture(system: &mut dyn System) -> Result<Option<String>, Failure> {
    let mut ran = system.run_one(Command::new(&["dpkg", "--print-architecture"]))?;
    if ran.code != 0 {
        return Ok(None);
    }
    let architecture = ran.text(WORD).map_err(|e| unreadable_output(e, "dpkg"))?;
    Ok(Some(architecture.trim().to_owned()))
}

/// The installed packages: each by its name, those of another architecture than the system's with
/// it too.
pub(super) fn installed(system: &mut dyn System) -> Result<BTreeSet<String>, Failure> {
    let argv = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Architecture}\n"];
    let mut ran = system.run_one(Command::new(&argv))?;
    let text = ran.text(LIMIT).map_err(|e| unreadable_output(e, "dpkg-query"))?;
    let installed = text.lines().filter_map(|line| line.strip_prefix("installed "));
    let both = installed.filter_map(|line| line.split_once(' '));
    let names = both.flat_map(|(name, arch)| [name.to_owned(), format!("{name}:{arch}")]);
    Ok(names.collect())
}

/// Lets the system have packages of these architectures too; returns those it did not.
pub(super) fn add_architectures(
    system: &mut dyn System,
    wanted: &[String],
) -> Result<Vec<String>, Failure> {
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    let mut ran = system.run_one(Command::new(&["dpkg", "--print-foreign-architectures"]))?;
    let known = ran.text(LIMIT).map_err(|e| unreadable_output(e, "dpkg"))?;
    let new: Vec<&String> =
        wanted.iter().filter(|name| !known.lines().any(|k| k == *name)).collect();
    for name in &new {
        let argv = ["dpkg", "--add-architecture", name];
        run_quietly(system, "adding an architecture with", &argv)?;
    }
    Ok(new.into_iter().cloned().collect())
}

/// Fetches today's lists of packages.
pub(super) fn fetch_lists(system: &mut dyn System) -> Result<(), Failure> {
    let way = Way::of(system)?;
    let ran = system.download(way.get(&["-q", "-o", "APT::Update::Error-Mode=any", "update"]))?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Environment, "fetching", "the package lists of the target")
        .why(ran.complaint())
        .nothing_left()
        .next("give the target a network and working sources, then run the same command again"))
}

/// What can be installed.
pub(super) fn offered(system: &mut dyn System) -> Result<Offered, Failure> {
    let mut ran = system.run_one(Command::new(&["sh", "-c", OFFERED]))?;
    let text = ran.text(LIMIT).map_err(|e| unreadable_output(e, "apt-cache"))?;
    let native = architecture(system)?.unwrap_or_default();
    Ok(read(&text, &native))
}

/// Reads what apt prints of packages in a system of the architecture `native`, stanza by stanza.
fn read(text: &str, native: &str) -> Offered {
    #[derive(Default)]
    struct Stanza<'a> {
        package: &'a str,
        version: &'a str,
        architecture: &'a str,
        provides: &'a str,
        replaces: &'a str,
        breaks: &'a str,
        conflicts: &'a str,
    }
    let mut stanzas: Vec<Stanza<'_>> = vec![];
    for (field, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        match (field, stanzas.last_mut()) {
            ("Package", _) => stanzas.push(Stanza { package: value, ..Stanza::default() }),
            ("Version", Some(stanza)) => stanza.version = value,
            ("Architecture", Some(stanza)) => stanza.architecture = value,
            ("Provides", Some(stanza)) => stanza.provides = value,
            ("Replaces", Some(stanza)) => stanza.replaces = value,
            ("Breaks", Some(stanza)) => stanza.breaks = value,
            ("Conflicts", Some(stanza)) => stanza.conflicts = value,
            _ => {}
        }
    }
    let mut offered = Offered::default();
    for stanza in stanzas {
        let Stanza { package, version, architecture, provides, replaces, breaks, conflicts } =
            stanza;
        let is_native = ["all", native].contains(&architecture);
        let full = |name: &str| match is_native {
            true => name.to_owned(),
            false => format!("{name}:{architecture}"),
        };
        offered.packages.insert(full(package));
        if is_native {
            offered.versions.push((package.to_owned(), version.to_owned()));
            for (old, of) in taken::taken(replaces, &[breaks, conflicts]) {
                let taken = offered.taken.entry(old.to_owned()).or_default();
                taken.push(Taken { by: package.to_owned(), of: of.map(str::to_owned) });
            }
        }
        // `a (= 1), b`: the versions of names do not matter.
        for name in provides.split(',').filter_map(|name| name.split_whitespace().next()) {
            offered.provided.entry(full(name)).or_default().insert(full(package));
        }
    }
    offered
}

/// Removes what was fetched.
pub(super) fn clean(system: &mut dyn System) -> Result<(), Failure> {
    run_quietly(system, "cleaning up after", &["apt-get", "clean"])?;
    run_quietly(system, "cleaning up after", &["sh", "-c", "rm -rf /var/lib/apt/lists/*"])
}

/// Runs something whose failure means that the system is unusable.
fn run_quietly(system: &mut dyn System, doing: &str, argv: &[&str]) -> Result<(), Failure> {
    let ran = system.run_one(Command::new(argv))?;
    succeeded(&ran, doing, &argv.join(" "))
}

/// Makes a failure of a command a failure.
pub(super) fn succeeded(ran: &Ran, doing: &str, subject: &str) -> Result<(), Failure> {
    if ran.code == 0 {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Step, doing, subject)
        .why(format!("it ended with {}: {}", ran.code, ran.complaint()))
        .nothing_left()
        .next(AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_another_architecture_are_offered_with_its_name() {
        let text = "Package: a\nVersion: 1\nArchitecture: amd64\nProvides: b (= 1), c\n\
                    Package: a\nVersion: 2\nArchitecture: i386\nProvides: c\n\
                    Package: d\nArchitecture: all\nVersion: 3\n";
        let offered = read(text, "amd64");
        let packages: Vec<&str> = offered.packages.iter().map(String::as_str).collect();
        assert_eq!(packages, ["a", "a:i386", "d"]);
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let provided: Vec<_> = offered.provided.into_iter().collect();
        let expected = [("b", "a"), ("c", "a"), ("c:i386", "a:i386")];
        assert_eq!(provided, expected.map(|(name, by)| (name.to_owned(), set(by))));
        let owned = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        assert_eq!(offered.versions, [("a", "1"), ("d", "3")].map(owned));
    }
}
