//! The planner: from a bundle and a staged system, in which today's packages are already installed,
//! to everything that will be changed.
//!
//! A plan is made in phases, each of which takes what earlier ones gave. Their order is the table
//! [`PHASES`], and it is checked when this is compiled. Planning reads its inputs and changes none
//! of them, and the same inputs give the same plan: nothing of it depends on when it was made.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::Loss;
use crate::failure::Failure;
use crate::layout::{self, Access, LayoutMatcher, Recognised};
use crate::observe::Renamed;
use crate::packages::Installed;
use crate::restore::files::accounts::{self, Merged, Owned};
use crate::restore::files::carry;
use crate::restore::files::config;
use crate::restore::files::container;
use crate::restore::files::defaults;
use crate::restore::files::locales;
use crate::restore::files::localhost;
use crate::restore::files::migration::{
    AppMigration, adapt_settings, apply_steps, mentions, migrations, rebuilds, today, validators,
    withhold,
};
use crate::restore::files::outdated::outdated;
use crate::restore::files::own_state;
use crate::restore::files::references;
use crate::restore::files::renamed::renamed;
use crate::restore::files::services;
use crate::restore::files::settle::settle;
use crate::restore::files::standing;
use crate::restore::files::state;
use crate::restore::files::stranded;
use crate::restore::files::successor;
use crate::restore::files::today::Today;
use crate::restore::files::unread::{self, Known};
use crate::restore::files::withdrawn;
use crate::restore::packages::in_use::InUse;
use crate::restore::python::environments;
use crate::restore::target::Wanted;
use crate::restore::target::volumes::{self, VolumePlan};
use crate::restore::value::archived::Archived;
use crate::restore::value::config_merge::Outcome;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Inputs, Station, VolumesAs, unreadable};
use crate::restore::value::packages::{Install, PackagePlan, Unserved};
use crate::restore::value::relation::Relation;
use crate::restore::value::step::{PlannedCommand, Removal, Step};
use crate::service::ServiceSettings;
use crate::survey::{IntentWhy, Survey};
use crate::tree::{Draft, DraftContent, DraftNode, RootPath, Time, Tree};
use crate::verdict::{Held, HeldKind, Worth};

/// What a phase leaves behind for later ones.
#[derive(Clone, Copy)]
enum Part {
    Packages,
    Journeys,
    Draft,
    Imports,
    Moved,
    Followed,
    Switches,
    Owners,
    Owned,
    Environments,
    Settled,
    Choices,
    Merged,
    Edited,
    Compared,
    Referred,
    Complete,
    Fresh,
    Timeless,
    Locales,
    Generators,
    Volumes,
    Commands,
    Checks,
}

