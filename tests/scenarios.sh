#!/usr/bin/env bash
# Whole services, end to end: builds each one old, archives it, restores it onto a new OS, and asks it.
#
#   tests/scenarios.sh [--engine|--rootfs] [NAME...]
#
# NAME is a folder in fixtures/services; without one, all of them. With neither option, containers where an engine
# answers or can be started, else plain roots; a service that comes as a Dockerfile needs an engine.
# OLD and NEW name the suites, bullseye and trixie unless given; REGROW names a binary to be used instead of building one.
#
# One line a service: name, way, pass or FAIL with the reason, seconds of archive and restore, bytes of the bundle.
# A pass: the service answers on the new OS as it did on the old one, no package is half installed, the container has its
# old settings, the old system is as it was and still starts, nothing of the work is left in the engine, and the bundle
# is whole and can be read without regrow.
# Exit codes: 0 all pass, 1 not all, 2 usage, 3 no engine (with --engine), 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"
# shellcheck source=../fixtures/services.sh
. "$repo/fixtures/services.sh"

old_suite=${OLD:-bullseye} new_suite=${NEW:-trixie}
scratch=$(scratch_dir)
prefix=regrow-test-$$
mark_old=$prefix-old mark_new=$prefix-new

clean_up() {
  if [ "${way:-}" = engine ]; then
    service_forget "$mark_new"
    service_forget "$mark_old"
  fi
  rm -rf -- "$scratch"
}
at_the_end clean_up

# ---- what each pass needs; every check prints the reason when it does not hold

# because REASON: fails, and says why on stdout.
because() {
  printf '%s\n' "$*"
  return 1
}

# regrow_does WHAT ARGUMENT...: 0 and 3 are done; 3 has something to report.
regrow_does() {
  local what=$1 code=0
  shift
  "$regrow" "$@" >"$scratch/$what.out" 2>"$scratch/$what.err" || code=$?
  [ "$code" != 0 ] && [ "$code" != 3 ] || return 0
  cat "$scratch/$what.err" >&2
  because "$what exits $code: $({ grep 'error\[' "$scratch/$what.err" || tail -n 1 "$scratch/$what.err"; } | head -n 1)"
}

# Without regrow, as the README in the bundle says.
bundle_is_readable() {
  local unpacked=$scratch/unpacked member
  mkdir -p "$unpacked"
  zstd -dqc "$1" | tar -C "$unpacked" -x --exclude='./dev/*' || because "zstd and tar do not read the bundle" || return
  (cd "$unpacked" && sha256sum --quiet --strict -c SHA256SUMS) >"$scratch/sums" 2>&1 || because "sha256sum -c refuses the bundle: $(head -n 1 "$scratch/sums")" || return
  for member in README.txt restore.sh manifest.json; do
    [ -s "$unpacked/$member" ] || because "the bundle lacks $member" || return
  done
  rm -rf -- "$unpacked"
}

# inside SYSTEM SCRIPT: in the container, or the root.
inside() {
  if [ "$way" = engine ]; then docker exec --user 0 "$1" sh -c "$2"; else in_root "$1" private "$2"; fi
}

new_system_is_sound() {
  local new=$1 audit
  # shellcheck disable=SC2016
  inside "$new" ". /etc/os-release; [ \"\$VERSION_CODENAME\" = $new_suite ]" || because "the OS is not $new_suite" || return
  audit=$(inside "$new" 'dpkg --audit' 2>&1) || because "dpkg --audit fails" || return
  [ -z "$audit" ] || because "half installed packages: ${audit%%$'\n'*}" || return
}

# What the service said last, or which of its answers was wrong.
wrong_answer() { { grep -a '^wrong answer' "$scratch/answer" || tail -n 2 "$scratch/answer"; } | head -n 2 | tr '\n' ' '; }

policy_of() { inside "$1" 'cat /usr/sbin/policy-rc.d 2>/dev/null || echo none'; }

