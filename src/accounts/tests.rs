//! The merge on real files of two releases, its laws on random ones, and loading from a root.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::merge::{Merge, Owners, Renames};
use super::table::Record;
use super::{
    AccountDb, AccountFile, AccountKind, Conflict, Decision, IdMap, MergeOptions, Problem, merge,
};
use crate::tree::{Content, Entry, Kind, Meta, RootPath, Tree, TreeError};

mod load;
mod real;

fn db(files: &[(AccountFile, &str)]) -> AccountDb {
    let mut accounts = AccountDb::default();
    for (file, text) in files {
        accounts.set(*file, text.as_bytes()).unwrap();
    }
    accounts
}

fn text(merge: &Merge, file: AccountFile) -> String {
    let content = merge.files.get(&file.path()).cloned().unwrap_or_default();
    String::from_utf8(content).unwrap()
}

fn line(merge: &Merge, file: AccountFile, name: &str) -> String {
    let text = text(merge, file);
    let prefix = format!("{name}:");
    text.lines().find(|line| line.starts_with(&prefix)).unwrap_or("").to_owned()
}

fn plain(old: &AccountDb, new: &AccountDb) -> Merge {
    merge(old, new, &MergeOptions::default())
}

fn conflicts(merge: &Merge) -> Vec<Conflict> {
    let conflict = |decision: &Decision| match decision {
        Decision::Conflict(conflict) => Some(conflict.clone()),
        _ => None,
    };
    merge.decisions.iter().filter_map(conflict).collect()
}

use AccountFile::{Group, Gshadow, Passwd, Shadow, Shells, Subgid, Subuid};

#[test]
fn the_day_of_an_installation_is_no_day_of_a_password() {
    let old = db(&[(Shadow, "root:*:18000:0:99999:7:::\nntp:*:18100:0:99999:7:::\n")]);
    let mut new = db(&[(
        Shadow,
        "root:*:20000:0:99999:7:::\nmail:*:20000:0:99999:7:::\nntp:!:20777::::::\n\
         chrony:!:20777::::::\nadmin:$y$hash:20777:0:99999:7:::\n",
    )]);
    new.forget_days_of_making(&old);
    let text = String::from_utf8(new.shadow.format()).unwrap();
    assert_eq!(
        text,
        "root:*:20000:0:99999:7:::\nmail:*:20000:0:99999:7:::\nntp:!:18100::::::\n\
         chrony:!:::::::\nadmin:$y$hash:20777:0:99999:7:::\n"
    );
}

#[test]
fn ids_in_hostile_files_never_make_anything_the_superusers() {
    let old = db(&[(Passwd, "root:x:1000:1000::/root:/bin/sh\nal:x:1000:1000::/h:/bin/sh\n")]);
    let new = db(&[(Passwd, "root:x:0:0:root:/root:/bin/bash\n")]);
    let out = plain(&old, &new);
    assert_eq!(out.ids.uid(1000), 1000);
    assert_eq!(text(&out, Passwd), "root:x:0:0:root:/root:/bin/sh\nal:x:1000:1000::/h:/bin/sh\n");
}

#[test]
fn aliases_of_root_stay_aliases_of_root() {
    let old = db(&[(Passwd, "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n")]);
    let new = db(&[(Passwd, "root:x:0:0::/root:/bin/sh\n")]);
    assert_eq!(plain(&old, &new).accounts.passwd, old.passwd);
}

#[test]
fn a_password_set_on_the_old_system_opens_the_new_one() {
    let old = db(&[
        (Passwd, "root:x:0:0::/root:/bin/bash\npg:x:105:105::/var/lib/pg:/bin/bash\n"),
        (Shadow, "root:$6$old:19000:0:99999:7:::\npg:!$6$pg:19000:0:99999:7:::\n"),
    ]);
    let new = db(&[
        (Passwd, "root:x:0:0::/root:/bin/bash\npg:x:999:999::/var/lib/pg:/bin/bash\n"),
        (Shadow, "root:*:20778:0:99999:7:::\npg:!:20778::::::\n"),
    ]);
    let out = plain(&old, &new);
    assert_eq!(text(&out, Shadow), old.shadow.format().as_bstr_string());
    assert!(
        out.decisions.contains(&Decision::PasswordCarried {
            kind: AccountKind::User,
            name: b"root".to_vec()
        })
    );
}

