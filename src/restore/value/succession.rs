//! [`Succession`]: whether what is restored onto is a successor of the old container's image, and
//! what that leaves to it.
//!
//! On a plain base nothing of the old image is to be had again. A successor is made by the same
//! people for the same purpose: what the old image brought is its business, and only what was said
//! when the container was made, and what came in its life and in volumes, is carried onto it.
//!
//! It is recognised by what both images say of themselves. One word that both have is chance; the
//! same program that is run, with two more, is not.

use std::collections::BTreeSet;
use std::fmt;

use crate::bundle::Manifest;
use crate::environments::EnvironmentKind;
use crate::packages::UNATTENDED;
use crate::restore::value::relation::Relation;
use crate::restore::value::step::Step;
use crate::service::{ServiceSettings, TextOf};
use crate::survey::{ImageFact, Survey};
use crate::tree::{FileType, RootPath, is_within};
use crate::verdict::{Class, Held, HeldKind, Origin, Reason};

/// Programs that run whatever they are given: two images that run one have nothing in common.
const ANYBODYS: &[&str] =
    &["ash", "bash", "busybox", "dash", "env", "init", "sh", "sleep", "tail", "zsh"];

/// Variables that images have whatever they are for.
const EVERYWHERE: &[&str] = &["HOME", "LANG", "LANGUAGE", "LC_ALL", "PATH", "TERM", "TZ"];

/// Labels that say what an image is, not which version.
const TITLES: &[&str] = &[
    "org.opencontainers.image.title",
    "org.opencontainers.image.source",
    "org.opencontainers.image.url",
    "org.opencontainers.image.documentation",
    "org.label-schema.name",
    "org.label-schema.vcs-url",
    "maintainer",
];

/// How much more than the program that is run both have to have.
const ENOUGH: usize = 2;

/// How many programs of the old image are looked for.
pub(in crate::restore) const PROGRAMS: usize = 200;

/// What a restore is onto, and why that is thought.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::restore) struct Succession {
    pub(in crate::restore) relation: Relation,
    /// Somebody said so.
    said: bool,
    /// What both images have, in words.
    evidence: Vec<String>,
    /// The image beneath the old container.
    old: Option<ImageFact>,
    /// The image that is restored onto.
    new: Option<ImageFact>,
}

impl Succession {
    /// What `new` is to the image beneath the old container. `said` is what a person says of it;
    /// `programs` are those of the old image, and those of them that the new one has.
    pub(in crate::restore) fn of(
        survey: &Survey,
        new: Option<ImageFact>,
        said: Option<Relation>,
        programs: (usize, &[RootPath]),
    ) -> Succession {
        let old = survey.image.clone();
        let (same, evidence) = match (&old, &new) {
            (Some(old), Some(new)) => common(old, new, programs),
            _ => (false, vec![]),
        };
        let more = evidence.len() - usize::from(same);
        let seen = if same && more >= ENOUGH { Relation::Successor } else { Relation::Plain };
        Succession { relation: said.unwrap_or(seen), said: said.is_some(), evidence, old, new }
    }

    /// The step that says so; of a base that has nothing of the old image nobody needs to hear.
    pub(in crate::restore) fn step(&self) -> Option<Step> {
        let tells = self.said || !self.evidence.is_empty();
        tells.then(|| Step::Onto {
            relation: self.relation,
            of: self.old.as_ref().map(|old| old.name.clone()).unwrap_or_default(),
            said: self.said,
            evidence: self.evidence.clone(),
        })
    }

    /// The question that is left where the images have much in common, and not enough.
    pub(in crate::restore) fn doubt(&self) -> Option<Held> {
        let doubtful =
            !self.said && self.relation == Relation::Plain && self.evidence.len() >= ENOUGH;
        let old = self.old.as_ref().filter(|_| doubtful)?;
        let why = format!(
            "it has something of the old container's image ({}) and is taken for a plain base, onto \
             which all of that image is placed; if it is a later version of it, say `--as \
             successor`, else `--as plain`",
            self.evidence.join("; ")
        );
        let name = if old.name.is_empty() { "the old image" } else { &old.name };
        Some(Held::new(HeldKind::Image, name, why))
    }

