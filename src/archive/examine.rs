//! [`examine`]: what every path of a source is worth, without writing anything.
//!
//! `inspect`, `explain`, `archive --dry-run` and `archive` itself all look at the same value, an
//! [`Examined`]; nothing decides anew later on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::pristine::{Places, Pristine};
use super::verdicts::Verdicts;
use crate::bundle::Loss;
use crate::classify::{Baseline, Classifier, Evidence, Globs, LogPolicy, Numbers, Reason, decide};
use crate::declared::Declared;
use crate::environments::{EnvironmentFact, Environments, Parked, Part, PartOf};
use crate::failure::{Failure, Kind as FailureKind};
use crate::layout::{LayoutDb, LayoutMatcher, Recognised, Vars};
use crate::monitor::Monitor;
use crate::packages::apt::{self, Offer};
use crate::packages::{Installed, Manager, Role};
use crate::source::Source;
use crate::survey::{AppFact, Survey, architecture, choices, os_release, packages};
use crate::tree::{Entry, Kind, Meta, RootPath, Time, TreeError, Xattrs, escaped, take_reserved};
use crate::verdict::{Class, Lies, Origin};

/// How many paths are read, and judged, at a time.
const BATCH: usize = 1024;

/// From which moment on a change counts as the service's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Since {
    /// The container's image where there is one, else nothing.
    #[default]
    Default,
    /// The modification time of this path in the source.
    Marker(RootPath),
    /// A moment.
    Time(Time),
}

/// How to look at a source.
#[derive(Debug, Clone, Default)]
pub struct ExamineOptions {
    /// The baseline.
    pub since: Since,
    /// The user's globs, in order.
    pub globs: Vec<crate::classify::UserChoice>,
    /// What becomes of logs.
    pub logs: LogPolicy,
}

/// One path with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The path with its metadata; for a deletion what was known about it.
    pub entry: Entry,
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Where it came from.
    pub origin: Origin,
    /// The package that owns it.
    pub package: Option<String>,
    /// What it is to an environment of a language.
    pub part: Option<Box<PartOf>>,
    /// Somebody removed it, and it stays removed.
    pub deleted: bool,
    /// It is kept, and holds a key or a password.
    pub secret: bool,
    /// Of an edited configuration file: what it was before, where that can be had.
    pub pristine: Option<Pristine>,
}

/// Something that was there and could not be kept, or not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Which path, escaped.
    pub subject: String,
    /// What became of it.
    pub what: &'static str,
    /// Why.
    pub why: String,
}

impl Lost {
    /// A path that is not in the bundle.
    pub fn not_kept(subject: impl Into<String>, why: impl Into<String>) -> Lost {
        Lost { subject: subject.into(), what: "not kept", why: why.into() }
    }

    /// As it stands in a bundle.
    pub fn to_loss(&self) -> Loss {
        Loss { subject: self.subject.clone(), what: self.what.to_owned(), why: self.why.clone() }
    }
}

/// What is known of one path.
pub enum Explained {
    /// It is there.
    Present(Box<Evidence>),
    /// It was removed, and stays so.
    Removed(Box<Judged>),
}

/// A source, judged.
pub struct Examined {
    /// The facts.
    pub survey: Survey,
    /// Every path, deletions among them.
    pub entries: Verdicts,
    /// The applications found, with their rules.
    pub apps: Vec<Recognised>,
    /// Observed losses.
    pub losses: Vec<Lost>,
    /// What the way in cannot deliver.
    pub limitations: Vec<String>,
}

/// What the walk over a source needs to know beforehand.
struct Grounds {
    installed: Installed,
    numbers: Numbers,
    declared: Declared,
    apps: Vec<Recognised>,
    rules: LayoutMatcher,
    globs: Globs,
    baseline: Baseline,
    not_offered: BTreeSet<String>,
    lists_known: Option<()>,
}

impl Grounds {
    /// Whether a package brought `path`.
    fn packaged(&self, path: &RootPath) -> bool {
        self.installed.claims(path).any(|claim| claim.role != Role::Ghost)
    }
}

