"""A name server that answers, whatever it knows, and one that does not."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.core.checks import Status
from scripts.doctor import host_rows


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of one that refuses every question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind(("127.0.0.1", 0))
        port = served.getsockname()[1]

        def serve() -> None:
            question, asker = served.recvfrom(512)
            served.sendto(question[:2] + b"\x81\x05" + question[4:], asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        _use_port(monkeypatch, port)
        yield "127.0.0.1"


def _use_port(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(host_rows, "_DNS_PORT", port)
    monkeypatch.setattr(host_rows, "_DNS_SECONDS", 5.0)


def _conf(root: Path, *servers: str) -> Path:
    path = root / "resolv.conf"
    path.write_text("search example.com\n" + "".join(f"nameserver {s}\n" for s in servers))
    return path


def test_one_that_knows_nobody_answers_all_the_same(tmp_path: Path, name_server: str) -> None:
    found = host_rows.resolver(_conf(tmp_path, name_server))
    assert found
    assert (found.status, found.detail) == (Status.OK, name_server)


def test_one_that_is_not_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    _use_port(monkeypatch, port)
    found = host_rows.resolver(_conf(tmp_path, "127.0.0.1"))
    assert found
    assert found.status is Status.WARNING
    assert "no name server answers (127.0.0.1)" in found.detail


def test_without_a_server_nothing_can_be_told(tmp_path: Path) -> None:
    assert host_rows.resolver(_conf(tmp_path)) is None
    assert host_rows.resolver(tmp_path / "none") is None
