//! [`IdMap`]: which ids changed, and the places in a file's metadata where ids are written.
//!
//! Ids stand in the owner and group of a file, in the entries of its ACLs, and in the root id of
//! a capability given inside a user namespace. An attribute that cannot be read is left alone.

use std::collections::BTreeMap;

use crate::tree::Meta;

/// A range of ids that stands elsewhere now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MovedRange {
    /// First id before.
    pub from: u32,
    /// First id now.
    pub to: u32,
    /// How many.
    pub count: u32,
}

/// Old ids to new ids. An id that is not in it stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdMap {
    /// User ids, only those that changed or stay while a range around them moved.
    pub uid: BTreeMap<u32, u32>,
    /// Group ids, as `uid`.
    pub gid: BTreeMap<u32, u32>,
    /// Ranges of subordinate user ids that moved; `uid` goes before them.
    pub uid_ranges: Vec<MovedRange>,
    /// Ranges of subordinate group ids that moved; `gid` goes before them.
    pub gid_ranges: Vec<MovedRange>,
}

const ACL_VERSION: u32 = 2;
const ACL_HEADER: usize = 4;
const ACL_ENTRY: usize = 8;
const ACL_USER: u16 = 0x02;
const ACL_GROUP: u16 = 0x08;
/// `vfs_ns_cap_data`: magic, two pairs of masks, the root id.
const CAPABILITY_V3: usize = 24;
const CAPABILITY_ROOTID: usize = 20;

impl IdMap {
    /// What the user id `old` is now.
    pub(crate) fn uid(&self, old: u32) -> u32 {
        map(&self.uid, &self.uid_ranges, old)
    }

    /// What the group id `old` is now.
    pub(crate) fn gid(&self, old: u32) -> u32 {
        map(&self.gid, &self.gid_ranges, old)
    }

    /// Maps all ids in `meta`: owner, group, ACLs, the root id of a capability.
    pub(crate) fn apply(&self, meta: &mut Meta) {
        meta.uid = self.uid(meta.uid);
        meta.gid = self.gid(meta.gid);
        for (name, value) in &mut meta.xattrs {
            let mapped = match name.as_slice() {
                b"system.posix_acl_access" | b"system.posix_acl_default" => self.acl(value),
                b"security.capability" => self.capability(value),
                _ => None,
            };
            if let Some(mapped) = mapped {
                *value = mapped;
            }
        }
    }

    /// An ACL with its ids mapped, in canonical order; `None` for what is no ACL.
    ///
    /// Two ids that became one (aliases) leave one entry, with what both of them granted: a
    /// mapping never grants more than either entry did.
    fn acl(&self, value: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = value.split_at_checked(ACL_HEADER)?;
        if u32::from_le_bytes(header.try_into().ok()?) != ACL_VERSION {
            return None;
        }
        if body.len() % ACL_ENTRY != 0 {
            return None;
        }
        let mut entries: BTreeMap<(u16, u32), u16> = BTreeMap::new();
        for entry in body.chunks_exact(ACL_ENTRY) {
            let tag = u16::from_le_bytes([entry[0], entry[1]]);
            let perm = u16::from_le_bytes([entry[2], entry[3]]);
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            let id = match tag {
                ACL_USER => self.uid(id),
                ACL_GROUP => self.gid(id),
                _ => id,
            };
            entries.entry((tag, id)).and_modify(|p| *p &= perm).or_insert(perm);
        }
        let mut mapped = header.to_vec();
        for ((tag, id), perm) in entries {
            mapped.extend_from_slice(&tag.to_le_bytes());
            mapped.extend_from_slice(&perm.to_le_bytes());
            mapped.extend_from_slice(&id.to_le_bytes());
        }
        Some(mapped)
    }

    fn capability(&self, value: &[u8]) -> Option<Vec<u8>> {
        // The revision is the top byte of the first word.
        if value.len() != CAPABILITY_V3 || value[3] != 3 {
            return None;
        }
        let (head, rootid) = value.split_at(CAPABILITY_ROOTID);
        let rootid = self.uid(u32::from_le_bytes(rootid.try_into().ok()?));
        Some([head, &rootid.to_le_bytes()].concat())
    }
}

