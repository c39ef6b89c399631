//! One header block, taken apart: which bytes are which field, and whether the checksum holds.
//!
//! What the fields mean together with the extension headers before them is decided in `decode`.

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::fault::Fault;
use super::{BLOCK, number};
use crate::tree::Extent;

/// A header block whose checksum is right.
pub(super) struct Block(Header);

impl Block {
    /// Takes `bytes` as a header.
    ///
    /// The sum counts bytes as unsigned; some old programs counted them as signed.
    pub(super) fn new(bytes: &[u8; BLOCK]) -> Result<Block, Fault> {
        let header = Header::from_byte_slice(bytes).clone();
        let stated = number::field(&header.as_old().cksum).ok_or(Fault::Checksum)?;
        // The sum is taken as if its own field held spaces.
        let counted = || bytes[..148].iter().chain(&[b' '; 8]).chain(&bytes[156..]);
        let unsigned: i64 = counted().map(|&b| i64::from(b)).sum();
        let signed: i64 = counted().map(|&b| i64::from(b as i8)).sum();
        if stated != unsigned && stated != signed {
            return Err(Fault::Checksum);
        }
        Ok(Block(header))
    }

    /// The type flag.
    pub(super) fn flag(&self) -> u8 {
        self.0.as_old().linkflag[0]
    }

    /// The name, with the prefix that ustar (and only ustar) keeps apart.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.0.as_old().name);
        match self.0.as_ustar().map(|ustar| text(&ustar.prefix)) {
            Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
            _ => name.to_vec(),
        }
    }

    /// The target of a link.
    pub(super) fn target(&self) -> Vec<u8> {
        text(&self.0.as_old().linkname).to_vec()
    }

    /// Bytes of content that follow.
    pub(super) fn size(&self) -> Result<u64, Fault> {
        number::unsigned(&self.0.as_old().size).ok_or(Fault::Field("size"))
    }

    /// Permission bits; what else stands in the field is a copy of the type.
    pub(super) fn mode(&self) -> Result<u32, Fault> {
        let mode = number::unsigned(&self.0.as_old().mode).ok_or(Fault::Field("mode"))?;
        Ok((mode & 0o7777) as u32)
    }

    /// The owner.
    pub(super) fn uid(&self) -> Result<u32, Fault> {
        small(&self.0.as_old().uid, "owner")
    }

    /// The group.
    pub(super) fn gid(&self) -> Result<u32, Fault> {
        small(&self.0.as_old().gid, "group")
    }

    /// Seconds since 1970.
    pub(super) fn mtime(&self) -> Result<i64, Fault> {
        number::field(&self.0.as_old().mtime).ok_or(Fault::Field("time"))
    }

    /// Major and minor number of a device.
    pub(super) fn device(&self) -> Result<(u32, u32), Fault> {
        let (major, minor) = match (self.0.as_ustar(), self.0.as_gnu()) {
            (Some(ustar), _) => (&ustar.dev_major, &ustar.dev_minor),
            (_, Some(gnu)) => (&gnu.dev_major, &gnu.dev_minor),
            _ => return Err(Fault::Field("device number")),
        };
        Ok((small(major, "device number")?, small(minor, "device number")?))
    }

    /// The first part of an old GNU sparse map, whether more of it follows, and the file's size.
    pub(super) fn old_sparse(&self) -> Result<(Vec<Extent>, bool, u64), Fault> {
        let gnu = self.0.as_gnu().ok_or(Fault::SparseMap)?;
        let size = number::unsigned(&gnu.realsize).ok_or(Fault::SparseMap)?;
        Ok((sparse_runs(&gnu.sparse)?, gnu.isextended[0] != 0, size))
    }
}

/// A further block of an old GNU sparse map, and whether one more follows.
pub(super) fn old_sparse_more(bytes: &[u8; BLOCK]) -> Result<(Vec<Extent>, bool), Fault> {
    let mut more = GnuExtSparseHeader::new();
    more.as_mut_bytes().copy_from_slice(bytes);
    Ok((sparse_runs(&more.sparse)?, more.isextended[0] != 0))
}

fn sparse_runs(fields: &[GnuSparseHeader]) -> Result<Vec<Extent>, Fault> {
    fields
        .iter()
        .take_while(|field| field.numbytes[0] != 0)
        .map(|field| {
            let offset = number::unsigned(&field.offset).ok_or(Fault::SparseMap)?;
            let length = number::unsigned(&field.numbytes).ok_or(Fault::SparseMap)?;
            Ok(Extent { offset, length })
        })
        .collect()
}

fn small(field: &[u8], what: &'static str) -> Result<u32, Fault> {
    let value = number::unsigned(field).ok_or(Fault::Field(what))?;
    u32::try_from(value).map_err(|_| Fault::Field(what))
}

/// A text field up to its NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(change: impl FnOnce(&mut Header)) -> [u8; BLOCK] {
        let mut header = Header::new_ustar();
        header.set_cksum();
        change(&mut header);
        *header.as_bytes()
    }

    #[test]
    fn a_changed_byte_breaks_the_checksum() {
        assert!(Block::new(&block(|_| ())).is_ok());
        let bytes = block(|header| header.as_old_mut().name[0] ^= 1);
        assert_eq!(Block::new(&bytes).err(), Some(Fault::Checksum));
    }

    #[test]
    fn a_checksum_of_signed_bytes_is_accepted() {
        let bytes = block(|header| {
            header.as_old_mut().name[..2].copy_from_slice(b"\xff\xfe");
            header.set_cksum();
            let sum = number::field(&header.as_old().cksum).unwrap() - 512;
            header.as_old_mut().cksum.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        });
        assert_eq!(Block::new(&bytes).unwrap().name(), b"\xff\xfe");
    }

    #[test]
    fn the_prefix_counts_in_ustar_only() {
        let named = |header: &mut Header| {
            header.as_old_mut().name[..4].copy_from_slice(b"name");
            header.as_mut_bytes()[345..348].copy_from_slice(b"dir");
            header.set_cksum();
        };
        assert_eq!(Block::new(&block(named)).unwrap().name(), b"dir/name");
        let gnu = block(|header| {
            *header = Header::new_gnu();
            named(header);
        });
        assert_eq!(Block::new(&gnu).unwrap().name(), b"name");
    }

    #[test]
    fn an_owner_beyond_32_bits_is_refused() {
        let bytes = block(|header| {
            header.as_old_mut().uid.copy_from_slice(b"\x80\0\0\x01\0\0\0\0");
            header.set_cksum();
        });
        assert_eq!(Block::new(&bytes).unwrap().uid(), Err(Fault::Field("owner")));
    }
}
