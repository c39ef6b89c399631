//! [`Environment`]: one environment with what its package manager recorded.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::activation::{is_generated, series, settings};
use super::dist::{Dist, Origin, comparable, prove};
use super::fact::{EnvironmentFact, EnvironmentKind, Options};
use super::part::Part;
use super::record;
use super::{below, plain_file};
use crate::tree::{Entry, Kind, RootPath, Tree, TreeError, resolve};

/// Largest record of files that is read.
const RECORD_LIMIT: u64 = 32 * 1024 * 1024;

/// Bounds what forged records can make us hold, for one environment.
const MAX_DISTS: usize = 10_000;
const MAX_FILES: usize = 1 << 20;

/// Where a package may put files, beside its libraries.
const PLACES: &[&[u8]] = &[b"bin", b"share", b"include", b"etc", b"man"];

/// The scripts that enter an environment.
const SCRIPTS: &[&[u8]] = &[b"activate", b"activate.csh", b"activate.fish", b"Activate.ps1"];

/// One environment.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(super) root: Arc<RootPath>,
    pub(super) content: Content,
}

/// What is known of an environment.
#[derive(Debug)]
pub(super) enum Content {
    /// One of Python's that can be rebuilt.
    Python(Box<Python>),
    /// Any that is kept as it is.
    Whole {
        why: Arc<str>,
        fact: Box<EnvironmentFact>,
        /// What lies elsewhere below the root is somebody else's.
        scope: RootPath,
    },
}

/// A Python environment with the records of its packages.
#[derive(Debug)]
pub(super) struct Python {
    kind: EnvironmentKind,
    version: String,
    options: Options,
    /// The user wrote into its settings.
    edited: bool,
    /// The directory of its packages.
    site: RootPath,
    interpreter: RootPath,
    owner: (u32, u32),
    umask: u32,
    dists: Vec<Dist>,
    labels: Vec<Arc<str>>,
    records: Vec<Arc<RootPath>>,
    files: HashMap<RootPath, Claimed>,
    /// Directories that packages brought, with the first that did.
    dirs: HashMap<RootPath, usize>,
}

/// What records say of a file.
#[derive(Debug, Clone, Copy)]
struct Claimed {
    dist: usize,
    /// `None` where none was recorded, or two that differ.
    digest: Option<[u8; 32]>,
}

/// The interpreter of the system: its path and its version as it stands in paths.
pub(crate) fn system_python(tree: &dyn Tree) -> Result<Option<String>, TreeError> {
    let Some(path) = below(&RootPath::root(), "usr/bin/python3") else { return Ok(None) };
    let Some(place) = resolve(tree, &path)? else { return Ok(None) };
    let name = String::from_utf8_lossy(place.name()).into_owned();
    Ok(name.strip_prefix("python").and_then(series))
}

/// The environment that `pyvenv.cfg` in `root` makes of it; `packaged` says whether a package of the
/// system brought a path.
pub(super) fn venv(
    tree: &dyn Tree,
    root: &RootPath,
    packaged: &dyn Fn(&RootPath) -> bool,
) -> Result<Option<Environment>, TreeError> {
    let Some(file) = below(root, "pyvenv.cfg") else { return Ok(None) };
    let Some(settings) = plain_file(tree, &file, 64 * 1024).and_then(|text| settings(&text)) else {
        return Ok(None);
    };
    let interpreter = settings.home.child(format!("python{}", settings.version).as_bytes());
    python(
        tree,
        EnvironmentKind::Venv,
        root,
        "site-packages",
        &settings.version,
        interpreter,
        (settings.options, settings.edited),
        packaged,
    )
}

