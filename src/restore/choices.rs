//! What somebody decided about packages, carried over to packages of today.
//!
//! The records in which a package manager keeps such decisions are of one installation. Here they
//! become commands of the new system's own tools, run once all files are placed, where what they
//! are about is still there; else they are held. Whatever the new system decided alike is left.

use std::collections::BTreeSet;

use super::decisions::Decisions;
use super::inputs::{Inputs, unreadable};
use super::settle::{real_directory, real_place};
use super::step::PlannedCommand;
use crate::accounts::{AccountDb, IdMap};
use crate::failure::Failure;
use crate::packages::dpkg::Dpkg;
use crate::survey::{AlternativeFact, Choices, StatOverrideFact};
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, RootPath, Tree, TreeError, read_file, resolve,
};
use crate::verdict::{Held, HeldKind};

/// Largest file of a package that is moved by a diversion.
const LIMIT: u64 = 64 << 20;

/// The list of trusted certificates.
const CERTIFICATES: &str = "/etc/ca-certificates.conf";

/// The list of repositories that is not placed.
const SOURCES: &[u8] = b"/etc/apt/sources.list";

/// What a choice is carried over to.
pub(super) struct New<'a> {
    pub(super) target: &'a dyn Tree,
    pub(super) dpkg: &'a Dpkg,
    /// The accounts of both systems.
    pub(super) accounts: &'a AccountDb,
    pub(super) ids: &'a IdMap,
}

/// The commands that carry the choices over; `draft`, settled and not yet met with the new
/// system's files, is changed where that is simpler. Returned apart are nodes that take the place
/// of a package's file on purpose: they are no edited versions of it.
pub(super) fn carry(
    inputs: &Inputs,
    new: &New<'_>,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<Vec<DraftNode>, Failure> {
    let choices = &inputs.survey.choices;
    let aside = new.diversions(choices, draft, decisions).map_err(unreadable)?;
    new.stat_overrides(choices, draft, decisions).map_err(unreadable)?;
    for alternative in &choices.alternatives {
        new.alternative(alternative, draft, decisions).map_err(unreadable)?;
    }
    new.certificates(choices, draft, decisions).map_err(unreadable)?;
    for hold in &choices.holds {
        let formerly = |name: &str| {
            let installs = inputs.packages.install.iter();
            installs.filter(|i| i.formerly.as_deref() == Some(name)).map(|i| i.name.clone()).next()
        };
        let name = formerly(&hold.package).unwrap_or_else(|| hold.package.clone());
        if let Some(today) = new.dpkg.is_installed(&name).filter(|p| p.version != hold.version) {
            let (old, today) = (&hold.version, &today.version);
            let why = format!("the package was on hold at {old}, and the new system has {today}");
            let held = Held::new(HeldKind::Package, &hold.package, why);
            decisions.held.push(held.was(old).candidate(today));
        }
    }
    for repository in choices.repositories.iter().filter(|r| r.file.as_bytes() == SOURCES) {
        let reason =
            format!("it named a repository that is not the release's own: {}", repository.line);
        decisions.hold(HeldKind::Repository, &repository.file, reason);
    }
    Ok(aside)
}

fn command(argv: &[&str], why: &str) -> PlannedCommand {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    PlannedCommand { argv, stdin: None, expect: None, why: why.to_owned() }
}

/// Tools take text; a path that is none is left to a person.
fn text(path: &RootPath) -> Option<&str> {
    std::str::from_utf8(path.as_bytes()).ok().filter(|text| !text.contains('\n'))
}