#[test]
fn a_locked_root_of_the_old_system_does_not_lock_the_new_one() {
    let old = db(&[(Passwd, "root:x:0:0::/:\n"), (Shadow, "root:*:1::::::\n")]);
    let new = db(&[(Passwd, "root:x:0:0::/:\n"), (Shadow, "root:$6$new:2::::::\n")]);
    assert_eq!(plain(&old, &new).accounts, new);
}

#[test]
fn a_hash_in_passwd_itself_moves_to_shadow() {
    let old = db(&[(Passwd, "al:ab01FAX.bQRSU:1000:1000::/home/al:/bin/sh\n")]);
    let new = db(&[(Passwd, "root:x:0:0::/:\n"), (Shadow, "root:*:2::::::\n")]);
    let out = plain(&old, &new);
    assert_eq!(line(&out, Passwd, "al"), "al:x:1000:1000::/home/al:/bin/sh");
    assert_eq!(line(&out, Shadow, "al"), "al:ab01FAX.bQRSU:::::::");
}

#[test]
fn a_user_whose_secrets_are_unknown_is_locked_and_one_without_a_password_is_named() {
    let old = db(&[(Passwd, "al:x:1000:1000::/:\nbo::1001:1001::/:\n")]);
    let new = db(&[(Passwd, "root:x:0:0::/:\n"), (Shadow, "root:*:2::::::\n")]);
    let out = plain(&old, &new);
    assert_eq!(text(&out, Shadow), "root:*:2::::::\nal:!:::::::\nbo::::::::\n");
    assert_eq!(conflicts(&out), [Conflict::PasswordEmpty { name: b"bo".to_vec() }]);
}

#[test]
fn a_shell_that_the_new_system_lacks_does_not_lock_root_out() {
    let old = db(&[(Passwd, "root:x:0:0::/root:/bin/ash\n")]);
    let new =
        db(&[(Passwd, "root:x:0:0::/root:/bin/bash\n"), (Shells, "# s\n/bin/sh\n/bin/bash\n")]);
    let out = plain(&old, &new);
    assert_eq!(text(&out, Passwd), "root:x:0:0::/root:/bin/bash\n");
    let conflict = Conflict::ShellUnknown { name: b"root".to_vec(), shell: b"/bin/ash".to_vec() };
    assert_eq!(conflicts(&out), [conflict]);
}

#[test]
fn a_system_user_keeps_the_shell_and_home_a_person_gave_it_and_no_former_default() {
    let old = db(&[(
        Passwd,
        "www-data:x:33:33::/srv/www:/usr/bin/bash\nirc:x:39:39::/var/run/ircd:/bin/sh\n\
         mysql:x:101:101::/nonexistent:/bin/false\npg:x:102:102::/v:/usr/sbin/nologin\n",
    )]);
    let new = db(&[
        (
            Passwd,
            "www-data:x:33:33::/var/www:/usr/sbin/nologin\nirc:x:39:39::/run/ircd:/usr/sbin/nologin\n\
             mysql:x:100:101::/var/lib/mysql:/usr/sbin/nologin\npg:x:102:102::/v:/bin/bash\n",
        ),
        (Shells, "/bin/bash\n"),
    ]);
    let out = plain(&old, &new);
    assert_eq!(
        text(&out, Passwd),
        "www-data:x:33:33::/srv/www:/usr/bin/bash\nirc:x:39:39::/run/ircd:/usr/sbin/nologin\n\
         mysql:x:100:101::/var/lib/mysql:/usr/sbin/nologin\npg:x:102:102::/v:/bin/bash\n"
    );
    assert_eq!(out.ids.uid, [(101, 100)].into());
    let opened = Conflict::ShellOpened {
        name: b"pg".to_vec(),
        old: b"/usr/sbin/nologin".to_vec(),
        new: b"/bin/bash".to_vec(),
    };
    assert_eq!(conflicts(&out), [opened]);
}

