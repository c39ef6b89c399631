//! Commands run in a real root: what they see, what they can reach, what they leave.
//!
//! Needs root and a Debian image (`debian:trixie` of a local engine), or `mmdebstrap`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod root;

use std::fs;
use std::io::{Read, Seek};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use regrow::cancel::Cancel;
use regrow::internals::namespace::{
    MAX_TAIL, Namespace, NamespaceError, Network, Ran, RunOptions, Stdin, Stdout,
};

static ROOT: Mutex<()> = Mutex::new(());

/// A Debian root, used by one test at a time.
struct Root {
    path: PathBuf,
    _lock: MutexGuard<'static, ()>,
}

fn root() -> Root {
    let lock = ROOT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Root { path: root::debian(), _lock: lock }
}

fn run(root: &Path, script: &str, options: &RunOptions) -> Ran {
    Namespace::new(root).unwrap().run(&["sh", "-c", script], options).unwrap()
}

fn output(root: &Path, script: &str) -> String {
    let ran = run(root, script, &RunOptions::default());
    assert_eq!(ran.code, 0, "{}", String::from_utf8_lossy(ran.stderr.bytes()));
    String::from_utf8(ran.stdout.bytes().to_vec()).unwrap()
}

/// What the host has mounted on or below `root`.
fn mounts_below(root: &Path) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = root.to_str().unwrap();
    mounts.lines().filter(|line| line.contains(root)).map(str::to_owned).collect()
}

#[test]
fn a_command_sees_its_own_processes_mounts_and_host_name_only() {
    let root = root();
    let pids = output(&root.path, "echo $$; ls /proc | grep -c '^[0-9]'; cat /proc/1/comm");
    let pids: Vec<&str> = pids.lines().collect();
    assert!(pids[0].parse::<u32>().unwrap() < 100, "{pids:?}");
    assert!(pids[1].parse::<u32>().unwrap() < 6, "{pids:?}");
    assert_eq!(pids[2], "sh");
    let mounts = output(&root.path, "cut -d' ' -f2,3 /proc/mounts | grep -v '^/proc/'");
    let mounts: Vec<&str> = mounts.lines().collect();
    let (own, rest) = mounts.split_first().unwrap();
    assert!(own.starts_with("/ "));
    assert_eq!(
        rest.iter().filter(|mount| !mount.starts_with("/dev/")).collect::<Vec<_>>(),
        [&"/proc proc", &"/sys sysfs", &"/run tmpfs", &"/dev tmpfs"]
    );
    assert_eq!(
        output(&root.path, "cat /proc/sys/kernel/hostname; pwd; umask"),
        "localhost\n/\n0022\n"
    );
}

#[test]
fn nothing_is_left_mounted_running_or_changed_in_the_root() {
    let root = root();
    let before: Vec<_> = fs::read_dir(root.path.join("dev")).unwrap().map(Result::unwrap).collect();
    let marker = format!("3{}", std::process::id());
    let started = Instant::now();
    output(
        &root.path,
        &format!("touch /run/x /dev/shm/x; setsid sleep {marker} >/dev/null 2>&1 &"),
    );
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(mounts_below(&root.path), [""; 0]);
    let after: Vec<_> = fs::read_dir(root.path.join("dev")).unwrap().map(Result::unwrap).collect();
    assert_eq!(before.len(), after.len());
    assert!(!root.path.join("run/x").exists());
    let sleeping = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("cmdline")).ok());
    assert_eq!(sleeping.filter(|line| line.contains(&marker)).count(), 0);
}

#[test]
fn the_hosts_environment_terminal_and_devices_are_out_of_reach() {
    let root = root();
    assert_eq!(
        output(
            &root.path,
            "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | cut -d= -f1 | sort"
        ),
        "HOME\nLANG\nPATH\n"
    );
    // What container engines grant, less what this machine does not have itself.
    let caps = output(&root.path, "sed -n 's/CapEff:.//p' /proc/self/status");
    assert_eq!(u64::from_str_radix(caps.trim(), 16).unwrap() & !0xa804_05fb, 0, "{caps}");
    let refused = |script: &str| {
        let ran = run(&root.path, script, &RunOptions::default());
        assert_ne!(ran.code, 0, "{script}: {ran:?}");
    };
    refused("exec 3</dev/tty");
    refused("mount -t tmpfs none /mnt");
    refused("umount -l /");
    refused("ls /proc/1/root/");
    refused("echo x > /proc/sys/kernel/core_pattern");
    refused("echo h > /proc/sysrq-trigger");
    // A device that anybody may read stands for the disk, which the machine may guard itself.
    refused("mknod /tmp/zero c 1 5 && trap 'rm /tmp/zero' EXIT && head -c1 /tmp/zero");
    assert!(!root.path.join("tmp/zero").exists());
    let null =
        output(&root.path, "echo gone >/dev/null; head -c4 /dev/zero | od -An -tx1; ls /dev/ptmx");
    assert_eq!(null, " 00 00 00 00\n/dev/ptmx\n");
}

