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
}

/// Where pristine texts are looked for.
pub(super) struct Places<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) installed: &'a Installed,
    pub(super) image: Option<&'a ImageView>,
    pub(super) rules: &'a LayoutMatcher,
}

impl Places<'_> {
    /// The pristine text of `entry`, a file from `origin` that is kept for `reason`, where it can be
    /// had.
    pub(super) fn find(
        &self,
        entry: &Entry,
        reason: &Reason,
        origin: Origin,
    ) -> Result<Option<Pristine>, TreeError> {
        let path = &entry.path;
        if !entry.kind.is_file() {
            return Ok(None);
        }
        match reason {
            // Its own text is the package's: the new package's text takes its place.
            Reason::PackageMetaChanged { .. }
            | Reason::PackageMetaUnrecorded { .. }
            | Reason::MetaChanged => Ok(Some(Pristine::Itself)),
            _ if entry.kind.size() > LIMIT => Ok(None),
            Reason::ConffileEdited { .. } => self.conffile(path),
            Reason::UcfEdited => self.ucf(path),
            Reason::Rule { worth: Worth::TemplateCopy, .. } => self.template(path),
            // No package tells what it was, and the image does.
            _ if origin == Origin::Container => self.of_image(path),
            _ => Ok(None),
        }
    }

    fn conffile(&self, path: &RootPath) -> Result<Option<Pristine>, TreeError> {
        match self.installed.baseline(path) {
            Some(RecordedDigest::Md5(digest)) => self.in_image(path, digest),
            _ => Ok(None),
        }
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
        self.in_image(path, digest)
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
    fn in_image(&self, path: &RootPath, digest: Recorded) -> Result<Option<Pristine>, TreeError> {
        let Some(image) = self.image else { return Ok(None) };
        for mut content in image.versions(path, LIMIT)? {
            let mut bytes = Vec::new();
            content
                .read_to_end(&mut bytes)
                .map_err(|e| TreeError::io("reading the image's", path, e))?;
            if recorded(&bytes) == digest {
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

    /// What is found of `/srv/a`, in an image with the text `then`, where a life made it `now`.
    fn of_image(then: &str, now: &str) -> Option<Pristine> {
        let tree = |text| MemoryTree::default().file("/srv/a", text);
        let layer = |tree: MemoryTree| Layer { tree: Arc::new(tree), style: Whiteouts::Tar };
        let life = tree(now).meta("/srv/a", |meta| meta.mode = 0o600);
        let stack = Arc::new(LayerStack::new(vec![layer(tree(then)), layer(life)]));
        let image = ImageView::new(stack.clone(), 1, Fidelity::Exact);
        let (installed, rules) = (Installed::default(), LayoutMatcher::new(&[]).unwrap());
        let places =
            Places { tree: &*stack, installed: &installed, image: Some(&image), rules: &rules };
        let entry = stack.entry(&RootPath::parse(b"/srv/a").unwrap()).unwrap().unwrap();
        places.find(&entry, &Reason::Unexplained, Origin::Container).unwrap()
    }

    #[test]
    fn a_text_of_the_image_is_told_apart_from_one_that_only_got_another_mode() {
        let bytes = b"one".to_vec();
        assert_eq!(of_image("one", "two"), Some(Pristine::Text { bytes, found: "image" }));
        assert_eq!(of_image("one", "one"), Some(Pristine::Itself));
        assert_eq!(of_image("on\0", "two"), None);
    }
}
