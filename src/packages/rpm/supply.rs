//! Which packages of a system with rpm can be had again: those that its distribution made.

use super::{Rpm, RpmPackage};
use crate::packages::supply::Proof;

/// What every system has, and only its distribution makes.
const BASE: &[&str] = &["bash", "filesystem", "glibc", "rpm", "setup"];

impl Rpm {
    /// What shows that the distribution made `package`: the record of who did, and that it is
    /// signed where the distribution signs what it makes.
    pub(crate) fn proof(&self, package: &RpmPackage) -> Proof {
        let base = || BASE.iter().flat_map(|name| self.packages_named(name));
        // A key that is trusted, on record as a package.
        if package.name == "gpg-pubkey" {
            return Proof::Shown;
        }
        let Some(own) = base().find_map(|base| base.vendor.as_ref()) else {
            return Proof::Nothing("no record says who made the distribution".to_owned());
        };
        match &package.vendor {
            None => Proof::Against("no record says who made it".to_owned()),
            Some(vendor) if vendor != own => Proof::Against(format!("{vendor} made it, not {own}")),
            Some(_) if !package.signed && base().all(|base| base.signed) => {
                Proof::Against(format!("it is not signed, as what {own} made is"))
            }
            Some(_) => Proof::Shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::index::Index;
    use crate::packages::records::Records;
    use crate::tree::memory::MemoryTree;

    fn package(name: &str, vendor: &str, signed: bool) -> RpmPackage {
        RpmPackage {
            name: name.to_owned(),
            epoch: None,
            version: "1".to_owned(),
            release: "1".to_owned(),
            arch: "noarch".to_owned(),
            source: None,
            vendor: Some(vendor.to_owned()).filter(|vendor| !vendor.is_empty()),
            signed,
            auto: false,
            requires: vec![],
            recommends: vec![],
            provides: vec![],
            files: vec![],
        }
    }

    fn shown(base: RpmPackage, package: &RpmPackage) -> Option<bool> {
        let tree = MemoryTree::default();
        let mut records = Records::new(&tree);
        let packages = vec![base];
        let index = Index::build(&mut records, &packages);
        match (Rpm { packages, problems: vec![], index }).proof(package) {
            Proof::Shown => Some(true),
            Proof::Against(_) => Some(false),
            Proof::Nothing(_) => None,
        }
    }

    #[test]
    fn what_the_distribution_made_can_be_had_again_and_a_vendors_package_cannot() {
        let base = || package("bash", "Fedora Project", true);
        assert_eq!(shown(base(), &package("nginx", "Fedora Project", true)), Some(true));
        assert_eq!(shown(base(), &package("tool", "Vendor Inc.", true)), Some(false));
        assert_eq!(shown(base(), &package("mine", "", false)), Some(false));
        assert_eq!(shown(base(), &package("nginx", "Fedora Project", false)), Some(false));
        let unsigned = package("bash", "CentOS", false);
        assert_eq!(shown(unsigned, &package("nginx", "CentOS", false)), Some(true));
    }

    #[test]
    fn without_a_record_of_who_made_the_base_nothing_is_known() {
        assert_eq!(shown(package("bash", "", true), &package("tool", "Vendor", true)), None);
    }
}
