#!/bin/sh
# As the service's own start does it: the directory is made where it is missing.
set -eu
mkdir -p /run/sshd
exec /usr/sbin/sshd -t
