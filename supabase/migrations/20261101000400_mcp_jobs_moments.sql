-- A job of -infinity made every claim fail (nothing can be subtracted from it), and held up all
-- others; one of infinity never came. Neither is a moment.

UPDATE mcp_jobs.jobs SET scheduled_at = CASE
    WHEN scheduled_at < now() THEN created_at ELSE created_at + interval '1000 years' END
WHERE NOT isfinite(scheduled_at);

ALTER TABLE mcp_jobs.jobs ADD CONSTRAINT jobs_scheduled_at_check CHECK (isfinite(scheduled_at));
