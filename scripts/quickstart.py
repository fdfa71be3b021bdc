"""From a bare machine to a login page, in one command."""

import re
from dataclasses import dataclass, replace
from typing import Final

from scripts import checkup, credentials, startup
from scripts.core import configuration, env_file
from scripts.core.checks import require, run_all
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.settings import Environment, Settings
from scripts.rotation import dependents, logins, rotate
from scripts.stack import engine, environments, identity, image_facts, images, lifecycle, release
from scripts.stack.compose import Stack

_RESET: Final = "inv secrets.reset admin"
_FIRST_PASSWORD: Final = "docker compose exec odoo cat /var/lib/odoo/initial_admin_password"  # noqa: S105


@dataclass(frozen=True)
class Outcome:
    """Where the platform is, and how to get in."""

    url: str
    login: str
    password: str  # where it is, for people
    version: str  # of Odoo, such as 18.0
    mail: str = ""  # where what Odoo sends is shown, in development

    @property
    def lines(self) -> list[str]:
        """For people."""
        return [
            f"Odoo:     {self.url}",
            f"Login:    {self.login}",
            f"Password: {self.password}",
            f"Version:  {self.version}",
            *([f"Mail:     {self.mail}"] if self.mail else []),
        ]


def run(stack: Stack, reporter: Reporter) -> Outcome:
    """Engine, settings, secrets, images, start, health; each is skipped if it is there.

    Raises OpsError at the first step that fails; running it again goes on from there.
    """
    if stack.runner.dry:
        raise UsageError("quickstart cannot be rehearsed", "Each of its steps can: inv --dry up")
    if (wanted := stack.settings.odoo_version) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", wanted):
        raise UsageError(f"--odoo {wanted!r} is no version", "For example: --odoo 18")
    configuration.require(stack.settings)
    found = engine.ensure(stack.runner, reporter, stack.settings.root)
    reporter.note(f"Docker Engine {found.version}, Compose {found.compose}: ready")
    identity.require(stack, starts=True)
    stack = environments.settle(stack, reporter)
    _settings_file(stack.settings, reporter)
    stack, version = _with_images(stack, reporter)
    settings = stack.settings
    if settings.environment is Environment.PROD:  # so that a later `inv up` means the same
        for line in env_file.remember(settings.env_file, {"PLATFORM_ENV": "prod"}):
            reporter.note(f"written to .env: {line}")
    _make_secrets(stack, reporter)
    startup.prepare_tls(stack, reporter)
    startup.prepare_archiving(stack)
    lifecycle.up(stack, reporter, startup.preflight(settings))
    release.remember(settings, release.here(settings, stack.runner))
    healthy = run_all(checkup.checks(stack, checkup.PATIENT))
    require(healthy, "the platform is up, but not healthy")
    return _way_in(stack, version)


def _with_images(stack: Stack, reporter: Reporter) -> tuple[Stack, str]:
    """`stack` with images that are there, and the version of Odoo in them.

    Raises OpsError where another version is wanted.
    """
    used = images.ensure(stack, reporter)
    found = image_facts.odoo_version(stack.runner, used["ODOO_BASE_IMAGE"])
    wanted = stack.settings.odoo_version
    if wanted and found.split(".")[0] != wanted.split(".")[0]:
        raise OpsError(
            f"{used['ODOO_BASE_IMAGE']} is Odoo {found or 'of an unknown version'}, not {wanted}",
            "Name another ODOO_BASE_IMAGE or ODOO_PACKAGE in .env.",
        )
    reporter.note(f"Odoo {found or 'of an unknown version'}: {used['ODOO_BASE_IMAGE']}")
    settings = replace(stack.settings, images={**stack.settings.images, **used})
    return replace(stack, settings=settings), found


def _make_secrets(stack: Stack, reporter: Reporter) -> None:
    """Raises OpsError if the one that a start needs is lost; the others can wait."""
    rotate.recover(stack, reporter)
    reports = dependents.ensure(stack)
    credentials.require_none_lost(reports, required=True)
    made = [r.path.name for r in reports if r.state is credentials.SecretState.CREATED]
    reporter.note(f"Secrets: created {', '.join(made)}" if made else "Secrets: already there")
    for report in reports:
        if report.state is credentials.SecretState.LOST:
            reporter.note(f"Secrets: {report.path.name} is missing, but {report.problem}")
    if "backup_key.txt" in made:  # nobody can read a backup without it
        reporter.note("Keep the key of the backups in another place too: inv backup.key")


def _way_in(stack: Stack, version: str) -> Outcome:
    """The login, and where its password is: a file is named only if that logs in."""
    file = credentials.ADMIN_PASSWORD.path(stack.settings.secrets_folder)
    password = credentials.value_in(file) if file.is_file() else ""
    found = logins.look(stack, password)
    if found and found.opens:
        place = f"it is in {file}"
    elif password:
        place = f"it was changed in Odoo; if it is lost: {_RESET}"
    else:
        place = f"it is in no file here (first one: {_FIRST_PASSWORD}); if it is lost: {_RESET}"
    login = found.login if found else "admin"
    page = "" if stack.settings.tls else stack.settings.mail.page
    return Outcome(stack.settings.url, login, place, version, page)


def _settings_file(settings: Settings, reporter: Reporter) -> None:
    if settings.env_file.exists():
        reporter.note("Settings: .env already there")
        startup.warn_of_settings_file(settings, reporter)
        return
    env_file.write(settings.env_file, (settings.root / ".env.example").read_bytes())
    reporter.note("Settings: .env made from .env.example")
