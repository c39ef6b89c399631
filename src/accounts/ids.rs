//! [`assign`]: which id each old id becomes.
//!
//! Names decide: an id becomes the id that its name has on the new system, else it stays, else it
//! becomes a free one of its range. Files know ids and not names, so the unit is the id with all
//! its names: names that shared an id still share one. Two invariants are worth more than a name:
//! nothing becomes id 0 that was not, and names that had ids of their own never come to share one.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{AccountKind, Conflict};
use super::ranges::Ranges;

/// `nobody`: what the kernel shows for an owner it cannot map.
const NOBODY: u32 = 65_534;
/// The 16-bit "none".
const NONE_16: u32 = 65_535;
/// First id of accounts that distributions number themselves at run time.
const SYSTEM: u32 = 100;
/// First id of people's accounts.
const REGULAR: u32 = 1000;

/// Whether `id` belongs to the operating system rather than to a person.
pub(super) fn is_system(id: u32) -> bool {
    id < REGULAR || id == NOBODY
}

/// A name and its id.
pub(super) type Named<'a> = (&'a [u8], u32);

/// The outcome of [`assign`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assignment {
    /// What every named old id becomes; an id for which none is free is missing.
    pub(super) target: BTreeMap<u32, u32>,
    /// What could not be decided without a doubt.
    pub(super) conflicts: Vec<Conflict>,
}

/// Decides what each id in `old` becomes beside the accounts in `new`, both in file order.
///
/// `unnamed` are further ids that own files, and `reserved` the subordinate ids in use: no id is
/// taken from either.
pub(super) fn assign(
    kind: AccountKind,
    old: &[Named<'_>],
    new: &[Named<'_>],
    unnamed: &BTreeSet<u32>,
    reserved: &Ranges,
) -> Assignment {
    let mut by_name: BTreeMap<&[u8], u32> = BTreeMap::new();
    for &(name, id) in new {
        by_name.entry(name).or_insert(id);
    }
    let mut shared: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
    for &(name, id) in old {
        shared.entry(id).or_default().push(name);
    }
    let mut pool = Pool { used: new.iter().map(|&(_, id)| id).collect(), reserved, next: START };
    let mut out = Assignment::default();
    let mut homeless = Vec::new();
    for (&id, names) in &shared {
        match target(id, names, &by_name) {
            Some(target) => {
                out.target.insert(id, target);
            }
            // A number whose names are all the superuser's now gets no name, so it is in nobody's
            // way as long as nobody else has it.
            None if pool.is_free(id)
                || (names.iter().all(|name| by_name.contains_key(name))
                    && !pool.used.contains(&id)) =>
            {
                pool.used.insert(id);
                out.target.insert(id, id);
            }
            None => homeless.push((id, names)),
        }
    }
    pool.used.extend(unnamed);
    for (id, names) in homeless {
        match pool.take(id) {
            Some(free) => {
                out.target.insert(id, free);
            }
            None => out.conflicts.extend(names.iter().map(|name| Conflict::NoFreeId {
                kind,
                name: name.to_vec(),
                id,
            })),
        }
    }
    out.conflicts.extend(splits(kind, &shared, &by_name, &out.target));
    out
}

/// The id that the new system has for the names of `id`.
fn target(id: u32, names: &[&[u8]], by_name: &BTreeMap<&[u8], u32>) -> Option<u32> {
    if id == 0 {
        return Some(0);
    }
    names.iter().filter_map(|name| by_name.get(name).copied()).find(|&id| id != 0)
}

/// Names whose own id on the new system is not the one that their files go to.
fn splits(
    kind: AccountKind,
    shared: &BTreeMap<u32, Vec<&[u8]>>,
    by_name: &BTreeMap<&[u8], u32>,
    target: &BTreeMap<u32, u32>,
) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (&id, names) in shared {
        let Some(&files) = target.get(&id) else { continue };
        for &name in names {
            match by_name.get(name) {
                Some(0) if id != 0 => {
                    conflicts.push(Conflict::Superuser { kind, name: name.to_vec(), id });
                }
                Some(&own) if own != files => {
                    conflicts.push(Conflict::AliasSplit {
                        kind,
                        name: name.to_vec(),
                        id: own,
                        files,
                    });
                }
                _ => {}
            }
        }
    }
    conflicts
}

/// The ranges that ids are taken from: static, system, regular, and those beyond 16 bits.
const POOLS: [(u32, u32); 4] =
    [(1, SYSTEM), (SYSTEM, REGULAR), (REGULAR, 60_001), (NONE_16 + 1, u32::MAX)];
const START: [u32; 4] = [POOLS[0].0, POOLS[1].0, POOLS[2].0, POOLS[3].0];

/// The ids that are still free. Each range has a cursor that only moves up, so that any number
/// of accounts takes linear time.
struct Pool<'a> {
    used: BTreeSet<u32>,
    reserved: &'a Ranges,
    next: [u32; 4],
}

