//! A plan as a file: written once, read back, and refused when it is anything else.
//!
//! One JSON value. Its format has a number, and the plan in it has its id, so that a plan that was
//! edited or damaged is no plan any more. Contents that the bundle holds are referred to; those
//! that the plan makes stand in it. Such a file holds the secrets among them, and only its owner
//! may read it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::Pending;
use crate::failure::{Failure, FailureKind};
use crate::restore::plan::{Plan, PlanContent};
use crate::restore::target::Taken;

/// The number of the format. Whatever changes the meaning of a saved plan changes it too.
const FORMAT: u32 = 1;

/// What a failure says was being done.
const WRITING: &str = "writing the plan";

/// Largest plan that is written or read, in bytes.
const LIMIT: u64 = 1 << 30;

/// What tells a plan from other files, whatever its format.
#[derive(Deserialize)]
struct Header {
    regrow_plan: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "regrow_plan")]
    _format: u32,
    id: String,
    taken: Vec<Taken>,
    plan: PlanContent,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    #[serde(rename = "regrow_plan")]
    format: u32,
    id: &'a str,
    taken: &'a [Taken],
    plan: &'a PlanContent,
}

/// A file that a plan is going to be saved to. It has its name once the plan is in it, whole and
/// on disk; given up before, it leaves nothing.
pub struct PlanFile {
    pending: Pending,
    path: PathBuf,
}

impl PlanFile {
    /// Begins the file `path`, which must not exist.
    ///
    /// # Errors
    /// Something exists at `path` (precondition); nothing can be written there (resource).
    pub fn create(path: &Path) -> Result<PlanFile, Failure> {
        let pending = Pending::create(path).map_err(|e| e.into_failure(WRITING, path))?;
        Ok(PlanFile { pending, path: path.to_owned() })
    }

    /// Writes `plan` and gives the file its name.
    ///
    /// # Errors
    /// It cannot be written, or is too large (resource); something exists at its name by now
    /// (precondition).
    pub fn save(self, plan: &Plan) -> Result<(), Failure> {
        let failed = |e: io::Error| {
            Failure::new(FailureKind::Resource, WRITING, self.path.as_os_str().as_encoded_bytes())
                .because(e)
                .next("see the reason, then run the same command again")
        };
        let mut out = BufWriter::new(Bounded { to: self.pending.file(), left: LIMIT });
        let document =
            DocumentRef { format: FORMAT, id: &plan.id, taken: &plan.taken, plan: &plan.content };
        serde_json::to_writer(&mut out, &document).map_err(|e| failed(e.into()))?;
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed)?;
        drop(out);
        self.pending.file().sync_all().map_err(failed)?;
        self.pending.publish().map_err(|e| e.into_failure(WRITING, &self.path))
    }
}

impl Plan {
    /// Reads a plan that was saved.
    ///
    /// # Errors
    /// There is none at `path` (precondition); it cannot be read (resource); it is no plan, or too
    /// large for one (refused); it has another format (precondition), or is not as it was saved
    /// (integrity).
    pub fn load(path: &Path) -> Result<Plan, Failure> {
        let subject = path.as_os_str().as_encoded_bytes();
        let failure = |kind| Failure::new(kind, "reading the plan", subject);
        let again = "make the plan again with `regrow plan FILE --onto TARGET -o PLAN`";
        let unreadable = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => failure(FailureKind::Precondition)
                .because(e)
                .next("name a plan that `regrow plan` saved"),
            _ => failure(FailureKind::Resource).because(e),
        };
        let malformed = |e: serde_json::Error| match e.is_io() {
            true => unreadable(e.into()),
            false => failure(FailureKind::Refused)
                .why("it is no plan that `regrow plan` saved")
                .because(e)
                .next(again),
        };
        // A pipe would wait for a writer that never comes, so it is not even opened.
        let found = std::fs::metadata(path).map_err(unreadable)?;
        if !found.is_file() {
            return Err(failure(FailureKind::Refused).why("it is no regular file").next(again));
        }
        if found.len() > LIMIT {
            return Err(failure(FailureKind::Refused)
                .why(format!("it has {} bytes, and a plan has {LIMIT} at most", found.len()))
                .next(again));
        }
        let mut file = File::open(path).map_err(unreadable)?;
        let Header { regrow_plan: format } =
            serde_json::from_reader(BufReader::new((&file).take(LIMIT))).map_err(malformed)?;
        if format != FORMAT {
            return Err(failure(FailureKind::Precondition)
                .why(format!("its format is {format}, and this regrow executes format {FORMAT}"))
                .next("make the plan again with this regrow, and look at it"));
        }
        file.rewind().map_err(unreadable)?;
        let Document { id, taken, plan, .. } =
            serde_json::from_reader(BufReader::new(file.take(LIMIT))).map_err(malformed)?;
        let plan = Plan::of(plan, taken)?;
        match plan.id == id {
            true => Ok(plan),
            false => Err(failure(FailureKind::Integrity)
                .why("it is not as it was saved: what it says and its id do not agree")
                .next(again)),
        }
    }
}