/// One phase: what it takes, what it gives, and how it is done.
struct Phase {
    needs: &'static [Part],
    gives: Part,
    run: fn(&mut Planner<'_>) -> Result<(), Failure>,
}

const fn phase(
    needs: &'static [Part],
    gives: Part,
    run: fn(&mut Planner<'_>) -> Result<(), Failure>,
) -> Phase {
    Phase { needs, gives, run }
}

/// All phases in their order. A line says of its phase what the list of its needs does not.
const PHASES: &[Phase] = &[
    // Packages are installed already; a reader wants to know of them first.
    phase(&[], Part::Packages, packages),
    phase(&[], Part::Journeys, find_journeys),
    phase(&[], Part::Draft, collect),
    // Data that nothing can read any more is not moved about.
    phase(&[Part::Draft, Part::Journeys], Part::Imports, take_databases),
    phase(&[Part::Imports], Part::Moved, move_files),
    // What packages say of their files comes after what rules say.
    phase(&[Part::Moved], Part::Followed, follow_packages),
    // Links lead to what was moved.
    phase(&[Part::Followed], Part::Switches, switch_services),
    // The owner of whatever is placed counts, so all of it has to be in the draft.
    phase(&[Part::Followed], Part::Owners, map_owners),
    // Only now are there the accounts of both systems, with the numbers of the new one.
    phase(&[Part::Owners], Part::Owned, change_owners),
    // The homes of owners are those of the merged accounts.
    phase(&[Part::Owned], Part::Environments, carry_environments),
    // From here on paths are those of the new system, where links may have other ends.
    phase(&[Part::Switches, Part::Environments], Part::Settled, settle_paths),
    phase(&[Part::Settled, Part::Owners], Part::Choices, carry_choices),
    // What was set aside by a choice takes a package's place on purpose: it meets nothing.
    phase(&[Part::Choices], Part::Merged, merge_configuration),
    // Settings are adapted in what stays active, not in the texts that are kept to be looked at.
    phase(&[Part::Merged], Part::Edited, adapt),
    // What the adapting of settings brought about is no news of a new default.
    phase(&[Part::Edited], Part::Compared, compare_defaults),
    // What is to be looked at only, and is put beside later, refers to nothing.
    phase(&[Part::Edited], Part::Referred, check_references),
    phase(&[Part::Referred], Part::Complete, complete),
    phase(&[Part::Complete], Part::Fresh, clear_fresh_state),
    phase(&[Part::Complete, Part::Fresh], Part::Timeless, forget_times),
    // Whatever runs later may speak in them, but for what makes those that a list names.
    phase(&[Part::Timeless], Part::Locales, make_locales),
    // What is generated is due by what is placed, in volumes too.
    phase(&[Part::Timeless, Part::Locales], Part::Generators, run_generators),
    phase(&[Part::Generators], Part::Volumes, split_volumes),
    // First what generates, then what rules and choices ask for, then imports.
    phase(&[Part::Generators, Part::Imports, Part::Choices], Part::Commands, list_commands),
    phase(&[Part::Volumes, Part::Commands], Part::Checks, list_checks),
];

/// Whether every phase comes after those that give what it needs.
const fn is_in_order(phases: &[Phase]) -> bool {
    let mut given: u64 = 0;
    let mut at = 0;
    while at < phases.len() {
        let mut need = 0;
        while need < phases[at].needs.len() {
            if given & (1 << phases[at].needs[need] as u64) == 0 {
                return false;
            }
            need += 1;
        }
        given |= 1 << phases[at].gives as u64;
        at += 1;
    }
    true
}

const _: () = assert!(is_in_order(PHASES), "a phase comes before what it needs");

/// What was planned.
pub(in crate::restore) struct Planned {
    /// The packages of the staged system with their versions.
    pub(in crate::restore) packages: BTreeMap<String, String>,
    /// Placed over the staged system.
    pub(in crate::restore) draft: Draft,
    pub(in crate::restore) volumes: Vec<VolumePlan>,
    /// Of the container that was archived, with what applications are called now.
    pub(in crate::restore) settings: Option<ServiceSettings>,
    pub(in crate::restore) steps: Vec<Step>,
    pub(in crate::restore) held: Vec<Held>,
    pub(in crate::restore) losses: Vec<Loss>,
    /// What of the observed old system has another name now: no part of a plan, as nothing is done
    /// about it.
    pub(in crate::restore) renamed: Renamed,
}

impl Planned {
    /// What of it a target needs.
    pub(in crate::restore) fn wanted(&self) -> Wanted<'_> {
        let Planned { draft, volumes, settings, .. } = self;
        Wanted { draft, volumes, settings: settings.as_ref() }
    }
}

/// Makes the plan.
///
/// # Errors
/// A rule that does not fit what was found, contents or a target that cannot be read.
pub(in crate::restore) fn plan(inputs: &Inputs) -> Result<Planned, Failure> {
    let mut planner = Planner::new(inputs, Station::Staged)?;
    for phase in PHASES {
        (phase.run)(&mut planner)?;
    }
    Ok(planner.finish())
}

/// What is found of a standing system without anything of it being started.
pub(in crate::restore) struct Standing {
    /// What the archived service had and it has not, and what it has otherwise.
    pub(in crate::restore) held: Vec<Held>,
    /// What of the observed old system has another name in it.
    pub(in crate::restore) renamed: Renamed,
    /// The commands that judge its applications' files, each with its application.
    pub(in crate::restore) checks: Vec<(String, Vec<String>)>,
}

/// What the archived service had and the standing system, which `inputs` has as its target, has
/// not; `settings` are those of its container.
///
/// # Errors
/// As [`plan`].
pub(in crate::restore) fn check(
    inputs: &Inputs,
    settings: Option<&ServiceSettings>,
) -> Result<Standing, Failure> {
    let mut planner = Planner::new(inputs, Station::Standing)?;
    let mut unread = Vec::new();
    // From there on a plan is about what is placed, and nothing is.
    for phase in PHASES.iter().take_while(|phase| !matches!(phase.gives, Part::Compared)) {
        let before = planner.decisions.held.len();
        (phase.run)(&mut planner)?;
        if matches!(phase.gives, Part::Followed) {
            unread = planner.decisions.held.split_off(before);
        }
    }
    // Once it is moved or removed somebody has seen to it.
    let mut held = standing::still_there(&unread, inputs.target).map_err(unreadable)?;
    held.extend(planner.standing_defaults()?);
    let Planner { archived, installed, merged, draft, migrations, .. } = &planner;
    let outdated = outdated(migrations);
    let system = (installed, merged, outdated.as_slice());
    let missing = references::open(inputs, archived, system, draft, settings);
    let settled = |one: &Held| {
        one.kind == HeldKind::Data && unread.iter().any(|held| held.subject == one.subject)
    };
    held.extend(missing.map_err(unreadable)?.into_iter().filter(|one| !settled(one)));
    planner.decisions.steps.clear();
    list_checks(&mut planner)?;
    let checks = planner.decisions.steps.into_iter().filter_map(|step| match step {
        Step::Check { app, argv } => Some((app, argv)),
        _ => None,
    });
    let renamed = renamed(inputs.survey.observation.as_ref(), &planner.migrations);
    Ok(Standing { held, renamed, checks: checks.collect() })
}

/// A plan while it is made.
struct Planner<'a> {
    inputs: &'a Inputs<'a>,
    station: Station,
    archived: Archived<'a>,
    installed: Installed,
    /// The applications of the staged system.
    today: Vec<Recognised>,
    /// What the rules of those say about paths.
    places: LayoutMatcher,
    migrations: Vec<AppMigration>,
    /// Today's names of services, as far as packages tell, without `.service`.
    services: BTreeMap<String, String>,
    /// Services that were on and that nothing in the new system is.
    unserved: Vec<Unserved>,
    draft: Draft,
    imports: Vec<PlannedCommand>,
    merged: Merged,
    /// Takes the place of a package's file on purpose.
    aside: Vec<DraftNode>,
    /// Kept beside other files to be looked at.
    beside: Vec<DraftNode>,
    /// The archived texts of files that have something of a new default now.
    before: BTreeMap<RootPath, Vec<u8>>,
    volumes: Vec<VolumePlan>,
    settings: Option<ServiceSettings>,
    decisions: Decisions,
}

