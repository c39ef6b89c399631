//! Which of the packages that are wanted can be installed together, found out by asking.
//!
//! Whoever answers says no with a reason that names packages. Those that cannot be had alone are
//! left out first. Where the rest still does not fit together, one that is named is left out if all
//! others fit then, the least wanted first; else the rest is halved until it is known which do not.
//! The number of questions is bounded: a question is a run of apt.

use crate::failure::Failure;
use crate::family::seam::Refused;

/// How many questions are asked.
const MAX_ASKED: usize = 200;

/// How many packages are left out for a try, one at a time.
const MAX_LEFT_OUT: usize = 12;

/// Why packages cannot be installed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In the words of the package manager.
    pub(super) why: String,
    /// The packages that these words name.
    pub(super) named: Vec<String>,
}

/// What was found out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// These can be installed together.
    pub(super) install: Vec<String>,
    /// These cannot.
    pub(super) refused: Vec<Refused>,
}

/// Says why packages cannot be installed together; `None` when they can.
pub(super) type Ask<'a> = dyn FnMut(&[&str]) -> Result<Option<Refusal>, Failure> + 'a;

/// Which of `names`, the most wanted first, can be installed together.
///
/// # Errors
/// Those of `ask`.
pub(super) fn choose(names: &[&str], ask: &mut Ask<'_>) -> Result<Chosen, Failure> {
    let mut choice = Choice { ask, asked: 0, refused: vec![] };
    let install = choice.of(names)?;
    let install = install.into_iter().map(str::to_owned).collect();
    Ok(Chosen { install, refused: choice.refused })
}

struct Choice<'a, 'b> {
    ask: &'a mut Ask<'b>,
    asked: usize,
    refused: Vec<Refused>,
}

impl Choice<'_, '_> {
    fn ask(&mut self, names: &[&str]) -> Result<Option<Refusal>, Failure> {
        if names.is_empty() {
            return Ok(None);
        }
        self.asked += 1;
        (self.ask)(names)
    }

    fn refuse(&mut self, name: &str, why: &str) {
        self.refused.push(Refused { package: name.to_owned(), why: why.to_owned() });
    }

