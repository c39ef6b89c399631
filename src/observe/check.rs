//! Checks: commands of rules that judge the files of applications, and what their complaints are
//! about: the files, or surroundings that are not here.

use std::collections::BTreeSet;

use super::complaint::{Cause, cause, is_absent_below, is_error, pattern, unresolved};
use crate::facts::{CheckFact, Observation};
use crate::failure::Failure;
use crate::system::{Command, System};

/// How often a check is asked again, with more names lent.
const TRIES: usize = 8;

/// How much of what a check says is read.
const SAID: u64 = 64 << 10;

/// The most lines of it that are kept.
const LINES: usize = 32;

/// What is there for a service that is checked, besides its own files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Names that the container's own settings give an address to: these are no news.
    pub(crate) known: BTreeSet<String>,
    /// Where something was mounted whose content was not taken.
    pub(crate) absent: Vec<String>,
    /// Names that are given this machine's own address; more are added when a check needs them.
    /// `None` where that would become part of the result.
    pub(crate) lent: Option<BTreeSet<String>>,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) code: i64,
    /// The lines that it wrote.
    pub(crate) said: Vec<String>,
    /// The lines that are about the surroundings, with what each is about.
    pub(crate) about_surroundings: Vec<(String, String)>,
}

impl Surroundings {
    /// Makes the names known in `system` that are lent from the beginning.
    ///
    /// # Errors
    /// The command could not be run at all.
    pub(crate) fn lend(&self, system: &mut dyn System) -> Result<(), Failure> {
        let names = self.lent.iter().flatten().chain(&self.known);
        write_hosts(system, names.map(String::as_str))
    }

    /// Runs a check in `system`. Names that it does not find are lent to it one after the other, so
    /// that it says what else is wrong.
    ///
    /// # Errors
    /// The check could not be run at all.
    pub(crate) fn check(
        &mut self,
        system: &mut dyn System,
        argv: &[String],
    ) -> Result<Checked, Failure> {
        let mut about = vec![];
        for _ in 0..TRIES {
            let (code, said) = run(system, argv)?;
            if code == 0 {
                return Ok(Checked { code, said, about_surroundings: about });
            }
            let named: Vec<(String, String)> = said
                .iter()
                .flat_map(|line| unresolved(line).into_iter().map(move |n| (n, line.clone())))
                .filter(|(name, _)| !about.iter().any(|(_, told)| told == name))
                .collect();
            let Some(lent) = self.lent.as_mut().filter(|_| !named.is_empty()) else {
                about.extend(self.absent_in(&said));
                return Ok(Checked { code, said, about_surroundings: about });
            };
            write_hosts(system, named.iter().map(|(name, _)| name.as_str()))?;
            for (name, line) in named {
                if lent.insert(name.clone()) {
                    about.push((line, name));
                }
            }
        }
        let (code, said) = run(system, argv)?;
        Ok(Checked { code, said, about_surroundings: about })
    }

    /// The lines about names and mounts that are not here, and cannot be lent.
    fn absent_in(&self, said: &[String]) -> Vec<(String, String)> {
        let about = |line: &String| {
            if cause(line) == Some(Cause::Name) {
                let name = unresolved(line).into_iter().next();
                return Some(name.unwrap_or_else(|| "a name of another machine".to_owned()));
            }
            self.absent.iter().find(|dir| is_absent_below(line, dir)).cloned()
        };
        said.iter().filter_map(|line| Some((line.clone(), about(line)?))).collect()
    }
}

impl Checked {
    /// Whether the files may be right: what was complained of is not in them, or was complained of
    /// in the old system too.
    pub(crate) fn is_excused(&self, old: Option<&CheckFact>) -> bool {
        if self.code == 0 {
            return true;
        }
        let known = |line: &String| {
            old.is_some_and(|old| old.said.contains(&pattern(line)))
                || self.about_surroundings.iter().any(|(told, _)| told == line)
        };
        let errors: Vec<&String> = self.said.iter().filter(|line| is_error(line)).collect();
        // The last line of many programs is the sum of those before.
        let (sum, errors) = match errors.split_last() {
            Some((last, before)) if before.iter().any(|line| known(line)) => (Some(last), before),
            _ => (None, &errors[..]),
        };
        let is_sum = |line: &String| !line.contains('[') && !line.contains("No such");
        !errors.is_empty()
            && errors.iter().all(|line| known(line))
            && sum.is_none_or(|line| known(line) || is_sum(line))
    }

    /// What of it was complained of in the old system too is no news.
    pub(crate) fn is_news(&self, line: &str, name: &str, old: Option<&Observation>) -> bool {
        old.is_none_or(|old| {
            let said = old.checks.iter().any(|check| check.said.contains(&pattern(line)));
            !said && !old.lent.iter().any(|lent| lent == name)
        })
    }

    /// The fact for a bundle; `None` of a check that was content.
    pub(crate) fn fact(&self, app: &str) -> Option<CheckFact> {
        let said: BTreeSet<String> = self.said.iter().map(|line| pattern(line)).collect();
        let said = said.into_iter().filter(|line| !line.is_empty()).collect();
        (self.code != 0).then(|| CheckFact { app: app.to_owned(), code: self.code, said })
    }
}