#[test]
fn a_persons_account_returns_as_it_was_under_the_id_it_has_here() {
    let old = db(&[
        (Passwd, "ubuntu:x:1000:1000:Me:/data/me:/bin/zsh\n"),
        (Group, "ubuntu:x:1000:\n"),
        (Shadow, "ubuntu:$6$a:1::::::\n"),
    ]);
    let new = db(&[
        (Passwd, "ubuntu:x:1005:1006:Ubuntu:/home/ubuntu:/bin/bash\n"),
        (Group, "ubuntu:x:1006:\n"),
        (Shadow, "ubuntu:!:2::::::\n"),
    ]);
    let out = plain(&old, &new);
    assert_eq!(text(&out, Passwd), "ubuntu:x:1005:1006:Me:/data/me:/bin/zsh\n");
    assert_eq!(text(&out, Shadow), "ubuntu:$6$a:1::::::\n");
    assert_eq!((out.ids.uid(1000), out.ids.gid(1000)), (1005, 1006));
}

#[test]
fn memberships_are_joined_and_mirrored_and_those_of_nobody_dropped() {
    let old = db(&[
        (Passwd, "al:x:1000:1000::/:\n"),
        (Group, "sudo:x:27:al,ghost\nops:x:1000:al,root\n"),
        (Gshadow, "sudo:*:al:al,ghost\nops:$6$x:ghost:al\n"),
    ]);
    let new = db(&[
        (Passwd, "root:x:0:0::/:\n"),
        (Group, "sudo:x:27:root\nadm:x:4:syslog\n"),
        (Gshadow, "sudo:*::root\nadm:*::\n"),
    ]);
    let out = plain(&old, &new);
    assert_eq!(text(&out, Group), "sudo:x:27:root,al\nadm:x:4:syslog\nops:x:1000:al,root\n");
    assert_eq!(text(&out, Gshadow), "sudo:*:al:root,al\nadm:*::\nops:$6$x::al,root\n");
    let dropped = Decision::MembershipDropped { user: b"ghost".to_vec(), group: b"sudo".to_vec() };
    assert!(out.decisions.contains(&dropped));
}

#[test]
fn a_system_user_whose_primary_group_changed_stays_in_the_former_one() {
    let old = db(&[
        (Passwd, "www-data:x:33:1001::/var/www:/usr/sbin/nologin\n"),
        (Group, "web:x:1001:\n"),
    ]);
    let new = db(&[
        (Passwd, "www-data:x:33:33::/var/www:/usr/sbin/nologin\n"),
        (Group, "www-data:x:33:\n"),
    ]);
    assert_eq!(text(&plain(&old, &new), Group), "www-data:x:33:\nweb:x:1001:www-data\n");
}

#[test]
fn an_account_that_was_renamed_is_one_account() {
    let old = db(&[
        (Passwd, "ntp:x:101:102::/nonexistent:/usr/sbin/nologin\n"),
        (Group, "ntp:x:102:\ndialout:x:20:ntp\n"),
    ]);
    let new = db(&[
        (Passwd, "ntpsec:x:998:997::/nonexistent:/usr/sbin/nologin\n"),
        (Group, "ntpsec:x:997:\ndialout:x:20:\n"),
    ]);
    let renames: Renames = [("ntp", "ntpsec")].into_iter().collect();
    let out = merge(&old, &new, &MergeOptions { renames, owners: Owners::default() });
    assert_eq!(out.accounts.passwd, new.passwd);
    assert_eq!(text(&out, Group), "ntpsec:x:997:\ndialout:x:20:ntpsec\n");
    assert_eq!((out.ids.uid(101), out.ids.gid(102)), (998, 997));
}

#[test]
fn a_rename_to_a_name_that_the_old_system_uses_is_not_done() {
    let old = db(&[(Passwd, "ntp:x:101:102::/:\nntpsec:x:102:102::/:\n")]);
    let renames: Renames = [("ntp", "ntpsec")].into_iter().collect();
    let out = merge(&old, &AccountDb::default(), &MergeOptions { renames, ..Default::default() });
    assert_eq!(out.accounts.passwd, old.passwd);
    assert_eq!(conflicts(&out).len(), 1);
}