    fn of<'n>(&mut self, names: &[&'n str]) -> Result<Vec<&'n str>, Failure> {
        let mut left = names.to_vec();
        let mut fit_alone: Vec<&str> = vec![];
        let mut refusal = self.ask(&left)?;
        while let Some(Refusal { why, named }) = refusal.take() {
            let named: Vec<&str> =
                left.iter().copied().filter(|name| named.iter().any(|n| n == name)).collect();
            let before = left.len();
            for name in named.iter().copied().filter(|_| before > 1) {
                if self.asked >= MAX_ASKED || fit_alone.contains(&name) {
                    continue;
                }
                match self.ask(&[name])? {
                    Some(alone) => {
                        self.refuse(name, &alone.why);
                        left.retain(|other| *other != name);
                    }
                    None => fit_alone.push(name),
                }
            }
            if left.len() < before {
                refusal = self.ask(&left)?;
                continue;
            }
            for name in named.iter().rev().take(MAX_LEFT_OUT).filter(|_| before > 1) {
                let others: Vec<&str> = left.iter().copied().filter(|n| n != name).collect();
                if self.asked < MAX_ASKED && self.ask(&others)?.is_none() {
                    self.refuse(name, &why);
                    return Ok(others);
                }
            }
            return self.halve(vec![], &left, Refusal { why, named: vec![] });
        }
        Ok(left)
    }

    /// Those of `group` that fit with `kept`, and `kept`; all of them do not, for this reason.
    fn halve<'n>(
        &mut self,
        mut kept: Vec<&'n str>,
        group: &[&'n str],
        Refusal { why, .. }: Refusal,
    ) -> Result<Vec<&'n str>, Failure> {
        if group.len() == 1 || self.asked >= MAX_ASKED {
            group.iter().for_each(|name| self.refuse(name, &why));
            return Ok(kept);
        }
        let (first, second) = group.split_at(group.len() / 2);
        for half in [first, second] {
            let both = [&kept[..], half].concat();
            kept = match self.ask(&both)? {
                None => both,
                Some(refusal) => self.halve(kept, half, refusal)?,
            };
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A world in which some packages cannot be had and some not together.
    #[derive(Default)]
    struct World {
        broken: Vec<&'static str>,
        conflicts: Vec<(&'static str, &'static str)>,
        /// Whether reasons name packages.
        silent: bool,
        asked: usize,
    }

    impl World {
        fn answer(&mut self, names: &[&str]) -> Option<Refusal> {
            self.asked += 1;
            let has = |name: &str| names.contains(&name);
            let broken = self.broken.iter().copied().filter(|name| has(name));
            let conflicts = self.conflicts.iter().filter(|(a, b)| has(a) && has(b));
            let found: Vec<&str> = broken.chain(conflicts.flat_map(|(a, b)| [*a, *b])).collect();
            let named = if self.silent { vec![] } else { found.clone() };
            let named = named.into_iter().map(str::to_owned).collect();
            (!found.is_empty()).then(|| Refusal { why: found.join(" "), named })
        }

        fn choose(&mut self, names: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
            let chosen = choose(names, &mut |names| Ok(self.answer(names))).unwrap();
            let refused = chosen.refused.into_iter().map(|one| (one.package, one.why));
            (chosen.install, refused.collect())
        }
    }

    fn refused(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn what_fits_together_is_asked_about_once() {
        let mut world = World::default();
        assert_eq!(world.choose(&["a", "b"]), (vec!["a".to_owned(), "b".to_owned()], vec![]));
        assert_eq!(world.asked, 1);
        assert_eq!(world.choose(&[]), (vec![], vec![]));
    }

    #[test]
    fn only_what_cannot_be_had_is_left_out_with_its_own_reason() {
        let mut world = World { broken: vec!["b", "d"], ..World::default() };
        let (install, out) = world.choose(&["a", "b", "c", "d"]);
        assert_eq!(install, ["a", "c"]);
        assert_eq!(out, refused(&[("b", "b"), ("d", "d")]));
        assert_eq!(world.asked, 4);
        let mut world = World { broken: vec!["b"], ..World::default() };
        assert_eq!(world.choose(&["b"]), (vec![], refused(&[("b", "b")])));
    }

    #[test]
    fn of_two_that_do_not_fit_the_less_wanted_goes_and_one_goes_rather_than_three() {
        let mut world = World { conflicts: vec![("a", "c")], ..World::default() };
        let (install, out) = world.choose(&["a", "b", "c"]);
        assert_eq!((install, out), (vec!["a".into(), "b".into()], refused(&[("c", "a c")])));
        let conflicts = vec![("a", "b"), ("a", "c"), ("a", "d")];
        let (install, out) = World { conflicts, ..World::default() }.choose(&["a", "b", "c", "d"]);
        assert_eq!(install, ["b", "c", "d"]);
        assert_eq!(out, refused(&[("a", "a b a c a d")]));
    }

    #[test]
    fn reasons_that_name_nothing_are_no_hindrance_and_the_questions_are_bounded() {
        let names: Vec<String> = (0..300).map(|n| format!("p{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let conflicts = vec![("p003", "p290")];
        let mut world =
            World { broken: vec!["p007", "p150"], conflicts, silent: true, ..World::default() };
        let (install, out) = world.choose(&names);
        let out: Vec<&str> = out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((install.len(), out), (297, vec!["p007", "p150", "p290"]));
        assert!(world.asked < 60, "{}", world.asked);
        let broken = (0..300).map(|n| &*format!("p{n:03}").leak()).collect();
        let mut world = World { broken, silent: true, ..World::default() };
        let (install, out) = world.choose(&names);
        assert_eq!((install.len(), out.len()), (0, 300));
        assert!(world.asked < MAX_ASKED + 20, "{}", world.asked);
    }
}
