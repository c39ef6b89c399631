#!/bin/sh
# Prints all databases and accounts as SQL.
set -eu
set -- --no-defaults -uregrow_export -pregrow --socket=/run/mysqld/regrow.sock
client=$(command -v mariadb || command -v mysql)
dump=$(command -v mariadb-dump || command -v mysqldump)
databases=$("$client" "$@" -BNe "select schema_name from information_schema.schemata
  where schema_name not in ('mysql', 'sys', 'information_schema', 'performance_schema')
  order by binary schema_name")
# All at once: views of one database may look into another, and come last.
if [ -n "$databases" ]; then
  printf '%s\n' "$databases" | tr '\n' '\0' |
    xargs -0 "$dump" "$@" --max-allowed-packet=1G --routines --events --triggers \
      --single-transaction --hex-blob --default-character-set=utf8mb4 --skip-dump-date --databases
fi
# Accounts are shown by a view, which compares with nothing in another collation than the one it was made in: it is made
# again, in this copy.
view=$("$client" "$@" -rBNe "select view_definition from information_schema.views where table_schema = 'mysql' and table_name = 'user'")
[ -z "$view" ] || "$client" "$@" --default-character-set=utf8mb4 -e "create or replace sql security invoker view mysql.user as $view"
# What is granted has to be there first.
"$dump" "$@" --default-character-set=utf8mb4 --system=users,servers,udfs,timezones --replace --skip-dump-date >/tmp/accounts.sql
# shellcheck disable=SC2016 # SQL quotes names with backticks.
grep -vF '`regrow_export`@`localhost`' /tmp/accounts.sql
