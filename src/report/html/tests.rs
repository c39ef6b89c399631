//! What holds of every page.

use std::collections::HashSet;

use super::*;
use crate::bundle::{Entries, ManifestEntry};
use crate::tree::{Entry, Kind, Meta, RootPath, Time, Xattrs};
use crate::verdict::{HeldKind, Origin, Reason, Worth};

/// Names that want to be more than names.
const HOSTILE: [&[u8]; 5] = [
    b"/srv/'\"><img src=x onerror=alert(1)>",
    b"/srv/<script>alert(1)<\\script>",
    b"/srv/\x1b[2J\n\x7f",
    b"/srv/\xe2\x80\xae\xff",
    b"/srv/]]><!-- &amp; {{x}}",
];

fn entry(path: &[u8], size: Option<u64>, class: Class, reason: Reason) -> ManifestEntry {
    let mtime = Time { secs: 1, nanos: 0 };
    let meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() };
    let kind = size.map_or(Kind::Dir, |size| Kind::File { size });
    let path = RootPath::parse(path).unwrap();
    let entry = Entry::new(path, kind, meta);
    ManifestEntry::new(&entry, class, reason, Origin::Container)
}

fn kept(path: &[u8]) -> ManifestEntry {
    entry(path, Some(1 << 20), Class::Mutable, Reason::Unexplained)
}

fn packaged(path: &[u8], package: &str) -> ManifestEntry {
    let reason = Reason::AsPackaged { package: package.to_owned() };
    ManifestEntry {
        package: Some(package.to_owned()),
        ..entry(path, Some(1), Class::Immutable, reason)
    }
}

fn manifest(mut entries: Vec<ManifestEntry>) -> Manifest {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut manifest = Manifest::new();
    manifest.entries = Entries::from_iter(entries);
    manifest.survey.source = "docker:<b>web</b>".to_owned();
    manifest.survey.os.name = "Old \x1b]0;x\x07 <i>".to_owned();
    manifest
}

fn inspected(manifest: &Manifest) -> String {
    let mut bytes = Vec::new();
    Inspection::of_manifest(manifest).page(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn hostile() -> Manifest {
    let mut entries: Vec<ManifestEntry> = HOSTILE.iter().map(|path| kept(path)).collect();
    entries.push(entry(b"/srv", None, Class::Mutable, Reason::Unexplained));
    let why = "<script>".to_owned();
    let rule = Reason::Rule { app: "<a>".to_owned(), worth: Worth::Config, why };
    entries.push(entry(b"/var/x", Some(1), Class::Immutable, rule));
    entries.push(packaged(b"/usr/x", "<pkg>"));
    let gone = RootPath::parse(b"/etc/<gone>").unwrap();
    entries.push(ManifestEntry::deleted(gone, Class::Mutable, Reason::Removed, Origin::Base));
    let mut manifest = manifest(entries);
    let bad = || "<script>\x1b\u{202e}".to_owned();
    manifest.losses.push(Loss { subject: bad(), what: bad(), why: bad() });
    manifest.limitations.push(bad());
    manifest
}

fn planned(manifest: &Manifest) -> String {
    let bad = "<script>\"'\x1b\u{202e}";
    let held = Held::new(HeldKind::Data, bad, bad).was(bad).candidate(bad).file(bad);
    let worse = Held::new(HeldKind::Version, "worse", "?");
    let step = |action: &str, subject: &str, bytes| PlanStep {
        action: action.to_owned(),
        subject: subject.to_owned(),
        reason: bad.to_owned(),
        bytes,
    };
    let report = PlanReport {
        id: "f00d".to_owned(),
        bundle: "id".to_owned(),
        target: bad.to_owned(),
        steps: vec![step("adapt", bad, None), step("place", "/srv/<x>/y", Some(7))],
        directories: vec![DirectoryTotal { path: "/srv/<x>".to_owned(), files: 1, bytes: 7 }],
        held: vec![held, worse],
        losses: vec![],
        limitations: vec![bad.to_owned()],
    };
    let mut bytes = Vec::new();
    report.page(manifest, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Fails unless every element is closed in its order, and every attribute quoted.
fn assert_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {}", &rest[..rest.len().min(80)]);
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "<{tag}>");
        assert_eq!(attributes.matches('"').count() % 2, 0, "<{tag}>");
        if name != "meta" {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn a_page_is_well_formed_whatever_names_there_are() {
    let manifest = hostile();
    for page in [inspected(&manifest), planned(&manifest)] {
        assert_well_formed(&page);
        for word in ["<script", "<img", "<b>web", "<pkg>", "<gone>", "<!--", "<x>"] {
            assert!(!page.contains(word), "{word}");
        }
        let bad = |c: char| c != '\n' && crate::tree::is_unprintable(c);
        assert!(!page.contains(bad), "{:?}", page.find(bad));
    }
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    let page = inspected(&hostile());
    let policy = "http-equiv=\"Content-Security-Policy\" \
                  content=\"default-src 'none'; style-src 'unsafe-inline'\"";
    assert!(page.contains(policy));
    let style = include_str!("style.css");
    for word in ["url(", "@import", "http:", "https:"] {
        assert!(!style.contains(word), "{word}");
    }
    for word in [" src=\"", " onload", "javascript:", "<link", "<iframe"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn what_wants_a_decision_stands_first_and_the_worst_before_all() {
    let page = planned(&hostile());
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}"));
    let order = [
        "id=\"held\"",
        "does not start",
        "<code>worse",
        "loses data",
        "id=\"back\"",
        "id=\"steps\"",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
}

#[test]
fn every_path_stands_whole_in_the_page_and_many_of_them_stay_small() {
    let mut entries = vec![];
    for n in 0..5000 {
        entries.push(kept(format!("/srv/www/{}/deep/in/{n}.dat", n % 20).as_bytes()));
        entries.push(packaged(format!("/usr/share/{n}").as_bytes(), &format!("p{}", n % 30)));
        entries.push(entry(
            format!("/tmp/{n}").as_bytes(),
            Some(0),
            Class::Ephemeral,
            Reason::Runtime,
        ));
    }
    let page = inspected(&manifest(entries));
    assert_well_formed(&page);
    // Searching for a path finds it as one text, behind its size.
    let found: HashSet<&str> = page.lines().filter_map(|line| line.rsplit("  ").next()).collect();
    for n in 0..5000 {
        let kept = format!("/srv/www/{}/deep/in/{n}.dat", n % 20);
        for path in [kept, format!("/usr/share/{n}"), format!("/tmp/{n}")] {
            assert!(found.contains(&*path), "{path}");
        }
    }
    assert!(page.len() < 15_000 * 40, "{}", page.len());
}
