//! What somebody decided about packages, carried over to packages of today.
//!
//! The records in which a package manager keeps such decisions are of one installation. Here they
//! become commands of the new system's own tools, run once all files are placed, where what they
//! are about is still there; else they are held. Whatever the new system decided alike is left.

use super::certificates;
use crate::accounts::{AccountDb, IdMap};
use crate::family::carried::Carried;
use crate::family::seam::New;
use crate::packages::{Decisions, Installed};
use crate::survey::{AlternativeFact, Choices, StatOverrideFact};
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, RootPath, Tree, TreeError, read_file,
    real_directory, real_place, resolve,
};
use crate::verdict::{Held, HeldKind};

/// Largest file of a package that is moved by a diversion.
const LIMIT: u64 = 64 << 20;

/// The list of repositories that is not placed.
const SOURCES: &[u8] = b"/etc/apt/sources.list";

/// Carries the choices over; `draft`, settled and not yet met with the new system's files, is
/// changed where that is simpler than a command.
pub(super) fn carry(
    choices: &Choices,
    new: &New<'_>,
    draft: &mut Draft,
) -> Result<Carried, TreeError> {
    let &New { target, installed, accounts, ids, names } = new;
    let carrier = Carrier { target, installed, accounts, ids };
    let mut carried = Carried::default();
    carrier.diversions(choices, draft, &mut carried)?;
    carrier.stat_overrides(choices, draft, &mut carried)?;
    for alternative in &choices.alternatives {
        carrier.alternative(alternative, draft, &mut carried)?;
    }
    certificates::carry(choices, target, draft, &mut carried)?;
    for hold in &choices.holds {
        let name = names.get(hold.package.as_str()).copied().unwrap_or(&hold.package);
        if let Some(today) = installed.version(name).filter(|today| *today != hold.version) {
            let old = &hold.version;
            let why = format!("the package was on hold at {old}, and the new system has {today}");
            let held = Held::new(HeldKind::Package, &hold.package, why);
            carried.held.push(held.was(old).candidate(today));
        }
    }
    for repository in choices.repositories.iter().filter(|r| r.file.as_bytes() == SOURCES) {
        let reason =
            format!("it named a repository that is not the release's own: {}", repository.line);
        carried.hold(HeldKind::Repository, &repository.file, reason);
    }
    Ok(carried)
}

/// Tools take text; a path that is none is left to a person.
fn text(path: &RootPath) -> Option<&str> {
    std::str::from_utf8(path.as_bytes()).ok().filter(|text| !text.contains('\n'))
}

/// What choices are carried over to.
struct Carrier<'a> {
    target: &'a dyn Tree,
    installed: &'a Installed,
    accounts: &'a AccountDb,
    ids: &'a IdMap,
}

