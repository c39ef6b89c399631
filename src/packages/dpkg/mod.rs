//! Debian's package database, read from its files.
//!
//! [`Dpkg::load`] reads everything once; all questions are answered from memory. Paths in
//! questions and answers are canonical, as a walk of the tree meets them, wherever the records
//! say `/bin/ls` of a `/usr/bin/ls`.

mod admin;
mod alternative;
mod diversion;
mod files;
mod filter;
mod helper;
mod listed;
mod script;
mod stat_override;
mod status;
mod supply;
mod switched;
mod ucf;
mod wanted;

pub(crate) use alternative::Alternative;
pub use alternative::AlternativeStatus;
pub(crate) use listed::ever_listed;
pub(crate) use script::{Moment, Script};
pub(crate) use stat_override::StatOverride;
pub(crate) use switched::{Switched, leaves_off};

use self::admin::admin;
use self::alternative::Alternatives;
use self::diversion::Diversions;
use self::files::{Layout, Lists};
use self::filter::{Filters, Node};
use self::status::{Packages, StatusFile};
use self::ucf::Ucf;
use super::apt::AutoInstalled;
use super::intent::{self, Intent};
use super::md5::Md5;
use super::moving::Told;
use super::ownership::{ClaimRef, Claims, Owned, OwnedPath, Unpacked};
use super::package::Package;
use super::problem::{Damage, Problem};
use super::records::{MAX_TABLE, Records, lines};
use crate::tree::{RootPath, Tree, TreeError};

/// A system's dpkg database.
#[derive(Debug)]
pub struct Dpkg {
    /// Every package that left a trace, by name, then architecture.
    pub packages: Vec<Package>,
    /// What is wrong with the database.
    pub problems: Vec<Problem>,
    /// The system's own architecture and those added to it; empty where nothing says.
    pub architectures: Vec<String>,
    /// The packages' scripts, by path.
    pub scripts: Vec<Script>,
    claims: Claims,
    filters: Filters,
    diversions: Diversions,
    ucf: Ucf,
    alternatives: Alternatives,
    stat_overrides: Vec<StatOverride>,
}

impl Dpkg {
    /// Reads the database of `tree`; `None` when there is none.
    ///
    /// # Errors
    /// The system's, on the record of the packages itself. Damage to anything else, and damage to
    /// the record that an older copy or its undamaged parts make up for, is in
    /// [`Dpkg::problems`].
    pub fn load(tree: &dyn Tree) -> Result<Option<Dpkg>, TreeError> {
        let mut records = Records::new(tree);
        let (mut packages, file) = status::load(&mut records)?;
        let lists = Lists::load(&mut records);
        if let StatusFile::Lost(damage) = file
            && packages.is_empty()
        {
            if lists.is_empty() && damage == Damage::Missing && records.problems.is_empty() {
                return Ok(None);
            }
            salvage(&mut records, &mut packages, &lists, damage);
        }
        let mut found: Vec<_> = packages.into_values().collect();
        let architectures = architectures(&mut records, &found);
        let auto = AutoInstalled::load(&mut records);
        for found in &mut found {
            found.package.auto = auto.has(&found.package);
        }
        let layout = Layout {
            diversions: Diversions::load(&mut records),
            filters: Filters::load(&mut records),
        };
        let claims = files::claims(&mut records, &mut found, &lists, &layout, file);
        Ok(Some(Dpkg {
            packages: found.into_iter().map(|found| found.package).collect(),
            architectures,
            scripts: lists.scripts,
            claims,
            filters: layout.filters,
            diversions: layout.diversions,
            ucf: Ucf::load(&mut records),
            alternatives: Alternatives::load(&mut records),
            stat_overrides: stat_override::load(&mut records),
            problems: records.problems.finish(),
        }))
    }

