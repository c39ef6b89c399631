//! Reports as one HTML page: whole in itself, read without a script, searched with the browser.
//!
//! Its order is that of the text: what wants a decision, what is lost, then what comes back from
//! where as a picture, and every path.

mod directory;
mod file;
mod markup;
mod picture;
mod sections;

use std::borrow::Cow;
use std::io::{self, Write};

pub use file::PageFile;

use self::directory::{Leaf, tree};
use self::markup::{CODE, Html};
use super::Inspection;
use super::units::{counted, time};
use crate::bundle::{Loss, Manifest};
use crate::restore::{PlanReport, PlanStep, RestoreReport};
use crate::tree::{DirectoryTotal, FileType, escaped};
use crate::verdict::{Class, Comeback, Held};

/// How pages look, on screens and on paper.
const STYLE: &str = include_str!("style.css");

/// What stands at the top of a page.
struct Head<'a> {
    /// What the page is of, such as `Plan`.
    what: &'static str,
    subject: &'a str,
    /// What else there is to say, each in words.
    facts: Vec<String>,
    held: &'a [Held],
    losses: &'a [Loss],
}

/// A page from its head to its end; `rest` writes what follows what wants a decision.
fn page(to: &mut dyn Write, head: &Head, rest: impl FnOnce(&mut Html)) -> io::Result<()> {
    let mut page = Html::new(to);
    let html = &mut page;
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Nothing is loaded, nothing is run, whatever a name of a source looks like.
    html.raw("<meta http-equiv=\"Content-Security-Policy\" ");
    html.raw("content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    html.text(head.what).raw(" ").text(head.subject).raw("</title>\n<style>\n");
    html.raw(STYLE).raw("</style>\n</head>\n<body>\n<header>\n<p class=\"brand\">regrow</p>\n<h1>");
    html.raw("<small>").text(head.what).raw("</small> ").text(head.subject).raw("</h1>\n");
    html.raw("<ul class=\"facts\">");
    for fact in &head.facts {
        html.element(("<li>", "</li>"), fact);
    }
    html.raw("</ul>\n");
    sections::summary(html, head.held, head.losses);
    html.raw("</header>\n<main>\n");
    sections::held(html, head.held);
    sections::losses(html, head.losses);
    rest(html);
    html.raw("</main>\n<footer><p>Every path on this page is found with the browser's search. ");
    html.raw("Made by regrow ").text(env!("CARGO_PKG_VERSION")).raw(".</p></footer>\n");
    html.raw("</body>\n</html>\n");
    page.finish()
}

impl Inspection<'_> {
    /// What `inspect` found, as a page.
    ///
    /// # Errors
    /// What `to` fails with.
    pub fn page(&self, to: &mut dyn Write) -> io::Result<()> {
        let survey = self.survey;
        let source = escaped(survey.source.as_bytes());
        let head = Head {
            what: "Inspection of",
            subject: &source,
            facts: sections::about(survey),
            held: &[],
            losses: &self.losses,
        };
        page(to, &head, |html| {
            sections::comes_back(html, &self.totals.comes_back);
            kept(html, self);
            sections::elsewhere(html, self, None);
            sections::limitations(html, &self.limitations);
        })
    }
}

/// What the bundle keeps: a map, and every path.
fn kept(html: &mut Html, report: &Inspection) {
    let entries = || report.entries.iter().filter(|entry| entry.class == Class::Mutable);
    let leaves: Vec<Leaf> = entries()
        .filter(|entry| !entry.deleted)
        .map(|entry| Leaf {
            path: Cow::Owned(escaped(entry.bytes)),
            file_type: entry.file_type,
            bytes: entry.size,
            note: Cow::Owned(match entry.secret {
                true => format!("{}; a key or a password", entry.reason),
                false => entry.reason.to_string(),
            }),
        })
        .collect();
    html.raw("<section id=\"kept\">\n<h2>Kept in the bundle</h2>\n");
    html.raw("<p>What cannot be had again, by directory. The areas are sizes.</p>\n");
    sections::map(html, &report.totals.directories, &leaves);
    tree(html, &leaves);
    let removed: Vec<String> =
        entries().filter(|entry| entry.deleted).map(|entry| escaped(entry.bytes)).collect();
    if !removed.is_empty() {
        html.raw("<h3>Removed, and stays removed</h3>\n<ul class=\"plain\">");
        for path in &removed {
            html.raw("<li>").element(CODE, path).raw("</li>");
        }
        html.raw("</ul>\n");
    }
    html.raw("</section>\n");
}

