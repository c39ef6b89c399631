//! [`LayoutMatcher`]: what the recognised rules say of a path, for every path of a tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::{LayoutEntry, LayoutError, PathPattern, Recognised, Unpacking, Vars};
use crate::tree::{Entry, Kind, RootPath};
use crate::verdict::Worth;

/// In a `link` the name of the link itself.
const OWN_NAME: &str = "{name}";

/// The layouts of all recognised applications, compiled together.
///
/// The last match wins: the system comes after what is common to all, applications come after the
/// system, and later entries of a rule after earlier ones.
#[derive(Debug)]
pub struct LayoutMatcher {
    globs: GlobSet,
    /// By number of the glob.
    entries: Vec<Compiled>,
    secrets: GlobSet,
    /// By number of the glob of a secret: the lines that show it.
    lines: Vec<GlobSet>,
}

#[derive(Debug)]
struct Compiled {
    app: String,
    entry: LayoutEntry,
    /// Where a link has to lead; anything when there are none.
    links: Vec<GlobMatcher>,
    /// It has to lead to something of its own name.
    same_name: bool,
    /// What it is a copy of.
    template: Option<RootPath>,
}

/// What a rule can ask about the tree in which a path lies.
pub trait Surroundings {
    /// Whether a package brought or made what is at `path`, where a link leads.
    fn is_packaged(&self, path: &RootPath) -> bool;

    /// Whether `path` lies in a directory that was unpacked of an archive beside it, and that nobody
    /// changed.
    fn is_unpacked(&self, path: &RootPath, unpacking: &Unpacking) -> bool;
}

/// Nothing is known of the tree.
impl Surroundings for () {
    fn is_packaged(&self, _: &RootPath) -> bool {
        false
    }

    fn is_unpacked(&self, _: &RootPath, _: &Unpacking) -> bool {
        false
    }
}

/// What a rule says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutMatch<'a> {
    /// The application of the rule.
    pub app: &'a str,
    /// What it says.
    pub entry: &'a LayoutEntry,
    /// The file that it is a copy of, with the installation's version put in.
    pub template: Option<&'a RootPath>,
}

impl LayoutMatcher {
    /// Compiles the layouts of `recognised`, with each installation's version put in.
    ///
    /// # Errors
    /// [`LayoutError::Glob`] for a glob that globset refuses.
    pub fn new(recognised: &[Recognised]) -> Result<LayoutMatcher, LayoutError> {
        let mut order: Vec<&Recognised> = recognised.iter().collect();
        order.sort_by_key(|r| r.rule.scope);
        let mut globs = GlobSetBuilder::new();
        let mut entries = Vec::new();
        let (mut secrets, mut lines) = (GlobSetBuilder::new(), Vec::new());
        for found in order {
            let mut vars = Vars::default();
            if let Some(version) = &found.version {
                vars.set("version", version.short());
            }
            for secret in &found.rule.secrets {
                let refused = |source| LayoutError::Glob { app: found.app.clone(), source };
                let mut shown = GlobSetBuilder::new();
                for line in &secret.lines {
                    shown.add(line_glob(line).map_err(refused)?);
                }
                let shown = shown.build().map_err(refused)?;
                for text in secret.globs.iter().flat_map(|glob| spellings(glob, found)) {
                    let glob = GlobBuilder::new(&text).literal_separator(true).build();
                    secrets.add(glob.map_err(refused)?);
                    lines.push(shown.clone());
                }
            }
            for entry in &found.rule.layout {
                let glob = |text: &String| {
                    let glob = GlobBuilder::new(text).literal_separator(true).build();
                    glob.map_err(|source| LayoutError::Glob { app: found.app.clone(), source })
                };
                let links = entry.link.iter().flat_map(|link| spellings(link, found));
                let links = links.map(|text| text.replace(OWN_NAME, "*"));
                let links = links.map(|text| Ok(glob(&text)?.compile_matcher()));
                let links: Vec<GlobMatcher> = links.collect::<Result<_, LayoutError>>()?;
                let link = entry.link.as_ref().map_or("", PathPattern::as_str);
                let same_name = link.ends_with(OWN_NAME);
                for pattern in &entry.globs {
                    let name = pattern.as_str().rsplit('/').next().unwrap_or_default();
                    vars.set("name", name);
                    // One that needs a version which is not known leads nowhere.
                    let template = entry.template.as_ref().and_then(|t| t.expand(&vars).ok());
                    for text in spellings(pattern, found) {
                        globs.add(glob(&text)?);
                        let (app, entry, links) = (found.app.clone(), entry.clone(), links.clone());
                        let template = template.clone();
                        entries.push(Compiled { app, entry, links, same_name, template });
                    }
                }
            }
        }
        let refused = |source| LayoutError::Glob {
            app: recognised.iter().map(|r| r.app.as_str()).collect::<Vec<_>>().join(", "),
            source,
        };
        let globs = globs.build().map_err(refused)?;
        let secrets = secrets.build().map_err(refused)?;
        Ok(LayoutMatcher { globs, entries, secrets, lines })
    }

