//! Classification: which class every path of a source has, and why.
//!
//! [`Classifier`] gathers the [`Evidence`] about a path (packages, image, rules, the user's globs,
//! times); the ladder ([`decide`]) turns it into a [`Verdict`]. Gathering reads the source and
//! executes nothing in it; deciding is a pure function of the evidence.

mod capabilities;
mod digest;
mod evidence;
mod globs;
mod ladder;
mod offers;
mod reasons;
mod recorded;
mod said;
mod unpacked;

use std::collections::HashSet;
use std::sync::OnceLock;

pub(crate) use digest::digest;
use digest::{feed, sha256};
pub(crate) use evidence::{
    Content, Evidence, PackageEvidence, Place, RuleEvidence, Statement, Template,
};
pub use evidence::{LogPolicy, UserChoice};
pub(crate) use globs::Globs;
pub(crate) use ladder::{climb, decide};
pub(crate) use offers::Offers;
pub(crate) use recorded::Numbers;
use recorded::{recorded_content, recorded_meta};
pub(crate) use unpacked::Unpacked;

use crate::declared::Declared;
use crate::environments::{Environments, Part, PartOf};
use crate::image::{Difference, ImageView};
use crate::layout::{LayoutMatch, LayoutMatcher, Surroundings, Unpacking};
use crate::packages::Md5 as Recorded;
use crate::packages::{Alternative, AlternativeStatus, Claim, Installed, RecordedKind, Role};
use crate::tree::{
    Entry, Kind, Meta, RootPath, Time, Tree, TreeError, is_mostly_holes, resolve, resolve_parent,
};
use crate::verdict::{Location, Origin, Worth};

/// Directories that only a running system fills; the directories themselves belong to packages.
const RUNTIME: &[&[u8]] = &[b"/proc", b"/sys", b"/dev", b"/run", b"/tmp"];

/// Files that a container engine writes into every container.
const ENGINE_MANAGED: &[&[u8]] =
    &[b"/.dockerenv", b"/etc/hostname", b"/etc/hosts", b"/etc/resolv.conf", b"/etc/mtab"];

/// The account files: merged by name at the restore.
const ACCOUNTS: &[&[u8]] = &[
    b"/etc/passwd",
    b"/etc/group",
    b"/etc/shadow",
    b"/etc/gshadow",
    b"/etc/subuid",
    b"/etc/subgid",
];

/// A template larger than this is not compared: they are configuration files.
const TEMPLATE_LIMIT: u64 = 4 * 1024 * 1024;

/// A file larger than this is not searched for passwords: they stand in configuration files.
const SECRET_LIMIT: u64 = 1024 * 1024;

/// After which moment a change counts as the service's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// None is known: an unpacked root without a marker.
    None,
    /// Everything that is not in the container's image.
    Image,
    /// A moment.
    Time(Time),
}

/// Everything that evidence is gathered from.
pub(crate) struct Classifier<'a> {
    /// The whole source.
    pub tree: &'a dyn Tree,
    /// Its package databases.
    pub installed: &'a Installed,
    /// Its environments of languages.
    pub environments: &'a Environments<'a>,
    /// The numbers of its accounts.
    pub numbers: &'a Numbers,
    /// What its own files say about paths that no package owns.
    pub declared: &'a Declared,
    /// Whether it is a container's, into which an engine wrote files of its own.
    pub in_container: bool,
    /// Its image, for a container.
    pub image: Option<&'a ImageView>,
    /// The image that the user declared to be had again.
    pub base: Option<&'a dyn Tree>,
    /// The rules of the applications it holds.
    pub rules: &'a LayoutMatcher,
    /// The user's own globs.
    pub globs: &'a Globs,
    /// The baseline.
    pub baseline: Baseline,
    /// What becomes of logs.
    pub logs: LogPolicy,
    /// What the source's own package lists offer.
    pub offers: &'a Offers,
    /// What packages brought, by digest; gathered when the first file asks.
    pub shipped: OnceLock<HashSet<Recorded>>,
    /// Directories that a server made of an archive; looked at when the first path asks.
    pub unpacked: Unpacked,
}

