//! Edited configuration whose path no package of the new system has.
//!
//! It goes where its package reads it today, when the package says where that is: its scripts tell
//! that it moved, its daemon has another name, or it has one file of that name and much the same
//! text elsewhere. What nothing reads any more is held, and stays where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use crate::bundle::{Listed, Manifest, ManifestEntry};
use crate::failure::Failure;
use crate::layout::LayoutMatcher;
use crate::packages::{Installed, Moving};
use crate::restore::files::mentions::Mentions;
use crate::restore::files::today::Today;
use crate::restore::packages::in_use::CONFIGURATION;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Station, unreadable};
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, FileType, Kind, RootPath, Store, Tree, TreeError,
    parent_of, read_file, real_place,
};
use crate::verdict::{Class, Held, HeldKind, Reason};

/// Largest text that is compared.
const LIMIT: u64 = 4 * 1024 * 1024;

/// How many things that exist today are named for one that is held.
const MAX_CANDIDATES: usize = 4;

/// How many moves of one path are followed.
const MAX_MOVES: usize = 16;

/// Where the variables of services are set.
const DEFAULTS: RootPath = RootPath::literal("/etc/default");

/// What is known of the old system and of the new one.
pub(in crate::restore) struct Known<'a> {
    pub(in crate::restore) manifest: &'a Manifest,
    pub(in crate::restore) store: &'a dyn Store,
    pub(in crate::restore) target: &'a dyn Tree,
    /// Whether the files are in it already.
    pub(in crate::restore) station: Station,
    pub(in crate::restore) installed: &'a Installed,
    pub(in crate::restore) today: &'a Today<'a>,
    pub(in crate::restore) places: &'a LayoutMatcher,
    /// Today's names of services.
    pub(in crate::restore) services: &'a BTreeMap<String, String>,
}

/// An edited file that no package of the new system has.
struct Unread {
    path: RootPath,
    /// The old package, where that is known.
    package: Option<String>,
    /// The packages that stand in its place.
    successors: BTreeSet<String>,
}

/// Where an unread file belongs.
enum Fate {
    /// Elsewhere; `what` the plan says of it.
    Elsewhere { to: RootPath, what: String, copy: Copied },
    /// Nowhere that is known.
    Held { why: String },
    /// It is read where it is.
    Read,
}

/// What stays where a file was that goes elsewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copied {
    /// Nothing.
    Never,
    /// The file itself, where the old place is read too.
    WhereRead,
}

/// Moves edited configuration in `draft` to where it is read today, and holds what is not read.
pub(in crate::restore) fn follow(
    known: &Known<'_>,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    follow_all(known, draft, decisions).map_err(unreadable)
}

fn follow_all(
    known: &Known<'_>,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let edited = known.manifest.entries.wanted(|listed| is_edited(&listed));
    let unread = unread(edited, known, draft)?;
    let gone = draft.deletions().filter(|path| path.is_within(&CONFIGURATION));
    let gone: Vec<RootPath> = gone.cloned().collect();
    if unread.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let moves = Moves::of(known.installed, known.target);
    stay_removed(&gone, &moves, known.target, draft, decisions)?;
    let wanted = unread.iter().map(|file| (&file.path, &file.successors));
    let mut mentions = Mentions::of(wanted, known.installed, known.target)?;
    let paths: Vec<&RootPath> = unread.iter().map(|file| &file.path).collect();
    match known.station {
        Station::Staged => mentions.add_archived(&paths, draft, known.store)?,
        Station::Standing => {
            let is_own = |path: &RootPath| {
                draft.get(path).is_some() || known.installed.claims(path).next().is_none()
            };
            mentions.add_standing(&paths, known.target, &is_own)?;
        }
    }
    let links = Links::of(known.manifest);
    for file in unread {
        let fate = fate(&file, &moves, (&mentions, &links), known, draft)?;
        match fate {
            Fate::Read => {}
            Fate::Elsewhere { to, what, copy } => {
                let still_read = copy == Copied::WhereRead && mentions.names(&file.path);
                carry(draft, &file.path, &to, still_read);
                decisions.adapt(&to, what);
            }
            Fate::Held { why } => {
                decisions.held.push(held(&file, &candidates(&file, &moves, known), why));
            }
        }
    }
    Ok(())
}

