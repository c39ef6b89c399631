#!/bin/sh
# lend.sh DIRECTORY <CERTIFICATES: keeps them in a directory that everybody can read.
umask 022
mkdir -p "$1" && cat >"$1/ca.pem"
