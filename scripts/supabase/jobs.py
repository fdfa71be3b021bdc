"""The job queue by way of PostgREST: the local one, or Supabase Cloud's."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from scripts.core import http
from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Settings
from scripts.core.table import Table
from scripts.supabase import keys, service
from scripts.supabase.database import Target

CLOUD_KEY: Final = "supabase_cloud_service_role_key.txt"
STATUSES: Final = ("queued", "running", "completed", "cancelled", "dead")
_HEADER: Final = ("id", "source", "type", "priority", "status", "attempts", "scheduled")
_DEAD_HEADER: Final = ("id", "source", "type", "attempts", "died", "error")
_MINUTES: Final = 300  # seconds that a key made for one command is good for
_NAME: Final = r"[A-Za-z0-9_.:-]{1,100}"
_LONGEST_KEY: Final = 200
_MOST_ROWS: Final = 10_000
_MOST: Final = 262_144  # characters of a payload; these limits are those of supabase/migrations
_EXAMPLE: Final = """For example: '{"text": "Hi"}', or @FILE"""
_UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Queue:
    """One queue, reached as service_role."""

    url: str
    token: str

    @classmethod
    def of(cls, settings: Settings, target: Target) -> "Queue":
        """The queue of `target`; raises UsageError for what `.env` or secrets/ lack."""
        folder = settings.secrets_folder
        if target is Target.LOCAL:
            token = keys.make(folder, "service_role", _MINUTES).token
            return cls(service.postgrest_url(settings), token)
        path = folder / CLOUD_KEY
        if not settings.supabase_ref or not path.is_file():
            hint = f"Put SUPABASE_PROJECT_REF into .env and its key into secrets/{CLOUD_KEY}"
            raise UsageError("no project of Supabase Cloud is set up", hint)
        url = f"https://{settings.supabase_ref}.supabase.co/rest/v1"
        return cls(url, path.read_text(encoding="utf-8-sig").strip())

    def rows(self, table: str, **params: str) -> list[dict[str, Any]]:
        """Rows of a table; `params` are PostgREST's filters."""
        found: list[dict[str, Any]] = self._ask("GET", table, params=params)
        return found

    def call(self, function: str, **arguments: Any) -> Any:
        """What a function of the queue answers."""
        return self._ask("POST", f"rpc/{function}", body=arguments)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        profile = "Accept-Profile" if method == "GET" else "Content-Profile"
        headers = {
            "Authorization": f"Bearer {self.token}",
            "apikey": self.token,
            profile: "mcp_jobs",
        }
        try:
            reply = http.ask(
                method, f"{self.url}/{path}", headers=headers, params=params, body=body
            )
        except OpsError as error:
            raise OpsError(error.message, "See: inv supabase.status") from error
        if reply.status >= 400:
            raise _refusal(reply)
        return json.loads(reply.text) if reply.text else None


def _refusal(reply: http.Reply) -> OpsError:
    try:
        said = json.loads(reply.text)
        message, hint = str(said["message"]), str(said.get("hint") or said.get("details") or "")
    except (ValueError, KeyError, TypeError):
        return OpsError(f"PostgREST answers with status {reply.status}", "inv supabase.status")
    if re.search("schema|relation .* does not exist|Could not find", message):
        hint = hint or "Are the migrations applied? inv supabase.migrate"
    return OpsError(f"the queue refuses it: {message}", hint)


def enqueue(
    queue: Queue,
    source: str,
    job_type: str,
    payload: str,
    *,
    priority: int,
    at: str,
    max_retries: int,
    timeout: int,
    key: str,
) -> str:
    """Put a job into the queue; returns its id.

    `payload` is a JSON object, or @ and the name of a file with one. Raises
    UsageError for what is wrong with any of them before anybody is asked.
    """
    for flag, name in (("--source", source), ("--type", job_type)):
        if not re.fullmatch(_NAME, name):
            hint = "Up to 100 letters without accents, digits and any of _ . : -"
            raise UsageError(f"{flag} {name!r} is no name", hint)
    _require_within("--priority", priority, 1, 10)
    _require_within("--max-retries", max_retries, 0, 100)
    _require_within("--timeout", timeout, 1, 86_400)
    if len(key) > _LONGEST_KEY:
        raise UsageError(f"--key has more than {_LONGEST_KEY} characters", "Give a shorter one.")
    request: dict[str, Any] = {
        "p_source": source,
        "p_job_type": job_type,
        "p_payload": _payload(payload),
        "p_priority": priority,
        "p_max_retries": max_retries,
        "p_timeout_seconds": timeout,
    }
    if at:
        request["p_scheduled_at"] = _moment(at)
    if key:
        request["p_idempotency_key"] = key
    return str(queue.call("enqueue_job", **request))


