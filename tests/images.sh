#!/usr/bin/env bash
# Containers of images in the shape of official ones, brought back: with an entrypoint, volumes, and settings given when
# they were run.
#
#   tests/images.sh [--table] [--ways WAY,...] [NAME...]
#
# NAME is a folder in fixtures/images; all of them unless given. WAY is one of
#   plain      archived, and restored onto a base system
#   successor  archived, and restored onto the image's successor
#   commit     by hand: what `docker diff` names copied onto the successor, run as before on copies of the volumes
#   copy       by hand: the successor run as before on copies of the volumes
#   old        the old container itself, which shows that the probe is right
# The first two unless given; --table runs all four and writes docs/IMAGES.md.
# NEW names the base system, debian:trixie unless given; REGROW names a binary to be used instead of building one. With
# LOG=DIR what was printed stays there; with KEEP=1 the images and the last try stay.
#
# A folder holds old/Dockerfile and new/Dockerfile, common/ for the contexts of both, operate.sh, which makes the container
# $C of img-NAME-old, lives its life and stops it, and probe.sh, which starts $C and asks it. A project of two has also
# old-db/ and new-db/ for $C-db. fixtures/images/lib.sh says what the scripts are given.
#
# One line a try: name, way, pass or FAIL, seconds, bytes of the bundle, exit codes of archive and restore, what is missing.
# A pass: the probe finds what it found in the old container, whose volumes are as they were and are shared with nobody.
# Exit codes: 0 what regrow restores all passes, 1 not all, 2 usage, 3 no engine, 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"

folders=$repo/fixtures/images
base=${NEW:-debian:trixie}
scratch=$(scratch_dir)
logs=${LOG:-$scratch}
name=

clean_up() {
  [ -n "${KEEP:-}" ] || [ -z "$name" ] || forget_all
  rm -rf -- "$scratch"
}
at_the_end clean_up

# because REASON: fails, and says why on stdout.
because() {
  printf 'missing: %s\n' "$*"
  return 1
}

# ---- what there is of a project: parts are called '' and '-db'

parts() {
  local folder
  for folder in "$folders/$name"/old*/; do
    folder=${folder%/}
    printf '<%s\n' "${folder##*/old}"
  done
}
# each CONTAINER: the containers of the project whose first is called so.
each() { parts | sed "s/^</$1/"; }

volumes() {
  docker container inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' "$@" 2>/dev/null |
    sed '/^$/d' | sort -u || true
}

# digest CONTAINER...: of what their volumes and bind mounts hold, owners and times included.
digest() {
  local container places
  for container; do
    places=$(docker container inspect --format '{{range .Mounts}}{{println .Destination}}{{end}}' "$container" | sort)
    [ -n "$places" ] || continue
    # shellcheck disable=SC2086 # a list of places
    docker run --rm --network none --volumes-from "$container:ro" --entrypoint tar "$base" \
      --sort=name --numeric-owner --xattrs -cPf - $places
  done | sha256sum
}

# forget CONTAINER...: with their volumes, and with an image that nobody else has.
forget() {
  local named image images
  named=$(volumes "$@")
  images=$(docker container inspect --format '{{.Image}}' "$@" 2>/dev/null || true)
  docker rm --force --volumes "$@" >/dev/null 2>&1 || true
  # shellcheck disable=SC2086 # lists of words
  [ -z "$named" ] || docker volume rm $named >/dev/null 2>&1 || true
  for image in $images; do
    [ "$(docker image inspect --format '{{len .RepoTags}}' "$image" 2>/dev/null || echo gone)" != 0 ] ||
      docker rmi "$image" >/dev/null 2>&1 || true
  done
}

forget_tries() {
  local way container
  for way in '' -plain -successor -commit -copy; do
    mapfile -t containers < <(each "img-$name$way")
    forget "${containers[@]}"
    for container in "${containers[@]}"; do docker rmi "$container-image" >/dev/null 2>&1 || true; done
  done
  docker network rm "img-$name-net" >/dev/null 2>&1 || true
}