/// Judges every path of `source`.
///
/// # Errors
/// A marker that is not there, a malformed glob, a source that cannot be read at all. A single
/// unreadable path is a loss, not an error.
pub fn examine(
    source: &Source,
    layout: &LayoutDb,
    options: &ExamineOptions,
    monitor: &dyn Monitor,
) -> Result<Examined, Failure> {
    let grounds = grounds(source, layout, options, monitor)?;
    let packaged = |path: &RootPath| grounds.packaged(path);
    let environments = Environments::new(source.tree(), &packaged);
    let classifier = classifier(source, &grounds, &environments, options);
    let places = Places {
        tree: source.tree(),
        dpkg: grounds.installed.dpkg.as_ref(),
        image: source.image(),
        rules: &grounds.rules,
    };
    monitor.phase("judging every path");
    let (mut entries, mut losses) = (Verdicts::default(), Vec::new());
    let subject = source.to_string();
    let mut walk = source.tree().walk();
    let mut read = || -> Vec<_> { walk.by_ref().take(BATCH).collect() };
    let look = |item: Result<Entry, TreeError>| {
        let mut entry = match item {
            Ok(entry) => entry,
            Err(error) => return (None, Err(lost(&error))),
        };
        let reserved = without_reserved(&mut entry);
        if is_whiteout(&entry) && source.lies(&entry.path) == Lies::Root {
            return (reserved, Ok(removed(entry, source)));
        }
        let judged = judge_again(&classifier, &places, source, entry);
        (reserved, judged.map_err(|error| lost(&error)))
    };
    let mut gone = Vec::new();
    let mut batch = read();
    while !batch.is_empty() {
        crate::failure::check_cancelled("reading", &subject)?;
        let mut take = |looked: Vec<(Option<Lost>, Result<Judged, Lost>)>| {
            for (reserved, judged) in looked {
                losses.extend(reserved);
                match judged {
                    Ok(judged) if judged.deleted => gone.push(judged),
                    Ok(judged) => entries.push(judged),
                    Err(lost) => losses.push(lost),
                }
            }
        };
        // The next paths are read while these are judged.
        (batch, ()) = rayon::join(&mut read, || {
            take(std::mem::take(&mut batch).into_par_iter().map(&look).collect());
        });
        monitor.progress(entries.len() as u64, None);
    }
    let left_out = source.left_out().iter();
    losses.extend(left_out.map(|left| Lost::not_kept(&left.subject, &left.why)));
    losses.extend(source.not_crossed().into_iter().map(|path| {
        let why = "another file system is mounted there and was not entered";
        Lost::not_kept(path.to_string(), why)
    }));
    losses.extend(flags(source));
    losses.extend(unread(&grounds));
    let absent = deletions(&classifier, source, &grounds, &entries)
        .map_err(|e| unreadable(source, e, "looking for what was removed"))?;
    gone.extend(absent);
    gone.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    gone.dedup_by(|b, a| a.entry.path == b.entry.path);
    gone.into_iter().for_each(|judged| entries.push(judged));
    let mut survey = survey(source, &grounds).map_err(|e| unreadable(source, e, "surveying"))?;
    survey.environments = environment_facts(&environments, &entries);
    let mut limitations = source.limitations().to_vec();
    limitations.extend(survey.environments.iter().filter(|fact| fact.rebuild).map(|fact| {
        format!("{}: packages are kept as a list, for an index that still has them", fact.root)
    }));
    let claims = grounds.installed.problems().filter(|problem| !problem.is_loss());
    limitations.extend(claims.map(ToString::to_string));
    // Lists of packages are read where apt keeps them.
    if let Some(manager) = grounds.installed.manager().filter(|m| *m != Manager::Dpkg) {
        limitations.push(format!(
            "which packages of {manager} a repository still offers is not known here: files of one \
             that none offers are left out like any other package's"
        ));
    }
    Ok(Examined { survey, entries, apps: grounds.apps, losses, limitations })
}

