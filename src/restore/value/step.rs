//! [`Step`]: one thing that a restore does, as a value.
//!
//! A plan is printed from its steps and executed from them: what runs is taken out of the step that
//! says so, so that nothing can be done that was not shown. The words and sentences of a step are
//! made here and nowhere else.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::restore::value::config_merge::Outcome;
use crate::restore::value::packages::Install;
use crate::restore::value::rebuild::Rebuild;
use crate::restore::value::relation::Relation;
use crate::service::TextOf;
use crate::survey::{AnswerFact, IntentWhy};
use crate::system::line;
use crate::tree::{DraftNode, RootPath, escaped};

/// One thing that a restore does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::restore) enum Step {
    /// What it is restored onto is this to the old container's image.
    Onto {
        relation: Relation,
        /// The old image, as it was named.
        of: String,
        /// Somebody said so.
        said: bool,
        /// What both have.
        evidence: Vec<String>,
    },
    /// Packages of a further architecture are allowed.
    Architecture { name: String },
    /// A package is installed.
    Install(Install),
    /// A package's question is answered before it is asked.
    Answer(AnswerFact),
    /// An application goes from one version to another by its rule.
    Carry { app: String, from: String, to: String },
    /// Data of another version is not placed: its export is imported.
    Withhold { directory: RootPath, version: String },
    /// Something is placed otherwise than it was.
    Adapt { path: RootPath, what: String },
    /// A setting of the container is other than it was.
    Setting { which: TextOf, what: String },
    /// Something is placed that the old system did not have.
    Add { path: RootPath, why: String },
    /// Something of the old system is not brought back.
    LeaveOut { subject: String, why: String },
    /// What becomes of a user or a group.
    Account { name: String, decision: String },
    /// How an archived file and the new system's come together.
    Meet { path: RootPath, outcome: Outcome },
    /// A path of the new system is removed.
    Remove { path: RootPath, why: Removal },
    /// An archived path is placed.
    Place(Placing),
    /// An environment of a language is made again from its list.
    Rebuild(Box<Rebuild>),
    /// A command runs in the new system.
    Run(PlannedCommand),
    /// A command has to succeed in the end.
    Check { app: String, argv: Vec<String> },
    /// A volume is made and filled.
    Volume { archived: String, name: String },
    /// The new container may do something to its host.
    Grant { setting: String },
}

/// Why a path of the new system is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::restore) enum Removal {
    /// The old system did not have it any more.
    WasRemoved,
    /// The installation made it where the service has its own.
    GivesWay,
}

/// An archived path that is placed, with what matters for security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Placing {
    pub(in crate::restore) path: RootPath,
    /// The word for what it is.
    pub(in crate::restore) kind: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::restore) marks: BTreeSet<Mark>,
}

/// What of a file matters for security.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::restore) enum Mark {
    /// It runs as its owner or group.
    SetId,
    /// It runs with capabilities.
    Capabilities,
    /// It holds a key or a password.
    Secret,
}

/// A command in the new system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct PlannedCommand {
    pub(in crate::restore) argv: Vec<String>,
    /// The export that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::restore) stdin: Option<String>,
    /// The export that its output has to equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::restore) expect: Option<String>,
    pub(in crate::restore) why: String,
}

impl Placing {
    /// How `node` is placed; `is_secret` says whether it holds a key or a password.
    pub(in crate::restore) fn of(
        node: &DraftNode,
        is_secret: &dyn Fn(&DraftNode) -> bool,
    ) -> Placing {
        let (kind, meta) = (&node.entry.kind, &node.entry.meta);
        let found = [
            (Mark::SetId, !kind.is_dir() && meta.mode & 0o6000 != 0),
            (Mark::Capabilities, meta.xattrs.contains_key(b"security.capability".as_slice())),
            (Mark::Secret, kind.is_file() && is_secret(node)),
        ];
        Placing {
            path: node.entry.path.clone(),
            kind: kind.word().to_owned(),
            marks: found.into_iter().filter(|(_, has)| *has).map(|(mark, _)| mark).collect(),
        }
    }
}

