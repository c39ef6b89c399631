//! [`Decision`]: what a merge of accounts decided, one value a thing, for the plan.

use std::fmt;

use crate::tree::escaped;

use super::AccountFile;

/// Whether a name is a user's or a group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AccountKind {
    /// A line of passwd.
    User,
    /// A line of group.
    Group,
}

/// What was decided about one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The new system's own, with its id.
    Kept { kind: AccountKind, name: Vec<u8> },
    /// A person's account that both have: as it was on the old system, with the new id.
    Returned { name: Vec<u8> },
    /// Only the old system had it.
    Added { kind: AccountKind, name: Vec<u8>, id: u32 },
    /// Is called otherwise in the new release.
    Renamed { kind: AccountKind, from: Vec<u8>, to: Vec<u8> },
    /// Has another id now; its files follow.
    Renumbered { kind: AccountKind, name: Vec<u8>, from: u32, to: u32 },
    /// Keeps the password that was set on the old system.
    PasswordCarried { kind: AccountKind, name: Vec<u8> },
    /// Keeps the shell that was set on the old system.
    ShellCarried { name: Vec<u8>, shell: Vec<u8> },
    /// Keeps the home that was set on the old system.
    HomeCarried { name: Vec<u8>, home: Vec<u8> },
    /// Stays a member.
    MembershipCarried { user: Vec<u8>, group: Vec<u8> },
    /// Neither system has this user.
    MembershipDropped { user: Vec<u8>, group: Vec<u8> },
    /// Keeps its subordinate ids.
    SubidsCarried { kind: AccountKind, owner: Vec<u8>, start: u32, count: u32 },
    /// Has other subordinate ids now; its files follow.
    SubidsMoved { kind: AccountKind, owner: Vec<u8>, from: u32, to: u32, count: u32 },
    /// Neither system has the owner of these subordinate ids.
    SubidsDropped { kind: AccountKind, owner: Vec<u8>, start: u32, count: u32 },
    /// A line that asks another name service.
    NssLineCarried { file: AccountFile, line: Vec<u8> },
    /// A person should look at it.
    Conflict(Conflict),
}

/// What a merge could not decide without a doubt; what it did is part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The name stands more than once in the old file.
    Duplicate { kind: AccountKind, name: Vec<u8> },
    /// The old system uses both names of a rename.
    RenameTaken { kind: AccountKind, from: Vec<u8>, to: Vec<u8> },
    /// The old system had several names for one id, the new one has ids of their own for them.
    AliasSplit { kind: AccountKind, name: Vec<u8>, id: u32, files: u32 },
    /// Is id 0 on one system only; nothing of the other may become it.
    Superuser { kind: AccountKind, name: Vec<u8>, id: u32 },
    /// There is no id left for it.
    NoFreeId { kind: AccountKind, name: Vec<u8>, id: u32 },
    /// Both systems have a password for it.
    PasswordDiffers { kind: AccountKind, name: Vec<u8> },
    /// Logs in without a password, as on the old system.
    PasswordEmpty { name: Vec<u8> },
    /// Nobody could log in as it, and now somebody can.
    ShellOpened { name: Vec<u8>, old: Vec<u8>, new: Vec<u8> },
    /// The new system does not have its shell.
    ShellUnknown { name: Vec<u8>, shell: Vec<u8> },
    /// There is no room for its subordinate ids.
    NoFreeRange { kind: AccountKind, owner: Vec<u8>, start: u32, count: u32 },
    /// Files belong to a number without a name, and the number has a name now.
    NumberNamed { kind: AccountKind, id: u32, name: Vec<u8> },
    /// Lines of the old file that are no records.
    Unreadable { file: AccountFile, lines: usize },
}

impl Decision {
    /// The name of the account or of the file that it is about.
    pub(crate) fn subject(&self) -> String {
        match self {
            Decision::Kept { name, .. }
            | Decision::Returned { name }
            | Decision::Added { name, .. }
            | Decision::Renamed { from: name, .. }
            | Decision::Renumbered { name, .. }
            | Decision::PasswordCarried { name, .. }
            | Decision::ShellCarried { name, .. }
            | Decision::HomeCarried { name, .. }
            | Decision::MembershipCarried { user: name, .. }
            | Decision::MembershipDropped { user: name, .. }
            | Decision::SubidsCarried { owner: name, .. }
            | Decision::SubidsMoved { owner: name, .. }
            | Decision::SubidsDropped { owner: name, .. } => {
                String::from_utf8_lossy(name).into_owned()
            }
            Decision::NssLineCarried { file, .. } => file.path().to_string(),
            Decision::Conflict(_) => "accounts".to_owned(),
        }
    }
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccountKind::User => "user",
            AccountKind::Group => "group",
        })
    }
}

