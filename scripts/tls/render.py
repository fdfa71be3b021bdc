"""Certificates as text for people, and as JSON for machines."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.core.console import Console
from scripts.core.settings import Settings
from scripts.tls import setup, trust
from scripts.tls.renewal import Renewal
from scripts.tls.selfsigned import CertificateAction
from scripts.tls.setup import Outcome
from scripts.tls.store import Kind


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
    ca = setup.authority(settings).certificate
    lines.append(f"Private CA:  {ca}: {outcome.ca}")
    if outcome.ca is CertificateAction.REPLACED:
        why = "was near its end, or not good for all of these names"
        lines.append(f"The old CA {why}: trust the new one wherever the old was trusted.")
    return [*lines, "", *trust.by_hand(ca)]


def _current(settings: Settings) -> Path:
    return settings.certificates / "current"


def show_renewal(
    console: Console, renewal: Renewal, outcome: Outcome, *, as_json: bool = False
) -> None:
    """Say how it ended; a renewal that was not due says nothing where nobody watches."""
    why = f": {outcome.reason}" if outcome.reason else ""
    ends = f"{outcome.expires:%Y-%m-%d} (in {(outcome.expires - datetime.now(UTC)).days} days)"
    line = f"TLS certificate {renewal}{why}; it expires on {ends}"
    quiet = renewal is Renewal.NOT_DUE
    console.show(_as_json(renewal, outcome), [line], as_json=as_json, quiet=quiet)


def _as_json(renewal: Renewal, outcome: Outcome) -> dict[str, Any]:
    return {
        "state": renewal.value,
        "kind": outcome.installed.kind.value,
        "names": outcome.installed.names,
        "expires": outcome.expires.isoformat(),
        "reason": outcome.reason,
        "ca": outcome.ca.value,
    }
