#!/bin/sh
# create.sh OPTIONS: makes an empty database in place of the new package's own, and starts the server for the import.
#
# What has been placed there stays. There is no account but MariaDB's own and, until the import is over, its user.
set -eu
# The options that matter to the data, a line each: as they are written behind the server's name.
options=$1
set --
while IFS= read -r option; do
  [ -z "$option" ] || set -- "$@" "--$option"
done <<OPTIONS
$options
OPTIONS
data=/var/lib/mysql
for option; do
  case $option in --datadir=*) data=${option#*=} ;; esac
done
install -d -o mysql -g mysql -m 755 /run/mysqld
kept=$(mktemp -d)
find "$data" -mindepth 1 -maxdepth 1 '(' -name '*.cnf' -o -name '*.pem' ')' -exec mv -t "$kept" -- {} +
find "$data" -mindepth 1 -delete
chown mysql:mysql "$data"
mariadb-install-db "$@" --user=mysql --datadir="$data" --skip-test-db >/tmp/regrow.log 2>&1 || {
  cat /tmp/regrow.log >&2
  exit 1
}
setsid mariadbd "$@" --user=mysql --skip-networking --skip-name-resolve=0 --skip-slave-start --event-scheduler=OFF \
  --socket=/run/mysqld/regrow.sock --pid-file=/run/mysqld/regrow.pid \
  --max-allowed-packet=1G --log-error=/tmp/regrow.log </dev/null >/dev/null 2>&1 &
until mariadb-admin --no-defaults --socket=/run/mysqld/regrow.sock ping >/dev/null 2>&1; do
  kill -0 "$!" 2>/dev/null || { cat /tmp/regrow.log >&2; exit 1; }
  sleep 0.2
done
find "$kept" -mindepth 1 -maxdepth 1 -exec mv -t "$data" -- {} +
rmdir "$kept"
mariadb --no-defaults --socket=/run/mysqld/regrow.sock -e "
  create user regrow_export@localhost identified by 'regrow';
  grant all on *.* to regrow_export@localhost with grant option;
  grant proxy on ''@'%' to regrow_export@localhost with grant option"
set -- --no-defaults -uregrow_export -pregrow --socket=/run/mysqld/regrow.sock
mariadb "$@" -BNe "select concat('drop user ', quote(user), '@', quote(host), ';') from mysql.user
  where is_role = 'N' and user not in ('regrow_export', 'mariadb.sys')" | mariadb "$@"