    /// Whether the content of the file at `path` can show that it is a secret.
    pub fn may_be_secret(&self, path: &RootPath) -> bool {
        self.secrets.is_match(host(path))
    }

    /// Whether a file at `path` with this content holds a key or a password.
    pub fn is_secret(&self, path: &RootPath, content: &[u8]) -> bool {
        let found = self.secrets.matches(host(path));
        let lines = || content.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
        found.into_iter().any(|number| {
            let shown = &self.lines[number];
            lines().any(|line| shown.is_match(Path::new(OsStr::from_bytes(line))))
        })
    }

    /// Whether some entry, whatever else it asks for, says that packages make what is at `path`: no
    /// data, nor what lies anywhere.
    pub fn is_made(&self, path: &RootPath) -> bool {
        let found = self.globs.matches(host(path)).into_iter();
        found
            .map(|number| self.entries[number].entry.worth)
            .any(|worth| !matches!(worth, Worth::Data | Worth::Secret | Worth::VersionBound))
    }

    /// The last entry that matches `path`, those for links left out.
    pub fn matches(&self, path: &RootPath) -> Option<LayoutMatch<'_>> {
        self.last(path, None, None, &())
    }

    /// The last entry that matches what is at a place: as [`LayoutMatcher::matches`], and for a
    /// symbolic link also by where its text leads, and by what lies around.
    pub fn matches_entry(
        &self,
        entry: &Entry,
        around: &dyn Surroundings,
    ) -> Option<LayoutMatch<'_>> {
        let aim = match &entry.kind {
            Kind::Symlink { target } => Some(entry.path.aim(target)),
            _ => None,
        };
        self.last(&entry.path, Some(&entry.kind), aim.as_ref(), around)
    }

    fn last(
        &self,
        path: &RootPath,
        kind: Option<&Kind>,
        aim: Option<&RootPath>,
        around: &dyn Surroundings,
    ) -> Option<LayoutMatch<'_>> {
        let fits = |aim: &RootPath, entry: &Compiled| {
            entry.links.iter().any(|link| link.is_match(host(aim)))
                && (!entry.same_name || aim.name() == path.name())
                && (!entry.entry.packaged || around.is_packaged(aim))
        };
        let leads = |entry: &Compiled| {
            let unpacked = entry.entry.unpacked.as_ref();
            let is_dir = kind.is_none_or(Kind::is_dir);
            (entry.links.is_empty() || aim.is_some_and(|aim| fits(aim, entry)))
                && (is_dir || !entry.entry.directory)
                && unpacked.is_none_or(|unpacking| around.is_unpacked(path, unpacking))
        };
        let found = self.globs.matches(host(path)).into_iter().rev();
        let found = found.map(|number| &self.entries[number]).find(|entry| leads(entry))?;
        let template = found.template.as_ref();
        Some(LayoutMatch { app: &found.app, entry: &found.entry, template })
    }
}

/// A line of a secret as globset takes it.
pub(super) fn line_glob(line: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(line).case_insensitive(true).build()
}

