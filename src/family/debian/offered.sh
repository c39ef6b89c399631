#!/bin/sh
# Names, versions and architectures of everything that can be installed, and the names they answer
# to.
apt-cache dumpavail | grep -E '^(Package|Version|Architecture|Provides): '
