"""Which folder a platform belongs to, so that no other clone of the project works on it.

Containers carry the folder they were started from, but volumes do not, and `inv down`
leaves nothing but volumes. So there is one more, empty volume, the mark: its labels hold the
folder and a random id, which is kept in the folder too (`.state/installation`). The id tells
a moved folder from another clone. Compose knows nothing of the mark: it stays through
`docker compose down --volumes`, after which it counts no more.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import write_atomic
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack.compose import Stack

ID: Final = "org.ipai.installation"
FOLDER: Final = "org.ipai.folder"
_STATE_FILE: Final = "installation"  # in .state/
_PASSWORD: Final = "db_password.txt"  # noqa: S105 - the name of a file
_OWN_NAME: Final = (
    "give this folder a platform of its own, in .env: COMPOSE_PROJECT_NAME, NGINX_HTTP_PORT, "
    "ODOO_PORT and MAIL_PORT (in production NGINX_HTTPS_PORT, with Supabase POSTGREST_PORT, with "
    "`inv clone --serve` CLONE_PORT, with --monitoring PROMETHEUS_PORT and ALERTMANAGER_PORT)"
)


class Owner(StrEnum):
    """To whom the platform of the project name belongs."""

    NOBODY = "nobody"  # there is none
    OURS = "ours"
    UNMARKED = "unmarked"  # ours as far as can be seen, but nothing is written down yet
    MOVED = "moved"  # this folder, under the name it had before
    OTHER = "other"
    UNKNOWN = "unknown"  # there are volumes, and nothing tells whose
    UNSEEN = "unseen"  # no engine answers


@dataclass(frozen=True)
class Claim:
    """Who owns the platform, and from which folder; `id` is what the mark says."""

    owner: Owner
    folder: str = ""
    id: str = ""


def volume(settings: Settings) -> str:
    """The name of the mark."""
    return f"{settings.project}_installation"


def look(stack: Stack) -> Claim:
    """Whose platform it is that has the project name of `stack`; changes nothing."""
    settings = stack.settings
    listing = _labelled(stack, ["volume", "ls"], ID, FOLDER, name=True)
    if listing is None:
        return Claim(Owner.UNSEEN)
    others = {name: (number, folder) for name, number, folder in listing}
    number, folder = others.pop(volume(settings), ("", ""))
    if number and others:
        return Claim(_marked(settings, number, folder), folder, number)
    running = _labelled(stack, ["ps", "--all"], "com.docker.compose.project.working_dir") or []
    if not others and not running:
        return Claim(Owner.NOBODY, folder, number)
    if number:
        return Claim(_marked(settings, number, folder), folder, number)
    folders = [place for (place,) in running if place]
    strange = [place for place in folders if not _is_ours(settings, place)]
    if strange:
        return Claim(Owner.OTHER, strange[0])
    known = folders or _has_password(settings)
    return Claim(Owner.UNMARKED if known else Owner.UNKNOWN)


def _marked(settings: Settings, number: str, folder: str) -> Owner:
    own = _own_id(settings)
    if _is_ours(settings, folder):
        if own:
            return Owner.OURS if own == number else Owner.OTHER
        # .state/ may be deleted at any time; a new clone in this place has no secrets yet.
        return Owner.OURS if _has_password(settings) else Owner.UNKNOWN
    if own != number:
        return Owner.OTHER
    # Copied or moved: in the place of a copy there is still the original.
    return Owner.OTHER if _read(_id_file(Path(folder) / ".state")) == number else Owner.MOVED


def _labelled(
    stack: Stack, command: list[str], *labels: str, name: bool = False
) -> list[tuple[str, ...]] | None:
    """The labels (after the name) of what `docker COMMAND` lists of the project.

    None where no engine answers.
    """
    chosen = f"label=com.docker.compose.project={stack.settings.project}"
    fields = [*(["{{.Name}}"] if name else []), *(f'{{{{.Label "{label}"}}}}' for label in labels)]
    argv = ["docker", *command, "--filter", chosen, "--format", "\t".join(fields)]
    try:
        done = stack.runner.run(argv, timeout=60, check=False)
    except OpsError:  # there is no docker at all, or it hangs
        return None
    if not done.ok:
        return None
    rows = [line.split("\t", len(fields) - 1) for line in done.stdout.splitlines() if line.strip()]
    return [tuple([*row, *[""] * len(fields)][: len(fields)]) for row in rows]


def _is_ours(settings: Settings, folder: str) -> bool:
    return Path(folder).resolve() == settings.root.resolve()


def _has_password(settings: Settings) -> bool:
    return (settings.secrets_folder / _PASSWORD).is_file()


def _id_file(state: Path) -> Path:
    return state / _STATE_FILE


def _own_id(settings: Settings) -> str:
    return _read(_id_file(settings.state_folder))


def _read(path: Path) -> str:
    """The content of a small file, '' where there is none."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def problem(stack: Stack) -> OpsError | None:
    """Why this folder may not change the platform; None if it may."""
    return refusal(stack.settings, look(stack))


