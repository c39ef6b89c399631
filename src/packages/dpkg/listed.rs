//! What packages once listed, in the layers that a tree is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::admin::admin;
use crate::tree::{Kind, RootPath, Tree, TreeError, read_file, resolve};

/// Limit for one package's list of files.
const LIST_LIMIT: u64 = 64 * 1024 * 1024;

/// Every path in a package's file list in any of `layers`, the states that a tree has had; names as
/// `whole` resolves them.
///
/// # Errors
/// A layer, or the whole, cannot be listed.
pub(crate) fn ever_listed(
    layers: &[Arc<dyn Tree>],
    whole: &dyn Tree,
) -> Result<BTreeSet<RootPath>, TreeError> {
    let (mut owned, info) = (BTreeSet::new(), admin(b"info"));
    for layer in layers {
        for entry in layer.children(&info)? {
            if !entry.path.name().ends_with(b".list") {
                continue;
            }
            // A list that cannot be read only means that a removal counts as made by hand.
            let Ok(Some(list)) = read_file(&**layer, &entry.path, LIST_LIMIT) else { continue };
            for line in list.split(|&b| b == b'\n').filter(|line| line.first() == Some(&b'/')) {
                if let Ok(path) = RootPath::parse(line) {
                    owned.insert(path);
                }
            }
        }
    }
    // The lists say /bin/x where a merged /usr has /usr/bin/x.
    let aliases: Vec<(RootPath, RootPath)> = whole
        .children(&RootPath::root())?
        .into_iter()
        .filter(|entry| matches!(entry.kind, Kind::Symlink { .. }))
        .filter_map(|entry| {
            let target = resolve(whole, &entry.path).ok()??;
            Some((entry.path, target))
        })
        .collect();
    let aliased: Vec<RootPath> = owned
        .iter()
        .filter_map(|path| {
            aliases.iter().find_map(|(from, to)| path.strip_prefix(from).map(|rest| to.join(&rest)))
        })
        .collect();
    owned.extend(aliased);
    Ok(owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn what_any_layer_lists_was_listed_by_its_name_in_the_whole() {
        let layer = |list: &str| -> Arc<dyn Tree> {
            Arc::new(MemoryTree::default().file("/var/lib/dpkg/info/app.list", list))
        };
        let whole = MemoryTree::default().dir("/usr/bin").link("/bin", "usr/bin");
        let layers = [layer("/.\n/bin/old\nnonsense\n"), layer("/usr/bin/new\n")];
        let listed = ever_listed(&layers, &whole).unwrap();
        let shown: Vec<String> = listed.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["/", "/bin/old", "/usr/bin/new", "/usr/bin/old"]);
    }
}
