//! The plan of a restore: everything that will be changed, as a value.
//!
//! Made from the bundle and the staged system, in which today's packages are already installed,
//! and from nothing else; making it changes neither. What it holds is printed by `--dry-run` and
//! executed as it stands.

use std::fmt::Display;

use super::archived::Archived;
use super::config::{self, Meeting, Outcome};
use super::localhost;
use super::outcome::PlanStep;
use super::packages::PackagePlan;
use super::settle::{Directories, real_directory, settle};
use super::target::VolumePlan;
use crate::accounts::{self, AccountDb, AccountFile, IdMap, MergeOptions};
use crate::bundle::{Contents, Loss, Manifest};
use crate::failure::{Failure, Kind as FailureKind};
use crate::layout::{
    self, Gap, Instance, LayoutDb, Recognised, Route, Rule, Step, StepOutcome, Vars, Version, When,
    route,
};
use crate::packages::dpkg::Dpkg;
use crate::survey::{AppFact, MountFact, Survey};
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, Meta, RootPath, Time, Tree, TreeError, Xattrs,
};
use crate::verdict::Held;

/// What a plan is made from.
pub(super) struct Inputs<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) survey: &'a Survey,
    pub(super) contents: &'a Contents,
    pub(super) layout: &'a LayoutDb,
    /// What was decided about packages; they are installed.
    pub(super) packages: &'a PackagePlan,
    /// The staged system.
    pub(super) target: &'a dyn Tree,
    /// What becomes of volumes.
    pub(super) volumes: VolumesAs,
}

/// What becomes of volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumesAs {
    /// Volumes again.
    Volumes,
    /// Files where they were mounted: a root has no volumes.
    Files,
}

/// A command in the new system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedCommand {
    pub(super) argv: Vec<String>,
    /// The export that it reads.
    pub(super) stdin: Option<String>,
    /// The export that its output has to equal.
    pub(super) expect: Option<String>,
    pub(super) why: String,
}

/// Everything that will be changed.
pub(super) struct Plan {
    /// Placed over the staged system.
    pub(super) draft: Draft,
    pub(super) volumes: Vec<VolumePlan>,
    /// Run in order once everything is placed.
    pub(super) commands: Vec<PlannedCommand>,
    /// Have to succeed in the end.
    pub(super) validators: Vec<Vec<String>>,
    pub(super) steps: Vec<PlanStep>,
    pub(super) held: Vec<Held>,
    pub(super) losses: Vec<Loss>,
}

/// An application on its way between two versions.
struct Journey {
    rule: Rule,
    vars: Vars,
    steps: Vec<Step>,
    /// The data of its databases stays readable: the version is the same.
    same_version: bool,
}

/// What the parts of a plan say while it is made.
#[derive(Default)]
struct Notes {
    steps: Vec<PlanStep>,
    held: Vec<Held>,
    losses: Vec<Loss>,
    commands: Vec<PlannedCommand>,
}

impl Notes {
    fn step(&mut self, action: &str, subject: impl Display, reason: impl Display) {
        self.steps.push(PlanStep {
            action: action.to_owned(),
            subject: subject.to_string(),
            reason: reason.to_string(),
        });
    }

    fn hold(&mut self, subject: impl Display, reason: impl Display) {
        self.held.push(Held { subject: subject.to_string(), reason: reason.to_string() });
    }
}