impl Carrier<'_> {
    fn diversions(
        &self,
        choices: &Choices,
        draft: &mut Draft,
        carried: &mut Carried,
    ) -> Result<(), TreeError> {
        let today = self.installed.decisions();
        for diversion in &choices.diversions {
            // dpkg compares names, and names its files where they really lie.
            let from = real_place(self.target, &diversion.from)?;
            let to = real_place(self.target, &diversion.to)?;
            let known = today.diversions.iter().find(|found| *found.from == from);
            if known.is_some_and(|found| *found.to == to) {
                carried.aside.extend(draft.take(&from));
                continue;
            }
            let theirs = self.target.entry(&from)?;
            let taken = draft.get(&to).is_some() || self.target.entry(&to)?.is_some();
            let small = theirs.as_ref().is_none_or(|e| !e.kind.is_dir() && e.kind.size() <= LIMIT);
            let taken = taken && theirs.is_some();
            let (Some(from_text), Some(to_text)) = (text(&from), text(&to)) else {
                let why = "its diversion has a name that no command can be given";
                carried.hold(HeldKind::Diversion, &from, why);
                continue;
            };
            if known.is_some() || taken || !small || self.parent_is_missing(&to, draft)? {
                let why = format!("it was diverted to {to}, which does not fit the new system");
                carried.hold(HeldKind::Diversion, &from, why);
                continue;
            }
            if let Some(theirs) = theirs {
                draft.put(self.copy(&theirs, to.clone())?);
                let ours = draft.take(&from);
                if ours.is_empty() {
                    draft.delete(from.clone());
                }
                carried.aside.extend(ours);
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
            carried.run(&argv, "the package's file lay elsewhere in the old system");
        }
        Ok(())
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
        carried: &mut Carried,
    ) -> Result<(), TreeError> {
        let decided = self.installed.decisions();
        for fixed in &choices.stat_overrides {
            let path = match draft.get(&fixed.path) {
                Some(_) => fixed.path.clone(),
                None => real_place(self.target, &fixed.path)?,
            };
            let user = self.named(&fixed.user, |name| self.user(name), |id| self.ids.uid(id));
            let group = self.named(&fixed.group, |name| self.group(name), |id| self.ids.gid(id));
            let today = decided.stat_overrides.iter().find(|found| found.path == path);
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
                    carried.hold(HeldKind::Ownership, &path, why);
                }
                (_, _, Some(user), Some(group), Some(at)) => {
                    let there = draft.get(&path).is_some() || self.target.entry(&path)?.is_some();
                    if !there {
                        carried.leave_out(&path, "its owner and mode were fixed, and it is gone");
                        continue;
                    }
                    let mode = format!("{:o}", fixed.mode);
                    let mut argv = vec!["dpkg-statoverride", "--quiet", "--update"];
                    argv.push("--force-statoverride-add");
                    argv.extend(["--add", &user, &group, &mode, at]);
                    carried.run(&argv, "its owner and mode were fixed by hand");
                }
                _ => {
                    let why = format!(
                        "{} was fixed, and the new system has no such account",
                        shown(fixed)
                    );
                    carried.hold(HeldKind::Ownership, &path, why);
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
        carried: &mut Carried,
    ) -> Result<(), TreeError> {
        let Decisions { alternatives, .. } = self.installed.decisions();
        let today = alternatives.iter().find(|found| found.name == fact.name);
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
                carried.run(&argv, "it was added to the alternatives by hand");
                offered.push((place, added.path.clone()));
            }
        }
        let Some(chosen) = &fact.chosen else { return Ok(()) };
        let place = real_place(self.target, chosen)?;
        match offered.iter().find(|(known, _)| *known == place).map(|(_, path)| text(path)) {
            Some(Some(path)) => {
                let argv = ["update-alternatives", "--set", &fact.name, path];
                carried.run(&argv, "this alternative was chosen by hand");
            }
            _ => {
                let why =
                    format!("{chosen} was chosen by hand, and the new system does not offer it");
                let subject = format!("alternative {}", fact.name);
                let mut held = Held::new(HeldKind::Alternative, subject, why).was(chosen);
                held.candidates = offered.iter().map(|(_, path)| path.to_string()).collect();
                carried.held.push(held);
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
}

fn shown(fixed: &StatOverrideFact) -> String {
    format!("{}:{} {:o}", fixed.user, fixed.group, fixed.mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::carried::Act;
    use crate::survey::{AddedFact, DiversionFact};
    use crate::tree::Meta;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str, kind: Kind) -> DraftNode {
        let meta = Meta::root(0o755);
        let content = match kind {
            Kind::File { .. } => DraftContent::Bytes(b"mine".to_vec()),
            _ => DraftContent::None,
        };
        let entry = Entry::new(path(at), kind, meta);
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

    /// What one of [`Carrier`]'s does: the commands, what is held, and the draft after it.
    fn done(
        tree: &MemoryTree,
        draft: &mut Draft,
        act: impl FnOnce(&Carrier, &mut Draft, &mut Carried),
    ) -> (Vec<String>, Vec<String>) {
        let installed = Installed::load(tree).unwrap();
        let accounts = AccountDb::load(tree).unwrap().accounts;
        let ids = IdMap::default();
        let (target, installed) = (tree, &installed);
        let new = Carrier { target, installed, accounts: &accounts, ids: &ids };
        let mut carried = Carried::default();
        act(&new, draft, &mut carried);
        let command = |act: &Act| match act {
            Act::Run { argv, .. } => Some(argv.join(" ")),
            Act::Adapt { .. } | Act::LeaveOut { .. } => None,
        };
        let commands = carried.acts.iter().filter_map(command).collect();
        (commands, carried.held.iter().map(|held| held.subject.clone()).collect())
    }

    fn diverted(tree: &MemoryTree, draft: &mut Draft) -> (Vec<String>, Vec<String>, Vec<String>) {
        let diversions =
            vec![DiversionFact { from: path("/bin/tool"), to: path("/bin/tool.real") }];
        let choices = Choices { diversions, ..Choices::default() };
        let mut aside = vec![];
        let (commands, held) = done(tree, draft, |new, draft, carried| {
            new.diversions(&choices, draft, carried).unwrap();
            aside = std::mem::take(&mut carried.aside);
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
            done(tree, &mut draft, |new, draft, carried| {
                new.stat_overrides(&choices, draft, carried).unwrap();
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
            let told = done(&tree, &mut draft, |new, draft, carried| {
                new.alternative(&fact, draft, carried).unwrap();
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
}
