//! What gives way to a package of today: programs that an image compiled itself and that cannot run
//! in the new system, with the modules that were made for them.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::family::Offered;
use crate::references::Needing;
use crate::restore::packages::further::Leads;
use crate::restore::packages::staging::{Staging, paths};
use crate::restore::packages::stranded::{
    Brought, brought, candidates, is_replaceable, module_package, module_today, modules_of,
};
use crate::restore::value::packages::{Fate, PackagePlan, Stranded};
use crate::tree::{RootPath, escaped};

/// Where libraries are.
const LIBRARIES: &[&str] = &["/usr/lib/", "/lib/", "/usr/local/lib/"];

/// Where packages have modules. Another name of it would show each of them twice.
const MODULES: &[&str] = &["/usr/lib/"];

/// How many packages are looked into in all.
const MOST_LOOKED_INTO: usize = 96;

/// A program or module that cannot work, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stuck<'a> {
    one: &'a Needing,
    why: String,
}

/// A program in whose place today's is.
struct Replaced<'a> {
    path: RootPath,
    to: RootPath,
    package: String,
    modules: Vec<&'a Needing>,
}

/// Installs what brings today those of the kept programs and modules, which are `all`, that need
/// something of what is `absent`; what becomes of each is in `plan` then.
///
/// # Errors
/// As [`Staging::add`].
pub(super) fn replace(
    staging: &mut Staging<'_>,
    all: &[Needing],
    absent: &Leads,
    plan: &mut PackagePlan,
) -> Result<(), Failure> {
    let present = paths(staging.system, LIBRARIES)?;
    let found = stuck(all, absent, &present);
    let wanted: Vec<Vec<String>> =
        found.iter().map(|stuck| candidates(stuck.one, &staging.offered)).collect();
    let looked: BTreeSet<&str> = wanted.iter().flatten().map(String::as_str).collect();
    if looked.is_empty() {
        return Ok(());
    }
    let looked: Vec<&str> = looked.into_iter().take(MOST_LOOKED_INTO).collect();
    let contents = staging.family.contents(staging.system, &looked)?;
    let brings = found.iter().zip(&wanted).map(|(stuck, wanted)| {
        let is_wanted = |package: &String| wanted.contains(package);
        let own = contents.iter().filter(|(package, _)| is_wanted(package));
        brought(stuck.one, &own.map(|(package, paths)| (package.clone(), paths.clone())).collect())
    });
    let brings: Vec<Brought> = brings.collect();
    let packages = brings.iter().filter_map(|brings| match brings {
        Brought::By { package, .. } => Some(package.clone()),
        Brought::Perhaps(_) | Brought::Nothing => None,
    });
    staging.add(packages.collect(), plan)?;
    let installed = staging.family.installed(staging.system)?;
    let fates = found.iter().zip(brings);
    plan.stranded = fates.filter_map(|(stuck, brings)| fate(stuck, brings, &installed)).collect();
    replace_modules(staging, all, plan)
}

/// The same for the modules of the programs that `plan` replaces.
fn replace_modules(
    staging: &mut Staging<'_>,
    all: &[Needing],
    plan: &mut PackagePlan,
) -> Result<(), Failure> {
    let replaced = replaced(&plan.stranded, all);
    if replaced.iter().all(|program| program.modules.is_empty()) {
        return Ok(());
    }
    let installed = staging.family.installed(staging.system)?;
    let names = replaced.iter().flat_map(|program| {
        program.modules.iter().filter_map(|module| module_package(&program.to, &module.path))
    });
    let lacking = |name: &String| provider(name, None, &staging.offered, &installed).is_none();
    let lacking: BTreeSet<String> = names.filter(lacking).collect();
    staging.add(lacking, plan)?;
    let known = Known {
        offered: &staging.offered,
        installed: &staging.family.installed(staging.system)?,
        present: &paths(staging.system, MODULES)?,
    };
    let modules = replaced.iter().flat_map(|program| {
        program.modules.iter().map(|module| known.module(program, &module.path))
    });
    plan.stranded.extend(modules);
    Ok(())
}

/// Those of `all` that can be replaced and need what is `absent`. A library that is elsewhere may
/// be found there, by means of their own.
fn stuck<'a>(all: &'a [Needing], absent: &Leads, present: &[RootPath]) -> Vec<Stuck<'a>> {
    let names: BTreeSet<&[u8]> = present.iter().map(RootPath::name).collect();
    let lacks = |one: &Needing| {
        let gone = one.needs.iter().filter(|need| absent.contains_key(need));
        let gone = gone.filter(|need| !names.contains(need.name()));
        gone.map(|need| escaped(need.name()).to_string()).collect::<Vec<_>>()
    };
    let replaceable = all.iter().filter(|one| is_replaceable(one));
    let told = replaceable.filter_map(|one| {
        let lacks = lacks(one);
        let why = format!("it needs {}, which the new system does not have", lacks.join(", "));
        (!lacks.is_empty()).then_some(Stuck { one, why })
    });
    told.collect()
}

