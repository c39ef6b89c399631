//! [`Family`]: what a family of distributions does in its own way.
//!
//! A family is asked twice. On the way out it reads what somebody decided about packages; on the
//! way in it checks the new system, says what can be had there, installs it, and carries those
//! decisions over. What a family decides is returned as values; what becomes of them in a plan is
//! the restore's own business. Each family is a folder here, and its records of packages are read
//! beside the others' in [`crate::packages`].

mod carried;
mod debian;
mod offered;
mod seam;

pub(crate) use carried::Act;
pub(crate) use offered::Offered;
#[cfg(test)]
pub(crate) use offered::Taken;
pub(crate) use seam::{Family, New, Order, Refused};

use seam::refused;

use crate::failure::Failure;
use crate::packages::Manager;
use crate::survey::Survey;

/// All families, that first which bundles are of that name none.
const FAMILIES: &[&dyn Family] = &[&debian::Debian];

/// The family whose systems are made with `manager`; `None` where there is none yet.
pub(crate) fn of(manager: Manager) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.manager() == manager)
}

/// The family that a bundle of `survey` is restored by.
///
/// # Errors
/// There is none for systems of its kind yet (precondition).
pub(crate) fn of_bundle(survey: &Survey) -> Result<&'static dyn Family, Failure> {
    let manager = survey.manager.as_str();
    let found = match manager {
        "" => FAMILIES.first(),
        _ => FAMILIES.iter().find(|family| family.manager().to_string() == manager),
    };
    found.copied().ok_or_else(|| {
        let known: Vec<String> = FAMILIES.iter().map(|f| f.manager().to_string()).collect();
        let known = known.join(", ");
        refused(format!(
            "the bundle is of a system of {manager}, and restores are for systems of {known} so far"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    #[test]
    fn a_bundle_of_another_managers_system_is_refused_and_one_of_before_is_not() {
        let of = |manager: &str| {
            let survey = Survey { manager: manager.to_owned(), ..Survey::default() };
            of_bundle(&survey).map(Family::manager)
        };
        assert_eq!(of("").ok(), Some(Manager::Dpkg));
        assert_eq!(of("dpkg").ok(), Some(Manager::Dpkg));
        let failure = of("rpm").unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Precondition);
        assert!(
            failure.to_string().contains("of a system of rpm, and restores are for systems of")
        );
    }
}
