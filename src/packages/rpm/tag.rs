//! The numbers of the tags that are read; rpm never gives a number a second meaning.

/// The parts of a header that were signed as one begin with one of these.
pub(super) const REGIONS: std::ops::RangeInclusive<u32> = 61..=63;

/// Signatures of a package's header, or of all of it, by the algorithms that there were.
pub(super) const SIGNATURES: [u32; 4] = [259, 262, 267, 268];

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const VENDOR: u32 = 1011;
pub(super) const ARCH: u32 = 1022;
pub(super) const SOURCE_RPM: u32 = 1044;
pub(super) const PROVIDE_NAMES: u32 = 1047;
pub(super) const REQUIRE_NAMES: u32 = 1049;
pub(super) const RECOMMEND_NAMES: u32 = 5046;

/// Whole paths, as rpm before 4.0 wrote them instead of the next three.
pub(super) const OLD_FILE_NAMES: u32 = 1027;
pub(super) const DIR_INDEXES: u32 = 1116;
pub(super) const BASE_NAMES: u32 = 1117;
pub(super) const DIR_NAMES: u32 = 1118;

// One value a file each.
pub(super) const FILE_SIZES: u32 = 1028;
pub(super) const FILE_STATES: u32 = 1029;
pub(super) const FILE_MODES: u32 = 1030;
pub(super) const FILE_MTIMES: u32 = 1034;
pub(super) const FILE_DIGESTS: u32 = 1035;
pub(super) const FILE_LINK_TARGETS: u32 = 1036;
pub(super) const FILE_FLAGS: u32 = 1037;
pub(super) const FILE_USERS: u32 = 1039;
pub(super) const FILE_GROUPS: u32 = 1040;
/// Instead of [`FILE_SIZES`], where a file has 4 GiB or more.
pub(super) const LONG_FILE_SIZES: u32 = 5008;
/// Only where a file has capabilities.
pub(super) const FILE_CAPABILITIES: u32 = 5010;

/// One value for all files; missing where it is MD5.
pub(super) const FILE_DIGEST_ALGORITHM: u32 = 5011;