/// A file that its package brought or made, and that somebody edited.
fn is_edited(listed: &Listed<'_>) -> bool {
    let edited = match listed.reason {
        Reason::ConffileEdited { .. }
        | Reason::UcfEdited
        | Reason::UcfAnswered
        | Reason::UcfWritten { .. } => true,
        Reason::PackageFileChanged { .. } | Reason::PackageFileNewer { .. } => {
            listed.path.starts_with(b"/etc/")
        }
        _ => false,
    };
    edited && listed.class == Class::Mutable && listed.stored && !listed.deleted
}

/// Those of `edited` that are still where they were in `draft`, and that nobody in the new system
/// has.
fn unread(
    edited: impl Iterator<Item = ManifestEntry>,
    known: &Known<'_>,
    draft: &Draft,
) -> Result<Vec<Unread>, TreeError> {
    let mut all = vec![];
    for entry in edited {
        let path = entry.path;
        if !draft.get(&path).is_some_and(|node| node.entry.kind.is_file()) {
            continue;
        }
        let place = real_place(known.target, &path)?;
        // What stands there may be the file itself, and that says nothing.
        let there = known.station == Station::Staged && known.target.entry(&place)?.is_some()
            || known.installed.claims(&place).next().is_some()
            || known.installed.generated(&place).is_some();
        if there {
            continue;
        }
        let package = entry.package.or(match entry.reason {
            Reason::UcfWritten { package } => Some(package),
            _ => None,
        });
        let successors = package.as_deref().map(|name| known.today.of(name)).unwrap_or_default();
        all.push(Unread { path, package, successors });
    }
    Ok(all)
}

fn fate(
    file: &Unread,
    moves: &Moves,
    (mentions, links): (&Mentions, &Links),
    known: &Known<'_>,
    draft: &Draft,
) -> Result<Fate, TreeError> {
    let target = known.target;
    let free = |to: &RootPath| draft.get(to).is_none();
    let there =
        |to: &RootPath| Ok::<_, TreeError>(target.entry(&real_place(target, to)?)?.is_some());
    if let Some((to, package)) = moves.to(&file.path)
        && (there(&to)? || is_dropped_in(&to, target)?)
    {
        return Ok(match free(&to) {
            true => {
                let what = format!("moved from {}: {package} reads it here today", file.path);
                Fate::Elsewhere { to, what, copy: Copied::Never }
            }
            false => Fate::Held {
                why: format!(
                    "{package} reads it at {to} today, where the old system had a file of its own"
                ),
            },
        });
    }
    let ruled = known.places.matches(&file.path).is_some();
    let is_named = mentions.names(&file.path);
    if let Some(package) = moves.removed.get(&file.path)
        && !(ruled && is_named)
    {
        let why = format!(
            "{package} has it no more and removes it: nothing reads it today; it stays here"
        );
        return Ok(Fate::Held { why });
    }
    if ruled {
        return Ok(Fate::Read);
    }
    if let Some(to) = default_of(&file.path, known.services).filter(|to| free(to))
        && there(&to)?
    {
        let what = format!("moved from {}: the service has another name", file.path);
        return Ok(Fate::Elsewhere { to, what, copy: Copied::WhereRead });
    }
    let named: Vec<&RootPath> = same_name(file, known).filter(|to| free(to)).collect();
    if let [to] = named.as_slice()
        && alike(&file.path, to, known, draft)?
    {
        let to = (*to).clone();
        let what = format!("moved from {}: its package has a file much like it here", file.path);
        return Ok(Fate::Elsewhere { to, what, copy: Copied::Never });
    }
    Ok(match &file.package {
        Some(package) if file.successors.is_empty() => Fate::Held {
            why: format!(
                "its package {package} is not installed today: nothing reads it; it stays here"
            ),
        },
        _ if is_dropped_in(&file.path, target)? => Fate::Read,
        _ if is_named => match links.lost(&file.path, known.target)? {
            None => Fate::Read,
            Some((link, package)) => Fate::Held {
                why: format!(
                    "it was read by way of {link}, a link of {package} that the new system does \
                     not have: nothing is known to read it; it stays here"
                ),
            },
        },
        Some(package) => Fate::Held {
            why: format!(
                "{package} was configured by it and does not have it today: nothing is known to \
                 read it; it stays here"
            ),
        },
        None => Fate::Held {
            why:
                "no package of the new system makes it: nothing is known to read it; it stays here"
                    .to_owned(),
        },
    })
}

