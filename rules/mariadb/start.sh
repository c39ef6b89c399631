#!/bin/sh
# start.sh OPTIONS: starts the server for its export, with a user of the export's own, as root may have a password.
set -eu
# The options that matter to the data, a line each: as they are written behind the server's name.
options=$1
set --
while IFS= read -r option; do
  [ -z "$option" ] || set -- "$@" "--$option"
done <<OPTIONS
$options
OPTIONS
server=$(command -v mariadbd || command -v mysqld)
admin=$(command -v mariadb-admin || command -v mysqladmin)
install -d -o mysql -g mysql -m 755 /run/mysqld
printf '%s\n' "create or replace user regrow_export@localhost identified by 'regrow';" \
  'grant all on *.* to regrow_export@localhost with grant option;' >/run/mysqld/regrow.sql
chmod 644 /run/mysqld/regrow.sql
setsid "$server" "$@" --user=mysql --skip-networking --skip-name-resolve=0 --skip-slave-start --event-scheduler=OFF \
  --socket=/run/mysqld/regrow.sock --pid-file=/run/mysqld/regrow.pid --init-file=/run/mysqld/regrow.sql \
  --max-allowed-packet=1G --log-error=/tmp/regrow.log </dev/null >/dev/null 2>&1 &
until "$admin" --no-defaults -uregrow_export -pregrow --socket=/run/mysqld/regrow.sock ping >/dev/null 2>&1; do
  kill -0 "$!" 2>/dev/null || { cat /tmp/regrow.log >&2; exit 1; }
  sleep 0.2
done
