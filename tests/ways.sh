#!/usr/bin/env bash
# One stopped container, archived by every way that leads into it: the same paths, contents and verdicts.
#
#   tests/ways.sh [ENGINE...]
#
# ENGINE is a DOCKER_HOST; without one, the host's engine. Of an engine that runs in a container of the host's engine,
# HOST@CONTAINER names that container: the layers are read from inside of it, and from outside is through the API.
# Of an engine on this machine the API is what is left when its directory is hidden.
# OLD names the suite, bullseye unless given; REGROW names a binary to be used instead of building one. KEEP=DIR keeps
# the manifests there.
#
# What an engine makes of a container as an image is compared too, and only told: that is the engine's own work.
#
# One line a way: engine, way, equal or the differences, and how many of those that the bundle names itself.
# Exit codes: 0 all equal, 1 not all, 2 usage, 3 no engine, 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"
# shellcheck source=../fixtures/services.sh
. "$repo/fixtures/services.sh"

suite=${OLD:-bullseye}
scratch=$(scratch_dir)
name=regrow-ways-$$
ways=$repo/fixtures/ways
# What lies on the engine's machine and is mounted into the container.
bound=/var/tmp/$name

# here COMMAND...: with the engine that the machine has, whichever is being asked.
here() { env -u DOCKER_HOST "$@"; }

forget() {
  docker rm -f "$name" >/dev/null 2>&1 || true
  docker volume rm "$name-named" "$name-nested" "$name-linked" >/dev/null 2>&1 || true
  docker run --rm -v /var/tmp:/at --network none "debian:$suite" rm -rf "/at/$name" >/dev/null 2>&1 || true
  docker rmi "$name:committed" "$name:two" "$name:one" >/dev/null 2>&1 || true
}

clean_up() {
  [ -z "${started:-}" ] || forget
  [ -z "${inside:-}" ] || here docker exec "$inside" rm -rf /regrow "/var/tmp/$name.ways" 2>/dev/null || true
  here docker rm -f "$name-packages" >/dev/null 2>&1 || true
  rm -rf -- "$scratch"
}
at_the_end clean_up

# ---- the container

