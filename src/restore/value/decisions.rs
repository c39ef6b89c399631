//! [`Decisions`]: what the phases of a plan decide while it is made.

use std::fmt::Display;

use crate::bundle::Loss;
use crate::restore::value::config_merge::ConfigMerge;
use crate::restore::value::packages::{PackagePlan, Uninstallable};
use crate::restore::value::step::{Placing, PlannedCommand, Removal, Step};
use crate::survey::{IntentWhy, WithdrawnFact};
use crate::tree::{Draft, DraftNode, RootPath};
use crate::verdict::{Harm, Held, HeldKind};

/// What the phases of a plan decide while it is made.
#[derive(Default)]
pub(in crate::restore) struct Decisions {
    pub(in crate::restore) steps: Vec<Step>,
    pub(in crate::restore) held: Vec<Held>,
    pub(in crate::restore) losses: Vec<Loss>,
    /// Become steps once all of them are known: what a later phase asks for may have to run first.
    pub(in crate::restore) commands: Vec<PlannedCommand>,
}

impl Decisions {
    /// Something is done.
    pub(in crate::restore) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Something is placed otherwise than it was.
    pub(in crate::restore) fn adapt(&mut self, path: &RootPath, what: impl Into<String>) {
        self.step(Step::Adapt { path: path.clone(), what: what.into() });
    }

    /// Something is placed that the old system did not have.
    pub(in crate::restore) fn add(&mut self, path: &RootPath, why: impl Into<String>) {
        self.step(Step::Add { path: path.clone(), why: why.into() });
    }

    /// Something is not brought back.
    pub(in crate::restore) fn leave_out(&mut self, subject: impl Display, why: impl Into<String>) {
        self.step(Step::LeaveOut { subject: subject.to_string(), why: why.into() });
    }

    /// Something is left to a person.
    pub(in crate::restore) fn hold(
        &mut self,
        kind: HeldKind,
        subject: impl Display,
        why: impl Display,
    ) {
        self.held.push(Held::new(kind, subject, why));
    }

    /// What was decided about packages.
    ///
    /// Of those `withdrawn` nobody expects that they can be installed: they are told of by
    /// themselves.
    pub(in crate::restore) fn packages(
        &mut self,
        packages: &PackagePlan,
        withdrawn: &[WithdrawnFact],
    ) {
        let PackagePlan {
            architectures,
            install,
            answers,
            dropped,
            missing,
            refused,
            present: _,
            stranded: _,
        } = packages;
        self.steps
            .extend(architectures.iter().map(|name| Step::Architecture { name: name.clone() }));
        self.steps.extend(install.iter().cloned().map(Step::Install));
        self.steps.extend(answers.iter().cloned().map(Step::Answer));
        for (name, why) in dropped {
            self.leave_out(name, why);
        }
        self.held.extend(refused.iter().map(Uninstallable::held));
        let is_withdrawn = |name: &str| withdrawn.iter().any(|fact| fact.name == name);
        let missing = missing.iter().filter(|missing| !is_withdrawn(&missing.name));
        self.losses.extend(missing.map(|missing| Loss {
            subject: missing.name.clone(),
            what: "package not installed".to_owned(),
            why: "the new system's repositories do not offer it, and no rule renames it".to_owned(),
        }));
    }

    /// How archived files met the new system's.
    pub(in crate::restore) fn merges(&mut self, merges: &[ConfigMerge]) {
        for merged in merges {
            match merged.held() {
                Some(held) => self.held.push(held),
                None => self.step(Step::Meet {
                    path: merged.path.clone(),
                    outcome: merged.outcome.clone(),
                }),
            }
        }
    }

    /// What is removed and placed; what `is_secret` is called so.
    pub(in crate::restore) fn files(
        &mut self,
        draft: &Draft,
        is_secret: &dyn Fn(&DraftNode) -> bool,
    ) {
        let removed =
            |path: &RootPath| Step::Remove { path: path.clone(), why: Removal::WasRemoved };
        self.steps.extend(draft.deletions().map(removed));
        self.steps.extend(draft.nodes().map(|node| Step::Place(Placing::of(node, is_secret))));
    }
}

