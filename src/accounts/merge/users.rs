//! Users and their secrets.

use std::collections::BTreeMap;

use crate::accounts::ids::{Assignment, is_system};
use crate::accounts::passwd::refuses_login;
use crate::accounts::shadow::{has_hash, is_locked};
use crate::accounts::{AccountDb, AccountKind, Conflict, Decision, IdMap, Passwd, Shadow};

use super::names::index;

const USER: AccountKind = AccountKind::User;

/// The users of one system by name, with their secrets.
struct Users<'a> {
    passwd: BTreeMap<&'a [u8], &'a Passwd>,
    shadow: BTreeMap<&'a [u8], &'a Shadow>,
}

impl<'a> Users<'a> {
    fn of(accounts: &'a AccountDb) -> Users<'a> {
        Users { passwd: index(&accounts.passwd), shadow: index(&accounts.shadow) }
    }

    /// The secrets of `name`, from wherever the system takes them; `None` when nobody knows.
    fn secret(&self, name: &[u8]) -> Option<Shadow> {
        let shadow = self.shadow.get(name).copied();
        match self.passwd.get(name) {
            Some(user) if user.password != b"x" => {
                let base = shadow.cloned().unwrap_or_else(|| Shadow::locked(name));
                Some(Shadow { password: user.password.clone(), ..base })
            }
            _ => shadow.cloned(),
        }
    }
}

/// Brings the users of `old` into `out`, which starts as a copy of `new`.
pub(super) fn merge(
    old: &AccountDb,
    new: &AccountDb,
    assignment: &Assignment,
    ids: &IdMap,
    out: &mut AccountDb,
    decisions: &mut Vec<Decision>,
) {
    let (old_users, new_users) = (Users::of(old), Users::of(new));
    // Without a shadow file on either side the secrets are in passwd itself.
    let shadowed = !old.shadow.is_empty() || !new.shadow.is_empty();
    let mut secrets: BTreeMap<Vec<u8>, Shadow> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for user in out.passwd.records_mut() {
        if !seen.insert(user.name.clone()) {
            continue;
        }
        let Some(was) = old_users.passwd.get(user.name.as_slice()) else {
            decisions.push(Decision::Kept { kind: USER, name: user.name.clone() });
            continue;
        };
        renumbered(&user.name, was.uid, user.uid, decisions);
        if is_system(user.uid) {
            decisions.push(Decision::Kept { kind: USER, name: user.name.clone() });
            keep_own(user, was, &new.shells, decisions);
        } else {
            decisions.push(Decision::Returned { name: user.name.clone() });
            give_back(user, was, ids);
        }
        if let Some(secret) = secret(user, &old_users, &new_users, decisions) {
            set_secret(user, secret, shadowed, &mut secrets);
        }
    }
    let mut added = Vec::new();
    for was in old.passwd.records() {
        let Some(&uid) = assignment.target.get(&was.uid) else { continue };
        if !seen.insert(was.name.clone()) {
            continue;
        }
        let mut user = Passwd { uid, gid: ids.gid(was.gid), ..was.clone() };
        decisions.push(Decision::Added { kind: USER, name: user.name.clone(), id: uid });
        renumbered(&user.name, was.uid, uid, decisions);
        match old_users.secret(&user.name) {
            Some(secret) => {
                if secret.password.is_empty() {
                    let conflict = Conflict::PasswordEmpty { name: user.name.clone() };
                    decisions.push(Decision::Conflict(conflict));
                }
                set_secret(&mut user, secret, shadowed, &mut secrets);
            }
            None if shadowed => {
                let locked = Shadow::locked(&user.name);
                set_secret(&mut user, locked, shadowed, &mut secrets);
            }
            // An `x` without a shadow file opens nothing.
            None => {}
        }
        added.push(user);
    }
    out.passwd.extend(added);
    for line in out.shadow.records_mut() {
        if let Some(secret) = secrets.remove(&line.name) {
            *line = secret;
        }
    }
    // In the order of passwd, as every tool writes them.
    let order: Vec<Vec<u8>> = out.passwd.records().map(|user| user.name.clone()).collect();
    out.shadow.extend(order.iter().filter_map(|name| secrets.remove(name)));
}

fn renumbered(name: &[u8], from: u32, to: u32, decisions: &mut Vec<Decision>) {
    if from != to {
        decisions.push(Decision::Renumbered { kind: USER, name: name.to_vec(), from, to });
    }
}

/// A person's account: everything as it was, under the id it has here.
fn give_back(user: &mut Passwd, was: &Passwd, ids: &IdMap) {
    user.gid = ids.gid(was.gid);
    user.gecos.clone_from(&was.gecos);
    user.home.clone_from(&was.home);
    user.shell.clone_from(&was.shell);
}

/// The system's own account: as the new system has it, but for what a person changed.
fn keep_own(user: &mut Passwd, was: &Passwd, shells: &[Vec<u8>], decisions: &mut Vec<Decision>) {
    let name = user.name.clone();
    match carried_shell(user, was, shells) {
        Shell::New => {}
        Shell::Old => {
            user.shell.clone_from(&was.shell);
            decisions.push(Decision::ShellCarried { name: name.clone(), shell: was.shell.clone() });
        }
        Shell::Doubt(conflict) => decisions.push(Decision::Conflict(conflict)),
    }
    if user.uid != 0 && user.home != was.home && set_by_hand(&was.home) {
        user.home.clone_from(&was.home);
        decisions.push(Decision::HomeCarried { name, home: was.home.clone() });
    }
}

/// Which shell an account of the system gets.
enum Shell {
    New,
    Old,
    Doubt(Conflict),
}

/// A release's default changes in one direction, towards no login; so a shell that lets somebody
/// in was set by a person, with the exception of what was a default once.
fn carried_shell(user: &Passwd, was: &Passwd, shells: &[Vec<u8>]) -> Shell {
    let (old, new) = (without_usr(&was.shell), without_usr(&user.shell));
    if old == new || (refuses_login(old) && refuses_login(new)) {
        return Shell::New;
    }
    let name = user.name.clone();
    if user.uid != 0 {
        if refuses_login(old) {
            let (old, new) = (was.shell.clone(), user.shell.clone());
            return Shell::Doubt(Conflict::ShellOpened { name, old, new });
        }
        // base-passwd gave all its users /bin/sh until 2014, and packages still do.
        if matches!(old, b"" | b"/bin/sh" | b"/bin/sync") {
            return Shell::New;
        }
    }
    let listed = shells.iter().any(|shell| without_usr(shell) == old);
    if shells.is_empty() || listed || refuses_login(old) {
        Shell::Old
    } else {
        Shell::Doubt(Conflict::ShellUnknown { name, shell: was.shell.clone() })
    }
}

/// `/usr/bin/x` and `/bin/x` are one where /usr is merged, and tools write either.
fn without_usr(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/usr").filter(|rest| rest.starts_with(b"/")).unwrap_or(path)
}

/// Whether a home lies where no package puts one.
fn set_by_hand(home: &[u8]) -> bool {
    const PACKAGED: [&[u8]; 13] = [
        b"bin",
        b"boot",
        b"dev",
        b"etc",
        b"lib",
        b"lib64",
        b"nonexistent",
        b"proc",
        b"root",
        b"run",
        b"sbin",
        b"usr",
        b"var",
    ];
    if home.starts_with(b"/usr/local/") {
        return true;
    }
    let mut components = home.split(|&b| b == b'/').filter(|c| !c.is_empty());
    match components.next() {
        Some(top) => home.starts_with(b"/") && !PACKAGED.contains(&top),
        None => false,
    }
}

/// The old secrets of a user that both have, where they are to be used.
fn secret(
    user: &Passwd,
    old: &Users<'_>,
    new: &Users<'_>,
    decisions: &mut Vec<Decision>,
) -> Option<Shadow> {
    let (was, is) = (old.secret(&user.name)?, new.secret(&user.name));
    if is.as_ref() == Some(&was) {
        return None;
    }
    let name = user.name.clone();
    let replaceable = match &is {
        Some(is) => is_locked(&is.password) || is.password.is_empty(),
        None => true,
    };
    let same = is.as_ref().is_some_and(|is| is.password == was.password);
    let carried = match user.uid {
        0 => has_hash(&was.password),
        uid if is_system(uid) => has_hash(&was.password) && (replaceable || same),
        _ => true,
    };
    if carried {
        if !same && has_hash(&was.password) {
            decisions.push(Decision::PasswordCarried { kind: USER, name });
        } else if !same && was.password.is_empty() {
            decisions.push(Decision::Conflict(Conflict::PasswordEmpty { name }));
        }
        return Some(was);
    }
    if has_hash(&was.password) && !same {
        decisions.push(Decision::Conflict(Conflict::PasswordDiffers { kind: USER, name }));
    }
    None
}

fn set_secret(
    user: &mut Passwd,
    secret: Shadow,
    shadowed: bool,
    secrets: &mut BTreeMap<Vec<u8>, Shadow>,
) {
    if shadowed {
        user.password = b"x".to_vec();
        secrets.insert(user.name.clone(), secret);
    } else {
        user.password = secret.password;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_outside_of_what_packages_use_was_set_by_hand() {
        for home in ["/home/git", "/srv/www", "/data", "/opt/app", "/usr/local/app"] {
            assert!(set_by_hand(home.as_bytes()), "{home}");
        }
        for home in ["", "/", "relative", "/var/www", "/usr/sbin", "/nonexistent", "/run/ircd"] {
            assert!(!set_by_hand(home.as_bytes()), "{home}");
        }
    }
}
