//! [`Plan`]: everything that a restore changes, as a value.
//!
//! It is printed, saved, approved and executed. What runs in the new system is taken out of the
//! steps, and what is placed is the draft that the steps were made from. Its id is a digest of all
//! of it, so that two plans with one id do the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bundle::Loss;
use crate::failure::{Failure, FailureKind};
use crate::restore::outcome::{PlanReport, PlanStep};
use crate::restore::planner::Planned;
use crate::restore::target::volumes::VolumePlan;
use crate::restore::target::{Publication, Taken, TargetSpec, Terms, Wanted};
use crate::restore::value::rebuild::Rebuild;
use crate::restore::value::relation::Relation;
use crate::restore::value::step::{Placing, PlannedCommand, Step};
use crate::service::ServiceSettings;
use crate::tree::{DirectoryTotal, Draft, DraftNode, Kind, RootPath, outline};
use crate::verdict::Held;

/// Everything that a restore changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// A digest of the content in its canonical form, in hexadecimal.
    pub(in crate::restore) id: String,
    pub(in crate::restore) content: PlanContent,
    /// What stands in the way of the names that the result is to have. It is no part of the plan:
    /// nothing is done about it, and it may be gone when the plan is executed.
    pub(in crate::restore) taken: Vec<Taken>,
}

/// What a plan says. Its JSON is canonical: fields in this order, maps sorted, nothing that depends
/// on when it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct PlanContent {
    /// The bundle's id.
    pub(in crate::restore) bundle: String,
    /// What it is restored onto, as it was named.
    pub(in crate::restore) target: String,
    /// Names and settings of the result.
    pub(in crate::restore) publication: Publication,
    /// The packages of the new system with their versions.
    pub(in crate::restore) packages: BTreeMap<String, String>,
    pub(in crate::restore) steps: Vec<Step>,
    pub(in crate::restore) held: Vec<Held>,
    pub(in crate::restore) losses: Vec<Loss>,
    /// What the way there can never deliver.
    pub(in crate::restore) limitations: Vec<String>,
    /// Placed over the new system's packages.
    pub(in crate::restore) draft: Draft,
    pub(in crate::restore) volumes: Vec<VolumePlan>,
    /// How the new container is run; `None` for a root, and where the service had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::restore) settings: Option<ServiceSettings>,
}

impl PlanContent {
    /// What of it a target needs.
    pub(in crate::restore) fn wanted(&self) -> Wanted<'_> {
        let PlanContent { draft, volumes, settings, .. } = self;
        Wanted { draft, volumes, settings: settings.as_ref() }
    }

    /// What is placed, in the root and in volumes, each with its path.
    fn placed(&self) -> impl Iterator<Item = (RootPath, &DraftNode)> {
        let in_root = self.draft.nodes().map(|node| (node.entry.path.clone(), node));
        let in_volumes = self.volumes.iter().flat_map(|volume| {
            let place = |node: &DraftNode| volume.destination.join(&node.entry.path);
            volume.content.nodes().map(move |node| (place(node), node))
        });
        in_root.chain(in_volumes)
    }

    /// The steps as they are printed, and what is placed by directory.
    fn told(&self) -> (Vec<PlanStep>, Vec<DirectoryTotal>) {
        let files = self.placed().filter(|(_, node)| !node.entry.kind.is_dir());
        let sizes: BTreeMap<RootPath, Option<u64>> = files
            .map(|(path, node)| match node.entry.kind {
                Kind::File { size } => (path, Some(size)),
                _ => (path, None),
            })
            .collect();
        let size = |step: &Step| match step {
            Step::Place(Placing { path, .. }) => sizes.get(path).copied().flatten(),
            _ => None,
        };
        let steps = self.steps.iter().map(|step| PlanStep::of(step, size(step))).collect();
        let paths = sizes.iter().map(|(path, size)| (path.as_bytes(), size.unwrap_or(0)));
        (steps, outline(paths, DIRECTORIES))
    }
}

/// A command that judges the files of an application.
pub(in crate::restore) struct Check<'a> {
    pub(in crate::restore) app: &'a str,
    pub(in crate::restore) argv: &'a [String],
}
/// In how many lines what is placed is told by directory.
const DIRECTORIES: usize = 8;

