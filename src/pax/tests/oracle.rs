//! GNU tar and Python read what we write, and we read what they write.
//!
//! Without root, owners, devices and privileged attributes are left out of the comparison; all
//! else is compared all the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink as make_symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps};
use tempfile::TempDir;

use super::tree::{content, spool};
use super::*;
use crate::tree::Tree;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a file system shows of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    kind: Kind,
    content: Vec<u8>,
    meta: Meta,
    /// The first name, in order, of the same file.
    same: Vec<u8>,
}

fn xattrs(path: &Path) -> Xattrs {
    let mut names = vec![0; 1 << 16];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut found = Xattrs::new();
    for name in names[..length].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 1 << 16];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        found.insert(name.to_vec(), value[..length].to_vec());
    }
    found
}

/// Everything below `root`, by its name relative to it.
fn look(root: &Path) -> BTreeMap<Vec<u8>, Seen> {
    let mut found: BTreeMap<Vec<u8>, Seen> = BTreeMap::new();
    let mut inodes: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        let stat = entry.path().symlink_metadata().unwrap();
        let (major, minor) = (rustix::fs::major(stat.rdev()), rustix::fs::minor(stat.rdev()));
        let kind = match stat.mode() & 0o170_000 {
            0o100_000 => Kind::File { size: stat.len() },
            0o040_000 => Kind::Dir,
            0o120_000 => {
                let target = fs::read_link(entry.path()).unwrap();
                Kind::Symlink { target: target.as_os_str().as_bytes().to_vec() }
            }
            0o010_000 => Kind::Fifo,
            0o020_000 => Kind::Char { major, minor },
            _ => Kind::Block { major, minor },
        };
        let content = if kind.is_file() { fs::read(entry.path()).unwrap() } else { vec![] };
        let first = inodes.entry(stat.ino()).or_insert_with(|| name.clone());
        if name < *first {
            *first = name.clone();
        }
        let meta = Meta {
            mode: if entry.path_is_symlink() { 0 } else { stat.mode() & 0o7777 },
            uid: if is_root() { stat.uid() } else { 0 },
            gid: if is_root() { stat.gid() } else { 0 },
            mtime: Time { secs: stat.mtime(), nanos: stat.mtime_nsec() as u32 },
            xattrs: xattrs(entry.path()),
        };
        let same = stat.ino().to_string().into_bytes();
        found.insert(name, Seen { kind, content, meta, same });
    }
    for seen in found.values_mut() {
        let inode: u64 = std::str::from_utf8(&seen.same).unwrap().parse().unwrap();
        seen.same.clone_from(&inodes[&inode]);
    }
    found
}

/// What a file system should show of `members`.
fn expected(members: &[Full]) -> BTreeMap<Vec<u8>, Seen> {
    let mut all: BTreeMap<Vec<u8>, Seen> = BTreeMap::new();
    for full in members {
        let name = full.member.name.clone();
        let seen = match &full.member.body {
            Body::Node(kind) => {
                let mut meta = full.member.meta.clone();
                if matches!(kind, Kind::Symlink { .. }) {
                    meta.mode = 0;
                }
                if !is_root() {
                    (meta.uid, meta.gid) = (0, 0);
                }
                let content = full.content.clone();
                Seen { kind: kind.clone(), content, meta, same: name.clone() }
            }
            Body::Hardlink { target } => all[target].clone(),
        };
        all.insert(name, seen);
    }
    // The first of the names stands for the file.
    let mut first: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (name, seen) in &all {
        first.entry(seen.same.clone()).or_insert_with(|| name.clone());
    }
    for seen in all.values_mut() {
        seen.same = first[&seen.same].clone();
    }
    all
}

/// Runs `tar` with `arguments`, with `input` on its standard input; its output.
fn tar(arguments: &[&OsStr], input: &[u8]) -> Vec<u8> {
    run(Command::new("tar").args(arguments), input)
}

fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let command = command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feed = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap().unwrap();
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && problems.is_empty(), "{command:?}: {problems}");
    output.stdout
}

