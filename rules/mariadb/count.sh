#!/bin/sh
# Prints the rows of every table and the number of other objects.
set -eu
set -- --no-defaults -uregrow_export -pregrow --socket=/run/mysqld/regrow.sock -BN
client=$(command -v mariadb || command -v mysql)
"$client" "$@" <<'SQL' | "$client" "$@"
select concat('select ', quote(concat('rows in ', table_schema, '.', table_name, ': ')),
  ', count(*) from `', replace(table_schema, '`', '``'), '`.`', replace(table_name, '`', '``'), '`;')
from information_schema.tables where table_type = 'BASE TABLE'
and table_schema not in ('mysql', 'sys', 'information_schema', 'performance_schema')
order by binary table_schema, binary table_name;
SQL
"$client" "$@" <<'SQL'
select 'views', count(*) from information_schema.views where table_schema not in ('mysql', 'sys');
select 'routines', count(*) from information_schema.routines where routine_schema not in ('mysql', 'sys');
select 'triggers', count(*) from information_schema.triggers where trigger_schema not in ('mysql', 'sys');
select 'events', count(*) from information_schema.events where event_schema not in ('mysql', 'sys');
SQL
