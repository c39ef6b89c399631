//! Which packages of a system with apk can be had again: those from its distribution's repositories.

use super::{Apk, ApkPackage};
use crate::packages::supply::Proof;

/// What the distribution's repositories are called: `…/v3.20/main`, `…/edge/community`.
const COMPONENTS: &[&str] = &["main", "community", "testing", "releases", "non-free"];

impl Apk {
    /// What shows that `package` came from a repository of the distribution: no record says of a
    /// package where it came from, so that all named repositories are the distribution's.
    pub(crate) fn proof(&self, package: &ApkPackage) -> Proof {
        let from_file = self
            .world
            .iter()
            .any(|wanted| wanted.name == package.name && wanted.version.starts_with("><"));
        if from_file {
            return Proof::Against("it was installed from a file".to_owned());
        }
        let (own, foreign): (Vec<_>, Vec<_>) =
            self.repositories.iter().partition(|repository| is_own(&repository.address));
        if let Some(tag) = &package.tag
            && foreign.iter().any(|repository| repository.tag.as_ref() == Some(tag))
        {
            return Proof::Against(format!(
                "it may come from a repository of somebody else, @{tag}"
            ));
        }
        if own.is_empty() {
            return Proof::Nothing("no repository of the distribution is named".to_owned());
        }
        match foreign.iter().find(|repository| repository.tag.is_none()) {
            Some(other) => Proof::Nothing(format!("it may come from {}", other.address)),
            None => Proof::Shown,
        }
    }
}

fn is_own(address: &str) -> bool {
    let mut parts = address.trim_end_matches('/').rsplit('/');
    let (component, release) = (parts.next(), parts.next());
    let numbered = |release: &str| {
        release.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    address.contains("://")
        && component.is_some_and(|name| COMPONENTS.contains(&name))
        && release.is_some_and(|name| numbered(name) || ["edge", "latest-stable"].contains(&name))
        && parts.any(|part| part == "alpine" || part.ends_with("alpinelinux.org"))
}

#[cfg(test)]
mod tests {
    use crate::packages::supply::{Distribution, Supply};
    use crate::tree::memory::MemoryTree;

    const MAIN: &str = "https://mirror.example/alpine/v3.20/main\n";

    /// What is gone, and how many packages nothing is known of.
    fn gone(repositories: &str, world: &str) -> (Vec<String>, usize) {
        let package =
            |name: &str, more: &str| format!("C:Q1x=\nP:{name}\nV:1-r0\nA:x86_64\n{more}\n");
        let installed = package("busybox", "") + &package("tool", "") + &package("far", "s:far\n");
        let tree = MemoryTree::default()
            .file("/lib/apk/db/installed", installed)
            .file("/etc/apk/world", world)
            .file("/etc/apk/repositories", repositories);
        let installed = crate::packages::Installed::load(&tree).unwrap();
        let all = installed.supply(&tree, &Distribution::default()).unwrap();
        let Supply { gone, unknown } = all.into_values().next().unwrap();
        (gone.into_keys().collect(), unknown)
    }

    #[test]
    fn a_package_from_a_file_or_of_somebodys_tag_cannot_be_had_again() {
        assert_eq!(gone(MAIN, "busybox\nfar\n"), (vec![], 0));
        assert_eq!(gone(MAIN, "busybox\ntool><Q1x=\n"), (vec!["tool".to_owned()], 0));
        let far = format!("{MAIN}@far https://vendor.example/packages\n");
        assert_eq!(gone(&far, "busybox\nfar@far\n"), (vec!["far".to_owned()], 0));
    }

    #[test]
    fn where_any_package_may_be_somebody_elses_nothing_is_known() {
        let both = format!("{MAIN}https://vendor.example/packages\n");
        assert_eq!(gone(&both, "tool><Q1x=\n"), (vec!["tool".to_owned()], 2));
        assert_eq!(gone("", "busybox\n"), (vec![], 3));
    }
}
