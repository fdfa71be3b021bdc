"""The secret files: which there are, how each is made, what is refused."""

import base64
import re
import secrets as randomness
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core import interrupted_rotation
from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import make_private_folder, write_new
from scripts.core.table import Table

SHORTEST: Final = 12  # characters; below that a password can be guessed
UNREADABLE: Final = "cannot be read by this user (made by root?)"
OWNER_HINT: Final = (
    "Run this as the user who owns the secrets, or make them yours: sudo chown $USER secrets/*.txt"
)
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


class SecretState(StrEnum):
    """What `inv secrets` did with a file, or found."""

    KEPT = "kept"
    CREATED = "created"
    MISSING = "missing"
    LOST = "lost"  # missing, and something that lives depends on it: no new one would fit
    REFUSED = "refused"


@dataclass(frozen=True)
class SecretSpec:
    """One file in secrets/. `required` ones must exist before the platform starts."""

    name: str
    purpose: str
    generate: Callable[[], str]
    required: bool = False
    multiline: bool = False
    way: str = ""  # how one gets on that is lost

    def path(self, folder: Path) -> Path:
        """The file in `folder`."""
        return folder / f"{self.name}.txt"


@dataclass(frozen=True)
class SecretReport:
    """State of one secret file; never holds the value."""

    name: str
    purpose: str
    path: Path
    state: SecretState
    problem: str = ""


def _password() -> str:
    return randomness.token_urlsafe(32)


def _signing_key() -> str:
    return base64.b64encode(randomness.token_bytes(64)).decode()


_OLD_OR_NEW: Final = (
    "Put the old file back from a copy, or make a new one with: inv secrets.rotate "
)
ADMIN_PASSWORD: Final = SecretSpec(
    "odoo_admin_password",
    "password of Odoo's administrator, as it was first or last made here",
    _password,
    way="Have a new one made: inv secrets.reset admin",
)
SPECS: Final = (
    SecretSpec(
        "db_password",
        "PostgreSQL role of Odoo",
        _password,
        required=True,
        way=f"{_OLD_OR_NEW}db_password",
    ),
    ADMIN_PASSWORD,
    SecretSpec("odoo_master_password", "Odoo's master password", _password),
    SecretSpec(
        "backup_key",
        "opens the repository of backups; keep a copy elsewhere",
        _password,
        way="Put the key that `inv backup.key` once printed into that file. If there is none any"
        " more, nobody can read those backups: name another, empty folder in BACKUP_FOLDER (or"
        " another BACKUP_REPOSITORY) in .env, and run this again.",
    ),
    SecretSpec("monitoring_password", "PostgreSQL role of the monitoring profile", _password),
    SecretSpec(
        "supabase_db_password",
        "PostgreSQL of the local Supabase profile",
        _password,
        way=f"{_OLD_OR_NEW}supabase_db_password",
    ),
    # `openssl rand -base64 64`, as docs/installation.md makes it by hand, wraps its line.
    SecretSpec(
        "supabase_jwt_secret",
        "signs the keys of the local Supabase profile",
        _signing_key,
        multiline=True,
        way=f"{_OLD_OR_NEW}supabase_jwt_secret",
    ),
)


def ensure(folder: Path, lost: Mapping[str, str] | None = None) -> list[SecretReport]:
    """Make every secret that is missing (0600, in a 0700 folder) and keep the rest.

    `lost` are those that must not be made, by name, with the reason. Raises UsageError
    where an existing file is a placeholder or otherwise unusable: nothing is written
    then, and nothing is ever overwritten.
    """
    before = inspect(folder, lost)
    _require_accepted(before)
    make_private_folder(folder)
    reports = []
    for spec, found in zip(SPECS, before, strict=True):
        state = found.state
        if state is SecretState.MISSING:
            # A run beside this one may have been quicker: its value is the one.
            created = write_new(found.path, spec.generate().encode() + b"\n", 0o600)
            state = SecretState.CREATED if created else SecretState.KEPT
        elif state is SecretState.KEPT:
            found.path.chmod(0o600)
        reports.append(SecretReport(spec.name, spec.purpose, found.path, state, found.problem))
    return reports