forget_all() {
  local folder
  forget_tries
  for folder in "$folders/$name"/{old,new}*/; do
    folder=${folder%/}
    docker rmi "img-$name-${folder##*/}" >/dev/null 2>&1 || true
  done
}

# build FOLDER: the image img-NAME-FOLDER. Its context is the folder, common/, and the authorities that pip is to trust.
build() {
  local context=$scratch/context
  rm -rf -- "$context"
  mkdir "$context"
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$context/ca.crt"
  [ ! -d "$folders/$name/common" ] || cp -a "$folders/$name/common/." "$context"
  cp -a "$folders/$name/$1/." "$context"
  docker build --quiet --force-rm --tag "img-$name-$1" "$context" >"$logs/$name.$1.build" 2>&1
}

# A second time where a mirror stumbles.
build_all() {
  local folder
  for folder in "$folders/$name"/{old,new}*/; do
    folder=$(basename "$folder")
    build "$folder" || build "$folder" || because "img-$name-$folder cannot be built: $(tail -n 1 "$logs/$name.$folder.build")" || return
  done
}

# script operate|probe CONTAINER TRY OS
script() {
  C=$2 TRY=$3 OS=$4 STATE=$scratch/state timeout 400 bash "$folders/$name/$1.sh" >"$logs/$name.$3.$1" 2>&1
}

# ---- by regrow

# regrow_does FILE ARGUMENT...: 0 and 3 are done. Its exit code goes to FILE.code.
regrow_does() {
  local file=$logs/$1 code=0
  shift
  timeout 1500 "$regrow" "$@" --json >"$file.json" 2>"$file.err" || code=$?
  echo "$code" >"$file.code"
  [ "$code" = 0 ] || [ "$code" = 3 ] || because "$1 exits $code: $({ grep 'error\[' "$file.err" || tail -n 1 "$file.err"; } | head -n 1)"
}

