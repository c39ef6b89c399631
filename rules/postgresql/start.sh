#!/bin/sh
# start.sh VERSION CLUSTER: starts a cluster for its export.
#
# It gets rules of its own for who may connect, so that the cluster's own need not let the export in.
set -eu
printf 'local all all trust\n' >/tmp/export_hba.conf
chmod 644 /tmp/export_hba.conf
pg_ctlcluster --skip-systemctl-redirect "$1" "$2" start \
  -o '-c hba_file=/tmp/export_hba.conf -c listen_addresses= -c archive_mode=off'
