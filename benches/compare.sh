#!/usr/bin/env bash
# Ways to bring an old Samba server onto a current OS, side by side in one run.
#
#   benches/compare.sh [METHOD...]      export, inplace, newer, regrow; all of them unless given
#
#   export   docker export | zstd, docker import: the whole system
#   inplace  apt full-upgrade, release by release, Debian 11 to 12 to 13, on a system whose /usr is merged
#   newer    find -newer | tar with a list of exclusions, unpacked over a new system with the same packages
#   regrow   archive and restore
#
# Writes docs/COMPARISON.md when all methods are asked for, else the table alone to stdout. Needs an engine and the
# network; package downloads are part of the times. REGROW names a binary to be used instead of building one.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"
# shellcheck source=../fixtures/services.sh
. "$repo/fixtures/services.sh"

service=samba
scratch=$(scratch_dir)
prefix=regrow-compare-$$
old=$prefix-old
made_images=()

clean_up() {
  local container
  for container in "$old" "$prefix-inplace" "$prefix-export" "$prefix-newer" "$prefix-regrow"; do
    service_forget "$container"
  done
  [ ${#made_images[@]} -eq 0 ] || docker rmi --force "${made_images[@]}" >/dev/null 2>&1 || true
  rm -rf -- "$scratch"
}
at_the_end clean_up

# row METHOD ARCHIVE_SECONDS ARCHIVE_BYTES RESTORE_SECONDS CONTAINER: asks the container, and keeps the figures.
row() {
  local method=$1 archive_seconds=$2 bytes=$3 restore_seconds=$4 container=$5 answers=yes release=none
  if ! service_answers "$service" "$container" 2>"$scratch/answer"; then
    answers="no: $({ grep -a '^wrong answer' "$scratch/answer" || tail -n 1 "$scratch/answer"; } | head -n 1 | tr '|\n' '/ ')"
  fi
  # shellcheck disable=SC2016 # expanded inside
  release=$(docker exec "$container" sh -c '. /etc/os-release; printf "Debian %s" "${VERSION_ID:-$VERSION_CODENAME}"' 2>/dev/null) || true
  [ -z "$(docker exec "$container" dpkg --audit 2>&1)" ] || answers="$answers, packages half installed"
  printf '%s|%s|%s|%s|%s|%s\n' "$method" "$archive_seconds" "$bytes" "$restore_seconds" "${release:-none}" "$answers" >>"$scratch/rows"
  docker stop --time 1 "$container" >/dev/null
}

measure_export() {
  local started archived image=$prefix:export
  started=$(now)
  docker export "$old" | zstd -q -T0 -o "$scratch/export"
  archived=$(seconds_since "$started")
  started=$(now)
  zstd -dqc "$scratch/export" | docker import --change 'CMD ["sleep", "infinity"]' - "$image" >/dev/null
  made_images+=("$image")
  docker create --name "$prefix-export" "$image" >/dev/null
  row "\`docker export \\| zstd\`" "$archived" "$(stat -c %s "$scratch/export")" "$(seconds_since "$started")" "$prefix-export"
}

# There is no archive: the system itself is what is kept, and it is upgraded while its releases are still to be had.
measure_inplace() {
  local started container=$prefix-inplace bytes
  "$repo/fixtures/bases.sh" bullseye-merged
  service_old "$service" "$container" debian:bullseye-merged
  bytes=$(docker export "$container" | zstd -q -T0 | wc -c)
  started=$(now)
  docker start "$container" >/dev/null
  # shellcheck disable=SC2016 # expanded inside
  docker exec --env DEBIAN_FRONTEND=noninteractive "$container" bash -c '
    printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    for suite in bookworm trixie; do
      sed -i -E "s/\b(bullseye|bookworm)\b/$suite/g" /etc/apt/sources.list
      apt-get update -q
      apt-get -qy -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold full-upgrade || exit
    done
    rm /usr/sbin/policy-rc.d' >"$scratch/inplace.log" 2>&1 || tail -n 5 "$scratch/inplace.log" >&2
  docker stop --time 1 "$container" >/dev/null
  row "\`apt full-upgrade\` 11 → 12 → 13" - "$bytes" "$(seconds_since "$started")" "$container"
}

# What was touched since the packages were installed, less what every system has of its own.
measure_newer() {
  local started archived
  started=$(now)
  docker commit "$old" "$prefix:newer" >/dev/null
  made_images+=("$prefix:newer")
  docker run --rm --network none "$prefix:newer" bash -c "cd / && find . -xdev -newer /var/lib/dpkg/status ! -type d \
    ! -path './proc/*' ! -path './sys/*' ! -path './dev/*' ! -path './run/*' ! -path './tmp/*' \
    ! -path ./etc/hosts ! -path ./etc/hostname ! -path ./etc/resolv.conf ! -path ./etc/mtab -print0 |
    tar --null --no-recursion -T - -c" | zstd -q -o "$scratch/newer"
  archived=$(seconds_since "$started")
  started=$(now)
  docker run --detach --name "$prefix-newer" debian:trixie sleep infinity >/dev/null
  docker exec "$prefix-newer" bash -c "$(install_packages "$service")" >"$scratch/newer.log" 2>&1 ||
    tail -n 5 "$scratch/newer.log" >&2
  zstd -dqc "$scratch/newer" | docker exec --interactive "$prefix-newer" tar -C / -x
  row "\`find -newer \\| tar\`" "$archived" "$(stat -c %s "$scratch/newer")" "$(seconds_since "$started")" "$prefix-newer"
}

measure_regrow() {
  local started archived code=0
  started=$(now)
  "$regrow" archive "docker:$old" --output "$scratch/regrow" >"$scratch/archive.log" 2>&1 || code=$?
  [ "$code" = 0 ] || [ "$code" = 3 ] || { tail -n 5 "$scratch/archive.log" >&2; fail 1 "regrow archive exits $code"; }
  archived=$(seconds_since "$started")
  started=$(now)
  code=0
  "$regrow" restore "$scratch/regrow" --onto debian:trixie --name "$prefix-regrow" >"$scratch/restore.log" 2>&1 || code=$?
  [ "$code" = 0 ] || [ "$code" = 3 ] || { tail -n 5 "$scratch/restore.log" >&2; fail 1 "regrow restore exits $code"; }
  row "regrow" "$archived" "$(stat -c %s "$scratch/regrow")" "$(seconds_since "$started")" "$prefix-regrow"
}

# table: the figures; ratios are against regrow's own row, where there is one.
table() {
  awk -F'|' -v OFS=' | ' '
    function size(bytes) { return bytes >= 1e6 ? sprintf("%.1f MB", bytes / 1e6) : sprintf("%.1f kB", bytes / 1e3) }
    function ratio(value, own) { return own > 0 && value != "-" ? sprintf(" (%.1f×)", value / own) : "" }
    NR == FNR { if ($1 == "regrow") { a = $2; b = $3; r = $4 }; next }
    FNR == 1 {
      print "| method | kept | archive | restore | OS afterwards | the server answers |"
      print "|---|---:|---:|---:|---|---|"
    }
    {
      gsub(/\001/, "\\|", $1)
      printf "| %s | %s%s | %s%s | %s s%s | %s | %s |\n", $1, size($3), ratio($3, b), $2 == "-" ? "none" : $2 " s", ratio($2, a),
        $4, ratio($4, r), $5, $6
    }' <(sed 's/\\|/\x01/' "$scratch/rows") <(sed 's/\\|/\x01/' "$scratch/rows")
}

document() {
  cat <<MARKDOWN
# Comparison

A Samba server on Debian 11 (two accounts, a share with files from 2003 on), stopped, and brought back to life.
Written by \`benches/compare.sh\` in one run on $(nproc) processors; package downloads are part of the times, and the
ratios in brackets are against regrow's row. What the server is asked is \`fixtures/services/samba/probe.sh\`.

$(table)

- \`docker export | zstd\` keeps the dead OS with everything, but for ACLs: the server runs on the OS it had, and the one
  user whose right is an ACL is turned away.
- \`apt full-upgrade\` has no archive: what is kept is the whole system (its size as \`docker export | zstd\`), and the
  upgrade works only while the mirrors carry every release in between. It needs a merged /usr, or stops at Debian 12.
- \`find -newer | tar\` is the method that regrow started from: files newer than the package installation, less a list of
  exclusions, over a new system with the same packages. A file with an old date is not newer, and is not kept.

To repeat, as root on a Debian machine with Rust:

\`\`\`console
# benches/compare.sh
\`\`\`
MARKDOWN
}

main() {
  local method all=(export inplace newer regrow)
  local wanted=("$@")
  [ $# -gt 0 ] || wanted=("${all[@]}")
  for method in "${wanted[@]}"; do
    case " ${all[*]} " in *" $method "*) ;; *) usage; exit 2 ;; esac
  done
  need zstd
  case " ${wanted[*]} " in *" regrow "*) need_regrow ;; esac
  start_engine || exit "$no_engine"
  "$repo/fixtures/bases.sh" bullseye trixie
  service_old "$service" "$old" debian:bullseye
  for method in "${wanted[@]}"; do
    say "measuring $method"
    "measure_$method"
  done
  if [ "${wanted[*]}" = "${all[*]}" ]; then
    mkdir -p "$repo/docs"
    document >"$scratch/COMPARISON.md"
    mv "$scratch/COMPARISON.md" "$repo/docs/COMPARISON.md"
    say "written: docs/COMPARISON.md"
  fi
  table
}

main "$@"
