//! [`Failure`]: the error of an act, complete enough to be acted upon.
//!
//! Parsers and readers have small error types of their own. Where one of them ends an act
//! (archive, restore, verify …), it is wrapped into a `Failure`, which says what was being done,
//! to what, why it failed, what is still safe and what to do next: the five parts that every
//! message of this program has.

use std::error::Error;
use std::fmt;

use crate::cancel::Cancel;
use crate::tree::{escaped, printable};

/// What sort of failure it is; the command line turns it into its exit code. The first line of
/// each is what the README says of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// A bug in regrow.
    Internal,
    /// The command line is wrong.
    Usage,
    /// Input refused as hostile or malformed.
    /// Not a bundle, empty, a rule with a typo.
    Refused,
    /// Damaged data.
    /// It does not match its digest, or is cut short.
    Integrity,
    /// A resource or I/O failure.
    Resource,
    /// The surroundings lack something.
    /// No engine, not root, no network.
    Environment,
    /// Locked by another run.
    Locked,
    /// Not trusted.
    Untrusted,
    /// A precondition does not hold.
    /// No such container, source running, target exists.
    Precondition,
    /// An export, a rule or a probe failed.
    Step,
    /// Wrong or missing key.
    Key,
    /// Ended by a signal.
    Signal(i32),
}

impl FailureKind {
    /// The stable word shown in messages, `E-` and upper case.
    pub fn code(self) -> &'static str {
        match self {
            FailureKind::Internal => "E-INTERNAL",
            FailureKind::Usage => "E-USAGE",
            FailureKind::Refused => "E-REFUSED",
            FailureKind::Integrity => "E-INTEGRITY",
            FailureKind::Resource => "E-RESOURCE",
            FailureKind::Environment => "E-ENVIRONMENT",
            FailureKind::Locked => "E-LOCKED",
            FailureKind::Untrusted => "E-UNTRUSTED",
            FailureKind::Precondition => "E-PRECONDITION",
            FailureKind::Step => "E-STEP",
            FailureKind::Key => "E-KEY",
            FailureKind::Signal(_) => "E-SIGNAL",
        }
    }
}

/// An act that failed.
///
/// Built where the act knows all five parts:
/// `Failure::new(FailureKind::Precondition, "archiving", "docker:web").why("the container is running")
/// .safe("the container is untouched").next("stop it, then run the same command again")`.
#[derive(Debug)]
pub struct Failure(Box<Parts>);

/// What a failure says. Boxed, as it travels through every return value.
#[derive(Debug)]
struct Parts {
    kind: FailureKind,
    doing: String,
    subject: String,
    why: String,
    /// What the act itself says is still safe.
    safe: Option<String>,
    next: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure of `doing` (a gerund) to `subject` (shown quoted and escaped).
    pub fn new(kind: FailureKind, doing: impl Into<String>, subject: impl AsRef<[u8]>) -> Failure {
        Failure(Box::new(Parts {
            kind,
            doing: doing.into(),
            subject: escaped(subject.as_ref()),
            why: String::new(),
            safe: None,
            next: "correct this and run the same command again".to_owned(),
            source: None,
        }))
    }

