"""The choices of `inv setup-tls` and `inv renew-tls`, and what they say at the end."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scripts.core import scheduler
from scripts.core.console import Console
from scripts.core.errors import UsageError
from scripts.core.report import Reporter
from scripts.core.scheduled_job import RENEWAL, ScheduledJob
from scripts.core.settings import Settings
from scripts.stack.compose import Stack
from scripts.tls import acme, setup, trust
from scripts.tls.selfsigned import Done
from scripts.tls.setup import Outcome, Renewal
from scripts.tls.store import Kind

EXIT_NOT_DUE: Final = 3
_HOURS: Final = (3, 15)  # twice a day, as certbot does: one failed try is no drama


@dataclass(frozen=True)
class TlsRequest:
    """What the flags of `inv setup-tls` ask for."""

    mode: str = ""
    domains: tuple[str, ...] = ()
    email: str = ""
    server: str = ""
    staging: bool = False
    force: bool = False
    trust: bool = False
    untrust: bool = False
    schedule: bool = False
    unschedule: bool = False


def set_up(stack: Stack, reporter: Reporter, request: TlsRequest) -> list[str]:
    """Do what `request` says; returns lines for people. Raises UsageError and OpsError."""
    _check(request)
    if stack.runner.dry:
        raise UsageError(
            "setup-tls cannot be rehearsed", "Try --staging: its certificates do no harm."
        )
    lines = []
    if request.mode:
        lines += describe(stack.settings, _certificate(stack, reporter, request))
    job = renewal_job(stack.settings)
    if (
        request.mode == Kind.LETSENCRYPT
        and not request.schedule
        and not scheduler.find(job.name, stack.runner)
    ):
        lines.append("Renewal:     not scheduled yet: inv setup-tls --schedule")
    if request.trust:
        lines += trust.trust(_ca(stack.settings), stack.runner, reporter)
    if request.untrust:
        lines += trust.untrust(_ca(stack.settings), stack.runner)
    if request.schedule:
        where = scheduler.install(job, stack.runner)
        lines.append(f"Renewal: {where}")
    if request.unschedule:
        there = scheduler.remove(job.name, stack.runner)
        lines.append("Renewal: no longer scheduled" if there else "Renewal: was not scheduled")
    return lines


def _check(request: TlsRequest) -> None:
    if request.mode not in ("", *Kind) or request.mode == Kind.OWN:
        raise UsageError(
            f"{request.mode!r} is no kind of certificate",
            "Use: inv setup-tls selfsigned|letsencrypt",
        )
    others = (request.trust, request.untrust, request.schedule, request.unschedule)
    if not request.mode and not any(others):
        raise UsageError(
            "which certificate?", "Use: inv setup-tls selfsigned, or: inv setup-tls letsencrypt"
        )
    if request.mode != Kind.LETSENCRYPT and (request.email or request.server or request.staging):
        raise UsageError("--email, --server and --staging go with `inv setup-tls letsencrypt`")
    if request.mode == "" and (request.domains or request.force):
        raise UsageError("--domain and --force need a kind of certificate: selfsigned, letsencrypt")
    if request.email and not re.fullmatch(r"[^@\s]+@[^@\s]+", request.email):
        raise UsageError(f"{request.email!r} is no e-mail address")
    if request.domains and not any(name.strip() for name in request.domains):
        raise UsageError("--domain names no domain")
    if request.staging and request.server:
        raise UsageError("--staging and --server name two different authorities")
    if request.server and not re.fullmatch(r"https://[^\s/]\S*", request.server):
        raise UsageError(f"--server {request.server} is no https:// address of an ACME directory")
    if (request.schedule and request.unschedule) or (request.trust and request.untrust):
        raise UsageError("a flag and its opposite exclude each other")


def _certificate(stack: Stack, reporter: Reporter, request: TlsRequest) -> Outcome:
    if request.mode == Kind.SELFSIGNED:
        return setup.use_selfsigned(stack, request.domains, force=request.force)
    server = acme.STAGING if request.staging else request.server
    return setup.use_letsencrypt(
        stack, reporter, request.domains, server=server, email=request.email, force=request.force
    )


def renewal_job(settings: Settings) -> ScheduledJob:
    """What `--schedule` installs."""
    return ScheduledJob(
        name=f"{settings.project}-{RENEWAL}",
        description="Renew the TLS certificate of ipai-platform",
        argv=(str(settings.root / "scripts" / "inv"), "renew-tls"),
        folder=settings.root,
        hours=_HOURS,
        success_codes=(0, EXIT_NOT_DUE),
    )


def describe(settings: Settings, outcome: Outcome) -> list[str]:
    """The outcome for people."""
    installed = outcome.installed
    why = f" ({outcome.reason})" if outcome.reason else ""
    lines = [
        f"Certificate: {installed.kind}, {outcome.done}{why}",
        f"Files:       {_current(settings)}/fullchain.pem, privkey.pem",
        f"Names:       {', '.join(installed.names)}",
        f"Expires:     {outcome.expires:%Y-%m-%d}",
    ]
    if installed.kind is not Kind.SELFSIGNED:
        return [*lines, f"Authority:   {installed.server}"]
    ca = _ca(settings)
    lines.append(f"Private CA:  {ca}: {outcome.ca}")
    if outcome.ca is Done.REPLACED:
        why = "was near its end, or not good for all of these names"
        lines.append(f"The old CA {why}: trust the new one wherever the old was trusted.")
    return [*lines, "", *trust.by_hand(ca)]


def _ca(settings: Settings) -> Path:
    return setup.authority(settings).certificate


def _current(settings: Settings) -> Path:
    return settings.certificates / "current"


def show_renewal(
    console: Console, renewal: Renewal, outcome: Outcome, *, as_json: bool = False
) -> None:
    """Say how it ended; a renewal that was not due says nothing where nobody watches."""
    why = f": {outcome.reason}" if outcome.reason else ""
    left = (outcome.expires - datetime.now(UTC)).days
    if as_json:
        console.json(_as_json(renewal, outcome))
    elif renewal is Renewal.RENEWED or console.out.isatty():
        console.say(
            f"TLS certificate {renewal}{why};"
            f" it expires on {outcome.expires:%Y-%m-%d} (in {left} days)"
        )


def _as_json(renewal: Renewal, outcome: Outcome) -> dict[str, Any]:
    return {
        "state": renewal.value,
        "kind": outcome.installed.kind.value,
        "names": outcome.installed.names,
        "expires": outcome.expires.isoformat(),
        "reason": outcome.reason,
        "ca": outcome.ca.value,
    }


def exit_code(renewal: Renewal) -> int:
    """0 renewed, EXIT_NOT_DUE if not due; a failure is an OpsError and ends with 1."""
    return EXIT_NOT_DUE if renewal is Renewal.NOT_DUE else 0
