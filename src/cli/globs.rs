//! [`Globs`]: `--exclude` and `--include` in the order in which they were given.

use clap::{Arg, ArgAction, ArgMatches, Command, Error};
use regrow::archive::UserChoice;

/// The user's globs. Of several that match a path the last one wins, so their order is part of
/// the parsed value; a field for each option would lose it.
#[derive(Clone)]
pub(crate) struct Globs(Vec<UserChoice>);

impl Globs {
    /// What the user chose, in order.
    pub(crate) fn choices(&self) -> &[UserChoice] {
        &self.0
    }
}

impl clap::Args for Globs {
    fn augment_args(command: Command) -> Command {
        let glob = |name: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name("GLOB").action(ArgAction::Append).help(help)
        };
        command
            .arg(glob("exclude", "Leave out what matches (the last matching glob wins)"))
            .arg(glob("include", "Keep what matches (the last matching glob wins)"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Globs::augment_args(command)
    }
}

impl clap::FromArgMatches for Globs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Globs, Error> {
        let mut placed = [
            of_option(matches, "exclude", UserChoice::Exclude),
            of_option(matches, "include", UserChoice::Include),
        ]
        .concat();
        placed.sort_by_key(|(index, _)| *index);
        Ok(Globs(placed.into_iter().map(|(_, choice)| choice).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Globs::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of one option, each with its place on the command line.
fn of_option(
    matches: &ArgMatches,
    name: &str,
    choice: fn(String) -> UserChoice,
) -> Vec<(usize, UserChoice)> {
    let indices = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<String>(name).into_iter().flatten();
    indices.zip(values.cloned().map(choice)).collect()
}
