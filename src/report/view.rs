//! [`View`]: how much of a report is shown, and how wide.

/// How much is shown, and how wide.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// Each thing on a line of its own, however many there are.
    pub all: bool,
    /// The width of the screen; without one lines are as long as they are.
    pub width: Option<usize>,
}
