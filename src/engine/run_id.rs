//! The id of a run: nobody else's, and it tells whether its process still goes on.
//!
//! What a run is building carries this id as a label, so that another process can tell what an
//! interrupted run left from what is being built just now. Only evidence that the process lives
//! spares its things: an id that says nothing belongs to nobody.

use std::fs;

/// What identifies a process of one boot of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    /// The beginning of the kernel's boot id.
    boot: String,
    /// The pid namespace, by its inode.
    namespace: u64,
    pid: u32,
    /// When it was started, in the kernel's ticks: pids are used again.
    start: u64,
}

/// An id for a run of this process that does `what`; no two are equal.
pub fn run_id(what: &str) -> String {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let pid = std::process::id();
    match Process::of(pid) {
        Some(Process { boot, namespace, pid, start }) => {
            format!("{what}.{boot}.{namespace}.{pid}.{start}.{nanos:x}")
        }
        None => format!("{what}.{pid}.{nanos:x}"),
    }
}

/// Whether the process that made the id `run` is known to go on.
pub(crate) fn goes_on(run: &str) -> bool {
    let (Some(maker), Some(own)) = (Process::parse(run), Process::of(std::process::id())) else {
        return false;
    };
    if maker.boot != own.boot {
        return false;
    }
    if maker.namespace == own.namespace {
        return Process::of(maker.pid) == Some(maker);
    }
    // In a container perhaps, whose processes may have other numbers here.
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let link = fs::read_link(process.path().join("ns/pid"));
        link.is_ok_and(|link| inode(&link.to_string_lossy()) == Some(maker.namespace))
    })
}

impl Process {
    /// The process `pid` of our own namespace, if it lives and `/proc` shows it.
    fn of(pid: u32) -> Option<Process> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let link = fs::read_link("/proc/self/ns/pid").ok()?;
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The second field is a name in parentheses that may hold anything; the 22nd is wanted.
        let end = stat.iter().rposition(|&b| b == b')')?;
        let mut fields = stat.get(end + 1..)?.split(|&b| b == b' ').filter(|f| !f.is_empty());
        if fields.next()? == b"Z" {
            return None;
        }
        let start = std::str::from_utf8(fields.nth(18)?).ok()?.parse().ok()?;
        Some(Process {
            boot: boot.get(..8)?.to_owned(),
            namespace: inode(&link.to_string_lossy())?,
            pid,
            start,
        })
    }

    /// The process in the id of a run.
    fn parse(run: &str) -> Option<Process> {
        let mut parts = run.rsplit('.').skip(1);
        let start = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        let namespace = parts.next()?.parse().ok()?;
        Some(Process { boot: parts.next()?.to_owned(), namespace, pid, start })
    }
}

/// The number in `pid:[4026531836]`.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_as_long_as_its_very_process() {
        let id = run_id("a.b");
        assert!(goes_on(&id), "{id}");
        assert_ne!(id, run_id("a.b"));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        let Process { boot, namespace, pid, start } = process;
        let of = |pid: u32, start: u64| format!("x.{boot}.{namespace}.{pid}.{start}.0");
        assert!(goes_on(&of(pid, start)));
        assert!(!goes_on(&of(pid, start + 1)), "another process has its number");
        assert!(!goes_on(&format!("x.00000000.{namespace}.{pid}.{start}.0")), "before a reboot");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!goes_on(&of(pid, start)));
        assert!(!goes_on("made-by-hand"));
    }
}
