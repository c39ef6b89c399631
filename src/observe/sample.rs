//! [`Sample`]: what runs in a system at one moment, and where it listens, read from the text that
//! `look.sh` prints in it.
//!
//! The text comes from inside: whatever does not have the expected form says nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{ListenerFact, ProcessFact, Protocol, Reach};

/// The first port of those that kernels choose from.
const CHOSEN: u16 = 32768;

/// Programs that are many: which one is running, their first argument tells.
const MANY_IN_ONE: &[&str] = &["busybox", "toybox", "coreutils"];

/// What runs at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) processes: BTreeSet<ProcessFact>,
    pub(crate) listeners: BTreeSet<ListenerFact>,
    /// Only the engine told what runs.
    pub(crate) unasked: bool,
}

/// What of a sample is left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// The number of a process of ours.
    pub(crate) ours: Option<u32>,
    /// Ports that somebody named, and that the kernel therefore did not choose.
    pub(crate) named: BTreeSet<u16>,
}

#[derive(Default)]
struct Process<'a> {
    number: u32,
    status: &'a [u8],
    program: &'a [u8],
    arguments: &'a [u8],
    files: &'a [u8],
}

impl Sample {
    /// Reads what `look.sh` printed; `None` when it did not come to its end.
    pub(crate) fn parse(text: &[u8], beside: &Beside) -> Option<Sample> {
        let (mut processes, mut tables, mut accounts, mut whole) =
            (vec![], vec![], &b""[..], false);
        for (head, body) in sections(text) {
            let mut words = head.split_whitespace();
            let (word, argument) = (words.next(), words.next());
            let last: Option<&mut Process<'_>> = processes.last_mut();
            match (word, argument, last) {
                (Some("process"), Some(number), _) => {
                    let number = number.parse().unwrap_or_default();
                    processes.push(Process { number, status: body, ..Process::default() });
                }
                (Some("program"), None, Some(process)) => process.program = body,
                (Some("arguments"), None, Some(process)) => process.arguments = body,
                (Some("files"), None, Some(process)) => process.files = body,
                (Some("table"), Some(name), _) => tables.push((name.to_owned(), body)),
                (Some("accounts"), ..) => accounts = body,
                (Some("end"), ..) => whole = true,
                _ => {}
            }
        }
        let names = account_names(accounts);
        processes.retain(|process| Some(process.number) != beside.ours);
        let mut sample = Sample::default();
        let mut holders: BTreeMap<u64, String> = BTreeMap::new();
        for process in &processes {
            let Some(fact) = process.fact(&names) else { continue };
            for socket in sockets(process.files) {
                holders.entry(socket).or_insert_with(|| fact.name.clone());
            }
            sample.processes.insert(fact);
        }
        let mut listeners: BTreeMap<(Protocol, u16), ListenerFact> = BTreeMap::new();
        for (name, table) in &tables {
            let protocol = if name.starts_with("tcp") { Protocol::Tcp } else { Protocol::Udp };
            for line in String::from_utf8_lossy(table).lines() {
                let Some(open) = Open::parse(line, protocol) else { continue };
                let chosen = open.port >= CHOSEN && !beside.named.contains(&open.port);
                if chosen {
                    continue;
                }
                let fact = ListenerFact {
                    protocol,
                    port: open.port,
                    reach: open.reach,
                    account: named(&names, open.owner),
                    process: holders.get(&open.socket).cloned(),
                };
                let widest = listeners.entry((protocol, open.port)).or_insert_with(|| fact.clone());
                if fact.reach > widest.reach {
                    *widest = fact;
                }
            }
        }
        sample.listeners = listeners.into_values().collect();
        whole.then_some(sample)
    }
}

/// The parts of a text, each with the words of the line that begins it.
pub(super) fn sections(text: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    const MARK: &[u8] = b"\n@@ ";
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.windows(MARK.len()).position(|window| window == MARK)?;
        let from = &rest[at + MARK.len()..];
        let end = from.iter().position(|&b| b == b'\n').unwrap_or(from.len());
        let (head, body) = (&from[..end], from.get(end + 1..).unwrap_or_default());
        // The newline before a mark is the mark's, and may be the one after the head.
        let next = from[end..].windows(MARK.len()).position(|window| window == MARK);
        let body = match next {
            Some(next) => &body[..next.saturating_sub(1).min(body.len())],
            None => body,
        };
        rest = &from[end..];
        Some((String::from_utf8_lossy(head).into_owned(), body))
    })
}

