#!/bin/sh
# jakarta.sh DIRECTORY [PROGRAM]: makes web applications of javax.* speak jakarta.*, by PROGRAM or javax2jakarta.
#
# Archives and what the server unpacked of them change together and keep their times: of an archive that looks newer it
# would throw away what is unpacked, and uploads with it.
set -eu
program=${2:-javax2jakarta}
new=$(mktemp -d)

# migrate APP: the changed application is $new/app.
migrate() {
  "$program" "$1" "$new/app" >"$new/log" 2>&1 || {
    cat "$new/log" >&2
    exit 1
  }
}

cd "$1"
for app in *; do
  if [ -L "$app" ] || [ ! -e "$app" ]; then continue; fi
  rm -rf "$new/app"
  if [ -d "$app" ]; then
    [ -d "$app/WEB-INF" ] || continue
    migrate "$app"
    # shellcheck disable=SC2016 # The inner shell has arguments of its own.
    (cd "$new/app" && find . -type f -exec sh -euc '
      to=$1; shift
      for file; do
        if [ -f "$to/$file" ] && ! cmp -s "$file" "$to/$file"; then
          touch -r "$to/$file" "$file"
          cat "$file" >"$to/$file"
          touch -r "$file" "$to/$file"
        fi
      done' sh "$1/$app" {} +)
  else
    case $app in *.war) ;; *) continue ;; esac
    migrate "$app"
    touch -r "$app" "$new/app"
    cat "$new/app" >"$app"
    touch -r "$new/app" "$app"
  fi
done
rm -rf "$new"
