//! Opening what lies in files: a tar of a root, a saved image, an OCI layout.
//!
//! What a tar holds is told by its content, never by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::findings::left_out;
use super::opened::Opened;
use super::shelf::{Files, Shelf, StoredError};
use super::stored_image::StoredImage;
use super::{Beneath, OpenOptions, Source, SourceSpec, oci, saved};
use crate::cancel::Cancel;
use crate::engine::settings::for_bundle;
use crate::failure::{Failure, FailureKind, check_cancelled};
use crate::image::{Fidelity, ImageView, Told};
use crate::monitor::Monitor;
use crate::pax::TarTree;
use crate::tree::{LayerStack, RootPath, Rootfs, Tree, escaped};

/// What every tar of a file tree lacks.
const NO_IMAGE: &str = "a tar of a file tree has no image, volumes or settings: a path of a package \
     of which only owner, mode, attributes or the target of a link was changed passes for the \
     package's own, and a directory of a package whose owner or mode is not the usual one is kept";

/// What every image lacks.
const NO_CONTAINER: &str = "an image has no container: what a container would have of its own \
     (volumes, published ports, networks, limits) is not there";

/// What an image lacks that was made of a container.
const COMMITTED: &str = "the image was committed from a container, as its history says: its topmost \
     layer counts as that container's life, and what of its settings the container was given cannot \
     be told from what its image had";

/// Files that engines write into the containers they make.
const CONTAINER_MARKS: [&[u8]; 2] = [b"/.dockerenv", b"/run/.containerenv"];

/// Files that a bundle has at its top.
const BUNDLE_MARKS: [&[u8]; 3] = [b"/manifest.json", b"/SHA256SUMS", b"/restore.sh"];

/// Opens the tar that `name` leads to.
pub(super) fn open_tar(
    spec: &SourceSpec,
    name: &Path,
    options: &OpenOptions,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Source, Failure> {
    refuse_base(spec, options)?;
    let (path, wanted) = split(name, &|path| path.exists());
    let file = Opened::new(spec, &path)?;
    monitor.phase("reading the tar");
    let cancel = monitor.cancel();
    let read = || {
        let tree = Arc::new(file.tree(scratch, cancel)?);
        let shelf = Shelf::new(Files::Tar(tree.clone()), cancel.clone());
        let image = if let Some(images) = saved::index(&shelf)? {
            saved::read(&shelf, &images, wanted.as_deref(), scratch)?
        } else if oci::is_layout(&shelf)? {
            oci::read(&shelf, wanted.as_deref(), scratch)?
        } else {
            return of_tree(spec, stem(&path), &tree, wanted.as_deref());
        };
        Ok(of_image(spec, stem(&path), &image))
    };
    let mut source = read().map_err(|e| {
        // What was read while somebody wrote can be anything.
        let place = SourceSpec::Tar(path.clone());
        file.check_unchanged(spec).err().unwrap_or_else(|| failure(cancel, spec, &place, e))
    })?;
    file.check_unchanged(spec)?;
    source.file = Some(file);
    Ok(source)
}

/// Opens the OCI layout that `name` leads to.
pub(super) fn open_oci(
    spec: &SourceSpec,
    name: &Path,
    options: &OpenOptions,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Source, Failure> {
    refuse_base(spec, options)?;
    let (path, wanted) = split(name, &|path| path.is_dir());
    let rootfs = Rootfs::open(&path).map_err(|e| {
        Failure::new(FailureKind::Precondition, "opening", spec.to_string())
            .why("the directory cannot be opened")
            .because(e)
            .next("name the directory of an OCI layout, and an image in it as oci:DIR:TAG")
    })?;
    monitor.phase("reading the image");
    let shelf = Shelf::new(Files::Dir(rootfs), monitor.cancel().clone());
    let read = || {
        if !oci::is_layout(&shelf)? {
            let why = "the directory holds no OCI layout: there is no `oci-layout` in it";
            return Err(StoredError::Malformed(why.to_owned()));
        }
        Ok(of_image(spec, stem(&path), &oci::read(&shelf, wanted.as_deref(), scratch)?))
    };
    read().map_err(|e| failure(monitor.cancel(), spec, &SourceSpec::Oci(path.clone()), e))
}

/// A tar of a file tree.
fn of_tree(
    spec: &SourceSpec,
    name: String,
    tree: &Arc<TarTree>,
    wanted: Option<&str>,
) -> Result<Source, StoredError> {
    if wanted.is_some() {
        return Err(StoredError::Malformed(
            "it is a tar of a file tree, without images".to_owned(),
        ));
    }
    if tree.children(&RootPath::root())?.is_empty() {
        return Err(StoredError::Malformed("the tar holds nothing".to_owned()));
    }
    let there = |marks: &[&[u8]]| marks.iter().filter(|mark| is_file(tree, mark)).count();
    if there(&BUNDLE_MARKS) == BUNDLE_MARKS.len() {
        let why = "it is a bundle of regrow: name it without `tar:`";
        return Err(StoredError::Malformed(why.to_owned()));
    }
    let in_container = there(&CONTAINER_MARKS) > 0;
    let mut source = Source::new(spec, name, tree.clone());
    source.in_container = in_container;
    source.left_out = left_out([&**tree]);
    source.limitations.push(NO_IMAGE.to_owned());
    if in_container {
        let lacks = Told::of(&**tree)?.lacks();
        source
            .limitations
            .push(format!("an engine's export of a container has {lacks} and no sockets"));
    }
    if tree.implied(&RootPath::root()) {
        source.limitations.push(
            "the tar does not mention its root directory: it belongs to root, with mode 0755 and \
             time 0"
                .to_owned(),
        );
    }
    let mut implied = tree.implied_dirs().filter(|dir| !dir.is_root());
    if let Some(first) = implied.next() {
        source.limitations.push(format!(
            "the tar does not mention {} directories, such as {first}: they belong to root, with \
             mode 0755 and time 0",
            implied.count() + 1
        ));
    }
    Ok(source)
}

fn is_file(tree: &TarTree, path: &[u8]) -> bool {
    let entry = RootPath::parse(path).ok().and_then(|path| tree.entry(&path).ok().flatten());
    entry.is_some_and(|entry| entry.kind.is_file())
}

/// An image without a container.
fn of_image(spec: &SourceSpec, name: String, image: &StoredImage) -> Source {
    let layers = image.layers();
    let count = image.beneath();
    let trees = layers.iter().take(count).map(|layer| layer.tree.clone()).collect();
    let below = Arc::new(LayerStack::new(layers.iter().take(count).cloned().collect()));
    let committed = count < layers.len();
    let stack = Arc::new(LayerStack::new(layers));
    let settings = for_bundle(image.settings(&name));
    let mut source = Source::new(spec, name, stack.clone());
    source.in_container = true;
    source.image = Some(ImageView::new(stack, count, Fidelity::Exact));
    source.layers = trees;
    source.settings = settings;
    source.left_out = left_out(image.trees.iter().map(|tree| &**tree));
    source.limitations.push(NO_CONTAINER.to_owned());
    if committed {
        source.limitations.push(COMMITTED.to_owned());
    }
    source.beneath = Some(Beneath { fact: image.fact(), tree: below });
    source
}

fn refuse_base(spec: &SourceSpec, options: &OpenOptions) -> Result<(), Failure> {
    if options.base.is_none() {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Usage, "opening", spec.to_string())
        .why("--base names an image of an engine, and what lies in a file has none")
        .next("leave --base out"))
}

/// Divides `name` into the file and what follows a colon, where the whole is no file by itself.
fn split(name: &Path, exists: &dyn Fn(&Path) -> bool) -> (PathBuf, Option<String>) {
    let bytes = name.as_os_str().as_bytes();
    let whole = || (name.to_owned(), None);
    if exists(name) {
        return whole();
    }
    let colons = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b':');
    let mut parts = colons.map(|(at, _)| (Path::new(OsStr::from_bytes(&bytes[..at])), at));
    match parts.find(|(path, _)| exists(path)) {
        Some((path, at)) => {
            (path.to_owned(), Some(String::from_utf8_lossy(&bytes[at + 1..]).into_owned()))
        }
        None => whole(),
    }
}

