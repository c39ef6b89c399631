//! The volumes of a plan: what lies in them is placed into volumes of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::service::MountKind;
use crate::survey::{MountFact, Survey};
use crate::tree::{Draft, RootPath, Tree, TreeError, escaped, real_directory};
use crate::verdict::{Held, HeldKind};

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
    /// Where it is mounted too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::restore) also: Vec<RootPath>,
    /// What is written on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::restore) labels: BTreeMap<String, String>,
    /// What the engine is told when it makes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::restore) options: BTreeMap<String, String>,
    /// Its content, paths seen from the volume's own root.
    pub(in crate::restore) content: Draft,
}

/// The volumes of the old system whose content was kept.
pub(in crate::restore) fn kept(survey: &Survey) -> impl Iterator<Item = &MountFact> {
    survey.mounts.iter().filter(|mount| mount.kept && mount.kind == MountKind::Volume)
}

/// What a person has to decide about the volumes: each becomes a directory of the engine's for this
/// container alone.
pub(in crate::restore) fn questions(survey: &Survey) -> Vec<Held> {
    let mut questions = Vec::new();
    for mount in kept(survey) {
        let Some(volume) = &mount.volume else { continue };
        let name = escaped(mount.name.as_bytes());
        if volume.is_elsewhere() {
            let driver = if volume.driver.is_empty() { "local" } else { &volume.driver };
            let options = volume.options_shown();
            let why = format!(
                "the volume at {} was made by the driver {driver} with options ({options}), and its \
                 content may be in use where that is; the new one is the engine's own and holds a \
                 copy",
                mount.destination
            );
            questions.push(Held::new(HeldKind::Volume, &name, why).was(driver));
        }
        if !volume.shared_with.is_empty() {
            let others = volume.shared_with.join(", ");
            let why = format!(
                "{others} used the volume at {} too; the new one holds a copy for this container \
                 alone",
                mount.destination
            );
            questions.push(Held::new(HeldKind::Volume, &name, why).was(others));
        }
    }
    questions
}

/// Where volumes were seen at a second place, and a root without volumes has nothing.
pub(in crate::restore) fn at_one_place(survey: &Survey) -> Vec<Held> {
    let mut questions = Vec::new();
    for mount in kept(survey) {
        for also in mount.also_at(&survey.mounts) {
            let (at, first) = (&also.destination, &mount.destination);
            let why = format!(
                "the volume at {first} was mounted here too; its files are at {first} only: mount \
                 that here, or make a link"
            );
            questions.push(Held::new(HeldKind::Volume, at, why).candidate(first));
        }
    }
    questions
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
            labels: mount.volume.as_ref().map(|v| v.labels.clone()).unwrap_or_default(),
            options: mount
                .volume
                .as_ref()
                .filter(|volume| !volume.is_elsewhere())
                .map(|volume| volume.options.clone())
                .unwrap_or_default(),
            also: mount.also_at(&survey.mounts).map(|also| also.destination.clone()).collect(),
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
    use crate::facts::VolumeFact;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftNode, Meta};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str) -> DraftNode {
        DraftNode::file(path(at), Meta::root(0o600), b"x".to_vec())
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
            volume: None,
        }
    }

    #[test]
    fn what_makes_a_volume_more_than_a_directory_is_a_question_and_no_password_is_told() {
        let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let with = |volume: VolumeFact| Survey {
            mounts: vec![MountFact {
                volume: Some(volume),
                ..mount(MountKind::Volume, "data", "/data")
            }],
            ..Survey::default()
        };
        let plain = with(VolumeFact {
            labels: texts(&[("a", "b")]),
            options: texts(&[("o", "size=1m")]),
            ..VolumeFact::default()
        });
        assert_eq!(questions(&plain), []);
        let target = MemoryTree::default().dir("/data");
        let [volume] = &split(&plain, &target, &mut Draft::default()).unwrap()[..] else {
            panic!()
        };
        assert_eq!(volume.labels, texts(&[("a", "b")]));
        assert_eq!(volume.options, texts(&[("o", "size=1m")]));
        let options =
            texts(&[("type", "cifs"), ("device", "//nas/x"), ("o", "username=u,password=hush")]);
        let shared_with = vec!["db".to_owned(), "web".to_owned()];
        let far = with(VolumeFact { options, shared_with, ..VolumeFact::default() });
        let told = questions(&far);
        assert_eq!(told.len(), 2);
        assert!(told[0].why.contains("(device=//nas/x, o, type=cifs)"), "{told:?}");
        assert!(told[1].why.starts_with("db, web used the volume at /data too"), "{told:?}");
        assert!(!format!("{told:?}").contains("hush"));
        let [volume] = &split(&far, &target, &mut Draft::default()).unwrap()[..] else { panic!() };
        assert!(volume.options.is_empty());
    }

    #[test]
    fn a_volume_that_was_mounted_twice_is_made_once_and_is_a_question_of_a_root() {
        let second = MountFact { kept: false, ..mount(MountKind::Volume, "data", "/srv/data") };
        let other = MountFact { kept: false, ..mount(MountKind::Bind, "data", "/host") };
        let mounts = vec![mount(MountKind::Volume, "data", "/data"), second, other];
        let survey = Survey { mounts, ..Survey::default() };
        let target = MemoryTree::default().dir("/data");
        let mut draft = Draft::default();
        draft.put(node("/data/a"));
        let volumes = split(&survey, &target, &mut draft).unwrap();
        let told: Vec<_> = volumes.iter().map(|v| (&*v.archived, v.also.clone())).collect();
        assert_eq!(told, [("data", vec![path("/srv/data")])]);
        let held = at_one_place(&survey);
        assert_eq!(held.len(), 1);
        assert_eq!(
            (held[0].subject.as_str(), &held[0].candidates[..]),
            ("/srv/data", &["/data".to_owned()][..])
        );
        let absent: Vec<_> = MountFact::absent(&survey.mounts).map(|m| m.name.as_str()).collect();
        assert_eq!(absent, ["data"]);
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
