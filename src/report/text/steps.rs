//! The steps of a plan: a line for each kind of them, or for each of them.

use super::files::directories;
use crate::report::styled::{Line, Role, Text};
use crate::report::units::{count, size};
use crate::report::view::View;
use crate::restore::PlanStep;
use crate::tree::DirectoryTotal;

/// How long the line for a kind of steps is on no particular screen.
const WIDTH: usize = 100;

/// Adds the steps to `text`: each with [`View::all`], else by what is done.
pub(super) fn steps(all: &[PlanStep], placed: &[DirectoryTotal], view: &View, text: &mut Text) {
    if view.all {
        for step in all {
            let line = Line::hanging(4)
                .and(Role::Plain, format!("  {:10} ", step.action))
                .and(Role::Subject, &step.subject)
                .and(Role::Faint, format!("  ({})", step.reason));
            text.push(line);
        }
        return;
    }
    let mut actions: Vec<&str> = Vec::new();
    for step in all {
        if !actions.contains(&step.action.as_str()) {
            actions.push(&step.action);
        }
    }
    for action in actions {
        let same: Vec<&PlanStep> = all.iter().filter(|step| step.action == action).collect();
        let line = Line::hanging(20)
            .and(Role::Plain, format!("  {action:10}{:>7} ", count(same.len() as u64)));
        if action == "place" {
            let bytes = same.iter().filter_map(|step| step.bytes).fold(0, u64::saturating_add);
            text.push(
                line.and(Role::Plain, format!(" {}, by directory (-v lists each):", size(bytes))),
            );
            directories(placed, "    ", text);
        } else {
            let room = view.width.unwrap_or(WIDTH).saturating_sub(line.len()).max(16);
            text.push(line.and(Role::Subject, names(&same, room)));
        }
    }
}

/// What the steps are about, as far as there is room. What is carried over says its versions, and what it is carried onto why.
fn names(steps: &[&PlanStep], room: usize) -> String {
    let name = |step: &PlanStep| match step.action.as_str() {
        "carry" | "onto" => format!("{} {}", step.subject, step.reason),
        _ => step.subject.clone(),
    };
    let mut text = String::new();
    for (at, step) in steps.iter().enumerate() {
        let name = name(step);
        let used = text.chars().count() + name.chars().count() + 3;
        if at > 0 && used > room.saturating_sub(if at + 1 == steps.len() { 0 } else { 3 }) {
            text.push_str(", …");
            break;
        }
        text = if at == 0 { format!(" {name}") } else { format!("{text}, {name}") };
    }
    text
}
