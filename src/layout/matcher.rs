//! [`LayoutMatcher`]: what the recognised rules say of a path, for every path of a tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::relocation::aim;
use super::{LayoutEntry, LayoutError, PathPattern, Recognised, Scope};
use crate::tree::{Entry, Kind, RootPath};

/// In a `link` the name of the link itself.
const OWN_NAME: &str = "{name}";

/// The layouts of all recognised applications, compiled together.
///
/// The last match wins: applications come after the system, and later entries of a rule after
/// earlier ones.
#[derive(Debug)]
pub struct LayoutMatcher {
    globs: GlobSet,
    /// By number of the glob.
    entries: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    app: String,
    entry: LayoutEntry,
    /// Where a link has to lead; anything when there are none.
    links: Vec<GlobMatcher>,
    /// It has to lead to something of its own name.
    same_name: bool,
}

/// What a rule says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutMatch<'a> {
    /// The application of the rule.
    pub app: &'a str,
    /// What it says.
    pub entry: &'a LayoutEntry,
}

impl LayoutMatcher {
    /// Compiles the layouts of `recognised`, with each installation's version put in.
    ///
    /// # Errors
    /// [`LayoutError::Glob`] for a glob that globset refuses.
    pub fn new(recognised: &[Recognised]) -> Result<LayoutMatcher, LayoutError> {
        let mut order: Vec<&Recognised> = recognised.iter().collect();
        order.sort_by_key(|r| r.rule.scope != Scope::System);
        let mut globs = GlobSetBuilder::new();
        let mut entries = Vec::new();
        for found in order {
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
                for text in spellings(&entry.glob, found) {
                    globs.add(glob(&text)?);
                    let (app, entry, links) = (found.app.clone(), entry.clone(), links.clone());
                    entries.push(Compiled { app, entry, links, same_name });
                }
            }
        }
        let globs = globs.build().map_err(|source| LayoutError::Glob {
            app: recognised.iter().map(|r| r.app.as_str()).collect::<Vec<_>>().join(", "),
            source,
        })?;
        Ok(LayoutMatcher { globs, entries })
    }

    /// The last entry that matches `path`, those for links left out.
    pub fn matches(&self, path: &RootPath) -> Option<LayoutMatch<'_>> {
        self.last(path, None)
    }

    /// The last entry that matches what is at a place: as [`LayoutMatcher::matches`], and for a
    /// symbolic link also by where its text leads.
    pub fn matches_entry(&self, entry: &Entry) -> Option<LayoutMatch<'_>> {
        let aim = match &entry.kind {
            Kind::Symlink { target } => aim(&entry.path, target),
            _ => None,
        };
        self.last(&entry.path, aim.as_ref())
    }

    fn last(&self, path: &RootPath, aim: Option<&RootPath>) -> Option<LayoutMatch<'_>> {
        let fits = |aim: &RootPath, entry: &Compiled| {
            entry.links.iter().any(|link| link.is_match(host(aim)))
                && (!entry.same_name || aim.name() == path.name())
        };
        let leads =
            |entry: &Compiled| entry.links.is_empty() || aim.is_some_and(|aim| fits(aim, entry));
        let found = self.globs.matches(host(path)).into_iter().rev();
        let found = found.map(|number| &self.entries[number]).find(|entry| leads(entry))?;
        Some(LayoutMatch { app: &found.app, entry: &found.entry })
    }
}

/// The bytes of `path` as globset takes them.
fn host(path: &RootPath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

/// The globs that stand for one in a rule: with the version put in, and for `/a/**` also `/a`. Without
/// a known version, any.
fn spellings(glob: &PathPattern, found: &Recognised) -> Vec<String> {
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
    use crate::layout::{Worth, parse};

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
            text += &format!("  - {{glob: '{glob}', worth: {worth}, why: because}}\n");
        }
        let rule = parse("x.yaml", &text).unwrap();
        Recognised { app: app.into(), version: version.map(|v| v.parse().unwrap()), rule }
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
        let text = "app: a\ntitle: X\nrecognise: {paths: [{path: /x}]}\nlayout:\n  \
                    - {glob: /usr/bin/*, worth: generated, link: '/bin/{name}', why: w}\n";
        let rule = parse("x.yaml", text).unwrap();
        let found = Recognised { app: "a".into(), version: None, rule };
        let matcher = LayoutMatcher::new(&[found]).unwrap();
        let known = |target: &str| {
            let path = RootPath::parse(b"/usr/bin/touch").unwrap();
            let kind = Kind::Symlink { target: target.as_bytes().to_vec() };
            let mtime = crate::tree::Time { secs: 0, nanos: 0 };
            let meta = crate::tree::Meta {
                mode: 0o777,
                uid: 0,
                gid: 0,
                mtime,
                xattrs: Default::default(),
            };
            let entry = Entry { path, kind, meta, ctime: None, links: None };
            matcher.matches_entry(&entry).is_some()
        };
        assert!(known("/bin/touch"));
        assert!(!known("/bin/bash"));
        assert!(!known("/sbin/touch"));
    }

    #[test]
    fn an_entry_for_links_holds_only_for_links_that_lead_there() {
        let mut debian = recognised("system", "debian", Some("11"), &[("/etc/**", "config")]);
        let text = "app: x\ntitle: X\nrecognise: {paths: [{path: /x}]}\nlayout:\n  \
                    - {glob: /etc/on/*, worth: generated, link: '/etc/avail/{version}/*', why: w}\n";
        debian.rule.layout.extend(parse("x.yaml", text).unwrap().layout);
        let matcher = LayoutMatcher::new(&[debian]).unwrap();
        let worth = |kind: Kind| {
            let time = crate::tree::Time { secs: 0, nanos: 0 };
            let xattrs = crate::tree::Xattrs::new();
            let meta = crate::tree::Meta { mode: 0o777, uid: 0, gid: 0, mtime: time, xattrs };
            let path = RootPath::parse(b"/etc/on/x").unwrap();
            let entry = Entry { path, kind, meta, ctime: None, links: None };
            matcher.matches_entry(&entry).unwrap().entry.worth
        };
        let link = |target: &str| Kind::Symlink { target: target.as_bytes().to_vec() };
        assert_eq!(worth(link("../avail/11/x")), Worth::Generated);
        assert_eq!(worth(link("/etc/avail/11/x")), Worth::Generated);
        assert_eq!(worth(link("/etc/avail/12/x")), Worth::Config);
        assert_eq!(worth(link("/srv/x")), Worth::Config);
        assert_eq!(worth(Kind::File { size: 0 }), Worth::Config);
        let path = RootPath::parse(b"/etc/on/x").unwrap();
        assert_eq!(matcher.matches(&path).unwrap().entry.worth, Worth::Config);
    }
}
