#!/usr/bin/env bash
# Starts PostgreSQL as the official image's script of this name does. Unlike our stand-in's, it
# takes a first initialisation that was interrupted for a finished one, reads the password at
# every start, and leaves it in the server's environment.
set -Eeo pipefail

# NAME, else what is in the file that NAME_FILE names, else a default.
read_setting() { # NAME default
    local file=${1}_FILE
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "both $1 and $file are set" >&2
        exit 1
    fi
    if [ -z "${!1:-}" ] && [ -n "${!file:-}" ]; then
        export "$1=$(<"${!file}")"
    else
        export "$1=${!1:-${2:-}}"
    fi
    unset "$file"
}

sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password \
        --no-psqlrc ${POSTGRES_DB:+--dbname "$POSTGRES_DB"} "$@"
}

initialise() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo 'POSTGRES_PASSWORD is empty' >&2
        exit 1
    fi
    ls /docker-entrypoint-initdb.d/ >/dev/null
    # What is compiled in there; this build has /tmp.
    eval 'initdb --set unix_socket_directories=/var/run/postgresql \
        --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
    printf '\nhost all all all %s\n' \
        "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "${@:2}")}" >>"$PGDATA/pg_hba.conf"
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
    # On the socket only.
    PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -w start \
        -o "$(printf '%q ' "${@:2}" -c listen_addresses='' -p "${PGPORT:-5432}")"
    if [ "$POSTGRES_DB" != postgres ]; then
        local name=$POSTGRES_DB
        POSTGRES_DB='' sql --dbname postgres -c "CREATE DATABASE \"$name\""
    fi
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh)
                echo "from $file"
                # shellcheck source=/dev/null
                if [ -x "$file" ]; then "$file"; else . "$file"; fi
                ;;
            *.sql) sql -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | sql ;;
        esac
    done
    PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    echo 'first initialisation done'
}

[ "${1:0:1}" != - ] || set -- postgres "$@"

wants_help() {
    case " $* " in *' --help '* | *' -? '* | *' --describe-config '* | *' --version '* | *' -V '*) ;; *) false ;; esac
}

if [ "$1" = postgres ] && ! wants_help "$@"; then
    read_setting POSTGRES_PASSWORD
    read_setting POSTGRES_USER postgres
    read_setting POSTGRES_DB "$POSTGRES_USER"
    read_setting POSTGRES_INITDB_ARGS
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA" || :
    mkdir -p /var/run/postgresql || :
    chmod 3775 /var/run/postgresql || :
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
        exec gosu postgres "$0" "$@"
    fi
    [ -s "$PGDATA/PG_VERSION" ] || initialise "$@"
fi

exec "$@"