/// The bytes of `path` as globset takes them.
fn host(path: &RootPath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

/// The globs that stand for one in a rule: with the version put in, and for `/a/**` also `/a`. Without
/// a known version, any.
pub(super) fn spellings(glob: &PathPattern, found: &Recognised) -> Vec<String> {
    let version = match &found.version {
        Some(version) => version.short(),
        None => "[0-9]*".to_owned(),
    };
    let text = glob.as_str().replace("{version}", &version);
    match text.strip_suffix("/**") {
        Some(directory) => vec![directory.to_owned(), text.clone()],
        None => vec![text],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::load::parse;
    use crate::tree::Tree;
    use crate::tree::memory::MemoryTree;

    fn recognised(
        scope: &str,
        app: &str,
        version: Option<&str>,
        layout: &[(&str, &str)],
    ) -> Recognised {
        let mut text = format!(
            "app: {app}\ntitle: X\nscope: {scope}\nrecognise: {{paths: [{{path: /x}}]}}\nlayout:\n"
        );
        for (glob, worth) in layout {
            text += &format!("  - {{globs: ['{glob}'], worth: {worth}, why: because}}\n");
        }
        let rule = parse("x.yaml", &text).unwrap();
        Recognised { app: app.into(), version: version.map(|v| v.parse().unwrap()), rule }
    }

    /// A matcher of one rule with these parts.
    fn of_rule(parts: &str, version: Option<&str>) -> LayoutMatcher {
        let text = format!("app: a\ntitle: A\nrecognise: {{paths: [{{path: /x}}]}}\n{parts}");
        let rule = parse("a.yaml", &text).unwrap();
        let version = version.map(|version| version.parse().unwrap());
        LayoutMatcher::new(&[Recognised { app: "a".into(), version, rule }]).unwrap()
    }

    fn link(at: &str, target: &str) -> Entry {
        let tree = MemoryTree::default().link(at, target);
        tree.entry(&RootPath::parse(at.as_bytes()).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn applications_beat_the_system_and_later_entries_earlier_ones() {
        let matcher = LayoutMatcher::new(&[
            recognised(
                "application",
                "php",
                Some("7.4"),
                &[
                    ("/var/cache/php/{version}/**", "data"),
                    ("/etc/php/**", "config"),
                    ("/etc/php/*/x", "secret"),
                ],
            ),
            recognised(
                "system",
                "debian",
                Some("11"),
                &[("/var/cache/**", "cache"), ("/etc/php/**", "log")],
            ),
        ])
        .unwrap();
        let told = |path: &[u8]| {
            matcher
                .matches(&RootPath::parse(path).unwrap())
                .map(|m| (m.app.to_owned(), m.entry.worth))
        };
        let php = |worth| Some(("php".to_owned(), worth));
        let debian = |worth| Some(("debian".to_owned(), worth));
        assert_eq!(told(b"/var/cache/php/7.4/a/b"), php(Worth::Data));
        assert_eq!(told(b"/var/cache/php/8.2/a"), debian(Worth::Cache));
        assert_eq!(told(b"/var/cache"), debian(Worth::Cache));
        assert_eq!(told(b"/var/cachefilesd"), None);
        assert_eq!(told(b"/etc/php/7.4/x"), php(Worth::Secret));
        assert_eq!(told(b"/etc/php/7.4/y/x"), php(Worth::Config));
        assert_eq!(told(b"/var/cache/\xff\n"), debian(Worth::Cache));
        assert_eq!(told(b"/"), None);
    }

    #[test]
    fn without_a_known_version_every_version_is_meant() {
        let matcher = LayoutMatcher::new(&[recognised(
            "application",
            "x",
            None,
            &[("/a/{version}/b", "log")],
        )])
        .unwrap();
        let hit =
            |path: &str| matcher.matches(&RootPath::parse(path.as_bytes()).unwrap()).is_some();
        assert!(hit("/a/13/b") && hit("/a/7.4/b") && !hit("/a/main/b"));
    }

    #[test]
    fn an_entry_for_links_of_the_same_name_holds_for_no_others() {
        let layout = "layout:\n  \
                      - {globs: [/usr/bin/*], worth: generated, link: '/bin/{name}', why: w}\n";
        let matcher = of_rule(layout, None);
        let known = |target: &str| {
            let link = link("/usr/bin/touch", target);
            matcher.matches_entry(&link, &()).is_some()
        };
        assert!(known("/bin/touch"));
        assert!(!known("/bin/bash"));
        assert!(!known("/sbin/touch"));
    }

    #[test]
    fn an_entry_for_links_holds_only_for_links_that_lead_there() {
        let layout = "layout:\n  \
                      - {globs: ['/etc/**'], worth: config, why: w}\n  \
                      - {globs: [/etc/on/*], worth: generated, link: '/etc/avail/{version}/*', why: w}\n";
        let matcher = of_rule(layout, Some("11"));
        let worth = |entry: Entry| matcher.matches_entry(&entry, &()).unwrap().entry.worth;
        assert_eq!(worth(link("/etc/on/x", "../avail/11/x")), Worth::Generated);
        assert_eq!(worth(link("/etc/on/x", "/etc/avail/11/x")), Worth::Generated);
        assert_eq!(worth(link("/etc/on/x", "/etc/avail/12/x")), Worth::Config);
        assert_eq!(worth(link("/etc/on/x", "/srv/x")), Worth::Config);
        let file = MemoryTree::default().file("/etc/on/x", "");
        let path = RootPath::parse(b"/etc/on/x").unwrap();
        assert_eq!(worth(file.entry(&path).unwrap().unwrap()), Worth::Config);
        assert_eq!(matcher.matches(&path).unwrap().entry.worth, Worth::Config);
    }

    #[test]
    fn an_entry_for_directories_holds_for_no_link_in_the_place_of_one() {
        let layout = "layout:\n  \
                      - {globs: [/opt], worth: generated, directory: true, why: w}\n";
        let matcher = of_rule(layout, None);
        let tree = MemoryTree::default().dir("/opt");
        let path = RootPath::parse(b"/opt").unwrap();
        let directory = tree.entry(&path).unwrap().unwrap();
        assert!(matcher.matches_entry(&directory, &()).is_some());
        assert!(matcher.matches_entry(&link("/opt", "/srv/opt"), &()).is_none());
        assert!(matcher.matches(&path).is_some());
    }

    #[test]
    fn what_packages_make_is_known_whatever_its_entry_asks_for() {
        let layout = "layout:\n  \
                      - {globs: [/etc/localtime], worth: generated, link: /usr/share/zone, why: w}\n  \
                      - {globs: ['/**/*.key'], worth: secret, why: w}\n";
        let matcher = of_rule(layout, None);
        let made = |at: &str| matcher.is_made(&RootPath::parse(at.as_bytes()).unwrap());
        assert!(made("/etc/localtime"));
        assert!(!made("/srv/a.key"));
        assert!(!made("/srv/other"));
    }

    #[test]
    fn a_template_is_the_one_of_the_installation_s_version() {
        let layout = "layout:\n  - {globs: [/etc/a.ini], worth: template-copy, \
                      template: '/usr/share/a/{version}/a.ini', why: w}\n";
        let path = RootPath::parse(b"/etc/a.ini").unwrap();
        let template = |version| {
            let matcher = of_rule(layout, version);
            matcher.matches(&path).unwrap().template.map(ToString::to_string)
        };
        assert_eq!(template(Some("11")).as_deref(), Some("/usr/share/a/11/a.ini"));
        assert_eq!(template(None), None);
    }

    #[test]
    fn a_secret_is_told_by_a_line_of_its_file() {
        let secrets = "secrets:\n  \
                       - {globs: ['/etc/a/{version}/**'], lines: ['pass*=*', '<token>*'], why: w}\n";
        let matcher = of_rule(secrets, Some("11"));
        let path = |text: &str| RootPath::parse(text.as_bytes()).unwrap();
        let is_secret = |at: &str, text: &str| {
            assert_eq!(matcher.may_be_secret(&path(at)), at.starts_with("/etc/a/11/"));
            matcher.is_secret(&path(at), text.as_bytes())
        };
        assert!(is_secret("/etc/a/11/b/c", "x\n  PassWord = a/b\n"));
        assert!(is_secret("/etc/a/11/c", "<token>\u{e9}</token>"));
        assert!(!is_secret("/etc/a/11/c", "# pass = x\ny <token>\npass\n"));
        assert!(!is_secret("/etc/a/12/c", "pass=x"));
    }

    struct Theirs;

    impl Surroundings for Theirs {
        fn is_packaged(&self, path: &RootPath) -> bool {
            path.as_bytes() == b"/etc/avail/theirs"
        }

        fn is_unpacked(&self, path: &RootPath, unpacking: &Unpacking) -> bool {
            path.as_bytes() == b"/srv/theirs" && unpacking.ending == ".war"
        }
    }

    #[test]
    fn an_entry_for_what_was_unpacked_holds_for_nothing_else() {
        let layout = "layout:\n  \
                      - {globs: ['/srv/**'], worth: data, why: w}\n  \
                      - {globs: ['/srv/**'], worth: generated, unpacked: .war, why: w}\n";
        let matcher = of_rule(layout, None);
        let worth = |at: &str| {
            let found = matcher.matches_entry(&link(at, "x"), &Theirs);
            found.unwrap().entry.worth
        };
        assert_eq!(worth("/srv/theirs"), Worth::Generated);
        assert_eq!(worth("/srv/ours"), Worth::Data);
        let theirs = RootPath::parse(b"/srv/theirs").unwrap();
        assert_eq!(matcher.matches(&theirs).unwrap().entry.worth, Worth::Data);
    }

    #[test]
    fn a_link_that_packages_make_leads_to_a_package_s_file() {
        let layout = "layout:\n  \
                      - {globs: [/etc/on/*], worth: config, why: w}\n  \
                      - {globs: [/etc/on/*], worth: generated, link: /etc/avail/*, packaged: true, why: w}\n";
        let matcher = of_rule(layout, None);
        let worth = |target: &str| {
            let found = matcher.matches_entry(&link("/etc/on/x", target), &Theirs);
            found.unwrap().entry.worth
        };
        assert_eq!(worth("../avail/theirs"), Worth::Generated);
        assert_eq!(worth("../avail/ours"), Worth::Config);
    }
}
