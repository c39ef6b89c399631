//! [`LayoutDb`]: all rules in SQLite. Only here and in `releases` is SQL.
//!
//! A rule is one value, its body; SQL is asked which rules a system can match.
//!
//! The database is made anew in memory from the rules in the binary and the user's directories:
//! what was read last takes the place of, or adds to, what was there for the same application and
//! distribution. Nothing a caller passes becomes part of a statement's text.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row, SqlStr, SqliteConnection};
use tokio::runtime::Runtime;

use super::embedded::{MIGRATIONS, RULES};
use super::joined::joined;
use super::recognised::Recognised;
use super::rule_source::RuleSource;
use super::{LayoutError, LayoutMatcher, Pattern, Rule, Vars, Version, load};
use crate::tree::{RootPath, Tree, resolve};

/// All rules, in SQLite.
///
/// Waits for SQLite on a runtime of its own: not to be used from inside an asynchronous task.
#[derive(Debug)]
pub struct LayoutDb {
    runtime: Runtime,
    connection: Mutex<SqliteConnection>,
}

type Result<T> = std::result::Result<T, LayoutError>;

impl LayoutDb {
    /// Makes the database from the rules in the binary, then from every `*.yaml` below each of
    /// `extra`, in order.
    ///
    /// # Errors
    /// The first mistake in a rule, with its place; a directory that cannot be read.
    pub fn open(extra: &[PathBuf]) -> Result<LayoutDb> {
        let mut rules = Vec::new();
        for (name, text) in RULES {
            let rule = load::embedded(name, text).map_err(LayoutError::Rule)?;
            rules.push((RuleSource { file: (*name).to_owned(), embedded: true }, rule));
        }
        for dir in extra {
            for (path, rule) in load::directory(dir)? {
                let file = crate::tree::escaped(path.as_os_str().as_encoded_bytes());
                rules.push((RuleSource { file, embedded: false }, rule));
            }
        }
        LayoutDb::of(rules)
    }

    /// Makes the database from `rules`, in order.
    fn of(rules: Vec<(RuleSource, Rule)>) -> Result<LayoutDb> {
        let rules = joined(rules)?;
        let db = LayoutDb::connect(SqliteConnectOptions::new().in_memory(true))?;
        let mut connection = db.lock();
        db.runtime.block_on(async {
            let mut all = connection.begin().await?;
            for rule in rules {
                let sources = serde_json::to_string(&rule.sources).map_err(LayoutError::body)?;
                sqlx::query("INSERT INTO rule (sources, body) VALUES (?1, ?2)")
                    .bind(sources)
                    .bind(rule.body)
                    .execute(&mut *all)
                    .await?;
            }
            all.commit().await?;
            Ok::<_, LayoutError>(())
        })?;
        drop(connection);
        Ok(db)
    }