impl Step {
    /// What is done, in one or two fixed words: a contract.
    pub(in crate::restore) fn action(&self) -> &'static str {
        match self {
            Step::Onto { .. } => "onto",
            Step::Architecture { .. } | Step::Add { .. } => "add",
            Step::Install(_) => "install",
            Step::Answer(_) => "answer",
            Step::Carry { .. } => "carry",
            Step::Withhold { .. } => "withhold",
            Step::Adapt { .. } | Step::Setting { .. } => "adapt",
            Step::LeaveOut { .. } => "leave out",
            Step::Account { .. } => "account",
            Step::Meet { outcome: Outcome::Merged { .. }, .. } => "merge",
            Step::Meet { .. } => "keep",
            Step::Remove { .. } => "remove",
            Step::Place(_) => "place",
            Step::Rebuild(_) => "rebuild",
            Step::Run(_) => "run",
            Step::Check { .. } => "check",
            Step::Volume { .. } => "volume",
            Step::Grant { .. } => "grant",
        }
    }

    /// To what it is done; paths are escaped.
    pub(in crate::restore) fn subject(&self) -> Cow<'_, str> {
        match self {
            Step::Architecture { name }
            | Step::Account { name, .. }
            | Step::Volume { name, .. }
            | Step::Carry { app: name, .. }
            | Step::LeaveOut { subject: name, .. }
            | Step::Grant { setting: name } => name.into(),
            Step::Onto { relation: Relation::Successor, .. } => "a successor".into(),
            Step::Onto { relation: Relation::Plain, .. } => "a plain base".into(),
            Step::Setting { which, .. } => format!("the container's {}", which.word()).into(),
            Step::Install(package) => (&package.name).into(),
            Step::Answer(given) => (&given.question).into(),
            Step::Withhold { directory: path, .. }
            | Step::Adapt { path, .. }
            | Step::Add { path, .. }
            | Step::Meet { path, .. }
            | Step::Remove { path, .. }
            | Step::Place(Placing { path, .. }) => path.to_string().into(),
            Step::Rebuild(rebuild) => escaped(rebuild.root.as_bytes()).into(),
            Step::Run(PlannedCommand { argv, .. }) | Step::Check { argv, .. } => line(argv).into(),
        }
    }

    /// Why it is done, or how.
    pub(in crate::restore) fn reason(&self) -> Cow<'_, str> {
        match self {
            Step::Onto { relation, of, said, evidence } => {
                let of =
                    if of.is_empty() { "the old image".to_owned() } else { escaped(of.as_bytes()) };
                let by = if *said { "as was said" } else { "as it seems" };
                let what = match relation {
                    Relation::Successor => {
                        format!("of {of}, {by}: what that brought is its own business")
                    }
                    Relation::Plain => format!("to {of}, {by}: what that brought is placed"),
                };
                std::iter::once(&what)
                    .chain(evidence)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("; ")
                    .into()
            }
            Step::Architecture { .. } => "packages of this architecture were allowed".into(),
            Step::Install(package) => match &package.formerly {
                _ if package.why == IntentWhy::Environment => {
                    "an environment is rebuilt with it".into()
                }
                Some(old) if package.why == IntentWhy::Part => {
                    format!("formerly part of {old}, and in use").into()
                }
                _ if package.why == IntentWhy::Referred => {
                    "what was kept leads to files of it".into()
                }
                Some(old) => format!("takes the place of {old}").into(),
                None => "was asked for in the old system".into(),
            },
            Step::Answer(given) => {
                format!("`{}`, as {} was told", given.answer.escape_debug(), given.owner).into()
            }
            Step::Carry { from, to, .. } => format!("{from} becomes {to}").into(),
            Step::Withhold { version, .. } => {
                format!("data of version {version}: its export is imported instead").into()
            }
            Step::Adapt { what: why, .. }
            | Step::Setting { what: why, .. }
            | Step::Add { why, .. }
            | Step::LeaveOut { why, .. }
            | Step::Account { decision: why, .. }
            | Step::Run(PlannedCommand { why, .. }) => why.into(),
            Step::Meet { outcome, .. } => outcome.reason(),
            Step::Remove { why: Removal::WasRemoved, .. } => "was removed in the old system".into(),
            Step::Remove { why: Removal::GivesWay, .. } => {
                "made by the installation where the service has its own".into()
            }
            Step::Place(placing) => placing.to_string().into(),
            Step::Rebuild(rebuild) => {
                let Rebuild { kind, pins, formerly, python, .. } = &**rebuild;
                let count = pins.len();
                format!(
                    "{kind}, {count} packages of its list: made for Python {formerly}, and now for \
                     {python}"
                )
                .into()
            }
            Step::Check { app, .. } => format!("{app} accepts its files").into(),
            Step::Volume { archived, .. } => format!("holds what {archived} held").into(),
            Step::Grant { .. } => "the old container had it".into(),
        }
    }
}