/// The name of a file without what tars are called by.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let ends = [".tar", ".tar.gz", ".tgz", ".tar.zst"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end)).filter(|stem| !stem.is_empty());
    stem.unwrap_or(&name).to_owned()
}

/// `place` is what was named without the name of an image.
fn failure(cancel: &Cancel, spec: &SourceSpec, place: &SourceSpec, error: StoredError) -> Failure {
    // A stream that ends because of it ends like a broken one.
    if let Err(cancelled) = check_cancelled(cancel, "reading", &spec.to_string()) {
        return cancelled;
    }
    let failure = Failure::new(error.kind(), "reading", spec.to_string())
        .safe("the source is untouched, nothing was published")
        .next(error.advice());
    match &error {
        StoredError::Choice { why, names } if !names.is_empty() => {
            let names: Vec<String> = names.iter().map(|name| escaped(name.as_bytes())).collect();
            failure
                .why(format!("{why}: {}", names.join(", ")))
                .next(format!("name one of them after a colon, such as {place}:{}", names[0]))
        }
        _ => failure.because(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::monitor::Silent;

    #[test]
    fn a_file_that_is_written_to_is_no_longer_what_was_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.tar");
        let mut tar = tar::Builder::new(vec![]);
        let mut header = tar::Header::new_ustar();
        header.set_size(4);
        tar.append_data(&mut header, "a", &b"data"[..]).unwrap();
        std::fs::write(&path, tar.into_inner().unwrap()).unwrap();
        let spec = SourceSpec::Tar(path.clone());
        let options = OpenOptions::default();
        let source = Source::open(&spec, &options, dir.path(), &Silent).unwrap();
        assert_eq!(source.name(), "web");
        source.check_unchanged().unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"x").unwrap();
        assert_eq!(source.check_unchanged().unwrap_err().kind(), FailureKind::Precondition);
    }

    #[test]
    fn an_image_is_named_after_a_colon_of_what_exists() {
        let there = ["/a", "/a:b", "/x.tar"];
        let exists = |path: &Path| there.contains(&path.to_str().unwrap());
        let parts = |name: &str| {
            let (path, image) = split(Path::new(name), &exists);
            (path.to_str().unwrap().to_owned(), image)
        };
        let found = |path: &str, image: Option<&str>| (path.to_owned(), image.map(str::to_owned));
        assert_eq!(parts("/a:c"), found("/a", Some("c")));
        assert_eq!(parts("/a:b"), found("/a:b", None));
        assert_eq!(parts("/a:b:c"), found("/a:b", Some("c")));
        assert_eq!(parts("/x.tar:debian:11"), found("/x.tar", Some("debian:11")));
        assert_eq!(parts("/none:debian:11"), found("/none:debian:11", None));
    }

    #[test]
    fn a_service_is_called_as_its_file_without_what_says_tar() {
        let names = ["/x/web.tar", "web.tar.gz", "web.1", ".tar", "web.tar.zst", "web.tgz"];
        let stems = ["web", "web", "web.1", ".tar", "web", "web"];
        assert_eq!(names.map(|name| stem(Path::new(name))), stems);
    }
}
