//! [`Outdated`]: what texts may say and a newer version of what reads them does not know.

/// Something that texts may say and that the new system's version does not know, or takes otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outdated {
    /// Where it stands.
    pub(crate) said: Said,
    /// The reason, for people.
    pub(crate) why: String,
    /// What says the same today.
    pub(crate) today: Option<String>,
}

/// Where something outdated stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// In programs of this language: as whole words, or as functions that are called by that name.
    InPrograms { speech: Speech, says: Vec<String>, calls: Vec<String> },
    /// Where one of these programs is run: as arguments, words divided by a blank one after another.
    ByCommands { programs: Vec<String>, arguments: Vec<String> },
}

/// A language in which people write programs that are kept as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Perl,
    Php,
    Python,
    Ruby,
}
