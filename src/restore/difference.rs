//! How a plan that was approved differs from the one that the same inputs give now.
//!
//! Whatever is executed was approved. When anything about it would be otherwise now, the restore
//! stops and names what, both as it was approved and as it would be done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::bundle::{Loss, Manifest};
use crate::failure::{Failure, FailureKind};
use crate::restore::options::RestoreOptions;
use crate::restore::plan::{Plan, PlanContent};
use crate::restore::value::step::Step;
use crate::tree::{Draft, DraftContent, DraftNode, RootPath};
use crate::verdict::Held;
use sha2::{Digest as _, Sha256};

/// How many differences a message names.
const NAMED: usize = 5;

/// Makes sure that `approved` is a plan for this bundle and these options, before anything is made.
///
/// # Errors
/// It is for others (precondition).
pub(in crate::restore) fn check_inputs(
    approved: &Plan,
    manifest: &Manifest,
    options: &RestoreOptions,
) -> Result<(), Failure> {
    let content = &approved.content;
    let mut found = Differences::default();
    found.compare("the bundle", &content.bundle, &manifest.id);
    found.compare("the target", &content.target, &options.target.to_string());
    if let (Some(planned), Some(wanted)) = (approved.container(), &options.name) {
        found.compare("the container's name", planned, wanted);
    }
    found.refuse(approved)
}

/// Makes sure that `now` does what was `approved`.
///
/// # Errors
/// It would do something else (precondition).
pub(in crate::restore) fn check_plan(approved: &Plan, now: &Plan) -> Result<(), Failure> {
    if approved.id == now.id {
        return Ok(());
    }
    between(&approved.content, &now.content).refuse(approved)
}

/// What is otherwise, each in one line.
#[derive(Debug, Default)]
struct Differences(Vec<String>);

fn between(then: &PlanContent, now: &PlanContent) -> Differences {
    let mut found = Differences::default();
    found.compare("the bundle", &then.bundle, &now.bundle);
    found.compare("the target", &then.target, &now.target);
    let (was, is) = (&then.publication, &now.publication);
    found.values("the image", was.image.as_ref(), is.image.as_ref());
    found.values("the container's name", was.container.as_ref(), is.container.as_ref());
    found.maps("the volume", &was.volumes, &is.volumes);
    found.steps(&then.steps, &now.steps);
    found.maps("the package", &then.packages, &now.packages);
    let held = |held: &Held| (held.subject.clone(), held.why.clone());
    found.lists("held", &then.held, &now.held, held);
    let loss = |loss: &Loss| (loss.subject.clone(), format!("{} ({})", loss.what, loss.why));
    found.lists("lost", &then.losses, &now.losses, loss);
    let limitation = |text: &String| (text.clone(), text.clone());
    found.lists("limitation", &then.limitations, &now.limitations, limitation);
    found.drafts(&then.draft, &now.draft);
    let volumes = |content: &PlanContent| -> BTreeMap<String, Draft> {
        content.volumes.iter().map(|v| (v.archived.clone(), v.content.clone())).collect()
    };
    let (was, is) = (volumes(then), volumes(now));
    let none = Draft::default();
    for name in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        found.drafts(was.get(name).unwrap_or(&none), is.get(name).unwrap_or(&none));
    }
    if found.0.is_empty() && then != now {
        found.0.push("the order of its steps, or what no step shows".to_owned());
    }
    found
}

impl Differences {
    fn compare(&mut self, what: &str, then: &str, now: &str) {
        self.values(what, Some(&then), Some(&now));
    }

    fn values<T: Display + PartialEq>(&mut self, what: &str, then: Option<&T>, now: Option<&T>) {
        let shown = |value: Option<&T>| value.map_or("absent".to_owned(), |v| format!("`{v}`"));
        if then != now {
            self.0.push(format!("{what}: was {}, is {}", shown(then), shown(now)));
        }
    }

