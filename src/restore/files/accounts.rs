//! The accounts of both systems, planned: merged by name, with all owners in the draft mapped.

use crate::accounts::{self, AccountDb, AccountFile, IdMap, MergeOptions};
use crate::bundle::Loss;
use crate::failure::Failure;
use crate::restore::files::migration::{AppMigration, misfit};
use crate::restore::files::settle::Directories;
use crate::restore::value::archived::Archived;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Inputs, unreadable};
use crate::restore::value::step::Step;
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, Meta, RootPath, Tree, TreeError, read_file,
    resolve,
};
use crate::verdict::HeldKind;

/// Larger than any list of shells, in bytes.
const SHELLS_LIMIT: u64 = 1 << 20;

/// The accounts of both systems, and what became of the old ones' ids.
#[derive(Default)]
pub(in crate::restore) struct Merged {
    pub(in crate::restore) accounts: AccountDb,
    pub(in crate::restore) ids: IdMap,
}

/// Merges the accounts, maps all owners in the draft, and puts the merged files into it.
pub(in crate::restore) fn merge(
    migrations: &[AppMigration],
    archived: &Archived,
    inputs: &Inputs,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<Merged, Failure> {
    let old = AccountDb::load(archived).map_err(unreadable)?;
    let new = AccountDb::load(inputs.target).map_err(unreadable)?;
    for problem in old.problems.iter().chain(&new.problems) {
        decisions.losses.push(Loss {
            subject: "accounts".to_owned(),
            what: "names unknown, ids kept as numbers".to_owned(),
            why: problem.to_string(),
        });
    }
    let (old, mut new) = (old.accounts, new.accounts);
    new.forget_days_of_making(&old);
    let merge = accounts::merge(&old, &new, &merge_options(migrations, &old, draft)?);
    for decision in &merge.decisions {
        match decision {
            accounts::Decision::Conflict(conflict) => {
                decisions.hold(HeldKind::Account, "accounts", conflict);
            }
            // What stays as the new system has it is no step.
            accounts::Decision::Kept { .. } => {}
            decision => decisions.step(Step::Account {
                name: decision.subject().to_string(),
                decision: decision.to_string(),
            }),
        }
    }
    for node in draft.nodes_mut() {
        merge.ids.apply(&mut node.entry.meta);
    }
    let listed = !draft.take(&AccountFile::Shells.path()).is_empty();
    for file in AccountFile::ALL {
        draft.take(&file.path());
    }
    if listed {
        let own = old.shells.iter().filter(|shell| !new.shells.contains(shell));
        add_shells(own, inputs.target, draft, decisions).map_err(unreadable)?;
    }
    for (path, bytes) in merge.files {
        let meta = match inputs.target.entry(&path).map_err(unreadable)? {
            Some(entry) => entry.meta,
            None => archived
                .entry(&path)
                .map_err(unreadable)?
                .map_or_else(private_file, |entry| entry.meta),
        };
        draft.put(DraftNode::file(path, meta, bytes));
    }
    Ok(Merged { accounts: merge.accounts, ids: merge.ids })
}

/// Adds to the new system's list of shells those of `own` that are there.
fn add_shells<'a>(
    own: impl Iterator<Item = &'a Vec<u8>>,
    target: &dyn Tree,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let path = AccountFile::Shells.path();
    let Some(list) = target.entry(&path)?.filter(|entry| entry.kind.is_file()) else {
        return Ok(());
    };
    let mut text = read_file(target, &path, SHELLS_LIMIT)?.unwrap_or_default();
    let theirs = text.len();
    for shell in own {
        let Ok(place) = RootPath::parse(shell) else { continue };
        if draft.get(&place).is_none() && resolve(target, &place)?.is_none() {
            continue;
        }
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(shell);
        text.push(b'\n');
        decisions.add(&path, format!("{place} was listed by hand"));
    }
    if text.len() > theirs {
        let kind = Kind::File { size: text.len() as u64 };
        let entry = Entry { kind, links: None, ctime: None, ..list };
        draft.put(DraftNode { entry, content: DraftContent::Bytes(text) });
    }
    Ok(())
}

/// Metadata of an account file that neither system describes.
fn private_file() -> Meta {
    Meta::root(0o600)
}

fn merge_options(
    migrations: &[AppMigration],
    old: &AccountDb,
    draft: &Draft,
) -> Result<MergeOptions, Failure> {
    let mut renames: Vec<(Vec<u8>, String)> = Vec::new();
    let users = old.passwd.records().map(|user| user.name.clone());
    let groups = old.group.records().map(|group| group.name.clone());
    for name in users.chain(groups) {
        let Ok(text) = std::str::from_utf8(&name) else { continue };
        for migration in migrations {
            let app = migration.rule.app.as_str();
            if let Some(new) =
                migration.rule.account(text, &migration.vars).map_err(|e| misfit(app, e))?
            {
                renames.push((name.clone(), new));
            }
        }
    }
    let mut options = MergeOptions { renames: renames.into_iter().collect(), ..Default::default() };
    for node in draft.nodes() {
        options.owners.uids.insert(node.entry.meta.uid);
        options.owners.gids.insert(node.entry.meta.gid);
    }
    Ok(options)
}

/// The old system's directories with owners of the new one.
pub(in crate::restore) struct Owned<'a> {
    pub(in crate::restore) archived: &'a Archived<'a>,
    pub(in crate::restore) ids: &'a IdMap,
}

impl Directories for Owned<'_> {
    fn directory(&self, path: &RootPath) -> Option<Entry> {
        let mut entry = self.archived.directory(path)?;
        self.ids.apply(&mut entry.meta);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn node(at: &str) -> DraftNode {
        let path = RootPath::parse(at.as_bytes()).unwrap();
        DraftNode::file(path, private_file(), b"x".to_vec())
    }

    #[test]
    fn shells_that_were_listed_by_hand_are_listed_again_where_they_are() {
        let target = MemoryTree::default().file("/etc/shells", "/bin/sh").file("/bin/false", "");
        let mut draft = Draft::default();
        draft.put(node("/opt/shell"));
        let own = ["/opt/shell", "/bin/false", "/bin/gone"].map(|shell| shell.as_bytes().to_vec());
        add_shells(own.iter(), &target, &mut draft, &mut Decisions::default()).unwrap();
        let path = RootPath::parse(b"/etc/shells").unwrap();
        let content = DraftContent::Bytes(b"/bin/sh\n/opt/shell\n/bin/false\n".to_vec());
        assert_eq!(draft.get(&path).unwrap().content, content);
    }
}
