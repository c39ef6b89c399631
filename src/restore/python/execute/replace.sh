#!/bin/sh
# replace.sh [FILE PLACE]...: puts each file into its place, instead of what is there.
while [ $# -gt 1 ]; do
  mv -fT -- "$1" "$2" || exit
  shift 2
done
