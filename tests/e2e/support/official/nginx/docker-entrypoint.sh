#!/bin/sh
# Runs what lies in /docker-entrypoint.d and then the command, as the official image's script of
# this name does. All of it runs in the last part of a pipe: the list of the scripts that are
# still to come is STDIN of each of them, and what *.envsh set is known to the scripts after
# them, but not to Nginx. A script that fails keeps Nginx from starting.
set -e

say() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $1"; }

case $1 in nginx | nginx-debug)
    find /docker-entrypoint.d -follow -type f | sort -V | while read -r script; do
        case $script in
            *.envsh | *.sh)
                if [ ! -x "$script" ]; then
                    say "not executable: $script"
                elif [ "${script%.envsh}" != "$script" ]; then
                    say "sourcing $script"
                    # shellcheck source=/dev/null
                    . "$script"
                else
                    say "launching $script"
                    "$script"
                fi
                ;;
            *) say "no script: $script" ;;
        esac
    done
    ;;
esac

exec "$@"
