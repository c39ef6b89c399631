//! Accounts: the users and groups of one root, and how those of two roots become one.
//!
//! The six files are parsed from bytes, never through the C library: the root belongs to somebody
//! else, and its `nsswitch.conf` or modules must not be looked at. [`merge`] is pure; what it
//! decided comes as values for the plan, and the ids that changed as an [`IdMap`] for the owners,
//! ACLs and capabilities of the files.

mod decision;
mod group;
mod idmap;
mod ids;
mod merge;
mod passwd;
mod ranges;
mod shadow;
mod subid;
mod table;

use std::collections::BTreeMap;

use crate::tree::{RootPath, Tree, TreeError, read_file, resolve, resolve_parent};

pub(crate) use decision::{AccountKind, Conflict, Decision};
pub(crate) use group::{Group, Gshadow};
pub(crate) use idmap::{IdMap, MovedRange};
pub(crate) use merge::{MergeOptions, merge};
pub(crate) use passwd::Passwd;
pub(crate) use shadow::Shadow;
pub(crate) use subid::Subid;
pub(crate) use table::{MAX_PIECES, Table, TooManyPieces};

/// Largest account file that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 16 << 20;

/// One of the files that hold accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AccountFile {
    /// `/etc/passwd`
    Passwd,
    /// `/etc/group`
    Group,
    /// `/etc/shadow`
    Shadow,
    /// `/etc/gshadow`
    Gshadow,
    /// `/etc/subuid`
    Subuid,
    /// `/etc/subgid`
    Subgid,
    /// `/etc/shells`: read, never written.
    Shells,
}

impl AccountFile {
    /// All of them.
    pub(crate) const ALL: [AccountFile; 7] = [
        AccountFile::Passwd,
        AccountFile::Group,
        AccountFile::Shadow,
        AccountFile::Gshadow,
        AccountFile::Subuid,
        AccountFile::Subgid,
        AccountFile::Shells,
    ];

    /// Where it is.
    pub(crate) fn path(self) -> RootPath {
        let name: &[u8] = match self {
            AccountFile::Passwd => b"passwd",
            AccountFile::Group => b"group",
            AccountFile::Shadow => b"shadow",
            AccountFile::Gshadow => b"gshadow",
            AccountFile::Subuid => b"subuid",
            AccountFile::Subgid => b"subgid",
            AccountFile::Shells => b"shells",
        };
        RootPath::root().child(b"etc").child(name)
    }
}

/// Why an account file could not be understood, whole or in part; names are unknown then, and ids
/// stay numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// It is a FIFO, a device or a directory, and was not opened.
    #[error("`{path}` is a {what}, not a file")]
    NotAFile {
        /// The account file.
        path: RootPath,
        /// What it is instead.
        what: &'static str,
    },
    /// It is a symlink that leads nowhere inside the root.
    #[error("`{path}` is a symlink that leads nowhere in this root")]
    Dangling {
        /// The account file.
        path: RootPath,
    },
    /// It is larger than [`MAX_FILE`].
    #[error("`{path}` is larger than {MAX_FILE} bytes")]
    TooLarge {
        /// The account file.
        path: RootPath,
    },
    /// Some of its lines hold NUL bytes, as after a power loss; the others are read.
    #[error("`{path}` holds NUL bytes, and the lines with them are not read")]
    Nul {
        /// The account file.
        path: RootPath,
    },
    /// It has more than [`MAX_PIECES`] fields.
    #[error("`{path}` has more than {MAX_PIECES} fields")]
    TooManyPieces {
        /// The account file.
        path: RootPath,
    },
}

impl Problem {
    /// The account file.
    pub(crate) fn path(&self) -> &RootPath {
        match self {
            Problem::NotAFile { path, .. }
            | Problem::Dangling { path }
            | Problem::TooLarge { path }
            | Problem::Nul { path }
            | Problem::TooManyPieces { path } => path,
        }
    }
}

/// The accounts of one root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccountDb {
    /// Users.
    pub passwd: Table<Passwd>,
    /// Groups.
    pub group: Table<Group>,
    /// Secrets of users.
    pub shadow: Table<Shadow>,
    /// Secrets of groups.
    pub gshadow: Table<Gshadow>,
    /// Subordinate user ids.
    pub subuid: Table<Subid>,
    /// Subordinate group ids.
    pub subgid: Table<Subid>,
    /// The shells a login may have; empty where the root does not say.
    pub shells: Vec<Vec<u8>>,
}

