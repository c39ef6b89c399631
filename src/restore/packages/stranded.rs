//! Programs and modules of no package that cannot run in the new system, and today's in their place.
//!
//! An image brought a program that it compiled itself, and the libraries that this was linked with
//! are not to be had. A package of today that brings a program of the same name brings what a person
//! would take: the names may differ by versions only. It has to be the only one.

use std::collections::{BTreeMap, BTreeSet};

use crate::family::Offered;
use crate::references::Needing;
use crate::tree::RootPath;

/// How many packages are looked into for one program.
const MOST_CANDIDATES: usize = 24;

/// What packages of programs are called behind the program's name, the likeliest first.
const ENDINGS: &[&str] = &[
    "",
    "-cli",
    "-bin",
    "-server",
    "-client",
    "-tools",
    "-utils",
    "-core",
    "-server-core",
    "-common",
    "-daemon",
    "-base",
];

/// Where packages have programs.
const PROGRAMS: &[&str] = &["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// Below these a package has nothing.
const LOCAL: &[&str] = &["/usr/local", "/opt", "/srv", "/home", "/root"];

/// Shorter names are no evidence.
const SHORTEST: usize = 3;

/// What can bring a program or module today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Brought {
    /// This package alone, and where.
    By { package: String, to: RootPath },
    /// One of these.
    Perhaps(Vec<String>),
    /// Nothing.
    Nothing,
}

/// Whether `one` is where somebody may look for a program, or a server for its modules.
pub(super) fn is_replaceable(one: &Needing) -> bool {
    match one.is_program {
        true => one.path.parent().is_some_and(|dir| [&b"bin"[..], b"sbin"].contains(&dir.name())),
        false => one.path.name().ends_with(b".so") && !is_local(&one.path),
    }
}

fn is_local(path: &RootPath) -> bool {
    LOCAL.iter().any(|dir| path.as_bytes().starts_with(format!("{dir}/").as_bytes()))
}

/// `name` without the numbers of a version at its end, or before `.so`.
pub(super) fn versionless(name: &str) -> String {
    let (stem, ending) = match name.strip_suffix(".so") {
        Some(stem) => (stem, ".so"),
        None => (name, ""),
    };
    let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let bare = bare.trim_end_matches('-');
    let bare = if bare.len() < SHORTEST { stem } else { bare };
    format!("{bare}{ending}")
}

fn name_of(path: &RootPath) -> Option<&str> {
    std::str::from_utf8(path.name()).ok()
}

/// The name of a package with the versions of its words left out.
fn plain(package: &str) -> String {
    package.split('-').map(versionless).collect::<Vec<_>>().join("-")
}

/// The packages of `offered` that may bring what `one` is, the likeliest first.
pub(super) fn candidates(one: &Needing, offered: &Offered) -> Vec<String> {
    let Some(name) = name_of(&one.path) else { return vec![] };
    let wanted = versionless(name);
    let native = offered.packages.iter().filter(|package| !package.contains(':'));
    let mut ranked: Vec<(usize, &String)> = match one.is_program {
        true => {
            let first = wanted.split('-').next().unwrap_or_default();
            let daemon = wanted.strip_suffix('d').unwrap_or(&wanted);
            let stems = [wanted.as_str(), daemon, first];
            let stems: Vec<&str> =
                stems.into_iter().filter(|stem| stem.len() >= SHORTEST).collect();
            let rank = |package: &str| {
                let plain = plain(package);
                let fits = |(rank, stem): (usize, &&str)| {
                    let ending = plain.strip_prefix(*stem)?;
                    let at = ENDINGS.iter().position(|known| *known == ending)?;
                    Some(rank * ENDINGS.len() + at)
                };
                stems.iter().enumerate().find_map(fits)
            };
            native.filter_map(|package| Some((rank(package)?, package))).collect()
        }
        false => native.filter(|name| is_for(name, one)).map(|package| (0, package)).collect(),
    };
    ranked.sort();
    ranked.into_iter().take(MOST_CANDIDATES).map(|(_, package)| package.clone()).collect()
}

/// Whether the words of `package` name the module `one` and what it is a module of.
fn is_for(package: &str, one: &Needing) -> bool {
    let bare = |text: &str| {
        let text = versionless(text);
        let text = text.strip_suffix(".so").unwrap_or(&text);
        text.strip_prefix("lib").unwrap_or(text).to_owned()
    };
    let text = one.path.to_string();
    let mut parts: Vec<String> = text.split('/').map(bare).collect();
    let module = parts.pop().unwrap_or_default();
    let words: BTreeSet<String> = package.split('-').map(bare).collect();
    let hosts = parts.iter().filter(|part| part.len() >= SHORTEST && **part != module);
    words.contains(&module) && { hosts }.any(|host| words.contains(host))
}

