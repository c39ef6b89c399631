//! What somebody decided about packages: read from dpkg's records, and from the files of apt,
//! debconf and others beside them.

use std::collections::BTreeMap;

use super::certificates;
use super::texts::Texts;
use crate::packages::{Alternative, AlternativeStatus, Installed, Moment, StatOverride};
use crate::survey::{
    AddedFact, AlternativeFact, AnswerFact, Choices, DiversionFact, HoldFact, RepositoryFact,
    StatOverrideFact,
};
use crate::tree::{RootPath, Tree, read_file};

/// Larger than any script of a package.
const SCRIPT_LIMIT: u64 = 1 << 20;

/// More answers than any system has; longer ones are texts, not answers.
const MAX_ANSWERS: usize = 10_000;
const MAX_ANSWER: usize = 4096;

/// Names of questions that may ask for something secret, whatever their type.
const SECRET: &[&str] = &["pass", "secret", "token", "credential", "private", "key"];

/// What the path of one of Debian's own repositories ends in, wherever its mirror is.
const OWN_REPOSITORIES: &[&str] = &["debian", "debian-security", "debian-debug", "security"];

/// The parts of Debian's own repositories.
const OWN_COMPONENTS: &[&str] = &["main", "contrib", "non-free", "non-free-firmware"];

/// What was decided in `tree`; what cannot be read says nothing.
pub(super) fn choices(tree: &dyn Tree, installed: &Installed) -> Choices {
    let texts = Texts { tree, installed };
    let decisions = installed.decisions();
    let local = decisions.diversions.iter().filter(|diversion| diversion.by.is_none());
    Choices {
        architectures: decisions.architectures.to_vec(),
        diversions: local
            .map(|found| DiversionFact { from: found.from.clone(), to: found.to.clone() })
            .collect(),
        stat_overrides: texts.stat_overrides(decisions.stat_overrides),
        alternatives: texts.alternatives(decisions.alternatives),
        refused_certificates: certificates::refused(&texts),
        trusted_certificates: certificates::trusted(&texts),
        holds: decisions
            .holds
            .into_iter()
            .map(|held| HoldFact { package: held.name.to_owned(), version: held.version })
            .collect(),
        pins: texts.unowned("/etc/apt/preferences.d", &["/etc/apt/preferences"]),
        repositories: texts.repositories(),
        keys: texts.unowned("/etc/apt/trusted.gpg.d", &["/etc/apt/trusted.gpg"]),
        answers: texts.answers(),
    }
}

