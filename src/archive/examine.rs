//! [`examine`]: what every path of a source is worth, without writing anything.
//!
//! `inspect`, `explain`, `archive --dry-run` and `archive` itself all look at the same value, an
//! [`Examined`]; nothing decides anew later on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::judged::Judged;
use super::losses::Lost;
use super::pristine::{Places, Texts};
use super::verdicts::Verdicts;
use super::{defaults, deletions, environments, losses};
use crate::classify::{
    Baseline, Classifier, Evidence, Globs, LogPolicy, Numbers, Offers, Unpacked, decide,
};
use crate::declared::Declared;
use crate::environments::{Environments, PYTHON_PATH};
use crate::failure::{Failure, FailureKind, check_cancelled};
use crate::family;
use crate::layout::{LayoutDb, LayoutMatcher, Recognised};
use crate::monitor::Monitor;
use crate::packages::{Distribution, Installed, Role, Tables};
use crate::service::Settings;
use crate::source::{Beneath, Source};
use crate::survey::{
    AppFact, ImageFact, OsRelease, Survey, WithdrawnFact, architecture, locales, os_release,
    packages, withdrawn,
};
use crate::tree::{Entry, RootPath, Time, Tree, TreeError, take_reserved};
use crate::verdict::{Class, Location, Origin};

/// How many paths are read, and judged, at a time.
const BATCH: usize = 4096;

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
struct Knowledge {
    installed: Installed,
    numbers: Numbers,
    declared: Declared,
    apps: Vec<Recognised>,
    rules: LayoutMatcher,
    globs: Globs,
    baseline: Baseline,
    os: OsRelease,
    offers: Offers,
    /// The packages that cannot be had again.
    withdrawn: Vec<WithdrawnFact>,
    /// How many packages there are of which nothing tells.
    unknown: usize,
}

