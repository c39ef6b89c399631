//! [`Exit`]: the exit codes, a contract with scripts. The README's table is compared with this.

use std::process::ExitCode;

use regrow::failure::Kind;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, nothing lost.
    Done,
    /// Done, with named losses or held items.
    WithLosses,
    /// Not done.
    Failed(Kind),
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::WithLosses => 3,
            Exit::Failed(kind) => of_failure(kind),
        }
    }
}

fn of_failure(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => 1,
        Kind::Usage => 2,
        Kind::Refused => 4,
        Kind::Integrity => 5,
        Kind::Resource => 6,
        Kind::Environment => 7,
        Kind::Locked => 8,
        Kind::Untrusted => 9,
        Kind::Precondition => 10,
        Kind::Step => 11,
        Kind::Key => 12,
        Kind::Signal(signal) => u8::try_from(128 + signal).unwrap_or(255),
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
