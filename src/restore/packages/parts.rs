//! Parts of old packages that were in use and that other packages bring today.
//!
//! A daemon may have left its package for one of its own, which nothing that was asked for needs.
//! Once the packages are installed that were asked for, it is seen which parts are missing. What is
//! on offer and says that it took files of the old package, or is called like the missing service,
//! is looked into: a package that brings the part, the only one that does, is installed too.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::family::{Family, Offered};
use crate::restore::packages::in_use::{InUse, Part, Switched};
use crate::restore::value::packages::{Install, Unserved};
use crate::survey::{IntentWhy, Survey};
use crate::tree::RootPath;

/// How many packages are looked into.
const MAX_LOOKED_INTO: usize = 32;

/// What is found out about parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::restore) struct Found {
    /// To install, by name.
    pub(in crate::restore) install: Vec<Install>,
    /// Services that nothing brings.
    pub(in crate::restore) unserved: Vec<Unserved>,
}

/// What an old package lacks today.
struct Missing<'a> {
    package: &'a str,
    /// All that is gone.
    gone: BTreeSet<Part>,
    /// What of it was in use for itself.
    used: BTreeSet<Part>,
    /// Services that were on.
    services: BTreeMap<Vec<u8>, Switched>,
    /// The packages that say they took files of it.
    took: BTreeSet<String>,
    /// All packages that may bring it.
    candidates: BTreeSet<String>,
}

/// What is known of the new system while parts are looked for.
pub(in crate::restore) struct Place<'a> {
    /// The family that it is of.
    pub(in crate::restore) family: &'a dyn Family,
    /// What its repositories offer.
    pub(in crate::restore) offered: &'a Offered,
    /// Its packages.
    pub(in crate::restore) installed: &'a BTreeSet<String>,
    /// The paths that it has where parts of packages are.
    pub(in crate::restore) present: &'a [RootPath],
    /// Packages of today that bring a path, as far as it is learned.
    pub(in crate::restore) brought_by: &'a dyn Fn(&RootPath) -> Vec<String>,
    /// Whether rules say what became of an old package.
    pub(in crate::restore) ruled: &'a dyn Fn(&str) -> bool,
}

/// Says what packages would bring.
pub(in crate::restore) type Look<'a> =
    dyn FnMut(&[&str]) -> Result<BTreeMap<String, Vec<RootPath>>, Failure> + 'a;

/// Looks for the missing parts of `old`; `look` says what packages would bring.
///
/// # Errors
/// Those of `look`.
pub(in crate::restore) fn find(
    survey: &Survey,
    old: &InUse,
    place: &Place<'_>,
    look: &mut Look<'_>,
) -> Result<Found, Failure> {
    let present: BTreeSet<Part> = place.present.iter().filter_map(Part::of).collect();
    let mut missing: Vec<Missing<'_>> = vec![];
    let mut seen = BTreeSet::new();
    for fact in &survey.packages {
        if seen.insert(&fact.name) && !(place.ruled)(&fact.name) {
            let took = place.family.took_from(place.offered, &fact.name, &fact.version);
            missing.extend(missing_of(&fact.name, took, old, &present, place));
        }
    }
    let candidates: BTreeSet<&str> =
        missing.iter().flat_map(|missing| &missing.candidates).map(String::as_str).collect();
    let candidates: Vec<&str> = candidates.into_iter().take(MAX_LOOKED_INTO).collect();
    let contents = match candidates.as_slice() {
        [] => BTreeMap::new(),
        some => look(some)?,
    };
    let contents: BTreeMap<String, BTreeSet<Part>> = contents
        .into_iter()
        .map(|(name, paths)| (name, paths.iter().filter_map(Part::of).collect()))
        .collect();
    let mut install: BTreeMap<String, String> = BTreeMap::new();
    let mut unserved = vec![];
    for missing in &missing {
        let brought = missing.bring(&contents);
        for name in &brought {
            install.entry(name.clone()).or_insert_with(|| missing.package.to_owned());
        }
        unserved.extend(missing.unserved(&brought, &contents));
    }
    let made = |(name, old)| Install { name, formerly: Some(old), why: IntentWhy::Part };
    Ok(Found { install: install.into_iter().map(made).collect(), unserved })
}

