//! [`Group`] and [`Gshadow`]: one line of `/etc/group` and of `/etc/gshadow`.

use super::table::{Record, fields, id, join, list};

/// A group as `/etc/group` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Its name.
    pub name: Vec<u8>,
    /// `x` when the password is in gshadow, else the hash itself.
    pub password: Vec<u8>,
    /// Group id.
    pub gid: u32,
    /// Names of the users that belong to it besides those whose primary group it is.
    pub members: Vec<Vec<u8>>,
}

impl Record for Group {
    fn parse(line: &[u8]) -> Option<Group> {
        let [name, password, gid, members] = fields(line)?;
        Some(Group {
            name: name.to_vec(),
            password: password.to_vec(),
            gid: id(gid)?,
            members: list(members),
        })
    }

    fn format(&self, out: &mut Vec<u8>) {
        let gid = self.gid.to_string();
        let members = self.members.join(&b',');
        join(out, &[&self.name, &self.password, gid.as_bytes(), &members]);
    }

    fn name(&self) -> &[u8] {
        &self.name
    }
}

/// A group's secrets as `/etc/gshadow` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gshadow {
    /// The group's name.
    pub name: Vec<u8>,
    /// Hash, or `!`/`*` when nobody joins by password.
    pub password: Vec<u8>,
    /// Names of those who may change the members.
    pub admins: Vec<Vec<u8>>,
    /// The members, as in `/etc/group`.
    pub members: Vec<Vec<u8>>,
}

impl Record for Gshadow {
    fn parse(line: &[u8]) -> Option<Gshadow> {
        let [name, password, admins, members] = fields(line)?;
        Some(Gshadow {
            name: name.to_vec(),
            password: password.to_vec(),
            admins: list(admins),
            members: list(members),
        })
    }

    fn format(&self, out: &mut Vec<u8>) {
        let (admins, members) = (self.admins.join(&b','), self.members.join(&b','));
        join(out, &[&self.name, &self.password, &admins, &members]);
    }

    fn name(&self) -> &[u8] {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: Record>(line: &str) -> Option<String> {
        let mut out = vec![];
        T::parse(line.as_bytes())?.format(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_group_is_four_fields_with_a_list() {
        assert_eq!(
            Group::parse(b"sudo:x:27:alice,bob"),
            Some(Group {
                name: b"sudo".to_vec(),
                password: b"x".to_vec(),
                gid: 27,
                members: vec![b"alice".to_vec(), b"bob".to_vec()],
            })
        );
        assert_eq!(round::<Group>("sudo:x:27:").unwrap(), "sudo:x:27:");
        assert_eq!(round::<Group>("sudo:x:27:,a,,b,").unwrap(), "sudo:x:27:a,b");
        assert_eq!(round::<Group>("sudo:x:27"), None);
        assert_eq!(round::<Group>("sudo:x:-1:"), None);
    }

    #[test]
    fn a_gshadow_line_keeps_administrators_and_members_apart() {
        assert_eq!(round::<Gshadow>("sudo:!:root:alice,bob").unwrap(), "sudo:!:root:alice,bob");
        assert_eq!(round::<Gshadow>("sudo:*::").unwrap(), "sudo:*::");
        assert_eq!(round::<Gshadow>("sudo:*:"), None);
    }
}