# settings CONTAINER: what it was created with, less what names or numbers it, and what the labels of regrow add.
settings() {
  docker container inspect "$1" | python3 -c '
import json, sys
old_name, new_name = sys.argv[1:]
found = json.load(sys.stdin)[0]
config, host = found["Config"], found["HostConfig"]
kept = {key: config.get(key) or None for key in
        ("Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts", "Healthcheck", "StopSignal", "Tty", "OpenStdin")}
# Podman adds these, the second one when a container is started.
added = {"container=podman", "HOSTNAME=%s" % config.get("Hostname")}
kept["Env"] = sorted(set(config.get("Env") or []) - added)
kept["Labels"] = {key: value for key, value in (config.get("Labels") or {}).items() if not key.startswith("regrow.")}
kept.update((key, host.get(key) or None) for key in
            ("RestartPolicy", "PortBindings", "Memory", "NanoCpus", "CapAdd", "CapDrop", "NetworkMode", "LogConfig"))
# "" and "no" are two names of one policy.
if kept["RestartPolicy"] and kept["RestartPolicy"]["Name"] in ("", "no"):
    kept["RestartPolicy"] = None
kept["Mounts"] = sorted((m["Type"], m["Destination"], m["RW"]) for m in found["Mounts"])
print(json.dumps(kept, indent=1, sort_keys=True))' "$mark_old" "$mark_new"
}

same_settings() {
  settings "$1" >"$scratch/settings.old"
  settings "$2" >"$scratch/settings.new"
  diff "$scratch/settings.old" "$scratch/settings.new" >"$scratch/settings.diff" || because "settings differ: $(grep '^[<>]' "$scratch/settings.diff" | tr -s ' \n' ' ')" || return
}

# fingerprint CONTAINER|ROOT: a digest of everything the old system consists of.
fingerprint() {
  if [ "$way" = rootfs ]; then
    # Reading changes times of access, and a socket is nothing that lasts.
    tar -C "$1" -c --sort=name --numeric-owner --xattrs --acls --format=posix --warning=no-file-ignored \
      --pax-option=delete=atime,delete=ctime,exthdr.name=%d/%f . | sha256sum
    return
  fi
  docker container inspect --format '{{.Id}} {{.Image}} {{.State.Status}} {{json .Config}} {{json .HostConfig}}' "$1"
  docker export "$1" | sha256sum
  docker container inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' "$1" | sort |
    while read -r volume; do
      [ -n "$volume" ] || continue
      printf '%s ' "$volume"
      docker run --rm --volume "$volume:/volume:ro" --network none "debian:$old_suite" \
        tar -C /volume -c --sort=name --numeric-owner . | sha256sum
    done
}

# staged OF_BUNDLE: the runs of restores of this bundle that something in the engine is still under construction for.
# Others may restore something else in the same engine meanwhile.
staged() {
  local label='{{.Label "regrow.staging"}}'
  {
    docker ps --all --filter label=regrow.staging --format "$label"
    docker volume ls --filter label=regrow.staging --format "$label"
    docker images --quiet --filter label=regrow.staging |
      xargs --no-run-if-empty docker image inspect --format '{{index .Config.Labels "regrow.staging"}}'
  } | grep "^${1:0:12}" || true
}

# engine_is_clean CONTAINER: besides the container, its volumes and its image, nothing is left of its restore.
engine_is_clean() {
  local id images left
  id=$(docker container inspect --format '{{.Image}}' "$1" | xargs docker image inspect --format '{{index .Config.Labels "regrow.bundle"}}')
  [ -n "$id" ] || because "its image does not say which bundle it is of" || return
  left=$(staged "$id")
  [ -z "$left" ] || because "something under construction is left: ${left%%$'\n'*}" || return
  images=$(docker images --quiet --filter dangling=true --filter "label=regrow.bundle=$id" | sort -u | wc -l)
  [ "$images" -le 1 ] || because "$images untagged images are left" || return
}

# ---- one service

