//! Which packages of a system with Debian's manager can be had again.
//!
//! Of Debian itself it is known what its releases offer. Updates go on coming after that was
//! written down, so a version is not looked up but judged: by who made the package, by what its
//! version says, and by what Debian offers in its place. Of other distributions, the packages that
//! every system has tell who makes them; who else made one is somebody else.

use std::collections::BTreeSet;

use super::Dpkg;
use crate::packages::apt::{self, Offer, Offered};
use crate::packages::apt_history;
use crate::packages::mark;
use crate::packages::package::Package;
use crate::packages::release_table::{ReleaseTable, Versions};
use crate::packages::supply::{Distribution, Proof, Supply};
use crate::packages::version::compare;
use crate::tree::{Tree, TreeError};

/// The distribution of which a table is known, and that most others are made from.
const DEBIAN: &str = "debian";

/// Where those work who make Debian.
const DEBIAN_HOSTS: &[&str] = &["debian.org", "debian.net"];

/// Where anybody has an address: it says nothing.
const ANYBODYS: &[&str] = &[
    "gmail.com",
    "github.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "mailbox.org",
    "outlook.com",
    "posteo.de",
    "protonmail.com",
    "riseup.net",
    "sourceforge.net",
    "web.de",
    "yahoo.com",
];

/// What debugging symbols are called after; they are offered beside the release.
const SYMBOLS: &str = "-dbgsym";

/// Why a package cannot be had again; `None` where something shows that it can.
type Against = Option<String>;

impl Dpkg {
    /// Which packages can be had again.
    ///
    /// # Errors
    /// The lists of packages cannot be listed.
    pub(crate) fn supply(
        &self,
        tree: &dyn Tree,
        distribution: &Distribution<'_>,
    ) -> Result<Supply, TreeError> {
        let there: Vec<&Package> = self.packages.iter().filter(|p| p.has_files()).collect();
        let lists = apt::origins(tree)?;
        // Those of somebody else alone say nothing of the distribution's packages.
        let lists = lists.map(|lists| lists.of_distribution(distribution.id));
        let lists = lists.filter(|lists| !lists.is_empty());
        let names = there.iter().map(|p| p.name.trim_end_matches(SYMBOLS)).collect();
        let table = distribution.tables.table(DEBIAN);
        // A table that cannot be read shows nothing.
        let table = table.and_then(|table| ReleaseTable::read(table, &names).ok());
        let table = table.unwrap_or_default();
        let release = match distribution.id.eq_ignore_ascii_case(DEBIAN) {
            true => table.release(distribution.version, distribution.codename),
            false => None,
        };
        let evidence = Evidence {
            makers: self.base().filter_map(|package| host(&package.maker)).collect(),
            from_files: apt_history::from_files(tree),
            base_versions: self
                .base()
                .map(|p| p.version.as_str())
                .chain([distribution.id])
                .collect(),
            lists,
            table,
        };
        let judged = there.iter().map(|package| {
            let proof = match release {
                Some(release) => match evidence.against_debian(package, release) {
                    Some(why) => Proof::Against(why),
                    None => Proof::Shown,
                },
                None => evidence.of_other(package),
            };
            (package.name.clone(), proof)
        });
        Ok(Supply::of(judged))
    }

    /// What every system has.
    fn base(&self) -> impl Iterator<Item = &Package> {
        let is_base = |package: &&Package| {
            package.essential || package.priority == "required" || package.name == "apt"
        };
        self.packages.iter().filter(is_base)
    }
}

/// What there is to judge packages by.
struct Evidence<'a> {
    /// Hosts of those who make the distribution.
    makers: BTreeSet<&'a str>,
    /// Packages that were installed from a file.
    from_files: BTreeSet<String>,
    /// What the distribution's own repositories offered when they were asked last.
    lists: Option<Offered>,
    /// The versions of what every system has, and the distribution's name: their words are its own.
    base_versions: Vec<&'a str>,
    table: ReleaseTable,
}

