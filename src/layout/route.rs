//! From one version to another: which transitions, in which order.
//!
//! Pure. The shortest chain that begins with the archived version and ends with the new one; a
//! version outside every range is never guessed about.

use std::collections::VecDeque;
use std::fmt;

use super::{Rule, Transition, Version};

/// How to get from one version to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Nothing differs: the versions are the same as far as the layout goes.
    Same,
    /// These transitions, in order.
    Steps(Vec<Transition>),
    /// No known way.
    NoRoute {
        /// What is missing.
        gap: Gap,
    },
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
    let all = &rule.transitions;
    // Breadth first; `via[i]` is the transition before the i-th.
    let mut via: Vec<Option<Option<usize>>> = vec![None; all.len()];
    let mut queue: VecDeque<usize> = VecDeque::new();
    for (i, transition) in all.iter().enumerate() {
        if transition.from.contains(from) {
            via[i] = Some(None);
            queue.push_back(i);
        }
    }
    if queue.is_empty() {
        return Route::NoRoute { gap: Gap::From(from.clone()) };
    }
    while let Some(at) = queue.pop_front() {
        if all[at].to.contains(to) {
            return Route::Steps(chain(all, &via, at));
        }
        for (i, transition) in all.iter().enumerate() {
            if via[i].is_none() && all[at].to.meets(&transition.from) {
                via[i] = Some(Some(at));
                queue.push_back(i);
            }
        }
    }
    Route::NoRoute { gap: Gap::To(to.clone()) }
}

/// The transitions that led to the one at `last`, in order.
fn chain(all: &[Transition], via: &[Option<Option<usize>>], last: usize) -> Vec<Transition> {
    let mut steps = vec![all[last].clone()];
    let mut at = last;
    while let Some(Some(before)) = via[at] {
        steps.push(all[before].clone());
        at = before;
    }
    steps.reverse();
    steps
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
            Route::Steps(steps) => {
                let steps: Vec<_> = steps.iter().map(|t| format!("{}→{}", t.from, t.to)).collect();
                steps.join(" ")
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
            (&[], "1", "2", "no known transition starts from version 1"),
        ];
        for (transitions, from, to, expected) in cases {
            assert_eq!(told(transitions, from, to), expected, "{from} {to}");
        }
    }
}
