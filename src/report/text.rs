//! Reports as text for people: the same values, no other content.

use super::{Explanation, Inspection, RuleList, Verification};
use crate::archive::{ArchiveReport, ClassTotals};
use crate::bundle::Loss;
use crate::restore::{GarbageReport, PlanReport, PlanStep, RestoreReport};
use crate::tree::{escaped, printable};
use crate::verdict::Held;

/// How many lines of one kind are shown before the rest is only counted.
const SHOWN: usize = 40;

/// Builds text. Whatever a line says, and whoever said it, it stays one line, and holds nothing
/// that a terminal would obey.
struct Text(String);

impl Text {
    fn line(&mut self, args: std::fmt::Arguments<'_>) {
        self.0.push_str(&printable(&args.to_string()));
        self.0.push('\n');
    }

    fn classes(&mut self, classes: &ClassTotals) {
        for (class, total) in classes {
            self.line(format_args!(
                "{class:10} {:>8} paths {:>12} bytes",
                total.paths, total.bytes
            ));
        }
    }

    fn items(&mut self, title: &str, items: impl ExactSizeIterator<Item = String>) {
        let count = items.len();
        if count == 0 {
            return;
        }
        self.line(format_args!("{title}:"));
        for item in items.take(SHOWN) {
            self.line(format_args!("  {item}"));
        }
        if count > SHOWN {
            self.line(format_args!("  … and {} more", count - SHOWN));
        }
    }

    fn problems(&mut self, losses: &[Loss], held: &[Held], limitations: &[String]) {
        let loss = |l: &Loss| format!("{}: {} ({})", l.subject, l.what, l.why);
        self.items("Lost", losses.iter().map(loss));
        self.items("Held for you", held.iter().map(|h| format!("{}: {}", h.subject, h.why)));
        self.items("Limitations", limitations.iter().map(|l| escaped(l.as_bytes())));
    }

    fn steps(&mut self, steps: &[PlanStep]) {
        for step in steps {
            let subject = escaped(step.subject.as_bytes());
            self.line(format_args!("  {:10} {subject}  ({})", step.action, step.reason));
        }
    }
}

/// `archive`.
pub fn archive_text(report: &ArchiveReport) -> String {
    let mut text = Text(String::new());
    let name = escaped(report.bundle.as_bytes());
    text.line(format_args!(
        "Wrote {name}: {} bytes, read back and whole, in {:.1} s.",
        report.bundle_bytes, report.seconds
    ));
    text.classes(&report.classes);
    text.items("Exports", report.exports.iter().cloned());
    text.items("Secrets, kept unencrypted", report.secrets.iter().cloned());
    text.problems(&report.losses, &report.held, &report.limitations);
    text.0
}

/// `inspect`, and `archive --dry-run`.
pub fn inspection_text(report: &Inspection) -> String {
    let mut text = Text(String::new());
    let survey = report.survey;
    text.line(format_args!("{}: {}", escaped(survey.source.as_bytes()), survey.os.name));
    text.classes(&report.classes);
    for entry in report.entries.iter() {
        let path = escaped(entry.bytes);
        if entry.deleted {
            text.line(format_args!("{:10} {path} (deleted: {})", entry.class, entry.reason));
        } else if entry.class == crate::verdict::Class::Mutable {
            text.line(format_args!("{:10} {path} ({})", entry.class, entry.reason));
        }
    }
    text.problems(&report.losses, &[], &report.limitations);
    text.0
}

/// `explain`.
pub fn explanation_text(report: &Explanation) -> String {
    let mut text = Text(String::new());
    text.line(format_args!("{}: {} ({})", report.path, report.class, report.reason));
    text.items("Evidence", report.evidence.iter().cloned());
    text.items("Ladder, the first decides", report.ladder.iter().cloned());
    text.0
}

/// `verify`.
pub fn verification_text(report: &Verification) -> String {
    let mut text = Text(String::new());
    text.line(format_args!(
        "Whole: {} members, {} bytes, id {}.",
        report.members, report.bytes, report.id
    ));
    text.problems(&report.losses, &report.held, &report.limitations);
    text.0
}

/// `plan`, and `restore --dry-run`.
pub fn plan_text(report: &PlanReport) -> String {
    let mut text = Text(String::new());
    text.line(format_args!("Onto {}, {} steps:", report.target, report.steps.len()));
    text.steps(&report.steps);
    text.problems(&report.losses, &report.held, &report.limitations);
    text.0
}

/// `restore`.
pub fn restore_text(report: &RestoreReport) -> String {
    let mut text = Text(String::new());
    let made = match (&report.container, &report.root) {
        (Some(name), _) => format!("container {name}"),
        (None, Some(root)) => format!("root {}", escaped(root.as_bytes())),
        (None, None) => "nothing".to_owned(),
    };
    text.line(format_args!("Restored {made} in {:.1} s:", report.seconds));
    text.steps(&report.steps);
    text.problems(&report.losses, &report.held, &report.limitations);
    text.0
}

