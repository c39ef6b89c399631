//! Why packages were not installed, read from what apt and dpkg say.
//!
//! The words are those of apt 1.2 to 3.0 and dpkg 1.18 to 1.22 in the language C.

use super::choose::Refusal;
use crate::family::seam::Refused;

/// Stands before the packages of which apt cannot satisfy what they need.
const UNMET: &str = "The following packages have unmet dependencies:";

/// Stands before a package that dpkg gave up.
const GIVEN_UP: &str = "dpkg: error processing ";

/// What apt says of a file that it cannot have, while the repository answers.
const UNDELIVERED: [&str; 5] =
    ["404 ", "410 ", "File not found", "Hash Sum mismatch", "File has unexpected size"];

/// Reads why apt finds that packages cannot be installed together.
pub(super) fn of_apt(stdout: &str, stderr: &str) -> Refusal {
    let unmet: Vec<&str> = match stdout.split_once(UNMET) {
        Some((_, rest)) => {
            let listed = rest.trim_start_matches(['\r', '\n']).lines();
            listed.take_while(|line| line.starts_with(' ')).collect()
        }
        None => vec![],
    };
    let errors: Vec<&str> = stderr.lines().filter_map(|line| line.strip_prefix("E: ")).collect();
    let said = if unmet.is_empty() { &errors } else { &unmet };
    let said: Vec<&str> = said.iter().map(|line| line.trim()).collect();
    // ` a : Depends: b but it is not installable`; errors name packages in quotes or at the end.
    let of_unmet = unmet.iter().filter_map(|line| line.split_once(" : ")).map(|(name, _)| name);
    let words = |text: &'static str| move |c: char| c.is_whitespace() || text.contains(c);
    let of_both = errors.iter().flat_map(|line| line.split(words("'`\"")));
    // A conflict is with the second package of its line, and what lacks something may have been
    // asked for by another one, which apt 3 names below.
    let of_unmet = of_unmet.chain(unmet.iter().flat_map(|line| line.split(words(",|()"))));
    let below = stderr.lines().filter(|line| line.starts_with(' '));
    let below = below.flat_map(|line| line.split_whitespace());
    let below = below.map(|word| word.split(['=', ':']).next().unwrap_or(word));
    let mut named: Vec<String> = vec![];
    for name in of_unmet.chain(of_both).chain(below).map(str::trim).filter(|n| !n.is_empty()) {
        if !named.iter().any(|known| known == name) {
            named.push(name.to_owned());
        }
    }
    Refusal { why: said.join("; "), named }
}

/// The packages that dpkg gave up for a fault of their own, each with its reason. Others that only
/// need these are none.
pub(super) fn of_dpkg(text: &str) -> Vec<Refused> {
    let mut found: Vec<Refused> = vec![];
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix(GIVEN_UP) else { continue };
        let why = lines.next().unwrap_or_default().trim();
        if why.starts_with("dependency problems") {
            continue;
        }
        let name = match rest.strip_prefix("package ") {
            Some(rest) => rest.split_whitespace().next(),
            None => of_script(why).or_else(|| of_archive(rest)),
        };
        if let Some(name) = name.filter(|name| found.iter().all(|known| known.package != *name)) {
            found.push(Refused { package: name.to_owned(), why: why.to_owned() });
        }
    }
    found
}

/// The packages whose files the repository lists and does not deliver, each with its reason; none
/// where anything was missed for another reason, as a network that is gone.
pub(super) fn of_download(stderr: &str) -> Vec<Refused> {
    let missed = stderr.lines().filter_map(|line| line.strip_prefix("E: Failed to fetch "));
    let mut found = vec![];
    for line in missed {
        let (url, why) = line.split_once("  ").unwrap_or((line, ""));
        let is_of_the_file = UNDELIVERED.iter().any(|words| why.contains(words));
        let Some(package) = of_url(url).filter(|_| is_of_the_file) else { return vec![] };
        let why = format!("the repository lists it and does not deliver it: {}", why.trim());
        found.push(Refused { package, why });
    }
    found
}

/// `http://mirror/pool/main/t/tool/tool_1%3a2-1_amd64.deb`: the name, with the architecture as dpkg
/// writes it.
fn of_url(url: &str) -> Option<String> {
    let file = url.rsplit('/').next()?.strip_suffix(".deb")?;
    let mut parts = file.split('_');
    let name = parts.next().filter(|name| !name.is_empty())?;
    match parts.nth(1) {
        Some(architecture) if architecture != "all" => Some(format!("{name}:{architecture}")),
        _ => Some(name.to_owned()),
    }
}

/// `new tool package pre-installation script subprocess returned error exit status 1`.
fn of_script(why: &str) -> Option<&str> {
    let (name, _) = why.strip_prefix("new ")?.split_once(" package ")?;
    (!name.contains(' ')).then_some(name)
}

/// `archive /var/cache/apt/archives/tool_1_all.deb (--unpack):`, where files may be numbered.
fn of_archive(rest: &str) -> Option<&str> {
    let (path, _) = rest.strip_prefix("archive ")?.rsplit_once(" (")?;
    let file = path.rsplit('/').next()?;
    let (name, _) = file.split_once('_')?;
    match name.split_once('-') {
        Some((number, name)) if number.bytes().all(|b| b.is_ascii_digit()) => Some(name),
        _ => Some(name),
    }
}

