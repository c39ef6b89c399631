//! Alternatives: one name, several programs, and the links that choose between them.
//!
//! The links are made by maintainer scripts, so no package's list names them; this is what
//! explains them.

use super::super::problem::{LineFault, Problem};
use super::super::records::{MAX_TABLE, Records, lines, recorded_path};
use super::admin::admin;
use crate::tree::{Kind, RootPath};

const MAX_ALTERNATIVES: usize = 20_000;

/// A name that several programs can stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The name; `/etc/alternatives/NAME` points to the choice.
    pub name: String,
    /// The link that users follow, such as `/usr/bin/editor`: canonical, its end not followed.
    pub link: RootPath,
    /// Who chooses.
    pub status: AlternativeStatus,
    /// What `/etc/alternatives/NAME` points to now; `None` when that is no link.
    pub path: Option<RootPath>,
    /// Links that change along with it.
    pub slaves: Vec<Slave>,
    /// The programs to choose from.
    pub choices: Vec<Choice>,
}

/// Who chooses among alternatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlternativeStatus {
    /// The system: always the choice of the highest priority.
    Auto,
    /// A person chose.
    Manual,
}

/// A link that changes along with the alternative it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slave {
    /// Its name below `/etc/alternatives`.
    pub name: String,
    /// The link that users follow: canonical, its end not followed.
    pub link: RootPath,
}

/// One program an alternative can stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The program, as the links name it.
    pub path: RootPath,
    /// The highest wins when the system chooses.
    pub priority: i64,
    /// What each slave points to with this choice, in the order of the slaves; `None`: the slave
    /// is not there.
    pub slaves: Vec<Option<RootPath>>,
}

impl Alternative {
    /// What the link at `path`, one of this alternative's, points to when nobody changed it by
    /// hand; `None` when it is not there with the current choice, or not one of them.
    pub fn target(&self, path: &RootPath) -> Option<RootPath> {
        let dir = directory();
        if *path == self.link {
            return Some(dir.child(self.name.as_bytes()));
        }
        if *path == dir.child(self.name.as_bytes()) {
            return self.path.clone();
        }
        let current =
            self.choices.iter().find(|choice| Some(&choice.path) == self.path.as_ref())?;
        self.slaves.iter().zip(&current.slaves).find_map(|(slave, target)| {
            let target = target.as_ref()?;
            let name = dir.child(slave.name.as_bytes());
            if *path == slave.link { Some(name) } else { (*path == name).then(|| target.clone()) }
        })
    }

    /// The current choice, when the system made it: none has a higher priority.
    pub fn chosen_by_priority(&self) -> Option<&Choice> {
        let highest = self.choices.iter().map(|choice| choice.priority).max()?;
        let current = self.choices.iter().find(|choice| Some(&choice.path) == self.path.as_ref());
        current
            .filter(|choice| self.status == AlternativeStatus::Auto && choice.priority == highest)
    }

    /// Every link it manages.
    pub fn links(&self) -> impl Iterator<Item = RootPath> + '_ {
        let slaves = self.slaves.iter().map(|slave| (&slave.name, &slave.link));
        std::iter::once((&self.name, &self.link))
            .chain(slaves)
            .flat_map(|(name, link)| [directory().child(name.as_bytes()), link.clone()])
    }
}

/// All alternatives of a system.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    /// By name.
    pub(super) all: Vec<Alternative>,
    links: Vec<(RootPath, usize)>,
}