    /// The facts that are carried: what the old image has is left to its successor.
    pub(in crate::restore) fn survey(&self, manifest: &Manifest) -> Survey {
        let mut survey = manifest.survey.clone();
        let Some(old) = self.old.as_ref().filter(|_| self.relation == Relation::Successor) else {
            return survey;
        };
        let had: BTreeSet<&str> = old.packages.iter().map(String::as_str).collect();
        survey.intents.retain(|intent| !had.contains(intent.name.as_str()));
        survey.withdrawn.retain(|fact| !had.contains(fact.name.as_str()));
        // Whoever adds to a directory changes it: what is in it tells whose it was.
        let brought = |root: &RootPath| {
            manifest.entries.listed().any(|listed| {
                !self.relation.carries(listed.origin) && is_within(listed.path, root.as_bytes())
            })
        };
        survey.environments.retain_mut(|fact| {
            if !brought(&fact.root) {
                return true;
            }
            // An environment of its own is made as a whole, and the successor has made it.
            let joins = fact.is_python() && fact.kind != EnvironmentKind::Venv;
            let later = installed_later(manifest, &fact.root);
            fact.packages.retain(|package| {
                later.contains(format!("{} {}", package.name, package.version).as_str())
            });
            fact.parked.retain(|parked| {
                later.contains(format!("{} {}", parked.package, parked.version).as_str())
            });
            joins && !fact.packages.is_empty()
        });
        let (choices, theirs) = (&mut survey.choices, &old.choices);
        choices.architectures.retain(|own| !theirs.architectures.contains(own));
        choices.diversions.retain(|own| !theirs.diversions.contains(own));
        choices.stat_overrides.retain(|own| !theirs.stat_overrides.contains(own));
        choices.alternatives.retain(|own| !theirs.alternatives.contains(own));
        choices.refused_certificates.retain(|own| !theirs.refused_certificates.contains(own));
        choices.trusted_certificates.retain(|own| !theirs.trusted_certificates.contains(own));
        choices.holds.retain(|own| !theirs.holds.contains(own));
        choices.pins.retain(|own| !theirs.pins.contains(own));
        choices.repositories.retain(|own| !theirs.repositories.contains(own));
        choices.keys.retain(|own| !theirs.keys.contains(own));
        choices.answers.retain(|own| !theirs.answers.contains(own));
        survey
    }

    /// The settings of the new container: what the old image said is said by its successor, and
    /// what a person said stays. What of that is otherwise now is told, and what needs a look held.
    pub(in crate::restore) fn settings(
        &self,
        settings: &ServiceSettings,
    ) -> (ServiceSettings, Vec<Step>, Vec<Held>) {
        let (Relation::Successor, Some(old), Some(new)) = (self.relation, &self.old, &self.new)
        else {
            return (settings.clone(), vec![], vec![]);
        };
        let mut carried = settings.clone();
        let (was, is) = (&old.settings, &new.settings);
        let mut steps = Vec::new();
        let mut tell = |which: TextOf, changed: bool| {
            let what = "the old image's own gives way to the successor's".to_owned();
            steps.extend(changed.then_some(Step::Setting { which, what }));
        };
        macro_rules! theirs {
            ($field:ident) => {{
                let changed = settings.$field == was.$field && was.$field != is.$field;
                if changed {
                    carried.$field = is.$field.clone();
                }
                changed
            }};
        }
        tell(TextOf::Entrypoint, theirs!(entrypoint));
        tell(TextOf::Command, theirs!(command));
        tell(TextOf::WorkingDirectory, theirs!(working_directory));
        tell(TextOf::User, theirs!(user));
        tell(TextOf::HealthCheck, theirs!(health_check));
        theirs!(stop_signal);
        theirs!(stop_timeout);
        carried.environment = environment(&settings.environment, was, is);
        for (label, value) in &was.labels {
            if settings.labels.get(label) == Some(value) {
                carried.labels.remove(label);
            }
        }
        for (label, value) in &is.labels {
            carried.labels.entry(label.clone()).or_insert_with(|| value.clone());
        }
        let ports = &mut carried.network.exposed;
        ports.retain(|port| !was.network.exposed.contains(port));
        ports.extend(is.network.exposed.iter().cloned());
        ports.sort();
        ports.dedup();
        let (names, held) = (gone_variables(settings, was, is), self.unmet(settings, old, new));
        if !names.is_empty() {
            let what = format!("the successor does not set {}, as the old image did", list(&names));
            steps.push(Step::Setting { which: TextOf::Environment, what });
        } else if was.environment != is.environment {
            tell(TextOf::Environment, true);
        }
        (carried, steps, held)
    }

    /// The variables that the old image set and its successor does not.
    pub(in crate::restore) fn gone_variables(&self, settings: &ServiceSettings) -> Vec<String> {
        match (self.relation, &self.old, &self.new) {
            (Relation::Successor, Some(old), Some(new)) => {
                gone_variables(settings, &old.settings, &new.settings)
            }
            _ => vec![],
        }
    }

