//! What new defaults say otherwise than the old ones, where nobody edited them.
//!
//! A file that was not edited comes with the new package, as it should. But what a user wrote in
//! another file that it reads then stands among other lines than before, and what a service did by
//! default it may not do any more. Nothing can be decided here: what is otherwise is held, with the
//! lines. What rules change on the way is expected, so an old default is first adapted by them, as
//! a user's own file would be.
//!
//! Of one file there is one question at most, and of defaults around which there is nothing of the
//! user's one for all files of a package.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use crate::defaults::{
    Change, IN_SERVICE, LIMIT, Line, Place, Reach, compare, is_for_others, lines,
};
use crate::failure::Failure;
use crate::layout::{self, Mentions};
use crate::packages::{Installed, OWN_CONFIGURATION};
use crate::restore::files::migration::{AppMigration, adapt_settings, apply_steps};
use crate::restore::value::archived::Archived;
use crate::restore::value::config_merge::Outcome;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Inputs, unreadable};
use crate::restore::value::step::Step;
use crate::tree::{
    ContentId, Draft, DraftContent, DraftNode, Entry, Kind, RootPath, Store, Tree, TreeError,
    read_file,
};
use crate::verdict::{Held, HeldKind};

/// How many lines are told of one file.
const TOLD: usize = 8;

/// How many files are looked at beside one.
const BESIDE: usize = 512;

/// Where configuration is.
const PLACE: RootPath = RootPath::literal("/etc");

/// Directories below it that applications share. What changes there is of interest only around
/// something of the user's.
const SHARED: &[&[u8]] =
    &[b"conf.d", b"default", b"pam.d", b"profile.d", b"security", b"sysconfig", b"xdg"];

/// What is compared.
pub(in crate::restore) struct Systems<'a> {
    pub(in crate::restore) inputs: &'a Inputs<'a>,
    pub(in crate::restore) archived: &'a Archived<'a>,
    pub(in crate::restore) installed: &'a Installed,
    pub(in crate::restore) migrations: &'a [AppMigration],
    pub(in crate::restore) mentions: &'a Mentions,
}

/// An old default in the words of the new version.
struct Default {
    /// Where it is today.
    path: RootPath,
    lines: Vec<Line>,
    package: Option<String>,
    in_service: bool,
}

/// Holds what new defaults have otherwise. `before` are the archived texts of files that have
/// something of a new default now, and the draft has all files as they will be placed.
///
/// # Errors
/// A rule that does not fit, or a target that cannot be read.
pub(in crate::restore) fn compare_all(
    systems: &Systems<'_>,
    before: &BTreeMap<RootPath, Vec<u8>>,
    draft: &Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    let merged = merged(decisions);
    let mut defaults = Vec::new();
    for (path, text) in before {
        let changes = match lines(text) {
            Some(_) if merged.contains(path) => taken_over(systems, path, text, draft)?,
            Some(_) if path.is_within(&PLACE) && !is_for_others(path) => {
                let record = systems.inputs.manifest.entries.find(path);
                let package = record.and_then(|record| record.package);
                let found = adapted(systems, path, text, false)?;
                defaults.extend(found.map(|found| Default { package, ..found }));
                continue;
            }
            _ => continue,
        };
        tell_merge(path, &changes, decisions);
    }
    let mut on = BTreeSet::new();
    for (record, id) in systems.archived.defaults() {
        let in_service = record.pristine.as_deref() == Some(IN_SERVICE);
        if in_service {
            on.extend(record.package.clone());
        }
        let text = stored(systems.inputs.contents, id, &record.path).map_err(unreadable)?;
        if is_as_before(systems, &record.path, &text).map_err(unreadable)? {
            continue;
        }
        let found = adapted(systems, &record.path, &text, true)?;
        let package = record.package;
        defaults.extend(found.map(|found| Default { package, in_service, ..found }));
    }
    for default in &mut defaults {
        default.in_service |= default.package.as_ref().is_some_and(|name| on.contains(name));
    }
    defaults.sort_by(|a, b| a.path.cmp(&b.path));
    let mut look = Look::new(systems, &defaults, draft);
    let mut quiet = BTreeMap::<String, Vec<Finding>>::new();
    for default in &defaults {
        let Some(mut finding) = look.at(default).map_err(unreadable)? else { continue };
        if !finding.is_told(default) {
            continue;
        }
        match finding.around.is_empty() {
            false => decisions.held.push(finding.held()),
            true => quiet.entry(look.group(default)).or_default().push(finding),
        }
    }
    decisions.held.extend(quiet.into_values().filter_map(together));
    Ok(())
}

