#!/usr/bin/env bash
# What a later release breaks is noticed, kind by kind, and each time by the defence that is there for it.
#
#   tests/defences.sh [SUITE...]
#
# An old container has one thing of each kind in it (fixtures/defences). It is archived once, and restored onto every
# SUITE, bookworm and trixie unless given: twice each, by regrow as it is, and by a regrow that is built here from the
# same source with the defences taken out. What fixtures/defences/expected lists has to be told by the first, held or as
# a step, and not by the second. REGROW names a binary to be used instead of building the first one.
# Exit codes: 0 all is so, 1 not all, 2 usage, 3 no engine, 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"
# shellcheck source=../fixtures/services.sh
. "$repo/fixtures/services.sh"

services=$repo/fixtures
expected=$services/defences/expected
scratch=$(scratch_dir)
mark=regrow-defences-$$

clean_up() {
  service_forget "$mark-new"
  service_forget "$mark-old"
  rm -rf -- "$scratch"
}
at_the_end clean_up

# without FILE TEXT REPLACEMENT: takes one defence out of the copied source. TEXT is one line, whole but for its indent.
without() {
  grep -qF -- "$2" "$scratch/source/src/$1" || fail 1 "the defence \`$2\` is not in src/$1 any more: this script has to follow"
  python3 - "$scratch/source/src/$1" "$2" "$3" <<'PYTHON'
import sys
file, old, new = sys.argv[1:]
with open(file, encoding="utf-8") as source:
    text = source.read()
with open(file, "w", encoding="utf-8") as source:
    source.write(text.replace(old, new, 1))
PYTHON
}

# build_without: sets $bare to a regrow without the defences.
build_without() {
  local part
  mkdir "$scratch/source"
  for part in Cargo.toml Cargo.lock rust-toolchain.toml src rules migrations-db benches examples tests; do
    [ ! -e "$repo/$part" ] || cp -R "$repo/$part" "$scratch/source/"
  done
  # References, and what is installed for them.
  without references/mod.rs 'LOOKS.get(round).copied().unwrap_or_default()' '[] as [Look; 0]'
  without references/mod.rs 'round + 1 == ROUNDS' 'false'
  without restore/packages/stage.rs 'further::leads(archived, zones, &survey.locales)' 'further::leads(archived, &[], &[])'
  without restore/planner.rs 'locales::make(inputs, draft, decisions).map_err(unreadable)' 'Ok(())'
  # What packages say.
  without restore/planner.rs 'unread::follow(&known, draft, decisions)?;' ''
  # Defaults.
  without restore/planner.rs 'defaults::compare_all(&change, &planner.before, draft, decisions)' 'Ok(())'
  say "building regrow without its defences"
  quietly env CARGO_TARGET_DIR="$repo/target/defences" \
    cargo build --manifest-path "$scratch/source/Cargo.toml" || fail 1 "it does not build"
  bare=$repo/target/defences/debug/regrow
}

# told FILE: what a restore's report says, a line each: held, kind, subject, why; or step and its words.
told() {
  python3 - "$1" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as text:
    report = json.load(text)
for held in report.get("held", []):
    print("held", held["kind"], held["subject"], " ".join(held["why"].split()))
for loss in report.get("losses", []):
    print("lost", loss["subject"], loss["what"], loss["why"])
for step in report.get("steps", []):
    print("step", json.dumps(step))
PYTHON
}

# restored BINARY SUITE OPTION...: prints what a restore tells.
restored() {
  local binary=$1 suite=$2 code=0
  shift 2
  "$binary" restore "$scratch/bundle" --onto "debian:$suite" --name "$mark-new" --json "$@" \
    >"$scratch/report" 2>"$scratch/errors" || code=$?
  service_forget "$mark-new"
  [ "$code" = 0 ] || [ "$code" = 3 ] || { tail -n 5 "$scratch/errors" >&2; fail 1 "a restore onto $suite ends with $code"; }
  told "$scratch/report"
}

# compare SUITE: a line for each thing that is expected on SUITE; fails when one is not so.
compare() {
  local suite=$1 what suites line bad=0 with without
  while IFS=$'\t' read -r what suites line; do
    case $what in '' | '#'*) continue ;; esac
    [[ " $suites " == *" $suite "* || $suites = all ]] || continue
    with=no without=no
    ! grep -qE -- "$line" "$scratch/with" || with=yes
    ! grep -qE -- "$line" "$scratch/without" || without=yes
    case $with$without in
    yesno) printf '%s %s: noticed, and not without its defence\n' "$suite" "$what" ;;
    yesyes) printf '%s %s: FAIL, told without its defence too\n' "$suite" "$what" && bad=1 ;;
    *) printf '%s %s: FAIL, not noticed\n' "$suite" "$what" && bad=1 ;;
    esac
  done <"$expected"
  return "$bad"
}

main() {
  local suite bad=0 code=0
  [[ "${1:-}" != -* ]] || { usage; exit 2; }
  [ $# -gt 0 ] || set -- bookworm trixie
  need python3
  need_regrow
  start_engine || exit "$no_engine"
  "$repo/fixtures/bases.sh" bullseye "$@"
  build_without
  service_old defences "$mark-old" debian:bullseye || fail 1 "the old container cannot be made"
  "$regrow" archive "docker:$mark-old" --output "$scratch/bundle" --json >/dev/null 2>"$scratch/errors" || code=$?
  [ "$code" = 0 ] || { tail -n 5 "$scratch/errors" >&2; fail 1 "the archive ends with $code"; }
  for suite; do
    restored "$regrow" "$suite" >"$scratch/with"
    restored "$bare" "$suite" --no-check >"$scratch/without"
    compare "$suite" || bad=1
  done
  return "$bad"
}

main "$@"
