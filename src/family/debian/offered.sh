#!/bin/sh
# Names, versions and architectures of everything that can be installed, the names they answer to,
# and the packages that they took files from.
apt-cache dumpavail | grep -E '^(Package|Version|Architecture|Provides|Replaces|Breaks|Conflicts): '
