//! Progress on stderr: a moving line for a terminal, one line a phase for a log.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use regrow::monitor::{Monitor, Silent};
use regrow::tree::printable;

use super::context::Global;
use super::output;

/// The monitor that fits the terminal and the wish for words.
pub(crate) fn monitor(global: &Global) -> Box<dyn Monitor> {
    if global.quiet {
        Box::new(Silent)
    } else if std::io::stderr().is_terminal() && !global.verbose {
        Box::new(Moving(Mutex::new(ProgressBar::hidden())))
    } else {
        Box::new(Lines)
    }
}

/// A spinner with the phase and a count.
struct Moving(Mutex<ProgressBar>);

impl Drop for Moving {
    fn drop(&mut self) {
        if let Ok(bar) = self.0.lock() {
            bar.finish_and_clear();
        }
    }
}

impl Monitor for Moving {
    fn phase(&self, what: &str) {
        let Ok(mut bar) = self.0.lock() else { return };
        bar.finish_and_clear();
        *bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(printable(what).into_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn progress(&self, done: u64, _total: Option<u64>) {
        if let Ok(bar) = self.0.lock() {
            bar.set_position(done);
        }
    }

    fn notice(&self, text: &str) {
        if let Ok(bar) = self.0.lock() {
            bar.suspend(|| output::line(text));
        }
    }
}

/// A line for each phase and notice.
struct Lines;

impl Monitor for Lines {
    fn phase(&self, what: &str) {
        output::line(what);
    }

    fn progress(&self, _done: u64, _total: Option<u64>) {}

    fn notice(&self, text: &str) {
        output::line(text);
    }
}
