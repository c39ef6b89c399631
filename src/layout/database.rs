//! Data that only the program of its own version reads: where it is, and the commands that carry
//! it over, with all values put in.

use super::command::{Call, CallError, Database, Stop};
use super::model::Rule;
use super::options::Run;
use super::pattern::{PatternError, Template, Vars};
use super::scalar::ExpandError;
use super::version::Version;
use crate::tree::{RootPath, Tree, TreeError, list};

/// One such data directory in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where its data is: not placed on a system with another version.
    pub directory: RootPath,
    /// Its version as it stands in the path, else the application's.
    pub version: String,
    /// What `find` captured, `version` included.
    pub vars: Vars,
}

/// The directory that a variable of the container names, without its first slash.
pub(super) const DATA: &str = "data";

/// The options that matter to the data.
pub(super) const OPTIONS: &str = "options";

/// What a container says of databases.
pub(crate) struct Told<'a> {
    /// The values of its variables.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// What it runs.
    pub(crate) run: Run<'a>,
}

/// A command with what flows in and out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The export file that its output becomes.
    pub file: Option<String>,
    /// The export file that becomes its input.
    pub stdin: Option<String>,
    /// The export file that its output has to equal, byte for byte.
    pub expect: Option<String>,
}

/// Why instances could not be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstanceError {
    /// A path could not be made of what was found.
    #[error("the rule does not fit what was found")]
    Expand(#[from] ExpandError),
    /// The tree could not be read.
    #[error("looking for databases")]
    Tree(#[from] TreeError),
}

impl Database {
    /// The instances in `tree`, in path order. A directory that shows several versions has gone
    /// through them; its data is the newest one's. Where none shows, it is `of_app`. `told` is what
    /// the container says of it.
    pub(crate) fn instances(
        &self,
        tree: &dyn Tree,
        of_app: &str,
        told: &Told<'_>,
    ) -> Result<Vec<Instance>, InstanceError> {
        let named = match &self.options {
            Some(options) if options.directory.is_some() => Some(options.place(told.run)),
            _ => self.variable.as_ref().map(|name| (told.variable)(name)),
        };
        let is_named = named.is_some();
        let place = match named {
            None => RootPath::root(),
            // What is no path leads nowhere.
            Some(value) => match value.map(|value| RootPath::parse(value.as_bytes())) {
                Some(Ok(place)) if !place.is_root() => place,
                _ => return Ok(vec![]),
            },
        };
        let pattern = self.find.compile(&Vars::default()).map_err(ExpandError::from)?;
        let base = RootPath::parse(&pattern.base()).map_err(ExpandError::from)?;
        let depth = self.find.as_str().split('/').count() + place.components().count();
        let mut found = Vec::new();
        let mut todo = vec![place.join(&base)];
        while let Some(path) = todo.pop() {
            let below = path.strip_prefix(&place).unwrap_or_else(RootPath::root);
            let is_there = || Ok::<_, TreeError>(tree.entry(&path)?.is_some());
            if let Some(mut vars) = pattern.matches(below.as_bytes()) {
                if !is_there()? {
                    continue;
                }
                if is_named {
                    vars.set(DATA, place.as_bytes().strip_prefix(b"/").unwrap_or_default());
                }
                self.tell(told.run, &mut vars);
                let version = vars.get("version").unwrap_or(of_app.as_bytes());
                found.push(Instance {
                    directory: self.directory.expand(&vars)?,
                    version: String::from_utf8_lossy(version).into_owned(),
                    vars,
                });
            } else if path.components().count() + 1 < depth {
                todo.extend(
                    list(tree, &path)?.into_iter().map(|entry| path.child(entry.path.name())),
                );
            }
        }
        found.sort_by(|a, b| a.directory.cmp(&b.directory).then_with(|| newer(b, a)));
        found.dedup_by(|b, a| a.directory == b.directory);
        Ok(found)
    }

    /// Puts into `vars` what the command line of `run` says of the data.
    pub(crate) fn tell(&self, run: Run<'_>, vars: &mut Vars) {
        if let Some(options) = &self.options {
            vars.set(OPTIONS, options.lines(run));
        }
    }

    /// Whether the file at `path`, in the directory of `instance`, is placed whatever the version.
    pub fn keeps(&self, instance: &Instance, path: &RootPath) -> bool {
        let Some(below) = path.strip_prefix(&instance.directory) else { return false };
        self.keep.iter().any(|glob| {
            let pattern = glob.compile(&Vars::default());
            pattern.is_ok_and(|pattern| pattern.matches(below.as_bytes()).is_some())
        })
    }

    /// The commands for the copy of the old system, in order.
    pub fn exports(&self, instance: &Instance) -> Result<Vec<Command>, CallError> {
        let vars = instance.on(&instance.version);
        let mut commands = Vec::new();
        for export in &self.export {
            let file = named(export.file.as_ref(), &vars)?;
            commands.push(Command { file, ..Command::of(export.call(), &vars)? });
        }
        if let Some(check) = &self.check {
            let file = named(Some(&check.file), &vars)?;
            commands.push(Command { file, ..Command::of(check.call(), &vars)? });
        }
        commands.extend(self.stopped(&vars)?);
        Ok(commands)
    }

    /// The commands for the new system, in order; `versions` gives `{old}` and `{new}`.
    pub fn imports(&self, instance: &Instance, versions: &Vars) -> Result<Vec<Command>, CallError> {
        let own = &instance.vars;
        let vars = own.and(versions);
        let mut commands = Vec::new();
        for import in &self.import {
            let stdin = named(import.stdin.as_ref(), own)?;
            let expect = named(import.expect.as_ref(), own)?;
            commands.push(Command { stdin, expect, ..Command::of(import.call(), &vars)? });
        }
        let here = versions.get("new").unwrap_or_default();
        let vars = instance.on(&String::from_utf8_lossy(here));
        if let Some(check) = &self.check {
            let expect = named(Some(&check.file), own)?;
            commands.push(Command { expect, ..Command::of(check.call(), &vars)? });
        }
        commands.extend(self.stopped(&vars)?);
        Ok(commands)
    }

    fn stopped(&self, vars: &Vars) -> Result<Option<Command>, CallError> {
        self.stop.as_ref().map(Stop::call).map(|call| Command::of(call, vars)).transpose()
    }
}

impl Rule {
    /// The instances of all its databases in `tree`, as [`Database::instances`] finds them. A
    /// directory in which the layout of one database is found is not another's.
    pub(crate) fn instances(
        &self,
        tree: &dyn Tree,
        of_app: &str,
        told: &Told<'_>,
    ) -> Result<Vec<(&Database, Instance)>, InstanceError> {
        let mut all: Vec<(&Database, Instance)> = Vec::new();
        for database in &self.databases {
            for instance in database.instances(tree, of_app, told)? {
                if all.iter().all(|(_, other)| other.directory != instance.directory) {
                    all.push((database, instance));
                }
            }
        }
        Ok(all)
    }
}

impl Instance {
    /// Its variables, and the version of the side that something is run on.
    fn on(&self, version: &str) -> Vars {
        let mut vars = self.vars.clone();
        vars.set("at", version);
        vars
    }
}

impl Command {
    fn of(call: Call<'_>, vars: &Vars) -> Result<Command, CallError> {
        Ok(Command { argv: call.expand(vars)?, file: None, stdin: None, expect: None })
    }
}

/// The name of an export file. Those of an import are made of what `find` captured alone, as they
/// were when they were exported.
fn named(file: Option<&Template>, vars: &Vars) -> Result<Option<String>, PatternError> {
    file.map(|file| file.expand_text(vars)).transpose()
}

/// How the versions of two instances compare; one that is none is older than all.
fn newer(a: &Instance, b: &Instance) -> std::cmp::Ordering {
    let version = |instance: &Instance| instance.version.parse::<Version>().ok();
    version(a).cmp(&version(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{LayoutDb, Version};
    use crate::tree::memory::MemoryTree;

    /// A tree of empty files.
    fn files(paths: &[&str]) -> MemoryTree {
        paths.iter().fold(MemoryTree::default(), |tree, path| tree.file(path, ""))
    }

    fn none() -> Told<'static> {
        Told { variable: &|_| None, run: Run::default() }
    }

    #[test]
    fn the_data_of_an_image_is_where_a_variable_says() {
        let tree = files(&["/srv/pg/data/PG_VERSION", "/srv/pg/data/postgresql.conf"]);
        let rule = LayoutDb::open(&[]).unwrap().rule("postgresql", "debian").unwrap().unwrap();
        let database = rule.databases.iter().find(|database| database.variable.is_some()).unwrap();
        let at = |value: &'static str| {
            let variable = &|_: &str| Some(value.to_owned());
            database.instances(&tree, "13", &Told { variable, run: Run::default() }).unwrap()
        };
        assert_eq!(at("/srv"), []);
        assert_eq!(at("no path"), []);
        assert_eq!(database.instances(&tree, "13", &none()).unwrap(), []);
        let found = at("/srv/pg/data");
        let told: Vec<_> = found.iter().map(|i| (i.directory.to_string(), &*i.version)).collect();
        assert_eq!(told, [("/srv/pg/data".to_owned(), "13")]);
        let kept = |at: &str| database.keeps(&found[0], &RootPath::parse(at.as_bytes()).unwrap());
        assert!(kept("/srv/pg/data/postgresql.conf"));
        assert!(!kept("/srv/pg/data/PG_VERSION"));
        let exports = database.exports(&found[0]).unwrap();
        assert!(
            exports[0].argv.contains(&"/srv/pg/data".to_owned()),
            "{:?}",
            &exports[0].argv[3..]
        );
    }

    #[test]
    fn every_cluster_is_found_and_exported_and_imported_under_its_names() {
        let tree = files(&[
            "/etc/postgresql/13/main/postgresql.conf",
            "/etc/postgresql/13/second/postgresql.conf",
            "/etc/postgresql/9.6/main/postgresql.conf",
            "/etc/postgresql/13/empty/pg_hba.conf",
            "/etc/postgresql/13/main/conf.d/postgresql.conf",
            "/etc/postgresql/old/main/postgresql.conf",
        ]);
        let rule = LayoutDb::open(&[]).unwrap().rule("postgresql", "debian").unwrap().unwrap();
        let database = &rule.databases[0];
        let found = database.instances(&tree, "13", &none()).unwrap();
        let places: Vec<_> = found.iter().map(|i| i.directory.to_string()).collect();
        assert_eq!(
            places,
            [
                "/var/lib/postgresql/13/main",
                "/var/lib/postgresql/13/second",
                "/var/lib/postgresql/9.6/main"
            ]
        );
        let exports = database.exports(&found[1]).unwrap();
        let files: Vec<_> = exports.iter().filter_map(|c| c.file.as_deref()).collect();
        assert_eq!(files, ["13-second.facts", "13-second.sql", "13-second.counts"]);
        let version = |text: &str| text.parse::<Version>().unwrap();
        let vars = Vars::versions(&version("13"), &version("17"));
        let imports = database.imports(&found[1], &vars).unwrap();
        let words = ["postgresql/create.sh", "17", "second", "13"];
        assert_eq!(imports[0].argv[3..], words.map(String::from));
        assert_eq!(imports[1].stdin.as_deref(), Some("13-second.sql"));
        let expected: Vec<_> = imports.iter().filter_map(|c| c.expect.as_deref()).collect();
        assert_eq!(expected, ["13-second.counts"]);
    }

    #[test]
    fn what_a_cluster_was_told_by_statements_is_configuration_and_no_data() {
        let tree = files(&["/etc/postgresql/13/main/postgresql.conf"]);
        let rule = LayoutDb::open(&[]).unwrap().rule("postgresql", "debian").unwrap().unwrap();
        let database = &rule.databases[0];
        let found = database.instances(&tree, "13", &none()).unwrap();
        let kept = |name: &str| {
            let at = format!("/var/lib/postgresql/13/main/{name}");
            database.keeps(&found[0], &RootPath::parse(at.as_bytes()).unwrap())
        };
        assert!(kept("postgresql.auto.conf") && kept("server.key"));
        assert!(!kept("PG_VERSION") && !kept("base/1/postgresql.auto.conf"));
    }

    #[test]
    fn a_tree_without_the_place_has_no_instances() {
        let rule = LayoutDb::open(&[]).unwrap().rule("postgresql", "debian").unwrap().unwrap();
        assert_eq!(
            rule.databases[0].instances(&files(&["/etc/hosts"]), "13", &none()).unwrap(),
            []
        );
    }

    #[test]
    fn a_directory_that_went_through_versions_has_the_newest() {
        let tree = files(&[
            "/var/lib/mysql/debian-10.11.flag",
            "/var/lib/mysql/debian-10.5.flag",
            "/var/lib/mysql/debian-9.flag",
        ]);
        let db = LayoutDb::open(&[]).unwrap();
        let rule = db.rule("mariadb", "debian").unwrap().unwrap();
        let found = rule.databases[0].instances(&tree, "10.3", &none()).unwrap();
        let told: Vec<_> = found.iter().map(|i| (i.directory.to_string(), &*i.version)).collect();
        assert_eq!(told, [("/var/lib/mysql".to_owned(), "10.11")]);
    }

    #[test]
    fn a_directory_is_of_the_first_layout_that_is_found_in_it() {
        let db = LayoutDb::open(&[]).unwrap();
        let rule = db.rule("mariadb", "debian").unwrap().unwrap();
        let told = |paths: &[&str]| -> Vec<(String, usize)> {
            let found = rule.instances(&files(paths), "10.5", &none()).unwrap();
            let place = |of: &Database| rule.databases.iter().position(|d| d == of).unwrap();
            found.into_iter().map(|(of, i)| (i.version, place(of))).collect()
        };
        let data = "/var/lib/mysql/ibdata1";
        assert_eq!(told(&[data, "/var/lib/mysql/debian-10.3.flag"]), [("10.3".to_owned(), 0)]);
        assert_eq!(told(&[data]), [("10.5".to_owned(), 1)]);
        assert_eq!(told(&["/var/lib/mysql/backup"]), []);
    }

    #[test]
    fn data_that_shows_no_version_has_the_applications() {
        let tree = files(&["/var/lib/x/shop/schema"]);
        let text = "app: x\ntitle: X\nrecognise: {packages: [{name: x}]}\ndatabases:\n  \
                    - find: '/var/lib/x/{node}/schema'\n    directory: '/var/lib/x/{node}'\n    \
                      export: [{run: [dump], file: '{node}.dump'}]\n    \
                      import: [{run: [load], stdin: '{node}.dump'}]\n";
        let rule = crate::layout::load::parse("x.yaml", text).unwrap();
        let found = rule.databases[0].instances(&tree, "3.8", &none()).unwrap();
        let told: Vec<_> = found.iter().map(|i| (i.directory.to_string(), &*i.version)).collect();
        assert_eq!(told, [("/var/lib/x/shop".to_owned(), "3.8")]);
        let exports = rule.databases[0].exports(&found[0]).unwrap();
        let files: Vec<_> = exports.iter().filter_map(|c| c.file.as_deref()).collect();
        assert_eq!(files, ["shop.dump"]);
    }

    #[test]
    fn a_check_runs_on_both_sides_with_its_side_and_before_what_ends_the_rest() {
        let tree = files(&["/var/lib/x/3/shop/schema"]);
        let text = "app: x\ntitle: X\nrecognise: {packages: [{name: x}]}\ndatabases:\n  \
                    - find: '/var/lib/x/{version}/{node}/schema'\n    \
                      directory: '/var/lib/x/{version}/{node}'\n    \
                      export: [{run: [dump, '{version}'], file: '{node}.dump'}]\n    \
                      import: [{run: [load, '{new}'], stdin: '{node}.dump'}]\n    \
                      check: {run: [count, '/var/lib/x/{at}/{node}'], file: '{node}.count'}\n    \
                      stop: {run: [stop, '{at}']}\n";
        let rule = crate::layout::load::parse("x.yaml", text).unwrap();
        let database = &rule.databases[0];
        let found = database.instances(&tree, "3", &none()).unwrap();
        let lines = |commands: &[Command]| -> Vec<String> {
            commands.iter().map(|command| command.argv.join(" ")).collect()
        };
        let exports = database.exports(&found[0]).unwrap();
        assert_eq!(lines(&exports), ["dump 3", "count /var/lib/x/3/shop", "stop 3"]);
        assert_eq!(exports[1].file.as_deref(), Some("shop.count"));
        let versions = Vars::versions(&"3".parse().unwrap(), &"7".parse().unwrap());
        let imports = database.imports(&found[0], &versions).unwrap();
        assert_eq!(lines(&imports), ["load 7", "count /var/lib/x/7/shop", "stop 7"]);
        assert_eq!(imports[1].expect.as_deref(), Some("shop.count"));
        assert_eq!((imports[1].file.as_deref(), imports[2].expect.as_deref()), (None, None));
    }
}
