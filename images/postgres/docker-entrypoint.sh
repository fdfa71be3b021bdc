#!/usr/bin/env bash
# Starts PostgreSQL as the official image's script of this name does: the same
# variables, folders and order. One thing is better: a first initialisation that
# was interrupted is started over, not taken for a finished database.
set -Eeuo pipefail

INIT_SCRIPTS=/docker-entrypoint-initdb.d
# Lies in PGDATA from before initdb until the last init script is done.
UNFINISHED="${PGDATA:?}/.first-init-unfinished"

log()  { printf '%s %s\n' "$(date -u '+%Y-%m-%d %H:%M:%S.%3N UTC')" "entrypoint: $*"; }
fail() { log "error: $*" >&2; exit 1; }

# NAME or the file that NAME_FILE names, else a default. Not both: one of them
# would be ignored, and nobody would know which.
from_file() {
    local name="$1" file_name="${1}_FILE" default="${2:-}"
    local value="${!name:-}" file="${!file_name:-}"
    [[ -z $value || -z $file ]] || fail "both $name and $file_name are set (they exclude each other)"
    if [[ -n $file ]]; then
        value="$(<"$file")" || fail "cannot read $file_name"
    fi
    export "$name=${value:-$default}"
    unset "$file_name"
}

read_settings() {
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

is_initialised() { [[ -s $PGDATA/PG_VERSION && ! -e $UNFINISHED ]]; }

# `postgres --help` and its like print something and need no database.
wants_help() {
    local arg
    for arg; do
        case "$arg" in
            -'?' | --help | --describe-config | -V | --version) return 0 ;;
        esac
    done
    return 1
}

make_folders() {
    local user
    user="$(id -u)"
    mkdir -p "$PGDATA"
    # These two may fail for folders that somebody else owns; initdb judges them.
    chmod 0700 "$PGDATA" || :
    mkdir -p /var/run/postgresql || :
    chmod 3777 /var/run/postgresql 2>/dev/null || :
    if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        [[ $user != 0 ]] || find "$POSTGRES_INITDB_WALDIR" \! -user postgres -exec chown postgres '{}' +
        chmod 0700 "$POSTGRES_INITDB_WALDIR"
    fi
    if [[ $user == 0 ]]; then
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    fi
}

check_settings() {
    if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
        fail "the database is uninitialised and the superuser has no password:" \
            "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to a non-empty value"
    fi
    if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then
        log 'warning: POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without a password' >&2
    fi
}

# Begins from nothing. What an interrupted attempt left is removed, but only with
# the proof that it was one: the marker. Anything else in PGDATA is not ours.
begin_initialisation() {
    if [[ -e $UNFINISHED ]]; then
        log 'the first initialisation was interrupted: starting it over'
        find "$PGDATA" -mindepth 1 -maxdepth 1 \! -path "$UNFINISHED" -exec rm -rf '{}' +
    elif [[ -n $(find "$PGDATA" -mindepth 1 -maxdepth 1 -print -quit) ]]; then
        fail "$PGDATA is not empty and holds no database" \
            "(for the mount point of a volume, set PGDATA to a folder below it)"
    fi
    : >"$UNFINISHED"
    sync "$UNFINISHED" "$PGDATA"
}

# initdb wants an empty folder and the marker is in PGDATA, hence the folder below.
# shellcheck disable=SC2034 # `wal` is in the line for eval
init_database() {
    local staging="$PGDATA/.initdb"
    local -a wal=()
    [[ -z ${POSTGRES_INITDB_WALDIR:-} ]] || wal=(--waldir "$POSTGRES_INITDB_WALDIR")
    # The official image's socket is in /var/run/postgresql; this build's own default,
    # where its clients look, is /tmp. eval, because POSTGRES_INITDB_ARGS is a line of
    # words with quotes.
    PGDATA="$staging" eval 'initdb --no-instructions --username="$POSTGRES_USER" \
        --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${wal[@]}" \
        --set unix_socket_directories="/var/run/postgresql, /tmp" '"$POSTGRES_INITDB_ARGS"
    find "$staging" -mindepth 1 -maxdepth 1 -exec mv -t "$PGDATA" '{}' +
    rmdir "$staging"
}

