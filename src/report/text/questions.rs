//! What wants a person: held items and losses, as many as fit, the most harmful first.

use std::collections::BTreeMap;

use crate::bundle::Loss;
use crate::report::styled::{Line, Role, Text};
use crate::report::units::counted;
use crate::report::view::View;
use crate::verdict::{Harm, Held, HeldKind};

/// How many characters the names of what is not shown take at most.
const NAMED: usize = 600;

/// Lines about things of one sort, of which some may be left out.
struct Group {
    harm: Option<Harm>,
    /// Each with the name by which it is counted when it is left out.
    items: Vec<(Text, String)>,
    shown: usize,
}

impl Group {
    fn height(&self, width: Option<usize>) -> usize {
        let shown = self.items.iter().take(self.shown).map(|(text, _)| text.height(width));
        shown.sum::<usize>() + usize::from(self.shown < self.items.len())
    }

    fn next_height(&self, width: Option<usize>) -> Option<usize> {
        self.items.get(self.shown).map(|(text, _)| text.height(width))
    }
}

/// Shows as many items of each group as fit into `room` lines, by turns, the first ones first.
fn fit(groups: &mut [Group], room: usize, view: &View) {
    if view.all {
        groups.iter_mut().for_each(|group| group.shown = group.items.len());
        return;
    }
    let width = view.width;
    let mut used: usize = groups.iter().map(|group| group.height(width)).sum();
    let mut grew = true;
    while grew {
        grew = false;
        for group in groups.iter_mut() {
            let Some(more) = group.next_height(width) else { continue };
            // A group's first item is shown in any case: it says what sort of thing there is. The
            // last one takes the place of the line that counts it.
            let last = usize::from(group.shown + 1 == group.items.len());
            if used + more <= room + last || group.shown == 0 {
                (group.shown, used, grew) = (group.shown + 1, used + more - last, true);
            }
        }
    }
}

/// The line for what is left out of a group, with the names of it that fit.
fn rest(group: &Group, indent: &str, view: &View) -> Option<Line> {
    let left = group.items.get(group.shown..).filter(|left| !left.is_empty())?;
    let intro = format!("{indent}and {} more, -v lists them: ", left.len());
    let room = view.width.unwrap_or(NAMED).saturating_sub(intro.len()).max(8);
    let mut names = String::new();
    for (at, (_, name)) in left.iter().enumerate() {
        if at > 0 && names.chars().count() + name.chars().count() + 5 > room {
            names.push_str(", …");
            break;
        }
        names = if at == 0 { name.clone() } else { format!("{names}, {name}") };
    }
    Some(Line::hanging(indent.len() + 2).and(Role::Faint, intro).and(Role::Faint, names))
}

/// A held item: what it is, why, what it was and may become, and where to look.
fn item(held: &Held, column: usize) -> Text {
    let indent = 4 + column + 2;
    let mut text = Text::default();
    let kind = held.kind.word();
    let first = Line::hanging(indent)
        .and(Role::Faint, format!("    {kind:column$}  "))
        .and(Role::Subject, &held.subject)
        .and(Role::Plain, format!(": {}", held.why));
    text.push(first);
    // What the sentence says already is not said again.
    let files: Vec<&str> =
        held.files.iter().filter(|file| !held.why.contains(*file)).map(String::as_str).collect();
    let mut parts = Vec::new();
    match (&held.was, held.candidates.join(", ")) {
        (Some(was), none) if none.is_empty() => parts.push(format!("was {was}")),
        (Some(was), candidates) => parts.push(format!("was {was} → {candidates}")),
        (None, none) if none.is_empty() => {}
        (None, candidates) => parts.push(format!("today: {candidates}")),
    }
    if !files.is_empty() {
        parts.push(format!("see {}", files.join(", ")));
    }
    if !parts.is_empty() {
        let blank = " ".repeat(indent);
        text.push(Line::hanging(indent).and(Role::Plain, blank + &parts.join("; ")));
    }
    text
}

/// Held items in `room` lines, or in as few as there can be.
pub(super) fn held(all: &[Held], room: usize, view: &View) -> Text {
    let mut text = Text::default();
    if all.is_empty() {
        return text;
    }
    let mut sorted = all.to_vec();
    Held::sort(&mut sorted);
    let column = sorted.iter().map(|held| held.kind.word().len()).max().unwrap_or(0);
    let mut by_kind: BTreeMap<(Harm, HeldKind), Group> = BTreeMap::new();
    for held in &sorted {
        let new = || Group { harm: Some(held.harm), items: vec![], shown: 0 };
        let group = by_kind.entry((held.harm, held.kind)).or_insert_with(new);
        group.items.push((item(held, column), held.subject.clone()));
    }
    let mut groups: Vec<Group> = by_kind.into_values().collect();
    merge(&mut groups, room, view);
    let harms = Harm::ALL.iter().filter(|harm| groups.iter().any(|g| g.harm == Some(**harm)));
    let titles = 1 + harms.count();
    fit(&mut groups, room.saturating_sub(titles), view);
    let count = counted(all.len() as u64, "item", "items");
    let title = match all.len() {
        1 => format!("Held for you, {count}:"),
        _ => format!("Held for you, {count}, the most harmful first:"),
    };
    text.push(Line::default().and(Role::Alarm, title));
    let mut harm = None;
    for group in &groups {
        if group.harm != harm {
            harm = group.harm;
            let title = harm.map_or("", Harm::title);
            text.push(Line::default().and(Role::Title, format!("  {title}")));
        }
        show(group, &" ".repeat(4 + column + 2), view, &mut text);
    }
    text
}

/// Makes fewer groups of those at the end, until what has to be shown of each fits.
fn merge(groups: &mut Vec<Group>, room: usize, view: &View) {
    let least = |group: &Group| {
        let first = group.items.first().map_or(0, |(text, _)| text.height(view.width));
        // A title, and the line that counts the rest.
        first + usize::from(group.items.len() > 1) + 1
    };
    while !view.all && groups.iter().map(least).sum::<usize>() > room.saturating_sub(1) {
        match (groups.pop(), groups.last_mut()) {
            (Some(last), Some(before)) => before.items.extend(last.items),
            (last, _) => return groups.extend(last),
        }
    }
}

fn show(group: &Group, indent: &str, view: &View, text: &mut Text) {
    for (item, _) in group.items.iter().take(group.shown) {
        text.append(item.clone());
    }
    if let Some(line) = rest(group, indent, view) {
        text.push(line);
    }
}

/// Losses in `room` lines, or in as few as there can be: a line for each, or for each cause.
pub(super) fn losses(all: &[Loss], room: usize, view: &View) -> Text {
    let mut text = Text::default();
    if all.is_empty() {
        return text;
    }
    let mut items = Vec::new();
    for loss in all {
        let line = Line::hanging(4)
            .and(Role::Subject, format!("  {}", loss.subject))
            .and(Role::Plain, format!(": {} ({})", loss.what, loss.why));
        let mut item = Text::default();
        item.push(line);
        items.push((item, loss.subject.clone()));
    }
    let mut groups = [Group { harm: None, items, shown: 0 }];
    fit(&mut groups, room.saturating_sub(1), view);
    let count = counted(all.len() as u64, "item", "items");
    text.push(Line::default().and(Role::Alarm, format!("Lost, {count}:")));
    show(&groups[0], "  ", view, &mut text);
    text
}