/// What becomes of `stuck` by what `brings` it; of what nothing brings the library is told.
fn fate(stuck: &Stuck<'_>, brings: Brought, installed: &BTreeSet<String>) -> Option<Stranded> {
    let fate = match brings {
        Brought::By { package, to } if installed.contains(&package) => {
            Fate::GivesWay { to, package }
        }
        Brought::By { package, .. } => Fate::Open { candidates: vec![package] },
        Brought::Perhaps(candidates) => Fate::Open { candidates },
        Brought::Nothing => return None,
    };
    Some(Stranded { path: stuck.one.path.clone(), why: stuck.why.clone(), fate })
}

/// The programs that give way, each with its modules; one that several have is the first's.
fn replaced<'a>(stranded: &[Stranded], all: &'a [Needing]) -> Vec<Replaced<'a>> {
    let mut seen = BTreeSet::new();
    let is_program = |path: &RootPath| all.iter().any(|one| one.path == *path && one.is_program);
    let programs = stranded.iter().filter(|one| is_program(&one.path));
    let mut replaced = Vec::new();
    for Stranded { path, fate, .. } in programs {
        let Fate::GivesWay { to, package } = fate else { continue };
        let mut modules = modules_of(path, all);
        modules.retain(|module| seen.insert(&module.path));
        let (path, to, package) = (path.clone(), to.clone(), package.clone());
        replaced.push(Replaced { path, to, package, modules });
    }
    replaced
}

/// The installed package that answers to `name`, `likely` before others.
fn provider<'a>(
    name: &'a str,
    likely: Option<&'a str>,
    offered: &'a Offered,
    installed: &BTreeSet<String>,
) -> Option<&'a str> {
    if installed.contains(name) {
        return Some(name);
    }
    let providers = offered.provided.get(name)?;
    let likely = likely.filter(|likely| providers.contains(*likely));
    let mut all = likely.into_iter().chain(providers.iter().map(String::as_str));
    all.find(|provider| installed.contains(*provider))
}

/// What is known of the new system.
struct Known<'a> {
    offered: &'a Offered,
    installed: &'a BTreeSet<String>,
    /// Paths where modules are.
    present: &'a [RootPath],
}

