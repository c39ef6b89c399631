//! [`Notes`]: what the parts of a plan say while it is made.

use std::fmt::Display;

use super::config::{Meeting, Outcome};
use super::outcome::PlanStep;
use super::packages::PackagePlan;
use crate::bundle::Loss;
use crate::survey::IntentWhy;
use crate::tree::{Draft, DraftNode};
use crate::verdict::Held;

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

/// What the parts of a plan say while it is made.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) steps: Vec<PlanStep>,
    pub(super) held: Vec<Held>,
    pub(super) losses: Vec<Loss>,
    pub(super) commands: Vec<PlannedCommand>,
}

impl Notes {
    /// Notes a step.
    pub(super) fn step(&mut self, action: &str, subject: impl Display, reason: impl Display) {
        self.steps.push(PlanStep {
            action: action.to_owned(),
            subject: subject.to_string(),
            reason: reason.to_string(),
        });
    }

    /// Leaves something to a person.
    pub(super) fn hold(&mut self, subject: impl Display, reason: impl Display) {
        self.held.push(Held { subject: subject.to_string(), reason: reason.to_string() });
    }

    /// What was decided about packages.
    pub(super) fn packages(&mut self, packages: &PackagePlan) {
        for architecture in &packages.architectures {
            self.step("add", architecture, "packages of this architecture were allowed");
        }
        for package in &packages.install {
            match &package.formerly {
                _ if package.why == IntentWhy::Environment => {
                    self.step("install", &package.name, "an environment is rebuilt with it");
                }
                Some(old) => {
                    self.step("install", &package.name, format!("takes the place of {old}"));
                }
                None => self.step("install", &package.name, "was asked for in the old system"),
            }
        }
        for given in &packages.answers {
            let reason = format!("`{}`, as {} was told", given.answer.escape_debug(), given.owner);
            self.step("answer", &given.question, reason);
        }
        for (name, why) in &packages.dropped {
            self.step("leave out", name, why);
        }
        for missing in &packages.missing {
            self.losses.push(Loss {
                subject: missing.name.clone(),
                what: "package not installed".to_owned(),
                why: "the new system's repositories do not offer it, and no rule renames it"
                    .to_owned(),
            });
        }
    }

    /// How archived files met the new system's.
    pub(super) fn meetings(&mut self, meetings: &[Meeting]) {
        for meeting in meetings {
            match meeting.held() {
                Some(held) => self.held.push(held),
                None => {
                    let action = if meeting.outcome == Outcome::Merged { "merge" } else { "keep" };
                    self.step(action, &meeting.path, meeting.outcome.reason());
                }
            }
        }
    }

    /// What is removed and placed; what `is_secret` is called so.
    pub(super) fn files(&mut self, draft: &Draft, is_secret: &dyn Fn(&DraftNode) -> bool) {
        for path in draft.deletions() {
            self.step("remove", path, "was removed in the old system");
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
            if node.entry.kind.is_file() && is_secret(node) {
                reason.push_str(", secret");
            }
            self.step("place", &node.entry.path, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftContent, RootPath, Tree};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str) -> DraftNode {
        let tree = MemoryTree::default().file(at, "x");
        let entry = tree.entry(&path(at)).unwrap().unwrap();
        DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) }
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
        let mut notes = Notes::default();
        notes.files(&draft, &|node| node.entry.path.name() == b"site.key");
        let told: Vec<_> =
            notes.steps.iter().map(|s| [&*s.action, &*s.subject, &*s.reason]).collect();
        assert_eq!(
            told,
            [
                ["remove", "/etc/motd", "was removed in the old system"],
                ["place", "/srv/site.key", "file, secret"],
                ["place", "/usr/local/bin/tool", "file, set-id, with capabilities"],
            ]
        );
    }
}
