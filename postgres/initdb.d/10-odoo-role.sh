#!/bin/sh
# Runs once, when the database cluster is created: makes Odoo's own role, which
# is not a superuser, and leaves the superuser without a password, so that it
# can be used inside this container only.
# Edit by hand freely; a change takes effect on a new, empty volume.
set -eu

# The image's own entrypoint leaves what an editor of Windows adds to a file: a byte order
# mark before the value, and CR behind it.
POSTGRES_PASSWORD=$(printf '%s' "$POSTGRES_PASSWORD" | tr -d '\r' | sed "1s/^$(printf '\357\273\277')//")

# \getenv: the password never becomes part of an argument list. `set +x`-proof.
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE odoo LOGIN CREATEDB PASSWORD :'password';
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