/// The old system's links of packages where all files are read, with their packages, by where they
/// lead.
struct Links(BTreeMap<RootPath, Vec<(RootPath, String)>>);

impl Links {
    fn of(manifest: &Manifest) -> Links {
        let is_link = |listed: Listed<'_>| {
            let dir = parent_of(listed.path).unwrap_or_default();
            let packaged = listed.class == Class::Immutable && listed.package.is_some();
            let is_link = listed.file_type == FileType::Symlink;
            packaged && !listed.deleted && is_link && dir.ends_with(b".d")
        };
        let mut links = BTreeMap::<RootPath, Vec<(RootPath, String)>>::new();
        for record in manifest.entries.wanted(is_link) {
            let package = record.package.clone().unwrap_or_default();
            let Some(link) = record.into_entry() else { continue };
            if let Some(aim) = aim(&link) {
                links.entry(aim).or_default().push((link.path, package));
            }
        }
        Links(links)
    }

    /// The link that led to `path` in the old system, when none does in `target`.
    fn lost(
        &self,
        path: &RootPath,
        target: &dyn Tree,
    ) -> Result<Option<(RootPath, String)>, TreeError> {
        let links = self.0.get(path).map(Vec::as_slice).unwrap_or_default();
        for (link, _) in links {
            let there = target.entry(&real_place(target, link)?)?;
            if there.as_ref().and_then(aim).as_ref() == Some(path) {
                return Ok(None);
            }
        }
        Ok(links.first().cloned())
    }
}

/// Where a link leads, as its text says.
fn aim(entry: &Entry) -> Option<RootPath> {
    match &entry.kind {
        Kind::Symlink { target } => Some(entry.path.aim(target)),
        _ => None,
    }
}

/// Where the variables of a service are set whose name is another today.
fn default_of(path: &RootPath, services: &BTreeMap<String, String>) -> Option<RootPath> {
    let name = std::str::from_utf8(path.name()).ok()?;
    let today = services.get(name).filter(|_| path.parent().as_ref() == Some(&DEFAULTS))?;
    Some(DEFAULTS.child(today.as_bytes()))
}

/// The configuration of the file's packages of today that is called as it is.
fn same_name<'a>(file: &'a Unread, known: &'a Known<'_>) -> impl Iterator<Item = &'a RootPath> {
    let all = known.today.configuration(&file.successors);
    all.filter(|path| path.name() == file.path.name() && **path != file.path)
}

/// Whether the archived file and the new system's `to` are versions of one text.
fn alike(
    path: &RootPath,
    to: &RootPath,
    known: &Known<'_>,
    draft: &Draft,
) -> Result<bool, TreeError> {
    let Some(DraftNode { content: DraftContent::Stored(id), .. }) = draft.get(path) else {
        return Ok(false);
    };
    let failed = |e| TreeError::io("reading the archived", path, e);
    let mut ours = vec![];
    let content = known.store.open(*id).map_err(failed)?;
    content.take(LIMIT).read_to_end(&mut ours).map_err(failed)?;
    Ok(match read_file(known.target, to, LIMIT) {
        Ok(Some(theirs)) => are_alike(&ours, &theirs),
        // Too large, or no file.
        Ok(None) | Err(_) => false,
    })
}

