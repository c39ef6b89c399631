//! What the new versions of applications do not know any more, for the check of references, which
//! knows no rules.

use crate::accounts::{AccountDb, IdMap};
use crate::layout::{self, ProgramLanguage, Rule, Vars};
use crate::references::{self, Kept, Outdated, Question, Records, Said, Speech};
use crate::restore::files::migration::AppMigration;
use crate::tree::{Draft, Empty, Overlaid, RootPath, TreeError};

/// What the new versions do not know any more that the old ones knew.
pub(in crate::restore) fn outdated(migrations: &[AppMigration]) -> Vec<Outdated> {
    let migrations = migrations.iter().filter(|migration| migration.on_its_way);
    migrations.flat_map(|migration| crossed(&migration.rule, &migration.vars)).collect()
}

/// What a rule says is outdated on this way.
fn crossed(rule: &Rule, vars: &Vars) -> Vec<Outdated> {
    let all = rule.outdated.iter();
    all.filter(|one| vars.cross(one.since.as_ref())).map(resolved).collect()
}

fn resolved(one: &layout::Outdated) -> Outdated {
    let said = match one.language {
        Some(language) => Said::InPrograms {
            speech: match language {
                ProgramLanguage::Perl => Speech::Perl,
                ProgramLanguage::Php => Speech::Php,
                ProgramLanguage::Python => Speech::Python,
                ProgramLanguage::Ruby => Speech::Ruby,
            },
            says: one.says.clone(),
            calls: one.calls.clone(),
        },
        None => {
            Said::ByCommands { programs: one.programs.clone(), arguments: one.arguments.clone() }
        }
    };
    Outdated { said, why: one.why.clone(), today: one.today.clone() }
}

/// What the files of `draft` say that is outdated on the ways of `rules`, as `PATH: question`. For
/// the tests of rules.
///
/// # Errors
/// The draft holds what only a bundle has.
pub fn said(rules: &[(Rule, Vars)], draft: &Draft) -> Result<Vec<String>, TreeError> {
    let tree = Overlaid::new(&Empty, draft, &Empty);
    let path = |path: &RootPath| Kept { path: path.clone(), was: path.clone() };
    let kept: Vec<Kept> = draft.nodes().map(|node| path(&node.entry.path)).collect();
    let question = Question { old: &tree, new: &tree, kept: &kept, settings: None };
    let outdated: Vec<Outdated> =
        rules.iter().flat_map(|(rule, vars)| crossed(rule, vars)).collect();
    let records = Records {
        lasted: &|_| true,
        package: &|_| None,
        package_now: &|_| None,
        theirs: &Empty,
        accounts: &AccountDb::default(),
        accounts_now: &AccountDb::default(),
        ids: &IdMap::default(),
        outdated: &outdated,
    };
    let findings = references::check(references::ROUNDS - 1, &question, &records)?;
    let held = findings.into_iter().filter_map(|finding| finding.held);
    Ok(held.map(|held| format!("{}: {}", held.subject, held.why)).collect())
}
