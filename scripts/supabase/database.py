"""The database of the local Supabase, or of the project in Supabase Cloud, by psql."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.stack import engine
from scripts.stack.compose import Stack

SERVICE: Final = "supabase_db"
PROFILE: Final = ("--profile", "supabase")
CLOUD_PASSWORD: Final = "supabase_cloud_db_password.txt"  # noqa: S105 - the name of a file
_POOLER_PORT: Final = "5432"
_PSQL_TIMEOUT: Final = 600.0


class Target(StrEnum):
    """Which database is meant."""

    LOCAL = "local"
    CLOUD = "cloud"

    @classmethod
    def parse(cls, text: str) -> "Target":
        """The target of that name; raises UsageError if there is none."""
        if text not in list(cls):
            raise UsageError(f"--target {text!r} is none of: {', '.join(cls)}")
        return cls(text)


@dataclass(frozen=True)
class Database:
    """Runs SQL as the owner of the schemas."""

    stack: Stack
    target: Target

    def require_running(self) -> None:
        """Raises OpsError where the local one does not run."""
        if self.target is Target.LOCAL:
            self.stack.require_running(SERVICE, "inv up --supabase")

    def run(self, sql: str, *, changes: bool = False) -> str:
        """The answer, fields with tabs between; raises OpsError with PostgreSQL's own words.

        The first statement that fails ends it.
        """
        options = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        done = self.stack.run(
            *self.psql(*options), stdin=sql, timeout=_PSQL_TIMEOUT, check=False, changes=changes
        )
        if not done.ok:
            raise self._failure(done)
        return done.stdout.strip()

    def psql(self, *options: str, terminal: bool = False) -> list[str]:
        """The words after `docker compose` that run psql."""
        plain = [] if terminal else ["-T"]
        if self.target is Target.LOCAL:
            return ["exec", *plain, SERVICE, "psql", "-U", "postgres", "-d", "postgres", *options]
        variables = [f"--env={name}={value}" for name, value in self._address().items()]
        run = ["--progress", "quiet", "--profile", "supabase-cloud", "run", "--rm", "--no-deps"]
        return [*run, *plain, *variables, "supabase_cloud", *options]

    def _address(self) -> dict[str, str]:
        """Where the project's database is; raises OpsError for what `.env` or secrets/ lack."""
        settings = self.stack.settings
        if not settings.supabase_ref:
            hint = "Put the reference of the project into .env: SUPABASE_PROJECT_REF=…"
            raise UsageError("no project of Supabase Cloud is named", hint)
        password: Path = settings.secrets_folder / CLOUD_PASSWORD
        if not password.is_file() or not password.read_text().strip():
            hint = f"Put the project's database password there: chmod 600 secrets/{CLOUD_PASSWORD}"
            raise UsageError(f"secrets/{CLOUD_PASSWORD} does not exist", hint)
        direct = f"db.{settings.supabase_ref}.supabase.co"
        host, _, port = (settings.supabase_host or direct).partition(":")
        pooled = host.endswith(".pooler.supabase.com")
        user = f"postgres.{settings.supabase_ref}" if pooled else "postgres"
        return {"PGHOST": host, "PGPORT": port or _POOLER_PORT, "PGUSER": user}

    def _failure(self, done: Completed) -> OpsError:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = [re.sub(r"^psql:<stdin>:(\d+): ", r"line \1: ", line) for line in lines]
        telling = [line for line in said if re.search(r"ERROR|FATAL|error|DETAIL", line)]
        reason = "\n  ".join((telling or said)[-3:]) or f"psql ended with code {done.code}"
        if re.search("docker API|Docker daemon", done.stderr):
            return engine.unreachable(done.stderr)
        hint = ""
        if self.target is Target.LOCAL and "is not running" in done.stderr:
            reason, hint = f"{SERVICE} is not running", "Start it: inv up --supabase"
        return OpsError(reason, hint)