/// Whether two texts have at least half of the lines of the shorter one in common, or half of the
/// words that its settings begin with.
fn are_alike(a: &[u8], b: &[u8]) -> bool {
    share(&lines(a).collect(), &lines(b).collect()) || share(&settings(a), &settings(b))
}

fn share(a: &BTreeSet<&[u8]>, b: &BTreeSet<&[u8]>) -> bool {
    let shorter = a.len().min(b.len());
    shorter > 0 && a.intersection(b).count() * 2 >= shorter
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// The words that the lines begin with, but for comments.
fn settings(text: &[u8]) -> BTreeSet<&[u8]> {
    let ends = |b: &u8| !b.is_ascii_alphanumeric() && !b"_-.".contains(b);
    let words = lines(text).map(|line| line.split(ends).next().unwrap_or(line));
    words.filter(|word| !word.is_empty()).collect()
}

/// Names of directories all of whose files are read, whoever put them there.
fn is_dropped_in(path: &RootPath, target: &dyn Tree) -> Result<bool, TreeError> {
    let Some(dir) = path.parent() else { return Ok(false) };
    let name = dir.name();
    let all_are_read = name.ends_with(b".d")
        || name.ends_with(b"-enabled")
        || name.ends_with(b"-available")
        || name.starts_with(b"cron.");
    // Scripts of services are run by their names.
    if !all_are_read || name == b"init.d" || (name.starts_with(b"rc") && name.len() == 5) {
        return Ok(false);
    }
    let place = real_place(target, &dir)?;
    Ok(target.entry(&place)?.is_some_and(|entry| entry.kind.is_dir()))
}

fn held(file: &Unread, candidates: &[RootPath], why: String) -> Held {
    let names: Vec<String> = candidates.iter().map(ToString::to_string).collect();
    let near = match names.as_slice() {
        [] => String::new(),
        some => format!("; there is {} today", some.join(", ")),
    };
    let held = Held::new(HeldKind::Configuration, &file.path, why + &near).file(&file.path);
    candidates.iter().fold(held, Held::candidate)
}

/// What exists today and is nearest to a file that is held.
fn candidates(file: &Unread, moves: &Moves, known: &Known<'_>) -> Vec<RootPath> {
    let stem = |path: &RootPath| -> Vec<u8> {
        let name = path.name();
        name.split(|&b| b == b'.').next().unwrap_or(name).to_ascii_lowercase()
    };
    let ours = stem(&file.path);
    let mut all: Vec<RootPath> = moves.to(&file.path).map(|(to, _)| to).into_iter().collect();
    all.extend(default_of(&file.path, known.services));
    let near = known.today.configuration(&file.successors);
    let near: Vec<&RootPath> = near.filter(|path| **path != file.path).collect();
    // What is run was a script, and may be a unit.
    if is_run(&file.path) {
        all.extend(known.today.units(&file.successors, &ours).cloned());
    } else {
        all.extend(same_name(file, known).cloned());
    }
    let alone = |path: &&&RootPath| {
        let dir = path.parent_bytes().unwrap_or_default();
        stem(path) == ours && (!dir.ends_with(b".d") || file.path.parent_bytes() == Some(dir))
    };
    all.extend(near.iter().filter(alone).map(|path| (*path).clone()));
    if all.is_empty() {
        let dir = file.path.parent().filter(|dir| dir.components().count() > 1);
        let beside = |path: &&&RootPath| path.parent() == dir && dir.is_some();
        all.extend(near.iter().filter(beside).map(|path| (*path).clone()));
    }
    let mut seen = BTreeSet::new();
    all.retain(|path| seen.insert(path.clone()));
    all.truncate(MAX_CANDIDATES);
    all
}

/// Whether a file at `path` is a script that something runs.
fn is_run(path: &RootPath) -> bool {
    path.parent_bytes().is_some_and(|dir| dir == b"/etc/init.d" || dir.starts_with(b"/etc/cron."))
}

/// Moves the file at `from`, or puts a copy of it there where both places are read.
fn carry(draft: &mut Draft, from: &RootPath, to: &RootPath, still_read: bool) {
    if !still_read {
        draft.rename(from, to);
    } else if let Some(node) = draft.get(from) {
        let mut copy = node.clone();
        copy.entry.path = to.clone();
        copy.entry.links = None;
        draft.put(copy);
    }
}

/// What was removed by hand stays so where it lies today.
fn stay_removed(
    gone: &[RootPath],
    moves: &Moves,
    target: &dyn Tree,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    for path in gone {
        let Some((to, package)) = moves.to(path) else { continue };
        let there = target.entry(&real_place(target, &to)?)?.is_some();
        if there && draft.get(&to).is_none() {
            draft.keep(path);
            draft.delete(to.clone());
            let what = format!("was removed as {path}: {package} has it here today");
            decisions.adapt(&to, what);
        }
    }
    Ok(())
}

/// What packages say of paths that their earlier versions had.
#[derive(Default)]
struct Moves {
    /// With the package that says so.
    moved: BTreeMap<RootPath, (RootPath, String)>,
    removed: BTreeMap<RootPath, String>,
    /// Links that are directories today, by where they led.
    dirs: BTreeMap<RootPath, (RootPath, String)>,
}

impl Moves {
    fn of(installed: &Installed, target: &dyn Tree) -> Moves {
        let mut moves = Moves::default();
        for told in installed.told(target) {
            match told.moving {
                Moving::Moved { from, to } => {
                    moves.moved.insert(from, (to, told.package));
                }
                Moving::Removed(path) => {
                    moves.removed.insert(path, told.package);
                }
                Moving::DirNow { dir, formerly } => {
                    moves.dirs.insert(formerly, (dir, told.package));
                }
                // What lay in the directory is placed where the link leads.
                Moving::LinkNow { .. } => {}
            }
        }
        moves
    }

    /// Where the file at `path` is today, and the package that says so; `None` when nobody does, or
    /// it was removed on the way.
    fn to(&self, path: &RootPath) -> Option<(RootPath, String)> {
        let (mut at, mut by) = (path.clone(), None);
        for _ in 0..MAX_MOVES {
            let Some((to, package)) = self.step(&at) else { break };
            (at, by) = (to, Some(package));
        }
        let by = by.filter(|_| at != *path && !self.removed.contains_key(&at))?;
        Some((at, by))
    }

    fn step(&self, path: &RootPath) -> Option<(RootPath, String)> {
        if let Some(moved) = self.moved.get(path) {
            return Some(moved.clone());
        }
        let (formerly, (dir, package)) =
            path.ancestors().find_map(|dir| self.dirs.get_key_value(&dir))?;
        Some((dir.join(&path.strip_prefix(formerly)?), package.clone()))
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::layout::LayoutDb;
    use crate::restore::packages::in_use::testing::{edited, entry, manifest};
    use crate::restore::value::packages::{Install, PackagePlan};
    use crate::survey::IntentWhy;
    use crate::tree::memory::{MemoryTree, Texts};
    use crate::tree::{ContentId, Entry, Kind, Meta};

    const OURS: &str = "workdir /srv\ninterval 5\ntarget attic\n";
    const DEFAULT: &str = "workdir /srv\ninterval 5\n";

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str) -> DraftNode {
        let meta = Meta::root(0o644);
        let kind = Kind::File { size: OURS.len() as u64 };
        let entry = Entry::new(path(at), kind, meta);
        DraftNode { entry, content: DraftContent::Stored(ContentId(0)) }
    }

    /// A system with the package `app` that has these files, with a script.
    fn system(files: &[(&str, &str)], script: &str) -> MemoryTree {
        let status = "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
        let list: String = files.iter().map(|(at, _)| format!("{at}\n")).collect();
        let tree = MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/app.list", format!("/.\n/etc\n{list}"))
            .file("/var/lib/dpkg/info/app.preinst", script);
        files.iter().fold(tree, |tree, (at, text)| tree.file(at, text))
    }

    struct Followed {
        draft: Vec<String>,
        held: Vec<Held>,
        steps: Vec<String>,
    }

    fn follow_in(target: &MemoryTree, entries: Vec<ManifestEntry>, plan: &PackagePlan) -> Followed {
        follow_at(Station::Staged, target, entries, plan)
    }

    fn follow_at(
        station: Station,
        target: &MemoryTree,
        entries: Vec<ManifestEntry>,
        plan: &PackagePlan,
    ) -> Followed {
        let mut draft = Draft::default();
        for entry in entries.iter().filter(|entry| entry.class == Class::Mutable) {
            match entry.is_deleted() {
                true => draft.delete(entry.path.clone()),
                false => draft.put(node(&entry.path.to_string())),
            }
        }
        let installed = Installed::load(target).unwrap();
        let services = BTreeMap::from([("app".to_owned(), "appd".to_owned())]);
        let known = Known {
            manifest: &manifest(entries),
            store: &Texts(&[OURS]),
            target,
            station,
            installed: &installed,
            today: &Today::read(&installed, plan, target).unwrap(),
            places: &LayoutDb::open(&[]).unwrap().layout(&[]).unwrap(),
            services: &services,
        };
        let mut decisions = Decisions::default();
        follow(&known, &mut draft, &mut decisions).unwrap();
        let nodes = draft.nodes().map(|node| node.entry.path.to_string());
        let gone = draft.deletions().map(|path| format!("- {path}"));
        Followed {
            draft: nodes.chain(gone).collect(),
            held: decisions.held,
            steps: decisions.steps.iter().map(ToString::to_string).collect(),
        }
    }

    /// What becomes of the edited `at` of the package `app`.
    fn followed(at: &str, files: &[(&str, &str)], script: &str) -> Followed {
        follow_in(&system(files, script), vec![edited(at, "app")], &PackagePlan::default())
    }

    fn is_held(found: &Followed, at: &str, why: &str, candidates: &[&str]) {
        assert_eq!(found.draft, [at]);
        assert_eq!(found.held.len(), 1);
        let held = &found.held[0];
        assert_eq!((held.kind, held.subject.as_str()), (HeldKind::Configuration, at));
        assert!(held.why.contains(why), "{}", held.why);
        assert_eq!(held.candidates, candidates);
        assert_eq!(held.files, [at]);
        assert_eq!(found.steps, [""; 0]);
    }

    const MOVED: &str =
        "dpkg-maintscript-helper mv_conffile /etc/old.conf /etc/app/new.conf 2~ app -- \"$@\"\n";

    #[test]
    fn a_file_that_a_script_moves_is_placed_where_its_package_reads_it_today() {
        let found = followed("/etc/old.conf", &[("/etc/app/new.conf", "else\n")], MOVED);
        assert_eq!(found.draft, ["/etc/app/new.conf"]);
        assert_eq!(found.held, []);
        assert_eq!(
            found.steps,
            ["adapt /etc/app/new.conf (moved from /etc/old.conf: app reads it here today)"]
        );
        // Without the script's word nobody knows.
        let found = followed("/etc/old.conf", &[("/etc/app/new.conf", "else\n")], "");
        is_held(&found, "/etc/old.conf", "app was configured by it", &[]);
    }

    #[test]
    fn moves_are_followed_as_far_as_they_go_and_never_in_a_circle() {
        let more = "dpkg-maintscript-helper mv_conffile /etc/app/new.conf /etc/app/last.conf\n\
                    dpkg-maintscript-helper mv_conffile /etc/a /etc/b\n\
                    dpkg-maintscript-helper mv_conffile /etc/b /etc/a\n";
        let script = format!("{MOVED}{more}");
        let found = followed("/etc/old.conf", &[("/etc/app/last.conf", "")], &script);
        assert_eq!(found.draft, ["/etc/app/last.conf"]);
        let found = followed("/etc/a", &[("/etc/app/last.conf", "")], &script);
        is_held(&found, "/etc/a", "nothing is known to read it", &[]);
    }

    #[test]
    fn a_file_that_was_removed_by_hand_stays_so_where_it_lies_today() {
        let gone = ManifestEntry::deleted(
            path("/etc/old.conf"),
            Class::Mutable,
            Reason::Removed,
            crate::verdict::Origin::Container,
        );
        let target = system(&[("/etc/app/new.conf", "")], MOVED);
        let found = follow_in(&target, vec![gone], &PackagePlan::default());
        assert_eq!(found.draft, ["- /etc/app/new.conf"]);
    }

    #[test]
    fn what_lay_behind_a_link_that_is_a_directory_today_is_placed_in_it() {
        let script = "dpkg-maintscript-helper symlink_to_dir /etc/app /etc/shared 2 -- \"$@\"\n";
        let found = followed("/etc/shared/x.conf", &[("/etc/app/x.conf", "else")], script);
        assert_eq!(found.draft, ["/etc/app/x.conf"]);
    }

    #[test]
    fn a_file_that_a_script_removes_is_held_even_where_all_files_are_read() {
        let script = "dpkg-maintscript-helper rm_conffile /etc/app.d/old 2~ -- \"$@\"\n";
        let found = followed("/etc/app.d/old", &[("/etc/app.d/new", "")], script);
        is_held(&found, "/etc/app.d/old", "app has it no more", &["/etc/app.d/new"]);
        let found = followed("/etc/app.d/old", &[("/etc/app.d/new", "")], "");
        assert_eq!((found.held, found.draft), (vec![], vec!["/etc/app.d/old".to_owned()]));
    }

    #[test]
    fn a_script_that_is_run_no_more_is_held_with_the_unit_of_its_name() {
        let unit = "/usr/lib/systemd/system/app.service";
        let found = followed("/etc/init.d/app", &[(unit, ""), ("/etc/logcheck/x.d/app", "")], "");
        is_held(&found, "/etc/init.d/app", "nothing is known to read it", &[unit]);
    }

    #[test]
    fn the_only_file_of_its_name_with_much_the_same_text_is_where_it_goes() {
        let found = followed("/etc/app.cfg", &[("/etc/app/app.cfg", DEFAULT)], "");
        assert_eq!(found.draft, ["/etc/app/app.cfg"]);
        assert_eq!(
            found.steps,
            [
                "adapt /etc/app/app.cfg (moved from /etc/app.cfg: its package has a file much like it \
              here)"
            ]
        );
        // A shorter default of today is known by its settings.
        let found = followed("/etc/app.cfg", &[("/etc/app/app.cfg", "# new\nworkdir /var\n")], "");
        assert_eq!(found.draft, ["/etc/app/app.cfg"]);
        // Another text is something else, and of two nobody knows which.
        let found = followed("/etc/app.cfg", &[("/etc/app/app.cfg", "<xml/>\nother 5\n")], "");
        is_held(&found, "/etc/app.cfg", "nothing is known to read it", &["/etc/app/app.cfg"]);
        let two = [("/etc/app/a/app.cfg", DEFAULT), ("/etc/app/b/app.cfg", DEFAULT)];
        let found = followed("/etc/app.cfg", &two, "");
        is_held(&found, "/etc/app.cfg", "nothing is known", &[two[0].0, two[1].0]);
    }

    #[test]
    fn variables_of_a_service_go_to_its_name_of_today_and_stay_where_they_are_read_too() {
        let found = followed("/etc/default/app", &[("/etc/default/appd", "")], "");
        assert_eq!(found.draft, ["/etc/default/appd"]);
        let read = [("/etc/default/appd", ""), ("/etc/cron.daily/app", ". /etc/default/app\n")];
        let found = followed("/etc/default/app", &read, "");
        assert_eq!(found.draft, ["/etc/default/app", "/etc/default/appd"]);
    }

    #[test]
    fn a_file_of_a_package_that_is_not_there_today_is_held() {
        let target = system(&[("/etc/cron.d/other", "")], "");
        let old = || vec![edited("/etc/cron.d/gone", "gone")];
        let found = follow_in(&target, old(), &PackagePlan::default());
        is_held(&found, "/etc/cron.d/gone", "its package gone is not installed today", &[]);
        let took = Install {
            name: "app".to_owned(),
            formerly: Some("gone".to_owned()),
            why: IntentWhy::Manual,
        };
        let plan = PackagePlan { install: vec![took], ..PackagePlan::default() };
        assert_eq!(follow_in(&target, old(), &plan).held, []);
    }

    #[test]
    fn a_file_whose_readers_came_by_a_link_that_is_gone_is_held() {
        let reason = Reason::AsPackaged { package: "init".to_owned() };
        let link = entry("/etc/sys.d/99-sys.conf", Some("init"), reason, Some("../sys.conf"));
        let old = || vec![edited("/etc/sys.conf", "app"), link.clone()];
        // A program that is run by nobody names it too.
        let files = [("/usr/sbin/app", "\0/etc/sys.conf\0")];
        let target = system(&files, "");
        let found = follow_in(&target, old(), &PackagePlan::default());
        is_held(&found, "/etc/sys.conf", "by way of /etc/sys.d/99-sys.conf, a link of init", &[]);
        let linked = target.link("/etc/sys.d/99-sys.conf", "../sys.conf");
        assert_eq!(follow_in(&linked, old(), &PackagePlan::default()).held, []);
        let found = follow_in(
            &system(&files, ""),
            vec![edited("/etc/sys.conf", "app")],
            &PackagePlan::default(),
        );
        assert_eq!(found.held, []);
    }

    #[test]
    fn what_stands_where_it_is_not_read_is_open_until_something_names_it() {
        let old = || vec![edited("/etc/app.cfg", "app")];
        let at = |target: &MemoryTree| {
            follow_at(Station::Standing, target, old(), &PackagePlan::default())
        };
        let standing = system(&[], "").file("/etc/app.cfg", OURS);
        is_held(&at(&standing), "/etc/app.cfg", "nothing is known to read it", &[]);
        // Staged, a file that is there is somebody's.
        assert_eq!(follow_in(&standing, old(), &PackagePlan::default()).held, []);
        let named = standing.file("/etc/app/main.conf", "include /etc/app.cfg\n");
        assert_eq!(at(&named).held, []);
        let said = system(&[], "")
            .file("/etc/app.cfg", "# /etc/app.cfg\n")
            .file("/etc/app/main.conf", "# include /etc/app.cfg\n");
        assert_eq!(at(&said).held.len(), 1);
    }

    #[test]
    fn what_is_read_today_is_not_held() {
        // It is there; a package names it; it is no edited file of a package.
        let files = [("/etc/app.conf", ""), ("/usr/bin/app", "\0/etc/named.conf\0")];
        assert_eq!(followed("/etc/app.conf", &files, "").held, []);
        assert_eq!(followed("/etc/named.conf", &files, "").held, []);
        let own = entry("/etc/own.conf", None, Reason::Unexplained, None);
        let own = ManifestEntry { class: Class::Mutable, stored: true, ..own };
        let found = follow_in(&system(&files, ""), vec![own], &PackagePlan::default());
        assert_eq!(found.held, []);
        let made = entry("/etc/made.conf", None, Reason::UcfEdited, None);
        let found = follow_in(&system(&files, ""), vec![made], &PackagePlan::default());
        is_held(&found, "/etc/made.conf", "no package of the new system makes it", &[]);
    }
}