#[test]
fn subordinate_ranges_come_along_and_make_room_and_their_files_follow() {
    let old = db(&[
        (Passwd, "al:x:1000:1000::/:\nbo:x:1001:1001::/:\n"),
        (Subuid, "al:100000:65536\n1001:165536:65536\nghost:400000:10\n"),
        (Subgid, "al:100000:65536\n"),
    ]);
    let new = db(&[
        (Passwd, "ubuntu:x:1000:1000::/:\n"),
        (Subuid, "ubuntu:100000:65536\n"),
        (Subgid, "ubuntu:300000:65536\n"),
    ]);
    let out = plain(&old, &new);
    assert_eq!(line(&out, Passwd, "al"), "al:x:1002:1000::/:");
    assert_eq!(text(&out, Subuid), "ubuntu:100000:65536\n1001:165536:65536\nal:231072:65536\n");
    assert_eq!(text(&out, Subgid), "ubuntu:300000:65536\nal:100000:65536\n");
    assert_eq!((out.ids.uid(100_007), out.ids.uid(165_543)), (231_079, 165_543));
    assert_eq!(out.ids.gid(100_007), 100_007);
    let again = plain(&old, &out.accounts);
    assert_eq!((again.ids, again.accounts), (out.ids, out.accounts));
}

#[test]
fn an_account_and_a_subordinate_range_never_share_an_id() {
    // The new range is in the way of the old account, the old range in the way of a new one.
    let old =
        db(&[(Passwd, "al:x:100010:1::/:\nbo:x:1000:1::/:\n"), (Subuid, "bo:300000:65536\n")]);
    let new = db(&[
        (Passwd, "ubuntu:x:1001:1::/:\nbig:x:300007:1::/:\n"),
        (Subuid, "ubuntu:100000:65536\n"),
    ]);
    let out = plain(&old, &new);
    assert_eq!(out.ids.uid, [(100_010, 65_536)].into());
    assert_eq!(text(&out, Subuid), "ubuntu:100000:65536\nbo:165536:65536\n");
}

#[test]
fn a_system_user_with_a_password_on_both_keeps_the_new_one_and_is_named() {
    let side = |hash: &str| {
        let shadow = format!("git:{hash}:1::::::\n");
        db(&[(Passwd, "git:x:105:1::/:\n"), (Shadow, &shadow)])
    };
    let out = plain(&side("$6$old"), &side("$6$new"));
    assert_eq!(out.accounts, side("$6$new"));
    let differs = Conflict::PasswordDiffers { kind: AccountKind::User, name: b"git".to_vec() };
    assert_eq!(conflicts(&out), [differs]);
}

#[test]
fn a_former_primary_group_of_root_or_nobody_makes_no_member() {
    let old = db(&[
        (Passwd, "operator:x:37:0::/:\n_apt:x:100:65534::/:\n"),
        (Group, "root:x:0:\nnogroup:x:65534:\n"),
    ]);
    let new = db(&[
        (Passwd, "operator:x:37:37::/:\n_apt:x:42:42::/:\n"),
        (Group, "root:x:0:\nnogroup:x:65534:\n"),
    ]);
    assert_eq!(plain(&old, &new).accounts, new);
}

#[test]
fn nss_lines_come_along_and_nonsense_is_counted() {
    let old = db(&[(Passwd, "# mine\nal:x:1000:1000::/:\nbroken\n+@staff::::::\n")]);
    let new = db(&[(Passwd, "root:x:0:0::/:\n")]);
    let out = plain(&old, &new);
    assert_eq!(text(&out, Passwd), "root:x:0:0::/:\nal:x:1000:1000::/:\n+@staff::::::\n");
    assert_eq!(conflicts(&out), [Conflict::Unreadable { file: Passwd, lines: 1 }]);
}

#[test]
fn a_number_that_owns_files_is_not_given_away_and_one_that_was_is_named() {
    let old = db(&[(Passwd, "al:x:1000:1000::/:\n")]);
    let new = db(&[(Passwd, "ubuntu:x:1000:1000::/:\nsshd:x:105:1::/:\n")]);
    let owners = Owners { uids: [105, 1000, 1001].into(), gids: BTreeSet::new() };
    let out = merge(&old, &new, &MergeOptions { owners, ..Default::default() });
    assert_eq!(out.ids.uid, [(1000, 1002)].into());
    let named = Conflict::NumberNamed { kind: AccountKind::User, id: 105, name: b"sshd".to_vec() };
    assert_eq!(conflicts(&out), [named]);
}

