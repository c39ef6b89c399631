//! The volumes of a plan: what lies in them is placed into volumes of their own.

use serde::{Deserialize, Serialize};

use crate::service::MountKind;
use crate::survey::{MountFact, Survey};
use crate::tree::{Draft, RootPath, Tree, TreeError, real_directory};

/// A volume to make and fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct VolumePlan {
    /// The archived volume's name.
    pub(in crate::restore) archived: String,
    /// Whether it comes back without a name of its own.
    pub(in crate::restore) anonymous: bool,
    /// Where it is mounted.
    pub(in crate::restore) destination: RootPath,
    /// How the container's settings call that place.
    pub(in crate::restore) asked: RootPath,
    /// Its content, paths seen from the volume's own root.
    pub(in crate::restore) content: Draft,
}

/// The volumes of the old system whose content was kept.
pub(in crate::restore) fn kept(survey: &Survey) -> impl Iterator<Item = &MountFact> {
    survey.mounts.iter().filter(|mount| mount.kept && mount.kind == MountKind::Volume)
}

/// Takes what lies in volumes out of the settled draft.
pub(in crate::restore) fn split(
    survey: &Survey,
    target: &dyn Tree,
    draft: &mut Draft,
) -> Result<Vec<VolumePlan>, TreeError> {
    let mut mounts: Vec<&MountFact> = kept(survey).collect();
    // A volume inside a volume takes its part first.
    mounts.sort_by(|a, b| b.destination.cmp(&a.destination));
    let mut volumes: Vec<VolumePlan> = Vec::new();
    for mount in mounts {
        let place = real_directory(target, &mount.destination)?;
        let mut content = Draft::default();
        for mut node in draft.take(&place) {
            if let Some(below) = node.entry.path.strip_prefix(&place) {
                node.entry.path = below;
                content.put(node);
            }
        }
        volumes.push(VolumePlan {
            archived: mount.name.clone(),
            anonymous: mount.anonymous,
            destination: mount.destination.clone(),
            asked: mount.asked.clone().unwrap_or_else(|| mount.destination.clone()),
            content,
        });
    }
    volumes.reverse();
    Ok(volumes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftContent, DraftNode, Entry, Kind, Meta, Time, Xattrs};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str) -> DraftNode {
        let mtime = Time { secs: 0, nanos: 0 };
        let meta = Meta { mode: 0o600, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() };
        let kind = Kind::File { size: 1 };
        let entry = Entry { path: path(at), kind, meta, ctime: None, links: None };
        DraftNode { entry, content: DraftContent::Bytes(b"x".to_vec()) }
    }

    fn paths(draft: &Draft) -> Vec<String> {
        draft.nodes().map(|node| node.entry.path.to_string()).collect()
    }

    fn mount(kind: MountKind, name: &str, at: &str) -> MountFact {
        MountFact {
            kind,
            name: name.to_owned(),
            destination: path(at),
            asked: None,
            anonymous: name == "anonymous",
            kept: true,
        }
    }

    #[test]
    fn a_volume_takes_its_files_and_one_inside_another_takes_its_own_first() {
        let target = MemoryTree::default().dir("/data").link("/var/old", "../data");
        let survey = Survey {
            mounts: vec![
                mount(MountKind::Volume, "outer", "/var/old"),
                mount(MountKind::Volume, "anonymous", "/var/old/sub"),
                mount(MountKind::Bind, "/host", "/etc"),
            ],
            ..Survey::default()
        };
        let mut draft = Draft::default();
        for at in ["/data/a", "/data/sub/b", "/etc/c", "/database"] {
            draft.put(node(at));
        }
        let volumes = split(&survey, &target, &mut draft).unwrap();
        let told: Vec<_> =
            volumes.iter().map(|v| (v.archived.as_str(), v.anonymous, paths(&v.content))).collect();
        assert_eq!(
            told,
            [("outer", false, vec!["/a".to_owned()]), ("anonymous", true, vec!["/b".to_owned()]),]
        );
        assert_eq!(paths(&draft), ["/database", "/etc/c"]);
    }
}
