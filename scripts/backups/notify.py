"""Tells an address of the user's how a backup ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.core import http
from scripts.core.errors import OpsError, UsageError


def validate_address(url: str) -> None:
    """Raises UsageError unless `url` is one."""
    if not http.is_address(url, "https", "http"):
        raise UsageError(
            "--notify wants an address that begins with https:// or http://",
            "For example: --notify https://hooks.example.com/backup",
        )


@contextmanager
def outcome(url: str, installation: str) -> Iterator[dict[str, str]]:
    """POST {status, installation, id, message} to `url` when the block has ended.

    The block may fill in `id`. A failure of the block is told, and stays the failure.
    Raises UsageError for an address that is none, before the block.
    """
    if url:
        validate_address(url)
    told = {"installation": installation, "status": "ok", "id": "", "message": ""}
    try:
        yield told
    except BaseException as error:
        told |= {"status": "failed", "message": str(error) or type(error).__name__}
        if url and (deaf := _try(url, told)) and isinstance(error, OpsError):
            raise OpsError(f"{error.message} ({deaf})", error.hint, error.exit_code) from error
        raise
    if url:
        try:
            http.post(url, told)
        except OpsError as unheard:
            raise OpsError(f"backup {told['id']} was made, but {unheard.message}") from unheard


def _try(url: str, told: dict[str, str]) -> str:
    """Why nobody was told, '' if somebody was."""
    try:
        http.post(url, told)
    except OpsError as unheard:
        return unheard.message
    return ""
