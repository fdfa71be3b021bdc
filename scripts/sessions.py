"""The sessions of Odoo: who has how many, ending them, bringing in those kept in files."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import OpsError, UsageError
from scripts.core.redis_settings import PASSWORD
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.core.table import Table
from scripts.credentials import value_in
from scripts.stack.compose import Stack

# It knows where and under which names the module itself keeps them.
HELPER: Final = "/mnt/extra-addons/session_redis/admin.py"
_HEADER: Final = ("user", "sessions", "under 1 h", "under 1 day", "older", "last seen")
ANONYMOUS: Final = "(not logged in)"
_SESSIONS_TIMEOUT: Final = 300


@dataclass(frozen=True)
class UserSessions:
    """The sessions of one login, '' for visitors; by the time since they began."""

    login: str
    sessions: int
    hour: int
    day: int
    older: int
    idle: int  # seconds since any of them was last recorded as used


@dataclass(frozen=True)
class Overview:
    """All sessions, and what Redis needs for them."""

    users: tuple[UserSessions, ...]
    memory: int
    maxmemory: int

    @property
    def sessions(self) -> int:
        """How many there are."""
        return sum(user.sessions for user in self.users)


def preflight(settings: Settings) -> Check:
    """The check that `inv up` makes: a Redis elsewhere has its password from who runs it."""
    return Check("Sessions", lambda: _password(settings))


def _password(settings: Settings) -> Finding:
    if not settings.redis.external:
        return Finding(Status.OK)
    hint = f"Put the password of {settings.redis.place} into secrets/{PASSWORD}.txt (chmod 600)."
    try:
        value = value_in(settings.secrets_folder / f"{PASSWORD}.txt")
    except (OSError, UnicodeDecodeError) as error:
        said = f"REDIS_EXTERNAL_* is set, and secrets/{PASSWORD}.txt cannot be read"
        return Finding(Status.FAILED, f"{said} ({type(error).__name__})", hint)
    if not value or value.startswith(f"# {PASSWORD}.txt:"):
        return Finding(Status.FAILED, f"secrets/{PASSWORD}.txt holds no password", hint)
    return Finding(Status.OK)


def overview(stack: Stack) -> Overview:
    """How many sessions there are, by user and age."""
    found = _ask(stack, "list")
    users = tuple(UserSessions(**row) for row in found["users"])
    return Overview(users, found["memory"], found["maxmemory"])


def revoke(stack: Stack, reporter: Reporter, login: str) -> int:
    """End all sessions of `login`, after asking; returns how many there were.

    Raises OpsError for somebody who is neither a user nor has a session, before anybody is
    asked, and if nobody agrees: without a terminal only `--yes` does.
    """
    if not login.strip():
        raise UsageError("--user names nobody", "Give the login of a user.")
    found = _ask(stack, "count", login)
    _require_known(login, found["known"], found["sessions"])
    if not found["sessions"]:
        return 0
    question = f"This logs {login!r} out of {found['sessions']} sessions. Continue?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nobody was logged out", "Say yes, or give --yes where nobody can answer.")
    return end(stack, login)


def end(stack: Stack, login: str) -> int:
    """End all sessions of `login` without asking; returns how many there were."""
    answer = _ask(stack, "revoke", login, changes=True)
    _require_known(login, answer.get("known", True), answer["revoked"])
    return int(answer["revoked"])


def _require_known(login: str, known: bool, sessions: int) -> None:
    if not known and not sessions:
        raise OpsError(f"there is no user {login!r}", "inv sessions shows who has sessions.")


def bring_files(stack: Stack) -> int:
    """Move the sessions that Odoo once kept in files; returns how many."""
    return int(_ask(stack, "import", changes=True)["moved"])


def table(found: Overview) -> Table:
    """A row for each user, those with most sessions first."""
    ordered = sorted(found.users, key=lambda user: (-user.sessions, user.login))
    rows = [
        (
            user.login or ANONYMOUS,
            *map(str, (user.sessions, user.hour, user.day, user.older)),
            _ago(user.idle),
        )
        for user in ordered
    ]
    return Table(_HEADER, rows)


def as_json(found: Overview) -> dict[str, Any]:
    """For machines, with the total."""
    return {**asdict(found), "sessions": found.sessions}


def summary(found: Overview) -> str:
    """The line below the table."""
    mib = 1024**2
    limit = f" of {found.maxmemory / mib:.0f}" if found.maxmemory else ""
    if not found.memory:  # a Redis elsewhere need not tell
        return f"{found.sessions} sessions"
    return f"{found.sessions} sessions; Redis uses {found.memory / mib:.1f}{limit} MiB"


def _ago(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "now"


def _ask(stack: Stack, *command: str, changes: bool = False) -> Any:
    program = ["python3", HELPER, *command]
    done = stack.exec("odoo", *program, user="odoo", timeout=_SESSIONS_TIMEOUT, changes=changes)
    if changes and stack.runner.dry:
        return {"revoked": 0, "moved": 0}
    if not done.ok:
        raise OpsError(
            f"the sessions cannot be reached: {done.last_line}", "Is the platform up? See: inv ps"
        )
    return json.loads(done.stdout)
