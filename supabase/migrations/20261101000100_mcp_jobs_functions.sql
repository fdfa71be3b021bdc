-- What producers and workers call. Errors with SQLSTATE PTxyz are HTTP status xyz in PostgREST.
-- Every function runs with the rights of its caller and finds nothing by search_path.

CREATE FUNCTION mcp_jobs.note(
    p_job mcp_jobs.jobs, p_event text, p_detail jsonb DEFAULT NULL, p_ms bigint DEFAULT 0
) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    INSERT INTO mcp_jobs.job_events (job_id, event, detail) VALUES (p_job.id, p_event, p_detail);
    INSERT INTO mcp_jobs.metrics AS m
    VALUES (
        date_trunc('minute', clock_timestamp()), p_job.source, p_job.job_type, p_event,
        pg_backend_pid(), 1, p_ms, p_ms
    )
    ON CONFLICT (minute, source, job_type, event, backend) DO UPDATE SET
        count = m.count + 1,
        total_ms = m.total_ms + excluded.total_ms,
        max_ms = greatest(m.max_ms, excluded.max_ms);
END $$;

-- Gives back the job's id: that of an earlier call with the same source and key, if there was
-- one, and an error if that asked for something else.
CREATE FUNCTION mcp_jobs.enqueue_job(
    p_source text,
    p_job_type text,
    p_payload jsonb DEFAULT '{}',
    p_priority integer DEFAULT 5,
    p_scheduled_at timestamptz DEFAULT now(),
    p_max_retries integer DEFAULT 3,
    p_idempotency_key text DEFAULT NULL,
    p_timeout_seconds integer DEFAULT 300
) RETURNS uuid LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
BEGIN
    LOOP
        INSERT INTO mcp_jobs.jobs (
            source, job_type, payload, priority, scheduled_at, max_retries, tries_left,
            idempotency_key, timeout_seconds
        ) VALUES (
            p_source, p_job_type, p_payload, p_priority, coalesce(p_scheduled_at, now()),
            p_max_retries, greatest(p_max_retries, 0) + 1, p_idempotency_key, p_timeout_seconds
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
            IF (v_job.job_type, v_job.payload) IS DISTINCT FROM (p_job_type, p_payload) THEN
                RAISE SQLSTATE 'PT409' USING
                    MESSAGE = 'the idempotency key belongs to another job',
                    HINT = format('It was given to job %s.', v_job.id);
            END IF;
            RETURN v_job.id;
        END IF;
        -- The other job was purged between the two statements: once more.
    END LOOP;
END $$;

-- The next job, now running, or no row. Priority 1 is looked for first; within a priority who
-- was scheduled first. Rows that other workers are just taking are passed over.
CREATE FUNCTION mcp_jobs.claim_next_job(
    p_worker_id text, p_source_filter text DEFAULT NULL, p_job_types text[] DEFAULT NULL
) RETURNS SETOF mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_id uuid;
    v_due timestamptz;
    v_job mcp_jobs.jobs;
BEGIN
    IF coalesce(p_worker_id, '') !~ '^[[:graph:]]{1,200}$' THEN
        RAISE SQLSTATE 'PT400' USING MESSAGE = 'p_worker_id must be a name';
    END IF;
    -- One priority at a time: then jobs scheduled for later cost nothing, as the index
    -- begins with those that are due.
    FOR v_priority IN 1..10 LOOP
        IF p_source_filter IS NULL THEN
            SELECT id, scheduled_at INTO v_id, v_due FROM mcp_jobs.jobs
            WHERE status = 'queued' AND priority = v_priority AND scheduled_at <= v_now
              AND (p_job_types IS NULL OR job_type = ANY (p_job_types))
            ORDER BY scheduled_at, seq LIMIT 1 FOR UPDATE SKIP LOCKED;
        ELSE
            SELECT id, scheduled_at INTO v_id, v_due FROM mcp_jobs.jobs
            WHERE status = 'queued' AND priority = v_priority AND scheduled_at <= v_now
              AND source = p_source_filter
              AND (p_job_types IS NULL OR job_type = ANY (p_job_types))
            ORDER BY scheduled_at, seq LIMIT 1 FOR UPDATE SKIP LOCKED;
        END IF;
        EXIT WHEN v_id IS NOT NULL;
    END LOOP;
    IF v_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE mcp_jobs.jobs SET
        status = 'running', attempts = attempts + 1, tries_left = tries_left - 1,
        worker_id = p_worker_id, claimed_at = v_now, updated_at = v_now,
        deadline_at = v_now + make_interval(secs => timeout_seconds)
    WHERE id = v_id RETURNING * INTO v_job;
    INSERT INTO mcp_jobs.job_runs (job_id, attempt, worker_id, started_at)
    VALUES (v_id, v_job.attempts, p_worker_id, v_now);
    PERFORM mcp_jobs.note(
        v_job, 'claimed', jsonb_build_object('worker', p_worker_id, 'attempt', v_job.attempts),
        mcp_jobs.milliseconds(v_due)
    );
    RETURN NEXT v_job;
END $$;

CREATE FUNCTION mcp_jobs.milliseconds(p_since timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = '' AS $$
    SELECT greatest(0, (extract(epoch FROM clock_timestamp() - p_since) * 1000)::bigint)
$$;

-- The running job of this worker, locked; an error if it is no longer the worker's: cancelled,
-- or reaped and given to another.
CREATE FUNCTION mcp_jobs.own_job(p_job_id uuid, p_worker_id text, p_attempt integer)
RETURNS mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
BEGIN
    SELECT * INTO v_job FROM mcp_jobs.jobs WHERE id = p_job_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE SQLSTATE 'PT404' USING MESSAGE = 'there is no such job';
    END IF;
    IF v_job.status <> 'running' OR v_job.worker_id IS DISTINCT FROM p_worker_id
        OR v_job.attempts <> coalesce(p_attempt, v_job.attempts)
    THEN
        RAISE SQLSTATE 'PT409' USING
            MESSAGE = 'the job is not (or no longer) this worker''s',
            DETAIL = format('It is %s, attempt %s.', v_job.status, v_job.attempts);
    END IF;
    RETURN v_job;
END $$;

CREATE FUNCTION mcp_jobs.complete_job(
    p_job_id uuid, p_worker_id text, p_result jsonb DEFAULT NULL, p_attempt integer DEFAULT NULL
) RETURNS mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs := mcp_jobs.own_job(p_job_id, p_worker_id, p_attempt);
    v_ms bigint := mcp_jobs.milliseconds(v_job.claimed_at);
BEGIN
    UPDATE mcp_jobs.jobs SET
        status = 'completed', result = p_result, last_error = NULL, deadline_at = NULL,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = p_job_id RETURNING * INTO v_job;
    UPDATE mcp_jobs.job_runs
    SET status = 'completed', finished_at = v_job.finished_at, duration_ms = v_ms
    WHERE job_id = p_job_id AND attempt = v_job.attempts;
    PERFORM mcp_jobs.note(v_job, 'completed', NULL, v_ms);
    RETURN v_job;
END $$;

-- 5 s, 10 s, 20 s … at most an hour, each half of it at random, so that what failed together
-- does not come back together.
CREATE FUNCTION mcp_jobs.backoff(p_failures integer) RETURNS interval
LANGUAGE sql VOLATILE SET search_path = '' AS $$
    SELECT make_interval(secs =>
        least(3600, 5 * 2 ^ least(p_failures - 1, 20)) * (0.5 + random() / 2))
$$;

-- Ends the running attempt of a locked job: back into the queue, or dead after the last try.
CREATE FUNCTION mcp_jobs.end_attempt(
    p_job mcp_jobs.jobs, p_outcome text, p_error text, p_retry boolean
) RETURNS mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
    v_ms bigint := mcp_jobs.milliseconds(p_job.claimed_at);
    v_error text := left(coalesce(nullif(p_error, ''), p_outcome), 10000);
    v_again boolean := p_retry AND p_job.tries_left > 0;
    v_failures integer := greatest(1, p_job.max_retries + 1 - p_job.tries_left);
BEGIN
    UPDATE mcp_jobs.job_runs SET
        status = p_outcome, finished_at = clock_timestamp(), duration_ms = v_ms, error = v_error
    WHERE job_id = p_job.id AND attempt = p_job.attempts;
    UPDATE mcp_jobs.jobs SET
        status = CASE WHEN v_again THEN 'queued' ELSE 'dead' END,
        scheduled_at = CASE WHEN v_again
            THEN clock_timestamp() + mcp_jobs.backoff(v_failures) ELSE scheduled_at END,
        finished_at = CASE WHEN v_again THEN NULL ELSE clock_timestamp() END,
        worker_id = NULL, claimed_at = NULL, deadline_at = NULL,
        last_error = v_error, updated_at = clock_timestamp()
    WHERE id = p_job.id RETURNING * INTO v_job;
    PERFORM mcp_jobs.note(v_job, p_outcome, jsonb_build_object(
        'attempt', v_job.attempts, 'error', left(v_error, 500),
        'retry_at', CASE WHEN v_again THEN v_job.scheduled_at END), v_ms);
    IF NOT v_again THEN
        INSERT INTO mcp_jobs.dead_letter_queue
            (job_id, source, job_type, payload, attempts, last_error)
        VALUES (v_job.id, v_job.source, v_job.job_type, v_job.payload, v_job.attempts, v_error);
        PERFORM mcp_jobs.note(v_job, 'dead');
    END IF;
    RETURN v_job;
END $$;

-- With p_retry false the job is dead at once: for what will fail again, however often.
CREATE FUNCTION mcp_jobs.fail_job(
    p_job_id uuid, p_worker_id text, p_error text, p_retry boolean DEFAULT true,
    p_attempt integer DEFAULT NULL
) RETURNS mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RETURN mcp_jobs.end_attempt(
        mcp_jobs.own_job(p_job_id, p_worker_id, p_attempt), 'failed', p_error,
        coalesce(p_retry, true)
    );
END $$;
