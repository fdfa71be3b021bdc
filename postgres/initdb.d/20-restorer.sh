#!/bin/sh
# Runs once, when the database cluster is created: makes the role that owns a database while
# somebody else's dump is restored into it. It may nothing in any other database, whatever SQL
# the dump brings; Odoo's own role may do all that it may. On older volumes `inv restore`
# makes it.
# Edit by hand freely; a change takes effect on a new, empty volume.
set -eu

psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE odoo_restore LOGIN PASSWORD :'password';
GRANT odoo_restore TO odoo;
SQL
