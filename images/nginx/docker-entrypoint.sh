#!/bin/sh
# Runs what lies in /docker-entrypoint.d and then the command, as the official
# image's script of this name does: *.envsh are read in, *.sh are run. The official
# image also brings scripts of its own there; this one has that for templates only.
set -e

log() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"; }

if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
    for file in /docker-entrypoint.d/*; do
        case "$file" in
            '/docker-entrypoint.d/*') ;;
            *.envsh)
                if [ -x "$file" ]; then
                    log "reading $file"
                    # shellcheck source=/dev/null
                    . "$file"
                else
                    log "ignoring $file, not executable"
                fi
                ;;
            *.sh)
                if [ -x "$file" ]; then log "running $file"; "$file"; else log "ignoring $file, not executable"; fi ;;
            *) log "ignoring $file" ;;
        esac
    done
fi

exec "$@"
