#!/bin/sh
# Runs once, when the database cluster is created: the roles that Supabase has, and
# what PostgREST needs of its own. The superuser keeps no password, so that it can be
# used inside this container only.
# Edit by hand freely; a change takes effect on an empty volume (`inv supabase.reset`).
set -eu

# \getenv: the password never becomes part of an argument list.
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD :'password';
GRANT anon, authenticated, service_role TO authenticator;
-- What takes longer was not meant.
ALTER ROLE authenticator SET statement_timeout = '8s';
ALTER ROLE authenticator SET lock_timeout = '8s';
ALTER ROLE authenticator SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE CURRENT_USER PASSWORD NULL;

CREATE SCHEMA postgrest;
GRANT USAGE ON SCHEMA postgrest TO anon, authenticated, service_role;

-- PostgREST calls it before each request (db-pre-request). A key without an end would be
-- valid for ever, and PostgREST itself accepts it.
CREATE FUNCTION postgrest.pre_request() RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    claims jsonb := nullif(current_setting('request.jwt.claims', true), '');
BEGIN
    IF current_user <> 'anon' AND NOT coalesce(claims, '{}') ? 'exp' THEN
        RAISE SQLSTATE 'PT401' USING MESSAGE = 'the token has no expiry';
    END IF;
END $$;

-- After each change of the schema PostgREST reads it again.
CREATE FUNCTION postgrest.reload() RETURNS event_trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    NOTIFY pgrst, 'reload schema';
END $$;
CREATE EVENT TRIGGER postgrest_ddl ON ddl_command_end EXECUTE FUNCTION postgrest.reload();
CREATE EVENT TRIGGER postgrest_drop ON sql_drop EXECUTE FUNCTION postgrest.reload();
SQL
