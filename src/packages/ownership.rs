//! [`Claims`]: which package a path came with, for every path of every package.
//!
//! A system has hundreds of thousands of them, so they lie in one arena, sorted, and are found by
//! halving. In the arena the slash is written as NUL, which no path holds: byte order is then
//! component order, the order of [`RootPath`].

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::slice::ParallelSliceMut;

use super::{Conffile, Md5, Package};
use crate::tree::{RootPath, near_partition_point};

/// Bounds what forged lists can make us hold: ten times the largest real system.
const MAX_CLAIMS: usize = 8 << 20;
const MAX_ARENA: usize = 1 << 30;

const NO_DIGEST: u32 = u32::MAX;

/// The package a path came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned<'a> {
    /// The package.
    pub package: &'a Package,
    /// Digest of the content the package brought: as recorded for a regular file or for a
    /// conffile. `None` for directories and links, and where nothing is recorded.
    pub digest: Option<Md5>,
    /// Set when the path is one of the package's configuration files.
    pub conffile: Option<&'a Conffile>,
}

/// One path that packages brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPath<'a> {
    /// Where it lies, or would lie: canonical.
    pub path: RootPath,
    /// The package it came with.
    pub owned: Owned<'a>,
    /// Whether the package manager was told not to unpack it: its absence is no deletion.
    pub excluded: bool,
}

/// Whether a filter of the package manager kept a path from being unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// It was unpacked.
    Yes,
    /// It was filtered out.
    Excluded,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    at: u32,
    package: u32,
    digest: u32,
    length: u16,
    unpacked: Unpacked,
}

/// All claims of all packages.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    arena: Vec<u8>,
    claims: Vec<Claim>,
    digests: Vec<Md5>,
    /// The claim that was asked for last: the next question is about a path nearby.
    near: AtomicUsize,
}

/// There are more claims than can be held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// How many fit.
    pub(crate) limit: usize,
}

impl Claims {
    /// Adds that the package with index `package` brought `path`; [`Claims::sort`] makes it found.
    pub(crate) fn add(
        &mut self,
        path: &RootPath,
        package: usize,
        digest: Option<Md5>,
        unpacked: Unpacked,
    ) -> Result<(), Full> {
        let full = Full { limit: MAX_CLAIMS.min(self.claims.len()) };
        let bytes = path.as_bytes();
        if self.claims.len() >= MAX_CLAIMS || self.arena.len() + bytes.len() > MAX_ARENA {
            return Err(full);
        }
        let (Ok(at), Ok(package), Ok(length), Ok(next_digest)) = (
            u32::try_from(self.arena.len()),
            u32::try_from(package),
            u16::try_from(bytes.len()),
            u32::try_from(self.digests.len()),
        ) else {
            return Err(full);
        };
        self.arena.extend(bytes.iter().map(|&b| if b == b'/' { 0 } else { b }));
        let digest = digest.map_or(NO_DIGEST, |digest| {
            self.digests.push(digest);
            next_digest
        });
        self.claims.push(Claim { at, package, digest, length, unpacked });
        Ok(())
    }

    /// Puts the claims in order. Of several claims to one path, that with a digest counts first;
    /// one package claims a path once.
    pub(crate) fn sort(&mut self) {
        let arena = &self.arena;
        self.claims.par_sort_unstable_by(|a, b| {
            let order = key(arena, a).cmp(key(arena, b));
            let rank = |claim: &Claim| (claim.digest == NO_DIGEST, claim.package, claim.digest);
            order.then_with(|| rank(a).cmp(&rank(b)))
        });
        self.claims.dedup_by(|b, a| a.package == b.package && key(arena, a) == key(arena, b));
        self.claims.shrink_to_fit();
        self.arena.shrink_to_fit();
        self.digests.shrink_to_fit();
    }