fn map(ids: &BTreeMap<u32, u32>, ranges: &[MovedRange], old: u32) -> u32 {
    if let Some(new) = ids.get(&old) {
        return *new;
    }
    for range in ranges {
        match old.checked_sub(range.from) {
            Some(offset) if offset < range.count => return range.to.saturating_add(offset),
            _ => {}
        }
    }
    old
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Time;

    fn ids() -> IdMap {
        IdMap {
            uid: [(100, 42), (1000, 1001), (7, 1001)].into(),
            gid: [(1000, 1002)].into(),
            uid_ranges: vec![MovedRange { from: 100_000, to: 300_000, count: 65_536 }],
            gid_ranges: vec![],
        }
    }

    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = 2u32.to_le_bytes().to_vec();
        for (tag, perm, id) in entries {
            value.extend_from_slice(&tag.to_le_bytes());
            value.extend_from_slice(&perm.to_le_bytes());
            value.extend_from_slice(&id.to_le_bytes());
        }
        value
    }

    fn mapped(name: &str, value: Vec<u8>) -> Vec<u8> {
        let mut meta = Meta {
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Time { secs: 0, nanos: 0 },
            xattrs: [(name.as_bytes().to_vec(), value)].into(),
        };
        ids().apply(&mut meta);
        meta.xattrs.into_values().next().unwrap()
    }

    #[test]
    fn an_id_in_a_moved_range_keeps_its_place_in_it() {
        let ids = ids();
        let found: Vec<u32> =
            [0, 100, 99_999, 100_000, 165_535, 165_536].map(|id| ids.uid(id)).into();
        assert_eq!(found, [0, 42, 99_999, 300_000, 365_535, 165_536]);
        assert_eq!(ids.gid(1000), 1002);
    }

    #[test]
    fn acl_entries_are_mapped_by_their_tag_and_sorted_again() {
        let none = u32::MAX;
        let before = acl(&[
            (1, 7, none),
            (2, 6, 100),
            (2, 5, 500),
            (2, 7, 1000),
            (4, 5, none),
            (8, 4, 1000),
            (16, 7, none),
            (32, 0, none),
        ]);
        let after = acl(&[
            (1, 7, none),
            (2, 6, 42),
            (2, 5, 500),
            (2, 7, 1001),
            (4, 5, none),
            (8, 4, 1002),
            (16, 7, none),
            (32, 0, none),
        ]);
        assert_eq!(mapped("system.posix_acl_access", before.clone()), after);
        assert_eq!(mapped("system.posix_acl_default", before.clone()), after);
        assert_eq!(mapped("user.posix_acl_access", before.clone()), before);
    }

    #[test]
    fn two_acl_entries_that_became_one_grant_what_both_granted() {
        let before = acl(&[(1, 7, 0), (2, 6, 7), (2, 5, 1000), (4, 0, 0), (32, 0, 0)]);
        let after = acl(&[(1, 7, 0), (2, 4, 1001), (4, 0, 0), (32, 0, 0)]);
        assert_eq!(mapped("system.posix_acl_access", before), after);
    }

    #[test]
    fn what_is_no_acl_is_left_alone() {
        for value in [vec![], vec![2, 0, 0], vec![1, 0, 0, 0, 9], vec![2, 0, 0, 0, 2, 0, 6]] {
            assert_eq!(mapped("system.posix_acl_access", value.clone()), value);
        }
    }

    #[test]
    fn the_root_id_of_a_namespaced_capability_is_mapped() {
        let mut v3 = vec![1, 0, 0, 3];
        v3.extend_from_slice(&[9; 16]);
        let after = [v3.clone(), 1001u32.to_le_bytes().to_vec()].concat();
        v3.extend_from_slice(&1000u32.to_le_bytes());
        assert_eq!(mapped("security.capability", v3), after);
        let v2 = [vec![1, 0, 0, 2], vec![9; 16]].concat();
        assert_eq!(mapped("security.capability", v2.clone()), v2);
    }
}