impl New<'_> {
    fn diversions(
        &self,
        choices: &Choices,
        draft: &mut Draft,
        decisions: &mut Decisions,
    ) -> Result<Vec<DraftNode>, TreeError> {
        let mut aside = vec![];
        for diversion in &choices.diversions {
            // dpkg compares names, and names its files where they really lie.
            let from = real_place(self.target, &diversion.from)?;
            let to = real_place(self.target, &diversion.to)?;
            let known = self.dpkg.diversions().find(|(f, ..)| **f == from).map(|(_, to, _)| to);
            if known == Some(&to) {
                aside.extend(draft.take(&from));
                continue;
            }
            let theirs = self.target.entry(&from)?;
            let taken = draft.get(&to).is_some() || self.target.entry(&to)?.is_some();
            let small = theirs.as_ref().is_none_or(|e| !e.kind.is_dir() && e.kind.size() <= LIMIT);
            let taken = taken && theirs.is_some();
            let (Some(from_text), Some(to_text)) = (text(&from), text(&to)) else {
                let why = "its diversion has a name that no command can be given";
                decisions.hold(HeldKind::Diversion, &from, why);
                continue;
            };
            if known.is_some() || taken || !small || self.parent_is_missing(&to, draft)? {
                let why = format!("it was diverted to {to}, which does not fit the new system");
                decisions.hold(HeldKind::Diversion, &from, why);
                continue;
            }
            if let Some(theirs) = theirs {
                draft.put(self.copy(&theirs, to.clone())?);
                let ours = draft.take(&from);
                if ours.is_empty() {
                    draft.delete(from.clone());
                }
                aside.extend(ours);
            }
            let argv = [
                "dpkg-divert",
                "--quiet",
                "--local",
                "--no-rename",
                "--divert",
                to_text,
                "--add",
                from_text,
            ];
            decisions
                .commands
                .push(command(&argv, "the package's file lay elsewhere in the old system"));
        }
        Ok(aside)
    }

    /// What stands at `entry` of the target, at `to`.
    fn copy(&self, entry: &Entry, to: RootPath) -> Result<DraftNode, TreeError> {
        let content = match entry.kind {
            Kind::File { .. } => {
                let bytes = read_file(self.target, &entry.path, LIMIT)?;
                DraftContent::Bytes(bytes.unwrap_or_default())
            }
            _ => DraftContent::None,
        };
        let entry = Entry { path: to, links: None, ctime: None, ..entry.clone() };
        Ok(DraftNode { entry, content })
    }

    fn parent_is_missing(&self, path: &RootPath, draft: &Draft) -> Result<bool, TreeError> {
        let Some(parent) = path.parent() else { return Ok(true) };
        let planned = draft.get(&parent).is_some_and(|node| node.entry.kind.is_dir());
        let there = self.target.entry(&parent)?.is_some_and(|entry| entry.kind.is_dir());
        Ok(!planned && !there && !parent.is_root())
    }

    fn stat_overrides(
        &self,
        choices: &Choices,
        draft: &Draft,
        decisions: &mut Decisions,
    ) -> Result<(), TreeError> {
        for fixed in &choices.stat_overrides {
            let path = match draft.get(&fixed.path) {
                Some(_) => fixed.path.clone(),
                None => real_place(self.target, &fixed.path)?,
            };
            let user = self.named(&fixed.user, |name| self.user(name), |id| self.ids.uid(id));
            let group = self.named(&fixed.group, |name| self.group(name), |id| self.ids.gid(id));
            let today = self.dpkg.stat_override(&path);
            let same = today.is_some_and(|today| {
                today.mode == fixed.mode
                    && Some(&today.user) == user.as_ref()
                    && Some(&today.group) == group.as_ref()
            });
            if same || (fixed.package.is_some() && today.is_none()) {
                continue;
            }
            match (today, fixed.package.as_deref(), user, group, text(&path)) {
                // The packages' own affair, as long as nobody but them fixed it.
                (Some(_), Some(_), ..) => {
                    let why = format!("{} was fixed otherwise in the old system", shown(fixed));
                    decisions.hold(HeldKind::Ownership, &path, why);
                }
                (_, _, Some(user), Some(group), Some(at)) => {
                    let there = draft.get(&path).is_some() || self.target.entry(&path)?.is_some();
                    if !there {
                        let why = "its owner and mode were fixed, and it is gone";
                        decisions.leave_out(&path, why);
                        continue;
                    }
                    let mode = format!("{:o}", fixed.mode);
                    let mut argv = vec!["dpkg-statoverride", "--quiet", "--update"];
                    argv.push("--force-statoverride-add");
                    argv.extend(["--add", &user, &group, &mode, at]);
                    decisions
                        .commands
                        .push(command(&argv, "its owner and mode were fixed by hand"));
                }
                _ => {
                    let why = format!(
                        "{} was fixed, and the new system has no such account",
                        shown(fixed)
                    );
                    decisions.hold(HeldKind::Ownership, &path, why);
                }
            }
        }
        Ok(())
    }

    /// A name that the new system knows, or a number as it is there.
    fn named(
        &self,
        name: &str,
        known: impl Fn(&str) -> bool,
        id: impl Fn(u32) -> u32,
    ) -> Option<String> {
        match name.strip_prefix('#') {
            Some(number) => number.parse().ok().map(|number| format!("#{}", id(number))),
            None => known(name).then(|| name.to_owned()),
        }
    }

    fn user(&self, name: &str) -> bool {
        self.accounts.passwd.records().any(|user| user.name == name.as_bytes())
    }

    fn group(&self, name: &str) -> bool {
        self.accounts.group.records().any(|group| group.name == name.as_bytes())
    }

    fn alternative(
        &self,
        fact: &AlternativeFact,
        draft: &mut Draft,
        decisions: &mut Decisions,
    ) -> Result<(), TreeError> {
        let today = self.dpkg.alternatives().iter().find(|found| found.name == fact.name);
        let mut offered = vec![];
        for choice in today.iter().flat_map(|found| &found.choices) {
            offered.push((real_place(self.target, &choice.path)?, choice.path.clone()));
        }
        // The tool makes all links anew, those of today's manual pages among them.
        for link in &fact.links {
            let place = real_place(self.target, link)?;
            if draft.get(&place).is_some_and(|n| matches!(n.entry.kind, Kind::Symlink { .. })) {
                draft.take(&place);
            }
        }
        for added in &fact.added {
            let place = real_place(self.target, &added.path)?;
            let there = draft.get(&place).is_some() || resolve(self.target, &place)?.is_some();
            let link = today.map_or(&fact.link, |found| &found.link);
            let occupied = today.is_none() && self.is_occupied(link, draft)?;
            if offered.iter().any(|(known, _)| *known == place) || !there || occupied {
                continue;
            }
            if let (Some(link), Some(program)) = (text(link), text(&added.path)) {
                let priority = added.priority.to_string();
                let argv =
                    ["update-alternatives", "--install", link, &fact.name, program, &priority];
                decisions.commands.push(command(&argv, "it was added to the alternatives by hand"));
                offered.push((place, added.path.clone()));
            }
        }
        let Some(chosen) = &fact.chosen else { return Ok(()) };
        let place = real_place(self.target, chosen)?;
        match offered.iter().find(|(known, _)| *known == place).map(|(_, path)| text(path)) {
            Some(Some(path)) => {
                let argv = ["update-alternatives", "--set", &fact.name, path];
                decisions.commands.push(command(&argv, "this alternative was chosen by hand"));
            }
            _ => {
                let why =
                    format!("{chosen} was chosen by hand, and the new system does not offer it");
                let subject = format!("alternative {}", fact.name);
                let mut held = Held::new(HeldKind::Alternative, subject, why).was(chosen);
                held.candidates = offered.iter().map(|(_, path)| path.to_string()).collect();
                decisions.held.push(held);
            }
        }
        Ok(())
    }

    /// Whether something other than a link stands where a link would have to.
    fn is_occupied(&self, link: &RootPath, draft: &Draft) -> Result<bool, TreeError> {
        let is_link = |kind: &Kind| matches!(kind, Kind::Symlink { .. });
        let dir = link
            .parent()
            .map_or(Ok(None), |dir| self.target.entry(&real_directory(self.target, &dir)?))?;
        let place = real_place(self.target, link)?;
        let planned = draft.get(&place).is_some_and(|node| !is_link(&node.entry.kind));
        let there = self.target.entry(&place)?.is_some_and(|entry| !is_link(&entry.kind));
        Ok(planned || there || dir.is_none())
    }

    fn certificates(
        &self,
        choices: &Choices,
        draft: &mut Draft,
        decisions: &mut Decisions,
    ) -> Result<(), TreeError> {
        let Ok(path) = RootPath::parse(CERTIFICATES.as_bytes()) else { return Ok(()) };
        let refused: BTreeSet<&[u8]> =
            choices.refused_certificates.iter().map(String::as_bytes).collect();
        let Some(entry) = self.target.entry(&path)?.filter(|entry| entry.kind.is_file()) else {
            return Ok(());
        };
        let trusted = &choices.trusted_certificates;
        let some = !refused.is_empty() || !trusted.is_empty();
        let Some(theirs) = read_file(self.target, &path, LIMIT)?.filter(|_| some) else {
            return Ok(());
        };
        let mut changed = vec![];
        for line in theirs.split_inclusive(|&b| b == b'\n') {
            if refused.contains(line.trim_ascii_end()) {
                changed.push(b'!');
                let name = String::from_utf8_lossy(line.trim_ascii_end());
                decisions.adapt(&path, format!("{name} is not to be trusted"));
            }
            changed.extend_from_slice(line);
        }
        for own in trusted {
            let place = RootPath::parse(format!("/usr/share/ca-certificates/{own}").as_bytes());
            let is_placed = place.is_ok_and(|place| draft.get(&place).is_some());
            let is_known = theirs.split(|&b| b == b'\n').any(|line| {
                let line = line.trim_ascii_end();
                line.strip_prefix(b"!").unwrap_or(line) == own.as_bytes()
            });
            if is_placed && !is_known {
                if changed.last().is_some_and(|&b| b != b'\n') {
                    changed.push(b'\n');
                }
                changed.extend_from_slice(own.as_bytes());
                changed.push(b'\n');
                decisions.adapt(&path, format!("{own} is to be trusted"));
            }
        }
        if changed != theirs {
            let kind = Kind::File { size: changed.len() as u64 };
            let entry = Entry { kind, links: None, ..entry };
            draft.put(DraftNode { entry, content: DraftContent::Bytes(changed) });
        }
        Ok(())
    }
}

