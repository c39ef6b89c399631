//! One step, done to a [`Draft`].
//!
//! Pure: a step changes the draft and tells what it did; what only the new system can do (commands,
//! packages, accounts) and what only a person can decide comes back as data. A step that finds
//! nothing to do does nothing, and doing it twice changes nothing more. Nothing that a draft holds
//! is ever overwritten by a step: two things that would meet at one place are held.

use std::io::Read;

use super::change::Step;
use super::matches::{matching, tops};
use super::outcome::{StepError, StepOutcome};
use super::pattern::Vars;
use super::relocation::{copied, moved};
use super::scalar::PathPattern;
use crate::tree::{
    ContentId, Draft, DraftContent, DraftNode, Kind, Meta, RootPath, Store, Tree, escaped,
    read_file,
};

/// Largest configuration file that is edited, and largest account database that is read, in bytes.
pub(super) const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Does `step` to `draft`.
///
/// `store` holds the draft's archived contents, `target` is the new system below the draft, asked
/// for account numbers and for what already stands at a place.
///
/// # Errors
/// What could not be read or filled in; the draft may then be changed in part and is to be thrown
/// away.
pub fn apply(
    step: &Step,
    vars: &Vars,
    draft: &mut Draft,
    store: &dyn Store,
    target: &dyn Tree,
) -> Result<Vec<StepOutcome>, StepError> {
    match step {
        Step::Move { from, to } => moved(from, to, vars, draft),
        Step::Copy { from, to } => copied(from, to, vars, draft),
        Step::Drop { path, why, .. } => dropped(path, why, vars, draft),
        Step::Symlink { path, target: text } => {
            let path = path.expand(vars)?;
            linked(&path, text.expand(vars)?, draft, target)
        }
        Step::Chown { path, owner, group } => {
            let owner = owner.as_ref().map(|t| t.expand_text(vars)).transpose()?;
            let group = group.as_ref().map(|t| t.expand_text(vars)).transpose()?;
            owned(path, owner.as_deref(), group.as_deref(), vars, draft, (store, target))
        }
        Step::Chmod { path, mode } => {
            let mut done = Vec::new();
            for path in matching(path, vars, draft)? {
                if let Some(node) = draft.get_mut(&path)
                    && node.entry.meta.mode != mode.0
                    && !matches!(node.entry.kind, Kind::Symlink { .. })
                {
                    let what = format!("mode {mode}, was {:04o}", node.entry.meta.mode);
                    node.entry.meta.mode = mode.0;
                    done.push(StepOutcome::Changed { path, what });
                }
            }
            Ok(done)
        }
        Step::Run(run) => Ok(vec![StepOutcome::Run {
            argv: run.call().expand(vars)?,
            why: run.why.clone(),
            when: run.when.clone(),
        }]),
        Step::Hold { path, why, .. } => {
            let held = matching(path, vars, draft)?.into_iter();
            Ok(held.map(|path| StepOutcome::Hold { path, why: why.clone() }).collect())
        }
    }
}

fn dropped(
    path: &PathPattern,
    why: &str,
    vars: &Vars,
    draft: &mut Draft,
) -> Result<Vec<StepOutcome>, StepError> {
    let mut done = Vec::new();
    for path in tops(path, vars, draft)?.into_keys() {
        let entries = draft.take(&path).len();
        let gone: Vec<RootPath> =
            draft.deletions().filter(|deleted| deleted.is_within(&path)).cloned().collect();
        gone.iter().for_each(|deleted| draft.keep(deleted));
        let entries = entries + gone.len();
        done.push(StepOutcome::Dropped { path, entries, why: why.to_owned() });
    }
    Ok(done)
}

fn linked(
    path: &RootPath,
    text: Vec<u8>,
    draft: &mut Draft,
    target: &dyn Tree,
) -> Result<Vec<StepOutcome>, StepError> {
    if draft.get(path).is_some() || target.entry(path)?.is_some() {
        return Ok(vec![]);
    }
    let what = format!("link to {}", escaped(&text));
    let kind = Kind::Symlink { target: text };
    draft.put(DraftNode::bare(path.clone(), kind, Meta::root(0o777)));
    Ok(vec![StepOutcome::Changed { path: path.clone(), what }])
}

