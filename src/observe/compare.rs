//! [`compare`]: what a service did in the old system and does not do in the new one.
//!
//! Pure. A finding counts only for what was so in the old system: what did not work there is no
//! news, and what is new is no harm, but for an error. Names that the versions of an application
//! change are no difference, nor is a program with another name that listens where the old one did.

use std::collections::{BTreeMap, BTreeSet};

use super::complaint::{Cause, cause};
use crate::facts::{Health, ListenerFact, Observation, ProcessFact};
use crate::verdict::{Held, HeldKind};

/// How much of two complaints' words is the same when they say the same.
const ALIKE: f64 = 0.6;

/// More errors than somebody reads.
const ERRORS: usize = 8;

/// What has another name in the new system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Renamed {
    /// Accounts by their old names.
    pub(crate) accounts: BTreeMap<String, String>,
    /// Programs, services and packages by their old names.
    pub(crate) programs: BTreeMap<String, BTreeSet<String>>,
    /// Accounts that applications have of their own now.
    pub(crate) own: BTreeSet<String>,
}

/// What `new` lacks that `old` had, and the errors that are new in it.
pub(crate) fn compare(old: &Observation, new: &Observation, renamed: &Renamed) -> Vec<Held> {
    let mut held = vec![];
    let ended = ended(old, new);
    let is_over = ended.is_some();
    held.extend(ended);
    // Nothing runs then, and one finding says so.
    if !is_over {
        if !(new.unasked && new.processes.is_empty()) {
            held.extend(processes(old, new, renamed));
        }
        held.extend(accounts(old, new, renamed));
        // Where there was nothing to ask with, nothing is known.
        if !old.unasked && !new.unasked {
            held.extend(listeners(old, new));
        }
        if old.health == Some(Health::Healthy) && new.health == Some(Health::Unhealthy) {
            let why = "its health check was content with the old system, and is not with the new";
            held.push(Held::new(HeldKind::Health, "health check", why).was("healthy"));
        }
    }
    held.extend(errors(old, new, is_over));
    held
}

/// The container's command goes on no more, or ends otherwise.
fn ended(old: &Observation, new: &Observation) -> Option<Held> {
    let code = new.exited?;
    let was = match old.exited {
        Some(was) if code == 0 || was != 0 => return None,
        Some(was) => format!("ended with {was}"),
        None => "goes on running".to_owned(),
    };
    let why = format!("the container's command ends with {code} where it did not: {was} before");
    let held = Held::new(HeldKind::Process, "the container's command", why).was(was);
    Some(new.complaints.iter().take(3).fold(held, Held::file))
}

/// A program's name without the version that may be in it.
fn plain(name: &str) -> String {
    let words = name
        .split(' ')
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-'));
    words.collect::<Vec<_>>().join(" ")
}

fn names(observation: &Observation) -> BTreeSet<String> {
    observation.processes.iter().map(|process| plain(&process.name)).collect()
}

/// The programs of `new` that may be what `name` was.
fn successor(name: &str, new: &BTreeSet<String>, renamed: &Renamed) -> Option<String> {
    if new.contains(name) {
        return Some(name.to_owned());
    }
    let known = renamed.programs.get(name).into_iter().flatten().map(|other| plain(other));
    known.into_iter().find(|other| new.contains(other))
}

fn processes(old: &Observation, new: &Observation, renamed: &Renamed) -> Vec<Held> {
    let (were, are) = (names(old), names(new));
    let answers = |listener: &ListenerFact| {
        new.listeners.iter().any(|l| (l.protocol, l.port) == (listener.protocol, listener.port))
    };
    let gone = were.iter().filter(|name| successor(name, &are, renamed).is_none());
    let gone = gone.filter(|name| {
        let mut open = old.listeners.iter().filter(|listener| {
            listener.process.as_deref().is_some_and(|process| plain(process) == **name)
        });
        // What listens where it did has taken its place.
        let first = open.next();
        !first.is_some_and(|first| answers(first) && open.all(answers))
    });
    let added = are.iter().filter(|name| !were.contains(*name));
    let added: Vec<&String> = added.collect();
    gone.map(|name| {
        let whole = old.processes.iter().find(|process| plain(&process.name) == *name);
        let whole = whole.map_or(name.as_str(), |process| process.name.as_str());
        let why = "it ran in the old system, and does not in the new one";
        let held = Held::new(HeldKind::Process, whole, why).was("ran");
        added.iter().take(4).fold(held, Held::candidate)
    })
    .collect()
}

