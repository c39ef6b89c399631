#!/bin/sh
# restore.sh: places the kept files of a regrow bundle over a new root, by hand.
#
#   sh restore.sh            explains, changes nothing
#   sh restore.sh NEWROOT    as root: places root/ over NEWROOT, which may be /
#
# Run it in the directory that the bundle was extracted to, with GNU tar.
#
# It is for the day when there is no regrow. It does NOT
#   - install packages: do that first. The old ones are in manifest.json.
#   - merge accounts: passwd, group and their kin are not placed over the new
#     system's own; copy the lines you need from root/etc.
#   - merge configuration: a kept file replaces the new default. Compare with
#     pristine/ to see what had been edited.
#   - adapt to a new version: paths and directives may have changed meanwhile.
#   - remove what the old system had removed: `"deleted":true` in manifest.json.
#   - fill volumes, import exports, enable services: see the last lines.
set -eu

cd "$(dirname "$0")"
if [ ! -d root ] || [ ! -f manifest.json ]; then
    echo "restore.sh: root/ or manifest.json is missing: the bundle is incomplete" >&2
    exit 1
fi

if [ $# -ne 1 ]; then
    sed -n '2,/^set -eu/s/^# \{0,1\}//p' "./restore.sh"
    exit 2
fi
new=$1
if [ ! -d "$new/etc" ]; then
    echo "restore.sh: '$new' is not the root of a system: it has no etc" >&2
    exit 1
fi

echo "1. Comparing the files with their digests"
sha256sum --check --quiet SHA256SUMS

echo "2. Placing root/ over $new"
# A directory that is a symlink in the new system, such as /lib, stays one.
# Attributes are placed with the files: ACLs and capabilities are among them.
tar -C root -c --sparse --numeric-owner --xattrs --xattrs-include='*' \
    --exclude=./etc/passwd --exclude=./etc/shadow \
    --exclude=./etc/group --exclude=./etc/gshadow \
    --exclude=./etc/subuid --exclude=./etc/subgid \
    -f - . |
    tar -C "$new" -x -p --same-owner --numeric-owner --xattrs --xattrs-include='*' \
        --keep-directory-symlink -f -

echo "3. Left for you"
for file in passwd shadow group gshadow subuid subgid; do
    if [ -f "root/etc/$file" ]; then
        echo "   merge root/etc/$file into $new/etc/$file"
    fi
done
if [ -d volumes ]; then
    for volume in volumes/*/; do
        echo "   fill a volume from $volume; its mount point is in manifest.json"
    done
fi
if [ -d exports ]; then
    echo "   import what is in exports/ with the new version's own tool"
fi
echo "   look for \"deleted\":true in manifest.json, and remove what must stay removed"
