//! What is asked of the new system before it gets its name: whether the applications accept their
//! files, and whether the service does what it did in the old one.
//!
//! What is found is left to a person, with one exception: an application that does not accept its
//! own files ends the restore. It has to be about these files, though: names of other machines and
//! files of mounts that were not taken are not here, and what was so in the old system is no news.

use std::collections::BTreeMap;
use std::path::Path;

use crate::bundle::Manifest;
use crate::engine::settings;
use crate::failure::{Failure, FailureKind};
use crate::monitor::Monitor;
use crate::observe::{Renamed, Surroundings, compare};
use crate::restore::plan::{Check, PlanContent};
use crate::restore::target::{Sealed, Seen, Target, Watching};
use crate::survey::{MountFact, Observation};
use crate::system::{System, line};
use crate::tree::{Draft, RootPath, is_within};
use crate::verdict::{Held, HeldKind};

/// How much content of volumes is copied to observe a service.
pub(in crate::restore) const MOST: u64 = 512 << 20;

/// What is said where the new system is not checked.
pub(in crate::restore) const SKIPPED: &str =
    "whether the new service does what the old one did was not checked: that was switched off";

/// What checking came to.
#[derive(Debug, Default, PartialEq)]
pub(in crate::restore) struct Findings {
    pub(in crate::restore) held: Vec<Held>,
    pub(in crate::restore) limitations: Vec<String>,
}

impl Findings {
    /// Why nothing was compared.
    pub(in crate::restore) fn not(why: &str) -> Findings {
        let limitations = vec![format!("the new service was not compared with the old one: {why}")];
        Findings { held: vec![], limitations }
    }

    /// What was found besides.
    pub(in crate::restore) fn add(&mut self, more: Findings) {
        self.held.extend(more.held);
        self.limitations.extend(more.limitations);
    }
}

/// What of the old system checks have to know.
pub(in crate::restore) struct Old<'a> {
    pub(in crate::restore) manifest: &'a Manifest,
    pub(in crate::restore) renamed: &'a Renamed,
    /// Whether names can be lent to the new system without becoming part of it.
    pub(in crate::restore) lends: bool,
}

impl Old<'_> {
    pub(in crate::restore) fn observation(&self) -> Option<&Observation> {
        self.manifest.survey.observation.as_ref()
    }

    fn surroundings(&self) -> Surroundings {
        let settings = settings::of_bundle(&self.manifest.settings).ok().flatten();
        let hosts = settings.map(|settings| settings.network.hosts).unwrap_or_default();
        let known = hosts.iter().filter_map(|host| host.split([':', '=']).next());
        let mounts = MountFact::absent(&self.manifest.survey.mounts);
        let lent = self.observation().into_iter().flat_map(|old| old.lent.iter().cloned());
        Surroundings {
            known: known.map(str::to_owned).collect(),
            absent: mounts.map(|mount| mount.destination.to_string()).collect(),
            lent: self.lends.then(|| lent.collect()),
        }
    }
}

/// Asks the applications whether their files are right.
///
/// # Errors
/// The first that does not accept what it should (step).
pub(in crate::restore) fn validate(
    system: &mut dyn System,
    checks: &[Check<'_>],
    old: &Old<'_>,
    monitor: &dyn Monitor,
) -> Result<Vec<Held>, Failure> {
    let mut around = old.surroundings();
    let mut held: Vec<Held> = vec![];
    if !checks.is_empty() && around.lent.is_some() {
        around.lend(system)?;
    }
    for Check { app, argv } in checks {
        monitor.phase(&format!("checking with {}", line(argv)));
        let checked = around.check(system, argv)?;
        let before = old.observation().into_iter().flat_map(|old| &old.checks);
        let mut before = before.filter(|check| check.app == *app);
        if !checked.is_excused(before.next()) {
            let said = &checked.said;
            let last = said[said.len().saturating_sub(4)..].join("; ");
            return Err(Failure::new(FailureKind::Step, "checking with", line(argv))
                .why(format!("it ended with {}: {last}", checked.code))
                .nothing_left()
                .next(
                    "write a rule for what it complains about, then run the same command again",
                ));
        }
        for (said, name) in &checked.about_surroundings {
            let known = around.known.contains(name);
            if !known && checked.is_news(said, name, old.observation()) {
                let why = format!(
                    "`{}` complains of what is not here while it is checked: {said}",
                    line(argv)
                );
                let one = Held::new(HeldKind::Surroundings, name, why);
                if !held.contains(&one) {
                    held.push(one);
                }
            }
        }
    }
    Ok(held)
}

/// Starts the new service as the old one was started, and compares what the two did.
///
/// # Errors
/// The run was cancelled; whatever else goes wrong is a limitation.
pub(in crate::restore) fn observe(
    target: &mut Target<Sealed>,
    plan: &PlanContent,
    old: &Old<'_>,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Findings, Failure> {
    let Some(before) = old.observation() else { return Ok(Findings::default()) };
    let size = plan.volumes.iter().map(|volume| size(&volume.content)).fold(0, u64::saturating_add);
    if size > MOST {
        let (size, most) = (size >> 20, MOST >> 20);
        return Ok(Findings::not(&format!("{size} MiB would be copied, more than {most}")));
    }
    monitor.phase("observing the new service in a copy");
    let watching = Watching { logs: logs(plan), lent: before.lent.clone(), scratch };
    found_twice(before, old.renamed, &mut || target.observe(&watching))
}

/// What the service does otherwise than `before`, each time that `look` watches it.
///
/// # Errors
/// The run was cancelled; whatever else goes wrong is a limitation.
pub(in crate::restore) fn found_twice(
    before: &Observation,
    renamed: &Renamed,
    look: &mut dyn FnMut() -> Result<Seen, Failure>,
) -> Result<Findings, Failure> {
    let mut held: Option<Vec<Held>> = None;
    let mut limitations = vec![];
    // What is found once may be the moment's; what is found twice is so.
    for _ in 0..2 {
        let found = match look() {
            Ok(Seen::Observation(after)) => {
                limitations = unasked(before, &after).map(str::to_owned).into_iter().collect();
                compare(before, &after, renamed)
            }
            Ok(Seen::Nothing(why)) => return Ok(Findings::not(why)),
            Err(failure) if matches!(failure.kind(), FailureKind::Signal(_)) => {
                return Err(failure);
            }
            Err(failure) => return Ok(Findings::not(&failure.reason())),
        };
        let both = match held.take() {
            Some(first) => confirmed(first, &found),
            None => found,
        };
        if both.is_empty() {
            return Ok(Findings { held: vec![], limitations });
        }
        held = Some(both);
    }
    Ok(Findings { held: held.unwrap_or_default(), limitations })
}

/// What is said where one of the systems has no shell to ask in.
fn unasked(old: &Observation, new: &Observation) -> Option<&'static str> {
    match (old.unasked, new.unasked) {
        (false, false) => None,
        (true, true) => Some(
            "where the new service listens was not compared: there is no shell in it to ask with",
        ),
        (true, false) => Some(
            "where the new service listens was not compared: there was no shell in the old one to \
             ask with",
        ),
        (false, true) => Some(
            "what the new service does was not compared in full: there is no shell in it to ask \
             with",
        ),
    }
}

