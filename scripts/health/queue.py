"""The job queue of the local Supabase, where its profile runs."""

import json
from typing import Any, Final

from scripts.core.checks import CannotTellError, Finding, InapplicableError, Status, worst
from scripts.core.errors import OpsError
from scripts.health import limits
from scripts.health.answers import Answers
from scripts.health.facts import duration

_SERVICE: Final = "supabase_db"
# A worker that dies leaves its job running past its end, until another one looks.
_QUESTION: Final = """\
SELECT json_build_object(
    'waiting', (SELECT count(*) FROM mcp_jobs.jobs
        WHERE status = 'queued' AND scheduled_at < now()),
    'seconds', coalesce((SELECT extract(epoch FROM now() - min(scheduled_at)) FROM mcp_jobs.jobs
        WHERE status = 'queued' AND scheduled_at < now()), 0),
    'overdue', coalesce((SELECT extract(epoch FROM now() - min(deadline_at)) FROM mcp_jobs.jobs
        WHERE status = 'running'), 0),
    'dead', (SELECT count(*) FROM mcp_jobs.dead_letter_queue
        WHERE died_at > now() - interval '1 day'),
    'error', (SELECT last_error FROM mcp_jobs.dead_letter_queue ORDER BY died_at DESC LIMIT 1))
"""
_PSQL: Final = ("psql", "-U", "postgres", "-d", "postgres", "-X", "-q", "-A", "-t")
_TIMEOUT: Final = "PGOPTIONS=-c statement_timeout=3s"
_SHOWN: Final = 200  # characters of an error


def jobs(answers: Answers) -> Finding:
    """Whether jobs are run in time, and none was given up since yesterday."""
    found = [s for s in answers.containers() if s.service == _SERVICE and not s.oneoff]
    if not found:
        raise InapplicableError
    if found[0].state != "running":
        return _warning(f"{_SERVICE} is not running", "inv up --supabase")
    return _judge(_ask(answers, found[0].name))


def _ask(answers: Answers, container: str) -> dict[str, Any]:
    stack = answers.stack
    argv = stack.exec_argv(container, "env", _TIMEOUT, *_PSQL, "-c", _QUESTION)
    try:
        done = stack.runner.run(argv, check=False)
    except OpsError as error:
        raise CannotTellError(error.message, f"inv logs --service {_SERVICE}") from error
    if "does not exist" in done.stderr:  # the migrations were not applied
        raise InapplicableError
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        ended = f"psql in its container ended with exit code {done.code}"
        raise OpsError(done.last_line or ended, f"inv logs --service {_SERVICE}") from None
    return said


def _judge(said: dict[str, Any]) -> Finding:
    findings = []
    if said["seconds"] > limits.JOB_WAITS:
        since = duration(said["seconds"])
        late = f"{said['waiting']} jobs wait to be run, the oldest for {since}"
        findings.append(_warning(late, "docs/supabase.md says what runs them"))
    if said["overdue"] > limits.JOB_OVERDUE:
        since = duration(said["overdue"])
        findings.append(_warning(f"one should have ended {since} ago", "inv jobs --status running"))
    if said["dead"]:
        reason = " ".join(str(said["error"] or "no reason is told").split())[:_SHOWN]
        lost = f"{said['dead']} jobs were given up since yesterday; the last: {reason}"
        findings.append(_warning(lost, "inv jobs.dead, then: inv jobs.retry ID"))
    return worst(findings) if findings else Finding(Status.OK, f"{said['waiting']} wait")


def _warning(detail: str, hint: str) -> Finding:
    return Finding(Status.WARNING, detail, hint)