impl Evidence<'_> {
    /// What speaks against a package of a Debian whose releases from `release` on are known.
    fn against_debian(&self, package: &Package, release: usize) -> Against {
        let Package { name, version, .. } = package;
        if self.list_offer(package) == Some(Offer::Same) {
            return None;
        }
        let exactly = mark::without_rebuild(version);
        let plain = name.strip_suffix(SYMBOLS).unwrap_or(name);
        let Some(known) = self.table.versions(plain) else {
            return match self.is_another_build(package, release) {
                true => None,
                false => Some("no release of Debian has a package of this name".to_owned()),
            };
        };
        if let Some(why) = self.somebody_elses(package, known) {
            return Some(why);
        }
        let later = known.get(release..).unwrap_or_default();
        if known.iter().flatten().any(|offered| offered == exactly) && has_any(later) {
            return None;
        }
        if !has_any(later) {
            return Some("Debian does not have it since an earlier release".to_owned());
        }
        if self.from_files.contains(name) {
            return Some(format!(
                "version {version} came from a file, and Debian has none like it"
            ));
        }
        self.against_version(version, later, release)
    }

    /// What speaks against a version that is in none of the releases from `release` on, the later
    /// ones, as they were known.
    fn against_version(&self, version: &str, later: &[Vec<String>], release: usize) -> Against {
        let highest = later.iter().flatten().max_by(|a, b| compare(a, b))?;
        if compare(version, highest).is_le() {
            return None;
        }
        // The last release is still being made, and others are updated.
        let unfinished = release + 1 == self.table.releases.len();
        let update = mark::release(version).is_some_and(|number| {
            self.table.release(number, "").is_none_or(|updated| updated >= release)
        });
        (!unfinished && !update)
            .then(|| format!("version {version} is higher than any of Debian's, such as {highest}"))
    }

    /// Whether Debian built the package again under a new name, as it does with every kernel: what
    /// differs in numbers alone and is of the same series takes its place.
    fn is_another_build(&self, package: &Package, release: usize) -> bool {
        let series = |version: &str| -> Vec<String> {
            let upstream = crate::packages::version::upstream(version);
            upstream.split(|c: char| !c.is_ascii_digit()).take(2).map(str::to_owned).collect()
        };
        let name = package.name.strip_suffix(SYMBOLS).unwrap_or(&package.name);
        self.table.alike(name).iter().any(|known| {
            let later = known.get(release..).unwrap_or_default();
            later.iter().flatten().any(|offered| series(offered) == series(&package.version))
                && self.somebody_elses(package, known).is_none()
        })
    }

    /// What says that somebody else made a package of which Debian has `known` versions.
    fn somebody_elses(&self, package: &Package, known: &Versions) -> Against {
        let Package { version, maker, .. } = package;
        if !maker.is_empty() && !self.is_debians(maker) {
            return Some(format!("{maker}, who makes it, makes none of Debian's"));
        }
        let all = || known.iter().flatten().map(String::as_str);
        if let Some(word) = mark::foreign(version, all()) {
            return Some(format!("{word} in version {version} is no word of Debian's"));
        }
        let revised = |version: &str| version.contains('-');
        (all().all(revised) && !revised(version))
            .then(|| format!("version {version} has no revision, as all of Debian's have"))
    }

    /// What is known of a package of a distribution whose releases are not known.
    fn of_other(&self, package: &Package) -> Proof {
        let Package { name, version, maker, .. } = package;
        if self.from_files.contains(name) {
            return Proof::Against("it was installed from a file".to_owned());
        }
        let known = self.lists.iter().flat_map(|lists| lists.versions(name));
        let strange = mark::foreign(version, known.chain(self.base_versions.iter().copied()));
        let strange =
            strange.map(|word| format!("{word} in version {version} is a word of others"));
        match (self.list_offer(package), strange) {
            (Some(Offer::Same), _) => Proof::Shown,
            (Some(Offer::None), _) => {
                Proof::Against("no list of the distribution's has it".to_owned())
            }
            (_, Some(strange)) if !self.makers.is_empty() => Proof::Against(strange),
            (Some(Offer::Other), None) if maker.is_empty() => Proof::Shown,
            (_, None) if self.is_own(maker) => Proof::Shown,
            _ => Proof::Nothing("nothing shows that the distribution made it".to_owned()),
        }
    }

    fn list_offer(&self, package: &Package) -> Option<Offer> {
        Some(self.lists.as_ref()?.offers(&package.name, &package.version))
    }

    /// Whether `address` is that of somebody who makes the distribution, or the Debian it is made
    /// from.
    fn is_own(&self, address: &str) -> bool {
        let from_debian = self.makers.iter().any(|host| is_debian_host(host));
        host(address).is_some_and(|host| self.makers.contains(host) && !ANYBODYS.contains(&host))
            || (from_debian && self.is_debians(address))
    }

    fn is_debians(&self, address: &str) -> bool {
        host(address).is_some_and(is_debian_host) || self.table.made_by(address)
    }
}

