"""The secret files: which there are, how each is made, what is refused."""

import base64
import re
import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import UsageError
from scripts.core.files import make_private_folder, write_new

SHORTEST: Final = 12  # characters; below that a password can be guessed
# 32 random bytes in base64 are longer than any placeholder seen, and one of a
# million would spell one.
_RANDOM_LENGTH: Final = 43
_WORDS: Final = r"([-_ ]?[0-9!]{0,6}|([-_ ][a-z]+)+[-_ ]?[0-9!]{0,6})"
_PLACEHOLDERS: Final = re.compile(
    # Phrases of whole words with their usual tails.
    rf"(your|my|some|the|change|replace|insert|put|enter|use)[-_ ]?[a-z]+{_WORDS}"
    r"|([a-z]+[-_ ])*((password|passw0rd|secret|admin|odoo|postgres|test|example|placeholder"
    rf"|letmein)[0-9]{{0,4}})+{_WORDS}"
    r"|<.*>|(?P<one>.)(?P=one)+|[0-9]+",
    re.IGNORECASE,
)


class State(StrEnum):
    """What `inv secrets` did with a file, or found."""

    KEPT = "kept"
    CREATED = "created"
    MISSING = "missing"
    REFUSED = "refused"


@dataclass(frozen=True)
class SecretSpec:
    """One file in secrets/. `required` ones must exist before the platform starts."""

    name: str
    purpose: str
    generate: Callable[[], str]
    required: bool = False
    multiline: bool = False

    def path(self, folder: Path) -> Path:
        """The file in `folder`."""
        return folder / f"{self.name}.txt"


@dataclass(frozen=True)
class SecretReport:
    """State of one secret file; never holds the value."""

    name: str
    purpose: str
    path: Path
    state: State
    problem: str = ""


def _password() -> str:
    return randomness.token_urlsafe(32)


def _signing_key() -> str:
    return base64.b64encode(randomness.token_bytes(64)).decode()


ADMIN_PASSWORD: Final = SecretSpec(
    "odoo_admin_password", "first password of the Odoo login 'admin'", _password
)
SPECS: Final = (
    SecretSpec("db_password", "PostgreSQL role of Odoo", _password, required=True),
    ADMIN_PASSWORD,
    SecretSpec("odoo_master_password", "Odoo's master password", _password),
    SecretSpec("backup_key", "opens the repository of backups; keep a copy elsewhere", _password),
    SecretSpec("supabase_db_password", "PostgreSQL of the local Supabase profile", _password),
    # `openssl rand -base64 64`, as the README makes it by hand, wraps its line.
    SecretSpec(
        "supabase_jwt_secret",
        "signs the keys of the local Supabase profile",
        _signing_key,
        multiline=True,
    ),
)


def ensure(folder: Path) -> list[SecretReport]:
    """Make every secret that is missing (0600, in a 0700 folder) and keep the rest.

    Raises UsageError where an existing file is a placeholder or otherwise
    unusable: nothing is written then, and nothing is ever overwritten.
    """
    before = inspect(folder)
    _refuse(before)
    make_private_folder(folder)
    reports = []
    for spec, found in zip(SPECS, before, strict=True):
        state = found.state
        if state is State.MISSING:
            # A run beside this one may have been quicker: its value is the one.
            created = write_new(found.path, spec.generate().encode() + b"\n", 0o600)
            state = State.CREATED if created else State.KEPT
        else:
            found.path.chmod(0o600)
        reports.append(SecretReport(spec.name, spec.purpose, found.path, state))
    return reports


def inspect(folder: Path) -> list[SecretReport]:
    """The state of every secret; changes nothing."""
    reports = []
    for spec in SPECS:
        path = spec.path(folder)
        state, problem = State.KEPT, ""
        try:
            problem = _problem(spec, path)
            state = State.REFUSED if problem else State.KEPT
        except FileNotFoundError:
            state = State.MISSING
        reports.append(SecretReport(spec.name, spec.purpose, path, state, problem))
    return reports


def preflight(folder: Path) -> Check:
    """The check that `inv up` makes before it starts anything."""

    def probe() -> Finding:
        reports = inspect(folder)
        required = {spec.name for spec in SPECS if spec.required}
        missing = [r for r in reports if r.state is State.MISSING and r.name in required]
        if missing:
            names = ", ".join(f"secrets/{report.path.name}" for report in missing)
            return Finding(Status.FAILED, f"{names} does not exist", "Run: inv secrets")
        _refuse(reports)
        return Finding(Status.OK)

    return Check("Secrets", probe)


def _refuse(reports: list[SecretReport]) -> None:
    refused = [report for report in reports if report.state is State.REFUSED]
    if refused:
        listing = "; ".join(f"secrets/{r.path.name} {r.problem}" for r in refused)
        raise UsageError(
            listing, "Delete the file and run `inv secrets`, or put a strong value into it."
        )


def _problem(spec: SecretSpec, path: Path) -> str:
    try:
        value = path.read_text().strip()
    except IsADirectoryError:
        return "is a folder; an earlier start without the file left it behind"
    except PermissionError:
        return "cannot be read by this user (made by root?)"
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read ({type(error).__name__})"
    if not value:
        return "is empty"
    phrase = len(value) < _RANDOM_LENGTH and _PLACEHOLDERS.fullmatch(value.replace("\n", " "))
    if phrase or value.startswith("#"):
        return "holds a placeholder, not a secret"
    if len(value.split()) > 1 and not spec.multiline:
        return "holds more than one word or line"
    if len(value) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    return ""
