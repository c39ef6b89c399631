//! What a restore onto the old image's successor leaves to it, told and looked at.
//!
//! That nothing of the old image is placed is [`Archived`]'s affair. Here is said what that is, and
//! what the container's life had of the old image that its successor does not have is held: files
//! in directories that are no more, variables that files speak of, packages in environments.
//!
//! [`Archived`]: crate::restore::value::archived::Archived

use std::collections::BTreeMap;
use std::io::Read;

use crate::bundle::{Manifest, ManifestEntry};
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Inputs, VolumesAs};
use crate::restore::value::relation::Relation;
use crate::restore::value::succession::installed_later;
use crate::tree::{
    Draft, DraftContent, DraftNode, FileType, RootPath, Store, TreeError, is_within, outline,
    resolve,
};
use crate::verdict::{Class, HeldKind, Origin};

/// In how many lines is told what is left to a successor.
const DIRECTORIES: usize = 12;

/// Where what runs has its sockets and process numbers.
const RUN: RootPath = RootPath::literal("/run");

/// Larger files are not looked at for names of variables, in bytes.
const TEXT: u64 = 256 * 1024;

/// Says what the target is to the old image, and holds what is left open by that.
pub(in crate::restore) fn tell(
    inputs: &Inputs<'_>,
    draft: &Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let succession = inputs.succession;
    decisions.steps.extend(succession.step());
    decisions.held.extend(succession.doubt());
    if succession.relation == Relation::Plain {
        return Ok(());
    }
    left_out(inputs, decisions);
    let brought = |path: &RootPath| {
        let entry = inputs.manifest.entries.find(path);
        entry.is_some_and(|entry| entry.origin == Origin::Image && !entry.is_deleted())
    };
    let mut gone: BTreeMap<RootPath, usize> = BTreeMap::new();
    for node in draft.nodes().filter(|node| !node.entry.kind.is_dir()) {
        for dir in node.entry.path.ancestors() {
            if dir != node.entry.path && brought(&dir) && resolve(inputs.target, &dir)?.is_none() {
                *gone.entry(dir).or_default() += 1;
                break;
            }
        }
    }
    for (dir, files) in gone {
        let why = format!(
            "it was a directory of the old image, and its successor has none: {files} files that \
             came into it in the container's life are placed, and it may be that nobody looks there"
        );
        decisions.hold(HeldKind::Image, dir, why);
    }
    environments(inputs, decisions);
    variables(inputs, draft, decisions)
}

/// Puts the directories below `/run` that the old image or the container's life made into the draft,
/// where the new system has none: a container is started with what it has there, and nothing makes
/// them again.
pub(in crate::restore) fn keep_runtime(
    inputs: &Inputs<'_>,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let relation = inputs.succession.relation;
    let made = runtime_directories(inputs.manifest).filter(|entry| relation.carries(entry.origin));
    for entry in made.filter(|_| inputs.volumes == VolumesAs::Volumes) {
        let path = entry.path.clone();
        let Some(entry) = entry.into_entry().filter(|_| path != RUN) else { continue };
        if draft.get(&path).is_none() && resolve(inputs.target, &path)?.is_none() {
            decisions.add(&path, "it was there for what runs, and no package makes it");
            draft.put(DraftNode { entry, content: DraftContent::None });
        }
    }
    Ok(())
}

/// The directories below `/run` that a container has when it is started again. What ran left files
/// in those of the image, so that they count as of the container's life.
fn runtime_directories(manifest: &Manifest) -> impl Iterator<Item = ManifestEntry> + '_ {
    manifest.entries.wanted(|listed| {
        matches!(listed.origin, Origin::Image | Origin::Container)
            && !listed.deleted
            && listed.file_type == FileType::Dir
            && is_within(listed.path, RUN.as_bytes())
    })
}