/// The files of which the new default's changes were merged into the user's.
fn merged(decisions: &Decisions) -> BTreeSet<RootPath> {
    let merged = decisions.steps.iter().filter_map(|step| match step {
        Step::Meet { path, outcome: Outcome::Merged { .. } } => Some(path.clone()),
        _ => None,
    });
    merged.collect()
}

/// What the file at `path` has of the new default now and had not in the archived `text`.
fn taken_over(
    systems: &Systems<'_>,
    path: &RootPath,
    text: &[u8],
    draft: &Draft,
) -> Result<Vec<Change>, Failure> {
    let Some(DraftNode { content: DraftContent::Bytes(now), .. }) = draft.get(path) else {
        return Ok(vec![]);
    };
    let old = adapted(systems, path, text, false)?.map(|old| old.lines);
    let (Some(old), Some(new)) = (old, lines(now)) else { return Ok(vec![]) };
    Ok(compare(&old, &new, (None, None)))
}

/// Says of a merge what it brought, in its step and to a person.
fn tell_merge(path: &RootPath, changes: &[Change], decisions: &mut Decisions) {
    if changes.is_empty() {
        return;
    }
    let words: Vec<String> = told(changes).collect();
    for step in &mut decisions.steps {
        if let Step::Meet { path: met, outcome: Outcome::Merged { lines } } = step
            && met == path
        {
            lines.clone_from(&words);
        }
    }
    let why = format!(
        "merged without a conflict, and lines that the new default brings have an effect: {}",
        words.join("; ")
    );
    decisions.held.push(with_lines(Held::new(HeldKind::Default, path, why), changes).file(path));
}

/// Changes in words, with how many there are besides.
fn told(changes: &[Change]) -> impl Iterator<Item = String> {
    let more = changes.len().saturating_sub(TOLD);
    let more = (more > 0).then(|| format!("and {more} more"));
    changes.iter().take(TOLD).map(ToString::to_string).chain(more)
}

/// `held` with the old and the new line, where there is one of each at most.
fn with_lines(mut held: Held, changes: &[Change]) -> Held {
    if let [change] = changes {
        held.was = change.was().map(|line| line.text.clone());
        held.candidates.extend(change.now().map(|line| line.text.clone()));
    }
    held
}

/// The default `text` of `path` as rules make it one of the new version; where it is `at_rest` it
/// is moved too.
fn adapted(
    systems: &Systems<'_>,
    path: &RootPath,
    text: &[u8],
    at_rest: bool,
) -> Result<Option<Default>, Failure> {
    let Systems { inputs, archived, installed, migrations, mentions } = systems;
    let entry = archived.source().entry(path).map_err(unreadable)?;
    let entry = match entry {
        Some(entry) => Some(entry),
        None => inputs.target.entry(path).map_err(unreadable)?,
    };
    let Some(entry) = entry else { return Ok(None) };
    let kind = Kind::File { size: text.len() as u64 };
    let entry = Entry { path: path.clone(), kind, links: None, ..entry };
    // A draft of its own: what rules say while it is changed was said of the user's files already.
    let (mut draft, mut said) = (Draft::default(), Decisions::default());
    draft.put(DraftNode { entry, content: DraftContent::Bytes(text.to_vec()) });
    if at_rest {
        let moves = |step: &layout::Step| !matches!(step, layout::Step::Chown { .. });
        apply_steps(migrations, &moves, inputs, installed, &mut draft, &mut said)?;
    }
    adapt_settings(migrations, mentions, inputs, &mut draft, &mut said)?;
    let found = draft.nodes().find_map(|node| match &node.content {
        DraftContent::Bytes(text) => {
            let (path, lines) = (node.entry.path.clone(), lines(text)?);
            Some(Default { path, lines, package: None, in_service: false })
        }
        DraftContent::Stored(_) | DraftContent::None => None,
    });
    Ok(found)
}

