//! Subordinate ids: ranges that users own besides their own id.
//!
//! Files of rootless containers belong to such ids, so a range that has to move moves its files.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::idmap::MovedRange;
use crate::accounts::ranges::Ranges;
use crate::accounts::table::{Table, number};
use crate::accounts::{AccountDb, AccountKind, Conflict, Decision, IdMap, Subid};

use super::names::{group_ids, user_ids};

/// Where `useradd` gives ranges from (`SUB_UID_MIN`, `SUB_UID_MAX`).
const FIRST: u32 = 100_000;
const LIMIT: u32 = 600_100_000;
/// An id above this can stand in the way of a range.
const SMALL: u32 = 65_535;

/// All ids of the ranges in `table`.
pub(super) fn reserved(table: &Table<Subid>) -> Ranges {
    let mut ranges = Ranges::default();
    for range in table.records() {
        ranges.insert(range.start, range.end());
    }
    ranges
}

/// Brings the ranges of `old` into `out`, whose users are merged already.
pub(super) fn merge(
    old: &AccountDb,
    new: &AccountDb,
    ids: &mut IdMap,
    out: &mut AccountDb,
    decisions: &mut Vec<Decision>,
) {
    let mut owners: BTreeSet<Vec<u8>> = BTreeSet::new();
    for (name, uid) in user_ids(out) {
        owners.insert(name.to_vec());
        owners.insert(uid.to_string().into_bytes());
    }
    let by_number = ids.uid.clone();
    let old_names: BTreeSet<&[u8]> = user_ids(old).into_iter().map(|(name, _)| name).collect();
    // An owner may be a uid in digits, unless a user is called so.
    let owner = |owner: &[u8]| match number(owner) {
        Some(uid) if !old_names.contains(owner) => {
            by_number.get(&uid).unwrap_or(&uid).to_string().into_bytes()
        }
        _ => owner.to_vec(),
    };
    let sides = [
        (AccountKind::User, &old.subuid, &new.subuid, user_ids(out)),
        (AccountKind::Group, &old.subgid, &new.subgid, group_ids(out)),
    ];
    let mut results = Vec::new();
    for (kind, old, new, accounts) in sides {
        let mut taken = reserved(new);
        for (_, id) in accounts.into_iter().filter(|&(_, id)| id > SMALL && id < u32::MAX) {
            taken.insert(id, id + 1);
        }
        let wanted =
            old.records().map(|range| Subid { owner: owner(&range.owner), ..range.clone() });
        results.push(place(kind, wanted, new, taken, &owners, decisions));
    }
    if let (Some((added, moved)), Some((subuids, subuids_moved))) = (results.pop(), results.pop()) {
        out.subgid.extend(added);
        ids.gid_ranges = moved;
        out.subuid.extend(subuids);
        ids.uid_ranges = subuids_moved;
    }
}

/// Finds a place for each of the `wanted` ranges: the lines to add, and what moved.
fn place(
    kind: AccountKind,
    wanted: impl Iterator<Item = Subid>,
    new: &Table<Subid>,
    mut taken: Ranges,
    owners: &BTreeSet<Vec<u8>>,
    decisions: &mut Vec<Decision>,
) -> (Vec<Subid>, Vec<MovedRange>) {
    let mut free_own = Own::of(new);
    let mut colliding = Vec::new();
    let mut added = Vec::new();
    let mut seen = BTreeSet::new();
    for range in wanted {
        let Subid { owner, start, count } = range.clone();
        if !seen.insert((owner.clone(), start, count)) {
            continue;
        }
        if !owners.contains(&owner) {
            decisions.push(Decision::SubidsDropped { kind, owner, start, count });
        } else if free_own.take(&owner, count, Some(start)).is_some() {
            // The new system has the same line.
        } else if taken.overlaps(start, range.end()) {
            colliding.push(range);
        } else {
            decisions.push(Decision::SubidsCarried { kind, owner, start, count });
            added.push(range);
        }
    }
    for range in &added {
        taken.insert(range.start, range.end());
    }
    let lines = new.records().chain(&added);
    let mut have: BTreeSet<(Vec<u8>, u32, u32)> =
        lines.map(|range| (range.owner.clone(), range.start, range.count)).collect();
    let mut moved: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    for range in colliding {
        let Subid { owner, start, count } = range;
        // Owners that shared a range share it still.
        let shared = moved.get(&(start, count)).copied();
        let own = free_own.take(&owner, count, shared);
        let Some(to) = shared.or(own).or_else(|| taken.gap(FIRST, count, LIMIT)) else {
            let conflict = Conflict::NoFreeRange { kind, owner, start, count };
            decisions.push(Decision::Conflict(conflict));
            continue;
        };
        if own.is_none() && have.insert((owner.clone(), to, count)) {
            taken.insert(to, to.saturating_add(count));
            added.push(Subid { owner: owner.clone(), start: to, count });
        }
        moved.insert((start, count), to);
        decisions.push(Decision::SubidsMoved { kind, owner, from: start, to, count });
    }
    let moved =
        moved.into_iter().map(|((from, count), to)| MovedRange { from, to, count }).collect();
    (added, moved)
}

/// The ranges each owner has on the new system, by their size and in file order. One of the same
/// size stands in for an old range that cannot be had; since what a merge adds stands behind them,
/// a second merge finds each range again.
struct Own(BTreeMap<(Vec<u8>, u32), Vec<u32>>);

impl Own {
    fn of(new: &Table<Subid>) -> Own {
        let mut own: BTreeMap<(Vec<u8>, u32), Vec<u32>> = BTreeMap::new();
        for range in new.records() {
            let starts = own.entry((range.owner.clone(), range.count)).or_default();
            if !starts.contains(&range.start) {
                starts.push(range.start);
            }
        }
        Own(own)
    }

    /// Takes the owner's range of `count` ids at `start`, or any when it may be anywhere.
    fn take(&mut self, owner: &[u8], count: u32, start: Option<u32>) -> Option<u32> {
        let starts = self.0.get_mut(&(owner.to_vec(), count))?;
        let at = match start {
            Some(start) => starts.iter().position(|&s| s == start)?,
            None => 0,
        };
        (at < starts.len()).then(|| starts.remove(at))
    }
}
