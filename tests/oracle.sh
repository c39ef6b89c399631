#!/usr/bin/env bash
# What is kept of a service against what it differs in from a fresh system, found without regrow.
#
#   tests/oracle.sh [--table] [--list] [--keep] [NAME...]
#
# NAME is a folder in fixtures/services or fixtures/oracle with a list of packages; all of them unless given. NAME+epoch
# has an image whose files all have one time. --table writes docs/SPLIT.md, --list shows what is kept and why, --keep
# leaves the services and what was seen of them to the next run with --keep, which then only archives and compares;
# `docker rm` and ${REGROW_CACHE:-~/.cache/regrow}/oracle remove them.
# fixtures/oracle/left-out, and a file of this name beside a service's packages, say what may be missing.
# SUITE names the release (bullseye); REGROW a binary to be used instead of building one.
#
# Each service is installed twice. One becomes an image, gets files that no package owns, lives, and has every trick of
# fixtures/oracle/tricks.sh played on it; the other is upgraded in the same way and is the truth. tests/oracle.py reads
# both file systems and the bundle, and says which differences were missed and what is kept beyond need.
# Exit codes: 0 nothing missed and not more than 1.05 times the bytes that differ kept, 1 else, 2 usage, 3 no engine,
# 7 the machine lacks something (the containers have to run on this machine, and this has to be root).
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"
# shellcheck source=../fixtures/services.sh
. "$repo/fixtures/services.sh"

suite=${SUITE:-bullseye}
scenario_services=$services
oracle=$repo/fixtures/oracle
scratch=$(scratch_dir)
prefix=regrow-oracle-$$

remove() { docker rm --force --volumes "$@" >/dev/null 2>&1 || true; }
clean_up() {
  remove "$prefix-other" "$prefix-build"
  [ -n "${keep:-}" ] || remove "${lived:-$prefix-lived}"
  rm -rf -- "$scratch"
}
at_the_end clean_up

# derived NAME FROM SCRIPT...: an image that the scripts made of another one, kept for the next run.
derived() {
  local from=$2 image
  image=$kept_images/$1:$(docker image inspect --format '{{.Id}}' "$from" | cat - "${@:3}" | sha256sum | head -c 16)
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    say "building $1"
    remove "$prefix-build"
    quietly docker run --name "$prefix-build" "$from" bash -c "$(cat "${@:3}")" || return 1
    docker commit --change 'CMD ["sleep", "infinity"]' "$prefix-build" "$image" >/dev/null || return 1
    remove "$prefix-build"
  fi
  printf '%s\n' "$image"
}

# second NAME BASE: the same packages once more, installed at another time, and upgraded.
second() {
  local script=$scratch/install.sh
  install_packages "$1" >"$script"
  echo 'rm /etc/apt/sources.list.d/security.list' >"$scratch/forget.sh"
  derived "oracle-$1-fresh" "$2" "$script" "$oracle/upgrade.sh" "$scratch/forget.sh"
}

# flattened NAME IMAGE: the image as one layer in which every file has one time.
flattened() {
  local image
  image=$kept_images/$1-epoch:$(docker image inspect --format '{{.Id}}' "$2" | head -c 23 | tail -c 16)
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    say "building $1-epoch"
    docker create --name "$prefix-build" "$2" >/dev/null || return 1
    docker export "$prefix-build" | python3 -c '
import sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as old, \
        tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as new:
    for member in old:
        member.mtime = 1000000000
        member.pax_headers = {key: value for key, value in member.pax_headers.items() if "time" not in key}
        new.addfile(member, old.extractfile(member) if member.isreg() else None)' |
      docker import --change 'CMD ["sleep", "infinity"]' - "$image" >/dev/null || return 1
    remove "$prefix-build"
  fi
  printf '%s\n' "$image"
}

# seen CONTAINER FILE: every path of the container, which runs for that time.
seen() {
  docker start "$1" >/dev/null
  python3 "$repo/tests/oracle.py" snapshot "$(docker inspect --format '{{.State.Pid}}' "$1")" "$2" || return 1
  docker stop --time 1 "$1" >/dev/null
}

