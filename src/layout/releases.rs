//! What the layout database knows of a distribution's releases: what became of packages between
//! two of them, and which package brings a path.

use std::collections::BTreeMap;
use std::io::Read;

use sqlx::Row;

use super::db::LayoutDb;
use super::embedded::OFFERED;
use super::{LayoutError, PackageFate};
use crate::tree::RootPath;

/// Two releases of one distribution, by the versions of their os-release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Releases<'a> {
    /// The distribution.
    pub distribution: &'a str,
    /// The earlier one.
    pub old: &'a str,
    /// The later one.
    pub new: &'a str,
}

/// What happened to one package.
struct Event {
    package: String,
    successors: Vec<String>,
    /// What sort of event it was, and the first release in which it is so.
    why: String,
}

impl LayoutDb {
    /// What became of the packages `names` on the way between two releases, all events on it taken
    /// in order; a name of which nothing is known is not in the answer. What a rule says of a
    /// package comes before it.
    pub fn became(
        &self,
        between: &Releases,
        names: &[&str],
    ) -> Result<BTreeMap<String, PackageFate>, LayoutError> {
        let events = self.events(between, names)?;
        let renames =
            names.iter().filter_map(|name| Some(((*name).to_owned(), fate(name, &events)?)));
        Ok(renames.collect())
    }

    /// The events on the way that concern `names` or what they became, in order.
    fn events(&self, between: &Releases, names: &[&str]) -> Result<Vec<Event>, LayoutError> {
        let names = serde_json::to_string(names).map_err(|e| LayoutError::row("names", e))?;
        let rows = self.ask(
            sqlx::query(
                "WITH RECURSIVE \
                 span AS ( \
                     SELECT package, kind, successors, later.version AS version, \
                            earlier.position AS since, later.position AS until \
                     FROM package_event \
                     JOIN release AS earlier ON earlier.id = release_from \
                     JOIN release AS later ON later.id = release_to \
                     WHERE earlier.distribution = ?1 AND later.distribution = ?1 \
                     AND earlier.position >= ( \
                         SELECT position FROM release WHERE distribution = ?1 AND version = ?2) \
                     AND later.position <= ( \
                         SELECT position FROM release WHERE distribution = ?1 AND version = ?3)), \
                 reached (package) AS ( \
                     SELECT value FROM json_each(?4) \
                     UNION \
                     SELECT successor.value FROM reached JOIN span USING (package), \
                            json_each(span.successors) AS successor) \
                 SELECT package, successors, kind, version \
                 FROM span JOIN reached USING (package) ORDER BY since, until, package",
            )
            .bind(between.distribution)
            .bind(between.old)
            .bind(between.new)
            .bind(names),
        )?;
        rows.iter()
            .map(|row| {
                let successors = serde_json::from_str(row.try_get(1)?)
                    .map_err(|error| LayoutError::row("successors", error))?;
                let (kind, version): (&str, &str) = (row.try_get(2)?, row.try_get(3)?);
                let why = format!("{kind} in {} {version}", between.distribution);
                Ok(Event { package: row.try_get(0)?, successors, why })
            })
            .collect()
    }