impl Classifier<'_> {
    /// All evidence about `entry`, at `location`.
    pub(crate) fn evidence(
        &self,
        entry: &Entry,
        location: Location,
    ) -> Result<Evidence, TreeError> {
        let origin = match (location, self.image) {
            (Location::Volume, _) => Origin::Volume,
            (Location::Bind, _) => Origin::Bind,
            (Location::Root, Some(image)) => image.origin(entry)?,
            (Location::Root, None) => Origin::Root,
        };
        let mut evidence = Evidence {
            user: self.globs.choice(&entry.path).cloned(),
            place: self.place(&entry.path),
            logs: self.logs,
            newer: self.newer(entry, origin),
            plain: plain(&entry.meta),
            ..Evidence::none(entry.kind.file_type(), origin)
        };
        if location != Location::Root || evidence.place == Place::Runtime {
            return Ok(evidence);
        }
        // A ghost was made by somebody later: its package vouches for nothing.
        let (ghosts, claims): (Vec<Claim>, Vec<Claim>) =
            self.installed.claims(&entry.path).partition(|claim| claim.role == Role::Ghost);
        evidence.package = self.package(entry, &claims)?;
        evidence.image = match self.image {
            Some(image) => self.difference(image, entry, claims.first())?,
            None => None,
        };
        if evidence.package.is_none() {
            self.unowned(entry, &ghosts, &mut evidence)?;
        } else if let Kind::Symlink { target } = &entry.kind {
            evidence.usual_link = self.is_usual(&entry.path, target)?;
        } else if !evidence.plain && evidence.image.is_none() {
            // Of an upgraded package the image has the earlier file, with the same metadata.
            let earlier = self.image.map_or(Ok(None), |image| image.entry(&entry.path))?;
            evidence.plain = earlier.is_some();
        }
        Ok(evidence)
    }

    /// How `entry` differs from the image; a package's own from what the package put there.
    ///
    /// Directories belong to many packages, whose scripts may change them at any time: they are
    /// compared with the image as a whole.
    fn difference(
        &self,
        image: &ImageView,
        entry: &Entry,
        claim: Option<&Claim>,
    ) -> Result<Option<Difference>, TreeError> {
        let Some(claim) = claim.filter(|_| !entry.kind.is_dir()) else {
            return image.difference(entry).map(Some);
        };
        for record in claim.written_with() {
            if self.tree.entry(&record)?.is_some() {
                return image.difference_since(entry, &record);
            }
        }
        image.difference(entry).map(Some)
    }

    /// The evidence about something that is there no more: the ladder's answer says whether its
    /// absence is worth recording.
    pub(crate) fn evidence_of_absent(&self, absent: &Entry, origin: Origin) -> Evidence {
        let path = &absent.path;
        Evidence {
            user: self.globs.choice(path).cloned(),
            place: self.place(path),
            logs: self.logs,
            alternative: self.absent_alternative(path),
            environment: self.lacking(path),
            rule: self.rule(absent).map(rule_evidence),
            said: self.declared.switches.of_absent(path).map(Statement::Switch),
            ..Evidence::none(absent.kind.file_type(), origin)
        }
    }

    /// Whether a file of which `evidence` was gathered holds keys or passwords: rules say so, of
    /// the path or of a line in it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn is_secret(&self, entry: &Entry, evidence: &Evidence) -> Result<bool, TreeError> {
        if !entry.kind.is_file() || entry.kind.size() == 0 {
            return Ok(false);
        }
        let asked =
            evidence.package.is_none() && !matches!(evidence.origin, Origin::Volume | Origin::Bind);
        let worth = match asked {
            true => evidence.rule.as_ref().map(|rule| rule.worth),
            false => self.rule(entry).map(|rule| rule.entry.worth),
        };
        if worth == Some(Worth::Secret) {
            return Ok(true);
        }
        if entry.kind.size() > SECRET_LIMIT || !self.rules.may_be_secret(&entry.path) {
            return Ok(false);
        }
        let mut content = vec![];
        feed(self.tree, entry, |bytes| content.extend_from_slice(bytes))?;
        Ok(self.rules.is_secret(&entry.path, &content))
    }

    /// Whether a package's symlink at `path` leads to where packages' links lead: to what packages
    /// or rules know, or out of the files of the system. One in the place of a directory, or to
    /// somebody's own files, somebody made.
    fn is_usual(&self, path: &RootPath, target: &[u8]) -> Result<bool, TreeError> {
        let aim = path.aim(target);
        if self.installed.brought_as(path) == RecordedKind::Dir {
            return Ok(false);
        }
        let below =
            |dirs: &[&str]| dirs.iter().any(|dir| aim.as_bytes().starts_with(dir.as_bytes()));
        if self.managed(&aim).is_some()
            || below(&["/dev/", "/proc/", "/sys/", "/run/", "/etc/alternatives/"])
            || self.is_packaged(&aim)
            || self.rules.is_made(&aim)
        {
            return Ok(true);
        }
        // Packages' links to what is not installed.
        Ok(below(&["/usr/", "/lib", "/bin/", "/sbin/"]) && resolve(self.tree, &aim)?.is_none())
    }

    /// What the rules say of `entry`.
    fn rule(&self, entry: &Entry) -> Option<LayoutMatch<'_>> {
        self.rules.matches_entry(entry, self)
    }

    /// Evidence that only matters where no package owns the path.
    fn unowned(
        &self,
        entry: &Entry,
        ghosts: &[Claim],
        evidence: &mut Evidence,
    ) -> Result<(), TreeError> {
        let path = &entry.path;
        evidence.leads_to = self.leads_to(entry)?;
        evidence.alternative = self.alternative(entry)?;
        let rule = self.rule(entry);
        evidence.rule = rule.map(rule_evidence);
        evidence.compiled = self.compiled(path)?;
        evidence.said = self.said(entry, ghosts)?;
        evidence.environment = self.environment(entry, evidence.image)?;
        if entry.kind.is_file() {
            let generated = self.installed.generated(path);
            if let Some(expected) = generated.and_then(|generated| generated.digest) {
                let equal =
                    !is_mostly_holes(self.tree, entry)? && digest(self.tree, entry)? == expected;
                evidence.ucf = Some(if equal { Content::Equal } else { Content::Differs });
                evidence.ucf_shipped = self.is_shipped(expected);
            }
            if let Some(rule) = rule {
                evidence.template = self.template(entry, rule)?;
            }
        }
        if let Some(base) = self.base {
            evidence.in_base = same_in(base, self.tree, entry)?;
        }
        Ok(())
    }

    /// Whether some package brought a file of this content: what a script made of the answers to
    /// its questions, passwords among them, no package brings again.
    fn is_shipped(&self, digest: Recorded) -> bool {
        self.shipped.get_or_init(|| self.installed.shipped().collect()).contains(&digest)
    }

    /// What an environment says of the absence of `path`: its list says what is installed.
    fn lacking(&self, path: &RootPath) -> Option<PartOf> {
        let found = self.environments.lacking(path).ok()??;
        Some(PartOf { root: found.root().clone(), part: Part::Made })
    }

    /// What an environment says of `entry`, which differs from the image as given.
    fn environment(
        &self,
        entry: &Entry,
        difference: Option<Difference>,
    ) -> Result<Option<PartOf>, TreeError> {
        let mut found = self.environments.part(entry)?;
        if let (Some(image), Some(Difference::Content | Difference::Meta)) =
            (self.image, difference)
            && let Some(PartOf { part: Part::Installed { record, unchanged, .. }, .. }) = &mut found
            && let Some(record) = self.tree.entry(record)?
            && image.difference(&record)? == Difference::Same
        {
            // The record is as old as the image, and the image shows another file: it is a claim
            // that was made to fit, or somebody changed the file's owner or mode.
            *unchanged = false;
        }
        Ok(found)
    }

    fn place(&self, path: &RootPath) -> Place {
        let bytes = path.as_bytes();
        let below = |dir: &&[u8]| {
            bytes.starts_with(dir) && bytes.get(dir.len()).is_some_and(|&b| b == b'/')
        };
        if RUNTIME.iter().any(below) {
            Place::Runtime
        } else if ACCOUNTS.contains(&bytes) {
            Place::Accounts
        } else if self.in_container && ENGINE_MANAGED.contains(&bytes) {
            Place::EngineManaged
        } else {
            Place::Ordinary
        }
    }

    fn newer(&self, entry: &Entry, origin: Origin) -> Option<bool> {
        match self.baseline {
            Baseline::None => None,
            Baseline::Image => Some(origin == Origin::Container),
            Baseline::Time(moment) => {
                Some(entry.meta.mtime > moment || entry.ctime.is_some_and(|ctime| ctime > moment))
            }
        }
    }

    fn package(
        &self,
        entry: &Entry,
        claims: &[Claim],
    ) -> Result<Option<PackageEvidence>, TreeError> {
        let Some(claim) = claims.first() else { return Ok(None) };
        let name = claim.package.to_owned();
        Ok(Some(PackageEvidence {
            conffile: claim.role == Role::Config,
            content: recorded_content(self.tree, entry, claim)?,
            meta: recorded_meta(entry, claims, self.numbers),
            offered: self.offered(claims),
            name,
        }))
    }

    /// Whether one of the packages that bring a path can be had again.
    fn offered(&self, claims: &[Claim]) -> Option<bool> {
        let all = claims.iter().map(|claim| self.offers.offered(claim.package));
        all.reduce(|one, other| if one == Some(false) { other } else { one }).flatten()
    }

    /// The package that brings what the link `entry` leads to, where that cannot be had again:
    /// such a link is made when the package is installed.
    fn leads_to(&self, entry: &Entry) -> Result<Option<String>, TreeError> {
        if !self.offers.any_missing() || !matches!(entry.kind, Kind::Symlink { .. }) {
            return Ok(None);
        }
        // One that leads nowhere leads to no package.
        let Ok(Some(end)) = resolve(self.tree, &entry.path) else { return Ok(None) };
        let claims: Vec<Claim> = self.installed.claims(&end).collect();
        let gone = self.offered(&claims) == Some(false);
        Ok(claims.first().filter(|_| gone).map(|claim| claim.package.to_owned()))
    }

    fn managed(&self, path: &RootPath) -> Option<&Alternative> {
        self.installed.alternative(path)
    }

    /// Whether a link of the alternatives system is as the packages alone would have it: chosen by
    /// priority, for a program that a package brings, and not bent by hand.
    fn alternative(&self, entry: &Entry) -> Result<Option<bool>, TreeError> {
        let Some(alternative) = self.managed(&entry.path) else { return Ok(None) };
        let Some(chosen) = alternative.chosen_by_priority() else { return Ok(Some(false)) };
        let as_told = match (&entry.kind, alternative.target(&entry.path)) {
            (Kind::Symlink { target }, Some(told)) => target.as_slice() == told.as_bytes(),
            _ => false,
        };
        let program = resolve_parent(self.tree, &chosen.path)?.unwrap_or(chosen.path.clone());
        Ok(Some(as_told && self.installed.claims(&program).next().is_some()))
    }

    /// As [`Classifier::alternative`] of a link that is not there: the current choice may have none.
    fn absent_alternative(&self, path: &RootPath) -> Option<bool> {
        let alternative = self.managed(path)?;
        let by_itself = alternative.status == AlternativeStatus::Auto;
        Some(by_itself || alternative.target(path).is_none())
    }

    /// A `.pyc` whose source stands where the interpreter looks for it.
    fn compiled(&self, path: &RootPath) -> Result<bool, TreeError> {
        let name = path.name();
        let (Some(dir), Some(stem)) = (path.parent(), name.strip_suffix(b".pyc")) else {
            return Ok(false);
        };
        let module = stem.split(|&b| b == b'.').next().unwrap_or(stem);
        if dir.name() != b"__pycache__" || module.is_empty() {
            return Ok(false);
        }
        let Some(above) = dir.parent() else { return Ok(false) };
        let source = above.child(&[module, b".py"].concat());
        Ok(self.tree.entry(&source)?.is_some())
    }

    fn template(
        &self,
        entry: &Entry,
        rule: LayoutMatch<'_>,
    ) -> Result<Option<Template>, TreeError> {
        if entry.kind.size() > TEMPLATE_LIMIT {
            return Ok(None);
        }
        if !rule.entry.sha256.is_empty() {
            let found = hex::encode(sha256(self.tree, entry)?);
            if rule.entry.sha256.contains(&found) {
                return Ok(Some(Template::Script));
            }
        }
        let Some(template) = rule.template else { return Ok(None) };
        // One that cannot be read explains nothing.
        let Ok(Some(place)) = resolve(self.tree, template) else { return Ok(None) };
        let Ok(Some(original)) = self.tree.entry(&place) else { return Ok(None) };
        if original.kind != entry.kind {
            return Ok(None);
        }
        let Ok(wanted) = digest(self.tree, &original) else { return Ok(None) };
        let same = wanted == digest(self.tree, entry)?;
        Ok(same.then(|| Template::File(template.clone())))
    }
}

