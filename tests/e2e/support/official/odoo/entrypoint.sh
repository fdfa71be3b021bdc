#!/bin/bash
# Starts Odoo as the official image's script of this name does, as the user odoo: what
# odoo.conf does not say of the database goes into Odoo's arguments, the password too.
set -e

[ ! -v PASSWORD_FILE ] || PASSWORD=$(<"$PASSWORD_FILE")

declare -A database=(
    [db_host]=${HOST:-${DB_PORT_5432_TCP_ADDR:-${PGHOST:-db}}}
    [db_port]=${PORT:-${DB_PORT_5432_TCP_PORT:-${PGPORT:-5432}}}
    [db_user]=${USER:-${DB_ENV_POSTGRES_USER:-${POSTGRES_USER:-${PGUSER:-odoo}}}}
    [db_password]=${PASSWORD:-${DB_ENV_POSTGRES_PASSWORD:-${POSTGRES_PASSWORD:-${PGPASSWORD:-odoo}}}}
)
arguments=()
for name in db_host db_port db_user db_password; do
    grep -Eq "^[[:space:]]*${name}[[:space:]]*=" "$ODOO_RC" || arguments+=("--$name" "${database[$name]}")
done

serve() {
    wait-for-psql.py "${arguments[@]}" --timeout=30
    exec odoo "$@" "${arguments[@]}"
}

case $1 in
    -- | odoo)
        shift
        [ "$1" != scaffold ] || exec odoo "$@"
        serve "$@"
        ;;
    -*) serve "$@" ;;
    *) exec "$@" ;;
esac