    /// The claims to `path`, the one that counts first.
    pub(crate) fn of(&self, path: &RootPath) -> impl Iterator<Item = ClaimRef> + '_ {
        let wanted = key_of(path);
        let near = self.near.load(Ordering::Relaxed);
        let from =
            near_partition_point(&self.claims, near, |claim| key(&self.arena, claim) < &wanted[..]);
        self.near.store(from, Ordering::Relaxed);
        let claims = self.claims[from..].iter();
        claims.take_while(move |claim| key(&self.arena, claim) == wanted).map(|c| self.claim(c))
    }

    /// Whether a package claims something below `path`, which then is a directory of it.
    pub(crate) fn any_below(&self, path: &RootPath) -> bool {
        let inside = [&key_of(path)[..], &[0]].concat();
        let from = self.claims.partition_point(|claim| key(&self.arena, claim) < &inside[..]);
        self.claims.get(from).is_some_and(|claim| key(&self.arena, claim).starts_with(&inside))
    }

    /// Every path with its claims, in path order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (RootPath, ClaimRef)> + '_ {
        let groups = self.claims.chunk_by(|a, b| key(&self.arena, a) == key(&self.arena, b));
        groups.filter_map(|group| {
            let first = group.first()?;
            let bytes = key(&self.arena, first).iter().map(|&b| if b == 0 { b'/' } else { b });
            let path = RootPath::parse(&bytes.collect::<Vec<_>>()).ok()?;
            let mut claim = self.claim(first);
            if group.iter().any(|other| other.unpacked == Unpacked::Yes) {
                claim.unpacked = Unpacked::Yes;
            }
            Some((path, claim))
        })
    }

    fn claim(&self, claim: &Claim) -> ClaimRef {
        ClaimRef {
            package: claim.package as usize,
            digest: self.digests.get(claim.digest as usize).copied(),
            unpacked: claim.unpacked,
        }
    }
}

/// One package's claim to one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClaimRef {
    /// Index of the package.
    pub(crate) package: usize,
    /// Recorded digest.
    pub(crate) digest: Option<Md5>,
    /// Whether it was unpacked.
    pub(crate) unpacked: Unpacked,
}

fn key<'a>(arena: &'a [u8], claim: &Claim) -> &'a [u8] {
    &arena[claim.at as usize..claim.at as usize + usize::from(claim.length)]
}

fn key_of(path: &RootPath) -> Vec<u8> {
    path.as_bytes().iter().map(|&b| if b == b'/' { 0 } else { b }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn claims_are_found_and_listed_in_path_order() {
        let mut claims = Claims::default();
        let digest = Some(Md5([7; 16]));
        for (text, package, digest) in [
            ("/a-b", 0, None),
            ("/a/b", 0, digest),
            ("/", 1, None),
            ("/a", 1, None),
            ("/a", 0, None),
            ("/a/b", 0, None),
            ("/a/b", 3, None),
            ("/a.c", 2, digest),
        ] {
            claims.add(&path(text), package, digest, Unpacked::Yes).unwrap();
        }
        claims.sort();
        let all: Vec<_> = claims.paths().map(|(p, c)| (p.to_string(), c.package)).collect();
        let expected = [("/", 1), ("/a", 0), ("/a/b", 0), ("/a-b", 0), ("/a.c", 2)];
        assert_eq!(all, expected.map(|(p, c)| (p.to_owned(), c)));
        let of = |text| claims.of(&path(text)).map(|c| (c.package, c.digest)).collect::<Vec<_>>();
        assert_eq!(of("/a"), [(0, None), (1, None)]);
        assert_eq!(of("/a/b"), [(0, digest), (3, None)]);
        assert_eq!(of("/a/"), of("/a"));
        assert_eq!(of("/a/c"), []);
        assert_eq!(of("/zzz"), []);
    }

    #[test]
    fn a_path_that_one_package_unpacked_is_not_excluded() {
        let mut claims = Claims::default();
        claims.add(&path("/a"), 0, None, Unpacked::Excluded).unwrap();
        claims.add(&path("/a"), 1, None, Unpacked::Yes).unwrap();
        claims.add(&path("/b"), 0, None, Unpacked::Excluded).unwrap();
        claims.sort();
        let all: Vec<_> = claims.paths().map(|(_, c)| c.unpacked).collect();
        assert_eq!(all, [Unpacked::Yes, Unpacked::Excluded]);
    }
}
