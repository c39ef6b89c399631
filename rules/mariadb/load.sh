#!/bin/sh
# load.sh <DUMP: loads what dump.sh printed.
set -eu
exec mariadb --no-defaults -uregrow_export -pregrow --socket=/run/mysqld/regrow.sock \
  --max-allowed-packet=1G --default-character-set=utf8mb4
