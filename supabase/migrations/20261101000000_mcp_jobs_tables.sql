-- The job queue: what is to be done, what was tried, what happened, what was given up.
-- Applied by `inv supabase.migrate` or the Supabase CLI. Never edit a file that was applied
-- somewhere: add another.

CREATE SCHEMA mcp_jobs;
REVOKE ALL ON SCHEMA mcp_jobs FROM PUBLIC;

CREATE TABLE mcp_jobs.jobs (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seq             bigint GENERATED ALWAYS AS IDENTITY, -- first come, first served
    source          text NOT NULL CHECK (source ~ '^[A-Za-z0-9_.:-]{1,100}$'),
    job_type        text NOT NULL CHECK (job_type ~ '^[A-Za-z0-9_.:-]{1,100}$'),
    -- PostgREST has no limit on bodies of its own.
    payload         jsonb NOT NULL DEFAULT '{}'
        CHECK (jsonb_typeof(payload) = 'object' AND octet_length(payload::text) <= 262144),
    priority        smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10), -- 1 is first
    status          text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'completed', 'cancelled', 'dead')),
    scheduled_at    timestamptz NOT NULL DEFAULT now(),
    max_retries     integer NOT NULL DEFAULT 3 CHECK (max_retries BETWEEN 0 AND 100),
    timeout_seconds integer NOT NULL DEFAULT 300 CHECK (timeout_seconds BETWEEN 1 AND 86400),
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    attempts        integer NOT NULL DEFAULT 0, -- only ever grows, also when a dead job is revived
    tries_left      integer NOT NULL CHECK (tries_left >= 0),
    worker_id       text,
    claimed_at      timestamptz,
    deadline_at     timestamptz,
    result          jsonb CHECK (octet_length(result::text) <= 262144),
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    CHECK ((status = 'running') = (deadline_at IS NOT NULL))
) WITH (
    -- A queue is mostly dead rows: they are swept away early.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 500
);

-- claim_next_job walks over these from the left and stops at the first free row.
CREATE INDEX jobs_next ON mcp_jobs.jobs (priority, scheduled_at, seq) WHERE status = 'queued';
CREATE INDEX jobs_next_of_source ON mcp_jobs.jobs (source, priority, scheduled_at, seq)
    WHERE status = 'queued';
CREATE INDEX jobs_deadline ON mcp_jobs.jobs (deadline_at) WHERE status = 'running';
CREATE INDEX jobs_finished ON mcp_jobs.jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_newest ON mcp_jobs.jobs (seq);
CREATE UNIQUE INDEX jobs_idempotency ON mcp_jobs.jobs (source, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE mcp_jobs.job_runs (
    job_id      uuid NOT NULL REFERENCES mcp_jobs.jobs ON DELETE CASCADE,
    attempt     integer NOT NULL,
    worker_id   text NOT NULL,
    status      text NOT NULL DEFAULT 'running'
        CHECK (status IN ('running', 'completed', 'failed', 'timed_out', 'cancelled')),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    duration_ms bigint,
    error       text,
    PRIMARY KEY (job_id, attempt)
);

CREATE TABLE mcp_jobs.job_events (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES mcp_jobs.jobs ON DELETE CASCADE,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    event  text NOT NULL,
    detail jsonb
);
CREATE INDEX job_events_of_job ON mcp_jobs.job_events (job_id, id);

CREATE TABLE mcp_jobs.dead_letter_queue (
    job_id     uuid PRIMARY KEY REFERENCES mcp_jobs.jobs ON DELETE CASCADE,
    source     text NOT NULL,
    job_type   text NOT NULL,
    payload    jsonb NOT NULL,
    attempts   integer NOT NULL,
    last_error text,
    died_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dead_letter_queue_by_time ON mcp_jobs.dead_letter_queue (died_at);

-- Sums by minute. A server process has rows of its own, so that workers never wait for
-- each other here; purge_old_jobs adds them up (as backend 0).
CREATE TABLE mcp_jobs.metrics (
    minute   timestamptz NOT NULL,
    source   text NOT NULL,
    job_type text NOT NULL,
    event    text NOT NULL,
    backend  integer NOT NULL,
    count    bigint NOT NULL,
    total_ms bigint NOT NULL, -- claimed: waited; completed, failed, timed_out: ran
    max_ms   bigint NOT NULL,
    PRIMARY KEY (minute, source, job_type, event, backend)
) WITH (fillfactor = 50);