# packages_image: prints the image of the host's engine that the layers are put on.
packages_image() {
  local image=$kept_images/ways:$suite
  if ! here docker image inspect "$image" >/dev/null 2>&1; then
    say "installing packages on debian:$suite"
    here docker create -i --name "$name-packages" "debian:$suite" sh -s >/dev/null
    quietly here docker start -ai "$name-packages" <<'SCRIPT' || return
set -e
apt-get -o Acquire::Check-Valid-Until=false update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends acl attr libcap2-bin nano
apt-get clean
rm -rf /var/lib/apt/lists/*
SCRIPT
    quietly here docker commit --change 'CMD ["sh"]' "$name-packages" "$image" || return
    here docker rm "$name-packages" >/dev/null
  fi
  printf '%s\n' "$image"
}

# layer FROM TO SCRIPT: an image with one more layer.
layer() {
  docker create -i --name "$name" --network none "$1" sh -s >/dev/null
  quietly docker start -ai "$name" <"$3" || return
  quietly docker commit --change 'CMD ["sh"]' "$name" "$2" || return
  docker rm "$name" >/dev/null
}

make_container() {
  local image
  image=$(packages_image) || return
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    here docker save "$image" | quietly docker load || return
  fi
  started=yes
  layer "$image" "$name:one" "$ways/one.sh" || return
  layer "$name:one" "$name:two" "$ways/two.sh" || return
  # A file to be mounted has to be there before.
  docker run --rm --network none -v /var/tmp:/at "debian:$suite" sh -c "mkdir -p /at/$name/dir && echo bound >/at/$name/file" || return
  docker create -i --name "$name" --network none --tmpfs /srv/memory \
    -v "$name-named:/srv/named" -v "$name-nested:/srv/named/inner" -v "$name-linked:/srv/link" -v /srv/anonymous \
    -v "$bound/dir:/srv/bind" -v "$bound/file:/etc/bound.conf" "$name:two" sh -s >/dev/null || return
  quietly docker start -ai "$name" <"$ways/life.sh" || return
  # Ended by itself, and the engine has to have noticed.
  docker wait "$name" >/dev/null
}

# ---- the ways

# socket_inside CONTAINER HOST: the address of HOST as CONTAINER sees it.
socket_inside() {
  local path=${2#unix://} source destination
  while IFS=$'\t' read -r source destination; do
    case $path in "$source"/*) printf 'unix://%s\n' "$destination${path#"$source"}"; return ;; esac
  done < <(here docker container inspect --format '{{range .Mounts}}{{.Source}}{{"\t"}}{{.Destination}}{{"\n"}}{{end}}' "$1")
  fail 2 "$2 is no socket in a directory that is mounted into $1"
}

# Where regrow stands. Each is called with the arguments of regrow.
stands_here() { "$regrow" "$@"; }
stands_inside() { here docker exec -e "DOCKER_HOST=$address" -e "CONTAINER_HOST=$address" "$inside" /regrow "$@"; }
# The engine's directory is hidden from it, as that of an engine on another machine is.
# shellcheck disable=SC2016
stands_apart() { unshare -m sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$engine_dir" "$regrow" "$@"; }

# take WAY SOURCE STANDS: archives SOURCE twice into $scratch/WAY.
take() {
  local way=$1 source=$2 stands=$3 place try code options=()
  local to=$scratch/$way
  mkdir -p "$to"
  place=$to
  if [ "$stands" = stands_inside ]; then
    place=/var/tmp/$name.$way
    here docker exec "$inside" mkdir "$place"
  fi
  case $source in docker:* | podman:*) options=(--binds) ;; esac
  for try in one two; do
    code=0
    "$stands" archive "$source" "${options[@]}" --no-export -o "$place/$try.regrow" >"$to/$try.out" 2>"$to/$try.err" || code=$?
    if [ "$code" != 0 ] && [ "$code" != 3 ]; then
      tail -n 8 "$to/$try.err"
      return 1
    fi
  done
  if [ "$stands" = stands_inside ]; then
    here docker cp -q "$inside:$place/." "$to"
    here docker exec "$inside" rm -r "$place"
  fi
  zstd -dqc "$to/one.regrow" | tar -x -O --wildcards '*manifest.json' >"$to/manifest.json" || return
  cmp "$to/one.regrow" "$to/two.regrow" && return
  zstd -dqc "$to/two.regrow" | tar -x -O --wildcards '*manifest.json' | diff "$to/manifest.json" - | grep -v '^[<>] "id"' | cut -c 1-400 | head -n 8
  return 1
}

# told WAY PASS|FAIL TEXT
told() {
  printf '%-24s %-8s %s\n' "$shown" "$1" "$3"
  [ "$2" = pass ] || failed=yes
}

# way NAME SOURCE STANDS [HOW]: takes it, and compares it with the layers.
way() {
  local way=$1 source=$2 stands=$3 how=${4:---way} answer
  if ! answer=$(take "$way" "$source" "$stands" 2>&1); then
    told "$way" FAIL "not archived: $answer"
  elif [ "$way" = layers ]; then
    told "$way" pass "$(limits_of layers)"
  elif answer=$("$ways/compare.py" "$how" "$scratch/layers" "$scratch/$way" 2>&1); then
    told "$way" pass "$answer"
  elif [ "$way" = commit ]; then
    # The image is what the engine made it; old ones lose deletions.
    told "$way" pass "the engine's own image differs: $answer"
  else
    told "$way" FAIL "$answer"
  fi
  rm -f "$scratch/$way/"*.regrow
}

# limits_of WAY: whether all was read from layers.
limits_of() {
  if grep -q "engine's API" <<<"$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["limitations"])' "$scratch/$1/manifest.json")"; then
    printf 'read through the API: the layers are not to be had\n'
  else
    printf 'read from the layers\n'
  fi
}

one_engine() {
  local podman=
  export DOCKER_HOST=$1
  inside=$2 shown=$3
  [ -n "$DOCKER_HOST" ] || unset DOCKER_HOST
  [ -z "${DOCKER_HOST:-}" ] || export CONTAINER_HOST=$DOCKER_HOST
  engine_answers || fail "$no_engine" "no engine answers at $shown"
  if docker version --format '{{range .Server.Components}}{{println .Name}}{{end}}' | grep -q Podman; then podman=yes; fi
  engine_dir=$(docker info --format '{{.DockerRootDir}}')
  if ! make_container; then
    told made FAIL "the container cannot be made"
    forget
    return
  fi
  if [ -n "$inside" ]; then
    address=$(socket_inside "$inside" "$DOCKER_HOST")
    here docker cp -q "$regrow" "$inside:/regrow"
    way layers "docker:$name" stands_inside
    way api "docker:$name" stands_here
    [ -z "$podman" ] || way podman "podman:$name" stands_inside
  else
    way layers "docker:$name" stands_here
    way api "docker:$name" stands_apart
    [ -z "$podman" ] || way podman "podman:$name" stands_here
  fi
  docker export -o "$scratch/exported.tar" "$name"
  way export "tar:$scratch/exported.tar" stands_here --tar
  docker commit "$name" "$name:committed" >/dev/null
  docker save -o "$scratch/saved.tar" "$name:committed"
  way commit "tar:$scratch/saved.tar" stands_here --image
  rm -f "$scratch"/*.tar
  forget
  started=
  [ -z "${KEEP:-}" ] || { mkdir -p "$KEEP/$shown" && cp -r "$scratch"/*/ "$KEEP/$shown/"; }
  rm -rf "${scratch:?}"/*/
}

main() {
  local engine host
  case ${1:-} in -*) usage; exit 2 ;; esac
  start_engine || exit "$no_engine"
  need zstd python3 util-linux
  need_regrow
  fixtures="$repo/fixtures"
  "$fixtures/bases.sh" "$suite"
  [ $# -gt 0 ] || set -- "${DOCKER_HOST:-}"
  for engine; do
    host=${engine%%@*} inside=
    case $engine in *@*) inside=${engine##*@} ;; esac
    one_engine "$host" "$inside" "${inside:-${host:-host}}"
  done
  [ -z "${failed:-}" ]
}

main "$@"