/// Whether the new system's file at `path` sets what the old one did: most do.
fn is_as_before(systems: &Systems<'_>, path: &RootPath, text: &[u8]) -> Result<bool, TreeError> {
    let new = text_at(systems.inputs.target, path)?;
    Ok(new.and_then(|new| lines(&new)).is_some_and(|new| lines(text) == Some(new)))
}

/// The text of the file at `path`, if it is one of a size that is looked at.
fn text_at(tree: &dyn Tree, path: &RootPath) -> Result<Option<Vec<u8>>, TreeError> {
    match read_file(tree, path, LIMIT) {
        Err(TreeError::TooLarge { .. }) => Ok(None),
        read => read,
    }
}

fn stored(store: &dyn Store, id: ContentId, path: &RootPath) -> Result<Vec<u8>, TreeError> {
    let failed = |e| TreeError::io("reading the old default of", path, e);
    let mut bytes = Vec::new();
    store.open(id).map_err(failed)?.take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// What a default has otherwise.
struct Finding {
    path: RootPath,
    /// What of the user's is read by it, or sets what it sets.
    around: Vec<RootPath>,
    /// Those of them that it does not read any more.
    unread: Vec<RootPath>,
    /// The file is there no more.
    gone: bool,
    changes: Vec<Change>,
}

impl Finding {
    /// Whether it is worth a question.
    fn is_told(&mut self, default: &Default) -> bool {
        if !self.around.is_empty() {
            return !self.unread.is_empty() || !(self.gone || self.changes.is_empty());
        }
        self.changes.retain(|change| change.was().is_some());
        // That files come and go with versions is no news where nothing of the user's is near.
        let is_news = !self.gone && !self.changes.is_empty();
        default.in_service && is_of_service(&default.path) && is_news
    }

    fn held(&self) -> Held {
        let names: Vec<String> = self.around.iter().take(TOLD).map(ToString::to_string).collect();
        let mut parts = Vec::new();
        let mut unread: Vec<String> = self.unread.iter().map(ToString::to_string).collect();
        unread.truncate(TOLD);
        if self.gone {
            parts.push("the new version has no such file".to_owned());
        }
        if !unread.is_empty() {
            parts.push(format!("nothing reads {} any more", unread.join(", ")));
        }
        for (place, words) in [
            (Place::Before, "before your lines"),
            (Place::After, "after your lines"),
            (Place::Anywhere, "in it"),
        ] {
            let there: Vec<Change> =
                self.changes.iter().filter(|change| change.place() == place).cloned().collect();
            if !there.is_empty() && !self.gone {
                let told: Vec<String> = told(&there).collect();
                parts.push(format!("{words}: {}", told.join("; ")));
            }
        }
        let why = format!(
            "nobody edited it, and the new version's default says something else around lines of \
             your own ({}): {}",
            names.join(", "),
            parts.join("; ")
        );
        let held = with_lines(Held::new(HeldKind::Default, &self.path, why), &self.changes);
        let held = held.file(&self.path);
        self.around.iter().take(TOLD).fold(held, Held::file)
    }
}

/// One question for all findings about the defaults of a package that stand alone.
fn together(mut findings: Vec<Finding>) -> Option<Held> {
    findings.sort_by_key(|finding| {
        (!is_main(&finding.path), Reverse(finding.changes.len()), finding.path.clone())
    });
    let first = findings.first()?;
    let words: Vec<String> = told(&first.changes).collect();
    let mut why = format!(
        "nobody edited it, its service was on, and the new version's default says something else: \
         {}",
        words.join("; ")
    );
    let others: Vec<String> =
        findings.iter().skip(1).map(|finding| finding.path.to_string()).collect();
    if !others.is_empty() {
        why = format!("{why}; so it is with {}", others.join(", "));
    }
    let held = Held::new(HeldKind::Default, &first.path, why);
    let held = if others.is_empty() { with_lines(held, &first.changes) } else { held };
    Some(findings.iter().take(TOLD).fold(held, |held, finding| held.file(&finding.path)))
}

/// Whether a file is called as the directory of its application.
fn is_main(path: &RootPath) -> bool {
    let Some(top) = top(path) else { return false };
    let stem = path.name().split(|&b| b == b'.').next().unwrap_or_default();
    top.name().starts_with(stem) || stem == b"config"
}

/// The files of a directory of configuration with their lines.
type Beside = Vec<(RootPath, Vec<Line>)>;

/// Looks at one default after the other.
struct Look<'a> {
    systems: &'a Systems<'a>,
    draft: &'a Draft,
    /// What of the configuration is the user's own.
    kept: Vec<RootPath>,
    /// What old defaults set, by the directory of their application.
    old: BTreeMap<RootPath, BTreeSet<(String, String)>>,
    /// What the new system has in such a directory.
    new: BTreeMap<RootPath, Beside>,
}

