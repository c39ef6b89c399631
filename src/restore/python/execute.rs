//! Environments of Python, made again in the new system.
//!
//! All pinned packages at once where that goes well. Where it does not, one by one; and for what the
//! index has not for this interpreter, the newest that fits. Nothing that fails here fails the
//! restore: what could not be done is held by name, and the list lies in the environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};

use serde::Deserialize;

use crate::bundle::Loss;
use crate::cancel::Cancel;
use crate::environments::{EnvironmentKind, comparable};
use crate::failure::{self, Failure};
use crate::monitor::Monitor;
use crate::restore::python::downloads::Downloads;
use crate::restore::value::rebuild::{Rebuild, Waiting};
use crate::system::{Command, Ran, System};
use crate::tree::RootPath;
use crate::verdict::{Held, HeldKind};

/// Where the commands find what only they need; gone when they have run.
const DIR: &str = "/.regrow-rebuild";

/// Largest list of installed packages that is read.
const LIST_LIMIT: u64 = 16 * 1024 * 1024;

/// Runs a command with the mask of file modes that the old environment was made with.
const MASKED: &str = include_str!("execute/masked.sh");

/// Puts what waits into its place; where something else has come there, names it.
const RETURN: &str = include_str!("execute/return.sh");

/// The same, in place of what is there.
const REPLACE: &str = include_str!("execute/replace.sh");

/// Keeps what this machine trusts where the commands find it.
const LEND: &str = include_str!("execute/lend.sh");

/// Puts what was installed apart among what is there.
const JOIN: &str = include_str!("execute/join.sh");

/// What came of all environments.
#[derive(Debug, Default)]
pub(in crate::restore) struct Rebuilt {
    pub(in crate::restore) held: Vec<Held>,
    pub(in crate::restore) losses: Vec<Loss>,
}

/// Makes the planned environments and installs what is on their lists.
///
/// # Errors
/// The commands could not be run at all.
pub(in crate::restore) fn rebuild(
    system: &mut dyn System,
    rebuilds: &[&Rebuild],
    downloads: &Downloads,
    monitor: &dyn Monitor,
) -> Result<Rebuilt, Failure> {
    let mut rebuilt = Rebuilt::default();
    if rebuilds.is_empty() {
        return Ok(rebuilt);
    }
    let environment = lend(system, downloads)?;
    for rebuild in rebuilds {
        monitor.phase(&format!("rebuilding {} with {} packages", rebuild.root, rebuild.pins.len()));
        failure::check_cancelled(monitor.cancel(), "rebuilding", &rebuild.root)?;
        let mut work = EnvironmentRebuild {
            system,
            cancel: monitor.cancel(),
            rebuild,
            environment: &environment,
            rebuilt: &mut rebuilt,
        };
        work.run()?;
    }
    system.run_one(Command::new(&["rm", "-rf", DIR]))?;
    Ok(rebuilt)
}

/// Puts what this machine lends into the new system, and gives the variables that say so.
fn lend(system: &mut dyn System, downloads: &Downloads) -> Result<Vec<(String, String)>, Failure> {
    let mut environment = downloads.variables.clone();
    let fixed = [
        ("PIP_NO_CACHE_DIR", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        // A restored system is what this flag asks its user about.
        ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
        ("PIP_RETRIES", "2"),
    ];
    environment.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let Some(path) = &downloads.authorities else { return Ok(environment) };
    // Without the file a download says what is wrong, in its own words.
    let Ok(file) = File::open(path) else { return Ok(environment) };
    let mut command = Command::new(&["sh", "-c", LEND, "lend.sh", DIR]);
    command.stdin = Some(file);
    if system.run_one(command)?.code == 0 {
        for name in ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
            environment.push((name.to_owned(), format!("{DIR}/ca.pem")));
        }
    }
    Ok(environment)
}

/// One environment under construction.
struct EnvironmentRebuild<'a> {
    system: &'a mut dyn System,
    cancel: &'a Cancel,
    rebuild: &'a Rebuild,
    environment: &'a [(String, String)],
    rebuilt: &'a mut Rebuilt,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    version: String,
}

