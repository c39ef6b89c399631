//! [`Exit`]: the exit codes, a contract with scripts. The README's table is compared with this.

use std::process::ExitCode;

use regrow::failure::FailureKind;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, nothing lost.
    Done,
    /// Done, with named losses or held items.
    WithLosses,
    /// Not done.
    Failed(FailureKind),
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

fn of_failure(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::Internal => 1,
        FailureKind::Usage => 2,
        FailureKind::Refused => 4,
        FailureKind::Integrity => 5,
        FailureKind::Resource => 6,
        FailureKind::Environment => 7,
        FailureKind::Locked => 8,
        FailureKind::Untrusted => 9,
        FailureKind::Precondition => 10,
        FailureKind::Step => 11,
        FailureKind::Key => 12,
        FailureKind::Signal(signal) => u8::try_from(128 + signal).unwrap_or(255),
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