/// Makes the plan.
///
/// # Errors
/// A rule that does not fit what was found, contents or a target that cannot be read.
pub(super) fn plan(inputs: &Inputs) -> Result<Plan, Failure> {
    let archived = Archived::new(inputs.manifest, inputs.contents);
    let dpkg = Dpkg::load(inputs.target).map_err(unreadable)?;
    let mut notes = Notes::default();
    package_notes(inputs.packages, &mut notes);
    let today = today(inputs, dpkg.as_ref())?;
    let journeys = journeys(inputs, &today, &mut notes)?;
    let mut draft = archived.draft();
    let imports = withhold(&journeys, &archived, inputs, &mut draft, &mut notes)?;
    let structure = |step: &Step| !matches!(step, Step::Edit(_));
    apply_steps(&journeys, &structure, inputs, dpkg.as_ref(), &mut draft, &mut notes)?;
    let accounts = merge_accounts(&journeys, &archived, inputs, &mut draft, &mut notes)?;
    let mut draft = settle(&draft, &Owned { archived: &archived, ids: &accounts }, inputs.target)
        .map_err(unreadable)?;
    let pristine = archived.pristine();
    let places = inputs.layout.layout(&today).map_err(Failure::from)?;
    let worth = |path: &RootPath| places.matches(path).map(|found| found.entry.worth);
    let meetings =
        config::meet(&mut draft, inputs.contents, &pristine, inputs.target, dpkg.as_ref(), &worth)
            .map_err(unreadable)?;
    meeting_notes(&meetings, &mut notes);
    let edits = |step: &Step| matches!(step, Step::Edit(_));
    apply_steps(&journeys, &edits, inputs, dpkg.as_ref(), &mut draft, &mut notes)?;
    file_notes(&draft, &mut notes);
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
        let subject = command.argv.join(" ");
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
        commands: notes.commands,
        validators,
        steps: notes.steps,
        held: notes.held,
        losses: notes.losses,
    })
}

fn unreadable(error: TreeError) -> Failure {
    Failure::new(FailureKind::Environment, "planning", "the restore")
        .why("the new system or the bundle's contents cannot be read")
        .because(error)
        .next("see the reason, then run the same command again")
}

fn misfit(app: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(FailureKind::Step, "applying the rule of", app)
        .because(error)
        .next("correct the rule (`regrow rules show` prints it) and run the same command again")
}

fn package_notes(packages: &PackagePlan, notes: &mut Notes) {
    for package in &packages.install {
        match &package.formerly {
            Some(old) => notes.step("install", &package.name, format!("takes the place of {old}")),
            None => notes.step("install", &package.name, "was asked for in the old system"),
        }
    }
    for (name, why) in &packages.dropped {
        notes.step("leave out", name, why);
    }
    for missing in &packages.missing {
        notes.losses.push(Loss {
            subject: missing.name.clone(),
            what: "package not installed".to_owned(),
            why: "the new system's repositories do not offer it, and no rule renames it".to_owned(),
        });
    }
}

/// The applications of the staged system.
fn today(inputs: &Inputs, dpkg: Option<&Dpkg>) -> Result<Vec<Recognised>, Failure> {
    let installed: Vec<(&str, &str)> = dpkg
        .iter()
        .flat_map(|dpkg| dpkg.packages.iter().filter(|p| p.has_files()))
        .map(|p| (p.name.as_str(), p.version.as_str()))
        .collect();
    let exists = |path: &RootPath| {
        crate::tree::resolve(inputs.target, path).is_ok_and(|found| found.is_some())
    };
    inputs.layout.recognise(&installed, &exists).map_err(Failure::from)
}

/// The archived applications with the way each has to go.
fn journeys(
    inputs: &Inputs,
    today: &[Recognised],
    notes: &mut Notes,
) -> Result<Vec<Journey>, Failure> {
    let mut journeys = Vec::new();
    for app in &inputs.survey.apps {
        if let Some(journey) = journey(app, today, inputs.layout, notes)? {
            journeys.push(journey);
        }
    }
    Ok(journeys)
}

fn journey(
    app: &AppFact,
    today: &[Recognised],
    layout: &LayoutDb,
    notes: &mut Notes,
) -> Result<Option<Journey>, Failure> {
    let found = layout.rule(&app.name, &app.distribution).map_err(Failure::from)?;
    let (Some(rule), Some((old, new))) = (found, versions(app, today)) else { return Ok(None) };
    let vars = Vars::versions(&old, &new);
    let mut steps = Vec::new();
    match route(&rule, &old, &new) {
        Route::Same => {}
        Route::Steps(transitions) => {
            notes.step("carry", &app.name, format!("{old} becomes {new}"));
            steps.extend(transitions.into_iter().flat_map(|t| t.steps));
        }
        Route::NoRoute { .. } if rule.transitions.is_empty() => {}
        Route::NoRoute { gap } => notes.hold(&app.name, gap_words(&gap)),
    }
    let same_version = old == new;
    Ok(Some(Journey { rule, vars, steps, same_version }))
}