/// What of the first findings was found again.
fn confirmed(first: Vec<Held>, again: &[Held]) -> Vec<Held> {
    let same = |a: &Held, b: &Held| (a.kind, &a.subject) == (b.kind, &b.subject);
    first.into_iter().filter(|one| again.iter().any(|other| same(one, other))).collect()
}

fn size(draft: &Draft) -> u64 {
    draft.nodes().map(|node| node.entry.kind.size()).fold(0, u64::saturating_add)
}

/// The lengths of all logs that are placed.
fn logs(plan: &PlanContent) -> BTreeMap<String, u64> {
    let root = RootPath::root();
    let volumes = plan.volumes.iter().map(|volume| (&volume.destination, &volume.content));
    let all = std::iter::once((&root, &plan.draft)).chain(volumes);
    let mut logs = BTreeMap::new();
    for (place, draft) in all {
        for node in draft.nodes().filter(|node| node.entry.kind.is_file()) {
            let path = place.join(&node.entry.path);
            if is_within(path.as_bytes(), b"/var/log") {
                logs.insert(path.to_string(), node.entry.kind.size());
            }
        }
    }
    logs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::CheckFact;
    use crate::system::{Command, Ran};

    /// A system whose checks all say the same, until the names in it are known.
    struct Says(&'static str, Vec<String>);

    impl System for Says {
        fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
            let answer = |command: Command| {
                let stdout = tempfile::tempfile().unwrap();
                if command.argv.get(3).is_some_and(|word| word == "lend-names") {
                    self.1.extend(command.argv[4..].iter().cloned());
                    return Ran { code: 0, stdout, stderr: vec![] };
                }
                let settled = self.1.iter().any(|name| self.0.contains(name.as_str()));
                let (code, text) = if settled { (0, "") } else { (1, self.0) };
                Ran { code, stdout, stderr: text.into() }
            };
            Ok(commands.into_iter().map(answer).collect())
        }
    }

    const NAMELESS: &str = "[emerg] host not found in upstream \"app\" in /etc/x:1\ntest failed\n";

    fn validated(says: &'static str, manifest: &Manifest) -> Result<Vec<Held>, Failure> {
        let renamed = Renamed::default();
        let argv = ["web".to_owned(), "-t".to_owned()];
        let checks = [Check { app: "web", argv: &argv }];
        let old = Old { manifest, renamed: &renamed, lends: true };
        validate(&mut Says(says, vec![]), &checks, &old, &crate::monitor::Silent)
    }

    #[test]
    fn a_complaint_about_a_name_of_the_surroundings_is_held_and_a_known_one_is_no_news() {
        let mut manifest = Manifest::default();
        let held = validated(NAMELESS, &manifest).unwrap();
        assert_eq!((held[0].kind, held[0].subject.as_str()), (HeldKind::Surroundings, "app"));
        let lent = vec!["app".to_owned()];
        manifest.survey.observation = Some(Observation { lent, ..Observation::default() });
        assert_eq!(validated(NAMELESS, &manifest).unwrap(), []);
    }

    #[test]
    fn what_was_found_once_only_is_not_held() {
        let of = |kind, subject: &str| Held::new(kind, subject, "why");
        let first = vec![of(HeldKind::Process, "a"), of(HeldKind::Listener, "80/tcp")];
        let again = [of(HeldKind::Listener, "80/tcp"), of(HeldKind::Log, "a")];
        assert_eq!(confirmed(first.clone(), &again), [first[1].clone()]);
    }

    #[test]
    fn a_complaint_about_the_files_refuses_unless_the_old_system_had_it_too() {
        let mut manifest = Manifest::default();
        let says = "[emerg] unknown directive \"x\" in /etc/web.conf:3\ntest failed\n";
        assert_eq!(validated(says, &manifest).unwrap_err().kind(), FailureKind::Step);
        let said = vec![
            "[emerg] unknown directive \"x\" in /etc/web.conf:#".to_owned(),
            "test failed".to_owned(),
        ];
        let checks = vec![CheckFact { app: "web".into(), code: 1, said }];
        manifest.survey.observation = Some(Observation { checks, ..Observation::default() });
        assert_eq!(validated(says, &manifest).unwrap(), []);
    }
}
