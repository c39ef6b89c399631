//! Packages are installed by apt, as far as they can be.
//!
//! What apt refuses is known before anything is done: it is asked what it would do. What fails only
//! when it is installed, by a script of its own or a file that another package has, is taken out
//! again with what needs it, and the rest is installed without it. So is what the repository lists
//! and does not deliver.

use std::collections::BTreeSet;

use super::apt::{self, AGAIN, succeeded};
use super::choose::{Chosen, Refusal, choose};
use super::refusal;
use super::way::{Way, unreadable_output};
use crate::failure::{Failure, FailureKind};
use crate::family::seam::Refused;
use crate::system::{Command, Ran, System};

/// Where services are kept from starting while packages are installed. A file that is there
/// already belongs to the base and comes back afterwards.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Puts a policy in place that denies every start.
const DENY: &str = include_str!("deny-start.sh");

/// Takes it away again.
const ALLOW: &str = include_str!("allow-start.sh");

/// How often it is tried again without what failed: apt stops at the first package that cannot be
/// unpacked.
const MAX_ROUNDS: usize = 16;

/// Longest output of apt that is read.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Installs those of `packages`, the most wanted first, that can be; no service starts. Returned
/// are those that cannot, and packages that these need and whose own installation fails.
///
/// # Errors
/// Nothing can be installed for a reason that is no package's, or what fails cannot be taken out
/// (step); the disk is full (resource).
pub(super) fn install(system: &mut dyn System, packages: &[&str]) -> Result<Vec<Refused>, Failure> {
    let before = apt::installed(system)?;
    set_policy(system, "denying services to start with", DENY)?;
    let mut broken: Vec<Refused> = vec![];
    for _ in 0..MAX_ROUNDS {
        let without: Vec<String> = broken.iter().map(|one| format!("{}-", one.package)).collect();
        let Chosen { install, refused } = possible(system, packages, &broken, &without)?;
        let words: Vec<&str> = install.iter().chain(&without).map(String::as_str).collect();
        let failed = match install.is_empty() {
            true => vec![],
            false => attempt(system, &words, install.len(), &before)?,
        };
        if failed.is_empty() {
            set_policy(system, "allowing services to start with", ALLOW)?;
            let refused = refused.into_iter().map(|one| explained(one, &broken));
            return Ok(refused.chain(broken.iter().cloned()).collect());
        }
        broken.extend(failed);
    }
    let why = broken.iter().map(|one| format!("{}: {}", one.package, one.why));
    let why = format!("too many fail: {}", why.collect::<Vec<_>>().join("; "));
    Err(Failure::new(FailureKind::Step, "installing", packages.join(" "))
        .why(why)
        .nothing_left()
        .next(AGAIN))
}

/// Installs one package more; `None` when something would have to be removed for it, else what of
/// it, and of what it needs, failed.
///
/// # Errors
/// As [`install`].
pub(super) fn add(system: &mut dyn System, package: &str) -> Result<Option<Vec<Refused>>, Failure> {
    let ran = fetch(system, &order(&["--no-remove", "--download-only"], &[package]))?;
    if ran.code != 0 {
        return Ok(None);
    }
    let before = apt::installed(system)?;
    set_policy(system, "denying services to start with", DENY)?;
    let ran = system.run_one(Command::new(&order(&["--no-remove"], &[package])))?;
    let mut failed = ended(system, ran, &[package], &before)?;
    set_policy(system, "allowing services to start with", ALLOW)?;
    if let Some(first) = failed.first().filter(|_| failed.iter().all(|one| one.package != package))
    {
        let why = format!("it needs {}: {}", first.package, first.why);
        failed.push(Refused { package: package.to_owned(), why });
    }
    Ok(Some(failed))
}

/// Which of `packages` apt would install together, without those that are `broken`.
fn possible(
    system: &mut dyn System,
    packages: &[&str],
    broken: &[Refused],
    without: &[String],
) -> Result<Chosen, Failure> {
    let is_broken = |name: &str| broken.iter().any(|one| one.package == name);
    let wanted: Vec<&str> = packages.iter().copied().filter(|name| !is_broken(name)).collect();
    let without: Vec<&str> = without.iter().map(String::as_str).collect();
    let mut is_sound = false;
    choose(&wanted, &mut |names| {
        let Some((refusal, failure)) = would(system, &[names, &without].concat())? else {
            return Ok(None);
        };
        // Where apt refuses to do nothing at all, it is no package's fault.
        if !is_sound && would(system, &[])?.is_some() {
            return Err(failure);
        }
        is_sound = true;
        Ok(Some(refusal))
    })
}

