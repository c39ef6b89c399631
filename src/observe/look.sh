#!/bin/sh
# What runs in this system, as whom, and where it listens. The parts are told apart by lines that begin with `@@ `.
for process in /proc/[0-9]*; do
  number=${process#/proc/}
  [ "$number" = "$$" ] && continue
  printf '\n@@ process %s\n' "$number"
  cat "$process/status" 2>/dev/null
  printf '\n@@ program\n'
  readlink "$process/exe" 2>/dev/null
  printf '\n@@ arguments\n'
  cat "$process/cmdline" 2>/dev/null
  printf '\n@@ files\n'
  # shellcheck disable=SC2012 # the names are numbers, and what they lead to is wanted
  ls -l "$process/fd" 2>/dev/null
done
for table in tcp tcp6 udp udp6; do
  printf '\n@@ table %s\n' "$table"
  cat "/proc/net/$table" 2>/dev/null
done
printf '\n@@ accounts\n'
cat /etc/passwd 2>/dev/null
printf '\n@@ end\n'