/// A name as it is shown.
struct Name<'a>(&'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", escaped(self.0))
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Kept { kind, name } => {
                write!(f, "{kind} {} stays the new system's own", Name(name))
            }
            Decision::Returned { name } => write!(f, "user {} returns as it was", Name(name)),
            Decision::Added { kind, name, id } => {
                write!(f, "{kind} {} is added with id {id}", Name(name))
            }
            Decision::Renamed { kind, from, to } => {
                write!(f, "{kind} {} is called {} now", Name(from), Name(to))
            }
            Decision::Renumbered { kind, name, from, to } => {
                write!(f, "{kind} {} had id {from} and has {to} now", Name(name))
            }
            Decision::PasswordCarried { kind, name } => {
                write!(f, "{kind} {} keeps its password", Name(name))
            }
            Decision::ShellCarried { name, shell } => {
                write!(f, "user {} keeps its shell {}", Name(name), Name(shell))
            }
            Decision::HomeCarried { name, home } => {
                write!(f, "user {} keeps its home {}", Name(name), Name(home))
            }
            Decision::MembershipCarried { user, group } => {
                write!(f, "user {} stays in group {}", Name(user), Name(group))
            }
            Decision::MembershipDropped { user, group } => {
                write!(f, "{} leaves group {}: no system has such a user", Name(user), Name(group))
            }
            Decision::SubidsCarried { kind, owner, start, count } => {
                write!(f, "{} keeps {count} subordinate {kind} ids from {start}", Name(owner))
            }
            Decision::SubidsMoved { kind, owner, from, to, count } => write!(
                f,
                "{} had {count} subordinate {kind} ids from {from} and has them from {to} now",
                Name(owner)
            ),
            Decision::SubidsDropped { kind, owner, start, count } => write!(
                f,
                "{count} subordinate {kind} ids from {start} are given up: no system has {}",
                Name(owner)
            ),
            Decision::NssLineCarried { file, line } => {
                write!(f, "{} stays in `{}`", Name(line), file.path())
            }
            Decision::Conflict(conflict) => conflict.fmt(f),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Duplicate { kind, name } => {
                write!(f, "{kind} {} stood more than once; the first was taken", Name(name))
            }
            Conflict::RenameTaken { kind, from, to } => write!(
                f,
                "{kind} {} should be called {} now, but the old system has both; both stay",
                Name(from),
                Name(to)
            ),
            Conflict::AliasSplit { kind, name, id, files } => write!(
                f,
                "{kind} {} shared an id with others and has {id} of its own now; files of the \
                 shared id go to {files}",
                Name(name)
            ),
            Conflict::Superuser { kind, name, id } => write!(
                f,
                "{kind} {} had id {id} and is id 0 on the new system; what belonged to {id} does \
                 not become its own",
                Name(name)
            ),
            Conflict::NoFreeId { kind, name, id } => {
                write!(f, "{kind} {} with id {id} was left out: no id is free", Name(name))
            }
            Conflict::PasswordDiffers { kind, name } => {
                write!(f, "{kind} {} has a password on both systems; the new one stays", Name(name))
            }
            Conflict::PasswordEmpty { name } => {
                write!(f, "user {} needs no password to log in, as before", Name(name))
            }
            Conflict::ShellOpened { name, old, new } => write!(
                f,
                "user {} had {} as its shell and has the new system's {} now",
                Name(name),
                Name(old),
                Name(new)
            ),
            Conflict::ShellUnknown { name, shell } => write!(
                f,
                "user {} had {} as its shell, which the new system does not list",
                Name(name),
                Name(shell)
            ),
            Conflict::NoFreeRange { kind, owner, start, count } => write!(
                f,
                "{count} subordinate {kind} ids of {} from {start} were left out: no such range \
                 is free",
                Name(owner)
            ),
            Conflict::NumberNamed { kind, id, name } => write!(
                f,
                "files belong to {kind} id {id}, which had no name and is {} now",
                Name(name)
            ),
            Conflict::Unreadable { file, lines } => write!(
                f,
                "{lines} lines of the old `{}` are no accounts and were left out",
                file.path()
            ),
        }
    }
}
