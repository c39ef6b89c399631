//! Local addresses that a new default adds to those of a file that somebody edited.
//!
//! Where a service is reached is a decision. A further line like one that is there already, with
//! another address of this machine, is no better setting of the same: it opens one more place, and
//! keeps the service from starting where the machine has no such address. So a merge leaves it out,
//! and it is told.

use std::net::{IpAddr, SocketAddr};

use crate::defaults::{self, Change, Line};
use crate::tree::RootPath;
use crate::verdict::{Harm, Held, HeldKind};

/// A new default without what it adds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Without {
    /// Its text.
    pub(super) text: Vec<u8>,
    /// The lines that are not in it.
    pub(super) lines: Vec<String>,
}

/// `theirs` without lines that `base` has not, and that would add a local address to those which
/// lines of `ours` give to the same setting.
pub(super) fn without_further(base: &[u8], ours: &[u8], theirs: &[u8]) -> Without {
    let mut without = Without { text: theirs.to_vec(), lines: vec![] };
    let read = [base, ours, theirs].map(defaults::lines);
    let [Some(base), Some(ours), Some(new)] = read else { return without };
    for change in defaults::compare(&base, &new, (None, None)) {
        let Change::Added(line, _) = change else { continue };
        let Some(address) = local(&line) else { continue };
        let alike = ours.iter().filter(|our| our.key == line.key && our.section == line.section);
        let known: Vec<IpAddr> = alike.filter_map(local).collect();
        if !known.is_empty() && !known.contains(&address) && take(&mut without.text, &line.text) {
            without.lines.push(line.text);
        }
    }
    without
}

/// What a person is told of the lines that were left out of the file at `path`.
pub(super) fn left_out(path: &RootPath, lines: &[String]) -> Held {
    let quoted: Vec<String> = lines.iter().map(|line| format!("`{line}`")).collect();
    let why = format!(
        "the new default also gives another local address: {}; left out, so that the service is \
         reached where it was",
        quoted.join(", ")
    );
    let held = Held::new(HeldKind::Default, path, why).harm(Harm::Cosmetic).file(path);
    lines.iter().fold(held, Held::candidate)
}

/// Takes the last line out of `text` that says only `wanted`.
fn take(text: &mut Vec<u8>, wanted: &str) -> bool {
    let lines: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').collect();
    let says = |line: &&[u8]| {
        let read = defaults::lines(line).unwrap_or_default();
        matches!(&read[..], [only] if only.text == wanted)
    };
    let Some(at) = lines.iter().rposition(says) else { return false };
    *text = [lines[..at].concat(), lines[at + 1..].concat()].concat();
    true
}

/// The address of this machine that `line` sets, if that is what it does.
fn local(line: &Line) -> Option<IpAddr> {
    let rest = line.text.get(line.key.len()..)?;
    let rest = rest.strip_prefix(": ").unwrap_or(rest).trim_start_matches([' ', '=']);
    let word = rest.split(' ').next()?.trim_matches(['"', '\'', ';', ',']);
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let with_port = || word.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let address: IpAddr = bare.parse().ok().or_else(with_port)?;
    (address.is_loopback() || address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(base: &str, ours: &str, theirs: &str) -> (String, Vec<String>) {
        let without = without_further(base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
        (String::from_utf8(without.text).unwrap(), without.lines)
    }

    #[test]
    fn a_further_local_address_is_left_out_and_nothing_else() {
        let base = "-p 1\n-l 127.0.0.1\n";
        let ours = "-p 2\n-l 127.0.0.1\n";
        let theirs = "-p 1\n# both\n-l 127.0.0.1\n-l ::1\n-v\n";
        let kept = "-p 1\n# both\n-l 127.0.0.1\n-v\n";
        assert_eq!(without(base, ours, theirs), (kept.into(), vec!["-l ::1".into()]));
        let (base, theirs) = ("listen 127.0.0.1:80;\n", "listen 127.0.0.1:80;\nlisten [::1]:80;\n");
        assert_eq!(without(base, base, theirs), (base.into(), vec!["listen [::1]:80;".into()]));
        let (base, theirs) = ("host = 127.0.0.1\n", "host = 127.0.0.1\nhost = [::]\n");
        assert_eq!(without(base, base, theirs).1, ["host = [::]"]);
    }

    #[test]
    fn what_adds_no_place_or_is_no_local_address_stays() {
        for (base, ours, theirs) in [
            // Ours has it, or says nothing of the sort, or in another section.
            ("a 127.0.0.1\n", "a 127.0.0.1\na ::1\n", "a 127.0.0.1\na ::1\n"),
            ("x 1\n", "x 2\n", "x 1\na ::1\n"),
            ("[a]\nb = ::1\n", "[a]\nb = ::1\n", "[a]\nb = ::1\n[c]\nb = 127.0.0.1\n"),
            // Another machine's, a name, another value of the same.
            ("a 127.0.0.1\n", "a 127.0.0.1\n", "a 127.0.0.1\na 192.0.2.1\na localhost\n"),
            ("a 127.0.0.1\n", "a 127.0.0.1\nb\n", "a ::1\n"),
            ("::1 localhost\n", "::1 localhost\n", "::1 localhost\n127.0.0.1 localhost\n"),
        ] {
            assert_eq!(without(base, ours, theirs), (theirs.to_owned(), vec![]), "{theirs}");
        }
    }
}
