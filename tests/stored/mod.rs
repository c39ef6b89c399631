//! Images in files, made by hand: layers, the tars that engines save, OCI layouts.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How a layer is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A tar in the making.
pub(crate) struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn new() -> Tar {
        Tar(tar::Builder::new(vec![]))
    }

    /// Adds a member whose name is stored as it is, wherever it leads.
    fn node(&mut self, name: &str, kind: tar::EntryType, mode: u32, link: &str, content: &[u8]) {
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_600_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
    }

    pub(crate) fn dir(mut self, name: &str) -> Tar {
        self.node(name, tar::EntryType::Directory, 0o755, "", b"");
        self
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Tar {
        self.file_with(name, 0o644, content)
    }

    pub(crate) fn file_with(mut self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> Tar {
        self.node(name, tar::EntryType::Regular, mode, "", content.as_ref());
        self
    }

    pub(crate) fn symlink(mut self, name: &str, target: &str) -> Tar {
        self.node(name, tar::EntryType::Symlink, 0o777, target, b"");
        self
    }

    pub(crate) fn hard_link(mut self, name: &str, target: &str) -> Tar {
        self.node(name, tar::EntryType::Link, 0o644, target, b"");
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub(crate) fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        Packing::Gzip => {
            let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// MD5 of `hello` and a newline, as dpkg records it.
const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

/// The package database of a system with the package `app`; `more` lines about it.
pub(crate) fn status(more: &str) -> String {
    format!(
        "Package: app\nEssential: yes\nStatus: install ok installed\nVersion: 2\n\
         Architecture: all\nMaintainer: nobody\nDescription: x\n{more}"
    )
}

/// What its repository said of itself when it was asked last, and what it offered: that package.
pub(crate) const LISTS: [(&str, &str); 2] = [
    ("var/lib/apt/lists/x_dists_bullseye_InRelease", "Origin: Debian\n"),
    ("var/lib/apt/lists/x_dists_bullseye_main_binary-all_Packages", "Package: app\nVersion: 2\n\n"),
];

/// A small old system with one package.
pub(crate) fn base_layer() -> Vec<u8> {
    let status = status(&format!("Conffiles:\n /etc/app.conf {HELLO}\n"));
    let list = "/.\n/etc\n/etc/app.conf\n/usr\n/usr/bin\n/usr/bin/app\n/usr/bin/gone\n";
    let mut tar = Tar::new();
    for dir in ["etc", "usr", "usr/bin", "srv", "srv/dir", "var", "var/lib", "var/lib/dpkg"] {
        tar = tar.dir(dir);
    }
    tar.file("etc/os-release", "ID=debian\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye\n")
        .file("etc/app.conf", "hello\n")
        .file("etc/hosts", "127.0.0.1 localhost\n")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/srv:/bin/sh\n")
        .file("etc/group", "root:x:0:\nalice:x:1000:\n")
        .file_with("usr/bin/app", 0o755, "hello\n")
        .file_with("usr/bin/gone", 0o755, "hello\n")
        .file("srv/gone", "deleted above")
        .file("srv/dir/hidden", "the directory is replaced above")
        .dir("var/lib/dpkg/info")
        .file("var/lib/dpkg/status", status)
        .file("var/lib/dpkg/info/app.list", list)
        .file(LISTS[0].0, LISTS[0].1)
        .file(LISTS[1].0, LISTS[1].1)
        .file(
            "var/lib/dpkg/info/app.md5sums",
            format!("{HELLO}  usr/bin/app\n{HELLO}  usr/bin/gone\n"),
        )
        .finish()
}

/// What somebody built on it; its parents are not mentioned.
pub(crate) fn upper_layer() -> Vec<u8> {
    Tar::new()
        .file("srv/.wh.gone", "")
        .file("usr/bin/.wh.gone", "")
        .dir("srv/dir")
        .file("srv/dir/.wh..wh..opq", "")
        .file("srv/dir/new", "data\n".repeat(999))
        .hard_link("srv/dir/name-too", "srv/dir/new")
        .file("etc/app.conf", "edited\n")
        .file_with("srv/setuid", 0o4755, "program")
        .symlink("srv/link", "/nowhere")
        .finish()
}

/// An image of layers.
pub(crate) struct Image {
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) config: Value,
}

impl Image {
    pub(crate) fn new(layers: Vec<Vec<u8>>) -> Image {
        let ids: Vec<String> =
            layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Cmd": ["/usr/bin/app", "--serve"],
                "Env": ["PATH=/usr/bin", "MODE=dead"],
                "ExposedPorts": { "8080/tcp": {} },
                "Hostname": "0123456789ab",
                "Labels": { "kept": "yes" },
                "User": "1000",
                "Volumes": { "/srv/dir": {} },
                "WorkingDir": "/srv"
            },
            "rootfs": { "type": "layers", "diff_ids": ids }
        });
        Image { layers, config }
    }

    pub(crate) fn small() -> Image {
        Image::new(vec![base_layer(), upper_layer()])
    }

    fn config_name(&self) -> String {
        format!("{}.json", hex(self.config.to_string().as_bytes()))
    }

    /// What `manifest.json` of a saved image says about it.
    pub(crate) fn entry(&self, names: &[&str]) -> Value {
        let layers: Vec<String> =
            self.layers.iter().map(|layer| format!("{}/layer.tar", hex(layer))).collect();
        json!({ "Config": self.config_name(), "RepoTags": names, "Layers": layers })
    }

    /// As engines saved it before there were OCI layouts.
    pub(crate) fn saved(&self, names: &[&str]) -> Vec<u8> {
        let mut tar = Tar::new().file(&self.config_name(), self.config.to_string());
        for layer in &self.layers {
            // As Podman does it: the layer lies beside, and a link where Docker looks for it.
            let target = format!("../{}.tar", hex(layer));
            tar = tar.file(&target[3..], layer).dir(&hex(layer));
            tar = tar.symlink(&format!("{}/layer.tar", hex(layer)), &target);
        }
        tar.file("manifest.json", json!([self.entry(names)]).to_string()).finish()
    }

    /// As Docker from 25 on saves it: both forms in one.
    pub(crate) fn saved_in_both_forms(&self, names: &[&str]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let layout = self.layout(dir.path(), Packing::Gzip, "x");
        let blob = |bytes: &[u8]| format!("blobs/sha256/{}", hex(bytes));
        let layers: Vec<String> =
            self.layers.iter().map(|layer| blob(&packed(layer, Packing::Gzip))).collect();
        let config = blob(self.config.to_string().as_bytes());
        let entry = json!({ "Config": config, "RepoTags": names, "Layers": layers });
        let mut tar = layout.tar();
        tar.truncate(tar.len() - 1024);
        tar.extend(Tar::new().file("manifest.json", json!([entry]).to_string()).finish());
        tar
    }

    /// An OCI layout at `dir` with this image under the name `tag`.
    pub(crate) fn layout(&self, dir: &Path, packing: Packing, tag: &str) -> Layout {
        let layout = Layout::new(dir);
        let mut layers = vec![];
        let end = match packing {
            Packing::Plain => "",
            Packing::Gzip => "+gzip",
            Packing::Zstd => "+zstd",
        };
        for layer in &self.layers {
            let kind = format!("application/vnd.oci.image.layer.v1.tar{end}");
            layers.push(layout.blob(&kind, &packed(layer, packing)));
        }
        let config = self.config.to_string();
        let config = layout.blob("application/vnd.oci.image.config.v1+json", config.as_bytes());
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let mut manifest = layout.blob(kind, manifest.to_string().as_bytes());
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        layout.index(&[manifest]);
        layout
    }
}