impl PlanReport {
    /// What a plan would do, as a page; `manifest` is of the bundle that it restores.
    ///
    /// # Errors
    /// What `to` fails with.
    pub fn page(&self, manifest: &Manifest, to: &mut dyn Write) -> io::Result<()> {
        let steps = counted(self.steps.len() as u64, "step", "steps");
        let mut facts = vec![steps, "nothing was changed".to_owned()];
        facts.extend(sections::about(&manifest.survey));
        facts.push(format!("plan {:.12}", self.id));
        let act = Act {
            what: "Plan for",
            target: &self.target,
            facts,
            held: &self.held,
            losses: &self.losses,
            title: "What the plan does",
            steps: &self.steps,
            directories: &self.directories,
            limitations: &self.limitations,
        };
        act.page(manifest, to)
    }
}

impl RestoreReport {
    /// What a restore did, as a page; `manifest` is of the bundle that was restored.
    ///
    /// # Errors
    /// What `to` fails with.
    pub fn page(&self, manifest: &Manifest, to: &mut dyn Write) -> io::Result<()> {
        let made = match (&self.container, &self.root) {
            (Some(name), _) => format!("container {name}"),
            (None, Some(root)) => format!("root {root}"),
            (None, None) => "nothing was made".to_owned(),
        };
        let mut facts = vec![made, format!("in {}", time(self.seconds))];
        facts.extend(sections::about(&manifest.survey));
        let act = Act {
            what: "Restore of",
            target: &self.target,
            facts,
            held: &self.held,
            losses: &self.losses,
            title: "What was done",
            steps: &self.steps,
            directories: &self.directories,
            limitations: &self.limitations,
        };
        act.page(manifest, to)
    }
}

/// What the pages of a plan and of a restore say, each in its own words.
struct Act<'a> {
    what: &'static str,
    target: &'a str,
    facts: Vec<String>,
    held: &'a [Held],
    losses: &'a [Loss],
    /// The head of the steps.
    title: &'static str,
    steps: &'a [PlanStep],
    directories: &'a [DirectoryTotal],
    limitations: &'a [String],
}

impl Act<'_> {
    fn page(self, manifest: &Manifest, to: &mut dyn Write) -> io::Result<()> {
        let source = escaped(manifest.survey.source.as_bytes());
        let subject = format!("{source} onto {}", self.target);
        let Act { what, facts, held, losses, .. } = self;
        let head = Head { what, subject: &subject, facts, held, losses };
        page(to, &head, |html| {
            done(html, self.title, self.steps, self.directories, manifest);
            sections::limitations(html, self.limitations);
        })
    }
}

/// The steps of a plan, what it places, and where all else comes back from.
fn done(
    html: &mut Html,
    title: &'static str,
    steps: &[PlanStep],
    directories: &[DirectoryTotal],
    manifest: &Manifest,
) {
    let inspection = Inspection::of_manifest(manifest);
    let is_placing = |step: &&PlanStep| step.action == "place";
    let placed = steps.iter().filter(is_placing);
    let mut totals = inspection.totals.comes_back.clone();
    let bundle = totals.entry(Comeback::Bundle.word()).or_default();
    (bundle.paths, bundle.bytes) = placed.clone().fold((0, 0), |(paths, bytes), step| {
        (paths + 1, step.bytes.unwrap_or(0).saturating_add(bytes))
    });
    sections::comes_back(html, &totals);
    html.raw("<section id=\"steps\">\n<h2>").text(title).raw("</h2>\n");
    sections::steps(html, steps);
    html.raw("</section>\n<section id=\"kept\">\n<h2>Placed from the bundle</h2>\n");
    html.raw(
        "<p>What the old service had of its own, where it lies now. The areas are sizes.</p>\n",
    );
    let mut leaves: Vec<Leaf> = placed
        .map(|step| {
            let file_type = match step.bytes {
                Some(_) => FileType::File,
                None if step.reason.starts_with(FileType::Dir.word()) => FileType::Dir,
                None if step.reason.starts_with(FileType::Symlink.word()) => FileType::Symlink,
                None => FileType::Fifo,
            };
            // What it is stands before its path already.
            let note = step.reason.split_once(", ").map_or("", |(_, marks)| marks);
            Leaf {
                path: Cow::Borrowed(&*step.subject),
                file_type,
                bytes: step.bytes.unwrap_or(0),
                note: Cow::Borrowed(note),
            }
        })
        .collect();
    leaves.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    sections::map(html, directories, &leaves);
    tree(html, &leaves);
    html.raw("</section>\n");
    let placed = leaves.iter().map(|leaf| &*leaf.path).collect();
    sections::elsewhere(html, &inspection, Some(&placed));
}

#[cfg(test)]
mod tests;