    /// The packages of a release that bring `path`.
    pub fn brought_by(
        &self,
        distribution: &str,
        version: &str,
        path: &RootPath,
    ) -> Result<Vec<String>, LayoutError> {
        let rows = self.ask(
            sqlx::query(
                "SELECT package FROM file_layout JOIN release ON release.id = file_layout.release \
                 WHERE distribution = ?1 AND version = ?2 AND path = ?3 ORDER BY package",
            )
            .bind(distribution)
            .bind(version)
            .bind(path.to_string()),
        )?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

/// What the releases of `distribution` offer, as a table that is unpacked while it is read: it is
/// large, and few acts need it.
pub(crate) fn offered(distribution: &str) -> Option<Box<dyn Read>> {
    let (_, packed) = OFFERED.iter().find(|(name, _)| *name == distribution)?;
    let unpacked = zstd::Decoder::with_buffer(*packed).ok()?;
    Some(Box::new(unpacked))
}

/// What `events`, in order, make of a package; `None` when none concerns it.
fn fate(name: &str, events: &[Event]) -> Option<PackageFate> {
    let mut fate = PackageFate { to: vec![name.to_owned()], why: String::new() };
    for event in events {
        let Some(at) = fate.to.iter().position(|name| *name == event.package) else { continue };
        fate.to.remove(at);
        for (successor, at) in event.successors.iter().zip(at..) {
            if !fate.to.contains(successor) {
                fate.to.insert(at.min(fate.to.len()), successor.clone());
            }
        }
        let comma = if fate.why.is_empty() { "" } else { ", " };
        fate.why = format!("{}{comma}{}", fate.why, event.why);
    }
    (!fate.why.is_empty()).then_some(fate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "
        INSERT INTO release VALUES (1, 'd', '9', 0), (2, 'd', '10', 1), (3, 'd', '11', 2),
                                   (4, 'e', '10', 1);
        INSERT INTO package_event VALUES
            ('a', 1, 2, 'renamed', '[\"b\"]'),
            ('b', 2, 3, 'split', '[\"b-server\", \"b-client\"]'),
            ('gone', 1, 3, 'removed', '[]'),
            ('one', 1, 2, 'merged', '[\"all\"]'),
            ('two', 1, 2, 'merged', '[\"all\"]'),
            ('late', 2, 3, 'renamed', '[\"later\"]'),
            ('other', 4, 4, 'removed', '[]');
        INSERT INTO file_layout VALUES (2, '/bin/x', 'x'), (2, '/bin/x', 'x-alt'), (3, '/bin/x', 'y');";

    fn db() -> LayoutDb {
        let db = LayoutDb::open(&[]).unwrap();
        for statement in FACTS.split_inclusive(';') {
            db.ask(sqlx::query(statement)).unwrap();
        }
        db
    }

    fn became(old: &str, new: &str, names: &[&str]) -> Vec<String> {
        let between = Releases { distribution: "d", old, new };
        let renames = db().became(&between, names).unwrap();
        renames.iter().map(|(name, f)| format!("{name}: {} ({})", f.to.join(" "), f.why)).collect()
    }

    #[test]
    fn events_between_two_releases_are_followed_in_order() {
        assert_eq!(
            became("9", "11", &["a", "gone", "unknown", "other"]),
            ["a: b-server b-client (renamed in d 10, split in d 11)", "gone:  (removed in d 11)"]
        );
        assert_eq!(became("9", "10", &["a", "gone"]), ["a: b (renamed in d 10)"]);
        assert_eq!(became("10", "11", &["a", "late"]), ["late: later (renamed in d 11)"]);
        assert_eq!(
            became("9", "11", &["one", "two"]),
            ["one: all (merged in d 10)", "two: all (merged in d 10)"]
        );
    }

    #[test]
    fn of_an_unknown_release_or_backwards_nothing_is_known() {
        assert!(became("8", "11", &["a"]).is_empty());
        assert!(became("9", "12", &["a"]).is_empty());
        assert!(became("11", "9", &["a"]).is_empty());
        let between = Releases { distribution: "d", old: "9", new: "11" };
        assert!(LayoutDb::open(&[]).unwrap().became(&between, &["a"]).unwrap().is_empty());
    }

    #[test]
    fn what_debians_releases_offer_is_in_the_binary() {
        let mut table = String::new();
        offered("debian").unwrap().read_to_string(&mut table).unwrap();
        assert!(table.starts_with("releases 11 bullseye 12 bookworm 13 trixie "));
        let names: Vec<&str> = table.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.len() > 90_000);
        assert!(names[2..].is_sorted());
        for name in ["nginx", "samba", "php7.4-fpm", "postgresql-17", "firmware-realtek"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(offered("other").is_none());
    }

    #[test]
    fn a_release_tells_which_packages_bring_a_path() {
        let path = RootPath::parse(b"/bin/x").unwrap();
        let db = db();
        assert_eq!(db.brought_by("d", "10", &path).unwrap(), ["x", "x-alt"]);
        assert_eq!(db.brought_by("d", "11", &path).unwrap(), ["y"]);
        assert!(db.brought_by("e", "10", &path).unwrap().is_empty());
    }
}
