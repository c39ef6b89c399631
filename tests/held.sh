#!/usr/bin/env bash
# What a restore leaves to a person, service by service, and whether the service answers.
#
#   tests/held.sh [--table] [NAME...]
#
# NAME is a folder with a probe.sh in fixtures/services or fixtures/oracle; all of them unless given. --table writes
# docs/HELD.md. OLD and NEW name the suites, bullseye and trixie unless given; REGROW names a binary to be used. LINES
# names a file in which what was found is kept: services that stand there are not made again, so that a run can be
# interrupted, and what somebody says of an item later is in the next table.
#
# One line a service: name, whether it answers, exit codes of archive and restore, what was held by kind; each held item
# follows, with what somebody who looked at it says in fixtures/held.tsv: true, or false where nothing was the matter.
# Exit codes: 0 nothing was silent, and in a service on average at most one item is false; 1 else; 2 usage, 3 no engine,
# 7 the machine lacks something.
set -euo pipefail
# shellcheck source=../fixtures/machine.sh
. "$(dirname "$0")/../fixtures/machine.sh"
# shellcheck source=../fixtures/services.sh
. "$repo/fixtures/services.sh"

old_suite=${OLD:-bullseye} new_suite=${NEW:-trixie}
scratch=$(scratch_dir)
mark_old=regrow-held-$$-old mark_new=regrow-held-$$-new

clean_up() {
  service_forget "$mark_new"
  service_forget "$mark_old"
  rm -rf -- "$scratch"
}
at_the_end clean_up

# service NAME: its line, then its held items, tab-separated: name, kind, subject, why. Also sets $silent when it ended
# with 0 and does not answer.
service() {
  local name=$1 archived restored=- answers=yes
  service_folder "$name" probe.sh
  if ! service_old "$name" "$mark_old" "debian:$old_suite" || ! service_answers "$name" "$mark_old"; then
    echo "$name cannot be made"
    return 1
  fi
  docker stop --time 2 "$mark_old" >/dev/null
  archived=0
  "$regrow" archive "docker:$mark_old" --output "$scratch/$name.regrow" --json >"$scratch/archived" 2>"$scratch/errors" || archived=$?
  case $archived in
  0 | 3)
    restored=0
    "$regrow" restore "$scratch/$name.regrow" --onto "debian:$new_suite" --name "$mark_new" --json \
      >"$scratch/restored" 2>"$scratch/errors" || restored=$?
    ;;
  esac
  case $restored in
  0 | 3) service_answers "$name" "$mark_new" 2>"$scratch/answer" || answers=no ;;
  *) answers=no ;;
  esac
  python3 - "$name" "$answers" "$archived" "$restored" "$scratch" <<'PYTHON'
import collections, json, os, sys
name, answers, archived, restored, scratch = sys.argv[1:]
def read(file):
    try:
        with open(os.path.join(scratch, file)) as text:
            return json.load(text)
    except (OSError, ValueError):
        return {}
held, lost = [], []
for report in (read("archived"), read("restored")):
    held += [(h["kind"], h["subject"], h["why"]) for h in report.get("held", [])]
    lost += [("lost", l["subject"], "%s: %s" % (l["what"], l["why"])) for l in report.get("losses", [])]
items = sorted(set(held + lost))
kinds = collections.Counter(kind for kind, _, _ in items)
print(name, "answers" if answers == "yes" else "SILENT" if (archived, restored) == ("0", "0") else "named",
      "%s/%s" % (archived, restored), " ".join("%s %d" % pair for pair in sorted(kinds.items())) or "-")
for kind, subject, why in items:
    print("\t".join(["", name, kind, subject, "not looked at", " ".join(why.split())[:300]]))
if restored not in ("0", "3"):
    errors = open(os.path.join(scratch, "errors"), encoding="utf-8", errors="replace").read().split("\n")
    print("\t".join(["", name, "stopped", "-", "-", " ".join(errors[-8:])[:300]]))
PYTHON
}

# judged FILE: its lines, with what fixtures/held.tsv says of each item.
judged() {
  awk -F'\t' -v OFS='\t' '
    NR == FNR { if (NF >= 4 && $0 !~ /^#/) said[$1 FS $2 FS $3] = $4; next }
    $1 == "" && ($2 FS $3 FS $4) in said { $5 = said[$2 FS $3 FS $4] }
    { print }' "$repo/fixtures/held.tsv" "$1"
}

table() {
  python3 - "$1" "$old_suite" "$new_suite" <<'PYTHON'
import collections, sys
file, old, new = sys.argv[1:]
services, items = [], collections.defaultdict(list)
for line in open(file, encoding="utf-8"):
    line = line.rstrip("\n")
    if line.startswith("\t"):
        _, name, kind, subject, word, why = line.split("\t", 5)
        items[name].append((kind, subject, word, why))
    else:
        services.append(line.split(" ", 3))
print("# What is left to a person, measured\n")
print("Whole services, from Debian's %s to its %s: archived, restored, started and asked, each once. Written by\n"
      "`tests/held.sh --table`. Somebody looked at every held item and says whether something was the matter: `fixtures/held.tsv`.\n" % (old, new))
print("| service | it | archive/restore | held, by kind | true | false |\n|---|---|---|---|---:|---:|")
for name, answers, codes, kinds in services:
    words = collections.Counter(word for _, _, word, _ in items[name])
    print("| %s | %s | %s | %s | %d | %d |" % (name, answers, codes, kinds.replace("-", "") or " ", words["true"], words["false"]))
print("\n`answers`: everything that was asked of the old service is answered as it was. `named`: not all of it, and what is the\n"
      "reason was held or refused. `SILENT` would be neither.\n\n## The items\n\n| service | kind | about | true | why |\n|---|---|---|---|---|")
for name, _, _, _ in services:
    for kind, subject, word, why in items[name]:
        cell = lambda text: text.replace("|", "\\|").replace("<", "&lt;")
        print("| %s | %s | `%s` | %s | %s |" % (name, kind, subject.replace("|", "\\|").replace("`", "'"), word, cell(why)))
PYTHON
}

main() {
  local to_table="" name lines bad=0
  while [ $# -gt 0 ]; do
    case $1 in
    --table) to_table=1 ;;
    -*) usage; exit 2 ;;
    *) break ;;
    esac
    shift
  done
  [ $# -gt 0 ] || mapfile -t names < <(every_service_with probe.sh)
  [ $# -eq 0 ] || names=("$@")
  for name in "${names[@]}"; do service_folder "$name" probe.sh || fail 2 "there is no service '$name' with a probe"; done
  need python3
  need_regrow
  start_engine || exit "$no_engine"
  "$repo/fixtures/bases.sh" "$old_suite" "$new_suite"
  lines=${LINES:-$scratch/lines}
  touch "$lines"
  for name in "${names[@]}"; do
    ! grep -q "^$name " "$lines" || continue
    rm -f "$scratch/archived" "$scratch/restored" "$scratch/errors"
    service "$name" | judged - | tee -a "$lines" || bad=1
    service_forget "$mark_new"
    service_forget "$mark_old"
    rm -f "$scratch/$name.regrow"
  done
  judged "$lines" >"$scratch/judged"
  [ -z "$to_table" ] || table "$scratch/judged" >"$repo/docs/HELD.md"
  if grep -q '^[^ ]* SILENT' "$scratch/judged"; then bad=1; fi
  [ "$(awk -F'\t' '$1 == "" && $5 == "false"' "$scratch/judged" | wc -l)" -le "${#names[@]}" ] || bad=1
  return "$bad"
}

main "$@"
