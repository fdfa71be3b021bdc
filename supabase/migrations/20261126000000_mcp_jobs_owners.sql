-- authenticated reads its own jobs only, and no headers: those of an http job hold passwords
-- and tokens. Jobs from before have no owner, so only service_role reads them.

-- Who calls: the claim `sub` of the token, NULL where there is none. Not auth.uid(), which
-- exists in the cloud only and takes nothing but a uuid.
CREATE FUNCTION mcp_jobs.caller() RETURNS text
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')
$$;

ALTER TABLE mcp_jobs.jobs ADD COLUMN owner text CHECK (length(owner) BETWEEN 1 AND 200);
-- Apart from the column: rows from before are nobody's, even if a token applies this.
ALTER TABLE mcp_jobs.jobs ALTER COLUMN owner SET DEFAULT mcp_jobs.caller();
CREATE INDEX jobs_of_owner ON mcp_jobs.jobs (owner, seq) WHERE owner IS NOT NULL;

-- A table of its own: a column would need a list of columns in every SELECT of authenticated.
CREATE TABLE mcp_jobs.job_headers (
    job_id  uuid PRIMARY KEY REFERENCES mcp_jobs.jobs ON DELETE CASCADE,
    headers jsonb NOT NULL
);

INSERT INTO mcp_jobs.job_headers (job_id, headers)
SELECT id, payload -> 'headers' FROM mcp_jobs.jobs WHERE payload ? 'headers';
UPDATE mcp_jobs.jobs SET payload = payload - 'headers' WHERE payload ? 'headers';
UPDATE mcp_jobs.dead_letter_queue SET payload = payload - 'headers' WHERE payload ? 'headers';

-- After the row is there: on a conflict of idempotency keys there is none to belong to.
CREATE FUNCTION mcp_jobs.set_headers_apart() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    INSERT INTO mcp_jobs.job_headers AS h (job_id, headers)
    VALUES (NEW.id, NEW.payload -> 'headers')
    ON CONFLICT (job_id) DO UPDATE SET headers = excluded.headers;
    UPDATE mcp_jobs.jobs SET payload = payload - 'headers' WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER headers_apart AFTER INSERT OR UPDATE OF payload ON mcp_jobs.jobs
    FOR EACH ROW WHEN (NEW.payload ? 'headers') EXECUTE FUNCTION mcp_jobs.set_headers_apart();

-- The payload as it was given.
CREATE FUNCTION mcp_jobs.whole_payload(p_job mcp_jobs.jobs) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT p_job.payload || coalesce((
        SELECT jsonb_build_object('headers', headers)
        FROM mcp_jobs.job_headers WHERE job_id = p_job.id
    ), '{}')
$$;

-- As before, and with an owner: who may read the job as authenticated. Default: who calls.
DROP FUNCTION mcp_jobs.enqueue_job(
    text, text, jsonb, integer, timestamptz, integer, text, integer);
CREATE FUNCTION mcp_jobs.enqueue_job(
    p_source text,
    p_job_type text,
    p_payload jsonb DEFAULT '{}',
    p_priority integer DEFAULT 5,
    p_scheduled_at timestamptz DEFAULT now(),
    p_max_retries integer DEFAULT 3,
    p_idempotency_key text DEFAULT NULL,
    p_timeout_seconds integer DEFAULT 300,
    p_owner text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
BEGIN
    LOOP
        INSERT INTO mcp_jobs.jobs (
            source, job_type, payload, priority, scheduled_at, max_retries, tries_left,
            idempotency_key, timeout_seconds, owner
        ) VALUES (
            p_source, p_job_type, p_payload, p_priority, coalesce(p_scheduled_at, now()),
            p_max_retries, greatest(p_max_retries, 0) + 1, p_idempotency_key, p_timeout_seconds,
            coalesce(p_owner, mcp_jobs.caller())
        )
        ON CONFLICT (source, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING * INTO v_job;
        IF FOUND THEN
            PERFORM mcp_jobs.note(v_job, 'enqueued');
            RETURN v_job.id;
        END IF;
        SELECT * INTO v_job FROM mcp_jobs.jobs
        WHERE source = p_source AND idempotency_key = p_idempotency_key;
        IF FOUND THEN
            IF (v_job.job_type, mcp_jobs.whole_payload(v_job)) IS DISTINCT FROM
                (p_job_type, p_payload) OR v_job.owner IS DISTINCT FROM
                coalesce(p_owner, v_job.owner)
            THEN
                RAISE SQLSTATE 'PT409' USING
                    MESSAGE = 'the idempotency key belongs to another job',
                    HINT = format('It was given to job %s.', v_job.id);
            END IF;
            RETURN v_job.id;
        END IF;
        -- The other job was purged between the two statements: once more.
    END LOOP;
END $$;

-- The worker gets the headers: the former function, under another name, claims.
ALTER FUNCTION mcp_jobs.claim_next_job(text, text, text[]) RENAME TO take_next_job;
CREATE FUNCTION mcp_jobs.claim_next_job(
    p_worker_id text, p_source_filter text DEFAULT NULL, p_job_types text[] DEFAULT NULL
) RETURNS SETOF mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
BEGIN
    FOR v_job IN
        SELECT * FROM mcp_jobs.take_next_job(p_worker_id, p_source_filter, p_job_types)
    LOOP
        v_job.payload := mcp_jobs.whole_payload(v_job);
        RETURN NEXT v_job;
    END LOOP;
END $$;

REVOKE ALL ON mcp_jobs.job_headers FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mcp_jobs FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_jobs.job_headers TO service_role;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mcp_jobs TO service_role;
GRANT EXECUTE ON FUNCTION mcp_jobs.job_stats(), mcp_jobs.caller() TO authenticated;

ALTER TABLE mcp_jobs.job_headers ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_role_writes ON mcp_jobs.job_headers
    FOR ALL TO service_role USING (true) WITH CHECK (true);

-- In brackets, the caller is asked for once and not for each row.
DROP POLICY authenticated_reads ON mcp_jobs.jobs;
CREATE POLICY authenticated_reads_its_own ON mcp_jobs.jobs
    FOR SELECT TO authenticated USING (owner = (SELECT mcp_jobs.caller()));
DO $$
DECLARE
    v_table name;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['job_runs', 'job_events', 'dead_letter_queue'] LOOP
        EXECUTE format('DROP POLICY authenticated_reads ON mcp_jobs.%I', v_table);
        -- What of jobs can be read is decided there.
        EXECUTE format('CREATE POLICY authenticated_reads_its_own ON mcp_jobs.%1$I
            FOR SELECT TO authenticated USING (EXISTS (
                SELECT FROM mcp_jobs.jobs AS j WHERE j.id = %1$I.job_id))', v_table);
    END LOOP;
END $$;
