//! [`Book`]: the declarations of a source, by the places that they are about.

use std::collections::BTreeMap;

use super::declaration::{Author, Declaration, Nature, Reach};
use super::pattern::Pattern;

/// More declarations than any system has; the limit bounds the memory of forged ones.
const MAX_DECLARATIONS: usize = 65_536;

/// More globs than start in any one directory; the limit bounds the time of a question.
const MAX_GLOBS: usize = 512;

/// What is written down, while it is collected.
#[derive(Default)]
pub(super) struct Book {
    /// By the path of the declaration, or the directory in which its glob starts.
    pub(super) pages: BTreeMap<Vec<u8>, Vec<(Pattern, Declaration)>>,
    count: usize,
}

impl Book {
    pub(super) fn add(&mut self, pattern: Pattern, nature: Nature, reach: Reach, author: Author) {
        let page = self.pages.entry(pattern.base().as_bytes().to_vec()).or_default();
        let declared = (pattern, Declaration { nature, reach, author });
        // Written twice it says no more.
        if self.count < MAX_DECLARATIONS && page.len() < MAX_GLOBS && !page.contains(&declared) {
            self.count += 1;
            page.push(declared);
        }
    }
}
