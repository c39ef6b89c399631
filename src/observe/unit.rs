//! [`Unit`]: what a unit of systemd's starts, read from its files, so that it can be started where
//! there is no systemd.
//!
//! A small part of systemd: the commands, as whom and where they run, what they find in their
//! environment, and the directories that are made for them. What confines a service is left out.

use std::collections::BTreeMap;

/// What the files of a unit say, the last word counting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// Commands before the service's own, one line each.
    before: Vec<String>,
    /// The service's own, one line each.
    main: Vec<String>,
    kind: String,
    user: String,
    group: String,
    directory: String,
    environment: Vec<String>,
    /// Files with more of it; one that may be missing begins with `-`.
    pub(super) environment_files: Vec<String>,
    /// Directories with their modes, below `/run`, `/var/lib`, `/var/cache` and `/var/log`.
    made: Vec<(&'static str, String)>,
    /// Conditions on paths: the setting and the value.
    pub(super) conditions: Vec<(String, String)>,
}

/// One command of a service, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// `USER` or `USER:GROUP`; empty: as root.
    pub(crate) user: String,
    /// Where; empty: in `/`.
    pub(crate) directory: String,
    /// Lines `NAME=VALUE`.
    pub(crate) environment: Vec<String>,
    /// It ends before the next one begins.
    pub(crate) waits: bool,
}

const DIRECTORIES: &[(&str, &str)] = &[
    ("RuntimeDirectory", "/run"),
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
];

/// Variables that every service has.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// By this a program knows that a manager of services has started it.
const INVOCATION: &str = "INVOCATION_ID=00000000000000000000000000000001";

/// By this programs know that such a manager is there.
pub(super) const MANAGED: &str = "/run/systemd/system";

impl Unit {
    /// Takes in one of its files.
    pub(super) fn read(&mut self, text: &str) {
        let text = text.replace("\\\n", " ");
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '['])) {
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            let add = |list: &mut Vec<String>| match value {
                "" => list.clear(),
                value => list.push(value.to_owned()),
            };
            match key {
                "ExecStartPre" => add(&mut self.before),
                "ExecStart" => add(&mut self.main),
                "Environment" => add(&mut self.environment),
                "EnvironmentFile" => add(&mut self.environment_files),
                "Type" => self.kind = value.to_owned(),
                "User" => self.user = value.to_owned(),
                "Group" => self.group = value.to_owned(),
                "WorkingDirectory" => self.directory = value.trim_start_matches('-').to_owned(),
                "ConditionPathExists"
                | "ConditionFileNotEmpty"
                | "ConditionDirectoryNotEmpty"
                | "ConditionVirtualization"
                | "ConditionPathIsDirectory" => {
                    self.conditions.push((key.to_owned(), value.to_owned()));
                }
                _ => {
                    if let Some((_, place)) = DIRECTORIES.iter().find(|(name, _)| *name == key) {
                        let names = value.split_whitespace();
                        let first = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
                        self.made.extend(names.map(|name| (*place, first(name))));
                    }
                }
            }
        }
    }

    /// Whether it is a service that goes on running: not one that does something once.
    pub(super) fn goes_on(&self) -> bool {
        self.kind != "oneshot" && self.main.iter().any(|line| !line.is_empty())
    }

    /// The user that its directories belong to; empty: root.
    pub(super) fn owner(&self) -> String {
        match (self.user.as_str(), self.group.as_str()) {
            (user, "") => user.to_owned(),
            ("", group) => format!("root:{group}"),
            (user, group) => format!("{user}:{group}"),
        }
    }

    /// The directories that are made for it.
    pub(super) fn directories(&self, name: &str) -> Vec<String> {
        let safe = |path: &String| !path.split('/').any(|part| part == "..");
        let below = |(place, made): &(&str, String)| format!("{place}/{}", specified(made, name));
        self.made.iter().map(below).filter(safe).collect()
    }

    /// What it starts as the unit `name`; `files` are the texts of its environment files in order.
    pub(super) fn starts(&self, name: &str, files: &[String]) -> Vec<Start> {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |line: &str| {
            if let Some((key, value)) = line.split_once('=') {
                variables.insert(key.to_owned(), value.to_owned());
            }
        };
        set(PATH);
        set(INVOCATION);
        for line in &self.environment {
            words(&specified(line, name)).iter().for_each(|word| set(word));
        }
        for file in files {
            environment_lines(file).iter().for_each(|line| set(line));
        }
        let environment: Vec<String> =
            variables.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let directory = match specified(&self.directory, name).as_str() {
            "~" => String::new(),
            directory => directory.to_owned(),
        };
        let of = |line: &String, waits: bool| {
            let (prefix, rest) =
                line.split_at(line.find(|c| !"@-:+!|".contains(c)).unwrap_or_default());
            let mut argv: Vec<String> = words(&specified(rest, name))
                .iter()
                .flat_map(|word| expanded(word, &variables))
                .collect();
            if prefix.contains('@') && argv.len() > 1 {
                // Its name for itself.
                argv.remove(1);
            }
            let root = prefix.contains(['+', '!']);
            let user = if root { String::new() } else { self.owner() };
            let (directory, environment) = (directory.clone(), environment.clone());
            (!argv.is_empty()).then_some(Start { argv, user, directory, environment, waits })
        };
        let before = self.before.iter().filter_map(|line| of(line, true));
        before.chain(self.main.iter().filter_map(|line| of(line, false))).collect()
    }
}

