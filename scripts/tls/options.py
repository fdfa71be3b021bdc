"""The options of `inv setup-tls`: whether they go together, and what they ask for."""

import re
from dataclasses import dataclass

from scripts.core import addresses, scheduler
from scripts.core.errors import UsageError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from scripts.tls import acme, render, renewal, setup, trust
from scripts.tls.setup import Outcome
from scripts.tls.store import Kind


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
        lines += render.describe(stack.settings, _certificate(stack, reporter, request))
    job = renewal.job(stack.settings)
    if (
        request.mode == Kind.LETSENCRYPT
        and not request.schedule
        and not scheduler.find(job.name, stack.runner)
    ):
        lines.append("Renewal:     not scheduled yet: inv setup-tls --schedule")
    if request.trust:
        lines += trust.trust(setup.authority(stack.settings).certificate, stack.runner, reporter)
    if request.untrust:
        lines += trust.untrust(setup.authority(stack.settings).certificate, stack.runner)
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
    _check_values(request)


def _check_values(request: TlsRequest) -> None:
    if request.email and not re.fullmatch(r"[^@\s]+@[^@\s]+", request.email):
        raise UsageError(f"{request.email!r} is no e-mail address")
    if request.domains and not any(name.strip() for name in request.domains):
        raise UsageError("--domain names no domain")
    if request.staging and request.server:
        raise UsageError("--staging and --server name two different authorities")
    if request.server and not addresses.is_web(request.server, "https"):
        raise UsageError(f"--server {request.server} is no https:// address of an ACME directory")
    for flag, both in (
        ("schedule", request.schedule and request.unschedule),
        ("trust", request.trust and request.untrust),
    ):
        if both:
            raise UsageError(f"--{flag} and --un{flag} exclude each other")


def _certificate(stack: Stack, reporter: Reporter, request: TlsRequest) -> Outcome:
    if request.mode == Kind.SELFSIGNED:
        return setup.use_selfsigned(stack, request.domains, force=request.force)
    server = acme.STAGING if request.staging else request.server
    return setup.use_letsencrypt(
        stack, reporter, request.domains, server=server, email=request.email, force=request.force
    )