impl Surroundings for Classifier<'_> {
    fn is_packaged(&self, path: &RootPath) -> bool {
        let generated = |place: &RootPath| {
            self.installed.generated(place).is_some_and(|generated| generated.package.is_some())
        };
        let place = resolve_parent(self.tree, path).ok().flatten();
        place.is_some_and(|place| {
            self.installed.claims(&place).next().is_some() || generated(&place)
        })
    }

    fn is_unpacked(&self, path: &RootPath, unpacking: &Unpacking) -> bool {
        self.unpacked.holds(self.tree, path, unpacking)
    }
}

/// Whether the metadata is that of nearly everything in a package.
fn plain(meta: &Meta) -> bool {
    let readable = matches!(meta.mode & 0o7777, 0o755 | 0o644);
    readable && (meta.uid, meta.gid) == (0, 0) && meta.xattrs.is_empty()
}

/// Whether `base` holds the same as `entry` of `tree`: kind, content, owner and mode.
fn same_in(base: &dyn Tree, tree: &dyn Tree, entry: &Entry) -> Result<bool, TreeError> {
    let Some(theirs) = base.entry(&entry.path)? else { return Ok(false) };
    let (a, b) = (&entry.meta, &theirs.meta);
    if entry.kind != theirs.kind || (a.mode, a.uid, a.gid) != (b.mode, b.uid, b.gid) {
        return Ok(false);
    }
    if !entry.kind.is_file() {
        return Ok(true);
    }
    Ok(!is_mostly_holes(tree, entry)? && digest(tree, entry)? == digest(base, &theirs)?)
}