#[test]
fn leaving_the_chroot_leads_nowhere() {
    let root = root();
    let escape = "mkdir -p /tmp/jail && perl -e '\
                  chdir \"/\"; chroot \"/tmp/jail\"; chdir \"..\" for 1..64; chroot \".\"; \
                  exec \"/bin/sh\", \"-c\", \"ls -di /\"'; rmdir /tmp/jail";
    let inode = output(&root.path, "ls -di /");
    assert_eq!(output(&root.path, escape), inode);
    assert_eq!(
        inode.split_whitespace().next().unwrap(),
        fs::metadata(&root.path).unwrap().ino().to_string()
    );
}

#[test]
fn exit_codes_and_signals_are_told_as_a_shell_does() {
    let root = root();
    let code = |script: &str| run(&root.path, script, &RunOptions::default()).code;
    assert_eq!(code("exit 0"), 0);
    assert_eq!(code("exit 42"), 42);
    assert_eq!(code("kill -KILL $$"), 137);
    let missing = Namespace::new(&root.path).unwrap();
    assert_eq!(missing.run(&["/no/such"], &RunOptions::default()).unwrap().code, 127);
}

#[test]
fn arguments_are_bytes_and_never_read_by_a_shell() {
    let root = root();
    let namespace = Namespace::new(&root.path).unwrap();
    let ran = namespace
        .run(
            &["printf", "%s|", "a b", "$(touch /x)", "'\"", "*", "", "x=y"],
            &RunOptions::default(),
        )
        .unwrap();
    assert_eq!(ran.stdout.bytes(), b"a b|$(touch /x)|'\"|*||x=y|");
}

#[test]
fn a_command_that_takes_too_long_is_killed_with_all_it_started() {
    let root = root();
    let marker = format!("4{}", std::process::id());
    let script = format!(
        "trap '' TERM INT HUP; echo begun; (setsid sleep {marker} >/dev/null 2>&1 </dev/null &); sleep {marker}"
    );
    let options = RunOptions { timeout: Duration::from_secs(3), ..RunOptions::default() };
    let started = Instant::now();
    let error = Namespace::new(&root.path)
        .unwrap()
        .run(&["sh", "-c", script.as_str()], &options)
        .unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(13));
    let NamespaceError::TimedOut { stdout, .. } = error else { panic!("{error}") };
    assert_eq!(stdout.bytes(), b"begun\n");
    let running = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("cmdline")).ok());
    assert_eq!(running.filter(|line| line.contains(&marker)).count(), 0);
}

#[test]
fn of_two_commands_one_is_cancelled_and_the_other_goes_on() {
    let root = root();
    let cancel = Cancel::new();
    let stopped = RunOptions { cancel: cancel.clone(), ..RunOptions::default() };
    let other = RunOptions { cancel: Cancel::new(), ..RunOptions::default() };
    let namespace = Namespace::new(&root.path).unwrap();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| namespace.run(&["sleep", "1000"], &stopped));
        std::thread::sleep(Duration::from_millis(500));
        cancel.request(15);
        assert_eq!(namespace.run(&["true"], &other).unwrap().code, 0);
        let error = running.join().unwrap().unwrap_err();
        assert!(matches!(error, NamespaceError::Cancelled { signal: 15 }), "{error}");
    });
}

#[test]
fn the_end_of_a_long_output_is_kept() {
    let root = root();
    let ran = run(
        &root.path,
        "head -c 5000000 /dev/zero; echo end; head -c 3000000 /dev/zero >&2; echo err >&2",
        &RunOptions::default(),
    );
    assert_eq!((ran.stdout.bytes().len(), ran.stdout.total()), (MAX_TAIL, 5_000_004));
    assert!(ran.stdout.bytes().ends_with(b"end\n") && ran.stderr.bytes().ends_with(b"err\n"));
    assert_eq!(ran.stderr.total(), 3_000_004);
}

