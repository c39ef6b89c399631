#!/bin/sh
# decisions.sh VERSION: switches modules on and off as a person did, by the records of phpenmod.
set -eu
for record in "/var/lib/php/modules/$1"/*/*_by_admin/*; do
  [ -f "$record" ] || continue
  module=${record##*/} dir=${record%/*}
  sapi=${dir%/*}
  sapi=${sapi##*/}
  case ${dir##*/} in
    enabled_by_admin) [ ! -f "/etc/php/$1/mods-available/$module.ini" ] || phpenmod -v "$1" -s "$sapi" "$module" ;;
    disabled_by_admin) phpdismod -v "$1" -s "$sapi" "$module" ;;
  esac
done
