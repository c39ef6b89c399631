//! Reports as text for people: the same values as in JSON, in one screen.
//!
//! What wants a decision stands first, then what is lost, then totals. What does not fit is counted,
//! and named as far as there is room; `-v` lists each.

mod files;
mod questions;
mod steps;

use std::fmt::Display;

use self::files::directories;
use super::styled::{Line, Role, Text};
use super::units::{count, counted, size, time};
use super::view::View;
use super::{Explanation, Inspection, RuleList, Verification};
use crate::archive::{ArchiveReport, Totals};
use crate::bundle::Loss;
use crate::facts::{Observation, Survey};
use crate::restore::{CheckReport, GarbageReport, PlanReport, RestoreReport};
use crate::tree::escaped;
use crate::verdict::{Class, Comeback, Held};

/// How many lines a screen has for a report.
const SCREEN: usize = 40;

/// A line whose words begin at its left edge.
fn line(text: impl Display) -> Line {
    Line::hanging(2).and(Role::Plain, text)
}

/// A list under a title, in `room` lines at most; nothing when it is empty.
fn list(title: &str, items: &[String], room: usize, view: &View) -> Text {
    let mut text = Text::default();
    if items.is_empty() {
        return text;
    }
    text.push(Line::default().and(Role::Title, format!("{title}:")));
    let room = if view.all { items.len() } else { room.saturating_sub(1).max(1) };
    let shown = if items.len() <= room { items.len() } else { room.saturating_sub(1).max(1) };
    for item in &items[..shown] {
        text.push(Line::hanging(4).and(Role::Plain, format!("  {item}")));
    }
    if let more @ 1.. = items.len() - shown {
        text.push(line(format!("  and {} more, -v lists them", count(more as u64))));
    }
    text
}

/// What becomes of the paths of each class.
fn classes(totals: &Totals, text: &mut Text) {
    let comeback = |which: Comeback| totals.comes_back.get(which.word()).map_or(0, |t| t.paths);
    for class in [Class::Mutable, Class::Immutable, Class::Ephemeral, Class::Identity] {
        let total = totals.classes.get(class.word()).copied().unwrap_or_default();
        let fate = match class {
            Class::Mutable => Comeback::Bundle.title().to_owned(),
            Class::Ephemeral => "left behind: of a run of the service".to_owned(),
            Class::Identity => "left behind: of the old machine".to_owned(),
            Class::Immutable => {
                let ways = [
                    (Comeback::Packages, "from packages"),
                    (Comeback::Image, "from the base image"),
                    (Comeback::Generators, "made again"),
                ];
                let ways = ways.map(|(way, words)| (comeback(way), words));
                let ways = ways.iter().filter(|(paths, _)| *paths > 0);
                let ways: Vec<_> =
                    ways.map(|(paths, words)| format!("{} {words}", count(*paths))).collect();
                ways.join(", ")
            }
        };
        if total.paths > 0 {
            let paths = counted(total.paths, "path", "paths");
            let line = Line::hanging(4)
                .and(Role::Subject, format!("  {:10}", class.word()))
                .and(Role::Plain, format!("{paths:>14}  {:>8}", size(total.bytes)))
                .and(Role::Faint, format!("  {fate}"));
            text.push(line);
        }
    }
}

/// What the service did while it was watched, in one line.
fn observed(seen: Option<&Observation>, text: &mut Text) {
    if let Some(seen) = seen {
        text.push(line(format_args!("Observed: {}", escaped(seen.summary().as_bytes()))));
    }
}

/// A report in its order: what wants a decision, what is lost, then the rest, which says how much
/// room is left for the first two.
fn ordered(all: &[Held], losses: &[Loss], rest: Text, view: &View) -> Text {
    let room = SCREEN.saturating_sub(rest.height(view.width));
    let lost = questions::losses(losses, if all.is_empty() { room } else { room / 3 }, view);
    let room = room.saturating_sub(lost.height(view.width));
    let mut text = questions::held(all, room, view);
    text.append(lost);
    text.append(rest);
    text
}