fn rule_evidence(found: LayoutMatch<'_>) -> RuleEvidence {
    RuleEvidence {
        app: found.app.to_owned(),
        worth: found.entry.worth,
        why: found.entry.why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::layout::Recognised;
    use crate::layout::load::parse;
    use crate::tree::FileType;
    use crate::tree::memory::MemoryTree;
    use crate::verdict::Reason;

    /// MD5 of `hello` and a newline, as package managers record it.
    const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// A system with the package `app`, whose files all say `hello` when they are unchanged.
    fn system() -> MemoryTree {
        let status = format!(
            "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
             Conffiles:\n /etc/app.conf {HELLO}\n"
        );
        let list = "/.\n/etc\n/etc/app.conf\n/usr\n/usr/bin\n/usr/bin/app\n/usr/bin/unrecorded\n";
        MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/app.list", list)
            .file("/var/lib/dpkg/info/app.md5sums", format!("{HELLO}  usr/bin/app\n"))
    }

    /// What a classifier is made with, the defaults being that nothing is known.
    pub(super) struct Known {
        tree: MemoryTree,
        base: Option<MemoryTree>,
        rules: &'static str,
        globs: Vec<UserChoice>,
        baseline: Baseline,
        offers: Offers,
    }

    impl Known {
        pub(super) fn of(tree: MemoryTree) -> Known {
            Known {
                tree,
                base: None,
                rules: "",
                globs: vec![],
                baseline: Baseline::None,
                offers: Offers::Unknown,
            }
        }

        fn evidence(&self, at: &str, location: Location) -> Evidence {
            let text = format!(
                "app: app\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\nlayout:\n  \
                 - {{globs: [/never], worth: data, why: because}}\n{}",
                self.rules
            );
            let rule = parse("x.yaml", &text).unwrap();
            let app = Recognised { app: "app".to_owned(), version: None, rule };
            let installed = Installed::load(&self.tree).unwrap();
            let packaged = |path: &RootPath| installed.claims(path).next().is_some();
            let classifier = Classifier {
                tree: &self.tree,
                installed: &installed,
                environments: &Environments::new(&self.tree, &packaged),
                numbers: &Numbers::load(&self.tree).unwrap(),
                declared: &Declared::load(&self.tree, &Installed::load(&self.tree).unwrap()),
                in_container: false,
                image: None,
                base: self.base.as_ref().map(|base| base as &dyn Tree),
                rules: &LayoutMatcher::new(&[app]).unwrap(),
                globs: &Globs::new(self.globs.clone()).unwrap(),
                baseline: self.baseline,
                logs: LogPolicy::Keep,
                offers: &self.offers,
                shipped: OnceLock::new(),
                unpacked: Unpacked::default(),
            };
            let entry = self.tree.entry(&path(at)).unwrap().unwrap();
            classifier.evidence(&entry, location).unwrap()
        }

        pub(super) fn of_root(&self, at: &str) -> Evidence {
            self.evidence(at, Location::Root)
        }
    }

    fn package(conffile: bool, content: Content) -> Option<PackageEvidence> {
        let meta = Content::Unrecorded;
        Some(PackageEvidence { name: "app".to_owned(), conffile, content, meta, offered: None })
    }

    fn nothing() -> Evidence {
        Evidence::none(FileType::File, Origin::Root)
    }

    #[test]
    fn a_packages_file_is_compared_with_the_digest_that_was_recorded() {
        let equal = Known::of(system().file("/usr/bin/app", "hello\n"));
        let differs = Known::of(system().file("/usr/bin/app", "hallo\n"));
        let replaced = Known::of(system().link("/usr/bin/app", "other"));
        let unrecorded = Known::of(system().file("/usr/bin/unrecorded", "hello\n"));
        let found = |known: Known, at: &str| known.of_root(at).package;
        assert_eq!(found(equal, "/usr/bin/app"), package(false, Content::Equal));
        assert_eq!(found(differs, "/usr/bin/app"), package(false, Content::Differs));
        assert_eq!(found(replaced, "/usr/bin/app"), package(false, Content::Differs));
        let unrecorded = found(unrecorded, "/usr/bin/unrecorded");
        assert_eq!(unrecorded, package(false, Content::Unrecorded));
    }

    #[test]
    fn a_conffile_is_compared_with_the_digest_in_the_status() {
        for (text, content) in [("hello\n", Content::Equal), ("edited\n", Content::Differs)] {
            let known = Known::of(system().file("/etc/app.conf", text));
            let expected = Evidence { package: package(true, content), ..nothing() };
            assert_eq!(known.of_root("/etc/app.conf"), expected);
        }
    }

    #[test]
    fn what_a_script_made_of_answers_no_package_brings_again() {
        let answer = "286755fad04869ca523320acce0dc6a4";
        let record = format!("{HELLO}  /etc/copied\n{HELLO}  /etc/edited\n{answer}  /etc/asked\n");
        let tree = system()
            .file("/var/lib/ucf/hashfile", record)
            .file("/etc/copied", "hello\n")
            .file("/etc/edited", "edited\n")
            .file("/etc/asked", "password\n");
        let known = Known::of(tree);
        let found = |at: &str| decide(&known.of_root(at)).reason;
        assert_eq!(found("/etc/copied"), Reason::UcfPristine);
        assert_eq!(found("/etc/edited"), Reason::UcfEdited);
        assert_eq!(found("/etc/asked"), Reason::UcfAnswered);
    }

    #[test]
    fn whether_a_repository_offers_the_package_is_said_only_where_lists_tell() {
        let mut known = Known::of(system().file("/usr/bin/app", "hello\n"));
        let offered = |known: &Known| known.of_root("/usr/bin/app").package.unwrap().offered;
        assert_eq!(offered(&known), None);
        known.offers = Offers::Known { missing: BTreeSet::from(["app".to_owned()]) };
        assert_eq!(offered(&known), Some(false));
        known.offers = Offers::Unproved { missing: BTreeSet::new() };
        assert_eq!(offered(&known), None);
        known.offers = Offers::Known { missing: BTreeSet::new() };
        assert_eq!(offered(&known), Some(true));
    }

    #[test]
    fn links_to_what_cannot_be_had_again_are_kept_and_so_are_its_directories() {
        let units = "/etc/systemd/system/multi-user.target.wants";
        let list = "/usr/lib/systemd/system/app.service\n/opt/app\n/opt/app/spool\n";
        let record = "/var/lib/systemd/deb-systemd-helper-enabled/multi-user.target.wants";
        let tree = system()
            .file("/var/lib/dpkg/info/app.list", list)
            .file("/usr/lib/systemd/system/app.service", "")
            .dir("/opt/app/spool")
            .file(format!("{record}/app.service"), "")
            .link(format!("{units}/app.service"), "/usr/lib/systemd/system/app.service");
        let mut known = Known::of(tree);
        let class = |known: &Known, at: &str| decide(&known.of_root(at)).class;
        let places = [format!("{units}/app.service"), "/opt/app/spool".to_owned()];
        for at in &places {
            assert_eq!(class(&known, at), crate::verdict::Class::Immutable, "{at}");
        }
        known.offers = Offers::Known { missing: BTreeSet::from(["app".to_owned()]) };
        for at in &places {
            let kept = Reason::NotOffered { package: "app".to_owned() };
            assert_eq!(decide(&known.of_root(at)).reason, kept, "{at}");
        }
    }

    #[test]
    fn a_link_in_a_packages_place_leads_to_what_packages_know_or_somebody_made_it() {
        use crate::verdict::Class;
        let list = "/usr/bin/app\n/usr/bin/other\n/usr/share/app\n/usr/share/app/data\n\
                    /usr/bin/unrecorded\n";
        let found = |at: &str, target: &str| {
            let tree = system()
                .file("/var/lib/dpkg/info/app.list", list)
                .file("/usr/bin/app", "hello\n")
                .file("/srv/own/x", "")
                .file("/usr/local/bin/own", "")
                .link(at, target);
            decide(&Known::of(tree).of_root(at)).class
        };
        assert_eq!(found("/usr/bin/other", "app"), Class::Immutable);
        assert_eq!(found("/usr/bin/other", "/dev/null"), Class::Immutable);
        assert_eq!(found("/usr/bin/other", "../share/none"), Class::Immutable);
        assert_eq!(found("/usr/bin/other", "/usr/local/bin/own"), Class::Mutable);
        assert_eq!(found("/usr/bin/other", "/srv/none"), Class::Mutable);
        assert_eq!(found("/usr/share/app", "/srv/own"), Class::Mutable);
        assert_eq!(found("/usr/share/app", "../bin"), Class::Mutable);
    }

    #[test]
    fn of_a_path_that_nothing_knows_there_is_no_evidence() {
        let known = Known::of(system().file("/srv/data", "mine"));
        assert_eq!(known.of_root("/srv/data"), nothing());
    }

    #[test]
    fn in_a_volume_the_package_database_has_no_say() {
        let known = Known::of(system().file("/usr/bin/app", "hello\n"));
        let expected = Evidence::none(FileType::File, Origin::Volume);
        assert_eq!(known.evidence("/usr/bin/app", Location::Volume), expected);
    }

    #[test]
    fn what_lies_in_a_runtime_directory_is_runtime_and_the_directory_is_not() {
        let known = Known::of(system().file("/run/pid", "1").file("/running", ""));
        assert_eq!(known.of_root("/run/pid").place, Place::Runtime);
        assert_eq!(known.of_root("/run").place, Place::Ordinary);
        assert_eq!(known.of_root("/running").place, Place::Ordinary);
        // Only an engine writes these, and an unpacked root has none.
        let known = Known::of(system().file("/etc/hostname", "box").file("/etc/shadow", ""));
        assert_eq!(known.of_root("/etc/hostname").place, Place::Ordinary);
        assert_eq!(known.of_root("/etc/shadow").place, Place::Accounts);
    }

    /// A system in which the alternative `editor` is `/usr/bin/app`, chosen by itself.
    fn with_alternative(program: &str) -> MemoryTree {
        let table = format!("auto\n/usr/bin/editor\n\n{program}\n10\n\n");
        system()
            .file("/usr/bin/app", "hello\n")
            .file("/var/lib/dpkg/alternatives/editor", table)
            .link("/usr/bin/editor", "/etc/alternatives/editor")
            .link("/etc/alternatives/editor", program)
    }

    #[test]
    fn an_alternative_is_the_systems_only_for_a_packages_program_and_unbent() {
        let both = |tree: MemoryTree| {
            let known = Known::of(tree);
            ["/usr/bin/editor", "/etc/alternatives/editor"].map(|at| known.of_root(at).alternative)
        };
        assert_eq!(both(with_alternative("/usr/bin/app")), [Some(true), Some(true)]);
        // Somebody offers a program of their own, or bends one of the links.
        assert_eq!(both(with_alternative("/opt/own")), [Some(false), Some(false)]);
        let bent = with_alternative("/usr/bin/app").link("/usr/bin/editor", "/opt/own");
        assert_eq!(both(bent), [Some(false), Some(true)]);
        let bent = with_alternative("/usr/bin/app").link("/etc/alternatives/editor", "/opt/own");
        assert_eq!(both(bent), [Some(false), Some(false)]);
    }

    #[test]
    fn newer_means_after_the_baseline_and_not_at_it() {
        let at = |secs| Time { secs, nanos: 0 };
        let tree = system().file("/srv/data", "").meta("/srv/data", |meta| meta.mtime = at(100));
        let mut known = Known::of(tree);
        for (baseline, newer) in [(99, Some(true)), (100, Some(false)), (101, Some(false))] {
            known.baseline = Baseline::Time(at(baseline));
            assert_eq!(known.of_root("/srv/data").newer, newer, "{baseline}");
        }
    }

    #[test]
    fn compiled_python_counts_only_beside_its_source() {
        let pyc = "/opt/__pycache__/tool.cpython-39.pyc";
        let alone = Known::of(system().file(pyc, ""));
        let beside = Known::of(system().file(pyc, "").file("/opt/tool.py", ""));
        assert!(!alone.of_root(pyc).compiled);
        assert!(beside.of_root(pyc).compiled);
    }

    #[test]
    fn the_base_image_holds_the_same_only_with_equal_content_and_owner() {
        let tree = || system().file("/opt/code", "text");
        let mut known = Known::of(tree());
        let mut in_base = |base: MemoryTree| {
            known.base = Some(base);
            known.of_root("/opt/code").in_base
        };
        assert!(in_base(tree()));
        assert!(!in_base(system().file("/opt/code", "TEXT")));
        assert!(!in_base(tree().meta("/opt/code", |meta| meta.uid = 5)));
        assert!(!in_base(system()));
    }

    #[test]
    fn a_copy_is_recognised_by_its_template_until_it_is_edited() {
        let rules = "  - {globs: [/etc/app.ini], worth: template-copy, template: /usr/share/app.ini, why: copied}\n";
        let rule = Some(RuleEvidence {
            app: "app".to_owned(),
            worth: Worth::TemplateCopy,
            why: "copied".to_owned(),
        });
        for (text, template) in
            [("as shipped", Some(Template::File(path("/usr/share/app.ini")))), ("edited now", None)]
        {
            let tree = system().file("/usr/share/app.ini", "as shipped").file("/etc/app.ini", text);
            let known = Known { rules, ..Known::of(tree) };
            let expected = Evidence { rule: rule.clone(), template, ..nothing() };
            assert_eq!(known.of_root("/etc/app.ini"), expected);
        }
    }

    #[test]
    fn the_users_glob_is_part_of_the_evidence_wherever_the_path_lies() {
        let choice = UserChoice::Exclude("/srv/**".to_owned());
        let mut known = Known::of(system().file("/srv/data", ""));
        known.globs = vec![choice.clone()];
        assert_eq!(known.of_root("/srv/data").user, Some(choice.clone()));
        assert_eq!(known.evidence("/srv/data", Location::Volume).user, Some(choice));
    }
}
