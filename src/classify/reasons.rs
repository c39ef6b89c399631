//! The reasons that evidence of other rooms amounts to.

use super::evidence::{Statement, Template};
use crate::declared::{Author, Nature, Switch};
use crate::environments::{Part, PartOf};
use crate::verdict::Reason;

impl From<&Statement> for Reason {
    fn from(said: &Statement) -> Reason {
        match said {
            Statement::Declared(nature, author) => declared(*nature, author),
            Statement::Switch(Switch::Recorded) => Reason::SwitchedByPackage,
            Statement::Switch(Switch::Preset) => Reason::SwitchedByPreset,
            Statement::Switch(Switch::Header) => Reason::SwitchedByHeader,
            Statement::Switch(Switch::ByHand) => Reason::SwitchedByHand,
            Statement::Ghost(package) => Reason::Ghost { package: package.clone() },
            Statement::Ucf(package) => Reason::UcfWritten { package: package.clone() },
        }
    }
}

fn declared(nature: Nature, author: &Author) -> Reason {
    let Author { by, file, package } = author.clone();
    let (word, by) = (nature.word().into(), by.into());
    match package {
        Some(package) if nature == Nature::State && by == "purge" => {
            Reason::RemovedByPurge { package }
        }
        Some(package) => Reason::DeclaredByPackage { nature: word, by, file, package },
        None => Reason::Declared { nature: word, by, file },
    }
}

impl From<&Template> for Reason {
    fn from(template: &Template) -> Reason {
        match template {
            Template::File(path) => Reason::TemplateCopy { template: path.clone() },
            Template::Script => Reason::ScriptCopy,
        }
    }
}

impl From<&PartOf> for Reason {
    fn from(found: &PartOf) -> Reason {
        let root = (*found.root).clone();
        match &found.part {
            Part::Root => Reason::EnvironmentRoot,
            Part::Made => Reason::EnvironmentMade { root },
            Part::Installed { package, unchanged: true, .. } => {
                Reason::EnvironmentInstalled { root, package: package.to_string() }
            }
            Part::Installed { package, unchanged: false, .. } => {
                Reason::EnvironmentChanged { root, package: package.to_string() }
            }
            Part::Edited => Reason::EnvironmentEdited { root },
            Part::NoIndex { package, why } => Reason::EnvironmentNoIndex {
                root,
                package: package.to_string(),
                why: (*why).to_owned(),
            },
            Part::Own { among: Some(package) } => {
                Reason::EnvironmentAmong { root, package: package.to_string() }
            }
            Part::Own { among: None } => Reason::EnvironmentOwn { root },
            Part::Whole { why } => Reason::EnvironmentWhole { root, why: why.to_string() },
        }
    }
}