/// What [`AccountDb::load`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The accounts; a file with a problem counts as absent.
    pub accounts: AccountDb,
    /// The files that could not be understood.
    pub problems: Vec<Problem>,
}

impl AccountDb {
    /// Reads the account files of `tree`; an absent one is an empty one.
    ///
    /// # Errors
    /// Only where the tree itself cannot be read; what somebody put in a file's place is a
    /// [`Problem`].
    pub(crate) fn load(tree: &dyn Tree) -> Result<Loaded, TreeError> {
        let mut loaded = Loaded::default();
        for file in AccountFile::ALL {
            match read(tree, &file.path())? {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    if bytes.contains(&0) {
                        loaded.problems.push(Problem::Nul { path: file.path() });
                    }
                    if loaded.accounts.set(file, &bytes).is_err() {
                        loaded.problems.push(Problem::TooManyPieces { path: file.path() });
                    }
                }
                Err(problem) => loaded.problems.push(problem),
            }
        }
        Ok(loaded)
    }

    /// Takes `bytes` as the content of `file`, in place of what was there.
    pub(crate) fn set(&mut self, file: AccountFile, bytes: &[u8]) -> Result<(), TooManyPieces> {
        match file {
            AccountFile::Passwd => self.passwd = Table::parse(bytes)?,
            AccountFile::Group => self.group = Table::parse(bytes)?,
            AccountFile::Shadow => self.shadow = Table::parse(bytes)?,
            AccountFile::Gshadow => self.gshadow = Table::parse(bytes)?,
            AccountFile::Subuid => self.subuid = Table::parse(bytes)?,
            AccountFile::Subgid => self.subgid = Table::parse(bytes)?,
            AccountFile::Shells => {
                let lines = bytes.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
                let shells = lines.filter(|line| line.starts_with(b"/"));
                if shells.clone().count() > MAX_PIECES {
                    return Err(TooManyPieces);
                }
                self.shells = shells.map(<[u8]>::to_vec).collect();
            }
        }
        Ok(())
    }

    /// The contents of the files that have any, `/etc/shells` excepted.
    pub(crate) fn files(&self) -> BTreeMap<RootPath, Vec<u8>> {
        [
            (AccountFile::Passwd, self.passwd.format()),
            (AccountFile::Group, self.group.format()),
            (AccountFile::Shadow, self.shadow.format()),
            (AccountFile::Gshadow, self.gshadow.format()),
            (AccountFile::Subuid, self.subuid.format()),
            (AccountFile::Subgid, self.subgid.format()),
        ]
        .into_iter()
        .filter(|(_, content)| !content.is_empty())
        .map(|(file, content)| (file.path(), content))
        .collect()
    }

    /// Forgets the day on which accounts of a fresh installation were made, as it is a day of no
    /// password: a locked account that is younger than root's has the day that `old` has for it,
    /// or none.
    pub(crate) fn forget_days_of_making(&mut self, old: &AccountDb) {
        let Some(base) = self.shadow.get(b"root").and_then(Shadow::day) else { return };
        for line in self.shadow.records_mut() {
            if line.day() > Some(base) && shadow::is_locked(&line.password) {
                line.set_day(old.shadow.get(&line.name).and_then(Shadow::day));
            }
        }
    }
}

/// The content of one account file. What is wrong with the file itself is the inner error.
fn read(tree: &dyn Tree, path: &RootPath) -> Result<Result<Option<Vec<u8>>, Problem>, TreeError> {
    let dangling = || Ok(Err(Problem::Dangling { path: path.clone() }));
    let place = match resolve(tree, path) {
        Ok(place) => place,
        Err(TreeError::Loop { .. }) => return dangling(),
        Err(error) => return Err(error),
    };
    let Some(place) = place else {
        // Absent, or a link to what is absent?
        let leaf = match resolve_parent(tree, path)? {
            Some(leaf) => tree.entry(&leaf)?,
            None => None,
        };
        return if leaf.is_some() { dangling() } else { Ok(Ok(None)) };
    };
    match tree.entry(&place)? {
        Some(entry) if !entry.kind.is_file() => {
            return Ok(Err(Problem::NotAFile { path: path.clone(), what: entry.kind.word() }));
        }
        _ => {}
    }
    match read_file(tree, &place, MAX_FILE) {
        Ok(content) => Ok(Ok(content)),
        Err(TreeError::TooLarge { .. }) => Ok(Err(Problem::TooLarge { path: path.clone() })),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