impl Alternatives {
    /// Reads them from the tree.
    pub(super) fn load(records: &mut Records<'_>) -> Alternatives {
        let dir = admin(b"alternatives");
        let mut all = vec![];
        for entry in records.list(&dir) {
            if all.len() == MAX_ALTERNATIVES {
                records.problems.note(Problem::TooMany { file: dir, limit: MAX_ALTERNATIVES });
                break;
            }
            let file = dir.child(entry.path.name());
            let Some(bytes) = records.read(&file, MAX_TABLE) else { continue };
            match parse(entry.path.name(), &bytes) {
                Ok(alternative) => all.push(place(records, alternative)),
                Err((index, fault)) => {
                    let first = index + 1;
                    records.problems.note(Problem::Lines { file, count: 1, first, fault });
                }
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let mut links: Vec<(RootPath, usize)> = all
            .iter()
            .enumerate()
            .flat_map(|(index, alternative)| alternative.links().map(move |link| (link, index)))
            .collect();
        links.sort();
        Alternatives { all, links }
    }

    /// The alternative that manages the link at `path`.
    pub(super) fn of_link(&self, path: &RootPath) -> Option<&Alternative> {
        let at = self.links.partition_point(|(link, _)| link < path);
        let (link, index) = self.links.get(at)?;
        if link == path { self.all.get(*index) } else { None }
    }
}

fn directory() -> RootPath {
    const { RootPath::literal("/etc/alternatives") }
}

/// Puts the links where they really lie, and looks up the current choice.
fn place(records: &mut Records<'_>, mut alternative: Alternative) -> Alternative {
    alternative.link = records.place(&alternative.link);
    for slave in &mut alternative.slaves {
        slave.link = records.place(&slave.link);
    }
    let chooser = directory().child(alternative.name.as_bytes());
    let entry = records.tree.entry(&chooser);
    if let Some(Kind::Symlink { target }) =
        records.or_problem(&chooser, entry).flatten().map(|entry| entry.kind)
    {
        alternative.path = RootPath::parse(&target).ok();
    }
    alternative
}

/// Reads one file: status, link, slaves (name, link) up to an empty line; choices (path,
/// priority, one line per slave) up to an empty line.
fn parse(name: &[u8], bytes: &[u8]) -> Result<Alternative, (usize, LineFault)> {
    let mut lines = lines(bytes).enumerate();
    let mut next = || lines.next().ok_or((0, LineFault::Incomplete));
    let status = match next()? {
        (_, b"auto") => AlternativeStatus::Auto,
        (_, b"manual") => AlternativeStatus::Manual,
        (index, _) => return Err((index, LineFault::Incomplete)),
    };
    let link = path(next()?)?;
    let mut slaves = vec![];
    loop {
        match next()? {
            (_, b"") => break,
            name => slaves.push(Slave { name: component(name)?, link: path(next()?)? }),
        }
    }
    let mut choices = vec![];
    while let Ok(line) = next() {
        if line.1.is_empty() {
            break;
        }
        let (index, priority) = next()?;
        let priority = std::str::from_utf8(priority).ok().and_then(|p| p.parse().ok());
        let priority = priority.ok_or((index, LineFault::Incomplete))?;
        let mut targets = vec![];
        for _ in &slaves {
            let target = next()?;
            targets.push(if target.1.is_empty() { None } else { Some(path(target)?) });
        }
        choices.push(Choice { path: path(line)?, priority, slaves: targets });
    }
    let name = component((0, name))?;
    Ok(Alternative { name, link, status, path: None, slaves, choices })
}

fn path((index, line): (usize, &[u8])) -> Result<RootPath, (usize, LineFault)> {
    match line.first() {
        Some(b'/') => recorded_path(line).map_err(|fault| (index, fault)),
        _ => Err((index, LineFault::Incomplete)),
    }
}

/// A name that stands for a file below `/etc/alternatives`.
fn component((index, line): (usize, &[u8])) -> Result<String, (usize, LineFault)> {
    let plain = !line.contains(&b'/') && !line.contains(&0) && line != b"." && line != b"..";
    match std::str::from_utf8(line) {
        Ok(name) if plain && !name.is_empty() => Ok(name.to_owned()),
        _ => Err((index, LineFault::Incomplete)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    const EDITOR: &str = "manual\n/bin/editor\neditor.1.gz\n/usr/share/man/editor.1.gz\n\n\
                          /bin/ed\n-100\n\n/usr/bin/vim\n30\n/usr/share/man/vim.1.gz\n\n";

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn tree() -> MemoryTree {
        MemoryTree::default()
            .dir("/usr/bin")
            .link("/bin", "usr/bin")
            .link("/usr/bin/editor", "/etc/alternatives/editor")
            .link("/etc/alternatives/editor", "/usr/bin/vim")
            .file("/var/lib/dpkg/alternatives/editor", EDITOR)
    }

    #[test]
    fn an_alternative_is_read_whole() {
        let tree = tree();
        let mut records = Records::new(&tree);
        let alternatives = Alternatives::load(&mut records);
        assert_eq!(
            alternatives.all,
            [Alternative {
                name: "editor".to_owned(),
                link: path("/usr/bin/editor"),
                status: AlternativeStatus::Manual,
                path: Some(path("/usr/bin/vim")),
                slaves: vec![Slave {
                    name: "editor.1.gz".to_owned(),
                    link: path("/usr/share/man/editor.1.gz"),
                }],
                choices: vec![
                    Choice { path: path("/bin/ed"), priority: -100, slaves: vec![None] },
                    Choice {
                        path: path("/usr/bin/vim"),
                        priority: 30,
                        slaves: vec![Some(path("/usr/share/man/vim.1.gz"))],
                    },
                ],
            }]
        );
        assert_eq!(records.problems.finish(), []);
    }

    #[test]
    fn every_link_of_an_alternative_is_known_with_its_target() {
        let tree = tree();
        let alternatives = Alternatives::load(&mut Records::new(&tree));
        let target = |text| {
            let alternative = alternatives.of_link(&path(text))?;
            alternative.target(&path(text)).map(|target| target.to_string())
        };
        for (link, expected) in [
            ("/usr/bin/editor", Some("/etc/alternatives/editor")),
            ("/etc/alternatives/editor", Some("/usr/bin/vim")),
            ("/usr/share/man/editor.1.gz", Some("/etc/alternatives/editor.1.gz")),
            ("/etc/alternatives/editor.1.gz", Some("/usr/share/man/vim.1.gz")),
            ("/bin/editor", None),
            ("/usr/bin/vim", None),
        ] {
            assert_eq!(target(link).as_deref(), expected, "{link}");
        }
    }

    #[test]
    fn a_slave_that_climbs_out_and_a_file_that_ends_early_are_refused() {
        let slave = EDITOR.replacen("editor.1.gz", "../../x", 1);
        assert_eq!(parse(b"e", slave.as_bytes()), Err((2, LineFault::Incomplete)));
        for end in 0..EDITOR.len() {
            let _ = parse(b"e", &EDITOR.as_bytes()[..end]);
        }
        assert_eq!(parse(b"e", b"auto\n"), Err((0, LineFault::Incomplete)));
        assert_eq!(parse(b"e", b""), Err((0, LineFault::Incomplete)));
    }
}
