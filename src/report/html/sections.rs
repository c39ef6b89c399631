//! The sections that pages are made of.

use std::collections::{BTreeMap, HashSet};

use super::directory::{Leaf, measure, paths};
use super::markup::{CODE, Html};
use super::picture::{Area, Part, as_hundredths, bar, divide};
use crate::archive::ClassTotals;
use crate::bundle::Loss;
use crate::facts::Survey;
use crate::report::units::{count, counted, share, size};
use crate::report::{InspectedEntry, Inspection};
use crate::restore::PlanStep;
use crate::tree::{DirectoryTotal, FileType, escaped, outline};
use crate::verdict::{Comeback, Harm, Held};

/// The class of a harm's colour, and its sign.
fn harm(harm: Harm) -> (&'static str, &'static str) {
    match harm {
        Harm::DoesNotStart => ("h1", "▲"),
        Harm::OpensAccess => ("h2", "◆"),
        Harm::LosesData => ("h3", "■"),
        Harm::Cosmetic => ("h4", "○"),
    }
}

/// The class of a colour, and what stands behind a comeback.
fn colour(comeback: Comeback) -> (&'static str, &'static str) {
    match comeback {
        Comeback::Bundle => ("c-bundle", "cannot be had again: content and metadata are kept"),
        Comeback::Packages => ("c-packages", "today's packages bring it, in today's version"),
        Comeback::Image => ("c-image", "the image given as the base holds the same"),
        Comeback::Generators => ("c-made", "scripts, services and lists make it again"),
        Comeback::LeftBehind => ("c-left", "of the old machine, or of a run of the service"),
    }
}

/// Facts about the source for the head of a page.
pub(super) fn about(survey: &Survey) -> Vec<String> {
    let mut facts = vec![survey.os.name.clone()];
    facts.push(counted(survey.packages.len() as u64, "package", "packages"));
    let named = survey.apps.iter().filter(|app| app.name != survey.os.id);
    let apps = named.filter_map(|app| app.version.as_ref().map(|version| (&app.name, version)));
    facts.extend(apps.take(24).map(|(name, version)| format!("{name} {version}")));
    facts.retain(|fact| !fact.is_empty());
    facts
}

/// How much wants a decision, and where the parts of the page are.
pub(super) fn summary(html: &mut Html, held: &[Held], losses: &[Loss]) {
    html.raw("<nav aria-label=\"Parts of this page\"><ul>");
    if !held.is_empty() {
        html.raw("<li><a class=\"alarm\" href=\"#held\">");
        html.text(counted(held.len() as u64, "decision", "decisions")).raw(" for you</a></li>");
    }
    if !losses.is_empty() {
        html.raw("<li><a class=\"alarm\" href=\"#lost\">").text(count(losses.len() as u64));
        html.raw(" lost</a></li>");
    }
    html.raw("<li><a href=\"#back\">What comes back from where</a></li>");
    html.raw("<li><a href=\"#kept\">Every kept path</a></li>");
    html.raw("<li><a href=\"#elsewhere\">All other paths</a></li></ul></nav>\n");
}

/// What is left to a person, the most harmful first.
pub(super) fn held(html: &mut Html, all: &[Held]) {
    if all.is_empty() {
        return;
    }
    let mut sorted = all.to_vec();
    Held::sort(&mut sorted);
    html.raw("<section id=\"held\">\n<h2>Held for you</h2>\n");
    html.raw("<p>What only a person can decide, the most harmful first.</p>\n");
    for group in sorted.chunk_by(|a, b| a.harm == b.harm) {
        let (class, sign) = harm(group[0].harm);
        html.raw("<h3 class=\"harm ").raw(class).raw("\"><span aria-hidden=\"true\">").raw(sign);
        html.raw("</span> ").text(group[0].harm.title()).raw(" <small>");
        html.text(count(group.len() as u64)).raw("</small></h3>\n");
        for held in group {
            html.raw("<article class=\"card ").raw(class).raw("\"><p class=\"kind\">");
            html.text(held.kind.word()).raw("</p>\n<h4>").element(CODE, &held.subject);
            html.raw("</h4>\n").element(("<p>", "</p>\n"), &held.why);
            if held.was.is_some() || !held.candidates.is_empty() || !held.files.is_empty() {
                html.raw("<dl>");
                if let Some(was) = &held.was {
                    html.raw("<dt>was</dt><dd>").element(CODE, was).raw("</dd>");
                }
                items(html, "today", &held.candidates);
                items(html, "look at", &held.files);
                html.raw("</dl>");
            }
            html.raw("</article>\n");
        }
    }
    html.raw("</section>\n");
}

fn items(html: &mut Html, title: &'static str, items: &[String]) {
    if !items.is_empty() {
        html.raw("<dt>").raw(title).raw("</dt>");
        for item in items {
            html.raw("<dd>").element(CODE, item).raw("</dd>");
        }
    }
}