impl<'a> Look<'a> {
    fn new(systems: &'a Systems<'a>, defaults: &[Default], draft: &'a Draft) -> Look<'a> {
        let unedited = systems.archived.unedited();
        let accounts =
            [b"passwd".as_slice(), b"group", b"shadow", b"gshadow", b"subuid", b"subgid"];
        let accounts = accounts.map(|name| PLACE.child(name));
        let is_own = |node: &&DraftNode| match &node.content {
            _ if node.entry.kind.is_dir() || !node.entry.path.is_within(&PLACE) => false,
            _ if accounts.contains(&node.entry.path) => false,
            DraftContent::Stored(id) => !unedited.contains(id),
            // It has the new text, or the user's lines merged into that.
            DraftContent::Bytes(_) => !defaults.iter().any(|d| d.path == node.entry.path),
            DraftContent::None => true,
        };
        let kept = draft.nodes().filter(is_own);
        let kept = kept.map(|node| node.entry.path.clone()).collect();
        let mut old = BTreeMap::<RootPath, BTreeSet<(String, String)>>::new();
        for default in defaults {
            if let Some(top) = top(&default.path) {
                old.entry(top).or_default().extend(default.lines.iter().map(what));
            }
        }
        Look { systems, draft, kept, old, new: BTreeMap::new() }
    }

    /// What `default` has otherwise in the new system, if that is worth a question.
    fn at(&mut self, default: &Default) -> Result<Option<Finding>, TreeError> {
        let path = &default.path;
        let target = self.systems.inputs.target;
        let placed = self.draft.get(path);
        let (gone, new) = match placed {
            // As it was archived: nothing new stands there.
            Some(DraftNode { content: DraftContent::Stored(_) | DraftContent::None, .. }) => {
                return Ok(None);
            }
            Some(DraftNode { content: DraftContent::Bytes(text), .. }) => (false, lines(text)),
            None if target.entry(path)?.is_none() => (true, Some(vec![])),
            None => (false, text_at(target, path)?.and_then(|text| lines(&text))),
        };
        let Some(new) = new else { return Ok(None) };
        let package = default.package.as_deref();
        // A package that is not there is told as one.
        if gone && package.is_none_or(|name| self.systems.installed.version(name).is_none()) {
            return Ok(None);
        }
        let (old_reach, reach) = (Reach::of(path, &default.lines), Reach::of(path, &new));
        let around: Vec<RootPath> = self
            .kept
            .iter()
            .filter(|other| old_reach.first(other).or(reach.first(other)).is_some())
            .cloned()
            .collect();
        let first = |reach: &Reach| around.iter().filter_map(|other| reach.first(other)).min();
        let changes = compare(&default.lines, &new, (first(&old_reach), first(&reach)));
        let beside = self.beside(path)?;
        let others: Vec<Reach> =
            beside.iter().map(|(file, lines)| Reach::of(file, lines)).collect();
        let is_read = |other: &RootPath| {
            std::iter::once(&reach).chain(&others).any(|reach| reach.first(other).is_some())
        };
        let unread: Vec<RootPath> =
            around.iter().filter(|other| !is_read(other)).cloned().collect();
        let elsewhere: BTreeSet<(String, String)> =
            beside.iter().flat_map(|(_, lines)| lines.iter().map(what)).collect();
        let before = top(path).and_then(|top| self.old.get(&top));
        let changes: Vec<Change> = changes
            .into_iter()
            .filter(|change| match change {
                // What went from one file of the application to another has not changed.
                Change::Removed(line, _) => !elsewhere.contains(&what(line)),
                Change::Added(line, _) => !before.is_some_and(|old| old.contains(&what(line))),
                Change::Changed { .. } | Change::Moved(..) => true,
            })
            .collect();
        let finding = Finding { path: path.clone(), around, unread, gone, changes };
        self.beside_keys(finding).map(Some)
    }

    /// `finding`; where the default reads nothing of the user's and something beside it sets the
    /// same, as far as that does.
    fn beside_keys(&self, mut finding: Finding) -> Result<Finding, TreeError> {
        if !finding.around.is_empty() {
            return Ok(finding);
        }
        let keys = self.keys(&finding.path)?;
        let (of_both, rest): (Vec<Change>, Vec<Change>) =
            finding.changes.into_iter().partition(|change| keys.contains_key(change.key()));
        if !of_both.is_empty() && !finding.gone {
            let around: BTreeSet<&RootPath> =
                of_both.iter().filter_map(|change| keys.get(change.key())).collect();
            finding.around = around.into_iter().cloned().collect();
            finding.changes = of_both;
            return Ok(finding);
        }
        finding.changes = of_both.into_iter().chain(rest).collect();
        Ok(finding)
    }

    /// What files of the user's beside `path`, or below its directory, set, with the first that
    /// does. Of a directory that applications share nothing is said.
    fn keys(&self, path: &RootPath) -> Result<BTreeMap<String, RootPath>, TreeError> {
        let mut keys = BTreeMap::new();
        let Some(dir) = top(path).and_then(|_| path.parent()) else { return Ok(keys) };
        let inputs = self.systems.inputs;
        for other in self.kept.iter().filter(|other| *other != path && other.is_within(&dir)) {
            let Some(node) = self.draft.get(other) else { continue };
            let text = match &node.content {
                DraftContent::Bytes(text) => text.clone(),
                DraftContent::Stored(id) if node.entry.kind.size() <= LIMIT => {
                    stored(inputs.contents, *id, other)?
                }
                DraftContent::Stored(_) | DraftContent::None => continue,
            };
            for line in lines(&text).unwrap_or_default() {
                keys.entry(line.key).or_insert_with(|| other.clone());
            }
        }
        Ok(keys)
    }

    /// The other files of the new system in the directory of the application of `path`.
    fn beside(&mut self, path: &RootPath) -> Result<Beside, TreeError> {
        let Some(top) = top(path) else { return Ok(vec![]) };
        let known = match self.new.get(&top) {
            Some(known) => known,
            None => {
                let found = below(self.systems.inputs.target, &top)?;
                self.new.entry(top).or_insert(found)
            }
        };
        Ok(known.iter().filter(|(file, _)| file != path).cloned().collect())
    }

    /// What `default` is told together with.
    fn group(&self, default: &Default) -> String {
        let package = default.package.clone();
        package.or(top(&default.path).map(|top| top.to_string())).unwrap_or_default()
    }
}

/// A line as far as it is looked for in other files.
fn what(line: &Line) -> (String, String) {
    (line.section.clone(), line.text.clone())
}

/// The directory of the application that `path` is the configuration of; none where that lies among
/// those of others.
fn top(path: &RootPath) -> Option<RootPath> {
    let rest = path.strip_prefix(&PLACE)?;
    let first = rest.as_bytes().split(|&b| b == b'/').find(|part| !part.is_empty())?;
    let dir = PLACE.child(first);
    (!SHARED.contains(&first) && first != OWN_CONFIGURATION && !is_for_others(path) && dir != *path)
        .then_some(dir)
}

/// Whether `path` is where the service itself looks for what it does.
fn is_of_service(path: &RootPath) -> bool {
    let shared = [OWN_CONFIGURATION, b"pam.d", b"profile.d", b"xdg"];
    !shared.iter().any(|dir| path.is_within(&PLACE.child(dir)))
}

/// The texts below `dir` with their lines; links are not followed.
fn below(tree: &dyn Tree, dir: &RootPath) -> Result<Beside, TreeError> {
    let (mut found, mut dirs) = (Vec::new(), vec![dir.clone()]);
    while let Some(dir) = dirs.pop() {
        for entry in tree.children(&dir)? {
            if found.len() >= BESIDE {
                return Ok(found);
            }
            if entry.kind.is_dir() {
                dirs.push(entry.path);
            } else if entry.kind.is_file()
                && let Some(lines) = text_at(tree, &entry.path)?.and_then(|text| lines(&text))
            {
                found.push((entry.path, lines));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ArchiveOptions, ExamineOptions, archive, examine};
    use crate::bundle::Reader;
    use crate::layout::LayoutDb;
    use crate::monitor::Silent;
    use crate::restore::planner::{Planned, plan};
    use crate::restore::value::inputs::VolumesAs;
    use crate::restore::value::packages::PackagePlan;
    use crate::source::{OpenOptions, Source, SourceSpec};
    use crate::tree::memory::MemoryTree;

    type Files<'a> = &'a [(&'a str, &'a str)];

    const UNIT: &str = "/usr/lib/systemd/system/app.service";
    const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/app.service";
    const MAIN: &str = "/etc/app/app.conf";

    /// The records of a package `app` with the configuration `files`.
    fn records(files: Files<'_>) -> [(String, String); 2] {
        use md5::{Digest, Md5};
        let mut list = String::from("/.\n/etc\n/etc/app\n/etc/app/conf.d\n");
        list.push_str(UNIT);
        let mut status = String::from(
            "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
             Conffiles:\n",
        );
        for (at, text) in files {
            let digest: String =
                Md5::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
            status.push_str(&format!(" {at} {digest}\n"));
            list.push_str(&format!("\n{at}"));
        }
        list.push('\n');
        let of = |name: &str, text: String| (format!("/var/lib/dpkg/{name}"), text);
        [of("status", status), of("info/app.list", list)]
    }

    /// The plan for a system whose package brought `old`, where the user has `own` and where the
    /// new package brings `new`.
    fn planned(old: Files<'_>, own: Files<'_>, new: Files<'_>) -> Planned {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let write = |at: &str, text: &str| {
            let file = root.join(at.trim_start_matches('/'));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            match text.strip_prefix("-> ") {
                Some(target) => std::os::unix::fs::symlink(target, file).unwrap(),
                None => std::fs::write(file, text).unwrap(),
            }
        };
        records(old).iter().for_each(|(at, text)| write(at, text));
        old.iter()
            .filter(|(at, _)| !own.iter().any(|(own, _)| own == at))
            .chain(own)
            .for_each(|(at, text)| write(at, text));
        write(UNIT, "");
        let spec = SourceSpec::Rootfs(root);
        let source = Source::open(&spec, &OpenOptions::default(), place.path(), &Silent).unwrap();
        let layout = LayoutDb::open(&[]).unwrap();
        let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent).unwrap();
        let output = place.path().join("x.regrow");
        archive(&source, examined, &output, &ArchiveOptions::default(), &Silent).unwrap();
        let reader = Reader::open(&output).unwrap();
        let contents = reader.contents(&Silent).unwrap();
        let mut target = MemoryTree::default().file("/usr/lib/os-release", "ID=debian\n");
        for (at, text) in records(new) {
            target = target.file(&at, &text);
        }
        for (at, text) in new {
            target = target.file(at, text);
        }
        plan(&Inputs {
            manifest: reader.manifest(),
            survey: &reader.manifest().survey,
            contents: &contents,
            layout: &layout,
            packages: &PackagePlan::default(),
            unserved: &[],
            state_before: None,
            target: &target,
            settings: None,
            volumes: VolumesAs::Files,
            succession: &crate::restore::value::succession::Succession::default(),
        })
        .unwrap()
    }

    /// What is held of defaults.
    fn told(old: Files<'_>, own: Files<'_>, new: Files<'_>) -> Vec<String> {
        let held = planned(old, own, new).held;
        let of_defaults = held.into_iter().filter(|held| held.kind == HeldKind::Default);
        of_defaults.map(|held| format!("{}: {}", held.subject, held.why)).collect()
    }

    const OLD: &str = "# about\ndeny bad\ninclude /etc/app/conf.d/*\nallow localhost\nport 1\n";
    const OWN: (&str, &str) = ("/etc/app/conf.d/own.conf", "allow known\ndeny all\n");

    #[test]
    fn what_a_new_default_says_before_the_lines_of_a_user_is_held() {
        let new = "deny bad\nallow localhost\nextra 2\ninclude /etc/app/conf.d/*\nport 1\n";
        assert_eq!(
            told(&[(MAIN, OLD)], &[OWN], &[(MAIN, new)]),
            ["/etc/app/app.conf: nobody edited it, and the new version's default says something \
              else around lines of your own (/etc/app/conf.d/own.conf): before your lines: moved \
              `allow localhost`; added `extra 2`"]
        );
        let same =
            "deny bad\n\n# other words\ninclude /etc/app/conf.d/*\nallow  localhost\nport 1\n";
        assert_eq!(told(&[(MAIN, OLD)], &[OWN], &[(MAIN, same)]), [""; 0]);
    }

    #[test]
    fn what_is_not_read_any_more_is_held() {
        let new = OLD.replace("conf.d/*", "conf.d/*.conf");
        let own = ("/etc/app/conf.d/own", "port 2\n");
        let found = told(&[(MAIN, OLD)], &[own], &[(MAIN, &new)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("nothing reads /etc/app/conf.d/own any more"), "{found:?}");
        // Where another file of the new version does, it is read.
        let other = ("/etc/app/more.conf", "include /etc/app/conf.d/*\n");
        let found = told(&[(MAIN, OLD)], &[own], &[(MAIN, &new), other]);
        assert!(!found.iter().any(|found| found.contains("nothing reads")), "{found:?}");
    }

    #[test]
    fn a_default_of_what_a_user_sets_beside_it_is_held_with_that_line_only() {
        let own = ("/etc/app/own.conf", "log = mine\n");
        assert_eq!(
            told(&[(MAIN, "log = a\nport = 1\n")], &[own], &[(MAIN, "log = b\nport = 2\n")]),
            ["/etc/app/app.conf: nobody edited it, and the new version's default says something \
              else around lines of your own (/etc/app/own.conf): in it: `log = a` is now `log = b`"]
        );
    }

    #[test]
    fn a_service_that_was_on_and_has_another_default_is_held_once() {
        let old = [(MAIN, "type = remote\nlog a\n"), ("/etc/app/b.conf", "x 1\n")];
        let new = [(MAIN, "log a\nnew 1\n"), ("/etc/app/b.conf", "x 2\n")];
        let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
        assert_eq!(
            told(&old, &[on], &new),
            ["/etc/app/app.conf: nobody edited it, its service was on, and the new version's \
              default says something else: gone `type = remote`; so it is with /etc/app/b.conf"]
        );
        assert_eq!(told(&old, &[], &new), [""; 0], "nothing was on");
        let more = [(MAIN, "type = remote\nlog a\nnew 1\n"), ("/etc/app/b.conf", "x 1\n")];
        assert_eq!(told(&old, &[on], &more), [""; 0], "only added");
        let moved = [(MAIN, "log a\n"), ("/etc/app/b.conf", "x 1\ntype = remote\n")];
        assert_eq!(told(&old, &[on], &moved), [""; 0], "in another file");
    }

    #[test]
    fn an_active_line_that_a_merge_brings_is_said_in_its_step_and_held() {
        let path = RootPath::parse(b"/etc/x.conf").unwrap();
        let lines = |text: &str| lines(text.as_bytes()).unwrap();
        let merged = |old: &str, new: &str| {
            let mut decisions = Decisions::default();
            let outcome = Outcome::Merged { lines: vec![] };
            decisions.step(Step::Meet { path: path.clone(), outcome });
            let changes = compare(&lines(old), &lines(new), (None, None));
            tell_merge(&path, &changes, &mut decisions);
            decisions
        };
        let quiet = merged("# a\n-m 128\n", "# b\n-m 128\n");
        assert!(quiet.held.is_empty());
        let told = merged("-m 128\n", "-m 128\n-l ::1\n");
        let reason =
            "your changes and the new default's do not touch; in effect now: added `-l ::1`";
        assert_eq!(told.steps[0].reason(), reason);
        let [held] = &told.held[..] else { panic!("{:?}", told.held) };
        assert_eq!((held.kind, &*held.subject), (HeldKind::Default, "/etc/x.conf"));
        assert_eq!(held.candidates, ["-l ::1"]);
    }

    #[test]
    fn many_lines_are_cut_and_counted() {
        let numbered =
            |word: &str| -> String { (0..30).map(|n| format!("{word}{n} x\n")).collect() };
        let old = format!("include /etc/app/conf.d/*\n{}", numbered("a"));
        let new = format!("include /etc/app/conf.d/*\n{}", numbered("b"));
        let found = told(&[(MAIN, &old)], &[OWN], &[(MAIN, &new)]);
        assert!(found[0].ends_with("; and 52 more"), "{found:?}");
    }
}
