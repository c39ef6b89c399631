#!/usr/bin/env bash
# Everything that must hold, or the parts of it that are named.
#
#   tests/run.sh                 all parts, in this order; on a Debian machine as root
#   tests/run.sh PART...         these parts
#   tests/run.sh fast            the parts that need neither root nor an engine, and not long
#   tests/run.sh --list          the parts, what each needs, and what it shows
#
# Each part installs what it needs, except Rust; whoever is not root has to have it already. All parts are run, also after
# one has failed; those that failed, and those that could not be run here, are named at the end.
# Exit codes: 0 all hold, 1 not all, 2 usage, 7 the machine lacks something that a part needs, and nothing failed.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"

# Name, what it needs besides Rust (`fast`: nothing that an ordinary user lacks), what it shows.
parts='
formatting     fast         the form of the code
lints          fast         clippy, warnings are errors
shell          fast         shellcheck over all shell scripts; needs shellcheck
unit           fast         the tests inside the modules
data           fast         rules, the cases that prove them, and who may use whom
command        fast         what the command line refuses, and how
example        fast         the library as another program uses it
pages          fast         blocks and links of the documentation, nothing run
oracles        root         package databases against dpkg, rpm, pacman and apk themselves
roots          root         unpacked roots: hostile, damaged, changing; a Debian 13 is made or taken from an engine
engine         root+engine  containers, volumes, images, and what lies in tars
build          -            the release binary
many           root         many of everything, with the release binary
rules          -            the rules, read by the release binary
services       root         whole services from Debian 11 to 13, in containers where an engine answers
split          root+engine  what is kept of one service, against what differs; all of them are in docs/SPLIT.md
images         root+engine  containers of two images, onto a base system and onto successors; all are in docs/IMAGES.md
documentation  root         the commands in the documentation, run
'

# Each test binary is named by exactly one part; tests/layering.rs looks.
data_tests='cases formats layering rules schema'
command_tests='cli'
oracle_tests='apk_oracle dpkg_oracle pacman_oracle rpm_oracle'
root_tests='broken_packages changing_source hostile_root namespace roots rule_commands'
engine_tests='cli_engine engine observe plan_engine tar_sources'

# ---- what parts need; each ends the part with exit code 7 where it cannot be had

need_program() { command -v "$1" >/dev/null || need "${2:-$1}"; }
need_root() { [ "$(id -u)" = 0 ] || fail "$no_machine" "needs root"; }
need_component() {
  need_toolchain
  cargo "$1" --version >/dev/null 2>&1 || fail "$no_machine" "needs cargo $1: rustup component add rustfmt clippy"
}
need_engine() {
  need_root
  start_engine || fail "$no_machine" "needs an engine"
  fixtures/bases.sh bullseye trixie || fail "$no_machine" "needs images of Debian 11 and 13"
}
need_root_tools() {
  need_root
  need acl attr ca-certificates e2fsprogs fakeroot file git iproute2 libarchive-tools libcap2-bin mmdebstrap procps python3 \
    sqlite3 strace xz-utils zstd
}

# tests NAME...: runs these test binaries.
tests() {
  local name arguments=()
  need_toolchain
  for name; do arguments+=(--test "$name"); done
  cargo test --locked "${arguments[@]}"
}

# ---- the parts

