#!/bin/sh
# What packages would bring: the name of each package and a path in a line. They are fetched and
# looked at; nothing is installed. One that cannot be had says nothing. `get` is in way.sh.
dir=$(mktemp -d) && cd "$dir" || exit 1
for name; do
    mkdir "$dir/one" && cd "$dir/one" || exit 1
    if get -q download "$name" >/dev/null 2>&1; then
        for file in ./*.deb; do
            dpkg-deb --fsys-tarfile "$file" | tar -tf - | sed "s|^\./|$name /|"
        done
    fi
    cd "$dir" && rm -rf "$dir/one"
done
cd / && rm -rf "$dir"