impl EnvironmentRebuild<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        if self.rebuild.kind == EnvironmentKind::Venv {
            let ran = self.make()?;
            if ran.code != 0 {
                self.hold(format!("it could not be made again: {}", ran.complaint()));
                self.hold_waiting();
                return Ok(());
            }
        }
        let reached = self.install()?;
        if self.rebuild.kind == EnvironmentKind::Target {
            let (made, root) = (self.apart(), self.rebuild.root.as_str());
            let ran =
                self.system.run_one(self.command(&["sh", "-c", JOIN, "join.sh", &made, root]))?;
            if ran.code != 0 {
                self.hold(format!("what was installed did not get there: {}", ran.complaint()));
            }
        }
        let installed = self.installed()?;
        if reached {
            self.compare(&installed);
        }
        self.put_back(&installed)
    }

    /// As the environment's owner, who finds what he made.
    fn command(&self, words: &[&str]) -> Command {
        let Rebuild { owner: (uid, gid), umask, .. } = self.rebuild;
        let mask = format!("{umask:04o}");
        let mut command = Command::new(&["sh", "-c", MASKED, "masked.sh", &mask]);
        if *uid != 0 {
            let (user, group) = (format!("--reuid={uid}"), format!("--regid={gid}"));
            let become_owner = ["setpriv", &user, &group, "--clear-groups", "--"];
            command.argv.extend(become_owner.map(str::to_owned));
        }
        command.argv.extend(words.iter().map(|&word| word.to_owned()));
        command.env = self.environment.to_vec();
        command.env.push(("HOME".to_owned(), self.rebuild.home.clone()));
        command
    }

    fn make(&mut self) -> Result<Ran, Failure> {
        let mut words = vec!["/usr/bin/python3", "-m", "venv"];
        if self.rebuild.options.system_packages {
            words.push("--system-site-packages");
        }
        if let Some(prompt) = &self.rebuild.options.prompt {
            words.extend(["--prompt", prompt]);
        }
        words.push(&self.rebuild.root);
        let command = self.command(&words);
        self.system.run_one(command)
    }

    /// Where packages wait that go into a directory in which others lie: `pip` leaves directories
    /// that are there as they are, or removes all that is in them.
    fn apart(&self) -> String {
        format!("{}/.regrow-target", self.rebuild.root)
    }

    fn pip(&mut self, words: &[&str]) -> Result<Ran, Failure> {
        let apart = self.apart();
        let program = self.rebuild.program();
        let mut all = vec![program.as_str(), "-m", "pip", "install", "--quiet"];
        match self.rebuild.kind {
            EnvironmentKind::User => all.extend(["--user", "--ignore-installed"]),
            // What a package of the system brings is not taken away from it.
            EnvironmentKind::System => all.push("--ignore-installed"),
            EnvironmentKind::Target => all.extend(["--target", &apart]),
            _ => {}
        }
        // A source without a compiler makes do without the compiled part: another version is better.
        let compiled: Vec<&str> = self.rebuild.compiled.iter().map(String::as_str).collect();
        let compiled = compiled.join(",");
        if !compiled.is_empty() {
            all.extend(["--only-binary", &compiled]);
        }
        all.extend(words);
        let command = self.command(&all);
        self.system.download(command)
    }

    /// Installs what is on the list; says whether an index was reached.
    fn install(&mut self) -> Result<bool, Failure> {
        let rebuild = self.rebuild;
        if !rebuild.tools.is_empty() {
            let tools: Vec<&str> = rebuild.tools.iter().map(String::as_str).collect();
            let ran = self.pip(&[&["--"], &tools[..]].concat())?;
            if ran.code != 0 && self.unreachable(&ran) {
                return Ok(false);
            }
            if ran.code != 0 {
                let tools = tools.join(", ");
                self.hold(format!("{tools} could not be installed: {}", ran.complaint()));
            }
        }
        if rebuild.pins.is_empty() {
            return Ok(true);
        }
        let ran = self.pip(&["--no-deps", "-r", &rebuild.list])?;
        if ran.code == 0 {
            return Ok(true);
        }
        if self.unreachable(&ran) {
            return Ok(false);
        }
        let mut left = Vec::new();
        for (name, version) in &rebuild.pins {
            failure::check_cancelled(self.cancel, "rebuilding", &rebuild.root)?;
            if self.pip(&["--no-deps", "--", &format!("{name}=={version}")])?.code != 0 {
                left.push(name.as_str());
            }
        }
        // Together they may agree on versions; alone each gets what there is.
        if self.pip(&[&["--"], &left[..]].concat())?.code != 0 {
            for name in left {
                failure::check_cancelled(self.cancel, "rebuilding", &rebuild.root)?;
                self.pip(&["--", name])?;
            }
        }
        Ok(true)
    }

    /// Whether the command failed on its way to the index; then all is held.
    fn unreachable(&mut self, ran: &Ran) -> bool {
        let complaint = String::from_utf8_lossy(&ran.stderr);
        let unreachable = complaint.contains("Retrying (")
            || complaint.contains("Max retries exceeded")
            || complaint.contains("No module named pip");
        if unreachable {
            let Rebuild { list, .. } = self.rebuild;
            let program = self.rebuild.program();
            let complaint = ran.complaint();
            self.hold(format!(
                "its packages could not be installed ({complaint}); with a network, run `{program} \
                 -m pip install --no-deps -r {list}`"
            ));
        }
        unreachable
    }

    /// What is installed now, by the name that packages are compared by.
    fn installed(&mut self) -> Result<BTreeMap<String, String>, Failure> {
        let program = self.rebuild.program();
        let site = self.rebuild.site.clone();
        let words = [program.as_str(), "-m", "pip", "list", "--format", "json", "--path", &site];
        let command = self.command(&words);
        let mut ran = self.system.run_one(command)?;
        let text = ran.text(LIST_LIMIT).unwrap_or_default();
        let listed: Vec<Listed> = serde_json::from_str(&text).unwrap_or_default();
        Ok(listed.into_iter().map(|found| (comparable(&found.name), found.version)).collect())
    }

    /// Says what is not as it was.
    fn compare(&mut self, installed: &BTreeMap<String, String>) {
        let Rebuild { root, python, pins, list, .. } = self.rebuild;
        for (name, old) in pins {
            match installed.get(&comparable(name)) {
                Some(new) if new == old => {}
                Some(new) => {
                    let why = format!(
                        "{old} cannot be had for Python {python}, {new} is installed; the exact \
                         list is {list}"
                    );
                    let subject = format!("{root}: {name}");
                    let held = Held::new(HeldKind::Environment, subject, why);
                    self.rebuilt.held.push(held.was(old).candidate(new).file(list));
                }
                None => self.rebuilt.losses.push(Loss {
                    subject: format!("{root}: {name}"),
                    what: "package not installed".to_owned(),
                    why: format!(
                        "no version of it can be had for Python {python} (it was {old}); the exact \
                         list is {list}"
                    ),
                }),
            }
        }
    }

    fn hold(&mut self, reason: String) {
        let held = Held::new(HeldKind::Environment, &self.rebuild.root, reason);
        self.rebuilt.held.push(held);
    }

    /// Returns what waits, and takes away what had been removed.
    fn put_back(&mut self, installed: &BTreeMap<String, String>) -> Result<(), Failure> {
        let rebuild = self.rebuild;
        let same = |(name, version): &(String, String)| {
            installed.get(&comparable(name)).is_some_and(|found| found == version)
        };
        let (patched, own): (Vec<&Waiting>, Vec<&Waiting>) =
            rebuild.parked.iter().partition(|waiting| waiting.patched);
        let (back, stays): (Vec<&Waiting>, Vec<&Waiting>) =
            patched.into_iter().partition(|waiting| match waiting.package.0.as_str() {
                // The scripts name nothing but the environment, all else names the interpreter.
                "" => waiting.place.name().to_ascii_lowercase().starts_with(b"activate"),
                _ => same(&waiting.package),
            });
        for waiting in stays {
            self.hold_one(waiting);
        }
        self.moved(REPLACE, &back)?;
        let met = self.moved(RETURN, &own)?;
        for waiting in own.into_iter().filter(|waiting| met.contains(&waiting.beside)) {
            self.hold_one(waiting);
        }
        let gone = rebuild.removed.iter().filter(|gone| same(&gone.package));
        let gone: Vec<&RootPath> = gone.map(|gone| &gone.place).collect();
        if !gone.is_empty() {
            self.xargs(&["rm", "-f", "--"], &gone)?;
        }
        Ok(())
    }

    /// Runs `script` with each file and its place; what it names.
    fn moved(&mut self, script: &str, files: &[&Waiting]) -> Result<Vec<RootPath>, Failure> {
        if files.is_empty() {
            return Ok(vec![]);
        }
        let paths: Vec<&RootPath> = files.iter().flat_map(|f| [&f.beside, &f.place]).collect();
        let mut ran = self.xargs(&["-n", "200", "sh", "-c", script, "sh"], &paths)?;
        if ran.code != 0 {
            let why = format!("what waits beside its place could not return: {}", ran.complaint());
            self.hold(why);
        }
        let mut named = Vec::new();
        let mut output = Vec::new();
        if ran.stdout.rewind().is_ok() {
            ran.stdout.take(LIST_LIMIT).read_to_end(&mut output).ok();
        }
        named.extend(output.split(|&b| b == 0).filter_map(|path| RootPath::parse(path).ok()));
        Ok(named)
    }

    /// Paths may be any bytes, so they are not words of a command but its input.
    fn xargs(&mut self, words: &[&str], paths: &[&RootPath]) -> Result<Ran, Failure> {
        let unwritten = |e: std::io::Error| {
            Failure::new(failure::FailureKind::Resource, "listing files of", &self.rebuild.root)
                .because(e)
        };
        let mut input = tempfile::tempfile().map_err(unwritten)?;
        for path in paths {
            input.write_all(path.as_bytes()).map_err(unwritten)?;
            input.write_all(&[0]).map_err(unwritten)?;
        }
        input.rewind().map_err(unwritten)?;
        let mut command = Command::new(&[&["xargs", "-0", "-r"], words].concat());
        command.stdin = Some(input);
        self.system.run_one(command)
    }

    fn hold_one(&mut self, waiting: &Waiting) {
        let (name, version) = &waiting.package;
        let reason = match (name.as_str(), waiting.patched) {
            ("", _) => "it was edited, and the new environment has its own".to_owned(),
            (_, true) => format!("{name} {version} was changed here, and is not what is there now"),
            (_, false) => {
                format!("it lay among the files of {name}, which has one of that name now")
            }
        };
        let why = format!("{reason}; the archived file is {}", waiting.beside);
        let held = Held::new(HeldKind::Environment, &waiting.place, why);
        self.rebuilt.held.push(held.file(&waiting.beside));
    }

    /// Nothing can return into what is not there.
    fn hold_waiting(&mut self) {
        for waiting in &self.rebuild.parked {
            self.hold_one(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environments::Options;
    use crate::monitor::Silent;
    use crate::restore::value::rebuild::Gone;

    /// A system that remembers what it is told to run and answers by what stands in the command.
    #[derive(Default)]
    struct Fake {
        ran: Vec<String>,
        inputs: Vec<String>,
        environment: Vec<(String, String)>,
        /// A part of a command; its exit code, output and complaint.
        answers: Vec<(&'static str, i64, &'static str, &'static str)>,
    }

    impl System for Fake {
        fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
            let mut all = Vec::new();
            for command in commands {
                let line = command.line();
                self.environment.clone_from(&command.env);
                let mut input = String::new();
                if let Some(mut stdin) = command.stdin {
                    stdin.read_to_string(&mut input).unwrap();
                }
                self.inputs.push(input.replace('\0', "|"));
                let told = self.answers.iter().find(|(part, ..)| line.contains(part));
                let (code, out, complaint) = told.map_or((0, "", ""), |(_, c, o, e)| (*c, *o, *e));
                self.ran.push(line);
                let mut stdout = tempfile::tempfile().unwrap();
                stdout.write_all(out.as_bytes()).unwrap();
                stdout.rewind().unwrap();
                all.push(Ran { code, stdout, stderr: complaint.as_bytes().to_vec() });
            }
            Ok(all)
        }
    }

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn waiting(name: &str, package: &str, patched: bool) -> Waiting {
        Waiting {
            beside: path(&format!("/v/{name}.regrow-old")),
            place: path(&format!("/v/{name}")),
            package: (package.to_owned(), "1.0".to_owned()),
            patched,
        }
    }

    fn planned(kind: EnvironmentKind, owner: (u32, u32)) -> Rebuild {
        let pin = |name: &str| (name.to_owned(), "1.0".to_owned());
        Rebuild {
            kind,
            root: "/v".to_owned(),
            formerly: "3.9".to_owned(),
            python: "3.13".to_owned(),
            site: "/v/lib/python3.13/site-packages".to_owned(),
            owner,
            home: "/home/app".to_owned(),
            umask: 0o027,
            options: Options::default(),
            pins: vec![pin("Flask"), pin("fast_thing")],
            compiled: vec!["fast_thing".to_owned()],
            tools: vec![],
            list: "/v/list".to_owned(),
            parked: vec![],
            removed: vec![],
        }
    }

    fn done(fake: &mut Fake, rebuild: &Rebuild) -> Rebuilt {
        super::rebuild(fake, &[rebuild], &Downloads::default(), &Silent).unwrap()
    }

    const BOTH: &str =
        r#"[{"name":"flask","version":"1.0"},{"name":"fast-thing","version":"1.0"}]"#;

    #[test]
    fn the_list_is_installed_by_its_owner_in_one_go_and_nothing_is_held() {
        let mut fake = Fake { answers: vec![("pip list", 0, BOTH, "")], ..Fake::default() };
        let rebuilt = done(&mut fake, &planned(EnvironmentKind::Venv, (716, 717)));
        assert!(rebuilt.held.is_empty() && rebuilt.losses.is_empty(), "{rebuilt:?}");
        let owner = "setpriv --reuid=716 --regid=717 --clear-groups --";
        let mask = "masked.sh 0027";
        assert_eq!(
            fake.ran,
            [
                format!("{mask} {owner} /usr/bin/python3 -m venv /v"),
                format!(
                    "{mask} {owner} /v/bin/python3 -m pip install --quiet --only-binary fast_thing \
                     --no-deps -r /v/list"
                ),
                format!(
                    "{mask} {owner} /v/bin/python3 -m pip list --format json --path \
                     /v/lib/python3.13/site-packages"
                ),
                "rm -rf /.regrow-rebuild".to_owned(),
            ]
        );
    }

    #[test]
    fn what_cannot_be_had_is_replaced_or_lost_by_name_and_the_restore_goes_on() {
        let one = r#"[{"name":"Flask","version":"3.0"}]"#;
        let answers = vec![
            ("-r /v/list", 1, "", "ERROR: no matching distribution"),
            ("==1.0", 1, "", "ERROR: no matching distribution"),
            ("-- Flask fast_thing", 1, "", "ERROR: no matching distribution"),
            ("pip list", 0, one, ""),
        ];
        let mut fake = Fake { answers, ..Fake::default() };
        let rebuilt = done(&mut fake, &planned(EnvironmentKind::Venv, (0, 0)));
        let held: Vec<_> = rebuilt.held.iter().map(|h| (&*h.subject, &*h.why)).collect();
        let why = "1.0 cannot be had for Python 3.13, 3.0 is installed; the exact list is /v/list";
        assert_eq!(held, [("/v: Flask", why)]);
        assert_eq!(rebuilt.losses[0].subject, "/v: fast_thing");
        let tried: Vec<&String> = fake.ran.iter().filter(|line| line.contains("install")).collect();
        let ends: Vec<&str> = tried.iter().map(|line| line.rsplit("-- ").next().unwrap()).collect();
        assert_eq!(
            &ends[1..],
            ["Flask==1.0", "fast_thing==1.0", "Flask fast_thing", "Flask", "fast_thing"]
        );
    }

    #[test]
    fn without_an_index_all_is_held_with_the_command_for_later() {
        let complaint = "WARNING: Retrying (Retry(total=1)) after connection broken";
        let answers = vec![("-r /v/list", 1, "", complaint)];
        let mut fake = Fake { answers, ..Fake::default() };
        let mut rebuild = planned(EnvironmentKind::Venv, (0, 0));
        rebuild.parked = vec![waiting("app.py", "Flask", true), waiting("own.py", "Flask", false)];
        let rebuilt = done(&mut fake, &rebuild);
        assert!(rebuilt.losses.is_empty());
        assert_eq!(rebuilt.held.len(), 2, "{rebuilt:?}");
        assert!(rebuilt.held[0].why.contains("/v/bin/python3 -m pip install --no-deps -r /v/list"));
        assert_eq!(rebuilt.held[1].subject, "/v/app.py");
        assert_eq!(fake.ran.iter().filter(|line| line.contains("==1.0")).count(), 0);
    }

    #[test]
    fn an_environment_that_cannot_be_made_is_held_and_nothing_is_installed() {
        let answers = vec![("-m venv", 1, "", "ensurepip is not available")];
        let mut fake = Fake { answers, ..Fake::default() };
        let rebuilt = done(&mut fake, &planned(EnvironmentKind::Venv, (0, 0)));
        assert_eq!(rebuilt.held[0].subject, "/v");
        assert!(!fake.ran.iter().any(|line| line.contains("pip")), "{:?}", fake.ran);
    }

    #[test]
    fn patched_files_return_to_the_same_version_only_and_own_ones_unless_they_meet_something() {
        let list = r#"[{"name":"Flask","version":"1.0"},{"name":"fast-thing","version":"2.0"}]"#;
        let met = "/v/b.py.regrow-old\0";
        let answers = vec![("pip list", 0, list, ""), ("if [ -e", 0, met, "")];
        let mut fake = Fake { answers, ..Fake::default() };
        let mut rebuild = planned(EnvironmentKind::Venv, (0, 0));
        rebuild.pins.clear();
        rebuild.parked = vec![
            waiting("a.py", "Flask", false),
            waiting("b.py", "Flask", false),
            waiting("same.py", "Flask", true),
            waiting("other.py", "fast_thing", true),
            waiting("bin/activate", "", true),
            waiting("pyvenv.cfg", "", true),
        ];
        let gone = |name: &str, package: &str| Gone {
            place: path(&format!("/v/{name}")),
            package: (package.to_owned(), "1.0".to_owned()),
        };
        rebuild.removed = vec![gone("gone.py", "Flask"), gone("stays.py", "fast_thing")];
        let rebuilt = done(&mut fake, &rebuild);
        let held: Vec<&str> = rebuilt.held.iter().map(|held| held.subject.as_str()).collect();
        assert_eq!(held, ["/v/other.py", "/v/pyvenv.cfg", "/v/b.py"]);
        let fed: Vec<&String> = fake.inputs.iter().filter(|input| !input.is_empty()).collect();
        assert_eq!(
            fed,
            [
                "/v/same.py.regrow-old|/v/same.py|/v/bin/activate.regrow-old|/v/bin/activate|",
                "/v/a.py.regrow-old|/v/a.py|/v/b.py.regrow-old|/v/b.py|",
                "/v/gone.py|",
            ]
        );
    }

    #[test]
    fn what_is_lent_reaches_the_commands_and_is_taken_away() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"CERTIFICATE").unwrap();
        let variables = vec![("https_proxy".to_owned(), "http://p".to_owned())];
        let downloads = Downloads { authorities: Some(file.path().to_owned()), variables };
        let mut fake = Fake { answers: vec![("pip list", 1, "", "")], ..Fake::default() };
        let mut rebuild = planned(EnvironmentKind::System, (0, 0));
        rebuild.pins.clear();
        super::rebuild(&mut fake, &[&rebuild], &downloads, &Silent).unwrap();
        assert_eq!(fake.inputs[0], "CERTIFICATE");
        assert_eq!(fake.ran.last().unwrap(), "rm -rf /.regrow-rebuild");
        let mut fake = Fake { answers: vec![("rm -rf", 0, "", "")], ..Fake::default() };
        let lent = lend(&mut fake, &downloads).unwrap();
        for (name, value) in [
            ("https_proxy", "http://p"),
            ("PIP_CERT", "/.regrow-rebuild/ca.pem"),
            ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
        ] {
            assert!(lent.contains(&(name.to_owned(), value.to_owned())), "{name}");
        }
        assert!(fake.environment.is_empty());
    }

    #[test]
    fn returning_moves_into_free_places_and_names_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        for name in ["a.old", "b.old", "b", "c.old"] {
            std::fs::write(at(name), name).unwrap();
        }
        let shell = |script: &str, words: &[String]| {
            // A shell of the host, with nothing but files of this test.
            let run =
                std::process::Command::new("sh").args(["-c", script, "sh"]).args(words).output();
            String::from_utf8(run.unwrap().stdout).unwrap()
        };
        let told = shell(RETURN, &[at("a.old"), at("a"), at("b.old"), at("b")]);
        assert_eq!(told, format!("{}\0", at("b.old")));
        assert_eq!(std::fs::read_to_string(at("a")).unwrap(), "a.old");
        assert_eq!(std::fs::read_to_string(at("b")).unwrap(), "b");
        assert_eq!(shell(REPLACE, &[at("b.old"), at("b"), at("c.old"), at("c")]), "");
        assert_eq!(std::fs::read_to_string(at("b")).unwrap(), "b.old");
        assert_eq!(std::fs::read_to_string(at("c")).unwrap(), "c.old");
    }
}
