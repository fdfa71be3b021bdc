"""What `inv health` says of the certificate in use."""

from datetime import UTC, datetime, timedelta
from typing import Final

from scripts.core.checks import Finding, Status
from scripts.core.settings import Settings
from scripts.tls import certificates, setup
from scripts.tls.store import Kind, Store

# `inv renew-tls` would have renewed it before, when a third of its life was left.
_SOON: Final = timedelta(days=14)
_NOW: Final = timedelta(days=3)
# Of an authority that gives them for a few days only: at most these parts of their life.
_SOON_PART: Final = 1 / 6
_NOW_PART: Final = 1 / 30


def finding(settings: Settings) -> Finding:
    """Whether browsers accept the certificate in use; a warning where it ends soon.

    FAILED where it ends within three days. Raises OpsError where it cannot be read.
    """
    present = Store(settings.certificates).read()
    renew = "inv renew-tls"
    if present and present.kind is Kind.OWN:
        renew = "put a new one into nginx/certs/current, or: inv setup-tls letsencrypt"
    problem = setup.problem(settings)
    if problem or present is None:
        return Finding(Status.FAILED, problem, renew)
    start, end = certificates.dates(present.pair.certificate)
    soon, now_ends = _SOON, _NOW
    if present.kind is Kind.LETSENCRYPT:
        life = end - start
        soon, now_ends = min(soon, life * _SOON_PART), min(now_ends, life * _NOW_PART)
    left = end - datetime.now(UTC)
    detail = f"the certificate in use ends on {end:%Y-%m-%d %H:%M} UTC"
    if left <= soon:
        return Finding(Status.FAILED if left <= now_ends else Status.WARNING, detail, renew)
    return Finding(Status.OK)


def end(settings: Settings) -> datetime | None:
    """The moment after which browsers refuse the certificate in use; None without one.

    Raises OpsError where it cannot be read.
    """
    present = Store(settings.certificates).read()
    return certificates.expiry(present.pair.certificate) if present else None