    /// Opens a database and brings it to the present schema, whatever release made it.
    fn connect(options: SqliteConnectOptions) -> Result<LayoutDb> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(LayoutError::Runtime)?;
        let connection = runtime.block_on(async {
            let mut connection = options.disable_statement_logging().connect().await?;
            migrator().run_direct(None, &mut connection, false).await?;
            Ok::<_, LayoutError>(connection)
        })?;
        Ok(LayoutDb { runtime, connection: Mutex::new(connection) })
    }

    /// All rules, the system's first, then by name.
    pub fn apps(&self) -> Result<Vec<Rule>> {
        let rows = self.ask(sqlx::query(
            "SELECT body FROM rule ORDER BY scope = 'application', app, distribution",
        ))?;
        rows.iter().map(body).collect()
    }

    /// The rule of `app` on `distribution`.
    pub fn rule(&self, app: &str, distribution: &str) -> Result<Option<Rule>> {
        let rows = self.ask(
            sqlx::query("SELECT body FROM rule WHERE app = ?1 AND distribution = ?2")
                .bind(app)
                .bind(distribution),
        )?;
        rows.first().map(body).transpose()
    }

    /// The files that the rule of `app` on `distribution` was made of, in order.
    #[cfg(test)]
    fn sources(&self, app: &str, distribution: &str) -> Result<Vec<RuleSource>> {
        let rows = self.ask(
            sqlx::query("SELECT sources FROM rule WHERE app = ?1 AND distribution = ?2")
                .bind(app)
                .bind(distribution),
        )?;
        rows.first().map_or(Ok(vec![]), |row| {
            serde_json::from_str(row.try_get(0)?).map_err(LayoutError::body)
        })
    }

    /// Which applications a system has, the system's own rule first: one for every version that a
    /// package's name tells, else one with the highest version found.
    ///
    /// `packages` are names and versions of what is installed; `exists` answers for a path.
    pub fn recognise(
        &self,
        packages: &[(&str, &str)],
        exists: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<Recognised>> {
        let mut paths = BTreeSet::new();
        for text in self.path_marks()? {
            let path = RootPath::parse(text.as_bytes())
                .map_err(|error| LayoutError::row("a path", error))?;
            if exists(&path) {
                paths.insert(text);
            }
        }
        let mut found = Vec::new();
        for rule in self.candidates(packages, &paths)? {
            let app = rule.app.to_string();
            let versions = versions(&rule, packages, &paths)?;
            let rules = std::iter::repeat_n(rule, versions.len());
            found.extend(versions.into_iter().zip(rules).map(|(version, rule)| Recognised {
                app: app.clone(),
                version,
                rule,
            }));
        }
        Ok(found)
    }

    /// The applications of the system `tree`, which has `packages`.
    ///
    /// # Errors
    /// The database cannot be read, or a rule's pattern cannot be used.
    pub fn recognise_in(
        &self,
        tree: &dyn Tree,
        packages: &[(&str, &str)],
    ) -> Result<Vec<Recognised>> {
        self.recognise(packages, &|path| resolve(tree, path).is_ok_and(|found| found.is_some()))
    }

    /// The paths by which rules recognise what came without a package.
    fn path_marks(&self) -> Result<Vec<String>> {
        let rows = self.ask(sqlx::query("SELECT DISTINCT text FROM mark WHERE kind = 'path'"))?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The rules that a system with these packages and paths can match, the system's first. What
    /// the patterns of packages say exactly is asked afterwards.
    fn candidates(&self, packages: &[(&str, &str)], paths: &BTreeSet<String>) -> Result<Vec<Rule>> {
        let names: Vec<&str> = packages.iter().map(|(name, _)| *name).collect();
        let names = serde_json::to_string(&names).map_err(LayoutError::body)?;
        let paths = serde_json::to_string(paths).map_err(LayoutError::body)?;
        let rows = self.ask(
            sqlx::query(
                "SELECT body FROM rule WHERE id IN ( \
                     SELECT mark.rule FROM json_each(?1) AS package CROSS JOIN mark \
                     WHERE mark.kind = 'package' AND package.value GLOB mark.text \
                     UNION \
                     SELECT mark.rule FROM json_each(?2) AS path CROSS JOIN mark \
                     WHERE mark.kind = 'path' AND mark.text = path.value) \
                 ORDER BY scope = 'application', app, distribution",
            )
            .bind(names)
            .bind(paths),
        )?;
        rows.iter().map(body).collect()
    }

    /// What the rules of `recognised` say of paths.
    pub fn layout(&self, recognised: &[Recognised]) -> Result<LayoutMatcher> {
        LayoutMatcher::new(recognised)
    }

    /// All rows that answer `query`.
    pub(super) fn ask(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Vec<SqliteRow>> {
        let mut connection = self.lock();
        Ok(self.runtime.block_on(query.fetch_all(&mut *connection))?)
    }

    fn lock(&self) -> MutexGuard<'_, SqliteConnection> {
        // A panic elsewhere leaves no statement half done: reading goes on.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(number, name, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(*number, (*name).into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// The rule whose body is a row's first column.
fn body(row: &SqliteRow) -> Result<Rule> {
    serde_json::from_str(row.try_get(0)?).map_err(LayoutError::body)
}

/// The versions of `rule`'s application, where `paths` are the marks that exist; empty when it is
/// not there.
fn versions(
    rule: &Rule,
    packages: &[(&str, &str)],
    paths: &BTreeSet<String>,
) -> Result<Vec<Option<Version>>> {
    let mut named: Vec<Version> = Vec::new();
    let mut highest: Option<Version> = None;
    let mut unknown = false;
    for mark in &rule.recognise.packages {
        let pattern = Pattern::compile(mark.name.as_str(), &Vars::default())
            .map_err(|error| LayoutError::row("a package's pattern", error))?;
        for (name, version) in packages {
            let Some(vars) = pattern.matches(name.as_bytes()) else { continue };
            let in_name = vars.get("version").map(|text| String::from_utf8_lossy(text));
            let text = in_name.as_deref().unwrap_or(version);
            match Version::of_package(text, rule.version.components) {
                Some(version) => {
                    let version = version.in_generation(mark.generation);
                    if in_name.is_some() {
                        named.push(version);
                    } else {
                        highest = highest.max(Some(version));
                    }
                }
                None => unknown = true,
            }
        }
    }
    for mark in &rule.recognise.paths {
        if paths.contains(mark.path.as_str()) {
            match &mark.version {
                Some(version) => highest = highest.max(Some(version.clone())),
                None => unknown = true,
            }
        }
    }
    named.extend(highest);
    named.sort();
    named.dedup();
    let unknown = (named.is_empty() && unknown).then_some(None);
    Ok(named.into_iter().map(Some).chain(unknown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: &str = include_str!("../../fixtures/rules/everything.yaml");

    fn of(files: &[(&str, &str)]) -> Result<LayoutDb> {
        let source = |file: &str| RuleSource { file: file.to_owned(), embedded: false };
        let rules =
            files.iter().map(|(file, text)| (source(file), load::parse(file, text).unwrap()));
        LayoutDb::of(rules.collect())
    }

    fn found(
        db: &LayoutDb,
        packages: &[(&str, &str)],
        paths: &[&str],
    ) -> Vec<(String, Option<String>)> {
        let exists = |path: &RootPath| paths.contains(&path.to_string().as_str());
        let found = db.recognise(packages, &exists).unwrap();
        found.into_iter().map(|r| (r.app, r.version.map(|v| v.to_string()))).collect()
    }

    #[test]
    fn a_rule_that_uses_every_word_comes_back_from_the_database_as_it_was() {
        let db = of(&[("everything.yaml", EVERYTHING)]).unwrap();
        let rule = load::parse("everything.yaml", EVERYTHING).unwrap();
        assert_eq!(db.rule("everything", "debian").unwrap(), Some(rule.clone()));
        assert_eq!(db.apps().unwrap(), [rule]);
        assert_eq!(db.rule("everything", "alpine").unwrap(), None);
        assert_eq!(db.rule("' OR 1=1 --", "debian").unwrap(), None);
    }

    #[test]
    fn a_database_of_the_first_schema_opens_with_its_rules() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            SqliteConnectOptions::new().filename(dir.path().join("rules")).create_if_missing(true);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut old = options.connect().await.unwrap();
            let dump = include_str!("../../fixtures/layout/schema-1.sql");
            sqlx::raw_sql(SqlStr::from_static(dump)).execute(&mut old).await.unwrap();
            old.close().await.unwrap();
        });
        let rule = include_str!("../../fixtures/layout/schema-1.yaml");
        let rule = load::parse("schema-1.yaml", rule).unwrap();
        for _ in 0..2 {
            let db = LayoutDb::connect(options.clone()).unwrap();
            assert_eq!(db.apps().unwrap(), std::slice::from_ref(&rule));
            let source = RuleSource { file: "everything.yaml".to_owned(), embedded: false };
            assert_eq!(db.sources("everything", "debian").unwrap(), [source]);
            assert_eq!(found(&db, &[("anything", "4.2")], &[]).len(), 1);
            assert_eq!(found(&db, &[], &["/opt/everything"]).len(), 1);
            assert_eq!(found(&db, &[("other", "4.2")], &["/opt/other"]), []);
        }
    }

    #[test]
    fn a_pattern_that_sql_does_not_know_leaves_the_question_to_the_rule() {
        let db = of(&[(
            "x.yaml",
            "app: x\ntitle: X\nrecognise: {packages: [{name: 'x[0-9]?-{version}*'}]}\n",
        )])
        .unwrap();
        assert_eq!(found(&db, &[("x1a-2b", "9")], &[]), [("x".into(), Some("2".into()))]);
        assert_eq!(found(&db, &[("xya-2b", "9")], &[]), []);
    }

    #[test]
    fn a_later_file_takes_the_place_of_an_earlier_one_or_adds_to_it() {
        let first = "app: x\ntitle: First\nrecognise: {packages: [{name: x}]}\n\
                     packages: [{from: a, to: [first], why: w}]\n\
                     layout: [{globs: [/a], worth: log, why: w}]\n";
        let more = "app: x\ntitle: More\nearlier: extend\n\
                    packages: [{from: a, to: [more], why: w}]\n\
                    layout: [{globs: [/b], worth: data, why: w}]\n";
        let other = first.replace("First", "Other");
        let db = of(&[("1.yaml", first), ("2.yaml", more)]).unwrap();
        let rule = db.rule("x", "debian").unwrap().unwrap();
        let globs: Vec<_> = rule
            .layout
            .iter()
            .flat_map(|e| &e.globs)
            .map(crate::layout::PathPattern::as_str)
            .collect();
        assert_eq!((rule.title.as_str(), globs), ("First", vec!["/a", "/b"]));
        let fate = rule.package("a", &Vars::default()).unwrap().unwrap();
        assert_eq!(fate.to, ["more"]);
        let files = |db: &LayoutDb| -> Vec<String> {
            db.sources("x", "debian").unwrap().into_iter().map(|s| s.file).collect()
        };
        assert_eq!(files(&db), ["1.yaml", "2.yaml"]);
        let db = of(&[("1.yaml", first), ("2.yaml", &other)]).unwrap();
        assert_eq!(db.rule("x", "debian").unwrap().unwrap().title, "Other");
        assert_eq!(files(&db), ["2.yaml"]);
        let orphan = of(&[("2.yaml", more)]).unwrap_err();
        assert_eq!(orphan.kind(), crate::failure::FailureKind::Refused);
    }

    #[test]
    fn an_application_is_recognised_with_its_version() {
        let db = of(&[("everything.yaml", EVERYTHING)]).unwrap();
        let is = |version: Option<&str>| ("everything".to_owned(), version.map(str::to_owned));
        assert_eq!(found(&db, &[("other", "1")], &[]), []);
        assert_eq!(found(&db, &[("anything", "3:4.2.8p15-1")], &[]), [is(Some("1:4.2"))]);
        let two =
            [("everything-1.2", "1.2-1"), ("everything-1.4", "1.4-1"), ("everything-doc", "1")];
        assert_eq!(found(&db, &two, &[]), [is(Some("1.2")), is(Some("1.4"))]);
        assert_eq!(found(&db, &[], &["/opt/everything", "/opt/everything/bin"]), [is(Some("1.5"))]);
        assert_eq!(found(&db, &[], &["/opt/everything"]), [is(None)]);
        assert_eq!(found(&db, &[("anything", "git1")], &[]), [is(None)]);
    }

    #[test]
    fn the_rules_in_the_binary_load_and_a_directory_adds_to_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/everything.yaml"), EVERYTHING).unwrap();
        std::fs::write(dir.path().join("notes.txt"), "not: [a rule").unwrap();
        let db = LayoutDb::open(&[dir.path().to_owned()]).unwrap();
        assert_eq!(db.apps().unwrap().len(), RULES.len() + 1);
        assert_eq!(db.apps().unwrap()[0].scope, crate::layout::Scope::System);
        assert!(!db.sources("everything", "debian").unwrap()[0].embedded);
        let db = LayoutDb::open(&[]).unwrap();
        let debian = db.recognise(&[("base-files", "11.1+deb11u11")], &|_| false).unwrap();
        assert!(db.layout(&debian).is_ok());
        let missing = LayoutDb::open(&[dir.path().join("none")]).unwrap_err();
        assert_eq!(missing.kind(), crate::failure::FailureKind::Precondition);
    }

    #[test]
    fn a_mistake_in_a_directory_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.yaml"), b"app: x\ntitle: \xff\n").unwrap();
        let Err(LayoutError::Rule(error)) = LayoutDb::open(&[dir.path().to_owned()]) else {
            panic!("not refused")
        };
        assert!(error.file.ends_with("x.yaml"));
        assert_eq!((error.line, error.column), (2, 8));
    }
}
