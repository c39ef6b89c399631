#!/bin/sh
# image-dump.sh: dumps the cluster that image-start.sh started.
set -eu
PGHOST=/tmp PGUSER=$(cat /tmp/regrow-superuser) exec runuser -u postgres -- pg_dumpall