/// Everything known of `path` in `source`; `None` when there is and was no such path.
///
/// # Errors
/// As [`examine`].
pub fn explain(
    source: &Source,
    layout: &LayoutDb,
    options: &ExamineOptions,
    path: &RootPath,
    monitor: &dyn Monitor,
) -> Result<Option<Explained>, Failure> {
    let found = source.tree().entry(path).map_err(|e| unreadable(source, e, "explaining"))?;
    let Some(entry) = found else {
        // Only the whole picture tells whether something is missing.
        let examined = examine(source, layout, options, monitor)?;
        let removed = examined.entries.get(path).filter(|judged| judged.deleted);
        return Ok(removed.map(|judged| Explained::Removed(Box::new(judged))));
    };
    let grounds = grounds(source, layout, options, monitor)?;
    let packaged = |path: &RootPath| grounds.packaged(path);
    let environments = Environments::new(source.tree(), &packaged);
    classifier(source, &grounds, &environments, options)
        .evidence(&entry, source.lies(path))
        .map(|evidence| Some(Explained::Present(Box::new(evidence))))
        .map_err(|e| unreadable(source, e, "explaining"))
}

fn unreadable(source: &Source, error: TreeError, doing: &str) -> Failure {
    Failure::new(FailureKind::Resource, doing, source.to_string())
        .why("the source cannot be read")
        .because(error)
        .safe("the source is untouched, no bundle was written")
        .next("make the source readable and run the same command again")
}

fn lost(error: &TreeError) -> Lost {
    Lost::not_kept(error.path().to_string(), chain(error))
}

/// What of the records of packages and accounts was there and could not be read.
fn unread(grounds: &Grounds) -> Vec<Lost> {
    let lost = |subject: String, why: String| Lost { subject, what: "not read", why };
    let packages = grounds.installed.problems().filter(|problem| problem.is_loss());
    let packages = packages.map(|problem| lost(problem.subject(), problem.to_string()));
    let accounts = grounds.numbers.unread().iter();
    packages.chain(accounts.map(|(path, why)| lost(path.to_string(), why.clone()))).collect()
}

/// Flags that a file system keeps beside the mode: no tar, and so no bundle, holds them.
fn flags(source: &Source) -> Vec<Lost> {
    let lost = |subject: String, why: String| Lost { subject, what: "flags not kept", why };
    let (listed, more) = source.flagged();
    let mut losses: Vec<Lost> =
        listed.into_iter().map(|(path, flags)| lost(path.to_string(), flags)).collect();
    if more > 0 {
        losses.push(lost(source.to_string(), format!("{more} more files have flags")));
    }
    losses
}

/// Takes out of `entry` what an overlay file system would take for its own when it comes back.
pub(super) fn without_reserved(entry: &mut Entry) -> Option<Lost> {
    let names = take_reserved(&mut entry.meta.xattrs);
    let shown: Vec<String> = names.iter().map(|name| escaped(name)).collect();
    (!names.is_empty()).then(|| Lost {
        subject: entry.path.to_string(),
        what: "attributes not kept",
        why: format!("an overlay file system would act upon {}", shown.join(", ")),
    })
}

/// Whether `entry` says to an overlay file system that something is gone. As a device it opens
/// nothing.
fn is_whiteout(entry: &Entry) -> bool {
    entry.kind == Kind::Char { major: 0, minor: 0 }
}

/// A deletion that a whiteout stands for.
fn removed(entry: Entry, source: &Source) -> Judged {
    let origin = if source.image().is_some() { Origin::Container } else { Origin::Root };
    Judged {
        entry: absent(entry.path, entry.kind),
        class: Class::Mutable,
        reason: Reason::Removed,
        origin,
        package: None,
        part: None,
        deleted: true,
        secret: false,
        pristine: None,
    }
}

/// An error with everything behind it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        text.push_str(&format!(": {cause}"));
        at = cause.source();
    }
    text
}