archived() {
  local part
  while read -r part; do
    part=${part#<}
    regrow_does "$name$part.archive" archive "docker:img-$name$part" --output "$scratch/$name$part.regrow" || return
  done < <(parts)
}

restored() {
  local part onto
  while read -r part; do
    part=${part#<}
    onto=$base
    [ "$1" = plain ] || onto=img-$name-new$part
    regrow_does "$name$part.$1" restore "$scratch/$name$part.regrow" --onto "$onto" --name "img-$name-$1$part" || return
  done < <(parts)
}

# codes WAY: exit codes of archive and restore; of two parts the higher.
codes() {
  local act code found=()
  for act in archive "$1"; do
    code=$(cat "$logs/$name.$act.code" "$logs/$name-"*".$act.code" 2>/dev/null | sort -n | tail -n 1) || true
    found+=("${code:--}")
  done
  printf '%s/%s\n' "${found[@]}"
}

# ---- by hand

# settings CONTAINER NAME: arguments of `docker create` that its user gave, each ended by a NUL: what the image said is the
# image's. Named volumes are called NAME-volume-N, in the order of the places they are mounted at.
settings() {
  { docker container inspect "$1" && docker image inspect "$(docker container inspect --format '{{.Image}}' "$1")"; } |
    python3 -c '
import json, sys
decoder, text = json.JSONDecoder(), sys.stdin.read()
container, end = decoder.raw_decode(text)
image, _ = decoder.raw_decode(text[end:].lstrip())
container, image = container[0], image[0]["Config"]
config, host = container["Config"], container["HostConfig"]
said = ["--name", sys.argv[1]]
for entry in config.get("Env") or []:
    if entry not in (image.get("Env") or []):
        said += ["--env", entry]
for key, value in (config.get("Labels") or {}).items():
    if (image.get("Labels") or {}).get(key) != value:
        said += ["--label", "%s=%s" % (key, value)]
for port, places in (host.get("PortBindings") or {}).items():
    for place in places or []:
        said += ["--publish", ":".join(filter(None, (place.get("HostIp"), place.get("HostPort"), port)))]
for number, mount in enumerate(sorted(container["Mounts"], key=lambda mount: mount["Destination"])):
    source = "%s-volume-%d" % (sys.argv[1], number) if mount["Type"] == "volume" else mount.get("Source")
    if source:
        said += ["--volume", "%s:%s%s" % (source, mount["Destination"], "" if mount["RW"] else ":ro")]
for place, options in (host.get("Tmpfs") or {}).items():
    said += ["--tmpfs", place + (":" + options if options else "")]
for option, key, unset in (("--shm-size", "ShmSize", 67108864), ("--memory", "Memory", 0)):
    if host.get(key, unset) != unset:
        said += [option, str(host[key])]
for key in ("CapAdd", "CapDrop"):
    for capability in host.get(key) or []:
        said += ["--cap-" + key[3:].lower(), capability]
for key, value in (host.get("Sysctls") or {}).items():
    said += ["--sysctl", "%s=%s" % (key, value)]
for limit in host.get("Ulimits") or []:
    said += ["--ulimit", "%s=%d:%d" % (limit["Name"], limit["Soft"], limit["Hard"])]
for line in host.get("ExtraHosts") or []:
    said += ["--add-host", line]
if (host.get("RestartPolicy") or {}).get("Name") not in (None, "", "no"):
    said += ["--restart", host["RestartPolicy"]["Name"]]
if host.get("Init"):
    said += ["--init"]
if host.get("ReadonlyRootfs"):
    said += ["--read-only"]
if host.get("NetworkMode") not in ("default", "bridge"):
    said += ["--network", host["NetworkMode"]]
    for network in (container["NetworkSettings"].get("Networks") or {}).values():
        for alias in network.get("Aliases") or []:
            if not container["Id"].startswith(alias):
                said += ["--network-alias", alias]
if not container["Id"].startswith(config.get("Hostname") or "") and not host.get("NetworkMode", "").startswith(("host", "container")):
    said += ["--hostname", config["Hostname"]]
for option, key in (("--user", "User"), ("--workdir", "WorkingDir"), ("--stop-signal", "StopSignal")):
    if config.get(key) and config.get(key) != image.get(key):
        said += [option, config[key]]
rest = []
if config.get("Entrypoint") != image.get("Entrypoint") and config.get("Entrypoint"):
    said += ["--entrypoint", config["Entrypoint"][0]]
    rest = config["Entrypoint"][1:]
said += [sys.argv[2]]
if rest or config.get("Cmd") != image.get("Cmd"):
    rest += config.get("Cmd") or []
sys.stdout.write("".join(word + "\0" for word in said + rest))' "$2" "$3"
}

# run_by_hand OLD NEW IMAGE: a container NEW of the image, set up as OLD was, on copies of its volumes.
run_by_hand() {
  local old=$1 new=$2 image=$3 number=0 volume said
  while read -r volume; do
    if [ -n "$volume" ] && [ "$volume" != - ]; then
      docker volume create "$new-volume-$number" >/dev/null
      docker run --rm --network none --volume "$volume:/from:ro" --volume "$new-volume-$number:/to" "$base" \
        cp --archive /from/. /to || because "a volume cannot be copied" || return
    fi
    number=$((number + 1))
  done < <(docker container inspect --format '{{range .Mounts}}{{.Destination}} {{if eq .Type "volume"}}{{.Name}}{{else}}-{{end}}{{println}}{{end}}' "$old" |
    sed '/^$/d' | sort | awk '{ print $2 }')
  mapfile -d '' -t said < <(settings "$old" "$new" "$image")
  docker create "${said[@]}" >/dev/null 2>"$logs/$name.create" || because "docker create: $(tail -n 1 "$logs/$name.create")"
}

# with_changes OLD NEW IMAGE: the image NEW-image, which is IMAGE with what `docker diff` names of OLD.
with_changes() {
  local old=$1 image=$3 context=$scratch/changes user
  rm -rf -- "$context"
  mkdir "$context"
  docker diff "$old" >"$context/diff"
  docker export "$old" | python3 -c '
import sys, tarfile
places = {line[2:].rstrip("\n") for line in open(sys.argv[1], encoding="utf-8", errors="surrogateescape") if line[0] in "AC"}
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as old, tarfile.open(sys.argv[2], "w") as changes:
    for member in old:
        if "/" + member.name.lstrip("./").rstrip("/") in places:
            changes.addfile(member, old.extractfile(member) if member.isreg() else None)' "$context/diff" "$context/changes.tar"
  user=$(docker image inspect --format '{{.Config.User}}' "$image")
  {
    printf 'FROM %s\nUSER 0\nADD changes.tar /\n' "$image"
    sed -n "s/^D \([^']*\)$/RUN rm -rf -- '\1'/p" "$context/diff"
    printf 'USER %s\n' "${user:-0}"
  } >"$context/Dockerfile"
  docker build --quiet --force-rm --tag "$2-image" "$context" >"$logs/$name.commit.build" 2>&1 ||
    because "the changes cannot be put over the successor: $(tail -n 1 "$logs/$name.commit.build")"
}

by_hand() {
  local part old new image
  while read -r part; do
    part=${part#<}
    old=img-$name$part new=img-$name-$1$part image=img-$name-new$part
    if [ "$1" = commit ]; then
      with_changes "$old" "$new" "$image" || return
      image=$new-image
    fi
    run_by_hand "$old" "$new" "$image" || return
  done < <(parts)
}

# ---- one try

# container_of WAY: the first container of a try.
container_of() { [ "$1" = old ] && echo "img-$name" || echo "img-$name-$1"; }

# try WAY: what is missing, on stdout. $before is the digest of the old volumes.
try() {
  local way=$1 os=${base#*:} new code=0
  [ "$way" != old ] || os=""
  case $way in
  plain | successor)
    [ ! -s "$scratch/archive.failed" ] || { cat "$scratch/archive.failed"; return 1; }
    restored "$way" || return
    ;;
  commit | copy)
    by_hand "$way" || return
    os=""
    ;;
  esac
  mapfile -t new < <(each "$(container_of "$way")")
  script probe "${new[0]}" "$way" "$os" || code=$?
  docker stop --time 30 "${new[@]}" >/dev/null || true
  if [ "$code" != 0 ]; then
    # A probe that stops early says why in its last line.
    grep '^missing:' "$logs/$name.$way.probe" || because "$(tail -n 1 "$logs/$name.$way.probe")"
    return 1
  fi
  [ "$way" = old ] || [ -z "$(comm -12 <(volumes "${old[@]}") <(volumes "${new[@]}"))" ] || because "a volume is shared with the old container"
}

# remember WAY RESULT SECONDS BYTES CODES FILE: a line for the table, tab-separated, and what is missing below it.
remember() {
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "${@:1:5}"
  sed -n 's/^missing: /\t/p' "$6"
} >>"$scratch/table"

image() {
  local way started archive_took=0 took result size failed=0
  name=$1
  forget_tries
  rm -rf -- "$scratch/state" "$scratch/archive.failed" "$scratch/"*.regrow
  rm -f -- "$logs/$name".*.code "$logs/$name"-*.code
  mkdir "$scratch/state"
  build_all || return
  script operate "img-$name" old '' || because "the old container cannot be made: $(tail -n 1 "$logs/$name.old.operate")" || return
  mapfile -t old < <(each "img-$name")
  before=$(digest "${old[@]}")
  case ,$ways, in
  *,plain,* | *,successor,*)
    started=$(now)
    archived >"$scratch/archive.failed" || true
    archive_took=$(seconds_since "$started")
    ;;
  esac
  size=$(cat "$scratch/$name"*.regrow 2>/dev/null | wc -c)
  for way in ${ways//,/ }; do
    started=$(now)
    result=pass
    try "$way" >"$scratch/missing" || result=FAIL
    took=$(seconds_since "$started")
    if [ "$(digest "${old[@]}")" != "$before" ]; then
      [ "$way" = old ] || because "the old container's volumes have changed" >>"$scratch/missing" || result=FAIL
      before=$(digest "${old[@]}")
    fi
    case $way in
    plain | successor)
      took=$(awk -v a="$took" -v b="$archive_took" 'BEGIN { printf "%.1f", a + b }')
      set -- "$way" "$result" "$took" "$size" "$(codes "$way")"
      [ "$result" = pass ] || failed=1
      ;;
    *) set -- "$way" "$result" "$took" - - ;;
    esac
    printf '%s %s %s %ss %s %s %s\n' "$name" "$@" "$(sed -n '/^missing: /{p;q}' "$scratch/missing")" | sed 's/ *$//'
    remember "$@" "$scratch/missing"
    [ -n "${KEEP:-}" ] || [ "$way" = old ] || { mapfile -t new < <(each "img-$name-$way"); forget "${new[@]}"; }
  done
  [ -n "${KEEP:-}" ] || forget_all
  return "$failed"
}