def refusal(settings: Settings, claim: Claim) -> OpsError | None:
    """Why the folder of `settings` may not change the platform of `claim`; None if it may."""
    what = f"the platform {settings.project!r}"
    if claim.owner is Owner.OTHER:
        return _belongs_to(settings, claim.folder)
    if claim.owner is Owner.MOVED:
        reason = f"{what} was started in {claim.folder}; this folder was moved since, or copied"
        return OpsError(reason, f"Have it belong to this folder: inv adopt. Or {_OWN_NAME}.")
    if claim.owner is Owner.UNKNOWN:
        reason = f"there are volumes of {what}, and nothing here tells that they are this folder's"
        hint = f"If they are, put its secrets/ here and run: inv adopt. If not, {_OWN_NAME}."
        return OpsError(f"{reason} (secrets/{_PASSWORD} does not exist)", hint)
    return None


def _belongs_to(settings: Settings, folder: str) -> OpsError:
    whose = f"another folder: {folder}"
    if _is_ours(settings, folder):
        whose = "another clone, which was in this folder before"
    hint = f"Work there, or {_OWN_NAME}. To take it over into this folder: inv adopt"
    return OpsError(f"the platform {settings.project!r} belongs to {whose}", hint)


def require(stack: Stack, *, starts: bool = False) -> None:
    """Make sure that the platform is this folder's, and write down that it is.

    `starts`: it may be made now, and is this folder's from then on. Raises OpsError that
    names the other folder. Where no engine answers nothing can be said, or changed.
    """
    claim = look(stack)
    if found := refusal(stack.settings, claim):
        raise found
    if stack.runner.dry:
        return
    if claim.owner is Owner.OURS:
        _keep_id(stack.settings, claim.id)
    elif claim.owner is Owner.UNMARKED or (starts and claim.owner is Owner.NOBODY):
        _mark(stack, claim)


def _keep_id(settings: Settings, number: str) -> None:
    if _own_id(settings) != number:
        settings.state_folder.mkdir(parents=True, exist_ok=True)
        write_atomic(_id_file(settings.state_folder), f"{number}\n".encode())


def _mark(stack: Stack, claim: Claim) -> None:
    """Make the mark this folder's, instead of the one of `claim`."""
    settings = stack.settings
    number = _own_id(settings) or secrets.token_hex(8)
    _keep_id(settings, number)
    if (number, str(settings.root)) == (claim.id, claim.folder):
        return
    if claim.id:
        forget(stack)
    labels = {
        "com.docker.compose.project": settings.project,
        ID: number,
        FOLDER: str(settings.root),
    }
    marks = [f"--label={name}={value}" for name, value in labels.items()]
    # What another folder has made in this moment stays as it is, and is seen below.
    create = ["docker", "volume", "create", *marks, volume(settings)]
    stack.runner.run(create, timeout=60, changes=True)
    for name, found, folder in _labelled(stack, ["volume", "ls"], ID, FOLDER, name=True) or []:
        if name == volume(settings) and found != number:
            raise _belongs_to(settings, folder)


def forget(stack: Stack) -> None:
    """Remove the mark, together with the last of what it was for."""
    remove = ["docker", "volume", "rm", "--force", volume(stack.settings)]
    stack.runner.run(remove, timeout=60, check=False, changes=True)


def adopt(stack: Stack, reporter: Reporter) -> str:
    """Have the platform belong to this folder; asks, and returns a line for people.

    Raises OpsError where this folder has other secrets than the platform.
    """
    settings, claim = stack.settings, look(stack)
    if claim.owner in (Owner.NOBODY, Owner.UNSEEN):
        raise OpsError(f"there is no platform {settings.project!r} here", "Start one: inv up")
    if claim.owner in (Owner.OURS, Owner.UNMARKED):
        require(stack)
        return f"{settings.project} belongs to this folder already"
    _require_same_secrets(settings, claim.folder)
    was = f" instead of {claim.folder}" if claim.folder else ""
    question = f"This has the platform {settings.project} belong to {settings.root}{was}. Continue?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("nothing was changed", "Say yes, or give --yes where nobody can answer.")
    if stack.runner.dry:
        return "nothing was changed"
    if claim.owner is Owner.OTHER and _own_id(settings) == claim.id:
        _keep_id(settings, secrets.token_hex(8))  # a copy has that of the original
    _mark(stack, claim)
    return f"{settings.project} belongs to {settings.root} now; start it from here: inv up"


def _require_same_secrets(settings: Settings, folder: str) -> None:
    """A start with another password than the database's would leave Odoo outside."""
    own = _read(settings.secrets_folder / _PASSWORD)
    there = _read(Path(folder) / "secrets" / _PASSWORD) if folder else ""
    if not own or (there and there != own):
        state = "is not that of the platform" if own else "does not exist"
        source = folder or "the folder that it was started from"
        raise UsageError(
            f"secrets/{_PASSWORD} {state}",
            f"Copy secrets/ (and .env, tls-ca/, nginx/certs/, backups/) from {source} first.",
        )