# The old system, its bundle and the new system. Prints the reason when it fails, and sets nothing for later.
scenario() {
  local name=$1 bundle=$scratch/$1.regrow source target old new policy before started
  if [ "$way" = engine ]; then
    old=$mark_old new=$mark_new source=docker:$mark_old target=debian:$new_suite
    service_old "$name" "$old" "debian:$old_suite" || because "the old service cannot be made" || return
    service_answers "$name" "$old" || because "the old service does not answer" || return
    policy=$(policy_of "$old")
    docker stop --time 2 "$old" >/dev/null
  else
    old=$scratch/$name.old new=$scratch/$name.new source=rootfs:$old target=rootfs:$new
    service_old_root "$name" "$old" "$old_suite" || because "the old service cannot be made" || return
    service_answers_in_root "$name" "$old" || because "the old service does not answer" || return
    policy=$(policy_of "$old")
    "$repo/fixtures/bases.sh" --root "$new_suite" "$new" || because "no new root" || return
  fi
  before=$(fingerprint "$old")

  started=$(now)
  regrow_does archive archive "$source" --output "$bundle" || return
  if [ "$way" = engine ]; then
    regrow_does restore restore "$bundle" --onto "$target" --name "$new" || return
  else
    regrow_does restore restore "$bundle" --onto "$target" || return
  fi
  seconds_since "$started" >"$scratch/seconds"
  stat -c %s "$bundle" >"$scratch/bytes"

  regrow_does verify verify "$bundle" || return
  bundle_is_readable "$bundle" || return
  [ "$(fingerprint "$old")" = "$before" ] || because "the old system has changed" || return
  if [ "$way" = engine ]; then
    engine_is_clean "$new" || return
    same_settings "$old" "$new" || return
    service_answers "$name" "$new" 2>"$scratch/answer" || because "it does not answer: $(wrong_answer)" || return
  else
    service_answers_in_root "$name" "$new" 2>"$scratch/answer" || because "it does not answer: $(wrong_answer)" || return
  fi
  new_system_is_sound "$new" || return
  [ "$(policy_of "$new")" = "$policy" ] || because "/usr/sbin/policy-rc.d is not what it was" || return
  if [ "$way" = engine ]; then
    docker stop --time 1 "$new" >/dev/null
    service_answers "$name" "$old" || because "the old service does not start any more" || return
  fi
}

choose_way() {
  case $1 in
  engine) start_engine || exit "$no_engine" ;;
  any) start_engine || { say "no engine: on plain roots"; way=rootfs; return; } ;;
  esac
  way=$1
  [ "$way" != any ] || way=engine
}

main() {
  local wanted=any name reason bad=0
  case ${1:-} in
  --engine | --rootfs)
    wanted=${1#--}
    shift
    ;;
  -*)
    usage
    exit 2
    ;;
  esac
  if [ $# -eq 0 ]; then
    cd "$services"
    set -- */
    set -- "${@%/}"
    cd "$repo"
  fi
  for name; do service_exists "$name" || fail 2 "there is no service '$name' in fixtures/services"; done
  need zstd
  need_regrow
  choose_way "$wanted"
  [ "$way" = rootfs ] || "$repo/fixtures/bases.sh" "$old_suite" "$new_suite"
  for name; do
    if [ "$way" = rootfs ] && [ -f "$services/$name/Dockerfile" ]; then
      printf '%s %s skipped: needs an engine\n' "$name" "$way"
      continue
    fi
    rm -f "$scratch/seconds" "$scratch/bytes"
    if scenario "$name" >"$scratch/reason"; then
      printf '%s %s pass %ss %s\n' "$name" "$way" "$(cat "$scratch/seconds")" "$(cat "$scratch/bytes")"
    else
      bad=1
      reason=$(tail -n 1 "$scratch/reason")
      printf '%s %s FAIL %s %ss %s\n' "$name" "$way" "${reason:-stopped early}" \
        "$(cat "$scratch/seconds" 2>/dev/null || echo -)" "$(cat "$scratch/bytes" 2>/dev/null || echo -)"
    fi
    if [ "$way" = engine ]; then
      service_forget "$mark_new"
      service_forget "$mark_old"
    fi
    rm -rf -- "$scratch/$name".*
  done
  return "$bad"
}

way=
main "$@"
