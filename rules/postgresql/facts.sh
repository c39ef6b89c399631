#!/bin/sh
# facts.sh VERSION CLUSTER: prints what a new cluster has to be made with, a line each: superuser, encoding, collation,
# character type, checksums, locale provider and its locale.
# Of an image's cluster: facts.sh DIRECTORY ''.
set -eu
case $1 in
  /*) PGHOST=/tmp PGUSER=$(cat /tmp/regrow-superuser); export PGHOST PGUSER ;;
  *) export PGCLUSTER="$1/$2" ;;
esac
runuser -u postgres -- psql -AtXqd template1 -v ON_ERROR_STOP=1 <<'SQL'
select concat_ws(E'\n', (select rolname from pg_roles where oid = 10),
pg_encoding_to_char(encoding), datcollate, datctype,
current_setting('data_checksums'),
coalesce(to_jsonb(d)->>'datlocprovider', 'c'),
coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', ''))
from pg_database d where datname = 'template1'
SQL