fn owned(
    path: &PathPattern,
    owner: Option<&str>,
    group: Option<&str>,
    vars: &Vars,
    draft: &mut Draft,
    (store, target): (&dyn Store, &dyn Tree),
) -> Result<Vec<StepOutcome>, StepError> {
    let paths = matching(path, vars, draft)?;
    if paths.is_empty() {
        return Ok(vec![]);
    }
    let uid = owner.map(|o| account(o, b"/etc/passwd", draft, store, target)).transpose()?;
    let gid = group.map(|g| account(g, b"/etc/group", draft, store, target)).transpose()?;
    let mut done = Vec::new();
    for path in paths {
        if let (Some(None), Some(name)) = (uid, owner) {
            done.push(StepOutcome::Hold { path, why: format!("no account is called `{name}`") });
        } else if let (Some(None), Some(name)) = (gid, group) {
            done.push(StepOutcome::Hold { path, why: format!("no group is called `{name}`") });
        } else if let Some(node) = draft.get_mut(&path) {
            let meta = &mut node.entry.meta;
            let before = (meta.uid, meta.gid);
            meta.uid = uid.flatten().unwrap_or(meta.uid);
            meta.gid = gid.flatten().unwrap_or(meta.gid);
            if before != (meta.uid, meta.gid) {
                let what =
                    format!("owned by {}:{}, was {}:{}", meta.uid, meta.gid, before.0, before.1);
                done.push(StepOutcome::Changed { path, what });
            }
        }
    }
    Ok(done)
}

/// The number of an account or group: `name` itself when it is a number, else from the draft's
/// database, else from the new system's.
fn account(
    name: &str,
    database: &[u8],
    draft: &Draft,
    store: &dyn Store,
    target: &dyn Tree,
) -> Result<Option<u32>, StepError> {
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    let path = RootPath::parse(database).map_err(|e| StepError::Expand(e.into()))?;
    let placed = match draft.get(&path) {
        Some(node) => content(node, store)?,
        None => None,
    };
    let text = match placed {
        Some(text) => text,
        None => read_file(target, &path, MAX_FILE)?.unwrap_or_default(),
    };
    Ok(text.split(|&b| b == b'\n').find_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        let number = (fields.next()? == name.as_bytes()).then(|| fields.nth(1))??;
        std::str::from_utf8(number).ok()?.parse().ok()
    }))
}

/// The content of a regular file in the draft; `None` when it is none or too large.
pub(super) fn content(node: &DraftNode, store: &dyn Store) -> Result<Option<Vec<u8>>, StepError> {
    if node.entry.kind.size() > MAX_FILE {
        return Ok(None);
    }
    match &node.content {
        DraftContent::None => Ok(None),
        DraftContent::Bytes(bytes) => Ok(Some(bytes.clone())),
        DraftContent::Stored(id) => read(*id, MAX_FILE, store)
            .map(Some)
            .map_err(|source| StepError::Content { path: node.entry.path.clone(), source }),
    }
}

