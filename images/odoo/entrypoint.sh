#!/bin/bash
# Starts Odoo as the official image's script of this name does: HOST, PORT, USER and
# PASSWORD or PASSWORD_FILE say where the database is, and what the configuration
# file says goes before them. The password reaches Odoo through libpq's own variable
# and not as an argument, where every user of the host could read it.
set -e

if [ -v PASSWORD_FILE ]; then
    PASSWORD="$(< "$PASSWORD_FILE")"
fi
: "${HOST:=${DB_PORT_5432_TCP_ADDR:-db}}"
: "${PORT:=${DB_PORT_5432_TCP_PORT:-5432}}"
: "${USER:=${DB_ENV_POSTGRES_USER:-${POSTGRES_USER:-odoo}}}"
: "${PASSWORD:=${DB_ENV_POSTGRES_PASSWORD:-${POSTGRES_PASSWORD:-odoo}}}"

# The configuration file's value, or nothing.
configured() {
    sed -nE "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*([^[:space:]]+).*/\1/p" "$ODOO_RC" | tail -n 1
}

db_args=()
db_arg() { # parameter value
    local value
    value="$(configured "$1")"
    value="${value:-$2}"
    db_args+=("--$1" "$value")
    printf -v "$1" '%s' "$value"
}

# shellcheck disable=SC2154 # db_arg has set them
wait_for_postgres() {
    local seconds
    for ((seconds = 0; seconds < 30; seconds++)); do
        if pg_isready --quiet --host "$db_host" --port "$db_port" --timeout 1; then
            return 0
        fi
        sleep 1
    done
    echo "Database connection failure: no PostgreSQL at $db_host:$db_port after 30 seconds" >&2
    exit 1
}

run_odoo() {
    db_arg db_host "$HOST"
    db_arg db_port "$PORT"
    db_arg db_user "$USER"
    if [ -z "$(configured db_password)" ]; then
        export PGPASSWORD="${PGPASSWORD:-$PASSWORD}"
    fi
    wait_for_postgres
    exec odoo "$@" "${db_args[@]}"
}

case "$1" in
    -- | odoo)
        shift
        case "$1" in
            # These take no database options behind their own, so only give the password.
            '' | -* | server) run_odoo "$@" ;;
            *) export PGPASSWORD="${PGPASSWORD:-$PASSWORD}"; exec odoo "$@" ;;
        esac
        ;;
    -*) run_odoo "$@" ;;
    *) exec "$@" ;;
esac
