"""The job queue."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON
from scripts.commands.session import Session, open_session
from scripts.commands.supabase import TARGET
from scripts.core.tasklib import command

LIMIT = "At most so many."


@command(
    {
        "status": "queued, running, completed, cancelled or dead; all if empty.",
        "limit": LIMIT,
        "target": TARGET,
        "json": JSON,
    },
    name="list",
    default=True,
)
def jobs_list(
    c: Context, status: str = "", limit: int = 20, target: str = "local", json: bool = False
) -> None:
    """List the newest jobs."""
    from scripts.supabase import jobs
    from scripts.supabase.database import Target
    from scripts.supabase.jobs import Queue

    session = open_session(c)
    queue = Queue.of(session.settings, Target.parse(target))
    found = jobs.listed(queue, status, limit)
    session.console.show(found, jobs.table(found).lines, as_json=json)


@command(
    {
        "source": "Who wants it done.",
        "type": "sync_odoo, notify_slack, webhook or http.",
        "payload": "A JSON object, or @FILE.",
        "priority": "1 (first) to 10 (last).",
        "at": "Not before this moment (ISO 8601); now if empty.",
        "max_retries": "How often it is tried again.",
        "timeout": "Seconds for one try.",
        "key": "The same source and key never make a second job.",
        "target": TARGET,
        "json": JSON,
    },
    name="enqueue",
)
def jobs_enqueue(
    c: Context,
    source: str = "inv",
    type: str = "http",
    payload: str = "{}",
    priority: int = 5,
    at: str = "",
    max_retries: int = 3,
    timeout: int = 300,
    key: str = "",
    target: str = "local",
    json: bool = False,
) -> None:
    """Put a job into the queue and print its id."""
    from scripts.supabase import jobs
    from scripts.supabase.database import Target
    from scripts.supabase.jobs import Queue

    session = open_session(c)
    queue = Queue.of(session.settings, Target.parse(target))
    job = jobs.enqueue(
        queue,
        source,
        type,
        _from_here(session, payload),
        priority=priority,
        at=at,
        max_retries=max_retries,
        timeout=timeout,
        key=key,
    )
    session.console.show({"id": job}, [job], as_json=json)


def _from_here(session: Session, payload: str) -> str:
    """With the path of @FILE as the person means it."""
    return f"@{session.path(payload[1:])}" if payload.startswith("@") else payload


@command({"id": "Which job.", "target": TARGET, "json": JSON}, name="show")
def jobs_show(c: Context, id: str, target: str = "local", json: bool = False) -> None:
    """Show a job, its attempts and what happened to it."""
    from scripts.supabase import jobs
    from scripts.supabase.database import Target
    from scripts.supabase.jobs import Queue

    session = open_session(c)
    job = jobs.show(Queue.of(session.settings, Target.parse(target)), id)
    session.console.show(job, jobs.details(job), as_json=json)


@command({"id": "Which job.", "target": TARGET, "json": JSON}, name="retry")
def jobs_retry(c: Context, id: str, target: str = "local", json: bool = False) -> None:
    """Give a dead or cancelled job all its tries again."""
    from scripts.supabase import jobs
    from scripts.supabase.database import Target
    from scripts.supabase.jobs import Queue

    session = open_session(c)
    jobs.retry(Queue.of(session.settings, Target.parse(target)), id)
    session.console.show({"id": id}, [f"{id} is queued again"], as_json=json)


@command({"limit": LIMIT, "target": TARGET, "json": JSON}, name="dead")
def jobs_dead(c: Context, limit: int = 20, target: str = "local", json: bool = False) -> None:
    """List the jobs that were given up."""
    from scripts.supabase import jobs
    from scripts.supabase.database import Target
    from scripts.supabase.jobs import Queue

    session = open_session(c)
    found = jobs.dead(Queue.of(session.settings, Target.parse(target)), limit)
    session.console.show(found, jobs.dead_table(found).lines, as_json=json)


COLLECTION = Collection("jobs", jobs_list, jobs_enqueue, jobs_show, jobs_retry, jobs_dead)