/// What brings `one` of `contents`, the paths that packages bring.
pub(super) fn brought(one: &Needing, contents: &BTreeMap<String, Vec<RootPath>>) -> Brought {
    let Some(name) = name_of(&one.path) else { return Brought::Nothing };
    let wanted = versionless(name);
    let is_place = |dir: &RootPath| match one.is_program {
        true => PROGRAMS.iter().any(|place| dir.as_bytes() == place.as_bytes()),
        false => one.path.parent().as_ref() == Some(dir),
    };
    let all =
        contents.iter().flat_map(|(package, paths)| paths.iter().map(move |at| (package, at)));
    let same: Vec<(&String, &RootPath)> = all
        .filter(|(_, at)| name_of(at).is_some_and(|name| versionless(name) == wanted))
        .filter(|(_, at)| at.parent().is_some_and(|dir| is_place(&dir)))
        .collect();
    let exact: Vec<_> = same.iter().copied().filter(|(_, at)| name_of(at) == Some(name)).collect();
    match (exact.as_slice(), same.as_slice()) {
        ([(package, to)], _) | ([], [(package, to)]) => {
            Brought::By { package: (*package).clone(), to: (*to).clone() }
        }
        ([], []) => Brought::Nothing,
        ([], some) | (some, _) => {
            let packages: BTreeSet<&String> = some.iter().map(|(package, _)| *package).collect();
            Brought::Perhaps(packages.into_iter().cloned().collect())
        }
    }
}

/// The modules among `all` that are made for the program at `program`: they lie below a directory
/// that is called like it, beside which it was installed.
pub(in crate::restore) fn modules_of<'a>(
    program: &RootPath,
    all: &'a [Needing],
) -> Vec<&'a Needing> {
    let Some(name) = name_of(program).map(versionless) else { return vec![] };
    let Some(prefix) = program.parent().and_then(|dir| dir.parent()) else { return vec![] };
    let belongs = |one: &&Needing| {
        let text = one.path.to_string();
        let mut dirs: Vec<&str> = text.split('/').collect();
        dirs.pop();
        !one.is_program
            && one.path.name().ends_with(b".so")
            && is_local(&one.path)
            && one.path.is_within(&prefix)
            && dirs.iter().any(|dir| versionless(dir) == name)
    };
    all.iter().filter(belongs).collect()
}

/// What the package of the module at `module` is called, or answers to, of the program `today`.
pub(super) fn module_package(today: &RootPath, module: &RootPath) -> Option<String> {
    let module = name_of(module)?.strip_suffix(".so")?;
    Some(format!("{}-{}", name_of(today)?, module.replace('_', "-")))
}

