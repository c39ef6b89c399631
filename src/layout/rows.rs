//! Rules as rows: how one is written to the database and read back.
//!
//! Every statement is a constant; values are bound. What comes back is parsed again, so that a
//! row is never trusted more than a file.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{
    Created, Database, Earlier, LayoutEntry, LayoutError, PackageChange, PackageMark, PathMark,
    Rebuild, Recognise, Renaming, Rule, RuleSource, Scope, SecretMark, Template, Transition,
    Unpacking, Validator, Version, VersionRule,
};

type Result<T> = std::result::Result<T, LayoutError>;

/// An error about a value that the database gave back.
pub(super) fn row(what: &'static str, why: impl std::fmt::Display) -> LayoutError {
    let why = format!("{why}");
    LayoutError::Row { what, why }
}

fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| row(what, error))
}

fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| row(what, error))
}

/// A word of the rule language, as it stands in a column.
fn word<T: Serialize>(what: &'static str, value: &T) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        other => Err(row(what, format!("{other:?} is not a word"))),
    }
}

fn of_word<T: DeserializeOwned>(what: &'static str, text: String) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(|error| row(what, error))
}

/// Writes `rule`, made of the files in `sources`.
pub(super) async fn insert(
    db: &mut SqliteConnection,
    sources: &[RuleSource],
    rule: &Rule,
) -> Result<()> {
    let id = sqlx::query(
        "INSERT INTO rule (app, distribution, title, scope, components) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(rule.app.as_str())
    .bind(rule.distribution.as_str())
    .bind(&rule.title)
    .bind(word("scope", &rule.scope)?)
    .bind(rule.version.components as i64)
    .execute(&mut *db)
    .await?
    .last_insert_rowid();
    for (source, at) in sources.iter().zip(0_i64..) {
        sqlx::query("INSERT INTO source (rule, position, file, embedded) VALUES (?1, ?2, ?3, ?4)")
            .bind(id)
            .bind(at)
            .bind(&source.file)
            .bind(source.embedded)
            .execute(&mut *db)
            .await?;
    }
    insert_marks(db, id, &rule.recognise).await?;
    insert_layout(db, id, rule).await?;
    insert_renamings(db, id, rule).await?;
    insert_acts(db, id, rule).await
}

async fn insert_marks(db: &mut SqliteConnection, id: i64, marks: &Recognise) -> Result<()> {
    for (mark, at) in marks.packages.iter().zip(0_i64..) {
        sqlx::query(
            "INSERT INTO package_mark (rule, position, name, generation) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(id)
        .bind(at)
        .bind(mark.name.as_str())
        .bind(i64::from(mark.generation))
        .execute(&mut *db)
        .await?;
    }
    for (mark, at) in marks.paths.iter().zip(0_i64..) {
        sqlx::query(
            "INSERT INTO path_mark (rule, position, path, version) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(id)
        .bind(at)
        .bind(mark.path.as_str())
        .bind(mark.version.as_ref().map(Version::to_string))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn insert_layout(db: &mut SqliteConnection, id: i64, rule: &Rule) -> Result<()> {
    for (entry, at) in rule.layout.iter().zip(0_i64..) {
        sqlx::query(
            "INSERT INTO layout \
             (rule, position, glob, worth, template, sha256, link, directory, packaged, unpacked, why) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .bind(id)
        .bind(at)
        .bind(entry.glob.as_str())
        .bind(entry.worth.word())
        .bind(entry.template.as_ref().map(|template| template.as_str().to_owned()))
        .bind(to_json("digests", &entry.sha256)?)
        .bind(entry.link.as_ref().map(|link| link.as_str().to_owned()))
        .bind(entry.directory)
        .bind(entry.packaged)
        .bind(entry.unpacked.as_ref().map(|u| to_json("unpacked", u)).transpose()?)
        .bind(&entry.why)
        .execute(&mut *db)
        .await?;
    }
    for (secret, at) in rule.secrets.iter().zip(0_i64..) {
        sqlx::query(
            "INSERT INTO secret (rule, position, glob, lines, why) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(id)
        .bind(at)
        .bind(secret.glob.as_str())
        .bind(to_json("lines", &secret.lines)?)
        .bind(&secret.why)
        .execute(&mut *db)
        .await?;
    }
    for (created, at) in rule.created.iter().zip(0_i64..) {
        sqlx::query("INSERT INTO created (rule, position, path, why) VALUES (?1, ?2, ?3, ?4)")
            .bind(id)
            .bind(at)
            .bind(created.path.as_str())
            .bind(&created.why)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn insert_renamings(db: &mut SqliteConnection, id: i64, rule: &Rule) -> Result<()> {
    let renaming = |r: &Renaming| PackageChange {
        from: r.from.clone(),
        to: vec![r.to.clone()],
        since: r.since.clone(),
        why: String::new(),
    };
    let kinds = [
        ("package", rule.packages.clone()),
        ("account", rule.accounts.iter().map(renaming).collect()),
        ("service", rule.services.iter().map(renaming).collect()),
    ];
    for (kind, changes) in kinds {
        for (change, at) in changes.iter().zip(0_i64..) {
            sqlx::query(
                "INSERT INTO renaming (rule, kind, position, old, new, since, why) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .bind(id)
            .bind(kind)
            .bind(at)
            .bind(change.from.as_str())
            .bind(to_json("names", &change.to)?)
            .bind(change.since.as_ref().map(Version::to_string))
            .bind(&change.why)
            .execute(&mut *db)
            .await?;
        }
    }
    Ok(())
}

async fn insert_acts(db: &mut SqliteConnection, id: i64, rule: &Rule) -> Result<()> {
    for (database, at) in rule.databases.iter().zip(0_i64..) {
        sqlx::query(
            "INSERT INTO datastore (rule, position, find, directory, export, import) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(id)
        .bind(at)
        .bind(database.find.as_str())
        .bind(database.directory.as_str())
        .bind(to_json("exports", &database.export)?)
        .bind(to_json("imports", &database.import)?)
        .execute(&mut *db)
        .await?;
    }
    for (transition, at) in rule.transitions.iter().zip(0_i64..) {
        sqlx::query(
            "INSERT INTO transition (rule, position, old_range, new_range, steps) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(id)
        .bind(at)
        .bind(transition.from.to_string())
        .bind(transition.to.to_string())
        .bind(to_json("steps", &transition.steps)?)
        .execute(&mut *db)
        .await?;
    }
    for (rebuild, at) in rule.rebuild.iter().zip(0_i64..) {
        sqlx::query("INSERT INTO rebuild (rule, position, body) VALUES (?1, ?2, ?3)")
            .bind(id)
            .bind(at)
            .bind(to_json("rebuild", rebuild)?)
            .execute(&mut *db)
            .await?;
    }
    for (validator, at) in rule.validate.iter().zip(0_i64..) {
        sqlx::query("INSERT INTO validator (rule, position, body) VALUES (?1, ?2, ?3)")
            .bind(id)
            .bind(at)
            .bind(to_json("validator", validator)?)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// A column that holds text of the rule language.
fn parsed<T>(what: &'static str, row_: &SqliteRow, column: usize) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: String = row_.try_get(column)?;
    text.parse().map_err(|error: T::Err| row(what, error))
}

fn optional<T>(what: &'static str, row_: &SqliteRow, column: usize) -> Result<Option<T>>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: Option<String> = row_.try_get(column)?;
    text.map(|text| text.parse().map_err(|error: T::Err| row(what, error))).transpose()
}

/// The rows of a rule's list, in order, each made into a value.
async fn rows<T>(
    db: &mut SqliteConnection,
    sql: &'static str,
    id: i64,
    make: impl Fn(&SqliteRow) -> Result<T>,
) -> Result<Vec<T>> {
    sqlx::query(sql).bind(id).fetch_all(db).await?.iter().map(make).collect()
}

/// Reads the rule with this number.
pub(super) async fn select(db: &mut SqliteConnection, id: i64) -> Result<Rule> {
    let head =
        sqlx::query("SELECT app, distribution, title, scope, components FROM rule WHERE id = ?1")
            .bind(id)
            .fetch_one(&mut *db)
            .await?;
    let changes = renamings(db, id).await?;
    let of_kind = |kind: &'static str| {
        changes.iter().filter(move |(k, _)| k == kind).map(|(_, change)| change.clone())
    };
    let renaming = |change: PackageChange| match change.to.into_iter().next() {
        Some(to) => Ok(Renaming { from: change.from, to, since: change.since }),
        None => Err(row("renaming", "it has no new name")),
    };
    let scope: Scope = of_word("scope", head.try_get(3)?)?;
    let components: i64 = head.try_get(4)?;
    Ok(Rule {
        app: parsed("app", &head, 0)?,
        distribution: parsed("distribution", &head, 1)?,
        title: head.try_get(2)?,
        scope,
        earlier: Earlier::Replace,
        version: VersionRule {
            components: usize::try_from(components).map_err(|e| row("components", e))?,
        },
        recognise: select_marks(db, id).await?,
        layout: select_layout(db, id).await?,
        secrets: rows(
            db,
            "SELECT glob, lines, why FROM secret WHERE rule = ?1 ORDER BY position",
            id,
            |r| {
                Ok(SecretMark {
                    glob: parsed("glob", r, 0)?,
                    lines: from_json("lines", r.try_get(1)?)?,
                    why: r.try_get(2)?,
                })
            },
        )
        .await?,
        created: rows(
            db,
            "SELECT path, why FROM created WHERE rule = ?1 ORDER BY position",
            id,
            |r| Ok(Created { path: parsed("path", r, 0)?, why: r.try_get(1)? }),
        )
        .await?,
        packages: of_kind("package").collect(),
        accounts: of_kind("account").map(renaming).collect::<Result<_>>()?,
        services: of_kind("service").map(renaming).collect::<Result<_>>()?,
        databases: select_databases(db, id).await?,
        transitions: select_transitions(db, id).await?,
        rebuild: rows(db, "SELECT body FROM rebuild WHERE rule = ?1 ORDER BY position", id, |r| {
            from_json::<Rebuild>("rebuild", r.try_get(0)?)
        })
        .await?,
        validate: rows(
            db,
            "SELECT body FROM validator WHERE rule = ?1 ORDER BY position",
            id,
            |r| from_json::<Validator>("validator", r.try_get(0)?),
        )
        .await?,
    })
}

async fn select_marks(db: &mut SqliteConnection, id: i64) -> Result<Recognise> {
    let packages = rows(
        db,
        "SELECT name, generation FROM package_mark WHERE rule = ?1 ORDER BY position",
        id,
        |r| Ok(PackageMark { name: parsed("package", r, 0)?, generation: r.try_get(1)? }),
    )
    .await?;
    let paths = rows(
        db,
        "SELECT path, version FROM path_mark WHERE rule = ?1 ORDER BY position",
        id,
        |r| Ok(PathMark { path: parsed("path", r, 0)?, version: optional("version", r, 1)? }),
    )
    .await?;
    Ok(Recognise { packages, paths })
}

/// Databases of before have the ending alone.
fn unpacking(text: Option<String>) -> Result<Option<Unpacking>> {
    let json = text.map(|text| match text.starts_with('{') {
        true => Ok(text),
        false => to_json("unpacked", &text),
    });
    json.transpose()?.map(|json| from_json("unpacked", &json)).transpose()
}

async fn select_layout(db: &mut SqliteConnection, id: i64) -> Result<Vec<LayoutEntry>> {
    rows(
        db,
        "SELECT glob, worth, template, sha256, link, directory, packaged, unpacked, why FROM layout \
         WHERE rule = ?1 ORDER BY position",
        id,
        |r| {
            Ok(LayoutEntry {
                glob: parsed("glob", r, 0)?,
                worth: of_word("worth", r.try_get(1)?)?,
                template: optional("template", r, 2)?,
                sha256: from_json("digests", r.try_get(3)?)?,
                link: optional("link", r, 4)?,
                directory: r.try_get(5)?,
                packaged: r.try_get(6)?,
                unpacked: unpacking(r.try_get(7)?)?,
                why: r.try_get(8)?,
            })
        },
    )
    .await
}

async fn renamings(db: &mut SqliteConnection, id: i64) -> Result<Vec<(String, PackageChange)>> {
    rows(
        db,
        "SELECT kind, old, new, since, why FROM renaming WHERE rule = ?1 ORDER BY kind, position",
        id,
        |r| {
            let to: Vec<Template> = from_json("names", r.try_get(2)?)?;
            let since = optional("version", r, 3)?;
            let change =
                PackageChange { from: parsed("name", r, 1)?, to, since, why: r.try_get(4)? };
            Ok((r.try_get(0)?, change))
        },
    )
    .await
}

async fn select_databases(db: &mut SqliteConnection, id: i64) -> Result<Vec<Database>> {
    rows(
        db,
        "SELECT find, directory, export, import FROM datastore WHERE rule = ?1 ORDER BY position",
        id,
        |r| {
            Ok(Database {
                find: parsed("path", r, 0)?,
                directory: parsed("path", r, 1)?,
                export: from_json("exports", r.try_get(2)?)?,
                import: from_json("imports", r.try_get(3)?)?,
            })
        },
    )
    .await
}

async fn select_transitions(db: &mut SqliteConnection, id: i64) -> Result<Vec<Transition>> {
    rows(
        db,
        "SELECT old_range, new_range, steps FROM transition WHERE rule = ?1 ORDER BY position",
        id,
        |r| {
            Ok(Transition {
                from: parsed("range", r, 0)?,
                to: parsed("range", r, 1)?,
                steps: from_json("steps", r.try_get(2)?)?,
            })
        },
    )
    .await
}
