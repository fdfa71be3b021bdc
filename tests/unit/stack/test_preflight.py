import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core.checks import Result, Status, run_all
from scripts.core.settings import ROOT, Environment
from scripts.stack import preflight
from scripts.stack.compose import Service, Stack
from scripts.stack.engine import Engine
from tests.unit.support.fakes import FakeRunner, says, settings_in

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


def test_a_stack_of_swarm_on_the_same_volumes_is_not_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = FakeRunner({"docker ps": says()})
    stack = Stack(settings_in(tmp_path, http_port=_free(), odoo_port=_free()), runner)
    assert "Swarm" not in _rows(stack)
    in_swarm = replace(_ENGINE, in_swarm=True)
    assert _rows(stack, in_swarm)["Swarm"].status is Status.OK
    label = "docker ps --quiet --filter label=com.docker.stack.namespace=ipai-platform"
    monkeypatch.setattr(runner, "_answer", lambda argv: says("c1" * (" ".join(argv) == label)))
    row = _rows(stack, in_swarm)["Swarm"]
    assert row.status is Status.FAILED and "docker stack rm ipai-platform" in row.hint


def _readable(root: Path) -> tuple[Path, Path]:
    ours, another = (root / "odoo" / "addons" / name for name in ("session_redis", "sale"))
    for folder in (ours, another):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch(0o644)
    return ours, another


def _files(root: Path, environment: Environment = Environment.DEV) -> Result:
    settings = settings_in(
        root, environment=environment, http_port=_free(), https_port=_free(), odoo_port=_free()
    )
    return _rows(Stack(settings, FakeRunner()))["Files"]


_LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="a virtual machine maps modes in its own way"
)


@_LINUX
def test_modules_that_odoo_cannot_read_are_named_before_the_start(tmp_path: Path) -> None:
    ours, another = _readable(tmp_path)
    assert _files(tmp_path).status is Status.OK
    (another / "__init__.py").chmod(0o600)  # cloned under umask 077
    row = _files(tmp_path)
    assert row.status is Status.WARNING and row.hint == "Run: chmod -R o+rX odoo/addons"
    assert row.detail == "containers cannot read odoo/addons/sale/__init__.py"
    another.chmod(0o750)
    assert _files(tmp_path).detail == "containers cannot read odoo/addons/sale"
    ours.chmod(0o750)
    row = _files(tmp_path)
    assert row.status is Status.FAILED, "Odoo would refuse to start"
    assert row.detail == "containers cannot read odoo/addons/sale, odoo/addons/session_redis"


@_LINUX
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_what_containers_cannot_read_of_a_clone_is_named_with_what_repairs_it(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        clone = _tracked(tmp_path / "clone")
    finally:
        os.umask(before)
    private = [clone / "odoo" / "odoo.conf", clone / "nginx" / "certs" / "privkey.pem"]
    for path in private:
        path.touch()
        path.chmod(0o600)
    for environment in Environment:
        row = _files(clone, environment)
        if umask == 0o022:
            assert row.status is Status.OK
            continue
        assert row.status is Status.FAILED
        assert row.detail.startswith("containers cannot read toolbox, odoo, odoo/health.py and")
        assert "containers cannot execute nginx/gate-at-start" in row.detail
        program = environment is Environment.PROD
        assert ("nginx/trusted-proxies" in row.detail) == program
        subprocess.run(["sh", "-c", row.hint.removeprefix("Run: ")], cwd=clone, check=True)
        assert _files(clone, environment).status is Status.OK
        for run in (clone / "odoo").glob("*.py"):  # by Odoo's user
            assert run.stat().st_mode & 0o004, run.name
        _close(clone)
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def _tracked(target: Path) -> Path:
    """What is mounted, made as Git makes it: by the umask."""
    for name in ("toolbox", "odoo", "postgres", "redis", "nginx"):
        for source in sorted((ROOT / name).rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                copy = target / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(source.read_bytes())
                if source.stat().st_mode & 0o100:
                    copy.chmod(0o777 & ~_umask())
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _close(clone: Path) -> None:
    for path in clone.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o077)


def test_free_ports_are_fine(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, http_port=_free(), odoo_port=_free(), mail_port=_free())
    rows = _rows(Stack(settings, FakeRunner()))
    assert {row.status for row in rows.values()} == {Status.OK}
    assert len(rows) == 6


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


def test_an_enterprise_without_modules_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "mistyped").mkdir()
    stack = Stack(settings_in(tmp_path, odoo_enterprise="mistyped"), FakeRunner())
    row = _rows(stack)["Enterprise"]
    assert row.status is Status.FAILED and "ODOO_ENTERPRISE=mistyped" in row.detail
    (tmp_path / "mistyped" / "web_enterprise").mkdir()
    (tmp_path / "mistyped" / "web_enterprise" / "__manifest__.py").touch()
    assert _rows(stack)["Enterprise"].status is Status.OK