table() {
  python3 - "$scratch/table" "$base" <<'PYTHON'
import sys
file, base = sys.argv[1:]
tries = []
for line in open(file, encoding="utf-8", errors="replace"):
    fields = line.rstrip("\n").split("\t")
    if fields[0]:
        tries.append((fields, []))
    else:
        tries[-1][1].append(fields[1])
print("# Containers of images, measured\n")
print("Images in the shape of official ones, and a container of each with a life behind it: brought back onto `%s`\n"
      "(`plain`), onto the image's successor (`successor`), and by hand: what `docker diff` names put over the successor\n"
      "(`commit`), or the successor run as before (`copy`), both on copies of the volumes. Written by\n"
      "`tests/images.sh --table` from one run.\n" % base)
print("| image | way | it | seconds | bytes | archive/restore | lost |\n|---|---|---|---:|---:|---|---:|")
for (name, way, result, seconds, size, codes), missing in tries:
    print("| %s | %s | %s | %s | %s | %s | %d |" % (name, way, result, seconds, size, codes, len(missing)))
print("\n## What is lost\n\n| image | way | what |\n|---|---|---|")
for (name, way, *_), missing in tries:
    for what in missing:
        print("| %s | %s | %s |" % (name, way, what.replace("|", "\\|").replace("<", "&lt;")))
PYTHON
}

main() {
  local to_table="" way each_name failed=0
  ways=plain,successor
  while [ $# -gt 0 ]; do
    case $1 in
    --table) to_table=1 ways=plain,successor,commit,copy ;;
    --ways)
      [ $# -gt 1 ] || { usage; exit 2; }
      ways=$2
      shift
      ;;
    -*) usage; exit 2 ;;
    *) break ;;
    esac
    shift
  done
  for way in ${ways//,/ }; do
    case $way in plain | successor | commit | copy | old) ;; *) fail 2 "'$way' is no way" ;; esac
  done
  if [ $# -eq 0 ]; then
    cd "$folders"
    set -- */
    set -- "${@%/}"
    cd "$repo"
  fi
  for each_name; do [ -f "$folders/$each_name/operate.sh" ] || fail 2 "there is no image '$each_name' in fixtures/images"; done
  need python3
  need_regrow
  start_engine || exit "$no_engine"
  "$repo/fixtures/bases.sh" bullseye bookworm trixie
  mkdir -p "$logs"
  for each_name; do
    image "$each_name" || failed=1
  done
  [ -z "$to_table" ] || table >"$repo/docs/IMAGES.md"
  return "$failed"
}

main "$@"