impl Uninstallable {
    /// The question that it leaves to a person.
    fn held(&self) -> Held {
        let Uninstallable { wanted, why, services, configuration } = self;
        let reason = Step::Install(wanted.clone());
        let mut why = format!("it cannot be installed today: {why} ({})", reason.reason());
        if !services.is_empty() {
            why.push_str(&format!("; {} of it cannot run", services.join(", ")));
        }
        if !configuration.is_empty() {
            why.push_str("; nothing reads its configuration");
        }
        // What only came along serves something that says by itself what it lacks.
        let came_along = matches!(wanted.why, IntentWhy::Needed | IntentWhy::Leaf);
        let harm = match came_along && services.is_empty() && configuration.is_empty() {
            true => Harm::Cosmetic,
            false => Harm::DoesNotStart,
        };
        let held = Held::new(HeldKind::Package, &wanted.name, why).harm(harm);
        let held = wanted.formerly.iter().fold(held, Held::was);
        configuration.iter().fold(held, Held::file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::value::packages::{Install, Missing};
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftContent, Tree};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str) -> DraftNode {
        let tree = MemoryTree::default().file(at, "x");
        let entry = tree.entry(&path(at)).unwrap().unwrap();
        DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) }
    }

    #[test]
    fn what_nobody_could_have_offered_is_no_loss_of_a_restore() {
        let missing = ["gone", "vendors"].map(|name| Missing { name: name.to_owned() });
        let plan = PackagePlan { missing: missing.into(), ..PackagePlan::default() };
        let withdrawn = WithdrawnFact {
            name: "vendors".to_owned(),
            version: "1".to_owned(),
            why: String::new(),
            needs: vec![],
        };
        let mut decisions = Decisions::default();
        decisions.packages(&plan, &[withdrawn]);
        let lost: Vec<&str> = decisions.losses.iter().map(|l| l.subject.as_str()).collect();
        assert_eq!(lost, ["gone"]);
    }

    #[test]
    fn a_package_that_cannot_be_installed_is_held_with_the_reason_and_what_lacks_it() {
        let wanted = |why| Install { name: "web".to_owned(), formerly: None, why };
        let held = |why, services: &[&str], files: &[&str]| {
            let one = Uninstallable {
                wanted: wanted(why),
                why: "web : Depends: x but it is not installable".to_owned(),
                services: services.iter().map(ToString::to_string).collect(),
                configuration: files.iter().map(|file| path(file)).collect(),
            };
            let mut decisions = Decisions::default();
            let plan = PackagePlan { refused: vec![one], ..PackagePlan::default() };
            decisions.packages(&plan, &[]);
            decisions.held.remove(0)
        };
        let found = held(IntentWhy::Manual, &["web.service"], &["/etc/web.conf"]);
        assert_eq!((found.kind, found.subject.as_str()), (HeldKind::Package, "web"));
        assert_eq!(found.harm, Harm::DoesNotStart);
        assert_eq!(found.files, ["/etc/web.conf"]);
        let words = "it cannot be installed today: web : Depends: x but it is not installable (was \
                     asked for in the old system); web.service of it cannot run; nothing reads its \
                     configuration";
        assert_eq!(found.why, words);
        assert_eq!(held(IntentWhy::Leaf, &[], &[]).harm, Harm::Cosmetic);
    }

    #[test]
    fn set_id_capabilities_and_secrets_are_said_and_deletions_come_first() {
        let mut tool = node("/usr/local/bin/tool");
        tool.entry.meta.mode = 0o4755;
        tool.entry.meta.xattrs.insert(b"security.capability".to_vec(), vec![1]);
        let mut draft = Draft::default();
        draft.put(tool);
        draft.put(node("/srv/site.key"));
        draft.delete(path("/etc/motd"));
        let mut decisions = Decisions::default();
        decisions.files(&draft, &|node| node.entry.path.name() == b"site.key");
        let told: Vec<String> = decisions.steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "remove /etc/motd (was removed in the old system)",
                "place /srv/site.key (file, secret)",
                "place /usr/local/bin/tool (file, set-id, with capabilities)",
            ]
        );
    }
}
