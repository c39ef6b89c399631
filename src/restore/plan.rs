//! The plan of a restore: everything that will be changed, as a value.
//!
//! Made from the bundle and the staged system, in which today's packages are already installed,
//! and from nothing else; making it changes neither. What it holds is printed by `--dry-run` and
//! executed as it stands.

use std::collections::BTreeSet;

use serde_json::Value;

use super::archived::Archived;
use super::choices;
use super::config;
use super::container;
use super::environments::{self, Rebuild};
use super::fresh;
use super::inputs::{Inputs, VolumesAs, unreadable};
use super::journey::{
    Journey, adapt_settings, apply_steps, journeys, mentions, misfit, rebuilds, today, validators,
    withhold,
};
use super::localhost;
use super::notes::{Notes, PlannedCommand};
use super::outcome::PlanStep;
use super::services;
use super::settle::{Directories, real_directory, settle};
use super::target::VolumePlan;
use crate::accounts::{self, AccountDb, AccountFile, IdMap, MergeOptions};
use crate::bundle::Loss;
use crate::failure::Failure;
use crate::layout::{Step, Worth};
use crate::packages::dpkg::Dpkg;
use crate::survey::{MountFact, Survey};
use crate::system::line;
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, Meta, RootPath, Time, Tree, TreeError, Xattrs,
    read_file, resolve,
};
use crate::verdict::Held;

/// Larger than any list of shells, in bytes.
const SHELLS_LIMIT: u64 = 1 << 20;

/// Everything that will be changed.
pub(super) struct Plan {
    /// Placed over the staged system.
    pub(super) draft: Draft,
    pub(super) volumes: Vec<VolumePlan>,
    /// Of the container that was archived, with what applications are called now.
    pub(super) settings: Value,
    /// Made once everything is placed.
    pub(super) rebuilds: Vec<Rebuild>,
    /// Run in order after that.
    pub(super) commands: Vec<PlannedCommand>,
    /// Have to succeed in the end.
    pub(super) validators: Vec<Vec<String>>,
    pub(super) steps: Vec<PlanStep>,
    pub(super) held: Vec<Held>,
    pub(super) losses: Vec<Loss>,
}