/// What the old image brought, by directory.
fn left_out(inputs: &Inputs<'_>, decisions: &mut Decisions) {
    let left = inputs.manifest.entries.listed().filter(|listed| {
        listed.class == Class::Mutable
            && listed.stored
            && !listed.deleted
            && listed.file_type != FileType::Dir
            && !inputs.succession.relation.carries(listed.origin)
    });
    for total in outline(left.map(|listed| (listed.path, listed.size)), DIRECTORIES) {
        let why = format!(
            "{} files came from the old image, whose successor brings its own; they are in the \
             bundle",
            total.files
        );
        decisions.leave_out(&total.path, why);
    }
}

/// Packages that were installed in the container's life into an environment of the old image.
fn environments(inputs: &Inputs<'_>, decisions: &mut Decisions) {
    let kept = |root: &RootPath| inputs.survey.environments.iter().any(|own| own.root == *root);
    for fact in inputs.manifest.survey.environments.iter().filter(|fact| !kept(&fact.root)) {
        let packages = installed_later(inputs.manifest, &fact.root);
        if packages.is_empty() {
            continue;
        }
        let list = fact.list_name().map(|name| format!("exports/{name}")).unwrap_or_default();
        let why = format!(
            "packages were installed in it in the container's life, and the environment is the \
             successor's own now: install them again ({}); all of its list is {list} in the bundle",
            packages.into_iter().collect::<Vec<_>>().join(", ")
        );
        decisions.hold(HeldKind::Environment, &fact.root, why);
    }
}

/// Files of the container's life that speak of variables which nothing sets any more.
fn variables(
    inputs: &Inputs<'_>,
    draft: &Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let Some(settings) = inputs.settings else { return Ok(()) };
    let names = inputs.succession.gone_variables(settings);
    if names.is_empty() {
        return Ok(());
    }
    for node in draft.nodes().filter(|node| node.entry.kind.is_file()) {
        let Some(text) = text(inputs, node)? else { continue };
        for name in names.iter().filter(|name| speaks_of(&text, name)) {
            let why = format!(
                "it speaks of the variable {name}, which the old image set and its successor does \
                 not: give it to the container if it is needed"
            );
            decisions.hold(HeldKind::Image, &node.entry.path, why);
        }
    }
    Ok(())
}

fn text(inputs: &Inputs<'_>, node: &DraftNode) -> Result<Option<String>, TreeError> {
    let DraftContent::Stored(id) = node.content else { return Ok(None) };
    if node.entry.kind.size() > TEXT {
        return Ok(None);
    }
    let failed = |e| TreeError::io("reading the archived", &node.entry.path, e);
    let mut bytes = Vec::new();
    inputs.contents.open(id).map_err(failed)?.read_to_end(&mut bytes).map_err(failed)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

/// Whether a text names a variable as shells and programs do.
fn speaks_of(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(part) && !after.starts_with(part) && name.len() > 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Entry, Kind, Meta};
    use crate::verdict::Reason;

    #[test]
    fn a_variable_is_spoken_of_as_a_whole_word() {
        assert!(speaks_of("exec $APP_HOME/bin/x", "APP_HOME"));
        assert!(speaks_of("os.environ['APP_HOME']", "APP_HOME"));
        assert!(!speaks_of("MY_APP_HOME2", "APP_HOME"));
        assert!(!speaks_of("nothing", "APP_HOME"));
    }

    #[test]
    fn directories_for_what_runs_are_made_whoever_changed_them_last() {
        let mut manifest = Manifest::new();
        for (path, kind, origin) in [
            ("/run/app", Kind::Dir, Origin::Image),
            ("/run/lock", Kind::Dir, Origin::Base),
            ("/run/used", Kind::Dir, Origin::Container),
            ("/run/used/app.pid", Kind::File { size: 2 }, Origin::Container),
            ("/srv/app", Kind::Dir, Origin::Image),
        ] {
            let path = RootPath::parse(path.as_bytes()).unwrap();
            let entry = Entry::new(path, kind, Meta::root(0o755));
            let (class, reason) = (Class::Ephemeral, Reason::Unexplained);
            manifest.entries.push(ManifestEntry::new(&entry, class, reason, origin));
        }
        let made: Vec<String> =
            runtime_directories(&manifest).map(|entry| entry.path.to_string()).collect();
        assert_eq!(made, ["/run/app", "/run/used"]);
    }
}