/// The accounts that each program runs as.
fn runs_as(observation: &Observation) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ProcessFact { name, account } in &observation.processes {
        if !account.is_empty() {
            all.entry(plain(name)).or_default().insert(account.clone());
        }
    }
    all
}

fn accounts(old: &Observation, new: &Observation, renamed: &Renamed) -> Vec<Held> {
    let now = runs_as(new);
    let names: BTreeSet<String> = now.keys().cloned().collect();
    let mut held = vec![];
    for (name, were) in runs_as(old) {
        let Some(are) = successor(&name, &names, renamed).and_then(|name| now.get(&name)) else {
            continue;
        };
        let today = |account: &String| renamed.accounts.get(account).unwrap_or(account).to_owned();
        let lost: Vec<&String> = were.iter().filter(|was| !are.contains(&today(was))).collect();
        // A program that gives up the rights of root in favour of its own account does so by itself.
        let gives_up =
            were.iter().all(|was| was == "root") && are.iter().all(|is| renamed.own.contains(is));
        if lost.is_empty() || gives_up {
            continue;
        }
        let list =
            |all: Vec<&String>| all.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let why = format!(
            "it ran as {} in the old system, and runs as {} in the new one",
            list(were.iter().collect()),
            list(are.iter().collect())
        );
        let one = Held::new(HeldKind::RunsAs, &name, why).was(list(were.iter().collect()));
        held.push(are.iter().fold(one, Held::candidate));
    }
    held
}

fn listeners(old: &Observation, new: &Observation) -> Vec<Held> {
    let same = |a: &ListenerFact, b: &ListenerFact| (a.protocol, a.port) == (b.protocol, b.port);
    let added = new.listeners.iter().filter(|is| !old.listeners.iter().any(|was| same(was, is)));
    let added: Vec<&ListenerFact> = added.collect();
    let mut held = vec![];
    for was in &old.listeners {
        let whose = was.process.as_deref().map(|name| format!(" by {name}")).unwrap_or_default();
        match new.listeners.iter().find(|is| same(was, is)) {
            None => {
                let why = format!("listened on{whose} in the old system, and not in the new one");
                let one = Held::new(HeldKind::Listener, was, why).was(was);
                let near = added.iter().filter(|is| is.protocol == was.protocol).take(4);
                held.push(near.fold(one, Held::candidate));
            }
            Some(is) if is.reach != was.reach => {
                let why = format!(
                    "listened on{whose} for {} in the old system, and for {} in the new one",
                    was.reach, is.reach
                );
                let one = Held::new(HeldKind::Listener, was, why).was(was.reach);
                held.push(one.candidate(is.reach));
            }
            Some(_) => {}
        }
    }
    held
}

/// The errors that the old system did not write. Those about the surroundings are known when the
/// old system had one of the same cause.
fn errors(old: &Observation, new: &Observation, is_over: bool) -> Vec<Held> {
    let causes: BTreeSet<Cause> = old.complaints.iter().filter_map(|line| cause(line)).collect();
    let was_cut_off = !old.lent.is_empty() || old.exited.is_some_and(|code| code != 0);
    let mut held: Vec<Held> = vec![];
    for line in &new.complaints {
        let known = old.complaints.iter().any(|was| was == line || are_alike(was, line));
        match cause(line) {
            _ if known => {}
            Some(cause) if causes.contains(&cause) || was_cut_off => {}
            // What the engine forbids in a throw-away container says nothing of the service.
            Some(Cause::Privilege) => {}
            Some(Cause::Name | Cause::Network) => {
                let why = "the new system complains of what is not here while it is checked";
                held.push(Held::new(HeldKind::Surroundings, line, why));
            }
            // The old one ended too: where it got to is not the same place.
            None if old.exited.is_some_and(|code| code != 0) && !is_over => {}
            None => {
                let why = "an error that the old system did not write to its log";
                held.push(Held::new(HeldKind::Log, line, why));
            }
        }
    }
    held.truncate(ERRORS);
    held
}