/// What of a plan runs in the new system, each in the order of the steps.
#[derive(Default)]
pub(in crate::restore) struct Work<'a> {
    /// Made once everything is placed.
    pub(in crate::restore) rebuilds: Vec<&'a Rebuild>,
    /// Run after that.
    pub(in crate::restore) commands: Vec<&'a PlannedCommand>,
    /// Have to succeed in the end.
    pub(in crate::restore) checks: Vec<Check<'a>>,
}

impl Plan {
    /// The plan to do what was `planned` with this bundle.
    pub(in crate::restore) fn new(
        bundle: &str,
        target: &TargetSpec,
        (planned, terms): (Planned, Terms),
        taken: Vec<Taken>,
    ) -> Result<Plan, Failure> {
        let Terms { publication, dropped, grants, limitations } = terms;
        let Planned { packages, draft, volumes, settings, mut steps, held, mut losses, .. } =
            planned;
        let renamed = publication.volumes.iter().map(|(archived, name)| Step::Volume {
            archived: archived.clone(),
            name: name.clone(),
        });
        steps.extend(renamed);
        steps.extend(grants.into_iter().map(|setting| Step::Grant { setting }));
        losses.extend(dropped);
        let content = PlanContent {
            bundle: bundle.to_owned(),
            target: target.to_string(),
            publication,
            packages,
            steps,
            held,
            losses,
            limitations,
            draft,
            volumes,
            settings,
        };
        Plan::of(content, taken)
    }

    /// The plan with this content.
    pub(in crate::restore) fn of(content: PlanContent, taken: Vec<Taken>) -> Result<Plan, Failure> {
        let mut digest = Sha256::new();
        serde_json::to_writer(&mut digest, &content).map_err(|e| {
            Failure::new(FailureKind::Internal, "planning", "the restore").because(e)
        })?;
        Ok(Plan { id: hex::encode(digest.finalize()), content, taken })
    }

    /// A digest of everything that is done: equal for plans that do the same.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What somebody said that it is restored onto.
    pub(in crate::restore) fn relation(&self) -> Option<Relation> {
        self.content.steps.iter().find_map(|step| match step {
            Step::Onto { relation, said: true, .. } => Some(*relation),
            _ => None,
        })
    }

    /// The name of the container that is made; `None` for a root.
    pub fn container(&self) -> Option<&str> {
        self.content.publication.container.as_deref()
    }

    /// The plan as it is printed.
    pub fn report(&self) -> PlanReport {
        let content = &self.content;
        let taken = self.taken.iter().map(Taken::held);
        let mut held: Vec<Held> = taken.chain(content.held.iter().cloned()).collect();
        Held::sort(&mut held);
        let (steps, directories) = content.told();
        PlanReport {
            id: self.id.clone(),
            bundle: content.bundle.clone(),
            target: content.target.clone(),
            steps,
            directories,
            held,
            losses: content.losses.clone(),
            limitations: content.limitations.clone(),
        }
    }

    /// What runs in the new system.
    pub(in crate::restore) fn work(&self) -> Work<'_> {
        let mut work = Work::default();
        for step in &self.content.steps {
            match step {
                Step::Rebuild(rebuild) => work.rebuilds.push(rebuild),
                Step::Run(command) => work.commands.push(command),
                Step::Check { app, argv } => work.checks.push(Check { app, argv }),
                // It decided what is in all the others.
                Step::Onto { .. } => {}
                // The staged system has these packages, or there was nothing to plan with.
                Step::Architecture { .. } | Step::Install(_) | Step::Answer(_) => {}
                // These are in the draft.
                Step::Withhold { .. }
                | Step::Adapt { .. }
                | Step::Add { .. }
                | Step::Account { .. }
                | Step::Meet { .. }
                | Step::Remove { .. }
                | Step::Place(_) => {}
                // Volumes and settings are the target's, which named them.
                Step::Volume { .. } | Step::Grant { .. } | Step::Setting { .. } => {}
                // These only say why others are there, or are not.
                Step::Carry { .. } | Step::LeaveOut { .. } => {}
            }
        }
        work
    }
}