/// Makes the plan.
///
/// # Errors
/// A rule that does not fit what was found, contents or a target that cannot be read.
pub(super) fn plan(inputs: &Inputs) -> Result<Plan, Failure> {
    let archived = Archived::new(inputs.manifest, inputs.contents);
    let dpkg = Dpkg::load(inputs.target).map_err(unreadable)?;
    let mut notes = Notes::default();
    notes.packages(inputs.packages);
    let today = today(inputs, dpkg.as_ref())?;
    let journeys = journeys(inputs, &today, &mut notes)?;
    let mut draft = archived.draft();
    let imports = withhold(&journeys, &archived, inputs, &mut draft, &mut notes)?;
    let owner = |step: &Step| matches!(step, Step::Chown { .. });
    apply_steps(&journeys, &|step| !owner(step), inputs, dpkg.as_ref(), &mut draft, &mut notes)?;
    services::rename(&journeys, &mut draft, &mut notes)?;
    let on: BTreeSet<Vec<u8>> = inputs
        .manifest
        .entries
        .wanted(|listed| !listed.deleted)
        .filter(|entry| services::pulls_in(&entry.path))
        .map(|entry| entry.path.name().to_vec())
        .collect();
    services::fit(&mut draft, inputs.target, &|name| on.contains(name), &mut notes)?;
    let merged = merge_accounts(&journeys, &archived, inputs, &mut draft, &mut notes)?;
    // Only now are there the accounts of both systems, with the numbers of the new one.
    apply_steps(&journeys, &owner, inputs, dpkg.as_ref(), &mut draft, &mut notes)?;
    let environments = environments::carry(inputs, &archived, &merged.ids, &mut draft, &mut notes)?;
    let mut draft = settle(&draft, &Owned { archived: &archived, ids: &merged.ids }, inputs.target)
        .map_err(unreadable)?;
    let mut aside = vec![];
    if let Some(dpkg) = &dpkg {
        let (accounts, ids) = (&merged.accounts, &merged.ids);
        let new = choices::New { target: inputs.target, dpkg, accounts, ids };
        aside = choices::carry(inputs, &new, &mut draft, &mut notes)?;
    }
    let pristine = archived.pristine();
    let places = inputs.layout.layout(&today).map_err(Failure::from)?;
    let worth = |path: &RootPath| places.matches(path).map(|found| found.entry.worth);
    let met =
        config::meet(&mut draft, inputs.contents, &pristine, inputs.target, dpkg.as_ref(), &worth)
            .map_err(unreadable)?;
    aside.into_iter().for_each(|node| draft.put(node));
    notes.meetings(&met.meetings);
    let mentions = mentions(&today);
    adapt_settings(&journeys, &mentions, inputs, &mut draft, &mut notes)?;
    let mut settings = inputs.manifest.settings.clone();
    if matches!(inputs.volumes, VolumesAs::Volumes) {
        container::adapt(&mut settings, &mentions.container, &journeys, &mut notes)?;
    }
    // Only now: what is kept to be looked at is not to be edited.
    met.beside.into_iter().for_each(|node| draft.put(node));
    let secrets = archived.secrets();
    notes.files(&draft, &|node| {
        let path = &node.entry.path;
        worth(path) == Some(Worth::Secret)
            || match &node.content {
                DraftContent::None => false,
                DraftContent::Stored(id) => secrets.contains(id),
                DraftContent::Bytes(bytes) => places.is_secret(path, bytes),
            }
    });
    if let Some(before) = inputs.state_before {
        let known = fresh::Known {
            staying: &|path| {
                before.contains(path)
                    || inputs.manifest.entries.contains(path)
                    || dpkg.as_ref().is_some_and(|dpkg| dpkg.owner(path).is_some())
            },
            ruled: &|path| places.matches(path).is_some(),
        };
        for path in fresh::giving_way(&draft, inputs.target, &known).map_err(unreadable)? {
            notes.step("remove", &path, "made by the installation where the service has its own");
            draft.delete(path);
        }
    }
    draft.forget_idle_deletions();
    let rebuilds = rebuilds(&journeys, inputs.target, &draft, dpkg.as_ref())?;
    notes.commands.splice(0..0, rebuilds);
    let volumes = match inputs.volumes {
        VolumesAs::Volumes => {
            split_volumes(inputs.survey, inputs.target, &mut draft).map_err(unreadable)?
        }
        VolumesAs::Files => {
            let named = localhost::name_localhost(&mut draft, inputs.target).map_err(unreadable)?;
            if let Some(path) = named {
                notes.step("add", path, "names localhost, as no engine will");
            }
            vec![]
        }
    };
    notes.commands.extend(imports);
    for command in &notes.commands {
        let subject = line(&command.argv);
        notes.steps.push(PlanStep {
            action: "run".to_owned(),
            subject,
            reason: command.why.clone(),
        });
    }
    let validators = validators(&journeys, inputs.target, &draft, dpkg.as_ref(), &mut notes)?;
    Ok(Plan {
        draft,
        volumes,
        settings,
        rebuilds: environments,
        commands: notes.commands,
        validators,
        steps: notes.steps,
        held: notes.held,
        losses: notes.losses,
    })
}

