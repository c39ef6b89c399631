//! [`System`]: what of the old system shows which defaults it ran with.

use std::collections::BTreeSet;

use crate::archive::verdicts::Verdicts;
use crate::defaults::{LIMIT, Reach, effective, is_for_others, lines};
use crate::failure::Failure;
use crate::init::{self, Action, Link, Scope};
use crate::packages::Installed;
use crate::service::Settings;
use crate::tree::{Entry, RootPath, Tree, is_within, read_file};
use crate::verdict::{Class, Reason};

/// How much of files of configuration is looked through for what they read, in bytes.
const OF_ALL: u64 = 64 << 20;

/// How many names they may have of what they read.
const NAMES: usize = 1 << 16;

/// What files of configuration read, old defaults and the user's.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) paths: BTreeSet<RootPath>,
    /// Of those that may read something.
    pub(super) reaches: Vec<Reach>,
    /// Not all of them were looked at.
    pub(super) cut: bool,
}

/// How many packages a directory may be of that says something about each of them.
const SHARED: usize = 3;

/// Where configuration is.
pub(super) const PLACE: &[u8] = b"/etc";

/// Whether to go on: the failure of what was stopped.
pub(in crate::archive) type Stop<'a> = &'a dyn Fn() -> Result<(), Failure>;

/// What is known of the old system.
pub(in crate::archive) struct System<'a> {
    pub(in crate::archive) tree: &'a dyn Tree,
    pub(in crate::archive) installed: &'a Installed,
    pub(in crate::archive) settings: &'a Settings,
}

/// An unedited file of configuration.
pub(super) struct Unedited {
    pub(super) entry: Entry,
    /// The package that it is of; empty where that is not known.
    pub(super) package: String,
}

