//! What package managers call a text that they put beside a file. Programs that read whole
//! directories know these names, and leave such texts alone.

/// The ending of a new default beside an older file.
pub(crate) const NEW_DEFAULT: &[u8] = b".dpkg-dist";

/// The ending of an older text beside a newer file.
pub(crate) const OLD_TEXT: &[u8] = b".dpkg-old";

/// All such endings.
const BESIDE: &[&[u8]] = &[
    NEW_DEFAULT,
    OLD_TEXT,
    b".apk-new",
    b".dpkg-bak",
    b".dpkg-new",
    b".dpkg-tmp",
    b".pacnew",
    b".pacorig",
    b".pacsave",
    b".rpmnew",
    b".rpmorig",
    b".rpmsave",
    b".ucf-dist",
    b".ucf-new",
    b".ucf-old",
];

/// Whether a text of this name was put beside another, so that nothing reads it.
pub(crate) fn is_put_beside(name: &[u8]) -> bool {
    BESIDE.iter().any(|ending| name.ends_with(ending))
}