fn read(id: ContentId, limit: u64, store: &dyn Store) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    store.open(id)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first bytes of a regular file in the draft, at most `limit`.
pub(super) fn start(
    node: &DraftNode,
    limit: usize,
    store: &dyn Store,
) -> Result<Vec<u8>, StepError> {
    match &node.content {
        DraftContent::None => Ok(vec![]),
        DraftContent::Bytes(bytes) => Ok(bytes[..bytes.len().min(limit)].to_vec()),
        DraftContent::Stored(id) => read(*id, limit as u64, store)
            .map_err(|source| StepError::Content { path: node.entry.path.clone(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Version;
    use crate::tree::memory::{MemoryTree, Texts};

    const PASSWD: &[u8] = b"root:x:0:0::/:/bin/sh\nntpsec:x:102:104::/:/bin/false\n";

    /// A system with two accounts and a file at `/taken`.
    fn system() -> MemoryTree {
        MemoryTree::default().file("/etc/passwd", PASSWD).file("/taken", PASSWD)
    }

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn meta() -> Meta {
        Meta { uid: 5, gid: 6, ..Meta::root(0o644) }
    }

    fn file(at: &str, text: &[u8]) -> DraftNode {
        DraftNode::file(path(at), meta(), text.to_vec())
    }

    fn link(at: &str, target: &str) -> DraftNode {
        let kind = Kind::Symlink { target: target.as_bytes().to_vec() };
        DraftNode::bare(path(at), kind, meta())
    }

    fn draft(nodes: Vec<DraftNode>) -> Draft {
        let mut draft = Draft::default();
        nodes.into_iter().for_each(|node| draft.put(node));
        draft
    }

    fn done(yaml: &str, draft: &mut Draft) -> Vec<StepOutcome> {
        let deserializer = serde_yaml::Deserializer::from_str(yaml);
        let step: Step =
            serde_yaml::with::singleton_map_recursive::deserialize(deserializer).unwrap();
        let version = |text: &str| text.parse::<Version>().unwrap();
        let vars = Vars::versions(&version("13"), &version("17"));
        apply(&step, &vars, draft, &Texts(&["a = 13\n"]), &system()).unwrap()
    }

    /// What was done, one line each.
    fn told(yaml: &str, draft: &mut Draft) -> Vec<String> {
        let line = |outcome| match outcome {
            StepOutcome::Changed { path, what } => format!("{path}: {what}"),
            StepOutcome::Dropped { path, entries, why } => {
                format!("{path} dropped, {entries}: {why}")
            }
            StepOutcome::Hold { path, why } => format!("{path} held: {why}"),
            other => format!("{other:?}"),
        };
        done(yaml, draft).into_iter().map(line).collect()
    }

    fn shown(draft: &Draft) -> Vec<String> {
        let line = |node: &DraftNode| match &node.entry.kind {
            Kind::Symlink { target } => {
                format!("{} -> {}", node.entry.path, String::from_utf8_lossy(target))
            }
            _ => node.entry.path.to_string(),
        };
        let deleted = draft.deletions().map(|path| format!("-{path}"));
        draft.nodes().map(line).chain(deleted).collect()
    }

    #[test]
    fn a_moved_directory_takes_files_deletions_and_the_links_into_it_along() {
        let mut d = draft(vec![
            file("/etc/x/13/main/a.conf", b""),
            link("/etc/x/13/main/b.conf", "a.conf"),
            link("/etc/on/abs", "/etc/x/13/main/a.conf"),
            link("/etc/on/rel", "../x/13/main/a.conf"),
            link("/etc/x/13/out", "../other"),
            link("/etc/on/else", "/etc/x/131"),
        ]);
        d.delete(path("/etc/x/13/main/gone"));
        let outcomes = told("move: {from: '/etc/x/{old}', to: '/etc/y/deep/{new}'}", &mut d);
        assert_eq!(
            shown(&d),
            [
                "/etc/on/abs -> /etc/y/deep/17/main/a.conf",
                "/etc/on/else -> /etc/x/131",
                "/etc/on/rel -> /etc/y/deep/17/main/a.conf",
                "/etc/y/deep/17/main/a.conf",
                "/etc/y/deep/17/main/b.conf -> a.conf",
                "/etc/y/deep/17/out -> /etc/x/other",
                "-/etc/y/deep/17/main/gone",
            ]
        );
        assert_eq!(outcomes[0], "/etc/y/deep/17: moved from /etc/x/13");
        assert_eq!(outcomes.len(), 4);
        assert_eq!(told("move: {from: '/etc/x/{old}', to: '/etc/y/{new}'}", &mut d), [""; 0]);
    }

    #[test]
    fn an_old_name_that_leads_to_the_new_place_stays_where_it_is() {
        let mut d = draft(vec![link("/etc/x13", "x17"), file("/etc/x17/a.conf", b"")]);
        let before = shown(&d);
        assert_eq!(told("move: {from: '/etc/x{old}', to: '/etc/x{new}'}", &mut d), [""; 0]);
        assert_eq!(shown(&d), before);
        // Another link is moved like anything else.
        let mut d = draft(vec![link("/etc/x13", "elsewhere")]);
        told("move: {from: '/etc/x{old}', to: '/etc/x{new}'}", &mut d);
        assert_eq!(shown(&d), ["/etc/x17 -> elsewhere"]);
    }

    #[test]
    fn captures_tell_where_each_match_goes() {
        let mut d =
            draft(vec![file("/a/one.tdb", b""), file("/a/two.tdb", b""), file("/a/x.txt", b"")]);
        told("move: {from: '/a/{name}.tdb', to: '/a/private/{name}.tdb'}", &mut d);
        assert_eq!(shown(&d), ["/a/private/one.tdb", "/a/private/two.tdb", "/a/x.txt"]);
    }

    #[test]
    fn nothing_archived_is_overwritten_by_a_move_or_a_copy() {
        for act in ["move", "copy"] {
            let mut d = draft(vec![file("/old", b"1"), file("/new", b"2")]);
            let outcomes = told(&format!("{act}: {{from: /old, to: /new}}"), &mut d);
            assert_eq!(
                outcomes,
                ["/old held: its new place below `/new` is taken by an archived file"]
            );
            assert_eq!(d.get(&path("/new")).unwrap().content, DraftContent::Bytes(b"2".to_vec()));
        }
    }

    #[test]
    fn a_copy_leaves_the_old_place_as_it_was() {
        let mut d = draft(vec![file("/a/x", b"1")]);
        assert_eq!(told("copy: {from: /a, to: /b}", &mut d), [""; 0]);
        assert_eq!(shown(&d), ["/a/x", "/b/x"]);
    }

    #[test]
    fn what_is_dropped_is_left_to_the_new_system_deletions_too() {
        let mut d = draft(vec![file("/a/x/1", b""), file("/a/x/2", b""), file("/a/y", b"")]);
        d.delete(path("/a/x/3"));
        d.delete(path("/a/z"));
        assert_eq!(told("drop: {path: /a/x, why: bound}", &mut d), ["/a/x dropped, 3: bound"]);
        assert_eq!(shown(&d), ["/a/y", "-/a/z"]);
    }

    #[test]
    fn a_link_is_made_only_where_nothing_is() {
        let mut d = draft(vec![file("/here", b"")]);
        assert_eq!(told("symlink: {path: /here, target: x}", &mut d), [""; 0]);
        assert_eq!(told("symlink: {path: /taken, target: x}", &mut d), [""; 0]);
        told("symlink: {path: '/l/{new}', target: '../{old}'}", &mut d);
        assert_eq!(shown(&d), ["/here", "/l/17 -> ../13"]);
    }

    #[test]
    fn owners_are_looked_up_in_the_new_system_and_an_unknown_one_is_held() {
        let mut d = draft(vec![file("/a/x", b""), file("/a/y", b"")]);
        assert_eq!(
            told("chown: {path: /a/x, owner: ntpsec}", &mut d),
            ["/a/x: owned by 102:6, was 5:6"]
        );
        assert_eq!(told("chown: {path: /a/x, owner: ntpsec, group: '6'}", &mut d), [""; 0]);
        assert_eq!(
            told("chown: {path: /a/y, owner: nobody}", &mut d),
            ["/a/y held: no account is called `nobody`"]
        );
        let mut d =
            draft(vec![file("/a/x", b""), file("/etc/passwd", b"ntpsec:x:900:1:::\nbad:x\n")]);
        assert_eq!(
            told("chown: {path: /a/x, owner: ntpsec}", &mut d),
            ["/a/x: owned by 900:6, was 5:6"]
        );
        assert_eq!(told("chown: {path: /a/x, owner: bad}", &mut d).len(), 1);
    }

    #[test]
    fn a_mode_is_changed_once_and_never_on_a_link() {
        let mut d = draft(vec![file("/a/x", b""), link("/a/y", "x")]);
        assert_eq!(
            told("chmod: {path: '/a/*', mode: 0600}", &mut d),
            ["/a/x: mode 0600, was 0644"]
        );
        assert_eq!(told("chmod: {path: '/a/*', mode: 0600}", &mut d), [""; 0]);
    }

    #[test]
    fn what_only_the_new_system_can_do_comes_back_as_data() {
        let mut d = draft(vec![file("/a/x", b"")]);
        let run = "run: {argv: [make, '{new}'], why: because}";
        let argv = vec!["make".to_owned(), "17".to_owned()];
        assert_eq!(
            done(run, &mut d),
            [StepOutcome::Run { argv, why: "because".into(), when: None }]
        );
        assert_eq!(told("hold: {path: /a/x, why: ask}", &mut d), ["/a/x held: ask"]);
        assert_eq!(shown(&d), ["/a/x"]);
    }
}