impl<'a> Planner<'a> {
    fn new(inputs: &'a Inputs<'a>, station: Station) -> Result<Planner<'a>, Failure> {
        let installed = Installed::load(inputs.target).map_err(unreadable)?;
        let today = today(inputs, &installed)?;
        let places = inputs.layout.layout(&today).map_err(Failure::from)?;
        let carried = inputs.settings.map(|settings| inputs.succession.settings(settings));
        let (settings, steps, held) = match carried {
            Some((settings, steps, held)) => (Some(settings), steps, held),
            None => (None, vec![], vec![]),
        };
        Ok(Planner {
            inputs,
            station,
            archived: Archived::new(inputs.manifest, inputs.contents, inputs.succession.relation),
            installed,
            today,
            places,
            migrations: vec![],
            services: BTreeMap::new(),
            unserved: vec![],
            draft: Draft::default(),
            imports: vec![],
            merged: Merged::default(),
            aside: vec![],
            beside: vec![],
            before: BTreeMap::new(),
            volumes: vec![],
            settings,
            decisions: Decisions { steps, held, ..Decisions::default() },
        })
    }

    /// What defaults of the standing system have otherwise, with the files as they are by now.
    fn standing_defaults(&mut self) -> Result<Vec<Held>, Failure> {
        let mentions = &mentions(&self.today);
        let access = &Access::new(&self.today).map_err(Failure::from)?;
        let Planner { inputs, archived, installed, migrations, before, decisions, draft, .. } =
            self;
        let station = Station::Standing;
        let systems = defaults::Systems {
            inputs,
            station,
            archived,
            installed,
            migrations,
            mentions,
            access,
        };
        // The question about a merged text is answered once somebody edited it.
        let touched = standing::touched(before.keys(), draft, inputs.target).map_err(unreadable)?;
        let merged = |path: &RootPath| {
            let mut steps = decisions.steps.iter();
            steps.any(|step| matches!(step, Step::Meet { path: met, outcome: Outcome::Merged { .. } } if met == path))
        };
        before.retain(|path, _| !(touched.contains(path) && merged(path)));
        let present = standing::present(draft, inputs.target, inputs.contents);
        decisions.held.clear();
        defaults::compare_all(&systems, before, &present.map_err(unreadable)?, decisions)?;
        Ok(std::mem::take(&mut decisions.held))
    }

    fn finish(self) -> Planned {
        let packages = self.installed.units();
        let packages = packages.map(|unit| (format!("{}:{}", unit.name, unit.arch), unit.version));
        let packages = packages.collect();
        let Decisions { steps, held, losses, commands: _ } = self.decisions;
        let renamed = renamed(self.inputs.survey.observation.as_ref(), &self.migrations);
        let Planner { draft, volumes, settings, .. } = self;
        Planned { packages, draft, volumes, settings, steps, held, losses, renamed }
    }

    fn apply(&mut self, wanted: &dyn Fn(&layout::Step) -> bool) -> Result<(), Failure> {
        let (draft, decisions) = (&mut self.draft, &mut self.decisions);
        apply_steps(&self.migrations, wanted, self.inputs, &self.installed, draft, decisions)
    }
}