/// What `pip` installed below `root`, for the whole system or for a user, where that is one version
/// of the system's Python: the highest.
pub(super) fn installed(
    tree: &dyn Tree,
    kind: EnvironmentKind,
    root: &RootPath,
    packaged: &dyn Fn(&RootPath) -> bool,
) -> Result<Option<Environment>, TreeError> {
    let name = if kind == EnvironmentKind::System { "dist-packages" } else { "site-packages" };
    let mut versions: Vec<(u32, String)> = Vec::new();
    for entry in tree.children(&root.child(b"lib"))? {
        let text = String::from_utf8_lossy(entry.path.name()).into_owned();
        let Some(version) = text.strip_prefix("python").filter(|v| series(v).as_deref() == Some(v))
        else {
            continue;
        };
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
        if entry.kind.is_dir() {
            versions.push((minor, version.to_owned()));
        }
    }
    versions.sort();
    while let Some((_, version)) = versions.pop() {
        let Some(home) = below(&RootPath::root(), "usr/bin") else { return Ok(None) };
        let interpreter = home.child(format!("python{version}").as_bytes());
        let made = (Options::default(), false);
        let found = python(tree, kind, root, name, &version, interpreter, made, packaged)?;
        // Nothing was ever installed in most of them.
        let has_any = |environment: &Environment| match &environment.content {
            Content::Python(python) => !python.dists.is_empty(),
            Content::Whole { fact, .. } => !fact.packages.is_empty(),
        };
        if let Some(found) = found.filter(has_any) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What `pip` installed into `root` itself, if anything.
pub(super) fn target(
    tree: &dyn Tree,
    root: &RootPath,
    packaged: &dyn Fn(&RootPath) -> bool,
) -> Result<Option<Environment>, TreeError> {
    let (Some(version), Some(home)) = (system_python(tree)?, below(&RootPath::root(), "usr/bin"))
    else {
        return Ok(None);
    };
    let interpreter = home.child(format!("python{version}").as_bytes());
    let made = (Options::default(), false);
    let kind = EnvironmentKind::Target;
    let found = python(tree, kind, root, "", &version, interpreter, made, packaged)?;
    let has_any = |environment: &Environment| match &environment.content {
        Content::Python(python) => !python.dists.is_empty(),
        Content::Whole { fact, .. } => !fact.packages.is_empty(),
    };
    Ok(found.filter(has_any))
}

#[allow(clippy::too_many_arguments)]
fn python(
    tree: &dyn Tree,
    kind: EnvironmentKind,
    root: &RootPath,
    name: &str,
    version: &str,
    interpreter: RootPath,
    (options, edited): (Options, bool),
    packaged: &dyn Fn(&RootPath) -> bool,
) -> Result<Option<Environment>, TreeError> {
    let site = match kind {
        EnvironmentKind::Target => Some(root.clone()),
        _ => below(root, &format!("lib/python{version}/{name}")),
    };
    let Some(site) = site else { return Ok(None) };
    let Some(meta) = tree.entry(&site)?.filter(|entry| entry.kind.is_dir()).map(|e| e.meta) else {
        return Ok(None);
    };
    let mut python = Python {
        kind,
        version: version.to_owned(),
        options,
        edited,
        owner: (meta.uid, meta.gid),
        // The directories of a system are writable for a group; what is installed there is not.
        umask: if kind == EnvironmentKind::System { 0o022 } else { 0o777 & !meta.mode },
        site,
        interpreter,
        dists: vec![],
        labels: vec![],
        records: vec![],
        files: HashMap::new(),
        dirs: HashMap::new(),
    };
    python.load(tree, root)?;
    if let Some(umask) = python.umask_in_use(tree)? {
        python.umask = umask;
    }
    let root = Arc::new(root.clone());
    let Some(why) = python.why_whole(tree, &root, packaged)? else {
        return Ok(Some(Environment { root, content: Content::Python(Box::new(python)) }));
    };
    let fact = Box::new(python.fact(&root, why.clone()));
    let scope = if kind == EnvironmentKind::Venv { (*root).clone() } else { python.site };
    let content = Content::Whole { why: why.into(), fact, scope };
    Ok(Some(Environment { root, content }))
}

impl Python {
    /// What `pip` of a Python before 3.10 makes of a home to install into is closed, whatever the
    /// user's mask; the packages in it follow the mask.
    fn umask_in_use(&self, tree: &dyn Tree) -> Result<Option<u32>, TreeError> {
        let record = self.dists.iter().find_map(|dist| dist.record.as_ref());
        let Some(dir) =
            record.filter(|_| self.kind == EnvironmentKind::User).and_then(RootPath::parent)
        else {
            return Ok(None);
        };
        Ok(tree.entry(&dir)?.map(|entry| 0o777 & !entry.meta.mode))
    }

    fn load(&mut self, tree: &dyn Tree, root: &RootPath) -> Result<(), TreeError> {
        let children = tree.children(&self.site)?;
        let found = children.iter().filter_map(|entry| Dist::load(tree, &self.site, entry));
        self.dists = found.take(MAX_DISTS).collect();
        prove(&mut self.dists);
        // One name twice: which of the two is meant is not known, and neither is left out.
        let mut names: HashMap<String, usize> = HashMap::new();
        for dist in &self.dists {
            *names.entry(comparable(&dist.name)).or_default() += 1;
        }
        for dist in &mut self.dists {
            if names.get(&comparable(&dist.name)).is_some_and(|count| *count > 1) {
                dist.origin = Origin::Elsewhere("recorded twice");
            }
        }
        for dist in &self.dists {
            self.labels.push(format!("{} {}", dist.name, dist.version).trim_end().into());
            self.records.push(Arc::new(dist.record.clone().unwrap_or_else(RootPath::root)));
        }
        for index in 0..self.dists.len() {
            self.load_record(tree, root, index);
        }
        Ok(())
    }

    fn load_record(&mut self, tree: &dyn Tree, root: &RootPath, index: usize) {
        let Some(record) = self.dists[index].record.clone() else { return };
        let Some(bytes) = plain_file(tree, &record, RECORD_LIMIT) else { return };
        for line in record::lines(&bytes) {
            let place = record::place(&self.site, &line.path);
            let Some(path) = place.filter(|path| self.may_hold(root, path)) else { continue };
            if self.files.len() >= MAX_FILES {
                return;
            }
            self.dists[index].compiled |= path.name().ends_with(b".so");
            // From below, as far as they are not known: what is above those is known too.
            for dir in path.ancestors().rev() {
                let own = dir.is_within(root) && !self.site.is_within(&dir);
                if !own || self.dirs.contains_key(&dir) {
                    break;
                }
                self.dirs.insert(dir, index);
            }
            let claimed = Claimed { dist: index, digest: line.digest };
            let known = self.files.entry(path).or_insert(claimed);
            if known.dist != index {
                // What comes from no index is kept, whoever else claims it.
                if self.dists[known.dist].origin.why_kept().is_none() {
                    known.dist = index;
                }
                if known.digest != line.digest {
                    known.digest = None;
                }
            }
        }
    }

    /// Whether a package may have put something at `path`.
    fn may_hold(&self, root: &RootPath, path: &RootPath) -> bool {
        if path.is_within(&self.site) {
            return *path != self.site;
        }
        let Some(inside) = path.strip_prefix(root) else { return false };
        let mut components = inside.components();
        components.next().is_some_and(|first| PLACES.contains(&first))
            && components.next().is_some()
    }

    /// Why nothing of it may be left out.
    fn why_whole(
        &self,
        tree: &dyn Tree,
        root: &RootPath,
        packaged: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Option<String>, TreeError> {
        if std::str::from_utf8(root.as_bytes()).is_err() {
            return Ok(Some("its name is no text".to_owned()));
        }
        let interpreter = &self.interpreter;
        let Some(place) = resolve(tree, interpreter)? else {
            return Ok(Some(format!("its interpreter {interpreter} is not there")));
        };
        // `/bin/python3` of a merged system lies in `/usr/bin`.
        if !packaged(&place) && !packaged(interpreter) {
            return Ok(Some(format!("its interpreter {interpreter} comes from no package")));
        }
        Ok(None)
    }

    fn fact(&self, root: &RootPath, kept_because: String) -> EnvironmentFact {
        let mut packages: Vec<_> = self.dists.iter().map(Dist::pinned).collect();
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        EnvironmentFact {
            kind: self.kind,
            root: root.clone(),
            interpreter: self.version.clone(),
            rebuild: false,
            kept_because,
            packages,
            parked: vec![],
            options: self.options.clone(),
            list: None,
        }
    }

    /// Whether owner, mode and attributes are those of an installation.
    fn dressed(&self, entry: &Entry) -> bool {
        let meta = &entry.meta;
        let system = self.kind == EnvironmentKind::System;
        let owner = meta.uid == self.owner.0 && (system || meta.gid == self.owner.1);
        let mode = match entry.kind {
            Kind::Symlink { .. } => true,
            // A directory that hands its group down makes others that do.
            Kind::Dir => system || meta.mode & !0o2000 == 0o777 & !self.umask,
            _ => [0o666, 0o777].iter().any(|open| meta.mode == open & !self.umask),
        };
        owner && mode && meta.xattrs.keys().all(|name| name == b"security.selinux")
    }

    fn part(
        &self,
        tree: &dyn Tree,
        root: &RootPath,
        entry: &Entry,
    ) -> Result<Option<Part>, TreeError> {
        let path = &entry.path;
        if path == root {
            return Ok((self.kind == EnvironmentKind::Venv).then_some(Part::Root));
        }
        if entry.kind.is_dir() {
            return Ok(self.directory(root, entry));
        }
        let Some(claimed) = self.files.get(path) else {
            let inside = self.kind == EnvironmentKind::Venv || path.is_within(&self.site);
            if !inside {
                return Ok(None);
            }
            if self.kind == EnvironmentKind::Venv {
                if self.is_made(tree, root, entry)? {
                    return Ok(Some(Part::Made));
                }
                if self.is_remade(root, path) {
                    return Ok(Some(Part::Edited));
                }
            }
            return Ok(Some(self.own(path)));
        };
        let dist = &self.dists[claimed.dist];
        let package = self.labels[claimed.dist].clone();
        if let Some(why) = dist.origin.why_kept() {
            return Ok(Some(Part::NoIndex { package, why }));
        }
        if dist.record.as_ref() == Some(path) {
            return Ok(Some(Part::Made));
        }
        let Some(digest) = claimed.digest else { return Ok(Some(self.own(path))) };
        let unchanged =
            entry.kind.is_file() && self.dressed(entry) && sha256(tree, entry)? == digest;
        let record = self.records[claimed.dist].clone();
        Ok(Some(Part::Installed { package, record, unchanged }))
    }

    fn directory(&self, root: &RootPath, entry: &Entry) -> Option<Part> {
        let path = &entry.path;
        let is_venv = self.kind == EnvironmentKind::Venv;
        let inside = |name: &str| below(root, name).is_some_and(|dir| *path == dir);
        let frame = self.site.is_within(path) && path.is_within(&root.child(b"lib"));
        if !is_venv && !path.is_within(&self.site) && !frame {
            // Others put directories below the same roof.
            return None;
        }
        let made = frame
            || self
                .dirs
                .get(path)
                .is_some_and(|dist| self.dists[*dist].origin.why_kept().is_none())
            || path.name() == b"__pycache__"
            || is_venv
                && (["bin", "include", "share", "share/python-wheels"].iter().any(|n| inside(n))
                    || inside(&format!("include/python{}", self.version)));
        if made && (frame || self.dressed(entry)) {
            return Some(Part::Made);
        }
        Some(match self.dirs.get(path).map(|&dist| (dist, self.dists[dist].origin.why_kept())) {
            Some((dist, Some(why))) => Part::NoIndex { package: self.labels[dist].clone(), why },
            _ => self.own(path),
        })
    }

    /// What no record explains.
    fn own(&self, path: &RootPath) -> Part {
        let among = path.ancestors().rev().find_map(|dir| {
            let dist = *self.dirs.get(&dir).filter(|_| dir.is_within(&self.site))?;
            self.dists[dist].origin.why_kept().is_none().then(|| self.labels[dist].clone())
        });
        Part::Own { among }
    }

    /// Whether making an environment makes this too, just as it is.
    fn is_made(&self, tree: &dyn Tree, root: &RootPath, entry: &Entry) -> Result<bool, TreeError> {
        let Some(inside) = entry.path.strip_prefix(root) else { return Ok(false) };
        let components: Vec<&[u8]> = inside.components().collect();
        Ok(match (components.as_slice(), &entry.kind) {
            ([b"lib64"], Kind::Symlink { target }) => target == b"lib",
            ([b"pyvenv.cfg"], Kind::File { .. }) => !self.edited && self.dressed(entry),
            ([b".gitignore"], Kind::File { .. }) => plain_file(tree, &entry.path, 1024)
                .is_some_and(|text| {
                    text.starts_with(b"# Created by venv") && text.ends_with(b"\n*\n")
                }),
            ([b"bin", name], Kind::Symlink { target }) => {
                self.is_interpreter(name) && self.leads_to_interpreter(target)
            }
            ([b"bin", name], Kind::File { .. }) if SCRIPTS.contains(name) => {
                let prompt = self.options.prompt.as_deref();
                self.dressed(entry) && is_generated(tree, root, &entry.path, &self.version, prompt)
            }
            ([b"bin", name], Kind::File { .. }) if self.is_interpreter(name) => {
                self.same_as(tree, entry, &self.interpreter)?
            }
            ([b"share", b"python-wheels", name], Kind::File { .. }) => {
                match below(&RootPath::root(), "usr/share/python-wheels") {
                    Some(dir) => self.same_as(tree, entry, &dir.child(name))?,
                    None => false,
                }
            }
            _ => false,
        })
    }

    /// Whether making an environment would put something else at `path`.
    fn is_remade(&self, root: &RootPath, path: &RootPath) -> bool {
        let bin = root.child(b"bin");
        let name = path.name();
        *path == root.child(b"pyvenv.cfg")
            || *path == root.child(b"lib64")
            || path.parent() == Some(bin)
                && (SCRIPTS.contains(&name) || name == b"python" || name == b"python3")
    }

    fn is_interpreter(&self, name: &[u8]) -> bool {
        let own = format!("python{}", self.version);
        name == b"python" || name == b"python3" || name == own.as_bytes()
    }

    fn leads_to_interpreter(&self, target: &[u8]) -> bool {
        match RootPath::parse(target) {
            Ok(path) if target.first() == Some(&b'/') => {
                path.parent() == self.interpreter.parent() && self.is_interpreter(path.name())
            }
            _ => self.is_interpreter(target),
        }
    }

    /// Whether `entry` is a copy of what stands at `original`.
    fn same_as(
        &self,
        tree: &dyn Tree,
        entry: &Entry,
        original: &RootPath,
    ) -> Result<bool, TreeError> {
        let Some(place) = resolve(tree, original)? else { return Ok(false) };
        let Some(original) = tree.entry(&place)? else { return Ok(false) };
        Ok(original.kind == entry.kind
            && self.dressed(entry)
            && sha256(tree, &original)? == sha256(tree, entry)?)
    }
}

impl Environment {
    /// What `entry` is to it; `None` where it has nothing to say.
    pub(crate) fn part(&self, tree: &dyn Tree, entry: &Entry) -> Result<Option<Part>, TreeError> {
        match &self.content {
            Content::Python(python) => python.part(tree, &self.root, entry),
            Content::Whole { why, scope, .. } => {
                let inside = entry.path.is_within(scope);
                Ok(inside.then(|| Part::Whole { why: why.clone() }))
            }
        }
    }

    /// Whether what lies in the directory `dir` is its own affair, and begins no other environment.
    pub(super) fn encloses(&self, dir: &RootPath) -> bool {
        match &self.content {
            Content::Python(python) => dir.is_within(&python.site),
            Content::Whole { scope, .. } => dir.is_within(scope),
        }
    }

    /// Its directory.
    pub(crate) fn root(&self) -> &Arc<RootPath> {
        &self.root
    }

    /// Whether what is missing at `path` is no matter of its own: the list says what is installed.
    pub(crate) fn explains_absence(&self, path: &RootPath) -> bool {
        match &self.content {
            Content::Python(python) => path.is_within(&python.site),
            Content::Whole { .. } => false,
        }
    }

    /// Files that packages brought and that `is_there` denies, with name and version of the package.
    pub(crate) fn missing(
        &self,
        is_there: &dyn Fn(&RootPath) -> bool,
    ) -> Vec<(RootPath, Arc<str>)> {
        let Content::Python(python) = &self.content else { return vec![] };
        let missing = python.files.iter().filter(|(path, claimed)| {
            claimed.digest.is_some()
                && python.dists[claimed.dist].origin == Origin::Index
                && !is_there(path)
        });
        let mut missing: Vec<(RootPath, Arc<str>)> = missing
            .map(|(path, claimed)| (path.clone(), python.labels[claimed.dist].clone()))
            .collect();
        missing.sort();
        missing
    }

    /// What a survey says of it before any path was judged.
    pub(crate) fn fact(&self) -> EnvironmentFact {
        match &self.content {
            Content::Python(python) => python.fact(&self.root, String::new()),
            Content::Whole { fact, .. } => (**fact).clone(),
        }
    }
}

fn sha256(tree: &dyn Tree, entry: &Entry) -> Result<[u8; 32], TreeError> {
    let mut content = tree.open(entry)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(n) => hash.update(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(TreeError::io("reading", &entry.path, e)),
        }
    }
}
