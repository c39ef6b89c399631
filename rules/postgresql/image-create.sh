#!/bin/sh
# image-create.sh DIRECTORY VERSION OPTIONS <FACTS: makes an empty cluster in an image's place for it, with the configuration
# that lies there, and starts it for the import.
set -eu
data=$1 version=$2
# The options that matter to the data, a line each, as a shell reads them: pg_ctl gives them to one.
given=$(printf '%s\n' "$3" | sed "/^$/d; s/'/'\\\\''/g; s/.*/-c '&'/" | tr '\n' ' ')
IFS= read -r owner || :
IFS= read -r encoding || :
IFS= read -r collate || :
IFS= read -r ctype || :
IFS= read -r checksums || :
IFS= read -r provider || :
IFS= read -r locale || :

bin=/usr/lib/postgresql/$version/bin
[ -x "$bin/initdb" ] || bin=$(dirname "$(readlink -f "$(command -v initdb)")")
[ ! -e "$data/PG_VERSION" ] || { echo "$data has a cluster already" >&2; exit 1; }
# What lies there is configuration: it waits beside while the cluster is made.
kept=$(mktemp -d)
if [ -d "$data" ]; then find "$data" -mindepth 1 -maxdepth 1 -exec mv -- {} "$kept/" \;; fi
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
for file in "$kept"/* "$kept"/.[!.]*; do
  [ -e "$file" ] || continue
  there=${data:?}/${file##*/}
  rm -rf -- "$there"
  mv -- "$file" "$there"
  chown -R postgres:postgres "$there"
done
rmdir "$kept"

printf 'local all all trust\n' >/tmp/import_hba.conf
printf '%s\n' "$owner" >/tmp/regrow-superuser
chmod 644 /tmp/import_hba.conf /tmp/regrow-superuser
runuser -u postgres -- "$bin/pg_ctl" -D "$data" -w -t 300 -s -l /tmp/regrow-import.log start \
  -o "$given -c hba_file=/tmp/import_hba.conf -c listen_addresses= -c unix_socket_directories=/tmp -c archive_mode=off" ||
  { cat /tmp/regrow-import.log >&2; exit 1; }