fn packages(planner: &mut Planner<'_>) -> Result<(), Failure> {
    planner.decisions.packages(planner.inputs.packages, &planner.inputs.survey.withdrawn);
    Ok(())
}

fn find_journeys(planner: &mut Planner<'_>) -> Result<(), Failure> {
    planner.migrations = migrations(planner.inputs, &planner.today, &mut planner.decisions)?;
    Ok(())
}

fn collect(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, station, archived, installed, decisions, .. } = planner;
    planner.draft = archived.draft();
    successor::tell(inputs, &planner.draft, decisions).map_err(unreadable)?;
    successor::keep_runtime(inputs, &mut planner.draft, decisions).map_err(unreadable)?;
    withdrawn::settle(inputs, installed, &mut planner.draft, decisions);
    let (target, draft) = (inputs.target, &mut planner.draft);
    let settled = match station {
        Station::Staged => stranded::settle(&inputs.packages.stranded, target, draft, decisions),
        Station::Standing => stranded::forget_left_out(archived.source(), target, draft),
    };
    settled.map_err(unreadable)
}

fn take_databases(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, archived, migrations, draft, settings, decisions, .. } = planner;
    let new = (settings.as_ref(), draft);
    planner.imports = withhold(migrations, archived, inputs, new, decisions)?;
    Ok(())
}

fn move_files(planner: &mut Planner<'_>) -> Result<(), Failure> {
    planner.apply(&|step| !matches!(step, layout::Step::Chown { .. }))
}

fn follow_packages(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, station, installed, places, migrations, draft, decisions, .. } = planner;
    let old = InUse::of(inputs.manifest, &[], inputs.succession.relation);
    let known = match station {
        Station::Staged => None,
        // What was decided when it was restored is as good as forgotten.
        Station::Standing => Some(ruled(inputs.survey, migrations)),
    };
    let packages = known.as_ref().unwrap_or(inputs.packages);
    let today = Today::read(installed, packages, inputs.target).map_err(unreadable)?;
    planner.services = today.renamed(&old, inputs.target).map_err(unreadable)?;
    let known = Known {
        manifest: inputs.manifest,
        store: inputs.contents,
        target: inputs.target,
        station: *station,
        installed,
        today: &today,
        places,
        services: &planner.services,
    };
    unread::follow(&known, draft, decisions)?;
    planner.unserved = today.unserved(inputs.unserved);
    Ok(())
}