#[test]
fn decisions_and_conflicts_read_as_sentences_and_forge_no_line() {
    let old = db(&[(Passwd, "a\x1b[31m:x:1000:1000::/:\n")]);
    let new = db(&[(Passwd, "bo:x:1000:1000::/:\n")]);
    let shown: Vec<String> = plain(&old, &new).decisions.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "user `bo` stays the new system's own",
            "user `a\\u{1b}[31m` is added with id 1001",
            "user `a\\u{1b}[31m` had id 1000 and has 1001 now",
        ]
    );
}

trait BstrString {
    fn as_bstr_string(&self) -> String;
}

impl BstrString for Vec<u8> {
    fn as_bstr_string(&self) -> String {
        String::from_utf8(self.clone()).unwrap()
    }
}

// Laws.

const NAMES: [&str; 9] = ["root", "toor", "nobody", "a", "b", "c", "d", "e", "f"];
const IDS: [u32; 14] =
    [0, 1, 2, 33, 99, 100, 101, 999, 1000, 1001, 65_534, 65_535, 70_000, 100_010];

fn accounts() -> impl Strategy<Value = AccountDb> {
    let ids = || prop::collection::btree_map(0..NAMES.len(), 0..IDS.len(), 0..NAMES.len());
    let hashes = prop::collection::btree_map(0..NAMES.len(), 0..4usize, 0..NAMES.len());
    let members = prop::collection::vec((0..NAMES.len(), 0..NAMES.len()), 0..8);
    // One owner a range: what several share may find another place in a second merge.
    let ranges = prop::collection::btree_map(0..6u32, 0..NAMES.len(), 0..5);
    (ids(), ids(), hashes, members, ranges).prop_map(|(users, groups, hashes, members, ranges)| {
        let mut text = BTreeMap::new();
        let mut add = |file, line: String| {
            let text: &mut String = text.entry(file).or_default();
            text.push_str(&line);
        };
        for (name, id) in users {
            let (name, uid) = (NAMES[name], IDS[id]);
            let shell = ["/bin/bash", "/usr/sbin/nologin", "/bin/sh"][id % 3];
            add(Passwd, format!("{name}:x:{uid}:{}::/home/{name}:{shell}\n", IDS[(id * 5) % 14]));
        }
        for (name, hash) in hashes {
            let hash = ["*", "!", "$6$a", "!$6$b"][hash];
            add(Shadow, format!("{}:{hash}:1::::::\n", NAMES[name]));
        }
        for (name, id) in groups {
            let of = members.iter().filter(|(group, _)| *group == name);
            let of: BTreeSet<&str> = of.map(|(_, user)| NAMES[*user]).collect();
            let of: Vec<&str> = of.into_iter().collect();
            add(Group, format!("{}:x:{}:{}\n", NAMES[name], IDS[id], of.join(",")));
        }
        for (slot, name) in ranges {
            add(Subuid, format!("{}:{}:1000\n", NAMES[name], 100_000 + slot * 500));
        }
        let mut accounts = AccountDb::default();
        for (file, text) in text {
            accounts.set(file, text.as_bytes()).unwrap();
        }
        accounts
    })
}

type ByName = BTreeMap<Vec<u8>, u32>;

fn users(accounts: &AccountDb) -> ByName {
    accounts.passwd.records().map(|u| (u.name().to_vec(), u.uid)).collect()
}

fn groups(accounts: &AccountDb) -> ByName {
    accounts.group.records().map(|g| (g.name().to_vec(), g.gid)).collect()
}

fn names(by_name: &ByName, id: u32) -> BTreeSet<Vec<u8>> {
    by_name.iter().filter(|(_, i)| **i == id).map(|(name, _)| name.clone()).collect()
}

