//! The pristine text of an edited configuration file: what it was before somebody changed it.
//!
//! It is the base of a three-way merge, and the old system may be the last place where it can be
//! had. It counts as found only when its digest is the one that the package manager recorded, or
//! when a rule names the template that the file is a copy of.

use std::io::Read;

use md5::{Digest, Md5};

use crate::bundle::ITSELF;
use crate::image::ImageView;
use crate::layout::LayoutMatcher;
use crate::packages::{Digest as RecordedDigest, Installed, Md5 as Recorded};
use crate::tree::{Entry, RootPath, Tree, TreeError, read_file};
use crate::verdict::{Origin, Reason, Worth};

/// Largest configuration file whose pristine text is kept, in bytes.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What a file was before somebody changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pristine {
    /// Another text.
    Text {
        /// The text.
        bytes: Vec<u8>,
        /// Where it was found: `image`, `ucf` or `template`; of an unedited file one of the words
        /// of `defaults`.
        found: &'static str,
    },
    /// The same: only owner, mode or attributes were changed.
    Itself,
}

impl Pristine {
    /// Where it was found, as a manifest says it.
    pub fn found(&self) -> &'static str {
        match self {
            Pristine::Text { found, .. } => found,
            Pristine::Itself => ITSELF,
        }
    }

    /// Whether both are the same text, wherever they were found.
    fn is_like(&self, other: &Pristine) -> bool {
        match (self, other) {
            (Pristine::Text { bytes, .. }, Pristine::Text { bytes: others, .. }) => bytes == others,
            (one, other) => one == other,
        }
    }
}

/// What is known of a file's earlier texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// What its package had there, or where no package tells what it was, its image.
    pub(super) pristine: Option<Pristine>,
    /// What the image had there when the container's life began, where that is something else.
    pub(super) of_image: Option<Pristine>,
}

/// Where pristine texts are looked for.
pub(super) struct Places<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) installed: &'a Installed,
    pub(super) image: Option<&'a ImageView>,
    pub(super) rules: &'a LayoutMatcher,
}

impl Places<'_> {
    /// The earlier texts of `entry`, a file from `origin` that is kept for `reason`, where they can
    /// be had.
    pub(super) fn find(
        &self,
        entry: &Entry,
        reason: &Reason,
        origin: Origin,
    ) -> Result<Texts, TreeError> {
        if !entry.kind.is_file() {
            return Ok(Texts::default());
        }
        let pristine = self.pristine(entry, reason)?;
        if origin != Origin::Container || entry.kind.size() > LIMIT {
            return Ok(Texts { pristine, of_image: None });
        }
        let of_image = self.of_image(&entry.path)?;
        Ok(match (pristine, of_image) {
            (None, of_image) if !self.has_packages_text(&entry.path, reason) => {
                Texts { pristine: of_image, of_image: None }
            }
            (Some(pristine), Some(of_image)) if pristine.is_like(&of_image) => {
                Texts { pristine: Some(pristine), of_image: None }
            }
            (pristine, of_image) => Texts { pristine, of_image },
        })
    }

    /// Whether a package had a text at `path`, found or not.
    fn has_packages_text(&self, path: &RootPath, reason: &Reason) -> bool {
        match reason {
            Reason::ConffileEdited { .. }
            | Reason::UcfEdited
            | Reason::Rule { worth: Worth::TemplateCopy, .. } => true,
            Reason::PackageFileChanged { .. } => self.packaged(path).is_some(),
            _ => false,
        }
    }

    /// The text that a package had at the path of `entry`.
    fn pristine(&self, entry: &Entry, reason: &Reason) -> Result<Option<Pristine>, TreeError> {
        let path = &entry.path;
        match reason {
            // Its own text is the package's: the new package's text takes its place.
            Reason::PackageMetaChanged { .. }
            | Reason::PackageMetaUnrecorded { .. }
            | Reason::MetaChanged => Ok(Some(Pristine::Itself)),
            _ if entry.kind.size() > LIMIT => Ok(None),
            Reason::ConffileEdited { .. } => self.in_image(path, self.installed.baseline(path)),
            Reason::UcfEdited => self.ucf(path),
            Reason::Rule { worth: Worth::TemplateCopy, .. } => self.template(path),
            Reason::PackageFileChanged { .. } => self.in_image(path, self.packaged(path)),
            _ => Ok(None),
        }
    }

    /// The digest that a package recorded of the file at `path`.
    fn packaged(&self, path: &RootPath) -> Option<RecordedDigest> {
        self.installed.claims(path).next()?.digest
    }

    fn ucf(&self, path: &RootPath) -> Result<Option<Pristine>, TreeError> {
        let generated = self.installed.generated(path);
        let Some((digest, copy)) = generated.and_then(|g| Some((g.digest?, g.copy))) else {
            return Ok(None);
        };
        if let Some(copy) = copy
            && let Some(bytes) = read_file(self.tree, &copy, LIMIT)?
            && recorded(&bytes) == digest
        {
            return Ok(Some(Pristine::Text { bytes, found: "ucf" }));
        }
        self.in_image(path, Some(RecordedDigest::Md5(digest)))
    }

    /// The text that the image has at `path`.
    fn of_image(&self, path: &RootPath) -> Result<Option<Pristine>, TreeError> {
        let Some(image) = self.image else { return Ok(None) };
        let Some(mut content) = image.versions(path, LIMIT)?.into_iter().next() else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        content
            .read_to_end(&mut bytes)
            .map_err(|e| TreeError::io("reading the image's", path, e))?;
        if bytes.contains(&0) {
            return Ok(None);
        }
        let same = read_file(self.tree, path, LIMIT)?.is_some_and(|ours| ours == bytes);
        Ok(Some(if same { Pristine::Itself } else { Pristine::Text { bytes, found: "image" } }))
    }

    fn template(&self, path: &RootPath) -> Result<Option<Pristine>, TreeError> {
        let Some(template) = self.rules.matches(path).and_then(|found| found.template) else {
            return Ok(None);
        };
        let found = read_file(self.tree, template, LIMIT)?;
        Ok(found.map(|bytes| Pristine::Text { bytes, found: "template" }))
    }

    /// The file as some layer of the image held it, if that was the recorded one.
    fn in_image(
        &self,
        path: &RootPath,
        digest: Option<RecordedDigest>,
    ) -> Result<Option<Pristine>, TreeError> {
        let (Some(image), Some(digest)) = (self.image, digest) else { return Ok(None) };
        for mut content in image.versions(path, LIMIT)? {
            let mut bytes = Vec::new();
            content
                .read_to_end(&mut bytes)
                .map_err(|e| TreeError::io("reading the image's", path, e))?;
            if digest.is_of(&bytes) {
                return Ok(Some(Pristine::Text { bytes, found: "image" }));
            }
        }
        Ok(None)
    }
}

