//! [`merge`]: the accounts of an old system brought into a new one.
//!
//! Names are what accounts are; ids are where the new system has room for them. The new system's
//! own accounts stay as it has them, because its packages rely on them; what a person set on the
//! old system (passwords, shells, homes, memberships) and accounts that only the old one has come
//! along. Invariant: a file whose ids went through the [`IdMap`] belongs to the same names as
//! before.

mod groups;
mod names;
mod renames;
mod subids;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::RootPath;

use super::ids::{Assignment, Named, assign};
use super::table::{Record, Table, is_blank, is_nss};
use super::{AccountDb, AccountFile, AccountKind, Conflict, Decision, IdMap, MovedRange};

use names::{group_ids, user_ids};
pub(crate) use renames::Renames;

/// Ids that own files on the old system, named or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owners {
    /// User ids.
    pub uids: BTreeSet<u32>,
    /// Group ids.
    pub gids: BTreeSet<u32>,
}

/// What a merge has to know besides the accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MergeOptions {
    /// Accounts that the new release calls otherwise.
    pub renames: Renames,
    /// Who owns the old files. An owner without a name keeps its number, no account is given
    /// that number, and a number that the new system has given away is a conflict. Ids may be
    /// missing: then only this courtesy is.
    pub owners: Owners,
}

/// The outcome of [`merge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    /// The merged accounts.
    pub accounts: AccountDb,
    /// The same as contents of files; a file that neither system has is not in it.
    pub files: BTreeMap<RootPath, Vec<u8>>,
    /// What the ids of old files become.
    pub ids: IdMap,
    /// What was decided, in the order of the files.
    pub decisions: Vec<Decision>,
}

/// Brings the accounts of `old` into `new`, which has its packages installed already.
///
/// | account | id | entry |
/// |---|---|---|
/// | only new | new | new |
/// | both, the system's | new | new; password, shell, home where a person set them |
/// | both, a person's | new | old |
/// | only old | old where free, else the lowest free of its range | old |
///
/// The system's are those whose new id is below 1000, or 65534.
///
/// Merging a second time changes no id (but may find another place for a subordinate range that
/// several users share and that had to move), and `merge(a, a)` is `a`.
pub(crate) fn merge(old: &AccountDb, new: &AccountDb, options: &MergeOptions) -> Merge {
    let mut decisions = Vec::new();
    let old = options.renames.apply(old, &mut decisions);
    let (users, groups) = assign_all(&old, new, &options.owners, &mut decisions);
    let mut ids = IdMap { uid: changes(&users), gid: changes(&groups), ..IdMap::default() };

    let mut out = new.clone();
    users::merge(&old, new, &users, &ids, &mut out, &mut decisions);
    groups::merge(&old, new, &groups, &ids, &mut out, &mut decisions);
    subids::merge(&old, new, &mut ids, &mut out, &mut decisions);
    pin(&users, &ids.uid_ranges, &mut ids.uid);
    pin(&groups, &ids.gid_ranges, &mut ids.gid);
    others(&old, &mut out, &mut decisions);
    unnamed(&old, &out, &options.owners, &mut decisions);
    Merge { files: out.files(), accounts: out, ids, decisions }
}

fn assign_all(
    old: &AccountDb,
    new: &AccountDb,
    owners: &Owners,
    decisions: &mut Vec<Decision>,
) -> (Assignment, Assignment) {
    let (old_users, old_groups) = (user_ids(old), group_ids(old));
    let users = assign(
        AccountKind::User,
        &first(AccountKind::User, &old_users, decisions),
        &user_ids(new),
        &owners.uids,
        &subids::reserved(&new.subuid),
    );
    // A primary group that no line names is an owner by its number.
    let mut gids = owners.gids.clone();
    gids.extend(old.passwd.records().map(|user| user.gid));
    let groups = assign(
        AccountKind::Group,
        &first(AccountKind::Group, &old_groups, decisions),
        &group_ids(new),
        &gids,
        &subids::reserved(&new.subgid),
    );
    for assignment in [&users, &groups] {
        decisions.extend(assignment.conflicts.iter().cloned().map(Decision::Conflict));
    }
    (users, groups)
}

/// `accounts` without the second and further lines of a name, which the system never reads.
fn first<'a>(
    kind: AccountKind,
    accounts: &[Named<'a>],
    decisions: &mut Vec<Decision>,
) -> Vec<Named<'a>> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for &(name, id) in accounts {
        if seen.insert(name) {
            kept.push((name, id));
        } else {
            let conflict = Conflict::Duplicate { kind, name: name.to_vec() };
            decisions.push(Decision::Conflict(conflict));
        }
    }
    kept
}

fn changes(assignment: &Assignment) -> BTreeMap<u32, u32> {
    assignment.target.iter().filter(|(old, new)| old != new).map(|(o, n)| (*o, *n)).collect()
}

/// An account's own id goes its own way, even inside of a range that moved.
fn pin(assignment: &Assignment, moved: &[MovedRange], ids: &mut BTreeMap<u32, u32>) {
    for range in moved {
        let inside = range.from..range.from.saturating_add(range.count);
        ids.extend(assignment.target.range(inside).map(|(old, new)| (*old, *new)));
    }
}

/// Lines of the old files that are no records: NSS lines come along, comments do not, and what
/// nobody can read is counted.
fn others(old: &AccountDb, out: &mut AccountDb, decisions: &mut Vec<Decision>) {
    fn one<T: Record>(
        file: AccountFile,
        old: &Table<T>,
        out: &mut Table<T>,
        decisions: &mut Vec<Decision>,
    ) {
        let present: BTreeSet<Vec<u8>> = out.others().map(<[u8]>::to_vec).collect();
        let mut lines = 0;
        for line in old.others().filter(|line| !is_blank(line) && !present.contains(*line)) {
            if is_nss(line) && !line.contains(&0) {
                out.push_other(line.to_vec());
                decisions.push(Decision::NssLineCarried { file, line: line.to_vec() });
            } else {
                lines += 1;
            }
        }
        if lines > 0 {
            decisions.push(Decision::Conflict(Conflict::Unreadable { file, lines }));
        }
    }
    one(AccountFile::Passwd, &old.passwd, &mut out.passwd, decisions);
    one(AccountFile::Group, &old.group, &mut out.group, decisions);
    one(AccountFile::Shadow, &old.shadow, &mut out.shadow, decisions);
    one(AccountFile::Gshadow, &old.gshadow, &mut out.gshadow, decisions);
    one(AccountFile::Subuid, &old.subuid, &mut out.subuid, decisions);
    one(AccountFile::Subgid, &old.subgid, &mut out.subgid, decisions);
}

/// Owners that were numbers and have a name now.
fn unnamed(old: &AccountDb, out: &AccountDb, owners: &Owners, decisions: &mut Vec<Decision>) {
    // Where the old names could not be read, every owner is a number and none is a surprise.
    let sides = [
        (AccountKind::User, user_ids(old), user_ids(out), &owners.uids),
        (AccountKind::Group, group_ids(old), group_ids(out), &owners.gids),
    ];
    for (kind, old, out, owners) in sides {
        if old.is_empty() {
            continue;
        }
        let named: BTreeSet<u32> = old.iter().map(|&(_, id)| id).collect();
        let mut now: BTreeMap<u32, &[u8]> = BTreeMap::new();
        for (name, id) in out {
            now.entry(id).or_insert(name);
        }
        for id in owners.difference(&named) {
            if let Some(name) = now.get(id) {
                let conflict = Conflict::NumberNamed { kind, id: *id, name: name.to_vec() };
                decisions.push(Decision::Conflict(conflict));
            }
        }
    }
}
