#!/usr/bin/env python3
"""What a bundle has to hold, found without regrow: the comparison behind tests/oracle.sh.

    oracle.py snapshot PID OUT             every path of the running container whose first process is PID
    oracle.py compare LIVED IMAGE FRESH BUNDLE LEFT_OUT [--list]
                                           one line of JSON; with --list on stderr what is kept beyond need
    oracle.py table < LINES                docs/SPLIT.md from such lines

A path differs when the freshly installed system has nothing, something of another kind, or other content, owner,
mode, attributes or target there. Times are compared between the bundle and the lived-in system only: a new time alone
is no difference. Exit code 1 when something that differs is neither in the bundle nor left out for a reason that
fixtures/oracle/left-out allows, or when more than 1.05 times the bytes that differ are kept.
"""

import base64
import collections
import csv
import hashlib
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import tarfile
import tempfile

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
         stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFSOCK: "socket"}
LIMIT = 1.05
# What only the engine mounts over the root.
MOUNTED = {b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf"}

State = collections.namedtuple("State", "kind mode uid gid xattrs target digest mtime bytes inode")


def same(a, b):
    """Whether two states are equal, times and numbers of inodes aside."""
    mode = lambda s: None if s.kind == "symlink" else s.mode
    return a[0] == b[0] and mode(a) == mode(b) and a[2:7] == b[2:7]


# ---- the systems

def read_state(path):
    found = os.lstat(path)
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    target = digest = None
    size = 0
    if kind == "file":
        with open(path, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        # Holes are nobody's bytes.
        size = min(found.st_size, found.st_blocks * 512)
    elif kind == "symlink":
        target = os.readlink(path)
    elif kind in ("char", "block"):
        target = (os.major(found.st_rdev), os.minor(found.st_rdev))
    xattrs = {}
    for name in os.listxattr(path, follow_symlinks=False):
        xattrs[name] = os.getxattr(path, name, follow_symlinks=False)
    # Some storage drivers do not count the names of a file; its number is right.
    inode = (found.st_dev, found.st_ino) if kind == "file" else None
    return State(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, xattrs, target, digest,
                 found.st_mtime_ns, size, inode)


def snapshot(root):
    """Every path below `root` by its bytes, other file systems left out."""
    states = {}
    device = os.lstat(root + b"/").st_dev
    pending = [b"/"]
    while pending:
        where = pending.pop()
        with os.scandir(root + where) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            path = os.path.join(where, name)
            if path in MOUNTED:
                continue
            state = read_state(root + path)
            states[path] = state
            # Files of a stack of layers may have other device numbers; directories have not.
            if state.kind == "dir" and os.lstat(root + path).st_dev == device:
                pending.append(path)
    return states


def recorded(root, states):
    """What pip wrote down of the files that it installed: digests by path, and no digest for their directories."""
    digests = {}
    for path in states:
        if path.endswith(b".dist-info/RECORD"):
            above = os.path.dirname(os.path.dirname(path))
            with open(root + path, encoding="utf-8", newline="") as text:
                for name, digest, _ in csv.reader(text):
                    kind, _, value = digest.partition("=")
                    if kind == "sha256":
                        value = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
                        file = os.path.normpath(os.path.join(above, os.fsencode(name)))
                        digests[file] = value
                        while (file := os.path.dirname(file)).startswith(above):
                            digests[file] = None
    return digests


# ---- the bundle

def member_state(tar, member):
    attributes = member.pax_headers
    prefix = "SCHILY.xattr."
    xattrs = {key[len(prefix):]: value.encode("utf-8", "surrogateescape")
              for key, value in attributes.items() if key.startswith(prefix)}
    kind = {tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink", tarfile.FIFOTYPE: "fifo",
            tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}.get(member.type, "file")
    target = digest = None
    if kind == "symlink":
        target = os.fsencode(member.linkname)
    elif kind in ("char", "block"):
        target = (member.devmajor, member.devminor)
    elif kind == "file":
        with tar.extractfile(member) as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    seconds, _, fraction = attributes.get("mtime", str(int(member.mtime))).partition(".")
    nanos = int(fraction.ljust(9, "0")[:9] or 0)
    mtime = int(seconds) * 10**9 + (-nanos if seconds.startswith("-") else nanos)
    return State(kind, member.mode & 0o7777, member.uid, member.gid, xattrs, target, digest, mtime, 0, None)


def read_bundle(file):
    """The members below `root/` by path, the hard links among them, the manifest, and the bytes kept beside."""
    members, links, manifest, beside = {}, {}, None, 0
    with tempfile.TemporaryFile() as plain:
        subprocess.run(["zstd", "-dqc", file], stdout=plain, check=True)
        plain.seek(0)
        with tarfile.open(fileobj=plain, encoding="utf-8", errors="surrogateescape") as tar:
            for member in tar:
                name = os.fsencode(member.name)
                if name == b"manifest.json":
                    manifest = json.load(tar.extractfile(member))
                elif name.startswith((b"pristine/", b"image/", b"exports/")):
                    beside += member.size
                elif name.startswith(b"root/"):
                    if member.type == tarfile.LNKTYPE:
                        first = os.fsencode(member.linkname)[4:]
                        links[name[4:]] = first
                        members[name[4:]] = members[first]
                    else:
                        members[name[4:]] = member_state(tar, member)
    return members, links, manifest, beside


def entry_path(entry):
    return os.fsencode(entry["path"]) if "path" in entry else bytes.fromhex(entry["path_hex"])


# The codes of reasons, those of rules with what the rule calls the path.
BUCKETS = [
    ("package", {"as-packaged", "as-installed"}),
    ("generated", {"ucf-pristine", "template-copy", "script-copy", "alternative-auto", "compiled", "in-base",
                   "rule generated", "rule version-bound"}),
    ("cache", {"rule cache", "rule runtime", "runtime", "socket"}),
    ("log", {"rule log"}),
    ("environment", {"environment-root", "environment-made", "environment-installed"}),
]


def bucket(entry):
    """Which kind of thing a path was left out as; None for what is kept."""
    if entry["class"] == "mutable":
        return None
    if entry["class"] == "identity":
        return "identity"
    reason = entry["reason"]
    code = f"rule {reason['worth']}" if reason["code"] == "rule" else reason["code"]
    for name, codes in BUCKETS:
        if code in codes:
            return name
    return "other"


def show_reason(entry):
    return ", ".join(f"{name} {text}" if name != "code" else text for name, text in entry["reason"].items())


# ---- what may be left out

def glob_pattern(glob):
    parts = re.split(r"(\*\*|\*|\?|\[[^]]*\])", glob)
    known = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(known.get(part) or (part if part.startswith("[") else re.escape(part)) for part in parts)
    # As in rules, `/a/**` is also `/a`.
    text = text.removesuffix("/.*") + ("(/.*)?" if text.endswith("/.*") else "")
    return re.compile(os.fsencode(text), re.DOTALL)


def read_left_out(file):
    """Lines of `CLASS GLOB`, and `unit GLOB` for what is only of use as a whole."""
    lines = collections.defaultdict(list)
    with open(file, encoding="utf-8") as text:
        for line in text:
            words = line.split("#")[0].split()
            if words:
                lines[words[0]].append(glob_pattern(words[1]))
    return lines


def matches(patterns, path):
    return any(pattern.fullmatch(path) for pattern in patterns)


# ---- the comparison

def differences(lived, fresh):
    """The paths in which a lived-in system differs from a fresh one."""
    found = {path for path, state in lived.items() if path not in fresh or not same(state, fresh[path])}
    for path in fresh.keys() - lived.keys():
        above = os.path.dirname(path)
        # What lay in a directory that is gone is gone with it.
        if above == b"/" or (above in lived and lived[above].kind == "dir"):
            found.add(path)
    return found


def kept_well(path, lived, entry, members):
    """Why the bundle does not hold what the system had at `path`; None where it does."""
    if path not in lived:
        return None if entry.get("deleted") else "its removal is not recorded"
    if entry.get("deleted"):
        return "recorded as removed"
    member, state = members.get(path), lived[path]
    if member is None:
        return "mutable, and not stored"
    if not same(member, state):
        names = [name for name, a, b in zip(State._fields[:7], member, state) if a != b]
        return "other " + ", ".join(names)
    if member.mtime != state.mtime and state.kind != "dir":
        return f"time {member.mtime}, was {state.mtime}"
    return None


def wrong_links(lived, links, members):
    """Names of one file that the bundle holds as several, or the other way round."""
    groups = collections.defaultdict(set)
    for path, state in lived.items():
        if state.inode and path in members:
            groups[state.inode].add(path)
    wrong = []
    for names in groups.values():
        if len({links.get(name, name) for name in names}) > 1:
            wrong.extend(sorted(names))
    return wrong + [name for name, first in links.items() if lived[name].inode != lived[first].inode]


def compare(lived, image, fresh, recorded, bundle, left_out):
    members, links, manifest, beside = read_bundle(bundle)
    entries = {entry_path(entry): entry for entry in manifest["entries"]}
    differing = differences(lived, fresh)
    missed, extra, excused, installed = {}, {}, set(), set()
    for path in sorted(differing):
        entry = entries.get(path)
        if entry is None and matches(left_out["generated"], path):
            excused.add(path)
            continue
        if entry is None:
            missed[path] = "not in the manifest"
            continue
        kind = bucket(entry)
        if kind is not None and path not in fresh and path in members:
            # A directory that stands in the archive for what is below it.
            kind = None
        if kind is not None:
            listed = kind == "environment" and path in recorded and recorded[path] == lived[path].digest
            if listed or matches(left_out[kind], path):
                excused.add(path)
            else:
                missed[path] = f"left out: {entry['class']}, {show_reason(entry)}"
            continue
        wrong = kept_well(path, lived, entry, members)
        if wrong:
            missed[path] = wrong
        elif any(matches(left_out[kind], path) for kind in ("generated", "cache", "identity")):
            extra[path] = "could be left out"
        if path in lived and path in image and same(lived[path], image[path]):
            installed.add(path)
    for path in wrong_links(lived, links, members):
        missed.setdefault(path, "another file than it was a name of")
    units = [unit for unit in left_out["unit"] if any(unit.fullmatch(path) for path in differing)]
    for path in members:
        # Directories stand in the archive for what is below them too.
        if path not in differing and lived[path].kind != "dir" and not matches(units + left_out["needed"], path):
            extra[path] = "as in a fresh system"
    seen = set()

    def size(path):
        state = lived[path]
        if state.inode in seen:
            return 0
        if state.inode:
            seen.add(state.inode)
        return state.bytes

    files = [path for path in members if lived[path].kind == "file"]
    needed = sum(size(path) for path in files if path not in extra)
    beyond = sum(size(path) for path in files if path in extra)
    counts = collections.Counter(filter(None, map(bucket, entries.values())))
    # The ideal holds what was missed too.
    missing = sum(lived[path].bytes for path in missed if path in lived and path not in members)
    due = differing - excused
    return {
        "paths": len(entries), **{name: counts[name] for name in (*(name for name, _ in BUCKETS), "identity", "other")},
        "differing": len(differing), "due": len(due), "recalled": len(due - missed.keys()), "installed": len(installed),
        "kept_files": len(files), "kept_bytes": needed + beyond, "ideal_bytes": needed + missing, "beside": beside,
        "ratio": round((needed + beyond) / max(needed + missing, 1), 4),
        "extra": len(extra),
    }, missed, extra, entries


def show(path):
    return os.fsdecode(path).encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")


def command_compare(files, listing):
    systems = []
    for file in files[:3]:
        with open(file, "rb") as stored:
            systems.append(pickle.load(stored))
    lists = systems[0][1]
    systems = [states for states, _ in systems]
    result, missed, extra, entries = compare(*systems, lists, files[3], read_left_out(files[4]))
    print(json.dumps(result))
    for path, why in missed.items():
        print(f"  missed {show(path)}: {why}", file=sys.stderr)
    over = result["ratio"] > LIMIT
    if listing or over:
        lived = systems[0]
        for path, why in sorted(extra.items()):
            size = lived[path].bytes if path in lived else 0
            print(f"  beyond need {show(path)}: {size} bytes, {why}; {show_reason(entries[path])}", file=sys.stderr)
    if listing:
        for path, entry in sorted(entries.items()):
            if bucket(entry) is None and path not in extra:
                size = lived[path].bytes if path in lived else 0
                made = "deleted" if entry.get("deleted") else \
                    "installed" if path in systems[1] and path in lived and same(lived[path], systems[1][path]) else "life"
                print(f"  kept {show(path)}: {size} bytes, {made}; {show_reason(entry)}", file=sys.stderr)
    return 1 if missed or over else 0


# ---- the table

HEAD = """# The split, measured

What `archive` keeps of a service, against the truth: the same packages, installed once more from the same base, with
the same upgrades. Written by `tests/oracle.sh --table` from one run; what is in a file system and what is in a bundle
is read by `tests/oracle.py`, which knows nothing of regrow.

Every service lives (`operate.sh` of `fixtures/services` or `fixtures/oracle`), is upgraded while it does, and then has
all of `fixtures/oracle/tricks.sh` done to it: files with forged times in all kinds of places, edits that change neither
size nor time, touched files, changed modes, owners, ACLs and capabilities, removed, renamed, replaced and moved files of
packages and of the image, names that are no UTF-8. In `+epoch` every file of the image has one and the same time.

Left out, by reason:

| service | paths | package | generated | cache, runtime | log | environment | identity |
|---|---:|---:|---:|---:|---:|---:|---:|
"""

KEPT = """
Kept:

| service | differ | to be kept | recall | kept files | kept bytes | ideal bytes | ratio | beyond need |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""

FOOT = """
- *differ*: paths that the fresh system has not, or has with other content, kind, owner, mode, attributes or target, and
  those that only the fresh system has. A new time alone is no difference.
- *to be kept*: of these, all but what `fixtures/oracle/left-out` lets be left out: the package manager's records, caches,
  what only a running system needs; and what an environment's own list says of its files. *Recall* is the share of them
  that is in the bundle, equal in content and metadata, times to the nanosecond and names of one file included; of
  something removed, that it was.
- *kept bytes* and *ideal bytes*: contents of the files in the bundle, and of those that differ. Holes do not count; a
  database's directory counts as a whole, as half of it is of no use. What two installations make differently (host keys,
  certificates, the first state of a database) nobody else has: it differs, and is kept.
- *beyond need*: files and links that are kept although the fresh system has the same.
- Logs are kept, as they are by default. Beside the files a bundle holds the unedited texts of edited configuration
  ({beside} here in all), to merge with, and dumps of databases, which were switched off here.

A run fails when a recall is below 100 % or a ratio above {limit}. To repeat, as root on a Debian machine with Docker:

```console
# tests/oracle.sh --table
```
"""


def number(n):
    return f"{n:,}".replace(",", " ")


def table(lines):
    results = []
    for line in lines:
        name, _, text = line.partition(" ")
        results.append((name, json.loads(text)))
    left, kept = [], []
    for name, r in results:
        counts = [r["paths"], r["package"], r["generated"], r["cache"], r["log"], r["environment"], r["identity"]]
        left.append(f"| {name} | {' | '.join(map(number, counts))} |\n")
        counts = [r["kept_files"], r["kept_bytes"], r["ideal_bytes"]]
        kept.append(f"| {name} | {number(r['differing'])} | {number(r['due'])} | {r['recalled'] / r['due'] * 100:.2f} % | "
                    f"{' | '.join(map(number, counts))} | {r['ratio']:.3f} | {r['extra']} |\n")
    beside = number(sum(r["beside"] for _, r in results)) + " bytes"
    return HEAD + "".join(left) + KEPT + "".join(kept) + FOOT.format(beside=beside, limit=LIMIT)


def main(arguments):
    match arguments:
        case ["snapshot", pid, out]:
            root = os.fsencode(f"/proc/{int(pid)}/root")
            states = snapshot(root)
            with open(out, "wb") as stored:
                pickle.dump((states, recorded(root, states)), stored)
            return 0
        case ["compare", lived, image, fresh, bundle, left_out, *rest] if rest in ([], ["--list"]):
            return command_compare([lived, image, fresh, bundle, left_out], bool(rest))
        case ["table"]:
            print(table(sys.stdin), end="")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
