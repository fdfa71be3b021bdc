"""Messages to people: a POST to an address of theirs, or any service that Apprise knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from scripts.core import addresses, http
from scripts.core.checks import Check, Finding, Status, run_within
from scripts.core.errors import OpsError, UsageError

SECONDS: Final = 10.0  # that all addresses together may take
_HINT: Final = "https://…, ntfy://…, mailto://…, or another form of github.com/caronc/apprise"


class Kind(StrEnum):
    """What a message is; services show it by a colour or a priority."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Message:
    """What people are told, and the same for machines, which an address of one's own gets."""

    title: str
    text: str
    kind: Kind
    document: Mapping[str, Any]


def parse(text: str, option: str) -> tuple[str, ...]:
    """The addresses in `text`, the value of `option`; raises UsageError for what is none."""
    if not addresses.are_addresses(text):
        raise UsageError(f"{option} wants {addresses.RULE}", _HINT)
    found = addresses.split(text)
    for address in found:
        if problem := problem_of(address):
            raise UsageError(f"{option}: {problem}", _HINT)
    return found


def problem_of(address: str) -> str:
    """Why nothing could be sent to it, for people; '' where something might."""
    if _is_web(address) or _service(address):
        return ""
    return f"no service is known by {addresses.masked(address)}"


def deliver(messages: Mapping[str, Message], *, seconds: float = SECONDS) -> dict[str, str]:
    """Send each address its message, all at once, within `seconds`.

    Returns the addresses that did not take theirs, and why, without any token.
    """
    services = {address: _service(address) for address in messages}
    checks = [Check(a, partial(_send, a, services[a], messages[a])) for a in messages]
    rows = run_within(checks, seconds)
    return {
        row.name: f"{_name(row.name, services[row.name])} was not told: {row.detail}"
        for row in rows
        if row.status is not Status.OK
    }


def _is_web(address: str) -> bool:
    return addresses.is_web(address)


def _service(address: str) -> Any:
    """The service of Apprise's that `address` means; None for an address of one's own.

    Pages of Slack, ntfy.sh and others show web addresses, which it knows.
    """
    import logging

    import apprise  # 0.3 s

    logging.getLogger("apprise").disabled = True  # its messages hold tokens
    # Who sends it, and no picture of Apprise's from GitHub.
    asset = apprise.AppriseAsset(app_id="ipai-platform", app_desc="", image_url_mask="")
    found = apprise.Apprise.instantiate(address, asset=asset)
    if found is None:
        return None
    # Most services refuse what is longer than they show: an outage of everything would not be told.
    if "overflow=" not in address:
        found.overflow_mode = apprise.OverflowMode.TRUNCATE
    sender = apprise.Apprise(asset=asset)
    sender.add(found)
    return sender


def _send(address: str, service: Any, message: Message) -> Finding:
    """Raises OpsError without the address unless it was taken."""
    if service is None:
        if not _is_web(address):
            raise OpsError("no such service is known")
        http.tell(address, dict(message.document), timeout=SECONDS)
        return Finding(Status.OK)
    try:
        taken = service.notify(
            title=message.title,
            body=message.text,
            notify_type=message.kind.value,
            body_format="text",
        )
    except Exception as error:  # its text may hold the whole address
        raise OpsError(type(error).__name__) from None
    if not taken:
        raise OpsError("it was refused, or nothing answers")
    return Finding(Status.OK)


def _name(address: str, service: Any) -> str:
    """For people: the host of an address of one's own, else what the service is called."""
    return addresses.masked(address) if service is None else str(service[0].service_name)