/// `action subject (reason)`, in one line.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.action(), self.subject(), self.reason())
    }
}

/// The reason that is printed.
impl fmt::Display for Placing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        self.marks.iter().try_for_each(|mark| {
            f.write_str(match mark {
                Mark::SetId => ", set-id",
                Mark::Capabilities => ", with capabilities",
                Mark::Secret => ", secret",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environments::{EnvironmentKind, Options};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn install(name: &str, formerly: Option<&str>, why: IntentWhy) -> Step {
        Step::Install(Install { name: name.to_owned(), formerly: formerly.map(str::to_owned), why })
    }

    fn environment() -> Rebuild {
        Rebuild {
            kind: EnvironmentKind::Venv,
            root: "/srv/app".to_owned(),
            formerly: "3.9".to_owned(),
            python: "3.13".to_owned(),
            site: "/srv/app/lib".to_owned(),
            owner: (1000, 1000),
            home: "/srv".to_owned(),
            umask: 0o022,
            options: Options::default(),
            pins: vec![("flask".to_owned(), "1.0".to_owned())],
            compiled: vec![],
            tools: vec![],
            list: "/srv/app/list".to_owned(),
            parked: vec![],
            removed: vec![],
        }
    }

    /// The number of the step's kind. A new kind has to be given one here, and a line in
    /// [`every`].
    fn number(step: &Step) -> usize {
        match step {
            Step::Architecture { .. } => 0,
            Step::Install(_) => 1,
            Step::Answer(_) => 2,
            Step::Carry { .. } => 3,
            Step::Withhold { .. } => 4,
            Step::Adapt { .. } => 5,
            Step::Add { .. } => 6,
            Step::LeaveOut { .. } => 7,
            Step::Account { .. } => 8,
            Step::Meet { .. } => 9,
            Step::Remove { .. } => 10,
            Step::Place(_) => 11,
            Step::Rebuild(_) => 12,
            Step::Run(_) => 13,
            Step::Check { .. } => 14,
            Step::Volume { .. } => 15,
            Step::Grant { .. } => 16,
            Step::Setting { .. } => 17,
            Step::Onto { .. } => 18,
        }
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    /// A step and the line that it prints.
    type Line = (Step, &'static str);

    fn about_packages() -> Vec<Line> {
        let answer = AnswerFact {
            question: text("app/mode"),
            owner: text("app"),
            kind: text("select"),
            answer: text("a\tb"),
        };
        vec![
            (
                Step::Setting { which: TextOf::Command, what: text("app: `/a` is now `/b`") },
                "adapt the container's command (app: `/a` is now `/b`)",
            ),
            (
                Step::Onto {
                    relation: Relation::Successor,
                    of: text("shop:1"),
                    said: false,
                    evidence: vec![text("both run shopd"), text("both set DATA")],
                },
                "onto a successor (of shop:1, as it seems: what that brought is its own business; \
                 both run shopd; both set DATA)",
            ),
            (
                Step::Architecture { name: text("i386") },
                "add i386 (packages of this architecture were allowed)",
            ),
            (
                install("samba", None, IntentWhy::Manual),
                "install samba (was asked for in the old system)",
            ),
            (
                install("ntpsec", Some("ntp"), IntentWhy::Manual),
                "install ntpsec (takes the place of ntp)",
            ),
            (
                install("tool", Some("x"), IntentWhy::Environment),
                "install tool (an environment is rebuilt with it)",
            ),
            (
                install("spool", Some("print"), IntentWhy::Part),
                "install spool (formerly part of print, and in use)",
            ),
            (Step::Answer(answer), "answer app/mode (`a\\tb`, as app was told)"),
            (
                Step::Carry { app: text("samba"), from: text("3.4"), to: text("4.22") },
                "carry samba (3.4 becomes 4.22)",
            ),
            (
                Step::Withhold { directory: path("/var/lib/db"), version: text("13") },
                "withhold /var/lib/db (data of version 13: its export is imported instead)",
            ),
        ]
    }

    fn about_paths() -> Vec<Line> {
        let strange = RootPath::parse(b"/srv/\xff").unwrap();
        let marks = BTreeSet::from([Mark::SetId, Mark::Capabilities, Mark::Secret]);
        let place =
            |path: RootPath, marks| Step::Place(Placing { path, kind: text("file"), marks });
        vec![
            (
                Step::Adapt { path: strange, what: text("moved from /srv/x") },
                "adapt /srv/\\xff (moved from /srv/x)",
            ),
            (
                Step::Add { path: path("/etc/hosts"), why: text("names localhost") },
                "add /etc/hosts (names localhost)",
            ),
            (
                Step::LeaveOut { subject: text("libfoo1"), why: text("came along") },
                "leave out libfoo1 (came along)",
            ),
            (
                Step::Account { name: text("alice"), decision: text("added") },
                "account alice (added)",
            ),
            (
                Step::Meet {
                    path: path("/etc/x"),
                    outcome: Outcome::Merged { lines: vec![text("added `-l ::1`")] },
                },
                "merge /etc/x (your changes and the new default's do not touch; in effect now: added \
                 `-l ::1`)",
            ),
            (
                Step::Meet { path: path("/etc/x"), outcome: Outcome::Merged { lines: vec![] } },
                "merge /etc/x (your changes and the new default's do not touch)",
            ),
            (
                Step::Meet { path: path("/etc/y"), outcome: Outcome::Ours },
                "keep /etc/y (the default has not changed)",
            ),
            (
                Step::Remove { path: path("/etc/z"), why: Removal::WasRemoved },
                "remove /etc/z (was removed in the old system)",
            ),
            (
                Step::Remove { path: path("/var/lib/db"), why: Removal::GivesWay },
                "remove /var/lib/db (made by the installation where the service has its own)",
            ),
            (place(path("/srv/a"), BTreeSet::new()), "place /srv/a (file)"),
            (
                place(path("/srv/b"), marks),
                "place /srv/b (file, set-id, with capabilities, secret)",
            ),
        ]
    }

    fn about_the_result() -> Vec<Line> {
        let import = PlannedCommand {
            argv: words("load -f"),
            stdin: Some(text("dump")),
            expect: None,
            why: text("imports the export of /var/lib/db"),
        };
        vec![
            (
                Step::Rebuild(Box::new(environment())),
                "rebuild /srv/app (Python environment, 1 packages of its list: made for Python 3.9, \
                 and now for 3.13)",
            ),
            (Step::Run(import), "run load -f (imports the export of /var/lib/db)"),
            (
                Step::Check { app: text("nginx"), argv: words("nginx -t") },
                "check nginx -t (nginx accepts its files)",
            ),
            (
                Step::Volume { archived: text("data"), name: text("web2_data") },
                "volume web2_data (holds what data held)",
            ),
            (
                Step::Grant { setting: text("capability NET_ADMIN") },
                "grant capability NET_ADMIN (the old container had it)",
            ),
        ]
    }

    /// Steps of every kind.
    fn every() -> Vec<Line> {
        [about_packages(), about_paths(), about_the_result()].concat()
    }

    #[test]
    fn every_step_prints_its_line_and_comes_back_from_json_as_it_was() {
        let steps = every();
        let kinds: BTreeSet<usize> = steps.iter().map(|(step, _)| number(step)).collect();
        assert_eq!(kinds, (0..=18).collect(), "a kind of step without a line");
        for (step, line) in steps {
            assert_eq!(step.to_string(), line);
            let json = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), step, "{json}");
        }
    }

    #[test]
    fn a_step_with_a_field_that_nobody_knows_is_refused() {
        let json = r#"{"grant":{"setting":"x","silently":true}}"#;
        assert!(serde_json::from_str::<Step>(json).is_err());
    }
}
