#!/bin/sh
# masked.sh MASK COMMAND [ARGUMENT...]: runs a command with a mask of file modes.
umask "$1"
shift
exec "$@"
