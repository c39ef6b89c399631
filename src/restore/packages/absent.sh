#!/bin/sh
# Prints the numbers of its arguments, from 0 on, that are no paths of the system.
n=0
for path; do
  [ -e "$path" ] || echo "$n"
  n=$((n + 1))
done
