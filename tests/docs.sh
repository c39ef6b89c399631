#!/usr/bin/env bash
# Runs the commands that the documentation quotes.
#
#   tests/docs.sh [--check] [FILE.md...]      README.md, CONTRIBUTING.md, SECURITY.md, docs/*.md and rules/README.md unless given
#
# With --check nothing is run, and regrow is not needed: every block ends and is shell, and every link to a file of the
# repository leads to one.
#
# Every block fenced as ```sh is run, those of one file in order by one shell, in a directory of its own that looks like
# the repository's and has the release binary in PATH. What a reader need not see, a comment gives:
#
#   <!-- sh
#   fixtures/old.sh samba fileserver
#   -->
#
# Other blocks (```console, ```text) are not run. A line that runs these tests is left out. Exit code 3 of regrow is
# "done, with something to report", and no failure here. REGROW names a binary to be used instead of building one.
# Exit codes: 0 all commands run, 1 not all, 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"

scratch=$(scratch_dir)
at_the_end "rm -rf -- ${scratch@Q}"

# commands FILE: prints a script of the file's blocks; each tells where it begins.
commands() {
  awk -v file="$1" '
    !inside && /^ *(```sh|<!-- sh) *$/ {
      inside = /```/ ? "```" : "-->"
      indent = match($0, /[^ ]/) - 1
      printf "here=%s:%d\n", file, NR
      next
    }
    inside && index($0, inside) == indent + 1 { inside = ""; next }
    inside && /(tests\/run\.sh|\.ci\/run)/ { next }
    inside { print substr($0, indent + 1) }
    END { if (inside) { print "a block of " file " does not end" > "/dev/stderr"; exit 1 } }' "$repo/$1"
}

# A place that looks like the repository's top, where what a command leaves does no harm.
working_copy() {
  local dir=$1 entry
  mkdir "$dir"
  for entry in "$repo"/*; do
    case ${entry##*/} in target) ;; *) ln -s "$entry" "$dir/" ;; esac
  done
}

# check_file FILE: what can be said of it without running anything.
check_file() {
  local file=$1 target bad=0
  commands "$file" >"$scratch/blocks" && bash -n "$scratch/blocks" || bad=1
  while read -r target; do
    [ -e "$(dirname "$file")/$target" ] || { printf '%s: no file %s\n' "$file" "$target"; bad=1; }
  done < <(grep -oE '\]\([^)#]+' "$file" | sed 's/^](//' | grep -v '://' || true)
  [ "$bad" = 0 ]
}

run_file() {
  local file=$1 script dir
  dir=$scratch/$(printf '%s' "$file" | tr '/' '_')
  script=$dir.sh
  {
    printf '%s\n' 'set -Eeuo pipefail' "trap 'printf \"%s: fails: %s\\n\" \"\$here\" \"\$BASH_COMMAND\" >&2' ERR"
    commands "$file"
  } >"$script"
  if ! grep -q '^here=' "$script"; then
    printf '%s: no commands\n' "$file"
    return
  fi
  working_copy "$dir"
  if (cd "$dir" && timeout 1800 bash "$script") </dev/null >"$dir.log" 2>&1; then
    printf '%s: pass, %d blocks\n' "$file" "$(grep -c '^here=' "$script")"
  else
    printf '%s: FAIL\n' "$file"
    tail -n 30 "$dir.log" | sed 's/^/    /'
    return 1
  fi
}

cd "$repo"
check=
if [ "${1:-}" = --check ]; then
  check=1
  shift
fi
if [ $# -eq 0 ]; then
  for file in README.md CONTRIBUTING.md SECURITY.md docs/*.md rules/README.md; do
    [ ! -f "$file" ] || set -- "$@" "$file"
  done
fi
bad=0
if [ -n "$check" ]; then
  for file; do check_file "$file" || bad=1; done
  exit "$bad"
fi
need_regrow
mkdir "$scratch/bin"
cat >"$scratch/bin/regrow" <<SHIM
#!/bin/sh
'$regrow' "\$@"
code=\$?
[ \$code = 3 ] || exit \$code
SHIM
chmod 755 "$scratch/bin/regrow"
export PATH="$scratch/bin:$PATH" REGROW=$regrow CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repo/target}

for file; do run_file "$file" || bad=1; done
exit "$bad"
