//! [`Exit`]: the exit codes, a contract with scripts. The README's table is compared with this.

use std::process::ExitCode;

use regrow::failure::Kind;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, nothing lost.
    Done,
    /// A bug in regrow.
    Internal,
    /// The command line is wrong.
    Usage,
    /// Done, with named losses or held items.
    DoneWithLosses,
    /// Input refused as hostile or malformed.
    Refused,
    /// Damaged data.
    Integrity,
    /// A resource or I/O failure.
    Resource,
    /// The surroundings lack something.
    Environment,
    /// Locked by another run.
    Locked,
    /// Not trusted.
    Untrusted,
    /// A precondition does not hold.
    Precondition,
    /// An export, a rule or a probe failed.
    Step,
    /// Wrong or missing key.
    Key,
    /// Ended by a signal.
    Signal(i32),
}

impl Exit {
    /// The code that stands for a failure of this kind.
    pub(crate) fn of(kind: Kind) -> Exit {
        match kind {
            Kind::Internal => Exit::Internal,
            Kind::Usage => Exit::Usage,
            Kind::Refused => Exit::Refused,
            Kind::Integrity => Exit::Integrity,
            Kind::Resource => Exit::Resource,
            Kind::Environment => Exit::Environment,
            Kind::Locked => Exit::Locked,
            Kind::Untrusted => Exit::Untrusted,
            Kind::Precondition => Exit::Precondition,
            Kind::Step => Exit::Step,
            Kind::Key => Exit::Key,
            Kind::Signal(signal) => Exit::Signal(signal),
        }
    }

    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Internal => 1,
            Exit::Usage => 2,
            Exit::DoneWithLosses => 3,
            Exit::Refused => 4,
            Exit::Integrity => 5,
            Exit::Resource => 6,
            Exit::Environment => 7,
            Exit::Locked => 8,
            Exit::Untrusted => 9,
            Exit::Precondition => 10,
            Exit::Step => 11,
            Exit::Key => 12,
            Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(255),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
