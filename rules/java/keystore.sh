#!/bin/sh
# Puts the certificates that somebody trusted, beside Debian's, into the new system's list.
set -eu
old=/etc/ssl/certs/java/cacerts.archived new=/etc/ssl/certs/java/cacerts
keytool -list -keystore "$old" -storepass changeit </dev/null |
  sed -n 's/^\(.*\), [A-Z][a-z][a-z] [0-9]*, [0-9]*, trustedCertEntry, *$/\1/p' |
  while IFS= read -r name; do
    case $name in debian:*) continue ;; esac
    keytool -exportcert -rfc -alias "$name" -keystore "$old" -storepass changeit >/tmp/added.pem </dev/null
    keytool -importcert -noprompt -alias "$name" -file /tmp/added.pem -keystore "$new" -storepass changeit </dev/null
  done
rm -f /tmp/added.pem "$old"
