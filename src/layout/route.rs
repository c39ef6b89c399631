//! From one version to another: which transitions, in which order.
//!
//! Pure. The shortest chain that begins with the archived version and ends with the new one; a
//! version outside every range is never guessed about.
//!
//! Each link of a chain leads between two versions of its own. The one between two links is the
//! smallest version that both ranges hold, the `to` of the first and the `from` of the second, and
//! no older than where the first one starts: as if the service had stopped there on its way.

use std::collections::VecDeque;
use std::fmt;

use super::{Rule, Step, Transition, Vars, Version};

/// How to get from one version to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Nothing differs: the versions are the same as far as the layout goes.
    Same,
    /// These links, in order; none where a rule has no transitions, so that nothing moves.
    Chain(Vec<Link>),
    /// No known way.
    NoRoute {
        /// What is missing.
        gap: Gap,
    },
}

/// A transition as a part of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is to be done.
    pub transition: Transition,
    /// The version that it starts from.
    pub from: Version,
    /// The version that it leads to.
    pub to: Version,
}

/// Why there is no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The new system has an older version.
    Older {
        /// The archived version.
        from: Version,
        /// The new system's version.
        to: Version,
    },
    /// No transition starts from this version.
    From(Version),
    /// No chain of transitions that start from the archived version leads to this one.
    To(Version),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Older { from, to } => {
                write!(f, "version {to} of the new system is older than the archived {from}")
            }
            Gap::From(version) => write!(f, "no known transition starts from version {version}"),
            Gap::To(version) => write!(f, "no known transition leads to version {version}"),
        }
    }
}

/// The shortest chain of `rule`'s transitions from one version to another; of equally short ones
/// the one whose transitions stand first.
pub fn route(rule: &Rule, from: &Version, to: &Version) -> Route {
    if from == to {
        return Route::Same;
    }
    if to < from {
        return Route::NoRoute { gap: Gap::Older { from: from.clone(), to: to.clone() } };
    }
    if rule.transitions.is_empty() {
        return Route::Chain(vec![]);
    }
    let starts = rule.transitions.iter().any(|transition| transition.from.contains(from));
    if !starts {
        return Route::NoRoute { gap: Gap::From(from.clone()) };
    }
    match chain(rule, from, to) {
        Some(links) => Route::Chain(links),
        None => Route::NoRoute { gap: Gap::To(to.clone()) },
    }
}

/// How a search came to a transition.
#[derive(Clone)]
struct Reached {
    /// The number of the transition before it; `None` at the beginning.
    before: Option<usize>,
    /// The version in between.
    at: Version,
}

/// The links of the shortest chain, by a search in breadth.
fn chain(rule: &Rule, from: &Version, to: &Version) -> Option<Vec<Link>> {
    let all = &rule.transitions;
    let mut reached: Vec<Option<Reached>> = vec![None; all.len()];
    let mut queue: VecDeque<usize> = VecDeque::new();
    for (i, transition) in all.iter().enumerate() {
        if transition.from.contains(from) {
            reached[i] = Some(Reached { before: None, at: from.clone() });
            queue.push_back(i);
        }
    }
    while let Some(last) = queue.pop_front() {
        if all[last].to.contains(to) {
            return Some(links(all, &reached, last, to));
        }
        let Some(Reached { at, .. }) = reached[last].clone() else { continue };
        for (i, transition) in all.iter().enumerate() {
            let between = all[last].to.first_in_both(&transition.from, &at);
            if let Some(between) = between.filter(|between| reached[i].is_none() && between <= to) {
                let at = between.cut(rule.version.components);
                reached[i] = Some(Reached { before: Some(last), at });
                queue.push_back(i);
            }
        }
    }
    None
}

/// The links that lead to `to` over the transition at `last`.
fn links(all: &[Transition], reached: &[Option<Reached>], last: usize, to: &Version) -> Vec<Link> {
    let mut links = Vec::new();
    let (mut next, mut to) = (Some(last), to.clone());
    while let Some((number, way)) = next.and_then(|n| reached[n].as_ref().map(|way| (n, way))) {
        let transition = all[number].clone();
        let from = way.at.clone();
        links.push(Link { transition, from: from.clone(), to });
        (next, to) = (way.before, from);
    }
    links.reverse();
    links
}

