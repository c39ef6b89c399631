//! [`Monitor`]: where the library tells how far it is and what went wrong without stopping it, and
//! where it hears that it shall stop.
//!
//! The library never prints. Progress goes here and is shown, or not, by whoever called; a thing
//! that is lost on the way is *also* part of the outcome, so that nobody depends on a listener.

use crate::cancel::{Cancel, NEVER};

/// Receives progress. Called from the thread that does the work; has to be quick.
pub trait Monitor: Send + Sync {
    /// A new phase begins, such as `reading image layers`; the previous one is over.
    fn phase(&self, what: &str);

    /// `done` of `total` units of the phase (bytes or entries) are through; `total` may be unknown.
    fn progress(&self, done: u64, total: Option<u64>);

    /// Something a person should see once, in plain words, without a trailing period.
    fn notice(&self, text: &str);

    /// What ends the act before its time; nothing does unless a monitor says so. The same value for
    /// as long as the act goes on.
    fn cancel(&self) -> &Cancel {
        &NEVER
    }
}

/// Shows nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Monitor for Silent {
    fn phase(&self, _what: &str) {}
    fn progress(&self, _done: u64, _total: Option<u64>) {}
    fn notice(&self, _text: &str) {}
}

/// A monitor whose acts end when a [`Cancel`] is requested.
pub struct Stoppable<'a> {
    monitor: &'a dyn Monitor,
    cancel: Cancel,
}

impl<'a> Stoppable<'a> {
    /// Shows what `monitor` shows, and stops at a request of `cancel`.
    pub fn new(monitor: &'a dyn Monitor, cancel: Cancel) -> Stoppable<'a> {
        Stoppable { monitor, cancel }
    }
}

impl Monitor for Stoppable<'_> {
    fn phase(&self, what: &str) {
        self.monitor.phase(what);
    }

    fn progress(&self, done: u64, total: Option<u64>) {
        self.monitor.progress(done, total);
    }

    fn notice(&self, text: &str) {
        self.monitor.notice(text);
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}
