//! [`PageFile`]: the file that a page is written to.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::bundle::Pending;
use crate::failure::{Failure, FailureKind};

/// What a failure says was being done.
const WRITING: &str = "writing the page";

/// A file that a page is going to be written to. It has its name once the page is in it, whole and
/// on disk; given up before, it leaves nothing.
pub struct PageFile {
    pending: Pending,
    path: PathBuf,
}

impl PageFile {
    /// Begins the file `path`, which must not exist.
    ///
    /// # Errors
    /// Something exists at `path` (precondition); nothing can be written there (resource).
    pub fn create(path: &Path) -> Result<PageFile, Failure> {
        let pending = Pending::create(path).map_err(|e| e.into_failure(WRITING, path))?;
        Ok(PageFile { pending, path: path.to_owned() })
    }

    /// Has `page` written and gives the file its name.
    ///
    /// # Errors
    /// It cannot be written (resource); something exists at its name by now (precondition).
    pub fn save(self, page: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let failed = |e: io::Error| {
            Failure::new(FailureKind::Resource, WRITING, self.path.as_os_str().as_encoded_bytes())
                .because(e)
                .safe("all else is done")
                .next("see the reason; `regrow inspect FILE --html OUT` makes a page at any time")
        };
        let mut out = BufWriter::with_capacity(1 << 16, self.pending.file());
        page(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        drop(out);
        self.pending.file().sync_all().map_err(failed)?;
        self.pending.publish().map_err(|e| e.into_failure(WRITING, &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_name_when_it_is_whole_and_replaces_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("page.html");
        let failing = |_: &mut dyn Write| Err(io::Error::other("no"));
        let error = PageFile::create(&path).unwrap().save(failing).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Resource);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        PageFile::create(&path).unwrap().save(|to| to.write_all(b"page")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"page");
        let error = PageFile::create(&path).err().unwrap();
        assert_eq!(error.kind(), FailureKind::Precondition);
    }
}
