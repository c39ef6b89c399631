#!/bin/sh
# `get` is apt-get with the proxies of the variables in place of those that its own settings name:
# WAY lists these settings.
get() {
    for setting in $WAY; do
        case $setting in
        Acquire::https::*) set -- -o "$setting=$https_proxy" "$@" ;;
        *) set -- -o "$setting=$http_proxy" "$@" ;;
        esac
    done
    apt-get "$@"
}
