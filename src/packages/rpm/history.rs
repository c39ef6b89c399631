//! Why a package was installed, as dnf 4 keeps it in its history.
//!
//! Every change to a package is a row of `trans_item`; the last one of a name and architecture
//! holds. The tables are read one by one and joined here: joining forged ones could take for ever.

use std::collections::{HashMap, HashSet};

use sqlx::Row;

use super::database::with_copy;
use super::fault::DatabaseFault;
use super::sqlite::Database;
use crate::packages::problem::{Problem, chain};
use crate::packages::records::Records;
use crate::tree::RootPath;

/// Where dnf 4 keeps it.
const FILE: RootPath = RootPath::literal("/var/lib/dnf/history.sqlite");

/// A row a package and change; a system that is updated daily makes a million in ten years.
const MAX_ROWS: usize = 4 << 20;

const PACKAGES: &str = "SELECT CAST(item_id AS INTEGER), name || '.' || arch FROM main.rpm \
                        NOT INDEXED WHERE length(name) < 1000 AND length(arch) < 100";

/// Changes that were done.
const CHANGES: &str = "SELECT CAST(id AS INTEGER), CAST(item_id AS INTEGER), \
                       CAST(action AS INTEGER), CAST(reason AS INTEGER) \
                       FROM main.trans_item NOT INDEXED WHERE state = 1";

/// Numbers of an action and of reasons.
const REMOVED: i64 = 8;
const DEPENDENCY: i64 = 1;
const WEAK_DEPENDENCY: i64 = 4;

/// Name and architecture, joined by a dot, of every package that came for another one; empty where
/// there is no history, or it cannot be read, which is a problem.
pub(super) fn auto(records: &mut Records<'_>) -> HashSet<String> {
    let file = FILE;
    let tree = records.tree;
    let place = crate::tree::resolve(tree, &file);
    let Some(place) = records.or_problem(&file, place).flatten() else { return HashSet::new() };
    let mut auto = HashSet::new();
    let result = with_copy(tree, &place, |copy| {
        let mut database = Database::open(copy)?;
        let result = read(&mut database, &mut auto);
        database.close();
        result
    });
    if let Some(Err(fault)) = records.or_problem(&file, result) {
        records.problems.note(Problem::Unreadable { file, why: chain(&fault) });
        auto.clear();
    }
    auto
}

fn read(database: &mut Database, auto: &mut HashSet<String>) -> Result<(), DatabaseFault> {
    let changes = ["id", "item_id", "action", "reason", "state"];
    for (table, columns) in [("rpm", &["item_id", "name", "arch"][..]), ("trans_item", &changes)] {
        if !database.has(table, columns)? {
            return Err(DatabaseFault::NotATable(table));
        }
    }
    let mut left = MAX_ROWS;
    let mut names: HashMap<i64, String> = HashMap::new();
    database.rows(PACKAGES, |row| {
        left = left.checked_sub(1).ok_or(DatabaseFault::TooMany(MAX_ROWS))?;
        names.insert(row.try_get(0)?, row.try_get(1)?);
        Ok(())
    })?;
    // Of every name the last change: its number, and whether it came for another package.
    let mut last: HashMap<&str, (i64, bool)> = HashMap::new();
    database.rows(CHANGES, |row| {
        left = left.checked_sub(1).ok_or(DatabaseFault::TooMany(MAX_ROWS))?;
        let (id, item): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let (action, reason): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        let auto = action != REMOVED && matches!(reason, DEPENDENCY | WEAK_DEPENDENCY);
        if let Some(name) = names.get(&item) {
            let known = last.entry(name).or_insert((id, auto));
            *known = (*known).max((id, auto));
        }
        Ok(())
    })?;
    let names = last.into_iter().filter(|(_, (_, auto))| *auto);
    auto.extend(names.map(|(name, _)| name.to_owned()));
    Ok(())
}