impl Route {
    /// What is to be done on the way, in order, each with its versions: those of its link, but for
    /// a command and an owner those of the `whole` way, as both need the new system.
    pub fn steps(&self, whole: &Vars) -> Vec<(Step, Vars)> {
        let Route::Chain(links) = self else { return vec![] };
        let of_link = |link: &Link| {
            let own = Vars::versions(&link.from, &link.to);
            let crossed = |step: &&Step| own.cross(step.since());
            let steps = link.transition.steps.iter().filter(crossed);
            let with_vars = |step: &Step| match step {
                Step::Run(_) | Step::Chown { .. } => (step.clone(), whole.clone()),
                _ => (step.clone(), own.clone()),
            };
            steps.map(with_vars).collect::<Vec<_>>()
        };
        links.iter().flat_map(of_link).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::load;

    fn rule(transitions: &[(&str, &str)]) -> Rule {
        let mut text =
            "app: x\ntitle: X\nrecognise: {paths: [{path: /x}]}\ntransitions:\n".to_owned();
        for (from, to) in transitions {
            text += &format!("  - {{from: '{from}', to: '{to}', steps: []}}\n");
        }
        load::parse("x.yaml", &text).unwrap()
    }

    fn told(transitions: &[(&str, &str)], from: &str, to: &str) -> String {
        match route(&rule(transitions), &from.parse().unwrap(), &to.parse().unwrap()) {
            Route::Same => "same".into(),
            Route::Chain(links) => {
                let told = |l: &Link| format!("{}→{}", l.transition.from, l.transition.to);
                links.iter().map(told).collect::<Vec<_>>().join(" ")
            }
            Route::NoRoute { gap } => gap.to_string(),
        }
    }

    #[test]
    fn the_shortest_valid_chain_is_taken_and_nothing_is_guessed() {
        let any: &[_] = &[("*", "*")];
        let hops: &[_] = &[("20", "21"), ("21", "22"), ("22", "23")];
        let short: &[_] = &[("1", "2"), ("2", "3"), ("1", "3"), ("1", "=3")];
        let cycle: &[_] = &[("1", "2"), ("2", "1")];
        let cases = [
            (any, "13", "13", "same"),
            (any, "13", "17", "*→*"),
            (any, "17", "13", "version 13 of the new system is older than the archived 17"),
            (hops, "20", "23", "20→21 21→22 22→23"),
            (hops, "21", "22", "21→22"),
            (hops, "19", "23", "no known transition starts from version 19"),
            (hops, "20", "24", "no known transition leads to version 24"),
            (short, "1", "3", "1→3"),
            (cycle, "1", "3", "no known transition leads to version 3"),
            (&[("<1:0", ">=1:0")], "4.2", "1:1.2", "<1:0→>=1:0"),
            (&[], "1", "2", ""),
            (&[], "2", "1", "version 1 of the new system is older than the archived 2"),
        ];
        for (transitions, from, to, expected) in cases {
            assert_eq!(told(transitions, from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn the_links_of_a_chain_meet_at_the_smallest_version_that_both_hold() {
        let between = |transitions: &[(&str, &str)], from: &str, to: &str| -> String {
            let route = route(&rule(transitions), &from.parse().unwrap(), &to.parse().unwrap());
            let Route::Chain(links) = route else { panic!("{route:?}") };
            links.iter().map(|l| format!("{}→{}", l.from, l.to)).collect::<Vec<_>>().join(" ")
        };
        let cases: [(&[_], &str, &str, &str); 6] = [
            (&[("1", "2"), ("2", "3")], "1", "3", "1→2 2→3"),
            (&[("<5", ">=5, <7"), (">=6, <9", ">=9")], "3", "12", "3→6 6→12"),
            // Cut to the numbers that the rule's paths have.
            (&[("<4", ">=4.0, <5"), (">=4.0, <5", ">=5")], "3", "6", "3→4 4→6"),
            (&[("<=4", ">4, <7"), (">4, <7", ">=7")], "4", "7", "4→5 5→7"),
            // The second link could start from an older version than the first one did.
            (&[("3", "<7"), ("<7, >4", ">=8")], "3", "8", "3→5 5→8"),
            (&[("1", "2"), ("2", "3"), ("3", "4")], "1", "4", "1→2 2→3 3→4"),
        ];
        for (transitions, from, to, expected) in cases {
            assert_eq!(between(transitions, from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_chain_never_leads_below_the_archived_version_or_above_the_new_one() {
        for (transitions, from, to) in
            [(&[("5", "2"), ("2", "9")], "5", "9"), (&[("1", "7"), ("7", "*")], "1", "5")]
        {
            let expected = format!("no known transition leads to version {to}");
            assert_eq!(told(transitions, from, to), expected);
        }
    }

    #[test]
    fn a_step_is_done_by_the_link_that_crosses_its_version_and_a_command_speaks_of_the_ends() {
        let text = "app: x\ntitle: X\nrecognise: {paths: [{path: /x}]}\ntransitions:\n  \
                    - from: '1'\n    to: '2'\n    steps:\n      \
                    - drop: {path: /a, why: w, since: '2'}\n      \
                    - hold: {path: /a, why: w, since: '3'}\n  \
                    - from: '2'\n    to: '3'\n    steps:\n      \
                    - drop: {path: /b, why: w, since: '2'}\n      \
                    - run: {argv: [x], why: w, since: '3'}\n";
        let rule = load::parse("x.yaml", text).unwrap();
        let (old, new) = ("1".parse().unwrap(), "3".parse().unwrap());
        let steps = route(&rule, &old, &new).steps(&Vars::versions(&old, &new));
        let told: Vec<_> = steps
            .iter()
            .map(|(step, vars)| {
                let version = |name| String::from_utf8_lossy(vars.get(name).unwrap()).into_owned();
                let word = if matches!(step, Step::Run { .. }) { "run" } else { "drop" };
                format!("{word} {} {}", version("old"), version("new"))
            })
            .collect();
        assert_eq!(told, ["drop 1 2", "run 1 3"]);
    }
}
