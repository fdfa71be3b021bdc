"""The keys of the local Supabase: tokens that PostgREST takes for a role."""

import base64
import binascii
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts import credentials
from scripts.core.errors import UsageError

ROLES: Final = ("anon", "service_role")
_SHORTEST: Final = 32  # bytes; what HS256 wants, and PostgREST too
_NAME: Final = "supabase_jwt_secret"
_DAY: Final = 86400
_LONGEST_DAYS: Final = 3650
# Such as the one in Supabase's own examples, which everybody knows.
_WORDS: Final = r"[a-z]{1,12}([-_.][a-z0-9]{1,12}){2,}"


@dataclass(frozen=True)
class Key:
    """A token and when it ends (seconds since 1970)."""

    role: str
    token: str
    expires: int


def secret(folder: Path) -> str:
    """The signing secret; raises UsageError if it is missing or could be guessed."""
    report = next(r for r in credentials.inspect(folder) if r.name == _NAME)
    place = f"secrets/{report.path.name}"
    if report.state is credentials.SecretState.MISSING:
        raise UsageError(f"{place} does not exist", "Run: inv secrets")
    problem = report.problem or _weakness("".join(credentials.value_in(report.path).split()))
    if problem:
        unreadable = problem == credentials.UNREADABLE
        hint = credentials.OWNER_HINT if unreadable else f"Run: inv secrets.rotate {_NAME}"
        raise UsageError(f"{place} {problem}", hint)
    # `openssl rand -base64 64` wraps its line: whitespace is no part of the secret.
    return "".join(credentials.value_in(report.path).split())


def _weakness(value: str) -> str:
    if len(value.encode()) < _SHORTEST:
        return f"is shorter than {_SHORTEST} characters"
    if len(set(value)) < 10:
        return "repeats itself"
    if re.fullmatch(_WORDS, value) and not re.fullmatch(r"[0-9a-f-]+", value):
        return "consists of words"
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return f"is base64 of fewer than {_SHORTEST} bytes" if len(decoded) < _SHORTEST else ""


def make(folder: Path, role: str, seconds: int) -> Key:
    """A key for `role` that ends after `seconds`."""
    import jwt  # slow to import

    now = int(time.time())
    claims = {"iss": "supabase", "role": role, "iat": now, "exp": now + seconds}
    return Key(role, jwt.encode(claims, secret(folder), algorithm="HS256"), now + seconds)


def for_people(folder: Path, days: int) -> list[Key]:
    """Both keys, to be put into other programs."""
    if not 1 <= days <= _LONGEST_DAYS:
        raise UsageError(f"--days {days} is not between 1 and {_LONGEST_DAYS}")
    return [make(folder, role, days * _DAY) for role in ROLES]