/// Takes so many bytes and no more.
struct Bounded<W> {
    to: W,
    left: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("a plan has {LIMIT} bytes at most"),
            ));
        }
        let written = self.to.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::plan::testing;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            Place(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("web.plan")
        }

        fn save(&self, plan: &Plan) -> Result<(), Failure> {
            PlanFile::create(&self.path())?.save(plan)
        }

        /// How reading `text` as a plan ends.
        fn refusal(&self, text: &str) -> FailureKind {
            std::fs::write(self.path(), text).unwrap();
            Plan::load(&self.path()).unwrap_err().kind()
        }
    }

    #[test]
    fn a_saved_plan_comes_back_as_it_was_with_its_id() {
        let (place, plan) = (Place::new(), testing::plan());
        place.save(&plan).unwrap();
        let back = Plan::load(&place.path()).unwrap();
        assert_eq!(back, plan);
        assert_eq!(back.id(), plan.id());
        let names: Vec<_> = std::fs::read_dir(place.0.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn a_file_that_is_there_is_not_replaced() {
        let place = Place::new();
        std::fs::write(place.path(), "mine").unwrap();
        assert_eq!(place.save(&testing::plan()).unwrap_err().kind(), FailureKind::Precondition);
        assert_eq!(std::fs::read(place.path()).unwrap(), b"mine");
    }

    #[test]
    fn what_is_no_plan_is_refused_and_one_that_was_changed_is_not_whole() {
        let place = Place::new();
        place.save(&testing::plan()).unwrap();
        let text = std::fs::read_to_string(place.path()).unwrap();
        for wrong in ["", "{}", "[1]", "not json", r#"{"id":"x"}"#, &text[..text.len() / 2]] {
            assert_eq!(place.refusal(wrong), FailureKind::Refused, "{wrong}");
        }
        let other = text.replace(r#""regrow_plan":1"#, r#""regrow_plan":2"#);
        assert_eq!(place.refusal(&other), FailureKind::Precondition);
        let edited = text.replace("newaliases", "reboot");
        assert_ne!(edited, text);
        assert_eq!(place.refusal(&edited), FailureKind::Integrity);
        let more = text.replace(r#""steps":"#, r#""hidden":[],"steps":"#);
        assert_eq!(place.refusal(&more), FailureKind::Refused);
    }

    #[test]
    fn what_cannot_be_a_plan_is_not_opened() {
        let place = Place::new();
        assert_eq!(Plan::load(place.0.path()).unwrap_err().kind(), FailureKind::Refused);
        let missing = Plan::load(&place.path()).unwrap_err();
        assert_eq!(missing.kind(), FailureKind::Precondition);
        let file = File::create(place.path()).unwrap();
        file.set_len(LIMIT + 1).unwrap();
        let error = Plan::load(&place.path()).unwrap_err();
        assert!(error.reason().contains("at most"), "{error}");
    }

    #[test]
    fn no_more_is_written_than_can_be_read() {
        let mut out = Bounded { to: Vec::new(), left: 3 };
        assert!(out.write_all(b"abc").is_ok());
        assert!(out.write_all(b"d").is_err());
        assert_eq!(out.to, b"abc");
    }
}