/// `text` with what the name of its unit stands for.
pub(super) fn specified(text: &str, unit: &str) -> String {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('n') => out.push_str(unit),
            Some('N') => out.push_str(stem),
            Some('p') => out.push_str(prefix),
            Some('i') => out.push_str(instance),
            Some('I') => out.push_str(&instance.replace('-', "/")),
            Some('t') => out.push_str("/run"),
            Some('S') => out.push_str("/var/lib"),
            Some('C') => out.push_str("/var/cache"),
            Some('L') => out.push_str("/var/log"),
            Some('T') => out.push_str("/tmp"),
            Some('H' | 'l') => out.push_str("service"),
            Some('h') => out.push_str("/root"),
            Some('u') => out.push_str("root"),
            Some('U') => out.push('0'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

/// The words of a line, quotes and backslashes taken as systemd takes them.
fn words(line: &str) -> Vec<String> {
    let mut all = vec![];
    let (mut word, mut open, mut quote) = (String::new(), false, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                match chars.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('s') => word.push(' '),
                    Some(other) => word.push(other),
                    None => {}
                }
                open = true;
            }
            _ if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => (quote, open) = (Some(c), true),
            c if c.is_whitespace() && quote.is_none() => {
                if open {
                    all.push(std::mem::take(&mut word));
                }
                open = false;
            }
            c => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        all.push(word);
    }
    all
}

/// A word with variables put in: one that is nothing but a variable becomes as many as it holds.
fn expanded(word: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return words(value(name));
    }
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let braced = rest.strip_prefix("${").and_then(|inner| inner.split_once('}'));
        match braced.filter(|(name, _)| is_name(name)) {
            Some((name, after)) => {
                out.push_str(value(name));
                rest = after;
            }
            None if rest.starts_with("$$") => {
                out.push('$');
                rest = &rest[2..];
            }
            None => {
                out.push('$');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    vec![out]
}

/// The assignments in a file of variables.
fn environment_lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            let value = words(value.trim()).join(" ");
            let key = key.trim().trim_start_matches("export ").trim();
            Some(format!("{key}={value}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(texts: &[&str]) -> Unit {
        let mut unit = Unit::default();
        texts.iter().for_each(|text| unit.read(text));
        unit
    }

    #[test]
    fn a_unit_says_what_it_starts_as_whom_and_with_which_variables() {
        let unit = unit(&["[Unit]\nConditionPathExists=!/etc/off\n[Service]\nType=notify\n\
            EnvironmentFile=-/etc/default/app\nEnvironment=\"MODE=a b\" LEVEL=2\n\
            ExecStartPre=-/bin/mkdir -p '/run/a b'\nExecStartPre=+/bin/as-root\n\
            ExecStart=@/usr/sbin/app app -D $OPTIONS --mode=${MODE} \\\n  %i\n\
            User=app\nGroup=web\nWorkingDirectory=-/srv\nRuntimeDirectory=app %p/x\n\
            StateDirectory=../etc app:link\nRestart=always\n"]);
        assert!(unit.goes_on());
        assert_eq!(unit.directories("app@one.service"), ["/run/app", "/run/app/x", "/var/lib/app"]);
        assert_eq!(unit.conditions, [("ConditionPathExists".into(), "!/etc/off".into())]);
        let starts = unit.starts("app@one.service", &["OPTIONS='-x' -y # z\n# A=b\n".to_owned()]);
        let told: Vec<String> = starts
            .iter()
            .map(|s| format!("{:?} {} {} {}", s.argv, s.user, s.directory, s.waits))
            .collect();
        assert_eq!(
            told,
            [
                "[\"/bin/mkdir\", \"-p\", \"/run/a b\"] app:web /srv true",
                "[\"/bin/as-root\"]  /srv true",
                "[\"/usr/sbin/app\", \"-D\", \"-x\", \"-y\", \"#\", \"z\", \"--mode=a b\", \
                 \"one\"] app:web /srv false",
            ]
        );
        assert_eq!(
            starts[0].environment,
            [INVOCATION, "LEVEL=2", "MODE=a b", "OPTIONS=-x -y # z", PATH]
        );
    }

    #[test]
    fn a_drop_in_takes_the_place_of_commands_and_what_runs_once_is_no_service() {
        let changed = unit(&["ExecStart=/a\nUser=x\n", "ExecStart=\nExecStart=/b\n"]);
        assert_eq!(changed.starts("x.service", &[])[0].argv, ["/b"]);
        assert!(!unit(&["Type=oneshot\nExecStart=/bin/true\n"]).goes_on());
        assert!(!unit(&["Type=simple\n"]).goes_on());
        assert_eq!(unit(&["Group=web\n"]).owner(), "root:web");
    }

    #[test]
    fn a_command_line_is_taken_apart_as_systemd_does() {
        let variables = BTreeMap::from([("A".to_owned(), "1 2".to_owned())]);
        let of = |line: &str| -> Vec<String> {
            words(line).iter().flat_map(|word| expanded(word, &variables)).collect()
        };
        assert_eq!(of("x $A ${A} '$$A' $B ${B}"), ["x", "1", "2", "1 2", "$A", ""]);
        assert_eq!(of("a\\ b \"c 'd'\" ''"), ["a b", "c 'd'", ""]);
    }
}
