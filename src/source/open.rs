//! Opening a source: which kind it is, and the unpacked root among the kinds.

use std::path::Path;
use std::sync::Arc;

use super::{OpenOptions, Source, SourceSpec, container, stored};
use crate::failure::{Failure, FailureKind};
use crate::monitor::Monitor;
use crate::tree::{RootPath, Rootfs};

impl Source {
    /// Opens what `spec` names. Contents that have to be copied to be read go into unlinked files
    /// in `scratch`.
    ///
    /// # Errors
    /// No such container or directory, a running container (precondition); no engine
    /// (environment).
    pub fn open(
        spec: &SourceSpec,
        options: &OpenOptions,
        scratch: &Path,
        monitor: &dyn Monitor,
    ) -> Result<Source, Failure> {
        match spec {
            SourceSpec::Rootfs(dir) => Source::open_rootfs(spec, dir, options),
            SourceSpec::Docker(_) | SourceSpec::Podman(_) => {
                container::open(spec, options, scratch, monitor)
            }
            SourceSpec::Tar(file) => stored::open_tar(spec, file, options, scratch, monitor),
            SourceSpec::Oci(dir) => stored::open_oci(spec, dir, options, scratch, monitor),
        }
    }

    fn open_rootfs(
        spec: &SourceSpec,
        dir: &Path,
        options: &OpenOptions,
    ) -> Result<Source, Failure> {
        let failed = || Failure::new(FailureKind::Precondition, "opening", spec.to_string());
        if options.base.is_some() {
            return Err(Failure::new(FailureKind::Usage, "opening", spec.to_string())
                .why("--base names an image, and an unpacked root has none")
                .next("leave --base out"));
        }
        let rootfs = Rootfs::open(dir).map_err(|e| {
            failed().why("the directory cannot be opened").because(e).next("name an unpacked root")
        })?;
        let rootfs = Arc::new(rootfs);
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let on_disk = vec![(RootPath::root(), rootfs.clone())];
        Ok(Source { on_disk, ..Source::new(spec, name, rootfs) })
    }
}