/// Merges the accounts, maps all owners in the draft, and puts the merged files into it.
fn merge_accounts(
    journeys: &[Journey],
    archived: &Archived,
    inputs: &Inputs,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<Merged, Failure> {
    let old = AccountDb::load(archived).map_err(unreadable)?;
    let new = AccountDb::load(inputs.target).map_err(unreadable)?;
    for problem in old.problems.iter().chain(&new.problems) {
        notes.losses.push(Loss {
            subject: "accounts".to_owned(),
            what: "names unknown, ids kept as numbers".to_owned(),
            why: problem.to_string(),
        });
    }
    let (old, new) = (old.accounts, new.accounts);
    let merge = accounts::merge(&old, &new, &merge_options(journeys, &old, draft)?);
    for decision in &merge.decisions {
        match decision {
            accounts::Decision::Conflict(conflict) => notes.hold("accounts", conflict),
            // What stays as the new system has it is no step.
            accounts::Decision::Kept { .. } => {}
            decision => notes.step("account", decision.subject(), decision),
        }
    }
    for node in draft.nodes_mut() {
        merge.ids.apply(&mut node.entry.meta);
    }
    let listed = !draft.take(&AccountFile::Shells.path()).is_empty();
    for file in AccountFile::ALL {
        draft.take(&file.path());
    }
    if listed {
        let own = old.shells.iter().filter(|shell| !new.shells.contains(shell));
        add_shells(own, inputs.target, draft, notes).map_err(unreadable)?;
    }
    for (path, bytes) in merge.files {
        let meta = match inputs.target.entry(&path).map_err(unreadable)? {
            Some(entry) => entry.meta,
            None => archived
                .entry(&path)
                .map_err(unreadable)?
                .map_or_else(private_file, |entry| entry.meta),
        };
        let kind = Kind::File { size: bytes.len() as u64 };
        let entry = Entry { path, kind, meta, ctime: None, links: None };
        draft.put(DraftNode { entry, content: DraftContent::Bytes(bytes) });
    }
    Ok(Merged { accounts: merge.accounts, ids: merge.ids })
}

/// Adds to the new system's list of shells those of `own` that are there.
fn add_shells<'a>(
    own: impl Iterator<Item = &'a Vec<u8>>,
    target: &dyn Tree,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<(), TreeError> {
    let path = AccountFile::Shells.path();
    let Some(list) = target.entry(&path)?.filter(|entry| entry.kind.is_file()) else {
        return Ok(());
    };
    let mut text = read_file(target, &path, SHELLS_LIMIT)?.unwrap_or_default();
    let theirs = text.len();
    for shell in own {
        let Ok(place) = RootPath::parse(shell) else { continue };
        if draft.get(&place).is_none() && resolve(target, &place)?.is_none() {
            continue;
        }
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(shell);
        text.push(b'\n');
        notes.step("add", &path, format!("{place} was listed by hand"));
    }
    if text.len() > theirs {
        let kind = Kind::File { size: text.len() as u64 };
        let entry = Entry { kind, links: None, ctime: None, ..list };
        draft.put(DraftNode { entry, content: DraftContent::Bytes(text) });
    }
    Ok(())
}

/// The accounts of both systems, and what became of the old ones' ids.
struct Merged {
    accounts: AccountDb,
    ids: IdMap,
}

/// Metadata of an account file that neither system describes.
fn private_file() -> Meta {
    let mtime = Time { secs: 0, nanos: 0 };
    Meta { mode: 0o600, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() }
}

fn merge_options(
    journeys: &[Journey],
    old: &AccountDb,
    draft: &Draft,
) -> Result<MergeOptions, Failure> {
    let mut renames: Vec<(Vec<u8>, String)> = Vec::new();
    let users = old.passwd.records().map(|user| user.name.clone());
    let groups = old.group.records().map(|group| group.name.clone());
    for name in users.chain(groups) {
        let Ok(text) = std::str::from_utf8(&name) else { continue };
        for journey in journeys {
            let app = journey.rule.app.as_str();
            if let Some(new) =
                journey.rule.account(text, &journey.vars).map_err(|e| misfit(app, e))?
            {
                renames.push((name.clone(), new));
            }
        }
    }
    let mut options = MergeOptions { renames: renames.into_iter().collect(), ..Default::default() };
    for node in draft.nodes() {
        options.owners.uids.insert(node.entry.meta.uid);
        options.owners.gids.insert(node.entry.meta.gid);
    }
    Ok(options)
}

/// The old system's directories with owners of the new one.
struct Owned<'a> {
    archived: &'a Archived<'a>,
    ids: &'a IdMap,
}