/// The awkward members that a usual file system can hold, in an order that tar can extract.
fn placeable() -> Vec<Full> {
    let mut members = super::roundtrip::awkward();
    members.retain(|full| {
        let name = &full.member.name;
        let kind = &full.member.body;
        // Long directories and files of one name stand in each other's way.
        let dir = *kind == Body::Node(Kind::Dir) && name.len() > 90;
        let device = matches!(kind, Body::Node(Kind::Char { .. } | Kind::Block { .. }));
        !dir && !name.ends_with(b"wide") && (is_root() || !device)
    });
    members.retain(|full| !full.member.meta.mtime.secs.unsigned_abs().gt(&10_000_000_000));
    let parent = [b'n'; 255];
    members.retain(|full| full.member.name != parent);
    let at = members.iter().position(|full| full.member.name.starts_with(&parent)).unwrap();
    members.insert(at, node(parent, Kind::Dir));
    // Once tar has left a directory for another, it does not set its time again.
    members.sort_by_key(|full| full.member.name.starts_with(b"root"));
    for full in &mut members {
        let device = matches!(&full.member.body, Body::Node(Kind::Char { .. }));
        if !is_root() {
            full.member.meta.xattrs.retain(|key, _| key.starts_with(b"user."));
            full.member.meta.mode &= 0o777;
        } else if device {
            full.member.meta.xattrs.insert(b"trusted.on-device".to_vec(), b"\n=\0".to_vec());
        }
    }
    members
}

#[test]
fn gnu_tar_extracts_everything_as_it_was_written() {
    let members = placeable();
    let place = TempDir::new().unwrap();
    // Times before 1970 and to come are meant.
    let quiet = "--warning=no-timestamp";
    let options = ["--xattrs", "--xattrs-include=*", "--numeric-owner", quiet, "-xpf", "-", "-C"];
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.push(place.path().as_os_str());
    tar(&arguments, &write(&members));
    let (found, wanted) = (look(place.path()), expected(&members));
    for (name, wanted) in &wanted {
        assert_eq!(found.get(name), Some(wanted), "{}", crate::tree::escaped(name));
    }
    assert_eq!(found.len(), wanted.len());
    let hole = place.path().join("root/hole-between").metadata().unwrap();
    assert!(hole.blocks() * 512 < hole.len() / 2, "{} blocks", hole.blocks());
}

#[test]
fn gnu_tar_lists_without_a_complaint_and_finds_nothing_more() {
    let mut members = super::roundtrip::awkward();
    // No Linux has device numbers that need a record; GNU tar does not know these.
    members.retain(|full| full.member.name != b"root/wide");
    let options = ["--quoting-style=literal", "--null", "-tf", "-"];
    let listed = tar(&options.map(OsStr::new), &write(&members));
    let mut wanted = vec![];
    for full in &members {
        wanted.extend_from_slice(&full.member.name);
        if full.member.body == Body::Node(Kind::Dir) {
            wanted.push(b'/');
        }
        wanted.push(b'\n');
    }
    assert_eq!(listed.escape_ascii().to_string(), wanted.escape_ascii().to_string());
}

/// One line for each member of the archive on standard input.
const LIST: &str = r"
import hashlib, os, sys, tarfile
def show(text): return os.fsencode(text).hex()
with tarfile.open(fileobj=sys.stdin.buffer, mode='r|', errors='surrogateescape') as tar:
    for m in tar:
        data = tar.extractfile(m).read() if m.isreg() else b''
        link = m.linkname if m.issym() or m.islnk() else ''
        print(show(m.name), m.isdir(), show(link), m.mode, m.uid, m.gid, hashlib.sha256(data).hexdigest())
";