/// Whether something of `old` is not `present` that was in use.
pub(in crate::restore) fn lacks(old: &InUse, present: &[RootPath]) -> bool {
    let present: BTreeSet<Part> = present.iter().filter_map(Part::of).collect();
    old.parts.keys().any(|package| lack(package, old, &present).is_some())
}

/// What of an old package is gone.
struct Lack {
    gone: BTreeSet<Part>,
    used: BTreeSet<Part>,
    services: BTreeMap<Vec<u8>, Switched>,
}

/// What `package` lacks; `None` when nothing that was in use.
fn lack(package: &str, old: &InUse, present: &BTreeSet<Part>) -> Option<Lack> {
    let gone: BTreeSet<Part> = old.parts.get(package)?.difference(present).cloned().collect();
    let is_gone = |name: &Vec<u8>| gone.contains(&Part::Service(name.clone()));
    // What only the base image switched on is the new base's affair.
    let own = old.on(package).into_iter().filter(|(_, by)| *by != Switched::Base);
    let services: BTreeMap<Vec<u8>, Switched> = own.filter(|(name, _)| is_gone(name)).collect();
    let edited = old.edited.get(package).into_iter().flatten();
    let edited = edited.map(|path| Part::Configuration(path.clone()));
    let named =
        gone.iter().filter(|part| matches!(part, Part::Program(name) if old.named.contains(name)));
    let used = edited.filter(|part| !present.contains(part)).chain(named.cloned());
    let own = services.keys().map(|name| Part::Service(name.clone()));
    let used: BTreeSet<Part> = used.chain(own).collect();
    (!used.is_empty()).then_some(Lack { gone, used, services })
}

/// Where to look for what `package` lacks; `took` are packages that took files of it.
fn missing_of<'a>(
    package: &'a str,
    took: Vec<String>,
    old: &InUse,
    present: &BTreeSet<Part>,
    place: &Place<'_>,
) -> Option<Missing<'a>> {
    let Lack { gone, used, services } = lack(package, old, present)?;
    let stems = services.keys().filter_map(|name| std::str::from_utf8(name).ok());
    let stems = stems.filter_map(|name| name.rsplit_once('.')).map(|(stem, _)| stem);
    let named = stems.map(|stem| stem.trim_end_matches('@').to_owned());
    let learned = used.iter().flat_map(Part::places).flat_map(|path| (place.brought_by)(&path));
    let offered =
        |name: &String| place.offered.packages.contains(name) && !place.installed.contains(name);
    let took: BTreeSet<String> = took.into_iter().filter(offered).collect();
    let candidates = took.iter().cloned().chain(named.chain(learned).filter(offered)).collect();
    Some(Missing { package, gone, used, services, took, candidates })
}