    fn maps(
        &mut self,
        what: &str,
        then: &BTreeMap<String, String>,
        now: &BTreeMap<String, String>,
    ) {
        for key in then.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            self.values(&format!("{what} {key}"), then.get(key), now.get(key));
        }
    }

    /// Steps that do the same to the same are one step that may be done otherwise.
    fn steps(&mut self, then: &[Step], now: &[Step]) {
        let keyed = |step: &Step| format!("{} {}", step.action(), step.subject());
        let (was, is) = (grouped(then, keyed), grouped(now, keyed));
        for key in in_order(then, now, keyed) {
            let (then, now) = (was.get(&key), is.get(&key));
            if then != now {
                let line = |steps: Option<&Vec<&Step>>| {
                    steps.map(|steps| joined(steps.iter().map(|step| step.reason())))
                };
                let (then, now) = (line(then), line(now));
                match then == now {
                    // The words are the same, and what they stand for is not.
                    true => self.0.push(format!("{key}: in its details")),
                    false => self.values(&key, then.as_ref(), now.as_ref()),
                }
            }
        }
    }

    fn lists<T>(
        &mut self,
        what: &str,
        then: &[T],
        now: &[T],
        words: impl Fn(&T) -> (String, String),
    ) {
        let keyed = |item: &T| words(item).0;
        let (was, is) = (grouped(then, keyed), grouped(now, keyed));
        for key in in_order(then, now, keyed) {
            let line = |items: Option<&Vec<&T>>| {
                items.map(|items| joined(items.iter().map(|item| words(item).1)))
            };
            let (then, now) = (line(was.get(&key)), line(is.get(&key)));
            self.values(&format!("{what}: {key}"), then.as_ref(), now.as_ref());
        }
    }

    /// What no step shows: owner, mode, time and content of what is placed.
    fn drafts(&mut self, then: &Draft, now: &Draft) {
        let paths: BTreeSet<&RootPath> =
            then.nodes().chain(now.nodes()).map(|node| &node.entry.path).collect();
        for path in paths {
            // A path that is placed by one of them only is a step of that one.
            if let (Some(then), Some(now)) = (then.get(path), now.get(path))
                && then != now
            {
                let (then, now) = (described(then), described(now));
                self.values(&path.to_string(), Some(&then), Some(&now));
            }
        }
    }

    /// Fails when there is any.
    fn refuse(self, approved: &Plan) -> Result<(), Failure> {
        let Differences(all) = self;
        if all.is_empty() {
            return Ok(());
        }
        let mut why = format!("it would be another plan now: {}", joined(all.iter().take(NAMED)));
        if all.len() > NAMED {
            why.push_str(&format!("; and {} more", all.len() - NAMED));
        }
        Err(Failure::new(FailureKind::Precondition, "executing the plan", &approved.id)
            .why(why)
            .safe("nothing was restored, and nothing new was left")
            .next("make a plan of what there is now with `regrow plan`, and look at it"))
    }
}

fn grouped<T>(items: &[T], key: impl Fn(&T) -> String) -> BTreeMap<String, Vec<&T>> {
    let mut groups: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for item in items {
        groups.entry(key(item)).or_default().push(item);
    }
    groups
}

/// Every key once, as first met.
fn in_order<T>(then: &[T], now: &[T], key: impl Fn(&T) -> String) -> Vec<String> {
    let mut seen = BTreeSet::new();
    then.iter().chain(now).map(key).filter(|key| seen.insert(key.clone())).collect()
}

fn joined(lines: impl Iterator<Item = impl Display>) -> String {
    lines.map(|line| line.to_string()).collect::<Vec<_>>().join("; ")
}

