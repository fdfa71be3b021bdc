-- What keeps the queue healthy: stuck jobs, cancelling, reviving, retention, figures.

-- Jobs whose worker has not come back in time; gives back how many there were.
CREATE FUNCTION mcp_jobs.reap_stuck_jobs(p_limit integer DEFAULT 100)
RETURNS integer LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
    v_count integer := 0;
BEGIN
    FOR v_job IN
        SELECT * FROM mcp_jobs.jobs
        WHERE status = 'running' AND deadline_at < clock_timestamp()
        ORDER BY deadline_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM mcp_jobs.end_attempt(v_job, 'timed_out', format(
            'no answer of worker %s within %s s', v_job.worker_id, v_job.timeout_seconds), true);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- A queued job will not be run; what a running one has begun is not taken back, but its worker
-- is told so when it wants to complete it.
CREATE FUNCTION mcp_jobs.cancel_job(p_job_id uuid, p_reason text DEFAULT NULL)
RETURNS mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
BEGIN
    SELECT * INTO v_job FROM mcp_jobs.jobs WHERE id = p_job_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE SQLSTATE 'PT404' USING MESSAGE = 'there is no such job';
    END IF;
    IF v_job.status NOT IN ('queued', 'running') THEN
        RAISE SQLSTATE 'PT409' USING MESSAGE = format('the job is %s already', v_job.status);
    END IF;
    UPDATE mcp_jobs.job_runs SET
        status = 'cancelled', finished_at = clock_timestamp(), error = left(p_reason, 10000),
        duration_ms = mcp_jobs.milliseconds(started_at)
    WHERE job_id = p_job_id AND status = 'running';
    UPDATE mcp_jobs.jobs SET
        status = 'cancelled', worker_id = NULL, claimed_at = NULL, deadline_at = NULL,
        last_error = left(p_reason, 10000),
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = p_job_id RETURNING * INTO v_job;
    PERFORM mcp_jobs.note(v_job, 'cancelled', jsonb_build_object('reason', left(p_reason, 500)));
    RETURN v_job;
END $$;

-- A dead or cancelled job gets all its tries anew, at once.
CREATE FUNCTION mcp_jobs.retry_job(p_job_id uuid)
RETURNS mcp_jobs.jobs LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_job mcp_jobs.jobs;
BEGIN
    SELECT * INTO v_job FROM mcp_jobs.jobs WHERE id = p_job_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE SQLSTATE 'PT404' USING MESSAGE = 'there is no such job';
    END IF;
    IF v_job.status NOT IN ('dead', 'cancelled') THEN
        RAISE SQLSTATE 'PT409' USING
            MESSAGE = format('the job is %s; only dead and cancelled ones can be retried',
                v_job.status);
    END IF;
    DELETE FROM mcp_jobs.dead_letter_queue WHERE job_id = p_job_id;
    UPDATE mcp_jobs.jobs SET
        status = 'queued', tries_left = max_retries + 1, scheduled_at = clock_timestamp(),
        finished_at = NULL, updated_at = clock_timestamp()
    WHERE id = p_job_id RETURNING * INTO v_job;
    PERFORM mcp_jobs.note(v_job, 'retried');
    RETURN v_job;
END $$;

-- Retention: at most p_limit jobs a call, so that it never holds anybody up for long. Dead jobs
-- stay longer; metrics are added up after an hour and stay a year.
CREATE FUNCTION mcp_jobs.purge_old_jobs(
    p_keep interval DEFAULT '30 days', p_keep_dead interval DEFAULT '90 days',
    p_limit integer DEFAULT 1000
) RETURNS integer LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    v_count integer;
BEGIN
    IF p_keep < interval '0' OR p_keep_dead < interval '0' THEN
        RAISE SQLSTATE 'PT400' USING MESSAGE = 'a retention cannot be negative';
    END IF;
    WITH old AS (
        SELECT id FROM mcp_jobs.jobs
        WHERE finished_at < clock_timestamp()
            - CASE WHEN status = 'dead' THEN p_keep_dead ELSE p_keep END
        ORDER BY finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    )
    DELETE FROM mcp_jobs.jobs AS j USING old WHERE j.id = old.id;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    DELETE FROM mcp_jobs.metrics WHERE minute < clock_timestamp() - interval '1 year';
    WITH single AS (
        DELETE FROM mcp_jobs.metrics
        WHERE backend <> 0 AND minute < clock_timestamp() - interval '1 hour'
        RETURNING *
    )
    INSERT INTO mcp_jobs.metrics AS m
    SELECT minute, source, job_type, event, 0, sum(count), sum(total_ms), max(max_ms)
    FROM single GROUP BY minute, source, job_type, event
    ON CONFLICT (minute, source, job_type, event, backend) DO UPDATE SET
        count = m.count + excluded.count,
        total_ms = m.total_ms + excluded.total_ms,
        max_ms = greatest(m.max_ms, excluded.max_ms);
    RETURN v_count;
END $$;

-- How the queue is doing, in one small answer.
CREATE FUNCTION mcp_jobs.job_stats() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT jsonb_build_object(
        'queued', (SELECT count(*) FROM mcp_jobs.jobs WHERE status = 'queued'),
        'due', (SELECT count(*) FROM mcp_jobs.jobs
                WHERE status = 'queued' AND scheduled_at <= now()),
        'running', (SELECT count(*) FROM mcp_jobs.jobs WHERE status = 'running'),
        'stuck', (SELECT count(*) FROM mcp_jobs.jobs
                  WHERE status = 'running' AND deadline_at < now()),
        'dead', (SELECT count(*) FROM mcp_jobs.dead_letter_queue),
        'oldest_due_seconds', (SELECT coalesce(extract(epoch FROM now() - min(scheduled_at)), 0)
                               FROM mcp_jobs.jobs
                               WHERE status = 'queued' AND scheduled_at <= now()),
        'last_hour', (SELECT coalesce(jsonb_object_agg(event, figures), '{}') FROM (
            SELECT event, jsonb_build_object(
                'count', sum(count), 'mean_ms', round(sum(total_ms) / sum(count)),
                'max_ms', max(max_ms)) AS figures
            FROM mcp_jobs.metrics WHERE minute > now() - interval '1 hour' GROUP BY event
        ) AS events)
    )
$$;