impl Pool<'_> {
    fn is_free(&self, id: u32) -> bool {
        !matches!(id, 0 | NOBODY | NONE_16 | u32::MAX)
            && !self.used.contains(&id)
            && self.reserved.first_free(id) == id
    }

    /// The lowest free id of the range of `id`, else of the ranges above it, else of people's.
    fn take(&mut self, id: u32) -> Option<u32> {
        let pools: &[usize] = match id {
            0..SYSTEM => &[0, 1, 2, 3],
            SYSTEM..REGULAR | NOBODY => &[1, 2, 3],
            REGULAR..=NONE_16 => &[2, 3],
            _ => &[3, 2],
        };
        pools.iter().find_map(|&pool| self.take_from(pool))
    }

    fn take_from(&mut self, pool: usize) -> Option<u32> {
        let end = POOLS[pool].1;
        let mut id = self.next[pool];
        while id < end {
            let free = self.reserved.first_free(id);
            if free == id && self.used.insert(id) {
                self.next[pool] = id + 1;
                return Some(id);
            }
            id = free.max(id + 1);
        }
        self.next[pool] = end;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'a>(accounts: &[(&'a str, u32)]) -> Vec<Named<'a>> {
        accounts.iter().map(|(name, id)| (name.as_bytes(), *id)).collect()
    }

    fn assigned(old: &[(&str, u32)], new: &[(&str, u32)]) -> Assignment {
        let (old, new) = (named(old), named(new));
        assign(AccountKind::User, &old, &new, &BTreeSet::new(), &Ranges::default())
    }

    fn targets(old: &[(&str, u32)], new: &[(&str, u32)]) -> Vec<(u32, u32)> {
        assigned(old, new).target.into_iter().collect()
    }

    #[test]
    fn a_name_that_both_have_gets_the_new_id() {
        assert_eq!(targets(&[("_apt", 100)], &[("_apt", 42)]), [(100, 42)]);
    }

    #[test]
    fn an_old_id_stays_where_it_is_free_and_else_finds_one_in_its_range() {
        let new = [("root", 0), ("a", 41), ("b", 100), ("c", 1000), ("nobody", 65_534)];
        assert_eq!(
            targets(&[("gnats", 41), ("ssh", 100), ("x", 101), ("al", 1000), ("bo", 1001)], &new),
            [(41, 1), (100, 102), (101, 101), (1000, 1002), (1001, 1001)]
        );
        assert_eq!(targets(&[("big", 70_000)], &new), [(70_000, 70_000)]);
        assert_eq!(targets(&[("big", 70_000)], &[("n", 70_000)]), [(70_000, 65_536)]);
    }

    #[test]
    fn a_full_range_overflows_into_the_next() {
        let names: Vec<String> = (0..1000).map(|i| format!("n{i}")).collect();
        let new: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(0..1000).collect();
        assert_eq!(targets(&[("old", 5), ("sys", 200)], &new), [(5, 1000), (200, 1001)]);
    }

    #[test]
    fn no_account_becomes_nobody_or_none() {
        assert_eq!(targets(&[("nfsnobody", 65_534)], &[("nobody", 65_534)]), [(65_534, 100)]);
        assert_eq!(targets(&[("odd", 65_535)], &[]), [(65_535, 1000)]);
    }

    #[test]
    fn nothing_becomes_the_superuser_and_the_superuser_stays() {
        let out = assigned(&[("root", 1000), ("admin", 0)], &[("root", 0), ("admin", 1001)]);
        assert_eq!(out.target, [(0, 0), (1000, 1000)].into());
        assert_eq!(
            out.conflicts,
            [
                Conflict::AliasSplit {
                    kind: AccountKind::User,
                    name: b"admin".to_vec(),
                    id: 1001,
                    files: 0,
                },
                Conflict::Superuser { kind: AccountKind::User, name: b"root".to_vec(), id: 1000 },
            ]
        );
    }

    #[test]
    fn names_of_one_id_go_where_the_first_known_of_them_went() {
        let old = [("a", 500), ("b", 500), ("c", 500)];
        assert_eq!(targets(&old, &[("b", 200), ("c", 300)]), [(500, 200)]);
        assert_eq!(assigned(&old, &[("b", 200), ("c", 300)]).conflicts.len(), 1);
    }

    #[test]
    fn ids_that_own_files_or_are_subordinate_are_not_given_away() {
        let mut reserved = Ranges::default();
        reserved.insert(1002, 1010);
        let (old, new) = (named(&[("al", 1000)]), named(&[("ubuntu", 1000)]));
        let out = assign(AccountKind::User, &old, &new, &[1001].into(), &reserved);
        assert_eq!(out.target, [(1000, 1010)].into());
    }
}
