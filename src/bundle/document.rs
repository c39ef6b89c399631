//! `manifest.json`: the text of a [`Manifest`].
//!
//! One JSON object, one top-level key a line and one entry a line, so that `grep` finds a path and
//! `diff` compares two manifests. Invariants: the bytes are a function of the value, and the `id`
//! in the third line is the SHA-256 of all other lines.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::digest::Sha;
use super::json::EntryJson;
use super::manifest::Manifest;
use super::{FORMAT, OLDEST_FORMAT, shape};

/// Why a manifest cannot be read.
#[derive(Debug)]
pub(super) enum ManifestError {
    /// The text could not be read.
    Io(io::Error),
    /// The text is not a manifest of this format.
    Malformed(String),
    /// The text does not have its id.
    Id,
}

/// What every later format keeps, so that a reader can say what it lacks.
#[derive(Debug, Deserialize)]
pub(super) struct Outline {
    format: u32,
    regrow: String,
    #[serde(default)]
    features_required: Vec<String>,
}

impl Outline {
    /// Reads no more than this from a manifest's text.
    pub(super) fn read(text: impl Read) -> Option<Outline> {
        serde_json::from_reader(io::BufReader::with_capacity(1 << 16, text)).ok()
    }

    /// What this regrow lacks, if anything.
    pub(super) fn needs(&self) -> Option<String> {
        needs(self.format, &self.features_required)
            .map(|needs| format!("{needs} (written by {})", self.regrow.escape_debug()))
    }
}

/// What of a manifest's demands is not known here.
fn needs(format: u32, features: &[String]) -> Option<String> {
    match features.first() {
        _ if !(OLDEST_FORMAT..=FORMAT).contains(&format) => Some(format!("format {format}")),
        Some(feature) => Some(format!("feature `{}`", feature.escape_debug())),
        None => None,
    }
}

impl Manifest {
    /// Writes the JSON text. The bytes are a function of the value.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{{\"format\":{},\n\"regrow\":\"{}\",\n", self.format, self.regrow)?;
        line(out, "id", &self.id)?;
        line(out, "features_required", &self.features_required)?;
        line(out, "survey", &self.survey)?;
        line(out, "settings", &self.settings)?;
        line(out, "volumes", &self.volumes)?;
        line(out, "exports", &self.exports)?;
        line(out, "members", &self.members)?;
        line(out, "losses", &self.losses)?;
        line(out, "limitations", &self.limitations)?;
        line(out, "counts", &self.counts)?;
        out.write_all(b"\"entries\":[")?;
        for (number, entry) in self.entries.iter().enumerate() {
            out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, &EntryJson::from(entry))?;
        }
        out.write_all(b"\n]}\n")
    }

    /// What this regrow lacks to use the bundle, if anything.
    pub(super) fn needs(&self) -> Option<String> {
        needs(self.format, &self.features_required)
    }

    /// The id that belongs to this content.
    pub(super) fn computed_id(&self) -> io::Result<String> {
        let mut lines = Lines::default();
        self.write(&mut lines)?;
        Ok(lines.finish().id)
    }

    /// Reads and checks the JSON text; returns it with its digest.
    pub(super) fn read(text: impl Read) -> Result<(Manifest, Sha), ManifestError> {
        let mut text = Hashed { inner: text, lines: Lines::default() };
        // To the end of the text: what follows the value is an error.
        let parsed = serde_json::from_reader(io::BufReader::with_capacity(1 << 16, &mut text));
        let manifest: Manifest = parsed.map_err(|error| match error.is_io() {
            true => ManifestError::Io(error.into()),
            false => ManifestError::Malformed(error.to_string()),
        })?;
        let sums = text.lines.finish();
        if sums.id != manifest.id {
            return Err(ManifestError::Id);
        }
        let checked = manifest.check().and_then(|()| shape::check(&manifest));
        checked.map_err(ManifestError::Malformed)?;
        Ok((manifest, sums.whole))
    }
}

fn line(out: &mut dyn Write, key: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, "\"{key}\":")?;
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b",\n")
}

/// The line that holds the id, counted from 0.
const ID_LINE: u32 = 2;

/// Hashes a manifest's text, whole and without the id's line.
#[derive(Default)]
struct Lines {
    whole: Sha256,
    others: Sha256,
    newlines: u32,
}

struct Sums {
    whole: Sha,
    id: String,
}

impl Lines {
    fn finish(self) -> Sums {
        Sums { whole: self.whole.finalize().into(), id: hex::encode(self.others.finalize()) }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.whole.update(bytes);
        let mut rest = bytes;
        while self.newlines <= ID_LINE && !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
            let (part, after) = rest.split_at(end);
            if self.newlines < ID_LINE {
                self.others.update(part);
            }
            self.newlines += u32::from(part.ends_with(b"\n"));
            rest = after;
        }
        self.others.update(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Hashed<R> {
    inner: R,
    lines: Lines,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(out)?;
        self.lines.write_all(&out[..length])?;
        Ok(length)
    }
}