impl Texts<'_> {
    fn stat_overrides(&self, overrides: &[StatOverride]) -> Vec<StatOverrideFact> {
        if overrides.is_empty() {
            return vec![];
        }
        let mut scripts: Vec<(&str, Vec<u8>)> = vec![];
        for script in self.installed.scripts(Moment::Installed) {
            let text = read_file(self.tree, &script.path, SCRIPT_LIMIT).ok().flatten();
            let text = text.filter(|text| holds(text, b"dpkg-statoverride"));
            scripts.extend(text.map(|text| (script.package.as_str(), text)));
        }
        let fact = |found: &StatOverride| StatOverrideFact {
            path: found.path.clone(),
            user: found.user.clone(),
            group: found.group.clone(),
            mode: found.mode,
            package: scripts
                .iter()
                .find(|(_, text)| holds(text, found.path.as_bytes()))
                .map(|(name, _)| (*name).to_owned()),
        };
        overrides.iter().map(fact).collect()
    }

    fn alternatives(&self, alternatives: &[Alternative]) -> Vec<AlternativeFact> {
        let mut all = vec![];
        for alternative in alternatives {
            let by_hand = alternative.status == AlternativeStatus::Manual;
            let added: Vec<AddedFact> = alternative
                .choices
                .iter()
                .filter(|choice| !self.is_owned(&choice.path))
                .map(|choice| AddedFact { path: choice.path.clone(), priority: choice.priority })
                .collect();
            if by_hand || !added.is_empty() {
                all.push(AlternativeFact {
                    name: alternative.name.clone(),
                    link: alternative.link.clone(),
                    chosen: alternative.path.clone().filter(|_| by_hand),
                    added,
                    links: alternative.links().collect(),
                });
            }
        }
        all
    }

    fn repositories(&self) -> Vec<RepositoryFact> {
        let mut all = vec![];
        let more = self.list("/etc/apt/sources.list.d");
        for file in RootPath::parse(b"/etc/apt/sources.list").into_iter().chain(more) {
            let text = self.read(&file.to_string());
            let text = String::from_utf8_lossy(&text);
            let named: Vec<Repository> = match file.name().ends_with(b".sources") {
                true => Repository::of_stanzas(&text),
                false => text.lines().filter_map(Repository::parse).collect(),
            };
            let foreign = named.iter().filter(|repository| !repository.is_own());
            all.extend(foreign.map(|r| RepositoryFact { file: file.clone(), line: r.line() }));
        }
        all
    }

    fn answers(&self) -> Vec<AnswerFact> {
        let types = fields(&self.read("/var/cache/debconf/templates.dat"), &["type"]);
        let questions = fields(
            &self.read("/var/cache/debconf/config.dat"),
            &["template", "value", "owners", "flags"],
        );
        let installed = |owners: &str| {
            let mut owners = owners.split(", ");
            owners.find(|owner| self.installed.version(owner).is_some()).map(str::to_owned)
        };
        let mut all = vec![];
        for (question, about) in questions {
            let get = |key: &str| about.get(key).map(String::as_str).unwrap_or_default();
            let kind = types.get(get("template")).and_then(|about| about.get("type"));
            let asked = kind.filter(|kind| {
                !matches!(kind.as_str(), "password" | "note" | "title" | "error" | "text")
            });
            let seen = get("flags").split(", ").any(|flag| flag == "seen");
            let plain = !SECRET.iter().any(|word| question.to_lowercase().contains(word));
            let answer = get("value");
            let kept = !answer.is_empty() && answer.len() <= MAX_ANSWER && all.len() < MAX_ANSWERS;
            if let (Some(kind), Some(owner)) = (asked, installed(get("owners")))
                && seen
                && plain
                && kept
            {
                let (kind, answer) = (kind.clone(), answer.to_owned());
                all.push(AnswerFact { question, owner, kind, answer });
            }
        }
        all
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Debconf's databases: of every `Name` the wanted fields, in lower case.
fn fields(text: &[u8], wanted: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let text = String::from_utf8_lossy(text);
    for stanza in text.split("\n\n") {
        let mut name = None;
        let mut found = BTreeMap::new();
        for (key, value) in stanza.lines().filter_map(|line| line.split_once(": ")) {
            let key = key.to_lowercase();
            if key == "name" {
                name = Some(value.trim().to_owned());
            } else if wanted.contains(&key.as_str()) {
                found.insert(key, value.trim().to_owned());
            }
        }
        all.extend(name.map(|name| (name, found)));
    }
    all
}

/// An address with suites and components.
struct Repository {
    address: String,
    suites: String,
    components: Vec<String>,
}

impl Repository {
    /// `deb [options] address suite component…`.
    fn parse(line: &str) -> Option<Repository> {
        let line = line.split('#').next().unwrap_or_default();
        let rest = line.trim().strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1.trim(),
            None => rest,
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        let (address, suites) = (words.next()?, words.next()?);
        Some(Repository { address, suites, components: words.collect() })
    }

    /// The same of stanzas with a field for each.
    fn of_stanzas(text: &str) -> Vec<Repository> {
        let mut all = vec![];
        for stanza in text.split("\n\n") {
            let field = |wanted: &str| {
                let fields = stanza.lines().filter_map(|line| line.split_once(':'));
                let mut values = fields.filter(|(key, _)| key.eq_ignore_ascii_case(wanted));
                values.next().map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
            };
            let binary = field("types").split_whitespace().any(|kind| kind == "deb");
            if binary && field("enabled") != "no" {
                all.extend(field("uris").split_whitespace().map(|address| Repository {
                    address: address.to_owned(),
                    suites: field("suites"),
                    components: field("components").split_whitespace().map(str::to_owned).collect(),
                }));
            }
        }
        all
    }

    /// Whether it is the release's own, wherever its mirror is.
    fn is_own(&self) -> bool {
        let end = self.address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        OWN_REPOSITORIES.contains(&end)
            && self.components.iter().all(|part| OWN_COMPONENTS.contains(&part.as_str()))
    }

    fn line(&self) -> String {
        [&[self.address.clone(), self.suites.clone()], &self.components[..]].concat().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn system() -> MemoryTree {
        let status = "Package: app\nStatus: hold ok installed\nVersion: 2\nArchitecture: all\n\n\
                      Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\
                      Architecture: all\n";
        MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/app.list", "/usr/bin/app\n/usr/bin/vim\n/usr/bin/ed\n")
            .file("/usr/bin/vim", "")
            .file("/opt/editor", "")
    }

    fn found(tree: &MemoryTree) -> Choices {
        choices(tree, &Installed::load(tree).unwrap())
    }

    #[test]
    fn diversions_overrides_and_holds_are_told_from_the_packages_own() {
        let tree = system()
            .file("/var/lib/dpkg/diversions", "/a\n/a.distrib\n:\n/b\n/b.distrib\nother\n")
            .file(
                "/var/lib/dpkg/statoverride",
                "root adm 750 /usr/bin/x\nroot app 2755 /usr/bin/app\n",
            )
            .file(
                "/var/lib/dpkg/info/app.postinst",
                "dpkg-statoverride --add root app 2755 /usr/bin/app\n",
            );
        let found = found(&tree);
        assert_eq!(found.diversions, [DiversionFact { from: path("/a"), to: path("/a.distrib") }]);
        let overrides: Vec<_> = found
            .stat_overrides
            .iter()
            .map(|o| (o.path.to_string(), o.mode, o.package.as_deref()))
            .collect();
        assert_eq!(
            overrides,
            [("/usr/bin/app".into(), 0o2755, Some("app")), ("/usr/bin/x".into(), 0o750, None)]
        );
        assert_eq!(found.holds, [HoldFact { package: "app".into(), version: "2".into() }]);
    }

    #[test]
    fn alternatives_are_those_that_a_person_chose_or_added_to() {
        let alternative = |status: &str, more: &str| {
            format!("{status}\n/usr/bin/editor\n\n/usr/bin/vim\n30\n{more}\n")
        };
        let tree = |text: String| {
            system()
                .file("/var/lib/dpkg/alternatives/editor", text)
                .link("/etc/alternatives/editor", "/usr/bin/vim")
        };
        assert_eq!(found(&tree(alternative("auto", ""))).alternatives, []);
        let chosen = found(&tree(alternative("manual", "/usr/bin/ed\n1\n"))).alternatives;
        assert_eq!(chosen[0].chosen, Some(path("/usr/bin/vim")));
        assert_eq!(chosen[0].added, []);
        let added = found(&tree(alternative("auto", "/opt/editor\n99\n"))).alternatives;
        assert_eq!(added[0].chosen, None);
        assert_eq!(added[0].added, [AddedFact { path: path("/opt/editor"), priority: 99 }]);
    }

    #[test]
    fn only_repositories_that_are_not_the_releases_own_are_named() {
        let list = "# deb http://x/y bullseye main\ndeb http://deb.debian.org/debian bullseye main\n\
                    deb [arch=amd64 signed-by=/k] https://mirror.example/debian/ bullseye-updates main contrib\n\
                    deb http://security.debian.org/debian-security bullseye-security main\n\
                    deb-src http://x/src bullseye main\n\
                    deb https://download.example/linux/debian bullseye stable edge\n\
                    deb https://packages.example/php/ bullseye main # comment\n";
        let sources = "Types: deb deb-src\nURIs: https://repo.example/app\nSuites: any\nComponents: main\n\n\
                       Enabled: no\nTypes: deb\nURIs: https://off.example/app\nSuites: any\n\n\
                       Types: deb\nURIs: http://deb.debian.org/debian\nSuites: trixie trixie-updates\nComponents: main\n";
        let tree = system()
            .file("/etc/apt/sources.list", list)
            .file("/etc/apt/sources.list.d/a.sources", sources);
        let lines: Vec<String> = found(&tree).repositories.into_iter().map(|r| r.line).collect();
        assert_eq!(
            lines,
            [
                "https://download.example/linux/debian bullseye stable edge",
                "https://packages.example/php/ bullseye main",
                "https://repo.example/app any main",
            ]
        );
    }

    #[test]
    fn seen_answers_of_installed_packages_are_recorded_and_no_secret() {
        let question = |name: &str, template: &str, owner: &str, flags: &str| {
            format!(
                "Name: {name}\nTemplate: {template}\nValue: {name}-v\nOwners: {owner}\n{flags}\n\n"
            )
        };
        let seen = "Flags: seen";
        let config = [
            question("app/one", "app/one", "app", seen),
            question("app/unseen", "app/one", "app", ""),
            question("app/gone", "app/one", "gone", seen),
            question("app/root-pw", "app/pw", "app", seen),
            question("app/api-token", "app/one", "app", seen),
            question("app/note", "app/note", "app", seen),
            question("app/untyped", "app/untyped", "app", seen),
        ];
        let templates = "Name: app/one\nType: string\n\nName: app/pw\nType: password\n\n\
                         Name: app/note\nType: note\n";
        let tree = system()
            .file("/var/cache/debconf/config.dat", config.concat())
            .file("/var/cache/debconf/templates.dat", templates);
        let expected = AnswerFact {
            question: "app/one".into(),
            owner: "app".into(),
            kind: "string".into(),
            answer: "app/one-v".into(),
        };
        assert_eq!(found(&tree).answers, [expected]);
    }

    #[test]
    fn refused_certificates_and_pins_are_found() {
        let tree = system()
            .file(
                "/etc/ca-certificates.conf",
                "# x\nmozilla/A.crt\n!mozilla/B.crt\nown/ca.crt\nown/gone.crt\n!own/no.crt\n",
            )
            .file("/usr/share/ca-certificates/own/ca.crt", "")
            .file("/usr/share/ca-certificates/own/no.crt", "")
            .file("/etc/apt/preferences.d/mine", "Package: *\n")
            .file("/etc/apt/trusted.gpg.d/theirs.gpg", "");
        let found = found(&tree);
        assert_eq!(found.refused_certificates, ["mozilla/B.crt", "own/no.crt"]);
        assert_eq!(found.trusted_certificates, ["own/ca.crt"]);
        assert_eq!(found.pins, ["/etc/apt/preferences.d/mine"]);
        assert_eq!(found.keys, ["/etc/apt/trusted.gpg.d/theirs.gpg"]);
    }
}