/// Of the paths of the new system the one that is today's of `module`: its name, below a directory
/// that is called like the program `today`.
pub(super) fn module_today(
    today: &RootPath,
    module: &RootPath,
    present: &[RootPath],
) -> Option<RootPath> {
    let program = versionless(name_of(today)?);
    let is_one = |path: &&RootPath| {
        path.name() == module.name()
            && !is_local(path)
            && path.to_string().split('/').any(|dir| versionless(dir) == program)
    };
    let mut all = present.iter().filter(is_one);
    all.next().filter(|_| all.next().is_none()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn needing(at: &str, is_program: bool) -> Needing {
        Needing { path: path(at), is_program, needs: BTreeSet::new() }
    }

    fn offered(names: &[&str]) -> Offered {
        Offered { packages: names.iter().map(ToString::to_string).collect(), ..Offered::default() }
    }

    fn contents(all: &[(&str, &[&str])]) -> BTreeMap<String, Vec<RootPath>> {
        let one = |(name, paths): &(&str, &[&str])| {
            ((*name).to_owned(), paths.iter().map(|at| path(at)).collect())
        };
        all.iter().map(one).collect()
    }

    fn by(package: &str, to: &str) -> Brought {
        Brought::By { package: package.to_owned(), to: path(to) }
    }

    #[test]
    fn a_version_at_the_end_is_no_part_of_a_name() {
        let cases = [
            ("lang8.4", "lang"),
            ("lang-daemon8.4", "lang-daemon"),
            ("liblang7.so", "liblang.so"),
            ("store-server", "store-server"),
            ("x264", "x264"),
            ("lang-9", "lang"),
        ];
        for (name, expected) in cases {
            assert_eq!(versionless(name), expected, "{name}");
        }
    }

    #[test]
    fn packages_called_like_a_program_are_looked_into() {
        let offered = offered(&[
            "lang",
            "lang8.4",
            "lang8.4-cli",
            "lang8.4-gd",
            "lang8.4-cli:i386",
            "language",
            "store",
            "store-server",
            "store-tools",
            "libweb-mod-lang8.4",
            "libweb-mod-other",
        ]);
        let found = |at: &str, is_program| candidates(&needing(at, is_program), &offered);
        let cli = ["lang", "lang8.4", "lang8.4-cli"];
        assert_eq!(found("/usr/local/bin/lang", true), cli);
        let store = ["store-server", "store", "store-tools"];
        assert_eq!(found("/usr/local/bin/store-server", true), store);
        assert_eq!(found("/usr/lib/web2/modules/liblang7.so", false), ["libweb-mod-lang8.4"]);
        assert!(found("/usr/local/bin/own", true).is_empty());
    }

    #[test]
    fn the_only_package_with_the_program_under_any_version_brings_it() {
        let one = needing("/usr/local/bin/lang", true);
        let cli: (&str, &[&str]) = ("lang8.4-cli", &["/usr/bin/lang8.4", "/usr/bin/pack8.4"]);
        let cgi: (&str, &[&str]) = ("lang8.4-cgi", &["/usr/lib/cgi-bin/lang8.4"]);
        assert_eq!(brought(&one, &contents(&[cli, cgi])), by("lang8.4-cli", "/usr/bin/lang8.4"));
        let exact: (&str, &[&str]) = ("lang", &["/usr/bin/lang"]);
        assert_eq!(brought(&one, &contents(&[cli, exact])), by("lang", "/usr/bin/lang"));
        let other: (&str, &[&str]) = ("lang8.5-cli", &["/usr/bin/lang8.5"]);
        let perhaps = ["lang8.4-cli", "lang8.5-cli"].map(str::to_owned).to_vec();
        assert_eq!(brought(&one, &contents(&[cli, other])), Brought::Perhaps(perhaps));
        assert_eq!(brought(&one, &contents(&[cgi])), Brought::Nothing);
    }

    #[test]
    fn a_module_of_a_packaged_server_has_todays_beside_where_it_was() {
        let one = needing("/usr/lib/web2/modules/liblang7.so", false);
        assert!(is_replaceable(&one) && !is_replaceable(&needing("/opt/x/liblang7.so", false)));
        let all = contents(&[("libweb-mod-lang8.4", &["/usr/lib/web2/modules/liblang8.4.so"])]);
        let expected = by("libweb-mod-lang8.4", "/usr/lib/web2/modules/liblang8.4.so");
        assert_eq!(brought(&one, &all), expected);
        let all = contents(&[("liblang8.4-embed", &["/usr/lib/liblang8.4.so"])]);
        assert_eq!(brought(&one, &all), Brought::Nothing);
    }

    #[test]
    fn modules_of_a_program_lie_below_a_directory_of_its_name() {
        let all = [
            needing("/usr/local/lib/lang/extensions/2019/gd.so", false),
            needing("/usr/local/lib/other/gd.so", false),
            needing("/opt/lang/gd.so", false),
            needing("/usr/lib/lang/2019/gd.so", false),
        ];
        let program = path("/usr/local/bin/lang");
        let found: Vec<String> =
            modules_of(&program, &all).iter().map(|one| one.path.to_string()).collect();
        assert_eq!(found, ["/usr/local/lib/lang/extensions/2019/gd.so"]);
        let (today, module) = (path("/usr/bin/lang8.4"), path("/usr/local/lib/lang/x/db_lite.so"));
        assert_eq!(module_package(&today, &module).as_deref(), Some("lang8.4-db-lite"));
        let there = ["/usr/lib/lang/2024/db_lite.so", "/usr/lib/other/db_lite.so"].map(path);
        assert_eq!(module_today(&today, &module, &there).as_ref(), there.first());
        let twice = ["/usr/lib/lang/a/db_lite.so", "/usr/lib/lang/b/db_lite.so"].map(path);
        assert_eq!(module_today(&today, &module, &twice), None);
    }
}
