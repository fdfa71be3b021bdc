#!/bin/sh
# Starts Redis as the official image's script of this name does.
set -e

# `docker run IMAGE --appendonly yes` and `docker run IMAGE /etc/redis/my.conf`
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi

# What Redis writes is readable for Redis only, unless somebody chose otherwise.
if [ "$(umask)" = 0022 ]; then
    umask 0077
fi

# The official image is compiled with protected mode off, as in a container it
# refuses everybody; this package is not. Whoever sets it, in the command or in
# the configuration file, is obeyed.
if [ "$1" = redis-server ]; then
    case "$*" in
        *protected-mode*) ;;
        *)
            if ! { [ -f "$2" ] && grep -qi '^[[:space:]]*protected-mode' "$2"; }; then
                set -- "$@" --protected-mode no
            fi
            ;;
    esac
fi

exec "$@"