/// An OCI layout in a directory.
pub(crate) struct Layout(std::path::PathBuf);

impl Layout {
    pub(crate) fn new(dir: &Path) -> Layout {
        fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Layout(dir.to_owned())
    }

    /// Stores a blob; what leads to it.
    pub(crate) fn blob(&self, kind: &str, bytes: &[u8]) -> Value {
        let digest = hex(bytes);
        fs::write(self.0.join("blobs/sha256").join(&digest), bytes).unwrap();
        json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len() })
    }

    pub(crate) fn index(&self, manifests: &[Value]) {
        let index = json!({ "schemaVersion": 2, "manifests": manifests });
        fs::write(self.0.join("index.json"), index.to_string()).unwrap();
    }

    /// What `index.json` leads to.
    pub(crate) fn manifests(&self) -> Vec<Value> {
        let index: Value =
            serde_json::from_slice(&fs::read(self.0.join("index.json")).unwrap()).unwrap();
        index["manifests"].as_array().unwrap().clone()
    }

    /// The blobs by size, the largest first.
    pub(crate) fn blobs(&self) -> Vec<std::path::PathBuf> {
        let listed = fs::read_dir(self.0.join("blobs/sha256")).unwrap();
        let mut paths: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
        paths
    }

    /// The layout as a tar.
    pub(crate) fn tar(&self) -> Vec<u8> {
        let mut tar = Tar::new();
        for name in ["oci-layout", "index.json"] {
            tar = tar.file(name, fs::read(self.0.join(name)).unwrap());
        }
        for blob in self.blobs() {
            let name = format!("blobs/sha256/{}", blob.file_name().unwrap().to_str().unwrap());
            // 13 and 64 characters fit into a header.
            tar = tar.file(&name, fs::read(&blob).unwrap());
        }
        tar.finish()
    }
}
