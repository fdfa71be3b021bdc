"""`inv renew-tls`: the certificate in use, again, before it ends; and when that is done."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.scheduled_job import RENEWAL, ScheduledJob
from scripts.core.settings import Settings
from scripts.stack.compose import Stack
from scripts.tls import acme, certificates, setup
from scripts.tls.selfsigned import CertificateAction
from scripts.tls.setup import Outcome
from scripts.tls.store import Installed, Kind, Store

EXIT_NOT_DUE: Final = 3
_HOURS: Final = (3, 15)  # twice a day, as certbot does: one failed try is no drama


class Renewal(StrEnum):
    """How a renewal ended, if it did not fail."""

    RENEWED = "renewed"
    NOT_DUE = "not due"

    @property
    def exit_code(self) -> int:
        """Of the command; a failure is an OpsError and ends with 1."""
        return EXIT_NOT_DUE if self is Renewal.NOT_DUE else 0


def renew(stack: Stack, reporter: Reporter, *, force: bool = False) -> tuple[Renewal, Outcome]:
    """Renew the certificate in use where a third of its life or less is left.

    A good file that Nginx does not serve is made to be served. Raises OpsError if
    there is no certificate, if it is one that was put there by hand and is due, or
    if renewing fails; the present one then stays in use.
    """
    settings = stack.settings
    if stack.runner.dry:
        raise UsageError("a renewal cannot be rehearsed", "inv renew-tls does nothing if not due.")
    with file_lock(setup.lock(settings), "renew-tls"):
        present = Store(settings.certificates).read()
        if present is None:
            raise OpsError("there is no certificate to renew", "inv setup-tls selfsigned")
        if present.kind is Kind.SELFSIGNED:
            outcome = setup.issue_selfsigned(stack, present, (), force, renewing=True)
            _warn_of_authority(stack, reporter)
        elif present.kind is Kind.LETSENCRYPT:
            outcome = _renew_issued(stack, reporter, present, force)
        else:
            outcome = _check_own(stack, present)
    renewed = Renewal.NOT_DUE if outcome.done is CertificateAction.KEPT else Renewal.RENEWED
    return renewed, outcome


def _warn_of_authority(stack: Stack, reporter: Reporter) -> None:
    ends = certificates.expiry(setup.authority(stack.settings).read().certificate)
    if ends < datetime.now(UTC) + certificates.LEAF_LIFE:
        reporter.note(
            f"warning: the private CA ends on {ends:%Y-%m-%d}; `inv setup-tls selfsigned --force`"
            " makes a new one, which everybody has to trust again"
        )


def _renew_issued(stack: Stack, reporter: Reporter, present: Installed, force: bool) -> Outcome:
    names, server = stack.settings.domains, present.server
    reason = setup.reason_to_issue(present, names, server, force)
    if not reason:
        setup.put_in_use(stack, present, names, changed=False)
        return Outcome(present, CertificateAction.KEPT)
    acme.check_names(names, server)
    new = setup.obtain(stack, reporter, names, server, stack.settings.acme_email, force)
    setup.put_in_use(stack, new, names, changed=True)
    return Outcome(new, CertificateAction.REPLACED, reason=reason)


def _check_own(stack: Stack, present: Installed) -> Outcome:
    pair = present.pair
    problem = certificates.pair_problem(pair)
    problem = problem or certificates.date_problem(pair.certificate, datetime.now(UTC))
    if problem:
        raise OpsError(
            f"the certificate in nginx/certs/current was put there by hand: {problem}",
            "Put a new one there, or let inv get one: inv setup-tls letsencrypt",
        )
    setup.put_in_use(stack, present, stack.settings.domains, changed=False)
    return Outcome(present, CertificateAction.KEPT)


def job(settings: Settings) -> ScheduledJob:
    """What `--schedule` installs."""
    return ScheduledJob(
        name=f"{settings.project}-{RENEWAL}",
        description="Renew the TLS certificate of ipai-platform",
        argv=(str(settings.root / "scripts" / "inv"), "renew-tls"),
        folder=settings.root,
        hours=_HOURS,
        success_codes=(0, EXIT_NOT_DUE),
    )
