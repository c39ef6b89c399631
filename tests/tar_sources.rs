//! Sources that lie in files, by the program itself: exported containers, saved images, OCI
//! layouts, and what somebody else may have made of them.
//!
//! Needs a Docker engine with the image `debian:bullseye`, and what `tests/root` needs. Everything
//! made in the engine is called `tar-sources-…` and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod root;
mod stored;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use stored::{Image, Layout, Packing, Tar, packed};

/// A directory to work in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.at(name), content).unwrap();
        format!("tar:{name}")
    }

    /// Runs the program here, without any engine unless one is named.
    fn regrow(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
        command.args(args).current_dir(self.0.path());
        if !args.iter().any(|arg| arg.starts_with("docker:") || *arg == "--engine") {
            command.env("DOCKER_HOST", "unix:///nonexistent");
            command.env("CONTAINER_HOST", "unix:///nonexistent");
        }
        command.output().unwrap()
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        let ran = self.regrow(&[args, &["--json"]].concat());
        assert_eq!(ran.status.code(), Some(code), "{args:?}: {}", complaint(&ran));
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    fn inspect(&self, source: &str) -> Inspected {
        Inspected(self.json(&["inspect", source], 0))
    }

    /// Checks a refusal by every command that reads a source; nothing is left.
    fn refused(&self, source: &str, code: i32, words: &str) {
        let before = self.names();
        for args in [&["inspect", source][..], &["archive", source, "-o", "x.regrow"]] {
            let ran = self.regrow(args);
            let text = complaint(&ran);
            assert_eq!(ran.status.code(), Some(code), "{source}: {text}");
            let errors: Vec<&str> = text.lines().filter(|l| l.contains("error[")).collect();
            let [error] = errors[..] else { panic!("{source}: not one message: {text}") };
            assert!(error.contains(words), "{source}: lacks `{words}`: {error}");
            for part in [" \"", "\": ", " Kept: ", ". Next: "] {
                assert!(error.contains(part), "{source}: lacks `{part}`: {error}");
            }
        }
        assert_eq!(self.names(), before, "{source}");
    }

    fn names(&self) -> Vec<String> {
        let listed = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// What `inspect` said.
struct Inspected(Value);

impl Inspected {
    /// Class and reason of every path that is there, and of every one that was removed.
    fn verdicts(&self, deleted: bool) -> BTreeMap<String, (String, String)> {
        let entries = self.0["entries"].as_array().unwrap().iter();
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        entries
            .filter(|entry| entry["deleted"].as_bool().unwrap_or_default() == deleted)
            .map(|entry| {
                let path = text(entry, "path") + &text(entry, "path_hex");
                (path, (text(entry, "class"), text(entry, "reason")))
            })
            .collect()
    }

    fn list(&self, key: &str) -> Vec<String> {
        let list = self.0[key].as_array().unwrap();
        list.iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect()
    }
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn docker(args: &[&str]) -> String {
    let ran = Command::new("docker").args(args).output().unwrap();
    assert!(
        ran.status.success(),
        "docker {args:?}: {} (start an engine; `fixtures/bases.sh bullseye` makes the image)",
        complaint(&ran)
    );
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

/// Something of the engine that is removed at the end of its test.
struct Made(&'static [&'static str], String);

impl Drop for Made {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(self.0).arg(&self.1).output();
    }
}

fn made(remove: &'static [&'static str], name: String) -> Made {
    let made = Made(remove, name);
    let _ = Command::new("docker").args(remove).arg(&made.1).output();
    made
}

/// What somebody does to a system.
const LIFE: &str = r#"
    mkdir -p /srv/13 /srv/data/sub; echo kept >/srv/13/plain; ln /srv/13/plain /srv/data/hard
    ln -s nowhere /srv/data/link; mkfifo /srv/data/fifo; printf x >"/srv/data/$(printf '\377')"
    cp /bin/true /srv/data/setuid; chmod 4755 /srv/data/setuid; chown 1234:5678 /srv/data/sub
    truncate -s 3M /srv/data/sparse; touch -d 1999-12-31 /srv/data/link
    echo '# mine' >>/etc/bash.bashrc; echo changed >/usr/bin/who; rm /usr/bin/wc; rm -r /usr/share/doc/dash
    useradd bob; echo mine >/etc/hostname; rm -f /etc/rc2.d/*; mkdir /etc/empty
    chmod 4755 /bin/cat; ln -sf bash /bin/sh; rm /etc/issue.net
    touch /etc/unowned; rm /etc/environment
"#;

/// A rule that has something to export.
const RULE: &str = "
app: probe
title: Probe
version: {components: 1}
recognise:
  packages:
    - name: base-files
databases:
  - find: /srv/{version}/plain
    directory: /srv/{version}
    export:
      - file: probe.txt
        run: [sh, -c, 'cat \"/srv/$1/plain\"; touch /srv/data/made', sh, '{version}']
    import:
      - stdin: probe.txt
        run: [cat]
";

#[test]
fn an_exported_container_gets_the_verdicts_that_the_container_gets() {
    let place = Place::new();
    let life = made(&["rm", "-fv"], format!("tar-sources-life-{}", std::process::id()));
    let name = life.1.as_str();
    docker(&["run", "--name", name, "-v", "/srv/volume", "debian:bullseye", "bash", "-c", LIFE]);
    docker(&["export", name, "-o", place.at("x.tar").to_str().unwrap()]);
    let container = place.inspect(&format!("docker:{name}"));
    let tar = place.inspect("tar:x.tar");
    let (mut wanted, got) = (container.verdicts(false), tar.verdicts(false));
    assert_eq!(wanted.remove("/srv/volume").unwrap().0, got["/srv/volume"].0);
    // Only the image knows owner and mode of a package's path, and where a package's link led.
    let justified = ["/bin/cat", "/bin/sh"];
    for path in justified {
        let classes = (wanted[path].0.as_str(), got[path].0.as_str());
        assert_eq!(classes, ("mutable", "immutable"), "{path}");
        wanted.remove(path);
    }
    // Without an image a package's directory with an owner or mode of its own is kept.
    let on_no_record =
        |path: &str| got.get(path).is_some_and(|(_, reason)| reason.contains("on no record"));
    let different: Vec<String> = wanted
        .iter()
        .filter(|(path, verdict)| got.get(*path) != Some(verdict) && !on_no_record(path))
        .map(|(path, verdict)| format!("{path}: {verdict:?}, not {:?}", got.get(path)))
        .collect();
    assert_eq!(different, Vec::<String>::new());
    assert_eq!(got.len(), wanted.len() + justified.len() + 1);
    assert_eq!(got["/etc/hostname"].0, "identity");
    assert_eq!(got["/srv/data/setuid"].0, "mutable");
    // And that something unowned is gone that the image had.
    let (mut wanted, got) = (container.verdicts(true), tar.verdicts(true));
    assert!(got.contains_key("/usr/bin/wc") && got.contains_key("/etc/issue.net"), "{got:?}");
    wanted.retain(|path, _| !got.contains_key(path));
    assert_eq!(wanted.keys().collect::<Vec<_>>(), ["/etc/environment"]);
    let limitations = tar.list("limitations");
    assert!(limitations[0].contains("no image, volumes or settings"), "{limitations:?}");
    assert!(limitations[1].contains("whole seconds"), "{limitations:?}");
    assert!(limitations[2].contains("does not mention its root"), "{limitations:?}");
    assert_eq!((limitations.len(), tar.list("losses").len()), (3, 0));

    fs::create_dir(place.at("rules")).unwrap();
    fs::write(place.at("rules/probe.yaml"), RULE).unwrap();
    let before = fs::metadata(place.at("x.tar")).unwrap().modified().unwrap();
    let archive = ["archive", "tar:x.tar", "-o", "x.regrow", "--rules", "rules"];
    let archived = place.json(&archive, 0);
    assert_eq!(archived["exports"], json!(["probe.txt"]));
    assert_eq!(place.names(), ["rules", "x.regrow", "x.tar"]);
    let member = "zstd -dc x.regrow | tar -xO exports/probe.txt";
    let shell =
        Command::new("sh").args(["-c", member]).current_dir(place.0.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout), "kept\n");
    assert_eq!(fs::metadata(place.at("x.tar")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_saved_image_gets_the_verdicts_of_a_fresh_container_of_it_in_every_form() {
    let place = Place::new();
    let image = Image::small();
    let tag = format!("tar-sources-{}:x", std::process::id());
    let _image = made(&["rmi", "-f"], tag.clone());
    place.write("loaded.tar", &image.saved(&[&tag]));
    docker(&["load", "-i", place.at("loaded.tar").to_str().unwrap()]);
    let name = format!("tar-sources-image-{}", std::process::id());
    let _container = made(&["rm", "-fv"], name.clone());
    docker(&["create", "--name", &name, &tag]);
    docker(&["save", &tag, "-o", place.at("save.tar").to_str().unwrap()]);
    let container = place.inspect(&format!("docker:{name}"));

    let saved = place.inspect("tar:save.tar");
    let (wanted, got) = (container.verdicts(false), saved.verdicts(false));
    for (path, verdict) in &got {
        // In the container a volume is mounted there.
        if !path.starts_with("/srv/dir") {
            assert_eq!(wanted.get(path), Some(verdict), "{path}");
        }
    }
    let class = |path: &str| got.get(path).map(|verdict| verdict.0.as_str());
    assert_eq!(class("/etc/app.conf"), Some("mutable"));
    assert_eq!(class("/usr/bin/app"), Some("immutable"));
    assert_eq!(class("/srv/dir/new"), Some("mutable"));
    assert_eq!(class("/etc/hosts"), Some("identity"));
    assert_eq!(class("/srv/dir/hidden"), None, "its directory was replaced");
    assert_eq!(class("/srv/gone"), None);
    let mut deleted = saved.verdicts(true);
    assert!(deleted.remove("/srv/dir/hidden").is_some(), "it lies below the volume");
    assert_eq!(deleted, container.verdicts(true));
    assert_eq!(deleted.keys().collect::<Vec<_>>(), ["/srv/gone", "/usr/bin/gone"]);
    assert!(saved.list("limitations")[0].contains("no container"), "{:?}", saved.0["limitations"]);
    let origins: BTreeMap<&str, &str> = saved.0["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["path"].as_str().unwrap(), e["origin"].as_str().unwrap()))
        .collect();
    assert_eq!((origins["/usr/bin/app"], origins["/srv/dir/new"]), ("base", "image"));

    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let dir = format!("layout-{packing:?}");
        let layout = image.layout(&place.at(&dir), packing, "1.0");
        let tar = place.write(&format!("{dir}.tar"), &layout.tar());
        for source in [format!("oci:{dir}"), format!("oci:{dir}:1.0"), tar] {
            let found = place.inspect(&source);
            assert_eq!(found.0["entries"], saved.0["entries"], "{source}");
            assert_eq!(found.0["losses"], json!([]), "{source}");
        }
    }
    for (name, bytes) in
        [("old.tar", image.saved(&["x:1"])), ("both.tar", image.saved_in_both_forms(&["x:1"]))]
    {
        let source = place.write(name, &bytes);
        assert_eq!(place.inspect(&source).0["entries"], saved.0["entries"], "{name}");
    }
    for packing in [Packing::Gzip, Packing::Zstd] {
        // Named as if it were plain: the content counts.
        let bytes = packed(&fs::read(place.at("save.tar")).unwrap(), packing);
        let source = place.write(&format!("{packing:?}.tar"), &bytes);
        assert_eq!(place.inspect(&source).0["entries"], saved.0["entries"], "{packing:?}");
        let root = place.write("root.tar", &packed(&stored::base_layer(), packing));
        assert!(place.inspect(&root).verdicts(false).contains_key("/usr/bin/app"));
    }
}

#[test]
fn a_bundle_of_an_image_carries_what_its_containers_would_have_and_is_the_same_again() {
    let place = Place::new();
    let source = place.write("web.tar", &Image::small().saved(&["web:1"]));
    for name in ["a.regrow", "b.regrow"] {
        let archived = place.json(&["archive", &source, "-o", name], 0);
        assert_eq!(archived["losses"], json!([]));
    }
    assert_eq!(fs::read(place.at("a.regrow")).unwrap(), fs::read(place.at("b.regrow")).unwrap());
    let shell = "zstd -dc a.regrow | tar -xO manifest.json";
    let manifest = Command::new("sh").args(["-c", shell]).current_dir(place.0.path()).output();
    let manifest: Value = serde_json::from_slice(&manifest.unwrap().stdout).unwrap();
    let settings = &manifest["settings"];
    assert_eq!(settings["command"], json!(["/usr/bin/app", "--serve"]));
    assert_eq!(settings["user"], "1000");
    assert_eq!(settings.get("host_name"), None, "the builder's");
    assert_eq!(settings["mounts"][0]["target"], "/srv/dir");
    assert_eq!(manifest["survey"]["name"], "web");
    place.json(&["verify", "a.regrow"], 0);
    place.refused("tar:a.regrow", 4, "it is a bundle of regrow");
}

#[test]
fn an_image_becomes_a_container_with_what_the_image_says() {
    let place = Place::new();
    let source = place.write("web.tar", &Image::small().saved(&["web:1"]));
    place.json(&["archive", &source, "-o", "x.regrow"], 0);
    let name = made(&["rm", "-fv"], format!("tar-sources-new-{}", std::process::id()));
    let onto = ["--engine", "docker", "--onto", "debian:trixie", "--name", &name.1];
    // What it runs belongs to a package that is not to be had, which is held.
    let restored = place.json(&[&["restore", "x.regrow"][..], &onto].concat(), 3);
    let held = restored["held"].to_string();
    assert!(held.contains("it names /usr/bin/app, a program of package app"), "{held}");
    let inspected: Value = serde_json::from_str(&docker(&["inspect", &name.1])).unwrap();
    let config = &inspected[0]["Config"];
    assert_eq!(config["Cmd"], json!(["/usr/bin/app", "--serve"]));
    assert_eq!((&config["User"], &config["WorkingDir"]), (&json!("1000"), &json!("/srv")));
    assert_eq!(config["Labels"]["kept"], "yes");
    assert!(config["ExposedPorts"]["8080/tcp"].is_object(), "{config}");
    assert!(config["Env"].as_array().unwrap().contains(&json!("MODE=dead")), "{config}");
    assert_ne!(config["Hostname"], "0123456789ab");
    assert_eq!(inspected[0]["Mounts"][0]["Destination"], "/srv/dir");
    docker(&["cp", &format!("{}:/srv/dir/name-too", name.1), place.at("copy").to_str().unwrap()]);
    assert_eq!(fs::read(place.at("copy")).unwrap(), b"data\n".repeat(999));
    drop(name);
    docker(&["rmi", inspected[0]["Image"].as_str().unwrap()]);
}

#[test]
fn what_a_tar_held_arrives_in_a_new_root() {
    let place = Place::new();
    let tar = Tar::new()
        .dir("./")
        .file("./etc/os-release", "ID=debian\nVERSION_ID=\"11\"\n")
        .dir("./var/lib/dpkg/info")
        .file("./var/lib/dpkg/status", stored::status(""))
        .file(&format!("./{}", stored::LISTS[0].0), stored::LISTS[0].1)
        .file(&format!("./{}", stored::LISTS[1].0), stored::LISTS[1].1)
        .file_with("./srv/data/all-bits", 0o6755, "data")
        .hard_link("./srv/data/too", "./srv/data/all-bits")
        .symlink("./srv/data/link", "../../etc")
        .finish();
    let source = place.write("old.tar", &packed(&tar, Packing::Zstd));
    let archived = place.json(&["archive", &source, "-o", "x.regrow"], 0);
    let limitations = archived["limitations"].to_string();
    assert!(limitations.contains("does not mention 8 directories, such as /etc"), "{limitations}");
    let copied = Command::new("cp").arg("-a").arg(root::debian()).arg(place.at("new")).status();
    assert!(copied.unwrap().success());
    place.json(&["restore", "x.regrow", "--onto", "rootfs:new"], 0);
    use std::os::unix::fs::MetadataExt;
    let placed = fs::metadata(place.at("new/srv/data/all-bits")).unwrap();
    assert_eq!(
        (placed.mode() & 0o7777, placed.nlink(), placed.mtime()),
        (0o6755, 2, 1_600_000_000)
    );
    assert_eq!(fs::read_link(place.at("new/srv/data/link")).unwrap().to_str(), Some("../../etc"));
}

#[test]
fn what_cannot_be_taken_out_of_a_tar_is_a_loss_with_a_name() {
    let place = Place::new();
    let tar = Tar::new()
        .dir("etc")
        .file("etc/os-release", "ID=debian\n")
        .file("../../tmp/tar-sources-escaped", "x")
        .file("/srv/absolute", "is taken as below the root")
        .hard_link("srv/shadow", "/etc/shadow")
        .hard_link("srv/out", "../../etc/shadow")
        .symlink("srv/dir", "/etc")
        .file("srv/dir/passwd", "through the link")
        .file("srv/twice", "first")
        .file("srv/twice", "second")
        .finish();
    let source = place.write("hostile.tar", &tar);
    let archived = place.json(&["archive", &source, "-o", "x.regrow"], 3);
    let losses: Vec<&str> = archived["losses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["subject"].as_str().unwrap())
        .collect();
    assert_eq!(
        losses,
        ["../../tmp/tar-sources-escaped", "srv/out", "srv/shadow", "/srv/dir/passwd"]
    );
    let inspected = place.inspect(&source);
    assert_eq!(inspected.0["losses"], archived["losses"]);
    assert!(inspected.verdicts(false).contains_key("/srv/absolute"));
    let shell = "zstd -dc x.regrow | tar -xO root/srv/twice";
    let read = Command::new("sh").args(["-c", shell]).current_dir(place.0.path()).output().unwrap();
    assert_eq!(read.stdout, b"second");
    // What is behind the end of a tar may be another one.
    let source = place.write("two.tar", &[stored::base_layer(), stored::upper_layer()].concat());
    let two = place.json(&["archive", &source, "-o", "two.regrow"], 3);
    assert!(two["losses"].to_string().contains("after the end of the archive"), "{two}");
}

#[test]
fn what_is_no_tar_or_not_all_of_one_is_refused() {
    let place = Place::new();
    let tar = stored::base_layer();
    place.refused(&place.write("empty", b""), 4, "the file is empty");
    place.refused(&place.write("nothing", &[0; 10240]), 4, "the tar holds nothing");
    place.refused(&place.write("noise", &b"no tar at all\n".repeat(99)), 4, "not a proper archive");
    place.refused(
        &place.write("xz", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4F"),
        4,
        "unpack it with `xz -d`",
    );
    place.refused(&place.write("cut", &tar[..tar.len() - 2048]), 5, "cut short");
    let mut flipped = tar.clone();
    flipped[1024 + 3] ^= 1;
    place.refused(&place.write("flipped", &flipped), 5, "checksum");
    for packing in [Packing::Gzip, Packing::Zstd] {
        let bytes = packed(&tar, packing);
        place.refused(&place.write("cut.packed", &bytes[..bytes.len() - 30]), 5, "cannot be read");
    }
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 1 << 28), 1).unwrap();
    place.refused(&place.write("bomb", &bomb), 4, "1000 times its size");
    fs::create_dir(place.at("dir")).unwrap();
    place.refused("tar:dir", 10, "it is a directory");
    place.refused("tar:none", 10, "cannot be opened");
    place.refused("tar:", 2, "nothing follows `tar:`");
    assert!(Command::new("mkfifo").arg(place.at("fifo")).status().unwrap().success());
    place.refused("tar:fifo", 10, "not a regular file");
    let based = place.regrow(&["inspect", "tar:cut", "--base", "debian:bullseye"]);
    assert_eq!(based.status.code(), Some(2), "{}", complaint(&based));
}

#[test]
fn a_saved_image_that_is_not_whole_or_not_one_is_refused() {
    let place = Place::new();
    let image = Image::small();
    let good = image.saved(&["web:1"]);
    let data = b"data\ndata\n";
    let at = good.windows(data.len()).position(|window| window == data).unwrap();
    let mut flipped = good.clone();
    flipped[at] ^= 1;
    place.refused(&place.write("flipped", &flipped), 5, "it unpacks to sha256:");
    let mut fewer = Image::small();
    fewer.layers.pop();
    place.refused(&place.write("fewer", &fewer.saved(&[])), 4, "1 layers, and 2 in its");
    let other = Image::new(vec![stored::base_layer()]);
    let index = json!([image.entry(&["web:1"]), other.entry(&["old:latest"])]).to_string();
    let mut both = [image.saved(&[]), other.saved(&[])].map(|tar| tar[..tar.len() - 1024].to_vec());
    both[1].extend(Tar::new().file("manifest.json", index).finish());
    let both = place.write("both.tar", &both.concat());
    place.refused(&both, 10, "it holds 2 images: web:1, old:latest");
    place.refused(&format!("{both}:db"), 10, "it holds no image `db`: web:1, old:latest");
    place.refused(&format!("{both}:db"), 10, "such as tar:both.tar:web:1.");
    assert!(place.inspect(&format!("{both}:web:1")).verdicts(false).contains_key("/srv/setuid"));
    assert!(place.inspect(&format!("{both}:old")).verdicts(false).contains_key("/srv/gone"));
    let ancient = Tar::new()
        .file("abc/json", "{}")
        .file("abc/layer.tar", "")
        .file("repositories", r#"{"web":{"1":"abc"}}"#)
        .finish();
    place.refused(&place.write("ancient", &ancient), 4, "before 1.10");
    // A file of that name in a system is only a file.
    let root = Tar::new().file("manifest.json", r#"{"name":"web app"}"#).file("x", "").finish();
    let root = place.write("root", &root);
    assert!(place.inspect(&root).verdicts(false).contains_key("/manifest.json"));
    place.refused(&format!("{root}:web"), 4, "without images");
}

/// A layout that was good, changed.
fn changed(place: &Place, change: &dyn Fn(&Layout)) -> String {
    let dir = tempfile::tempdir_in(place.0.path()).unwrap().keep();
    change(&Image::small().layout(&dir, Packing::Gzip, "1.0"));
    format!("oci:{}", dir.file_name().unwrap().to_str().unwrap())
}

/// Replaces the manifest by one that `change` made of it.
fn with_manifest(layout: &Layout, change: &dyn Fn(&mut Value)) {
    let mut top = layout.manifests().remove(0);
    let blobs = layout.blobs();
    let digest = top["digest"].as_str().unwrap().replace("sha256:", "");
    let old = blobs.iter().find(|path| path.ends_with(&digest)).unwrap();
    let mut manifest: Value = serde_json::from_slice(&fs::read(old).unwrap()).unwrap();
    change(&mut manifest);
    let kind = top["mediaType"].as_str().unwrap().to_owned();
    top = layout.blob(&kind, manifest.to_string().as_bytes());
    layout.index(&[top]);
}

#[test]
fn a_layout_with_anything_but_what_its_digests_say_is_refused() {
    let place = Place::new();
    let refused = |change: &dyn Fn(&Layout), code, words: &str| {
        place.refused(&changed(&place, change), code, words);
    };
    let flip = |layout: &Layout, blob: usize, byte: usize| {
        let path = &layout.blobs()[blob];
        let mut bytes = fs::read(path).unwrap();
        bytes[byte] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    // Four blobs: two layers, the manifest and the configuration.
    for blob in 0..4 {
        refused(&|layout| flip(layout, blob, 60), 5, "is damaged: its digest is sha256:");
    }
    refused(
        &|layout| {
            let path = &layout.blobs()[0];
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 9]).unwrap();
        },
        5,
        "bytes, not",
    );
    refused(&|layout| fs::remove_file(&layout.blobs()[0]).unwrap(), 5, "is missing");
    let kind = "application/vnd.example.layer";
    let typed = |m: &mut Value| m["layers"][1]["mediaType"] = kind.into();
    refused(&|layout| with_manifest(layout, &typed), 4, "unknown type `application/vnd.example");
    let typed = |m: &mut Value| m["config"]["mediaType"] = "application/vnd.example.chart".into();
    refused(&|layout| with_manifest(layout, &typed), 4, "unknown type `application/vnd.example");
    let named = |m: &mut Value| m["layers"][0]["digest"] = "sha256:../../../etc/shadow".into();
    refused(&|layout| with_manifest(layout, &named), 4, "is no digest");
    let swapped = |m: &mut Value| m["layers"].as_array_mut().unwrap().swap(0, 1);
    refused(&|layout| with_manifest(layout, &swapped), 5, "it unpacks to");
    refused(&|layout| layout.index(&[]), 10, "holds no image");
    let dir = |source: String| place.at(&source.replace("oci:", ""));
    let bare = changed(&place, &|_| {});
    fs::remove_file(dir(bare.clone()).join("oci-layout")).unwrap();
    place.refused(&bare, 4, "no OCI layout");
    let newer = changed(&place, &|_| {});
    fs::write(dir(newer.clone()).join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    place.refused(&newer, 4, "unknown version 2.0.0");
    place.refused("oci:none", 10, "cannot be opened");
}

#[test]
fn of_several_images_in_a_layout_the_named_one_or_this_machines_is_taken() {
    let place = Place::new();
    let manifest = |layout: &Layout, marker: &str| {
        let image = Image::new(vec![Tar::new().file(marker, "").finish()]);
        let part = tempfile::tempdir().unwrap();
        let own = image.layout(part.path(), Packing::Plain, "x");
        for blob in own.blobs() {
            layout.blob("", &fs::read(blob).unwrap());
        }
        let mut manifest = own.manifests().remove(0);
        manifest.as_object_mut().unwrap().remove("annotations");
        manifest
    };
    let platform = |mut manifest: Value, os: &str, architecture: &str| {
        manifest["platform"] = json!({ "os": os, "architecture": architecture });
        manifest
    };
    let here = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let index = |layout: &Layout, manifests: &[Value]| {
        let index = json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
        layout.blob("application/vnd.oci.image.index.v1+json", index.as_bytes())
    };
    let holds = |source: &str, marker: &str| {
        let found = place.inspect(source).verdicts(false);
        assert!(found.contains_key(marker), "{source}: {found:?}");
    };

    let layout = Layout::new(&place.at("platforms"));
    let mut attestation = platform(manifest(&layout, "attestation"), "unknown", "unknown");
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let foreign = platform(manifest(&layout, "foreign"), "linux", "mips");
    let windows = platform(manifest(&layout, "windows"), "windows", here);
    let ours = platform(manifest(&layout, "ours"), "linux", here);
    layout.index(&[index(
        &layout,
        &[foreign.clone(), windows.clone(), ours.clone(), attestation.clone()],
    )]);
    holds("oci:platforms", "/ours");
    layout.index(&[index(&layout, &[foreign.clone(), windows.clone()])]);
    let others = format!("for this machine, but for linux/mips, windows/{here}: sha256:");
    place.refused("oci:platforms", 10, &others);
    holds(&format!("oci:platforms:{}", foreign["digest"].as_str().unwrap()), "/foreign");
    let none = format!("sha256:{}", "0".repeat(64));
    place.refused(&format!("oci:platforms:{none}"), 10, "it holds no image `sha256:0000");
    layout.index(&[index(&layout, &[foreign, attestation])]);
    holds("oci:platforms", "/foreign");

    let layout = Layout::new(&place.at("names"));
    let mut named = [manifest(&layout, "one"), manifest(&layout, "two")];
    named[0]["annotations"] = json!({ "org.opencontainers.image.ref.name": "1.0" });
    named[1]["annotations"] = json!({ "io.containerd.image.name": "docker.io/library/web:2" });
    layout.index(&named);
    place.refused("oci:names", 10, "it holds 2 images: 1.0, docker.io/library/web:2");
    holds("oci:names:1.0", "/one");
    holds("oci:names:docker.io/library/web:2", "/two");
    holds(&format!("oci:names:{}", named[1]["digest"].as_str().unwrap()), "/two");
    place.refused("oci:names:3", 10, "it holds no image `3`");
    place.refused("oci:names:3", 10, "such as oci:names:1.0.");
    named[1]["annotations"] = named[0]["annotations"].clone();
    layout.index(&named);
    place.refused("oci:names:1.0", 10, "it holds 2 images of that name: sha256:");

    // An index that leads to itself cannot have the digest it names; a deep one can.
    let mut deep = named[0].clone();
    for _ in 0..9 {
        deep = index(&layout, &[deep]);
    }
    layout.index(&[deep]);
    place.refused("oci:names", 4, "too deep");
    // What leads to the same a thousand times is followed once.
    let mut wide = named[0].clone();
    for _ in 0..4 {
        wide = index(&layout, &vec![wide; 1000]);
    }
    layout.index(&[wide]);
    holds("oci:names", "/one");
    let many: Vec<Value> = (0..2000)
        .map(|n| index(&layout, &[json!({ "digest": n.to_string(), "size": 0 })]))
        .collect();
    layout.index(&many);
    place.refused("oci:names", 4, "too many manifests");
}