impl Process<'_> {
    /// What it is; `None` of one that is over.
    fn fact(&self, names: &BTreeMap<u32, String>) -> Option<ProcessFact> {
        let status = String::from_utf8_lossy(self.status);
        let field = |key: &str| {
            status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
        };
        if field("State").is_none_or(|state| state.starts_with(['Z', 'X'])) {
            return None;
        }
        // Real, effective, saved, of files.
        let user = field("Uid")?.split_whitespace().nth(1)?.parse().ok()?;
        let name = self.name(field("Name").unwrap_or_default());
        Some(ProcessFact { name, account: named(names, user) })
    }

    fn name(&self, comm: &str) -> String {
        let program = String::from_utf8_lossy(self.program);
        let program = program.trim_end().trim_end_matches(" (deleted)");
        let arguments: Vec<String> = self
            .arguments
            .split(|&b| b == 0)
            .map(|word| String::from_utf8_lossy(word).trim().to_owned())
            .collect();
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        let first = first.split([' ', ':']).next().unwrap_or_default().trim_start_matches('-');
        let mut name = base_name(program);
        if name.is_empty() || MANY_IN_ONE.contains(&name) {
            name = if first.is_empty() { comm } else { base_name(first) };
        }
        let script = arguments.get(1).filter(|word| is_script(word)).map(|word| base_name(word));
        let name = match script {
            Some(script) if script != name => format!("{name} {script}"),
            _ => name.to_owned(),
        };
        name.chars().filter(|c| !c.is_control()).take(128).collect()
    }
}

/// Whether an argument looks like the file of a script: with a directory or an ending.
fn is_script(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/+".contains(c);
    let ending = word.rsplit_once('.').is_some_and(|(before, after)| {
        !before.is_empty()
            && (1..=4).contains(&after.len())
            && after.chars().all(|c| c.is_ascii_alphabetic())
    });
    let path = word.starts_with(['/', '.']) && !word.ends_with('/');
    word.chars().all(plain) && (path || ending) && !word.starts_with('-')
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The numbers of the sockets in a listing of open files.
fn sockets(listing: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(listing);
    let after = text.split("socket:[").skip(1);
    after.filter_map(|rest| rest.split(']').next()?.parse().ok()).take(4096).collect()
}

/// The names of users by their numbers; the first one counts.
fn account_names(passwd: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in String::from_utf8_lossy(passwd).lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(id)) =
            (fields.next(), fields.nth(1).and_then(|id| id.parse().ok()))
        {
            names.entry(id).or_insert_with(|| name.to_owned());
        }
    }
    names
}

fn named(names: &BTreeMap<u32, String>, id: u32) -> String {
    names.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

/// An open port in one of the kernel's tables.
struct Open {
    port: u16,
    reach: Reach,
    owner: u32,
    socket: u64,
}

impl Open {
    /// Reads a line of `/proc/net/tcp` and its like; `None` of what does not wait for others.
    fn parse(line: &str, protocol: Protocol) -> Option<Open> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, _, _, _, owner, _, socket, ..] = fields[..] else {
            return None;
        };
        let waits = match protocol {
            Protocol::Tcp => state == "0A",
            Protocol::Udp => state == "07" && remote.ends_with(":0000"),
        };
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let reach = reach(address)?;
        (waits && port > 0).then_some(Open {
            port,
            reach,
            owner: owner.parse().ok()?,
            socket: socket.parse().ok()?,
        })
    }
}