/// What is reached from `name` over names that share an id on either system.
fn aliases(name: &[u8], sides: [&ByName; 2]) -> BTreeSet<Vec<u8>> {
    let mut reached: BTreeSet<Vec<u8>> = [name.to_vec()].into();
    loop {
        let mut more = reached.clone();
        for side in sides {
            for name in &reached {
                more.extend(side.get(name).map(|id| names(side, *id)).unwrap_or_default());
            }
        }
        if more == reached {
            return reached;
        }
        reached = more;
    }
}

/// The laws of ids, on users or on groups.
fn laws(old: &ByName, new: &ByName, out: &ByName, map: impl Fn(u32) -> u32) {
    for (name, id) in new {
        assert_eq!(out.get(name), Some(id), "the new system's account keeps its id");
    }
    for (name, id) in old {
        let now = map(*id);
        assert_eq!(*id == 0, now == 0, "the superuser stays the superuser");
        let (before, after) = (names(old, *id), names(out, now));
        // Id 0 is what it is, whatever the two systems call it.
        let superuser = *id == 0 || new.get(name) == Some(&0);
        assert!(superuser || !before.is_disjoint(&after), "{name:?}: files change hands");
        assert!(out.contains_key(name), "no account is lost");
    }
    for (name, id) in out.iter().filter(|(_, id)| **id != 0) {
        let shared = names(out, *id);
        assert!(shared.is_subset(&aliases(name, [old, new])), "{shared:?} come to share {id}");
    }
}

proptest! {
    #[test]
    fn owner_names_stay_and_ids_are_shared_only_by_aliases(old in accounts(), new in accounts()) {
        let out = plain(&old, &new);
        laws(&users(&old), &users(&new), &users(&out.accounts), |id| out.ids.uid(id));
        laws(&groups(&old), &groups(&new), &groups(&out.accounts), |id| out.ids.gid(id));
    }

    #[test]
    fn a_second_merge_changes_no_id(old in accounts(), new in accounts()) {
        let out = plain(&old, &new);
        let again = plain(&old, &out.accounts);
        prop_assert_eq!(users(&again.accounts), users(&out.accounts));
        prop_assert_eq!(groups(&again.accounts), groups(&out.accounts));
        prop_assert_eq!(&again.accounts.subuid, &out.accounts.subuid);
        prop_assert_eq!(&again.ids, &out.ids);
        prop_assert_eq!(again.accounts, out.accounts);
    }

    #[test]
    fn a_system_merged_with_itself_is_itself(accounts in accounts()) {
        let out = plain(&accounts, &accounts);
        prop_assert_eq!(out.ids, IdMap::default());
        prop_assert_eq!(out.accounts, accounts);
    }

    #[test]
    fn a_primary_group_keeps_its_name(old in accounts(), new in accounts()) {
        let out = plain(&old, &new);
        for user in out.accounts.passwd.records() {
            let Some(was) = old.passwd.get(&user.name) else { continue };
            let Some(group) = old.group.records().find(|group| group.gid == was.gid) else {
                continue;
            };
            if new.passwd.get(&user.name).is_none() {
                let now = names(&groups(&out.accounts), user.gid);
                let was = names(&groups(&old), was.gid);
                prop_assert!(!was.is_disjoint(&now) || new.group.get(&group.name).is_some());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_and_merged_and_written_back(
        old in prop::collection::vec("[ab0:,+#\n -]{0,60}|.{0,20}", 6),
        new in prop::collection::vec("[ab0:,+#\n -]{0,60}|.{0,20}", 6),
    ) {
        let parse = |texts: &[String]| {
            let mut accounts = AccountDb::default();
            for (file, text) in AccountFile::ALL.into_iter().zip(texts) {
                accounts.set(file, text.as_bytes()).unwrap();
            }
            accounts
        };
        let (old, new) = (parse(&old), parse(&new));
        let mut read = AccountDb::default();
        let files = old.files();
        for file in AccountFile::ALL {
            read.set(file, files.get(&file.path()).map_or(&[], Vec::as_slice)).unwrap();
        }
        prop_assert_eq!(&read, &old);
        prop_assert_eq!(&plain(&old, &old).accounts, &old);
        let _ = plain(&old, &new);
    }
}
