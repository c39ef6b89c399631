#!/bin/sh
# stop.sh [VERSION]: takes away the user of the export or the import, stops the server, and leaves the file with which
# Debian says which version the data is of.
set -eu
client=$(command -v mariadb || command -v mysql)
"$client" --no-defaults -uregrow_export -pregrow --socket=/run/mysqld/regrow.sock \
  -e 'drop user regrow_export@localhost; shutdown'
while [ -e /run/mysqld/regrow.pid ]; do sleep 0.1; done
rm -f /tmp/regrow.log
[ $# = 0 ] || touch "/var/lib/mysql/debian-$1.flag"