fn grounds(
    source: &Source,
    layout: &LayoutDb,
    options: &ExamineOptions,
    monitor: &dyn Monitor,
) -> Result<Grounds, Failure> {
    monitor.phase("reading the package database");
    let tree = source.tree();
    let failed = |e| unreadable(source, e, "reading packages of");
    let installed = Installed::load(tree).map_err(failed)?;
    // What rules say of an application holds where it is packaged as on Debian.
    let packaged: Vec<(&str, &str)> = installed
        .dpkg
        .iter()
        .flat_map(|dpkg| dpkg.packages.iter().filter(|p| p.has_files()))
        .map(|p| (p.name.as_str(), p.version.as_str()))
        .collect();
    let exists =
        |path: &RootPath| crate::tree::resolve(tree, path).is_ok_and(|found| found.is_some());
    let apps = layout.recognise(&packaged, &exists).map_err(Failure::from)?;
    let rules = layout.layout(&apps).map_err(Failure::from)?;
    let globs = Globs::new(options.globs.clone()).map_err(|e| {
        Failure::new(FailureKind::Usage, "reading globs for", source.to_string())
            .because(e)
            .next("write globs from the root, such as /srv/**")
    })?;
    let lists =
        apt::origins(tree).map_err(|e| unreadable(source, e, "reading package lists of"))?;
    let not_offered = match &lists {
        Some(lists) => packaged
            .iter()
            .filter(|(name, version)| lists.offers(name, version) == Offer::None)
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        None => BTreeSet::new(),
    };
    let baseline = baseline(source, &options.since)?;
    let lists_known = lists.is_some().then_some(());
    let numbers = Numbers::load(tree).map_err(|e| unreadable(source, e, "reading accounts of"))?;
    let declared = Declared::load(tree, &installed);
    Ok(Grounds {
        installed,
        numbers,
        declared,
        apps,
        rules,
        globs,
        baseline,
        not_offered,
        lists_known,
    })
}

fn baseline(source: &Source, since: &Since) -> Result<Baseline, Failure> {
    match since {
        Since::Default if source.image().is_some() => Ok(Baseline::Image),
        Since::Default => Ok(Baseline::None),
        Since::Time(time) => Ok(Baseline::Time(*time)),
        Since::Marker(path) => {
            let found = crate::tree::resolve(source.tree(), path)
                .and_then(|place| place.map_or(Ok(None), |p| source.tree().entry(&p)))
                .map_err(|e| unreadable(source, e, "reading the marker of"))?;
            let marker = found.ok_or_else(|| {
                Failure::new(FailureKind::Precondition, "finding the marker", path.as_bytes())
                    .why(format!("{source} holds no such path"))
                    .next("name a path that exists in the source, or a time")
            })?;
            Ok(Baseline::Time(marker.meta.mtime))
        }
    }
}

fn classifier<'a>(
    source: &'a Source,
    grounds: &'a Grounds,
    environments: &'a Environments<'a>,
    options: &ExamineOptions,
) -> Classifier<'a> {
    Classifier {
        tree: source.tree(),
        installed: &grounds.installed,
        environments,
        numbers: &grounds.numbers,
        declared: &grounds.declared,
        in_container: source.in_container(),
        image: source.image(),
        base: source.base(),
        rules: &grounds.rules,
        globs: &grounds.globs,
        baseline: grounds.baseline,
        logs: options.logs,
        not_offered: &grounds.not_offered,
        lists_known: grounds.lists_known,
    }
}

/// How often a path that changes while it is read is read.
pub(super) const READINGS: usize = 3;

/// Judges `entry`, once more where it changed meanwhile.
fn judge_again(
    classifier: &Classifier,
    places: &Places,
    source: &Source,
    mut entry: Entry,
) -> Result<Judged, TreeError> {
    let mut left = READINGS;
    loop {
        left -= 1;
        let (listed, error) = match judge(classifier, places, source, entry) {
            Ok(judged) => return Ok(judged),
            Err(unread) => *unread,
        };
        match source.tree().entry(&listed.path) {
            Ok(Some(now)) if left > 0 => entry = now,
            _ => return Err(error),
        }
        take_reserved(&mut entry.meta.xattrs);
        if entry == listed {
            return Err(error);
        }
    }
}