    /// What a person asked for by the old image's word, and the successor has another word.
    fn unmet(&self, settings: &ServiceSettings, old: &ImageFact, new: &ImageFact) -> Vec<Held> {
        let mut held = Vec::new();
        let (was, is) = (&old.settings.network.exposed, &new.settings.network.exposed);
        for published in &settings.network.published {
            let port = &published.port;
            if was.contains(port) && !is.contains(port) && !is.is_empty() {
                let why = format!(
                    "it was published, and the successor listens elsewhere, as it says: publish its \
                     own port ({})",
                    list(is)
                );
                held.push(Held::new(HeldKind::Image, format!("port {port}"), why).was(port));
            }
        }
        for mount in &settings.mounts {
            let place = mount.target.clone();
            if old.volumes.contains(&place) && !new.volumes.contains(&place) {
                let elsewhere = match new.volumes.as_slice() {
                    [] => "and its successor asks for no volume".to_owned(),
                    all => format!("and its successor asks for one at {}", all.join(", ")),
                };
                let why = format!(
                    "the old image had its data there, {elsewhere}: see whether it reads what is \
                     mounted there"
                );
                held.push(Held::new(HeldKind::Volume, place, why));
            }
        }
        held
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn name_of(line: &str) -> &str {
    line.split_once('=').map_or(line, |(name, _)| name)
}

/// The successor's variables, with those that a person gave, in the place of its own and after.
fn environment(lines: &[String], was: &ServiceSettings, is: &ServiceSettings) -> Vec<String> {
    let own: Vec<&String> = lines.iter().filter(|line| !was.environment.contains(line)).collect();
    let given = |line: &String| own.iter().any(|own| name_of(own) == name_of(line));
    let theirs = is.environment.iter().filter(|line| !given(line));
    theirs.chain(own.iter().copied()).cloned().collect()
}

fn gone_variables(
    settings: &ServiceSettings,
    was: &ServiceSettings,
    is: &ServiceSettings,
) -> Vec<String> {
    let is_set = |name: &str| is.environment.iter().any(|line| name_of(line) == name);
    let gone = was.environment.iter().filter(|line| settings.environment.contains(line));
    gone.map(|line| name_of(line)).filter(|name| !is_set(name)).map(str::to_owned).collect()
}

/// The program that a container runs first, by its name.
fn runs(settings: &ServiceSettings) -> Option<&str> {
    let first = settings.entrypoint.first().or(settings.command.first())?;
    let name = first.split_whitespace().next()?.rsplit('/').next()?;
    (!ANYBODYS.contains(&name)).then_some(name)
}

/// The name of an image without its version.
fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        Some((repository, version)) if !version.contains('/') => repository,
        _ => name,
    }
}

/// Whether both images run the same program, and what they have in common, in words; that one is
/// the first of them.
fn common(
    old: &ImageFact,
    new: &ImageFact,
    (programs, there): (usize, &[RootPath]),
) -> (bool, Vec<String>) {
    let (was, is) = (&old.settings, &new.settings);
    let mut evidence = Vec::new();
    let run = runs(was).filter(|run| runs(is) == Some(run));
    evidence.extend(run.map(|run| format!("both run {run}")));
    let (name, now) = (repository(&old.name), repository(&new.name));
    if !name.is_empty() && name == now {
        evidence.push(format!("both are called {name}"));
    }
    let titles = TITLES.iter().filter(|key| {
        let value = was.labels.get(**key);
        value.is_some() && is.labels.get(**key) == value
    });
    let titles: Vec<&&str> = titles.collect();
    if !titles.is_empty() {
        evidence.push(format!("both have the same label {}", list(&titles)));
    }
    let unattended = |name: &str| UNATTENDED.iter().any(|(known, _)| *known == name);
    let own = |line: &&String| !EVERYWHERE.contains(&name_of(line)) && !unattended(name_of(line));
    let names: BTreeSet<&str> = was.environment.iter().filter(own).map(|l| name_of(l)).collect();
    let now: BTreeSet<&str> = is.environment.iter().filter(own).map(|l| name_of(l)).collect();
    let both: Vec<&&str> = names.intersection(&now).collect();
    if !both.is_empty() {
        evidence.push(format!("both set {}", list(&both)));
    }
    let (ports, now) = (&was.network.exposed, &is.network.exposed);
    let both: Vec<_> = ports.iter().filter(|port| now.contains(port)).collect();
    if !both.is_empty() {
        evidence.push(format!("both expose {}", list(&both)));
    }
    let both: Vec<_> = old.volumes.iter().filter(|at| new.volumes.contains(at)).collect();
    if !both.is_empty() {
        evidence.push(format!("both ask for a volume at {}", list(&both)));
    }
    let place = &was.working_directory;
    if place.len() > 1 && *place == is.working_directory {
        evidence.push(format!("both work in {place}"));
    }
    if let Some(first) = there.first() {
        let count = there.len();
        evidence.push(format!(
            "{count} of {programs} programs of the old image are there, {first} among them"
        ));
    }
    (run.is_some(), evidence)
}

