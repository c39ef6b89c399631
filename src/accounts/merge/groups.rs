//! Groups, their members and their secrets.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::ids::{Assignment, is_system};
use crate::accounts::shadow::{has_hash, is_locked};
use crate::accounts::{AccountDb, AccountKind, Decision, Group, Gshadow, IdMap};

use super::names::index;

const GROUP: AccountKind = AccountKind::Group;
const NOGROUP: u32 = 65_534;

/// Brings the groups of `old` into `out`, which starts as a copy of `new` and has all users.
pub(super) fn merge(
    old: &AccountDb,
    new: &AccountDb,
    assignment: &Assignment,
    ids: &IdMap,
    out: &mut AccountDb,
    decisions: &mut Vec<Decision>,
) {
    let users: BTreeSet<&[u8]> = out.passwd.records().map(|u| u.name.as_slice()).collect();
    let old_groups = index(&old.group);
    let mut primary = former_primary(old, out, ids);
    let mut seen = BTreeSet::new();
    for group in out.group.records_mut() {
        if !seen.insert(group.name.clone()) {
            continue;
        }
        decisions.push(Decision::Kept { kind: GROUP, name: group.name.clone() });
        let Some(was) = old_groups.get(group.name.as_slice()) else { continue };
        renumbered(&group.name, was.gid, group.gid, decisions);
        let more = primary.remove(&was.gid).unwrap_or_default();
        join(group, was.members.iter().chain(&more), &users, decisions);
    }
    let mut added = Vec::new();
    for was in old.group.records() {
        let Some(&gid) = assignment.target.get(&was.gid) else { continue };
        if !seen.insert(was.name.clone()) {
            continue;
        }
        let mut group = Group { gid, members: vec![], ..was.clone() };
        decisions.push(Decision::Added { kind: GROUP, name: group.name.clone(), id: gid });
        renumbered(&group.name, was.gid, gid, decisions);
        let more = primary.remove(&was.gid).unwrap_or_default();
        join(&mut group, was.members.iter().chain(&more), &users, decisions);
        added.push(group);
    }
    out.group.extend(added);
    secrets(old, new, out, decisions);
}

fn renumbered(name: &[u8], from: u32, to: u32, decisions: &mut Vec<Decision>) {
    if from != to {
        decisions.push(Decision::Renumbered { kind: GROUP, name: name.to_vec(), from, to });
    }
}

/// Users of the system whose primary group is another one now, by the old gid. Files that they
/// made belong to the old group, so they stay members of it. Root's group and `nogroup` say
/// nothing about what somebody may do.
fn former_primary(old: &AccountDb, out: &AccountDb, ids: &IdMap) -> BTreeMap<u32, Vec<Vec<u8>>> {
    let now = index(&out.passwd);
    let mut former: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    for was in index(&old.passwd).values() {
        let changed = now
            .get(was.name.as_slice())
            .is_some_and(|user| is_system(user.uid) && user.gid != ids.gid(was.gid));
        if changed && was.gid != 0 && was.gid != NOGROUP {
            former.entry(was.gid).or_default().push(was.name.clone());
        }
    }
    former
}

/// Adds those of `members` that exist and are not in the group yet.
fn join<'a>(
    group: &mut Group,
    members: impl Iterator<Item = &'a Vec<u8>>,
    users: &BTreeSet<&[u8]>,
    decisions: &mut Vec<Decision>,
) {
    let mut present: BTreeSet<Vec<u8>> = group.members.iter().cloned().collect();
    for member in members {
        if !present.insert(member.clone()) {
            continue;
        }
        let (user, name) = (member.clone(), group.name.clone());
        if users.contains(member.as_slice()) {
            group.members.push(user.clone());
            decisions.push(Decision::MembershipCarried { user, group: name });
        } else {
            decisions.push(Decision::MembershipDropped { user, group: name });
        }
    }
}

/// Brings gshadow up to date with the groups. Where only the old system keeps such a file, it is
/// made only for what would be lost without it.
fn secrets(old: &AccountDb, new: &AccountDb, out: &mut AccountDb, decisions: &mut Vec<Decision>) {
    let worth = |line: &Gshadow| has_hash(&line.password) || !line.admins.is_empty();
    if new.gshadow.is_empty() && !old.gshadow.records().any(worth) {
        return;
    }
    let users: BTreeSet<&[u8]> = out.passwd.records().map(|u| u.name.as_slice()).collect();
    let (was, had) = (index(&old.gshadow), index(&new.group));
    let mut groups = BTreeMap::new();
    for group in out.group.records() {
        groups.entry(group.name.clone()).or_insert_with(|| group.members.clone());
    }
    let mut seen = BTreeSet::new();
    for line in out.gshadow.records_mut() {
        let Some(members) = groups.get(&line.name) else { continue };
        if !seen.insert(line.name.clone()) {
            continue;
        }
        // Only who joined: that the two files agreed before is not ours to decide.
        let own = had.get(line.name.as_slice()).map_or(&[][..], |group| &group.members);
        extend(&mut line.members, members.iter().filter(|member| !own.contains(member)));
        let Some(was) = was.get(line.name.as_slice()) else { continue };
        let admins = was.admins.iter().filter(|admin| users.contains(admin.as_slice()));
        extend(&mut line.admins, admins);
        let members = was.members.iter().filter(|member| users.contains(member.as_slice()));
        extend(&mut line.members, members);
        if has_hash(&was.password) && is_locked(&line.password) && line.password != was.password {
            line.password.clone_from(&was.password);
            let name = line.name.clone();
            decisions.push(Decision::PasswordCarried { kind: GROUP, name });
        }
    }
    let mut added = Vec::new();
    for group in out.group.records() {
        let own = had.contains_key(group.name.as_slice());
        let was = was.get(group.name.as_slice());
        // A group of the new system without a line stays without, unless one is carried.
        if (own && !was.is_some_and(|was| worth(was))) || !seen.insert(group.name.clone()) {
            continue;
        }
        let existing = |names: &Vec<Vec<u8>>| {
            names.iter().filter(|name| users.contains(name.as_slice())).cloned().collect()
        };
        added.push(Gshadow {
            name: group.name.clone(),
            password: was.map_or_else(|| b"!".to_vec(), |was| was.password.clone()),
            admins: was.map_or_else(Vec::new, |was| existing(&was.admins)),
            members: group.members.clone(),
        });
    }
    out.gshadow.extend(added);
}

fn extend<'a>(list: &mut Vec<Vec<u8>>, more: impl Iterator<Item = &'a Vec<u8>>) {
    let mut present: BTreeSet<Vec<u8>> = list.iter().cloned().collect();
    for name in more {
        if present.insert(name.clone()) {
            list.push(name.clone());
        }
    }
}
