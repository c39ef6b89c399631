//! [`Lost`]: what was there and is not in the bundle, or was not looked at.

use crate::bundle::Loss;
use crate::classify::Numbers;
use crate::packages::Installed;
use crate::source::Source;
use crate::survey::OsRelease;
use crate::tree::{Entry, TreeError, escaped, take_reserved};

/// Something that was there and could not be kept, or not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Which path, escaped.
    pub subject: String,
    /// What became of it.
    pub what: &'static str,
    /// Why.
    pub why: String,
}

impl Lost {
    /// A path that is not in the bundle.
    pub fn not_kept(subject: impl Into<String>, why: impl Into<String>) -> Lost {
        Lost { subject: subject.into(), what: "not kept", why: why.into() }
    }

    /// As it stands in a bundle.
    pub fn to_loss(&self) -> Loss {
        Loss { subject: self.subject.clone(), what: self.what.to_owned(), why: self.why.clone() }
    }
}

/// A path that cannot be read.
pub(super) fn unreadable(error: &TreeError) -> Lost {
    Lost::not_kept(error.path().to_string(), chain(error))
}

/// What of the records of packages and accounts was there and could not be read.
pub(super) fn unread(installed: &Installed, numbers: &Numbers) -> Vec<Lost> {
    let lost = |subject: String, why: String| Lost { subject, what: "not read", why };
    let packages = installed.problems().filter(|problem| problem.is_loss());
    let packages = packages.map(|problem| lost(problem.subject(), problem.to_string()));
    let accounts = numbers.unread().iter();
    packages.chain(accounts.map(|(path, why)| lost(path.to_string(), why.clone()))).collect()
}

/// Of a whole system nothing shows which packages can be had again: its own are left out, and with
/// them those of others.
pub(super) fn unproved(packages: usize, os: &OsRelease) -> Option<Lost> {
    let system = if os.id.is_empty() { "this system" } else { os.id.as_str() };
    (packages > 0).then(|| Lost {
        subject: format!("packages of {system}"),
        what: "not known to be had again",
        why: format!(
            "nothing shows of {packages} packages where they can be had again: their unchanged \
             files are left out; --include keeps those of a package that nobody offers"
        ),
    })
}

/// Flags that a file system keeps beside the mode: no tar, and so no bundle, holds them.
pub(super) fn flags(source: &Source) -> Vec<Lost> {
    let lost = |subject: String, why: String| Lost { subject, what: "flags not kept", why };
    let (listed, more) = source.flagged();
    let mut losses: Vec<Lost> =
        listed.into_iter().map(|(path, flags)| lost(path.to_string(), flags)).collect();
    if more > 0 {
        losses.push(lost(source.to_string(), format!("{more} more files have flags")));
    }
    losses
}

/// Takes out of `entry` what an overlay file system would take for its own when it comes back.
pub(super) fn without_reserved(entry: &mut Entry) -> Option<Lost> {
    let names = take_reserved(&mut entry.meta.xattrs);
    let shown: Vec<String> = names.iter().map(|name| escaped(name)).collect();
    (!names.is_empty()).then(|| Lost {
        subject: entry.path.to_string(),
        what: "attributes not kept",
        why: format!("an overlay file system would act upon {}", shown.join(", ")),
    })
}

/// An error with everything behind it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        text.push_str(&format!(": {cause}"));
        at = cause.source();
    }
    text
}
