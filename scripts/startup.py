"""What comes before a start of the platform, and `inv up` itself."""

from collections.abc import Iterator

from scripts import credentials, mail, monitoring, sessions
from scripts.core import configuration, env_file
from scripts.core.checks import Check
from scripts.core.report import Reporter
from scripts.core.settings import Settings, peek
from scripts.stack import (
    backup_folders,
    environments,
    lifecycle,
    maintenance_window,
    planned_stop,
    release,
    replicas,
)
from scripts.stack.compose import Stack
from scripts.supabase import service


def up(
    stack: Stack, reporter: Reporter, *, supabase: bool = False, copies: str = ""
) -> Iterator[str]:
    """Start the platform, in the environment that it is to have; lines for people.

    `copies`: how many replicas of Odoo; if empty, as many as the settings say.
    """
    stack = monitoring.settle(environments.settle(stack, reporter))
    stack = replicas.wanting(stack, copies)
    configuration.require(stack.settings, supabase=supabase)
    checks = preflight(stack.settings, supabase=supabase)
    prepare(stack, reporter)
    lifecycle.up(stack, reporter, checks)
    environments.keep(stack, reporter)
    replicas.keep(stack, reporter, copies)
    if not stack.runner.dry:
        release.remember(stack.settings, release.here(stack.settings, stack.runner))
    if code := peek("ODOO_ADDONS", stack.settings.root):
        yield f"An earlier version serves, of {code}: odoo/addons is not used before inv deploy"
    yield f"Odoo: {stack.settings.url}"
    if not stack.settings.tls:
        yield f"Mail: {stack.settings.mail.page} shows what Odoo sends; none leaves"
    if window := maintenance_window.active(stack.settings):
        yield f"Visitors are kept out for maintenance {window.period}"
    if stack.settings.monitoring.wanted:
        yield f"Prometheus: {monitoring.up(stack, reporter)}"
        yield f"Alertmanager: {stack.settings.monitoring.alertmanager}"
    if supabase:
        yield f"PostgREST: {service.up(stack, reporter)}"


def preflight(settings: Settings, *, supabase: bool = False) -> list[Check]:
    """What `inv up` checks on top of the host."""
    also = service.preflight(settings) if supabase else []
    also += monitoring.preflight(settings) if settings.monitoring.wanted else []
    secrets = credentials.preflight(settings.secrets_folder)
    return [secrets, mail.preflight(settings), sessions.preflight(settings), *also]


def prepare(stack: Stack, reporter: Reporter) -> None:
    """What `inv up` does before it starts anything; raises OpsError where that fails."""
    warn_of_settings_file(stack.settings, reporter)
    planned_stop.forget(stack)
    prepare_tls(stack, reporter)
    prepare_archiving(stack)
    if stack.settings.monitoring.wanted:
        monitoring.prepare(stack)


def prepare_archiving(stack: Stack) -> None:
    """Make the folders of the archiver, which production has in any case."""
    settings = stack.settings
    if not stack.runner.dry and (settings.tls or settings.archive.wanted):
        backup_folders.make(settings)


def warn_of_settings_file(settings: Settings, reporter: Reporter) -> None:
    """Say what may be wrong in `.env`: unknown names, a secret that every user can read."""
    for warning in configuration.require(settings).warnings:
        reporter.note(f"warning: {warning}")
    if warning := env_file.warning(settings.env_file):
        reporter.note(warning)


def prepare_tls(stack: Stack, reporter: Reporter) -> None:
    """Make sure that production finds a certificate; raises OpsError if it cannot be used."""
    if stack.settings.tls:
        from scripts.tls import setup  # cryptography is slow to import

        setup.prepare(stack, reporter)


def prepare_restore(stack: Stack, reporter: Reporter) -> None:
    """Where a restore starts the platform, as on a new host: what `inv up` prepares, too."""
    if not any(found.service == "odoo" for found in stack.services()):
        prepare_archiving(stack)
        prepare_tls(stack, reporter)