impl Known<'_> {
    /// Whether a module is called `name`, of whatever program.
    fn has(&self, name: &[u8]) -> bool {
        self.present.iter().any(|path| path.name() == name)
    }

    /// What becomes of the module at `path`, which was made for `program`.
    fn module(&self, program: &Replaced<'_>, path: &RootPath) -> Stranded {
        let name = module_package(&program.to, path);
        let name = name.as_deref();
        let likely = Some(program.package.as_str());
        let provider = name.and_then(|name| provider(name, likely, self.offered, self.installed));
        let today = module_today(&program.to, path, self.present);
        let fate = match (provider.map(str::to_owned), today) {
            (Some(package), Some(to)) => Fate::GivesWay { to, package },
            (Some(package), None) if !self.has(path.name()) => Fate::BuiltIn { package },
            (Some(package), None) => Fate::Open { candidates: vec![package] },
            (None, _) => {
                let providers = name.and_then(|name| self.offered.provided.get(name));
                let named = name.filter(|name| self.offered.packages.contains(*name));
                let named = named.map(str::to_owned);
                let candidates = named.into_iter().chain(providers.into_iter().flatten().cloned());
                Fate::Open { candidates: candidates.collect() }
            }
        };
        let why = format!("it was made for {}, which gives way to {}", program.path, program.to);
        Stranded { path: path.clone(), why, fate }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn needing(at: &str, is_program: bool, needs: &[&str]) -> Needing {
        let needs = needs.iter().map(|need| path(need)).collect();
        Needing { path: path(at), is_program, needs }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_lacks_a_library_that_is_nowhere_is_stuck() {
        let all = [
            needing("/usr/local/bin/fine", true, &["/usr/lib/libc.so.6"]),
            needing("/usr/local/bin/lang", true, &["/usr/lib/libc.so.6", "/usr/lib/libssl.so.1.1"]),
            needing("/usr/local/bin/own", true, &["/usr/lib/libown.so.1"]),
            needing("/usr/local/lib/lang/ext/tls.so", false, &["/usr/lib/libssl.so.1.1"]),
            needing("/usr/lib/web2/modules/liblang7.so", false, &["/usr/lib/libssl.so.1.1"]),
        ];
        let absent = ["/usr/lib/libssl.so.1.1", "/usr/lib/libown.so.1"];
        let absent = absent.iter().map(|at| (path(at), None)).collect();
        let present = [path("/usr/lib/private/libown.so.1")];
        let found = stuck(&all, &absent, &present);
        let told: Vec<String> = found.iter().map(|stuck| stuck.one.path.to_string()).collect();
        assert_eq!(told, ["/usr/local/bin/lang", "/usr/lib/web2/modules/liblang7.so"]);
        assert_eq!(found[0].why, "it needs libssl.so.1.1, which the new system does not have");
    }

    #[test]
    fn what_is_not_installed_or_not_certain_is_open() {
        let one = needing("/usr/local/bin/lang", true, &[]);
        let stuck = Stuck { one: &one, why: "why".to_owned() };
        let by = || Brought::By { package: "lang8".to_owned(), to: path("/usr/bin/lang8") };
        let found = |brings, installed: &[&str]| fate(&stuck, brings, &set(installed));
        let way = Fate::GivesWay { to: path("/usr/bin/lang8"), package: "lang8".to_owned() };
        assert_eq!(found(by(), &["lang8"]).unwrap().fate, way);
        let open = |names: &[&str]| Fate::Open {
            candidates: names.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found(by(), &[]).unwrap().fate, open(&["lang8"]));
        let perhaps = Brought::Perhaps(vec!["lang8".to_owned(), "lang9".to_owned()]);
        assert_eq!(found(perhaps, &["lang8"]).unwrap().fate, open(&["lang8", "lang9"]));
        assert_eq!(found(Brought::Nothing, &[]), None);
    }

    #[test]
    fn a_module_becomes_todays_or_is_in_the_program_or_is_open() {
        let dir = "/usr/local/lib/lang/ext";
        let all: Vec<Needing> = ["gd", "json", "odd", "rare", "text", "twice"]
            .iter()
            .map(|name| needing(&format!("{dir}/{name}.so"), false, &[]))
            .chain([needing("/usr/local/bin/lang", true, &[])])
            .collect();
        let (to, package) = (path("/usr/bin/lang8"), "lang8-cli".to_owned());
        let stranded = Stranded {
            path: path("/usr/local/bin/lang"),
            why: String::new(),
            fate: Fate::GivesWay { to, package },
        };
        let provided = [
            ("lang8-json", set(&["lang8-cgi", "lang8-cli"])),
            ("lang8-odd", set(&["lang8-a", "lang8-b"])),
            ("lang8-text", set(&["lang8-common"])),
            ("lang8-twice", set(&["lang8-common"])),
        ];
        let offered = Offered {
            packages: set(&["lang8-cli", "lang8-common", "lang8-gd"]),
            provided: provided.map(|(name, by)| (name.to_owned(), by)).into(),
            ..Offered::default()
        };
        let present = ["2024/gd.so", "2024/text.so", "a/twice.so", "b/twice.so"];
        let present = present.map(|at| path(&format!("/usr/lib/lang/{at}")));
        let installed = set(&["lang8-cgi", "lang8-cli", "lang8-common", "lang8-gd"]);
        let known = Known { offered: &offered, installed: &installed, present: &present };
        let replaced = replaced(&[stranded], &all);
        assert_eq!(replaced.len(), 1);
        let fates: BTreeMap<String, Fate> = replaced[0]
            .modules
            .iter()
            .map(|module| {
                let found = known.module(&replaced[0], &module.path);
                (String::from_utf8_lossy(found.path.name()).into_owned(), found.fate)
            })
            .collect();
        let way =
            |to: &str, package: &str| Fate::GivesWay { to: path(to), package: package.to_owned() };
        let open = |names: &[&str]| Fate::Open {
            candidates: names.iter().map(ToString::to_string).collect(),
        };
        let expected = [
            ("gd.so", way("/usr/lib/lang/2024/gd.so", "lang8-gd")),
            ("json.so", Fate::BuiltIn { package: "lang8-cli".to_owned() }),
            ("odd.so", open(&["lang8-a", "lang8-b"])),
            ("rare.so", open(&[])),
            ("text.so", way("/usr/lib/lang/2024/text.so", "lang8-common")),
            ("twice.so", open(&["lang8-common"])),
        ];
        assert_eq!(fates, expected.map(|(name, fate)| (name.to_owned(), fate)).into());
    }
}
