"""The site that `inv health` asks."""

from collections.abc import Mapping

import pytest

from scripts.core.http import Reply
from scripts.health import work
from scripts.stack import ingress, websocket
from tests.unit.support.health import LOGIN, Site


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """Have Nginx answer with what is given, by path."""

    def answering(replies: Mapping[str, Reply]) -> None:
        pages = {"/nginx-health": Reply(200, "ok"), "/web/login": LOGIN, **replies}
        monkeypatch.setattr(ingress, "get", lambda _, path, **__: pages[path])

    monkeypatch.setattr(ingress, "beginning", lambda *_, **__: (200, 9))
    monkeypatch.setattr(websocket, "handshake", lambda *_, **__: websocket.Answer(101, ""))
    monkeypatch.setattr(work, "get", lambda _, **__: Reply(200, "the mail"))
    answering({})
    return answering