/// What rules call the packages of the old system today.
fn ruled(survey: &Survey, migrations: &[AppMigration]) -> PackagePlan {
    let mut plan = PackagePlan::default();
    for package in &survey.packages {
        let fates = migrations.iter().filter_map(|migration| {
            migration.rule.package(&package.name, &migration.vars).ok().flatten()
        });
        plan.install.extend(fates.flat_map(|fate| fate.to).map(|name| Install {
            name,
            formerly: Some(package.name.clone()),
            why: IntentWhy::Manual,
        }));
    }
    plan
}

fn switch_services(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, migrations, draft, decisions, .. } = planner;
    let names = services::Names { migrations, packages: &planner.services };
    services::rename(&names, draft, decisions)?;
    let on: BTreeSet<Vec<u8>> = inputs
        .manifest
        .entries
        .wanted(|listed| !listed.deleted)
        .filter(|entry| services::pulls_in(&entry.path))
        .map(|entry| entry.path.name().to_vec())
        .collect();
    services::fit(draft, inputs.target, &|name| on.contains(name), decisions)?;
    services::hold_unserved(&names, &planner.unserved, decisions)
}

fn map_owners(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, archived, migrations, draft, decisions, .. } = planner;
    planner.merged = accounts::merge(migrations, archived, inputs, draft, decisions)?;
    Ok(())
}

fn change_owners(planner: &mut Planner<'_>) -> Result<(), Failure> {
    planner.apply(&|step| matches!(step, layout::Step::Chown { .. }))
}

fn carry_environments(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, archived, merged, draft, decisions, .. } = planner;
    environments::carry(inputs, archived, &merged.ids, draft, decisions)
}

fn settle_paths(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let old = Owned { archived: &planner.archived, ids: &planner.merged.ids };
    planner.draft = settle(&planner.draft, &old, planner.inputs.target).map_err(unreadable)?;
    let Planner { inputs, draft, decisions, .. } = planner;
    own_state::stay(draft, inputs.target, decisions).map_err(unreadable)
}

fn carry_choices(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, installed, merged, draft, decisions, .. } = planner;
    let system = (&*installed, &merged.accounts, &merged.ids);
    planner.aside = carry::carry(inputs, system, draft, decisions)?;
    Ok(())
}

fn merge_configuration(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, installed, places, draft, .. } = planner;
    let bases = planner.archived.bases();
    let worth = |path: &RootPath| places.matches(path).map(|found| found.entry.worth);
    let (store, target) = (inputs.contents, inputs.target);
    let successor = inputs.succession.relation == Relation::Successor;
    let in_volume = |path: &RootPath| {
        inputs.survey.mounts.iter().any(|mount| path.is_within(&mount.destination))
    };
    let ground =
        config::Ground { target, installed, worth: &worth, in_volume: &in_volume, successor };
    let met = config::meet(draft, store, &bases, &ground);
    let met = met.map_err(unreadable)?;
    std::mem::take(&mut planner.aside).into_iter().for_each(|node| draft.put(node));
    planner.decisions.merges(&met.merges);
    planner.decisions.held.extend(met.held);
    planner.beside = met.beside;
    planner.before = met.archived;
    Ok(())
}

/// Adapts the settings of applications, in files and in the container's own.
fn adapt(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let mentions = mentions(&planner.today);
    let Planner { inputs, migrations, draft, settings, decisions, .. } = planner;
    adapt_settings(migrations, &mentions, inputs, draft, decisions)?;
    if let Some(settings) = settings {
        container::adapt(settings, &mentions.container, inputs, migrations, decisions)?;
    }
    Ok(())
}

/// Tells what new defaults have otherwise than the old ones.
fn compare_defaults(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let mentions = mentions(&planner.today);
    let access = Access::new(&planner.today).map_err(Failure::from)?;
    let Planner { inputs, station, archived, installed, migrations, draft, decisions, .. } =
        planner;
    let (station, mentions, access) = (*station, &mentions, &access);
    let change =
        defaults::Systems { inputs, station, archived, installed, migrations, mentions, access };
    defaults::compare_all(&change, &planner.before, draft, decisions)
}

