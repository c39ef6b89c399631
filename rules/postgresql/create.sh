#!/bin/sh
# create.sh VERSION CLUSTER OLD <FACTS: makes an empty cluster as the one of version OLD was, and starts it for the
# import.
#
# The new package's own empty cluster gives way. A data directory in another place than the package's is moved aside, not
# removed: it is not the package's. What the server itself was told by ALTER SYSTEM stays, and so do certificates.
set -eu
version=$1 cluster=$2 old=$3
# The last ones may be missing.
IFS= read -r owner || :
IFS= read -r encoding || :
IFS= read -r collate || :
IFS= read -r ctype || :
IFS= read -r checksums || :
IFS= read -r provider || :
IFS= read -r locale || :

data=$(pg_conftool -s "$version" "$cluster" show data_directory)
bin=/usr/lib/postgresql/$version/bin
kept=$(mktemp -d)
for file in postgresql.auto.conf server.crt server.key root.crt root.crl; do
  if [ -e "$data/$file" ] || [ -L "$data/$file" ]; then cp -a -- "$data/$file" "$kept/"; fi
done
if [ "$data" = "/var/lib/postgresql/$version/$cluster" ]; then
  rm -rf -- "$data"
elif [ -e "$data" ]; then
  mv -- "$data" "$data.$old"
fi
install -d -o postgres -g postgres "${data%/*}"
install -d -o postgres -g postgres -m 700 "$data"

set -- -D "$data" -U "$owner" -E "$encoding" --lc-collate="$collate" --lc-ctype="$ctype"
if [ "$checksums" = on ]; then
  set -- "$@" --data-checksums
elif "$bin/initdb" --help | grep -q no-data-checksums; then
  set -- "$@" --no-data-checksums
fi
case $provider in
  i) set -- "$@" --locale-provider=icu --icu-locale="$locale" ;;
  b) set -- "$@" --locale-provider=builtin --builtin-locale="$locale" ;;
esac
cd /
runuser -u postgres -- "$bin/initdb" --no-instructions "$@"
rm -f -- "$data/postgresql.conf" "$data/pg_hba.conf" "$data/pg_ident.conf"
cp -a -- "$kept/." "$data/"
rm -rf -- "$kept"
chown postgres:postgres "$data"
chmod 700 "$data"

printf 'local all all trust\n' >"$data/import_hba.conf"
chown postgres: "$data/import_hba.conf"
pg_ctlcluster --skip-systemctl-redirect "$version" "$cluster" start \
  -o "-c hba_file=$data/import_hba.conf -c listen_addresses= -c archive_mode=off"
