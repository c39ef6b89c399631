//! [`Monitor`]: where the library tells how far it is and what went wrong without stopping it.
//!
//! The library never prints. Progress goes here and is shown, or not, by whoever called; a thing
//! that is lost on the way is *also* part of the outcome, so that nobody depends on a listener.

/// Receives progress. Called from the thread that does the work; has to be quick.
pub trait Monitor: Send + Sync {
    /// A new phase begins, such as `reading image layers`; the previous one is over.
    fn phase(&self, what: &str);

    /// `done` of `total` units of the phase (bytes or entries) are through; `total` may be unknown.
    fn progress(&self, done: u64, total: Option<u64>);

    /// Something a person should see once, in plain words, without a trailing period.
    fn notice(&self, text: &str);
}

/// Shows nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Monitor for Silent {
    fn phase(&self, _what: &str) {}
    fn progress(&self, _done: u64, _total: Option<u64>) {}
    fn notice(&self, _text: &str) {}
}