/// The packages, with their versions, that came into the environment at `root` in the container's
/// life.
pub(in crate::restore) fn installed_later(
    manifest: &Manifest,
    root: &RootPath,
) -> BTreeSet<String> {
    let later = manifest.entries.listed().filter(|listed| {
        listed.origin == Origin::Container
            && listed.class == Class::Immutable
            && listed.file_type != FileType::Dir
    });
    let packages = later.filter_map(|listed| match listed.reason {
        Reason::EnvironmentInstalled { root: of, package } if of == root => Some(package.clone()),
        _ => None,
    });
    packages.collect()
}

/// Programs that the old image brought and no package of it, at most [`PROGRAMS`].
pub(in crate::restore) fn programs(manifest: &Manifest) -> Vec<RootPath> {
    let candidates = manifest.entries.wanted(|listed| {
        listed.origin == Origin::Image
            && listed.stored
            && listed.package.is_none()
            && listed.file_type == FileType::File
    });
    let is_program = |mode: u32| mode & 0o111 != 0;
    let programs =
        candidates.filter(|entry| entry.node.as_ref().is_some_and(|n| is_program(n.meta.mode)));
    programs.map(|entry| entry.path).take(PROGRAMS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(run: &[&str], environment: &[&str], port: &str) -> ServiceSettings {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut settings = ServiceSettings {
            entrypoint: words(run),
            environment: words(environment),
            ..ServiceSettings::default()
        };
        settings.network.exposed = port.parse().into_iter().collect();
        settings
    }

    fn image(version: &str, run: &[&str], environment: &[&str], port: &str) -> ImageFact {
        ImageFact {
            name: format!("reg:5000/shop:{version}"),
            settings: settings(run, environment, port),
            volumes: vec![format!("/data{port}").replace('/', "-")],
            ..ImageFact::default()
        }
    }

    fn relation(old: ImageFact, new: ImageFact) -> (Relation, usize) {
        let survey = Survey { image: Some(old), ..Survey::default() };
        let found = Succession::of(&survey, Some(new), None, (0, &[]));
        (found.relation, found.evidence.len())
    }

    #[test]
    fn the_same_program_with_two_more_words_in_common_is_a_successor() {
        let old = || image("1", &["/run.sh"], &["PATH=/a", "DATA=/d"], "80/tcp");
        let new = image("2", &["/usr/bin/run.sh", "-x"], &["DATA=/e"], "80/tcp");
        assert_eq!(relation(old(), new).0, Relation::Successor);
        // Another program, however much else there is.
        let other = image("2", &["/other"], &["DATA=/d"], "80/tcp");
        assert_eq!(relation(old(), other).0, Relation::Plain);
        let base = ImageFact { name: "debian:13".to_owned(), ..ImageFact::default() };
        assert_eq!(relation(old(), base), (Relation::Plain, 0));
        // What every image runs shows nothing.
        let shell = |version| image(version, &["bash"], &["PATH=/a"], "");
        assert_eq!(relation(shell("1"), shell("2")).0, Relation::Plain);
    }

    #[test]
    fn what_a_person_says_counts_and_much_in_common_without_it_is_a_question() {
        let old = image("1", &["/run.sh"], &["DATA=/d"], "80/tcp");
        let new = image("2", &["/other"], &["DATA=/d"], "80/tcp");
        let survey = Survey { image: Some(old), ..Survey::default() };
        let of = |said| Succession::of(&survey, Some(new.clone()), said, (0, &[]));
        assert!(of(None).doubt().is_some());
        let said = of(Some(Relation::Successor));
        assert_eq!((said.relation, said.doubt()), (Relation::Successor, None));
        assert_eq!(of(Some(Relation::Plain)).doubt(), None);
    }

    #[test]
    fn a_persons_settings_are_carried_and_the_old_images_are_the_successors() {
        let old = image("1", &["/run.sh"], &["PATH=/v1", "VERSION=1", "OLD=x", "A=a"], "80/tcp");
        let new = image("2", &["/run.sh"], &["PATH=/v2", "VERSION=2", "A=a"], "80/tcp");
        let survey = Survey { image: Some(old.clone()), ..Survey::default() };
        let found = Succession::of(&survey, Some(new), None, (0, &[]));
        assert_eq!(found.relation, Relation::Successor);
        let mut run = old.settings;
        run.environment =
            ["PATH=/v1", "VERSION=1", "OLD=x", "A=mine", "SECRET=s"].map(str::to_owned).to_vec();
        run.command = vec!["--fast".to_owned()];
        let (carried, steps, held) = found.settings(&run);
        assert_eq!(carried.environment, ["PATH=/v2", "VERSION=2", "A=mine", "SECRET=s"]);
        assert_eq!(carried.command, ["--fast"]);
        assert_eq!((steps.len(), held.len()), (1, 0));
        assert_eq!(found.gone_variables(&run), ["OLD"]);
    }
}
