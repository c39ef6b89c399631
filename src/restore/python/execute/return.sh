#!/bin/sh
# return.sh [FILE PLACE]...: puts each file into its place. Where something else has come there the file stays, and its
# name is printed with a byte 0 behind it.
while [ $# -gt 1 ]; do
  if [ -e "$2" ] || [ -L "$2" ]; then
    printf '%s\0' "$1"
  else
    mv -T -- "$1" "$2" || exit
  fi
  shift 2
done