/// Judges `entry`; what cannot be read comes back with the reason.
fn judge(
    classifier: &Classifier,
    places: &Places,
    source: &Source,
    entry: Entry,
) -> Result<Judged, Box<(Entry, TreeError)>> {
    let evidence = match classifier.evidence(&entry, source.lies(&entry.path)) {
        Ok(evidence) => evidence,
        Err(error) => return Err(Box::new((entry, error))),
    };
    let verdict = decide(&evidence);
    let mut judged = Judged {
        secret: verdict.class == Class::Mutable && classifier.is_secret(&entry, &evidence),
        entry,
        class: verdict.class,
        reason: verdict.reason,
        origin: evidence.origin,
        package: evidence.package.map(|p| p.name),
        part: evidence.environment.map(Box::new),
        deleted: false,
        pristine: None,
    };
    match places.find(&judged) {
        Ok(pristine) => judged.pristine = pristine,
        Err(error) if *error.path() == judged.entry.path => {
            return Err(Box::new((judged.entry, error)));
        }
        // Another file that cannot be read is no reason to lose this one.
        Err(_) => {}
    }
    Ok(judged)
}

/// What is not there any more and would come back with the packages.
fn deletions(
    classifier: &Classifier,
    source: &Source,
    grounds: &Grounds,
    present: &Verdicts,
) -> Result<Vec<Judged>, TreeError> {
    let here = present.presence();
    let mut gone: BTreeMap<RootPath, (Kind, Origin)> = BTreeMap::new();
    let origin = if source.image().is_some() { Origin::Container } else { Origin::Root };
    let unknown = || Kind::File { size: 0 };
    for path in grounds.installed.unpacked() {
        if !here(&path) {
            gone.insert(path, (unknown(), origin));
        }
    }
    for path in created(&grounds.apps).into_iter().chain(grounds.declared.switches.made()) {
        if !here(&path) {
            gone.insert(path, (unknown(), origin));
        }
    }
    if let Some(image) = source.image() {
        let ever_owned = source.ever_owned()?;
        for deletion in image.deleted()? {
            // A package that was upgraded or removed takes its files along: no change by hand.
            if !ever_owned.contains(&deletion.path) {
                let origin = if image.deleted_in_life(&deletion) {
                    Origin::Container
                } else {
                    Origin::Image
                };
                gone.entry(deletion.path).or_insert((deletion.kind, origin));
            }
        }
    }
    let worth_recording = |entry: &Entry, origin| {
        let parent = entry.path.parent();
        parent.is_some_and(|parent| here(&parent))
            && source.lies(&entry.path) == Lies::Root
            && decide(&classifier.evidence_of_absent(entry, origin)).class == Class::Mutable
    };
    Ok(gone
        .into_iter()
        .map(|(path, (kind, origin))| (absent(path, kind), origin))
        .filter(|(entry, origin)| worth_recording(entry, *origin))
        .map(|(entry, origin)| Judged {
            package: None,
            part: None,
            entry,
            class: Class::Mutable,
            reason: Reason::Removed,
            origin,
            deleted: true,
            secret: false,
            pristine: None,
        })
        .collect())
}

/// What the applications' packages make once without owning it.
fn created(apps: &[Recognised]) -> Vec<RootPath> {
    let paths = apps.iter().flat_map(|app| {
        let mut vars = Vars::default();
        if let Some(version) = &app.version {
            vars.set("version", version.short());
        }
        // A path that needs a version nobody knows is no path.
        app.rule.created.iter().filter_map(move |created| created.path.expand(&vars).ok())
    });
    paths.collect()
}

/// An entry for something that is not there: its metadata is unknown.
fn absent(path: RootPath, kind: Kind) -> Entry {
    let mtime = Time { secs: 0, nanos: 0 };
    let kind = if kind.is_file() { Kind::File { size: 0 } } else { kind };
    Entry {
        path,
        kind,
        meta: Meta { mode: 0, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() },
        ctime: None,
        links: None,
    }
}

/// How many kept files among those of packages are named for one environment.
const PARKED: usize = 50_000;