/// `gc`.
pub fn garbage_text(report: &GarbageReport) -> String {
    let mut text = Text(String::new());
    match report.removed.len() {
        0 => text.line(format_args!("Nothing was left behind.")),
        _ => text.items("Removed", report.removed.iter().cloned()),
    }
    if !report.spared.is_empty() {
        text.items(
            "Left alone, as its run goes on or for the reason named",
            report.spared.iter().cloned(),
        );
    }
    text.0
}

/// `rules list`.
pub fn rules_text(report: &RuleList) -> String {
    let mut text = Text(String::new());
    for rule in &report.rules {
        let count = rule.transitions;
        text.line(format_args!(
            "{:14} {:8} {} ({count} transitions)",
            rule.app, rule.distribution, rule.title
        ));
    }
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ClassTotal;
    use crate::verdict::HeldKind;

    fn plan(held: Vec<Held>, losses: Vec<Loss>) -> PlanReport {
        let step = |action: &str, subject: &str| PlanStep {
            action: action.to_owned(),
            subject: subject.to_owned(),
            reason: "why".to_owned(),
        };
        PlanReport {
            id: "f00d".to_owned(),
            bundle: "id".to_owned(),
            target: "debian:trixie".to_owned(),
            steps: vec![step("install", "samba"), step("place", "/a\x1b[2J")],
            held,
            losses,
            limitations: vec![],
        }
    }

    #[test]
    fn a_plan_shows_its_steps_and_escapes_what_a_terminal_would_obey() {
        assert_eq!(
            plan_text(&plan(vec![], vec![])),
            "Onto debian:trixie, 2 steps:\n  install    samba  (why)\n  \
             place      /a\\u{1b}[2J  (why)\n"
        );
    }

    #[test]
    fn nothing_that_others_named_reaches_a_terminal_as_it_is() {
        let bad = "\x1b]0;x\x07\r\n\u{9b}31m\u{202e}\x7f";
        let held = Held::new(HeldKind::Rule, bad, bad);
        let text = || bad.to_owned();
        let loss = Loss { subject: text(), what: text(), why: text() };
        let mut report = plan(vec![held], vec![loss]);
        report.limitations.push(text());
        report.target = text();
        report.steps.push(PlanStep { action: text(), subject: text(), reason: text() });
        let lines = plan_text(&report);
        assert!(lines.lines().all(|line| !line.contains(crate::tree::is_unprintable)), "{lines:?}");
        assert_eq!(lines.lines().count(), 4 + 2 + 2 + 2, "{lines}");
    }

    #[test]
    fn losses_and_held_items_follow_and_empty_lists_have_no_title() {
        let held = Held::new(HeldKind::Rule, "/etc/x", "which?");
        let loss = Loss {
            subject: "y".to_owned(),
            what: "package not installed".to_owned(),
            why: "gone".to_owned(),
        };
        let text = plan_text(&plan(vec![held], vec![loss]));
        let end = "Lost:\n  y: package not installed (gone)\nHeld for you:\n  /etc/x: which?\n";
        assert!(text.ends_with(end), "{text}");
        assert!(!text.contains("Limitations"));
    }

    #[test]
    fn a_long_list_is_cut_and_the_rest_counted() {
        let held = |n: usize| Held::new(HeldKind::Rule, n, "?");
        let text = plan_text(&plan((0..SHOWN + 3).map(held).collect(), vec![]));
        assert!(text.contains("\n  39: ?\n  … and 3 more\n"), "{text}");
        let text = plan_text(&plan((0..SHOWN).map(held).collect(), vec![]));
        assert!(!text.contains("more"), "{text}");
    }

    #[test]
    fn an_archive_tells_its_size_its_classes_and_its_secrets() {
        let report = ArchiveReport {
            bundle: "web.regrow".to_owned(),
            id: "id".to_owned(),
            bundle_bytes: 4096,
            classes: ClassTotals::from([("mutable", ClassTotal { paths: 2, bytes: 10 })]),
            exports: vec![],
            secrets: vec!["/etc/key".to_owned()],
            losses: vec![],
            limitations: vec![],
            held: vec![],
            seconds: 1.25,
        };
        assert_eq!(
            archive_text(&report),
            "Wrote web.regrow: 4096 bytes, read back and whole, in 1.2 s.\n\
             mutable           2 paths           10 bytes\n\
             Secrets, kept unencrypted:\n  /etc/key\n"
        );
    }

    #[test]
    fn gc_says_what_it_removed_or_that_there_was_nothing() {
        assert_eq!(garbage_text(&GarbageReport::default()), "Nothing was left behind.\n");
        let removed = vec!["container x".to_owned()];
        let report = GarbageReport { removed, ..GarbageReport::default() };
        assert_eq!(garbage_text(&report), "Removed:\n  container x\n");
    }
}
