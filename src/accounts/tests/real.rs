//! The accounts of Debian 11 with a life behind them, brought to Debian 13.

use super::*;

const OLD_PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
gnats:x:41:41:Gnats Bug-Reporting System (admin):/var/lib/gnats:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
_apt:x:100:65534::/nonexistent:/usr/sbin/nologin
";
const NEW_PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const NEW_GROUP: &str = "\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
lp:x:7:
mail:x:8:
news:x:9:
uucp:x:10:
man:x:12:
proxy:x:13:
kmem:x:15:
dialout:x:20:
fax:x:21:
voice:x:22:
cdrom:x:24:
floppy:x:25:
tape:x:26:
sudo:x:27:
audio:x:29:
dip:x:30:
www-data:x:33:
backup:x:34:
operator:x:37:
list:x:38:
irc:x:39:
src:x:40:
shadow:x:42:
utmp:x:43:
video:x:44:
sasl:x:45:
plugdev:x:46:
staff:x:50:
games:x:60:
users:x:100:
nogroup:x:65534:
";

/// The files of an image in which every account is locked.
fn image(passwd: &str, group: &str) -> [(AccountFile, String); 4] {
    let each = |text: &str, rest: &str| -> String {
        text.lines().map(|line| format!("{}{rest}\n", line.split(':').next().unwrap())).collect()
    };
    [
        (Passwd, passwd.to_owned()),
        (Group, group.to_owned()),
        (Shadow, each(passwd, ":*:20778:0:99999:7:::")),
        (Gshadow, each(group, ":*::")),
    ]
}

fn system(files: [(AccountFile, String); 4], more: [&str; 4]) -> AccountDb {
    let mut accounts = AccountDb::default();
    for ((file, text), more) in files.into_iter().zip(more) {
        accounts.set(file, (text + more).as_bytes()).unwrap();
    }
    accounts
}

/// Debian 11 with openssh-server and samba, people and a group of theirs.
fn old() -> AccountDb {
    let group = NEW_GROUP.replace("shadow:x:42:", "gnats:x:41:\nshadow:x:42:");
    let group = group.replace("sudo:x:27:", "sudo:x:27:erin");
    let mut files = image(OLD_PASSWD, &group);
    files[2].1 = files[2].1.replace("root:*:20778", "root:$y$j9T$s$h:20800");
    system(
        files,
        [
            "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n\
             erin:x:1000:1000::/home/erin:/bin/bash\nfrank:x:1500:1500::/home/frank:/bin/bash\n",
            "ssh:x:101:\nsambashare:x:102:\nerin:x:1000:\nfrank:x:1500:\nops:x:1700:erin\n",
            "sshd:!:20780::::::\nerin:$6$e$e:20780:0:99999:7:::\nfrank:!:20780:0:99999:7:::\n",
            "ssh:!::\nsambashare:!::\nerin:!::\nfrank:!::\nops:!::erin\n",
        ],
    )
}

/// Debian 13 with the same packages.
fn new() -> AccountDb {
    system(
        image(NEW_PASSWD, NEW_GROUP),
        [
            "sshd:x:995:65534:sshd user:/run/sshd:/usr/sbin/nologin\n",
            "_ssh:x:101:\nsambashare:x:996:\n",
            "sshd:!*:20781::::::\n",
            "_ssh:!::\nsambashare:!::\n",
        ],
    )
}

#[test]
fn debian_11_comes_to_debian_13_with_its_people_and_without_its_ids() {
    let renames: Renames = [("ssh", "_ssh")].into_iter().collect();
    let out = merge(&old(), &new(), &MergeOptions { renames, owners: Owners::default() });
    let start = text(&out, Passwd);
    assert_eq!(
        start.strip_prefix(NEW_PASSWD).unwrap(),
        "sshd:x:995:65534:sshd user:/run/sshd:/usr/sbin/nologin\n\
         gnats:x:41:41:Gnats Bug-Reporting System (admin):/var/lib/gnats:/usr/sbin/nologin\n\
         erin:x:1000:1000::/home/erin:/bin/bash\nfrank:x:1500:1500::/home/frank:/bin/bash\n"
    );
    assert_eq!(
        text(&out, Group).strip_prefix(&NEW_GROUP.replace("sudo:x:27:", "sudo:x:27:erin")).unwrap(),
        "_ssh:x:101:\nsambashare:x:996:\ngnats:x:41:\nerin:x:1000:\nfrank:x:1500:\n\
         ops:x:1700:erin\n"
    );
    assert_eq!(line(&out, Shadow, "root"), "root:$y$j9T$s$h:20800:0:99999:7:::");
    assert_eq!(line(&out, Shadow, "erin"), "erin:$6$e$e:20780:0:99999:7:::");
    assert_eq!(line(&out, Shadow, "sshd"), "sshd:!*:20781::::::");
    assert_eq!(line(&out, Gshadow, "sudo"), "sudo:*::erin");
    assert_eq!(line(&out, Gshadow, "ops"), "ops:!::erin");
    assert_eq!(out.ids.uid, [(100, 42), (101, 995)].into());
    assert_eq!(out.ids.gid, [(102, 996)].into());
    assert_eq!(conflicts(&out), []);
}

#[test]
fn a_second_restore_onto_the_result_changes_nothing() {
    let first = plain(&old(), &new());
    let second = plain(&old(), &first.accounts);
    assert_eq!((second.accounts, second.ids), (first.accounts, first.ids));
}