impl System<'_> {
    /// What has an effect of the file at `path`. What cannot be read now is told elsewhere, or is of
    /// no use.
    pub(super) fn text(&self, path: &RootPath) -> Option<String> {
        let read = read_file(self.tree, path, LIMIT).ok().flatten();
        read.filter(|text| !text.starts_with(b"#!")).as_deref().and_then(effective)
    }

    /// What all files of configuration read.
    ///
    /// # Errors
    /// As `stop` has it.
    pub(super) fn texts(
        &self,
        unedited: &[Unedited],
        kept: &[RootPath],
        stop: Stop<'_>,
    ) -> Result<Texts, Failure> {
        let (mut texts, mut bytes, mut names) = (Texts::default(), 0, 0);
        let paths = unedited.iter().map(|file| &file.entry.path).chain(kept);
        for path in paths.collect::<BTreeSet<_>>() {
            stop()?;
            let Some(text) = self.text(path) else { continue };
            let Some(lines) = lines(text.as_bytes()) else { continue };
            let reach = Reach::of(path, &lines);
            bytes += text.len() as u64;
            names += reach.len();
            texts.paths.insert(path.clone());
            if bytes > OF_ALL || names > NAMES {
                texts.cut = true;
                break;
            }
            if reach.len() > 0 {
                texts.reaches.push(reach);
            }
        }
        Ok(texts)
    }

    /// The unedited files of configuration, in path order. Programs are none.
    pub(super) fn unedited(&self, entries: &Verdicts) -> Vec<Unedited> {
        let found = entries.shown().filter(|shown| {
            shown.class == Class::Immutable && !shown.deleted && is_within(shown.path, PLACE)
        });
        let found = found.filter_map(|shown| {
            let judged = entries.get(&RootPath::parse(shown.path).ok()?)?;
            let template = match &judged.reason {
                Reason::TemplateCopy { template } => Some(template),
                Reason::AsPackaged { .. } | Reason::AsInstalled { .. } => None,
                Reason::UcfPristine | Reason::ScriptCopy => None,
                _ => return None,
            };
            let entry = judged.entry;
            let is_text = entry.kind.is_file() && entry.kind.size() <= LIMIT;
            if !is_text || is_for_others(&entry.path) || entry.meta.mode & 0o111 != 0 {
                return None;
            }
            let of_template = template.and_then(|path| self.owners(path).into_iter().next());
            let written = self.installed.generated(&entry.path).and_then(|text| text.package);
            let owner = judged.package.or(of_template).or(written.map(str::to_owned));
            Some(Unedited { package: owner.unwrap_or_default(), entry })
        });
        found.collect()
    }

    /// The packages that `path` is of.
    pub(super) fn owners(&self, path: &RootPath) -> BTreeSet<String> {
        self.installed.claims(path).map(|claim| claim.package.to_owned()).collect()
    }

    /// Whether `path` is the configuration of a part that is not in use: beside its directory there is
    /// one of a package in `on`, with a file of the same name.
    pub(super) fn is_for_another(
        &self,
        path: &RootPath,
        on: &BTreeSet<String>,
        is_there: &dyn Fn(&RootPath) -> bool,
    ) -> bool {
        let is_on = |dir: &RootPath| self.owners(dir).iter().any(|owner| on.contains(owner));
        let Some(dir) = path.parent().filter(|dir| !is_on(dir)) else { return false };
        let Some(all) = dir.parent().filter(|all| all.as_bytes() != PLACE) else { return false };
        let children = self.tree.children(&all).unwrap_or_default();
        children.into_iter().any(|child| {
            child.kind.is_dir() && is_there(&child.path.child(path.name())) && is_on(&child.path)
        })
    }

    /// The packages of which a service was on: those that somebody asked for, or of their family.
    pub(super) fn on(&self, entries: &Verdicts) -> BTreeSet<String> {
        let mut places = Vec::new();
        for shown in entries.shown().filter(|shown| !shown.deleted) {
            if !is_within(shown.path, PLACE) {
                continue;
            }
            let Ok(path) = RootPath::parse(shown.path) else { continue };
            match Link::parse(&path) {
                Some(Link::Pulled { scope: Scope::System, unit }) if !unit.ends_with(b".timer") => {
                    places.extend(Scope::System.packaged().iter().map(|dir| dir.child(unit)));
                }
                Some(Link::Runlevel { action: Action::Start, service, .. }) => {
                    places.push(init::script(service));
                }
                _ => {}
            }
        }
        for word in self.settings.words().filter(|word| word.len() < 256) {
            let at = |dir: &str| RootPath::parse(format!("{dir}{word}").as_bytes()).ok();
            match word.starts_with('/') {
                true => places.extend(at("")),
                false if word.contains('/') => {}
                false => {
                    let dirs = ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/etc/init.d/"];
                    places.extend(dirs.into_iter().filter_map(at));
                }
            }
        }
        // What came along with something else is nobody's service.
        let units = self.installed.units().filter(|unit| !unit.auto);
        let asked: BTreeSet<&str> = units.map(|unit| stem(unit.name)).collect();
        let owners = places.iter().flat_map(|place| self.owners(place));
        owners.filter(|package| asked.contains(stem(package))).collect()
    }

    /// The families of packages that have something of the user's in or beside their configuration.
    pub(super) fn near(&self, kept: &[RootPath]) -> BTreeSet<String> {
        let mut stems = BTreeSet::new();
        for path in kept {
            stems.extend(self.owners(path).iter().map(|package| stem(package).to_owned()));
            for dir in path.ancestors().skip(2) {
                let owners = self.owners(&dir);
                if owners.len() <= SHARED {
                    stems.extend(owners.iter().map(|package| stem(package).to_owned()));
                }
            }
        }
        stems
    }
}

/// Whether a file has an effect: one that waits in a directory for being switched on has one only
/// where `is_there` says that there is something of its name in the other directory.
pub(super) fn is_enabled(path: &RootPath, is_there: &dyn Fn(&RootPath) -> bool) -> bool {
    let dir = path.parent().unwrap_or_else(RootPath::root);
    let Some(kind) = dir.name().strip_suffix(b"-available") else { return true };
    let enabled = dir.parent().map(|top| top.child(&[kind, b"-enabled"].concat()));
    enabled.is_some_and(|enabled| is_there(&enabled.child(path.name())))
}

/// What the names of packages of one application begin with: `squid` of `squid-common`, `php` of
/// `php7.4-fpm`.
pub(super) fn stem(package: &str) -> &str {
    let first = package.split(['-', ':']).next().unwrap_or_default();
    first.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}