/// The system and the applications of a source, in one line.
fn about(survey: &Survey) -> String {
    // What has no version of its own is the system, or no application.
    let named = survey.apps.iter().filter(|app| app.name != survey.os.id);
    let versions = named.filter_map(|app| app.version.as_ref().map(|version| (&app.name, version)));
    let apps: Vec<String> =
        versions.take(8).map(|(name, version)| format!("{name} {version}")).collect();
    let packages = counted(survey.packages.len() as u64, "package", "packages");
    let apps = if apps.is_empty() { String::new() } else { format!("; {}", apps.join(", ")) };
    format!("{}, {packages}{apps}", survey.os.name)
}

impl ArchiveReport {
    /// `archive`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        let name = escaped(self.bundle.as_bytes());
        text.push(line(format_args!(
            "Wrote {name}: {}, read back and whole, in {}.",
            size(self.bundle_bytes),
            time(self.seconds)
        )));
        classes(&self.totals, &mut text);
        if !self.totals.directories.is_empty() {
            text.push(Line::default().and(Role::Title, "Kept, by directory:"));
            directories(&self.totals.directories, "  ", &mut text);
        }
        text.append(list("Exports", &self.exports, 4, view));
        observed(self.observation.as_ref(), &mut text);
        text.append(list("Secrets, kept unencrypted", &self.secrets, 6, view));
        text.append(list("Limitations", &self.limitations, 4, view));
        ordered(&self.held, &self.losses, text, view)
    }
}

impl Inspection<'_> {
    /// `inspect`, and `archive --dry-run`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        let survey = self.survey;
        let source = escaped(survey.source.as_bytes());
        text.push(
            Line::hanging(2)
                .and(Role::Subject, source)
                .and(Role::Plain, ": ")
                .and(Role::Plain, about(survey)),
        );
        observed(survey.observation.as_ref(), &mut text);
        classes(&self.totals, &mut text);
        let removed = self.entries.iter().filter(|entry| entry.deleted);
        if view.all {
            for entry in self.entries.iter().filter(|e| e.deleted || e.class == Class::Mutable) {
                let gone = if entry.deleted { "deleted: " } else { "" };
                let line = Line::hanging(4)
                    .and(Role::Plain, format!("{:10} ", entry.class.word()))
                    .and(Role::Subject, escaped(entry.bytes))
                    .and(Role::Faint, format!(" ({gone}{})", entry.reason));
                text.push(line);
            }
        } else {
            if !self.totals.directories.is_empty() {
                text.push(
                    Line::default().and(Role::Title, "Kept, by directory (-v lists each path):"),
                );
                directories(&self.totals.directories, "  ", &mut text);
            }
            let removed: Vec<String> = removed.map(|entry| escaped(entry.bytes)).collect();
            text.append(list("Removed, and stays removed", &removed, 6, view));
        }
        text.append(list("Limitations", &self.limitations, 6, view));
        ordered(&[], &self.losses, text, view)
    }
}

impl Explanation {
    /// `explain`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        text.push(
            Line::hanging(2)
                .and(Role::Subject, &self.path)
                .and(Role::Plain, format!(": {} ({})", self.class, self.reason)),
        );
        let view = View { all: true, ..*view };
        text.append(list("Evidence", &self.evidence, 0, &view));
        text.append(list("Ladder, the first decides", &self.ladder, 0, &view));
        text
    }
}

impl Verification {
    /// `verify`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        let members = counted(self.members, "member", "members");
        let bytes = size(self.bytes);
        text.push(line(format_args!("Whole: {members}, {bytes}, id {}.", self.id)));
        text.append(list("Limitations", &self.limitations, 12, view));
        ordered(&self.held, &self.losses, text, view)
    }
}

impl PlanReport {
    /// `plan`, and `restore --dry-run`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        let steps = counted(self.steps.len() as u64, "step", "steps");
        let target = escaped(self.target.as_bytes());
        text.push(line(format_args!("Onto {target}, {steps}:")));
        steps::steps(&self.steps, &self.directories, view, &mut text);
        text.append(list("Limitations", &self.limitations, 4, view));
        ordered(&self.held, &self.losses, text, view)
    }
}

impl RestoreReport {
    /// `restore`.
    pub fn text(&self, view: &View) -> Text {
        let made = match (&self.container, &self.root) {
            (Some(name), _) => format!("container {name} onto {}", self.target),
            (None, Some(root)) => format!("root {}", escaped(root.as_bytes())),
            (None, None) => "nothing".to_owned(),
        };
        let mut text = Text::default();
        text.push(line(format_args!("Restored {made} in {}:", time(self.seconds))));
        steps::steps(&self.steps, &self.directories, view, &mut text);
        text.append(list("Limitations", &self.limitations, 4, view));
        ordered(&self.held, &self.losses, text, view)
    }
}

