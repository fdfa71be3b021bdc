"""Tells an address of the user's how a backup ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.core import http
from scripts.core.errors import OpsError


@contextmanager
def outcome(url: str, installation: str) -> Iterator[dict[str, str]]:
    """POST {status, installation, id, message} to `url` when the block has ended.

    The block may fill in `id`. A failure of the block is told, and stays the failure.
    """
    told = {"installation": installation, "status": "ok", "id": "", "message": ""}
    try:
        yield told
    except BaseException as error:
        told |= {"status": "failed", "message": str(error) or type(error).__name__}
        if url:
            _try(url, told)
        raise
    if url:
        http.post(url, told)


def _try(url: str, told: dict[str, str]) -> None:
    try:
        http.post(url, told)
    except OpsError as unheard:
        told["message"] += f" (nobody was told: {unheard.message})"