part_formatting() { need_component fmt && cargo fmt --check; }
part_lints() { need_component clippy && cargo clippy --all-targets --locked -- -D warnings; }
part_shell() {
  local bad=0 found
  need_program shellcheck
  shellcheck fixtures/*.sh fixtures/rpm/*.sh fixtures/oracle/*.sh tests/*.sh benches/*.sh .ci/run || bad=1
  # Parts of a service are given to a shell inside it, some to a plain sh.
  shellcheck --shell=bash fixtures/services/*/*.sh fixtures/services/*/*/*.sh fixtures/oracle/*/*.sh fixtures/defences/*.sh || bad=1
  # Those of images are sourced or run by tests/images.sh, and source what lies beside their folder.
  shellcheck -x --source-path=SCRIPTDIR fixtures/images/*.sh fixtures/images/*/*.sh fixtures/images/*/*/*.sh || bad=1
  # Scripts of the program and of its rules say themselves which shell they are for.
  mapfile -t found < <(find src rules -name '*.sh')
  shellcheck "${found[@]}" || bad=1
  return "$bad"
}
part_unit() { need_toolchain && cargo test --locked --lib --bins; }
# shellcheck disable=SC2086 # lists of words
part_data() { tests $data_tests; }
# shellcheck disable=SC2086
part_command() { tests $command_tests; }
part_example() {
  local root verdicts
  need_toolchain
  root=$(scratch_dir) || return
  # shellcheck disable=SC2064 # the directory of this part
  trap "rm -rf -- '$root'" EXIT
  mkdir "$root/etc" "$root/srv"
  printf 'ID=debian\nVERSION_ID="13"\n' >"$root/etc/os-release"
  printf 'what nobody else has\n' >"$root/srv/data"
  verdicts=$(cargo run --quiet --locked --example verdicts -- "$root") || return
  printf '%s\n' "$verdicts"
  grep -q '^mutable  */srv/data  ' <<<"$verdicts"
}
part_pages() { tests/docs.sh --check; }
part_oracles() {
  need_root_tools
  need db5.3-util dpkg-dev makepkg pacman-package-manager rpm
  # shellcheck disable=SC2086
  tests $oracle_tests
}
part_roots() {
  need_root_tools
  # Cases about a container are skipped aloud without an engine.
  (start_engine && fixtures/bases.sh trixie) || say "no engine: what is about one is skipped"
  # shellcheck disable=SC2086
  tests $root_tests
}
# shellcheck disable=SC2086
part_engine() { need_root_tools && need_engine && tests $engine_tests; }
part_build() { need_toolchain && cargo build --release --locked; }
part_many() {
  need_root_tools
  need_regrow
  REGROW=$regrow cargo test --locked --test hostile_root --test broken_packages -- --ignored a19 d04
}
part_rules() { need_regrow && "$regrow" rules lint rules; }
part_services() {
  need_root
  start_engine || say "no engine: services are tried on plain roots"
  need_regrow
  REGROW=$regrow tests/scenarios.sh
}
part_split() { need_engine && need_regrow && REGROW=$regrow tests/oracle.sh sshd; }
part_images() { need_engine && need_regrow && REGROW=$regrow tests/images.sh redis nginx; }
part_documentation() { need_root && need_regrow && REGROW=$regrow tests/docs.sh; }

# ---- the run

names() { awk 'NF { print $1 }' <<<"$parts"; }
fast() { awk '$2 == "fast" { print $1 }' <<<"$parts"; }

failed=() lacking=()

# run PART: in a shell of its own, so that one that cannot go on ends itself only.
run() {
  local name=$1 started code=0
  started=$(now)
  printf '\n== %s\n' "$name"
  ("part_$name") || code=$?
  case $code in
  0) printf -- '-- %s: pass, %s s\n' "$name" "$(seconds_since "$started")" ;;
  "$no_machine")
    printf -- '-- %s: NOT RUN, %s s\n' "$name" "$(seconds_since "$started")"
    lacking+=("$name")
    ;;
  *)
    printf -- '-- %s: FAIL, %s s\n' "$name" "$(seconds_since "$started")"
    failed+=("$name")
    ;;
  esac
}

cd "$repo"
wanted=()
for word; do
  case $word in
  --list)
    printf '%s' "${parts#?}"
    exit 0
    ;;
  -h | --help)
    usage
    exit 0
    ;;
  fast) mapfile -t -O "${#wanted[@]}" wanted < <(fast) ;;
  *)
    names | grep -qxF -- "$word" || fail 2 "no part is called $word; --list shows them"
    wanted+=("$word")
    ;;
  esac
done
[ $# -gt 0 ] || mapfile -t wanted < <(names)
for name in "${wanted[@]}"; do run "$name"; done

echo
[ ${#failed[@]} -eq 0 ] || printf 'FAIL: %s\n' "${failed[@]}"
[ ${#lacking[@]} -eq 0 ] || printf 'NOT RUN: %s\n' "${lacking[@]}"
[ ${#failed[@]} -eq 0 ] || exit 1
[ ${#lacking[@]} -eq 0 ] || exit "$no_machine"
echo "all pass"