#[test]
fn python_reads_the_same_members() {
    use sha2::Digest;
    let members = super::roundtrip::awkward();
    let listed = run(Command::new("python3").args(["-c", LIST]), &write(&members));
    let wanted: String = members
        .iter()
        .map(|full| {
            let Member { name, body, meta } = &full.member;
            let target = match body {
                Body::Node(Kind::Symlink { target }) | Body::Hardlink { target } => target,
                Body::Node(_) => &vec![],
            };
            let dir = if *body == Body::Node(Kind::Dir) { "True" } else { "False" };
            let content =
                if matches!(body, Body::Hardlink { .. }) { &vec![] } else { &full.content };
            let digest = hex::encode(sha2::Sha256::digest(content));
            let (name, target) = (hex::encode(name), hex::encode(target));
            format!("{name} {dir} {target} {} {} {} {digest}\n", meta.mode, meta.uid, meta.gid)
        })
        .collect();
    assert_eq!(String::from_utf8(listed).unwrap(), wanted);
}

/// Lets a tree show what a file system shows.
fn spooled(tree: &TarTree) -> BTreeMap<Vec<u8>, Seen> {
    let mut first = BTreeMap::new();
    let mut all = BTreeMap::new();
    for entry in tree.walk().map(Result::unwrap).filter(|entry| !entry.path.is_root()) {
        let name = entry.path.relative().to_vec();
        let content = if entry.kind.is_file() { content(tree, &entry) } else { vec![] };
        let same = match entry.links {
            Some(group) => first.entry(group).or_insert_with(|| name.clone()).clone(),
            None => name.clone(),
        };
        let mut meta = entry.meta;
        if matches!(entry.kind, Kind::Symlink { .. }) {
            meta.mode = 0;
        }
        if !is_root() {
            (meta.uid, meta.gid) = (0, 0);
        }
        all.insert(name, Seen { kind: entry.kind, content, meta, same });
    }
    // Names order by component in a tree, by byte here.
    for seen in all.clone().values() {
        let least = all.iter().filter(|(_, other)| other.same == seen.same).map(|(name, _)| name);
        let least = least.min().unwrap().clone();
        let old = seen.same.clone();
        all.values_mut().filter(|other| other.same == old).for_each(|o| o.same.clone_from(&least));
    }
    all
}