/// Looks for what the kept files name and the new system does not have.
fn check_references(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let outdated = outdated(&planner.migrations);
    let Planner { inputs, archived, installed, merged, draft, settings, decisions, .. } = planner;
    let new = (&*installed, &*merged, outdated.as_slice());
    references::check(inputs, archived, new, draft, settings, decisions).map_err(unreadable)
}

/// Puts the last nodes into the draft and lists all of them.
fn complete(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { places, draft, .. } = planner;
    std::mem::take(&mut planner.beside).into_iter().for_each(|node| draft.put(node));
    let secrets = planner.archived.secrets();
    let worth = |path: &RootPath| places.matches(path).map(|found| found.entry.worth);
    planner.decisions.files(draft, &|node| {
        let path = &node.entry.path;
        worth(path) == Some(Worth::Secret)
            || match &node.content {
                DraftContent::None => false,
                DraftContent::Stored(id) => secrets.contains(id),
                DraftContent::Bytes(bytes) => places.is_secret(path, bytes),
            }
    });
    Ok(())
}

/// What the installation made of its own accord gives way to what the service has.
fn clear_fresh_state(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, installed, places, draft, decisions, .. } = planner;
    if let Some(before) = inputs.state_before {
        let known = state::Known {
            staying: &|path| {
                before.contains(path)
                    || inputs.manifest.entries.contains(path)
                    || installed.claims(path).next().is_some()
            },
            ruled: &|path| places.matches(path).is_some(),
        };
        for path in state::giving_way(draft, inputs.target, &known).map_err(unreadable)? {
            decisions.step(Step::Remove { path: path.clone(), why: Removal::GivesWay });
            draft.delete(path);
        }
    }
    draft.forget_idle_deletions();
    Ok(())
}

/// Gives what was made from files of the staged system the times of the archived ones: those of the
/// staged system say when it was staged, and a plan does not depend on that.
fn forget_times(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, archived, installed, draft, .. } = planner;
    for node in draft.nodes_mut() {
        node.entry.ctime = None;
        if !matches!(node.content, DraftContent::Bytes(_)) {
            continue;
        }
        let path = &node.entry.path;
        let origin = config::default_of(path).unwrap_or_else(|| path.clone());
        let theirs = inputs.target.entry(&origin).map_err(unreadable)?;
        let staged = theirs.is_some_and(|theirs| theirs.meta.mtime == node.entry.meta.mtime);
        let packaged = installed.claims(&origin).next().is_some();
        if staged && !packaged {
            let ours = archived.entry(&origin).map_err(unreadable)?;
            let unknown = Time { secs: 0, nanos: 0 };
            node.entry.meta.mtime = ours.map_or(unknown, |ours| ours.meta.mtime);
        }
    }
    Ok(())
}

fn make_locales(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, draft, decisions, .. } = planner;
    locales::make(inputs, draft, decisions).map_err(unreadable)
}

fn run_generators(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, installed, migrations, draft, decisions, .. } = planner;
    let due = rebuilds(migrations, inputs.target, draft, installed)?;
    decisions.commands.splice(0..0, due);
    Ok(())
}

fn split_volumes(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, draft, decisions, .. } = planner;
    match inputs.volumes {
        VolumesAs::Volumes => {
            decisions.held.extend(volumes::questions(inputs.survey));
            let split = volumes::split(inputs.survey, inputs.target, draft);
            planner.volumes = split.map_err(unreadable)?;
        }
        VolumesAs::Files => {
            decisions.held.extend(volumes::at_one_place(inputs.survey));
            let named = localhost::name_localhost(draft, inputs.target).map_err(unreadable)?;
            if let Some(path) = named {
                decisions.add(&path, "names localhost, as no engine will");
            }
        }
    }
    Ok(())
}

fn list_commands(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { decisions, imports, .. } = planner;
    let commands = decisions.commands.drain(..).chain(imports.drain(..));
    decisions.steps.extend(commands.map(Step::Run));
    Ok(())
}

fn list_checks(planner: &mut Planner<'_>) -> Result<(), Failure> {
    let Planner { inputs, installed, migrations, draft, decisions, .. } = planner;
    validators(migrations, inputs.target, draft, installed, decisions)
}