    /// The package that `path` came with. Removed packages own nothing any more, not even the
    /// configuration they left. Of several owners, one that recorded a digest comes first.
    pub fn owner(&self, path: &RootPath) -> Option<Owned<'_>> {
        self.claims.of(path).find_map(|claim| self.owned(path, claim))
    }

    /// What the packages' scripts say of paths that earlier versions had.
    pub(crate) fn told(&self, tree: &dyn Tree) -> Vec<Told> {
        script::told(&self.scripts, tree)
    }

    /// Whether packages brought something below `path`: it is a directory to them.
    pub fn is_directory(&self, path: &RootPath) -> bool {
        self.claims.any_below(path)
    }

    /// Every package that `path` came with: directories have many, and files that are the same
    /// for several architectures.
    pub fn owners<'a>(&'a self, path: &RootPath) -> impl Iterator<Item = Owned<'a>> {
        self.claims.of(path).filter_map(move |claim| self.owned(path, claim))
    }

    /// Every path that packages brought, in path order: what is not there was deleted, or never
    /// unpacked.
    pub fn owned_paths(&self) -> impl Iterator<Item = OwnedPath<'_>> {
        self.claims.paths().filter_map(|(path, claim)| {
            let owned = self.owned(&path, claim)?;
            Some(OwnedPath { path, owned, excluded: claim.unpacked == Unpacked::Excluded })
        })
    }

    fn owned(&self, path: &RootPath, claim: ClaimRef) -> Option<Owned<'_>> {
        let package = self.packages.get(claim.package)?;
        Some(Owned { package, digest: claim.digest, conffile: package.conffile(path) })
    }

    /// Whether dpkg was told not to unpack `path` (`path-exclude` without a later
    /// `path-include`): then its absence is no deletion.
    pub fn is_excluded(&self, path: &RootPath) -> bool {
        let mut claims = self.claims.of(path).peekable();
        match claims.peek() {
            Some(_) => claims.all(|claim| claim.unpacked == Unpacked::Excluded),
            None => self.filters.exclude(path, Node::File),
        }
    }

    /// Digest of the text that ucf last put at `path` for a package: equal content is not edited.
    pub fn ucf_digest(&self, path: &RootPath) -> Option<Md5> {
        self.ucf.digest(path)
    }

    /// The package that registered `path` with ucf.
    pub fn ucf_package(&self, path: &RootPath) -> Option<&str> {
        self.ucf.package(path)
    }

    /// Where ucf keeps a copy of the text that it last put at `path`.
    pub fn ucf_copy(&self, path: &RootPath) -> Option<RootPath> {
        self.ucf.copy(path)
    }

    /// All alternatives, by name.
    pub fn alternatives(&self) -> &[Alternative] {
        &self.alternatives.all
    }

    /// The alternative that manages the link at `path`, be it the one that users follow or the
    /// one below `/etc/alternatives`. [`Alternative::target`] says what it points to unchanged.
    pub fn is_alternative_link(&self, path: &RootPath) -> Option<&Alternative> {
        self.alternatives.of_link(path)
    }

    /// All diversions: what packages call the file, where it lies, and the package whose own file
    /// stays in its place; `None` for the administrator's.
    pub fn diversions(&self) -> impl Iterator<Item = (&RootPath, &RootPath, Option<&[u8]>)> {
        self.diversions.all()
    }

    /// The administrator's diversions: from where to where.
    pub fn local_diversions(&self) -> impl Iterator<Item = (&RootPath, &RootPath)> {
        self.diversions.all().filter(|(.., by)| by.is_none()).map(|(from, to, _)| (from, to))
    }

    /// All fixed owners and modes, by path.
    pub fn stat_overrides(&self) -> &[StatOverride] {
        &self.stat_overrides
    }

    /// Owner and mode that the administrator fixed for `path`.
    pub fn stat_override(&self, path: &RootPath) -> Option<&StatOverride> {
        let at = self.stat_overrides.binary_search_by(|found| found.path.cmp(path)).ok()?;
        self.stat_overrides.get(at)
    }

    /// The packages somebody asked for, by name, and those that came by a recommendation:
    /// installing them again with what they depend on brings back every installed package.
    /// Packages that `in_base` names, because the new system has them anyway, are left out.
    pub fn intents(&self, in_base: impl Fn(&Package) -> bool) -> Vec<Intent<'_>> {
        intent::intents(&self.packages, in_base)
    }

    /// The architecture of a package that is made for another one than the system.
    pub fn foreign<'a>(&self, package: &'a Package) -> Option<&'a str> {
        let native = self.architectures.first()?.as_str();
        let arch = package.arch.as_str();
        (!["", "all", native].contains(&arch)).then_some(arch)
    }

    /// The package `name` when its files are on disk, of its first architecture if it has several.
    pub fn is_installed(&self, name: &str) -> Option<&Package> {
        let from = self.packages.partition_point(|package| package.name.as_str() < name);
        let same = self.packages[from..].iter().take_while(|package| package.name == name);
        same.into_iter().find(|package| package.has_files())
    }
}

/// Without any record, the lists still tell names and files.
fn salvage(records: &mut Records<'_>, packages: &mut Packages, lists: &Lists, damage: Damage) {
    let file = admin(b"status");
    if lists.is_empty() {
        // That a file cannot be read was said when it was not.
        if !matches!(damage, Damage::Missing | Damage::Unreadable) {
            records.problems.note(Problem::Damaged { file, damage });
        }
    } else {
        lists.salvage(packages);
        records.problems.note(Problem::ListsOnly { file, damage, used: admin(b"info") });
    }
}

/// From dpkg's own table, else the architecture of dpkg itself.
fn architectures(records: &mut Records<'_>, found: &[status::Found]) -> Vec<String> {
    let table = records.read(&admin(b"arch"), MAX_TABLE).unwrap_or_default();
    let names = lines(&table).map(|line| String::from_utf8_lossy(line.trim_ascii()).into_owned());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).take(100).collect();
    if !names.is_empty() {
        return names;
    }
    let dpkg = found.iter().map(|found| &found.package).find(|package| package.name == "dpkg");
    dpkg.map(|package| package.arch.clone()).into_iter().collect()
}

#[cfg(test)]
mod tests;
