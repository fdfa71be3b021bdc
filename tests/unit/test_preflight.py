import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from scripts.core.checks import Result, Status, run_all
from scripts.core.settings import Environment
from scripts.stack import preflight
from scripts.stack.compose import Service, Stack
from scripts.stack.engine import Engine

from .fakes import FakeRunner, says, settings_in

_ENGINE = Engine("28", "5.6.1", 4, 8 * preflight.GIB, Path("/nowhere"))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _rows(
    stack: Stack, engine: Engine = _ENGINE, services: Sequence[Service] = ()
) -> dict[str, Result]:
    return {row.name: row for row in run_all(preflight.checks(stack, engine, services))}


def test_a_taken_port_names_the_process_that_has_it(tmp_path: Path, taken: int) -> None:
    stack = Stack(settings_in(tmp_path, http_port=taken, odoo_port=_free()), FakeRunner())
    row = _rows(stack)[f"Port {taken}"]
    assert row.status is Status.FAILED
    assert row.detail.startswith(f"taken by process {os.getpid()} (")
    assert row.detail.endswith("); Nginx needs it")
    assert "NGINX_HTTP_PORT" in row.hint


def test_a_taken_port_names_the_container_that_has_it(tmp_path: Path, taken: int) -> None:
    runner = FakeRunner({f"docker ps --filter publish={taken}": says("grafana\n")})
    stack = Stack(settings_in(tmp_path, http_port=_free(), odoo_port=taken), runner)
    row = _rows(stack)[f"Port {taken}"]
    assert row.detail == "taken by container grafana; Odoo needs it"
    assert "ODOO_PORT" in row.hint


def _readable(root: Path) -> tuple[Path, Path]:
    ours, another = (root / "odoo" / "addons" / name for name in ("session_redis", "sale"))
    for folder in (ours, another):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch(0o644)
    return ours, another


def _modules(root: Path) -> Result:
    stack = Stack(settings_in(root, http_port=_free(), odoo_port=_free()), FakeRunner())
    return _rows(stack)["Modules"]


@pytest.mark.skipif(sys.platform != "linux", reason="a virtual machine maps modes in its own way")
def test_modules_that_odoo_cannot_read_are_named_before_the_start(tmp_path: Path) -> None:
    ours, another = _readable(tmp_path)
    assert _modules(tmp_path).status is Status.OK
    (another / "__init__.py").chmod(0o600)  # cloned under umask 077
    row = _modules(tmp_path)
    assert row.status is Status.WARNING and "chmod -R a+rX odoo/addons" in row.hint
    assert row.detail == "Odoo cannot read odoo/addons/sale/__init__.py"
    another.chmod(0o750)
    assert _modules(tmp_path).detail == "Odoo cannot read odoo/addons/sale"
    ours.chmod(0o750)
    row = _modules(tmp_path)
    assert row.status is Status.FAILED, "Odoo would refuse to start"
    assert row.detail == "Odoo cannot read odoo/addons/sale, odoo/addons/session_redis"


def test_free_ports_are_fine(tmp_path: Path) -> None:
    stack = Stack(settings_in(tmp_path, http_port=_free(), odoo_port=_free()), FakeRunner())
    rows = _rows(stack)
    assert {row.status for row in rows.values()} == {Status.OK}
    assert len(rows) == 5


def test_a_port_that_our_own_running_container_has_is_not_taken(tmp_path: Path, taken: int) -> None:
    stack = Stack(settings_in(tmp_path, http_port=taken, odoo_port=_free()), FakeRunner())
    ours = Service("nginx", "ipai-nginx-1", "running", "healthy", 0, (taken,))
    assert f"Port {taken}" not in _rows(stack, services=[ours])


def test_a_port_of_a_stopped_container_of_ours_is_looked_at(tmp_path: Path, taken: int) -> None:
    stack = Stack(settings_in(tmp_path, http_port=taken, odoo_port=_free()), FakeRunner())
    ours = Service("nginx", "ipai-nginx-1", "exited", "", 0, (taken,))
    assert _rows(stack, services=[ours])[f"Port {taken}"].status is Status.FAILED


def test_production_does_not_ask_for_the_port_of_odoo(tmp_path: Path, taken: int) -> None:
    settings = settings_in(
        tmp_path, environment=Environment.PROD, http_port=_free(), odoo_port=taken
    )
    assert f"Port {taken}" not in _rows(Stack(settings, FakeRunner()))


def test_an_address_of_another_machine_is_recognised(tmp_path: Path) -> None:
    port = _free()
    settings = settings_in(tmp_path, bind="192.0.2.1", http_port=port, odoo_port=_free())
    row = _rows(Stack(settings, FakeRunner()))[f"Port {port}"]
    assert row.detail == "192.0.2.1 is no address of this machine"
    assert "NGINX_BIND" in row.hint


def test_an_address_that_is_none_is_a_failed_row_with_a_hint(tmp_path: Path) -> None:
    port = _free()
    settings = settings_in(tmp_path, bind="999.1.1.1", http_port=port, odoo_port=_free())
    row = _rows(Stack(settings, FakeRunner()))[f"Port {port}"]
    assert row.status is Status.FAILED
    assert "NGINX_BIND" in row.hint


def test_too_little_memory_fails_with_both_numbers(tmp_path: Path) -> None:
    stack = Stack(settings_in(tmp_path, http_port=_free(), odoo_port=_free()), FakeRunner())
    small = Engine("28", "5.6.1", 1, preflight.LEAST_MEMORY - 1, Path("/nowhere"))
    row = _rows(stack, small)["Memory"]
    assert row.status is Status.FAILED
    assert row.detail == "2.0 GiB for the engine"
    assert "Odoo needs 2 GiB" in row.hint
    enough = Engine("28", "5.6.1", 1, preflight.LEAST_MEMORY, Path("/nowhere"))
    assert _rows(stack, enough)["Memory"].status is Status.OK


def test_too_little_disk_names_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(settings_in(tmp_path, http_port=_free(), odoo_port=_free()), FakeRunner())
    data = tmp_path / "docker"
    data.mkdir()
    engine = Engine("28", "5.6.1", 4, 8 * preflight.GIB, data)
    assert _rows(stack, engine)["Disk"].status is Status.OK
    monkeypatch.setattr(preflight, "LEAST_DISK", 10**18)
    row = _rows(stack, engine)["Disk"]
    assert row.status is Status.FAILED
    assert f"free at {data}, " in row.detail


def test_the_disk_of_a_virtual_machine_is_not_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "LEAST_DISK", 10**18)
    stack = Stack(settings_in(tmp_path, http_port=_free(), odoo_port=_free()), FakeRunner())
    assert _rows(stack)["Disk"].status is Status.OK
