//! [`SourceSpec`]: how a user names the place where a service lives.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::tree::escaped;

/// Where a service lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// A container of the Docker engine that `DOCKER_HOST` names.
    Docker(String),
    /// A container of the Podman service that `CONTAINER_HOST` names.
    Podman(String),
    /// An unpacked root.
    Rootfs(PathBuf),
    /// A tar: of a root, as `docker export` makes it, or of images, as `docker save` does. The
    /// name of one of several images can follow, after a colon.
    Tar(PathBuf),
    /// An OCI image layout, perhaps with a tag after a colon.
    Oci(PathBuf),
}

/// Why a text is not a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The part after the scheme is missing.
    #[error("nothing follows `{0}:`")]
    Empty(&'static str),
    /// An engine would not accept such a name.
    #[error("`{}` is not a container's name", escaped(.0.as_bytes()))]
    Name(String),
}

impl SourceSpec {
    /// Reads `text`: with a scheme it is a source of that kind, else a container of Docker.
    pub fn parse(text: &str) -> Result<SourceSpec, SpecError> {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme @ ("docker" | "podman" | "rootfs" | "tar" | "oci"), rest)) => {
                (scheme, rest)
            }
            _ => ("docker", text),
        };
        match (scheme, rest) {
            ("docker", "") => Err(SpecError::Empty("docker")),
            ("podman", "") => Err(SpecError::Empty("podman")),
            ("rootfs", "") => Err(SpecError::Empty("rootfs")),
            ("docker", name) => Ok(SourceSpec::Docker(container_name(name)?)),
            ("podman", name) => Ok(SourceSpec::Podman(container_name(name)?)),
            ("rootfs", dir) => Ok(SourceSpec::Rootfs(PathBuf::from(dir))),
            ("tar", "") => Err(SpecError::Empty("tar")),
            ("tar", file) => Ok(SourceSpec::Tar(PathBuf::from(file))),
            (_, "") => Err(SpecError::Empty("oci")),
            (_, dir) => Ok(SourceSpec::Oci(PathBuf::from(dir))),
        }
    }
}

/// Container names and ids are plain words for every engine; anything else (a path, an option)
/// must not travel into a request's address.
fn container_name(name: &str) -> Result<String, SpecError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.chars().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(SpecError::Name(name.to_owned()))
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceSpec::Docker(name) => write!(f, "docker:{name}"),
            SourceSpec::Podman(name) => write!(f, "podman:{name}"),
            SourceSpec::Rootfs(dir) => write!(f, "rootfs:{}", shown(dir)),
            SourceSpec::Tar(file) => write!(f, "tar:{}", shown(file)),
            SourceSpec::Oci(dir) => write!(f, "oci:{}", shown(dir)),
        }
    }
}

fn shown(path: &Path) -> String {
    escaped(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_decides_and_a_bare_name_is_a_container_of_docker() {
        assert_eq!(SourceSpec::parse("web"), Ok(SourceSpec::Docker("web".into())));
        assert_eq!(SourceSpec::parse("podman:web"), Ok(SourceSpec::Podman("web".into())));
        assert_eq!(SourceSpec::parse("rootfs:/srv/r"), Ok(SourceSpec::Rootfs("/srv/r".into())));
        assert_eq!(SourceSpec::parse("docker:"), Err(SpecError::Empty("docker")));
        assert_eq!(SourceSpec::parse("tar:x:y"), Ok(SourceSpec::Tar("x:y".into())));
        assert_eq!(SourceSpec::parse("oci:/x"), Ok(SourceSpec::Oci("/x".into())));
        for (text, scheme) in [("tar:", "tar"), ("oci:", "oci"), ("rootfs:", "rootfs")] {
            assert_eq!(SourceSpec::parse(text), Err(SpecError::Empty(scheme)));
        }
    }

    #[test]
    fn a_name_that_could_leave_its_place_in_a_request_is_refused() {
        for name in ["../x", "-rf", "--config=/etc", "a/b", "a b", "a\nb", "a?x=1"] {
            assert_eq!(SourceSpec::parse(name), Err(SpecError::Name(name.into())), "{name}");
        }
    }
}
