//! What the system's own files say about a path, where it holds.

use super::evidence::{Content, Statement};
use super::recorded::recorded_meta_of;
use super::{Classifier, TEMPLATE_LIMIT, digest};
use crate::declared::{Declaration, Form, Reach};
use crate::packages::{Claim, FileRecord, Presence, RecordedKind, Role};
use crate::tree::{Entry, Kind, RootPath, TreeError, read_file, resolve};

impl Classifier<'_> {
    /// The first that holds of what the system's files say about `entry`, which no package owns;
    /// `ghosts` are the claims of packages that list it as made later.
    pub(super) fn said(
        &self,
        entry: &Entry,
        ghosts: &[Claim],
    ) -> Result<Option<Statement>, TreeError> {
        if let Some(switch) = self.declared.switches.of(entry) {
            return Ok(Some(Statement::Switch(switch)));
        }
        for declaration in self.declared.of(entry) {
            if self.holds(declaration, entry)? {
                let author = declaration.author.clone();
                return Ok(Some(Statement::Declared(declaration.nature, author)));
            }
        }
        if let Some(ghost) = ghosts.first() {
            return Ok(Some(Statement::Ghost(ghost.package.to_owned())));
        }
        let generated = self.installed.generated(&entry.path);
        let package = generated.and_then(|generated| generated.package);
        Ok(package.map(|package| Statement::Ucf(package.to_owned())))
    }

    /// Whether `entry` is what `declaration` says is made there.
    fn holds(&self, declaration: &Declaration, entry: &Entry) -> Result<bool, TreeError> {
        let Reach::Exactly(form) = &declaration.reach else { return Ok(true) };
        Ok(match (form, &entry.kind) {
            (Form::Directory { mode, user, group }, Kind::Dir) => {
                let record = FileRecord {
                    path: entry.path.clone(),
                    kind: RecordedKind::Dir,
                    mode: *mode,
                    user: user.clone(),
                    group: group.clone(),
                    mtime: None,
                    capabilities: None,
                    role: Role::Ghost,
                    presence: Presence::Unpacked,
                };
                recorded_meta_of(entry, &record, self.numbers) != Content::Differs
                    && entry.meta.xattrs.is_empty()
            }
            (Form::Link(text), Kind::Symlink { target }) => text == target,
            (Form::Text(text), Kind::File { size }) => {
                *size == text.len() as u64 && self.text(&entry.path)? == Some(text.clone())
            }
            (Form::Copy(source), Kind::File { size }) if *size <= TEMPLATE_LIMIT => {
                let source = resolve(self.tree, source)?;
                let source = source.map_or(Ok(None), |source| self.tree.entry(&source))?;
                match source {
                    Some(source) if source.kind == entry.kind => {
                        digest(self.tree, &source)? == digest(self.tree, entry)?
                    }
                    _ => false,
                }
            }
            _ => false,
        })
    }

    fn text(&self, path: &RootPath) -> Result<Option<Vec<u8>>, TreeError> {
        read_file(self.tree, path, TEMPLATE_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Known;
    use crate::classify::decide;
    use crate::tree::memory::MemoryTree;
    use crate::verdict::Class;

    /// A system whose package `app` declares, besides what the user does.
    fn system() -> MemoryTree {
        let status = "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
        let conf = "d /var/lib/app 0750 app root\nL /etc/link - - - - ../x\nf /etc/flag - - - - on\n\
                    C /etc/copy - - - - /usr/share/app/copy\n";
        MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/app.list", "/usr/lib/tmpfiles.d/app.conf\n")
            .file("/usr/lib/tmpfiles.d/app.conf", conf)
            .file("/usr/lib/systemd/system/a.service", "CacheDirectory=app\nStateDirectory=app/s\n")
            .file("/etc/passwd", "root:x:0:0::/:\napp:x:7:7::/:\n")
            .file("/etc/group", "root:x:0:\n")
            .file("/usr/share/app/copy", "copied")
    }

    fn told(tree: MemoryTree, at: &str) -> (Class, String) {
        let verdict = decide(&Known::of(tree).of_root(at));
        (verdict.class, verdict.reason.to_string())
    }

    #[test]
    fn only_what_is_exactly_as_declared_is_left_out() {
        let made = || {
            system()
                .dir("/var/lib/app")
                .meta("/var/lib/app", |meta| (meta.mode, meta.uid) = (0o750, 7))
                .file("/var/lib/app/mine", "data")
                .link("/etc/link", "../x")
                .file("/etc/flag", "on")
                .file("/etc/copy", "copied")
        };
        for at in ["/var/lib/app", "/etc/link", "/etc/flag", "/etc/copy"] {
            let who = "tmpfiles.d in /usr/lib/tmpfiles.d/app.conf of package app";
            assert_eq!(
                told(made(), at),
                (Class::Immutable, format!("generated, by {who}")),
                "{at}"
            );
        }
        assert_eq!(told(made(), "/var/lib/app/mine").0, Class::Mutable);
        let opened = made().meta("/var/lib/app", |meta| meta.mode = 0o777);
        assert_eq!(told(opened, "/var/lib/app").0, Class::Mutable);
        assert_eq!(told(made().link("/etc/link", "/y"), "/etc/link").0, Class::Mutable);
        assert_eq!(told(made().file("/etc/flag", "off"), "/etc/flag").0, Class::Mutable);
        assert_eq!(told(made().file("/etc/copy", "edited"), "/etc/copy").0, Class::Mutable);
    }

    #[test]
    fn a_cache_is_left_out_and_state_kept_with_who_declared_it() {
        let tree = || system().file("/var/cache/app/x", "1").file("/var/lib/app/s/x", "2");
        let unit = "in /usr/lib/systemd/system/a.service";
        let (class, reason) = told(tree(), "/var/cache/app/x");
        assert_eq!(
            (class, reason),
            (Class::Ephemeral, format!("cache, by CacheDirectory= {unit}"))
        );
        let (class, reason) = told(tree(), "/var/lib/app/s/x");
        assert_eq!((class, reason), (Class::Mutable, format!("state, by StateDirectory= {unit}")));
    }
}