/// The archived version of `app` and the newest one of `today`, where both can be told.
pub(super) fn versions(app: &AppFact, today: &[Recognised]) -> Option<(Version, Version)> {
    let old = app.version.as_ref()?.parse().ok()?;
    let found = today.iter().filter(|found| found.app == app.name);
    Some((old, found.filter_map(|found| found.version.clone()).max()?))
}

fn gap_words(gap: &Gap) -> String {
    match gap {
        Gap::Older { from, to } => {
            format!("the new system has {to}, older than the archived {from}; placed as it was")
        }
        Gap::From(version) => format!("no rule starts from version {version}; placed as it was"),
        Gap::To(version) => format!("no rule leads to version {version}; placed as it was"),
    }
}

/// Takes data of another version out of the draft and returns the commands that bring it back.
fn withhold(
    journeys: &[Journey],
    archived: &Archived,
    inputs: &Inputs,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<Vec<PlannedCommand>, Failure> {
    let mut imports = Vec::new();
    for journey in journeys {
        let app = journey.rule.app.as_str();
        for database in &journey.rule.databases {
            let instances = database.instances(archived).map_err(|e| misfit(app, e))?;
            for instance in &instances {
                let commands =
                    database.imports(instance, &journey.vars).map_err(|e| misfit(app, e))?;
                let wanted = |name: &String| {
                    inputs.manifest.exports.iter().any(|e| e.app == app && e.name == *name)
                };
                let exported =
                    commands.iter().flat_map(|c| c.stdin.iter().chain(&c.expect)).all(wanted);
                if exported {
                    draft.take(&instance.directory);
                    notes.step("withhold", &instance.directory, withheld(instance));
                    imports.extend(commands.into_iter().map(|command| PlannedCommand {
                        argv: command.argv,
                        stdin: command.stdin,
                        expect: command.expect,
                        why: format!("imports the export of {}", instance.directory),
                    }));
                } else if !journey.same_version {
                    draft.take(&instance.directory);
                    let reason = format!(
                        "data of version {} without an export: kept in the bundle, not placed",
                        instance.version
                    );
                    notes.hold(&instance.directory, reason);
                }
            }
        }
    }
    Ok(imports)
}

fn withheld(instance: &Instance) -> String {
    format!("data of version {}: its export is imported instead", instance.version)
}

/// Applies the steps that `wanted` picks, of all journeys in order.
fn apply_steps(
    journeys: &[Journey],
    wanted: &dyn Fn(&Step) -> bool,
    inputs: &Inputs,
    dpkg: Option<&Dpkg>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<(), Failure> {
    for journey in journeys {
        let app = journey.rule.app.as_str();
        for step in journey.steps.iter().filter(|step| wanted(step)) {
            let outcomes =
                layout::apply(step, &journey.vars, draft, inputs.contents, inputs.target)
                    .map_err(|e| misfit(app, e))?;
            for outcome in outcomes {
                if let StepOutcome::Run { when: Some(when), .. } = &outcome
                    && !holds(when, &journey.vars, inputs.target, draft, dpkg)
                        .map_err(|e| misfit(app, e))?
                {
                    continue;
                }
                note_outcome(app, outcome, notes);
            }
        }
    }
    Ok(())
}

fn note_outcome(app: &str, outcome: StepOutcome, notes: &mut Notes) {
    match outcome {
        StepOutcome::Changed { path, what } => {
            notes.step("adapt", path, format!("{app}: {what}"));
        }
        StepOutcome::Dropped { path, entries, why } => {
            notes.step("leave out", path, format!("{app}: {why} ({entries} entries)"));
        }
        StepOutcome::Hold { path, why } => notes.hold(path, format!("{app}: {why}")),
        StepOutcome::Run { argv, why, when: _ } => {
            notes.commands.push(PlannedCommand { argv, stdin: None, expect: None, why });
        }
        // Names of packages and accounts are asked for before anything is installed or merged.
        StepOutcome::Package { .. } | StepOutcome::Account { .. } => {}
    }
}

/// Merges the accounts, maps all owners in the draft, and puts the merged files into it.
fn merge_accounts(
    journeys: &[Journey],
    archived: &Archived,
    inputs: &Inputs,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<IdMap, Failure> {
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
            decision => notes.step("account", "", decision),
        }
    }
    for node in draft.nodes_mut() {
        merge.ids.apply(&mut node.entry.meta);
    }
    for file in AccountFile::ALL {
        draft.take(&file.path());
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
    Ok(merge.ids)
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

fn meeting_notes(meetings: &[Meeting], notes: &mut Notes) {
    for meeting in meetings {
        match meeting.held() {
            Some(held) => notes.held.push(held),
            None => {
                let action = if meeting.outcome == Outcome::Merged { "merge" } else { "keep" };
                notes.step(action, &meeting.path, meeting.outcome.reason());
            }
        }
    }
}

fn file_notes(draft: &Draft, notes: &mut Notes) {
    for path in draft.deletions() {
        notes.step("remove", path, "was removed in the old system");
    }
    for node in draft.nodes() {
        let meta = &node.entry.meta;
        let mut reason = node.entry.kind.word().to_owned();
        if !node.entry.kind.is_dir() && meta.mode & 0o6000 != 0 {
            reason.push_str(", set-id");
        }
        if meta.xattrs.contains_key(b"security.capability".as_slice()) {
            reason.push_str(", with capabilities");
        }
        notes.step("place", &node.entry.path, reason);
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
            content,
        });
    }
    volumes.reverse();
    Ok(volumes)
}

/// The commands that make again what is generated from files that are placed or removed.
fn rebuilds(
    journeys: &[Journey],
    target: &dyn Tree,
    draft: &Draft,
    dpkg: Option<&Dpkg>,
) -> Result<Vec<PlannedCommand>, Failure> {
    let mut commands = Vec::new();
    for journey in journeys {
        let app = journey.rule.app.as_str();
        for rebuild in &journey.rule.rebuild {
            let holds = match &rebuild.when {
                Some(when) => {
                    holds(when, &journey.vars, target, draft, dpkg).map_err(|e| misfit(app, e))?
                }
                None => true,
            };
            if rebuild.is_due(draft) && holds {
                let argv = rebuild.run.expand(&journey.vars).map_err(|e| misfit(app, e))?;
                let why = rebuild.why.clone();
                commands.push(PlannedCommand { argv, stdin: None, expect: None, why });
            }
        }
    }
    Ok(commands)
}

fn validators(
    journeys: &[Journey],
    target: &dyn Tree,
    draft: &Draft,
    dpkg: Option<&Dpkg>,
    notes: &mut Notes,
) -> Result<Vec<Vec<String>>, Failure> {
    let mut all = Vec::new();
    for journey in journeys {
        let app = journey.rule.app.as_str();
        for validator in &journey.rule.validate {
            let holds = match &validator.when {
                Some(when) => {
                    holds(when, &journey.vars, target, draft, dpkg).map_err(|e| misfit(app, e))?
                }
                None => true,
            };
            if holds {
                let argv = validator.run.expand(&journey.vars).map_err(|e| misfit(app, e))?;
                notes.step("check", argv.join(" "), format!("{app} accepts its files"));
                all.push(argv);
            }
        }
    }
    Ok(all)
}

/// Whether a condition holds in the system that the draft makes of the target.
fn holds(
    when: &When,
    vars: &Vars,
    target: &dyn Tree,
    draft: &Draft,
    dpkg: Option<&Dpkg>,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let package = match &when.package {
        Some(name) => {
            let name = name.expand_text(vars)?;
            dpkg.is_some_and(|dpkg| dpkg.is_installed(&name).is_some())
        }
        None => true,
    };
    let path = match &when.path {
        Some(path) => {
            let path = path.expand(vars)?;
            draft.get(&path).is_some() || crate::tree::resolve(target, &path)?.is_some()
        }
        None => true,
    };
    Ok(package && path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::parse;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn recognised(app: &str, found: Option<&str>) -> Recognised {
        let text = format!("app: {app}\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\n");
        let rule = parse("x.yaml", &text).unwrap();
        Recognised { app: app.to_owned(), version: found.map(version), rule }
    }

    fn fact(app: &str, found: Option<&str>) -> AppFact {
        AppFact {
            name: app.to_owned(),
            distribution: "debian".to_owned(),
            version: found.map(str::to_owned),
        }
    }

    fn node(at: &str) -> DraftNode {
        let kind = Kind::File { size: 1 };
        let entry = Entry { path: path(at), kind, meta: private_file(), ctime: None, links: None };
        DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) }
    }

    fn paths(draft: &Draft) -> Vec<String> {
        draft.nodes().map(|node| node.entry.path.to_string()).collect()
    }

    #[test]
    fn of_several_installed_versions_the_newest_is_the_way_to_go() {
        let today = [
            recognised("php", Some("8.2")),
            recognised("php", Some("8.10")),
            recognised("php", None),
            recognised("nginx", Some("9")),
        ];
        let found = versions(&fact("php", Some("7.4")), &today);
        assert_eq!(found, Some((version("7.4"), version("8.10"))));
    }

    #[test]
    fn without_both_versions_there_is_no_way() {
        let today = [recognised("php", Some("8.2")), recognised("nginx", None)];
        assert_eq!(versions(&fact("php", None), &today), None);
        assert_eq!(versions(&fact("nginx", Some("1")), &today), None);
        assert_eq!(versions(&fact("samba", Some("4")), &today), None);
    }

    #[test]
    fn a_gap_is_told_with_its_version() {
        let older = Gap::Older { from: version("15"), to: version("13") };
        let words = [older, Gap::From(version("3")), Gap::To(version("99"))];
        let words: Vec<String> = words.iter().map(gap_words).collect();
        assert_eq!(
            words,
            [
                "the new system has 13, older than the archived 15; placed as it was",
                "no rule starts from version 3; placed as it was",
                "no rule leads to version 99; placed as it was",
            ]
        );
    }

    fn mount(kind: &str, name: &str, at: &str) -> MountFact {
        MountFact {
            kind: kind.to_owned(),
            name: name.to_owned(),
            destination: path(at),
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
    fn set_id_and_capabilities_are_said_and_deletions_come_first() {
        let mut tool = node("/usr/local/bin/tool");
        tool.entry.meta.mode = 0o4755;
        tool.entry.meta.xattrs.insert(b"security.capability".to_vec(), vec![1]);
        let mut draft = Draft::default();
        draft.put(tool);
        draft.delete(path("/etc/motd"));
        let mut notes = Notes::default();
        file_notes(&draft, &mut notes);
        let told: Vec<_> =
            notes.steps.iter().map(|s| [&*s.action, &*s.subject, &*s.reason]).collect();
        assert_eq!(
            told,
            [
                ["remove", "/etc/motd", "was removed in the old system"],
                ["place", "/usr/local/bin/tool", "file, set-id, with capabilities"],
            ]
        );
    }

    #[test]
    fn a_condition_looks_at_the_target_and_at_what_is_placed() {
        let target = MemoryTree::default().file("/etc/there", "");
        let mut draft = Draft::default();
        draft.put(node("/etc/placed"));
        let rule = |at: &str| {
            let text = format!(
                "app: x\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\nvalidate:\n  \
                 - {{run: ['true'], when: {{path: {at}}}}}\n"
            );
            parse("x.yaml", &text).unwrap().validate.remove(0).when.unwrap()
        };
        let told = |at: &str| holds(&rule(at), &Vars::default(), &target, &draft, None).unwrap();
        assert!(told("/etc/there"));
        assert!(told("/etc/placed"));
        assert!(!told("/etc/nowhere"));
    }
}