def table(reports: Sequence[SecretReport]) -> Table:
    """A row for each file."""
    rows = [[f"secrets/{r.path.name}", r.state, r.problem or r.purpose] for r in reports]
    return Table(("file", "state", "purpose"), rows)


def require_none_lost(reports: Sequence[SecretReport], *, required: bool = False) -> None:
    """Raises OpsError that names every lost secret and the way on; or only `required` ones."""
    specs = {spec.name: spec for spec in SPECS if spec.required or not required}
    gone = [r for r in reports if r.state is SecretState.LOST and r.name in specs]
    if gone:
        listing = "; ".join(f"secrets/{r.path.name} is missing, but {r.problem}" for r in gone)
        raise OpsError(listing, " ".join(specs[r.name].way for r in gone))


def inspect(folder: Path, lost: Mapping[str, str] | None = None) -> list[SecretReport]:
    """The state of every secret; changes nothing. `lost` as in `ensure`."""
    reports = []
    for spec in SPECS:
        path = spec.path(folder)
        state, problem = SecretState.KEPT, ""
        try:
            problem = _problem(spec, path)
            state = SecretState.REFUSED if problem else SecretState.KEPT
        except FileNotFoundError:
            state = SecretState.MISSING
            if lost and spec.name in lost:
                state, problem = SecretState.LOST, lost[spec.name]
        reports.append(SecretReport(spec.name, spec.purpose, path, state, problem))
    return reports


def preflight(folder: Path) -> Check:
    """The check that `inv up` makes before it starts anything."""

    def probe() -> Finding:
        if interrupted_rotation.rotation_in(folder):
            return Finding(Status.FAILED, interrupted_rotation.MESSAGE, interrupted_rotation.HINT)
        reports = inspect(folder)
        found = _existing(reports, {spec.name for spec in SPECS if spec.required})
        if found.status is Status.OK:
            _require_accepted(reports)
        return found

    return Check("Secrets", probe)


def exists(folder: Path, name: str) -> Finding:
    """FAILED where the secret `name`, which not every platform needs, does not exist."""
    return _existing(inspect(folder), {name})


def _existing(reports: Sequence[SecretReport], names: Collection[str]) -> Finding:
    missing = [r for r in reports if r.state is SecretState.MISSING and r.name in names]
    if not missing:
        return Finding(Status.OK)
    listed = ", ".join(f"secrets/{report.path.name}" for report in missing)
    return Finding(Status.FAILED, f"{listed} does not exist", "Run: inv secrets")


def _require_accepted(reports: list[SecretReport]) -> None:
    refused = [report for report in reports if report.state is SecretState.REFUSED]
    if refused:
        listing = "; ".join(f"secrets/{r.path.name} {r.problem}" for r in refused)
        if all(report.problem == UNREADABLE for report in refused):
            raise UsageError(listing, OWNER_HINT)
        names = ",".join(report.name for report in refused)
        raise UsageError(
            listing,
            "Put the right value into the file. Without one: delete the file and run `inv"
            f" secrets`; where the platform uses it already: inv secrets.rotate {names}",
        )


def value_in(path: Path) -> str:
    """The value in a secret file, without what an editor of Windows adds to it.

    The programs in the containers leave out the same: a byte order mark at the beginning,
    and the line break. Raises OSError and UnicodeDecodeError.
    """
    return path.read_text(encoding="utf-8-sig").strip()


def _problem(spec: SecretSpec, path: Path) -> str:
    try:
        value = value_in(path)
    except IsADirectoryError:
        return "is a folder; an earlier start without the file left it behind"
    except PermissionError:
        return UNREADABLE
    except FileNotFoundError:
        raise
    except UnicodeDecodeError:
        return "cannot be read: it is no UTF-8 text"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
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