fn shown(fixed: &StatOverrideFact) -> String {
    format!("{}:{} {:o}", fixed.user, fixed.group, fixed.mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::{AddedFact, DiversionFact};
    use crate::tree::memory::MemoryTree;
    use crate::tree::{Meta, Time, Xattrs};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str, kind: Kind) -> DraftNode {
        let mtime = Time { secs: 0, nanos: 0 };
        let meta = Meta { mode: 0o755, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() };
        let content = match kind {
            Kind::File { .. } => DraftContent::Bytes(b"mine".to_vec()),
            _ => DraftContent::None,
        };
        let entry = Entry { path: path(at), kind, meta, ctime: None, links: None };
        DraftNode { entry, content }
    }

    /// A system of today with its records.
    fn system() -> MemoryTree {
        let status = "Package: app\nStatus: install ok installed\nVersion: 3\nArchitecture: all\n";
        MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/etc/passwd", "root:x:0:0::/:\nold:x:7:7::/:\n")
            .file("/etc/group", "root:x:0:\nadm:x:4:\n")
            .file("/usr/bin/tool", "theirs")
            .file("/usr/bin/ed", "")
            .link("/bin", "usr/bin")
    }

    /// What one of [`New`]'s does: the commands, what is held, and the draft after it.
    fn done(
        tree: &MemoryTree,
        draft: &mut Draft,
        act: impl FnOnce(&New, &mut Draft, &mut Decisions),
    ) -> (Vec<String>, Vec<String>) {
        let dpkg = Dpkg::load(tree).unwrap().unwrap();
        let accounts = AccountDb::load(tree).unwrap().accounts;
        let ids = IdMap::default();
        let new = New { target: tree, dpkg: &dpkg, accounts: &accounts, ids: &ids };
        let mut decisions = Decisions::default();
        act(&new, draft, &mut decisions);
        let commands = decisions.commands.iter().map(|command| command.argv.join(" ")).collect();
        (commands, decisions.held.iter().map(|held| held.subject.clone()).collect())
    }

    fn diverted(tree: &MemoryTree, draft: &mut Draft) -> (Vec<String>, Vec<String>, Vec<String>) {
        let diversions =
            vec![DiversionFact { from: path("/bin/tool"), to: path("/bin/tool.real") }];
        let choices = Choices { diversions, ..Choices::default() };
        let mut aside = vec![];
        let (commands, held) = done(tree, draft, |new, draft, decisions| {
            aside = new.diversions(&choices, draft, decisions).unwrap();
        });
        (commands, held, aside.iter().map(|node| node.entry.path.to_string()).collect())
    }

    #[test]
    fn a_diverted_file_moves_aside_and_the_users_own_takes_its_place() {
        let mut draft = Draft::default();
        draft.put(node("/usr/bin/tool", Kind::File { size: 4 }));
        let (commands, held, aside) = diverted(&system(), &mut draft);
        let command = "dpkg-divert --quiet --local --no-rename --divert /usr/bin/tool.real --add \
                       /usr/bin/tool";
        assert_eq!((commands, held), (vec![command.to_owned()], vec![]));
        assert_eq!(aside, ["/usr/bin/tool"]);
        let moved = draft.get(&path("/usr/bin/tool.real")).unwrap();
        assert_eq!(moved.content, DraftContent::Bytes(b"theirs".to_vec()));
        // Without one of his own there is none.
        let mut draft = Draft::default();
        assert_eq!(diverted(&system(), &mut draft).2, [""; 0]);
        assert_eq!(draft.deletions().collect::<Vec<_>>(), [&path("/usr/bin/tool")]);
    }

    #[test]
    fn a_diversion_that_does_not_fit_is_held_and_one_that_is_there_is_left() {
        let taken = system().file("/usr/bin/tool.real", "other");
        let mut draft = Draft::default();
        let (commands, held, _) = diverted(&taken, &mut draft);
        assert_eq!((commands, held), (vec![], vec!["/usr/bin/tool".to_owned()]));
        assert_eq!(draft, Draft::default());
        let other = "/usr/bin/tool\n/usr/bin/tool.other\nsome-package\n";
        let clash = system().file("/var/lib/dpkg/diversions", other);
        assert_eq!(diverted(&clash, &mut draft).1, ["/usr/bin/tool"]);
        let same = "/usr/bin/tool\n/usr/bin/tool.real\n:\n";
        let known = system().file("/var/lib/dpkg/diversions", same);
        let (commands, held, _) = diverted(&known, &mut draft);
        assert_eq!((commands.len(), held.len()), (0, 0));
    }

    #[test]
    fn fixed_owners_are_fixed_again_where_the_new_system_knows_them() {
        let fact = |user: &str, mode, package: Option<&str>| StatOverrideFact {
            path: path("/bin/tool"),
            user: user.to_owned(),
            group: "adm".to_owned(),
            mode,
            package: package.map(str::to_owned),
        };
        let told = |tree: &MemoryTree, fact: StatOverrideFact| {
            let choices = Choices { stat_overrides: vec![fact], ..Choices::default() };
            let mut draft = Draft::default();
            done(tree, &mut draft, |new, draft, decisions| {
                new.stat_overrides(&choices, draft, decisions).unwrap();
            })
        };
        let set = |user: &str| {
            format!(
                "dpkg-statoverride --quiet --update --force-statoverride-add --add {user} adm 750 \
                 /usr/bin/tool"
            )
        };
        let none = (vec![], vec![]);
        assert_eq!(told(&system(), fact("old", 0o750, None)), (vec![set("old")], vec![]));
        assert_eq!(told(&system(), fact("#9", 0o750, None)), (vec![set("#9")], vec![]));
        let held = (vec![], vec!["/usr/bin/tool".to_owned()]);
        assert_eq!(told(&system(), fact("nobody-knows", 0o750, None)), held);
        // A package's own comes again with the package, or not at all.
        assert_eq!(told(&system(), fact("old", 0o750, Some("app"))), none);
        let today = system().file("/var/lib/dpkg/statoverride", "root adm 755 /usr/bin/tool\n");
        assert_eq!(told(&today, fact("old", 0o750, Some("app"))), held);
        assert_eq!(told(&today, fact("old", 0o750, None)), (vec![set("old")], vec![]));
        assert_eq!(told(&today, fact("root", 0o755, None)), none);
    }

    #[test]
    fn an_alternative_is_set_as_the_new_system_calls_it_or_held() {
        let record = "auto\n/usr/bin/editor\n\n/usr/bin/ed\n-100\n\n";
        let tree = system()
            .file("/var/lib/dpkg/alternatives/editor", record)
            .link("/etc/alternatives/editor", "/usr/bin/ed");
        let fact = |chosen: Option<&str>, added: &[&str]| AlternativeFact {
            name: "editor".to_owned(),
            link: path("/usr/bin/editor"),
            chosen: chosen.map(path),
            added: added.iter().map(|at| AddedFact { path: path(at), priority: 5 }).collect(),
            links: vec![path("/usr/bin/editor"), path("/etc/alternatives/editor")],
        };
        let told = |fact: AlternativeFact| {
            let mut draft = Draft::default();
            draft.put(node("/etc/alternatives/editor", Kind::Symlink { target: b"/x".to_vec() }));
            draft.put(node("/opt/mine", Kind::File { size: 4 }));
            let told = done(&tree, &mut draft, |new, draft, decisions| {
                new.alternative(&fact, draft, decisions).unwrap();
            });
            assert!(draft.get(&path("/etc/alternatives/editor")).is_none());
            told
        };
        let set = |at: &str| format!("update-alternatives --set editor {at}");
        let install = "update-alternatives --install /usr/bin/editor editor /opt/mine 5".to_owned();
        assert_eq!(told(fact(Some("/bin/ed"), &[])), (vec![set("/usr/bin/ed")], vec![]));
        let held = vec!["alternative editor".to_owned()];
        assert_eq!(told(fact(Some("/usr/bin/joe"), &[])), (vec![], held));
        let own = fact(Some("/opt/mine"), &["/opt/mine"]);
        assert_eq!(told(own), (vec![install.clone(), set("/opt/mine")], vec![]));
        assert_eq!(told(fact(None, &["/opt/mine", "/opt/gone"])), (vec![install], vec![]));
    }

    #[test]
    fn a_refused_certificate_is_refused_in_the_new_list() {
        let tree =
            system().file("/etc/ca-certificates.conf", "# x\nmozilla/A.crt\nmozilla/B.crt\n");
        let choices = |refused: &str| Choices {
            refused_certificates: vec![refused.to_owned()],
            ..Choices::default()
        };
        let list = |refused: &str| {
            let mut draft = Draft::default();
            done(&tree, &mut draft, |new, draft, decisions| {
                new.certificates(&choices(refused), draft, decisions).unwrap();
            });
            draft.get(&path("/etc/ca-certificates.conf")).map(|node| node.content.clone())
        };
        let changed = b"# x\n!mozilla/A.crt\nmozilla/B.crt\n".to_vec();
        assert_eq!(list("mozilla/A.crt"), Some(DraftContent::Bytes(changed)));
        assert_eq!(list("mozilla/Gone.crt"), None);
    }

    #[test]
    fn an_own_certificate_is_trusted_where_it_is_placed() {
        let tree = system().file("/etc/ca-certificates.conf", "mozilla/A.crt");
        let choices = Choices {
            trusted_certificates: ["own/ca.crt", "own/gone.crt", "mozilla/A.crt"]
                .map(str::to_owned)
                .to_vec(),
            ..Choices::default()
        };
        let own = system().file("/usr/share/ca-certificates/own/ca.crt", "");
        let own = own.entry(&path("/usr/share/ca-certificates/own/ca.crt")).unwrap().unwrap();
        let mut draft = Draft::default();
        draft.put(DraftNode { entry: own, content: DraftContent::Bytes(vec![]) });
        done(&tree, &mut draft, |new, draft, decisions| {
            new.certificates(&choices, draft, decisions).unwrap();
        });
        let list = draft.get(&path("/etc/ca-certificates.conf")).map(|node| node.content.clone());
        assert_eq!(list, Some(DraftContent::Bytes(b"mozilla/A.crt\nown/ca.crt\n".to_vec())));
    }
}
