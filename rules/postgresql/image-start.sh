#!/bin/sh
# image-start.sh DIRECTORY OPTIONS: starts the cluster of an image for its export, by the server of its own version.
#
# It gets rules of its own for who may connect, so that the cluster's own need not let the export in.
set -eu
data=$1
bin=/usr/lib/postgresql/$(cat "$data/PG_VERSION")/bin
[ -x "$bin/pg_ctl" ] || bin=$(dirname "$(readlink -f "$(command -v pg_ctl)")")
printf 'local all all trust\n' >/tmp/export_hba.conf
chmod 644 /tmp/export_hba.conf
# The options that matter to the data, a line each, as a shell reads them: pg_ctl gives them to one.
given=$(printf '%s\n' "$2" | sed "/^$/d; s/'/'\\\\''/g; s/.*/-c '&'/" | tr '\n' ' ')
cd /
runuser -u postgres -- "$bin/pg_ctl" -D "$data" -w -t 300 -s -l /tmp/regrow-export.log start \
  -o "$given -c hba_file=/tmp/export_hba.conf -c listen_addresses= -c unix_socket_directories=/tmp -c archive_mode=off" >&2 ||
  { cat /tmp/regrow-export.log >&2; exit 1; }
for user in "${POSTGRES_USER:-postgres}" postgres; do
  found=$(runuser -u postgres -- psql -h /tmp -U "$user" -AtXqd template1 -c 'select rolname from pg_roles where oid = 10') && break
done
[ "$found" ] || { echo 'the superuser has another name than POSTGRES_USER and postgres' >&2; exit 1; }
printf '%s\n' "$found" >/tmp/regrow-superuser
chmod 644 /tmp/regrow-superuser