/// What was found and could not be kept or brought back.
pub(super) fn losses(html: &mut Html, all: &[Loss]) {
    if all.is_empty() {
        return;
    }
    html.raw("<section id=\"lost\">\n<h2>Lost</h2>\n<div class=\"wide\"><table><thead><tr>");
    html.raw("<th scope=\"col\">What</th><th scope=\"col\">What became of it</th>");
    html.raw("<th scope=\"col\">Why</th></tr></thead><tbody>\n");
    for loss in all {
        html.raw("<tr><td>").element(CODE, &loss.subject).raw("</td><td>").text(&loss.what);
        html.raw("</td><td>").text(&loss.why).raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div>\n</section>\n");
}

/// What comes back from where, as bars and as numbers.
pub(super) fn comes_back(html: &mut Html, totals: &ClassTotals) {
    let total = |comeback: Comeback| totals.get(comeback.word()).copied().unwrap_or_default();
    let parts = |amount: &dyn Fn(Comeback) -> u64| -> Vec<Part> {
        let part = |way: &Comeback| {
            let title = match way {
                Comeback::LeftBehind => "left behind",
                way => way.word(),
            };
            Part { class: colour(*way).0, title, amount: amount(*way) }
        };
        Comeback::ALL.iter().map(part).collect()
    };
    let sum = |amounts: &[Part]| amounts.iter().fold(0, |all: u64, p| all.saturating_add(p.amount));
    let by_size = parts(&|way| total(way).bytes);
    let by_paths = parts(&|way| total(way).paths);
    let (bytes, all) = (sum(&by_size), sum(&by_paths));
    html.raw("<section id=\"back\">\n<h2>What comes back from where</h2>\n<div class=\"bars\">");
    html.raw("<p class=\"axis\">by size, ").text(size(bytes)).raw("</p>");
    bar(html, &by_size);
    html.raw("<p class=\"axis\">by number, ").text(counted(all, "path", "paths")).raw("</p>");
    bar(html, &by_paths);
    html.raw("</div>\n<div class=\"wide\"><table class=\"numbers\"><thead><tr>");
    html.raw("<th scope=\"col\">Where from</th><th scope=\"col\" class=\"n\">Paths</th>");
    html.raw("<th scope=\"col\" class=\"n\">Size</th><th scope=\"col\" class=\"n\">Share of size");
    html.raw("</th><th scope=\"col\" class=\"what\">What it is</th></tr></thead><tbody>\n");
    for way in Comeback::ALL.into_iter().filter(|way| total(*way).paths > 0) {
        let (class, what) = colour(way);
        html.raw("<tr><th scope=\"row\"><span class=\"swatch ").raw(class);
        html.raw("\" aria-hidden=\"true\"></span>").text(way.title()).raw("</th><td class=\"n\">");
        html.text(count(total(way).paths))
            .raw("</td><td class=\"n\">")
            .text(size(total(way).bytes));
        html.raw("</td><td class=\"n\">").text(share(total(way).bytes, bytes));
        html.raw("</td><td class=\"what\">").raw(what).raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div>\n</section>\n");
}

/// In how many parts a map is divided at most.
const PARTS: usize = 28;

/// A map of `leaves`, whose areas are sizes, beside the numbers of their directories.
pub(super) fn map(html: &mut Html, directories: &[DirectoryTotal], leaves: &[Leaf]) {
    let files = leaves.iter().filter(|leaf| leaf.file_type != FileType::Dir);
    let mut parts = outline(files.map(|leaf| (leaf.path.as_bytes(), leaf.bytes)), PARTS);
    parts.retain(|part| part.bytes > 0);
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    let all = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.bytes));
    // What would be too small to be seen is seen in the numbers.
    parts.retain(|part| part.bytes >= all / 2000);
    let amounts: Vec<u64> = parts.iter().map(|part| part.bytes).collect();
    let whole = Area { left: 0.0, top: 0.0, width: 10_000.0, height: 5000.0 };
    html.raw("<div class=\"beside\">");
    if !parts.is_empty() {
        html.raw("<div class=\"map\" aria-hidden=\"true\">");
        for (part, area) in parts.iter().zip(divide(&amounts, whole)) {
            html.raw("<div style=\"left:").percent(as_hundredths(area.left)).raw(";top:");
            html.percent(as_hundredths(area.top * 2.0)).raw(";width:");
            html.percent(as_hundredths(area.width)).raw(";height:");
            html.percent(as_hundredths(area.height * 2.0)).raw("\" title=\"").text(unescaped(part));
            html.raw(", ").text(size(part.bytes)).raw("\">");
            if area.width > 900.0 && area.height > 600.0 {
                // The end of a path says most; all of it is in the numbers and in the tree.
                let path = unescaped(part);
                let name = if area.width > 3000.0 { &path } else { last(&path) };
                html.element(("<b>", "</b>"), name).element(("<i>", "</i>"), size(part.bytes));
            }
            html.raw("</div>");
        }
        html.raw("</div>\n");
    }
    html.raw(
        "<div class=\"wide\"><table class=\"numbers\"><thead><tr><th scope=\"col\">Directory</th>",
    );
    html.raw(
        "<th scope=\"col\" class=\"n\">Files</th><th scope=\"col\" class=\"n\">Size</th></tr>",
    );
    html.raw("</thead><tbody>\n");
    for directory in directories {
        html.raw("<tr><th scope=\"row\">")
            .element(CODE, &directory.path)
            .raw("</th><td class=\"n\">");
        html.text(count(directory.files)).raw("</td><td class=\"n\">").text(size(directory.bytes));
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div></div>\n");
}

/// The last part of a path.
fn last(path: &str) -> &str {
    path.rfind('/')
        .and_then(|at| path.get(at + 1..))
        .filter(|name| !name.is_empty())
        .unwrap_or(path)
}

/// Leaves are escaped already, and the outline escaped their directories once more.
fn unescaped(part: &DirectoryTotal) -> String {
    part.path.replace("\\\\", "\\")
}

/// The steps of a plan, by what is done; what is placed has a section of its own.
pub(super) fn steps(html: &mut Html, all: &[PlanStep]) {
    let mut actions: Vec<&str> = Vec::new();
    for step in all {
        if step.action != "place" && !actions.contains(&step.action.as_str()) {
            actions.push(&step.action);
        }
    }
    for action in actions {
        let same: Vec<&PlanStep> = all.iter().filter(|step| step.action == action).collect();
        html.raw("<details class=\"print\"");
        if same.len() <= 12 {
            html.raw(" open");
        }
        html.raw("><summary><strong>").text(action).raw("</strong> <small>");
        html.text(count(same.len() as u64)).raw("</small></summary>\n<div class=\"wide\"><table>");
        html.raw(
            "<thead class=\"hidden\"><tr><th scope=\"col\">What</th><th scope=\"col\">Why, or how",
        );
        html.raw("</th></tr></thead><tbody>\n");
        for step in same {
            html.raw("<tr><th scope=\"row\">").element(CODE, &step.subject).raw("</th><td>");
            html.text(&step.reason).raw("</td></tr>\n");
        }
        html.raw("</tbody></table></div></details>\n");
    }
}

/// All paths of the old service that are not among those `placed`, by what they come back from;
/// without any, all that the bundle does not keep.
pub(super) fn elsewhere(html: &mut Html, report: &Inspection, placed: Option<&HashSet<&str>>) {
    html.raw("<section id=\"elsewhere\">\n<h2>All other paths</h2>\n");
    html.raw("<p>Of most there is only a line in the bundle's list, and no content.</p>\n");
    let is_elsewhere = |entry: &InspectedEntry, way| {
        !entry.deleted
            && Comeback::of(entry.class, entry.reason) == way
            && match (way, placed) {
                (Comeback::Bundle, Some(placed)) => !placed.contains(&*escaped(entry.bytes)),
                (way, _) => way != Comeback::Bundle,
            }
    };
    for way in Comeback::ALL {
        // A package's files under its name and version, all else under its reason.
        let mut groups: BTreeMap<String, Vec<InspectedEntry>> = BTreeMap::new();
        let versions: BTreeMap<&str, &str> =
            report.survey.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        for entry in report.entries.iter().filter(|entry| is_elsewhere(entry, way)) {
            let title = match (way, entry.package) {
                (Comeback::Packages, Some(package)) => {
                    let name = package.split(':').next().unwrap_or(package);
                    let version = versions.get(package).or_else(|| versions.get(name));
                    version.map_or_else(|| package.to_owned(), |v| format!("{package} {v}"))
                }
                _ => entry.reason.to_string(),
            };
            groups.entry(title).or_default().push(entry);
        }
        if groups.is_empty() {
            continue;
        }
        let (class, _) = colour(way);
        html.raw("<h3><span class=\"swatch ").raw(class).raw("\" aria-hidden=\"true\"></span>");
        html.text(capital(match way {
            Comeback::Bundle => "in the bundle, and not placed under this name",
            way => way.title(),
        }));
        html.raw("</h3>\n<div class=\"tree\">");
        for (title, entries) in &groups {
            group(html, title, entries);
        }
        html.raw("</div>\n");
    }
    html.raw("</section>\n");
}

fn group(html: &mut Html, title: &str, entries: &[InspectedEntry]) {
    let bytes = entries.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.size));
    html.raw("<details><summary><span>").text(title).raw("</span> <small>");
    html.text(counted(entries.len() as u64, "path", "paths")).raw(" · ").text(size(bytes));
    html.raw("</small></summary>");
    let shown: Vec<(String, String)> = entries
        .iter()
        .map(|entry| (escaped(entry.bytes), measure(entry.file_type, entry.size)))
        .collect();
    paths(html, shown.iter().map(|(path, measure)| (path.as_str(), measure.clone())));
    html.raw("</details>\n");
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}

/// What the way in or out can never deliver.
pub(super) fn limitations(html: &mut Html, all: &[String]) {
    if !all.is_empty() {
        html.raw("<section id=\"limitations\">\n<h2>Limitations</h2>\n<ul class=\"plain\">");
        for limitation in all {
            html.element(("<li>", "</li>"), limitation);
        }
        html.raw("</ul>\n</section>\n");
    }
}
