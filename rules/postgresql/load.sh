#!/bin/sh
# load.sh VERSION CLUSTER <DUMP: loads what pg_dumpall wrote.
#
# The superuser exists already; the line that would make it again is the only one left out. It stands among the roles,
# before the first database.
# Of an image's cluster: load.sh DIRECTORY ''.
set -eu
case $1 in
  /*) PGHOST=/tmp PGUSER=$(cat /tmp/regrow-superuser); export PGHOST PGUSER ;;
  *) export PGCLUSTER="$1/$2" ;;
esac
export PGDATABASE=template1 PGOPTIONS='-c client_min_messages=error'

sql() { runuser -u postgres -- psql -Xq "$@"; }

superuser='select rolname from pg_roles where oid = 10'
owner=$(sql -AtU postgres -c "$superuser" </dev/null || sql -Atc "$superuser" </dev/null)
{
  while IFS= read -r line; do
    case $line in
      "CREATE ROLE $owner;" | "CREATE ROLE \"$owner\";") continue ;;
    esac
    printf '%s\n' "$line"
    case $line in '\connect '*) break ;; esac
  done
  cat
} | sql -v ON_ERROR_STOP=1 -U "$owner" >/dev/null