#[cfg(test)]
pub(in crate::restore) mod testing {
    use super::*;
    use crate::restore::target::Named;
    use crate::restore::value::config_merge::Outcome;
    use crate::restore::value::step::Removal;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{ContentId, DraftContent, Tree};
    use crate::verdict::HeldKind;

    pub(in crate::restore) fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    pub(in crate::restore) fn node(at: &str, content: DraftContent) -> DraftNode {
        let tree = MemoryTree::default().file(at, "x");
        let mut entry = tree.entry(&path(at)).unwrap().unwrap();
        entry.ctime = None;
        DraftNode { entry, content }
    }

    /// What is done to a small service.
    pub(in crate::restore) fn content() -> PlanContent {
        let mut draft = Draft::default();
        draft.put(node("/etc/app.conf", DraftContent::Bytes(b"x".to_vec())));
        draft.put(node("/srv/data", DraftContent::Stored(ContentId(3))));
        draft.delete(path("/etc/motd"));
        let mut inside = Draft::default();
        inside.put(node("/file", DraftContent::Stored(ContentId(4))));
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        let volumes = [("data".to_owned(), "web2_data".to_owned())];
        PlanContent {
            bundle: "b00d1e".to_owned(),
            target: "debian:trixie".to_owned(),
            publication: Publication {
                image: Some("sha256:1".to_owned()),
                container: Some("web2".to_owned()),
                volumes: volumes.into(),
            },
            packages: [("nginx:amd64".to_owned(), "1.26".to_owned())].into(),
            steps: vec![
                Step::Carry { app: "nginx".into(), from: "1.18".into(), to: "1.26".into() },
                Step::Meet {
                    path: path("/etc/app.conf"),
                    outcome: Outcome::Merged { lines: vec![] },
                },
                Step::Remove { path: path("/etc/motd"), why: Removal::WasRemoved },
                Step::Run(PlannedCommand {
                    argv: words("newaliases"),
                    stdin: None,
                    expect: None,
                    why: "made of aliases".to_owned(),
                }),
                Step::Check { app: "nginx".to_owned(), argv: words("nginx -t") },
            ],
            held: vec![Held::new(HeldKind::Rule, "/etc/x", "which?").was("1").file("/etc/y")],
            losses: vec![],
            limitations: vec!["times".to_owned()],
            draft,
            volumes: vec![VolumePlan {
                archived: "data".to_owned(),
                anonymous: false,
                also: vec![],
                destination: path("/data"),
                labels: BTreeMap::new(),
                options: BTreeMap::new(),
                asked: path("/data"),
                content: inside,
            }],
            settings: None,
        }
    }

    pub(in crate::restore) fn plan() -> Plan {
        let taken = Taken { what: Named::Container, name: "web2".to_owned() };
        Plan::of(content(), vec![taken]).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{content, plan};
    use super::*;

    #[test]
    fn what_runs_is_taken_out_of_the_steps_in_their_order() {
        let plan = plan();
        let work = plan.work();
        let commands: Vec<String> = work.commands.iter().map(|c| c.argv.join(" ")).collect();
        assert_eq!(commands, ["newaliases"]);
        let checks: Vec<_> = work.checks.iter().map(|check| (check.app, check.argv)).collect();
        assert_eq!(checks, [("nginx", &["nginx".to_owned(), "-t".to_owned()][..])]);
        assert!(work.rebuilds.is_empty());
    }

    #[test]
    fn two_plans_have_one_id_when_they_do_the_same() {
        assert_eq!(plan().id(), Plan::of(content(), vec![]).unwrap().id());
        let mut other = content();
        other.steps.swap(3, 4);
        assert_ne!(plan().id(), Plan::of(other, vec![]).unwrap().id());
    }

    #[test]
    fn a_name_that_is_taken_is_said_in_the_plan_as_held() {
        let report = plan().report();
        let held: Vec<_> = report.held.iter().map(|held| (&*held.subject, &*held.why)).collect();
        let why = "a container of this name exists: a restore stops at it";
        assert_eq!(held, [("/etc/x", "which?"), ("web2", why)]);
    }
}