def _require_within(flag: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{flag} {value} is not between {least} and {most}")


def _payload(text: str) -> dict[str, Any]:
    content = _content(text[1:]) if text.startswith("@") else text
    try:
        found = json.loads(content, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"--payload is no JSON: see {place}", _EXAMPLE) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("--payload is no JSON", _EXAMPLE) from error
    if not isinstance(found, dict):
        raise UsageError("--payload has to be a JSON object", _EXAMPLE)
    return found


def _content(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as stream:
            found = stream.read(_MOST + 1)  # of a device, there would be no end
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"{path or '@'} cannot be read: {reason}", _EXAMPLE) from error
    if len(found) > _MOST:
        raise UsageError(
            f"{path} has more than {_MOST} characters", "A queue is no place for them."
        )
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is of Python, not of JSON")


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError as error:
        hint = "For example: 2026-12-24T18:00 or 2026-12-24T18:00+01:00"
        raise UsageError(f"--at {text!r} is no moment", hint) from error


def listed(queue: Queue, status: str, limit: int) -> list[dict[str, Any]]:
    """The newest jobs, those with `status` only if it is not empty."""
    if status and status not in STATUSES:
        raise UsageError(f"--status {status!r} is none of: {', '.join(STATUSES)}")
    _require_within("--limit", limit, 1, _MOST_ROWS)
    wanted = {"status": f"eq.{status}"} if status else {}
    columns = "id,source,job_type,priority,status,attempts,scheduled_at"
    return queue.rows("jobs", select=columns, order="seq.desc", limit=str(limit), **wanted)


def dead(queue: Queue, limit: int) -> list[dict[str, Any]]:
    """The jobs that were given up, the latest first."""
    _require_within("--limit", limit, 1, _MOST_ROWS)
    return queue.rows("dead_letter_queue", order="died_at.desc", limit=str(limit))


def show(queue: Queue, job: str) -> dict[str, Any]:
    """One job, its attempts and what happened to it."""
    same = f"eq.{_identity(job)}"
    found = queue.rows("jobs", id=same)
    if not found:
        raise OpsError(f"there is no job {job}", "inv jobs lists them.")
    runs = queue.rows("job_runs", job_id=same, order="attempt")
    events = queue.rows("job_events", job_id=same, order="id")
    return {**found[0], "runs": runs, "events": events}


def retry(queue: Queue, job: str) -> None:
    """Give a dead or cancelled job all its tries again."""
    queue.call("retry_job", p_job_id=_identity(job))


def _identity(job: str) -> str:
    if not re.fullmatch(_UUID, job.lower()):
        raise UsageError(f"{job!r} is no id of a job", "inv jobs lists them.")
    return job.lower()


def table(found: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each job."""
    columns = ("id", "source", "job_type", "priority", "status", "attempts", "scheduled_at")
    return Table(_HEADER, [[str(job[column]) for column in columns] for job in found])


def dead_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each job that was given up."""
    columns = ("job_id", "source", "job_type", "attempts", "died_at", "last_error")
    rows = [[str(job[c] or "").replace("\n", " ")[:60] for c in columns] for job in found]
    return Table(_DEAD_HEADER, rows)


def details(job: Mapping[str, Any]) -> list[str]:
    """A job for people."""
    lines = [
        f"{name + ':':16} {_plain(value)}"
        for name, value in job.items()
        if name not in ("runs", "events", "seq") and value is not None
    ]
    lines += [
        f"attempt {r['attempt']}: {r['status']} by {r['worker_id']}, {r['duration_ms']} ms"
        + (f": {r['error']}" if r["error"] else "")
        for r in job["runs"]
    ]
    lines += [f"{e['at']} {e['event']} {_plain(e['detail'] or '')}".rstrip() for e in job["events"]]
    return lines


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
