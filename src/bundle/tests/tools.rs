//! What those do with a bundle who have no regrow.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use super::sample::Sample;
use crate::bundle::texts;

fn sh(directory: &Path, script: &str) -> Output {
    Command::new("sh").args(["-euc", script]).current_dir(directory).output().unwrap()
}

fn good(directory: &Path, script: &str) -> String {
    let output = sh(directory, script);
    let (out, error) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{}\n{error}", String::from_utf8_lossy(out));
    String::from_utf8_lossy(out).into_owned()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

const EXTRACT: &str = "mkdir web && zstd -dc web.regrow |
    tar -x -p --numeric-owner --xattrs --xattrs-include='*' -C web";

#[test]
fn gnu_tar_gives_back_every_name_mode_owner_time_and_content() {
    if crate::tree::testing::without_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::new();
    sample.write(&dir.path().join("web.regrow"), 2048).unwrap();
    good(dir.path(), EXTRACT);
    for added in &sample.added {
        let member = added.area().member(&added.entry.path);
        let file = dir.path().join("web").join(OsStr::from_bytes(&member));
        let found = rustix::fs::lstat(&file).unwrap();
        let meta = &added.entry.meta;
        assert_eq!(found.st_mtime, meta.mtime.secs, "{file:?}");
        assert_eq!(found.st_mtime_nsec as u32, meta.mtime.nanos, "{file:?}");
        assert_eq!((found.st_uid, found.st_gid), (meta.uid, meta.gid), "{file:?}");
        let is_link = matches!(added.entry.kind, crate::tree::Kind::Symlink { .. });
        assert!(is_link || found.st_mode & 0o7777 == meta.mode, "{file:?}");
        if added.entry.kind.is_file() {
            assert_eq!(std::fs::read(&file).unwrap(), added.content, "{file:?}");
            assert_eq!(found.st_nlink, if added.entry.links.is_some() { 2 } else { 1 });
        }
    }
    let attributes = dir.path().join("web/root/srv/attributes");
    let mut value = [0; 16];
    if let Ok(length) = rustix::fs::getxattr(&attributes, "user.note", &mut value) {
        assert_eq!(&value[..length], b"a\nb\0");
    }
}

#[test]
fn sha256sum_accepts_the_sums_and_finds_a_change() {
    if crate::tree::testing::without_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    Sample::new().write(&dir.path().join("web.regrow"), 2048).unwrap();
    good(dir.path(), EXTRACT);
    let web = dir.path().join("web");
    let checked = good(&web, "sha256sum --check SHA256SUMS");
    let regular = good(&web, "find . -type f -printf x | wc -c");
    // All but itself and the manifest.
    assert_eq!(checked.lines().count() + 2, regular.trim().parse::<usize>().unwrap());
    std::fs::write(web.join("root/etc/app.conf"), "other").unwrap();
    assert!(!sh(&web, "sha256sum --check --quiet SHA256SUMS").status.success());
}

#[test]
fn zstd_and_tar_know_a_bundle_for_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    Sample::new().write(&dir.path().join("web.regrow"), 2048).unwrap();
    good(dir.path(), "zstd -tq web.regrow");
    assert!(good(dir.path(), "zstd -l web.regrow").contains("XXH64"));
    assert!(good(dir.path(), "tar -tf web.regrow").starts_with("README.txt\nrestore.sh\n"));
}

#[test]
fn restore_sh_places_the_files_and_leaves_accounts_alone() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::new();
    sample.add_more("/etc/passwd", b"old");
    sample.add_more("/lib/plugin.so", b"plugin");
    sample.write(&dir.path().join("web.regrow"), 2048).unwrap();
    good(dir.path(), EXTRACT);
    good(
        dir.path(),
        "mkdir -p new/etc new/usr/lib && ln -s usr/lib new/lib
         echo new > new/etc/passwd; echo default > new/etc/app.conf",
    );
    let explained = sh(&dir.path().join("web"), "sh restore.sh");
    assert_eq!(explained.status.code(), Some(2));
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("It does NOT") && !explained.contains("set -eu"), "{explained}");
    assert_eq!(good(dir.path(), "cat new/etc/app.conf"), "default\n");

    let said = good(dir.path(), "sh web/restore.sh \"$PWD/new\"");
    assert!(said.contains("merge root/etc/passwd") && said.contains("volumes/db/"), "{said}");
    assert_eq!(good(dir.path(), "cat new/etc/passwd new/etc/app.conf"), "new\nedited = yes\n");
    assert_eq!(good(dir.path(), "readlink new/lib; cat new/usr/lib/plugin.so"), "usr/lib\nplugin");
    assert_eq!(good(dir.path(), "stat -c %h:%a:%u new/srv/second"), "2:644:1000\n");
    assert_eq!(good(dir.path(), "stat -c %a:%u new/srv/attributes"), "4755:3000000000\n");

    let not_a_root = sh(dir.path(), "mkdir other; sh web/restore.sh other");
    assert_eq!(not_a_root.status.code(), Some(1));
    std::fs::remove_file(dir.path().join("web/manifest.json")).unwrap();
    let incomplete = sh(dir.path(), "sh web/restore.sh \"$PWD/new\"");
    assert_eq!(incomplete.status.code(), Some(1));
}

/// The blocks of this language in a Markdown text.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    markdown.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_command_of_the_format_document_works() {
    if crate::tree::testing::without_root() {
        return;
    }
    let markdown = include_str!("../../../docs/FORMAT.md");
    let dir = tempfile::tempdir().unwrap();
    Sample::new().write(&dir.path().join("web.regrow"), 2048).unwrap();
    let python = blocks(markdown, "python");
    std::fs::write(dir.path().join("salvage.py"), python[0]).unwrap();
    let script = blocks(markdown, "sh").join("\n");
    assert!(script.lines().count() > 15 && python.len() == 1);
    good(dir.path(), &script);
    // What the damage to the first frame took, and nothing else.
    let missing = good(dir.path(), "diff -rq web salvaged || true");
    let lost = missing.lines().filter(|line| line.starts_with("Only in web")).count();
    assert!((1..5).contains(&lost), "{missing}");
    assert!(!missing.contains("differ"), "{missing}");
}

#[test]
fn every_command_of_the_readme_works() {
    if crate::tree::testing::without_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::new();
    sample.add_more("/etc/passwd", b"old");
    sample.write(&dir.path().join("web.regrow"), 2048).unwrap();
    let indented = texts::README.lines().filter_map(|line| line.strip_prefix("    "));
    let start = |line: &str, words: &[&str]| words.iter().any(|word| line.starts_with(word));
    let words = ["mkdir ", "zstd ", "    --xattrs", "cd ", "sha256sum ", "grep ", "sed "];
    let script: Vec<&str> = indented.filter(|line| start(line, &words)).collect();
    assert_eq!(script.len(), 8);
    let output = good(dir.path(), &script.join("\n"));
    let last: Vec<&str> = output.lines().rev().take(2).collect();
    assert_eq!(last[0], format!("{}  -", last[1]));
}
