#!/bin/sh
# stop.sh VERSION CLUSTER: stops a cluster after its export or its import.
set -eu
pg_ctlcluster --skip-systemctl-redirect "$1" "$2" stop
# Only the import has made one.
rm -f -- "$(pg_conftool -s "$1" "$2" show data_directory)/import_hba.conf"
