//! [`Look`]: one default after the other, compared with the new system.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::old_default::{OldDefault, stored, text_at};
use super::opening::{Opening, opened};
use super::place::top;
use super::systems::Systems;
use crate::defaults::{Change, LIMIT, Line, Reach, Tables, by_head, compare, lines};
use crate::restore::packages::in_use::CONFIGURATION;
use crate::tree::{Draft, DraftContent, DraftNode, RootPath, Tree, TreeError};

/// How many files are looked at beside one.
const BESIDE: usize = 512;

/// The files of a directory of configuration with their lines.
type Beside = Vec<(RootPath, Vec<Line>)>;

/// Looks at one default after the other.
pub(super) struct Look<'a> {
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
    /// For these defaults of the system that `draft` will be.
    pub(super) fn new(
        systems: &'a Systems<'a>,
        defaults: &[OldDefault],
        draft: &'a Draft,
    ) -> Look<'a> {
        let unedited = systems.archived.unedited();
        let accounts =
            [b"passwd".as_slice(), b"group", b"shadow", b"gshadow", b"subuid", b"subgid"];
        let accounts = accounts.map(|name| CONFIGURATION.child(name));
        let is_own = |node: &&DraftNode| match &node.content {
            _ if node.entry.kind.is_dir() || !node.entry.path.is_within(&CONFIGURATION) => false,
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
    pub(super) fn at(&mut self, default: &OldDefault) -> Result<Option<Finding>, TreeError> {
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
        let access = self.systems.access;
        let opens = |change: &Change| opened(access, path, change).is_some();
        let changes = by_head(&changes, &default.lines, &opens);
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
        // Of data it is told only that around a line of the user's it is otherwise.
        let tables = Tables::of(&default.lines);
        let is_told = |change: &Change| !around.is_empty() || !tables.has(change) || opens(change);
        let changes = changes.into_iter().filter(is_told).collect();
        let opening = Opening::default();
        let finding = Finding { path: path.clone(), around, unread, gone, changes, opening };
        let mut finding = self.beside_keys(self.with_lines(finding)?)?;
        finding.opening = Opening::first(access, path, &mut finding.changes);
        Ok(Some(finding))
    }

    /// `finding`; around keys and certificates there are no lines of the user's.
    fn with_lines(&self, mut finding: Finding) -> Result<Finding, TreeError> {
        if !finding.unread.is_empty() {
            return Ok(finding);
        }
        for path in &finding.around {
            let text = self.own(path)?;
            if text.and_then(|text| lines(&text)).is_some_and(|lines| !lines.is_empty()) {
                return Ok(finding);
            }
        }
        finding.around.clear();
        Ok(finding)
    }

    /// The text of the user's file at `path`, where it is one.
    fn own(&self, path: &RootPath) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(node) = self.draft.get(path) else { return Ok(None) };
        match &node.content {
            DraftContent::Bytes(text) => Ok(Some(text.clone())),
            DraftContent::Stored(id) if node.entry.kind.size() <= LIMIT => {
                stored(self.systems.inputs.contents, *id, path).map(Some)
            }
            // A link leads to what somebody else wrote.
            DraftContent::Stored(_) | DraftContent::None => Ok(None),
        }
    }

    /// `finding`; where the default reads nothing of the user's and something beside it sets the
    /// same, as far as that does, and with what lets somebody in.
    fn beside_keys(&self, mut finding: Finding) -> Result<Finding, TreeError> {
        if !finding.around.is_empty() {
            return Ok(finding);
        }
        let keys = self.keys(&finding.path)?;
        let around: BTreeSet<&RootPath> =
            finding.changes.iter().filter_map(|change| keys.get(change.key())).collect();
        if around.is_empty() || finding.gone {
            return Ok(finding);
        }
        finding.around = around.into_iter().cloned().collect();
        let Systems { access, .. } = self.systems;
        finding.changes.retain(|change| {
            keys.contains_key(change.key()) || opened(access, &finding.path, change).is_some()
        });
        Ok(finding)
    }

    /// What files of the user's beside `path`, or below its directory, set, with the first that
    /// does. Of a directory that applications share nothing is said.
    fn keys(&self, path: &RootPath) -> Result<BTreeMap<String, RootPath>, TreeError> {
        let mut keys = BTreeMap::new();
        let Some(dir) = top(path).and_then(|_| path.parent()) else { return Ok(keys) };
        for other in self.kept.iter().filter(|other| *other != path && other.is_within(&dir)) {
            let Some(text) = self.own(other)? else { continue };
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
    pub(super) fn group(&self, default: &OldDefault) -> String {
        // Packages of one service share the directory.
        let top = top(&default.path).map(|top| top.to_string());
        top.or(default.package.clone()).unwrap_or_default()
    }
}

/// A line as far as it is looked for in other files.
fn what(line: &Line) -> (String, String) {
    (line.section.clone(), line.text.clone())
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