/// Who reaches an address that is written as the kernel does: words of four bytes, each as the
/// machine has it. `None` of the name server that engines put into a container.
fn reach(address: &str) -> Option<Reach> {
    const MAPPED: &str = "0000000000000000FFFF0000";
    let v4 = match address.len() {
        8 => Some(address),
        32 => address.strip_prefix(MAPPED),
        _ => return None,
    };
    if address.bytes().all(|b| b == b'0') || v4 == Some("00000000") {
        return Some(Reach::Any);
    }
    match v4 {
        Some("0B00007F" | "7F00000B") => None,
        Some(v4) if v4.ends_with("7F") || v4.starts_with("7F") => Some(Reach::Loopback),
        None if matches!(
            address,
            "00000000000000000000000001000000" | "00000000000000000000000000000001"
        ) =>
        {
            Some(Reach::Loopback)
        }
        _ => Some(Reach::Address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
@@ process 1
Name:\tnginx
State:\tS (sleeping)
Uid:\t0\t0\t0\t0

@@ program
/usr/sbin/nginx

@@ arguments
nginx: master process nginx -g daemon off;\0

@@ files
total 0
lrwx------ 1 root root 64 Dec  1 16:00 6 -> 'socket:[777]'

@@ process 7
Name:\tnginx
State:\tS (sleeping)
Uid:\t33\t33\t33\t33

@@ program
/usr/sbin/nginx

@@ arguments
nginx: worker process\0

@@ files

@@ process 8
Name:\tapp.py
State:\tS (sleeping)
Uid:\t1000\t1000\t1000\t1000

@@ program
/usr/bin/python3.9 (deleted)

@@ arguments
/usr/bin/python3\0/srv/app.py\0--debug\0

@@ files

@@ process 9
Name:\tsh
State:\tZ (zombie)
Uid:\t0\t0\t0\t0

@@ program

@@ arguments

@@ files

@@ process 10
Name:\tsleep
State:\tS (sleeping)
Uid:\t0\t0\t0\t0

@@ program
/bin/sleep

@@ arguments
sleep\0infinity\0

@@ files

@@ table tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 778 1 0
   2: 0100007F:C350 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 779 1 0
   3: 0100007F:C351 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 780 1 0
   4: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 781 1 0
   5: 0B00007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 782 1 0

@@ table tcp6
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 783 1 0
   1: 00000000000000000000000001000000:0019 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000    77        0 784 1 0

@@ table udp
   0: 00000000:007B 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 785 2 0
   1: 0100007F:A000 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 786 2 0
   2: 00000000:A001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 787 2 0

@@ accounts
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33::/:/bin/false
app:x:1000:1000::/:/bin/sh
alias:x:1000:1000::/:/bin/sh

@@ end
";

    fn sample(text: &str, beside: &Beside) -> Option<Sample> {
        Sample::parse(text.as_bytes(), beside)
    }

    #[test]
    fn processes_have_the_names_of_their_programs_and_their_accounts() {
        let beside = Beside { ours: Some(10), ..Beside::default() };
        let found = sample(TEXT, &beside).unwrap();
        let told: Vec<String> =
            found.processes.iter().map(|p| format!("{} as {}", p.name, p.account)).collect();
        assert_eq!(told, ["nginx as root", "nginx as www-data", "python3.9 app.py as app"]);
    }

    #[test]
    fn listeners_are_ports_that_wait_for_others_and_were_not_chosen_by_the_kernel() {
        let beside = Beside { ours: None, named: [50000].into() };
        let found = sample(TEXT, &beside).unwrap();
        let told: Vec<String> = found
            .listeners
            .iter()
            .map(|l| format!("{l} {:?} {} {:?}", l.reach, l.account, l.process))
            .collect();
        assert_eq!(
            told,
            [
                "25/tcp Loopback 77 None",
                "80/tcp Any root Some(\"nginx\")",
                "8080/tcp Any www-data None",
                "50000/tcp Loopback app None",
                "123/udp Any root None",
            ]
        );
    }

    #[test]
    fn a_text_that_was_cut_short_or_means_nothing_is_no_sample() {
        assert_eq!(sample(TEXT.strip_suffix("\n@@ end\n").unwrap(), &Beside::default()), None);
        assert_eq!(sample("", &Beside::default()), None);
        let noise = "\n@@ process x\nUid:\n@@ table tcp\n 0: zz:zz\n@@ files\n@@\n@@ end\n";
        assert_eq!(sample(noise, &Beside::default()), Some(Sample::default()));
    }
}
