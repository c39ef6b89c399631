//! What the names of an account file stand for: records and numbers.

use std::collections::BTreeMap;

use crate::accounts::AccountDb;
use crate::accounts::ids::Named;
use crate::accounts::table::{Record, Table};

/// The first record of each name.
pub(super) fn index<T: Record>(table: &Table<T>) -> BTreeMap<&[u8], &T> {
    let mut index = BTreeMap::new();
    for record in table.records() {
        index.entry(record.name()).or_insert(record);
    }
    index
}

/// The user ids by name, in the order of the file.
pub(super) fn user_ids(accounts: &AccountDb) -> Vec<Named<'_>> {
    accounts.passwd.records().map(|user| (user.name(), user.uid)).collect()
}

/// The group ids by name, in the order of the file.
pub(super) fn group_ids(accounts: &AccountDb) -> Vec<Named<'_>> {
    accounts.group.records().map(|group| (group.name(), group.gid)).collect()
}
