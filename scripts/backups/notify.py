"""Tells addresses of the user's how a backup ended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from scripts.core import notification
from scripts.core.errors import OpsError
from scripts.core.notification import Kind, Message

_KINDS: Final = {"ok": Kind.SUCCESS, "warning": Kind.WARNING, "failed": Kind.FAILURE}


@contextmanager
def outcome(targets: Sequence[str], installation: str) -> Iterator[dict[str, str]]:
    """Tell `targets` {status, installation, id, message} when the block has ended.

    The block may fill in `id`. A failure of the block is told, and stays the failure.
    Raises OpsError where a backup was made and not all were told.
    """
    told = {"installation": installation, "status": "ok", "id": "", "message": ""}
    try:
        yield told
    except BaseException as error:
        told |= {"status": "failed", "message": str(error) or type(error).__name__}
        if (deaf := _tell(targets, told)) and isinstance(error, OpsError):
            raise OpsError(f"{error.message} ({deaf})", error.hint, error.exit_code) from error
        raise
    if deaf := _tell(targets, told):
        raise OpsError(f"backup {told['id']} was made, but {deaf}")


def _tell(targets: Sequence[str], told: dict[str, str]) -> str:
    """Who was not told, and why; '' if all were."""
    if not targets:
        return ""
    title = f"{told['installation']}: backup {told['status']}"
    text = "\n".join(line for line in (told["message"], told["id"]) if line)
    message = Message(title, text or title, _KINDS[told["status"]], told)
    return "; ".join(notification.deliver(dict.fromkeys(targets, message)).values())
