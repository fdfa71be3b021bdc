-- Who may do what: service_role everything, authenticated read, anon nothing. Grants decide;
-- row-level security stands behind them, should somebody grant too much.

GRANT USAGE ON SCHEMA mcp_jobs TO authenticated, service_role;
REVOKE ALL ON ALL TABLES IN SCHEMA mcp_jobs FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA mcp_jobs FROM PUBLIC, anon, authenticated, service_role;
-- PostgreSQL lets everybody execute a new function.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mcp_jobs FROM PUBLIC, anon, authenticated, service_role;

GRANT SELECT ON ALL TABLES IN SCHEMA mcp_jobs TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA mcp_jobs TO service_role;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mcp_jobs TO service_role;
GRANT EXECUTE ON FUNCTION mcp_jobs.job_stats() TO authenticated;

DO $$
DECLARE
    v_table name;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['jobs', 'job_runs', 'job_events', 'dead_letter_queue', 'metrics']
    LOOP
        EXECUTE format('ALTER TABLE mcp_jobs.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY service_role_writes ON mcp_jobs.%I
            FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY authenticated_reads ON mcp_jobs.%I
            FOR SELECT TO authenticated USING (true)', v_table);
    END LOOP;
END $$;