/// The environments found, with what of each was judged how.
fn environment_facts(environments: &Environments, entries: &Verdicts) -> Vec<EnvironmentFact> {
    let mut parked: BTreeMap<Arc<RootPath>, Vec<Parked>> = BTreeMap::new();
    let mut rebuilt: BTreeSet<Arc<RootPath>> = BTreeSet::new();
    for judged in entries.in_environments() {
        let Some(found) = judged.part else { continue };
        let (package, patched) = match (&found.part, judged.class) {
            (Part::Made | Part::Installed { .. }, Class::Immutable) => {
                rebuilt.insert(found.root);
                continue;
            }
            (Part::Installed { package, .. }, Class::Mutable) => (&**package, true),
            (Part::Own { among: Some(package) }, Class::Mutable) => (&**package, false),
            (Part::Edited, Class::Mutable) => ("", true),
            _ => continue,
        };
        if !judged.entry.kind.is_dir() {
            let at = judged.entry.path.clone();
            parked
                .entry(found.root.clone())
                .or_default()
                .push(parking(at, package, patched, false));
        }
    }
    let here = entries.presence();
    let mut facts = Vec::new();
    for environment in environments.found() {
        let mut fact = environment.fact();
        fact.rebuild = rebuilt.contains(environment.root());
        if fact.rebuild {
            let mut parked = parked.remove(environment.root()).unwrap_or_default();
            let missing = environment.missing(&here).into_iter();
            parked.extend(missing.map(|(at, package)| parking(at, &package, false, true)));
            parked.truncate(PARKED);
            fact.parked = parked;
        } else if fact.packages.is_empty() {
            continue;
        }
        fact.list = fact.list_name().map(|name| format!("exports/{name}"));
        facts.push(fact);
    }
    facts
}

fn parking(path: RootPath, label: &str, patched: bool, removed: bool) -> Parked {
    let (package, version) = label.split_once(' ').unwrap_or((label, ""));
    let (package, version) = (package.to_owned(), version.to_owned());
    Parked { path, package, version, patched, removed }
}

