#!/bin/sh
# `get` is apt-get with the proxies of the variables in place of those that its own settings name: WAY lists these
# settings. apt reads them from a file: a proxy may have a password, and everybody on the machine sees arguments.
# shellcheck disable=SC2154 # the variables are of the command that this is run by
get() {
    [ -n "${WAY:-}" ] || { apt-get "$@"; return; }
    apt-get -c /proc/self/fd/9 "$@" 9<<SETTINGS
$(for setting in $WAY; do
        case $setting in
        Acquire::https::*) printf '%s "%s";\n' "$setting" "$https_proxy" ;;
        *) printf '%s "%s";\n' "$setting" "$http_proxy" ;;
        esac
    done)
SETTINGS
}