fn set_time(path: &Path, secs: i64, nanos: i64) {
    let time = Timespec { tv_sec: secs, tv_nsec: nanos };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A tree on disk with what each format can hold: whole seconds, names of 100 bytes at most in
/// `short`, more in `long`.
fn disk() -> TempDir {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir_all(at("short/dir")).unwrap();
    fs::write(at("short/plain"), vec![b'p'; 1500]).unwrap();
    fs::write(at("short/empty"), "").unwrap();
    fs::write(at("short/new\nline"), "1").unwrap();
    fs::write(place.path().join(OsStr::from_bytes(b"short/\xff\xfe")), "1").unwrap();
    fs::hard_link(at("short/plain"), at("short/dir/again")).unwrap();
    make_symlink(".//plain/../x//", at("short/link")).unwrap();
    rustix::fs::mknodat(CWD, at("short/fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    let deep = format!("short/{}", "d".repeat(60));
    fs::create_dir(at(&deep)).unwrap();
    fs::write(at(&format!("{deep}/{}", "f".repeat(90))), "prefix").unwrap();
    let long = format!("long/{}", "d".repeat(200));
    fs::create_dir_all(at(&long)).unwrap();
    fs::write(at(&format!("{long}/{}", "f".repeat(200))), "long").unwrap();
    make_symlink("t".repeat(300), at("long/target")).unwrap();
    fs::write(at("long/old"), "1").unwrap();
    fs::create_dir(at("sparse")).unwrap();
    for (name, size, runs) in [
        ("middle", 1 << 20, vec![(0, 4096), (1 << 19, 8192), ((1 << 20) - 4096, 4096)]),
        ("end", (1 << 20) + 7, vec![(65_536, 4096)]),
        ("only", 1 << 20, vec![]),
        ("many", 1 << 20, (0..60).map(|n| (n * 16_384, 4096)).collect()),
        ("odd", (1 << 20) + 100, vec![(1 << 20, 100)]),
    ] {
        use std::os::unix::fs::FileExt;
        let file = fs::File::create(at("sparse").join(name)).unwrap();
        file.set_len(size).unwrap();
        for (offset, length) in runs {
            file.write_all_at(&vec![b'd'; length], offset).unwrap();
        }
    }
    for entry in walkdir::WalkDir::new(place.path()).contents_first(true) {
        let entry = entry.unwrap();
        if is_root() && !entry.path_is_symlink() {
            std::os::unix::fs::chown(entry.path(), Some(2_097_151), Some(1234)).unwrap();
        }
        set_time(entry.path(), 1_500_000_000, 0);
    }
    place
}

/// What GNU tar makes of `what` below `place`, and what we make of that.
fn archived(place: &TempDir, options: &[&str], what: &str) -> (BTreeMap<Vec<u8>, Seen>, TarTree) {
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("-C"), place.path().as_os_str()]);
    arguments.extend(["-cf", "-", what].map(OsStr::new));
    let tree = spool(&tar(&arguments, b""));
    assert_eq!(tree.problems(), []);
    let mut seen = look(place.path());
    seen.retain(|name, _| name.split(|&b| b == b'/').next() == Some(what.as_bytes()));
    (seen, tree)
}

#[test]
fn archives_of_gnu_tar_are_read_in_every_format() {
    let place = disk();
    for (format, what) in [
        ("v7", "sparse"),
        ("oldgnu", "short"),
        ("oldgnu", "long"),
        ("gnu", "short"),
        ("gnu", "long"),
        ("ustar", "short"),
        ("pax", "short"),
        ("pax", "long"),
    ] {
        let (seen, tree) = archived(&place, &[&format!("--format={format}")], what);
        assert_eq!(spooled(&tree), seen, "{format} {what}");
    }
}

#[test]
fn sparse_files_of_gnu_tar_keep_their_holes_in_every_form() {
    let place = disk();
    for options in [
        &["--format=gnu", "--sparse"][..],
        &["--format=gnu", "--sparse", "--hole-detection=raw"],
        &["--format=pax", "--sparse", "--sparse-version=0.0"],
        &["--format=pax", "--sparse", "--sparse-version=0.1"],
        &["--format=pax", "--sparse", "--sparse-version=1.0"],
    ] {
        let (seen, tree) = archived(&place, options, "sparse");
        assert_eq!(spooled(&tree), seen, "{options:?}");
        for (name, blocks) in [("middle", 32), ("only", 0), ("end", 8), ("many", 480)] {
            let path = crate::tree::RootPath::parse(format!("sparse/{name}").as_bytes()).unwrap();
            let entry = tree.entry(&path).unwrap().unwrap();
            let data = sparse::stored(&tree.extents(&entry).unwrap());
            assert_eq!(data, blocks * 512, "{options:?} {name}");
        }
    }
}

#[test]
fn times_owners_and_attributes_of_gnu_tar_are_read_exactly() {
    let place = disk();
    let at = |name: &str| place.path().join("long").join(name);
    for (secs, nanos) in [(-2, 500_000_000), (0, 1), (8_589_934_592, 999_999_999)] {
        let file = at(&format!("time{secs}"));
        fs::write(&file, "1").unwrap();
        set_time(&file, secs, nanos);
    }
    for (key, value) in [
        ("user.newline", &b"a\n22 linkpath=/etc/evil\n"[..]),
        ("user.empty", b""),
        ("user.nul", b"\0=\0"),
        ("user.a=%3D", b"="),
    ] {
        rustix::fs::setxattr(at("old"), key, value, rustix::fs::XattrFlags::empty()).unwrap();
    }
    if is_root() {
        std::os::unix::fs::chown(at("time0"), Some(4_294_967_294), Some(3_000_000_000)).unwrap();
    }
    let (seen, tree) =
        archived(&place, &["--format=pax", "--xattrs", "--xattrs-include=*"], "long");
    assert_eq!(spooled(&tree), seen);
    // GNU's own format holds all of it but nanoseconds and attributes.
    let (mut seen, tree) = archived(&place, &["--format=gnu"], "long");
    for seen in seen.values_mut() {
        seen.meta.mtime.nanos = 0;
        seen.meta.xattrs.clear();
    }
    assert_eq!(spooled(&tree), seen);
}

/// Writes an archive in the format given as argument.
const MAKE: &str = r"
import io, sys, tarfile
form = {'ustar': tarfile.USTAR_FORMAT, 'gnu': tarfile.GNU_FORMAT, 'pax': tarfile.PAX_FORMAT}[sys.argv[1]]
out = io.BytesIO()
with tarfile.open(fileobj=out, mode='w', format=form, errors='surrogateescape') as tar:
    def add(name, kind, data=b'', **more):
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mtime = kind, len(data), 7
        for key, value in more.items(): setattr(info, key, value)
        tar.addfile(info, io.BytesIO(data))
    add('./', tarfile.DIRTYPE, mode=0o750)
    add('./dir', tarfile.DIRTYPE)
    add('./dir/' + 'p' * 90 + '/' + 'n' * 90, tarfile.REGTYPE, b'content')
    add('/abs/' + b'\xff\n'.decode('utf-8', 'surrogateescape'), tarfile.REGTYPE, b'x' * 513)
    add('link', tarfile.SYMTYPE, linkname='a/b')
    add('hard', tarfile.LNKTYPE, linkname='./abs/' + b'\xff\n'.decode('utf-8', 'surrogateescape'))
    add('null', tarfile.CHRTYPE, devmajor=1, devminor=3)
    if form != tarfile.USTAR_FORMAT:
        add('n' * 300, tarfile.REGTYPE, b'long', uid=4294967294)
        add('far', tarfile.SYMTYPE, linkname='t' * 300)
        add('before', tarfile.REGTYPE, mtime=-2)
    if form == tarfile.PAX_FORMAT:
        add('half', tarfile.REGTYPE, mtime=-1.5)
sys.stdout.buffer.write(out.getvalue())
";

#[test]
fn archives_of_python_are_read_in_every_format() {
    let at = |secs, nanos| Time { secs, nanos };
    let deep = format!("dir/{}", "p".repeat(90));
    let file = |size| Kind::File { size };
    let odd = b"abs/\xff\n";
    for format in ["ustar", "gnu", "pax"] {
        let tree = spool(&run(Command::new("python3").args(["-c", MAKE, format]), b""));
        let mut wanted = vec![
            (b"".to_vec(), Kind::Dir, 0, at(7, 0)),
            (b"abs".to_vec(), Kind::Dir, 0, at(0, 0)),
            (odd.to_vec(), file(513), 0, at(7, 0)),
            (b"dir".to_vec(), Kind::Dir, 0, at(7, 0)),
            (deep.clone().into_bytes(), Kind::Dir, 0, at(0, 0)),
            (format!("{deep}/{}", "n".repeat(90)).into_bytes(), file(7), 0, at(7, 0)),
            (b"hard".to_vec(), file(513), 0, at(7, 0)),
            (b"link".to_vec(), Kind::Symlink { target: b"a/b".to_vec() }, 0, at(7, 0)),
            (b"null".to_vec(), Kind::Char { major: 1, minor: 3 }, 0, at(7, 0)),
        ];
        if format != "ustar" {
            let target = vec![b't'; 300];
            wanted.push((vec![b'n'; 300], file(4), 4_294_967_294, at(7, 0)));
            wanted.push((b"far".to_vec(), Kind::Symlink { target }, 0, at(7, 0)));
            wanted.push((b"before".to_vec(), file(0), 0, at(-2, 0)));
        }
        if format == "pax" {
            wanted.push((b"half".to_vec(), file(0), 0, at(-2, 500_000_000)));
        }
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut found: Vec<_> = tree
            .walk()
            .map(Result::unwrap)
            .map(|e| (e.path.relative().to_vec(), e.kind, e.meta.uid, e.meta.mtime))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, wanted, "{format}");
        let path = crate::tree::RootPath::parse(odd).unwrap();
        assert_eq!(content(&tree, &tree.entry(&path).unwrap().unwrap()), [b'x'; 513]);
        assert_eq!(tree.problems(), []);
    }
}