impl Knowledge {
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
    let knowledge = knowledge(source, layout, options, monitor)?;
    let packaged = |path: &RootPath| knowledge.packaged(path);
    let found = Environments::new(source.tree(), &packaged).naming(python_path(source));
    let classifier = classifier(source, &knowledge, &found, options);
    let places = Places {
        tree: source.tree(),
        installed: &knowledge.installed,
        image: source.image(),
        rules: &knowledge.rules,
    };
    monitor.phase("judging every path");
    let (mut entries, mut lost) = (Verdicts::default(), Vec::new());
    let subject = source.to_string();
    let mut walk = source.tree().walk();
    let cancelled = || check_cancelled(monitor.cancel(), "reading", &subject);
    let mut read =
        || -> Vec<_> { walk.by_ref().take(BATCH).take_while(|_| cancelled().is_ok()).collect() };
    let look = |item: Result<Entry, TreeError>| {
        // Of a batch that is given up nothing is told: a path that lies deep takes its time.
        if cancelled().is_err() {
            return (None, Err(Lost::not_kept(subject.as_str(), "not looked at")));
        }
        let mut entry = match item {
            Ok(entry) => entry,
            Err(error) => return (None, Err(losses::unreadable(&error))),
        };
        let reserved = losses::without_reserved(&mut entry);
        if deletions::is_whiteout(&entry) && source.location(&entry.path) == Location::Root {
            return (reserved, Ok(deletions::removed(entry, source)));
        }
        let judged = judge_again(&classifier, &places, source, entry);
        (reserved, judged.map_err(|error| losses::unreadable(&error)))
    };
    let mut gone = Vec::new();
    let mut batch = read();
    while !batch.is_empty() {
        cancelled()?;
        let mut take = |looked: Vec<(Option<Lost>, Result<Judged, Lost>)>| {
            for (reserved, judged) in looked {
                lost.extend(reserved);
                match judged {
                    Ok(judged) if judged.deleted => gone.push(judged),
                    Ok(judged) => entries.push(judged),
                    Err(one) => lost.push(one),
                }
            }
        };
        // The next paths are read while these are judged.
        (batch, ()) = rayon::join(&mut read, || {
            take(std::mem::take(&mut batch).into_par_iter().map(&look).collect());
        });
        monitor.progress(entries.len() as u64, None);
    }
    cancelled()?;
    let left_out = source.left_out().iter();
    lost.extend(left_out.map(|left| Lost::not_kept(&left.subject, &left.why)));
    lost.extend(source.not_crossed().into_iter().map(|path| {
        let why = "another file system is mounted there and was not entered";
        Lost::not_kept(path.to_string(), why)
    }));
    lost.extend(losses::flags(source));
    lost.extend(losses::unread(&knowledge.installed, &knowledge.numbers));
    lost.extend(losses::unproved(knowledge.unknown, &knowledge.os));
    let absent = deletions::deletions(&classifier, source, &knowledge.apps, &entries)
        .map_err(|e| unreadable(source, e, "looking for what was removed"))?;
    gone.extend(absent);
    gone.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    gone.dedup_by(|b, a| a.entry.path == b.entry.path);
    gone.into_iter().for_each(|judged| entries.push(judged));
    let mut survey = survey(source, &knowledge)?;
    survey.environments = environments::facts(&found, &entries);
    let limitations = limitations(source, &knowledge, &survey, &mut entries, &cancelled)?;
    Ok(Examined { survey, entries, apps: knowledge.apps, losses: lost, limitations })
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
    let knowledge = knowledge(source, layout, options, monitor)?;
    let packaged = |path: &RootPath| knowledge.packaged(path);
    let environments = Environments::new(source.tree(), &packaged).naming(python_path(source));
    classifier(source, &knowledge, &environments, options)
        .evidence(&entry, source.location(path))
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

fn knowledge(
    source: &Source,
    layout: &LayoutDb,
    options: &ExamineOptions,
    monitor: &dyn Monitor,
) -> Result<Knowledge, Failure> {
    monitor.phase("reading the package database");
    let tree = source.tree();
    let failed = |e| unreadable(source, e, "reading packages of");
    let installed = Installed::load(tree).map_err(failed)?;
    let apps = layout.recognise_in(tree, &installed.recognisable()).map_err(Failure::from)?;
    let rules = layout.layout(&apps).map_err(Failure::from)?;
    let globs = Globs::new(options.globs.clone()).map_err(|e| {
        Failure::new(FailureKind::Usage, "reading globs for", source.to_string())
            .because(e)
            .next("write globs from the root, such as /srv/**")
    })?;
    let os = os_release(tree).map_err(failed)?;
    let (gone, unknown) = gone(tree, &installed, &os).map_err(failed)?;
    let withdrawn = withdrawn(&installed, &gone);
    let missing: BTreeSet<String> = gone.into_keys().collect();
    let offers = match (unknown > 0, missing.is_empty()) {
        (true, true) => Offers::Unknown,
        (true, false) => Offers::Unproved { missing },
        (false, _) => Offers::Known { missing },
    };
    let baseline = baseline(source, &options.since)?;
    let numbers = Numbers::load(tree).map_err(|e| unreadable(source, e, "reading accounts of"))?;
    let declared = Declared::load(tree, &installed);
    Ok(Knowledge {
        installed,
        numbers,
        declared,
        apps,
        rules,
        globs,
        baseline,
        os,
        offers,
        withdrawn,
        unknown,
    })
}

/// What the binary knows of releases.
struct Known;

impl Tables for Known {
    fn table(&self, distribution: &str) -> Option<Box<dyn Read>> {
        crate::layout::offered(distribution)
    }
}

/// The packages that cannot be had again, each with the reason, and how many there are of which
/// nothing tells.
fn gone(
    tree: &dyn Tree,
    installed: &Installed,
    os: &OsRelease,
) -> Result<(BTreeMap<String, String>, usize), TreeError> {
    let OsRelease { id, version, codename, .. } = os;
    let distribution = Distribution { id, version, codename, tables: &Known };
    let (mut gone, mut unknown) = (BTreeMap::new(), 0);
    for mut supply in installed.supply(tree, &distribution)?.into_values() {
        gone.append(&mut supply.gone);
        unknown += supply.unknown;
    }
    Ok((gone, unknown))
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
    knowledge: &'a Knowledge,
    environments: &'a Environments<'a>,
    options: &ExamineOptions,
) -> Classifier<'a> {
    Classifier {
        tree: source.tree(),
        installed: &knowledge.installed,
        environments,
        numbers: &knowledge.numbers,
        declared: &knowledge.declared,
        in_container: source.in_container(),
        image: source.image(),
        base: source.base(),
        rules: &knowledge.rules,
        globs: &knowledge.globs,
        baseline: knowledge.baseline,
        logs: options.logs,
        offers: &knowledge.offers,
        shipped: OnceLock::new(),
        unpacked: Unpacked::default(),
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
    let evidence = match classifier.evidence(&entry, source.location(&entry.path)) {
        Ok(evidence) => evidence,
        Err(error) => return Err(Box::new((entry, error))),
    };
    let verdict = decide(&evidence);
    let secret = match verdict.class {
        Class::Mutable => classifier.is_secret(&entry, &evidence),
        _ => Ok(false),
    };
    let secret = match secret {
        Ok(secret) => secret,
        Err(error) => return Err(Box::new((entry, error))),
    };
    let mut judged = Judged {
        secret,
        entry,
        class: verdict.class,
        reason: verdict.reason,
        origin: evidence.origin,
        package: evidence.package.map(|p| p.name),
        part: evidence.environment.map(Box::new),
        deleted: false,
        pristine: None,
        image_text: None,
    };
    // What is left out has no need of it.
    let wanted = judged.class == Class::Mutable || judged.origin != Origin::Container;
    let found = match wanted {
        true => places.find(&judged.entry, &judged.reason, judged.origin),
        false => Ok(Texts::default()),
    };
    match found {
        Ok(texts) => (judged.pristine, judged.image_text) = (texts.pristine, texts.of_image),
        Err(error) if *error.path() == judged.entry.path => {
            return Err(Box::new((judged.entry, error)));
        }
        // Another file that cannot be read is no reason to lose this one.
        Err(_) => {}
    }
    Ok(judged)
}

/// What the way in cannot deliver, and what is not in the bundle as it was.
fn limitations(
    source: &Source,
    knowledge: &Knowledge,
    survey: &Survey,
    entries: &mut Verdicts,
    stop: &dyn Fn() -> Result<(), Failure>,
) -> Result<Vec<String>, Failure> {
    let mut limitations = source.limitations().to_vec();
    limitations.extend(survey.environments.iter().filter(|fact| fact.rebuild).map(|fact| {
        format!("{}: packages are kept as a list, for an index that still has them", fact.root)
    }));
    let claims = knowledge.installed.problems().filter(|problem| !problem.is_loss());
    limitations.extend(claims.map(ToString::to_string));
    let system = defaults::System {
        tree: source.tree(),
        installed: &knowledge.installed,
        settings: source.settings(),
    };
    limitations.extend(defaults::keep(&system, entries, stop)?);
    Ok(limitations)
}

/// What the container's settings name to Python.
fn python_path(source: &Source) -> impl Iterator<Item = &str> {
    let settings = match source.settings() {
        Settings::Service(settings) => Some(settings),
        Settings::None | Settings::Inspected(_) => None,
    };
    settings.into_iter().flat_map(|settings| settings.variable(PYTHON_PATH))
}

/// The image of `source` with what can be read of its packages.
fn beneath(source: &Source) -> Result<Option<ImageFact>, TreeError> {
    let Some(Beneath { fact, tree }) = source.beneath() else { return Ok(None) };
    let installed = Installed::load(&**tree)?;
    let family = installed.manager().and_then(family::of);
    let choices = family.map(|family| family.decided(&**tree, &installed)).unwrap_or_default();
    let packages = packages(&installed).1.into_iter().map(|intent| intent.name).collect();
    Ok(Some(ImageFact { packages, choices, ..fact.clone() }))
}

fn survey(source: &Source, knowledge: &Knowledge) -> Result<Survey, Failure> {
    let (packages, intents) = packages(&knowledge.installed);
    let apps = knowledge
        .apps
        .iter()
        .map(|app| AppFact {
            name: app.app.clone(),
            distribution: app.rule.distribution.to_string(),
            version: app.version.as_ref().map(ToString::to_string),
        })
        .collect();
    let family = knowledge.installed.manager().and_then(family::of);
    let choices = family
        .map(|family| family.decided(source.tree(), &knowledge.installed))
        .unwrap_or_default();
    let image = beneath(source).map_err(|e| unreadable(source, e, "reading the image of"))?;
    Ok(Survey {
        image,
        source: source.to_string(),
        name: source.name().to_owned(),
        os: knowledge.os.clone(),
        manager: knowledge.installed.manager().map(|m| m.to_string()).unwrap_or_default(),
        architecture: architecture(&knowledge.installed),
        packages,
        intents,
        withdrawn: knowledge.withdrawn.clone(),
        apps,
        mounts: source.mounts(),
        choices,
        locales: locales(source.tree())
            .map_err(|e| unreadable(source, e, "reading the locales of"))?,
        ..Survey::default()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::monitor::Silent;
    use crate::source::{OpenOptions, SourceSpec};
    use crate::verdict::Reason;

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

    /// What becomes of `/usr/bin/app`, a file of the package `app` in a Debian 12 without lists.
    fn app_of(name: &str, version: &str, maker: &str) -> (Class, Examined) {
        let dir = root();
        let status = format!(
            "Package: {name}\nStatus: install ok installed\nVersion: {version}\n\
             Maintainer: {maker}\nArchitecture: all\nDepends: bash, absent\n\n\
             Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b2\n\
             Maintainer: M <doko@debian.org>\nArchitecture: amd64\n\n"
        );
        write(dir.path(), "var/lib/dpkg/status", &status);
        write(dir.path(), "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        write(dir.path(), "var/lib/dpkg/info/bash.list", "/.\n");
        for kind in ["list", "md5sums"] {
            let info = |name: &str| dir.path().join(format!("var/lib/dpkg/info/{name}.{kind}"));
            fs::rename(info("app"), info(name)).unwrap();
        }
        let (layout, options) = (LayoutDb::open(&[]).unwrap(), ExamineOptions::default());
        let examined = examine(&open(dir.path()), &layout, &options, &Silent).unwrap();
        let at = RootPath::parse(b"/usr/bin/app").unwrap();
        (examined.entries.get(&at).unwrap().class, examined)
    }

    #[test]
    fn without_lists_a_vendors_package_is_kept_and_debians_is_not() {
        let team = "Debian Nginx Maintainers <nginx@alioth-lists.debian.net>";
        let (class, examined) = app_of("vendor-tool", "2.1", "V <v@example.org>");
        assert_eq!(class, Class::Mutable);
        let withdrawn = &examined.survey.withdrawn;
        assert_eq!(withdrawn.len(), 1);
        assert_eq!(
            (&*withdrawn[0].name, &withdrawn[0].needs),
            ("vendor-tool", &vec!["bash".to_owned()])
        );
        assert!(examined.losses.is_empty());
        let (class, examined) = app_of("nginx", "1.22.1-9+deb12u1", team);
        assert_eq!((class, examined.survey.withdrawn.len()), (Class::Immutable, 0));
        assert_eq!(app_of("nginx", "1.24.0-1~bookworm", team).0, Class::Mutable);
        assert_eq!(app_of("nginx", "1.22.1-9+deb12u1+local1", team).0, Class::Mutable);
    }

    #[test]
    fn a_system_of_which_nothing_is_known_is_named_once() {
        let layout = LayoutDb::open(&[]).unwrap();
        let dir = root();
        let options = ExamineOptions::default();
        let examined = examine(&open(dir.path()), &layout, &options, &Silent).unwrap();
        let lost: Vec<_> = examined.losses.iter().map(|lost| (&*lost.subject, lost.what)).collect();
        assert_eq!(lost, [("packages of this system", "not known to be had again")]);
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
