//! The scripts that a [`Rule`] names, wherever it names them.

use super::change::Step;
use super::command::{Check, Database, Export, Import, Rebuild, Source, Stop, Validator};
use super::model::Rule;

impl Database {
    fn sources(&mut self) -> impl Iterator<Item = Source<'_>> {
        let exports = self.export.iter_mut().filter_map(Export::source);
        let imports = self.import.iter_mut().filter_map(Import::source);
        let check = self.check.as_mut().and_then(Check::source);
        let stop = self.stop.as_mut().and_then(Stop::source);
        exports.chain(imports).chain(check).chain(stop)
    }
}

impl Rule {
    /// Every script that the rule names.
    pub(super) fn sources(&mut self) -> impl Iterator<Item = Source<'_>> {
        let steps = self.transitions.iter_mut().flat_map(|transition| &mut transition.steps);
        let steps = steps.filter_map(|step| match step {
            Step::Run(run) => run.source(),
            _ => None,
        });
        let databases = self.databases.iter_mut().flat_map(Database::sources);
        let rebuilds = self.rebuild.iter_mut().filter_map(Rebuild::source);
        let validators = self.validate.iter_mut().filter_map(Validator::source);
        databases.chain(steps).chain(rebuilds).chain(validators)
    }
}