/// The last two parts of an address: whose machines it is at.
fn host(address: &str) -> Option<&str> {
    let (_, host) = address.rsplit_once('@')?;
    let dots: Vec<usize> = host.match_indices('.').map(|(at, _)| at).collect();
    let from = dots.len().checked_sub(2).and_then(|nth| dots.get(nth)).map_or(0, |dot| dot + 1);
    Some(&host[from..]).filter(|host| !host.is_empty())
}

fn is_debian_host(host: &str) -> bool {
    DEBIAN_HOSTS.contains(&host)
}

fn has_any(versions: &[Vec<String>]) -> bool {
    versions.iter().any(|of_release| !of_release.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::packages::supply::Tables;
    use crate::tree::memory::MemoryTree;

    /// With the digest of `x@gmail.com`.
    const TABLE: &str = "releases 11 bullseye 12 bookworm 13 trixie\nmakers 0e15ace5\n\
        bash 5.1-2 5.2.15-2 5.2.37-2\ncaddy - 2.6.2-5 2.6.2-12\nlibold 1.0-1 - -\n\
        linux-image-5.10.0-44-amd64 5.10.262-1 - -\n\
        nginx 1.18.0-6.1,1.18.0-6.1+deb11u3 1.22.1-9 1.26.3-3\n";

    struct Test;

    impl Tables for Test {
        fn table(&self, _: &str) -> Option<Box<dyn Read>> {
            Some(Box::new(TABLE.as_bytes()))
        }
    }

    const TEAM: &str = "Debian Nginx Maintainers <pkg-nginx@alioth-lists.debian.net>";

    fn package(name: &str, version: &str, maker: &str) -> String {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n\
             Version: {version}\nMaintainer: {maker}\n\n"
        )
    }

    fn system(packages: &[String]) -> MemoryTree {
        let base = "Package: bash\nEssential: yes\nStatus: install ok installed\nVersion: 5.1-2\n\
                    Architecture: amd64\nMaintainer: M <doko@debian.org>\n\n";
        MemoryTree::default().file("/var/lib/dpkg/status", base.to_owned() + &packages.concat())
    }

    fn supply(tree: &MemoryTree, id: &str, version: &str) -> Supply {
        let distribution = Distribution { id, version, codename: "", tables: &Test };
        Dpkg::load(tree).unwrap().unwrap().supply(tree, &distribution).unwrap()
    }

    /// Why the package `name` of a Debian `release` cannot be had again.
    fn why(release: &str, name: &str, version: &str, maker: &str) -> Option<String> {
        let tree = system(&[package(name, version, maker)]);
        supply(&tree, "debian", release).gone.remove(name)
    }

    #[test]
    fn what_debian_offers_can_be_had_again_in_its_older_and_later_versions_too() {
        for (release, version) in [
            ("11", "1.18.0-6.1+deb11u3"),
            // Before the first update, one between, and one after all that is known.
            ("11", "1.18.0-6.1"),
            ("11", "1.18.0-6.1+deb11u1"),
            ("11", "1.18.0-6.1+deb11u3+b2"),
            ("11", "1.18.0-6.1+deb11u9"),
            ("12", "1.18.0-6.1+deb11u9"),
            ("12", "1.22.1-9+deb12u4"),
            ("12", "1.30.1-1~bpo12+1"),
            ("11", "1.22.1-9"),
            // The last release is still being made.
            ("13", "1.28.0-1"),
        ] {
            assert_eq!(why(release, "nginx", version, TEAM), None, "{release} {version}");
        }
        assert_eq!(why("11", "nginx", "1.18.0-6.1", "X <x@gmail.com>"), None);
        assert_eq!(why("11", "nginx-dbgsym", "1.18.0-6.1", TEAM), None);
    }

    #[test]
    fn a_name_that_debian_does_not_have_is_a_vendors() {
        let told = why("11", "vendor-tool", "2.1", "V <v@example.org>").unwrap();
        assert_eq!(told, "no release of Debian has a package of this name");
        assert!(why("12", "vendor-tool", "2.1-1", TEAM).is_some());
        assert!(why("12", "libold", "1.0-1", TEAM).unwrap().contains("earlier release"));
    }

    #[test]
    fn a_vendors_version_and_a_local_rebuild_of_debians_package_are_not_debians() {
        for (name, version, maker) in [
            ("nginx", "1.24.0-1~bullseye", "NGINX Packaging <nginx-packaging@f5.com>"),
            ("nginx", "1.24.0-1~bullseye", TEAM),
            ("nginx", "1.18.0-6.1+deb11u3+local1", TEAM),
            ("nginx", "1.18.0-6.1+deb11u3~mycompany", TEAM),
            ("nginx", "1.18.0-6.1+deb11u3", "root <root@build.example>"),
            ("nginx", "9.0-1", TEAM),
            ("nginx", "1.19", TEAM),
            ("caddy", "2.6.4", TEAM),
        ] {
            assert!(why("11", name, version, maker).is_some(), "{name} {version} {maker}");
        }
    }

    #[test]
    fn a_kernel_of_the_same_series_takes_the_place_of_an_earlier_one() {
        let kernel = "Debian Kernel Team <debian-kernel@lists.debian.org>";
        assert_eq!(why("11", "linux-image-5.10.0-21-amd64", "5.10.162-1", kernel), None);
        assert!(why("11", "linux-image-4.19.0-9-amd64", "4.19.118-2", kernel).is_some());
        assert!(why("11", "linux-image-5.10.0-21-amd64", "5.10.162-1vendor2", kernel).is_some());
    }

    #[test]
    fn a_version_from_a_file_counts_only_where_debian_has_exactly_it() {
        let history = "Start-Date: 2023-01-05  12:00:00\nCommandline: apt install ./nginx_1.deb\n\
                       End-Date: 2023-01-05  12:00:09\n";
        let gone = |version: &str| {
            let tree = system(&[package("nginx", version, TEAM)])
                .file("/var/log/apt/history.log", history);
            supply(&tree, "debian", "11").gone.contains_key("nginx")
        };
        assert!(!gone("1.18.0-6.1"));
        assert!(gone("1.18.0-6.1+deb11u2"));
    }

    const OWN: &str = "/var/lib/apt/lists/m_debian_dists_bullseye_main_binary-amd64_Packages";
    const OTHER: &str = "/var/lib/apt/lists/v_apt_dists_stable_main_binary-amd64_Packages";

    #[test]
    fn a_list_of_somebody_elses_repository_shows_nothing() {
        let tool = [package("tool", "1", "V <v@example.org>")];
        let list = "Package: tool\nVersion: 1\n\n";
        for id in ["debian", "other"] {
            let tree = system(&tool).file(OWN, "Package: dpkg\nVersion: 1\n\n").file(OTHER, list);
            assert!(supply(&tree, id, "11").gone.contains_key("tool"), "{id}");
            let both = "Package: dpkg\nVersion: 1\n\nPackage: tool\nVersion: 1\n\n";
            let tree = system(&tool).file(OWN, both);
            assert!(!supply(&tree, id, "11").gone.contains_key("tool"), "{id}");
        }
    }

    #[test]
    fn a_release_file_says_whose_a_repository_is() {
        let tool = [package("tool", "1", "V <v@example.org>")];
        let release = |name: &str| {
            system(&tool).file(OTHER, "Package: tool\nVersion: 1\n\n").file(
                "/var/lib/apt/lists/v_apt_dists_stable_InRelease",
                format!("Origin: {name}\n"),
            )
        };
        assert!(!supply(&release("Devuan"), "devuan", "4").gone.contains_key("tool"));
        assert!(supply(&release("Vendor"), "devuan", "4").gone.contains_key("tool"));
    }

    #[test]
    fn of_another_distribution_those_who_make_what_every_system_has_make_it() {
        let ubuntu = "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>";
        let base = |maker: &str| {
            format!(
                "Package: base\nEssential: yes\nStatus: install ok installed\n\
                 Architecture: amd64\nVersion: 1-1ubuntu2\nMaintainer: {maker}\n\n"
            )
        };
        let status = base(ubuntu)
            + &package("nginx", "1.18.0-0ubuntu1", ubuntu)
            + &package("php", "8.1-1+ppa1", ubuntu)
            + &package("tool", "1", "V <v@example.org>")
            + &package("nameless", "1", "");
        let tree = MemoryTree::default().file("/var/lib/dpkg/status", status);
        let found = supply(&tree, "ubuntu", "20.04");
        assert_eq!(found.gone.keys().collect::<Vec<_>>(), ["nameless", "php", "tool"]);
        assert_eq!(found.unknown, 0);
    }

    #[test]
    fn what_is_made_from_debian_has_debians_packages_too() {
        let mut stanzas = vec![
            package("nginx", "1.14.2-2+rpi1", TEAM),
            package("tool", "1-1", "V <v@example.org>"),
        ];
        stanzas.push(package("bash", "5.0-4+rpi1", "M <doko@debian.org>") + "");
        let base = "Package: libc-bin\nEssential: yes\nStatus: install ok installed\n\
                    Architecture: armhf\nVersion: 2.28-10+rpi1\nMaintainer: G <glibc@lists.debian.org>\n\n";
        let tree =
            MemoryTree::default().file("/var/lib/dpkg/status", base.to_owned() + &stanzas.concat());
        for (id, version) in [("raspbian", "10"), ("debian", "10")] {
            let found = supply(&tree, id, version);
            assert_eq!(found.gone.keys().collect::<Vec<_>>(), ["tool"], "{id}");
        }
    }

    #[test]
    fn what_a_package_needs_is_what_is_installed_of_it() {
        let status = package("tool", "1", "")
            .replace("Version", "Depends: libc6 (>= 2), absent, mta | postfix, awk\nVersion")
            + &package("libc6", "2", "")
            + &package("postfix", "3", "")
            + &package("mawk", "1", "").replace("Version", "Provides: awk\nVersion");
        let tree = MemoryTree::default().file("/var/lib/dpkg/status", status);
        let dpkg = Dpkg::load(&tree).unwrap().unwrap();
        let needs = dpkg.needs(&["libc6", "tool"].into());
        assert_eq!(needs["tool"], ["libc6", "mawk", "postfix"]);
        assert!(needs["libc6"].is_empty());
    }

    #[test]
    fn of_a_system_that_says_nothing_of_itself_nothing_is_known() {
        let status = package("a", "1", "") + &package("b", "2-vendor", "V <v@example.org>");
        let tree = MemoryTree::default().file("/var/lib/dpkg/status", status);
        let found = supply(&tree, "", "");
        assert_eq!((found.gone.len(), found.unknown), (0, 2));
    }
}