allow_network_clients() {
    local method="$POSTGRES_HOST_AUTH_METHOD"
    [[ -n $method ]] || method="$(postgres -C password_encryption "${@:2}")"
    {
        printf '\n'
        [[ $method != trust ]] || printf '# warning: trust lets everybody in without a password\n'
        printf 'host all all all %s\n' "$method"
    } >>"$PGDATA/pg_hba.conf"
}

# On the socket only: health checks over TCP and other containers must not see
# the server before the init scripts are done.
start_temporary_server() {
    local -a options=("${@:2}" -c "listen_addresses=" -p "${PGPORT:-5432}")
    NOTIFY_SOCKET='' PGUSER="${PGUSER:-$POSTGRES_USER}" \
        pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${options[@]}")" -w start
}

stop_temporary_server() { PGUSER="${PGUSER:-postgres}" pg_ctl -D "$PGDATA" -m fast -w stop; }

# For the init scripts too, which the official image gives a function of this name.
docker_process_sql() {
    local -a query=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
    [[ -z $POSTGRES_DB ]] || query+=(--dbname "$POSTGRES_DB")
    PGHOST='' PGHOSTADDR='' "${query[@]}" "$@"
}

create_database() {
    local name="$POSTGRES_DB"
    [[ $name != postgres ]] || return 0
    POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$name" --tuples-only <<'SQL'
SELECT format('CREATE DATABASE %I', :'db')
WHERE NOT EXISTS (SELECT 1 FROM pg_database WHERE datname = :'db') \gexec
SQL
}

run_init_scripts() {
    local file
    for file; do
        case "$file" in
            *.sh)
                if [[ -x $file ]]; then
                    log "running $file"
                    "$file"
                else
                    log "sourcing $file"
                    # shellcheck disable=SC1090
                    . "$file"
                fi ;;
            *.sql)     log "running $file"; docker_process_sql -f "$file" ;;
            *.sql.gz)  log "running $file"; gunzip -c "$file" | docker_process_sql ;;
            *.sql.xz)  log "running $file"; xzcat "$file" | docker_process_sql ;;
            *.sql.zst) log "running $file"; zstd -dc "$file" | docker_process_sql ;;
            *)         log "ignoring $file" ;;
        esac
    done
}

first_start() {
    check_settings
    # Before anything is changed: a folder that cannot be listed fails here.
    ls "$INIT_SCRIPTS/" >/dev/null
    begin_initialisation
    init_database
    allow_network_clients "$@"
    # For `POSTGRES_INITDB_ARGS=--auth=scram-sha-256`, which closes the socket as well.
    export PGPASSWORD="${PGPASSWORD-$POSTGRES_PASSWORD}"
    start_temporary_server "$@"
    create_database
    run_init_scripts "$INIT_SCRIPTS"/*
    stop_temporary_server
    unset PGPASSWORD
    # Everything on disk first: without the marker this is a finished database.
    sync "$PGDATA" "$PGDATA"/*
    rm "$UNFINISHED"
    sync "$PGDATA"
    log 'initialisation complete, ready for start up'
}

main() {
    # `docker run IMAGE -c shared_buffers=1GB`
    [[ ${1:0:1} != - ]] || set -- postgres "$@"

    if [[ $1 == postgres ]] && ! wants_help "$@"; then
        # Read while still root: a secret file may be 0600 and of another user. Not
        # needed when there is a database, so a lost file does not stop the server.
        if is_initialised; then
            unset POSTGRES_PASSWORD_FILE POSTGRES_USER_FILE POSTGRES_DB_FILE POSTGRES_INITDB_ARGS_FILE
        else
            read_settings
        fi
        make_folders
        if [[ $(id -u) == 0 ]]; then
            exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
        fi
        if is_initialised; then
            log 'the database exists: skipping initialisation'
        else
            shopt -s nullglob
            first_start "$@"
        fi
        # The official image leaves it in the server's environment.
        unset POSTGRES_PASSWORD
    fi
    exec "$@"
}

main "$@"