# seen_image IMAGE FILE
seen_image() {
  docker create --name "$prefix-other" "$1" sleep infinity >/dev/null
  seen "$prefix-other" "$2" || return 1
  remove "$prefix-other"
}

# lived_in NAME: the service as container $lived, stopped after its life, and in $seen what image, lived-in and fresh
# system hold.
lived_in() {
  local name=${1%+epoch} image fresh base=debian:$suite
  image=$(service_image "$name" "$base") || return 1
  image=$(derived "oracle-$name" "$image" "$oracle/image.sh") || return 1
  [ "$name" = "$1" ] || image=$(flattened "oracle-$name" "$image") || return 1
  fresh=$(second "$name" "$base") || return 1
  seen_image "$image" "$seen/image" || return 1
  seen_image "$fresh" "$seen/fresh" || return 1

  docker create --name "$lived" "$image" sleep infinity >/dev/null || return 1
  docker start "$lived" >/dev/null
  quietly docker exec "$lived" bash -c "$(cat "$services/$name/operate.sh")" || return 1
  quietly docker exec "$lived" bash -c "$(cat "$oracle/upgrade.sh")" || return 1
  docker cp "$services/$name/packages" "$lived:/tmp/packages" >/dev/null
  quietly docker exec "$lived" bash -c "$(cat "$oracle/tricks.sh")" || return 1
  docker stop --time 1 "$lived" >/dev/null
  seen "$lived" "$seen/lived"
}

# judged NAME: prints the line of JSON; fails when something is wrong, and says what on stderr.
judged() {
  local bundle=$scratch/bundle code=0
  if [ -z "$keep" ] || [ ! -s "$seen/lived" ]; then
    remove "$lived"
    mkdir -p "$seen"
    lived_in "$1" || return 1
  fi
  rm -f "$bundle"
  "$regrow" archive "docker:$lived" --no-export --output "$bundle" >"$scratch/archive" 2>&1 || code=$?
  case $code in
  0 | 3) ;;
  *)
    tail -n 20 "$scratch/archive" >&2
    return 1
    ;;
  esac
  cat "$oracle/left-out" >"$scratch/left-out"
  [ ! -f "$services/${1%+epoch}/left-out" ] || cat "$services/${1%+epoch}/left-out" >>"$scratch/left-out"
  python3 "$repo/tests/oracle.py" compare "$seen/lived" "$seen/image" "$seen/fresh" "$bundle" "$scratch/left-out" \
    "${list[@]}"
}

main() {
  local name line bad=0 table="" list=() keep="" lived seen
  while [ $# -gt 0 ]; do
    case $1 in
    --table) table=$scratch/table ;;
    --list) list=(--list) ;;
    --keep) keep=yes ;;
    -*)
      usage
      exit 2
      ;;
    *) break ;;
    esac
    shift
  done
  if [ $# -eq 0 ]; then
    for name in "$scenario_services"/*/packages "$oracle"/*/packages; do
      name=${name%/packages}
      set -- "$@" "${name##*/}"
    done
    set -- "$@" redis+epoch
  fi
  for name; do service_folder "${name%+epoch}" packages || fail 2 "there is no service '$name' with a list of packages"; done
  need python3 zstd
  need_regrow
  start_engine || exit "$no_engine"
  [ "$(id -u)" = 0 ] || fail "$no_machine" "only root can look into a container's file system"
  "$repo/fixtures/bases.sh" "$suite"
  for name; do
    service_folder "${name%+epoch}" packages
    lived=$prefix-lived seen=$scratch/seen
    [ -z "$keep" ] || lived=regrow-oracle-${name/+/-} seen=$cache/oracle/$name
    if line=$(judged "$name"); then
      printf '%s pass %s\n' "$name" "$line"
    else
      bad=1
      printf '%s FAIL %s\n' "$name" "${line:-it could not be made}"
    fi
    [ -z "$table" ] || [ -z "$line" ] || printf '%s %s\n' "$name" "$line" >>"$table"
    remove "$prefix-other" "$prefix-build"
    [ -n "$keep" ] || remove "$lived"
  done
  if [ -n "$table" ] && [ "$bad" = 0 ]; then
    python3 "$repo/tests/oracle.py" table <"$table" >"$repo/docs/SPLIT.md"
  fi
  return "$bad"
}

main "$@"