fn survey(source: &Source, grounds: &Grounds) -> Result<Survey, TreeError> {
    let (packages, intents) = packages(&grounds.installed);
    let apps = grounds
        .apps
        .iter()
        .map(|app| AppFact {
            name: app.app.clone(),
            distribution: app.rule.distribution.to_string(),
            version: app.version.as_ref().map(ToString::to_string),
        })
        .collect();
    Ok(Survey {
        source: source.to_string(),
        name: source.name().to_owned(),
        os: os_release(source.tree())?,
        manager: grounds.installed.manager().map(|m| m.to_string()).unwrap_or_default(),
        architecture: architecture(&grounds.installed),
        packages,
        intents,
        apps,
        environments: vec![],
        mounts: source.mounts(),
        choices: choices(source.tree(), &grounds.installed),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::monitor::Silent;
    use crate::source::{OpenOptions, SourceSpec};

    /// MD5 of `hello` and a newline, as package managers record it.
    const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

    fn write(root: &Path, at: &str, text: &str) {
        let file = root.join(at);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// A root in which the package `app` has some of its files, and something of its own.
    fn root() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let status = format!(
            "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
             Conffiles:\n /etc/app.conf {HELLO}\n"
        );
        let list = "/.\n/etc\n/etc/app.conf\n/usr\n/usr/bin\n/usr/bin/app\n/usr/bin/gone\n\
                    /usr/share/absent/file\n/run/app\n";
        write(root, "var/lib/dpkg/status", &status);
        write(root, "var/lib/dpkg/info/app.list", list);
        write(root, "var/lib/dpkg/info/app.md5sums", &format!("{HELLO}  usr/bin/app\n"));
        write(root, "usr/bin/app", "hello\n");
        write(root, "srv/data", "mine");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(root.join("run")).unwrap();
        dir
    }

    fn open(dir: &Path) -> Source {
        let spec = SourceSpec::Rootfs(dir.to_owned());
        Source::open(&spec, &OpenOptions::default(), dir, &Silent).unwrap()
    }

    fn judged(options: &ExamineOptions) -> Vec<Judged> {
        let dir = root();
        let layout = LayoutDb::open(&[]).unwrap();
        examine(&open(dir.path()), &layout, options, &Silent).unwrap().entries.iter().collect()
    }

    fn deleted(entries: &[Judged]) -> Vec<String> {
        entries.iter().filter(|j| j.deleted).map(|j| j.entry.path.to_string()).collect()
    }

    #[test]
    fn a_packages_file_that_is_gone_is_a_deletion_where_its_directory_still_is() {
        let entries = judged(&ExamineOptions::default());
        // Without its directory it is the directory that is gone; /run is empty in every stopped
        // system.
        assert_eq!(deleted(&entries), ["/etc/app.conf", "/usr/bin/gone"]);
        let gone = entries.iter().find(|j| j.deleted).unwrap();
        assert_eq!((gone.class, &gone.reason), (Class::Mutable, &Reason::Removed));
    }

    #[test]
    fn what_the_user_excludes_is_not_recorded_as_deleted() {
        let globs = vec![crate::classify::UserChoice::Exclude("/etc/**".to_owned())];
        let entries = judged(&ExamineOptions { globs, ..ExamineOptions::default() });
        assert_eq!(deleted(&entries), ["/usr/bin/gone"]);
    }

    #[test]
    fn all_paths_stand_in_order_with_their_verdicts() {
        let entries = judged(&ExamineOptions::default());
        assert!(entries.is_sorted_by(|a, b| a.entry.path < b.entry.path));
        let class = |at: &str| {
            entries.iter().find(|j| j.entry.path.to_string() == at).map(|j| j.class).unwrap()
        };
        assert_eq!(class("/usr/bin/app"), Class::Immutable);
        assert_eq!(class("/srv/data"), Class::Mutable);
    }

    #[test]
    fn a_service_that_was_switched_off_is_a_deletion_and_its_packages_links_are_none() {
        let dir = root();
        let records = "var/lib/systemd/deb-systemd-helper-enabled/multi-user.target.wants";
        let wants = "etc/systemd/system/multi-user.target.wants";
        for unit in ["on.service", "off.service", "mine.service"] {
            write(dir.path(), &format!("usr/lib/systemd/system/{unit}"), "");
        }
        for unit in ["on.service", "off.service"] {
            write(dir.path(), &format!("{records}/{unit}"), "");
        }
        fs::create_dir_all(dir.path().join(wants)).unwrap();
        for unit in ["on.service", "mine.service"] {
            let link = dir.path().join(wants).join(unit);
            std::os::unix::fs::symlink(format!("/usr/lib/systemd/system/{unit}"), link).unwrap();
        }
        let layout = LayoutDb::open(&[]).unwrap();
        let options = ExamineOptions::default();
        let examined = examine(&open(dir.path()), &layout, &options, &Silent).unwrap();
        let entries: Vec<Judged> = examined.entries.iter().collect();
        assert!(deleted(&entries).contains(&format!("/{wants}/off.service")));
        let class = |unit: &str| {
            let at = format!("/{wants}/{unit}");
            entries.iter().find(|j| j.entry.path.to_string() == at).map(|j| j.class)
        };
        assert_eq!(class("on.service"), Some(Class::Immutable));
        assert_eq!(class("mine.service"), Some(Class::Mutable));
    }

    #[test]
    fn a_marker_that_is_not_there_is_a_precondition() {
        let dir = root();
        let since = Since::Marker(RootPath::parse(b"/none").unwrap());
        let options = ExamineOptions { since, ..ExamineOptions::default() };
        let layout = LayoutDb::open(&[]).unwrap();
        let failure = examine(&open(dir.path()), &layout, &options, &Silent).err().unwrap();
        assert_eq!(failure.kind(), FailureKind::Precondition);
    }

    #[test]
    fn a_removed_path_is_explained_as_removed_and_an_unknown_one_not_at_all() {
        let dir = root();
        let layout = LayoutDb::open(&[]).unwrap();
        let told = |at: &str| {
            let path = RootPath::parse(at.as_bytes()).unwrap();
            explain(&open(dir.path()), &layout, &ExamineOptions::default(), &path, &Silent).unwrap()
        };
        assert!(matches!(told("/usr/bin/gone"), Some(Explained::Removed(_))));
        assert!(matches!(told("/srv/data"), Some(Explained::Present(_))));
        assert!(told("/srv/nothing").is_none());
    }
}
