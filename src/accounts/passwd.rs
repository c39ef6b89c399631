//! [`Passwd`]: one line of `/etc/passwd`.

use super::table::{Record, fields, id, join};

/// A user as `/etc/passwd` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passwd {
    /// Login name.
    pub name: Vec<u8>,
    /// `x` when the password is in the shadow file, else the hash itself.
    pub password: Vec<u8>,
    /// User id.
    pub uid: u32,
    /// Id of the primary group.
    pub gid: u32,
    /// Full name and the like.
    pub gecos: Vec<u8>,
    /// Home directory.
    pub home: Vec<u8>,
    /// Login shell; empty means `/bin/sh`.
    pub shell: Vec<u8>,
}

impl Record for Passwd {
    fn parse(line: &[u8]) -> Option<Passwd> {
        let [name, password, uid, gid, gecos, home, shell] = fields(line)?;
        Some(Passwd {
            name: name.to_vec(),
            password: password.to_vec(),
            uid: id(uid)?,
            gid: id(gid)?,
            gecos: gecos.to_vec(),
            home: home.to_vec(),
            shell: shell.to_vec(),
        })
    }

    fn format(&self, out: &mut Vec<u8>) {
        let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
        let fields: [&[u8]; 7] = [
            &self.name,
            &self.password,
            uid.as_bytes(),
            gid.as_bytes(),
            &self.gecos,
            &self.home,
            &self.shell,
        ];
        join(out, &fields);
    }

    fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Whether `shell` is one that lets nobody in: `nologin` or `false`, wherever it is installed.
pub(super) fn refuses_login(shell: &[u8]) -> bool {
    let name = shell.rsplit(|&b| b == b'/').next().unwrap_or(shell);
    matches!(name, b"nologin" | b"false" | b"true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_seven_fields() {
        let line = b"alice:x:1000:1001:Alice \xff,,,:/home/alice:/bin/bash";
        let user = Passwd::parse(line).unwrap();
        assert_eq!(
            user,
            Passwd {
                name: b"alice".to_vec(),
                password: b"x".to_vec(),
                uid: 1000,
                gid: 1001,
                gecos: b"Alice \xff,,,".to_vec(),
                home: b"/home/alice".to_vec(),
                shell: b"/bin/bash".to_vec(),
            }
        );
        let mut out = vec![];
        user.format(&mut out);
        assert_eq!(out, line);
        for bad in ["alice:x:1000:1001::/home", ":x:1:1:::", "a:x:1:1::::", "a:x::1:::"] {
            assert_eq!(Passwd::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_shell_that_lets_nobody_in_is_known_by_its_name() {
        assert!(refuses_login(b"/usr/sbin/nologin") && refuses_login(b"/bin/false"));
        assert!(!refuses_login(b"/bin/bash") && !refuses_login(b""));
    }
}
