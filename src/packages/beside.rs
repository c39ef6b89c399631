//! What package managers call a text that they put beside a file. Programs that read whole
//! directories know these names, and leave such texts alone.

/// The ending of a new default beside an older file.
pub(crate) const NEW_DEFAULT: &[u8] = b".dpkg-dist";

/// The ending of an older text beside a newer file.
pub(crate) const OLD_TEXT: &[u8] = b".dpkg-old";