impl Directories for Owned<'_> {
    fn directory(&self, path: &RootPath) -> Option<Entry> {
        let mut entry = self.archived.directory(path)?;
        self.ids.apply(&mut entry.meta);
        Some(entry)
    }
}

/// Takes what lies in volumes out of the settled draft.
fn split_volumes(
    survey: &Survey,
    target: &dyn Tree,
    draft: &mut Draft,
) -> Result<Vec<VolumePlan>, TreeError> {
    let mut mounts: Vec<&MountFact> =
        survey.mounts.iter().filter(|m| m.kept && m.kind == "volume").collect();
    // A volume inside a volume takes its part first.
    mounts.sort_by(|a, b| b.destination.cmp(&a.destination));
    let mut volumes: Vec<VolumePlan> = Vec::new();
    for mount in mounts {
        let place = real_directory(target, &mount.destination)?;
        let mut content = Draft::default();
        for mut node in draft.take(&place) {
            if let Some(below) = node.entry.path.strip_prefix(&place) {
                node.entry.path = below;
                content.put(node);
            }
        }
        volumes.push(VolumePlan {
            archived: mount.name.clone(),
            name: (!mount.anonymous).then(|| mount.name.clone()),
            destination: mount.destination.clone(),
            asked: mount.asked.clone().unwrap_or_else(|| mount.destination.clone()),
            content,
        });
    }
    volumes.reverse();
    Ok(volumes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str) -> DraftNode {
        let kind = Kind::File { size: 1 };
        let entry = Entry { path: path(at), kind, meta: private_file(), ctime: None, links: None };
        DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) }
    }

    fn paths(draft: &Draft) -> Vec<String> {
        draft.nodes().map(|node| node.entry.path.to_string()).collect()
    }

    fn mount(kind: &str, name: &str, at: &str) -> MountFact {
        MountFact {
            kind: kind.to_owned(),
            name: name.to_owned(),
            destination: path(at),
            asked: None,
            anonymous: name == "anonymous",
            kept: true,
        }
    }

    #[test]
    fn a_volume_takes_its_files_and_one_inside_another_takes_its_own_first() {
        let target = MemoryTree::default().dir("/data").link("/var/old", "../data");
        let survey = Survey {
            mounts: vec![
                mount("volume", "outer", "/var/old"),
                mount("volume", "anonymous", "/var/old/sub"),
                mount("bind", "/host", "/etc"),
            ],
            ..Survey::default()
        };
        let mut draft = Draft::default();
        for at in ["/data/a", "/data/sub/b", "/etc/c", "/database"] {
            draft.put(node(at));
        }
        let volumes = split_volumes(&survey, &target, &mut draft).unwrap();
        let told: Vec<_> = volumes
            .iter()
            .map(|v| (v.archived.as_str(), v.name.as_deref(), paths(&v.content)))
            .collect();
        assert_eq!(
            told,
            [
                ("outer", Some("outer"), vec!["/a".to_owned()]),
                ("anonymous", None, vec!["/b".to_owned()]),
            ]
        );
        assert_eq!(paths(&draft), ["/database", "/etc/c"]);
    }

    #[test]
    fn shells_that_were_listed_by_hand_are_listed_again_where_they_are() {
        let target = MemoryTree::default().file("/etc/shells", "/bin/sh").file("/bin/false", "");
        let mut draft = Draft::default();
        draft.put(node("/opt/shell"));
        let own = ["/opt/shell", "/bin/false", "/bin/gone"].map(|shell| shell.as_bytes().to_vec());
        add_shells(own.iter(), &target, &mut draft, &mut Notes::default()).unwrap();
        let path = RootPath::parse(b"/etc/shells").unwrap();
        let content = DraftContent::Bytes(b"/bin/sh\n/opt/shell\n/bin/false\n".to_vec());
        assert_eq!(draft.get(&path).unwrap().content, content);
    }
}
