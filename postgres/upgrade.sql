-- What postgres/upgrade compares of each database: rows of every table, state of every sequence,
-- and how many things of each kind there are. What belongs to an extension is left out.
-- Edit by hand freely; `inv postgres.upgrade` uses it as it is.
SELECT pg_catalog.format('SELECT %L, pg_catalog.count(*) FROM ONLY %I.%I',
                         pg_catalog.format('rows %s %I.%I', current_database(), n.nspname, c.relname),
                         n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'r' OR (c.relkind = 'm' AND c.relispopulated))
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
\gexec
SELECT pg_catalog.format('SELECT %L, last_value, is_called FROM %I.%I',
                         pg_catalog.format('sequence %s %I.%I', current_database(), n.nspname, c.relname),
                         n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'
\gexec
-- The definitions themselves may be worded otherwise by another major version.
SELECT 'relations', current_database(), c.relkind, pg_catalog.count(*)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY c.relkind;
SELECT 'constraints', current_database(), c.contype, pg_catalog.count(*)
FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
WHERE c.contype IN ('p', 'f', 'u', 'c', 'x') AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
GROUP BY c.contype;
SELECT 'triggers', current_database(), pg_catalog.count(*)
FROM pg_catalog.pg_trigger WHERE NOT tgisinternal;
SELECT 'extension', current_database(), extname FROM pg_catalog.pg_extension;
SELECT 'settings', current_database(), s.setconfig
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database();
