//! What packages on offer would bring.

use std::collections::BTreeMap;

use super::way::{Way, unreadable_output};
use crate::failure::Failure;
use crate::system::System;
use crate::tree::RootPath;

/// Prints it.
const CONTENTS: &str = include_str!("contents.sh");

/// Largest list of paths that is read.
const LIMIT: u64 = 64 * 1024 * 1024;

/// The paths that packages would bring.
pub(super) fn contents(
    system: &mut dyn System,
    packages: &[&str],
) -> Result<BTreeMap<String, Vec<RootPath>>, Failure> {
    let way = Way::of(system)?;
    let mut ran = system.download(way.script(CONTENTS, "contents", packages))?;
    let text = ran.text(LIMIT).map_err(|e| unreadable_output(e, "tar"))?;
    let mut all: BTreeMap<String, Vec<RootPath>> = BTreeMap::new();
    for (name, path) in text.lines().filter_map(|line| line.split_once(' ')) {
        if let Ok(path) = RootPath::parse(path.as_bytes()) {
            all.entry(name.to_owned()).or_default().push(path);
        }
    }
    Ok(all)
}
