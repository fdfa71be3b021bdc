"""What exists already and depends on a secret: a database in a volume, a repository of backups."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts import credentials
from scripts.backups import state
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import make_private_folder
from scripts.rotation import sql
from scripts.stack import engine, image_names, images, oneoff, postgres_volumes
from scripts.stack.compose import Stack

DATABASE: Final = "odoo_db_data"
_FILES: Final = "odoo_data"
SUPABASE: Final = "supabase_db_data"
_REPOSITORY_MARKS: Final = ("config", "keys")  # restic's own
_CONTAINER_TIMEOUT: Final = 120.0
_ELSEWHERE_SECONDS: Final = 45
_TIMED_OUT: Final = 124  # see timeout(1)


def inspect(stack: Stack) -> list[credentials.SecretReport]:
    """The secret files as they are, those that must not be made marked as lost."""
    folder = stack.settings.secrets_folder
    return credentials.inspect(folder, lost(stack, credentials.inspect(folder)))


def ensure(stack: Stack) -> list[credentials.SecretReport]:
    """Make the secret files that are missing, except those that must not be made."""
    folder = stack.settings.secrets_folder
    return credentials.ensure(folder, lost(stack, credentials.inspect(folder)))


def lost(stack: Stack, reports: Iterable[credentials.SecretReport]) -> dict[str, str]:
    """Why each secret that is missing must not be made, by name; the others may be.

    The engine is asked only if one is missing. Raises OpsError where it does not answer, as
    its volumes cannot be seen then; a machine without Docker has none. Raises UsageError where a
    server elsewhere has a password that nobody can make here.
    """
    missing = {r.name for r in reports if r.state is credentials.SecretState.MISSING}
    server = stack.settings.postgres
    if server.external and "db_password" in missing:
        raise UsageError(
            f"secrets/db_password.txt is missing: the password of the role {server.user}"
            f" at {server.host}, which its administrator has set",
            "Put it into that file, with nothing else in it: chmod 600",
        )
    if not missing or not _has_engine(stack):
        return {}
    reasons: dict[str, str] = {}
    if missing & {"db_password", "odoo_admin_password"} and database(stack):
        reasons["db_password"] = f"the database in {stack.settings.project}_{DATABASE} has it"
        if _has_admin(stack):
            reasons["odoo_admin_password"] = "Odoo's administrator has a password already"  # noqa: S105
    if missing & {"supabase_db_password", "supabase_jwt_secret"} and supabase(stack):
        reasons["supabase_db_password"] = f"{stack.settings.project}_{SUPABASE} depends on it"
        reasons["supabase_jwt_secret"] = "keys that were made of it would end"  # noqa: S105
    if "backup_key" in missing and (reason := repository(stack).reason):
        reasons["backup_key"] = reason
    return {name: reason for name, reason in reasons.items() if name in missing}


def _has_engine(stack: Stack) -> bool:
    try:
        engine.probe(stack.runner)
    except engine.EngineUnavailableError as error:
        if error.trouble is engine.Trouble.NO_CLIENT:
            return False
        if error.trouble is not engine.Trouble.NO_COMPOSE:
            raise OpsError(
                f"a secret is missing, and whether a database depends on it cannot be seen:"
                f" {error.message}",
                error.hint,
            ) from error
    return True


def database(stack: Stack) -> bool:
    """Whether Odoo's PostgreSQL has been set up: by its volume, or Odoo's if it is elsewhere."""
    if stack.settings.postgres.external:
        return f"{stack.settings.project}_{_FILES}" in stack.volumes()
    return _holds_cluster(stack, DATABASE)


def supabase(stack: Stack) -> bool:
    """Whether the volume of the local Supabase holds a database cluster."""
    return _holds_cluster(stack, SUPABASE)


def _holds_cluster(stack: Stack, volume: str) -> bool:
    """As good as yes where nobody can look: a secret too few is safer than one too many."""
    own = postgres_volumes.suffix(stack.settings) if volume == DATABASE else volume
    name = f"{stack.settings.project}_{own}"
    known = ["docker", "volume", "ls", "--format", "{{.Name}}"]  # also one without our labels
    if name not in stack.runner.run(known, timeout=60).stdout.split():
        return False
    image = image_names.effective(stack.settings)["POSTGRES_IMAGE"]
    look = ["find", image, "/volume", "-maxdepth", "2", "-name", "PG_VERSION"]
    run = ["docker", "run", "--rm", "--network", "none", "--volume", f"{name}:/volume:ro"]
    done = stack.runner.run([*run, "--entrypoint", *look], timeout=_CONTAINER_TIMEOUT, check=False)
    return bool(done.stdout.strip()) or not done.ok


def _has_admin(stack: Stack) -> bool:
    """Also where PostgreSQL does not run, and so nobody can look."""
    if not any(
        s.service == sql.DATABASE_SERVICE and s.state == "running" for s in stack.services()
    ):
        return True
    return sql.admin(stack) is not None


@dataclass(frozen=True)
class Repository:
    """What can be known of the repository of backups where the settings say it is."""

    there: bool | None  # None: nobody can tell
    reason: str = ""  # why no key may be made


def repository(stack: Stack) -> Repository:
    """Whether there is one; one on another machine is asked for, if none was ever seen there."""
    settings = stack.settings
    seen = state.repository_was_seen(settings)
    if is_repository(settings.backup_folder) if not settings.backups_elsewhere else seen:
        return Repository(True, "a repository of backups is there, which only it opens")
    if seen:
        return Repository(None, "backups were made in BACKUP_FOLDER, and there are none now")
    return _asked(stack) if settings.backups_elsewhere else Repository(False)


def is_repository(folder: Path) -> bool:
    """Whether restic made `folder`; as good as yes where nobody can look."""
    try:
        return any((folder / name).exists() for name in _REPOSITORY_MARKS)
    except OSError:  # somebody else's folder, and not an empty one; or a disk that fails
        return True


def _asked(stack: Stack) -> Repository:
    unknown = "whether there is a repository at BACKUP_REPOSITORY cannot be seen"
    if not images.has_backup_image(stack):
        return Repository(None, f"{unknown} before `inv images`")
    done = _elsewhere(stack)
    if done.ok:
        found = oneoff.answer(dict[str, bool], done.stdout.splitlines()[-1])["exists"]
        reason = "a repository is at BACKUP_REPOSITORY, which only it opens"
        return Repository(found, reason if found else "")
    if done.code == _TIMED_OUT:
        return Repository(None, f"{unknown} (no answer within {_ELSEWHERE_SECONDS} s)")
    message = oneoff.failure(done, "backups", "BACKUP_MEMORY").message
    return Repository(None, f"{unknown} ({message})")


def _elsewhere(stack: Stack) -> Completed:
    """Ask the other machine; without Compose, which would want the key that is missing."""
    settings = stack.settings
    edge = f"{settings.project}_edge"
    listing = ["docker", "network", "ls", "--format", "{{.Name}}"]
    networks = stack.runner.run(listing, timeout=60).stdout.split()
    credentials_folder = settings.secrets_folder / "backup"
    make_private_folder(credentials_folder)
    options = [
        f"--volume={settings.root / 'toolbox'}:/opt/platform/toolbox:ro",
        f"--volume={credentials_folder}:/run/backup-credentials:ro",
        "--tmpfs=/var/cache/platform",
        "--tmpfs=/tmp:mode=1777",
        f"--network={edge if edge in networks else 'bridge'}",
        "--env=PYTHONPATH=/opt/platform",
        "--env=BACKUP_REPOSITORY",  # its value may hold a password
        "--entrypoint=timeout",  # restic itself tries for a quarter of an hour
    ]
    image = image_names.effective(settings)["BACKUP_IMAGE"]
    command = [str(_ELSEWHERE_SECONDS), "python3", "-BP", "-m", "toolbox.backup", "exists"]
    variables = {"BACKUP_REPOSITORY": settings.backup_repository}
    run = ["docker", "run", "--rm", *options, image, *command]
    return stack.runner.run(run, timeout=_CONTAINER_TIMEOUT, env=variables, check=False)
