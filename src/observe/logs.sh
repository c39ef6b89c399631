#!/bin/sh
# The ends of the logs that were written to since this system was started, each after a line with its length and name.
for place in /var/log /.regrow-observe; do
  [ -d "$place" ] || continue
  find "$place" -type f -newer /etc/hosts 2>/dev/null
done | while IFS= read -r file; do
  length=$(wc -c <"$file" 2>/dev/null) || continue
  printf '\n@@ log %s %s\n' "$length" "$file"
  tail -c 65536 "$file" 2>/dev/null
done
printf '\n@@ end\n'
