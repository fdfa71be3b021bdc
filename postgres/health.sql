-- What `inv health` asks PostgreSQL beside whether it answers; postgres/health runs it:
--   docker compose exec -T odoo_db psql -X -U postgres -d postgres -tA -F ' ' -v database=odoo -v role=odoo -f /etc/platform/health.sql
-- Edit by hand freely; it counts at once. Each question gives one line, a name and JSON, which
-- scripts/health reads; whether that is well is decided in scripts/health/limits.py. All fits
-- Odoo 18 and 19: a column that not both have is read by way of to_jsonb.

-- As the superuser, for whom there is a connection when all others are taken. Nothing of Odoo's
-- database is looked at in this part: what its role has made would run with all rights.
SET search_path = pg_catalog;
SET statement_timeout = '2s';
SET lock_timeout = '1s';

SELECT 'connections', json_build_object(
    'used', count(*) FILTER (WHERE backend_type = 'client backend'),
    'most', current_setting('max_connections')::int,
    'reserved', current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int)
FROM pg_stat_activity;

-- How many transactions are left before PostgreSQL has to stop for its freezing: 2^31 is the end.
SELECT 'age', json_build_object('database', datname,
    'age', greatest(age(datfrozenxid), mxid_age(datminmxid)))
FROM pg_database ORDER BY greatest(age(datfrozenxid), mxid_age(datminmxid)) DESC LIMIT 1;

-- Advisory locks are waited for on purpose, as by a second `inv module.update`.
SELECT 'locks', json_build_object(
    'waiting', count(*),
    'seconds', coalesce(extract(epoch FROM now() - min(waitstart))::bigint, 0),
    'blocker', (SELECT (pg_blocking_pids(w.pid))[1] FROM pg_locks w
                WHERE NOT w.granted AND w.locktype <> 'advisory' ORDER BY w.waitstart LIMIT 1))
FROM pg_locks WHERE NOT granted AND locktype <> 'advisory';

-- As Odoo's role from here on, in its database.
\connect :database :role
SET search_path = public;
SET statement_timeout = '2s';
SET lock_timeout = '1s';

-- While a scheduled action runs, a transaction of Odoo's holds its row.
SELECT to_regclass('ir_cron') IS NOT NULL AS has_odoo,
    to_regclass('mail_mail') IS NOT NULL AS has_mail,
    to_regclass('mcp_job') IS NOT NULL AS has_jobs,
    coalesce(to_regclass('ir_cron')::oid, 0) AS cron \gset

-- Backups read for as long as they take; they are no mistake of somebody's.
SELECT 'transactions', coalesce(jsonb_agg(t), '[]') FROM (
    SELECT pid, state, coalesce(nullif(application_name, ''), 'unknown') AS program,
        extract(epoch FROM now() - xact_start)::bigint AS seconds,
        extract(epoch FROM now() - state_change)::bigint AS unchanged
    FROM pg_stat_activity a
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        AND application_name !~ '^(pg_dump|inv)'
        AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.relation = :cron
            AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND l.granted)
    ORDER BY xact_start LIMIT 5) t;

SELECT 'tables', coalesce(jsonb_agg(t), '[]') FROM (
    SELECT relname AS name, n_dead_tup AS dead, n_live_tup AS live FROM pg_stat_user_tables
    WHERE n_dead_tup > n_live_tup ORDER BY n_dead_tup DESC LIMIT 3) t;

\if :has_odoo
SELECT 'cron', json_build_object(
    'last', (SELECT extract(epoch FROM now() AT TIME ZONE 'UTC' - max(lastcall))::bigint
             FROM ir_cron WHERE active),
    'running', (SELECT coalesce(max(extract(epoch FROM now() - a.xact_start))::bigint, 0)
                FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.relation = :cron AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
                    AND l.granted AND l.pid <> pg_backend_pid()),
    'late', (SELECT coalesce(jsonb_agg(t), '[]') FROM (
        SELECT coalesce(to_jsonb(c) ->> 'cron_name', id::text) AS name,
            extract(epoch FROM now() AT TIME ZONE 'UTC' - nextcall)::bigint AS seconds,
            interval_number * CASE interval_type WHEN 'minutes' THEN 60 WHEN 'hours' THEN 3600
                WHEN 'weeks' THEN 604800 WHEN 'months' THEN 2592000 ELSE 86400 END AS every
        FROM ir_cron c WHERE active AND nextcall < now() AT TIME ZONE 'UTC' - interval '15 minutes'
        ORDER BY nextcall LIMIT 20) t),
    'failing', (SELECT coalesce(jsonb_agg(t), '[]') FROM (
        SELECT to_jsonb(c) ->> 'cron_name' AS name, (to_jsonb(c) ->> 'failure_count')::int AS times
        FROM ir_cron c WHERE active AND (to_jsonb(c) ->> 'failure_count')::int > 0
        ORDER BY 2 DESC LIMIT 5) t));

SELECT 'modules', coalesce(jsonb_agg(name || ' (' || state || ')' ORDER BY name), '[]')
FROM ir_module_module WHERE state LIKE 'to %';

-- Since when there is this database.
SELECT 'made', json_build_object('seconds',
    extract(epoch FROM now() AT TIME ZONE 'UTC' - value::timestamp)::bigint)
FROM ir_config_parameter WHERE key = 'database.create_date';
\endif

\if :has_mail
SELECT 'mail', json_build_object(
    'waiting', count(*) FILTER (WHERE state = 'outgoing'),
    'seconds', coalesce(max(extract(epoch FROM now() AT TIME ZONE 'UTC'
        - greatest(create_date, scheduled_date))) FILTER (WHERE state = 'outgoing'), 0)::bigint,
    'failed', count(*) FILTER (WHERE state = 'exception'),
    'reason', (array_agg(failure_reason ORDER BY id DESC) FILTER (WHERE state = 'exception'))[1])
FROM mail_mail WHERE state = 'outgoing'
    OR (state = 'exception' AND write_date > now() AT TIME ZONE 'UTC' - interval '1 day'
        AND coalesce(failure_type, 'unknown') IN ('unknown', 'mail_smtp'));
\endif

\if :has_jobs
SELECT 'jobs', json_build_object(
    'waiting', count(*),
    'seconds', coalesce(max(extract(epoch FROM now() AT TIME ZONE 'UTC'
        - create_date)), 0)::bigint,
    'key', EXISTS (SELECT FROM ir_config_parameter WHERE key = 'mcp_jobs.key' AND value <> ''))
FROM mcp_job WHERE state = 'waiting';
\endif