    /// Why it failed, in the words of the user's world.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Failure {
        self.0.why = why.into();
        self
    }

    /// The lower-level error behind it; its chain is appended to the reason.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        self.0.source = Some(source.into());
        self
    }

    /// What is still safe, as this place knows it. Without it the message says no more than what
    /// holds at every place.
    #[must_use]
    pub fn safe(mut self, safe: impl Into<String>) -> Failure {
        self.0.safe = Some(safe.into());
        self
    }

    /// Says that a restore failed before its result had a name, and that what it made was taken
    /// away again.
    #[must_use]
    pub fn nothing_left(self) -> Failure {
        self.safe("the old container and the bundle are as they were, nothing new was left")
    }

    /// What is still safe. No act writes to a source or to a bundle that has its name, wherever it
    /// fails, and a command line that is wrong begins no act.
    fn kept(&self) -> &str {
        match (&self.0.safe, self.0.kind) {
            (Some(safe), _) => safe,
            (None, FailureKind::Usage) => "nothing was begun",
            (None, _) => "the old service and all finished bundles are as they were",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Failure {
        self.0.next = next.into();
        self
    }

    /// What else can be done than what is said already.
    #[must_use]
    pub(crate) fn or(mut self, next: &str) -> Failure {
        self.0.next = format!("{}, or {next}", self.0.next);
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// The reason with the chain of errors behind it.
    pub fn reason(&self) -> String {
        let mut reason = self.0.why.clone();
        let mut at: Option<&(dyn Error + 'static)> = self.0.source.as_deref().map(|e| e as _);
        while let Some(error) = at {
            let text = escaped(error.to_string().trim().as_bytes());
            if !text.is_empty() && !reason.contains(&text) {
                if !reason.is_empty() {
                    reason.push_str(": ");
                }
                reason.push_str(&text);
            }
            at = error.source();
        }
        reason
    }
}

/// Fails when somebody asked to stop: what long work calls between its steps.
///
/// # Errors
/// [`FailureKind::Signal`] after a request.
pub(crate) fn check_cancelled(cancel: &Cancel, doing: &str, subject: &str) -> Result<(), Failure> {
    match cancel.signal() {
        None => Ok(()),
        Some(signal) => Err(cancelled(signal, doing, subject)),
    }
}

/// The failure of what was stopped on behalf of `signal`.
pub(crate) fn cancelled(signal: i32, doing: &str, subject: &str) -> Failure {
    Failure::new(FailureKind::Signal(signal), doing, subject)
        .why(format!("ended by signal {signal}"))
        .safe("the source is untouched, nothing was published")
        .next("run the same command again when you want to")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason();
        let reason = reason.trim_end_matches('.');
        let end = if reason.ends_with(['?', '!']) { "" } else { "." };
        let text = format!(
            "error[{}] {} \"{}\": {reason}{end} Kept: {}. Next: {}.",
            self.0.kind.code(),
            self.0.doing,
            self.0.subject,
            self.kept(),
            self.0.next
        );
        // Any part may hold what others named, or what a command said.
        f.write_str(&printable(&text))
    }
}

/// The chain behind is already part of the text, so `source` has nothing to add.
impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_all_five_parts_and_escapes_what_others_named() {
        let failure = Failure::new(FailureKind::Resource, "writing", b"/srv/a\nb".as_slice())
            .why("cannot write")
            .because(std::io::Error::from_raw_os_error(28))
            .safe("the source is untouched")
            .next("free some space and run the same command again");
        assert_eq!(
            failure.to_string(),
            "error[E-RESOURCE] writing \"/srv/a\\nb\": cannot write: No space left on device (os \
             error 28). Kept: the source is untouched. Next: free some space and run the same \
             command again."
        );
    }

    #[test]
    fn no_part_of_a_message_moves_the_cursor_or_forges_a_line() {
        let bad = "x\x1b[2J\n\u{9b}\u{202e}";
        let failure = Failure::new(FailureKind::Step, bad, bad).why(bad).safe(bad).next(bad);
        let failure = failure.because(std::io::Error::other(bad));
        assert!(!failure.to_string().contains(crate::tree::is_unprintable), "{failure}");
    }

    #[test]
    fn a_place_that_says_nothing_of_what_is_safe_claims_only_what_always_holds() {
        let said = |kind| Failure::new(kind, "reading", "x").why("no").to_string();
        assert!(said(FailureKind::Usage).contains(" Kept: nothing was begun. "));
        let other = " Kept: the old service and all finished bundles are as they were. ";
        assert!(said(FailureKind::Resource).contains(other));
        assert!(said(FailureKind::Step).contains(other));
    }
}
