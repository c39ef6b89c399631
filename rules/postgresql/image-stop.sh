#!/bin/sh
# image-stop.sh DIRECTORY: stops the cluster of an image after its export or its import.
set -eu
bin=/usr/lib/postgresql/$(cat "$1/PG_VERSION")/bin
[ -x "$bin/pg_ctl" ] || bin=$(dirname "$(readlink -f "$(command -v pg_ctl)")")
cd /
runuser -u postgres -- "$bin/pg_ctl" -D "$1" -w -t 300 -s -m fast stop
rm -f -- /tmp/export_hba.conf /tmp/import_hba.conf /tmp/regrow-superuser /tmp/regrow-export.log /tmp/regrow-import.log