#[test]
fn input_comes_from_bytes_or_a_file_and_output_goes_to_a_file() {
    let root = root();
    let bytes = vec![b'x'; 3 << 20];
    let mut copy = tempfile::tempfile().unwrap();
    let options = RunOptions {
        stdin: Stdin::Bytes(bytes.clone()),
        stdout: Stdout::ToFile(copy.try_clone().unwrap()),
        ..RunOptions::default()
    };
    assert_eq!(run(&root.path, "cat", &options).stdout.total(), 0);
    copy.rewind().unwrap();
    let mut read = Vec::new();
    copy.read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    copy.rewind().unwrap();
    let options = RunOptions { stdin: Stdin::File(copy), ..RunOptions::default() };
    assert_eq!(run(&root.path, "wc -c", &options).stdout.bytes(), b"3145728\n");
    // Not read at all, which is no error.
    let options = RunOptions { stdin: Stdin::Bytes(bytes), ..RunOptions::default() };
    assert_eq!(run(&root.path, "true", &options).code, 0);
    assert_eq!(output(&root.path, "wc -c"), "0\n");
}

#[test]
fn without_a_network_there_is_a_loopback_device_and_nothing_else() {
    let root = root();
    let devices = output(&root.path, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
    assert_eq!(devices, "lo\n");
    assert_eq!(output(&root.path, "cat /sys/class/net/lo/flags"), "0x9\n");
    assert_eq!(output(&root.path, "cat /etc/resolv.conf 2>/dev/null | wc -l"), "0\n");
}

#[test]
fn packages_can_be_listed_and_downloaded_through_a_proxy_and_nothing_else() {
    let root = root();
    let options = RunOptions { network: Network::Downloads, ..RunOptions::default() };
    let script = "apt-get update -q && apt-get install -qy --no-install-recommends ed && \
                  echo 1p | ed -s /etc/hostname; apt-get purge -qy ed >/dev/null; \
                  rm -rf /var/lib/apt/lists/*; apt-get clean; \
                  tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '";
    fs::write(root.path.join("etc/hostname"), "edited\n").unwrap();
    let ran = run(&root.path, script, &options);
    let (out, err) = (ran.stdout.bytes(), ran.stderr.bytes());
    assert!(out.ends_with(b"edited\nlo\n"), "{}{}", out.escape_ascii(), err.escape_ascii());
    assert_eq!(ran.code, 0);
}

/// Connects to an abstract socket and to a port, and opens a raw socket: all as root.
const REACH: &str = "perl -e 'use Socket; my ($name, $port) = @ARGV;
socket(my $s, PF_UNIX, SOCK_STREAM, 0); print \"abstract\\n\" if connect($s, pack(\"S a*\", AF_UNIX, \"\\0$name\"));
socket(my $t, PF_INET, SOCK_STREAM, 0);
print \"port\\n\" if connect($t, sockaddr_in($port, inet_aton(\"127.0.0.1\")));
print \"raw\\n\" if socket(my $r, PF_INET, SOCK_RAW, 1);' \"$0\" \"$1\"";

#[test]
fn no_socket_of_the_host_is_reached_with_or_without_downloads() {
    use std::os::linux::net::SocketAddrExt;
    let root = root();
    let name = format!("regrow-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _listening = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port().to_string();
    for network in [Network::None, Network::Downloads] {
        let options = RunOptions { network, ..RunOptions::default() };
        let argv = ["sh", "-c", REACH, name.as_str(), number.as_str()];
        let ran = Namespace::new(&root.path).unwrap().run(&argv, &options).unwrap();
        assert_eq!((ran.code, ran.stdout.bytes()), (0, &b""[..]), "{ran:?}");
    }
}

#[test]
fn a_root_with_a_link_to_mount_on_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["sys", "dev", "run"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    symlink("/proc", dir.path().join("proc")).unwrap();
    let error = Namespace::new(dir.path()).unwrap_err();
    assert_eq!(error.to_string(), "`/proc` in the root is a symlink, not a directory");
}

#[test]
fn a_tool_named_like_the_hosts_in_the_root_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["proc", "sys", "dev", "run", "bin", "usr", "usr/bin", "usr/sbin"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    let victim = dir.path().join("canary");
    for name in ["sh", "mount", "unshare", "setpriv", "setsid", "chroot"] {
        for bin in ["bin", "usr/bin", "usr/sbin"] {
            let tool = dir.path().join(bin).join(name);
            fs::write(&tool, format!("#!/bin/sh\ntouch {}\n", victim.display())).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&tool, mode).unwrap();
        }
    }
    // Without `env` in it nothing of this root can run.
    let ran = Namespace::new(dir.path()).unwrap().run(&["sh"], &RunOptions::default()).unwrap();
    assert_eq!(ran.code, 127);
    assert!(!victim.exists());
    assert_eq!(mounts_below(dir.path()), [""; 0]);
}
