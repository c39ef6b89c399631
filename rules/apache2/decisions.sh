#!/bin/sh
# Switches on and off what a person did, by the records of a2enmod and its like. What went first gives way to what came.
set -eu
for act in dis en; do
  for record in /var/lib/apache2/*/"$act"abled_by_admin/*; do
    [ -f "$record" ] || continue
    name=${record##*/} kind=${record#/var/lib/apache2/}
    case ${kind%%/*} in
      module) tool=mod available=mods-available/$name.load ;;
      site) tool=site available=sites-available/$name.conf ;;
      conf) tool=conf available=conf-available/$name.conf ;;
      *) continue ;;
    esac
    if [ -e "/etc/apache2/$available" ]; then "a2$act$tool" -q -f "$name"; fi
    # The package's own decision, where it wrote it down as a person's.
    case $act in dis) rm -f "/var/lib/apache2/${kind%%/*}/enabled_by_admin/$name" ;; esac
  done
done
