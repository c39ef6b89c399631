#!/bin/sh
# join.sh DIRECTORY PLACE: puts what is in a directory, which may not be there, into a place.
[ -d "$1" ] || exit 0
cp -a -- "$1/." "$2/" && rm -rf -- "$1"
