#!/usr/bin/env bash
# Verdicts for a million files of 3,000 packages, against what `find` needs to list them.
#
#   benches/scale.sh [FILES [PACKAGES]]
#
# Makes a root of so many files, four of five of them packages' files without recorded digests, so that nothing has to be
# hashed; lets `find -printf` and `regrow inspect --json` read the same warm tree in turn, five times each, and compares
# the medians. Writes docs/SCALE.md when the numbers are not given, else the table alone to stdout.
# REGROW names a binary to be used instead of building one.
# Exit codes: 0 within bounds (2 times the time of find, 300 MiB), 1 not, 2 usage, 7 the machine lacks something.
# shellcheck disable=SC2016
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"

files=${1:-1000000} packages=${2:-3000} runs=5
[[ $files =~ ^[0-9]+$ && $packages =~ ^[1-9][0-9]*$ && $# -le 2 ]] || { usage; exit 2; }
scratch=$(scratch_dir)
trap 'rm -rf -- "$scratch"' EXIT

# make_root DIR: every package has directories of 40 files, and the rest is somebody's data.
make_root() {
  python3 - "$1" "$files" "$packages" <<'PYTHON'
import os, sys
root, files, packages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def directory(path):
    os.makedirs(root + path, exist_ok=True)
    return path

def file(path):
    os.close(os.open(root + path, os.O_CREAT | os.O_WRONLY, 0o644))
    return path

info = root + directory("/var/lib/dpkg/info")
lists = root + directory("/var/lib/apt/lists")
with open(lists + "/mirror_debian_dists_bullseye_InRelease", "w") as release:
    release.write("Origin: Debian\n")
each = files * 8 // 10 // packages
with open(root + "/var/lib/dpkg/status", "w") as status, \
     open(lists + "/mirror_debian_dists_bullseye_main_binary-amd64_Packages", "w") as offered:
    for number in range(packages):
        name = f"package-{number:04}"
        version = f"Architecture: amd64\nVersion: 1.{number}-1\n"
        status.write(f"Package: {name}\nStatus: install ok installed\n{version}Depends: package-{number // 2:04}\n\n")
        offered.write(f"Package: {name}\n{version}\n")
        lines = ["/.", "/usr", "/usr/share", directory(f"/usr/share/{name}")]
        for first in range(0, each, 40):
            part = directory(f"/usr/share/{name}/part-{first // 40:03}")
            lines.append(part)
            lines.extend(file(f"{part}/file-{at:03}.dat") for at in range(first, min(first + 40, each)))
        with open(f"{info}/{name}.list", "w") as listed:
            listed.write("\n".join(lines) + "\n")
for first in range(0, files - each * packages, 100):
    data = directory(f"/srv/data/year-{first // 100 % 20:02}/set-{first // 100:05}")
    for at in range(first, min(first + 100, files - each * packages)):
        file(f"{data}/record-{at:07}.csv")
directory("/etc")
with open(root + "/etc/os-release", "w") as release:
    release.write('ID=debian\nVERSION_ID="11"\n')
file("/etc/installed-until-here")
PYTHON
}

# measured NAME COMMAND...: a line of seconds of wall clock, seconds of processor, KiB of memory, in $scratch/NAME.
measured() {
  local name=$1
  shift
  command time --append --output "$scratch/$name" --format '%e %U %S %M' "$@" >"$scratch/$name.out" 2>"$scratch/$name.err"
}

# median NAME AWK_EXPRESSION
median() { awk "{ print $2 }" "$scratch/$1" | sort -g | sed -n "$(((runs + 1) / 2))p"; }

# ratio A B
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

need time python3
need_regrow
root=$scratch/root
say "making $files files of $packages packages"
make_root "$root"
look_find=(find "$root" -xdev -printf '%p %s %T@ %C@ %m %U %G\n')
look_regrow=("$regrow" inspect "rootfs:$root" --since /etc/installed-until-here --json)
"${look_find[@]}" >/dev/null
for _ in $(seq "$runs"); do
  measured find "${look_find[@]}"
  measured regrow "${look_regrow[@]}"
done

# A figure for something that was not done would be worthless.
python3 - "$scratch/regrow.out" "$(wc -l <"$scratch/find.out")" <<'PYTHON' || fail 1 "the verdicts are not those of every path"
import collections, json, sys
found = json.load(open(sys.argv[1]))["entries"]
classes = collections.Counter(entry["class"] for entry in found)
print(f"{len(found)} paths: {dict(classes)}", file=sys.stderr)
sys.exit(len(found) != int(sys.argv[2]) or len(classes) < 2)
PYTHON

wall=$(ratio "$(median regrow '$1')" "$(median find '$1')")
processor=$(ratio "$(median regrow '$2 + $3')" "$(median find '$2 + $3')")
memory=$(awk '{ if ($4 > most) most = $4 } END { printf "%.0f", most / 1024 }' "$scratch/regrow")
# held FIGURE BOUND WHAT
held() { awk -v figure="$1" -v bound="$2" -v what="$3" 'BEGIN { printf "%s %s", what, figure <= bound ? "holds" : "does not hold" }'; }
table() {
  printf '| | `find -printf` | `regrow inspect --json` | ratio |\n|---|---:|---:|---:|\n'
  printf '| time | %s s | %s s | %s |\n' "$(median find '$1')" "$(median regrow '$1')" "$wall"
  printf '| processor time | %s s | %s s | %s |\n' "$(median find '$2 + $3')" "$(median regrow '$2 + $3')" "$processor"
  printf '| memory, at most | %s MiB | %s MiB | |\n' \
    "$(awk '{ if ($4 > most) most = $4 } END { printf "%.0f", most / 1024 }' "$scratch/find")" "$memory"
}
if [ $# -gt 0 ]; then
  table
else
  {
    cat <<TEXT
# A million files

A root of $(wc -l <"$scratch/find.out") paths, $packages packages, read warm on $(nproc) processors; medians of $runs runs of
each, in turn. Nothing has to be hashed: the packages recorded no digests, and none of their files is newer than the
marker that \`--since\` names. The verdicts of all paths are printed as JSON. Written by \`benches/scale.sh\`.

$(table)

The bounds are 2 times the time of \`find\` and 300 MiB: $(held "$wall" 2 time), $(held "$memory" 300 memory). Listing is what takes longest: \`regrow\` also asks every file
for its attributes. What it lists it judges on another processor, a batch behind.

To repeat, as root on a Debian machine with Rust:

\`\`\`console
# benches/scale.sh
\`\`\`
TEXT
  } >"$repo/docs/SCALE.md"
  table >&2
fi
awk -v ratio="$wall" -v memory="$memory" 'BEGIN { exit !(ratio <= 2 && memory <= 300) }' || fail 1 "not within the bounds"