/// Runs a check; its exit code and the last lines that it wrote to either output.
fn run(system: &mut dyn System, argv: &[String]) -> Result<(i64, Vec<String>), Failure> {
    let command = Command { argv: argv.to_vec(), stdin: None, env: vec![] };
    let mut ran = system.run_one(command)?;
    let stdout = ran.text(SAID).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    let lines: Vec<String> = stdout
        .lines()
        .chain(stderr.lines())
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    Ok((ran.code, lines[lines.len().saturating_sub(LINES)..].to_vec()))
}

/// Gives names this machine's own address.
fn write_hosts<'a>(
    system: &mut dyn System,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    const WRITE: &str = "for name; do printf '127.0.0.1 %s\\n' \"$name\"; done >>/etc/hosts\n";
    let mut argv = vec!["/bin/sh", "-c", WRITE, "lend-names"];
    argv.extend(names);
    match argv.len() {
        4 => Ok(()),
        _ => system.run_one(Command::new(&argv)).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Ran;

    /// A system in which one check complains of the first name that it does not find.
    struct Fake {
        hosts: Vec<String>,
        needs: Vec<&'static str>,
        then: (i64, &'static str),
    }

    impl System for Fake {
        fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
            let answer = |command: Command| {
                let (code, text) = match command.argv.get(3).map(String::as_str) {
                    Some("lend-names") => {
                        self.hosts.extend(command.argv[4..].iter().cloned());
                        (0, String::new())
                    }
                    _ => match self.needs.iter().find(|n| !self.hosts.iter().any(|h| h == *n)) {
                        Some(name) => {
                            (1, format!("[emerg] host not found in upstream \"{name}\"\nfailed\n"))
                        }
                        None => (self.then.0, self.then.1.to_owned()),
                    },
                };
                let stdout = tempfile::tempfile().unwrap();
                Ran { code, stdout, stderr: text.into_bytes() }
            };
            Ok(commands.into_iter().map(answer).collect())
        }
    }

    fn surroundings(lends: bool) -> Surroundings {
        Surroundings {
            known: BTreeSet::new(),
            absent: vec!["/certs".to_owned()],
            lent: lends.then(BTreeSet::new),
        }
    }

    fn check(
        lends: bool,
        needs: &[&'static str],
        then: (i64, &'static str),
    ) -> (Checked, Surroundings) {
        let mut fake = Fake { hosts: vec![], needs: needs.to_vec(), then };
        let mut around = surroundings(lends);
        let checked = around.check(&mut fake, &["web".to_owned(), "-t".to_owned()]).unwrap();
        (checked, around)
    }

    #[test]
    fn names_are_lent_until_the_check_says_what_else_is_wrong() {
        let (checked, around) = check(true, &["app", "db"], (0, ""));
        assert_eq!(checked.code, 0);
        let names: Vec<&str> = checked.about_surroundings.iter().map(|(_, n)| n.as_str()).collect();
        assert_eq!(names, ["app", "db"]);
        assert_eq!(around.lent.unwrap().into_iter().collect::<Vec<_>>(), ["app", "db"]);
        let (checked, _) = check(true, &["app"], (1, "[emerg] unknown directive \"x\"\nfailed\n"));
        assert!(!checked.is_excused(None));
    }

    #[test]
    fn where_names_cannot_be_lent_a_complaint_about_one_is_excused_and_another_is_not() {
        let (checked, _) = check(false, &["app"], (0, ""));
        assert_eq!(checked.about_surroundings[0].1, "app");
        assert!(checked.is_excused(None));
        let (checked, _) = check(false, &[], (1, "[emerg] unknown directive \"x\"\ntest failed\n"));
        assert!(!checked.is_excused(None));
    }

    #[test]
    fn a_file_of_a_mount_that_was_not_taken_is_excused_and_another_file_is_not() {
        let of = |path: &str| {
            format!("[emerg] cannot load \"{path}\": No such file or directory\ntest failed\n")
        };
        for (path, excused) in [("/certs/x.pem", true), ("/etc/ssl/x.pem", false)] {
            let text: &'static str = Box::leak(of(path).into_boxed_str());
            let (checked, _) = check(true, &[], (1, text));
            assert_eq!(checked.is_excused(None), excused, "{path}");
        }
    }

    #[test]
    fn what_the_old_system_complained_of_too_is_excused() {
        let text = "line 7: Bad option: x\nterminating, 1 bad options\n";
        let (checked, _) = check(true, &[], (255, text));
        assert!(!checked.is_excused(None));
        let old = checked.fact("app").unwrap();
        assert_eq!(old.said, ["line #: Bad option: x", "terminating, # bad options"]);
        assert!(checked.is_excused(Some(&old)));
        let (other, _) = check(true, &[], (255, "line 7: Bad option: y\n"));
        assert!(!other.is_excused(Some(&old)));
        let (content, _) = check(true, &[], (0, ""));
        assert_eq!(content.fact("app"), None);
    }
}
