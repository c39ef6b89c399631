//! [`Screen`]: what stdout can show: how wide it is, and whether it has colours.

use std::io::IsTerminal;

/// What stdout can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// How many characters fit into a line; of a file or a pipe any number.
    pub(crate) width: Option<usize>,
    pub(crate) colour: Colour,
}

/// Whether roles of words become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Yes,
    No,
}

/// Narrower than this nothing is wrapped to.
const NARROWEST: usize = 40;

impl Screen {
    /// What stdout is; `variable` looks up the environment.
    pub(crate) fn of_stdout(variable: impl Fn(&str) -> Option<String>) -> Screen {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Screen { width: None, colour: Colour::No };
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok();
        // A terminal that does not know its width says 0.
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
        let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").is_none_or(|value| value.is_empty() || value == "dumb");
        let colour = if refused || dumb { Colour::No } else { Colour::Yes };
        Screen { width: width.map(|width| width.max(NARROWEST)), colour }
    }
}
