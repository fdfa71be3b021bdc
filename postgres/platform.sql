-- What Odoo's role may have the superuser do: change how the planner sees a function that
-- belongs to an extension, in a database of its own. Odoo wants unaccent() to be IMMUTABLE,
-- which no dump carries, and only the function's owner, the superuser, may alter it.
-- postgres/start runs this at every start. By hand:
--   docker compose exec odoo_db psql -U postgres -f /etc/platform/platform.sql
-- Edit by hand freely; afterwards run `inv restart --service odoo_db`.
SET client_min_messages = warning;
BEGIN;
CREATE SCHEMA IF NOT EXISTS platform;
-- A function can be altered only from within its own database.
CREATE EXTENSION IF NOT EXISTS dblink SCHEMA platform;

-- `function` is its number in that database; what is NULL stays as it is. Runs as the superuser:
-- numbers and checked words are all that the caller adds to a statement.
CREATE OR REPLACE FUNCTION platform.alter_extension_function(
    database name, function oid, volatility text,
    parallel text DEFAULT NULL, cost real DEFAULT NULL, result_rows real DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    socket text := split_part(current_setting('unix_socket_directories'), ',', 1);
    quoted text := replace(replace(database, '\', '\\'), '''', '\''');
    -- The owner of a database may have given it settings of its own.
    options text := '-c search_path=pg_catalog -c default_transaction_read_only=off';
    place text := format('host=%s user=%s dbname=''%s'' options=''%s''',
                         socket, current_user, quoted, options);
    found text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database d WHERE d.datname = database
                   AND pg_has_role(session_user, d.datdba, 'USAGE')) THEN
        RAISE EXCEPTION '% owns no database %', session_user, database;
    END IF;
    IF volatility NOT IN ('IMMUTABLE', 'STABLE', 'VOLATILE')
       OR parallel NOT IN ('SAFE', 'RESTRICTED', 'UNSAFE') THEN
        RAISE EXCEPTION 'no volatility, or no parallel safety: %, %', volatility, parallel;
    END IF;
    SELECT answer.name INTO found FROM platform.dblink(place, format(
        'SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_depend d'
        ' ON d.classid = ''pg_proc''::regclass AND d.objid = p.oid AND d.deptype = ''e'''
        ' WHERE p.oid = %s AND p.prokind IN (''f'', ''w'')', function::bigint)) AS answer(name text);
    IF found IS NULL THEN
        RAISE EXCEPTION 'no extension in % has the function %', database, function;
    END IF;
    PERFORM platform.dblink_exec(place, concat_ws(' ', 'ALTER FUNCTION', found, volatility,
        'PARALLEL ' || parallel, 'COST ' || cost, 'ROWS ' || nullif(result_rows, 0)));
END
$body$;

REVOKE ALL ON SCHEMA platform FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA platform FROM PUBLIC;
GRANT USAGE ON SCHEMA platform TO odoo;
GRANT EXECUTE ON FUNCTION platform.alter_extension_function TO odoo;
COMMIT;
