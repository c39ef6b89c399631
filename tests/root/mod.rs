//! An unpacked Debian 13 root to test in, made once and kept below `target`.
//!
//! Needs root and a Debian image (`debian:trixie` of a local engine), or `mmdebstrap`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Where the root is. It is shared: who changes it, works in a copy.
pub(crate) fn debian() -> PathBuf {
    // One test makes it, and the others wait.
    static MAKING: Mutex<()> = Mutex::new(());
    let _made = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("namespace-root");
    if !path.exists() {
        let parent = path.parent().unwrap();
        let fresh = tempfile::Builder::new().prefix("root-").tempdir_in(parent).unwrap();
        let made = from_engine(fresh.path()) || from_packages(fresh.path());
        assert!(
            made,
            "no root to test in: `docker pull debian:trixie` or install `mmdebstrap`, and run as root"
        );
        fs::set_permissions(fresh.path(), PermissionsExt::from_mode(0o755)).unwrap();
        fs::rename(fresh.keep(), &path).unwrap();
    }
    path
}

fn from_engine(dir: &Path) -> bool {
    let created = Command::new("docker").args(["create", "debian:trixie", "true"]).output();
    let Ok(created) = created else { return false };
    if !created.status.success() {
        return false;
    }
    let id = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    let mut export =
        Command::new("docker").args(["export", &id]).stdout(Stdio::piped()).spawn().unwrap();
    let unpacked = Command::new("tar")
        .args(["-x", "--numeric-owner", "-C"])
        .arg(dir)
        .stdin(export.stdout.take().unwrap())
        .status()
        .unwrap();
    let exported = export.wait().unwrap();
    Command::new("docker").args(["rm", &id]).stdout(Stdio::null()).status().unwrap();
    // The engine's own mark, and files that it mounts over.
    for name in [".dockerenv", "etc/resolv.conf"] {
        let _ = fs::remove_file(dir.join(name));
    }
    unpacked.success() && exported.success()
}

fn from_packages(dir: &Path) -> bool {
    let made = Command::new("mmdebstrap").args(["--variant=minbase", "trixie"]).arg(dir).status();
    made.is_ok_and(|status| status.success())
}