/// The packages that a removal would remove, read from what apt says that it would do.
pub(super) fn removals(simulated: &str) -> Vec<&str> {
    let removed = simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Purg ").or_else(|| line.strip_prefix("Remv ")));
    removed.filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Reading package lists...\nThe following information may help to resolve \
                        the situation:\n\nThe following packages have unmet dependencies:\n";

    #[test]
    fn what_lacks_something_is_named_with_all_that_it_lacks() {
        let stdout = format!(
            "{HEAD} broken : Depends: nothere but it is not installable\n          \
             Depends: libc6 (>= 99) but 2.41-12 is to be installed\n"
        );
        let stderr = "E: Unable to correct problems, you have held broken packages.\n\
            E: The following information from --solver 3.0 may provide additional context:\n   \
            1. broken:amd64 is selected for install because:\n      \
            1. deep:amd64=1 is selected for install\n";
        let refusal = of_apt(&stdout, stderr);
        let expected = "broken : Depends: nothere but it is not installable; \
                        Depends: libc6 (>= 99) but 2.41-12 is to be installed";
        assert_eq!(refusal.why, expected);
        assert_eq!(refusal.named[0], "broken");
        assert!(refusal.named.iter().any(|name| name == "deep"), "{:?}", refusal.named);
    }

    #[test]
    fn of_a_conflict_both_are_named_and_a_name_that_is_none_is_too() {
        let stdout = format!("{HEAD} one : Conflicts: two but 1 is to be installed\n");
        let refusal = of_apt(&stdout, "E: Unable to correct problems\n");
        assert_eq!(refusal.why, "one : Conflicts: two but 1 is to be installed");
        assert!(["one", "two"].iter().all(|name| refusal.named.iter().any(|n| n == name)));
        let stderr = "E: Unable to locate package nosuch\n\
                      E: Package 'virtual' has no installation candidate\n";
        let refusal = of_apt("Reading package lists...\n", stderr);
        let expected = "Unable to locate package nosuch; \
                        Package 'virtual' has no installation candidate";
        assert_eq!(refusal.why, expected);
        assert!(["nosuch", "virtual"].iter().all(|name| refusal.named.iter().any(|n| n == name)));
    }

    #[test]
    fn what_failed_itself_is_told_from_what_only_needs_it() {
        let text = "Setting up bad (1) ...\r\nsorry\r\n\
            dpkg: error processing package bad (--configure):\r\n \
            installed bad package post-installation script subprocess returned error exit status 3\
            \r\ndpkg: dependency problems prevent configuration of needsbad:\r\n \
            needsbad depends on bad; however:\r\n  Package bad is not configured yet.\r\n\r\n\
            dpkg: error processing package needsbad (--configure):\r\n \
            dependency problems - leaving unconfigured\r\n\
            dpkg: error processing archive /repo/./x.deb (--unpack):\r\n \
            new pre package pre-installation script subprocess returned error exit status 4\r\n\
            dpkg: error processing archive /tmp/apt-dpkg-install-a1/07-over-it_1_all.deb \
            (--unpack):\r\n trying to overwrite '/usr/bin/x', which is also in package good 1\r\n";
        let failed: Vec<(String, String)> =
            of_dpkg(text).into_iter().map(|one| (one.package, one.why)).collect();
        let script = |which: &str| format!("{which} script subprocess returned error exit status");
        let expected = [
            ("bad", format!("installed bad package {} 3", script("post-installation"))),
            ("pre", format!("new pre package {} 4", script("pre-installation"))),
            (
                "over-it",
                "trying to overwrite '/usr/bin/x', which is also in package good 1".to_owned(),
            ),
        ];
        assert_eq!(failed, expected.map(|(name, why)| (name.to_owned(), why)));
    }

    #[test]
    fn what_a_repository_lists_and_does_not_deliver_is_told_from_a_network_that_is_gone() {
        let gone = "E: Failed to fetch http://m/pool/t/tool_1%3a2-1_amd64.deb  404  Not Found [IP: \
                    192.0.2.1 80]\nE: Failed to fetch file:/repository/./data_1_all.deb  Hash Sum \
                    mismatch\n   Hashes of expected file:\nE: Failed to fetch file:/r/./x.deb  File \
                    not found - /r/./x.deb (2: No such file or directory)\n\
                    E: Some files failed to download\n";
        let missed: Vec<(String, String)> =
            of_download(gone).into_iter().map(|one| (one.package, one.why)).collect();
        let expected = [
            ("tool:amd64", "404  Not Found [IP: 192.0.2.1 80]"),
            ("data", "Hash Sum mismatch"),
            ("x", "File not found - /r/./x.deb (2: No such file or directory)"),
        ];
        let said = "the repository lists it and does not deliver it";
        let expected = expected.map(|(name, why)| (name.to_owned(), format!("{said}: {why}")));
        assert_eq!(missed, expected);
        let cut = "E: Failed to fetch http://m/pool/a/a_1_all.deb  Connection timed out [IP: x]\n";
        assert!(of_download(&format!("{gone}{cut}")).is_empty());
    }

    #[test]
    fn what_a_removal_takes_along_is_known_before() {
        let text = "Purg needsbad [1]\nRemv bad [1]\nConf good (1 localhost [all])\n";
        assert_eq!(removals(text), ["needsbad", "bad"]);
    }
}
