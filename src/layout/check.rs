//! Checking rule files by themselves, and writing a rule out again: what contributors need.

use std::path::PathBuf;

use super::{LayoutError, Rule, load};

/// Reads every rule file among `paths`, directories with everything below them, and returns how
/// many rules there are.
///
/// # Errors
/// The first mistake, with file, line and column; a path that cannot be read.
pub fn lint_paths(paths: &[PathBuf]) -> Result<usize, LayoutError> {
    let mut rules = 0;
    for path in paths {
        if path.is_dir() {
            rules += load::directory(path)?.len();
        } else {
            load::file(path)?;
            rules += 1;
        }
    }
    Ok(rules)
}

impl Rule {
    /// The text of a rule file that says the same.
    ///
    /// # Errors
    /// Only if YAML cannot express it, which would be a bug.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        let mut text = Vec::new();
        let mut serializer = serde_yaml::Serializer::new(&mut text);
        serde_yaml::with::singleton_map_recursive::serialize(self, &mut serializer)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
