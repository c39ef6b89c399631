//! [`Package`]: one package as Debian's manager records it.

use super::md5::Md5;
use crate::tree::RootPath;

/// One package of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name, without architecture.
    pub name: String,
    /// Its architecture, `all` included; empty where the record does not say.
    pub arch: String,
    /// Its version as recorded: data, not checked; empty where the record does not say.
    pub version: String,
    /// Name and version of the source package, where they differ from the package's own.
    pub source: Option<(String, String)>,
    /// The address of who made it, in lower case; empty where the record does not say.
    pub maker: String,
    /// How far its installation or removal got.
    pub status: Status,
    /// Whether no system works without it.
    pub essential: bool,
    /// Its priority, `required` to `extra`; empty where the record does not say.
    pub priority: String,
    /// Whether it came because another package asked for it, not a person.
    pub auto: bool,
    /// Whether somebody pinned its version.
    pub hold: bool,
    /// What it needs: of every group one name.
    pub depends: Vec<Vec<String>>,
    /// What is installed along with it unless somebody objects: of every group one name.
    pub recommends: Vec<Vec<String>>,
    /// Further names it answers to.
    pub provides: Vec<String>,
    /// Packages whose files it may have taken over: it replaces them, and breaks, conflicts with or
    /// provides them.
    pub takes_over: Vec<String>,
    /// Its configuration files, by path.
    pub conffiles: Vec<Conffile>,
}

impl Package {
    /// How messages name it: with its architecture, where that is known.
    pub(crate) fn full_name(&self) -> String {
        match self.arch.as_str() {
            "" => self.name.clone(),
            arch => format!("{}:{arch}", self.name),
        }
    }

    /// Whether the package's files, not only its configuration, are on disk: all or some of them.
    pub fn has_files(&self) -> bool {
        self.status != Status::ConfigFiles
    }

    /// Where the package manager lists its files, written when it was installed: without its
    /// architecture, or with it where several may be installed at once.
    pub fn records(&self) -> impl Iterator<Item = RootPath> {
        let plain = format!("/var/lib/dpkg/info/{}.list", self.name);
        let of_arch = format!("/var/lib/dpkg/info/{}:{}.list", self.name, self.arch);
        [plain, of_arch].into_iter().filter_map(|text| RootPath::parse(text.as_bytes()).ok())
    }

    /// Its configuration file at `path`.
    pub fn conffile(&self, path: &RootPath) -> Option<&Conffile> {
        let at = self.conffiles.binary_search_by(|c| c.path.cmp(path)).ok()?;
        self.conffiles.get(at)
    }
}

/// How far a package's installation or removal got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Installed and configured.
    Installed,
    /// Removed; its configuration files are still there.
    ConfigFiles,
    /// Somewhere in between.
    Broken(Broken),
}

/// Where an installation or removal stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Unpacking or removing did not end: some files are there.
    HalfInstalled,
    /// The files are there, nothing has been configured.
    Unpacked,
    /// Configuring failed.
    HalfConfigured,
    /// Configured, but another package's trigger has not run for it.
    TriggersAwaited,
    /// Configured, but its own trigger has not run.
    TriggersPending,
    /// Damaged: the package manager asks for it to be installed again.
    ReinstallRequired,
    /// Its record is lost, only the list of its files is left: version and relations are unknown.
    RecordLost,
}

/// A configuration file: the package brings it, the user may change it.
///
/// One that the installed version does not bring (it asks for its removal) is on this record
/// without being owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conffile {
    /// Where it lies: canonical, diversions honoured.
    pub path: RootPath,
    /// Digest of the text the package brought; `None` when the record has none.
    pub md5: Option<Md5>,
    /// Whether the installed version of the package no longer brings it.
    pub obsolete: bool,
    /// Whether the package removes it with its next version.
    pub remove_on_upgrade: bool,
}