/// Whether two complaints share most of their words: another version says the same otherwise.
fn are_alike(a: &str, b: &str) -> bool {
    let words = |line: &str| -> BTreeSet<String> {
        let lower = line.to_lowercase();
        let split = lower.split(|c: char| !(c.is_alphanumeric() || "/._".contains(c)));
        split.filter(|word| word.len() > 1).map(str::to_owned).collect()
    };
    // The same of another file is something else; the file may lie elsewhere now.
    let files = |words: &BTreeSet<String>| -> BTreeSet<String> {
        let paths = words.iter().filter(|word| word.contains('/'));
        paths.filter_map(|path| path.rsplit('/').next().map(str::to_owned)).collect()
    };
    let (a, b) = (words(a), words(b));
    let all = a.union(&b).count();
    let shared = a.intersection(&b).count();
    all > 0 && files(&a) == files(&b) && shared as f64 >= ALIKE * all as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Protocol, Reach};

    fn process(name: &str, account: &str) -> ProcessFact {
        ProcessFact { name: name.into(), account: account.into() }
    }

    fn listener(port: u16, reach: Reach, process: &str) -> ListenerFact {
        let process = Some(process.to_owned()).filter(|name| !name.is_empty());
        ListenerFact { protocol: Protocol::Tcp, port, reach, account: "root".into(), process }
    }

    fn seen(processes: &[(&str, &str)], listeners: &[(u16, Reach, &str)]) -> Observation {
        Observation {
            processes: processes.iter().map(|(name, account)| process(name, account)).collect(),
            listeners: listeners
                .iter()
                .map(|(port, reach, p)| listener(*port, *reach, p))
                .collect(),
            ..Observation::default()
        }
    }

    fn found(old: &Observation, new: &Observation) -> Vec<(HeldKind, String)> {
        let held = compare(old, new, &Renamed::default());
        held.into_iter().map(|held| (held.kind, held.subject)).collect()
    }

    #[test]
    fn ports_of_a_system_that_could_not_be_asked_are_no_difference() {
        let old = seen(&[("web", "root")], &[(80, Reach::Any, "web")]);
        let new = Observation { unasked: true, ..seen(&[("web", "")], &[]) };
        assert_eq!(found(&old, &new), []);
        let unseen = Observation { processes: vec![], ..new.clone() };
        assert_eq!(found(&old, &unseen), []);
        let gone = Observation { unasked: false, ..new };
        assert_eq!(found(&old, &gone), [(HeldKind::Listener, "80/tcp".to_owned())]);
    }

    #[test]
    fn a_program_that_does_not_run_any_more_is_held() {
        let old = seen(&[("web", "root"), ("queue", "app")], &[]);
        let new = seen(&[("web", "root"), ("other", "root")], &[]);
        assert_eq!(found(&old, &new), [(HeldKind::Process, "queue".to_owned())]);
        let held = compare(&old, &new, &Renamed::default());
        assert_eq!(held[0].candidates, ["other"]);
        assert_eq!(found(&new, &seen(&[("web", "root"), ("other", "root"), ("x", "y")], &[])), []);
    }

    #[test]
    fn a_version_in_a_name_and_a_new_name_at_the_same_port_are_no_difference() {
        let old = seen(&[("fpm7.4", "root"), ("python3.9 app.py", "a")], &[]);
        assert_eq!(found(&old, &seen(&[("fpm8.4", "root"), ("python3.13 app.py", "a")], &[])), []);
        let other = seen(&[("fpm8.4", "root"), ("python3.13 no.py", "a")], &[]);
        assert_eq!(found(&old, &other), [(HeldKind::Process, "python3.9 app.py".to_owned())]);
        let old = seen(&[("sqld", "sql")], &[(3306, Reach::Any, "sqld")]);
        let new = seen(&[("newsqld", "sql")], &[(3306, Reach::Any, "newsqld")]);
        assert_eq!(found(&old, &new), []);
        let silent = seen(&[("newsqld", "sql")], &[]);
        assert_eq!(
            found(&old, &silent),
            [(HeldKind::Process, "sqld".into()), (HeldKind::Listener, "3306/tcp".into())]
        );
        let programs =
            BTreeMap::from([("sqld".to_owned(), BTreeSet::from(["newsqld".to_owned()]))]);
        let renamed = Renamed { programs, ..Renamed::default() };
        let held = compare(&old, &silent, &renamed);
        assert_eq!(held.iter().map(|h| h.kind).collect::<Vec<_>>(), [HeldKind::Listener]);
    }

    #[test]
    fn another_account_is_held_unless_it_has_another_name_now() {
        let old = seen(&[("web", "root"), ("web", "www")], &[]);
        let new = seen(&[("web", "root")], &[]);
        let held = compare(&old, &new, &Renamed::default());
        assert_eq!(held.len(), 1);
        assert_eq!((held[0].kind, held[0].was.as_deref()), (HeldKind::RunsAs, Some("root, www")));
        assert_eq!(held[0].candidates, ["root"]);
        let accounts = BTreeMap::from([("www".to_owned(), "web".to_owned())]);
        let renamed = Renamed { accounts, ..Renamed::default() };
        let new = seen(&[("web", "root"), ("web", "web"), ("web", "more")], &[]);
        assert_eq!(compare(&old, &new, &renamed), []);
        let rooted = seen(&[("web", "root")], &[]);
        let renamed = Renamed { own: ["web".to_owned()].into(), ..Renamed::default() };
        assert_eq!(compare(&rooted, &seen(&[("web", "web")], &[]), &renamed), []);
        assert_eq!(compare(&rooted, &seen(&[("web", "x")], &[]), &renamed).len(), 1);
        // The engine alone does not tell as whom.
        assert_eq!(found(&old, &seen(&[("web", "")], &[])), []);
    }

    #[test]
    fn a_port_that_moved_or_is_reached_by_others_is_held() {
        let old = seen(&[], &[(80, Reach::Any, "web")]);
        let new = seen(&[], &[(8080, Reach::Any, "web")]);
        let held = compare(&old, &new, &Renamed::default());
        assert_eq!((held[0].kind, held[0].subject.as_str()), (HeldKind::Listener, "80/tcp"));
        assert_eq!(held[0].candidates, ["8080/tcp"]);
        let new = seen(&[], &[(80, Reach::Loopback, "web")]);
        assert_eq!(found(&old, &new), [(HeldKind::Listener, "80/tcp".to_owned())]);
        assert_eq!(found(&new, &old), [(HeldKind::Listener, "80/tcp".to_owned())]);
        assert_eq!(found(&old, &seen(&[], &[(80, Reach::Any, ""), (81, Reach::Any, "")])), []);
    }

    #[test]
    fn a_command_that_ends_is_held_once_and_one_that_ended_before_is_no_news() {
        let running = seen(&[("web", "root")], &[(80, Reach::Any, "web")]);
        let ended = |code| Observation {
            exited: Some(code),
            complaints: vec!["bad option x".into()],
            ..Observation::default()
        };
        let held = compare(&running, &ended(1), &Renamed::default());
        let kinds: Vec<HeldKind> = held.iter().map(|held| held.kind).collect();
        assert_eq!(kinds, [HeldKind::Process, HeldKind::Log]);
        assert_eq!(held[0].files, ["bad option x"]);
        assert_eq!(found(&ended(1), &ended(1)), []);
        assert_eq!(found(&ended(1), &ended(2)), []);
        assert_eq!(found(&ended(1), &running), []);
        let done = Observation { exited: Some(0), ..Observation::default() };
        assert_eq!(found(&done, &ended(1))[0].0, HeldKind::Process);
        assert_eq!(found(&running, &done)[0].0, HeldKind::Process);
    }

    #[test]
    fn a_health_check_that_fails_now_is_held_and_one_that_failed_before_is_no_news() {
        let health = |health| Observation { health, ..Observation::default() };
        let (well, ill) = (health(Some(Health::Healthy)), health(Some(Health::Unhealthy)));
        assert_eq!(found(&well, &ill), [(HeldKind::Health, "health check".to_owned())]);
        assert_eq!(found(&ill, &ill), []);
        assert_eq!(found(&health(None), &ill), []);
        assert_eq!(found(&well, &health(None)), []);
    }

    #[test]
    fn a_new_error_is_held_and_a_known_one_or_one_about_the_surroundings_is_not() {
        let says = |lines: &[&str]| Observation {
            complaints: lines.iter().map(|&line| line.to_owned()).collect(),
            ..Observation::default()
        };
        let old = says(&["error: cannot open /etc/x", "lookup of db: host not found"]);
        assert_eq!(found(&old, &old), []);
        let new = says(&["error: cannot open /etc/y: permission denied"]);
        assert_eq!(found(&old, &new)[0].0, HeldKind::Log);
        let new = says(&["error: cannot open /etc/other"]);
        assert_eq!(found(&old, &new)[0].0, HeldKind::Log);
        // In other words.
        assert_eq!(found(&old, &says(&["[error] cannot open the file /etc/x"])), []);
        assert_eq!(found(&old, &says(&["unknown host cache: Name or service not known"])), []);
        let told = found(&says(&[]), &says(&["could not resolve host cache"]));
        assert_eq!(told[0].0, HeldKind::Surroundings);
        assert_eq!(found(&says(&[]), &says(&["adjtime: Operation not permitted"])), []);
        let many: Vec<String> = (0..50).map(|n| format!("error {}", "x".repeat(n + 2))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(found(&says(&[]), &says(&many)).len(), ERRORS);
    }
}