/// Why apt would not install this; `None` when it would.
fn would(system: &mut dyn System, words: &[&str]) -> Result<Option<(Refusal, Failure)>, Failure> {
    let mut ran = system.run_one(Command::new(&order(&["--simulate"], words)))?;
    if ran.code == 0 {
        return Ok(None);
    }
    let stdout = ran.text(LIMIT).map_err(|e| unreadable_output(e, "apt-get"))?;
    let refusal = refusal::of_apt(&stdout, &String::from_utf8_lossy(&ran.stderr));
    Ok(Some((refusal, failure(&ran, &stdout, words))))
}

/// Installs what apt says it would, of which `wanted` packages were asked for; returned is what
/// failed and was taken out again.
fn attempt(
    system: &mut dyn System,
    words: &[&str],
    wanted: usize,
    before: &BTreeSet<String>,
) -> Result<Vec<Refused>, Failure> {
    // The packages' own scripts run in the second, which has no network. It is not told to download
    // nothing: a repository in a directory of the system is read where it is, as a download.
    let order_of_files = order(&["--download-only"], words);
    let mut ran = fetch(system, &order_of_files)?;
    let undelivered = |ran: &Ran| match ran.code {
        0 => vec![],
        _ => refusal::of_download(&String::from_utf8_lossy(&ran.stderr)),
    };
    let mut missed = undelivered(&ran);
    if !missed.is_empty() {
        // A mirror that was just renewed has it at the second time.
        ran = fetch(system, &order_of_files)?;
        missed = undelivered(&ran);
    }
    // Where as many are missed as were wanted, it is the repository that cannot be used.
    if !missed.is_empty() && missed.len() < wanted {
        named_as_dpkg_does(system, &mut missed)?;
        return Ok(missed);
    }
    if ran.code == 0 {
        ran = system.run_one(Command::new(&order(&[], words)))?;
    }
    ended(system, ran, words, before)
}

/// Takes the architecture off those names that have the system's own.
fn named_as_dpkg_does(system: &mut dyn System, refused: &mut [Refused]) -> Result<(), Failure> {
    let native = apt::architecture(system)?.unwrap_or_default();
    for one in refused {
        if let Some((name, _)) = one.package.rsplit_once(':').filter(|(_, of)| *of == native) {
            one.package = name.to_owned();
        }
    }
    Ok(())
}

/// What failed of an installation, once it is taken out again.
fn ended(
    system: &mut dyn System,
    mut ran: Ran,
    words: &[&str],
    before: &BTreeSet<String>,
) -> Result<Vec<Refused>, Failure> {
    if ran.code == 0 {
        return Ok(vec![]);
    }
    let stdout = ran.text(LIMIT).map_err(|e| unreadable_output(e, "apt-get"))?;
    let failure = failure(&ran, &stdout, words);
    // dpkg speaks to a terminal of apt's, whose words are those of apt's output.
    let mut failed =
        refusal::of_dpkg(&format!("{stdout}\n{}", String::from_utf8_lossy(&ran.stderr)));
    // It names some with their architecture, also where that is the system's own.
    named_as_dpkg_does(system, &mut failed)?;
    if failure.kind() != FailureKind::Step || failed.is_empty() {
        return Err(failure);
    }
    match take_out(system, &failed, before)? {
        true => Ok(failed),
        false => {
            let told = failed.iter().map(|one| format!("{}: {}", one.package, one.why));
            let told = told.collect::<Vec<_>>().join("; ");
            Err(failure.why(format!("{told}; it cannot be taken out again")))
        }
    }
}

/// Removes packages whose installation failed, with those that need them; whether they are gone.
/// Nothing that was there `before` is removed.
fn take_out(
    system: &mut dyn System,
    failed: &[Refused],
    before: &BTreeSet<String>,
) -> Result<bool, Failure> {
    let names: Vec<&str> = failed.iter().map(|one| one.package.as_str()).collect();
    if names.iter().any(|name| before.contains(*name)) {
        return Ok(false);
    }
    // What was unpacked and waits for what failed is mended on the way.
    let purge = |how: &[&str]| {
        let words = [&["apt-get", "-qy", "--fix-broken", "--no-install-recommends"], how];
        Command::new(&[&words.concat()[..], &["purge", "--"], &names].concat())
    };
    let mut would = system.run_one(purge(&["--simulate"]))?;
    let text = would.text(LIMIT).map_err(|e| unreadable_output(e, "apt-get"))?;
    if would.code != 0 || refusal::removals(&text).iter().any(|name| before.contains(*name)) {
        return Ok(false);
    }
    Ok(system.run_one(purge(&[]))?.code == 0)
}