/// What is placed, in one line.
fn described(node: &DraftNode) -> String {
    let meta = &node.entry.meta;
    let content = match &node.content {
        DraftContent::None => String::new(),
        DraftContent::Stored(id) => format!(", content {} of the bundle", id.0),
        DraftContent::Bytes(bytes) => {
            let digest = hex::encode(Sha256::digest(bytes));
            format!(", {} bytes with the digest {}", bytes.len(), &digest[..12])
        }
    };
    format!(
        "{} of {}:{} with mode {:04o} and time {}.{:09}{content}",
        node.entry.kind.word(),
        meta.uid,
        meta.gid,
        meta.mode,
        meta.mtime.secs,
        meta.mtime.nanos,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Which;
    use crate::restore::options::{OnFailure, Start};
    use crate::restore::plan::testing::{content, node, path, plan};
    use crate::restore::python::downloads::Downloads;
    use crate::restore::target::TargetSpec;
    use crate::restore::value::step::{Placing, PlannedCommand, Removal};

    /// What is said of a plan that would be `change`d now.
    fn told(change: impl FnOnce(&mut PlanContent)) -> Vec<String> {
        let mut now = content();
        change(&mut now);
        between(&content(), &now).0
    }

    #[test]
    fn the_same_plan_is_executed_whatever_names_are_taken() {
        let now = Plan::of(content(), vec![]).unwrap();
        assert!(check_plan(&plan(), &now).is_ok());
    }

    #[test]
    fn every_part_of_a_plan_is_compared_and_both_sides_are_said() {
        let version = |now: &mut PlanContent| {
            now.packages.insert("nginx:amd64".to_owned(), "1.28".to_owned());
        };
        assert_eq!(told(version), ["the package nginx:amd64: was `1.26`, is `1.28`"]);
        assert_eq!(
            told(|now| now.publication.image = Some("sha256:2".to_owned())),
            ["the image: was `sha256:1`, is `sha256:2`"]
        );
        assert_eq!(
            told(|now| now.publication.volumes.clear()),
            ["the volume data: was `web2_data`, is absent"]
        );
        assert_eq!(
            told(|now| now.steps[0] =
                Step::Carry { app: "nginx".into(), from: "1.18".into(), to: "1.28".into() }),
            ["carry nginx: was `1.18 becomes 1.26`, is `1.18 becomes 1.28`"]
        );
        assert_eq!(
            told(|now| now.steps.push(Step::Remove { path: path("/srv"), why: Removal::GivesWay })),
            ["remove /srv: was absent, is `made by the installation where the service has its \
              own`"]
        );
        assert_eq!(told(|now| drop(now.held.pop())), ["held: /etc/x: was `which?`, is absent"]);
        assert_eq!(
            told(|now| now.steps.swap(3, 4)),
            ["the order of its steps, or what no step shows"]
        );
    }

    #[test]
    fn what_has_the_same_words_is_compared_too() {
        let fed = |now: &mut PlanContent| {
            if let Step::Run(PlannedCommand { stdin, .. }) = &mut now.steps[3] {
                *stdin = Some("dump".to_owned());
            }
        };
        assert_eq!(told(fed), ["run newaliases: in its details"]);
        let content = DraftContent::Bytes(b"y".to_vec());
        let [edited] = &told(|now| now.draft.put(node("/etc/app.conf", content)))[..] else {
            panic!("not one difference")
        };
        assert!(edited.starts_with("/etc/app.conf: was `file of 0:0 with mode"), "{edited}");
        let changed = |now: &mut PlanContent| {
            now.volumes[0].content.nodes_mut().for_each(|node| node.entry.meta.uid = 7);
        };
        assert_eq!(told(changed).len(), 1);
    }

    #[test]
    fn a_few_differences_are_named_and_the_rest_counted() {
        let mut now = content();
        now.steps.extend((0..8).map(|n| {
            let (path, kind) = (path(&format!("/srv/{n}")), "file".to_owned());
            Step::Place(Placing { path, kind, marks: BTreeSet::new() })
        }));
        let error = check_plan(&plan(), &Plan::of(now, vec![]).unwrap()).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Precondition);
        let reason = error.reason();
        assert!(reason.contains("place /srv/4: was absent, is `file`; and 3 more"), "{reason}");
        assert!(!reason.contains("/srv/5"), "{reason}");
    }

    #[test]
    fn a_plan_for_another_bundle_target_or_name_is_refused_before_anything_is_made() {
        let mut manifest = Manifest::new();
        manifest.id = "b00d1e".to_owned();
        let mut options = RestoreOptions {
            target: TargetSpec::Image("debian:trixie".to_owned()),
            engine: Which::Any,
            relation: None,
            name: None,
            tag: None,
            start: Start::No,
            downloads: Downloads::default(),
            on_failure: OnFailure::Remove,
            checks: crate::restore::Checks::Run,
            approved: None,
        };
        let plan = plan();
        assert!(check_inputs(&plan, &manifest, &options).is_ok());
        options.name = Some("web3".to_owned());
        options.target = TargetSpec::Image("debian:forky".to_owned());
        manifest.id = "other".to_owned();
        let reason = check_inputs(&plan, &manifest, &options).unwrap_err().reason();
        for part in ["bundle: was `b00d1e`, is `other`", "debian:forky", "was `web2`, is `web3`"] {
            assert!(reason.contains(part), "{reason}");
        }
    }
}
