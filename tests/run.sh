#!/usr/bin/env bash
# Everything that must hold, on a Debian machine as root: installs what it needs, except Rust.
#
#   tests/run.sh
#
# Formatting, lints, shell scripts, unit and integration tests, rules, whole services, what is kept of some of them, the
# commands in the documentation.
# All parts are run, also after one has failed; those that failed are named at the end.
# Exit codes: 0 all hold, 1 not all, 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"

failed=()

part() {
  local name=$1 started
  shift
  started=$(now)
  printf '\n== %s\n' "$name"
  if "$@"; then
    printf -- '-- %s: pass, %s s\n' "$name" "$(seconds_since "$started")"
  else
    printf -- '-- %s: FAIL, %s s\n' "$name" "$(seconds_since "$started")"
    failed+=("$name")
  fi
}

scripts_are_clean() {
  local scripts
  shellcheck fixtures/*.sh fixtures/rpm/*.sh fixtures/oracle/*.sh tests/*.sh benches/*.sh .ci/run
  # Parts of a service are given to a shell inside it, some to a plain sh.
  shellcheck --shell=bash fixtures/services/*/*.sh fixtures/services/*/*/*.sh fixtures/oracle/*/*.sh
  # Scripts of rules, and those that the program brings: each says its shell.
  mapfile -t scripts < <(find rules src -name '*.sh')
  shellcheck "${scripts[@]}"
}

cd "$repo"
need_toolchain
for component in fmt clippy; do
  cargo "$component" --version >/dev/null 2>&1 || fail "$no_machine" "needs cargo $component: rustup component add rustfmt clippy"
done
# Oracles of the tests (tar, dpkg, rpm, pacman, getfacl, ...), and what the services are made with.
need acl attr ca-certificates db5.3-util dpkg-dev e2fsprogs fakeroot file git iproute2 libarchive-tools libcap2-bin makepkg mmdebstrap \
  pacman-package-manager procps python3 rpm shellcheck sqlite3 strace xz-utils zstd
if start_engine; then
  fixtures/bases.sh bullseye trixie
else
  say "no engine: services are tried on plain roots, and what needs an engine is not tried"
fi

part "formatting" cargo fmt --check
part "lints" cargo clippy --all-targets --locked -- -D warnings
part "shell" scripts_are_clean
part "tests" cargo test --locked
part "build" cargo build --release --locked
need_regrow
export REGROW=$regrow
part "many of everything" cargo test --locked --test hostile_root --test broken_packages -- --ignored a19 d04
part "rules" "$regrow" rules lint rules
part "services" tests/scenarios.sh
# One of them here; all of them, and what they keep, are in docs/SPLIT.md.
if engine_answers; then part "split" tests/oracle.sh sshd; fi
part "documentation" tests/docs.sh

echo
if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAIL: %s\n' "${failed[@]}"
  exit 1
fi
echo "all pass"