fn recorded(bytes: &[u8]) -> Recorded {
    Recorded(Md5::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::image::Fidelity;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{Layer, LayerStack, Whiteouts};

    const PACKAGED: &str = "lines 1\nport 80\n";
    const OF_IMAGE: &str = "lines 2\nport 80\n";
    const OURS: &str = "lines 2\nport 81\n";

    /// The earlier texts of `at`, a file that was kept for `reason`, where a package brought `one`,
    /// the image made it `two` and the container's life `three`.
    fn texts(at: &str, reason: &Reason, [one, two, three]: [&str; 3]) -> Texts {
        let hex = |text: &str| {
            Md5::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        let status = format!(
            "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
             Conffiles:\n /etc/app.conf {}\n",
            hex(PACKAGED)
        );
        let sums = format!("{}  usr/share/app/text\n", hex(PACKAGED));
        let packaged = MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/app.list", "/.\n/etc\n/etc/app.conf\n/usr/share/app/text\n")
            .file("/var/lib/dpkg/info/app.md5sums", sums)
            .file(at, one);
        let layer = |tree: MemoryTree| Layer { tree: Arc::new(tree), style: Whiteouts::Tar };
        let above = |text: &str| layer(MemoryTree::default().file(at, text));
        let layers = vec![layer(packaged), above(two), above(three)];
        let stack = Arc::new(LayerStack::new(layers));
        let image = ImageView::new(stack.clone(), 2, Fidelity::Exact);
        let installed = Installed::load(&*stack).unwrap();
        let rules = LayoutMatcher::new(&[]).unwrap();
        let places =
            Places { tree: &*stack, installed: &installed, image: Some(&image), rules: &rules };
        let entry = stack.entry(&RootPath::parse(at.as_bytes()).unwrap()).unwrap().unwrap();
        places.find(&entry, reason, Origin::Container).unwrap()
    }

    fn text(text: &str) -> Option<Pristine> {
        Some(Pristine::Text { bytes: text.into(), found: "image" })
    }

    #[test]
    fn what_the_image_made_of_a_packages_text_is_a_text_of_its_own() {
        let edited = Reason::ConffileEdited { package: "app".to_owned() };
        let changed = Reason::PackageFileChanged { package: "app".to_owned() };
        for (at, reason) in [("/etc/app.conf", edited), ("/usr/share/app/text", changed)] {
            let found = texts(at, &reason, [PACKAGED, OF_IMAGE, OURS]);
            assert_eq!(found, Texts { pristine: text(PACKAGED), of_image: text(OF_IMAGE) });
            // Only owner, mode or attributes were changed since.
            let found = texts(at, &reason, [PACKAGED, OURS, OURS]);
            let itself = Some(Pristine::Itself);
            assert_eq!(found, Texts { pristine: text(PACKAGED), of_image: itself });
            // The image left it alone.
            let found = texts(at, &reason, [PACKAGED, PACKAGED, OURS]);
            assert_eq!(found, Texts { pristine: text(PACKAGED), of_image: None });
            // What the package had is nowhere.
            let found = texts(at, &reason, [OF_IMAGE, OF_IMAGE, OURS]);
            assert_eq!(found, Texts { pristine: None, of_image: text(OF_IMAGE) });
        }
    }

    #[test]
    fn what_no_package_had_is_the_images() {
        let found = texts("/app/text", &Reason::Unexplained, [OF_IMAGE, OF_IMAGE, OURS]);
        assert_eq!(found, Texts { pristine: text(OF_IMAGE), of_image: None });
        let found = texts("/app/text", &Reason::Unexplained, [PACKAGED, OURS, OURS]);
        assert_eq!(found, Texts { pristine: Some(Pristine::Itself), of_image: None });
    }
}
