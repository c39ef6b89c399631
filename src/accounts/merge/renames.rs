//! [`Renames`]: accounts that the new release calls otherwise.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::table::{Record, Table};
use crate::accounts::{AccountDb, AccountKind, Conflict, Decision};

/// Old name to new name, of users and groups alike: `ntp` to `ntpsec`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Renames(BTreeMap<Vec<u8>, Vec<u8>>);

impl<A: Into<Vec<u8>>, B: Into<Vec<u8>>> FromIterator<(A, B)> for Renames {
    fn from_iter<I: IntoIterator<Item = (A, B)>>(pairs: I) -> Renames {
        Renames(pairs.into_iter().map(|(from, to)| (from.into(), to.into())).collect())
    }
}

impl Renames {
    /// `old` under its new names. A name that is taken already is not taken a second time.
    pub(super) fn apply(&self, old: &AccountDb, decisions: &mut Vec<Decision>) -> AccountDb {
        let mut out = old.clone();
        let users = self.accepted(AccountKind::User, &old.passwd, decisions);
        let groups = self.accepted(AccountKind::Group, &old.group, decisions);
        let user = |name: &mut Vec<u8>| rename(&users, name);
        let group = |name: &mut Vec<u8>| rename(&groups, name);
        out.passwd.records_mut().for_each(|line| user(&mut line.name));
        out.shadow.records_mut().for_each(|line| user(&mut line.name));
        for line in out.group.records_mut() {
            group(&mut line.name);
            line.members.iter_mut().for_each(user);
        }
        for line in out.gshadow.records_mut() {
            group(&mut line.name);
            line.members.iter_mut().chain(&mut line.admins).for_each(user);
        }
        for line in out.subuid.records_mut().chain(out.subgid.records_mut()) {
            user(&mut line.owner);
        }
        out
    }

    /// The renames that `table` has a name for and room for.
    fn accepted<T: Record>(
        &self,
        kind: AccountKind,
        table: &Table<T>,
        decisions: &mut Vec<Decision>,
    ) -> BTreeMap<&[u8], &[u8]> {
        let mut taken: BTreeSet<&[u8]> = table.records().map(Record::name).collect();
        let mut accepted = BTreeMap::new();
        for (from, to) in &self.0 {
            if from == to || !table.records().any(|record| record.name() == from) {
                continue;
            }
            let (f, t) = (from.clone(), to.clone());
            if taken.insert(to) {
                accepted.insert(from.as_slice(), to.as_slice());
                decisions.push(Decision::Renamed { kind, from: f, to: t });
            } else {
                let conflict = Conflict::RenameTaken { kind, from: f, to: t };
                decisions.push(Decision::Conflict(conflict));
            }
        }
        accepted
    }
}

fn rename(names: &BTreeMap<&[u8], &[u8]>, name: &mut Vec<u8>) {
    if let Some(to) = names.get(name.as_slice()) {
        *name = to.to_vec();
    }
}