/// With the reasons of what failed and it names.
fn explained(refused: Refused, broken: &[Refused]) -> Refused {
    let Refused { package, mut why } = refused;
    let of_name = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let said = why.clone();
    let names = |name: &str| said.split(|c| !of_name(c)).any(|word| word == name);
    for one in broken.iter().filter(|one| names(&one.package)) {
        why.push_str("; ");
        why.push_str(&one.why);
    }
    Refused { package, why }
}

/// Runs what apt-get is told by `words`, its own name first, where it can download.
fn fetch(system: &mut dyn System, words: &[&str]) -> Result<Ran, Failure> {
    let way = Way::of(system)?;
    system.download(way.get(words.get(1..).unwrap_or_default()))
}

fn order<'a>(how: &[&'a str], packages: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "apt-get",
        "-qy",
        "--no-install-recommends",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
    ];
    [&fixed[..], how, &["install", "--"], packages].concat()
}

/// How apt failed. A full disk is no fault of the packages; the words are apt's and the C
/// library's.
fn failure(ran: &Ran, stdout: &str, packages: &[&str]) -> Failure {
    let complaint = String::from_utf8_lossy(&ran.stderr);
    let full = ["No space left on device", "enough free space"];
    let is_full = full.iter().any(|words| complaint.contains(words) || stdout.contains(words));
    let kind = if is_full { FailureKind::Resource } else { FailureKind::Step };
    Failure::new(kind, "installing", packages.join(" "))
        .why(ran.complaint())
        .nothing_left()
        .next(AGAIN)
}

fn set_policy(system: &mut dyn System, doing: &str, script: &str) -> Result<(), Failure> {
    let ran = system.run_one(Command::new(&["sh", "-c", script, "sh", POLICY]))?;
    succeeded(&ran, doing, POLICY)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A system in which every installation of `tool` fails by a package that it needs, and what
    /// it was told.
    #[derive(Default)]
    struct Failing {
        /// What was there before.
        there: &'static str,
        told: Vec<String>,
    }

    impl System for Failing {
        fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
            Ok(commands.iter().map(|command| self.answer(&command.argv)).collect())
        }
    }

    impl Failing {
        fn answer(&mut self, argv: &[String]) -> Ran {
            let has = |word: &str| argv.iter().any(|told| told == word);
            let (code, text) = match argv[0].as_str() {
                "dpkg-query" => (0, self.there),
                "dpkg" => (0, "amd64\n"),
                "apt-get" if has("purge") => (0, "Purg tool [1]\nPurg lib [1]\n"),
                "apt-get" if has("install") => (
                    100,
                    "dpkg: error processing package lib:amd64 (--configure):\r\n installed lib \
                     package post-installation script subprocess returned error exit status 3\r\n",
                ),
                _ => (0, ""),
            };
            if has("purge") && !has("--simulate") {
                self.told.push(argv.join(" "));
            }
            let mut stdout = tempfile::tempfile().unwrap();
            stdout.write_all(text.as_bytes()).unwrap();
            Ran { code, stdout, stderr: vec![] }
        }
    }

    #[test]
    fn one_package_more_that_fails_is_taken_out_with_the_reason_of_what_it_needs() {
        let mut system = Failing::default();
        let failed = add(&mut system, "tool").unwrap().unwrap();
        let failed: Vec<_> = failed.iter().map(|one| (&*one.package, &*one.why)).collect();
        let why = "installed lib package post-installation script subprocess returned error exit \
                   status 3";
        let needs = format!("it needs lib: {why}");
        assert_eq!(failed, [("lib", why), ("tool", &*needs)]);
        assert_eq!(system.told.len(), 1);
        assert!(system.told[0].ends_with("purge -- lib"), "{:?}", system.told);
    }

    #[test]
    fn what_was_there_before_is_never_taken_out() {
        for there in ["installed lib amd64\n", "installed tool amd64\n"] {
            let mut system = Failing { there, told: vec![] };
            let failure = add(&mut system, "tool").unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Step);
            assert!(failure.to_string().contains("it cannot be taken out again"), "{failure}");
            assert_eq!(system.told, [""; 0]);
        }
    }
}
