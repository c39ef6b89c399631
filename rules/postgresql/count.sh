#!/bin/sh
# count.sh VERSION CLUSTER: prints the rows of every table and the number of other objects of every database; of an
# image's cluster, count.sh DIRECTORY ''.
set -eu
case $1 in
  /*) PGHOST=/tmp PGUSER=$(cat /tmp/regrow-superuser); export PGHOST PGUSER ;;
  *) export PGCLUSTER="$1/$2" ;;
esac
export PGDATABASE=template1 PGOPTIONS='-c client_min_messages=error'

ask() { runuser -u postgres -- psql -AtXq -v ON_ERROR_STOP=1 "$@"; }

ask -c 'select datname from pg_database where datallowconn order by datname collate "C"' |
  while IFS= read -r database; do
    # A name in the environment is never read as more than a name.
    PGDATABASE=$database
    printf 'database %s\n' "$database"
    ask <<'SQL'
with own as (
  select c.oid, c.relkind, n.nspname, c.relname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass
                  and d.objid = c.oid and d.deptype = 'e'))
select line from (
select format('rows in %I.%I: %s', nspname, relname, (xpath('/row/n/text()',
  query_to_xml(format('select count(*) as n from %I.%I', nspname, relname),
               false, true, '')))[1])
from own where relkind in ('r', 'p', 'm')
union all
select format('objects of kind %s: %s', relkind, count(*))
from own where relkind not in ('t', 'c') group by relkind
union all
select format('large objects: %s', count(*)) from pg_largeobject_metadata)
as lines(line) order by line collate "C";
SQL
  done