impl Missing<'_> {
    /// The packages of `contents` that bring what was in use.
    fn bring(&self, contents: &BTreeMap<String, BTreeSet<Part>>) -> BTreeSet<String> {
        let mut brought = BTreeSet::new();
        for part in &self.used {
            brought.extend(self.only_one(contents, &|parts| parts.contains(part)));
        }
        if brought.is_empty() {
            // The service is called otherwise, and its program is what it was.
            let daemon = |parts: &BTreeSet<Part>| {
                parts.iter().any(|part| matches!(part, Part::Service(_)))
                    && parts
                        .iter()
                        .any(|part| matches!(part, Part::Program(_)) && self.gone.contains(part))
            };
            let took = |parts: &(&String, &BTreeSet<Part>)| self.took.contains(parts.0);
            let mut all = contents.iter().filter(took).filter(|(_, parts)| daemon(parts));
            brought
                .extend(all.next().filter(|_| all.next().is_none()).map(|(name, _)| name.clone()));
        }
        brought
    }

    /// The package that brings what is `wanted`: the only one that took files of the old one, else
    /// the only one at all.
    fn only_one(
        &self,
        contents: &BTreeMap<String, BTreeSet<Part>>,
        wanted: &dyn Fn(&BTreeSet<Part>) -> bool,
    ) -> Option<String> {
        let all: Vec<&String> = self.bringing(contents, wanted).collect();
        let took: Vec<&String> =
            all.iter().copied().filter(|name| self.took.contains(*name)).collect();
        match (took.as_slice(), all.as_slice()) {
            ([one], _) | ([], [one]) => Some((*one).clone()),
            _ => None,
        }
    }

    fn bringing<'c>(
        &'c self,
        contents: &'c BTreeMap<String, BTreeSet<Part>>,
        wanted: &'c dyn Fn(&BTreeSet<Part>) -> bool,
    ) -> impl Iterator<Item = &'c String> {
        let ours = contents.iter().filter(|(name, _)| self.candidates.contains(*name));
        ours.filter(|(_, parts)| wanted(parts)).map(|(name, _)| name)
    }

    /// The services that were on and that none of the packages that are `brought` has, under
    /// whatever name.
    fn unserved(
        &self,
        brought: &BTreeSet<String>,
        contents: &BTreeMap<String, BTreeSet<Part>>,
    ) -> Vec<Unserved> {
        let any_service = |name: &String| {
            contents
                .get(name)
                .is_some_and(|parts| parts.iter().any(|part| matches!(part, Part::Service(_))))
        };
        if brought.iter().any(any_service) {
            return vec![];
        }
        let unserved = |(name, by): (&Vec<u8>, &Switched)| {
            let part = Part::Service(name.clone());
            let with_program = |parts: &BTreeSet<Part>| {
                parts.contains(&part)
                    || parts.iter().any(|p| matches!(p, Part::Program(_)) && self.gone.contains(p))
            };
            Unserved {
                service: String::from_utf8_lossy(name).into_owned(),
                package: self.package.to_owned(),
                by_hand: *by == Switched::Hand,
                candidates: self.bringing(contents, &with_program).cloned().collect(),
            }
        };
        self.services.iter().map(unserved).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::ManifestEntry;
    use crate::family::Taken;
    use crate::packages::Manager;
    use crate::restore::packages::in_use::testing::{edited, entry, manifest, packaged};
    use crate::survey::PackageFact;
    use crate::verdict::Reason;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// A package with a client, a daemon and its unit, which somebody switched on.
    fn mail() -> Vec<ManifestEntry> {
        vec![
            packaged("/lib/systemd/system/mail.service", "mail"),
            packaged("/usr/sbin/maild", "mail"),
            packaged("/usr/bin/mail", "mail"),
        ]
    }

    fn switched(unit: &str) -> ManifestEntry {
        let at = format!("/etc/systemd/system/multi-user.target.wants/{unit}");
        let to = format!("/lib/systemd/system/{unit}");
        entry(&at, None, Reason::SwitchedByHand, Some(&to))
    }

    /// What is found when the new `mail` has only `present`, and each of `offered` took files of it
    /// and brings these paths.
    fn found(
        old: Vec<ManifestEntry>,
        command: &[&str],
        present: &[&str],
        offered: &[(&str, &[&str])],
    ) -> (Found, Vec<String>) {
        let fact = PackageFact {
            name: "mail".into(),
            version: "1".into(),
            arch: "all".into(),
            auto: false,
        };
        let survey = Survey { packages: vec![fact], ..Survey::default() };
        let took = |name: &str| Taken { by: name.to_owned(), of: Some("<< 2".into()) };
        let offer = Offered {
            packages: offered.iter().map(|(name, _)| (*name).to_owned()).collect(),
            taken: [("mail".to_owned(), offered.iter().map(|(name, _)| took(name)).collect())]
                .into(),
            ..Offered::default()
        };
        let present: Vec<RootPath> = present.iter().map(|at| path(at)).collect();
        let place = Place {
            family: crate::family::of(Manager::Dpkg).unwrap(),
            offered: &offer,
            installed: &BTreeSet::from(["mail".to_owned()]),
            present: &present,
            brought_by: &|_| vec![],
            ruled: &|_| false,
        };
        let mut looked = vec![];
        let mut look = |names: &[&str]| {
            looked.extend(names.iter().map(|&name| name.to_owned()));
            let paths = |paths: &[&str]| paths.iter().map(|at| path(at)).collect();
            Ok(offered.iter().map(|(name, at)| ((*name).to_owned(), paths(at))).collect())
        };
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let old = InUse::of(&manifest(old), &command, crate::restore::Relation::Plain);
        let found = find(&survey, &old, &place, &mut look).unwrap();
        (found, looked)
    }

    fn installed(found: &Found) -> Vec<(&str, Option<&str>)> {
        found.install.iter().map(|i| (i.name.as_str(), i.formerly.as_deref())).collect()
    }

    const DAEMON: &[&str] = &["/usr/sbin/maild", "/usr/lib/systemd/system/maild.service"];
    const DOCUMENTS: &[&str] = &["/usr/share/doc/mail/README"];

    #[test]
    fn a_daemon_that_left_its_package_is_brought_when_its_service_was_on() {
        let offered = [("mail-doc", DOCUMENTS), ("maild", DAEMON)];
        let old = [mail(), vec![switched("mail.service")]].concat();
        let (on, _) = found(old, &[], &["/usr/bin/mail"], &offered);
        assert_eq!(installed(&on), [("maild", Some("mail"))]);
        assert_eq!(on.install[0].why, IntentWhy::Part);
        assert_eq!(on.unserved, []);
        // What nobody used is nobody's loss, and nothing is even looked into.
        let (off, looked) = found(mail(), &[], &["/usr/bin/mail"], &offered);
        assert_eq!((off, looked), (Found::default(), vec![]));
    }

    #[test]
    fn a_service_that_is_still_there_brings_nothing() {
        let old = [mail(), vec![switched("mail.service")]].concat();
        let there = ["/usr/lib/systemd/system/mail.service", "/usr/bin/mail", "/usr/bin/maild"];
        let (found, looked) = found(old, &[], &there, &[("maild", DAEMON)]);
        assert_eq!((found, looked), (Found::default(), vec![]));
    }

    #[test]
    fn an_edited_file_brings_the_package_that_has_it_today() {
        let old = [mail(), vec![edited("/etc/mail/queue.conf", "mail")]].concat();
        let there = ["/usr/lib/systemd/system/mail.service", "/usr/bin/mail", "/usr/sbin/maild"];
        let queue: &[&str] = &["/etc/mail/queue.conf", "/usr/lib/systemd/system/queue.service"];
        let (brought, _) = found(old.clone(), &[], &there, &[("queue", queue), ("maild", DAEMON)]);
        assert_eq!(installed(&brought), [("queue", Some("mail"))]);
        let there = [&there[..], &["/etc/mail/queue.conf"]].concat();
        assert_eq!(found(old, &[], &there, &[("queue", queue)]).0, Found::default());
    }

    #[test]
    fn what_the_containers_command_names_is_brought() {
        let client: &[&str] = &["/usr/bin/mail"];
        let there = ["/usr/lib/systemd/system/mail.service", "/usr/sbin/maild"];
        let offered = [("mail-client", client)];
        let (named, _) = found(mail(), &["/usr/bin/mail", "--wait"], &there, &offered);
        assert_eq!(installed(&named), [("mail-client", Some("mail"))]);
        assert_eq!(found(mail(), &["/bin/sh"], &there, &offered).0, Found::default());
    }

    #[test]
    fn of_several_that_may_bring_a_service_none_is_chosen_and_all_are_named() {
        let old = [mail(), vec![switched("mail.service")]].concat();
        let (found, _) = found(old, &[], &[], &[("maild", DAEMON), ("other-maild", DAEMON)]);
        assert_eq!(installed(&found), []);
        let unserved = Unserved {
            service: "mail.service".into(),
            package: "mail".into(),
            by_hand: true,
            candidates: vec!["maild".into(), "other-maild".into()],
        };
        assert_eq!(found.unserved, [unserved]);
    }
}