impl CheckReport {
    /// `check`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        let standing = escaped(self.standing.as_bytes());
        let open = match self.held.len() {
            0 => "nothing is open".to_owned(),
            open => counted(open as u64, "thing is open", "things are open"),
        };
        text.push(line(format_args!("Checked {standing} in {}: {open}.", time(self.seconds))));
        text.append(list("Limitations", &self.limitations, 12, view));
        ordered(&self.held, &self.losses, text, view)
    }
}

impl GarbageReport {
    /// `gc`.
    pub fn text(&self, view: &View) -> Text {
        let mut text = Text::default();
        match self.removed.is_empty() {
            true => text.push(line("Nothing was left behind.")),
            false => text.append(list("Removed", &self.removed, 20, view)),
        }
        let spared = "Left alone, as its run goes on or for the reason named";
        text.append(list(spared, &self.spared, 16, view));
        ordered(&[], &self.losses, text, view)
    }
}

impl RuleList {
    /// `rules list`.
    pub fn text(&self, _view: &View) -> Text {
        let mut text = Text::default();
        for rule in &self.rules {
            let transitions = counted(rule.transitions as u64, "transition", "transitions");
            text.push(
                Line::hanging(4)
                    .and(Role::Subject, format!("{:14} ", rule.app))
                    .and(Role::Plain, format!("{:8} {}", rule.distribution, rule.title))
                    .and(Role::Faint, format!(" ({transitions})")),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ClassTotal;
    use crate::restore::PlanStep;
    use crate::tree::DirectoryTotal;
    use crate::verdict::HeldKind;

    const ALL: View = View { all: true, width: None };
    const FEW: View = View { all: false, width: None };

    fn step(action: &str, subject: &str) -> PlanStep {
        PlanStep {
            action: action.to_owned(),
            subject: subject.to_owned(),
            reason: "why".to_owned(),
            bytes: (action == "place").then_some(2048),
        }
    }

    fn plan(held: Vec<Held>, losses: Vec<Loss>) -> PlanReport {
        PlanReport {
            id: "f00d".to_owned(),
            bundle: "id".to_owned(),
            target: "debian:trixie".to_owned(),
            steps: vec![step("install", "samba"), step("place", "/a\x1b[2J")],
            directories: vec![DirectoryTotal { path: "/".to_owned(), files: 1, bytes: 2048 }],
            held,
            losses,
            limitations: vec![],
        }
    }

    fn loss(subject: &str) -> Loss {
        Loss {
            subject: subject.to_owned(),
            what: "package not installed".to_owned(),
            why: "gone".to_owned(),
        }
    }

    #[test]
    fn a_plan_shows_its_steps_and_escapes_what_a_terminal_would_obey() {
        assert_eq!(
            plan(vec![], vec![]).text(&ALL).to_string(),
            "Onto debian:trixie, 2 steps:\n  install    samba  (why)\n  \
             place      /a\\u{1b}[2J  (why)\n"
        );
        assert_eq!(
            plan(vec![], vec![]).text(&FEW).to_string(),
            "Onto debian:trixie, 2 steps:\n  install         1  samba\n  \
             place           1  2.0 KiB, by directory (-v lists each):\n    \
             /  1 file   2.0 KiB\n"
        );
    }

    #[test]
    fn nothing_that_others_named_reaches_a_terminal_as_it_is() {
        let bad = "\x1b]0;x\x07\r\n\u{9b}31m\u{202e}\x7f";
        let mut held = Held::new(HeldKind::Rule, bad, bad).was(bad).candidate(bad).file(bad);
        held.files.push("/other".to_owned());
        let mut lost = loss(bad);
        (lost.what, lost.why) = (bad.to_owned(), bad.to_owned());
        let mut report = plan(vec![held], vec![lost]);
        report.limitations.push(bad.to_owned());
        report.target = bad.to_owned();
        report.steps.push(step(bad, bad));
        for view in [FEW, ALL] {
            let text = report.text(&view).to_string();
            let obeyed = |line: &str| line.contains(crate::tree::is_unprintable);
            assert!(!text.lines().any(obeyed), "{text:?}");
        }
    }

    #[test]
    fn held_items_stand_first_then_losses_and_empty_lists_have_no_title() {
        let held =
            Held::new(HeldKind::Package, "x", "which?").was("1").candidate("2").candidate("3");
        let worse = Held::new(HeldKind::Version, "z", "see /f").file("/f").file("/g");
        let text = plan(vec![held, worse], vec![loss("y")]).text(&FEW).to_string();
        let begin = "Held for you, 2 items, the most harmful first:\n  \
                     does not start\n    version  z: see /f\n             see /g\n  \
                     cosmetic\n    package  x: which?\n             was 1 → 2, 3\n\
                     Lost, 1 item:\n  y: package not installed (gone)\nOnto debian:trixie";
        assert!(text.starts_with(begin), "{text}");
        assert!(!text.contains("Limitations"));
    }

    #[test]
    fn whatever_the_size_of_a_service_its_report_fits_one_screen() {
        let kinds = [HeldKind::Data, HeldKind::Rule, HeldKind::Account, HeldKind::Package];
        let held = |n: usize| Held::new(kinds[n % 4], format!("/item/{n}"), "?").was(n).file("/f");
        for count in [0, 1, 5, 40, 5000] {
            let held: Vec<Held> = (0..count).map(held).collect();
            let lost: Vec<Loss> = (0..count).map(|n| loss(&n.to_string())).collect();
            let mut report = plan(held, lost);
            report.limitations = (0..count).map(|n| n.to_string()).collect();
            let actions = ["install", "place", "adapt", "account", "merge", "keep", "run", "check"];
            report.steps = (0..5000).map(|n| step(actions[n % 8], &format!("/srv/{n}"))).collect();
            for width in [None, Some(100), Some(80)] {
                let text = report.text(&View { all: false, width });
                let height = text.wrapped(width).count();
                assert!(height <= SCREEN, "{count}, {width:?}: {height}\n{text}");
            }
            let all = report.text(&ALL).to_string();
            assert!(all.lines().count() >= 5000 + 4 * count, "{all}");
            assert!(!all.contains("-v lists"));
        }
    }

    #[test]
    fn of_many_held_items_every_sort_is_shown_and_the_rest_is_counted_and_named() {
        let mut held: Vec<Held> =
            (0..50).map(|n| Held::new(HeldKind::Configuration, format!("/c{n}"), "?")).collect();
        held.push(Held::new(HeldKind::Repository, "third", "?"));
        let text = plan(held, vec![]).text(&FEW).to_string();
        assert!(text.contains("configuration  /c0: ?\n"), "{text}");
        assert!(text.contains("repository     third: ?\n"), "{text}");
        let rest = text.lines().find(|line| line.contains("-v lists them: /c")).unwrap();
        assert!(rest.ends_with(", /c9"), "{rest}");
    }

    #[test]
    fn an_archive_tells_its_size_its_classes_and_its_secrets() {
        let total = ClassTotal { paths: 1200, bytes: 10 };
        let totals = Totals {
            classes: [("mutable", total)].into(),
            comes_back: [("bundle", total)].into(),
            directories: vec![],
        };
        let report = ArchiveReport {
            bundle: "web.regrow".to_owned(),
            id: "id".to_owned(),
            bundle_bytes: 4096,
            totals,
            exports: vec![],
            observation: None,
            secrets: vec!["/etc/key".to_owned()],
            losses: vec![],
            limitations: vec![],
            held: vec![],
            seconds: 1.25,
        };
        assert_eq!(
            report.text(&FEW).to_string(),
            "Wrote web.regrow: 4.0 KiB, read back and whole, in 1.2 s.\n  \
             mutable      1,200 paths      10 B  kept in the bundle\n\
             Secrets, kept unencrypted:\n  /etc/key\n"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["classes"]["mutable"]["paths"], 1200);
    }

    #[test]
    fn gc_says_what_it_removed_or_that_there_was_nothing() {
        let text = |report: &GarbageReport| report.text(&FEW).to_string();
        assert_eq!(text(&GarbageReport::default()), "Nothing was left behind.\n");
        let removed = vec!["container x".to_owned()];
        let report = GarbageReport { removed, ..GarbageReport::default() };
        assert_eq!(text(&report), "Removed:\n  container x\n");
    }
}
