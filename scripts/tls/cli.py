"""The choices of `inv setup-tls` and `inv renew-tls`, and what they say at the end."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scripts.core import schedule
from scripts.core.console import Console
from scripts.core.errors import UsageError
from scripts.core.job import RENEWAL, Job
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack.compose import Stack
from scripts.tls import acme, setup, trust
from scripts.tls.selfsigned import Done
from scripts.tls.setup import Outcome, Renewal
from scripts.tls.store import Kind

EXIT_NOT_DUE: Final = 3
_HOURS: Final = (3, 15)  # twice a day, as certbot does: one failed try is no drama


@dataclass(frozen=True)
class Wish:
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


def set_up(stack: Stack, reporter: Reporter, wish: Wish) -> list[str]:
    """Do what `wish` says; gives back lines for people. Raises UsageError and OpsError."""
    _check(wish)
    if stack.runner.dry:
        raise UsageError(
            "setup-tls cannot be rehearsed", "Try --staging: its certificates do no harm."
        )
    lines = []
    if wish.mode:
        lines += describe(stack.settings, _certificate(stack, reporter, wish))
    job = renewal_job(stack.settings)
    if (
        wish.mode == Kind.LETSENCRYPT
        and not wish.schedule
        and not schedule.find(job.name, stack.runner)
    ):
        lines.append("Renewal:     not scheduled yet: inv setup-tls --schedule")
    if wish.trust:
        lines += trust.trust(_ca(stack.settings), stack.runner, reporter)
    if wish.untrust:
        lines += trust.untrust(_ca(stack.settings), stack.runner)
    if wish.schedule:
        where = schedule.install(job, stack.runner)
        lines.append(f"Renewal: {where}")
    if wish.unschedule:
        there = schedule.remove(job.name, stack.runner)
        lines.append("Renewal: no longer scheduled" if there else "Renewal: was not scheduled")
    return lines


def _check(wish: Wish) -> None:
    if wish.mode not in ("", *Kind) or wish.mode == Kind.OWN:
        raise UsageError(
            f"{wish.mode!r} is no kind of certificate", "Use: inv setup-tls selfsigned|letsencrypt"
        )
    others = (wish.trust, wish.untrust, wish.schedule, wish.unschedule)
    if not wish.mode and not any(others):
        raise UsageError(
            "which certificate?", "Use: inv setup-tls selfsigned, or: inv setup-tls letsencrypt"
        )
    if wish.mode != Kind.LETSENCRYPT and (wish.email or wish.server or wish.staging):
        raise UsageError("--email, --server and --staging go with `inv setup-tls letsencrypt`")
    if wish.mode == "" and (wish.domains or wish.force):
        raise UsageError("--domain and --force need a kind of certificate: selfsigned, letsencrypt")
    if wish.email and not re.fullmatch(r"[^@\s]+@[^@\s]+", wish.email):
        raise UsageError(f"{wish.email!r} is no e-mail address")
    if wish.domains and not any(name.strip() for name in wish.domains):
        raise UsageError("--domain names no domain")
    if wish.staging and wish.server:
        raise UsageError("--staging and --server name two different authorities")
    if wish.server and not re.fullmatch(r"https://[^\s/]\S*", wish.server):
        raise UsageError(f"--server {wish.server} is no https:// address of an ACME directory")
    if (wish.schedule and wish.unschedule) or (wish.trust and wish.untrust):
        raise UsageError("a flag and its opposite exclude each other")


def _certificate(stack: Stack, reporter: Reporter, wish: Wish) -> Outcome:
    if wish.mode == Kind.SELFSIGNED:
        return setup.use_selfsigned(stack, wish.domains, force=wish.force)
    server = acme.STAGING if wish.staging else wish.server
    return setup.use_letsencrypt(
        stack, reporter, wish.domains, server=server, email=wish.email, force=wish.force
    )


def renewal_job(settings: Settings) -> Job:
    """What `--schedule` installs."""
    return Job(
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
